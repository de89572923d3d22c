//! Real answers of AWS through every resource file: nothing panics and no expression fails.
//!
//! The recordings stand beside the repository (`../shared/datasets/cloud-custodian`); where they are not, the test is
//! skipped and says so.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, join, ready};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use yagura_collect::{Api, Call, Clock, Collector, Failure, Pages, ResourceTypes, Scope};
use yagura_model::{Cause, CouldNotLook, Observation, Seen};

/// How many recordings of one operation are tried; there are up to 368.
const TURNS_MAX: usize = 40;

/// The recorder names services by their endpoints, the models by botocore's names.
const SERVICES: &[(&str, &str)] = &[
    ("elasticloadbalancing", "elb"),
    ("elasticloadbalancing", "elbv2"),
    ("monitoring", "cloudwatch"),
    ("states", "stepfunctions"),
    ("elasticfilesystem", "efs"),
    ("tagging", "resourcegroupstaggingapi"),
    ("email", "ses"),
    ("memory-db", "memorydb"),
    ("es", "opensearch"),
    ("api.sagemaker", "sagemaker"),
];

/// Members that are bytes: the recorder wrote them as text, the client gives base64.
const BYTES: &[(&str, &str)] = &[("GetCredentialReport", "Content")];

/// Recordings that are not what AWS answers today: abridged by hand, or older than the ARN of a snapshot.
const ABRIDGED: &[&str] = &[
    "test_vpc_endpoint_metrics_filter",
    "test_rds_snapshot_tag_filter",
    "test_rds_snapshot_unmark",
    "test_rdscluster_snapshot_count_filter",
];

/// Answers by service and operation; one recording of each at a time.
struct Recordings {
    answers: BTreeMap<(String, String), Vec<(u64, Value)>>,
    turn: usize,
}

impl Recordings {
    fn load(path: &Path) -> Self {
        let mut text = String::new();
        let file = std::fs::File::open(path).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| record[key].as_str().unwrap().to_owned();
            if ABRIDGED.contains(&&*text("flight")) {
                continue;
            }
            let status = record["status"].as_u64().unwrap();
            let mut data = plain(&record["data"]);
            for (_, member) in BYTES.iter().filter(|(operation, _)| record["operation"] == *operation) {
                if let Some(Value::String(content)) = data.get_mut(*member) {
                    *content = STANDARD.encode(&*content);
                }
            }
            answers.entry((text("service"), text("operation"))).or_default().push((status, data));
        }
        Self { answers, turn: 0 }
    }

    fn of(&self, service: &str, operation: &str) -> Option<&Vec<(u64, Value)>> {
        let endpoints = SERVICES.iter().filter(|(_, name)| *name == service).map(|(endpoint, _)| *endpoint);
        std::iter::once(service)
            .chain(endpoints)
            .find_map(|service| self.answers.get(&(service.to_owned(), operation.to_owned())))
    }

    fn find(&self, call: Call<'_>) -> Result<Value, Failure> {
        let fail = |code: &str| Failure {
            look: Box::new(CouldNotLook {
                service: call.service.to_owned(),
                operation: call.operation.to_owned(),
                cause: Cause::Failed,
                error: code.to_owned(),
                action: None,
            }),
            code: code.to_owned(),
            message: String::new(),
        };
        let Some(recorded) = self.of(call.service, call.operation) else {
            return Err(fail("NotRecorded"));
        };
        let (status, answer) = &recorded[self.turn % recorded.len()];
        match answer.pointer("/Error/Code").and_then(Value::as_str) {
            Some(code) => Err(fail(code)),
            None if *status >= 400 => Err(fail("Recorded")),
            None => Ok(answer.clone()),
        }
    }
}

/// The recorder's times as the client gives them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.get("__class__").is_some_and(|class| class == "datetime") => {
            let part = |key: &str| members.get(key).and_then(Value::as_u64).unwrap_or_default();
            Value::String(format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                part("year"),
                part("month"),
                part("day"),
                part("hour"),
                part("minute"),
                part("second")
            ))
        }
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), plain(value))).collect::<Map<_, _>>())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(plain).collect()),
        other => other.clone(),
    }
}

impl Api for Recordings {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(ready(self.find(call)))
    }

    fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
        Box::pin(ready(match self.find(call) {
            Ok(page) => Pages { pages: vec![page], failure: None },
            Err(failure) => Pages { pages: Vec::new(), failure: Some(failure) },
        }))
    }

    fn iam_action(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn wait(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

/// What could not be understood of a type, and how many of its resources were.
async fn observe(types: &Arc<ResourceTypes>, scope: &Scope, recordings: &Recordings) -> (Vec<CouldNotLook>, usize) {
    let (sink, mut observations) = mpsc::channel::<Observation>(64);
    let taken = async {
        let (mut malformed, mut resources) = (Vec::new(), 0);
        while let Some(observation) = observations.recv().await {
            let causes: Vec<CouldNotLook> = match observation.seen {
                Seen::Unlisted { cause, .. } => vec![cause],
                Seen::Resource(resource) => {
                    resources += 1;
                    resource.unread.into_iter().map(|unread| unread.cause).collect()
                }
                Seen::Listed { .. } | Seen::RegionDisabled { .. } => Vec::new(),
            };
            malformed.extend(causes.into_iter().filter(|cause| cause.cause == Cause::Malformed));
        }
        (malformed, resources)
    };
    let collector = Collector::new(types.clone());
    let (ended, seen) = join(collector.run(scope, recordings, &Still, sink), taken).await;
    ended.unwrap();
    seen
}

fn check(folder: &Path, recordings: &mut Recordings) -> usize {
    let (types, errors) = ResourceTypes::load_dir(folder);
    assert_eq!(errors, [], "{}", folder.display());
    let types = Arc::new(types);
    let (mut problems, mut found) = (Vec::new(), 0);
    for definition in types.iter() {
        let operations = definition.operations();
        let recorded = operations.iter().filter_map(|(service, operation)| recordings.of(service, operation));
        let turns = recorded.map(Vec::len).max().unwrap_or(0).min(TURNS_MAX);
        let scope = Scope {
            account: "111122223333".into(),
            partition: "aws".into(),
            regions: vec!["us-east-1".into()],
            disabled_regions: Vec::new(),
            types: Some([definition.kind().clone()].into()),
        };
        for turn in 0..turns {
            recordings.turn = turn;
            let (malformed, resources) = futures::executor::block_on(observe(&types, &scope, recordings));
            found += resources;
            // Two recordings of different accounts do not fit together; what no element was found for is no defect.
            let own = malformed.iter().filter(|cause| !cause.error.ends_with(" is null"));
            problems.extend(own.map(|cause| format!("{}: {cause}", definition.file())));
        }
    }
    problems.sort();
    problems.dedup();
    assert!(problems.is_empty(), "{} kinds of problems:\n{}", problems.len(), problems.join("\n"));
    found
}

#[test]
fn real_answers_are_understood() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("../shared/datasets/cloud-custodian/aws_api_responses.jsonl.gz");
    if !path.exists() {
        eprintln!("skipped: there are no recordings in ../shared");
        return;
    }
    let mut recordings = Recordings::load(&path);
    let found = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resources"), &mut recordings);
    assert!(found > 50, "only {found} resources of the fixtures' types were found");
    if root.join("resources").exists() {
        let found = check(&root.join("resources"), &mut recordings);
        assert!(found > 200, "only {found} resources were found");
    }
}
