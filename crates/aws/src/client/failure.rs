//! Why a call gave no output.

use std::fmt;

use yagura_model::{Cause, CouldNotLook};

use super::transport::NoAnswer;
use crate::model::{Operation, Service};
use crate::protocol::ServiceError;

/// A call that gave no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}:{operation} in {region}: {}{}", if code.is_empty() { kind.to_string() } else { code.to_string() }, colon(.message))]
pub struct CallFailure {
    /// botocore's name of the service.
    pub service: Box<str>,
    /// The operation.
    pub operation: Box<str>,
    /// The region that was asked.
    pub region: Box<str>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The code that the service answered; empty where it answered none. [`NOT_ENABLED`] where that is the kind: the
    /// services then answer with codes that mean something else as well, which nobody should decide by.
    pub code: Box<str>,
    /// The service's words, or ours where nothing was answered; may be empty.
    pub message: Box<str>,
    /// The id to give to AWS support.
    pub request_id: Option<Box<str>>,
    /// The IAM action that allows the call.
    pub iam_action: Option<Box<str>>,
}

/// The [`CallFailure::code`] of [`FailureKind::NotEnabled`]. No service answers it.
pub const NOT_ENABLED: &str = "NotEnabled";

/// The kinds of failure, as far as what to do about them differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The caller lacks a permission.
    Denied,
    /// The service asked to slow down more often than was waited for.
    Throttled,
    /// The endpoint does not know the operation, or the service is not in the region.
    NotImplemented,
    /// The service says that it was never switched on for the account in the region: there is nothing of it there.
    NotEnabled,
    /// The region or the service does not know the caller: it is not enabled for the account, or the credentials are
    /// not valid there. Not a missing permission, and it says nothing of what is there.
    NotRecognized,
    /// The answer could not be understood.
    Malformed,
    /// No answer came.
    Unreachable,
    /// The budget of API calls or the limit of pages was spent.
    OverBudget,
    /// There are no credentials to sign with.
    NoCredentials,
    /// The client for reading was asked for an operation that is not known to only read. Nothing was sent.
    NotRead,
    /// There is no such service or operation, or the input does not fit it. Nothing was sent.
    BadCall,
    /// Any other error that the service answered; see [`CallFailure::code`].
    Service,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::NotImplemented => "not available there",
            Self::NotEnabled => "not enabled for the account",
            Self::NotRecognized => "not enabled for the account, or the credentials are not valid there",
            Self::Malformed => "the answer could not be understood",
            Self::Unreachable => "no answer",
            Self::OverBudget => "the limit of api calls is reached",
            Self::NoCredentials => "no credentials",
            Self::NotRead => "not an operation that only reads",
            Self::BadCall => "not a call that can be made",
            Self::Service => "refused",
        })
    }
}

fn colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl CallFailure {
    pub(super) fn new(
        service: &str,
        operation: &str,
        region: &str,
        kind: FailureKind,
        message: impl fmt::Display,
    ) -> Self {
        Self {
            service: service.into(),
            operation: operation.into(),
            region: region.into(),
            kind,
            code: "".into(),
            message: message.to_string().into(),
            request_id: None,
            iam_action: None,
        }
    }

    /// A failure of an operation that the model knows.
    pub(super) fn of(
        service: &Service,
        operation: &Operation,
        region: &str,
        kind: FailureKind,
        message: impl fmt::Display,
    ) -> Self {
        let failure = Self::new(&service.name, &operation.name, region, kind, message);
        Self { iam_action: Some(operation.iam_action.clone()), ..failure }
    }

    /// What the service answered.
    pub(super) fn answered(service: &Service, operation: &Operation, region: &str, error: ServiceError) -> Self {
        // A service says what it does not find. Where nothing is said, the path itself leads nowhere; only to `HEAD` must
        // every answer be silent.
        let kind = match kind(&error) {
            FailureKind::Service if error.code == "404" && &*operation.method != "HEAD" => FailureKind::NotImplemented,
            kind => kind,
        };
        let kind = if says_not_enabled(&service.name, &error) { FailureKind::NotEnabled } else { kind };
        let failure = Self::of(service, operation, region, kind, &error.message);
        let code = if kind == FailureKind::NotEnabled { NOT_ENABLED.into() } else { error.code.into() };
        Self { code, request_id: error.request_id.map(Into::into), ..failure }
    }

    /// Nothing was answered.
    pub(super) fn unanswered(service: &Service, operation: &Operation, region: &str, cause: &NoAnswer) -> Self {
        let kind = match cause {
            NoAnswer::Broken(_) | NoAnswer::TimedOut => FailureKind::Unreachable,
            NoAnswer::TooLarge(_) => FailureKind::Malformed,
            NoAnswer::Unsendable(_) => FailureKind::BadCall,
        };
        Self::of(service, operation, region, kind, cause)
    }

    /// The same as a reason why something could not be looked at.
    pub fn into_could_not_look(self) -> CouldNotLook {
        let cause = match self.kind {
            FailureKind::Denied => Cause::Denied,
            FailureKind::Throttled => Cause::Throttled,
            FailureKind::NotImplemented => Cause::NotImplemented,
            FailureKind::Malformed => Cause::Malformed,
            FailureKind::Unreachable => Cause::Unreachable,
            FailureKind::OverBudget => Cause::OverBudget,
            FailureKind::NotEnabled
            | FailureKind::NotRecognized
            | FailureKind::NoCredentials
            | FailureKind::NotRead
            | FailureKind::BadCall
            | FailureKind::Service => Cause::Failed,
        };
        let error = match (self.code.is_empty(), self.message.is_empty()) {
            (false, _) => self.code.into(),
            (true, false) => self.message.into(),
            (true, true) => self.kind.to_string(),
        };
        let action = self.iam_action.map(Into::into);
        CouldNotLook { service: self.service.into(), operation: self.operation.into(), cause, error, action }
    }
}

