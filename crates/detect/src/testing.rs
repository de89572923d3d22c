//! The tests that a detection carries.

mod given;
mod repeat;
mod run;

use serde_json::{Map, Value};

pub use given::Given;

use crate::rule::Detection;
use crate::source::Source;
use crate::state::Limits;

/// One test of a detection.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is tested.
    pub name: String,
    /// What the lists and the account say.
    pub given: Given,
    /// The events, in order, of which only what matters is written.
    pub events: Vec<Map<String, Value>>,
    /// The log that they are from, where an event does not say another in `log`.
    pub source: Option<&'static Source>,
    /// What is found.
    pub expected: Vec<Expected>,
    /// How many findings there are.
    pub findings: usize,
}

/// A finding that a test expects; only what matters is said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// Its type.
    pub finding: Option<String>,
    /// How many events it counts.
    pub count: Option<u64>,
    /// Values that its identity has.
    pub identity: Vec<(String, Vec<String>)>,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The test's name.
    pub case: String,
    /// Why it failed; nothing where it passed.
    pub failure: Option<String>,
}

impl Case {
    /// Whether it expects a finding.
    pub fn finds(&self) -> bool {
        self.findings > 0
    }
}

impl Detection {
    /// Runs the tests of this file, alone, each with a fresh state.
    pub fn test(&self) -> Vec<Outcome> {
        run::all(self, Limits::default())
    }
}
