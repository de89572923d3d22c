//! Buckets and objects.

use sonic_rs::{JsonValueTrait, Value};

use super::{Call, Effects, Reader, policy};
use crate::facts::cloudtrail::{caller, json};

/// In how many days everything has to be gone for its deletion to be called rapid: before anyone looks at a weekly report.
const RAPID_EXPIRY_DAYS: i64 = 7;

/// What reads the parameters of an API of S3, if anything in them matters.
pub(super) fn reader(api: &str) -> Option<Reader> {
    Some(match api {
        "PutBucketPolicy" => bucket_policy,
        "PutBucketAcl" | "PutObjectAcl" | "CreateBucket" => acl,
        "PutBucketPublicAccessBlock" | "PutAccountPublicAccessBlock" | "PutPublicAccessBlock" => public_block,
        "DeleteBucketPublicAccessBlock" | "DeleteAccountPublicAccessBlock" | "DeletePublicAccessBlock" => {
            public_block_gone
        }
        "PutBucketLogging" => access_log,
        "PutBucketVersioning" => versioning,
        "PutBucketLifecycle" | "PutBucketLifecycleConfiguration" => lifecycle,
        "PutBucketEncryption" => encryption,
        "PutBucketReplication" => replication,
        "PutObject" | "CopyObject" | "CreateMultipartUpload" | "InitiateMultipartUpload" => object_key,
        _ => return None,
    })
}

fn bucket_policy(call: &Call<'_>, effects: &mut Effects) {
    let found = json::at(call.parameters, &["bucketPolicy"]).or_else(|| json::at(call.parameters, &["policy"]));
    policy::of_resource(call, found.filter(|value| value.as_str() != Some("")), effects);
}

/// A header of the request, which S3 writes as a text or as a list of one.
fn header<'v>(call: &Call<'v>, name: &str) -> Option<&'v str> {
    json::items(json::at(call.parameters, &[name])).into_iter().next()?.as_str()
}

fn acl(call: &Call<'_>, effects: &mut Effects) {
    match header(call, "x-amz-acl") {
        Some("public-read" | "public-read-write") => call.let_in("*", effects),
        Some("authenticated-read") => {
            effects.found.insert("any-account");
        }
        _ => {}
    }
    let headers = [
        "x-amz-grant-read",
        "x-amz-grant-write",
        "x-amz-grant-read-acp",
        "x-amz-grant-write-acp",
        "x-amz-grant-full-control",
    ];
    for grantee in headers.into_iter().filter_map(|name| header(call, name)) {
        group(call, grantee, effects);
    }
    for grant in json::list(call.parameters, &["AccessControlPolicy", "AccessControlList", "Grant"]) {
        if let Some(uri) = json::text(grant, &["Grantee", "URI"]) {
            group(call, uri, effects);
        }
    }
}

fn group(call: &Call<'_>, grantee: &str, effects: &mut Effects) {
    if grantee.contains("/groups/global/AllUsers") {
        call.let_in("*", effects);
    }
    if grantee.contains("/groups/global/AuthenticatedUsers") {
        effects.found.insert("any-account");
    }
}

/// One of the four protections is off. What the request leaves out is off.
fn public_block(call: &Call<'_>, effects: &mut Effects) {
    let Some(settings) = json::at(call.parameters, &["PublicAccessBlockConfiguration"]) else { return };
    let kinds = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    if kinds.into_iter().any(|kind| json::truth(settings, &[kind]) != Some(true)) {
        effects.found.insert("public-block-removed");
    }
}

fn public_block_gone(_: &Call<'_>, effects: &mut Effects) {
    effects.found.insert("public-block-removed");
}

fn access_log(call: &Call<'_>, effects: &mut Effects) {
    let Some(status) = json::at(call.parameters, &["BucketLoggingStatus"]) else { return };
    if json::field(status, "LoggingEnabled").is_none() {
        effects.found.insert("logging-stopped");
    }
}

