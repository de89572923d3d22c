//! The compressed table of all models.
//!
//! Layout: `MAGIC`, three little-endian lengths (dictionary, index, plain index), the dictionary, the index (zstd, JSON), then
//! one zstd frame for each service, made with the dictionary. A frame holds the model as one line of JSON and then, where
//! there is one, the endpoint rule set as another.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::Service;

static EMBEDDED: &[u8] = include_bytes!("../../models/models.bin.zst");

/// The first bytes of a table; the digit is the version of the format.
pub(super) const MAGIC: &[u8; 8] = b"YAGURAM1";

/// No service is larger: EC2 is about 4 MB. A table that says otherwise is broken.
const PLAIN_BYTES_MAX: usize = 32 << 20;

/// The table is made once a release and read at each start: the slowest level, which reads as fast as any.
const COMPRESSION_LEVEL: i32 = 22;

/// Every service that Yagura knows. Cheap to open: a service is decompressed and decoded when it is first asked for.
#[derive(Debug)]
pub struct Models {
    bytes: &'static [u8],
    dictionary: &'static [u8],
    services: BTreeMap<Box<str>, Slot>,
    partitions: (Frame, OnceLock<Result<Value, ModelsError>>),
    botocore: Box<str>,
}

/// Why a table or a service of it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// The bytes are no table of this version.
    #[error("the table of service models is broken: {0}")]
    Table(String),
    /// There is no model of this service.
    #[error("no model of service `{0}`")]
    NoService(String),
    /// The model is in the table and cannot be read.
    #[error("the model of `{name}` is broken: {detail}")]
    Service {
        /// The service.
        name: String,
        /// What is wrong.
        detail: String,
    },
}

#[derive(Debug)]
struct Slot {
    frame: Frame,
    /// The IAM action of each operation, where only these were asked for.
    actions: OnceLock<BTreeMap<Box<str>, Box<str>>>,
    decoded: OnceLock<Result<Arc<Service>, ModelsError>>,
}

/// Where a compressed part lies.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) plain: usize,
}

/// What the table holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) botocore: Box<str>,
    pub(super) partitions: Frame,
    pub(super) services: BTreeMap<Box<str>, Frame>,
}

