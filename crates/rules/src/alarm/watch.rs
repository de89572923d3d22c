//! Alarms and metric filters together, run over a time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use super::composite::{AlarmRuleError, CompositeAlarm};
use super::metric::{AlarmError, MetricAlarm};
use super::{EVALUATIONS_MAX, PERIODS_EVALUATED_MAX, Sample, State};
use crate::filter::{MetricFilter, MetricFilterError};

/// All alarms and metric filters of a template, or of an account.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    metric: BTreeMap<String, MetricAlarm>,
    composite: BTreeMap<String, CompositeAlarm>,
    filters: Vec<MetricFilter>,
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
}

/// A change of state, or of what is done about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Option<f64>>,
}

/// What becomes of the actions of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
                self.metric.insert(name, alarm);
            }
            "AWS::CloudWatch::CompositeAlarm" => {
                let alarm = CompositeAlarm::from_properties(properties);
                let alarm = alarm.map_err(|error| WatchError::Composite(name.clone(), error))?;
                self.composite.insert(name, alarm);
            }
            "AWS::Logs::MetricFilter" => {
                let filter = MetricFilter::from_properties(properties);
                self.filters.push(filter.map_err(|error| WatchError::Filter(name, error))?);
            }
            _ => {}
        }
        Ok(())
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
        let order = self.order()?;
        let series = self.series(input);
        let times =
            || series.values().flatten().map(|(time, _)| *time).chain(input.events.iter().map(|(time, _)| *time));
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            let states = self.alarms().map(|name| (name.to_owned(), State::default())).collect();
            return Ok(Outcome { changes: Vec::new(), states });
        };
        let interval = self.metric.values().map(MetricAlarm::interval).min().unwrap_or(TimeDelta::minutes(1));
        let interval = interval.min(TimeDelta::minutes(1));
        let period = self.metric.values().map(MetricAlarm::period).max().unwrap_or(interval);
        let start = first.duration_trunc(interval).unwrap_or(first);
        // A sample within an interval is seen at the interval's end.
        let last = last.duration_trunc(interval).unwrap_or(last);
        let end = until.or_else(|| last.checked_add_signed(period)).unwrap_or(last);
        self.check_length((end - start).num_seconds(), interval.num_seconds())?;
        let mut run = Run::new(self);
        let mut now = start;
        while let Some(next) = now.checked_add_signed(interval).filter(|next| *next <= end) {
            now = next;
            run.tick(now, &series, &order);
        }
        Ok(Outcome { changes: run.changes, states: run.states })
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

    /// The samples of each metric alarm, sorted by time.
    fn series(&self, input: &Input) -> BTreeMap<String, Vec<(DateTime<Utc>, f64)>> {
        let events = || input.events.iter().map(|(time, event)| (*time, event.as_str()));
        let points: Vec<Sample> = self.filters.iter().flat_map(|filter| filter.points(events())).map(sample).collect();
        let of = |(name, alarm): (&String, &MetricAlarm)| {
            let samples = input.samples.iter().chain(&points).filter(|sample| alarm.concerns(sample));
            let own = input.series.get(name).into_iter().flatten().copied();
            let mut all: Vec<_> = samples.map(|sample| (sample.time, sample.value)).chain(own).collect();
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

/// The states while time goes on.
struct Run<'w> {
    watch: &'w Watch,
    states: BTreeMap<String, State>,
    holds: BTreeMap<&'w str, Hold>,
    changes: Vec<Change>,
}

/// What is known of the actions of a composite alarm with a suppressor.
#[derive(Default)]
struct Hold {
    /// The last state that was acted on.
    acted: State,
    suppressed: bool,
    /// Until when actions wait for the suppressor, or go on being held after it.
    until: Option<DateTime<Utc>>,
}

impl<'w> Run<'w> {
    fn new(watch: &'w Watch) -> Self {
        let states = watch.alarms().map(|name| (name.to_owned(), State::default())).collect();
        Self { watch, states, holds: BTreeMap::new(), changes: Vec::new() }
    }

    fn state(&self, name: &str) -> State {
        self.states.get(name).copied().unwrap_or_default()
    }

    fn tick(&mut self, now: DateTime<Utc>, series: &BTreeMap<String, Vec<(DateTime<Utc>, f64)>>, order: &[&'w str]) {
        for (name, alarm) in &self.watch.metric {
            if now.timestamp() % alarm.interval().num_seconds() != 0 {
                continue;
            }
            let from = self.state(name);
            let evaluation = alarm.evaluate(series.get(name).map(Vec::as_slice).unwrap_or_default(), now, from);
            let to = evaluation.state;
            if to != from {
                let actions = if alarm.actions_enabled { Actions::Taken } else { Actions::Disabled };
                let values = evaluation.slots.iter().map(|slot| slot.value).collect();
                self.change(Change { time: now, alarm: name.clone(), from, to, actions, values });
            }
        }
        for name in order {
            let Some(alarm) = self.watch.composite.get(*name) else { continue };
            let from = self.state(name);
            let to = if alarm.rule.holds(&|child| self.state(child)) { State::Alarm } else { State::Ok };
            self.composite(now, name, alarm, from, to);
        }
    }

    fn composite(&mut self, now: DateTime<Utc>, name: &'w str, alarm: &CompositeAlarm, from: State, to: State) {
        let change =
            |from, actions| Change { time: now, alarm: name.to_owned(), from, to, actions, values: Vec::new() };
        let Some(suppressor) = &alarm.suppressor else {
            if from != to {
                self.change(change(from, if alarm.actions_enabled { Actions::Taken } else { Actions::Disabled }));
            }
            return;
        };
        let suppressed = self.state(suppressor) == State::Alarm;
        let hold = self.holds.entry(name).or_default();
        if suppressed {
            hold.until = None;
        } else if hold.suppressed {
            hold.until = now.checked_add_signed(alarm.extension);
        } else if from != to && to == State::Alarm {
            hold.until = hold.until.max(now.checked_add_signed(alarm.wait));
        }
        hold.suppressed = suppressed;
        let waits = suppressed || hold.until.is_some_and(|until| now < until);
        let actions = match (alarm.actions_enabled, waits) {
            (false, _) => Actions::Disabled,
            (true, true) => Actions::Held,
            (true, false) if from == to => Actions::Released,
            (true, false) => Actions::Taken,
        };
        let acted = hold.acted;
        if !waits {
            hold.until = None;
            hold.acted = to;
        }
        if from != to {
            self.change(change(from, actions));
        } else if actions == Actions::Released && acted != to {
            self.change(change(acted, actions));
        }
    }

    fn change(&mut self, change: Change) {
        self.states.insert(change.alarm.clone(), change.to);
        self.changes.push(change);
    }
}
