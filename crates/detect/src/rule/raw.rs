//! The keys `yagura` and `tests` as they are written.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawYagura {
    pub(crate) finding: String,
    pub(crate) severity: Option<f64>,
    pub(crate) identity: Vec<String>,
    pub(crate) actor: Option<Vec<String>>,
    pub(crate) resource: Option<Vec<String>>,
    pub(crate) new: Option<RawNew>,
    pub(crate) count: Option<RawCount>,
    pub(crate) title: Option<RawText>,
    pub(crate) what: RawText,
    pub(crate) check: RawText,
    #[serde(rename = "do")]
    pub(crate) advice: RawText,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawText {
    pub(crate) en: String,
    pub(crate) ja: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNew {
    pub(crate) of: Vec<String>,
    #[serde(rename = "for")]
    pub(crate) of_whom: Vec<String>,
    pub(crate) learning: String,
    pub(crate) remember: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCount {
    pub(crate) within: String,
    pub(crate) by: Vec<String>,
    pub(crate) at_least: u64,
    pub(crate) distinct: Option<Vec<String>>,
    pub(crate) sum: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCase {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) given: RawGiven,
    pub(crate) events: Vec<Map<String, Value>>,
    pub(crate) findings: RawExpected,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawExpected {
    Number(usize),
    Each(Vec<RawFinding>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFinding {
    pub(crate) finding: Option<String>,
    pub(crate) count: Option<u64>,
    #[serde(default)]
    pub(crate) identity: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawGiven {
    pub(crate) lists: Vec<RawList>,
    pub(crate) places: std::collections::BTreeMap<String, RawPlace>,
    pub(crate) own: RawOwn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawList {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) trusted: bool,
    pub(crate) category: Option<String>,
    #[serde(default)]
    pub(crate) addresses: Vec<String>,
    #[serde(default)]
    pub(crate) domains: Vec<String>,
    #[serde(default)]
    pub(crate) hashes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPlace {
    pub(crate) country: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) asn: Option<u32>,
    pub(crate) organisation: Option<String>,
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawOwn {
    pub(crate) accounts: Vec<String>,
    pub(crate) networks: Vec<String>,
}
