//! Why an event does not match.

use super::event::{Event, Scalar};
use super::matcher::Leaf;
use super::{Alternative, Pattern};

/// How many values of a field are shown.
const VALUES_SHOWN_MAX: usize = 5;

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The field, as keys joined by dots.
    pub path: String,
    /// What the pattern asks of it, as JSON.
    pub wanted: String,
    /// Why the event does not have it.
    pub reason: Reason,
}

/// Why a condition does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The event has no such field.
    Absent,
    /// The field is there and must not be; its values as JSON.
    Present(Vec<String>),
    /// None of the field's values will do; the values as JSON.
    Different(Vec<String>),
    /// Every condition holds somewhere, but not all in the same element of a list.
    DifferentElements,
}

pub(super) fn misses(pattern: &Pattern, event: &Event<'_>) -> Vec<Miss> {
    if pattern.matches(event) {
        return Vec::new();
    }
    let all = pattern.alternatives.iter().map(|alternative| of_alternative(alternative, event));
    all.min_by_key(Vec::len).unwrap_or_default()
}

fn of_alternative(alternative: &Alternative, event: &Event<'_>) -> Vec<Miss> {
    let miss = |path: &String, leaf: &Leaf, reason| Miss { path: path.clone(), wanted: leaf.written.clone(), reason };
    let found: Vec<Miss> = alternative
        .iter()
        .filter_map(|(path, leaf)| reason(leaf, path, event).map(|reason| miss(path, leaf, reason)))
        .collect();
    if !found.is_empty() {
        return found;
    }
    let in_lists = alternative.iter().filter(|(path, _)| event.at(path).any(|field| field.place.is_some()));
    in_lists.map(|(path, leaf)| miss(path, leaf, Reason::DifferentElements)).collect()
}

fn reason(leaf: &Leaf, path: &str, event: &Event<'_>) -> Option<Reason> {
    let mut values = event.at(path).map(|field| &field.value).peekable();
    if values.peek().is_none() {
        return (!leaf.accepts_absence()).then_some(Reason::Absent);
    }
    if event.at(path).any(|field| leaf.accepts(&field.value)) {
        return None;
    }
    // Whether a field inside a list is absent depends on the element.
    if leaf.accepts_absence() && event.at(path).all(|field| field.place.is_some()) {
        return None;
    }
    let shown = values.take(VALUES_SHOWN_MAX).map(written).collect();
    Some(if leaf.accepts_absence() { Reason::Present(shown) } else { Reason::Different(shown) })
}

fn written(value: &Scalar<'_>) -> String {
    match value {
        Scalar::Null => "null".to_owned(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(Some(number)) => number.to_string(),
        Scalar::Number(None) => "a number that no double holds".to_owned(),
        Scalar::Text(text) => serde_json::Value::String(text.as_ref().to_owned()).to_string(),
    }
}
