//! What the ledger keeps and tells.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{ACCOUNT, BUCKET, at, bucket, denied, listed, scan, shown, unlisted, without};
use tempfile::TempDir;
use yagura_model::{Inventory, Listing, Observation, Relation, Seen};
use yagura_record::{Change, Filter, Ledger, Limits, OpenError, Reader, ScanSummary, WriteError};

async fn record(ledger: &Ledger, started: i64, observations: &[Observation]) -> ScanSummary {
    let mut writer = ledger.begin_scan(scan(started)).await.unwrap();
    for observation in observations {
        writer.observe(observation).await.unwrap();
    }
    writer.finish(at(started + 50)).await.unwrap()
}

async fn open() -> (TempDir, Ledger, Reader) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).await.unwrap();
    let reader = ledger.reader().await.unwrap();
    (directory, ledger, reader)
}

fn told(changes: &[Change]) -> Value {
    changes.iter().map(|change| json!([change.path, change.before, change.after])).collect()
}

#[tokio::test]
async fn scanning_the_same_again_adds_no_version() {
    let (_directory, ledger, reader) = open().await;
    let mut resource = bucket("b", json!({ "Z": 1, "A": { "Y": [1, 2], "X": null } }));
    resource.attributes = support::object(json!({ "LastUsed": "monday", "Owner": "me" }));
    let observations = |resource: &yagura_model::Resource, seconds| {
        [shown(seconds, resource.clone()), listed(seconds, BUCKET, "global")]
    };
    assert_eq!(
        record(&ledger, 0, &observations(&resource, 1)).await,
        ScanSummary { seen: 1, appeared: 1, ..ScanSummary::default() }
    );
    resource.properties = support::object(json!({ "A": { "X": null, "Y": [1, 2] }, "Z": 1 }));
    resource.attributes = support::object(json!({ "Owner": "me", "LastUsed": "tuesday" }));
    assert_eq!(
        record(&ledger, 100, &observations(&resource, 101)).await,
        ScanSummary { seen: 1, ..ScanSummary::default() }
    );

    let history = reader.history("b").await.unwrap();
    assert_eq!(history[0].versions.len(), 1);
    assert_eq!((history[0].versions[0].since, history[0].versions[0].last_seen), (at(1), at(101)));
    let now = &reader.resource("arn:aws:s3:::b", None).await.unwrap()[0];
    assert_eq!(now.resource, resource, "the latest volatile attribute, and everything else as it was");
    assert_eq!(now.version, 1);
}

#[tokio::test]
async fn a_change_is_a_version_and_its_history_says_what_changed() {
    let (_directory, ledger, reader) = open().await;
    let mut resource =
        bucket("b", json!({ "Versioning": { "Status": "Enabled" }, "Rules": [{ "Id": "a", "Days": 1 }] }));
    record(&ledger, 0, &[shown(1, resource.clone())]).await;
    resource.properties = support::object(
        json!({ "Versioning": { "Status": "Suspended" }, "Rules": [{ "Id": "a", "Days": 2 }], "New": true }),
    );
    resource.tags.insert("aws:team".to_owned(), "x".to_owned());
    resource.relations.push(Relation { kind: "AWS::KMS::Key".into(), id: "k".to_owned() });
    resource.name = Some("Bucket B".to_owned());
    assert_eq!(record(&ledger, 100, &[shown(101, resource.clone())]).await.changed, 1);

    let history = reader.history("arn:aws:s3:::b").await.unwrap();
    let [first, second] = history[0].versions.as_slice() else { panic!("{history:?}") };
    assert!(first.appeared && first.changes.is_empty() && first.until == Some(at(101)) && !first.gone);
    assert!(!second.appeared && second.until.is_none());
    assert_eq!(
        told(&second.changes),
        json!([
            ["Name", null, "Bucket B"],
            ["Properties.New", null, true],
            ["Properties.Rules[Id=a].Days", 1, 2],
            ["Properties.Versioning.Status", "Enabled", "Suspended"],
            ["Relations[id=k]", null, { "id": "k", "type": "AWS::KMS::Key" }],
            ["Tags['aws:team']", null, "x"],
        ])
    );
    let then = &reader.resource("b", Some(at(100))).await.unwrap()[0];
    assert_eq!(then.resource.properties["Versioning"], json!({ "Status": "Enabled" }));
    assert_eq!(reader.resource("b", Some(at(0))).await.unwrap(), []);
    assert_eq!(reader.resource("b", Some(at(101))).await.unwrap()[0].version, 2);
}

