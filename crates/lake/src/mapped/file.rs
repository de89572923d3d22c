//! A mapping as it is written: `sources/<name>/source.yml`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The whole file. A key that is not here is an error.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// What the log is called.
    pub(super) title: String,
    pub(super) recognise: Recognise,
    pub(super) shape: Shape,
    pub(super) delimited: Option<Delimited>,
    pub(super) json: Option<Json>,
    pub(super) pattern: Option<Pattern>,
    /// Whether the log also comes through CloudWatch Logs (an export, or a subscription).
    #[serde(default)]
    pub(super) cloudwatch: bool,
    /// Minutes within which at least one object is delivered while the log is on; none where a quiet hour is normal.
    pub(super) cadence_minutes: Option<u32>,
    /// Columns whose first value is the row's time.
    #[serde(default)]
    pub(super) time: OneOrMany,
    /// Columns whose first value says the account: an id, or an ARN that holds one.
    #[serde(default)]
    pub(super) account: OneOrMany,
    /// Columns whose first value says the region.
    #[serde(default)]
    pub(super) region: OneOrMany,
    #[serde(default)]
    pub(super) sort: Vec<String>,
    #[serde(default)]
    pub(super) lookup: Vec<String>,
    /// What hunts ask for, and which columns say it.
    #[serde(default)]
    pub(super) hunt: Hunt,
    pub(super) columns: Ordered<Column>,
    /// Files beside the mapping, and where AWS would lay them; the rows they make are in `expected.ndjson`.
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "samples are for the tests"))]
    pub(super) samples: Vec<Sample>,
}

/// What a hunter asks of a row, by column; a template holds columns as `{column}`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Hunt {
    pub(super) keys: OneOrMany,
    pub(super) principals: OneOrMany,
    pub(super) addresses: OneOrMany,
    pub(super) address_lists: OneOrMany,
    pub(super) resources: OneOrMany,
    pub(super) mentions: OneOrMany,
    pub(super) what: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) group: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) id: Option<String>,
    pub(super) bytes: Option<String>,
}

/// A sample of the log.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "samples are for the tests"))]
pub(super) struct Sample {
    pub(super) file: String,
    pub(super) key: String,
    /// Whether its bytes alone do not say whose it is.
    #[serde(default)]
    pub(super) by_name: bool,
}

/// How a file of this source is told from others.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recognise {
    /// Regular expressions, one of which finds something in the object's name. For Parquet this decides alone.
    #[serde(default)]
    pub(super) path: Vec<String>,
    /// Regular expressions, all of which find something in one of the first records.
    #[serde(default)]
    pub(super) record: Vec<String>,
}

/// What a text of this source looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Shape {
    Delimited,
    Json,
    Pattern,
}

/// Fields between separators.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delimited {
    pub(super) separator: Separator,
    /// Whether a field may stand in double quotes.
    #[serde(default)]
    pub(super) quotes: bool,
    /// Whether a field may stand in square brackets.
    #[serde(default)]
    pub(super) brackets: bool,
    /// Where a text says the names of its fields itself.
    #[serde(default)]
    pub(super) header: Header,
    /// The fields in their order where no header says it.
    pub(super) order: Vec<String>,
    /// The fewest fields of a row without header; all of them by default.
    pub(super) least: Option<usize>,
    /// Whether a row may have more fields than are known; they stay in `record`.
    #[serde(default)]
    pub(super) more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Separator {
    /// One blank or several.
    Blank,
    /// One tab.
    Tab,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Header {
    /// No text has one.
    #[default]
    None,
    /// The first line, where every word of it is the name of a known field.
    Line,
    /// W3C: the line `#Fields: …`; other lines that begin with `#` say nothing.
    Fields,
}

/// JSON documents.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Json {
    /// Keys of an outer object under which the list of records may stand.
    #[serde(default)]
    pub(super) lists: Vec<String>,
    /// A key under which the record stands in an event around it.
    pub(super) inside: Option<String>,
}

/// Lines that match one of several patterns, the first that does.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pattern {
    pub(super) lines: Vec<Line>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// A regular expression whose named groups are the fields.
    pub(super) regex: String,
    /// Fields that a line of this pattern has without saying so.
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
}

/// A column: its type alone, or with where it comes from.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Column {
    Type(String),
    Full(FullColumn),
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullColumn {
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
    /// The field, or several of which the first that is there counts. In JSON, dots go into objects. The column's own
    /// name by default.
    #[serde(default)]
    pub(super) from: OneOrMany,
    /// In JSON: the keys on the way, where one of them has a dot in it.
    pub(super) path: Option<Vec<String>>,
    /// Fields that are put together with a blank between.
    pub(super) join: Option<Vec<String>>,
    /// `host` or `port` of a field `host:port`.
    pub(super) part: Option<String>,
    /// How a time is written: formats of `chrono`, or names of `time.rs`; the first that fits counts.
    #[serde(default)]
    pub(super) format: OneOrMany,
}

/// A text or a list of texts.
#[derive(Debug, Default, Clone)]
pub(super) struct OneOrMany(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::One(text) => Self(vec![text]),
            Either::Many(texts) => Self(texts),
        })
    }
}

/// A map whose order is kept: columns stand in a table as they stand in the file.
#[derive(Debug)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("columns by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}
