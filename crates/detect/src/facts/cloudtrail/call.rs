//! What was called, on what.

use std::borrow::Cow;

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use super::json;
use crate::event::Event;

/// How deep a target is looked for below the request's parameters.
const TARGET_DEPTH_MAX: usize = 4;

/// Keys of requests that name what is acted on, the most telling first.
const TARGETS: [&str; 58] = [
    "bucketName",
    "userName",
    "roleName",
    "groupName",
    "policyArn",
    "instanceProfileName",
    "trailName",
    "instanceId",
    "snapshotId",
    "imageId",
    "groupId",
    "networkAclId",
    "flowLogId",
    "dBInstanceIdentifier",
    "dBClusterIdentifier",
    "dBSnapshotIdentifier",
    "dBClusterSnapshotIdentifier",
    "functionName",
    "layerName",
    "secretId",
    "secretIdList",
    "names",
    "keyId",
    "detectorId",
    "repositoryName",
    "queueUrl",
    "topicArn",
    "documentName",
    "target",
    "clusterName",
    "fileSystemId",
    "backupVaultName",
    "recoveryPointArn",
    "domainName",
    "hostedZoneId",
    "projectArn",
    "webACLArn",
    "resourceArn",
    "resourceARN",
    "resourceId",
    "roleArn",
    "sAMLProviderArn",
    "openIDConnectProviderArn",
    "policyId",
    "logGroupName",
    "ruleName",
    "alarmNames",
    "alarmName",
    "configurationRecorderName",
    "deliveryChannelName",
    "resolverQueryLogConfigId",
    "guardrailIdentifier",
    "analyzerName",
    "instanceArn",
    "emailIdentity",
    "domain",
    "id",
    "name",
];

/// The name of an event without the version of the API behind it: `UpdateFunctionCode20150331v2` is `UpdateFunctionCode`. Lambda and
/// `CloudFront` write it.
pub(super) fn api(name: &str) -> &str {
    let unversioned = match name.rsplit_once('v') {
        Some((before, after)) if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => name,
    };
    let plain = unversioned.trim_end_matches(|character: char| character.is_ascii_digit() || character == '_');
    let is_date = unversioned.bytes().filter(u8::is_ascii_digit).count() >= 8 && unversioned.len() - plain.len() >= 8;
    if is_date && !plain.is_empty() { plain } else { name }
}

/// The service, as its endpoint is called.
pub(super) fn service(event: &Event<'_>) -> Option<String> {
    let source = event.text("eventSource")?;
    Some(source.strip_suffix(".amazonaws.com").unwrap_or(&source).to_owned())
}

/// How the names of calls that only read begin.
const READS: [&str; 12] =
    ["Get", "List", "Describe", "Head", "Lookup", "Search", "BatchGet", "Query", "Scan", "Select", "Check", "Simulate"];

/// Whether it may change something: `readOnly` says so; where it is missing, the name does.
pub(super) fn is_write(event: &Event<'_>) -> Option<bool> {
    if let Some(reads) = json::truth(event.root(), &["readOnly"]) {
        return Some(!reads);
    }
    let name = event.text("eventName")?;
    Some(!READS.iter().any(|verb| name.starts_with(verb)))
}

/// What it was done to, as the request names it; the first of several.
pub(super) fn target(event: &Event<'_>) -> Option<String> {
    let parameters = json::field(event.root(), "requestParameters")?;
    for key in TARGETS {
        if let Some(found) = json::field(parameters, key).and_then(first_text) {
            return Some(found.into_owned());
        }
    }
    TARGETS.iter().find_map(|key| below(parameters, key, TARGET_DEPTH_MAX)).map(Cow::into_owned)
}

/// The first text of a value: itself, or the first of a list.
fn first_text(value: &Value) -> Option<Cow<'_, str>> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    let first = value.as_array()?.iter().next()?;
    first.as_str().map(Cow::Borrowed)
}

fn below<'v>(value: &'v Value, key: &str, depth: usize) -> Option<Cow<'v, str>> {
    let depth = depth.checked_sub(1)?;
    if let Some(object) = value.as_object() {
        if let Some(found) = json::field(value, key).and_then(first_text) {
            return Some(found);
        }
        return object.iter().find_map(|(_, inner)| below(inner, key, depth));
    }
    value.as_array()?.iter().find_map(|inner| below(inner, key, depth))
}

/// How many things it asks for.
pub(super) fn quantity(event: &Event<'_>) -> Option<i64> {
    let parameters = json::field(event.root(), "requestParameters")?;
    let length = |path: &[&str]| json::at(parameters, path).map(|_| count(json::list(parameters, path).len()));
    let number = |path: &[&str]| json::number(parameters, path);
    match event.text("eventName")?.as_ref() {
        "RunInstances" => {
            let asked: i64 = json::list(parameters, &["instancesSet"])
                .iter()
                .filter_map(|item| json::number(item, &["maxCount"]))
                .sum();
            Some(asked.max(1))
        }
        "TerminateInstances" | "StopInstances" | "StartInstances" => length(&["instancesSet"]),
        "CreateFleet" => number(&["CreateFleetRequest", "TargetCapacitySpecification", "TotalTargetCapacity"]),
        "RequestSpotFleet" => number(&["spotFleetRequestConfig", "targetCapacity"]),
        "RequestSpotInstances" => number(&["instanceCount"]).or(Some(1)),
        "SendCommand" => length(&["instanceIds"]),
        "GetParameters" => length(&["names"]),
        "BatchGetSecretValue" => length(&["secretIdList"]),
        "GetParameter" => Some(1),
        _ => None,
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_cut_off_and_nothing_else() {
        for (name, expected) in [
            ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
            ("UpdateFunctionCode20150331", "UpdateFunctionCode"),
            ("UpdateDistribution2020_05_31", "UpdateDistribution"),
            ("AddPermission20150331v2", "AddPermission"),
            ("StopLogging", "StopLogging"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("GetTemplate2", "GetTemplate2"),
            ("20150331", "20150331"),
            ("v2", "v2"),
            ("", ""),
        ] {
            assert_eq!(api(name), expected, "{name}");
        }
    }
}
