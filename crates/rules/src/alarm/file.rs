//! Alarms in files, with their words and tests.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use yagura_model::{AccountId, Region};

use super::State;
use super::watch::{Change, Input, Watch, WatchError};
use crate::described::{self, Described, RawDescribed};
use crate::load::{self, LoadError};
use crate::locate::Position;

/// The time at which tests begin: 2026-01-01T00:00:00Z.
const TEST_SECONDS: i64 = 1_767_225_600;

/// The most seconds that a test may last: a week.
const TEST_SECONDS_MAX: i64 = 7 * 24 * 3_600;

/// One file: alarms and metric filters as CloudFormation resources; with words and tests where it is one of ours.
#[derive(Debug)]
pub struct AlarmFile {
    /// The file's path.
    pub path: String,
    /// The words; none where the file is a plain template.
    pub described: Option<Described>,
    /// Where the alarms belong; none where they watch every account and region that has their metrics.
    pub placement: Option<Placement>,
    /// The alarms.
    pub watch: Watch,
    /// The tests.
    pub cases: Vec<AlarmCase>,
}

/// The account and region of alarms that were imported: `Metadata: { Yagura: { Account: …, Region: … } }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Placement {
    fn of(tree: &Value) -> Option<Self> {
        let text = |name: &str| tree.pointer(&format!("/Metadata/Yagura/{name}")).and_then(Value::as_str);
        Some(Self { account: text("Account")?.into(), region: text("Region")?.into() })
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlarmFileError {
    /// It cannot be read.
    #[error(transparent)]
    Load(LoadError),
    /// Something in it cannot be run.
    #[error("{file}: {error}{}", cause(error))]
    Watch {
        /// The file.
        file: String,
        /// What.
        error: WatchError,
    },
}

fn cause(error: &WatchError) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// One test of the alarms of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmCase {
    /// What is tested.
    pub name: String,
    /// Values of alarms' metrics, one for each period from the beginning; null where there is none.
    #[serde(default)]
    data: BTreeMap<String, Vec<Option<f64>>>,
    /// Log events for the metric filters.
    #[serde(default)]
    events: Vec<LogEvent>,
    /// When the test ends, in seconds after its beginning; by default when the last period is over.
    #[serde(default)]
    until: Option<i64>,
    /// By alarm: the state at the end, or every state that it changes to.
    expect: BTreeMap<String, Expected>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogEvent {
    /// Seconds after the beginning.
    #[serde(default)]
    after: i64,
    /// A line, or an object that stands for its JSON.
    event: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a state or a list of states")]
enum Expected {
    Last(State),
    All(Vec<State>),
}

impl AlarmFile {
    /// Reads a file; what cannot be run is listed, the rest is there.
    pub fn parse(path: &str, text: &str) -> Result<(Self, Vec<AlarmFileError>), AlarmFileError> {
        let whole =
            |message| AlarmFileError::Load(LoadError { file: path.to_owned(), position: Position::START, message });
        let tree: Value = load::parse(path, text, false).map_err(AlarmFileError::Load)?;
        if tree.get("Resources").is_none_or(|resources| !resources.is_object()) {
            return Err(whole("there are no `Resources`".to_owned()));
        }
        let (watch, errors) = Watch::from_template(&tree);
        let errors = errors.into_iter().map(|error| AlarmFileError::Watch { file: path.to_owned(), error }).collect();
        let placement = Placement::of(&tree);
        let mut file = Self { path: path.to_owned(), described: None, placement, watch, cases: Vec::new() };
        if tree.get("title").is_some() {
            described::only_keys(&tree, &["Resources", "tests"]).map_err(whole)?;
            let raw: RawFile = load::parse(path, text, false).map_err(AlarmFileError::Load)?;
            file.described = Some(raw.described.described().map_err(whole)?);
            file.cases = raw.tests;
            if let Some(problem) = file.cases.iter().find_map(|case| case.problem(&file.watch)) {
                return Err(whole(problem));
            }
        }
        Ok((file, errors))
    }
}

#[derive(Debug, Deserialize)]
struct RawFile {
    #[serde(flatten)]
    described: RawDescribed,
    tests: Vec<AlarmCase>,
}

impl AlarmCase {
    /// What makes the test meaningless.
    fn problem(&self, watch: &Watch) -> Option<String> {
        let is_known = |name: &&String| watch.alarms().any(|alarm| alarm == name.as_str());
        if let Some(name) = self.expect.keys().find(|name| !is_known(name)) {
            return Some(format!(
                "the test `{}` expects something of `{name}`, which is no alarm of the file",
                self.name
            ));
        }
        if let Some(name) = self.data.keys().find(|name| watch.metric_alarm(name).is_none()) {
            return Some(format!(
                "the test `{}` has data for `{name}`, which is no metric alarm of the file",
                self.name
            ));
        }
        if self.expect.is_empty() {
            return Some(format!("the test `{}` expects nothing", self.name));
        }
        let is_long = |seconds: i64| !(0..=TEST_SECONDS_MAX).contains(&seconds);
        let lasts = |(name, values): (&String, &Vec<Option<f64>>)| {
            let period = watch.metric_alarm(name).map_or(0, |alarm| alarm.period().num_seconds());
            is_long(i64::try_from(values.len()).unwrap_or(i64::MAX).saturating_mul(period))
        };
        if self.data.iter().any(lasts)
            || self.until.is_some_and(is_long)
            || self.events.iter().any(|event| is_long(event.after))
        {
            return Some(format!("the test `{}` lasts longer than a week", self.name));
        }
        None
    }

    /// Runs the test: the changes of all alarms, and what was other than expected.
    pub fn run(&self, watch: &Watch) -> Result<(Vec<Change>, Vec<String>), WatchError> {
        let start = DateTime::from_timestamp(TEST_SECONDS, 0).unwrap_or_default();
        let (input, end) = self.input(watch, start);
        let outcome = watch.run(&input, end)?;
        let mut failures = Vec::new();
        for (name, expected) in &self.expect {
            let gone: Vec<State> = outcome
                .changes
                .iter()
                .filter(|change| change.alarm == *name && change.from != change.to)
                .map(|change| change.to)
                .collect();
            let last = outcome.states.get(name).copied().unwrap_or_default();
            let failure = match expected {
                Expected::Last(expected) if *expected != last => Some((expected.to_string(), last.to_string())),
                Expected::All(expected) if *expected != gone => Some((list(expected), list(&gone))),
                _ => None,
            };
            failures.extend(failure.map(|(expected, found)| format!("`{name}`: expected {expected}, found {found}")));
        }
        Ok((outcome.changes, failures))
    }

    fn input(&self, watch: &Watch, start: DateTime<Utc>) -> (Input, Option<DateTime<Utc>>) {
        let at = |seconds: i64| start + TimeDelta::seconds(seconds.clamp(0, TEST_SECONDS_MAX));
        let mut input = Input::default();
        let mut end = self.until.map(at);
        for (name, values) in &self.data {
            let Some(alarm) = watch.metric_alarm(name) else { continue };
            let period = alarm.period().num_seconds();
            let times = (0..).map(|number: i64| at(number.saturating_mul(period)));
            let samples = times.zip(values).filter_map(|(time, value)| value.map(|value| (time, value)));
            input.series.insert(name.clone(), samples.collect());
            let over = at(i64::try_from(values.len()).unwrap_or(i64::MAX).saturating_mul(period));
            if self.until.is_none() {
                end = Some(end.map_or(over, |end| end.max(over)));
            }
        }
        for event in &self.events {
            let line = event.event.as_str().map_or_else(|| event.event.to_string(), str::to_owned);
            input.events.push((at(event.after), line));
        }
        (input, end)
    }
}

fn list(states: &[State]) -> String {
    let states: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    format!("[{}]", states.join(", "))
}