impl Models {
    /// The models that the program carries.
    pub fn embedded() -> Result<&'static Self, ModelsError> {
        static MODELS: OnceLock<Result<Models, ModelsError>> = OnceLock::new();
        MODELS.get_or_init(|| Self::open(EMBEDDED)).as_ref().map_err(Clone::clone)
    }

    /// The models of a table in memory.
    pub fn open(bytes: &'static [u8]) -> Result<Self, ModelsError> {
        let broken = |detail: &str| ModelsError::Table(detail.to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| broken("it does not start as one"))?;
        let (dictionary_length, rest) = take_length(rest).ok_or_else(|| broken("no length of the dictionary"))?;
        let (index_length, rest) = take_length(rest).ok_or_else(|| broken("no length of the index"))?;
        let (index_plain, rest) = take_length(rest).ok_or_else(|| broken("no length of the index"))?;
        let (dictionary, rest) = rest.split_at_checked(dictionary_length).ok_or_else(|| broken("it is cut short"))?;
        let (index, bytes) = rest.split_at_checked(index_length).ok_or_else(|| broken("it is cut short"))?;
        let index = decompress(&[], index, index_plain).map_err(ModelsError::Table)?;
        let index: Index = serde_json::from_slice(&index).map_err(|error| ModelsError::Table(error.to_string()))?;
        let slot = |(name, frame)| (name, Slot { frame, actions: OnceLock::new(), decoded: OnceLock::new() });
        Ok(Self {
            bytes,
            dictionary,
            services: index.services.into_iter().map(slot).collect(),
            partitions: (index.partitions, OnceLock::new()),
            botocore: index.botocore,
        })
    }

    /// The model of a service by botocore's name; `None` where there is none. A broken model is logged: see [`Models::load`].
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        match self.load(name) {
            Ok(service) => Some(service),
            Err(ModelsError::NoService(_)) => None,
            Err(error) => {
                tracing::error!(service = name, %error, "reading a service model failed");
                None
            }
        }
    }

    /// The model of a service by botocore's name, or why there is none.
    pub fn load(&self, name: &str) -> Result<Arc<Service>, ModelsError> {
        let slot = self.services.get(name).ok_or_else(|| ModelsError::NoService(name.to_owned()))?;
        let decode = || {
            let text = self.text(slot.frame);
            let service = text.and_then(|text| decode_service(&text));
            service.map(Arc::new).map_err(|detail| ModelsError::Service { name: name.to_owned(), detail })
        };
        slot.decoded.get_or_init(decode).clone()
    }

    /// The IAM action that allows an operation; `None` where no model has it. Reads of the model only what this needs, a
    /// tenth of the whole.
    pub fn iam_action(&self, service: &str, operation: &str) -> Option<&str> {
        #[derive(Deserialize)]
        struct Actions {
            operations: Vec<Action>,
        }
        #[derive(Deserialize)]
        struct Action {
            name: Box<str>,
            iam_action: Box<str>,
        }
        let slot = self.services.get(service)?;
        let actions = slot.actions.get_or_init(|| {
            let text = self.text(slot.frame).unwrap_or_default();
            let model = text.lines().next().unwrap_or_default();
            // A broken model has no actions, and whoever calls the service is told what is wrong with it.
            let found = serde_json::from_str(model).map_or_else(|_| Vec::new(), |found: Actions| found.operations);
            found.into_iter().map(|action| (action.name, action.iam_action)).collect()
        });
        actions.get(operation).map(|action| &**action)
    }

    /// The names of all services, sorted.
    pub fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(|name| &**name)
    }

    /// The partitions and their regions, in the schema of botocore's `partitions.json`.
    pub fn partitions(&self) -> Result<&Value, ModelsError> {
        let (frame, decoded) = &self.partitions;
        let decode = || {
            let text = self.text(*frame).map_err(ModelsError::Table)?;
            serde_json::from_str(&text).map_err(|error| ModelsError::Table(error.to_string()))
        };
        decoded.get_or_init(decode).as_ref().map_err(Clone::clone)
    }

    /// The version of botocore that the models are from.
    pub fn botocore_version(&self) -> &str {
        &self.botocore
    }

    fn text(&self, frame: Frame) -> Result<String, String> {
        let end = frame.start.checked_add(frame.length).ok_or("a part ends nowhere")?;
        let part = self.bytes.get(frame.start..end).ok_or("it is cut short")?;
        String::from_utf8(decompress(self.dictionary, part, frame.plain)?).map_err(|error| error.to_string())
    }
}

/// A service from its line of JSON and that of its endpoint rules.
fn decode_service(text: &str) -> Result<Service, String> {
    let (model, rules) = text.split_once('\n').unwrap_or((text, ""));
    let mut service: Service = serde_json::from_str(model).map_err(|error| error.to_string())?;
    service.endpoint_rules_json = (!rules.is_empty()).then(|| rules.into());
    service.checked()
}

fn decompress(dictionary: &[u8], bytes: &[u8], plain: usize) -> Result<Vec<u8>, String> {
    if plain > PLAIN_BYTES_MAX {
        return Err(format!("{plain} bytes are more than the limit of {PLAIN_BYTES_MAX}"));
    }
    let mut decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary).map_err(|error| error.to_string())?;
    decompressor.decompress(bytes, plain).map_err(|error| error.to_string())
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

