//! What the events of one subject come to, counted as they go by.

use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};

use super::Effect;
use super::chain::Issued;
use super::rows::Rows;
use super::target::{self, targets};
use crate::time;

/// Different names of one kind that are counted one by one; beyond that nobody reads them, and memory stays bounded.
const NAMES_COUNTED_MAX: usize = 20_000;

/// Names of one kind that a report holds.
pub const NAMES_MAX: usize = 100;

/// Resources that a report holds as created, changed or deleted.
pub const CHANGES_MAX: usize = 1_000;

/// Resources that are followed while events go by.
const CHANGES_COUNTED_MAX: usize = 50_000;

/// Days of a report's calendar: ten years.
const DAYS_MAX: usize = 3_660;

/// A moment, written in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time::text(self.0))
    }
}

/// What some events come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Events.
    pub events: u64,
    /// Those that failed or were refused.
    pub failed: u64,
    /// Those that only read.
    pub reads: u64,
    /// Those that write.
    pub writes: u64,
    /// When the first one was.
    pub first: Option<Moment>,
    /// When the last one was.
    pub last: Option<Moment>,
    /// By account.
    pub accounts: Names,
    /// By region.
    pub regions: Names,
    /// By the address they came from.
    pub addresses: Names,
    /// By user agent.
    pub agents: Names,
    /// By who made them.
    pub principals: Names,
    /// By access key.
    pub keys: Names,
    /// By service.
    pub services: Names,
    /// By operation, as `s3:GetObject`.
    pub calls: Names,
    /// Failures by their error.
    pub errors: Names,
    /// By day (UTC).
    pub days: Vec<Day>,
}

/// The events of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day.
    pub day: String,
    /// Its events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
}

/// Events by name, the most frequent first, at most [`NAMES_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The names.
    pub names: Vec<Named>,
    /// How many different ones there are, as far as they were counted.
    pub different: u64,
}

/// Events of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that write.
    pub writes: u64,
    /// When the first one was.
    pub first: Moment,
    /// When the last one was.
    pub last: Moment,
}

/// A resource that was created, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name, as a person reads it.
    pub name: String,
    /// Its other names: ids, ARNs.
    pub names: Vec<String>,
    /// The service.
    pub service: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// When it was created, by the subject.
    pub created: Option<Moment>,
    /// When it was changed last, by the subject.
    pub changed: Option<Moment>,
    /// When it was deleted, by the subject.
    pub deleted: Option<Moment>,
    /// The operations, with how often each succeeded.
    pub calls: BTreeMap<String, u64>,
}

impl Changed {
    /// When anything last happened to it.
    pub fn last(&self) -> Option<Moment> {
        self.created.max(self.changed).max(self.deleted)
    }

    /// When anything first happened to it.
    pub fn first(&self) -> Option<Moment> {
        [self.created, self.changed, self.deleted].into_iter().flatten().min()
    }
}

/// Counts events as they go by.
#[derive(Debug, Default)]
pub(super) struct Counting {
    profile: Profile,
    accounts: Counted,
    regions: Counted,
    addresses: Counted,
    agents: Counted,
    principals: Counted,
    keys: Counted,
    services: Counted,
    calls: Counted,
    errors: Counted,
    days: BTreeMap<i32, (u64, u64)>,
    changes: HashMap<(String, String, String), Changed>,
    changes_beyond: bool,
    pub(super) issued: Vec<Issued>,
}

#[derive(Debug, Default)]
struct Counted(HashMap<String, Named>);

impl Counted {
    fn add(&mut self, name: Option<&str>, event: Event) {
        let Some(name) = name else { return };
        if let Some(named) = self.0.get_mut(name) {
            named.events += 1;
            named.failed += u64::from(event.is_failed);
            named.writes += u64::from(event.is_write);
            named.first = named.first.min(event.at);
            named.last = named.last.max(event.at);
        } else if self.0.len() < NAMES_COUNTED_MAX {
            let named = Named {
                name: name.to_owned(),
                events: 1,
                failed: u64::from(event.is_failed),
                writes: u64::from(event.is_write),
                first: event.at,
                last: event.at,
            };
            self.0.insert(name.to_owned(), named);
        }
    }

    fn names(self) -> Names {
        let different = self.0.len() as u64;
        let mut names: Vec<Named> = self.0.into_values().collect();
        names.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.name.cmp(&other.name)));
        names.truncate(NAMES_MAX);
        Names { names, different }
    }
}

#[derive(Debug, Clone, Copy)]
struct Event {
    at: Moment,
    is_failed: bool,
    is_write: bool,
}

impl Counting {
    /// Takes one event in.
    pub(super) fn add(&mut self, rows: &Rows, row: usize) {
        let text = |column| rows.text(column, row);
        let Some(at) = rows.number("time", row).map(Moment) else { return };
        let name = text("name").unwrap_or_default();
        let service = text("service").unwrap_or_default();
        let error = error(rows, row);
        let event = Event { at, is_failed: error.is_some(), is_write: is_write(text("read_only"), name) };
        let profile = &mut self.profile;
        profile.events += 1;
        profile.failed += u64::from(event.is_failed);
        profile.writes += u64::from(event.is_write);
        profile.reads += u64::from(!event.is_write);
        profile.first = Some(profile.first.map_or(at, |first| first.min(at)));
        profile.last = profile.last.max(Some(at));
        let call = call(service, name);
        for (counted, name) in [
            (&mut self.accounts, text("account")),
            (&mut self.regions, text("region")),
            (&mut self.addresses, text("address")),
            (&mut self.agents, text("agent")),
            (&mut self.principals, text("principal")),
            (&mut self.keys, text("key")),
            (&mut self.services, Some(service)),
            (&mut self.calls, Some(call.as_str())),
            (&mut self.errors, error),
        ] {
            counted.add(name, event);
        }
        let day = time::day(at.0);
        if self.days.len() < DAYS_MAX || self.days.contains_key(&day) {
            let (events, failed) = self.days.entry(day).or_default();
            *events += 1;
            *failed += u64::from(event.is_failed);
        }
        if !event.is_failed {
            self.issued.extend(Issued::of(rows, row));
            if event.is_write {
                self.change(rows, row, at, &call);
            }
        }
    }

