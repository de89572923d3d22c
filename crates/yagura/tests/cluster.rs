//! A cluster on this machine, of real processes: the answers of the embedded engine, whoever is lost on the way.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot look has failed")]

mod common;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{command, root, succeeded, yagura};

/// Events made of each event of the fixtures: enough that every question has files of several days and accounts.
const COPIES: usize = 40;

/// Accounts and days that they are spread over.
const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];
const DAYS: usize = 5;

/// A part of a cluster, ended with the test.
struct Part {
    child: Child,
    says: String,
    temporary: tempfile::TempDir,
}

impl Part {
    /// Starts a part, and waits until it says that it is ready.
    fn start(data: &Path, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = command(data, arguments);
        command.arg("-q").env("TMPDIR", temporary.path()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut says = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut says).unwrap();
        assert!(!says.is_empty(), "{arguments:?} ended: {:?}", child.wait());
        Self { child, says, temporary }
    }

    /// What the process is ended with when it cannot say goodbye.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Cluster {
    url: String,
    executors: Vec<Part>,
    _scheduler: Part,
}

impl Cluster {
    fn start(data: &Path, executors: usize) -> Self {
        let scheduler = Part::start(data, &["cluster", "scheduler", "--bind", "127.0.0.1:0"]);
        let url = scheduler.says.split_whitespace().last().unwrap().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        let executor = || Part::start(data, &["cluster", "executor", "--scheduler", &url, "--slots", "2"]);
        let executors = (0..executors).map(|_| executor()).collect();
        Self { url, executors, _scheduler: scheduler }
    }
}

/// Events of the fixtures, again and again, with other ids, accounts and days.
fn add_events(data: &Path, copies: usize) {
    let mut events = Vec::new();
    let mut files = vec![root().join("fixtures/logs")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "json") {
            let file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            events.extend(file["Records"].as_array().into_iter().flatten().cloned());
        }
    }
    assert!(!events.is_empty(), "no fixtures");
    let mut lines = String::new();
    for copy in 0..copies {
        for (number, event) in events.iter().enumerate() {
            let mut event = event.clone();
            event["eventID"] = format!("{copy:08x}-0000-4000-8000-{number:012x}").into();
            event["recipientAccountId"] = ACCOUNTS[(copy + number) % ACCOUNTS.len()].into();
            let (day, second) = (1 + copy % DAYS, number % 60);
            let time = format!("2026-03-{day:02}T{:02}:{:02}:{second:02}Z", copy % 24, number % 60);
            event["eventTime"] = time.into();
            writeln!(lines, "{event}").unwrap();
        }
    }
    let from = data.join("events.json");
    std::fs::write(&from, lines).unwrap();
    succeeded(&yagura(data, &["logs", "add", from.to_str().unwrap(), "-q"]));
}

/// The rows, in one order where the question asks for none, and what was searched.
fn answer(data: &Path, sql: &str, cluster: Option<&str>, sorted: bool) -> (Vec<String>, String) {
    let mut arguments = vec!["sql", sql, "-o", "ndjson"];
    arguments.extend(cluster.iter().flat_map(|url| ["--cluster", *url]));
    let output = yagura(data, &arguments);
    assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut rows: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    if !sorted {
        rows.sort();
    }
    (rows, String::from_utf8(output.stderr).unwrap())
}

/// Questions, and whether each says in which order its rows come.
const QUESTIONS: &[(&str, bool)] = &[
    ("SELECT count(*) AS n, count(DISTINCT eventID) AS ids, min(eventTime) AS first FROM cloudtrail", false),
    ("SELECT eventName, count(*) AS n, count(errorCode) AS failed FROM cloudtrail GROUP BY eventName", false),
    ("SELECT userIdentity.arn, count(*) AS n FROM cloudtrail GROUP BY 1 ORDER BY n DESC, 1 LIMIT 5", true),
    ("SELECT eventID, record FROM cloudtrail WHERE account = '444455556666' AND day = '2026-03-02'", false),
    ("SELECT eventID, eventTime FROM cloudtrail ORDER BY eventTime DESC, eventID LIMIT 17", true),
    ("SELECT record->'userIdentity'->>'type' AS kind, count(*) AS n FROM cloudtrail GROUP BY 1", false),
    (
        "SELECT eventID, requestParameters->>'name' AS name FROM cloudtrail WHERE requestParameters->>'name' IS NOT NULL",
        false,
    ),
    (
        "SELECT activity, count(*) AS n FROM (SELECT \"api_operation\" AS activity FROM cloudtrail_ocsf) GROUP BY 1",
        false,
    ),
    (
        "SELECT a.eventID, b.eventID AS other FROM cloudtrail a JOIN cloudtrail b \
         ON a.userIdentity_arn = b.userIdentity_arn AND a.eventTime < b.eventTime \
         WHERE a.day = '2026-03-01' AND b.day = '2026-03-01' AND a.eventName = 'StopLogging'",
        false,
    ),
    (
        "SELECT r.id, count(c.eventID) AS n FROM cloudtrail c LEFT JOIN resources r ON r.account = c.account \
         GROUP BY r.id",
        false,
    ),
    (
        "SELECT n.eventName, d.day FROM (SELECT DISTINCT eventName FROM cloudtrail) n \
         LEFT JOIN (SELECT DISTINCT day, eventName AS e FROM cloudtrail WHERE account = '777788889999') d \
         ON length(n.eventName) > length(d.e) AND d.day > '2026-03-03'",
        false,
    ),
    (
        "SELECT eventName FROM cloudtrail WHERE eventName NOT IN \
         (SELECT eventName FROM cloudtrail WHERE errorCode IS NOT NULL) GROUP BY eventName",
        false,
    ),
    (
        "SELECT eventID, row_number() OVER (PARTITION BY eventName ORDER BY eventTime, eventID) AS at FROM cloudtrail \
         WHERE region = 'us-east-1'",
        false,
    ),
    // Rows that stand in the plan itself, as those of recorded resources do.
    (
        "SELECT v.name, count(*) AS n FROM cloudtrail c \
         JOIN (VALUES ('111122223333', 'one'), ('777788889999', 'three')) AS v(id, name) ON v.id = c.account GROUP BY v.name",
        false,
    ),
    ("SELECT unnest(resources) AS arn, count(*) AS n FROM cloudtrail GROUP BY 1", false),
    (
        "SELECT day, n, (SELECT count(*) FROM cloudtrail) AS all_of_them FROM \
      (SELECT day, count(*) AS n FROM cloudtrail GROUP BY day) ORDER BY day",
        true,
    ),
    ("SELECT eventID FROM cloudtrail WHERE day = '2031-01-01'", false),
    ("SELECT 1 AS one", false),
    ("SELECT count(*) AS n FROM resources", false),
    ("SHOW TABLES", false),
];

