//! What differs between two versions, path by path.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::{Body, is_within};

/// One difference between an earlier and a later version.
///
/// Lists of objects that have an identity (a key that all of them have, each with another text or number: `Id`, `Key`,
/// `Name`, …) are compared by it: `Rules[Id=expire].Status`. Lists of texts, numbers and bools are compared as sets where
/// more than the order differs: `Subnets[]`. All other lists are compared place by place: `Rules[0].Status`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where: `Properties.VersioningConfiguration.Status`, `Tags.owner`. A key that is not a plain word is in quotes:
    /// `Tags['aws:cloudformation:stack-name']`.
    pub path: String,
    /// The earlier value; `None` where there was none.
    pub before: Option<Value>,
    /// The later value; `None` where there is none.
    pub after: Option<Value>,
    /// Whether nothing was known of it before, as it could not be read: then it is news, but perhaps no change.
    pub learned: bool,
}

/// Keys that tell the elements of a list apart, the more telling first.
const IDENTITIES: &[&str] = &[
    "Id",
    "ID",
    "Key",
    "Arn",
    "ARN",
    "Name",
    "Sid",
    "RuleName",
    "PolicyName",
    "GroupId",
    "SubnetId",
    "AttributeName",
    "IndexName",
    "DeviceName",
    "AssociationId",
    "NetworkInterfaceId",
    "id",
    "name",
    "key",
];

/// Values deeper than this are compared whole.
const DEPTH_MAX: usize = 64;

/// What a version consists of, and the paths of which nothing is known.
pub(crate) struct State {
    pub(crate) body: Body,
    pub(crate) unknown: Vec<String>,
}

impl State {
    fn is_unknown(&self, path: &str) -> bool {
        self.unknown.iter().any(|unknown| is_within(path, unknown))
    }
}

/// What differs, in the order of paths. Nothing is said of what is unknown later.
pub(crate) fn between(earlier: &State, later: &State) -> Vec<Change> {
    let mut changes = Vec::new();
    objects("", earlier.body.parts(), later.body.parts(), 0, &mut changes);
    changes.retain(|change| !later.is_unknown(&change.path));
    for change in &mut changes {
        change.learned = earlier.is_unknown(&change.path);
    }
    changes
}

/// One value against another, either of which may be missing.
fn values(path: String, before: Option<&Value>, after: Option<&Value>, depth: usize, changes: &mut Vec<Change>) {
    // A part that is null, such as the name of what has none, is as good as missing.
    let (before, after) = (before.filter(|value| !value.is_null()), after.filter(|value| !value.is_null()));
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) if depth < DEPTH_MAX => {
            objects(&path, before, after, depth + 1, changes);
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if depth < DEPTH_MAX => {
            lists(&path, before, after, depth + 1, changes);
        }
        _ => changes.push(Change { path, before: before.cloned(), after: after.cloned(), learned: false }),
    }
}

fn objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    depth: usize,
    changes: &mut Vec<Change>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        values(below(path, key), before.get(key), after.get(key), depth, changes);
    }
}

fn lists(path: &str, before: &[Value], after: &[Value], depth: usize, changes: &mut Vec<Change>) {
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    if before.iter().chain(after).all(is_plain) {
        return sets(path, before, after, changes);
    }
    if let Some((key, before, after)) = by_identity(before, after) {
        let identities: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let length = changes.len();
        for identity in identities {
            let path = format!("{path}[{key}={identity}]");
            values(path, before.get(identity).copied(), after.get(identity).copied(), depth, changes);
        }
        if changes.len() > length {
            return;
        }
    }
    for index in 0..before.len().max(after.len()) {
        values(format!("{path}[{index}]"), before.get(index), after.get(index), depth, changes);
    }
}

