//! Alarms and metric filters together, run over a time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::composite::{AlarmRuleError, CompositeAlarm};
use super::metric::{AlarmError, MetricAlarm};
use super::run::{Begin, Checkpoint, Readings, Run};
use super::{EVALUATIONS_MAX, PERIODS_EVALUATED_MAX, Reading, Sample, State};
use crate::filter::{MetricFilter, MetricFilterError};

/// How often AWS evaluates at least.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// All alarms and metric filters of a template, or of an account.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    pub(super) metric: BTreeMap<String, MetricAlarm>,
    pub(super) composite: BTreeMap<String, CompositeAlarm>,
    filters: Vec<NamedFilter>,
    targets: BTreeMap<(String, State), Vec<String>>,
}

/// A metric filter of a template or of an account.
#[derive(Debug, Clone)]
pub struct NamedFilter {
    /// Its name, or its name in the template.
    pub name: String,
    /// The filter.
    pub filter: MetricFilter,
    /// Which events it sees.
    pub scope: EventScope,
}

/// Of which regions a metric filter sees the events of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventScope {
    /// Of all: a trail of all regions delivers to its log group.
    #[default]
    AllRegions,
    /// Of its own: `Metadata: { Yagura: { EventsOf: region } }`.
    OwnRegion,
}

/// What alarms are run over.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Samples of metrics.
    pub samples: Vec<Sample>,
    /// Log events, for metric filters.
    pub events: Vec<(DateTime<Utc>, String)>,
    /// Samples of one alarm's metric, by the alarm's name.
    pub series: BTreeMap<String, Vec<(DateTime<Utc>, f64)>>,
    /// The same where it is known by its statistics.
    pub readings: BTreeMap<String, Vec<(DateTime<Utc>, Reading)>>,
}

/// A change of state, or of what is done about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When.
    pub time: DateTime<Utc>,
    /// Which alarm.
    pub alarm: String,
    /// The state before.
    pub from: State,
    /// The state from then on.
    pub to: State,
    /// What becomes of the alarm's actions.
    pub actions: Actions,
    /// The values of a metric alarm's evaluation range, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Option<f64>>,
}

/// What becomes of the actions of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actions {
    /// They are taken.
    Taken,
    /// They are held back, because the suppressor is in alarm or waited for.
    Held,
    /// They are taken now for what changed while they were held back.
    Released,
    /// `ActionsEnabled` is false.
    Disabled,
}

