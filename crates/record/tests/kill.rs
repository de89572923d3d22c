//! Killed at any moment, the ledger keeps what was committed and the next scan goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use support::{ACCOUNT, BUCKET, Numbers, at, bucket, listed, scan, shown};
use yagura_model::{Observation, Seen};
use yagura_record::{Ledger, OBSERVATIONS_PER_COMMIT, Reader};

/// Says to the test program that it is the one to be killed, in which directory and in which round.
const DIRECTORY: &str = "YAGURA_TEST_LEDGER";
const ROUND: &str = "YAGURA_TEST_ROUND";

const ROUNDS: u64 = 100;
const BATCHES: usize = 4;

/// What round n observes: some buckets of many, with values that change now and then, and then the listing.
fn observations(round: u64) -> Vec<Observation> {
    let mut numbers = Numbers(round);
    let seconds = i64::try_from(round).unwrap() * 100;
    let mut observations: Vec<Observation> = Vec::new();
    for index in 0..BATCHES * OBSERVATIONS_PER_COMMIT + 300 {
        if numbers.below(20) > 0 {
            let value = numbers.below(10) / 9;
            observations.push(shown(seconds + 1, bucket(&format!("b{index}"), json!({ "Value": value }))));
        }
    }
    observations.push(listed(seconds + 2, BUCKET, "us-east-1"));
    observations
}

/// What is there, by bucket: its value and how many versions it has.
type State = BTreeMap<String, (u64, i64)>;

/// A model of the ledger: what is there now, and how many versions of what there ever was.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    there: State,
    versions: BTreeMap<String, i64>,
}

impl Model {
    fn observe(&mut self, observations: &[Observation]) {
        for observation in observations {
            let Seen::Resource(resource) = &observation.seen else { continue };
            let value = resource.properties["Value"].as_u64().unwrap();
            if self.there.get(&resource.id).is_some_and(|(there, _)| *there == value) {
                continue;
            }
            let version = self.versions.entry(resource.id.clone()).or_default();
            *version += 1;
            self.there.insert(resource.id.clone(), (value, *version));
        }
    }

    fn finish(&mut self, observations: &[Observation]) {
        let shown: Vec<&str> = observations
            .iter()
            .filter_map(|observation| match &observation.seen {
                Seen::Resource(resource) => Some(resource.id.as_str()),
                _ => None,
            })
            .collect();
        let shown: std::collections::HashSet<&str> = shown.into_iter().collect();
        self.there.retain(|id, _| shown.contains(id.as_str()));
    }
}

async fn state(reader: &Reader) -> State {
    let mut state = State::new();
    for row in reader.resources(&yagura_record::Filter::default()).await.unwrap() {
        state.insert(row.key.id, (0, row.version));
    }
    for observation in reader.snapshot(&ACCOUNT.into(), None).await.unwrap() {
        if let Seen::Resource(resource) = observation.seen {
            let value = resource.properties["Value"].as_u64().unwrap();
            state.get_mut(&resource.id).expect("both answers name the same").0 = value;
        }
    }
    state
}

async fn child(directory: &Path, round: u64) {
    let ledger = Ledger::open(directory).await.unwrap();
    println!("\nopen");
    let started = i64::try_from(round).unwrap() * 100;
    let mut writer = ledger.begin_scan(scan(started)).await.unwrap();
    for (index, observation) in observations(round).iter().enumerate() {
        writer.observe(observation).await.unwrap();
        if (index + 1) % OBSERVATIONS_PER_COMMIT == 0 {
            println!("committed {}", index + 1);
        }
    }
    writer.finish(at(started + 3)).await.unwrap();
    println!("finished");
}

/// Runs a round in another process and kills it some time after it opened the ledger; what it said it had done.
fn kill_a_child(directory: &Path, round: u64, after: Duration) -> (usize, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_at_any_moment_nothing_that_was_committed_is_lost", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "open"), "the child did not come to open the ledger");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut committed, mut finished) = (0, false);
    for line in lines {
        if let Some(count) = line.strip_prefix("committed ") {
            committed = count.parse().unwrap();
        }
        finished |= line == "finished";
    }
    (committed, finished)
}

#[expect(clippy::disallowed_methods, reason = "how the test program tells itself what to be")]
#[test]
fn killed_at_any_moment_nothing_that_was_committed_is_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) {
        return runtime.block_on(child(Path::new(&directory), round.parse().unwrap()));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(42);
    let mut model = Model::default();
    let (mut killed_early, mut killed_between) = (0, 0);
    for round in 0..ROUNDS {
        let after = Duration::from_micros(numbers.below(250_000));
        let (committed, finished) = kill_a_child(directory.path(), round, after);
        let found = runtime.block_on(async {
            let reader = Ledger::open(directory.path()).await.unwrap().reader().await.unwrap();
            let found = state(&reader).await;
            reader.close().await;
            found
        });
        let observations = observations(round);
        // What was said to be committed is there; what was on its way may be, but only whole batches of it.
        let mut possible = Vec::new();
        for count in (committed..observations.len()).step_by(OBSERVATIONS_PER_COMMIT).chain([observations.len()]) {
            let mut then = model.clone();
            then.observe(&observations[..count]);
            possible.push((count, false, then.clone()));
            if count == observations.len() {
                then.finish(&observations);
                possible.push((count, true, then));
            }
        }
        if finished {
            possible.retain(|(_, finished, _)| *finished);
        }
        let Some((count, finished, then)) = possible.into_iter().find(|(_, _, then)| then.there == found) else {
            panic!("round {round}: the ledger is in no state that {committed} committed observations lead to");
        };
        killed_early += u64::from(count == 0);
        killed_between += u64::from(count > 0 && !finished);
        model = then;
    }
    assert!(killed_between > 10, "{killed_between} rounds were killed between the first commit and the end");
    println!("{killed_early} before the first commit, {killed_between} before the end");

    runtime.block_on(async {
        let ledger = Ledger::open(directory.path()).await.unwrap();
        let last = observations(ROUNDS);
        let started = i64::try_from(ROUNDS).unwrap() * 100;
        let mut writer = ledger.begin_scan(scan(started)).await.unwrap();
        for observation in &last {
            writer.observe(observation).await.unwrap();
        }
        writer.finish(at(started + 3)).await.unwrap();
        model.observe(&last);
        model.finish(&last);
        assert_eq!(state(&ledger.reader().await.unwrap()).await, model.there);
    });
}
