//! Hunting and investigating as a person does: the program, the sample logs, every form of output in both languages.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

mod common;

use std::path::Path;
use std::process::Output;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use yagura_model::{Observation, Seen};
use yagura_record::{Ledger, ScanInfo};

use common::{json, yagura};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn with_logs() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    assert!(yagura(data.path(), &["logs", "add", "fixtures/logs", "-q"]).status.success());
    data
}

#[test]
fn a_hunt_prints_events_and_how_much_was_searched() {
    let data = with_logs();
    let (out, err) = text(&yagura(data.path(), &["hunt", "--key", KEY, "--acting"]));
    assert!(out.contains("cloudtrail:StopLogging") && out.contains("AccessDenied"), "{out}");
    // 27 hours in two regions from the first event to the last; three of one and one of the other have events.
    assert!(err.contains("8 events") && err.contains("searched 4 of 54 account-region-hours"), "{err}");
    let (_, err) = text(&yagura(data.path(), &["--lang", "ja", "hunt", "--key", KEY, "--acting"]));
    assert!(err.contains("8 件") && err.contains("54 のうち 4"), "{err}");

    let rows =
        json(&yagura(data.path(), &["hunt", "--ip", "198.51.100.0/24", "--region", "ap-northeast-1", "-o", "json"]));
    let names: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap()).collect();
    assert_eq!(names, ["AuthorizeSecurityGroupIngress", "DescribeRegions"]);
    assert_eq!(rows[0]["resource"], "sg-0123456789abcdef0");
    let (out, _) =
        text(&yagura(data.path(), &["hunt", "--resource", "example-logs", "--until", "2026-03-03", "-o", "csv"]));
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.starts_with("time,source,account,region,service,what,"), "{out}");
}

#[test]
fn a_hunt_says_what_it_cannot_do() {
    let data = with_logs();
    for (arguments, code, says) in [
        (&["hunt"][..], 2, "--key"),
        (&["hunt", "--ip", "10.0.0.0/40"], 1, "`10.0.0.0/40` is not an address"),
        (&["hunt", "--key", "mio"], 1, "`mio` is not the id of an access key"),
        (&["hunt", "--ip", "10.0.0.1", "-o", "sarif"], 2, "json"),
        (&["hunt", "--ip", "10.0.0.1", "--since", "2026-03-02", "--until", "2026-03-01"], 2, "--since"),
        (&["hunt", "--ip", "10.0.0.1", "--require-complete"], 4, "nothing is known"),
        (&["--lang", "ja", "hunt", "--key", "mio"], 1, "アクセスキーの ID ではない"),
    ] {
        let output = yagura(data.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let (_, err) = text(&output);
        assert!(err.contains(says), "{arguments:?}: {err}");
    }
}

#[test]
fn an_investigation_is_one_page_in_every_form() {
    let data = with_logs();
    let page = json(&yagura(data.path(), &["investigate", KEY, "-o", "json"]));
    assert_eq!(page["kind"], "key");
    assert_eq!(page["did"]["events"], 8);
    assert_eq!(page["did"]["failed"], 3);
    assert_eq!(page["did"]["first"], "2026-03-03T03:00:01Z");
    assert_eq!(page["searched"]["hours"], 4);
    let changes: Vec<(&str, &str)> = page["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["service"].as_str().unwrap(), change["now"]["state"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("cloudtrail", "unknown"), ("ec2", "unknown")]);
    let role = json(&yagura(data.path(), &["investigate", "Deploy", "-o", "json"]));
    assert_eq!((&role["kind"], &role["could_be"][0]), (&"principal".into(), &"resource".into()));
    assert_eq!(role["before"]["links"][0]["by"], "codepipeline.amazonaws.com");
    let bucket = json(&yagura(data.path(), &["investigate", "example-logs", "-o", "json"]));
    assert_eq!((&bucket["kind"], &bucket["named"]["events"]), (&"resource".into(), &2.into()));
    let forced = json(&yagura(data.path(), &["investigate", "Deploy", "--as", "resource", "-o", "json"]));
    assert_eq!(forced["kind"], "resource");

    for (lang, says) in [("en", "What it did"), ("ja", "行った操作")] {
        let (out, _) = text(&yagura(data.path(), &["--lang", lang, "investigate", KEY]));
        assert!(out.contains(says) && out.contains("cloudtrail:StopLogging"), "{out}");
        assert!(!out.contains("investigate."), "a word is missing: {out}");
        let (out, _) = text(&yagura(data.path(), &["--lang", lang, "investigate", "example-logs", "-o", "html"]));
        assert!(out.contains(&format!("<html lang=\"{lang}\">")) && out.ends_with("</html>\n"));
        assert!(!out.contains("investigate.") && !out.contains("{{") && !out.contains("<script"), "{out}");
    }
    let file = data.path().join("page.html");
    let out = yagura(data.path(), &["investigate", KEY, "-o", "html", "--out", file.to_str().unwrap()]);
    assert!(out.status.success() && out.stdout.is_empty());
    assert!(std::fs::read_to_string(file).unwrap().contains("StopLogging"));
}

fn resource(kind: &str, id: &str, more: &Value) -> Observation {
    let mut resource = serde_json::json!({
        "type": kind, "account": "111122223333", "region": "us-east-1", "id": id, "properties": {},
    });
    for (key, value) in more.as_object().unwrap() {
        resource.as_object_mut().unwrap().insert(key.clone(), value.clone());
    }
    Observation { at: moment(0), seen: Seen::Resource(Box::new(serde_json::from_value(resource).unwrap())) }
}

fn moment(hours: i64) -> DateTime<Utc> {
    "2026-03-10T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
}

/// A ledger with an instance and its interface, a bucket, and a trail that was gone by the second scan.
fn record(data: &Path) {
    let trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/main";
    let interface = serde_json::json!({ "properties": { "PrivateIpAddress": "192.0.2.10" } });
    let instance =
        serde_json::json!({ "relations": [{ "type": "AWS::EC2::NetworkInterface", "id": "eni-0a1b2c3d4e5f60718" }] });
    let first = [
        resource("AWS::EC2::Instance", "i-0dbc91f429e48eeed", &instance),
        resource("AWS::EC2::NetworkInterface", "eni-0a1b2c3d4e5f60718", &interface),
        resource("AWS::S3::Bucket", "example-logs", &serde_json::json!({})),
        resource("AWS::CloudTrail::Trail", "main", &serde_json::json!({ "arn": trail })),
    ];
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ledger = Ledger::open(data).await.unwrap();
        for (hour, seen) in [(0, &first[..]), (1, &first[..3])] {
            let info = ScanInfo {
                account: "111122223333".into(),
                started: moment(hour),
                regions: vec!["us-east-1".into()],
                source: "live".to_owned(),
                volatile: std::collections::BTreeSet::new(),
            };
            let mut scan = ledger.begin_scan(info).await.unwrap();
            for observation in seen {
                scan.observe(&Observation { at: moment(hour), ..observation.clone() }).await.unwrap();
            }
            let (kind, account, region) = ("AWS::CloudTrail::Trail".into(), "111122223333".into(), "us-east-1".into());
            scan.observe(&Observation { at: moment(hour), seen: Seen::Listed { kind, account, region } })
                .await
                .unwrap();
            scan.finish(moment(hour)).await.unwrap();
        }
    });
}

