//! From one recorded call to the permissions that it needed.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use super::resource::{self, Named};
use crate::actions::{self, BrokenTable, Service};

/// What is known about calls and permissions of different names.
const FACTS: &str = include_str!("../../data/calls.yml");

/// The table's name in messages.
const FACTS_NAME: &str = "calls and their permissions";

/// The permission to hand a role to a service. No event of its own tells of it: it is checked inside the call that names
/// the role.
const PASS_ROLE: &str = "iam:PassRole";

/// One recorded call that AWS let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The service, as the event has it (`s3.amazonaws.com`).
    pub event_source: String,
    /// The operation, as the event has it (`GetObject`).
    pub event_name: String,
    /// The account in which it ran.
    pub account: String,
    /// The region in which it ran.
    pub region: String,
    /// The ARNs of the resources that the event names.
    pub resources: Vec<String>,
    /// The event's `requestParameters`; null where it has none.
    pub parameters: Value,
}

/// Why a call has no permission that a policy could grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unmapped {
    /// No policy decides over it (`sts:GetCallerIdentity`, a sign-in to the console).
    Free,
    /// The service has no permissions that are known.
    Service,
    /// The service has no permission that the event could be mapped to.
    Action,
}

/// One permission that a call needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    /// `s3:GetObject`
    pub(super) action: String,
    /// On what.
    pub(super) resources: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Facts {
    sources: BTreeMap<String, Option<String>>,
    free: BTreeMap<String, Vec<String>>,
    verbs: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    events: BTreeMap<String, BTreeMap<String, Vec<Permission>>>,
    parameters: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Permission {
    Named(String),
    From { action: String, from: String },
}

fn facts() -> Result<&'static Facts, BrokenTable> {
    static READ: OnceLock<Result<Facts, BrokenTable>> = OnceLock::new();
    let read = READ.get_or_init(|| {
        serde_saphyr::from_str(FACTS)
            .map_err(|error| BrokenTable { table: FACTS_NAME, problem: error.to_string().into() })
    });
    read.as_ref().map_err(Clone::clone)
}

/// The request parameters in which an ARN's placeholder may be found under another name.
pub(super) fn synonyms(placeholder: &str) -> Result<&'static [String], BrokenTable> {
    Ok(facts()?.parameters.get(placeholder).map_or(&[], Vec::as_slice))
}

/// What the call needed. The outer error is a table that cannot be read, the inner one says why there is nothing.
pub(super) fn needed(call: &Call) -> Result<Result<Vec<Needed>, Unmapped>, BrokenTable> {
    let facts = facts()?;
    let source = call.event_source.strip_suffix(".amazonaws.com").unwrap_or(&call.event_source);
    let prefix = match facts.sources.get(source) {
        Some(None) => return Ok(Err(Unmapped::Free)),
        Some(Some(prefix)) => prefix,
        None => source,
    };
    let Some(service) = actions::service(prefix)? else { return Ok(Err(Unmapped::Service)) };
    let event = without_api_version(&call.event_name);
    if facts.free.get(prefix).is_some_and(|events| events.iter().any(|free| free == event)) {
        return Ok(Err(Unmapped::Free));
    }
    let permissions = permissions(facts, prefix, service, event);
    let mut needed = Vec::new();
    for permission in permissions {
        let (name, from) = match &permission {
            Permission::Named(name) => (name, None),
            Permission::From { action, from } => (action, Some(from.as_str())),
        };
        let Some((name, action)) = find(service, name) else { continue };
        let resources = resource::named(call, service, action, from)?;
        needed.push(Needed { action: format!("{prefix}:{name}"), resources });
    }
    if needed.is_empty() {
        return Ok(Err(Unmapped::Action));
    }
    let roles = if matches!(prefix, "iam" | "sts") { Vec::new() } else { resource::roles(call) };
    if !roles.is_empty() {
        needed.push(Needed { action: PASS_ROLE.to_owned(), resources: roles });
    }
    Ok(Ok(needed))
}

fn permissions(facts: &Facts, prefix: &str, service: &Service, event: &str) -> Vec<Permission> {
    if let Some(permissions) = facts.events.get(prefix).and_then(|events| events.get(event)) {
        return permissions.clone();
    }
    if find(service, event).is_some() {
        return vec![Permission::Named(event.to_owned())];
    }
    let Some(verbs) = facts.verbs.get(prefix) else { return Vec::new() };
    let verb = verbs.iter().find(|(verb, _)| event.starts_with(verb.as_str()));
    verb.map(|(_, names)| names.iter().cloned().map(Permission::Named).collect()).unwrap_or_default()
}

fn find<'a>(service: &'a Service, name: &str) -> Option<(&'a str, &'a actions::Action)> {
    if let Some((known, action)) = service.actions.get_key_value(name) {
        return Some((known, action));
    }
    let found = service.actions.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(known, action)| (known.as_str(), action))
}

/// An event's name without the version of the API that some services add: `UpdateFunctionCode20150331v2`,
/// `CreateDistribution2020_05_31`.
fn without_api_version(event: &str) -> &str {
    let bare = event.trim_end_matches(|char: char| char.is_ascii_digit() || char == '_');
    // `v2` after the date.
    let bare = match bare.strip_suffix('v') {
        Some(dated) if bare.len() < event.len() => {
            let undated = dated.trim_end_matches(|char: char| char.is_ascii_digit() || char == '_');
            if dated.len() - undated.len() >= DATE_DIGITS { undated } else { bare }
        }
        _ => bare,
    };
    if event.len() - bare.len() >= DATE_DIGITS && !bare.is_empty() { bare } else { event }
}