fn versioning(call: &Call<'_>, effects: &mut Effects) {
    let Some(settings) = json::at(call.parameters, &["VersioningConfiguration"]) else { return };
    if matches!(json::text(settings, &["Status"]), Some("Suspended" | "Disabled")) {
        effects.found.insert("versioning-suspended");
    }
    if json::text(settings, &["MfaDelete"]) == Some("Disabled") {
        effects.found.insert("mfa-delete-removed");
    }
}

fn lifecycle(call: &Call<'_>, effects: &mut Effects) {
    let rules = json::list(call.parameters, &["LifecycleConfiguration", "Rule"]);
    if rules.into_iter().any(deletes_all_soon) {
        effects.found.insert("rapid-expiry");
    }
}

fn deletes_all_soon(rule: &Value) -> bool {
    let is_on = json::text(rule, &["Status"]) == Some("Enabled");
    let days = json::number(rule, &["Expiration", "Days"]);
    is_on && days.is_some_and(|days| days <= RAPID_EXPIRY_DAYS) && is_for_everything(rule)
}

/// Whether a lifecycle rule speaks of all objects, or of those under which AWS keeps its logs.
fn is_for_everything(rule: &Value) -> bool {
    let narrows = |path: &[&str]| json::at(rule, path).is_some();
    if ["Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]
        .into_iter()
        .any(|key| narrows(&["Filter", key]) || narrows(&["Filter", "And", key]))
    {
        return false;
    }
    let prefix = json::text(rule, &["Prefix"])
        .or_else(|| json::text(rule, &["Filter", "Prefix"]))
        .or_else(|| json::text(rule, &["Filter", "And", "Prefix"]))
        .unwrap_or_default();
    matches!(prefix, "" | "*" | "/") || "AWSLogs/".starts_with(prefix) || prefix.starts_with("AWSLogs")
}

fn encryption(call: &Call<'_>, effects: &mut Effects) {
    for rule in json::list(call.parameters, &["ServerSideEncryptionConfiguration", "Rule"]) {
        let key = json::text(rule, &["ApplyServerSideEncryptionByDefault", "KMSMasterKeyID"]);
        if key.is_some_and(|key| is_foreign(call, key)) {
            effects.found.insert("foreign-key");
        }
        let blocked = json::list(rule, &["BlockedEncryptionTypes", "EncryptionType"]);
        if blocked.iter().any(|kind| kind.as_str() == Some("NONE")) {
            effects.found.insert("customer-keys-allowed");
        }
    }
}

fn replication(call: &Call<'_>, effects: &mut Effects) {
    for rule in json::list(call.parameters, &["ReplicationConfiguration", "Rule"]) {
        let Some(account) = json::text(rule, &["Destination", "Account"]) else { continue };
        if caller::is_account(account) && !call.is_own(account) {
            effects.found.insert("replica-outside");
            effects.grantees.insert(account.to_owned());
        }
    }
}

fn object_key(call: &Call<'_>, effects: &mut Effects) {
    if header(call, "x-amz-server-side-encryption-aws-kms-key-id").is_some_and(|key| is_foreign(call, key)) {
        effects.found.insert("foreign-key");
    }
    if header(call, "x-amz-server-side-encryption-customer-algorithm").is_some() {
        effects.found.insert("customer-key");
    }
}

/// Whether a key belongs to another account than the bucket, the caller and the owner. A key without an account is one's own.
fn is_foreign(call: &Call<'_>, key: &str) -> bool {
    let Some(account) = key.split(':').nth(4).filter(|account| caller::is_account(account)) else { return false };
    let root = call.event.root();
    let is_callers = json::text(root, &["userIdentity", "accountId"]) == Some(account);
    let is_buckets = json::list(root, &["resources"])
        .into_iter()
        .filter(|resource| json::text(resource, &["type"]).is_some_and(|kind| kind.starts_with("AWS::S3::")))
        .any(|resource| json::text(resource, &["accountId"]) == Some(account));
    !(is_callers || is_buckets || call.is_own(account))
}
