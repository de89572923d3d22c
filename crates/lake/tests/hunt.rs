//! Hunts and investigations over events of two accounts, against what was worked out by hand, and over the samples of
//! every source against the slow obvious way: reading each sample's expected rows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{add, options, records};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use yagura_lake::hunt::{COLUMNS, Hunt, Wanted, Within};
use yagura_lake::investigate::{Interfaces, Kind, Link, Report, Subject};
use yagura_lake::{Lake, Tables, WAITING_BYTES_MAX, mapped, print};

const HOME: &str = "111122223333";
const AWAY: &str = "444455556666";
const STS: &str = "sts.amazonaws.com";
const FIRST_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

struct Kept {
    runtime: Runtime,
    lake: Lake,
    _folders: [tempfile::TempDir; 2],
}

impl Kept {
    fn of(events: &[Value]) -> Self {
        let runtime = Runtime::new().unwrap();
        let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let lake = Lake::new(folder.path(), runtime.handle().clone());
        let events: Vec<String> = events.iter().map(Value::to_string).collect();
        std::fs::write(logs.path().join("events.json"), records(&events)).unwrap();
        add(&lake, logs.path(), &options("first", WAITING_BYTES_MAX));
        Self { runtime, lake, _folders: [folder, logs] }
    }

    /// The samples of every source of the repository.
    fn samples() -> Self {
        let runtime = Runtime::new().unwrap();
        let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources");
        let mut mappings = Vec::new();
        for entry in std::fs::read_dir(&sources).unwrap() {
            let dir = entry.unwrap().path();
            let name = dir.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(dir.join("source.yml")).unwrap();
            let mapping: Value = serde_saphyr::from_str(&text).unwrap();
            for sample in mapping["samples"].as_array().unwrap() {
                let to = logs.path().join(&name).join(sample["key"].as_str().unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                let to = to.with_extension("log");
                std::fs::copy(dir.join(sample["file"].as_str().unwrap()), to).unwrap();
            }
            mappings.push((name, text));
        }
        mappings.sort();
        let sources = mapped::sources(mappings.iter().map(|(name, text)| (name.as_str(), text.as_str()))).unwrap();
        let lake = Lake::new(folder.path(), runtime.handle().clone()).with_sources(sources);
        add(&lake, logs.path(), &options("first", WAITING_BYTES_MAX));
        Self { runtime, lake, _folders: [folder, logs] }
    }

    fn hunt(&self, hunt: &Hunt) -> Vec<Value> {
        self.runtime.block_on(async {
            let mut answer = self.lake.hunt(hunt, 2).await.unwrap();
            assert_eq!(answer.columns(), COLUMNS);
            let mut text = Vec::new();
            while let Some(rows) = answer.next().await.unwrap() {
                print::json_lines(&rows, &mut text).unwrap();
            }
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
        })
    }

    /// The ids of what is found, with `*` behind those that only name it.
    fn found(&self, wanted: Wanted) -> Vec<String> {
        let rows = self.hunt(&Hunt { wanted: vec![wanted], ..Hunt::default() });
        let id = |row: &Value| {
            let mark = if row["matched"] == "named" { "*" } else { "" };
            format!("{}{mark}", row["id"].as_str().unwrap())
        };
        rows.iter().map(id).collect()
    }

    fn investigate(&self, name: &str, kind: Kind) -> Report {
        let subject = Subject::new(name, kind).unwrap();
        self.runtime.block_on(self.lake.investigate(&subject, &Within::default(), 2)).unwrap()
    }
}

/// An event; `more` is laid over it.
fn event(id: &str, minute: u32, name: &str, more: &Value) -> Value {
    let mut event = json!({
        "eventVersion": "1.11", "eventID": id, "eventTime": format!("2026-03-02T10:{minute:02}:00Z"), "eventName": name,
        "eventSource": "ec2.amazonaws.com", "awsRegion": "us-east-1", "recipientAccountId": HOME,
        "sourceIPAddress": "198.51.100.23", "userAgent": "aws-cli/2.15", "readOnly": true,
        "requestParameters": null, "responseElements": null,
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn user(name: &str, key: &str) -> Value {
    json!({ "type": "IAMUser", "arn": format!("arn:aws:iam::{HOME}:user/{name}"), "accountId": HOME, "accessKeyId": key,
        "userName": name, "principalId": "AIDAIOSFODNN7EXAMPLE" })
}

fn session(account: &str, role: &str, name: &str, key: &str) -> Value {
    json!({ "type": "AssumedRole", "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"), "accountId": account,
        "accessKeyId": key, "principalId": format!("AROAIOSFODNN7EXAMPLE:{name}"),
        "sessionContext": { "sessionIssuer": { "type": "Role", "arn": format!("arn:aws:iam::{account}:role/ops/{role}") } } })
}

fn assumed(account: &str, role: &str, name: &str, key: &str) -> Value {
    json!({ "credentials": { "accessKeyId": key, "sessionToken": "x", "expiration": "x" },
        "assumedRoleUser": { "assumedRoleId": format!("AROAIOSFODNN7EXAMPLE:{name}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}") } })
}

fn key(number: u32) -> String {
    format!("ASIA{number:016}")
}

/// A request to take on a role.
fn role(account: &str, role: &str) -> Value {
    json!({ "roleArn": format!("arn:aws:iam::{account}:role/ops/{role}"), "roleSessionName": "s" })
}

/// mio (a user's key) → deploy (a role here) → audit (a role of the other account, whose event alone says the key) →
/// deploy again (a cycle by role), which makes a key for sora, who comes back with it. Beside them an instance's role, a
/// failed call, and somebody else.
fn story() -> Vec<Value> {
    let mut events = beginning();
    events.extend(end());
    events
}

fn beginning() -> Vec<Value> {
    vec![
        event(
            "e01",
            0,
            "CreateAccessKey",
            &json!({ "eventSource": "iam.amazonaws.com", "readOnly": false,
            "userIdentity": user("admin", "AKIAADMIN00000000000"), "sourceIPAddress": "192.0.2.9",
            "requestParameters": { "userName": "mio" },
            "responseElements": { "accessKey": { "accessKeyId": FIRST_KEY, "userName": "mio", "status": "Active" } } }),
        ),
        event("e02", 1, "DescribeInstances", &json!({ "userIdentity": user("mio", FIRST_KEY) })),
        event(
            "e03",
            2,
            "AssumeRole",
            &json!({ "eventSource": STS, "userIdentity": user("mio", FIRST_KEY),
            "requestParameters": role(HOME, "admin"), "errorCode": "AccessDenied" }),
        ),
        event(
            "e04",
            3,
            "AssumeRole",
            &json!({ "eventSource": STS, "userIdentity": user("mio", FIRST_KEY),
            "requestParameters": role(HOME, "deploy"), "responseElements": assumed(HOME, "deploy", "s", &key(1)) }),
        ),
        event(
            "e05",
            4,
            "CreateVpc",
            &json!({ "readOnly": false, "userIdentity": session(HOME, "deploy", "s", &key(1)),
            "responseElements": { "vpc": { "vpcId": "vpc-0a1b2c3d" } } }),
        ),
        // Here it is only said who asked, there only what was handed out.
        event(
            "e06",
            5,
            "AssumeRole",
            &json!({ "eventSource": STS, "userIdentity": session(HOME, "deploy", "s", &key(1)),
            "requestParameters": role(AWAY, "audit"), "sharedEventID": "shared-1" }),
        ),
        event(
            "e07",
            5,
            "AssumeRole",
            &json!({ "eventSource": STS, "recipientAccountId": AWAY, "sharedEventID": "shared-1",
            "userIdentity": { "type": "AWSAccount", "principalId": "AROAIOSFODNN7EXAMPLE:s", "accountId": HOME },
            "requestParameters": role(AWAY, "audit"), "responseElements": assumed(AWAY, "audit", "s", &key(2)) }),
        ),
    ]
}

fn end() -> Vec<Value> {
    vec![
        event(
            "e08",
            6,
            "DeleteBucket",
            &json!({ "eventSource": "s3.amazonaws.com", "readOnly": false, "recipientAccountId": AWAY,
            "userIdentity": session(AWAY, "audit", "s", &key(2)), "sourceIPAddress": "203.0.113.7",
            "requestParameters": { "bucketName": "example-data" },
            "resources": [{ "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::example-data" }] }),
        ),
        event(
            "e09",
            7,
            "AssumeRole",
            &json!({ "eventSource": STS, "recipientAccountId": AWAY,
            "userIdentity": session(AWAY, "audit", "s", &key(2)), "requestParameters": role(HOME, "deploy"),
            "responseElements": assumed(HOME, "deploy", "s", &key(3)) }),
        ),
        event(
            "e10",
            8,
            "CreateAccessKey",
            &json!({ "eventSource": "iam.amazonaws.com", "readOnly": false,
            "userIdentity": session(HOME, "deploy", "s", &key(3)), "requestParameters": { "userName": "sora" },
            "responseElements": { "accessKey": { "accessKeyId": "AKIASORA000000000000", "userName": "sora" } } }),
        ),
        // The chain bites its tail: the first session is handed out once more.
        event(
            "e11",
            9,
            "AssumeRole",
            &json!({ "eventSource": STS, "userIdentity": user("sora", "AKIASORA000000000000"),
            "requestParameters": role(HOME, "deploy"), "responseElements": assumed(HOME, "deploy", "s", &key(1)) }),
        ),
        event(
            "e12",
            10,
            "DeleteVpc",
            &json!({ "readOnly": false, "userIdentity": session(HOME, "deploy", "s", &key(1)),
            "requestParameters": { "vpcId": "vpc-0a1b2c3d" }, "errorCode": "DependencyViolation" }),
        ),
        event(
            "e13",
            11,
            "AssumeRole",
            &json!({ "eventSource": STS, "sourceIPAddress": "ec2.amazonaws.com",
            "userIdentity": { "type": "AWSService", "invokedBy": "ec2.amazonaws.com" }, "sharedEventID": "shared-2",
            "requestParameters": { "roleArn": format!("arn:aws:iam::{HOME}:role/web"), "roleSessionName": "i-0dbc91f429e48eeed" },
            "responseElements": assumed(HOME, "web", "i-0dbc91f429e48eeed", &key(9)) }),
        ),
        event(
            "e14",
            12,
            "GetObject",
            &json!({ "eventSource": "s3.amazonaws.com", "sourceIPAddress": "2001:db8::5",
            "userIdentity": session(HOME, "web", "i-0dbc91f429e48eeed", &key(9)),
            "requestParameters": { "bucketName": "example-data", "key": "a" },
            "resources": [{ "ARN": "arn:aws:s3:::example-data/a" }, { "ARN": "arn:aws:s3:::example-data" }] }),
        ),
        event(
            "e15",
            13,
            "StopInstances",
            &json!({ "readOnly": false, "userIdentity": user("o'hara", "AKIAOTHER00000000000"),
            "sourceIPAddress": "192.0.2.10", "awsRegion": "eu-west-1",
            "requestParameters": { "instancesSet": { "items": [{ "instanceId": "i-0dbc91f429e48eeed" }] } } }),
        ),
    ]
}

#[test]
fn hunts_find_what_was_done_and_what_was_named() {
    let kept = Kept::of(&story());
    let check = |wanted: Wanted, expected: &[&str]| assert_eq!(kept.found(wanted.clone()), expected, "{wanted:?}");
    check(Wanted::key(FIRST_KEY).unwrap(), &["e01*", "e02", "e03", "e04"]);
    check(Wanted::key(&key(2)).unwrap(), &["e07*", "e08", "e09"]);
    check(Wanted::principal("mio").unwrap(), &["e01*", "e02", "e03", "e04"]);
    check(Wanted::principal(&format!("arn:aws:iam::{HOME}:user/mio")).unwrap(), &["e01*", "e02", "e03", "e04"]);
    // A role acts as its sessions; who took it on names it.
    check(
        Wanted::principal(&format!("arn:aws:iam::{HOME}:role/ops/deploy")).unwrap(),
        &["e04*", "e05", "e06", "e09*", "e10", "e11*", "e12"],
    );
    check(Wanted::principal("audit").unwrap(), &["e08", "e09"]);
    check(Wanted::principal("o'hara").unwrap(), &["e15"]);
    check(Wanted::principal("ec2.amazonaws.com").unwrap(), &["e13"]);
    check(Wanted::network("203.0.113.7").unwrap(), &["e08"]);
    check(Wanted::network("192.0.2.0/24").unwrap(), &["e01", "e15"]);
    check(Wanted::network("2001:db8::/32").unwrap(), &["e14"]);
    check(Wanted::network("2001:DB8:0:0::5").unwrap(), &["e14"]);
    check(Wanted::resource("example-data").unwrap(), &["e08*", "e14*"]);
    check(Wanted::resource("arn:aws:s3:::example-data").unwrap(), &["e08*", "e14*"]);
    check(Wanted::resource("arn:aws:s3:::example").unwrap(), &[]);
    check(Wanted::resource("vpc-0a1b2c3d").unwrap(), &["e05*", "e12*"]);
    check(Wanted::resource(&format!("arn:aws:ec2:us-east-1:{HOME}:vpc/vpc-0a1b2c3d")).unwrap(), &["e05*", "e12*"]);
    check(Wanted::resource(&format!("arn:aws:ec2:us-east-1:{AWAY}:vpc/vpc-0a1b2c3d")).unwrap(), &[]);
    check(Wanted::resource("%' OR '1'='1").unwrap(), &[]);
}

#[test]
fn a_hunt_keeps_to_its_time_and_place() {
    let kept = Kept::of(&story());
    let micros = |text: &str| yagura_lake::time::micros(text);
    let check = |within: Within, acting: bool, limit: Option<usize>, expected: &[&str]| {
        let wanted = vec![Wanted::principal("mio").unwrap(), Wanted::network("192.0.2.0/24").unwrap()];
        let rows = kept.hunt(&Hunt { wanted, within, acting, limit });
        let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected);
    };
    let all = Within::default();
    check(all.clone(), false, None, &["e01", "e02", "e03", "e04", "e15"]);
    check(all.clone(), false, Some(2), &["e01", "e02"]);
    let times = Within { since: micros("2026-03-02T10:01:00Z"), until: micros("2026-03-02T10:03:00Z"), ..all.clone() };
    check(times, false, None, &["e02", "e03"]);
    check(Within { accounts: vec![AWAY.to_owned()], ..all.clone() }, false, None, &[]);
    check(Within { regions: vec!["eu-west-1".to_owned()], ..all.clone() }, false, None, &["e15"]);
    // What was done by admin from the network stays; that it names mio's key no longer counts.
    check(all, true, None, &["e01", "e02", "e03", "e04", "e15"]);
    let row = &kept.hunt(&Hunt { wanted: vec![Wanted::key(&key(2)).unwrap()], acting: true, ..Hunt::default() })[0];
    let read = |column: &str| row[column].as_str().unwrap().to_owned();
    assert_eq!(read("time"), "2026-03-02T10:06:00Z");
    assert_eq!(
        (read("source"), read("account"), read("service"), read("what")),
        ("cloudtrail".to_owned(), AWAY.to_owned(), "s3.amazonaws.com".to_owned(), "DeleteBucket".to_owned())
    );
    assert_eq!(
        (read("address"), read("resource"), read("matched")),
        ("203.0.113.7".to_owned(), "example-data".to_owned(), "acting".to_owned())
    );
    assert_eq!(serde_json::from_str::<Value>(&read("record")).unwrap()["eventID"], "e08");
}

fn link(link: &Link) -> (usize, &str, &str, Option<&str>, u64) {
    (link.depth, link.event.as_str(), link.by.as_deref().unwrap_or_default(), link.key.as_deref(), link.activity.events)
}

#[test]
fn whom_a_key_became_is_followed_across_accounts_until_it_ends() {
    let kept = Kept::of(&story());
    let report = kept.investigate(FIRST_KEY, Kind::Key);
    assert_eq!((report.did.events, report.did.failed, report.did.writes, report.named.events), (3, 1, 0, 1));
    let [mio, deploy, audit] = [
        format!("arn:aws:iam::{HOME}:user/mio"),
        format!("arn:aws:sts::{HOME}:assumed-role/deploy/s"),
        format!("arn:aws:sts::{AWAY}:assumed-role/audit/s"),
    ];
    let (first, second, third) = (key(1), key(2), key(3));
    let links: Vec<_> = report.became.links.iter().map(link).collect();
    assert_eq!(
        links,
        [
            (1, "e04", mio.as_str(), Some(first.as_str()), 3),
            (2, "e06", &deploy, Some(&second), 2),
            (3, "e09", &audit, Some(&third), 1),
            (4, "e10", &deploy, Some("AKIASORA000000000000"), 1),
        ]
    );
    assert!(!report.became.more);
    assert_eq!(report.became.links[1].parent, Some(0));
    assert_eq!(report.became.links[1].becomes.as_deref(), Some(audit.as_str()));
    let before: Vec<_> = report.before.links.iter().map(link).collect();
    let admin = format!("arn:aws:iam::{HOME}:user/admin");
    assert_eq!(before, [(1, "e01", admin.as_str(), Some(FIRST_KEY), 0)]);
}

#[test]
fn who_a_session_was_before_is_followed_back() {
    let kept = Kept::of(&story());
    let report = kept.investigate(&key(3), Kind::Key);
    let before: Vec<(usize, &str, Option<&str>)> =
        report.before.links.iter().map(|link| (link.depth, link.event.as_str(), link.by_key.as_deref())).collect();
    // audit's session; deploy's, which the other account's event alone knows; mio's key and, the other way round the
    // cycle, nothing that was seen already.
    let (first, second) = (key(1), key(2));
    assert_eq!(
        before,
        [
            (1, "e09", Some(second.as_str())),
            (2, "e07", Some(first.as_str())),
            (3, "e04", Some(FIRST_KEY)),
            (4, "e01", Some("AKIAADMIN00000000000")),
        ]
    );
    assert_eq!(
        report.before.links[1].by.as_deref(),
        Some(format!("arn:aws:sts::{HOME}:assumed-role/deploy/s").as_str())
    );
}

#[test]
fn a_profile_says_what_was_done_and_to_what() {
    let kept = Kept::of(&story());
    let report = kept.investigate(&format!("arn:aws:iam::{HOME}:role/ops/deploy"), Kind::Principal);
    let did = &report.did;
    assert_eq!((did.events, did.failed, did.reads, did.writes), (4, 1, 1, 3));
    assert_eq!(report.named.events, 3);
    let calls: Vec<(&str, u64, u64)> =
        did.calls.names.iter().map(|call| (call.name.as_str(), call.events, call.failed)).collect();
    assert_eq!(
        calls,
        [("ec2:CreateVpc", 1, 0), ("ec2:DeleteVpc", 1, 1), ("iam:CreateAccessKey", 1, 0), ("sts:AssumeRole", 1, 0)]
    );
    assert_eq!(did.errors.names[0].name, "DependencyViolation");
    // A refused deletion deletes nothing.
    let changes: Vec<(&str, bool, bool)> = report
        .changes
        .iter()
        .map(|change| (change.name.as_str(), change.created.is_some(), change.deleted.is_some()))
        .collect();
    assert_eq!(changes, [("vpc-0a1b2c3d", true, false), ("AKIASORA000000000000", true, false)]);

    let instance = kept.investigate("i-0dbc91f429e48eeed", Kind::Instance);
    assert_eq!((instance.did.events, instance.named.events), (1, 2));
    assert_eq!(instance.before.links.iter().map(|link| link.event.as_str()).collect::<Vec<_>>(), ["e13"]);
    assert_eq!(instance.before.links[0].by.as_deref(), Some("ec2.amazonaws.com"));

    let bucket = kept.investigate("arn:aws:s3:::example-data", Kind::Resource);
    assert_eq!((bucket.did.events, bucket.named.events), (0, 2));
    assert_eq!(bucket.changes[0].calls.keys().collect::<Vec<_>>(), ["s3:DeleteBucket"]);
    assert!(bucket.changes[0].deleted.is_some());
    assert!(kept.runtime.block_on(kept.lake.has_principal("sora", 2)).unwrap());
    assert!(!kept.runtime.block_on(kept.lake.has_principal("nobody", 2)).unwrap());
}

#[test]
fn every_other_log_is_searched_by_what_its_mapping_declares() {
    let kept = Kept::samples();
    let check = |wanted: Wanted, expected: &[&str]| {
        let rows = kept.hunt(&Hunt { wanted: vec![wanted.clone()], ..Hunt::default() });
        let times: Vec<Option<i64>> =
            rows.iter().map(|row| yagura_lake::time::micros(row["time"].as_str().unwrap())).collect();
        assert!(times.is_sorted(), "{times:?}");
        let found: BTreeSet<&str> = rows.iter().map(|row| row["source"].as_str().unwrap()).collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{wanted:?}");
    };
    check(Wanted::network("198.51.100.23").unwrap(), &["guardduty", "rdslogin", "s3access"]);
    check(Wanted::network("192.0.2.77").unwrap(), &["eksaudit"]);
    check(Wanted::network("192.0.2.66").unwrap(), &["waf"]);
    check(Wanted::network("192.0.2.48/30").unwrap(), &["nlb"]);
    check(Wanted::principal("arn:aws:iam::111122223333:role/app").unwrap(), &["s3access"]);
    check(Wanted::principal("arn:aws:sts::111122223333:assumed-role/dev/alice").unwrap(), &["eksaudit"]);
    check(Wanted::resource("i-0aa11bb22cc33dd44").unwrap(), &["guardduty", "route53resolver", "vpcflow"]);
    check(Wanted::resource("arn:aws:s3:::example-data").unwrap(), &["s3access"]);
    check(Wanted::resource("eni-0a1b2c3d4e5f60718").unwrap(), &["vpcflow"]);

    // The slow way: every expected row of the flow logs that has the address.
    let expected = include_str!("../../../sources/vpcflow/expected.ndjson");
    let has = |row: &&Value| {
        ["srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"].iter().any(|column| row[*column] == "192.0.2.10")
    };
    let rows: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = rows.iter().filter(has).count();
    let rows = kept.hunt(&Hunt { wanted: vec![Wanted::network("192.0.2.10").unwrap()], ..Hunt::default() });
    let found = rows.iter().filter(|row| row["source"] == "vpcflow").count();
    assert!(expected > 0);
    assert_eq!(found, expected);

    let interfaces =
        Interfaces { ids: vec!["eni-0a1b2c3d4e5f60718".to_owned()], addresses: vec!["192.0.2.10".to_owned()] };
    let subject = Subject::new("i-0aa11bb22cc33dd44", Kind::Instance).unwrap().with_interfaces(&interfaces);
    let report = kept.runtime.block_on(kept.lake.investigate(&subject, &Within::default(), 2)).unwrap();
    let others: Vec<&str> = report.others.iter().map(|other| other.source.as_str()).collect();
    assert!(["guardduty", "route53resolver", "vpcflow"].iter().all(|source| others.contains(source)), "{others:?}");
    for other in &report.others {
        assert!(!other.groups.is_empty());
        assert!(other.groups.iter().map(|group| group.events).sum::<u64>() <= other.events);
    }
}

#[test]
fn our_functions_are_there_for_every_question() {
    let kept = Kept::of(&story());
    let sql =
        "SELECT count(*) AS n FROM cloudtrail WHERE in_network(\"sourceIPAddress\", '192.0.2.0/24 2001:db8::/32')";
    let text = kept.runtime.block_on(async {
        let mut answer = kept.lake.query(sql, Tables::default(), false, 2).await.unwrap();
        let mut text = Vec::new();
        while let Some(rows) = answer.next().await.unwrap() {
            print::json_lines(&rows, &mut text).unwrap();
        }
        String::from_utf8(text).unwrap()
    });
    assert_eq!(text, "{\"n\":3}\n");
}

/// Every event in the folder, once, read in the plainest way.
fn events_below(folder: &Path) -> Vec<Value> {
    let mut events = std::collections::BTreeMap::new();
    for object in common::objects(folder) {
        let bytes = std::fs::read(&object.uri).unwrap();
        let text = if bytes.starts_with(&[0x1f, 0x8b]) {
            std::io::read_to_string(flate2::read::MultiGzDecoder::new(bytes.as_slice())).unwrap()
        } else {
            String::from_utf8(bytes).unwrap_or_default()
        };
        let documents: Vec<Value> = match serde_json::from_str(&text) {
            Ok(document) => vec![document],
            Err(_) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        };
        let mut waiting = documents;
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(items) => waiting.extend(items),
                Value::Object(ref members) if members.contains_key("eventID") && members.contains_key("eventTime") => {
                    events.insert(members["eventID"].to_string(), value);
                }
                Value::Object(members) => waiting.extend(members.get("Records").cloned()),
                _ => {}
            }
        }
    }
    events.into_values().collect()
}

