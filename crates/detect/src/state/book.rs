//! Findings, each once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use yagura_model::FindingId;

use super::Report;
use super::names::Names;
use crate::finding::{Finding, SAMPLES_MAX, Sample, VALUE_BYTES_MAX, VALUES_MAX};
use crate::rule::Rule;

/// The most principals, keys and instances of one finding: past it the finding is about no one in particular.
const ACTORS_MAX: usize = 64;

/// So many events of a finding are looked into for evidence and actors: a thousand of the same kind have said it all.
const DETAILED_MAX: u64 = 1_000;

/// When there is no room, this part of the findings is forgotten: an eighth.
const FREED_PART: usize = 8;

/// What a rule found with one event.
pub(crate) struct Told<'t> {
    pub(crate) rule: &'t Rule,
    /// What makes it this finding.
    pub(crate) identity: Vec<(String, Vec<String>)>,
    /// The account, where it belongs to what makes it this finding.
    pub(crate) identity_account: Option<&'t str>,
    /// The events that now belong to it.
    pub(crate) members: Vec<Member>,
    pub(crate) source: &'t str,
    pub(crate) account: Option<&'t str>,
    pub(crate) region: Option<&'t str>,
    /// What the event says beside that; asked for only while it is kept.
    pub(crate) details: &'t dyn Fn() -> Details,
}

/// What an event says that a finding keeps.
#[derive(Debug, Default)]
pub(crate) struct Details {
    pub(crate) principal: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) source_ip: Option<String>,
    pub(crate) evidence: Vec<(String, Vec<String>)>,
    pub(crate) actors: Vec<String>,
    pub(crate) issued: Option<String>,
}

/// An event that belongs to a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) time_ms: i64,
    pub(crate) id: Option<String>,
    pub(crate) name: u32,
}

/// Findings by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Book {
    findings: BTreeMap<FindingId, Finding>,
    changed: BTreeSet<FindingId>,
}

impl Book {
    pub(crate) fn of(findings: Vec<Finding>, changed: BTreeSet<FindingId>) -> Self {
        Self { findings: findings.into_iter().map(|finding| (finding.id.clone(), finding)).collect(), changed }
    }

    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.values()
    }

    pub(crate) fn changed(&self) -> &BTreeSet<FindingId> {
        &self.changed
    }

    pub(crate) fn get(&self, id: &FindingId) -> Option<&Finding> {
        self.findings.get(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.findings.len()
    }

    pub(crate) fn take_changed(&mut self) -> Vec<FindingId> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    pub(crate) fn tell(&mut self, told: &Told<'_>, names: &Names) {
        let Some(first) = told.members.first() else { return };
        let id = finding_id(told);
        let finding = self.findings.entry(id.clone()).or_insert_with(|| begin(&id, told, time(first.time_ms)));
        for member in &told.members {
            let time = time(member.time_ms);
            finding.first_seen = finding.first_seen.min(time);
            finding.last_seen = finding.last_seen.max(time);
            finding.count += 1;
            if finding.samples.len() < SAMPLES_MAX {
                let event = names.name(member.name).map(str::to_owned);
                finding.samples.push(Sample { time, id: member.id.clone(), event });
            }
        }
        if finding.count <= DETAILED_MAX + told.members.len() as u64 {
            detail(finding, (told.details)());
        }
        self.changed.insert(id);
    }

    pub(crate) fn make_room(&mut self, limit: usize, report: &mut Report) {
        if self.findings.len() <= limit {
            return;
        }
        let mut aged: Vec<(DateTime<Utc>, FindingId)> =
            self.findings.values().map(|finding| (finding.last_seen, finding.id.clone())).collect();
        aged.sort_unstable();
        for (_, id) in aged.into_iter().take(limit / FREED_PART + 1) {
            self.findings.remove(&id);
            self.changed.remove(&id);
            report.evicted_findings += 1;
        }
    }
}

fn detail(finding: &mut Finding, details: Details) {
    for (field, values) in details.evidence {
        let known = finding.evidence.entry(field).or_default();
        for value in values {
            add(known, value, VALUES_MAX);
        }
    }
    for actor in details.actors {
        add(&mut finding.actors, actor, ACTORS_MAX);
    }
    if let Some(issued) = details.issued {
        add(&mut finding.issued, issued, ACTORS_MAX);
    }
    for (mine, new) in [
        (&mut finding.principal, details.principal),
        (&mut finding.resource, details.resource),
        (&mut finding.source_ip, details.source_ip),
    ] {
        if mine.is_none() {
            *mine = new;
        }
    }
}

/// Adds a value, cut to what is kept of one, while there is room.
fn add(values: &mut BTreeSet<String>, mut value: String, most: usize) {
    if value.len() > VALUE_BYTES_MAX {
        let end = value.floor_char_boundary(VALUE_BYTES_MAX);
        value.truncate(end);
        value.push('…');
    }
    if values.len() < most {
        values.insert(value);
    }
}

fn time(time_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time_ms).unwrap_or_default()
}

fn begin(id: &FindingId, told: &Told<'_>, time: DateTime<Utc>) -> Finding {
    let rule = told.rule;
    Finding {
        id: id.clone(),
        rule: rule.name.clone(),
        rule_id: rule.id.clone(),
        finding: rule.finding.clone(),
        level: rule.level,
        severity: rule.severity,
        tactics: rule.tactics.clone(),
        techniques: rule.techniques.clone(),
        source: told.source.to_owned(),
        account: told.account.map(str::to_owned),
        region: told.region.map(str::to_owned),
        principal: None,
        resource: None,
        source_ip: None,
        first_seen: time,
        last_seen: time,
        count: 0,
        samples: Vec::new(),
        identity: told.identity.clone(),
        evidence: BTreeMap::new(),
        actors: BTreeSet::new(),
        issued: BTreeSet::new(),
    }
}

/// 32 hexadecimal digits that hang on nothing but the rule, the account and the values of its identity fields.
fn finding_id(told: &Told<'_>) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(&told.rule.id);
    part(told.identity_account.unwrap_or_default());
    for (field, values) in &told.identity {
        part(field);
        part(&values.len().to_string());
        for value in values {
            part(value);
        }
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(32);
    FindingId::new(hex)
}
