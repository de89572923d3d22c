//! What was asked, how often, and how it went.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::failure::FailureKind;

/// The counts of every operation that was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallStats {
    /// By service and operation.
    pub operations: BTreeMap<(String, String), OperationStats>,
}

/// The counts of one operation in all regions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationStats {
    /// Calls that came to an end, however they went; a page is a call.
    pub calls: u64,
    /// Requests beyond the first of each call.
    pub retries: u64,
    /// Answers that asked to slow down.
    pub throttles: u64,
    /// Calls that ended for lack of a permission.
    pub denials: u64,
    /// Calls that ended in any other error.
    pub failures: u64,
}

impl CallStats {
    /// The counts of all operations together.
    pub fn total(&self) -> OperationStats {
        let mut total = OperationStats::default();
        for stats in self.operations.values() {
            total.calls += stats.calls;
            total.retries += stats.retries;
            total.throttles += stats.throttles;
            total.denials += stats.denials;
            total.failures += stats.failures;
        }
        total
    }
}

/// Counts as they grow.
#[derive(Default)]
pub(super) struct Tally(Mutex<CallStats>);

/// What one call took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effort {
    pub(super) retries: u64,
    pub(super) throttles: u64,
}

impl Tally {
    pub(super) fn add(&self, service: &str, operation: &str, effort: Effort, failure: Option<FailureKind>) {
        let mut stats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = stats.operations.entry((service.to_owned(), operation.to_owned())).or_default();
        stats.calls += 1;
        stats.retries += effort.retries;
        stats.throttles += effort.throttles;
        match failure {
            None => {}
            Some(FailureKind::Denied) => stats.denials += 1,
            Some(_) => stats.failures += 1,
        }
    }

    pub(super) fn snapshot(&self) -> CallStats {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
