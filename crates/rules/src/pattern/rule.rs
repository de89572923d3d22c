//! Event rules: a pattern with its words and tests, one file each.

use serde::Deserialize;
use serde_json::Value;

use super::{Event, Miss, Pattern};
use crate::described::{self, Described, RawDescribed};
use crate::load::{self, LoadError};
use crate::locate::Position;

/// One file, `rules/events/<what-happened>.yml`.
#[derive(Debug)]
pub struct EventRule {
    /// Its path without `events/` and the ending.
    pub name: String,
    /// Its words.
    pub described: Described,
    /// When it fires.
    pub pattern: Pattern,
    /// The pattern as it is written, for who wants it in a rule of EventBridge.
    pub written: Value,
    /// The tests that the file carries.
    pub cases: Vec<EventCase>,
}

/// One test of an event rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCase {
    /// What is tested.
    pub name: String,
    /// What the rule does.
    pub expect: Firing,
    /// The event, of which only what matters is given.
    pub event: Value,
}

/// What a rule does about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firing {
    /// It matches.
    Fires,
    /// It does not.
    Silent,
}

#[derive(Debug, Deserialize)]
struct RawRule {
    #[serde(flatten)]
    described: RawDescribed,
    pattern: Value,
    tests: Vec<EventCase>,
}

impl EventRule {
    /// Reads a file; `path` is given as it is below `rules/` and names the rule.
    pub fn parse(path: &str, text: &str) -> Result<Self, LoadError> {
        let whole = |message: String| LoadError { file: path.to_owned(), position: Position::START, message };
        let tree: Value = load::parse(path, text, false)?;
        described::only_keys(&tree, &["pattern", "tests"]).map_err(whole)?;
        let raw: RawRule = load::parse(path, text, false)?;
        for needed in [Firing::Fires, Firing::Silent] {
            if raw.tests.iter().all(|case| case.expect != needed) {
                return Err(whole("expected a test that fires and one that is silent".to_owned()));
            }
        }
        let name = path.strip_suffix(".yml").unwrap_or(path);
        Ok(Self {
            name: name.rsplit_once("events/").map_or(name, |(_, name)| name).to_owned(),
            described: raw.described.described().map_err(whole)?,
            pattern: Pattern::from_value(&raw.pattern).map_err(|error| whole(format!("the pattern: {error}")))?,
            written: raw.pattern,
            cases: raw.tests,
        })
    }

    /// Runs the tests: the names of those that failed, each with what kept the event from matching.
    pub fn failures(&self) -> Vec<(&EventCase, Vec<Miss>)> {
        let failed = self.cases.iter().filter_map(|case| {
            let misses = self.pattern.misses(&Event::new(&case.event));
            (misses.is_empty() != (case.expect == Firing::Fires)).then_some((case, misses))
        });
        failed.collect()
    }
}
