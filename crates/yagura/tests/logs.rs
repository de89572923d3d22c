//! Logs as a person takes them in and asks them: the program, the sample logs, every question of the documentation.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

mod common;

use serde_json::Value;

use common::{json, root, yagura};

/// Events in `fixtures/logs`.
const EVENTS: u64 = 27;

#[test]
fn the_sample_logs_are_taken_in_once_and_answer_every_question() {
    let data = tempfile::tempdir().unwrap();
    let added = json(&yagura(data.path(), &["logs", "add", "fixtures/logs", "-o", "json"]));
    assert_eq!(added["sources"][0]["events"], EVENTS);
    assert_eq!(added["skipped"], 0);
    let added = json(&yagura(data.path(), &["logs", "add", "fixtures/logs", "-o", "json"]));
    assert_eq!(added["sources"][0]["events"], 0);
    assert_eq!(added["sources"][0]["known_objects"], 4);

    let examples: Value = {
        let text = std::fs::read_to_string(root().join("docs/sql-examples.yml")).unwrap();
        serde_saphyr::from_str(&text).unwrap()
    };
    let mut unanswered = Vec::new();
    for example in examples.as_array().unwrap() {
        let sql = example["sql"].as_str().unwrap();
        let output = yagura(data.path(), &["sql", sql, "-o", "json"]);
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        // The ledger is empty here: what is asked of resources has no rows, and need only be understood.
        if rows.as_array().unwrap().is_empty() && !sql.contains("resource") {
            unanswered.push(sql.to_owned());
        }
    }
    assert_eq!(unanswered, Vec::<String>::new());

    let status = json(&yagura(data.path(), &["logs", "status", "-o", "json"]));
    let regions: Vec<&str> = status.as_array().unwrap().iter().map(|row| row["region"].as_str().unwrap()).collect();
    assert_eq!(regions, ["ap-northeast-1", "us-east-1"]);
    let done = json(&yagura(data.path(), &["logs", "compact", "-o", "json"]));
    assert_eq!(done[0]["source"], "cloudtrail");
    let count = json(&yagura(data.path(), &["sql", "SELECT count(*) AS n FROM cloudtrail", "-o", "json"]));
    assert_eq!(count[0]["n"], EVENTS);
}

#[test]
fn an_answer_comes_in_every_form() {
    let data = tempfile::tempdir().unwrap();
    assert!(yagura(data.path(), &["logs", "add", "fixtures/logs", "-q"]).status.success());
    let sql = "SELECT eventName, count(*) AS n FROM cloudtrail WHERE eventName = 'StopLogging' GROUP BY eventName";
    for (form, expected) in [
        ("ndjson", "{\"eventName\":\"StopLogging\",\"n\":1}\n"),
        ("csv", "eventName,n\nStopLogging,1\n"),
        ("json", "[\n  {\n    \"eventName\": \"StopLogging\",\n    \"n\": 1\n  }\n]\n"),
    ] {
        let output = yagura(data.path(), &["sql", sql, "-o", form]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        // Nothing of what was searched is mixed into what a program reads.
        assert!(String::from_utf8_lossy(&output.stderr).contains("account-region-hours"));
    }
    let output = yagura(data.path(), &["sql", sql]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("StopLogging"));
    let output = yagura(data.path(), &["sql", sql, "-o", "sarif"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn without_logs_it_says_so() {
    let data = tempfile::tempdir().unwrap();
    let output = yagura(data.path(), &["logs", "status"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("yagura logs add"));
    let output = yagura(data.path(), &["--lang", "ja", "logs", "add", "no-such-folder"]);
    assert_eq!(output.status.code(), Some(1));
    let output = yagura(data.path(), &["sql", "SELECT count(*) AS n FROM cloudtrail", "-o", "csv"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n0\n");
}
