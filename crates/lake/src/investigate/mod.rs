//! Investigating: all that the logs know of one key, principal, address, instance or resource.
//!
//! In: the subject, and when and where to look. Out: a [`Report`] of bounded size, whatever the number of events.
//! What of it still exists is not known here: the ledger of resources knows, and the program joins the two.

mod chain;
mod profile;
mod rows;
mod subject;
pub(crate) mod target;

use std::collections::BTreeSet;

use serde::Serialize;

pub use chain::{Activity, Chain, DEPTH_MAX, LINKS_MAX, Link};
pub use profile::{CHANGES_MAX, Changed, Day, Moment, NAMES_MAX, Named, Names, Profile};
pub use subject::{Interfaces, Kind, Subject};
pub use target::Effect;

use crate::Lake;
use crate::hunt::{Matched, Wanted, Within, groups, predicate, totals};
use crate::query::QueryError;
use crate::source::Source;
use chain::{ISSUERS, Issued};
use profile::Counting;
use rows::{Rows, ask};

/// The table that the profile and the chains are made of.
const CLOUDTRAIL: &str = "cloudtrail";

/// What is read of an event, besides its request and its answer.
const EVENT: &str = "\"eventTime\" AS time, \"eventID\" AS id, \"eventName\" AS name, \"eventSource\" AS service, \
    \"errorCode\" AS error, account, region, \"sourceIPAddress\" AS address, \"userAgent\" AS agent, \
    coalesce(\"userIdentity_arn\", \"userIdentity_invokedBy\", \"userIdentity_principalId\") AS principal, \
    \"userIdentity_accountId\" AS by_account, \"userIdentity_accessKeyId\" AS key, \
    CAST(\"readOnly\" AS VARCHAR) AS read_only, array_to_string(\"resources\", ' ') AS resources, \
    \"sharedEventID\" AS shared";

/// All that the logs know of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it did.
    pub did: Profile,
    /// The events that name it, made by others or by itself about itself.
    pub named: Profile,
    /// What it created, changed and deleted, in order of time; of a resource, what happened to it.
    pub changes: Vec<Changed>,
    /// How many more of these there are.
    pub changes_left_out: u64,
    /// Whom it became.
    pub became: Chain,
    /// Who it was before.
    pub before: Chain,
    /// What other logs know of it.
    pub others: Vec<OtherLog>,
}

/// What one other log knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherLog {
    /// The log.
    pub source: String,
    /// Rows that have to do with the subject.
    pub events: u64,
    /// Bytes that they moved, where the log says.
    pub bytes: Option<u64>,
    /// When the first one was.
    pub first: Option<Moment>,
    /// When the last one was.
    pub last: Option<Moment>,
    /// The largest groups of them.
    pub groups: Vec<Group>,
}

/// Rows that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What they say.
    pub what: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Rows.
    pub events: u64,
    /// Bytes that they moved, where the log says.
    pub bytes: Option<u64>,
    /// When the first one was.
    pub first: Option<Moment>,
    /// When the last one was.
    pub last: Option<Moment>,
}

