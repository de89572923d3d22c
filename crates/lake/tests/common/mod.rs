//! What the tests of the lake share: folders of events, runs and questions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    dead_code,
    unreachable_pub,
    missing_docs
)]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use yagura_lake::object::LogObject;
use yagura_lake::{Added, Files, Lake, Options, Tables, print};

/// An event of CloudTrail with the fields that matter.
pub fn event(id: u64, time: &str, account: &str, region: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::{account}:user/mio","accessKeyId":"AKIA{id:016}"}},"eventTime":"{time}","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"{region}","sourceIPAddress":"192.0.2.{}","requestParameters":{{"n":{id}}},"eventID":"{id:08x}-0000-4000-8000-000000000000","recipientAccountId":"{account}"}}"#,
        id % 250
    )
}

pub fn records(events: &[String]) -> String {
    format!(r#"{{"Records":[{}]}}"#, events.join(","))
}

/// The objects of a folder, as the program lists them.
pub fn objects(folder: &Path) -> Vec<LogObject> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let meta = path.metadata().unwrap();
            let changed = meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let uri = path.to_string_lossy().into_owned();
            found.push(LogObject { uri, size: meta.len(), version: changed.to_string() });
        }
    }
    found
}

pub fn options(run: &str, waiting_bytes: usize) -> Options {
    Options { run: run.to_owned(), now_ms: 1_790_000_000_000, threads: 2, readers: 2, waiting_bytes }
}

pub fn add(lake: &Lake, folder: &Path, options: &Options) -> Added {
    lake.add(objects(folder), &Files, options, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

/// The answer, one JSON object a line.
pub async fn ask(lake: &Lake, sql: &str) -> Result<String, yagura_lake::QueryError> {
    let mut answer = lake.query(sql, Tables::default(), false, 2).await?;
    let mut text = Vec::new();
    while let Some(rows) = answer.next().await? {
        print::json_lines(&rows, &mut text).unwrap();
    }
    Ok(String::from_utf8(text).unwrap())
}
