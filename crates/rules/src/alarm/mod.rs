//! CloudWatch alarms.
//!
//! In: alarms as CloudFormation describes them (so AWS's own, recorded or in a template, are taken as they are), samples of
//! metrics or log events for metric filters, and times. Out: states and the changes between them. The state of a metric
//! alarm is a pure function of its definition, the samples, the time and the state before. What is documented is followed;
//! where AWS is silent:
//!
//! - beside the evaluation periods, two older ones are looked at for points in the place of missing ones, as in AWS's examples;
//! - where all the points that there are breach, but are too few and too new for an alarm, the state stays what it is;
//! - percentiles between two samples are interpolated, trimmed statistics count whole samples;
//! - metric math and anomaly detection are not evaluated: such alarms are refused, never taken for quiet.

mod composite;
mod file;
mod metric;
mod run;
mod statistic;
mod watch;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use yagura_model::metric::{Point, Statistics};

pub use composite::{AlarmRule, AlarmRuleError, CompositeAlarm};
pub use file::{AlarmCase, AlarmFile, AlarmFileError, Placement};
pub use metric::{AlarmError, Evaluation, MetricAlarm, MissingData, Slot};
pub use run::{Begin, Checkpoint};
pub use statistic::Bounds;
pub use statistic::Statistic;
pub use watch::{Actions, Change, EventScope, Input, NamedFilter, Outcome, Watch, WatchError};

/// The most evaluation periods of an alarm, so that no definition makes one evaluation go through millions of points; a week
/// of minutes, the longest that AWS lets an alarm look back, is within it.
pub const PERIODS_MAX: usize = 10_080;

/// How many periods beside the evaluation periods are looked at for points. AWS does not say; its examples have two.
pub const EXTRA_PERIODS: usize = 2;

/// The longest composite rule, in characters: AWS's limit.
pub const RULE_CHARS_MAX: usize = 10_240;

/// The most operators and operands of a composite rule: AWS's limit.
pub const RULE_ELEMENTS_MAX: usize = 500;

/// The most alarms that a composite rule may name: AWS's limit.
pub const CHILDREN_MAX: usize = 100;

/// How deep brackets and `NOT` may nest in a composite rule, so that no rule can exhaust the stack.
pub const RULE_NESTING_MAX: usize = 64;

/// The most evaluations in one run over a series: more than a year of minutes.
pub const EVALUATIONS_MAX: usize = 600_000;

/// The most periods that a run over a series looks at, over all alarms: a few seconds' work.
pub const PERIODS_EVALUATED_MAX: i64 = 100_000_000;

/// What an alarm says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// All is well.
    Ok,
    /// What was to be watched for is there.
    Alarm,
    /// There is too little to tell, as at the beginning.
    #[default]
    InsufficientData,
}

impl State {
    /// As AWS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value of a metric at a time. What is not said (namespace, metric, dimensions, unit) fits every alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// When.
    pub time: DateTime<Utc>,
    /// How much.
    pub value: f64,
    /// The metric's namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The metric's name.
    #[serde(default)]
    pub metric: Option<String>,
    /// All dimensions of the series.
    #[serde(default)]
    pub dimensions: Option<BTreeMap<String, String>>,
    /// The unit.
    #[serde(default)]
    pub unit: Option<String>,
}

/// What is known of a metric at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// One sample.
    Sample(f64),
    /// The statistics of a period. They belong to its last moment: before it is over nobody knows them.
    Period(Box<Statistics>),
}

impl From<f64> for Reading {
    fn from(value: f64) -> Self {
        Self::Sample(value)
    }
}

impl Reading {
    /// What a point of a metric says, and the time that it belongs to.
    pub fn of_point(point: &Point) -> (DateTime<Utc>, Self) {
        (point.end() - TimeDelta::seconds(1), Self::Period(Box::new(point.statistics.clone())))
    }

    /// Samples behind it; one where nobody counted.
    fn samples(&self) -> f64 {
        match self {
            Self::Sample(_) => 1.0,
            Self::Period(statistics) => statistics.sample_count.unwrap_or(1.0),
        }
    }
}

#[cfg(test)]
mod tests;