impl Lake {
    /// Finds out all that the logs know of `subject`, in the times and places of `within`; chains are followed over all
    /// that is held, since they are what leads elsewhere. `threads` work on it.
    pub async fn investigate(&self, subject: &Subject, within: &Within, threads: usize) -> Result<Report, QueryError> {
        let (mut did, mut named) = (Counting::default(), Counting::default());
        if let Some(sql) = self
            .sources()
            .iter()
            .find(|one| &*one.name == CLOUDTRAIL)
            .and_then(|source| profile_sql(source, subject, within))
        {
            ask(self, &sql, threads, |rows| {
                for row in rows.each() {
                    let is_acting = rows.text("matched", row) == Some("acting");
                    if is_acting { &mut did } else { &mut named }.add(rows, row);
                }
            })
            .await?;
        }
        let (became, before) = (std::mem::take(&mut did.issued), std::mem::take(&mut named.issued));
        let (did, changes, left_out) = did.finish();
        let (named, named_changes, named_left_out) = named.finish();
        let mut keys: BTreeSet<String> = did.keys.names.iter().map(|key| key.name.clone()).collect();
        let more_keys = did.keys.different > keys.len() as u64;
        keys.extend(subject.wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Key(key) => Some(key.clone()),
            _ => None,
        }));
        let own = if subject.kind == Kind::Key { keys.clone() } else { BTreeSet::new() };
        let direct = before.into_iter().filter(|issued| is_of(issued, subject, &keys)).collect();
        let became = chain::became(self, became, &own, threads).await?;
        let mut before = chain::before(self, &keys, direct, threads).await?;
        before.more |= more_keys;
        let is_thing = subject.kind == Kind::Resource;
        Ok(Report {
            did,
            named,
            changes: if is_thing { named_changes } else { changes },
            changes_left_out: if is_thing { named_left_out } else { left_out },
            became,
            before,
            others: self.others(subject, within, threads).await?,
        })
    }

    /// Whether anything was ever done by a principal of this name.
    pub async fn has_principal(&self, name: &str, threads: usize) -> Result<bool, QueryError> {
        let wanted = [Wanted::Principal(name.to_owned())];
        let Some(filter) = self
            .sources()
            .iter()
            .find(|source| &*source.name == CLOUDTRAIL)
            .and_then(|source| predicate(source, &wanted, Matched::Acting))
        else {
            return Ok(false);
        };
        let mut found = false;
        let sql = format!("SELECT 1 AS one FROM {CLOUDTRAIL} WHERE {filter} LIMIT 1");
        ask(self, &sql, threads, |rows| found |= !rows.each().is_empty()).await?;
        Ok(found)
    }

    async fn others(&self, subject: &Subject, within: &Within, threads: usize) -> Result<Vec<OtherLog>, QueryError> {
        let sources: Vec<&Source> = self.sources().iter().filter(|source| &*source.name != CLOUDTRAIL).collect();
        let mut others: Vec<OtherLog> = Vec::new();
        let Some(sql) = totals(&sources, &subject.wanted, within) else { return Ok(others) };
        ask(self, &sql, threads, |rows| {
            let matched = rows.each().filter(|row| rows.count("events", *row) > 0);
            others.extend(matched.map(|row| OtherLog {
                source: rows.owned("source", row).unwrap_or_default(),
                events: rows.count("events", row),
                bytes: bytes(rows, row),
                first: rows.number("first", row).map(Moment),
                last: rows.number("last", row).map(Moment),
                groups: Vec::new(),
            }));
        })
        .await?;
        others.sort_by(|one, other| one.source.cmp(&other.source));
        let found: Vec<&Source> =
            sources.into_iter().filter(|source| others.iter().any(|other| other.source == *source.name)).collect();
        let Some(sql) = groups(&found, &subject.wanted, within) else { return Ok(others) };
        ask(self, &sql, threads, |rows| {
            for row in rows.each() {
                let other = others.iter_mut().find(|other| Some(other.source.as_str()) == rows.text("source", row));
                let Some(other) = other else { continue };
                other.groups.push(Group {
                    what: rows.owned("what", row).unwrap_or_default(),
                    outcome: rows.owned("outcome", row),
                    events: rows.count("events", row),
                    bytes: bytes(rows, row),
                    first: rows.number("first", row).map(Moment),
                    last: rows.number("last", row).map(Moment),
                });
            }
        })
        .await?;
        for other in &mut others {
            other.groups.sort_by(|one, other| {
                (other.bytes, other.events, &one.what).cmp(&(one.bytes, one.events, &other.what))
            });
        }
        Ok(others)
    }
}

fn bytes(rows: &Rows, row: usize) -> Option<u64> {
    rows.number("bytes", row).and_then(|bytes| u64::try_from(bytes).ok())
}

/// The events of the profile. Requests and answers, which are most of an event's bytes, come only with those that write
/// or hand out credentials.
fn profile_sql(source: &Source, subject: &Subject, within: &Within) -> Option<String> {
    let times = crate::hunt::within(source, within);
    let parts = [(Matched::Acting, "acting"), (Matched::Named, "named")].into_iter().filter_map(|(kind, matched)| {
        let filter = predicate(source, &subject.wanted, kind)?;
        let only = |column: &str| format!("CASE WHEN \"readOnly\" IS NOT TRUE OR {ISSUERS} THEN \"{column}\" END");
        Some(format!(
            "SELECT {EVENT}, {} AS request, {} AS response, '{matched}' AS matched FROM {CLOUDTRAIL} WHERE {filter}{times}",
            only("requestParameters"),
            only("responseElements"),
        ))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
}

/// Whether credentials that were handed out are the subject's, and not only handed out by a call that names it.
fn is_of(issued: &Issued, subject: &Subject, keys: &BTreeSet<String>) -> bool {
    match subject.kind {
        Kind::Key => issued.key().is_some_and(|key| keys.contains(key)),
        Kind::Principal => issued.is_of(&subject.name),
        Kind::Instance => {
            let id = subject.name.rsplit('/').next().unwrap_or(&subject.name);
            issued.is_of(id)
        }
        Kind::Address | Kind::Resource => false,
    }
}
