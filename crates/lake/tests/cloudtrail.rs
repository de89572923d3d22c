//! CloudTrail in every form it is handed around in, and in every form it is damaged in.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::io::Write;
use std::path::Path;

use common::{add, ask, event, options, records};
use tokio::runtime::Runtime;
use yagura_lake::{Added, Lake, WAITING_BYTES_MAX};

struct Kept {
    runtime: Runtime,
    lake: Lake,
    logs: tempfile::TempDir,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::new(folder.path(), runtime.handle().clone());
        Self { runtime, lake, logs: tempfile::tempdir().unwrap(), _folder: folder }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.logs.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn add(&self, run: &str) -> Added {
        self.add_from(self.logs.path(), run)
    }

    fn add_from(&self, folder: &Path, run: &str) -> Added {
        add(&self.lake, folder, &options(run, WAITING_BYTES_MAX))
    }

    fn ask(&self, sql: &str) -> String {
        match self.runtime.block_on(ask(&self.lake, sql)) {
            Ok(answer) => answer,
            Err(error) => error.to_string(),
        }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn one(id: u64) -> String {
    event(id, "2026-03-02T10:00:00Z", "111122223333", "us-east-1")
}

#[test]
fn every_form_gives_the_same_events() {
    let escaped = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let (a, b) = (one(1), one(2));
    for (form, text) in [
        ("a file", records(&[a.clone(), b.clone()])),
        ("a file with spaces", format!("\n {{ \"Records\" : [ {a} ,\n {b} ] }}\n")),
        ("an array", format!("[{a},{b}]")),
        ("lines", format!("{a}\n{b}\n")),
        ("lines of windows", format!("{a}\r\n\r\n{b}\r\n")),
        ("an event", format!("{a}\n")),
        ("EventBridge", format!(r#"[{{"source":"aws.ec2","detail":{a}}},{{"detail-type":"x","detail":{b}}}]"#)),
        (
            "CloudWatch Logs",
            format!(
                r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","message":{}}},{{"id":"2","message":{}}}]}}"#,
                escaped(&a),
                escaped(&b)
            ),
        ),
        (
            "LookupEvents",
            format!(
                r#"{{"Events":[{{"EventId":"x","CloudTrailEvent":{}}},{{"CloudTrailEvent":{}}}]}}"#,
                escaped(&a),
                escaped(&b)
            ),
        ),
        ("the other members first", format!(r#"{{"x":[1,{{"y":"}}"}}],"Records":[{a},{b}]}}"#)),
    ] {
        for bytes in [text.clone().into_bytes(), gzip(&text), zstd::encode_all(text.as_bytes(), 1).unwrap()] {
            let kept = Kept::new();
            kept.write("events.json", bytes);
            let added = kept.add("r");
            let count = if form == "an event" { 1 } else { 2 };
            assert_eq!(
                (added.skipped_count, added.sources["cloudtrail"].rows),
                (0, count),
                "{form}: {:?}",
                added.skipped
            );
            let record = kept.ask(r#"SELECT record FROM cloudtrail ORDER BY "eventID" LIMIT 1"#);
            let record: sonic_rs::Value = sonic_rs::from_str(record.trim()).unwrap();
            assert_eq!(sonic_rs::JsonValueTrait::as_str(&record["record"]), Some(a.as_str()), "{form}");
        }
    }
}

#[test]
fn the_columns_hold_what_the_event_says() {
    let kept = Kept::new();
    kept.write(
        "events.json",
        r#"{"Records":[{"eventTime":"2026-03-02T10:00:00Z","eventID":"e-1","eventName":"PutObject","eventSource":"s3.amazonaws.com",
        "userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/r/s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/r"},"attributes":{"mfaAuthenticated":"true"}}},
        "userAgent":"say \"hi\" \u6ad3","errorCode":null,"readOnly":false,"awsRegion":"us-east-1","recipientAccountId":"111122223333",
        "requestParameters":{"bucketName":"b","key":"a\\b"},"resources":[{"ARN":"arn:aws:s3:::b/k"},{"arn":"arn:aws:s3:::b"}]}]}"#,
    );
    assert_eq!(kept.add("r").skipped_count, 0);
    let answer = kept.ask(
        r"SELECT eventtime, useragent, errorcode, userIdentity.type AS kind, useridentity.sessioncontext.sessionissuer.ARN AS role,
           e.userIdentity.sessionContext.attributes.mfaAuthenticated AS mfa, readonly, requestparameters->>'key' AS key,
           record->'userIdentity'->>'type' AS again, resources[2] AS second, account, region, day
           FROM CloudTrail e",
    );
    assert_eq!(
        answer.trim(),
        r#"{"eventTime":"2026-03-02T10:00:00Z","userAgent":"say \"hi\" 櫓","errorCode":null,"kind":"AssumedRole","role":"arn:aws:iam::111122223333:role/r","mfa":"true","readOnly":false,"key":"a\\b","again":"AssumedRole","second":"arn:aws:s3:::b","account":"111122223333","region":"us-east-1","day":"2026-03-02"}"#
    );
}

#[test]
fn an_event_is_kept_once_however_often_it_comes() {
    let kept = Kept::new();
    kept.write("one/1_CloudTrail.json", records(&[one(1), one(2), one(2)]));
    kept.write("two/2_CloudTrail.json", records(&[one(2), one(3)]));
    let added = kept.add("r1").sources["cloudtrail"];
    assert_eq!((added.rows, added.duplicates, added.objects, added.known), (3, 2, 2, 0));
    let added = kept.add("r2").sources["cloudtrail"];
    assert_eq!((added.rows, added.duplicates, added.objects, added.known), (0, 0, 0, 2));
    // Another file with some of the same events, against what is stored.
    kept.write("three/3_CloudTrail.json", records(&[one(3), one(4)]));
    let added = kept.add("r3").sources["cloudtrail"];
    assert_eq!((added.rows, added.duplicates, added.objects, added.known), (1, 1, 1, 2));
    assert_eq!(
        kept.ask("SELECT count(*) AS n, count(DISTINCT eventID) AS d FROM cloudtrail").trim(),
        r#"{"n":4,"d":4}"#
    );
    // Small files become one, with the same rows.
    let before = kept.ask("SELECT * FROM cloudtrail ORDER BY eventID");
    let done = kept.lake.compact(&options("c", WAITING_BYTES_MAX), None).unwrap();
    assert_eq!(done[0].files, (2, 1));
    assert_eq!(kept.ask("SELECT * FROM cloudtrail ORDER BY eventID"), before);
    let added = kept.add("r4").sources["cloudtrail"];
    assert_eq!((added.rows, added.known), (0, 3));
    // Days that are over are dropped when asked for.
    let done = kept.lake.compact(&options("d", WAITING_BYTES_MAX), Some(30)).unwrap();
    assert_eq!(done[0].dropped, 4);
    assert_eq!(kept.ask("SELECT count(*) AS n FROM cloudtrail").trim(), r#"{"n":0}"#);
}

#[test]
fn the_same_objects_in_a_bucket_and_in_a_copy_of_it_are_the_same() {
    let kept = Kept::new();
    let name = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/111122223333_CloudTrail_us-east-1_x.json";
    kept.write(&format!("first/{name}"), records(&[one(1)]));
    kept.write(&format!("second/{name}"), records(&[one(1)]));
    let added = kept.add("r").sources["cloudtrail"];
    assert_eq!((added.rows, added.duplicates, added.objects), (1, 0, 1));
}

#[test]
fn what_is_damaged_is_said_and_the_rest_is_kept() {
    let torn = records(&[one(1), one(2)]);
    let long: Vec<String> = (100..2_000).map(one).collect();
    let long = gzip(&records(&long));
    for (name, bytes, rows, reasons) in [
        ("torn", torn.as_bytes()[..torn.len() - 40].to_vec(), 1, vec![("not_json", Some(2))]),
        (
            "no id",
            records(&[r#"{"eventTime":"2026-03-02T10:00:00Z","eventSource":"x","eventID":null}"#.to_owned(), one(1)])
                .into_bytes(),
            1,
            vec![("missing", Some(1))],
        ),
        (
            "no time",
            records(&[one(1), r#"{"eventID":"x","eventTime":"yesterday","eventSource":"s"}"#.to_owned()]).into_bytes(),
            1,
            vec![("missing", Some(2))],
        ),
        ("bad line", format!("{}\nnot json\n{}\n", one(1), one(2)).into_bytes(), 2, vec![("not_json", Some(2))]),
        (
            "not utf-8",
            [one(1).as_bytes(), b"\n{\"eventID\":\"\xff\"}\n", one(2).as_bytes()].concat(),
            2,
            vec![("not_utf8", Some(2))],
        ),
        (
            "deep",
            records(&[format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)), one(1)]).into_bytes(),
            1,
            vec![("too_deep", Some(1))],
        ),
        ("deep by itself", format!("[{},{}", one(1), "[".repeat(200_000)).into_bytes(), 1, vec![("not_json", Some(2))]),
        ("half a gzip", long[..long.len() / 2].to_vec(), -1, vec![("not_json", None), ("truncated", None)]),
        ("something else", b"hello\n".to_vec(), 0, vec![("unknown_format", None)]),
        ("nothing", Vec::new(), 0, vec![("unknown_format", None)]),
    ] {
        let kept = Kept::new();
        kept.write("bad_CloudTrail.json", bytes);
        kept.write("good_CloudTrail.json", records(&[one(9)]));
        let added = kept.add("r");
        let found: Vec<&str> = added.skipped.iter().map(|skipped| skipped.reason.code()).collect();
        let expected: Vec<&str> = reasons.iter().map(|(code, _)| *code).collect();
        assert_eq!(found, expected, "{name}: {:?}", added.skipped);
        for ((_, line), skipped) in reasons.iter().zip(&added.skipped) {
            assert!(line.is_none_or(|line| skipped.line == Some(line)), "{name}: {skipped:?}");
        }
        let stored = added.sources["cloudtrail"].rows;
        match u64::try_from(rows) {
            Ok(rows) => assert_eq!(stored, rows + 1, "{name}"),
            Err(_) => assert!(stored > 100, "{name}"),
        }
    }
}

#[test]
fn a_digest_is_no_log() {
    let kept = Kept::new();
    kept.write("d.json", r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-02T10:00:00Z","digestS3Bucket":"b","digestS3Object":"k","logFiles":[]}"#);
    let added = kept.add("r");
    // It lacks most of what a digest has: it proves nothing, and that is said.
    assert_eq!((added.aside, added.skipped_count, added.sources.len()), (1, 1, 0));
}

#[test]
fn an_event_cannot_choose_where_it_is_written() {
    let kept = Kept::new();
    kept.write("1_CloudTrail.json", records(&[event(1, "2026-03-02T10:00:00Z", "../../../../x", "us/../..")]));
    assert_eq!(kept.add("r").sources["cloudtrail"].rows, 1);
    assert_eq!(
        kept.ask("SELECT account, region, awsRegion FROM cloudtrail").trim(),
        r#"{"account":"unknown","region":"unknown","awsRegion":"us/../.."}"#
    );
}

#[test]
fn only_questions_are_answered() {
    let kept = Kept::new();
    kept.write("1_CloudTrail.json", records(&[one(1)]));
    kept.add("r");
    for (sql, expected) in [
        ("DROP TABLE cloudtrail", "only questions"),
        ("INSERT INTO cloudtrail SELECT * FROM cloudtrail", "only questions"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "only questions"),
        ("COPY cloudtrail TO '/tmp/x.csv'", "only questions"),
        ("SET datafusion.execution.batch_size = 1", "only questions"),
        ("EXPLAIN DROP TABLE cloudtrail", "only questions"),
        ("SELECT 1; SELECT 2", "one question at a time"),
        ("", "one question at a time"),
        ("SELEC 1", "not SQL"),
        ("SELECT * FROM '/etc/passwd'", "no table `/etc/passwd`"),
        ("SELECT * FROM cloudtrial", "did you mean `cloudtrail`"),
        ("SELECT evntName FROM cloudtrail", "did you mean `eventName`"),
        ("SELECT userIdentity.arm FROM cloudtrail", "userIdentity_arn"),
        ("SELECT cuont(*) FROM cloudtrail", "Did you mean"),
    ] {
        let answer = kept.ask(sql);
        assert!(answer.contains(expected), "{sql}: {answer}");
    }
    assert!(kept.ask("SHOW TABLES").contains("cloudtrail_ocsf"));
    assert!(kept.ask("DESCRIBE cloudtrail").contains("userIdentity_arn"));
    assert!(kept.ask("EXPLAIN SELECT eventname FROM cloudtrail").contains("eventName"));
}
