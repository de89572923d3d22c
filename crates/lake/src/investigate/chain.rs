//! Whom somebody became, and who they were before: the calls that hand out credentials, followed from key to key.
//!
//! `AssumeRole` and its like answer with a new key, under which later events are written. Where a role of another
//! account is assumed, both accounts have an event of it with the same `sharedEventID`; one may say who asked, the other
//! what was handed out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::profile::Moment;
use super::rows::{Rows, ask};
use super::{CLOUDTRAIL, EVENT};
use crate::Lake;
use crate::hunt::text_literal;
use crate::query::QueryError;

/// Roles assumed one from another that are followed; the longest chains that people build have four.
pub const DEPTH_MAX: usize = 12;

/// Credentials that one chain holds.
pub const LINKS_MAX: usize = 500;

/// Addresses named of each credential.
const ADDRESSES_MAX: usize = 5;

/// Calls that hand out credentials, as a condition in SQL; [`is_issuer`] says the same.
pub(super) const ISSUERS: &str = "(starts_with(\"eventName\", 'AssumeRo') OR \"eventName\" IN \
    ('GetSessionToken', 'GetFederationToken', 'CreateAccessKey', 'GetRoleCredentials', 'GetCredentialsForIdentity'))";

fn is_issuer(name: &str) -> bool {
    name.starts_with("AssumeRo")
        || [
            "GetSessionToken",
            "GetFederationToken",
            "CreateAccessKey",
            "GetRoleCredentials",
            "GetCredentialsForIdentity",
        ]
        .contains(&name)
}

/// Credentials that were handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issued {
    at: Moment,
    event: String,
    how: String,
    account: String,
    shared: Option<String>,
    by: Option<String>,
    by_key: Option<String>,
    by_account: Option<String>,
    address: Option<String>,
    key: Option<String>,
    role: Option<String>,
    becomes: Option<String>,
}

impl Issued {
    /// What an event handed out; none if it is not such an event, or failed.
    pub(super) fn of(rows: &Rows, row: usize) -> Option<Self> {
        let name = rows.text("name", row).filter(|name| is_issuer(name))?;
        if rows.text("error", row).is_some() {
            return None;
        }
        let json =
            |column| serde_json::from_str::<Value>(rows.text(column, row).unwrap_or_default()).unwrap_or_default();
        let (request, response) = (json("request"), json("response"));
        let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let by = rows.owned("principal", row);
        let key = ["/credentials/accessKeyId", "/accessKey/accessKeyId", "/roleCredentials/accessKeyId"]
            .iter()
            .find_map(|path| text(&response, path));
        let role = text(&request, "/roleArn");
        let becomes = ["/assumedRoleUser/arn", "/federatedUser/arn", "/accessKey/userName"]
            .iter()
            .find_map(|path| text(&response, path))
            .or_else(|| role.clone())
            .or_else(|| (name == "GetSessionToken").then(|| by.clone()).flatten());
        Some(Self {
            at: Moment(rows.number("time", row)?),
            event: rows.owned("id", row)?,
            how: name.to_owned(),
            account: rows.owned("account", row).unwrap_or_default(),
            shared: rows.owned("shared", row),
            by,
            by_key: rows.owned("key", row),
            by_account: rows.owned("by_account", row),
            address: rows.owned("address", row),
            key,
            role,
            becomes,
        })
    }

    /// Whether these credentials are those of a principal, as it was named.
    pub(super) fn is_of(&self, principal: &str) -> bool {
        let is = |name: &Option<String>| {
            name.as_deref().is_some_and(|name| {
                name == principal || name.strip_suffix(principal).is_some_and(|before| before.ends_with('/'))
            })
        };
        let is_user = principal.split_once(":user/").is_some_and(|(before, user)| {
            before.ends_with(&self.account) && self.becomes.as_deref() == user.rsplit('/').next()
        });
        is(&self.role) || is(&self.becomes) || is_user
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether nobody says who asked: the caller's account knows.
    fn is_half(&self) -> bool {
        self.key.is_none() || self.by_key.is_none()
    }

    /// Takes over what the other account's event of the same call knows.
    fn join(&mut self, twin: &Self) {
        if self.event == twin.event {
            return;
        }
        if self.key.is_none() && twin.key.is_some() {
            // Its answer names the session; without an answer, only the role that was asked for is known.
            self.key.clone_from(&twin.key);
            self.becomes = twin.becomes.clone().or_else(|| self.becomes.take());
        }
        if self.by_key.is_none() && twin.by_key.is_some() {
            self.by_key.clone_from(&twin.by_key);
            self.by.clone_from(&twin.by);
            self.address = twin.address.clone().or_else(|| self.address.take());
        }
        // The ARN is known at home; elsewhere there is an id.
        if self.by.as_deref().is_none_or(|by| !by.starts_with("arn:"))
            && twin.by.as_deref().is_some_and(|by| by.starts_with("arn:"))
        {
            self.by.clone_from(&twin.by);
        }
        self.by_account = twin.by_account.clone().or_else(|| self.by_account.take());
    }
}

/// Credentials in the order in which they were handed out, one from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// Each once.
    pub links: Vec<Link>,
    /// Whether there are more than are followed: [`LINKS_MAX`], [`DEPTH_MAX`].
    pub more: bool,
}

