//! What an event means, given what came before.

use std::net::IpAddr;

use super::Engine;
use super::window::{self, Window};
use crate::context::Context;
use crate::event::{Event, EventError, Input};
use crate::facts::FactValue;
use crate::rule::{New, Rule};
use crate::state::{Details, Entry, Key, Member, Seen, State, Told};

/// How deep correlations of correlations may go: each calls the next. Circles are refused at linking.
const CHAIN_MAX: usize = 32;

/// What stands in a field that says who, where there is no one: incidents must not join by it.
const NOBODY: [&str; 7] =
    ["-", "null", "unknown", "anonymous", "ANONYMOUS_PRINCIPAL", "HIDDEN_DUE_TO_SECURITY_REASONS", "AWS Internal"];

impl Engine {
    /// Judges one event, and merges what it means into the findings of the state.
    ///
    /// An event that cannot be read changes nothing.
    pub fn process(&self, state: &mut State, input: &Input<'_>, context: &Context<'_>) -> Result<(), EventError> {
        let event = Event::read(input, context)?;
        self.judge(state, &event);
        Ok(())
    }

    /// The same of an event that was read already.
    pub fn judge(&self, state: &mut State, event: &Event<'_>) {
        state.bind(self);
        if let Some(issued) = text(event.fact("issued_key")) {
            state.issued(issued, text(event.fact("principal")), text(event.fact("access_key")), event.time_ms());
        }
        let mut hits = Vec::new();
        self.matches(event, &mut |rule| hits.push(rule));
        if hits.is_empty() || event.id().is_some_and(|id| state.is_duplicate(event.source().name, id)) {
            return;
        }
        let mut judging = Judging { engine: self, state, event, counted: Vec::new() };
        for rule in hits {
            judging.hit(rule);
        }
    }
}

struct Judging<'j> {
    engine: &'j Engine,
    state: &'j mut State,
    event: &'j Event<'j>,
    /// The correlations that have counted this event: one that several of its rules pick is still one event.
    counted: Vec<usize>,
}

impl Judging<'_> {
    fn hit(&mut self, number: usize) {
        let engine = self.engine;
        let Some(rule) = engine.rules.get(number) else { return };
        if let Some(new) = &rule.new
            && !self.is_new(number, new)
        {
            return;
        }
        let members = if let Some(Some(window)) = engine.links.windows.get(number) {
            self.count(number, window, 0)
        } else {
            let entry = self.entry(0);
            vec![self.member(entry)]
        };
        self.found(number, rule, members, 0, 0);
    }

    /// A rule's findings, and what they mean to those that correlate it.
    fn found(&mut self, number: usize, rule: &Rule, members: Vec<Member>, reference: usize, depth: usize) {
        if members.is_empty() || depth > CHAIN_MAX {
            return;
        }
        let engine = self.engine;
        if engine.links.reports.get(number) == Some(&true) {
            self.tell(number, rule, members, reference);
        }
        for (correlation, reference) in engine.links.listeners.get(number).into_iter().flatten() {
            let (Some(rule), Some(Some(window))) =
                (engine.rules.get(*correlation), engine.links.windows.get(*correlation))
            else {
                continue;
            };
            if window.measure != window::Measure::Rules {
                if self.counted.contains(correlation) {
                    continue;
                }
                self.counted.push(*correlation);
            }
            let members = self.count(*correlation, window, *reference);
            self.found(*correlation, rule, members, *reference, depth + 1);
        }
    }

    fn is_new(&mut self, number: usize, new: &New) -> bool {
        let of_whom = window::key(self.event, new.of_whom.iter().map(String::as_str));
        let combination = window::key(self.event, new.of_whom.iter().chain(&new.of).map(String::as_str));
        let (Some(of_whom), Some(combination)) = (of_whom, combination) else { return false };
        let seen = Seen {
            of_whom,
            combination,
            time_ms: self.event.time_ms(),
            learning_ms: new.learning_ms,
            remember_ms: new.remember_ms,
        };
        self.state.learn(number, &seen)
    }

    /// Counts the event in its group's window: the events that now belong to a finding.
    fn count(&mut self, number: usize, window: &Window, reference: usize) -> Vec<Member> {
        let (Some(group), Some(value)) = (window.group(self.event, reference), window.value(self.event, reference))
        else {
            return Vec::new();
        };
        let entry = self.entry(value);
        let judged = self.state.window(number, group, entry, window.span_ms, &|entries| window.holds(entries));
        let told = Entry { told: true, ..entry };
        let mut members: Vec<Member> = judged.told.iter().map(|entry| kept(*entry)).collect();
        // Of the event itself more is known than its window keeps.
        if let Some(at) = judged.told.iter().rposition(|entry| *entry == told)
            && let Some(member) = members.get_mut(at)
        {
            *member = self.member(told);
        }
        members
    }

    fn entry(&mut self, value: u64) -> Entry {
        Entry {
            time_ms: self.event.time_ms(),
            id: self.event.id().and_then(uuid).unwrap_or_default(),
            value,
            name: self.state.name(self.event.name().as_deref()),
            told: false,
        }
    }

    fn member(&self, entry: Entry) -> Member {
        Member { time_ms: entry.time_ms, id: self.event.id().map(str::to_owned), name: entry.name }
    }

    fn tell(&mut self, number: usize, rule: &Rule, members: Vec<Member>, reference: usize) {
        let event = self.event;
        let window = self.engine.links.windows.get(number).and_then(Option::as_ref);
        let path = |field: &str| {
            let by = window.and_then(|window| window.by.iter().find(|by| by.name == field));
            by.map_or_else(|| field.to_owned(), |by| by.path(reference).to_owned())
        };
        let identity = rule.identity.iter().map(|field| (field.clone(), window::values(event, &path(field)))).collect();
        let fields = self.engine.evidence.get(number).map(Vec::as_slice).unwrap_or_default();
        let issuers: Vec<String> =
            text(event.fact("access_key")).map(|key| self.state.issuers(key).to_vec()).unwrap_or_default();
        let details = || Details {
            principal: text(event.fact("principal")).map(str::to_owned).or_else(|| first(event, &rule.actor)),
            resource: first(event, &rule.resource),
            source_ip: address(event),
            evidence: fields
                .iter()
                .map(|field| (field.clone(), window::values(event, &path(field))))
                .filter(|(_, values)| !values.is_empty())
                .collect(),
            actors: actors(event, rule, &issuers),
            issued: text(event.fact("issued_key")).map(str::to_owned),
        };
        self.state.tell(&Told {
            rule,
            identity,
            identity_account: event.account().filter(|_| window.is_none()),
            members,
            source: event.source().name,
            account: event.account(),
            region: event.region(),
            details: &details,
        });
    }
}