#[test]
fn real_events_are_found_as_a_plain_pass_over_them_finds_them() {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    for folder in ["invictus-aws-dataset/CloudTrail", "stratus-red-team/detonation-logs", "otrf-security-datasets"] {
        let folder = datasets.join(folder);
        if !folder.is_dir() {
            eprintln!("SKIPPED: {} is not there", folder.display());
            continue;
        }
        // One of the sets went through Logstash, which calls the time of an event by another name.
        let renamed = tempfile::tempdir().unwrap();
        let is_renamed = folder.ends_with("otrf-security-datasets");
        if is_renamed {
            let file = std::fs::File::open(folder.join("ec2_proxy_s3_exfiltration_2020-09-14011940.json.gz")).unwrap();
            let text = std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap();
            std::fs::write(renamed.path().join("events.json"), text.replace("\"@timestamp\"", "\"eventTime\""))
                .unwrap();
        }
        let folder = if is_renamed { renamed.path().to_path_buf() } else { folder };
        let events = events_below(&folder);
        assert!(events.len() > 50, "{}", folder.display());
        let kept = {
            let runtime = Runtime::new().unwrap();
            let (lake_folder, none) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let lake = Lake::new(lake_folder.path(), runtime.handle().clone());
            add(&lake, &folder, &options("first", WAITING_BYTES_MAX));
            Kept { runtime, lake, _folders: [lake_folder, none] }
        };
        let mut keys: BTreeSet<&str> =
            events.iter().filter_map(|event| event["userIdentity"]["accessKeyId"].as_str()).collect();
        keys.retain(|key| key.starts_with("AKIA") || key.starts_with("ASIA"));
        for key in keys.iter().take(20) {
            let by = |event: &&Value| event["userIdentity"]["accessKeyId"] == **key;
            let mut expected: Vec<&str> =
                events.iter().filter(by).map(|event| event["eventID"].as_str().unwrap()).collect();
            expected.sort_unstable();
            let hunt = Hunt { wanted: vec![Wanted::key(key).unwrap()], acting: true, ..Hunt::default() };
            let rows = kept.hunt(&hunt);
            let mut found: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{key}");
        }
        // The busiest key: its profile, and the credentials it was handed.
        let Some(key) = keys
            .iter()
            .max_by_key(|key| events.iter().filter(|event| event["userIdentity"]["accessKeyId"] == ***key).count())
        else {
            continue;
        };
        let own: Vec<&Value> = events.iter().filter(|event| event["userIdentity"]["accessKeyId"] == **key).collect();
        let report = kept.investigate(key, Kind::Key);
        assert_eq!(report.did.events, own.len() as u64);
        let failed = own.iter().filter(|event| event["errorCode"].is_string()).count();
        assert_eq!(report.did.failed, failed as u64);
        let addresses: BTreeSet<&str> = own.iter().filter_map(|event| event["sourceIPAddress"].as_str()).collect();
        let found: BTreeSet<&str> = report.did.addresses.names.iter().map(|named| named.name.as_str()).collect();
        assert_eq!(found, addresses);
        let mut handed: Vec<&str> = own
            .iter()
            .filter_map(|event| {
                let answer = &event["responseElements"];
                answer["credentials"]["accessKeyId"].as_str().or(answer["accessKey"]["accessKeyId"].as_str())
            })
            .collect();
        handed.sort_unstable();
        let first = report.became.links.iter().filter(|link| link.depth == 1);
        let mut found: Vec<&str> = first.filter_map(|link| link.key.as_deref()).collect();
        found.sort_unstable();
        assert_eq!(found, handed, "{key}");
    }
}