#[tokio::test]
async fn what_was_listed_and_not_shown_is_gone_and_nothing_else() {
    let (_directory, ledger, reader) = open().await;
    let mut elsewhere = bucket("elsewhere", json!({}));
    elsewhere.region = "eu-west-1".into();
    let mut other = bucket("other", json!({}));
    other.kind = "AWS::SQS::Queue".into();
    let all = [shown(1, bucket("b", json!({}))), shown(1, elsewhere.clone()), shown(1, other)];
    record(&ledger, 0, &all).await;

    // A type that could not be listed, and one that nobody asked for.
    assert_eq!(record(&ledger, 100, &[unlisted(101, BUCKET, "global")]).await.gone, 0);
    // A part of the place could not be listed.
    assert_eq!(
        record(
            &ledger,
            200,
            &[listed(201, BUCKET, "global"), unlisted(202, BUCKET, "us-east-1"), unlisted(202, BUCKET, "eu-west-1")]
        )
        .await
        .gone,
        0
    );
    // One scan says both of one place.
    assert_eq!(
        record(&ledger, 300, &[unlisted(301, BUCKET, "us-east-1"), listed(302, BUCKET, "us-east-1")]).await.gone,
        0
    );
    // Another place.
    assert_eq!(record(&ledger, 400, &[listed(401, BUCKET, "ap-northeast-1")]).await.gone, 0);
    // A scan that is broken off.
    let mut writer = ledger.begin_scan(scan(500)).await.unwrap();
    writer.observe(&listed(501, BUCKET, "global")).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    assert_eq!(reader.resources(&Filter::default()).await.unwrap().len(), 3);

    assert_eq!(record(&ledger, 600, &[shown(601, elsewhere), listed(602, BUCKET, "global")]).await.gone, 1);
    let gone = reader.resources(&Filter { gone: true, ..Filter::default() }).await.unwrap();
    assert_eq!((gone[0].key.id.as_str(), gone[0].gone, gone[0].last_seen), ("b", Some(at(602)), at(1)));
    assert_eq!(reader.resource("b", None).await.unwrap(), []);
    assert_eq!(reader.resource("b", Some(at(601))).await.unwrap().len(), 1);

    assert_eq!(record(&ledger, 700, &[shown(701, bucket("b", json!({})))]).await.appeared, 1);
    let history = reader.history("b").await.unwrap();
    let [first, second] = history[0].versions.as_slice() else { panic!("{history:?}") };
    assert!(first.gone && second.appeared && second.changes.is_empty());
    let back = reader.resources(&Filter { text: Some("B".to_owned()), ..Filter::default() }).await.unwrap();
    assert_eq!((back[0].first_seen, back[0].version), (at(701), 2));
}

