//! Findings: what a rule found, once for every identity.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yagura_model::{FindingId, Level};

use crate::tactic::Tactic;

/// The most events that a finding names: what `event_ids` is promised to hold at most.
pub const SAMPLES_MAX: usize = 100;

/// The most values of one field that a finding keeps: enough to see what it is about.
pub const VALUES_MAX: usize = 20;

/// The longest value that a finding keeps, in bytes: a policy document may be long, and the event itself is one command away.
pub const VALUE_BYTES_MAX: usize = 512;

/// What a rule found, with everything that was merged into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Hash of the rule, the account, the region and the values of the rule's identity fields.
    pub id: FindingId,
    /// The name of the rule.
    pub rule: String,
    /// The UUID of the rule.
    pub rule_id: String,
    /// GuardDuty's finding type, or ours in its grammar.
    pub finding: Option<String>,
    /// How bad.
    pub level: Level,
    /// How bad, as GuardDuty counts: 1.0 to 10.0.
    pub severity: f64,
    /// The tactics of ATT&CK, in the order of attacks.
    pub tactics: Vec<Tactic>,
    /// The techniques of ATT&CK.
    pub techniques: Vec<String>,
    /// The log.
    pub source: String,
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Who.
    pub principal: Option<String>,
    /// To what.
    pub resource: Option<String>,
    /// From where.
    pub source_ip: Option<String>,
    /// The time of the first event.
    pub first_seen: DateTime<Utc>,
    /// The time of the last event.
    pub last_seen: DateTime<Utc>,
    /// How many events.
    pub count: u64,
    /// The first events, as they came; at most [`SAMPLES_MAX`].
    pub samples: Vec<Sample>,
    /// What makes it this finding: the rule's identity fields with their values, none for an absent field.
    pub identity: Vec<(String, Vec<String>)>,
    /// Fields and facts that the rule matched or names in its words, with the values they had.
    pub evidence: BTreeMap<String, BTreeSet<String>>,
    /// What incidents join by: principals, access keys, instances.
    pub actors: BTreeSet<String>,
    /// Access keys that its events handed out.
    pub issued: BTreeSet<String>,
}

/// An event of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it happened.
    pub time: DateTime<Utc>,
    /// Which event; CloudTrail's `eventID`, where it is from there.
    pub id: Option<String>,
    /// What it is called.
    pub event: Option<String>,
}

impl Finding {
    /// The ids of its first events, at most [`SAMPLES_MAX`].
    pub fn event_ids(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().filter_map(|sample| sample.id.as_deref())
    }
}