#[test]
fn the_ledger_says_what_still_exists_and_what_an_instance_is_reached_by() {
    let data = with_logs();
    record(data.path());
    assert!(yagura(data.path(), &["logs", "add", "sources/vpcflow/default.log", "-q"]).status.success());
    let page = json(&yagura(data.path(), &["investigate", "i-0dbc91f429e48eeed", "-o", "json"]));
    assert_eq!((&page["kind"], &page["interfaces"][0]), (&"instance".into(), &"eni-0a1b2c3d4e5f60718".into()));
    assert_eq!(page["addresses"][0], "192.0.2.10");
    // No row has the id of an instance in it: all three are found by the interface.
    assert_eq!((&page["other_logs"][0]["source"], &page["other_logs"][0]["events"]), (&"vpcflow".into(), &3.into()));
    assert_eq!(page["other_logs"][0]["groups"][0]["what"], "2001:db8:1::10 > 2001:db8:2::20 port 22");
    assert_eq!(page["other_logs"][0]["groups"][0]["bytes"], 8855);

    let state = |subject: &str, name: &str| {
        let page = json(&yagura(data.path(), &["investigate", subject, "-o", "json"]));
        let changes = page["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["name"].as_str().unwrap().contains(name)).unwrap();
        change["now"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("Operations", "example-logs"), "exists");
    assert_eq!(state(KEY, "main"), "gone");
    assert_eq!(state(KEY, "sg-0123456789abcdef0"), "unknown");
    // The history of all of them, by way of SQL, in one pass.
    let sql = "SELECT id, event FROM resource_history ORDER BY id, version";
    let rows = json(&yagura(data.path(), &["sql", sql, "-o", "json"]));
    let rows: Vec<(&str, &str)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_str().unwrap(), row["event"].as_str().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            ("eni-0a1b2c3d4e5f60718", "appeared"),
            ("example-logs", "appeared"),
            ("i-0dbc91f429e48eeed", "appeared"),
            ("main", "appeared, disappeared"),
        ]
    );
}

/// A question is told how much of what it asked about there was, by its conditions.
#[test]
fn a_question_in_sql_is_covered_by_what_its_conditions_allow() {
    let data = with_logs();
    for (condition, expected) in [
        ("true", "searched 4 of 54"),
        ("region = 'ap-northeast-1'", "searched 1 of 27"),
        ("eventTime >= '2026-03-03T03:00:00Z'", "searched 2 of 2"),
        ("day = '2026-03-02'", "searched 2 of 46"),
        ("eventName = 'StopLogging'", "searched 4 of 54"),
        ("account = '444455556666'", "searched 0 of 0"),
    ] {
        let sql = format!("SELECT count(*) AS n FROM cloudtrail WHERE {condition}");
        let (_, err) = text(&yagura(data.path(), &["sql", &sql, "-o", "ndjson"]));
        assert!(err.contains(&format!("{expected} account-region-hours")), "{condition}: {err}");
    }
}