#[tokio::test]
async fn what_could_not_be_read_is_neither_removed_nor_changed() {
    let (_directory, ledger, reader) = open().await;
    let known = bucket("b", json!({ "Policy": "P", "Size": 1 }));
    let policy_unread =
        |size: i64| without(bucket("b", json!({ "Policy": "P", "Size": size })), &["Properties.Policy"]);
    record(&ledger, 0, &[shown(1, known.clone())]).await;

    // The same but unread: no version, and reading it says that it was not read.
    assert_eq!(record(&ledger, 100, &[shown(101, policy_unread(1))]).await.changed, 0);
    assert_eq!(reader.resource("b", None).await.unwrap()[0].resource, policy_unread(1));
    assert_eq!(reader.resource("b", Some(at(50))).await.unwrap()[0].resource, known);

    // Something else changes: the version has no policy of its own, but nothing says that it was removed.
    record(&ledger, 200, &[shown(201, policy_unread(2))]).await;
    assert_eq!(reader.resource("b", None).await.unwrap()[0].resource, policy_unread(2));
    // It can be read again and is the same.
    assert_eq!(record(&ledger, 300, &[shown(301, bucket("b", json!({ "Policy": "P", "Size": 2 })))]).await.changed, 0);
    // It could not be read, and is another when it can.
    record(&ledger, 400, &[shown(401, policy_unread(2))]).await;
    record(&ledger, 500, &[shown(501, bucket("b", json!({ "Policy": "Q", "Size": 2 })))]).await;
    // It is really removed.
    record(&ledger, 600, &[shown(601, bucket("b", json!({ "Size": 2 })))]).await;

    let history = reader.history("b").await.unwrap();
    let changes: Vec<Value> = history[0].versions.iter().map(|version| told(&version.changes)).collect();
    assert_eq!(
        Value::from(changes),
        json!(
            [[], [["Properties.Size", 1, 2]], [["Properties.Policy", "P", "Q"]], [["Properties.Policy", "Q", null]],]
        )
    );
}

#[tokio::test]
async fn what_is_read_for_the_first_time_is_learned() {
    let (_directory, ledger, reader) = open().await;
    let unread = |properties| without(bucket("b", properties), &["Properties.Policy", "Properties.Acl"]);
    record(&ledger, 0, &[shown(1, unread(json!({ "Size": 1 })))]).await;
    record(&ledger, 100, &[shown(101, unread(json!({ "Size": 2 })))]).await;
    // The policy can be read and is not there, which is no version; the ACL still cannot.
    record(&ledger, 200, &[shown(201, without(bucket("b", json!({ "Size": 2 })), &["Properties.Acl"]))]).await;
    record(&ledger, 300, &[shown(301, bucket("b", json!({ "Size": 2, "Policy": "P", "Acl": "A" })))]).await;
    let history = reader.history("b").await.unwrap();
    let versions = &history[0].versions;
    assert_eq!(versions.len(), 3);
    assert_eq!(told(&versions[1].changes), json!([["Properties.Size", 1, 2]]));
    let learned: Vec<(&str, bool)> =
        versions[2].changes.iter().map(|change| (change.path.as_str(), change.learned)).collect();
    assert_eq!(learned, [("Properties.Acl", true), ("Properties.Policy", false)]);

    let difference = reader.diff(None, at(150), None).await.unwrap();
    assert_eq!(difference.changed.len(), 1);
    // Gone and back, with the policy unread: nothing is known of the new one's.
    record(&ledger, 400, &[listed(401, BUCKET, "us-east-1")]).await;
    record(&ledger, 500, &[shown(501, unread(json!({ "Size": 2 })))]).await;
    let difference = reader.diff(None, at(350), None).await.unwrap();
    assert_eq!(difference.changed, [], "{difference:?}");
}

#[tokio::test]
async fn a_difference_is_between_two_moments() {
    let (_directory, ledger, reader) = open().await;
    let (a, b, c) = (bucket("a", json!({ "N": 1 })), bucket("b", json!({})), bucket("c", json!({})));
    record(&ledger, 0, &[shown(1, a), shown(1, b), listed(1, BUCKET, "us-east-1")]).await;
    record(
        &ledger,
        100,
        &[shown(101, bucket("a", json!({ "N": 2 }))), shown(101, c), listed(101, BUCKET, "us-east-1")],
    )
    .await;
    let difference = reader.diff(Some(&ACCOUNT.into()), at(60), None).await.unwrap();
    assert_eq!(difference.appeared[0].id, "c");
    assert_eq!(difference.disappeared[0].id, "b");
    assert_eq!(told(&difference.changed[0].changes), json!([["Properties.N", 1, 2]]));
    assert_eq!(reader.diff(None, at(60), Some(at(70))).await.unwrap(), yagura_record::Difference::default());
    assert_eq!(
        reader.diff(Some(&"444455556666".into()), at(60), None).await.unwrap(),
        yagura_record::Difference::default()
    );
}

