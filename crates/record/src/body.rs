//! What a version consists of, as bytes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use yagura_model::{Relation, Resource, ResourceKey, Unread};

use crate::error::BodyError;

/// The most that is kept of one resource, in bytes of JSON. The largest that AWS lets anyone have (a template, a state
/// machine's definition) are a megabyte.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;

/// Shorter texts are not worth compressing.
const COMPRESS_BYTES_MIN: usize = 256;

/// Fast, and nearly as small as the slow levels on texts of this size.
const ZSTD_LEVEL: i32 = 3;

const PLAIN: i64 = 0;
const ZSTD: i64 = 1;

/// BLAKE3 of the canonical JSON.
pub(crate) type Hash = [u8; 32];

/// The parts of a resource that make its versions, in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body(Map<String, Value>);

/// A resource taken apart into what makes versions and what does not.
pub(crate) struct Parts {
    pub(crate) body: Body,
    pub(crate) volatile: Map<String, Value>,
}

/// Takes a resource apart; `volatile` are the names of attributes that make no versions.
pub(crate) fn parts(resource: &Resource, volatile: &BTreeSet<String>) -> Result<Parts, BodyError> {
    let (changing, attributes): (Map<String, Value>, Map<String, Value>) =
        resource.attributes.clone().into_iter().partition(|(name, _)| volatile.contains(name));
    let mut body = Value::Object(Map::from_iter([
        ("Arn".to_owned(), json!(resource.arn)),
        ("Attributes".to_owned(), Value::Object(attributes)),
        ("Name".to_owned(), json!(resource.name)),
        ("Properties".to_owned(), Value::Object(resource.properties.clone())),
        ("Relations".to_owned(), serde_json::to_value(&resource.relations)?),
        ("Tags".to_owned(), serde_json::to_value(&resource.tags)?),
    ]));
    body.sort_all_objects();
    let mut changing = Value::Object(changing);
    changing.sort_all_objects();
    match (body, changing) {
        (Value::Object(body), Value::Object(volatile)) => Ok(Parts { body: Body(body), volatile }),
        _ => Ok(Parts { body: Body(Map::new()), volatile: Map::new() }),
    }
}

impl Body {
    /// The canonical JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, BodyError> {
        Ok(serde_json::to_vec(&self.0)?)
    }

    /// The parts by name: `Arn`, `Name`, `Properties`, …
    pub(crate) fn parts(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Takes over from `known` whatever stands below the paths that could not be read.
    pub(crate) fn fill_unread(&mut self, unread: &[Unread], known: &Self) {
        for path in paths(unread) {
            let place = Place::of(path);
            match place.get(&known.0) {
                Some(value) => place.set(&mut self.0, value.clone()),
                None => place.remove(&mut self.0),
            }
        }
        for part in self.0.values_mut() {
            part.sort_all_objects();
        }
    }

    /// Takes out whatever stands below the paths that could not be read.
    fn remove_unread(&mut self, unread: &[Unread]) {
        for path in paths(unread) {
            Place::of(path).remove(&mut self.0);
        }
    }

    /// The resource as the collector showed it: nothing below the unread paths, volatile attributes in their place.
    pub(crate) fn into_resource(
        mut self,
        key: ResourceKey,
        unread: Vec<Unread>,
        volatile: Map<String, Value>,
    ) -> Result<Resource, BodyError> {
        self.remove_unread(&unread);
        let mut take = |name: &str| self.0.remove(name).filter(|value| !value.is_null());
        let mut attributes: Map<String, Value> = parse(take("Attributes"))?;
        attributes.extend(volatile);
        Ok(Resource {
            kind: key.kind,
            account: key.account,
            region: key.region,
            id: key.id,
            arn: take("Arn").map(serde_json::from_value).transpose()?,
            name: take("Name").map(serde_json::from_value).transpose()?,
            properties: parse(take("Properties"))?,
            attributes,
            tags: parse(take("Tags"))?,
            relations: parse::<Vec<Relation>>(take("Relations"))?,
            unread,
        })
    }
}

