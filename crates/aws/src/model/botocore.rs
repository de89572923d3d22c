//! From a model in botocore's schema (`service-2.json`, `paginators-1.json`) to ours. Prose, patterns, lengths and enumerated
//! values are left out; shapes that no operation reaches too.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::operation::{Operation, Paginator, RequestChecksum};
use super::service::{ContextParam, Protocol, Service};
use super::shape::{Kind, Location, Member, Reference, Shape, ShapeId, TimestampFormat, Traits, XmlNamespace};

/// The protocols we speak, by the names in a model. A model lists its own in the service's order of preference.
const PROTOCOLS: [(&str, Protocol); 5] = [
    ("json", Protocol::Json),
    ("query", Protocol::Query),
    ("ec2", Protocol::Ec2),
    ("rest-json", Protocol::RestJson),
    ("rest-xml", Protocol::RestXml),
];

/// Why a model in botocore's schema is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BotocoreError {
    /// A key that every model has is absent or of another type.
    #[error("`{place}` has no `{key}`")]
    Missing {
        /// The part of the model.
        place: String,
        /// The key.
        key: &'static str,
    },
    /// The service speaks none of our protocols.
    #[error("none of the protocols `{0}` is spoken here")]
    Protocol(String),
    /// A shape is named and not defined.
    #[error("shape `{0}` is not defined")]
    Shape(String),
    /// A value that this version does not know.
    #[error("`{place}` says `{value}`, which is not known")]
    Unknown {
        /// The part of the model.
        place: String,
        /// What it says.
        value: String,
    },
}

impl Service {
    /// The service called `name` from `model` (`service-2.json`) and `paginators` (`paginators-1.json`, or null). No
    /// operation is `read_only` and every `iam_action` is the signing name with the operation's: the published models do
    /// not say more.
    pub fn from_botocore(name: &str, model: &Value, paginators: &Value) -> Result<Self, BotocoreError> {
        let metadata = object(model, "the model", "metadata")?;
        let shapes = object(model, "the model", "shapes")?;
        let text = |key: &str| metadata.get(key).and_then(Value::as_str);
        let endpoint_prefix = text("endpointPrefix").unwrap_or(name);
        let signing_name = text("signingName").unwrap_or(endpoint_prefix);
        let mut arena = Arena { source: shapes, ids: HashMap::new(), shapes: Vec::new() };
        let mut operations = Vec::new();
        let mut sources: Vec<_> = object(model, "the model", "operations")?.iter().collect();
        sources.sort_by_key(|(name, _)| name.as_str());
        for (operation_name, source) in sources {
            let mut operation = operation(operation_name, source, &mut arena)?;
            operation.paginator = paginator(paginators.pointer("/pagination").and_then(|all| all.get(operation_name)));
            operation.iam_action = format!("{signing_name}:{operation_name}").into();
            operations.push(operation);
        }
        let service = Self {
            name: name.into(),
            protocol: protocol(metadata)?,
            endpoint_prefix: endpoint_prefix.into(),
            signing_name: signing_name.into(),
            service_id: text("serviceId").unwrap_or(name).into(),
            full_name: text("serviceAbbreviation").or_else(|| text("serviceFullName")).unwrap_or(name).into(),
            signature_version: text("signatureVersion").unwrap_or("v4").into(),
            json_version: text("jsonVersion").map(Into::into),
            target_prefix: text("targetPrefix").map(Into::into),
            xml_namespace: text("xmlNamespace").map(Into::into),
            api_version: text("apiVersion").unwrap_or_default().into(),
            global_endpoint: text("globalEndpoint").map(Into::into),
            aws_query_compatible: metadata.contains_key("awsQueryCompatible"),
            endpoint_rules_json: None,
            client_context_params: client_context_params(model),
            operations,
            shapes: arena.finish()?,
        };
        service.checked().map_err(BotocoreError::Shape)
    }
}

/// The first protocol of the model's own list that we speak.
fn protocol(metadata: &Map<String, Value>) -> Result<Protocol, BotocoreError> {
    let listed = metadata.get("protocols").and_then(Value::as_array);
    let listed = listed.into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<&str> = listed.chain(metadata.get("protocol").and_then(Value::as_str)).collect();
    let spoken = names.iter().find_map(|name| PROTOCOLS.iter().find(|(known, _)| known == name));
    spoken.map(|(_, protocol)| *protocol).ok_or_else(|| BotocoreError::Protocol(names.join(", ")))
}

fn client_context_params(model: &Value) -> Vec<ContextParam> {
    let source = model.get("clientContextParams").and_then(Value::as_object);
    let param = |(name, value): (&String, &Value)| ContextParam {
        name: name.as_str().into(),
        kind: value.get("type").and_then(Value::as_str).unwrap_or("string").into(),
    };
    source.into_iter().flatten().map(param).collect()
}

