//! What the collector needs of the world: someone who asks AWS, and a clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;
use yagura_model::{Cause, CouldNotLook};

/// One question to AWS.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The service's name in the API models.
    pub service: &'a str,
    /// The region whose endpoint is asked.
    pub region: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The operation's input, an object.
    pub input: &'a Value,
}

/// A question that was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{look}")]
pub struct Failure {
    /// What is kept of it.
    pub look: Box<CouldNotLook>,
    /// The error code as AWS gave it, which `not_set` and `gone` are compared with; empty where there is none.
    pub code: String,
    /// The error's message; looked at, never kept.
    pub message: String,
}

impl Failure {
    /// A failure that is not AWS's: an answer that could not be understood, a limit of the collector's own.
    pub fn own(call: Call<'_>, cause: Cause, error: impl Into<String>) -> Self {
        let look = CouldNotLook {
            service: call.service.to_owned(),
            operation: call.operation.to_owned(),
            cause,
            error: error.into(),
            action: None,
        };
        Self { look: Box::new(look), code: String::new(), message: String::new() }
    }
}

/// What was read of an operation with pages.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// The pages, in order.
    pub pages: Vec<Value>,
    /// Why there are not all of them.
    pub failure: Option<Failure>,
}

/// Someone who asks AWS. Retries, rate limits and credentials are theirs.
pub trait Api: Send + Sync {
    /// Asks once.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>>;

    /// Asks for every page; an operation that has none gives one. After `most` pages the failure is
    /// [`Cause::OverBudget`].
    fn pages<'a>(&'a self, call: Call<'a>, most: usize) -> BoxFuture<'a, Pages>;

    /// The IAM action that allows an operation, where one is known.
    fn iam_action(&self, service: &str, operation: &str) -> Option<String>;
}

/// The time, and waiting.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Returns after a while.
    fn wait(&self, time: Duration) -> BoxFuture<'_, ()>;
}