fn parse<T: serde::de::DeserializeOwned + Default>(value: Option<Value>) -> Result<T, BodyError> {
    Ok(value.map(serde_json::from_value).transpose()?.unwrap_or_default())
}

pub(crate) fn paths(unread: &[Unread]) -> impl Iterator<Item = &str> {
    unread.iter().flat_map(|unread| &unread.paths).map(String::as_str)
}

/// The paths of which nothing has ever been known, when these could not be read and those before were unknown.
pub(crate) fn still_unknown(unread: &[Unread], unknown: &[String]) -> Vec<String> {
    let mut still: Vec<String> = Vec::new();
    for path in paths(unread) {
        for before in unknown {
            // The narrower of the two, where one is a part of the other.
            let narrower = if is_within(path, before) {
                path
            } else if is_within(before, path) {
                before
            } else {
                continue;
            };
            still.push(narrower.to_owned());
        }
    }
    still.sort_unstable();
    still.dedup();
    still
}

/// Whether a path is another, or something below it.
pub(crate) fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Where an unread path points: a part, or a key in a part.
struct Place<'a> {
    part: &'a str,
    key: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        match path.split_once('.') {
            Some((part, key)) => Self { part, key: Some(key) },
            None => Self { part: path, key: None },
        }
    }

    fn get<'b>(&self, body: &'b Map<String, Value>) -> Option<&'b Value> {
        let part = body.get(self.part)?;
        match self.key {
            Some(key) => part.get(key),
            None => Some(part),
        }
    }

    fn set(&self, body: &mut Map<String, Value>, value: Value) {
        match (self.key, body.get_mut(self.part)) {
            (Some(key), Some(Value::Object(part))) => {
                part.insert(key.to_owned(), value);
            }
            (None, Some(part)) => *part = value,
            // Parts have fixed names: a path to anything else points nowhere.
            _ => {}
        }
    }

    fn remove(&self, body: &mut Map<String, Value>) {
        match (self.key, body.get_mut(self.part)) {
            (Some(key), Some(Value::Object(part))) => {
                part.remove(key);
            }
            (None, Some(part)) => {
                *part = match part {
                    Value::Object(_) => Value::Object(Map::new()),
                    Value::Array(_) => Value::Array(Vec::new()),
                    _ => Value::Null,
                };
            }
            _ => {}
        }
    }
}

/// What a body is kept under.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

/// The bytes as they are kept, and how: compressed where that pays.
pub(crate) fn encode(bytes: Vec<u8>) -> (i64, Vec<u8>) {
    if bytes.len() < COMPRESS_BYTES_MIN {
        return (PLAIN, bytes);
    }
    match zstd::bulk::compress(&bytes, ZSTD_LEVEL) {
        Ok(compressed) if compressed.len() < bytes.len() => (ZSTD, compressed),
        _ => (PLAIN, bytes),
    }
}

/// The body that was kept under a hash.
pub(crate) fn decode(kept_under: &[u8], coding: i64, bytes: Vec<u8>) -> Result<Body, BodyError> {
    let bytes = match coding {
        PLAIN => bytes,
        ZSTD => {
            let size = zstd::zstd_safe::get_frame_content_size(&bytes).ok().flatten();
            let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(BODY_BYTES_MAX);
            zstd::bulk::decompress(&bytes, size.min(BODY_BYTES_MAX)).map_err(BodyError::Inflate)?
        }
        _ => return Err(BodyError::Coding(coding)),
    };
    if hash(&bytes) != kept_under {
        return Err(BodyError::Hash);
    }
    Ok(Body(serde_json::from_slice(&bytes)?))
}

/// A time as it is kept.
pub(crate) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

/// A kept time.
pub(crate) fn time(micros: i64) -> Result<DateTime<Utc>, BodyError> {
    DateTime::from_timestamp_micros(micros).ok_or(BodyError::Time(micros))
}