impl From<CallFailure> for CouldNotLook {
    fn from(failure: CallFailure) -> Self {
        failure.into_could_not_look()
    }
}

/// Whether and how a request is worth repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The service asked to slow down.
    Slower,
    /// The same request may well succeed.
    Again,
    /// It would fail again.
    No,
}

/// Codes that ask to slow down. From the services' documentation and from what botocore repeats.
const SLOW_DOWN: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
];

/// Codes of failures that pass, whatever the status.
const PASSING: &[&str] =
    &["InternalError", "InternalFailure", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"];

/// Codes of an endpoint that does not know the operation: a service that is not in the region, or an emulator.
const UNKNOWN_OPERATION: &[&str] = &[
    "InvalidAction",
    "NotImplemented",
    "NotImplementedException",
    "NotYetImplemented",
    "UnknownOperation",
    "UnknownOperationException",
];

/// Codes of a region that is not enabled or a service that is not subscribed to. Some come from invalid keys too, or from an
/// account that is suspended with all it has.
const NOT_RECOGNIZED: &[&str] = &[
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
];

/// Starts of codes that say that a permission is missing.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AuthorizationError",
    "Client.UnauthorizedOperation",
    "Forbidden",
    "NotAuthorized",
    "UnauthorizedException",
    "UnauthorizedOperation",
];

/// The services that answer with the code of a refusal where they were never switched on: service, code, and a part of the
/// message that says so, which the code alone does not.
///
/// The models tell of no such code ("the account doesn't have permission to perform this action" is all that Security Hub's
/// says of its own), so the words are those that the services answer and that others decide by too: Terraform's provider
/// by both (`aws_macie2_account`, `aws_securityhub_account`), moto's server answers with that of Security Hub. A service is
/// added with its words as they were answered; a message of IAM, which names the action, never belongs here.
const NEVER_SWITCHED_ON: &[(&str, &str, &str)] = &[
    ("macie2", "AccessDeniedException", "Macie is not enabled"),
    ("securityhub", "InvalidAccessException", "not subscribed to AWS Security Hub"),
];

fn says_not_enabled(service: &str, error: &ServiceError) -> bool {
    NEVER_SWITCHED_ON
        .iter()
        .any(|(of, code, words)| *of == service && *code == error.code && error.message.contains(words))
}

fn kind(error: &ServiceError) -> FailureKind {
    let code = error.code.as_str();
    if UNKNOWN_OPERATION.contains(&code) || error.status == 501 {
        FailureKind::NotImplemented
    } else if NOT_RECOGNIZED.contains(&code) {
        FailureKind::NotRecognized
    } else if DENIED.iter().any(|start| code.starts_with(start)) || code == "403" {
        FailureKind::Denied
    } else if SLOW_DOWN.contains(&code) || error.status == 429 {
        FailureKind::Throttled
    } else {
        FailureKind::Service
    }
}

