//! A service's facts, arranged for being asked about every word of a policy.

use std::collections::HashMap;

use super::Service;
use crate::policy::Glob;

/// A service's actions, condition keys and ARNs, by lower-case name.
#[derive(Debug)]
pub struct Index {
    /// By name in lower case, in order.
    actions: Vec<(Box<str>, IndexedAction)>,
    /// Keys without a variable part, by name in lower case.
    keys: HashMap<Box<str>, Key>,
    /// Keys with one (`aws:ResourceTag/${TagKey}`): what stands before and after it, in lower case.
    open_keys: Vec<(Box<str>, Box<str>, Key)>,
    /// The ARNs of its resource types.
    templates: Vec<Template>,
}

/// One action.
#[derive(Debug)]
pub struct IndexedAction {
    /// As AWS spells it.
    pub name: Box<str>,
    /// The places of every condition key that a request for it may have, in order.
    keys: Vec<usize>,
    /// The resource types it works on.
    pub resources: Vec<Box<str>>,
}

/// A condition key of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its place in the service's list.
    pub place: usize,
    /// What its values are.
    pub kind: KeyType,
}

/// What the values of a condition key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyType {
    /// What each value is.
    pub kind: KeyKind,
    /// Whether a request may have several.
    pub several: bool,
}

/// What one value of a condition key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Any text.
    String,
    /// An ARN.
    Arn,
    /// `true` or `false`.
    Bool,
    /// A number.
    Numeric,
    /// A point in time.
    Date,
    /// An IP address.
    Ip,
    /// Not told.
    Unknown,
}

/// A resource type and its ARN, in parts, with `*` for what differs.
#[derive(Debug)]
pub struct Template {
    /// The resource type (`bucket`).
    pub name: Box<str>,
    /// The service in it.
    pub service: Box<str>,
    /// The region in it: `*` for any, or none.
    pub region: Box<str>,
    /// The account in it: `*` for any, or none.
    pub account: Box<str>,
    /// What names the resource.
    pub resource: Glob,
}

impl KeyType {
    /// The type of a letter of the table; in upper case for several values.
    pub fn of_letter(letter: char) -> Self {
        let kind = match letter.to_ascii_lowercase() {
            's' => KeyKind::String,
            'a' => KeyKind::Arn,
            'b' => KeyKind::Bool,
            'n' => KeyKind::Numeric,
            'd' => KeyKind::Date,
            'i' => KeyKind::Ip,
            _ => KeyKind::Unknown,
        };
        Self { kind, several: letter.is_ascii_uppercase() }
    }
}

impl IndexedAction {
    /// Whether a request for it may have the key.
    pub fn has_key(&self, key: Key) -> bool {
        self.keys.binary_search(&key.place).is_ok()
    }
}

impl Index {
    pub(super) fn of(service: &Service) -> Self {
        let mut actions: Vec<(Box<str>, IndexedAction)> = Vec::with_capacity(service.actions.len());
        for (name, action) in &service.actions {
            let kinds = action.resources.iter().filter_map(|kind| service.resources.get(kind));
            let mut keys: Vec<usize> = kinds.flat_map(|kind| &kind.keys).chain(&action.keys).copied().collect();
            keys.sort_unstable();
            keys.dedup();
            let resources = action.resources.iter().map(|name| name.as_str().into()).collect();
            let lower = name.to_ascii_lowercase().into();
            actions.push((lower, IndexedAction { name: name.as_str().into(), keys, resources }));
        }
        actions.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let (mut keys, mut open_keys) = (HashMap::new(), Vec::new());
        for ((place, name), letter) in service.keys.iter().enumerate().zip(service.types.chars()) {
            let key = Key { place, kind: KeyType::of_letter(letter) };
            let name = name.to_ascii_lowercase();
            match variable_part(&name) {
                Some((before, after)) => open_keys.push((before.into(), after.into(), key)),
                None => {
                    keys.insert(name.into(), key);
                }
            }
        }
        let templates = service.resources.iter().filter_map(|(name, kind)| {
            let mut parts = kind.arn.splitn(6, ':').skip(2);
            let (service, region, account) = (parts.next()?.into(), parts.next()?.into(), parts.next()?.into());
            Some(Template {
                name: name.as_str().into(),
                service,
                region,
                account,
                resource: Glob::plain(parts.next()?),
            })
        });
        Self { actions, keys, open_keys, templates: templates.collect() }
    }

    /// Whether any action is known to have the key; the table does not tell of every key where it holds.
    pub fn is_used(&self, key: Key) -> bool {
        self.actions.iter().any(|(_, action)| action.has_key(key))
    }

    /// The action of this lower-case name.
    pub fn action(&self, name: &str) -> Option<&IndexedAction> {
        let place = self.actions.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.actions.get(place).map(|(_, action)| action)
    }

    /// The actions whose lower-case names begin so.
    pub fn actions_from<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, &'a IndexedAction)> {
        let first = self.actions.partition_point(|(known, _)| known.as_ref() < start);
        let rest = self.actions.get(first..).unwrap_or_default();
        rest.iter().take_while(move |(known, _)| known.starts_with(start)).map(|(name, action)| (name.as_ref(), action))
    }

    /// The condition key of this lower-case name.
    pub fn key(&self, name: &str) -> Option<Key> {
        let open = || {
            let fits = |before: &str, after: &str| {
                name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(|tag| !tag.is_empty())
            };
            self.open_keys.iter().find(|(before, after, _)| fits(before, after)).map(|(_, _, key)| *key)
        };
        self.keys.get(name).copied().or_else(open)
    }

    /// Whether a key of this lower-case name would take something more at its end (`aws:resourcetag/`).
    pub fn is_open_key(&self, start: &str) -> bool {
        self.open_keys.iter().any(|(before, after, _)| {
            after.is_empty() && (before.as_ref() == start || before.strip_suffix('/') == Some(start))
        })
    }

    /// The lower-case names of the keys that need nothing more.
    pub fn key_names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(AsRef::as_ref)
    }

    /// The ARNs of the service's resource types.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }
}

/// What stands before and after the part of a key's name that differs: `${TagKey}`, and in some services `<key>`,
/// `tag-key` or nothing after the slash.
fn variable_part(name: &str) -> Option<(&str, &str)> {
    for (open, close) in [("${", "}"), ("<", ">")] {
        if let Some((before, rest)) = name.split_once(open) {
            return rest.split_once(close).map(|(_, after)| (before, after));
        }
    }
    let before = name.strip_suffix("tag-key").unwrap_or(name);
    before.ends_with('/').then_some((before, ""))
}
