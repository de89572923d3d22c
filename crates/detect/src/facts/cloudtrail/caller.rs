//! Who called.

use sonic_rs::JsonValueTrait;

use super::{json, origin};
use crate::event::Event;

/// Who did it, in one stable text.
pub(super) fn principal(event: &Event<'_>) -> Option<String> {
    let identity = json::field(event.root(), "userIdentity")?;
    let own = |key: &str| json::text(identity, &[key]).map(str::to_owned);
    let issuer = || json::text(identity, &["sessionContext", "sessionIssuer", "arn"]).map(str::to_owned);
    match json::text(identity, &["type"]) {
        Some("AssumedRole" | "Role") => issuer().or_else(|| role_of_session(json::text(identity, &["arn"])?)),
        Some("Root") => {
            own("arn").or_else(|| Some(format!("arn:aws:iam::{}:root", json::text(identity, &["accountId"])?)))
        }
        Some("FederatedUser") => issuer().or_else(|| own("arn")),
        Some("SAMLUser" | "WebIdentityUser") => {
            let name = json::text(identity, &["userName"]).or_else(|| json::text(identity, &["principalId"]))?;
            let provider = json::text(identity, &["identityProvider"]);
            Some(provider.map_or_else(|| name.to_owned(), |provider| format!("{provider}/{name}")))
        }
        Some("AWSService") => own("invokedBy"),
        Some("AWSAccount") => own("accountId").or_else(|| own("principalId")),
        Some("IdentityCenterUser") => json::text(identity, &["onBehalfOf", "userId"]).map(str::to_owned),
        _ => None,
    }
    .or_else(|| own("arn"))
    .or_else(|| own("userName"))
    .or_else(|| own("invokedBy"))
    .or_else(|| own("principalId"))
    .or_else(|| own("accountId"))
}

/// The ARN of the role behind a session: `arn:aws:sts::1:assumed-role/R/S` is `arn:aws:iam::1:role/R` (the path of a role is
/// not in the ARN of its session).
fn role_of_session(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (_, partition, _, _, account, resource) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let role = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    Some(format!("arn:{partition}:iam::{account}:role/{role}"))
}

/// What kind of caller: one word for the kind, others for what else is known.
pub(super) fn kinds(event: &Event<'_>) -> Vec<&'static str> {
    let root = event.root();
    let text = |path: &[&str]| json::text(root, path);
    let kind = text(&["userIdentity", "type"]);
    let mut kinds = vec![match kind {
        Some("IAMUser") => "user",
        Some("Root") => "root",
        Some("AssumedRole" | "Role") => "role",
        Some("FederatedUser" | "SAMLUser" | "WebIdentityUser") => "federated",
        Some("IdentityCenterUser") => "sso",
        Some("AWSService") => "service",
        Some("AWSAccount") if is_anonymous(event) => "anonymous",
        Some("AWSAccount") => "account",
        None if text(&["userIdentity", "invokedBy"]).is_some() => "service",
        _ => "unknown",
    }];
    if kind == Some("AssumedRole") {
        kinds.extend(of_role(event));
    }
    if json::truth(root, &["userIdentity", "sessionContext", "assumedRoot"]) == Some(true) {
        kinds.push("assumed-root");
    }
    if json::truth(root, &["sessionCredentialFromConsole"]) == Some(true) {
        kinds.push("console");
    }
    let mfa = ["userIdentity", "sessionContext", "attributes", "mfaAuthenticated"];
    if json::truth(root, &mfa) == Some(true) || text(&["additionalEventData", "MFAUsed"]) == Some("Yes") {
        kinds.push("mfa");
    }
    let is_service = kinds.contains(&"service");
    if !is_service && (text(&["userIdentity", "invokedBy"]).is_some() || origin::kind(event) == Some("service")) {
        kinds.push("through-service");
    }
    kinds.extend(from_elsewhere(event));
    if is_service || kinds.contains(&"service-linked") {
        kinds.push("automated");
    }
    kinds
}

/// What is known of a role's session beside that it is one.
fn of_role(event: &Event<'_>) -> Vec<&'static str> {
    let root = event.root();
    let text = |path: &[&str]| json::text(root, path);
    let mut kinds = Vec::new();
    let principal = principal(event).unwrap_or_default();
    let role = principal.rsplit('/').next().unwrap_or_default();
    if principal.contains(":role/aws-service-role/") || role.starts_with("AWSServiceRoleFor") {
        kinds.push("service-linked");
    }
    if role.starts_with("AWSReservedSSO_") {
        kinds.push("sso");
    }
    let session = text(&["userIdentity", "arn"]).and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let delivered = json::at(root, &["userIdentity", "sessionContext", "ec2RoleDelivery"]).is_some();
    let is_instance = delivered || is_instance_id(session);
    if is_instance {
        kinds.push("instance");
    }
    let issued_to = text(&["userIdentity", "inScopeOf", "issuerType"]);
    if is_instance || issued_to.is_some() || is_task_id(session) {
        kinds.push("workload");
    }
    kinds
}

/// Whether the caller belongs to another account than the one it was done in, and to none of the owner's.
fn from_elsewhere(event: &Event<'_>) -> Vec<&'static str> {
    let caller = json::text(event.root(), &["userIdentity", "accountId"]).filter(|id| is_account(id));
    let (Some(caller), Some(here)) = (caller, event.account()) else { return Vec::new() };
    match caller == here {
        true => Vec::new(),
        false if event.context().own.accounts.contains(caller) => vec!["cross-account"],
        false => vec!["cross-account", "outside"],
    }
}

fn is_anonymous(event: &Event<'_>) -> bool {
    let of = |key: &str| json::text(event.root(), &["userIdentity", key]).unwrap_or_default();
    of("accountId").eq_ignore_ascii_case("anonymous") || of("accountId") == "ANONYMOUS_PRINCIPAL"
}

/// The access key that an event handed out, to a session or for good.
pub(super) fn issued_key(event: &Event<'_>) -> Option<String> {
    let response = json::field(event.root(), "responseElements")?;
    let key = json::text(response, &["credentials", "accessKeyId"])
        .or_else(|| json::text(response, &["accessKey", "accessKeyId"]));
    key.map(str::to_owned)
}

/// Whether a text is twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `i-` and eight or seventeen hexadecimal digits: what EC2 calls the sessions of an instance's role.
fn is_instance_id(text: &str) -> bool {
    let Some(id) = text.strip_prefix("i-") else { return false };
    matches!(id.len(), 8 | 17) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Thirty-two hexadecimal digits: what ECS calls the sessions of a task's role.
fn is_task_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether what an event has in a field is there at all, and no empty text.
pub(super) fn says(event: &Event<'_>, path: &[&str]) -> bool {
    json::at(event.root(), path).is_some_and(|value| value.as_str() != Some(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_told_by_its_role() {
        let arn = "arn:aws-cn:sts::111122223333:assumed-role/Admin/alice@example.com";
        assert_eq!(role_of_session(arn).as_deref(), Some("arn:aws-cn:iam::111122223333:role/Admin"));
        assert_eq!(role_of_session("arn:aws:iam::111122223333:user/alice"), None);
        assert_eq!(role_of_session("nonsense"), None);
    }

    #[test]
    fn sessions_of_instances_and_tasks_are_known_by_their_names() {
        assert!(is_instance_id("i-0abcdef1234567890"));
        assert!(is_instance_id("i-81250cf1"));
        assert!(!is_instance_id("i-am-a-person"));
        assert!(is_task_id("c95c6bcfe9033cfff4d3d0c295caf16e"));
        assert!(!is_task_id("c95c6bcfe903"));
    }
}