fn operation<'a>(name: &str, source: &'a Value, arena: &mut Arena<'a>) -> Result<Operation, BotocoreError> {
    let http = object(source, name, "http")?;
    let text = |key: &'static str| {
        let missing = || BotocoreError::Missing { place: name.to_owned(), key };
        http.get(key).and_then(Value::as_str).ok_or_else(missing)
    };
    let flag = |key: &str| source.get(key).is_some_and(|value| value.as_bool() != Some(false));
    let auth = strings(source.get("auth"));
    let auth_type = source.get("authtype").and_then(Value::as_str);
    let mut errors = Vec::new();
    for error in source.get("errors").and_then(Value::as_array).into_iter().flatten() {
        errors.push(arena.reference(error)?.shape);
    }
    Ok(Operation {
        name: name.into(),
        method: text("method")?.into(),
        request_uri: text("requestUri")?.into(),
        input: source.get("input").map(|input| arena.reference(input)).transpose()?,
        output: source.get("output").map(|output| arena.reference(output)).transpose()?,
        result_wrapper: source.pointer("/output/resultWrapper").and_then(Value::as_str).map(Into::into),
        errors,
        paginator: None,
        host_prefix: source.pointer("/endpoint/hostPrefix").and_then(Value::as_str).map(Into::into),
        auth_none: auth_type == Some("none") || auth.first().is_some_and(|first| &**first == "smithy.api#noAuth"),
        auth,
        static_context_params: context_params(source, "staticContextParams", "value")
            .map(|(name, value)| (name.as_str().into(), value.clone()))
            .collect(),
        operation_context_params: context_params(source, "operationContextParams", "path")
            .filter_map(|(name, path)| Some((name.as_str().into(), path.as_str()?.into())))
            .collect(),
        http_checksum_required: flag("httpChecksumRequired"),
        checksum: source.get("httpChecksum").map(checksum),
        unsigned_payload: flag("unsignedPayload") || auth_type == Some("v4-unsigned-body"),
        idempotent: flag("idempotent"),
        read_only: false,
        iam_action: name.into(),
    })
}

fn context_params<'a>(source: &'a Value, key: &str, part: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let params = source.get(key).and_then(Value::as_object);
    params.into_iter().flatten().filter_map(move |(name, param)| Some((name, param.get(part)?)))
}

fn checksum(source: &Value) -> RequestChecksum {
    let text = |key: &str| source.get(key).and_then(Value::as_str).map(Into::into);
    RequestChecksum {
        required: source.get("requestChecksumRequired").and_then(Value::as_bool).unwrap_or(false),
        algorithm_member: text("requestAlgorithmMember"),
        validation_mode_member: text("requestValidationModeMember"),
        response_algorithms: strings(source.get("responseAlgorithms")),
    }
}

fn paginator(source: Option<&Value>) -> Option<Paginator> {
    let source = source?;
    Some(Paginator {
        input_tokens: strings(source.get("input_token")),
        output_tokens: strings(source.get("output_token")),
        more_results: source.get("more_results").and_then(Value::as_str).map(Into::into),
        limit_key: source.get("limit_key").and_then(Value::as_str).map(Into::into),
        result_keys: strings(source.get("result_key")),
        non_aggregate_keys: strings(source.get("non_aggregate_keys")),
    })
}

/// One text or a list of them.
fn strings(source: Option<&Value>) -> Vec<Box<str>> {
    match source {
        Some(Value::String(one)) => vec![one.as_str().into()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(Into::into).collect(),
        _ => Vec::new(),
    }
}

fn object<'a>(source: &'a Value, place: &str, key: &'static str) -> Result<&'a Map<String, Value>, BotocoreError> {
    let missing = || BotocoreError::Missing { place: place.to_owned(), key };
    source.get(key).and_then(Value::as_object).ok_or_else(missing)
}

/// The shapes met so far; an id is given at the first meeting and the shape is read later, since shapes are recursive.
struct Arena<'a> {
    source: &'a Map<String, Value>,
    ids: HashMap<&'a str, ShapeId>,
    shapes: Vec<&'a str>,
}

impl<'a> Arena<'a> {
    /// All shapes that are reached from those met so far.
    fn finish(mut self) -> Result<Vec<Shape>, BotocoreError> {
        let mut shapes = Vec::new();
        while let Some(name) = self.shapes.get(shapes.len()).copied() {
            let source = self.source.get(name).ok_or_else(|| BotocoreError::Shape(name.to_owned()))?;
            shapes.push(self.shape(name, source)?);
        }
        Ok(shapes)
    }

