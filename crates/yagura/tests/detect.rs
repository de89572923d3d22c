//! Threats in the logs as a person finds them: the program, invented events of a stolen key, in both languages.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot look has failed")]

mod common;

use std::path::Path;

use common::{json, succeeded, yagura};
use serde_json::{Value, json};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

fn event(number: usize, time: &str, service: &str, name: &str, request: &Value) -> Value {
    json!({
        "eventVersion": "1.11", "eventID": format!("{number:08x}-0000-4000-8000-000000000000"), "eventTime": time,
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "us-east-1", "readOnly": false,
        "managementEvent": true, "eventCategory": "Management", "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
        "sourceIPAddress": "198.51.100.23", "userAgent": "aws-cli/2.17", "requestParameters": request, "responseElements": null,
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "111122223333", "accessKeyId": KEY, "userName": "mio",
            "arn": "arn:aws:iam::111122223333:user/mio",
        },
    })
}

/// The first hour of a story, and the second.
fn story(folder: &Path) -> [String; 2] {
    let trail = json!({ "name": "main" });
    let snapshot = json!({
        "snapshotId": "snap-0123456789abcdef0", "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": { "add": { "items": [{ "userId": "999988887777" }] } },
    });
    let hours = [
        vec![event(1, "2026-02-01T10:00:00Z", "cloudtrail", "StopLogging", &trail)],
        vec![
            event(2, "2026-02-01T11:00:00Z", "cloudtrail", "StopLogging", &trail),
            event(3, "2026-02-01T11:10:00Z", "ec2", "ModifySnapshotAttribute", &snapshot),
        ],
    ];
    std::array::from_fn(|hour| {
        let path = folder.join(format!("111122223333_CloudTrail_us-east-1_2026020{hour}.json"));
        std::fs::write(&path, json!({ "Records": hours[hour] }).to_string()).unwrap();
        path.display().to_string()
    })
}

fn findings(data: &Path) -> Vec<Value> {
    json(&yagura(data, &["findings", "list", "-o", "json"])).as_array().unwrap().clone()
}

#[test]
fn findings_as_they_come_are_the_findings_of_a_replay() {
    let (data, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = story(logs.path());
    let data = data.path();

    let nothing = yagura(data, &["findings", "list"]);
    assert_eq!(nothing.status.code(), Some(2), "nothing was judged yet, which is not the same as no findings");

    succeeded(&yagura(data, &["logs", "add", &first, "-q"]));
    let found = json(&yagura(data, &["detect", "-o", "json"]));
    let stopped = found
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["finding"] == "Stealth:IAMUser/CloudTrailLoggingDisabled");
    assert_eq!(stopped.unwrap()["count"], 1, "{found}");
    assert_eq!(json(&yagura(data, &["detect", "-o", "json"])), json!([]), "nothing came since");

    succeeded(&yagura(data, &["logs", "add", &second, "-q"]));
    let found = json(&yagura(data, &["detect", "-o", "json", "--fail-on", "critical"]));
    let stopped = found
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["finding"] == "Stealth:IAMUser/CloudTrailLoggingDisabled");
    assert_eq!(stopped.unwrap()["count"], 2, "the same finding, seen again");
    assert!(found.as_array().unwrap().len() >= 2, "the snapshot was given away: {found}");

    let as_they_came = findings(data);
    succeeded(&yagura(data, &["logs", "compact"]));
    assert_eq!(json(&yagura(data, &["detect", "-o", "json"])), json!([]), "rows that were put elsewhere did not come");
    let failed = yagura(data, &["detect", "--replay", "--fail-on", "low", "-q"]);
    assert_eq!(failed.status.code(), Some(3));
    assert_eq!(findings(data), as_they_came);
}

#[test]
fn a_finding_is_told_with_its_events_and_its_story() {
    let (data, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = story(logs.path());
    let data = data.path();
    succeeded(&yagura(data, &["logs", "add", &first, &second, "-q"]));
    succeeded(&yagura(data, &["detect", "-q"]));
    let all = findings(data);
    let stopped = all.iter().find(|finding| finding["finding"] == "Stealth:IAMUser/CloudTrailLoggingDisabled").unwrap();
    let id = stopped["id"].as_str().unwrap();

    for (lang, check) in [("en", "What to check"), ("ja", "確認すること")] {
        let page = succeeded(&yagura(data, &["findings", "show", id, "--lang", lang]));
        assert!(page.contains(check) && page.contains("198.51.100.23") && page.contains("user/mio"), "{page}");
    }
    let events = succeeded(&yagura(data, &["findings", "show", id, "--events"]));
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["eventName"] == "StopLogging"));

    let incidents = json(&yagura(data, &["findings", "incidents", "-o", "json"]));
    assert_eq!(incidents.as_array().unwrap().len(), 1, "one key, one story: {incidents}");
    assert_eq!(incidents[0]["findings"].as_array().unwrap().len(), all.len());

    let file = data.join("event.json");
    std::fs::write(&file, events[0].to_string()).unwrap();
    let rule = stopped["rule"].as_str().unwrap();
    let explained = json(&yagura(data, &["rule", "explain", rule, "--event", file.to_str().unwrap(), "-o", "json"]));
    assert_eq!(explained[0]["matched"], true, "{explained}");
    let missing = yagura(data, &["findings", "show", "no-such-id"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn files_of_others_hunt_and_leave_nothing_behind() {
    let (data, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [first, second] = story(logs.path());
    let data = data.path();
    succeeded(&yagura(data, &["logs", "add", &first, &second, "-q"]));
    let rules = logs.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    let sigma = "title: A trail was stopped\nid: 2f0e9b5c-7a53-4d0c-9a0e-3f1d0a5b7c11\nstatus: test\nlevel: high\n\
                 logsource: { product: aws, service: cloudtrail }\n\
                 detection:\n  selection: { eventSource: cloudtrail.amazonaws.com, eventName: StopLogging }\n  condition: selection\n";
    std::fs::write(rules.join("stopped.yml"), sigma).unwrap();
    std::fs::write(rules.join("broken.yml"), "title: nothing to detect\n").unwrap();
    let hunted =
        yagura(data, &["hunt", "--rules", rules.to_str().unwrap(), "-o", "json", "--since", "2026-02-01T10:30:00Z"]);
    let complaint = String::from_utf8_lossy(&hunted.stderr).into_owned();
    assert!(complaint.contains("broken.yml"), "{complaint}");
    let hunted = json(&hunted);
    assert_eq!(hunted.as_array().unwrap().len(), 1, "{hunted}");
    assert_eq!(hunted[0]["count"], 1, "the other one was before");
    assert_eq!(yagura(data, &["findings", "list"]).status.code(), Some(2), "nothing is kept");
}