/// Digits in the date of an API's version.
const DATE_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(source: &str, event: &str, resources: &[&str], parameters: Value) -> Call {
        Call {
            event_source: format!("{source}.amazonaws.com"),
            event_name: event.to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            resources: resources.iter().map(|&arn| arn.to_owned()).collect(),
            parameters,
        }
    }

    /// What a call needs, a permission a line; a resource that is not wholly known ends in ` ~`.
    fn check(call: &Call, expected: &[&str]) {
        let lines = match needed(call).unwrap() {
            Err(unmapped) => vec![format!("{unmapped:?}")],
            Ok(needed) => needed
                .iter()
                .map(|needed| {
                    let resources: Vec<String> = needed
                        .resources
                        .iter()
                        .map(|named| format!("{}{}", named.arn, if named.known { "" } else { " ~" }))
                        .collect();
                    format!("{} {}", needed.action, resources.join(" "))
                })
                .collect(),
        };
        assert_eq!(lines, expected, "{} {}", call.event_source, call.event_name);
    }

    #[test]
    fn a_call_needs_the_permission_of_its_name_on_what_the_event_names() {
        check(
            &call("dynamodb", "PutItem", &[], json!({ "tableName": "orders" })),
            &["dynamodb:PutItem arn:aws:dynamodb:eu-west-1:111122223333:table/orders"],
        );
        check(
            &call(
                "s3",
                "GetObject",
                &["arn:aws:s3:::example-bucket/a.csv", "arn:aws:s3:::example-bucket"],
                Value::Null,
            ),
            &["s3:GetObject arn:aws:s3:::example-bucket/a.csv"],
        );
        check(
            &call("s3", "GetObject", &[], json!({ "bucketName": "example-bucket", "key": "a/b.csv" })),
            &["s3:GetObject arn:aws:s3:::example-bucket/a/b.csv"],
        );
        check(&call("ec2", "DescribeInstances", &[], json!({})), &["ec2:DescribeInstances *"]);
        check(
            &call("ec2", "StopInstances", &[], json!({ "instancesSet": { "items": [{ "instanceId": "i-0a" }] } })),
            &["ec2:StopInstances arn:aws:ec2:eu-west-1:111122223333:instance/i-0a"],
        );
        check(
            &call("kms", "Decrypt", &["arn:aws:kms:eu-west-1:111122223333:key/k"], Value::Null),
            &["kms:Decrypt arn:aws:kms:eu-west-1:111122223333:key/k"],
        );
    }

    #[test]
    fn a_call_of_another_name_needs_what_iam_checks() {
        check(&call("s3", "ListBuckets", &[], Value::Null), &["s3:ListAllMyBuckets *"]);
        check(
            &call("s3", "ListObjectsV2", &[], json!({ "bucketName": "example-bucket" })),
            &["s3:ListBucket arn:aws:s3:::example-bucket"],
        );
        check(
            &call(
                "s3",
                "CopyObject",
                &[],
                json!({ "bucketName": "to", "key": "k", "x-amz-copy-source": "/from/dir/old%20name" }),
            ),
            &["s3:PutObject arn:aws:s3:::to/k", "s3:GetObject arn:aws:s3:::from/dir/old name"],
        );
        check(
            &call("lambda", "UpdateFunctionCode20150331v2", &[], json!({ "functionName": "billing" })),
            &["lambda:UpdateFunctionCode arn:aws:lambda:eu-west-1:111122223333:function:billing"],
        );
        check(&call("monitoring", "ListMetrics", &[], Value::Null), &["cloudwatch:ListMetrics *"]);
        check(&call("sts", "GetCallerIdentity", &[], Value::Null), &["Free"]);
        check(&call("signin", "ConsoleLogin", &[], Value::Null), &["Free"]);
        check(&call("nothing", "Do", &[], Value::Null), &["Service"]);
        check(&call("s3", "DoWhatNobodyKnows", &[], Value::Null), &["Action"]);
    }

    #[test]
    fn a_call_that_names_a_role_passes_it() {
        let role = "arn:aws:iam::111122223333:role/app/worker";
        check(
            &call("lambda", "CreateFunction20150331", &[], json!({ "functionName": "billing", "role": role })),
            &[
                "lambda:CreateFunction arn:aws:lambda:eu-west-1:111122223333:function:billing",
                &format!("iam:PassRole {role}"),
            ],
        );
        check(&call("sts", "AssumeRole", &[], json!({ "roleArn": role })), &[&format!("sts:AssumeRole {role}")]);
    }

    #[test]
    fn what_an_event_does_not_name_stays_open() {
        check(
            &call("dynamodb", "PutItem", &[], Value::Null),
            &["dynamodb:PutItem arn:aws:dynamodb:eu-west-1:111122223333:table/* ~"],
        );
    }

    #[test]
    fn the_version_of_an_api_is_no_part_of_the_name() {
        for (event, expected) in [
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("GetFunction20150331", "GetFunction"),
            ("CreateDistribution2020_05_31", "CreateDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("GetRoute53", "GetRoute53"),
            ("20150331", "20150331"),
        ] {
            assert_eq!(without_api_version(event), expected);
        }
    }

    #[test]
    fn every_permission_of_the_facts_exists() {
        let facts = facts().unwrap();
        for (prefix, events) in &facts.events {
            let service = actions::service(prefix).unwrap().unwrap();
            for permission in events.values().flatten() {
                let (Permission::Named(name) | Permission::From { action: name, .. }) = permission;
                assert!(find(service, name).is_some(), "{prefix}:{name}");
            }
        }
        for (prefix, verbs) in &facts.verbs {
            let service = actions::service(prefix).unwrap().unwrap();
            assert!(verbs.values().flatten().all(|name| find(service, name).is_some()), "{prefix}");
        }
        for prefix in facts.sources.values().flatten() {
            assert!(actions::service(prefix).unwrap().is_some(), "{prefix}");
        }
    }
}