/// Credentials that were handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Steps from the subject, from 1 on.
    pub depth: usize,
    /// The link, by its place in the list, that lies between this one and the subject.
    pub parent: Option<usize>,
    /// When.
    pub at: Moment,
    /// The call: `AssumeRole`.
    pub how: String,
    /// The event of it.
    pub event: String,
    /// The account whose log has the event.
    pub account: String,
    /// Who asked.
    pub by: Option<String>,
    /// With which key.
    pub by_key: Option<String>,
    /// Of which account, as far as it is said.
    pub by_account: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// Whom the credentials make: a session's ARN, a user's name.
    pub becomes: Option<String>,
    /// The new key; none where no event says it.
    pub key: Option<String>,
    /// What was done with the new key.
    pub activity: Activity,
}

/// What was done with a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that write.
    pub writes: u64,
    /// When the first one was.
    pub first: Option<Moment>,
    /// When the last one was.
    pub last: Option<Moment>,
    /// Where they came from, the most frequent first.
    pub addresses: Vec<String>,
}

impl Link {
    fn new(issued: Issued, depth: usize, parent: Option<usize>) -> Self {
        let Issued { at, event, how, account, by, by_key, by_account, address, key, becomes, .. } = issued;
        let activity = Activity::default();
        Self { depth, parent, at, how, event, account, by, by_key, by_account, address, becomes, key, activity }
    }
}

/// Follows the credentials that `seeds` handed out, and those that were handed out to them. `own` are the subject's
/// keys: credentials that lead back to them end there.
pub(super) async fn became(
    lake: &Lake,
    seeds: Vec<Issued>,
    own: &BTreeSet<String>,
    threads: usize,
) -> Result<Chain, QueryError> {
    let mut chain = Chain::default();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut waiting = seeds;
    for _ in 0..DEPTH_MAX {
        join_twins(lake, &mut waiting, threads).await?;
        waiting.sort_by(|one, other| (one.at, &one.event).cmp(&(other.at, &other.event)));
        let mut new = Vec::new();
        for issued in waiting.drain(..) {
            // The same call stands in the logs of both accounts, and a cycle comes back to what was followed.
            let name = issued.key.clone().or_else(|| issued.shared.clone()).unwrap_or_else(|| issued.event.clone());
            if own.contains(&name) || seen.contains(&name) {
                continue;
            }
            if chain.links.len() >= LINKS_MAX {
                chain.more = true;
                break;
            }
            seen.insert(name);
            let parent = issued.by_key.as_ref().and_then(|key| at.get(key).copied());
            let depth = parent.and_then(|parent| chain.links.get(parent)).map_or(1, |parent| parent.depth + 1);
            if let Some(key) = &issued.key {
                at.insert(key.clone(), chain.links.len());
                new.push(key.clone());
            }
            chain.links.push(Link::new(issued, depth, parent));
        }
        if new.is_empty() {
            return Ok(chain);
        }
        activity(lake, &mut chain.links, &at, &new, threads).await?;
        let filter = format!("{ISSUERS} AND \"userIdentity_accessKeyId\" IN ({})", list(&new));
        waiting = issued(lake, &filter, threads).await?;
    }
    chain.more |= !waiting.is_empty();
    Ok(chain)
}

