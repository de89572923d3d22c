//! What a call grants, opens, weakens or takes away.
//!
//! | effect | meaning |
//! |---|---|
//! | `public` | anyone is let in: to a resource, a role, an image, a snapshot, a function |
//! | `any-account` | every AWS account is let in, but nobody without one |
//! | `external` | an account of somebody else is let in; `fact.grantee` says which |
//! | `federated` | identities of a provider are let in |
//! | `trust` | a role lets in accounts, users, roles or identities of a provider, whosever, and not only services |
//! | `admin` | somebody gets a policy that allows everything |
//! | `escalation` | somebody gets a policy with a way to more rights |
//! | `ses-full` | somebody gets a policy that allows all of SES |
//! | `quarantine` | AWS restricts a user whose key it found published |
//! | `unread` | a policy is there that could not be understood, or that CloudTrail left out |
//! | `self`, `other` | an IAM call is on the caller, or on somebody else |
//! | `world-open` | a port is opened to the whole internet; `fact.port` says which |
//! | `logging-stopped`, `logging-weakened` | less is logged than before, or nothing |
//! | `public-block-removed` | a protection against public access is switched off |
//! | `versioning-suspended`, `mfa-delete-removed` | objects can be lost |
//! | `rapid-expiry` | everything in a bucket will be deleted within a week |
//! | `customer-keys-allowed` | a bucket takes objects under keys that AWS does not have |
//! | `foreign-key`, `customer-key` | data are encrypted with a key of another account, or of the caller alone |
//! | `replica-outside` | objects are copied to a bucket of another account |
//! | `accelerated` | instances with graphics or other accelerators are asked for |
//! | `password-policy-weakened` | passwords may be weaker than CIS asks for, or live for ever |
//!
//! Most events have none of them, and cost one comparison of their name.

mod identity;
mod logging;
mod network;
mod policy;
mod sharing;
mod storage;

use std::collections::BTreeSet;

use sonic_rs::{JsonValueTrait, Value};

use super::{call, caller, json};
use crate::event::Event;

/// What a call does.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// The effects, as in the table above.
    pub(super) found: BTreeSet<&'static str>,
    /// Who is let in.
    pub(super) grantees: BTreeSet<String>,
    /// What is opened to the internet.
    pub(super) ports: BTreeSet<&'static str>,
}

/// What is read of a call: its parameters, and who owns what they are about.
struct Call<'e> {
    event: &'e Event<'e>,
    service: String,
    api: String,
    parameters: &'e Value,
}

/// Reads what a call does. Whether it succeeded is another question: `fact.outcome`.
pub(super) fn of(event: &Event<'_>) -> Effects {
    let mut effects = Effects::default();
    let (Some(name), Some(service)) = (event.text("eventName"), call::service(event)) else { return effects };
    let Some(read) = reader(&service, call::api(&name)) else { return effects };
    // Null stands for what is not there, so that "no parameters" is read like "none of them".
    let nothing = Value::default();
    let parameters = json::field(event.root(), "requestParameters").unwrap_or(&nothing);
    let api = call::api(&name).to_owned();
    read(&Call { event, service, api, parameters }, &mut effects);
    effects
}