/// Lists of plain values: what is in the one and not in the other, or the whole where only the order differs.
fn sets(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    let mut counts: BTreeMap<String, (&Value, i64)> = BTreeMap::new();
    for (list, step) in [(before, -1), (after, 1)] {
        for value in list {
            counts.entry(value.to_string()).or_insert((value, 0)).1 += step;
        }
    }
    let length = changes.len();
    for (value, count) in counts.into_values().filter(|(_, count)| *count != 0) {
        let (before, after) = if count < 0 { (Some(value), None) } else { (None, Some(value)) };
        for _ in 0..count.unsigned_abs() {
            let (before, after) = (before.cloned(), after.cloned());
            changes.push(Change { path: format!("{path}[]"), before, after, learned: false });
        }
    }
    if changes.len() == length {
        let (before, after) = (Some(before.to_vec().into()), Some(after.to_vec().into()));
        changes.push(Change { path: path.to_owned(), before, after, learned: false });
    }
}

type ByIdentity<'a> = BTreeMap<String, &'a Value>;

/// The elements of both lists by the first key that tells them apart in each.
fn by_identity<'a>(before: &'a [Value], after: &'a [Value]) -> Option<(&'static str, ByIdentity<'a>, ByIdentity<'a>)> {
    IDENTITIES.iter().find_map(|key| Some((*key, keyed(key, before)?, keyed(key, after)?)))
}

fn keyed<'a>(key: &str, list: &'a [Value]) -> Option<ByIdentity<'a>> {
    let mut keyed = BTreeMap::new();
    for element in list {
        let identity = match element.get(key)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        if keyed.insert(identity, element).is_some() {
            return None;
        }
    }
    Some(keyed)
}

fn below(path: &str, key: &str) -> String {
    let is_word = !key.is_empty() && key.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '-');
    match (path, is_word) {
        ("", _) => key.to_owned(),
        (_, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}['{key}']"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_path_by_path() {
        for (before, after, expected) in [
            (json!({ "A": 1 }), json!({ "A": 1 }), json!([])),
            (json!({ "A": 1 }), json!({ "A": 2 }), json!([["P.A", 1, 2]])),
            (json!({ "A": 1 }), json!({ "B": 1 }), json!([["P.A", 1, null], ["P.B", null, 1]])),
            (json!({ "A": { "B": { "C": 1 } } }), json!({ "A": { "B": { "C": 2 } } }), json!([["P.A.B.C", 1, 2]])),
            (json!({ "a:b": 1 }), json!({ "a:b": 2 }), json!([["P['a:b']", 1, 2]])),
            (
                json!({ "L": ["a", "b"] }),
                json!({ "L": ["b", "c"] }),
                json!([["P.L[]", "a", null], ["P.L[]", null, "c"]]),
            ),
            (json!({ "L": ["a", "b"] }), json!({ "L": ["b", "a"] }), json!([["P.L", ["a", "b"], ["b", "a"]]])),
            (json!({ "L": ["a"] }), json!({ "L": ["a", "a"] }), json!([["P.L[]", null, "a"]])),
            (
                json!({ "R": [{ "Id": "x", "S": 1 }, { "Id": "y", "S": 1 }] }),
                json!({ "R": [{ "Id": "y", "S": 2 }, { "Id": "z", "S": 1 }] }),
                json!([["P.R[Id=x]", { "Id": "x", "S": 1 }, null], ["P.R[Id=y].S", 1, 2], ["P.R[Id=z]", null, { "Id": "z", "S": 1 }]]),
            ),
            (
                json!({ "R": [{ "Id": "x" }, { "Id": "y" }] }),
                json!({ "R": [{ "Id": "y" }, { "Id": "x" }] }),
                json!([["P.R[0].Id", "x", "y"], ["P.R[1].Id", "y", "x"]]),
            ),
            (
                json!({ "R": [{ "S": 1 }, { "S": 1 }] }),
                json!({ "R": [{ "S": 1 }] }),
                json!([["P.R[1]", { "S": 1 }, null]]),
            ),
            (json!({ "A": { "B": 1 } }), json!({ "A": 7 }), json!([["P.A", { "B": 1 }, 7]])),
        ] {
            let mut changes = Vec::new();
            values("P".to_owned(), Some(&before), Some(&after), 0, &mut changes);
            let told: Vec<Value> =
                changes.iter().map(|change| json!([change.path, change.before, change.after])).collect();
            assert_eq!(Value::from(told), expected, "{before} {after}");
        }
    }
}
