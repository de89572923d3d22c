//! Where log objects are read from: files, folders and buckets.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::path::Path as Key;
use object_store::{Attribute, CredentialProvider, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use yagura_aws::credentials::Session;
use yagura_lake::object::LogObject;
use yagura_lake::{Fetch, Files};

use crate::Usage;
use crate::config::Config;
use crate::pipeline;
use crate::words::Words;

/// Objects that are read from a bucket at the same time: enough to hide the network's delay, few enough for its limits.
const BUCKET_READERS: usize = 16;

/// Bytes of an object that are asked for at a time.
const RANGE_BYTES: u64 = 16 << 20;

/// Folders within folders that are walked.
const DEPTH_MAX: usize = 64;

/// The places that were given.
pub(crate) struct Places {
    paths: Vec<PathBuf>,
    prefixes: Vec<(String, Key)>,
    buckets: HashMap<String, Arc<dyn ObjectStore>>,
    session: Option<Arc<Session>>,
    runtime: tokio::runtime::Handle,
}

impl Places {
    /// Understands the places, and signs in where one of them is a bucket.
    pub(crate) fn open(
        places: &[String],
        config: &Config,
        words: &Words,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<Self> {
        let mut opened = Self {
            paths: Vec::new(),
            prefixes: Vec::new(),
            buckets: HashMap::new(),
            session: None,
            runtime: runtime.handle().clone(),
        };
        for place in places {
            let Some(rest) = place.strip_prefix("s3://") else {
                opened.paths.push(PathBuf::from(place));
                continue;
            };
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(Usage(words.fill("logs.no_bucket", &[("place", place)])).into());
            }
            if !opened.buckets.contains_key(bucket) {
                let session = if let Some(session) = &opened.session {
                    Arc::clone(session)
                } else {
                    let new = Arc::new(runtime.block_on(pipeline::session(config, words))?);
                    opened.session.insert(new).clone()
                };
                opened.buckets.insert(bucket.to_owned(), bucket_store(bucket, config, session)?);
            }
            opened.prefixes.push((bucket.to_owned(), Key::parse(prefix)?));
        }
        Ok(opened)
    }

    /// Every object in these places.
    pub(crate) fn list(&self, runtime: &tokio::runtime::Runtime) -> Result<Vec<LogObject>> {
        let mut found = Vec::new();
        for path in &self.paths {
            let path = fs::canonicalize(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            walk(&path, DEPTH_MAX, &mut found).with_context(|| format!("`{}` cannot be read", path.display()))?;
        }
        for (bucket, prefix) in &self.prefixes {
            let Some(store) = self.buckets.get(bucket) else { continue };
            let listed = runtime.block_on(list(store.as_ref(), prefix));
            let listed =
                listed.map_err(Refused::from).with_context(|| format!("`s3://{bucket}/{prefix}` cannot be listed"))?;
            found.extend(listed.into_iter().filter(|meta| meta.size > 0).map(|meta| log_object(bucket, meta)));
        }
        Ok(found)
    }

    /// The prefixes that were given, each with its bucket.
    pub(crate) fn prefixes(&self) -> &[(String, Key)] {
        &self.prefixes
    }

    /// The bucket of that name, if one of the places lies in it.
    pub(crate) fn bucket(&self, name: &str) -> Option<&Arc<dyn ObjectStore>> {
        self.buckets.get(name)
    }

    /// What the buckets are signed in with; none where no bucket was given.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Objects to read at the same time.
    pub(crate) fn readers(&self, threads: usize) -> usize {
        if self.buckets.is_empty() { threads } else { threads.max(BUCKET_READERS) }
    }
}

impl Fetch for Places {
    fn fetch(&self, object: &LogObject) -> io::Result<Box<dyn Read + Send>> {
        let Some((bucket, key)) = object.uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) else {
            return Files.fetch(object);
        };
        let store = self.buckets.get(bucket).ok_or_else(|| io::Error::other("no such bucket was given"))?;
        Ok(Box::new(Ranges {
            store: Arc::clone(store),
            key: Key::parse(key).map_err(io::Error::other)?,
            size: object.size,
            at: 0,
            part: io::Cursor::new(Vec::new()),
            runtime: self.runtime.clone(),
        }))
    }

    fn signature(&self, object: &LogObject) -> Option<String> {
        let Some((bucket, key)) = object.uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/')) else {
            return Files.signature(object);
        };
        let (store, key) = (self.buckets.get(bucket)?, Key::parse(key).ok()?);
        let head = GetOptions { head: true, ..GetOptions::default() };
        let answer = self.runtime.block_on(store.get_opts(&key, head)).ok()?;
        answer.attributes.get(&Attribute::Metadata("signature".into())).map(|value| value.as_ref().to_owned())
    }
}