fn text(fact: Option<&FactValue>) -> Option<&str> {
    match fact {
        Some(FactValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// The first value that any of the fields has.
fn first(event: &Event<'_>, fields: &[String]) -> Option<String> {
    fields.iter().find_map(|field| event.text(field)).map(std::borrow::Cow::into_owned)
}

fn address(event: &Event<'_>) -> Option<String> {
    let fact = text(event.fact("source.address")).map(str::to_owned);
    let fields = event.source().address.iter().find_map(|field| event.text(field)).map(std::borrow::Cow::into_owned);
    fact.or_else(|| fields.filter(|text| text.parse::<IpAddr>().is_ok()))
}

/// What incidents join by.
fn actors(event: &Event<'_>, rule: &Rule, issuers: &[String]) -> Vec<String> {
    let mut actors: Vec<String> = rule.actor.iter().flat_map(|field| window::values(event, field)).collect();
    let resources = rule.resource.iter().flat_map(|field| window::values(event, field));
    actors.extend(resources.filter(|text| is_instance(text) || is_access_key(text)));
    actors.extend(issuers.iter().cloned());
    actors.retain(|actor| !actor.is_empty() && !NOBODY.contains(&actor.as_str()));
    actors
}

fn is_instance(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_access_key(text: &str) -> bool {
    matches!(text.get(..4), Some("AKIA" | "ASIA"))
        && (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// A UUID in the form that CloudTrail writes, as a key.
fn uuid(text: &str) -> Option<Key> {
    let bytes = text.as_bytes();
    let dashes = [8, 13, 18, 23];
    let formed = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| {
            if dashes.contains(&at) { *byte == b'-' } else { matches!(byte, b'0'..=b'9' | b'a'..=b'f') }
        });
    if !formed {
        return None;
    }
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    let half = |range| digits.get(range).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Some(Key(half(0..16)?, half(16..32)?))
}

/// An event as a window kept it.
fn kept(entry: Entry) -> Member {
    let id = (entry.id != Key::default()).then(|| {
        let (high, low) = (entry.id.0, entry.id.1);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    });
    Member { time_ms: entry.time_ms, id, name: entry.name }
}
