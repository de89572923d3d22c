//! The least policy from recorded calls: the program, the sample logs, the sample account.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

mod common;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use common::yagura;

fn generate(data: &Path, principal: &str, more: &[&str]) -> Output {
    let bundle = "fixtures/company.bundle";
    let mut arguments =
        vec!["access", "generate", "--principal", principal, "--since", "2026-01-01", "--bundle", bundle];
    arguments.extend(more);
    yagura(data, &arguments)
}

#[test]
fn a_user_gets_what_it_did_and_not_what_it_was_denied() {
    let data = tempfile::tempdir().unwrap();
    assert!(yagura(data.path(), &["logs", "add", "fixtures/logs"]).status.success());
    let output = generate(data.path(), "arn:aws:iam::111122223333:user/mio", &["-o", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["calls"], 6);
    // A sign-in and `GetCallerIdentity` need no permission.
    assert_eq!((&report["proven"], &report["unproven"]), (&json!(4), &json!([])));
    let actions: Vec<&String> = report["actions"].as_object().unwrap().keys().collect();
    assert_eq!(
        actions,
        ["cloudtrail:StopLogging", "ec2:AuthorizeSecurityGroupIngress", "ec2:DescribeRegions", "s3:GetObject"]
    );
    let text = report["policy"].to_string();
    for resource in [
        "arn:aws:cloudtrail:us-east-1:111122223333:trail/main",
        "arn:aws:s3:::example-logs/reports/2026.csv",
        "security-group/sg-0123456789abcdef0",
    ] {
        assert!(text.contains(resource), "{resource} is not in {text}");
    }
    // What was written is a policy that this program itself finds in order.
    let file = data.path().join("least.json");
    std::fs::write(&file, text).unwrap();
    let lint = yagura(data.path(), &["access", "lint", file.to_str().unwrap(), "--fail-on", "error"]);
    assert!(lint.status.success(), "{}", String::from_utf8_lossy(&lint.stdout));
}

#[test]
fn a_role_gets_what_its_sessions_did_in_both_languages() {
    let data = tempfile::tempdir().unwrap();
    assert!(yagura(data.path(), &["logs", "add", "fixtures/logs"]).status.success());
    for (lang, words) in [("en", "13 calls of 2 permissions"), ("ja", "呼び出し 13 件、権限 2 種類")] {
        let output = generate(data.path(), "arn:aws:iam::111122223333:role/Operations", &["--lang", lang]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(words) && text.contains("arn:aws:s3:::example-logs"), "{text}");
    }
}

#[test]
fn a_principal_without_calls_gets_no_policy() {
    let data = tempfile::tempdir().unwrap();
    assert!(yagura(data.path(), &["logs", "add", "fixtures/logs"]).status.success());
    let output = generate(data.path(), "arn:aws:iam::111122223333:user/nobody", &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("No call of `arn:aws:iam::111122223333:user/nobody`"), "{text}");
}
