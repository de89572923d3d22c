//! Why an expression has no value.

use yagura_model::{CouldNotLook, Missing};

/// Causes kept in one verdict: more than these help nobody to find what to allow.
const CAUSES_MAX: usize = 8;

/// The causes, at least one, without repetition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure(Vec<Missing>);

impl Failure {
    /// `causes` is not empty.
    pub(crate) fn new(mut causes: Vec<Missing>) -> Self {
        causes.truncate(CAUSES_MAX);
        Self(causes)
    }

    pub(crate) fn unread(what: String, cause: &CouldNotLook) -> Self {
        Self(vec![Missing::Unread { what, cause: cause.clone() }])
    }

    pub(crate) fn evaluation(error: impl Into<String>) -> Self {
        Self(vec![Missing::Evaluation { error: error.into() }])
    }

    /// Both: neither side could decide.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for cause in other.0 {
            if self.0.len() < CAUSES_MAX && !self.0.contains(&cause) {
                self.0.push(cause);
            }
        }
        self
    }

    pub(crate) fn into_missing(self) -> Vec<Missing> {
        self.0
    }
}