#[tokio::test]
async fn a_snapshot_is_what_a_scan_would_have_said() {
    let (_directory, ledger, reader) = open().await;
    let mut user = bucket("u", json!({}));
    user.kind = "AWS::IAM::User".into();
    user.region = "global".into();
    let first = [
        shown(1, bucket("b", json!({ "A": 1 }))),
        shown(1, user),
        listed(2, BUCKET, "us-east-1"),
        listed(2, "AWS::IAM::User", "global"),
        unlisted(2, BUCKET, "eu-west-1"),
    ];
    record(&ledger, 0, &first).await;
    let disabled = Observation {
        at: at(103),
        seen: Seen::RegionDisabled { account: ACCOUNT.into(), region: "me-south-1".into() },
    };
    let second = [
        shown(101, without(bucket("b", json!({ "A": 2 })), &["Properties.Policy"])),
        listed(102, BUCKET, "us-east-1"),
        unlisted(102, "AWS::IAM::User", "global"),
        disabled,
    ];
    record(&ledger, 100, &second).await;
    // A scan that is broken off does not make what was complete incomplete.
    let mut writer = ledger.begin_scan(scan(200)).await.unwrap();
    writer.observe(&unlisted(201, BUCKET, "us-east-1")).await.unwrap();
    writer.observe(&listed(201, "AWS::SQS::Queue", "us-east-1")).await.unwrap();
    writer.flush().await.unwrap();

    let snapshot =
        |at| async move { Inventory::from_observations(reader.snapshot(&ACCOUNT.into(), at).await.unwrap()) };
    let listing = |inventory: &Inventory, kind: &str, region: &str| {
        inventory.listing(&kind.into(), &ACCOUNT.into(), &region.into()).cloned()
    };
    let now = snapshot.clone()(None).await;
    assert_eq!(now.resources().len(), 2);
    let bucket_now = now.named("b").next().unwrap();
    assert_eq!((bucket_now.properties["A"].clone(), bucket_now.unread.len()), (json!(2), 1));
    assert_eq!(listing(&now, BUCKET, "us-east-1"), Some(Listing::Complete));
    assert_eq!(listing(&now, BUCKET, "eu-west-1"), Some(Listing::Unread(denied())));
    assert_eq!(listing(&now, "AWS::IAM::User", "global"), Some(Listing::Unread(denied())));
    assert_eq!(listing(&now, "AWS::SQS::Queue", "us-east-1"), Some(Listing::Complete));
    assert_eq!(listing(&now, "AWS::SNS::Topic", "us-east-1"), None);
    assert_eq!(now.disabled_regions().len(), 1);

    let then = snapshot(Some(at(60))).await;
    assert_eq!(then.named("b").next().unwrap().properties["A"], json!(1));
    assert_eq!(listing(&then, "AWS::IAM::User", "global"), Some(Listing::Complete));
    assert_eq!(listing(&then, "AWS::SQS::Queue", "us-east-1"), None);
    assert!(then.disabled_regions().is_empty());
}