/// Follows `keys` back to whoever got them, and those back to whoever they were before. `direct` are calls already known
/// to have handed out the subject's credentials.
pub(super) async fn before(
    lake: &Lake,
    keys: &BTreeSet<String>,
    direct: Vec<Issued>,
    threads: usize,
) -> Result<Chain, QueryError> {
    let mut chain = Chain::default();
    let mut leads_to: HashMap<String, usize> = HashMap::new();
    let mut seen: HashSet<String> = HashSet::new();
    let mut asked: HashSet<String> = keys.iter().cloned().collect();
    let mut wanted: Vec<String> = keys.iter().cloned().collect();
    let mut waiting = direct;
    for _ in 0..DEPTH_MAX {
        if !wanted.is_empty() {
            let keys = list(&wanted);
            let filter = format!(
                "{ISSUERS} AND (\"responseElements\"->'credentials'->>'accessKeyId' IN ({keys}) \
                OR \"responseElements\"->'accessKey'->>'accessKeyId' IN ({keys}) \
                OR \"responseElements\"->'roleCredentials'->>'accessKeyId' IN ({keys}))"
            );
            waiting.extend(issued(lake, &filter, threads).await?);
        }
        join_twins(lake, &mut waiting, threads).await?;
        waiting.sort_by(|one, other| (one.at, &one.event).cmp(&(other.at, &other.event)));
        wanted.clear();
        for issued in waiting.drain(..) {
            let name = issued.key.clone().or_else(|| issued.shared.clone()).unwrap_or_else(|| issued.event.clone());
            if seen.contains(&name) {
                continue;
            }
            if chain.links.len() >= LINKS_MAX {
                chain.more = true;
                break;
            }
            seen.insert(name);
            let parent = issued.key.as_ref().and_then(|key| leads_to.get(key).copied());
            let depth = parent.and_then(|parent| chain.links.get(parent)).map_or(1, |parent| parent.depth + 1);
            if let Some(key) = &issued.by_key
                && asked.insert(key.clone())
            {
                leads_to.insert(key.clone(), chain.links.len());
                wanted.push(key.clone());
            }
            chain.links.push(Link::new(issued, depth, parent));
        }
        if wanted.is_empty() {
            return Ok(chain);
        }
    }
    chain.more = true;
    Ok(chain)
}

async fn issued(lake: &Lake, filter: &str, threads: usize) -> Result<Vec<Issued>, QueryError> {
    let mut found = Vec::new();
    let sql = format!(
        "SELECT {EVENT}, \"requestParameters\" AS request, \"responseElements\" AS response FROM {CLOUDTRAIL} \
        WHERE \"errorCode\" IS NULL AND {filter} LIMIT {}",
        LINKS_MAX * 4
    );
    ask(lake, &sql, threads, |rows| found.extend(rows.each().filter_map(|row| Issued::of(rows, row)))).await?;
    Ok(found)
}

/// Completes each half of a call between two accounts by its other half.
async fn join_twins(lake: &Lake, all: &mut [Issued], threads: usize) -> Result<(), QueryError> {
    let shared: BTreeSet<String> =
        all.iter().filter(|issued| issued.is_half()).filter_map(|issued| issued.shared.clone()).collect();
    let shared: Vec<String> = shared.into_iter().take(LINKS_MAX).collect();
    if shared.is_empty() {
        return Ok(());
    }
    let twins = issued(lake, &format!("\"sharedEventID\" IN ({})", list(&shared)), threads).await?;
    let mut by_id: BTreeMap<&str, Vec<&Issued>> = BTreeMap::new();
    for twin in &twins {
        by_id.entry(twin.shared.as_deref().unwrap_or_default()).or_default().push(twin);
    }
    for issued in all {
        let twins = issued.shared.as_deref().and_then(|shared| by_id.get(shared)).cloned().unwrap_or_default();
        for twin in twins {
            issued.join(twin);
        }
    }
    Ok(())
}

/// Fills in what was done with keys.
async fn activity(
    lake: &Lake,
    links: &mut [Link],
    at: &HashMap<String, usize>,
    keys: &[String],
    threads: usize,
) -> Result<(), QueryError> {
    let sql = format!(
        "SELECT \"userIdentity_accessKeyId\" AS key, \"sourceIPAddress\" AS address, count(*) AS events, \
        count(\"errorCode\") AS failed, count(*) FILTER (WHERE NOT \"readOnly\") AS writes, min(\"eventTime\") AS first, \
        max(\"eventTime\") AS last FROM {CLOUDTRAIL} WHERE \"userIdentity_accessKeyId\" IN ({}) GROUP BY 1, 2 \
        ORDER BY events DESC, address",
        list(keys)
    );
    ask(lake, &sql, threads, |rows| {
        for row in rows.each() {
            let link = rows.text("key", row).and_then(|key| at.get(key)).and_then(|at| links.get_mut(*at));
            let Some(Link { activity, .. }) = link else { continue };
            activity.events += rows.count("events", row);
            activity.failed += rows.count("failed", row);
            activity.writes += rows.count("writes", row);
            let first = rows.number("first", row).map(Moment);
            activity.first = [activity.first, first].into_iter().flatten().min();
            activity.last = activity.last.max(rows.number("last", row).map(Moment));
            if activity.addresses.len() < ADDRESSES_MAX {
                activity.addresses.extend(rows.owned("address", row));
            }
        }
    })
    .await
}

fn list(texts: &[String]) -> String {
    texts.iter().map(|text| text_literal(text)).collect::<Vec<_>>().join(", ")
}
