//! Incidents: findings that belong to one story.
//!
//! Two findings belong together when they share an actor (a principal, an access key, an instance), or one used an access
//! key that an event of the other handed out, and no more than [`APART_HOURS_MAX`] lie between them. An incident is
//! everything that hangs together so; a finding that shares nothing is one by itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use yagura_model::{FindingId, Level};

use crate::finding::Finding;
use crate::tactic::Tactic;

/// How many hours may lie between two findings of one incident: what GuardDuty takes for its attack sequences.
pub const APART_HOURS_MAX: i64 = 24;

/// The longest time line.
pub const TIMELINE_MAX: usize = 1_000;

/// So many tactics show more than any of the findings does by itself.
const TACTICS_RAISING: usize = 3;

/// Findings that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Stays while findings join; hangs on the earliest.
    pub id: String,
    /// The level of the worst finding; one more with three tactics or more; critical with an attack sequence.
    pub level: Level,
    /// GuardDuty's name, where the findings fit one of its attack sequences.
    pub sequence: Option<&'static str>,
    /// Who.
    pub principals: Vec<String>,
    /// The tactics, in the order of attacks.
    pub tactics: Vec<Tactic>,
    /// The time of the first event.
    pub first_seen: DateTime<Utc>,
    /// The time of the last event.
    pub last_seen: DateTime<Utc>,
    /// Its findings, the earliest first.
    pub findings: Vec<FindingId>,
    /// Their events, as far as the findings keep them; at most [`TIMELINE_MAX`].
    pub timeline: Vec<TimelineEntry>,
}

/// An event of an incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TimelineEntry {
    /// When.
    pub time: DateTime<Utc>,
    /// Which event.
    pub event_id: Option<String>,
    /// What it is called.
    pub event: Option<String>,
    /// The first tactic of its finding.
    pub tactic: Option<Tactic>,
    /// The rule that found it.
    pub rule: String,
}

/// The incidents of findings, the earliest first. The order in which findings are given does not matter.
pub fn incidents<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Vec<Incident> {
    let mut findings: Vec<&Finding> = findings.into_iter().collect();
    findings.sort_by(|one, other| (one.first_seen, &one.id).cmp(&(other.first_seen, &other.id)));
    let mut groups = Groups { of: (0..findings.len()).collect() };
    let mut by_actor: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, finding) in findings.iter().enumerate() {
        for actor in finding.actors.union(&finding.issued) {
            by_actor.entry(actor).or_default().push(number);
        }
    }
    for numbers in by_actor.values() {
        join_near(numbers, &findings, &mut groups);
    }
    let mut members: BTreeMap<usize, Vec<&Finding>> = BTreeMap::new();
    for (number, finding) in findings.iter().enumerate() {
        members.entry(groups.root(number)).or_default().push(finding);
    }
    members.into_values().filter_map(|members| incident(&members)).collect()
}

/// Which group each finding is in: the number of another of the same group, or its own.
struct Groups {
    of: Vec<usize>,
}

impl Groups {
    fn root(&mut self, number: usize) -> usize {
        let mut at = number;
        while let Some(next) = self.of.get(at).copied().filter(|next| *next != at) {
            // Halving the way keeps ways short.
            let beyond = self.of.get(next).copied().unwrap_or(next);
            if let Some(slot) = self.of.get_mut(at) {
                *slot = beyond;
            }
            at = beyond;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        // The earliest is the root, so that groups come out in the order of time.
        if let Some(slot) = self.of.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
}

/// Joins findings of one actor, which come in the order of their first events, where little lies between them.
fn join_near(numbers: &[usize], findings: &[&Finding], groups: &mut Groups) {
    let apart = TimeDelta::hours(APART_HOURS_MAX);
    let mut last: Option<(usize, DateTime<Utc>)> = None;
    for number in numbers {
        let Some(finding) = findings.get(*number) else { continue };
        if let Some((other, until)) = last {
            if finding.first_seen - until <= apart {
                groups.join(*number, other);
            }
            last = Some((*number, until.max(finding.last_seen)));
        } else {
            last = Some((*number, finding.last_seen));
        }
    }
}

fn incident(members: &[&Finding]) -> Option<Incident> {
    let first = members.first()?;
    let tactics: BTreeSet<Tactic> = members.iter().flat_map(|finding| finding.tactics.iter().copied()).collect();
    let principals: BTreeSet<&String> = members.iter().filter_map(|finding| finding.principal.as_ref()).collect();
    let sequence = sequence(members);
    let worst = members.iter().map(|finding| finding.level).max()?;
    let level = match sequence {
        Some(_) => Level::Critical,
        None if members.len() > 1 && tactics.len() >= TACTICS_RAISING => raised(worst),
        None => worst,
    };
    let mut timeline: Vec<TimelineEntry> = members.iter().flat_map(|finding| entries(finding)).collect();
    timeline.sort_unstable();
    timeline.dedup();
    timeline.truncate(TIMELINE_MAX);
    let mut id = blake3::hash(first.id.as_str().as_bytes()).to_hex().to_string();
    id.truncate(32);
    Some(Incident {
        id,
        level,
        sequence,
        principals: principals.into_iter().cloned().collect(),
        tactics: tactics.into_iter().collect(),
        first_seen: members.iter().map(|finding| finding.first_seen).min()?,
        last_seen: members.iter().map(|finding| finding.last_seen).max()?,
        findings: members.iter().map(|finding| finding.id.clone()).collect(),
        timeline,
    })
}

fn raised(level: Level) -> Level {
    match level {
        Level::Informational => Level::Low,
        Level::Low => Level::Medium,
        Level::Medium => Level::High,
        Level::High | Level::Critical => Level::Critical,
    }
}

fn entries(finding: &Finding) -> impl Iterator<Item = TimelineEntry> + '_ {
    finding.samples.iter().map(|sample| TimelineEntry {
        time: sample.time,
        event_id: sample.id.clone(),
        event: sample.event.clone(),
        tactic: finding.tactics.first().copied(),
        rule: finding.rule.clone(),
    })
}

/// An attack sequence of GuardDuty: someone gets in or looks around, and later reaches a goal.
struct Sequence {
    name: &'static str,
    /// The resources, as finding types name them, that beginning and goal may be about.
    begins_on: &'static [&'static str],
    ends_on: &'static [&'static str],
    begins: &'static [Tactic],
    ends: &'static [Tactic],
}