    fn shape(&mut self, name: &str, source: &'a Value) -> Result<Shape, BotocoreError> {
        let flag = |key: &str| source.get(key).and_then(Value::as_bool).unwrap_or(false);
        let kind = match source.get("type").and_then(Value::as_str).unwrap_or_default() {
            _ if flag("document") => Kind::Document,
            "string" | "character" => Kind::String,
            "boolean" => Kind::Boolean,
            "integer" | "short" | "byte" => Kind::Integer,
            "long" | "biginteger" => Kind::Long,
            "float" => Kind::Float,
            "double" | "bigdecimal" => Kind::Double,
            "blob" => Kind::Blob,
            "timestamp" => Kind::Timestamp,
            "list" => Kind::List { member: Box::new(self.part(name, source, "member")?) },
            "map" => Kind::Map {
                key: Box::new(self.part(name, source, "key")?),
                value: Box::new(self.part(name, source, "value")?),
            },
            "structure" => self.structure(name, source)?,
            other => return Err(unknown(name, other)),
        };
        Ok(Shape {
            name: name.into(),
            kind,
            sensitive: flag("sensitive"),
            error_code: source.pointer("/error/code").and_then(Value::as_str).map(Into::into),
            error_status: source
                .pointer("/error/httpStatusCode")
                .and_then(Value::as_u64)
                .and_then(|status| u16::try_from(status).ok()),
        })
    }

    fn structure(&mut self, name: &str, source: &'a Value) -> Result<Kind, BotocoreError> {
        let flag = |key: &str| source.get(key).and_then(Value::as_bool).unwrap_or(false);
        let required = strings(source.get("required"));
        let mut members = Vec::new();
        for (member_name, member) in object(source, name, "members")? {
            members.push(Member {
                name: member_name.as_str().into(),
                target: self.reference(member)?,
                required: required.iter().any(|required| **required == **member_name),
            });
        }
        let payload = source.get("payload").and_then(Value::as_str).map(Into::into);
        Ok(Kind::Structure { members, payload, union: flag("union"), event_stream: flag("eventstream") })
    }

    fn part(&mut self, name: &str, source: &'a Value, key: &'static str) -> Result<Reference, BotocoreError> {
        let missing = || BotocoreError::Missing { place: name.to_owned(), key };
        self.reference(source.get(key).ok_or_else(missing)?)
    }

    /// A use of a shape. What the use says about its writing wins over what the shape says.
    fn reference(&mut self, place: &'a Value) -> Result<Reference, BotocoreError> {
        let name = place.get("shape").and_then(Value::as_str);
        let name = name.ok_or_else(|| BotocoreError::Missing { place: "a reference".to_owned(), key: "shape" })?;
        let target = self.source.get(name).ok_or_else(|| BotocoreError::Shape(name.to_owned()))?;
        let next = u32::try_from(self.shapes.len()).map_err(|_| BotocoreError::Shape(name.to_owned()))?;
        let shape = *self.ids.entry(name).or_insert(ShapeId(next));
        if shape == ShapeId(next) {
            self.shapes.push(name);
        }
        Ok(Reference { shape, traits: traits(place, target)? })
    }
}

fn traits(place: &Value, target: &Value) -> Result<Traits, BotocoreError> {
    let value = |key: &str| place.get(key).or_else(|| target.get(key));
    let text = |key: &str| value(key).and_then(Value::as_str);
    let flag = |key: &str| value(key).and_then(Value::as_bool).unwrap_or(false);
    let location = match text("location") {
        None => None,
        Some("uri") => Some(Location::Uri),
        Some("querystring") => Some(Location::Querystring),
        Some("header") => Some(Location::Header),
        Some("headers") => Some(Location::Headers),
        Some("statusCode") => Some(Location::StatusCode),
        Some(other) => return Err(unknown("location", other)),
    };
    let timestamp_format = match text("timestampFormat") {
        None => None,
        Some("iso8601") => Some(TimestampFormat::Iso8601),
        Some("rfc822") => Some(TimestampFormat::Rfc822),
        Some("unixTimestamp") => Some(TimestampFormat::UnixTimestamp),
        Some(other) => return Err(unknown("timestampFormat", other)),
    };
    Ok(Traits {
        location,
        location_name: text("locationName").map(Into::into),
        query_name: text("queryName").map(Into::into),
        xml_namespace: value("xmlNamespace").and_then(xml_namespace).map(Box::new),
        timestamp_format,
        context_param: place.pointer("/contextParam/name").and_then(Value::as_str).map(Into::into),
        flattened: flag("flattened"),
        xml_attribute: flag("xmlAttribute"),
        json_value: flag("jsonvalue"),
        streaming: flag("streaming"),
        idempotency_token: flag("idempotencyToken"),
        host_label: flag("hostLabel"),
        boxed: flag("box"),
    })
}

/// A namespace is written as its address, or as an object with a prefix.
fn xml_namespace(source: &Value) -> Option<XmlNamespace> {
    let uri = source.as_str().or_else(|| source.get("uri")?.as_str())?;
    let prefix = source.get("prefix").and_then(Value::as_str).filter(|prefix| !prefix.is_empty());
    Some(XmlNamespace { uri: uri.into(), prefix: prefix.map(Into::into) })
}

fn unknown(place: &str, value: &str) -> BotocoreError {
    BotocoreError::Unknown { place: place.to_owned(), value: value.to_owned() }
}