    fn change(&mut self, rows: &Rows, row: usize, at: Moment, call: &str) {
        let text = |column| rows.text(column, row).unwrap_or_default();
        let json = |column| serde_json::from_str(text(column)).unwrap_or_default();
        let listed: Vec<String> = text("resources").split_ascii_whitespace().map(str::to_owned).collect();
        for target in targets(text("name"), &json("request"), &json("response"), &listed) {
            let target::Target { names, effect } = target;
            let Some(name) = names.first().cloned() else { continue };
            let (account, region) = (text("account").to_owned(), text("region").to_owned());
            let key = (account.clone(), service_name(text("service")).to_owned(), name.clone());
            if self.changes.len() >= CHANGES_COUNTED_MAX && !self.changes.contains_key(&key) {
                self.changes_beyond = true;
                continue;
            }
            let service = key.1.clone();
            let changed = self.changes.entry(key).or_insert_with(|| Changed {
                name,
                names: Vec::new(),
                service,
                account,
                region,
                created: None,
                changed: None,
                deleted: None,
                calls: BTreeMap::new(),
            });
            let moment = match effect {
                Effect::Created => &mut changed.created,
                Effect::Changed => &mut changed.changed,
                Effect::Deleted => &mut changed.deleted,
            };
            *moment = (*moment).max(Some(at));
            for name in names.into_iter().skip(1) {
                if !changed.names.contains(&name) {
                    changed.names.push(name);
                }
            }
            *changed.calls.entry(call.to_owned()).or_default() += 1;
        }
    }

    /// What it came to: the profile, the resources in order of time, and how many of them are left out (more than that,
    /// if even counting ended).
    pub(super) fn finish(self) -> (Profile, Vec<Changed>, u64) {
        let days = self.days.into_iter();
        let profile = Profile {
            accounts: self.accounts.names(),
            regions: self.regions.names(),
            addresses: self.addresses.names(),
            agents: self.agents.names(),
            principals: self.principals.names(),
            keys: self.keys.names(),
            services: self.services.names(),
            calls: self.calls.names(),
            errors: self.errors.names(),
            days: days.map(|(day, (events, failed))| Day { day: time::day_text(day), events, failed }).collect(),
            ..self.profile
        };
        let mut changes = joined(self.changes.into_values().collect());
        changes.sort_by(|one, other| (one.first(), &one.name).cmp(&(other.first(), &other.name)));
        let left_out = changes.len().saturating_sub(CHANGES_MAX) as u64 + u64::from(self.changes_beyond);
        changes.truncate(CHANGES_MAX);
        (profile, changes, left_out)
    }
}

/// Puts together what is one resource under two names: created as `web`, deleted as `sg-0a1b2c3d`.
fn joined(mut changes: Vec<Changed>) -> Vec<Changed> {
    changes.sort_by(|one, other| (one.first(), &one.name).cmp(&(other.first(), &other.name)));
    let mut at: HashMap<(String, String, String), usize> = HashMap::new();
    let mut all: Vec<Changed> = Vec::new();
    for change in changes {
        let of = |name: &String| (change.account.clone(), change.service.clone(), name.clone());
        let names: Vec<_> = std::iter::once(&change.name).chain(&change.names).map(of).collect();
        let known = names.iter().find_map(|name| at.get(name).copied());
        match known.and_then(|index| all.get_mut(index)) {
            // A new thing under an old name is another thing.
            Some(same) if !(same.deleted.is_some() && change.created > same.deleted) => {
                same.created = same.created.max(change.created);
                same.changed = same.changed.max(change.changed);
                same.deleted = same.deleted.max(change.deleted);
                for name in std::iter::once(change.name).chain(change.names) {
                    if name != same.name && !same.names.contains(&name) {
                        same.names.push(name);
                    }
                }
                for (call, count) in change.calls {
                    *same.calls.entry(call).or_default() += count;
                }
                let index = known.unwrap_or_default();
                at.extend(names.into_iter().map(|name| (name, index)));
            }
            _ => {
                at.extend(names.into_iter().map(|name| (name, all.len())));
                all.push(change);
            }
        }
    }
    all
}

/// `s3:GetObject`.
pub(super) fn call(service: &str, name: &str) -> String {
    format!("{}:{name}", service_name(service))
}

fn service_name(service: &str) -> &str {
    service.strip_suffix(".amazonaws.com").unwrap_or(service)
}

/// The error of an event, if it failed.
fn error(rows: &Rows, row: usize) -> Option<&str> {
    // A sign-in says so in its answer only.
    let is_refused =
        || rows.text("response", row).is_some_and(|answer| answer.contains("\"ConsoleLogin\":\"Failure\""));
    rows.text("error", row).or_else(|| is_refused().then_some("ConsoleLogin Failure"))
}

/// Whether a call writes: by what CloudTrail says, else by its name.
fn is_write(read_only: Option<&str>, name: &str) -> bool {
    match read_only {
        Some(flag) => flag != "true",
        None => !["Get", "List", "Describe", "Head", "Lookup", "Search", "Batch", "Query", "Scan"]
            .iter()
            .any(|verb| name.starts_with(verb)),
    }
}