#[tokio::test]
async fn resources_are_found_by_what_is_known_of_them() {
    let (_directory, ledger, reader) = open().await;
    let mut queue = bucket("jobs", json!({}));
    queue.kind = "AWS::SQS::Queue".into();
    queue.region = "eu-west-1".into();
    queue.name = Some("Nightly JOBS".to_owned());
    record(
        &ledger,
        0,
        &[shown(1, bucket("logs", json!({}))), shown(1, queue), shown(1, bucket("100%_[x]", json!({})))],
    )
    .await;
    let ids = |filter: Filter| {
        let reader = reader.clone();
        async move { reader.resources(&filter).await.unwrap().into_iter().map(|row| row.key.id).collect::<Vec<_>>() }
    };
    let kind = |kind: &str| Filter { kind: Some(kind.to_owned()), ..Filter::default() };
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
    assert_eq!(ids(Filter::default()).await, ["100%_[x]", "logs", "jobs"]);
    assert_eq!(ids(kind("AWS::S3::*")).await, ["100%_[x]", "logs"]);
    assert_eq!(ids(kind("AWS::?3::Bucket")).await.len(), 2);
    assert_eq!(ids(kind("AWS::[S]3::Bucket")).await, Vec::<String>::new());
    assert_eq!(ids(text("nightly")).await, ["jobs"]);
    assert_eq!(ids(text(":::LOGS")).await, ["logs"]);
    assert_eq!(ids(text("%_[")).await, ["100%_[x]"]);
    assert_eq!(ids(Filter { region: Some("eu-west-1".into()), ..Filter::default() }).await, ["jobs"]);
    assert_eq!(ids(Filter { account: Some("444455556666".into()), ..Filter::default() }).await, Vec::<String>::new());
    assert_eq!(ids(Filter { limit: 1, offset: 1, ..Filter::default() }).await, ["logs"]);
    let scans = reader.scans().await.unwrap();
    assert_eq!(
        (scans.len(), scans[0].number, scans[0].finished, scans[0].source.as_str()),
        (1, 1, Some(at(50)), "live")
    );
}

#[tokio::test]
async fn one_scan_is_recorded_at_a_time_and_in_the_order_of_time() {
    let (_directory, ledger, _reader) = open().await;
    let first = ledger.begin_scan(scan(100)).await.unwrap();
    assert!(matches!(ledger.begin_scan(scan(200)).await, Err(WriteError::Busy)));
    drop(first);
    let error = ledger.begin_scan(scan(99)).await.err().unwrap();
    assert!(matches!(error, WriteError::BackInTime { .. }), "{error}");
    ledger.begin_scan(scan(100)).await.unwrap().finish(at(101)).await.unwrap();
}

