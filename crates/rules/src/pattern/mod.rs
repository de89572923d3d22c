//! Event patterns of Amazon EventBridge.
//!
//! In: a pattern as JSON, and events flattened to their leaves. Out: whether the one matches the other, which condition
//! did not hold, and, for a [`PatternSet`], all the patterns that match in a time that hardly depends on how many there
//! are. What AWS documents is followed, and where that is silent the behaviour of `aws/event-ruler`, which the service
//! runs on:
//!
//! - a number equals a number (`300`, `300.0`, `3.0e2`), a text equals a text, and neither equals the other;
//! - keys are joined by dots, so `{"a": {"b": …}}` and `{"a.b": …}` are the same path, in patterns and in events;
//! - fields below one list must come from the same element of it, at every level; a list of plain values constrains nobody;
//! - an empty list or object is no field, `null` is one;
//! - `exists: false` holds where the elements that the other fields came from have no such field, and, where no other
//!   field came from that list, where no element has it;
//! - `anything-but` holds of every kind of value, but not of a field that is absent;
//! - where a path is named twice, by a key or beside and inside `$or`, the last one counts.

mod consistency;
mod event;
mod explain;
mod fold;
mod matcher;
mod network;
mod number;
mod parse;
mod rule;
mod set;
mod wildcard;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

pub use event::{Event, EventBuilder, Scalar};
pub use explain::{Miss, Reason};
use matcher::Leaf;
pub use rule::{EventCase, EventRule, Firing};
pub use set::PatternSet;

/// The longest text that is read as a pattern, in bytes: sixteen times what AWS takes, for who indents generously.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The longest pattern, in characters without the blanks between its parts: the limit of `PutRule`.
pub const PATTERN_CHARS_MAX: usize = 4_096;

/// The most alternatives that the `$or` of a pattern may multiply to: AWS's limit.
pub const COMBINATIONS_MAX: usize = 1_000;

/// The most stars among the wildcards of one field that a single text could be in at the same time.
///
/// AWS refuses what it finds too complex without saying where the limit is; event-ruler's own tests use this number.
pub const WILDCARD_COMPLEXITY_MAX: usize = 100;

/// An event pattern, ready to be matched any number of times.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Any of these; within one, all.
    alternatives: Vec<Alternative>,
}

/// Conditions by path, all of which must hold.
type Alternative = BTreeMap<String, Arc<Leaf>>;

/// A pattern that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", at(path))]
pub struct PatternError {
    /// Where in the pattern, as keys joined by dots; empty for the whole pattern.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("at `{path}`: ") }
}

impl Pattern {
    /// The pattern that a JSON text is.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::text(text).map(|alternatives| Self { alternatives })
    }

    /// The pattern that a JSON value is. Numbers that no double holds can only be told in a text: see [`Pattern::parse`].
    pub fn from_value(value: &Value) -> Result<Self, PatternError> {
        parse::value(value).map(|alternatives| Self { alternatives })
    }

    /// Whether an event matches.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.alternatives.iter().any(|alternative| {
            let conditions: Vec<_> =
                alternative.iter().map(|(path, leaf)| (leaf.as_ref(), event.at(path).collect())).collect();
            consistency::holds(&conditions, event)
        })
    }

    /// What keeps an event from matching, in the alternative that comes closest; nothing where it matches.
    pub fn misses(&self, event: &Event<'_>) -> Vec<Miss> {
        explain::misses(self, event)
    }
}

#[cfg(test)]
mod tests;