/// What a bucket answered instead of what it was asked for, in S3's code and words where it had any.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

impl From<object_store::Error> for Refused {
    fn from(error: object_store::Error) -> Self {
        Self(refusal(&error.to_string()))
    }
}

/// The code and the message of S3's answer, which stands within the text as it came; the text as one line where there
/// is none.
fn refusal(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(content, _)| content)
    };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// An object as its bucket lists it.
pub(crate) fn log_object(bucket: &str, meta: ObjectMeta) -> LogObject {
    LogObject {
        uri: format!("s3://{bucket}/{}", meta.location),
        size: meta.size,
        version: meta.e_tag.unwrap_or_else(|| meta.last_modified.to_rfc3339()),
    }
}

/// An object of a bucket, read part by part.
struct Ranges {
    store: Arc<dyn ObjectStore>,
    key: Key,
    size: u64,
    at: u64,
    part: io::Cursor<Vec<u8>>,
    runtime: tokio::runtime::Handle,
}

impl Read for Ranges {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(into)?;
        if read > 0 || into.is_empty() || self.at >= self.size {
            return Ok(read);
        }
        let end = self.size.min(self.at + RANGE_BYTES);
        let bytes = self.runtime.block_on(self.store.get_range(&self.key, self.at..end));
        let bytes = bytes.map_err(|error| io::Error::other(Refused::from(error)))?;
        self.at = end;
        self.part = io::Cursor::new(bytes.to_vec());
        self.part.read(into)
    }
}

async fn list(store: &dyn ObjectStore, prefix: &Key) -> object_store::Result<Vec<ObjectMeta>> {
    let below: Vec<_> = store.list(Some(prefix)).try_collect().await?;
    match (below.is_empty(), prefix.as_ref().is_empty()) {
        // A key, not a prefix.
        (true, false) => Ok(vec![store.head(prefix).await?]),
        _ => Ok(below),
    }
}

fn walk(path: &Path, depth: usize, found: &mut Vec<LogObject>) -> io::Result<()> {
    let meta = fs::metadata(path)?;
    if meta.is_file() {
        let changed = meta.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let uri = path.to_string_lossy().into_owned();
        found.push(LogObject { uri, size: meta.len(), version: changed.to_string() });
        return Ok(());
    }
    if !meta.is_dir() || depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A link to a folder may lead back to where it stands.
        let is_ring = entry.file_type()?.is_symlink() && entry.path().is_dir();
        if !is_ring {
            walk(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

fn bucket_store(bucket: &str, config: &Config, session: Arc<Session>) -> Result<Arc<dyn ObjectStore>> {
    let region = session.region().unwrap_or("us-east-1").to_owned();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(Arc::new(OwnCredentials { session }));
    if let Some(endpoint) = &config.endpoint_url.value {
        builder = builder
            .with_endpoint(endpoint)
            .with_allow_http(endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false);
    }
    Ok(Arc::new(builder.build().with_context(|| format!("the bucket `{bucket}` cannot be reached"))?))
}

/// Credentials from where all of Yagura's come from: profiles, single sign-on, MFA.
struct OwnCredentials {
    session: Arc<Session>,
}

/// What the trait asks for; credentials are not shown.
impl std::fmt::Debug for OwnCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnCredentials").finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for OwnCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let credentials = self
            .session
            .credentials()
            .await
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bucket_answers_is_told_in_one_line() {
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n\
                      <Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>R</RequestId></Error>";
        assert_eq!(refusal(answer), "AccessDenied: Access Denied");
        assert_eq!(refusal("<Error><Code>SlowDown</Code></Error>"), "SlowDown");
        assert_eq!(refusal("connection\n  closed"), "connection closed");
        assert_eq!(refusal("<Code>half"), "<Code>half");
    }
}
