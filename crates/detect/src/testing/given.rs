//! Tests as written, and the lists and places that they give.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{Case, Expected, repeat};
use crate::context::{Context, ListKind, Listed, Lists, Own, Place, Places};
use crate::rule::raw::{RawCase, RawExpected, RawGiven, RawList, RawPlace};
use crate::source::Source;

/// The most events of a test.
const EVENTS_MAX: usize = 2_000;

/// What a test says of lists, places and the account.
#[derive(Debug, Clone, Default)]
pub struct Given {
    lists: Vec<List>,
    places: BTreeMap<IpAddr, Place>,
    own: Own,
}

#[derive(Debug, Clone)]
struct List {
    name: String,
    kind: ListKind,
    category: Option<String>,
    networks: Vec<IpNet>,
    domains: Vec<String>,
    hashes: Vec<String>,
}

impl Given {
    /// It as a context.
    pub fn context(&self) -> Context<'_> {
        Context { lists: self, places: self, own: &self.own }
    }

    fn lists(&self, on: impl Fn(&List) -> bool) -> Vec<Listed<'_>> {
        let lists = self.lists.iter().filter(|list| on(list));
        lists.map(|list| Listed { list: &list.name, kind: list.kind, category: list.category.as_deref() }).collect()
    }
}

impl Lists for Given {
    fn address(&self, address: IpAddr) -> Vec<Listed<'_>> {
        self.lists(|list| list.networks.iter().any(|network| network.contains(&address)))
    }

    fn domain(&self, domain: &str) -> Vec<Listed<'_>> {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let below = |listed: &String| {
            domain.strip_suffix(listed.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.lists(|list| list.domains.iter().any(below))
    }

    fn hash(&self, hash: &str) -> Vec<Listed<'_>> {
        self.lists(|list| list.hashes.iter().any(|listed| listed.eq_ignore_ascii_case(hash)))
    }
}

impl Places for Given {
    fn place(&self, address: IpAddr) -> Option<Place> {
        self.places.get(&address).cloned()
    }
}

impl Case {
    pub(crate) fn of_raw(raw: RawCase, source: Option<&'static Source>) -> Result<Self, String> {
        let events = repeat::all(raw.events, EVENTS_MAX)?;
        if events.is_empty() {
            return Err("it has no events".to_owned());
        }
        if events.len() > EVENTS_MAX {
            return Err(format!("it has more than {EVENTS_MAX} events"));
        }
        let expected: Vec<Expected> = match raw.findings {
            RawExpected::Number(_) => Vec::new(),
            RawExpected::Each(ref each) => each
                .iter()
                .map(|finding| Expected {
                    finding: finding.finding.clone(),
                    count: finding.count,
                    identity: finding.identity.iter().map(|(field, value)| (field.clone(), values(value))).collect(),
                })
                .collect(),
        };
        let findings = match raw.findings {
            RawExpected::Number(number) => number,
            RawExpected::Each(each) => each.len(),
        };
        Ok(Self { name: raw.name, given: given(raw.given)?, events, source, expected, findings })
    }
}

/// The texts that an expected value is: one, those of a list, none of `null`.
fn values(value: &Value) -> Vec<String> {
    let mut texts = match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().flat_map(values_of).collect(),
        other => values_of(other),
    };
    texts.sort_unstable();
    texts
}

fn values_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn given(raw: RawGiven) -> Result<Given, String> {
    let lists = raw.lists.into_iter().map(list).collect::<Result<_, _>>()?;
    let mut places = BTreeMap::new();
    for (address, raw) in raw.places {
        let address = address.parse().map_err(|_| format!("`{address}` is not an address"))?;
        places.insert(address, place(raw));
    }
    let networks = raw.own.networks.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
    Ok(Given { lists, places, own: Own { accounts: raw.own.accounts.into_iter().collect(), networks } })
}

fn list(raw: RawList) -> Result<List, String> {
    let networks = raw.addresses.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
    let domains = raw.domains.iter().map(|domain| domain.trim_end_matches('.').to_ascii_lowercase()).collect();
    let kind = if raw.trusted { ListKind::Trusted } else { ListKind::Threat };
    Ok(List { name: raw.name, kind, category: raw.category, networks, domains, hashes: raw.hashes })
}

fn network(text: &str) -> Result<IpNet, String> {
    let parsed = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    parsed.ok_or_else(|| format!("`{text}` is not an address or a network"))
}

#[expect(clippy::cast_possible_truncation, reason = "degrees have three digits before the point")]
fn place(raw: RawPlace) -> Place {
    let milli = |degrees: f64| (degrees.clamp(-360.0, 360.0) * 1000.0) as i32;
    Place {
        country: raw.country,
        city: raw.city,
        asn: raw.asn,
        organisation: raw.organisation,
        latitude_millidegrees: raw.latitude.map(milli),
        longitude_millidegrees: raw.longitude.map(milli),
    }
}
