//! One call from its input to its output: made, sent, repeated where that is worth it, counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::clock::Chance;
use super::failure::{CallFailure, FailureKind, Repeat, repeat};
use super::limits::{Gate, Lane};
use super::permit::Permitted;
use super::request::{Reach, RequestError, Unsigned, assemble, endpoint};
use super::stats::{Effort, Tally};
use super::transport::{Answer, NoAnswer};
use super::{ClientOptions, RetryPolicy};
use crate::credentials::Session;
use crate::endpoint::{EndpointError, Partitions, RuleSet};
use crate::model::{Models, Service};
use crate::protocol::{self, OutputError, ServiceError};

/// The header in which S3 says where a bucket is.
const BUCKET_REGION: &str = "x-amz-bucket-region";

/// Signatures are refused when the clocks are five minutes apart; from here on ours is taken for the wrong one.
const SKEW_MIN: Duration = Duration::from_mins(4);

/// What both clients are made of.
pub(super) struct Engine {
    pub(super) models: &'static Models,
    pub(super) session: Arc<Session>,
    pub(super) partitions: Partitions,
    pub(super) gate: Gate,
    pub(super) tally: Tally,
    rules: Mutex<HashMap<String, Arc<RuleSet>>>,
    retry: RetryPolicy,
    chance: Chance,
    /// Seconds that AWS's clock is ahead of ours, as far as seen.
    skew_seconds: AtomicI64,
}

/// How one attempt ended.
enum Attempt {
    Output(Value),
    /// S3 says that the bucket is in another region.
    Elsewhere(String),
    /// The clocks were apart; they are corrected now.
    Corrected,
    Failed(CallFailure, Repeat),
}

impl Engine {
    pub(super) fn new(
        models: &'static Models,
        session: Arc<Session>,
        options: ClientOptions,
    ) -> Result<Self, EndpointError> {
        let partitions = models.partitions().map_err(|error| EndpointError::Rules(error.to_string()))?;
        Ok(Self {
            models,
            session,
            partitions: Partitions::from_json(partitions)?,
            gate: Gate::new(options.limits),
            tally: Tally::default(),
            rules: Mutex::default(),
            retry: options.retry,
            chance: Chance::new(options.seed),
            skew_seconds: AtomicI64::new(0),
        })
    }

    /// The output of a permitted operation.
    pub(super) async fn call(
        &self,
        permitted: Permitted<'_>,
        region: &str,
        input: &Value,
    ) -> Result<Value, CallFailure> {
        let (service, operation) = (permitted.service(), permitted.operation());
        let mut effort = Effort::default();
        let result = self.attempts(permitted, region, input, &mut effort).await;
        let failure = result.as_ref().err().map(|failure| failure.kind);
        self.tally.add(&service.name, &operation.name, effort, failure);
        result
    }

    async fn attempts(
        &self,
        permitted: Permitted<'_>,
        region: &str,
        input: &Value,
        effort: &mut Effort,
    ) -> Result<Value, CallFailure> {
        let (service, operation) = (permitted.service(), permitted.operation());
        let fail = |region: &str, kind, message: &dyn std::fmt::Display| {
            CallFailure::of(service, operation, region, kind, message)
        };
        let mut token = || self.chance.uuid();
        let wire = protocol::serialize(service, operation, input, &mut token)
            .map_err(|error| fail(region, FailureKind::BadCall, &error))?;
        let mut region = region.to_owned();
        // Each of these is done once: a second time it would have helped as little as the first.
        let (mut moved, mut corrected) = (false, false);
        let (mut again, mut slower) = (0, 0);
        let mut unsigned = self.unsigned(permitted, &wire, &region, input)?;
        loop {
            let lane = self.gate.lane(&service.name, &region);
            let Some(slot) = self.gate.enter(&lane).await else {
                let most = self.gate.most().unwrap_or_default();
                return Err(fail(&region, FailureKind::OverBudget, &format!("{most} calls were made")));
            };
            let attempt = self.attempt(permitted, &unsigned, &lane, &region).await;
            drop(slot);
            let (failure, wait) = match attempt {
                Attempt::Output(output) => return Ok(output),
                Attempt::Elsewhere(place) if !moved && place != region => {
                    (moved, region) = (true, place);
                    unsigned = self.unsigned(permitted, &wire, &region, input)?;
                    effort.retries += 1;
                    continue;
                }
                Attempt::Elsewhere(place) => {
                    let message = format!("s3 says that the bucket is in `{place}`, and again that it is not");
                    return Err(fail(&region, FailureKind::Malformed, &message));
                }
                Attempt::Corrected if !corrected => {
                    corrected = true;
                    effort.retries += 1;
                    continue;
                }
                Attempt::Corrected => {
                    return Err(fail(&region, FailureKind::Service, &"the clocks are apart"));
                }
                Attempt::Failed(failure, Repeat::No) => return Err(failure),
                Attempt::Failed(failure, Repeat::Again) => {
                    again += 1;
                    (failure, self.retry.wait(again, self.retry.base))
                }
                Attempt::Failed(failure, Repeat::Slower) => {
                    slower += 1;
                    effort.throttles += 1;
                    (failure, self.retry.wait(slower, self.retry.throttle_base))
                }
            };
            if again >= self.retry.attempts_max || slower >= self.retry.throttled_attempts_max {
                return Err(failure);
            }
            effort.retries += 1;
            tokio::time::sleep(self.chance.up_to(wait)).await;
        }
    }