/// The table of `services`, with the partitions of the same botocore. `dictionary` is any text that resembles the models:
/// what they share is then stored once. The error is zstd's.
pub fn write_table(
    botocore: &str,
    partitions: &Value,
    services: &[Service],
    dictionary: &[u8],
) -> Result<Vec<u8>, std::io::Error> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(COMPRESSION_LEVEL, dictionary)?;
    let mut bytes = Vec::new();
    let mut add = |text: &str| -> Result<Frame, std::io::Error> {
        let part = compressor.compress(text.as_bytes())?;
        let frame = Frame { start: bytes.len(), length: part.len(), plain: text.len() };
        bytes.extend_from_slice(&part);
        Ok(frame)
    };
    let partitions = add(&partitions.to_string())?;
    let mut frames = BTreeMap::new();
    for service in services {
        frames.insert(service.name.clone(), add(&encode_service(service)?)?);
    }
    let index = serde_json::to_vec(&Index { botocore: botocore.into(), partitions, services: frames })?;
    let packed = zstd::bulk::compress(&index, COMPRESSION_LEVEL)?;
    let mut table = MAGIC.to_vec();
    for length in [dictionary.len(), packed.len(), index.len()] {
        table.extend_from_slice(&u32::try_from(length).map_err(std::io::Error::other)?.to_le_bytes());
    }
    for part in [dictionary, &packed, &bytes] {
        table.extend_from_slice(part);
    }
    Ok(table)
}

/// The text of one frame; the inverse of [`decode_service`].
fn encode_service(service: &Service) -> Result<String, std::io::Error> {
    let mut text = serde_json::to_string(service)?;
    if let Some(rules) = &service.endpoint_rules_json {
        text.push('\n');
        text.push_str(rules);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Location, Protocol};

    #[test]
    fn every_service_decodes() {
        let models = Models::embedded().unwrap();
        for name in models.service_names() {
            let service = models.load(name).unwrap();
            assert!(!service.operations().is_empty(), "{name} has no operations");
            assert!(service.endpoint_rules().is_some(), "{name} has no endpoint rules");
            for operation in service.operations() {
                assert_eq!(models.iam_action(name, &operation.name), Some(&*operation.iam_action), "{name}");
            }
        }
        assert!(models.service_names().count() >= 88);
    }

    #[test]
    fn a_service_has_what_its_model_says() {
        let models = Models::embedded().unwrap();
        let s3 = models.service("s3").unwrap();
        assert_eq!((s3.protocol, &*s3.service_id), (Protocol::RestXml, "S3"));
        let operation = s3.operation("GetBucketPolicy").unwrap();
        assert!(operation.read_only);
        let bucket = s3.input(operation).unwrap().member("Bucket").unwrap();
        assert_eq!((bucket.target.traits.location, bucket.required), (Some(Location::Uri), true));
        assert_eq!(s3.context_params(operation).collect::<Vec<_>>(), [("Bucket", "Bucket")]);
        let listing = s3.operation("ListBuckets").unwrap();
        assert_eq!(&*listing.iam_action, "s3:ListAllMyBuckets");
        assert!(listing.paginator.is_some());
        assert!(models.service("no-such-service").is_none());
    }

    #[test]
    fn nothing_that_writes_or_hands_out_a_secret_is_read() {
        let models = Models::embedded().unwrap();
        for name in models.service_names() {
            let service = models.load(name).unwrap();
            let mut reads = service.operations().iter().filter(|operation| operation.read_only);
            assert!(reads.all(|read| matches!(&*read.method, "GET" | "HEAD" | "POST")), "{name}");
        }
        let read = |service, operation| models.load(service).unwrap().operation(operation).unwrap().read_only;
        assert!(!read("secretsmanager", "GetSecretValue"));
        assert!(!read("ssm", "GetParametersByPath"));
        assert!(!read("sts", "AssumeRole"));
        assert!(!read("lambda", "Invoke"));
        assert!(read("iam", "GenerateCredentialReport"));
        assert!(read("sts", "GetCallerIdentity"));
    }

    #[test]
    fn partitions_are_there() {
        let partitions = Models::embedded().unwrap().partitions().unwrap();
        assert!(partitions["partitions"].as_array().is_some_and(|partitions| partitions.len() > 2));
    }

    #[test]
    fn a_broken_table_is_an_error() {
        assert!(matches!(Models::open(b""), Err(ModelsError::Table(_))));
        assert!(matches!(Models::open(b"YAGURAM1\xff\xff\xff\xff"), Err(ModelsError::Table(_))));
        let cut = &EMBEDDED[..EMBEDDED.len() / 2];
        let models = Models::open(cut).unwrap();
        assert!(matches!(models.load("workspaces"), Err(ModelsError::Service { .. })));
    }
}
