//! Filter patterns of CloudWatch Logs.
//!
//! A pattern is one of three: `{ $.eventName = "StopLogging" }` over JSON, `[ip, user, status = 4*]` over the words of a
//! line, or terms (`ERROR -timeout`, `?WARN ?ERROR`, `%4\d\d%`). What AWS documents is followed; where it is silent:
//!
//! - a condition on a field that is absent, or that is an object or a list, does not hold, `!=` included;
//! - a value without quotes is compared as a number with a number and as text with a text, one in quotes only with texts;
//! - a term is found between the edges of words, and a word is letters, digits and `_` of ASCII.

mod cursor;
mod fields;
mod json;
mod metric;
mod regex;
mod terms;
mod value;

use serde_json::Value;

use cursor::Cursor;
pub use metric::{Counter, MetricFilter, MetricFilterError, Point};

/// The longest pattern, in characters: the limit of `PutMetricFilter`.
pub const PATTERN_CHARS_MAX: usize = 1_024;

/// The most regular expressions in one pattern over JSON or fields: AWS's limit.
pub const REGEXES_MAX: usize = 2;

/// The most wildcards in one selector (`$.a[*].b`): AWS's limit.
pub const SELECTOR_WILDCARDS_MAX: usize = 1;

/// The most wildcards in all the selectors of a pattern: AWS's limit.
pub const WILDCARDS_MAX: usize = 3;

/// The most dimensions of one metric of a metric filter: AWS's limit.
pub const DIMENSIONS_MAX: usize = 3;

/// The deepest nesting of brackets, so that no pattern can exhaust the stack.
pub const NESTING_MAX: usize = 64;

/// What one regular expression may grow to when compiled, in bytes; repetitions of repetitions grow fast.
pub const REGEX_BYTES_MAX: usize = 1 << 20;

/// A filter pattern, ready to be matched any number of times.
#[derive(Debug, Clone)]
pub struct Pattern {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// An empty pattern.
    Everything,
    Json(json::Expression),
    Fields(fields::Fields),
    Terms(terms::Terms),
}

/// A text that is not a filter pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {offset} of the filter pattern")]
pub struct PatternError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What would have gone on there.
    pub expected: &'static str,
}

impl Pattern {
    /// The pattern that a text is.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some((offset, _)) = text.char_indices().nth(PATTERN_CHARS_MAX) {
            return Err(PatternError { offset, expected: "no more than 1,024 characters" });
        }
        let mut cursor = Cursor::new(text);
        cursor.skip_blanks();
        let kind = match cursor.peek() {
            None => Kind::Everything,
            Some('{') => Kind::Json(json::parse(&mut cursor)?),
            Some('[') => Kind::Fields(fields::parse(&mut cursor)?),
            Some(_) => Kind::Terms(terms::parse(&mut cursor)?),
        };
        cursor.skip_blanks();
        match cursor.peek() {
            None => Ok(Self { kind }),
            Some(_) => Err(cursor.error("the end")),
        }
    }

    /// Whether a log event matches. A pattern over JSON matches no event that is not JSON.
    pub fn matches(&self, event: &str) -> bool {
        match &self.kind {
            Kind::Everything => true,
            Kind::Json(expression) => {
                serde_json::from_str::<Value>(event).is_ok_and(|event| json::holds(expression, &event))
            }
            Kind::Fields(fields) => fields.matches(event),
            Kind::Terms(terms) => terms.matches(event),
        }
    }

    /// The same for an event that is JSON already; patterns over text see it as one line, or the text where it is one.
    pub fn matches_json(&self, event: &Value) -> bool {
        match (&self.kind, event) {
            (Kind::Json(expression), event) => json::holds(expression, event),
            (_, Value::String(text)) => self.matches(text),
            (_, event) => self.matches(&event.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
