//! A run that is killed anywhere and run again leaves each event in the table once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
#![expect(clippy::disallowed_methods, reason = "the process to be killed is told by its environment where to work")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{add, ask, event, objects, options, records};
use yagura_lake::Lake;

/// Kills that the test is worth something with.
const KILLS: usize = 200;

/// Lakes that are filled, and killed, at the same time.
const LANES: usize = 5;

/// Runs that tell how long one takes.
const UNDISTURBED: usize = 3;

/// Small enough that a run of the little corpus is a dozen commits.
const WAITING_BYTES: usize = 48 << 10;

const FOLDERS: &str = "YAGURA_TEST_LAKE_AND_LOGS";

/// Not a test by itself: the process that the test below kills. It does nothing unless it is told where.
#[test]
fn ingest_where_told() {
    let Ok(folders) = std::env::var(FOLDERS) else { return };
    let (lake, logs) = folders.split_once('|').unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lake = Lake::new(Path::new(lake), runtime.handle().clone());
    add(&lake, Path::new(logs), &options(&format!("r{}", std::process::id()), WAITING_BYTES));
}

/// Files of events in several partitions; every fifth event is delivered a second time in another file.
fn corpus(folder: &Path) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    let mut next = 0_u64;
    for file in 0..24_u64 {
        let (account, region) =
            if file % 3 == 0 { ("111122223333", "us-east-1") } else { ("444455556666", "eu-west-1") };
        let mut events = Vec::new();
        for _ in 0..40 {
            next += 1;
            let id = if next.is_multiple_of(5) && next > 200 { next - 195 } else { next };
            ids.insert(id);
            let time = format!("2026-03-{:02}T{:02}:00:{:02}Z", 1 + id % 3, id % 24, id % 60);
            let (account, region) = if id == next { (account, region) } else { of(id) };
            events.push(event(id, &time, account, region));
        }
        std::fs::write(folder.join(format!("{file:03}_CloudTrail.json")), records(&events)).unwrap();
    }
    ids
}

/// Where the event of that number was delivered first.
fn of(id: u64) -> (&'static str, &'static str) {
    if ((id - 1) / 40).is_multiple_of(3) { ("111122223333", "us-east-1") } else { ("444455556666", "eu-west-1") }
}

fn run(lake: &Path, logs: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ingest_where_told", "--test-threads=1"])
        .env(FOLDERS, format!("{}|{}", lake.display(), logs.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_run_loses_and_doubles_nothing() {
    let logs = tempfile::tempdir().unwrap();
    let ids = corpus(logs.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();

    // How long an undisturbed run takes, so that kills fall all over it; the shortest, since other tests run beside this one.
    let undisturbed = || {
        let lake = tempfile::tempdir().unwrap();
        let begun = std::time::Instant::now();
        assert!(run(lake.path(), logs.path()).wait().unwrap().success());
        let took = begun.elapsed();
        check(&runtime, lake.path(), logs.path(), &ids);
        took
    };
    let whole = (0..UNDISTURBED).map(|_| undisturbed()).min().unwrap();

    // A run mostly waits for the disk: several lakes are filled at the same time.
    std::thread::scope(|scope| {
        for number in 0..LANES {
            let (runtime, logs, ids) = (&runtime, logs.path(), &ids);
            scope.spawn(move || kill(runtime, logs, ids, whole, number));
        }
    });
}

/// One lane's share of the kills.
fn kill(runtime: &tokio::runtime::Runtime, logs: &Path, ids: &BTreeSet<u64>, whole: Duration, number: usize) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64.rotate_left(u32::try_from(number * 7).unwrap());
    let mut kills = 0;
    while kills < KILLS / LANES {
        let lake = tempfile::tempdir().unwrap();
        loop {
            let mut child = run(lake.path(), logs);
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let share = f64::from(u32::try_from(seed >> 40).unwrap()) / f64::from(1 << 24);
            std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        check(runtime, lake.path(), logs, ids);
    }
}

/// The table holds each event once, and the ledger every object.
fn check(runtime: &tokio::runtime::Runtime, folder: &Path, logs: &Path, ids: &BTreeSet<u64>) {
    let lake = Lake::new(folder, runtime.handle().clone());
    let found = runtime.block_on(ask(&lake, r#"SELECT "eventID" FROM cloudtrail ORDER BY "eventID""#)).unwrap();
    let line = |id: &u64| format!("{{\"eventID\":\"{id:08x}-0000-4000-8000-000000000000\"}}");
    let expected: Vec<String> = ids.iter().map(line).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    let again = add(&lake, logs, &options("again", WAITING_BYTES));
    let source = again.sources["cloudtrail"];
    assert_eq!((source.rows, source.objects, source.known), (0, 0, objects(logs).len() as u64));
}
