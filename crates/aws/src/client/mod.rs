//! The clients: JSON in, JSON out, over the network.
//!
//! What comes in: service, region, operation and input. What goes out: the output, page by page where it has pages, or a
//! [`CallFailure`] that says what kind of failure it was and which IAM action allows the call. Between: endpoint,
//! signature, limits of pace and number, repetition, counts. [`ReadClient`] can send only what the models mark as
//! reading; [`QueueClient`] only what takes messages from a queue; what else changes anything needs a [`WriteClient`].

mod checksum;
mod clock;
mod engine;
mod failure;
mod limits;
mod pages;
mod permit;
mod queue;
mod request;
mod stats;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use clock::Clock;
pub(crate) use clock::SdkClock;
pub use failure::{CallFailure, FailureKind, NOT_ENABLED};
pub use limits::Limits;
pub use pages::PAGES_MAX;
pub use queue::{Message, Queue, QueueClient};
pub use stats::{CallStats, OperationStats};
pub use transport::{Proxy, Transport, TransportError, TransportLimits};

use crate::credentials::Session;
use crate::endpoint::{EndpointError, Partitions};
use crate::model::{Models, Operation, Service};
use engine::Engine;
use pages::{Cursor, Endless, Next};
use permit::Permitted;

/// How a client goes about its calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientOptions {
    /// How much at once and how much at all.
    pub limits: Limits,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Where jitter and idempotency tokens start; take it from the system's randomness.
    pub seed: u64,
}

/// When to try again. Waits are random between nothing and a time that doubles with each attempt.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// Attempts in all where the network or the service fails.
    pub attempts_max: u32,
    /// Attempts in all where the service asks to slow down.
    pub throttled_attempts_max: u32,
    /// The longest first wait.
    pub base: Duration,
    /// The longest first wait after the service asked to slow down.
    pub throttle_base: Duration,
    /// The longest wait at all.
    pub wait_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            throttled_attempts_max: 8,
            base: Duration::from_millis(200),
            throttle_base: Duration::from_millis(500),
            wait_max: Duration::from_secs(20),
        }
    }
}

impl RetryPolicy {
    /// The longest wait after `failed` attempts.
    fn wait(&self, failed: u32, base: Duration) -> Duration {
        base.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX)).min(self.wait_max)
    }
}

/// Calls what only reads. Anything else is [`FailureKind::NotRead`] and never reaches the network.
pub struct ReadClient(Engine);

/// Calls any operation. Only what changes AWS on a person's order has one.
pub struct WriteClient(Engine);

impl ReadClient {
    /// A client of `session`'s account.
    pub fn new(models: &'static Models, session: Arc<Session>, options: ClientOptions) -> Result<Self, EndpointError> {
        Engine::new(models, session, options).map(Self)
    }

    /// The output of one call; of the first page where the operation has pages.
    pub async fn call(&self, service: &str, region: &str, operation: &str, input: Value) -> Result<Value, CallFailure> {
        let service = self.service(service, region, operation)?;
        let operation = known(&service, region, operation)?;
        self.0.call(permitted(&service, region, operation)?, region, &input).await
    }

    /// The pages of an operation, asked for one by one; a single page where it has none. They are followed as the published
    /// model says, and where it is silent by a token of the answer that the input takes by a name known for that.
    pub fn pages(&self, service: &str, region: &str, operation: &str, input: Value) -> Result<Pages<'_>, CallFailure> {
        let model = self.service(service, region, operation)?;
        let known = known(&model, region, operation)?;
        permitted(&model, region, known)?;
        let cursor = Some(Cursor::new(&model, known, input));
        Ok(Pages { client: self, service: model, region: region.to_owned(), operation: operation.to_owned(), cursor })
    }

    /// What was called so far, and how it went.
    pub fn stats(&self) -> CallStats {
        self.0.tally.snapshot()
    }

    /// Requests sent so far: cheap enough to be asked at every redraw of a progress bar.
    pub fn requests_sent(&self) -> u64 {
        self.0.gate.sent()
    }

    /// Which region belongs to which partition.
    pub fn partitions(&self) -> &Partitions {
        &self.0.partitions
    }

    /// The session that requests are signed with.
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    fn service(&self, service: &str, region: &str, operation: &str) -> Result<Arc<Service>, CallFailure> {
        model_of(&self.0, service, region, operation)
    }
}

impl WriteClient {
    /// A client of `session`'s account.
    pub fn new(models: &'static Models, session: Arc<Session>, options: ClientOptions) -> Result<Self, EndpointError> {
        Engine::new(models, session, options).map(Self)
    }

    /// The output of one call.
    pub async fn call(&self, service: &str, region: &str, operation: &str, input: Value) -> Result<Value, CallFailure> {
        let service = model_of(&self.0, service, region, operation)?;
        let operation = known(&service, region, operation)?;
        self.0.call(Permitted::write(&service, operation), region, &input).await
    }

    /// What was called so far, and how it went.
    pub fn stats(&self) -> CallStats {
        self.0.tally.snapshot()
    }
}

/// The pages of one listing.
pub struct Pages<'a> {
    client: &'a ReadClient,
    service: Arc<Service>,
    region: String,
    operation: String,
    /// `None` after the end.
    cursor: Option<Cursor>,
}

impl Pages<'_> {
    /// The next page; `None` after the last one and after a failure.
    pub async fn next(&mut self) -> Option<Result<Value, CallFailure>> {
        let mut cursor = self.cursor.take()?;
        let operation = match known(&self.service, &self.region, &self.operation) {
            Ok(operation) => operation,
            Err(failure) => return Some(Err(failure)),
        };
        let permitted = match permitted(&self.service, &self.region, operation) {
            Ok(permitted) => permitted,
            Err(failure) => return Some(Err(failure)),
        };
        let page = match self.client.0.call(permitted, &self.region, cursor.input()).await {
            Ok(page) => page,
            Err(failure) => return Some(Err(failure)),
        };
        match cursor.advance(&page) {
            Ok(Next::Page) => self.cursor = Some(cursor),
            Ok(Next::End) => {}
            Err(endless) => {
                let kind = match endless {
                    Endless::TooManyPages => FailureKind::OverBudget,
                    Endless::TokenAgain | Endless::Path(_) => FailureKind::Malformed,
                };
                return Some(Err(CallFailure::of(&self.service, operation, &self.region, kind, endless)));
            }
        }
        Some(Ok(page))
    }

    /// Every page. A failure on any page is a failure of the whole: half a listing is not a listing.
    pub async fn all(mut self) -> Result<Vec<Value>, CallFailure> {
        let mut pages = Vec::new();
        while let Some(page) = self.next().await {
            pages.push(page?);
        }
        Ok(pages)
    }
}

fn model_of(engine: &Engine, service: &str, region: &str, operation: &str) -> Result<Arc<Service>, CallFailure> {
    let loaded = engine.models.load(service);
    loaded.map_err(|error| CallFailure::new(service, operation, region, FailureKind::BadCall, error))
}

fn known<'a>(service: &'a Service, region: &str, operation: &str) -> Result<&'a Operation, CallFailure> {
    service.operation(operation).ok_or_else(|| {
        let message = format!("the model of `{}` has no operation `{operation}`", service.name);
        CallFailure::new(&service.name, operation, region, FailureKind::BadCall, message)
    })
}

fn permitted<'a>(service: &'a Service, region: &str, operation: &'a Operation) -> Result<Permitted<'a>, CallFailure> {
    Permitted::read(service, operation)
        .ok_or_else(|| CallFailure::of(service, operation, region, FailureKind::NotRead, "nothing was sent"))
}
