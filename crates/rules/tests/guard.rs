//! Guard rules: whole files over templates, and as the logic of a control.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may stop it")]

use serde_json::{Value, json};
use yagura_rules::guard::{GuardError, GuardStatus, check_template};

const FILE: &str = r"
# Buckets, in the way that published rule files are written.
let buckets = Resources.*[ Type == 'AWS::S3::Bucket'
  Metadata.guard.SuppressedRules not exists or
  Metadata.guard.SuppressedRules.* != 'BUCKET_VERSIONED'
]

rule BUCKET_VERSIONED when %buckets !empty {
  %buckets.Properties.VersioningConfiguration.Status == 'Enabled'
    << keep old versions >>
}

rule BUCKET_NAMED when %buckets !empty {
  %buckets.Properties.BucketName exists
  %buckets.Properties.BucketName == /^[a-z-]+$/
}

rule QUEUE_ENCRYPTED when Resources.*[ Type == 'AWS::SQS::Queue' ] !empty {
  AWS::SQS::Queue {
    Properties.KmsMasterKeyId exists
  }
}

rule BOTH when BUCKET_VERSIONED {
  BUCKET_NAMED
  Resources exists
}

rule named_like(prefix) {
  %buckets.Properties.BucketName == %prefix
}

rule BUCKET_LOGS {
  named_like(/^logs/)
}
";

fn statuses(template: &Value) -> Vec<(String, GuardStatus)> {
    check_template(FILE, "buckets.guard", template).unwrap()
}

fn check(template: &Value, expected: &[(&str, GuardStatus)]) {
    let expected: Vec<(String, GuardStatus)> =
        expected.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect();
    assert_eq!(statuses(template), expected);
}

#[test]
fn each_rule_of_a_file_has_its_status() {
    use GuardStatus::{Fail, Pass, Skip};
    let bucket =
        |properties: Value| json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "Properties": properties } } });
    check(
        &bucket(json!({ "BucketName": "logs-a", "VersioningConfiguration": { "Status": "Enabled" } })),
        &[
            ("BUCKET_VERSIONED", Pass),
            ("BUCKET_NAMED", Pass),
            ("QUEUE_ENCRYPTED", Skip),
            ("BOTH", Pass),
            ("BUCKET_LOGS", Pass),
        ],
    );
    check(
        &bucket(json!({ "BucketName": "data" })),
        &[
            ("BUCKET_VERSIONED", Fail),
            ("BUCKET_NAMED", Pass),
            ("QUEUE_ENCRYPTED", Skip),
            ("BOTH", Skip),
            ("BUCKET_LOGS", Fail),
        ],
    );
}

#[test]
fn bad_rules_are_one_clear_error() {
    let malformed = |text: &str| matches!(check_template(text, "x", &json!({})), Err(GuardError::Malformed { message, .. }) if !message.contains('\n'));
    assert!(malformed("rule a { Resources.x == }"));
    assert!(malformed("rule {"));
    assert!(malformed("}}}}"));
    assert!(malformed("rule a { Resources.x == /(/ }"));
    let deep = format!("rule a {}", "{ when a ".repeat(10_000));
    assert!(matches!(check_template(&deep, "x", &json!({})), Err(GuardError::TooLarge { .. })));
    let long = "#".repeat(2 << 20);
    assert!(matches!(check_template(&long, "x", &json!({})), Err(GuardError::TooLarge { .. })));
    assert_eq!(check_template("# only a comment\n", "x", &json!({})), Ok(Vec::new()));
}

#[test]
fn a_failing_evaluation_is_an_error_and_no_status() {
    let text = "rule a { %no.such == 1 }";
    assert!(matches!(check_template(text, "x", &json!({ "Resources": {} })), Err(GuardError::Evaluation(_))));
}