/// What a template has that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// A metric alarm.
    #[error("the alarm `{0}` cannot be evaluated")]
    Alarm(String, #[source] AlarmError),
    /// A composite alarm.
    #[error("the composite alarm `{0}` cannot be evaluated")]
    Composite(String, #[source] AlarmRuleError),
    /// A metric filter.
    #[error("the metric filter `{0}` cannot be used")]
    Filter(String, #[source] MetricFilterError),
    /// Two alarms of one name.
    #[error("two alarms are called `{0}`")]
    Twice(String),
    /// A composite alarm on an alarm that is not there.
    #[error("the composite alarm `{0}` names `{1}`, which is not there")]
    Unknown(String, String),
    /// Composite alarms that wait for each other.
    #[error("the composite alarm `{0}` depends on itself")]
    Cycle(String),
    /// More evaluations, or periods in them, than the limits.
    #[error("the series is too long to be evaluated: shorten it, or look at fewer alarms")]
    TooLong,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Every change, in the order of time.
    pub changes: Vec<Change>,
    /// The state of every alarm at the end.
    pub states: BTreeMap<String, State>,
    /// Where it can be gone on from: at the midnights (UTC) within the run, and at its end.
    pub checkpoints: Vec<Checkpoint>,
}

impl Watch {
    /// The alarms and metric filters among the `Resources` of a CloudFormation template, and what is wrong with the others.
    pub fn from_template(template: &Value) -> (Self, Vec<WatchError>) {
        let mut watch = Self::default();
        let mut errors = Vec::new();
        for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            let properties = resource.get("Properties").unwrap_or(&Value::Null);
            errors.extend(watch.add(kind, id, properties).err());
            if resource.pointer("/Metadata/Yagura/EventsOf").and_then(Value::as_str) == Some("region")
                && let Some(filter) = watch.filters.last_mut().filter(|_| kind == "AWS::Logs::MetricFilter")
            {
                filter.scope = EventScope::OwnRegion;
            }
        }
        errors.extend(watch.check());
        (watch, errors)
    }

    /// Takes in a resource by its CloudFormation type and properties; `name` is used where the properties have none. Types
    /// that have nothing to do with alarms are passed over.
    pub fn add(&mut self, kind: &str, name: &str, properties: &Value) -> Result<(), WatchError> {
        let name = properties.get("AlarmName").and_then(Value::as_str).unwrap_or(name).to_owned();
        let taken = self.metric.contains_key(&name) || self.composite.contains_key(&name);
        match kind {
            "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm" if taken => {
                return Err(WatchError::Twice(name));
            }
            "AWS::CloudWatch::Alarm" => {
                let alarm = MetricAlarm::from_properties(properties);
                let alarm = alarm.map_err(|error| WatchError::Alarm(name.clone(), error))?;
                self.metric.insert(name.clone(), alarm);
            }
            "AWS::CloudWatch::CompositeAlarm" => {
                let alarm = CompositeAlarm::from_properties(properties);
                let alarm = alarm.map_err(|error| WatchError::Composite(name.clone(), error))?;
                self.composite.insert(name.clone(), alarm);
            }
            "AWS::Logs::MetricFilter" => {
                let name = properties.get("FilterName").and_then(Value::as_str).map_or(name, str::to_owned);
                let filter = MetricFilter::from_properties(properties);
                let filter = filter.map_err(|error| WatchError::Filter(name.clone(), error))?;
                self.filters.push(NamedFilter { name, filter, scope: EventScope::default() });
                return Ok(());
            }
            _ => return Ok(()),
        }
        for (property, state) in [
            ("AlarmActions", State::Alarm),
            ("OKActions", State::Ok),
            ("InsufficientDataActions", State::InsufficientData),
        ] {
            let targets = properties.get(property).and_then(Value::as_array).into_iter().flatten();
            // A reference of a template stands for a target that is not known yet.
            let targets = targets.map(|target| target.as_str().map_or_else(|| target.to_string(), str::to_owned));
            self.targets.insert((name.clone(), state), targets.collect());
        }
        Ok(())
    }

    /// The metric filters.
    pub fn filters(&self) -> &[NamedFilter] {
        &self.filters
    }

    /// Whom or what the alarm of this name acts on when it comes into a state.
    pub fn targets(&self, name: &str, state: State) -> &[String] {
        self.targets.get(&(name.to_owned(), state)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The alarms on metrics, by name.
    pub fn metric_alarms(&self) -> impl Iterator<Item = (&str, &MetricAlarm)> {
        self.metric.iter().map(|(name, alarm)| (name.as_str(), alarm))
    }

    /// The names of the alarms, those on metrics first.
    pub fn alarms(&self) -> impl Iterator<Item = &str> {
        self.metric.keys().chain(self.composite.keys()).map(String::as_str)
    }

    /// The alarm of this name, where it is one on a metric.
    pub fn metric_alarm(&self, name: &str) -> Option<&MetricAlarm> {
        self.metric.get(name)
    }

    /// What makes composite alarms impossible to evaluate.
    pub fn check(&self) -> Vec<WatchError> {
        let unknown = self.composite.iter().flat_map(|(name, alarm)| {
            let needed = alarm.rule.children().iter().chain(&alarm.suppressor);
            let missing =
                needed.filter(|child| !self.metric.contains_key(*child) && !self.composite.contains_key(*child));
            missing.map(|child| WatchError::Unknown(name.clone(), child.clone()))
        });
        unknown.chain(self.order().err()).collect()
    }

    /// Drops the composite alarms that [`Watch::check`] finds fault with, and those that need them, so that the others can
    /// be evaluated; gives their names.
    pub fn drop_broken(&mut self) -> Vec<String> {
        let mut dropped = Vec::new();
        while let Some(error) = self.check().into_iter().next() {
            let (WatchError::Unknown(name, _) | WatchError::Cycle(name)) = error else { break };
            self.composite.remove(&name);
            dropped.push(name);
        }
        dropped
    }

    /// The composite alarms, each after those that it depends on.
    fn order(&self) -> Result<Vec<&str>, WatchError> {
        let mut order: Vec<&str> = Vec::new();
        let mut done = BTreeSet::new();
        while order.len() < self.composite.len() {
            let before = order.len();
            for (name, alarm) in self.composite.iter().filter(|(name, _)| !done.contains(*name)).collect::<Vec<_>>() {
                let ready = |child: &String| done.contains(child) || !self.composite.contains_key(child);
                if alarm.rule.children().iter().all(ready) {
                    order.push(name);
                    done.insert(name.clone());
                }
            }
            if order.len() == before {
                let stuck = self.composite.keys().find(|name| !done.contains(*name));
                return Err(WatchError::Cycle(stuck.cloned().unwrap_or_default()));
            }
        }
        Ok(order)
    }

    /// Evaluates the alarms from the first sample or event until `until`, or until the period of the last is over.
    pub fn run(&self, input: &Input, until: Option<DateTime<Utc>>) -> Result<Outcome, WatchError> {
        let series = self.series(input);
        let times =
            || series.values().flatten().map(|(time, _)| *time).chain(input.events.iter().map(|(time, _)| *time));
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            self.order()?;
            let states = self.alarms().map(|name| (name.to_owned(), State::default())).collect();
            return Ok(Outcome { states, ..Outcome::default() });
        };
        let interval = self.interval();
        let period = self.metric.values().map(MetricAlarm::period).max().unwrap_or(interval);
        // A sample within an interval is seen at the interval's end.
        let last = last.duration_trunc(interval).unwrap_or(last);
        let end = until.or_else(|| last.checked_add_signed(period)).unwrap_or(last);
        self.run_over(&series, Begin::At(first), end)
    }

    /// Evaluates the alarms from `begin` until `until`. What is known must reach as far back before `begin` as the alarms
    /// look; going on from a checkpoint then comes to the same as beginning anew.
    pub fn run_from(&self, input: &Input, begin: Begin<'_>, until: DateTime<Utc>) -> Result<Outcome, WatchError> {
        self.run_over(&self.series(input), begin, until)
    }

    fn run_over(&self, series: &Readings, begin: Begin<'_>, end: DateTime<Utc>) -> Result<Outcome, WatchError> {
        let order = self.order()?;
        let interval = self.interval();
        let mut run = Run::begin(self, begin, interval);
        self.check_length((end - run.now).num_seconds(), interval.num_seconds())?;
        let mut checkpoints = Vec::new();
        while let Some(next) = run.now.checked_add_signed(interval).filter(|next| *next <= end) {
            run.tick(next, series, &order);
            if next.num_seconds_from_midnight() == 0 {
                checkpoints.push(run.checkpoint());
            }
        }
        if checkpoints.last().is_none_or(|last| last.time != run.now) {
            checkpoints.push(run.checkpoint());
        }
        Ok(Outcome { changes: run.changes, states: run.states, checkpoints })
    }

    /// How often something is evaluated: every minute, or oftener where an alarm asks for it.
    fn interval(&self) -> TimeDelta {
        self.metric.values().map(MetricAlarm::interval).min().map_or(MINUTE, |interval| interval.min(MINUTE))
    }

    /// That a run stays within the limits.
    fn check_length(&self, seconds: i64, interval: i64) -> Result<(), WatchError> {
        let periods = self.metric.values().map(|alarm| {
            let each = i64::try_from(alarm.range()).unwrap_or(i64::MAX);
            (seconds / alarm.interval().num_seconds().max(1)).saturating_mul(each)
        });
        let is_long = seconds / interval.max(1) > i64::try_from(EVALUATIONS_MAX).unwrap_or(i64::MAX);
        if is_long || periods.fold(0, i64::saturating_add) > PERIODS_EVALUATED_MAX {
            return Err(WatchError::TooLong);
        }
        Ok(())
    }

    /// What is known of each alarm's metric, sorted by time.
    fn series(&self, input: &Input) -> Readings {
        let events = || input.events.iter().map(|(time, event)| (*time, event.as_str()));
        let points: Vec<Sample> =
            self.filters.iter().flat_map(|named| named.filter.points(events())).map(sample).collect();
        let of = |(name, alarm): (&String, &MetricAlarm)| {
            let samples = input.samples.iter().chain(&points).filter(|sample| alarm.concerns(sample));
            let own = input.series.get(name).into_iter().flatten().copied();
            let samples = samples.map(|sample| (sample.time, sample.value)).chain(own);
            let mut all: Vec<(DateTime<Utc>, Reading)> =
                samples.map(|(time, value)| (time, Reading::Sample(value))).collect();
            all.extend(input.readings.get(name).into_iter().flatten().cloned());
            all.sort_by_key(|(time, _)| *time);
            (name.clone(), all)
        };
        self.metric.iter().map(of).collect()
    }
}

fn sample(point: crate::filter::Point) -> Sample {
    Sample {
        time: point.time,
        value: point.value,
        namespace: Some(point.namespace),
        metric: Some(point.metric),
        dimensions: Some(point.dimensions),
        unit: point.unit,
    }
}
