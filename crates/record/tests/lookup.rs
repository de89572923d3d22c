//! Many resources at once, against asking for each.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::ops::ControlFlow;

use serde_json::json;
use support::{BUCKET, at, bucket, listed, scan, shown};
use yagura_record::{Filter, Ledger, Reader};

/// Buckets of which some changed, one is gone and one came back.
async fn recorded() -> (tempfile::TempDir, Reader) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).await.unwrap();
    for (number, there) in [&["a", "b", "c", "d"][..], &["a", "b", "c"], &["a", "b", "d"]].iter().enumerate() {
        let started = i64::try_from(number).unwrap() * 100;
        let mut writer = ledger.begin_scan(scan(started)).await.unwrap();
        for id in *there {
            let version = if *id == "a" { number } else { 0 };
            let mut resource = bucket(id, json!({ "Version": version }));
            resource.name = Some(format!("name of {id}"));
            writer.observe(&shown(started + 1, resource)).await.unwrap();
        }
        writer.observe(&listed(started + 2, BUCKET, "us-east-1")).await.unwrap();
        writer.finish(at(started + 50)).await.unwrap();
    }
    let reader = ledger.reader().await.unwrap();
    (directory, reader)
}

#[tokio::test]
async fn one_pass_tells_the_same_as_asking_for_each() {
    let (_directory, reader) = recorded().await;
    let mut found = Vec::new();
    let visit = |arn, history| {
        found.push((arn, history));
        ControlFlow::Continue(())
    };
    reader.each_history(visit).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|(_, history)| history.key.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert_eq!(found.iter().map(|(_, history)| history.versions.len()).collect::<Vec<_>>(), [3, 1, 1, 2]);
    for (arn, history) in &found {
        assert_eq!(reader.history(&history.key.id).await.unwrap(), std::slice::from_ref(history));
        assert_eq!(arn.as_ref().unwrap().as_str(), format!("arn:aws:s3:::{}", history.key.id));
    }
    let mut first = 0;
    let visit = |_, _| {
        first += 1;
        ControlFlow::Break(())
    };
    reader.each_history(visit).await.unwrap();
    assert_eq!(first, 1);
}

#[tokio::test]
async fn resources_are_found_by_any_of_their_names() {
    let (_directory, reader) = recorded().await;
    let all = {
        let mut all = reader.resources(&Filter::default()).await.unwrap();
        all.extend(reader.resources(&Filter { gone: true, ..Filter::default() }).await.unwrap());
        all
    };
    for names in [&["a"][..], &["arn:aws:s3:::c", "name of d", "d"], &["A", "'", ""], &[]] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut expected: Vec<_> = all
            .iter()
            .filter(|row| {
                let mine = [Some(row.key.id.clone()), row.arn.as_ref().map(ToString::to_string), row.name.clone()];
                mine.iter().flatten().any(|name| names.contains(name))
            })
            .cloned()
            .collect();
        expected.sort_by(|one, other| one.key.id.cmp(&other.key.id));
        assert_eq!(reader.named(&names).await.unwrap(), expected, "{names:?}");
    }
    // More than one statement holds.
    let many: Vec<String> = (0..12_000).map(|number| format!("{number}")).chain(["b".to_owned()]).collect();
    assert_eq!(reader.named(&many).await.unwrap().len(), 1);
}