/// Whether to repeat a request that was answered with this error.
pub(super) fn repeat(error: &ServiceError) -> Repeat {
    match kind(error) {
        FailureKind::Throttled => Repeat::Slower,
        FailureKind::Service if PASSING.contains(&error.code.as_str()) => Repeat::Again,
        FailureKind::Service if matches!(error.status, 500 | 502 | 503 | 504) => Repeat::Again,
        _ => Repeat::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Models;

    fn error(status: u16, code: &str) -> ServiceError {
        ServiceError {
            code: code.to_owned(),
            message: String::new(),
            status,
            request_id: None,
            fields: serde_json::Value::Null,
        }
    }

    #[test]
    fn every_way_to_refuse_is_told_apart() {
        let cases = [
            (403, "AccessDenied", FailureKind::Denied, Repeat::No),
            (400, "AccessDeniedException", FailureKind::Denied, Repeat::No),
            (403, "UnauthorizedOperation", FailureKind::Denied, Repeat::No),
            (403, "Client.UnauthorizedOperation", FailureKind::Denied, Repeat::No),
            (400, "UnauthorizedException", FailureKind::Denied, Repeat::No),
            (403, "AuthorizationError", FailureKind::Denied, Repeat::No),
            (400, "NotAuthorizedException", FailureKind::Denied, Repeat::No),
            (403, "403", FailureKind::Denied, Repeat::No),
            (401, "AuthFailure", FailureKind::NotRecognized, Repeat::No),
            (403, "OptInRequired", FailureKind::NotRecognized, Repeat::No),
            (400, "SubscriptionRequiredException", FailureKind::NotRecognized, Repeat::No),
            (403, "InvalidClientTokenId", FailureKind::NotRecognized, Repeat::No),
            (400, "ThrottlingException", FailureKind::Throttled, Repeat::Slower),
            (503, "SlowDown", FailureKind::Throttled, Repeat::Slower),
            (429, "429", FailureKind::Throttled, Repeat::Slower),
            (500, "500", FailureKind::Service, Repeat::Again),
            (503, "ServiceUnavailable", FailureKind::Service, Repeat::Again),
            (400, "RequestTimeout", FailureKind::Service, Repeat::Again),
            (501, "NotImplemented", FailureKind::NotImplemented, Repeat::No),
            (501, "501", FailureKind::NotImplemented, Repeat::No),
            (400, "UnknownOperationException", FailureKind::NotImplemented, Repeat::No),
            (404, "NoSuchBucketPolicy", FailureKind::Service, Repeat::No),
            (400, "ExpiredToken", FailureKind::Service, Repeat::No),
        ];
        for (status, code, expected, expected_repeat) in cases {
            let error = error(status, code);
            assert_eq!(kind(&error), expected, "{status} {code}");
            assert_eq!(repeat(&error), expected_repeat, "{status} {code}");
        }
    }

    #[test]
    fn a_service_that_was_never_switched_on_is_no_missing_permission() {
        let not_authorized =
            "User: arn:aws:iam::111122223333:user/a is not authorized to perform: macie2:GetMacieSession";
        let cases = [
            (
                "macie2",
                "GetMacieSession",
                403,
                "AccessDeniedException",
                "Macie is not enabled.",
                FailureKind::NotEnabled,
            ),
            ("macie2", "GetMacieSession", 403, "AccessDeniedException", not_authorized, FailureKind::Denied),
            ("macie2", "GetMacieSession", 403, "AccessDeniedException", "", FailureKind::Denied),
            ("macie2", "GetMacieSession", 400, "ValidationException", "Macie is not enabled.", FailureKind::Service),
            ("guardduty", "ListDetectors", 403, "AccessDeniedException", "Macie is not enabled.", FailureKind::Denied),
            (
                "securityhub",
                "DescribeHub",
                401,
                "InvalidAccessException",
                "Account 111122223333 is not subscribed to AWS Security Hub",
                FailureKind::NotEnabled,
            ),
            // The code alone may be a missing permission of the account.
            ("securityhub", "DescribeHub", 401, "InvalidAccessException", "", FailureKind::Service),
        ];
        for (service, operation, status, code, message, expected) in cases {
            let service = Models::embedded().unwrap().service(service).unwrap();
            let error = ServiceError { message: message.to_owned(), ..error(status, code) };
            assert_eq!(repeat(&error), Repeat::No);
            let operation = service.operation(operation).unwrap();
            let failure = CallFailure::answered(&service, operation, "eu-west-1", error);
            assert_eq!(failure.kind, expected, "{code} {message}");
            assert_eq!(&*failure.message, message);
            let expected_code = if expected == FailureKind::NotEnabled { NOT_ENABLED } else { code };
            assert_eq!(&*failure.code, expected_code, "{message}");
            let expected_cause = if expected == FailureKind::Denied { Cause::Denied } else { Cause::Failed };
            let reason = failure.into_could_not_look();
            assert_eq!((reason.cause, reason.error.as_str()), (expected_cause, expected_code), "{message}");
        }
    }

    #[test]
    fn who_is_not_recognized_is_not_told_that_there_is_nothing() {
        let service = Models::embedded().unwrap().service("ec2").unwrap();
        for code in NOT_RECOGNIZED {
            let operation = service.operation("DescribeInstances").unwrap();
            let failure = CallFailure::answered(&service, operation, "ap-east-1", error(401, code));
            assert_eq!((failure.kind, &*failure.code), (FailureKind::NotRecognized, *code));
            assert_eq!(failure.into_could_not_look().cause, Cause::Failed);
        }
    }

    #[test]
    fn a_failure_becomes_a_reason_with_its_action() {
        let mut failure = CallFailure::new("s3", "GetBucketPolicy", "us-east-1", FailureKind::Denied, "no");
        failure.code = "AccessDenied".into();
        failure.iam_action = Some("s3:GetBucketPolicy".into());
        assert_eq!(failure.to_string(), "s3:GetBucketPolicy in us-east-1: AccessDenied: no");
        let reason = CouldNotLook::from(failure);
        assert_eq!(reason.to_string(), "s3:GetBucketPolicy answered AccessDenied");
        assert_eq!(reason.cause, Cause::Denied);
        assert_eq!(reason.action.as_deref(), Some("s3:GetBucketPolicy"));
    }
}
