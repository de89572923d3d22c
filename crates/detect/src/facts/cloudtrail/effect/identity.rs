//! Users, roles, their policies and their keys.

use super::{Call, Effects, Reader, policy};
use crate::facts::cloudtrail::{caller, json};

/// The shortest password that the policy of an account may ask for without being weak (what AWS asks for by itself).
const PASSWORD_LENGTH_MIN: i64 = 8;
/// From this length on it does not matter which characters a password must have (CIS AWS Foundations).
const PASSWORD_LENGTH_LONG: i64 = 14;
/// How many of the four kinds of characters a shorter one must have.
const CHARACTER_KINDS_MIN: usize = 3;

/// APIs that take the caller where no user is named.
const TAKES_CALLER: [&str; 7] = [
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "CreateLoginProfile",
    "DeleteLoginProfile",
    "DeactivateMFADevice",
    "UploadSigningCertificate",
];

/// What reads the parameters of an API of IAM, if anything in them matters.
pub(super) fn reader(api: &str) -> Option<Reader> {
    Some(match api {
        "CreateAccessKey"
        | "UpdateAccessKey"
        | "DeleteAccessKey"
        | "CreateLoginProfile"
        | "UpdateLoginProfile"
        | "DeleteLoginProfile"
        | "DeactivateMFADevice"
        | "EnableMFADevice"
        | "AddUserToGroup"
        | "CreateServiceSpecificCredential"
        | "UploadSSHPublicKey"
        | "UploadSigningCertificate"
        | "DeleteUserPermissionsBoundary"
        | "PutUserPermissionsBoundary"
        | "DeleteRolePermissionsBoundary"
        | "DeleteUserPolicy"
        | "DetachUserPolicy" => on_whom,
        "AttachUserPolicy" | "AttachRolePolicy" | "AttachGroupPolicy" => attached,
        "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy" => written,
        "CreatePolicy" | "CreatePolicyVersion" => new_version,
        "CreateRole" | "UpdateAssumeRolePolicy" => trust,
        "UpdateAccountPasswordPolicy" | "DeleteAccountPasswordPolicy" => password_policy,
        _ => return None,
    })
}

/// Notes whether the call is on the caller or on somebody else.
fn on_whom(call: &Call<'_>, effects: &mut Effects) {
    let principal = caller::principal(call.event).unwrap_or_default();
    let is_kind = |kind: &str| principal.contains(&format!(":{kind}/")) || principal.ends_with(&format!(":{kind}"));
    let own_name = principal.rsplit('/').next().unwrap_or_default();
    let is_own = match (json::text(call.parameters, &["userName"]), json::text(call.parameters, &["roleName"])) {
        (Some(name), _) => is_kind("user") && name == own_name,
        (None, Some(name)) => is_kind("role") && name == own_name,
        (None, None) if TAKES_CALLER.contains(&call.api.as_str()) => is_kind("user") || is_kind("root"),
        (None, None) => return,
    };
    effects.found.insert(if is_own { "self" } else { "other" });
}

fn attached(call: &Call<'_>, effects: &mut Effects) {
    on_whom(call, effects);
    policy::of_managed(json::at(call.parameters, &["policyArn"]), effects);
}

fn written(call: &Call<'_>, effects: &mut Effects) {
    on_whom(call, effects);
    left_out(call, effects);
    policy::of_identity(json::at(call.parameters, &["policyDocument"]), effects);
    // AWS writes its quarantine as an inline policy too.
    let name = json::text(call.parameters, &["policyName"]).unwrap_or_default();
    if name.starts_with("AWSExposedCredentialPolicy_DO_NOT_REMOVE") || name.starts_with("AWSCompromisedKeyQuarantine") {
        effects.found.insert("quarantine");
    }
}

/// A policy that nobody has yet gives nothing: only a version that is made the default of one does at once.
fn new_version(call: &Call<'_>, effects: &mut Effects) {
    left_out(call, effects);
    if call.api == "CreatePolicy" || json::truth(call.parameters, &["setAsDefault"]) == Some(true) {
        policy::of_identity(json::at(call.parameters, &["policyDocument"]), effects);
    }
}

/// Permission sets of IAM Identity Center give their policies to whoever is assigned them.
pub(super) fn permission_set(call: &Call<'_>, effects: &mut Effects) {
    left_out(call, effects);
    policy::of_managed(json::at(call.parameters, &["managedPolicyArn"]), effects);
    policy::of_identity(json::at(call.parameters, &["inlinePolicy"]), effects);
}

fn left_out(call: &Call<'_>, effects: &mut Effects) {
    if json::truth(call.parameters, &["omitted"]) == Some(true) {
        effects.found.insert("unread");
    }
}

/// Whom a role lets in.
fn trust(call: &Call<'_>, effects: &mut Effects) {
    let path: &[&str] = if call.api == "CreateRole" { &["assumeRolePolicyDocument"] } else { &["policyDocument"] };
    let document = json::at(call.parameters, path);
    policy::of_resource(call, document, effects);
    let Some(document) = document.map(json::document) else { return };
    match yagura_access::policy::Policy::from_value(&document) {
        Ok(Some(policy)) if names_more_than_services(&policy) => {
            effects.found.insert("trust");
        }
        Ok(_) => {}
        Err(_) => {
            effects.found.insert("unread");
        }
    }
}

fn names_more_than_services(policy: &yagura_access::policy::Policy) -> bool {
    use yagura_access::policy::{Effect, Principal, Scope};
    let allows = policy.statements.iter().filter(|statement| statement.effect == Effect::Allow);
    allows.filter_map(|statement| statement.principals.as_ref()).any(|scope| match scope {
        Scope::In(named) => named.iter().any(|principal| !matches!(principal, Principal::Service(_))),
        Scope::NotIn(_) => true,
    })
}

fn password_policy(call: &Call<'_>, effects: &mut Effects) {
    let asks = |key: &str| json::truth(call.parameters, &[key]) == Some(true);
    let length = json::number(call.parameters, &["minimumPasswordLength"]).unwrap_or(PASSWORD_LENGTH_MIN - 1);
    let kinds = ["requireSymbols", "requireNumbers", "requireUppercaseCharacters", "requireLowercaseCharacters"];
    let asked = kinds.into_iter().filter(|kind| asks(kind)).count();
    let is_weak = length < PASSWORD_LENGTH_MIN || (length < PASSWORD_LENGTH_LONG && asked < CHARACTER_KINDS_MIN);
    if call.api == "DeleteAccountPasswordPolicy" || is_weak {
        effects.found.insert("password-policy-weakened");
    }
}
