//! What a rule says of a resource, always with its evidence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ResourceKey, RuleName};
use crate::observation::CouldNotLook;

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Informational,
    /// Worth doing some day.
    Low,
    /// To be planned.
    Medium,
    /// To be done soon.
    High,
    /// To be done now.
    Critical,
}

impl Level {
    /// Every level, the worst first.
    pub const WORST_FIRST: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational];

    /// The level's name, as in rule files and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a level (informational, low, medium, high or critical)")]
pub struct InvalidLevel(pub String);

impl FromStr for Level {
    type Err = InvalidLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        Self::WORST_FIRST.into_iter().find(|level| level.as_str() == text).ok_or_else(|| InvalidLevel(text.to_owned()))
    }
}

/// What a rule says of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The subject is as the rule wants it.
    Pass,
    /// It is not.
    Fail,
    /// It could not be judged: something was not read, or the evaluation failed.
    Unknown,
    /// The rule does not speak of this subject.
    NotApplicable,
}

impl Status {
    /// The status's name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// Why a verdict is `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "missing")]
pub enum Missing {
    /// Something the rule needs could not be read.
    Unread {
        /// What the rule asked for: `Properties.Policy`, or a type that could not be listed.
        what: String,
        /// Why it could not be read.
        cause: CouldNotLook,
    },
    /// The evaluation itself failed (a malformed policy, a value of an unexpected type).
    Evaluation {
        /// The error, in the evaluator's words.
        error: String,
    },
}

/// One rule's word on one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule.
    pub rule: RuleName,
    /// The resource judged. Where a type could not be listed at all, `id` is `*`.
    pub subject: ResourceKey,
    /// What was found.
    pub status: Status,
    /// Property paths and the values they had, in the order the rule read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<(String, Value)>,
    /// What was missing where the status is `unknown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}