fn sentence(error: &OpenError, file: &Path) -> String {
    error.to_string().replace(&file.display().to_string(), "FILE")
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).await.unwrap();
    let file = ledger.file();
    record(&ledger, 0, &[shown(1, bucket("b", json!({})))]).await;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    sqlx::query("PRAGMA user_version = 9").execute(&mut connection).await.unwrap();
    let error = Ledger::open(directory.path()).await.unwrap_err();
    assert_eq!(
        sentence(&error, &file),
        "the ledger `FILE` was written by a newer Yagura (its format is 9, this one knows 1): update Yagura, or use another data directory"
    );
    sqlx::query("PRAGMA user_version = 1").execute(&mut connection).await.unwrap();
    sqlx::query("PRAGMA application_id = 7").execute(&mut connection).await.unwrap();
    let error = Ledger::open(directory.path()).await.unwrap_err();
    assert_eq!(sentence(&error, &file), "`FILE` is not a Yagura ledger: move it away, or use another data directory");
    sqlx::Connection::close(connection).await.unwrap();

    std::fs::write(&file, "not a database, but long enough to look like one".repeat(100)).unwrap();
    let error = Ledger::open(directory.path()).await.unwrap_err();
    assert_eq!(sentence(&error, &file), "`FILE` is not a Yagura ledger: move it away, or use another data directory");

    let error = Ledger::open(&file.join("below")).await.unwrap_err();
    assert!(matches!(error, OpenError::Directory(..)), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_named_as_such_and_never_half_read() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).await.unwrap();
    let many: Vec<Observation> = (0..500)
        .map(|index| shown(1, bucket(&format!("b{index}"), json!({ "N": index, "Text": "x".repeat(300) }))))
        .collect();
    record(&ledger, 0, &many).await;
    let file = ledger.file();
    let reader = ledger.reader().await.unwrap();
    let intact = reader.snapshot(&ACCOUNT.into(), None).await.unwrap();
    reader.close().await;
    let bytes = std::fs::read(&file).unwrap();
    let mut refused = 0;
    for page in 0..bytes.len() / 4_096 {
        let mut damaged = bytes.clone();
        damaged[page * 4_096..(page + 1) * 4_096].fill(0xa5);
        std::fs::write(&file, &damaged).unwrap();
        let whole = async {
            let reader = Ledger::open(directory.path())
                .await
                .map_err(|error| error.to_string())?
                .reader()
                .await
                .map_err(|error| error.to_string())?;
            reader.snapshot(&ACCOUNT.into(), None).await.map_err(|error| error.to_string())
        };
        match whole.await {
            Ok(found) => assert_eq!(found, intact, "page {page}"),
            Err(error) => {
                refused += 1;
                assert!(
                    error.contains("is damaged") || error.contains("is not a Yagura ledger"),
                    "page {page}: {error}"
                );
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

#[tokio::test]
async fn a_full_disk_is_said_so_and_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open_within(directory.path(), Limits { pages_max: Some(200) }).await.unwrap();
    record(&ledger, 0, &[shown(1, bucket("first", json!({ "N": 1 }))), listed(1, BUCKET, "us-east-1")]).await;
    let mut writer = ledger.begin_scan(scan(100)).await.unwrap();
    let mut numbers = support::Numbers(7);
    let mut failure = None;
    for index in 0..20_000 {
        let noise: String = (0..200).map(|_| char::from(b'a' + u8::try_from(numbers.below(26)).unwrap())).collect();
        if let Err(error) = writer.observe(&shown(101, bucket(&format!("b{index}"), json!({ "Noise": noise })))).await {
            failure = Some(error);
            break;
        }
    }
    let failure = failure.expect("the disk is small");
    assert_eq!(
        failure.to_string(),
        "there is no room left for the ledger: what was recorded before is kept; free some space and scan again"
    );
    assert!(matches!(writer.flush().await, Err(WriteError::Broken)));
    drop(writer);

    let reader = Ledger::open(directory.path()).await.unwrap().reader().await.unwrap();
    let resources = reader.resources(&Filter::default()).await.unwrap();
    assert_eq!((resources.len() - 1) % yagura_record::OBSERVATIONS_PER_COMMIT, 0, "whole batches");
    for row in &resources {
        assert_eq!(reader.history(&row.key.id).await.unwrap()[0].versions.len(), 1);
    }
    let ledger = Ledger::open(directory.path()).await.unwrap();
    let gone =
        record(&ledger, 200, &[shown(201, bucket("first", json!({ "N": 1 }))), listed(201, BUCKET, "us-east-1")])
            .await
            .gone;
    assert_eq!(usize::try_from(gone).unwrap(), resources.len() - 1, "the next scan goes on");
}

#[tokio::test]
async fn a_hundred_thousand_resources_take_seconds() {
    let (_directory, ledger, reader) = open().await;
    let observation = |index: u32, round: u32| {
        let changed = if index.is_multiple_of(100) { round } else { 0 };
        shown(
            i64::from(round) + 1,
            bucket(
                &format!("bucket-{index}"),
                json!({ "Versioning": { "Status": "Enabled" }, "Index": index, "Changed": changed }),
            ),
        )
    };
    for round in [0, 1_000] {
        let begun = std::time::Instant::now();
        let mut writer = ledger.begin_scan(scan(i64::from(round))).await.unwrap();
        for index in 0..100_000 {
            writer.observe(&observation(index, round)).await.unwrap();
        }
        writer.observe(&listed(i64::from(round) + 2, BUCKET, "us-east-1")).await.unwrap();
        let summary = writer.finish(at(i64::from(round) + 3)).await.unwrap();
        assert_eq!((summary.seen, summary.gone), (100_000, 0));
        assert_eq!(summary.appeared + summary.changed, if round == 0 { 100_000 } else { 1_000 });
        println!("round {round}: {:?}", begun.elapsed());
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }
    let begun = std::time::Instant::now();
    assert_eq!(reader.snapshot(&ACCOUNT.into(), None).await.unwrap().len(), 100_001);
    println!("snapshot: {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    assert_eq!(reader.diff(None, at(500), None).await.unwrap().changed.len(), 1_000);
    println!("diff: {:?}", begun.elapsed());
}
