//! Detections: a file, the rules in it, and what each says of itself.

mod check;
mod load;
pub(crate) mod raw;
mod words;

pub use words::Spoken;

use rsigma_eval::CompiledRule;
use rsigma_parser::{CorrelationRule, SigmaRule};
use yagura_model::{Level, Text};
use yagura_rules::pattern::Pattern;

use crate::source::Source;
use crate::tactic::Tactic;
use crate::testing::Case;

/// The largest file: the longest sensible one, tests included, has some 60 KiB.
pub const FILE_BYTES_MAX: usize = 512 * 1024;

/// The most documents of a file.
pub const DOCUMENTS_MAX: usize = 64;

/// The most fields that a list of fields may name.
pub const FIELDS_MAX: usize = 16;

/// One file, `rules/detections/<source>/<what-happened>.yml`.
#[derive(Debug, Clone)]
pub struct Detection {
    /// Its path without `detections/` and the ending.
    pub name: String,
    /// Its rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// The tests that it carries.
    pub cases: Vec<Case>,
}

/// One document of a file: a rule on events, or a correlation of rules.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The file's name; with `#` and a number where it is not the only document.
    pub name: String,
    /// Its UUID, in lower case; where it has none, its name.
    pub id: String,
    /// Sigma's `name`, by which correlations may know it.
    pub alias: Option<String>,
    /// Sigma's `title`.
    pub title: String,
    /// Sigma's `description`.
    pub description: Option<String>,
    /// How bad.
    pub level: Level,
    /// How bad, as GuardDuty counts: 1.0 to 10.0.
    pub severity: f64,
    /// The finding type: GuardDuty's name, or ours in its grammar. Nothing for rules that say nothing of it.
    pub finding: Option<String>,
    /// The tactics of its tags.
    pub tactics: Vec<Tactic>,
    /// The ATT&CK techniques of its tags, as `T1562.008`.
    pub techniques: Vec<String>,
    /// What it looks at.
    pub logic: Logic,
    /// The fields whose values make two hits the same finding.
    pub identity: Vec<String>,
    /// The fields that say who.
    pub actor: Vec<String>,
    /// The fields that say to what.
    pub resource: Vec<String>,
    /// Only what is new.
    pub new: Option<New>,
    /// Only from so many on.
    pub count: Option<Count>,
    /// What a person reads; nothing for rules without `yagura`.
    pub words: Option<Words>,
}

/// What a rule looks at.
#[derive(Debug, Clone)]
pub enum Logic {
    /// Single events.
    Events {
        /// Which log; nothing for one that Yagura does not keep, or where the rule names none.
        source: Option<&'static Source>,
        /// As written.
        written: Box<SigmaRule>,
        /// As evaluated.
        compiled: Box<CompiledRule>,
    },
    /// Hits of other rules.
    Correlation(Box<CorrelationRule>),
    /// Events as EventBridge has them, of CloudTrail's.
    Pattern(Box<Pattern>),
}

/// `new`: the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// The fields whose combination is new.
    pub of: Vec<String>,
    /// For whom.
    pub of_whom: Vec<String>,
    /// How long it is only learnt, in milliseconds.
    pub learning_ms: i64,
    /// How long a combination is remembered, in milliseconds.
    pub remember_ms: i64,
}

/// `count`: from so many on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// What is counted.
    pub of: Counted,
    /// For each combination of these fields.
    pub by: Vec<String>,
    /// In a span of so many milliseconds.
    pub within_ms: i64,
    /// How many it takes.
    pub at_least: u64,
}

/// What [`Count`] counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Events.
    Events,
    /// Different combinations of fields.
    Distinct(Vec<String>),
    /// The sum of a field.
    Sum(String),
}

/// What a person reads of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What happened, in one line.
    pub title: Text,
    /// The whole sentence, with `{field}` in it.
    pub what: Text,
    /// What to check.
    pub check: Text,
    /// What to do.
    pub advice: Text,
}

impl Rule {
    /// The log that it reads; nothing for a correlation.
    pub fn source(&self) -> Option<&'static Source> {
        match &self.logic {
            Logic::Events { source, .. } => *source,
            Logic::Correlation(_) => None,
            Logic::Pattern(_) => Source::named("cloudtrail"),
        }
    }
}

#[cfg(test)]
mod tests;
