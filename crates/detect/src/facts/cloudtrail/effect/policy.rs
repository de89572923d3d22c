//! Policies in requests: whom a resource lets in, and what an identity gains.

use sonic_rs::{JsonValueTrait, Value};
use yagura_access::policy;

use super::{Call, Effects, Reader};
use crate::facts::cloudtrail::{caller, json};

/// Accounts of AWS itself that buckets are opened to so that load balancers can write their logs: one in each old region.
const LOG_DELIVERY: [&str; 22] = [
    "127311923021",
    "033677994240",
    "027434742980",
    "797873946194",
    "098369216593",
    "754344448648",
    "589379963580",
    "718504428378",
    "383597477331",
    "600734575887",
    "114774131450",
    "783225319266",
    "582318560864",
    "985666609251",
    "054676820928",
    "156460612806",
    "652711504416",
    "635631232127",
    "009996457667",
    "897822967062",
    "076674570225",
    "507241528517",
];

/// What reads the policy that a request gives a resource, where it does.
pub(super) fn reader(service: &str, api: &str) -> Option<Reader> {
    // Where it is, is asked again when the event is read: a reader is a plain function.
    parameter(service, api).map(|_| resource as Reader)
}

/// Where a request has the policy of a resource.
fn parameter(service: &str, api: &str) -> Option<&'static [&'static str]> {
    Some(match (service, api) {
        ("secretsmanager", "PutResourcePolicy") => &["resourcePolicy"],
        ("glue", "PutResourcePolicy") => &["policyInJson"],
        ("logs", "PutResourcePolicy") => &["policyDocument"],
        (_, "PutResourcePolicy")
        | ("kms", "PutKeyPolicy" | "CreateKey")
        | ("elasticfilesystem", "PutFileSystemPolicy")
        | ("backup", "PutBackupVaultAccessPolicy")
        | ("acm-pca", "PutPolicy") => &["policy"],
        ("sns", "SetTopicAttributes") => &["attributeValue"],
        ("sns", "CreateTopic") | ("sqs", "SetQueueAttributes" | "CreateQueue") => &["attributes", "Policy"],
        ("ecr" | "ecr-public", "SetRepositoryPolicy" | "PutRegistryPolicy") => &["policyText"],
        ("glacier", "SetVaultAccessPolicy") => &["policy", "policy"],
        (
            "es",
            "UpdateElasticsearchDomainConfig" | "UpdateDomainConfig" | "CreateElasticsearchDomain" | "CreateDomain",
        ) => &["accessPolicies"],
        _ => return None,
    })
}

fn resource(call: &Call<'_>, effects: &mut Effects) {
    if call.service == "sns"
        && call.api == "SetTopicAttributes"
        && json::text(call.parameters, &["attributeName"]) != Some("Policy")
    {
        return;
    }
    let Some(path) = parameter(&call.service, &call.api) else { return };
    of_resource(call, json::at(call.parameters, path), effects);
}

/// Whom the policy of a resource lets in. No policy is none; one that CloudTrail left out is unread.
pub(super) fn of_resource(call: &Call<'_>, found: Option<&Value>, effects: &mut Effects) {
    let Some(found) = found else {
        if json::truth(call.parameters, &["omitted"]) == Some(true) {
            effects.found.insert("unread");
        }
        return;
    };
    let document = json::document(found);
    match (policy::public(&document), policy::outside_accounts(&document, call.account())) {
        (Ok(is_public), Ok(outsiders)) => {
            if is_public {
                call.let_in("*", effects);
            }
            for outsider in &outsiders {
                admit(call, outsider, effects);
            }
        }
        _ => {
            effects.found.insert("unread");
        }
    }
}

/// Notes somebody that the access engine says is outside the account. An organisation is taken to be the owner's: nothing in
/// an event says which it is.
fn admit(call: &Call<'_>, outsider: &str, effects: &mut Effects) {
    if outsider == "*" || outsider.starts_with("o-") || LOG_DELIVERY.contains(&outsider) {
        return;
    }
    if caller::is_account(outsider) {
        return call.let_in(outsider, effects);
    }
    let is_canonical_user = outsider.len() == 64 && outsider.bytes().all(|byte| byte.is_ascii_hexdigit());
    effects.found.insert(if is_canonical_user { "external" } else { "federated" });
    effects.grantees.insert(outsider.to_owned());
}

/// What somebody gains by a policy of their own.
pub(super) fn of_identity(found: Option<&Value>, effects: &mut Effects) {
    let Some(found) = found else { return };
    let document = json::document(found);
    match (policy::admin(&document), policy::escalates(&document)) {
        (Ok(true), _) => {
            effects.found.insert("admin");
        }
        (Ok(false), Ok(ways)) => {
            if !ways.is_empty() {
                effects.found.insert("escalation");
            }
            if matches!(policy::allows(&document, "ses:*", "*"), Ok(true)) {
                effects.found.insert("ses-full");
            }
        }
        _ => {
            effects.found.insert("unread");
        }
    }
}

/// What somebody gains by a managed policy. Of AWS's own the content is known by the name; of the account's the event does not say it.
pub(super) fn of_managed(found: Option<&Value>, effects: &mut Effects) {
    let Some(arn) = found.and_then(|value| value.as_str()) else { return };
    let Some((before, name)) = arn.split_once(":policy/") else { return };
    if !before.ends_with(":iam::aws") {
        return;
    }
    let name = name.rsplit('/').next().unwrap_or_default();
    let effect = match name {
        "AdministratorAccess" => "admin",
        "IAMFullAccess" => "escalation",
        "AmazonSESFullAccess" => "ses-full",
        _ if name.starts_with("AWSCompromisedKeyQuarantine") => "quarantine",
        _ => return,
    };
    effects.found.insert(effect);
}
