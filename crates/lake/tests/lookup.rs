//! A value is found wherever it lies, and the index only decides how many files are opened for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{add, event, options, records};
use tokio::runtime::Runtime;
use yagura_lake::{Lake, Tables, WAITING_BYTES_MAX, print};

/// The answer and how many files it took.
fn ask(runtime: &Runtime, lake: &Lake, sql: &str) -> (String, u64) {
    runtime.block_on(async {
        let mut answer = lake.query(sql, Tables::default(), false, 2).await.unwrap();
        let mut text = Vec::new();
        while let Some(rows) = answer.next().await.unwrap() {
            print::json_lines(&rows, &mut text).unwrap();
        }
        (String::from_utf8(text).unwrap(), answer.searched().files)
    })
}

#[test]
fn a_look_up_opens_the_files_that_hold_the_value() {
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = Runtime::new().unwrap();
    let lake = Lake::new(folder.path(), runtime.handle().clone());
    for run in 0..3_u64 {
        let events: Vec<String> = (0..20)
            .map(|number| {
                let time = format!("2026-03-{:02}T10:00:00Z", 1 + number % 10);
                event(run * 20 + number, &time, "111122223333", "us-east-1")
            })
            .collect();
        std::fs::write(logs.path().join(format!("{run}_CloudTrail.json")), records(&events)).unwrap();
        add(&lake, logs.path(), &options(&format!("r{run}"), WAITING_BYTES_MAX));
    }
    // Ten days, three files each, two events a file.
    let id = |number: u64| format!("\"eventID\" = '{number:08x}-0000-4000-8000-000000000000'");
    let questions = [
        (id(7), 1, 1),
        (id(999), 0, 0),
        ("useridentity.accesskeyid = 'AKIA0000000000000047'".to_owned(), 1, 1),
        ("sourceIPAddress IN ('192.0.2.3', '192.0.2.24', '192.0.2.250')".to_owned(), 2, 2),
        (format!("{} OR {}", id(1), id(2)), 2, 2),
        (format!("{} AND day = DATE '2026-03-01'", id(1)), 0, 0),
        (format!("NOT ({})", id(1)), 59, 30),
        ("\"eventID\" LIKE '00000001-%'".to_owned(), 1, 30),
        ("lower(sourceIPAddress) = '192.0.2.3'".to_owned(), 1, 30),
        ("userAgent IS NULL".to_owned(), 60, 30),
    ];
    let check = |files_expected: Option<u64>, files_all: u64| {
        for (condition, rows, files) in &questions {
            let sql = format!("SELECT \"eventID\" FROM cloudtrail c WHERE {condition} ORDER BY 1");
            let (answer, opened) = ask(&runtime, &lake, &sql);
            assert_eq!(answer.lines().count(), *rows, "{condition}");
            let expected = files_expected.unwrap_or(*files).min(*files).min(files_all);
            assert!(opened == expected || files_expected.is_some(), "{condition}: {opened} files");
        }
    };
    check(None, 30);
    // Qualified names and views find the same.
    for table in ["public.cloudtrail", "datafusion.public.cloudtrail"] {
        let (answer, _) = ask(&runtime, &lake, &format!("SELECT 1 FROM {table} WHERE {}", id(7)));
        assert_eq!(answer.lines().count(), 1, "{table}");
    }

    // Compaction writes the index of what it writes.
    lake.compact(&options("c", WAITING_BYTES_MAX), None).unwrap();
    let (answer, files) = ask(&runtime, &lake, &format!("SELECT record FROM cloudtrail WHERE {}", id(7)));
    assert_eq!((answer.lines().count(), files), (1, 1));
    check(None, 10);

    // Without the index, more files are opened and the same is found.
    std::fs::remove_dir_all(folder.path().join("cloudtrail/_index")).unwrap();
    let (answer, files) = ask(&runtime, &lake, &format!("SELECT record FROM cloudtrail WHERE {}", id(7)));
    assert_eq!((answer.lines().count(), files), (1, 10));
    check(Some(10), 10);
}