#[test]
fn a_cluster_answers_as_one_machine_does() {
    let data = tempfile::tempdir().unwrap();
    add_events(data.path(), COPIES);
    let cluster = Cluster::start(data.path(), 2);
    for (sql, sorted) in QUESTIONS {
        let alone = answer(data.path(), sql, None, *sorted);
        assert_eq!(answer(data.path(), sql, Some(&cluster.url), *sorted), alone, "{sql}");
    }
    // What is wrong with a question is told in the same words.
    for sql in [
        "SELEC 1",
        "SELECT 1 FROM cloudtrial",
        "SELECT evnetName FROM cloudtrail",
        "DELETE FROM cloudtrail",
        "SELECT 1; SELECT 2",
    ] {
        let (alone, cluster) =
            (yagura(data.path(), &["sql", sql]), yagura(data.path(), &["sql", sql, "--cluster", &cluster.url]));
        assert_eq!(cluster.status.code(), alone.status.code(), "{sql}");
        assert_eq!(String::from_utf8_lossy(&cluster.stderr), String::from_utf8_lossy(&alone.stderr), "{sql}");
    }
    // What fails in the middle is an error, not an empty answer.
    let failing = "SELECT CAST(eventName AS bigint) AS n FROM cloudtrail";
    let output = yagura(data.path(), &["sql", failing, "--cluster", &cluster.url]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let output =
        yagura(data.path(), &["sql", "EXPLAIN ANALYZE SELECT count(*) FROM cloudtrail", "--cluster", &cluster.url]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("without `--cluster`"));
}

#[test]
fn an_executor_reads_the_lake_of_its_own_data_folder_only() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    add_events(data.path(), 1);
    let cluster = Cluster::start(other.path(), 1);
    let sql = "SELECT eventName FROM cloudtrail";
    let output = yagura(data.path(), &["sql", sql, "--cluster", &cluster.url]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("--data-dir"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_killed_executor_does_not_change_the_answer() {
    let data = tempfile::tempdir().unwrap();
    add_events(data.path(), COPIES);
    // Every event with every other of its day: work for a while, and one row of it.
    let sql = "SELECT count(*) AS n, sum(length(a.record) + length(b.eventID)) AS letters, max(a.eventID || b.eventID) AS last \
               FROM cloudtrail a JOIN cloudtrail b ON a.day = b.day JOIN cloudtrail c ON b.day = c.day AND c.eventName = 'StopLogging'";
    let alone = succeeded(&yagura(data.path(), &["sql", sql, "-o", "ndjson", "-q"]));
    let mut cluster = Cluster::start(data.path(), 2);
    let asking = command(data.path(), &["sql", sql, "-o", "ndjson", "-q", "--cluster", &cluster.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lost = cluster.executors.remove(0);
    wait_until_it_works(&lost);
    lost.kill();
    assert_eq!(succeeded(&asking.wait_with_output().unwrap()), alone);

    // And the next question, of the executor that is left.
    let count = "SELECT count(*) AS n FROM cloudtrail";
    assert_eq!(answer(data.path(), count, Some(&cluster.url), false).0, answer(data.path(), count, None, false).0);
}

/// Waits until the executor has begun to keep what a task of it gives: a folder for the question in its own.
fn wait_until_it_works(executor: &Part) {
    let within = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    while within(executor.temporary.path()).iter().all(|own| within(&own.join("work")).is_empty()) {
        std::thread::yield_now();
    }
}

#[test]
fn without_executors_and_without_a_scheduler_it_says_so() {
    let data = tempfile::tempdir().unwrap();
    add_events(data.path(), 1);
    let cluster = Cluster::start(data.path(), 0);
    let sql = "SELECT eventName FROM cloudtrail";
    let output = yagura(data.path(), &["sql", sql, "--cluster", &cluster.url]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no executor"));
    assert_eq!(output.status.code(), Some(1));
    let url = cluster.url.clone();
    drop(cluster);
    let output = yagura(data.path(), &["sql", sql, "--cluster", &url]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no scheduler answers"));
    let output = yagura(data.path(), &["cluster", "scheduler", "--bind", "0.0.0.0:0"]);
    assert!(!output.status.success());
    let output = yagura(data.path(), &["cluster", "scheduler", "--bind", "192.0.2.1:0"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--unprotected"));
}