type Reader = fn(&Call<'_>, &mut Effects);

/// What reads the parameters of an API, if anything in them matters.
fn reader(service: &str, api: &str) -> Option<Reader> {
    Some(match (service, api) {
        ("iam", _) => return identity::reader(api),
        ("sso", "PutInlinePolicyToPermissionSet" | "AttachManagedPolicyToPermissionSet") => identity::permission_set,
        ("ec2", "AuthorizeSecurityGroupIngress" | "ModifySecurityGroupRules") => network::security_group,
        ("ec2", "CreateNetworkAclEntry" | "ReplaceNetworkAclEntry") => network::acl_entry,
        ("rds" | "redshift" | "elasticache", _) if network::is_ingress(api) => network::database_group,
        ("ec2", "RunInstances" | "CreateFleet" | "RequestSpotInstances" | "RequestSpotFleet") => accelerated,
        ("ec2", "ModifyImageAttribute" | "ModifyFpgaImageAttribute") => sharing::image,
        ("ec2", "ModifySnapshotAttribute") => sharing::snapshot,
        ("rds", "ModifyDBSnapshotAttribute" | "ModifyDBClusterSnapshotAttribute") => sharing::database_snapshot,
        ("redshift", "AuthorizeSnapshotAccess") => sharing::warehouse_snapshot,
        ("ssm", "ModifyDocumentPermission") => sharing::document,
        ("kms", "CreateGrant") => sharing::key_grant,
        ("lambda", "AddPermission" | "AddLayerVersionPermission") => sharing::function,
        ("lambda", "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig") => sharing::function_url,
        ("sqs" | "sns", "AddPermission") => sharing::queue_permission,
        ("events", "PutPermission") => sharing::bus_permission,
        ("cloudtrail", "UpdateTrail") => logging::trail,
        ("cloudtrail", "PutEventSelectors") => logging::selectors,
        ("s3", _) => return storage::reader(api),
        _ => return policy::reader(service, api),
    })
}

impl Call<'_> {
    /// The account that it was made in.
    fn account(&self) -> &str {
        self.event.account().unwrap_or_default()
    }

    /// Whether an account is the owner's.
    fn is_own(&self, account: &str) -> bool {
        account == self.account() || self.event.context().own.accounts.contains(account)
    }

    /// Notes that an account, or `all`, is let in.
    fn let_in(&self, who: &str, effects: &mut Effects) {
        let who = who.trim();
        if matches!(who, "all" | "*" | "ALL") {
            effects.found.insert("public");
            effects.grantees.insert("*".to_owned());
            return;
        }
        let account = if caller::is_account(who) { Some(who) } else { who.split(':').nth(4) };
        match account {
            Some(account) if caller::is_account(account) && !self.is_own(account) => {
                effects.found.insert("external");
                effects.grantees.insert(account.to_owned());
            }
            _ => {}
        }
    }
}

/// Families of EC2 with graphics processors, machine-learning or other accelerators, and what is used for mining most: `g5`, `p4d`,
/// `inf2`, `trn1`, `dl1`, `vt1`, `f1`.
fn accelerated(call: &Call<'_>, effects: &mut Effects) {
    if instance_types(call.event).iter().any(|kind| is_accelerated(kind)) {
        effects.found.insert("accelerated");
    }
}

fn is_accelerated(kind: &str) -> bool {
    let family = kind.split('.').next().unwrap_or_default();
    let letters = family.split(|character: char| character.is_ascii_digit()).next().unwrap_or_default();
    let has_number = family.len() > letters.len();
    has_number && matches!(letters, "p" | "g" | "gr" | "inf" | "trn" | "dl" | "vt" | "f")
}

/// The types of the instances that a call asks for.
pub(super) fn instance_types(event: &Event<'_>) -> Vec<String> {
    let Some(parameters) = json::field(event.root(), "requestParameters") else { return Vec::new() };
    match event.text("eventName").as_deref() {
        Some("RunInstances" | "ModifyInstanceAttribute") => {
            let kind = json::text(parameters, &["instanceType"]);
            kind.or_else(|| json::text(parameters, &["instanceType", "value"])).map(str::to_owned).into_iter().collect()
        }
        Some("RequestSpotInstances") => {
            let kind = json::text(parameters, &["launchSpecification", "instanceType"]);
            kind.map(str::to_owned).into_iter().collect()
        }
        Some("RequestSpotFleet") => {
            let specifications = json::list(parameters, &["spotFleetRequestConfig", "launchSpecifications"]);
            texts_of(&specifications, "instanceType")
        }
        Some("CreateFleet") => {
            let mut kinds = Vec::new();
            for template in json::list(parameters, &["CreateFleetRequest", "LaunchTemplateConfigs"]) {
                kinds.extend(texts_of(&json::list(template, &["Overrides"]), "InstanceType"));
            }
            kinds
        }
        _ => Vec::new(),
    }
}

fn texts_of(values: &[&Value], key: &str) -> Vec<String> {
    let texts = values.iter().filter_map(|value| json::field(value, key)?.as_str());
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_by_their_letters() {
        for kind in
            ["p2.xlarge", "p5en.48xlarge", "g4dn.xlarge", "g6.large", "inf2.xlarge", "trn1.2xlarge", "f1.2xlarge"]
        {
            assert!(is_accelerated(kind), "{kind}");
        }
        for kind in ["t3.micro", "m5.large", "c7gn.medium", "gold.large", "i3.metal", "r6g.large", ""] {
            assert!(!is_accelerated(kind), "{kind}");
        }
    }
}