    /// The request of a call, where it goes included.
    fn unsigned(
        &self,
        permitted: Permitted<'_>,
        wire: &protocol::WireRequest,
        region: &str,
        input: &Value,
    ) -> Result<Unsigned, CallFailure> {
        let (service, operation) = (permitted.service(), permitted.operation());
        let custom = self.session.endpoint_url(service);
        let reach = Reach {
            region,
            endpoint_url: custom,
            use_fips: self.session.use_fips(),
            use_dual_stack: self.session.use_dual_stack(),
            path_style_s3: self.session.path_style_s3(custom.is_some()),
        };
        let made = self.rules(service).map_err(RequestError::from).and_then(|rules| {
            let endpoint = endpoint(permitted, &rules, &self.partitions, reach, input)?;
            assemble(permitted, wire, &endpoint, reach)
        });
        made.map_err(|error| {
            let kind = match &error {
                RequestError::Endpoint(EndpointError::Refused(_) | EndpointError::NoMatch) => {
                    FailureKind::NotImplemented
                }
                _ => FailureKind::BadCall,
            };
            CallFailure::of(service, operation, region, kind, error)
        })
    }

    fn rules(&self, service: &Service) -> Result<Arc<RuleSet>, EndpointError> {
        let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known.get(&*service.name) {
            return Ok(Arc::clone(rules));
        }
        let json = service.endpoint_rules().ok_or_else(|| EndpointError::Rules("there are none".to_owned()))?;
        let rules = Arc::new(RuleSet::from_json(&json)?);
        known.insert(service.name.to_string(), Arc::clone(&rules));
        Ok(rules)
    }

    async fn attempt(&self, permitted: Permitted<'_>, unsigned: &Unsigned, lane: &Lane, region: &str) -> Attempt {
        let (service, operation) = (permitted.service(), permitted.operation());
        let failed = |kind, message: &dyn std::fmt::Display| {
            Attempt::Failed(CallFailure::of(service, operation, region, kind, message), Repeat::No)
        };
        let credentials = match self.credentials(unsigned).await {
            Ok(credentials) => credentials,
            Err(message) => return failed(FailureKind::NoCredentials, &message),
        };
        let request = match unsigned.signed(credentials.as_ref(), self.now()) {
            Ok(request) => request,
            Err(error) => return failed(FailureKind::BadCall, &error),
        };
        let answer = match self.session.transport().send(request).await {
            Ok(answer) => answer,
            Err(cause) => {
                let repeat = match cause {
                    NoAnswer::Broken(_) | NoAnswer::TimedOut => Repeat::Again,
                    NoAnswer::TooLarge(_) | NoAnswer::Unsendable(_) => Repeat::No,
                };
                return Attempt::Failed(CallFailure::unanswered(service, operation, region, &cause), repeat);
            }
        };
        let Answer { status, headers, body } = &answer;
        let error = if (200..300).contains(status) {
            match protocol::parse_output(service, operation, *status, headers, body) {
                Ok(output) => return Attempt::Output(output),
                Err(OutputError::Service(error)) => *error,
                Err(error) => return failed(FailureKind::Malformed, &chain(&error)),
            }
        } else {
            protocol::parse_error(service, operation, *status, headers, body)
        };
        self.refused(permitted, lane, region, &answer, error)
    }

    /// What follows from an error that the service answered.
    fn refused(
        &self,
        permitted: Permitted<'_>,
        lane: &Lane,
        region: &str,
        answer: &Answer,
        error: ServiceError,
    ) -> Attempt {
        let (service, operation) = (permitted.service(), permitted.operation());
        if &*service.name == "s3"
            && let Some(place) = answer.header(BUCKET_REGION).filter(|place| *place != region)
            && matches!(
                error.code.as_str(),
                "PermanentRedirect" | "AuthorizationHeaderMalformed" | "301" | "307" | "400"
            )
        {
            return Attempt::Elsewhere(place.to_owned());
        }
        if speaks_of_time(&error.code) && self.correct_clock(answer) {
            return Attempt::Corrected;
        }
        let repeat = repeat(&error);
        if repeat == Repeat::Slower {
            lane.throttled();
        }
        Attempt::Failed(CallFailure::answered(service, operation, region, error), repeat)
    }

    async fn credentials(&self, unsigned: &Unsigned) -> Result<Option<Credentials>, String> {
        if !unsigned.wants_signature() {
            return Ok(None);
        }
        self.session.credentials().await.map(Some).map_err(|error| chain(&error))
    }

    /// AWS's time, as far as it is known.
    fn now(&self) -> SystemTime {
        let now = self.session.clock().now();
        let skew = self.skew_seconds.load(Ordering::Relaxed);
        let amount = Duration::from_secs(skew.unsigned_abs());
        let corrected = if skew < 0 { now.checked_sub(amount) } else { now.checked_add(amount) };
        corrected.unwrap_or(now)
    }

    /// Takes over the time of an answer where ours is far from it. Whether it was.
    fn correct_clock(&self, answer: &Answer) -> bool {
        let date = answer.header("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        let Some(theirs) = date.map(|date| date.secs()) else { return false };
        let seconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        };
        let apart = theirs.saturating_sub(seconds(self.now())).unsigned_abs();
        if apart < SKEW_MIN.as_secs() {
            return false;
        }
        let skew = theirs.saturating_sub(seconds(self.session.clock().now()));
        tracing::warn!(skew_seconds = skew, "the clock of this machine is wrong, the time of aws is used");
        self.skew_seconds.store(skew, Ordering::Relaxed);
        true
    }
}

/// Codes of requests whose time was not believed.
fn speaks_of_time(code: &str) -> bool {
    const CODES: [&str; 6] = [
        "RequestTimeTooSkewed",
        "RequestExpired",
        "RequestInTheFuture",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    ];
    CODES.contains(&code)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