/// How many tactics a sequence shows: GuardDuty speaks of several signals; two could be one misconfigured job.
const SEQUENCE_TACTICS: usize = 3;

/// GuardDuty publishes what its sequences are about, not when they hold. The narrower ones come first.
const SEQUENCES: [Sequence; 4] = [
    Sequence {
        name: "AttackSequence:S3/CompromisedData",
        begins_on: &["S3", "IAMUser", "IAM"],
        ends_on: &["S3"],
        begins: &[Tactic::InitialAccess, Tactic::CredentialAccess, Tactic::Discovery, Tactic::DefenseEvasion],
        ends: &[Tactic::Collection, Tactic::Exfiltration, Tactic::Impact],
    },
    Sequence {
        name: "AttackSequence:EKS/CompromisedCluster",
        begins_on: &["Kubernetes", "EKS"],
        ends_on: &["Kubernetes", "EKS", "IAMUser", "EC2"],
        begins: &[Tactic::InitialAccess, Tactic::CredentialAccess, Tactic::Discovery, Tactic::Execution],
        ends: &[
            Tactic::Persistence,
            Tactic::PrivilegeEscalation,
            Tactic::DefenseEvasion,
            Tactic::Exfiltration,
            Tactic::Impact,
        ],
    },
    Sequence {
        name: "AttackSequence:EC2/CompromisedInstanceGroup",
        begins_on: &["EC2"],
        ends_on: &["EC2"],
        begins: &[Tactic::InitialAccess, Tactic::CredentialAccess, Tactic::Discovery, Tactic::Execution],
        ends: &[Tactic::CommandAndControl, Tactic::Exfiltration, Tactic::Impact],
    },
    Sequence {
        name: "AttackSequence:IAM/CompromisedCredentials",
        begins_on: &["IAMUser", "IAM"],
        ends_on: &["IAMUser", "IAM", "S3", "EC2", "Lambda", "RDS"],
        begins: &[Tactic::InitialAccess, Tactic::CredentialAccess, Tactic::Discovery],
        ends: &[
            Tactic::Persistence,
            Tactic::PrivilegeEscalation,
            Tactic::DefenseEvasion,
            Tactic::Exfiltration,
            Tactic::Impact,
        ],
    },
];

fn sequence(members: &[&Finding]) -> Option<&'static str> {
    SEQUENCES.iter().find(|sequence| fits(sequence, members)).map(|sequence| sequence.name)
}

/// Whether a beginning and, not before it, another finding with a goal, at least of medium level, are there, and three tactics in all.
fn fits(sequence: &Sequence, members: &[&Finding]) -> bool {
    let about =
        |finding: &Finding, resources: &[&str]| resource(finding).is_some_and(|resource| resources.contains(&resource));
    let shows = |finding: &Finding, tactics: &[Tactic]| finding.tactics.iter().any(|tactic| tactics.contains(tactic));
    let begins = members.iter().filter(|finding| about(finding, sequence.begins_on) && shows(finding, sequence.begins));
    let mut begins = begins.peekable();
    if begins.peek().is_none() {
        return false;
    }
    let relevant =
        members.iter().filter(|finding| about(finding, sequence.begins_on) || about(finding, sequence.ends_on));
    let tactics: BTreeSet<Tactic> = relevant.flat_map(|finding| finding.tactics.iter().copied()).collect();
    if tactics.len() < SEQUENCE_TACTICS {
        return false;
    }
    let ends: Vec<_> = members
        .iter()
        .filter(|finding| {
            finding.level >= Level::Medium && about(finding, sequence.ends_on) && shows(finding, sequence.ends)
        })
        .collect();
    begins.any(|begin| ends.iter().any(|end| end.id != begin.id && begin.first_seen <= end.last_seen))
}

/// The resource of a finding type: `IAMUser` of `Stealth:IAMUser/…`.
fn resource(finding: &Finding) -> Option<&str> {
    let (_, rest) = finding.finding.as_deref()?.split_once(':')?;
    rest.split_once('/').map(|(resource, _)| resource)
}
