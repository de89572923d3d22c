//! Runs the tests inside resource files: recorded answers in, resources out.
//!
//! In: [`ResourceTypes`]. Out: a [`Report`]. No network, no clock: what the answers leave out was not answered.

mod answers;
mod compare;
mod paths;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, join, ready};
use jmespath::Variable;
use tokio::sync::mpsc;
use yagura_model::{AccountId, Observation, Partition, Region, Seen};

use crate::collector::{Clock, Collector, Parent, Place, Scope, home_region, read_with_parents};
use crate::types::expression::to_variable;
use crate::types::{Definition, ResourceTypes, Test};
pub use paths::impossible_paths;

use answers::{Answers, Fault};

/// How many observations may wait to be looked at.
const WAITING_MAX: usize = 64;

/// What came of the tests.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// How many tests were run.
    pub run: usize,
    /// Those that did not give what they expect.
    pub failures: Vec<Failed>,
    /// The files that have no test.
    pub untested: Vec<String>,
}

/// A test that did not give what it expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {test}: {message}")]
pub struct Failed {
    /// The resource file.
    pub file: String,
    /// Where the test begins.
    pub line: u64,
    /// Its name.
    pub test: String,
    /// What was expected and what came.
    pub message: String,
}

/// Runs every test of every type.
pub async fn test_types(types: &ResourceTypes) -> Report {
    let mut report = Report::default();
    for definition in types.iter() {
        if definition.tests.is_empty() {
            report.untested.push(definition.file.clone());
        }
        for test in &definition.tests {
            report.run += 1;
            if let Err(message) = run(types, definition, test).await {
                report.failures.push(Failed {
                    file: definition.file.clone(),
                    line: test.line,
                    test: test.name.clone(),
                    message,
                });
            }
        }
    }
    report
}

/// Runs every test again with each of its calls going wrong in each way, and fails where a resource then lacks a
/// property without saying so. What the tests expect does not matter here.
pub async fn test_faults(types: &ResourceTypes) -> Report {
    let mut report = Report::default();
    for definition in types.iter() {
        for test in &definition.tests {
            let whole = match Answers::parse(&test.answers) {
                Ok(answers) => observe(types, definition, test, &answers).await,
                Err(message) => Err(message),
            };
            let Ok(whole) = whole else { continue };
            for (service, operation) in definition.operations() {
                for fault in Fault::ALL {
                    report.run += 1;
                    let operation = format!("{service}:{operation}");
                    if let Err(message) = run_fault(types, definition, test, (&operation, fault), &whole).await {
                        report.failures.push(Failed {
                            file: definition.file.clone(),
                            line: test.line,
                            test: test.name.clone(),
                            message: format!("{operation} {fault:?}: {message}"),
                        });
                    }
                }
            }
        }
    }
    report
}

async fn run_fault(
    types: &ResourceTypes,
    definition: &Definition,
    test: &Test,
    (operation, fault): (&str, Fault),
    whole: &[Seen],
) -> Result<(), String> {
    let answers = Answers::parse(&test.answers)?.with_fault(operation, fault);
    let seen = observe(types, definition, test, &answers).await?;
    compare::silent_loss(definition, whole, &seen)
}

async fn run(types: &ResourceTypes, definition: &Definition, test: &Test) -> Result<(), String> {
    let answers = Answers::parse(&test.answers)?;
    let seen = observe(types, definition, test, &answers).await?;
    compare::compare(definition, test, &seen)?;
    match answers.unused().as_slice() {
        [] => Ok(()),
        unused => Err(format!("nothing asks for the answer of {}", unused.join(", "))),
    }
}

/// What is seen of a type with these answers.
async fn observe(
    types: &ResourceTypes,
    definition: &Definition,
    test: &Test,
    answers: &Answers,
) -> Result<Vec<Seen>, String> {
    let account = AccountId::from(test.account.as_deref().unwrap_or("111122223333"));
    let partition = Partition::from(test.partition.as_deref().unwrap_or("aws"));
    let home = home_region(&partition).ok_or_else(|| format!("`{partition}` is not a partition"))?;
    let region = test.region.as_deref().map_or_else(|| home.clone(), Region::from);
    let (sink, observations) = mpsc::channel(WAITING_MAX);
    let taken = take(observations);
    if test.parents.is_empty() {
        let scope = Scope {
            account,
            partition,
            regions: vec![region],
            disabled_regions: Vec::new(),
            types: Some([definition.kind.clone()].into()),
        };
        let collector = Collector::new(Arc::new(types.clone()));
        let (ended, seen) = join(collector.run(&scope, answers, &Still, sink), taken).await;
        return ended.map(|()| seen).map_err(|error| error.to_string());
    }
    let (asked, recorded) = if definition.global { (home, Region::global()) } else { (region.clone(), region) };
    let place = Place { account, partition, asked: asked.as_str().to_owned(), recorded };
    let parents = test.parents.iter().map(|object| parent(object, &place)).collect::<Result<Vec<_>, _>>()?;
    let reading = read_with_parents(definition, parents, &place, answers, &Still, sink);
    let (ended, seen) = join(reading, taken).await;
    ended.map(|()| seen).map_err(|error| error.to_string())
}

/// A parent as a test gives it: what its details gave, and its `id`.
fn parent(object: &serde_json::Value, place: &Place) -> Result<Parent, String> {
    let mut members = place.names();
    match &*to_variable(object) {
        Variable::Object(given) if given.contains_key("id") => members.extend(given.clone()),
        _ => return Err("a parent is an object with an `id`".to_owned()),
    }
    Ok(Parent { object: jmespath::Rcvar::new(Variable::Object(members)), failed: BTreeMap::new() })
}

async fn take(mut observations: mpsc::Receiver<Observation>) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(observation) = observations.recv().await {
        seen.push(observation.seen);
    }
    seen
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn wait(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}
