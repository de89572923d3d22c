//! What became of a call.

use crate::event::Event;

/// What became of it.
///
/// AWS has no common list of error codes: EC2's begin with `Client.` or `Server.`, some end with `Exception`. A sign-in
/// says it in its response.
pub(super) fn of(event: &Event<'_>) -> &'static str {
    let code = event.text("errorCode").unwrap_or_default();
    if code.trim().is_empty() {
        return if is_refused_sign_in(event) { "denied" } else { "success" };
    }
    of_code(&code)
}

fn is_refused_sign_in(event: &Event<'_>) -> bool {
    if event.text("eventSource").as_deref() != Some("signin.amazonaws.com") {
        return false;
    }
    let Some(name) = event.text("eventName") else { return false };
    event.text(&format!("responseElements.{name}")).is_some_and(|said| said == "Failure")
}

fn of_code(code: &str) -> &'static str {
    let code = code.trim();
    let code = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code);
    let has = |part: &str| code.contains(part);
    match code {
        "DryRunOperation" => "dry-run",
        _ if has("Throttl") || has("TooManyRequests") || code == "RequestLimitExceeded" || code == "SlowDown" => {
            "throttled"
        }
        _ if has("AccessDenied") || has("Unauthorized") || has("NotAuthorized") || code == "AuthFailure" => "denied",
        _ if has("LimitExceeded") || has("QuotaExceeded") || has("CountExceeded") || has("InsufficientInstanceCap") => {
            "limit"
        }
        // What Systems Manager says of an instance that it does not manage.
        _ if has("NotFound") || has("NoSuch") || has("DoesNotExist") || code == "InvalidInstanceId" => "missing",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_with_and_without_their_prefix() {
        for (code, expected) in [
            ("AccessDenied", "denied"),
            ("AccessDeniedException", "denied"),
            ("Client.UnauthorizedOperation", "denied"),
            ("UnauthorizedOperation", "denied"),
            ("Client.DryRunOperation", "dry-run"),
            ("Client.VcpuLimitExceeded", "limit"),
            ("LimitExceededException", "limit"),
            ("Client.RequestLimitExceeded", "throttled"),
            ("ThrottlingException", "throttled"),
            ("TrailNotFoundException", "missing"),
            ("NoSuchEntity", "missing"),
            ("Client.InvalidInstanceID.NotFound", "missing"),
            ("InvalidTrailNameException", "failed"),
            ("RequestExpired", "failed"),
        ] {
            assert_eq!(of_code(code), expected, "{code}");
        }
    }
}
