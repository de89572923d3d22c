//! Alarms on one metric.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;

use super::statistic::Statistic;
use super::{EXTRA_PERIODS, PERIODS_MAX, Reading, Sample, State};

/// A metric alarm, as `AWS::CloudWatch::Alarm` describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricAlarm {
    namespace: String,
    metric: String,
    dimensions: BTreeMap<String, String>,
    unit: Option<String>,
    statistic: Statistic,
    statistic_name: String,
    period_seconds: u32,
    evaluation_periods: usize,
    datapoints_to_alarm: usize,
    threshold: f64,
    comparison: Comparison,
    missing: MissingData,
    ignores_few_samples: bool,
    pub(super) actions_enabled: bool,
}

/// How a value is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    GreaterOrEqual,
    Greater,
    Less,
    LessOrEqual,
}

/// What a period without a value counts as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingData {
    /// Nothing: what there is decides, and with nothing there the data is insufficient.
    #[default]
    Missing,
    /// Good.
    NotBreaching,
    /// Bad.
    Breaching,
    /// As before.
    Ignore,
}

/// Properties that make no alarm that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlarmError {
    /// A property that is missing or of another kind.
    #[error("expected {expected} as `{property}`")]
    Property {
        /// The property.
        property: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// An alarm of a kind that is not evaluated here.
    #[error("alarms on {0} are not evaluated")]
    Unsupported(&'static str),
}

/// One period of the evaluation range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Slot {
    /// When the period begins.
    pub start: DateTime<Utc>,
    /// The statistic; nothing where no sample is.
    pub value: Option<f64>,
    /// Whether the value breaches the threshold.
    pub breaching: bool,
}

/// What an alarm came to at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The state.
    pub state: State,
    /// The evaluation range, the oldest period first.
    pub slots: Vec<Slot>,
    /// How many points breached among those that decided.
    pub breaching: usize,
    /// How many periods had to be filled.
    pub filled: usize,
}

impl MetricAlarm {
    /// The alarm that the properties of an `AWS::CloudWatch::Alarm` describe; properties that say nothing about the state
    /// are passed over.
    pub fn from_properties(properties: &Value) -> Result<Self, AlarmError> {
        if properties.get("ThresholdMetricId").is_some_and(|id| !id.is_null()) {
            return Err(AlarmError::Unsupported("anomaly detection"));
        }
        // An alarm on a list of one plain metric is an alarm on that metric.
        let source = match properties.get("Metrics").and_then(Value::as_array).map(Vec::as_slice) {
            None | Some([]) => properties,
            Some([query]) => query.get("MetricStat").ok_or(AlarmError::Unsupported("metric math"))?,
            Some(_) => return Err(AlarmError::Unsupported("metric math")),
        };
        let metric = source.get("Metric").unwrap_or(source);
        let evaluation_periods = count(properties, "EvaluationPeriods")?;
        let evaluation_periods = evaluation_periods.ok_or_else(|| wanted("EvaluationPeriods", "a count of periods"))?;
        let datapoints_to_alarm = count(properties, "DatapointsToAlarm")?.unwrap_or(evaluation_periods);
        if datapoints_to_alarm > evaluation_periods {
            return Err(wanted("DatapointsToAlarm", "no more than `EvaluationPeriods`"));
        }
        let threshold = number(properties, "Threshold").ok_or_else(|| wanted("Threshold", "a number"))?;
        let actions_enabled = properties.get("ActionsEnabled").is_none_or(|value| !is(value, "false"));
        Ok(Self {
            namespace: text(metric, "Namespace")?.ok_or_else(|| wanted("Namespace", "a text"))?,
            metric: text(metric, "MetricName")?.ok_or_else(|| wanted("MetricName", "a text"))?,
            dimensions: dimensions(metric)?,
            unit: text(source, "Unit")?,
            statistic: statistic(source)?,
            statistic_name: ["Stat", "Statistic", "ExtendedStatistic"]
                .iter()
                .find_map(|property| source.get(*property)?.as_str())
                .unwrap_or_default()
                .to_owned(),
            period_seconds: period(source)?,
            evaluation_periods,
            datapoints_to_alarm,
            threshold,
            comparison: comparison(properties)?,
            missing: missing_data(properties)?,
            ignores_few_samples: ignores_few_samples(properties)?,
            actions_enabled,
        })
    }

    /// How long a period is.
    pub fn period(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.period_seconds))
    }

    /// The metric's namespace, name and dimensions.
    pub fn metric(&self) -> (&str, &str, &BTreeMap<String, String>) {
        (&self.namespace, &self.metric, &self.dimensions)
    }

    /// The unit that points must have, where one is asked for.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// How much time one evaluation looks at.
    pub fn looks_back(&self) -> TimeDelta {
        self.period() * i32::try_from(self.range()).unwrap_or(i32::MAX)
    }

    /// How often AWS evaluates the alarm: every minute, every ten seconds where periods are shorter than that, and every
    /// hour where they reach back more than a day.
    pub fn interval(&self) -> TimeDelta {
        let whole_seconds = u64::from(self.period_seconds).saturating_mul(self.evaluation_periods as u64);
        TimeDelta::seconds(match whole_seconds {
            _ if self.period_seconds < 60 => 10,
            86_401.. => 3_600,
            _ => 60,
        })
    }

    /// How many periods one evaluation looks at.
    pub(super) fn range(&self) -> usize {
        self.evaluation_periods + EXTRA_PERIODS
    }

    /// Whether a sample is of the alarm's metric.
    pub fn concerns(&self, sample: &Sample) -> bool {
        sample.namespace.as_ref().is_none_or(|namespace| *namespace == self.namespace)
            && sample.metric.as_ref().is_none_or(|metric| *metric == self.metric)
            && sample.dimensions.as_ref().is_none_or(|dimensions| *dimensions == self.dimensions)
            && (self.unit.is_none() || sample.unit.is_none() || sample.unit == self.unit)
    }

    /// The state at a time, of readings sorted by time; `before` is the state until then.
    pub fn evaluate(&self, readings: &[(DateTime<Utc>, Reading)], now: DateTime<Utc>, before: State) -> Evaluation {
        let range = self.range();
        let mut counted = 0.0;
        let slots = (0..range).rev().map(|ago| {
            let within = self.period_of(readings, now, ago);
            if ago < self.evaluation_periods {
                counted += within.iter().map(|(_, reading)| reading.samples()).sum::<f64>();
            }
            let readings = within.iter().map(|(_, reading)| reading);
            let value = self.statistic.of_readings(&self.statistic_name, readings);
            Slot {
                start: self.start_of(now, ago),
                value,
                breaching: value.is_some_and(|value| self.comparison.breaches(value, self.threshold)),
            }
        });
        let slots: Vec<Slot> = slots.collect();
        let too_few = counted > 0.0 && counted < self.statistic.samples_needed();
        if self.ignores_few_samples && too_few {
            return Evaluation { state: before, slots, breaching: 0, filled: 0 };
        }
        let points: Vec<Option<bool>> = slots.iter().map(|slot| slot.value.map(|_| slot.breaching)).collect();
        let needs = Needs { of: self.evaluation_periods, breaching: self.datapoints_to_alarm, missing: self.missing };
        let (state, breaching, filled) = needs.state(&points, before);
        Evaluation { state, slots, breaching, filled }
    }

    fn start_of(&self, now: DateTime<Utc>, ago: usize) -> DateTime<Utc> {
        let periods = i32::try_from(ago + 1).unwrap_or(i32::MAX);
        self.period()
            .checked_mul(periods)
            .and_then(|back| now.checked_sub_signed(back))
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    fn period_of<'s>(
        &self,
        readings: &'s [(DateTime<Utc>, Reading)],
        now: DateTime<Utc>,
        ago: usize,
    ) -> &'s [(DateTime<Utc>, Reading)] {
        let start = self.start_of(now, ago);
        let end = start.checked_add_signed(self.period()).unwrap_or(now);
        let index = |time: DateTime<Utc>| readings.partition_point(|(other, _)| *other < time);
        readings.get(index(start)..index(end)).unwrap_or_default()
    }
}

impl Comparison {
    fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

/// How many of how many points must breach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) of: usize,
    pub(super) breaching: usize,
    pub(super) missing: MissingData,
}

impl Needs {
    /// The state, how many points breached, and how many had to be filled. Points are the evaluation range, the oldest
    /// first; each breaching or not, or missing.
    pub(super) fn state(self, points: &[Option<bool>], before: State) -> (State, usize, usize) {
        let real: Vec<bool> = points.iter().rev().filter_map(|point| *point).take(self.of).collect();
        let breaching = real.iter().filter(|breaching| **breaching).count();
        let filled = self.of - real.len();
        let decided = |alarm: bool| if alarm { State::Alarm } else { State::Ok };
        let state = match self.missing {
            _ if filled == 0 => decided(breaching >= self.breaching),
            MissingData::NotBreaching => decided(breaching >= self.breaching),
            MissingData::Breaching => decided(breaching + filled >= self.breaching),
            MissingData::Missing if real.is_empty() => State::InsufficientData,
            MissingData::Missing | MissingData::Ignore if breaching >= self.breaching && !real.is_empty() => {
                State::Alarm
            }
            // A good point among too few decides for good.
            MissingData::Missing | MissingData::Ignore if breaching < real.len() => State::Ok,
            // All that is there is bad. It alarms once it is as old as an alarm's worth of points would be.
            MissingData::Missing if oldest_age(points) >= self.breaching => State::Alarm,
            MissingData::Missing | MissingData::Ignore => before,
        };
        (state, breaching, filled)
    }
}

/// How many periods ago the oldest point is, the newest period being one.
fn oldest_age(points: &[Option<bool>]) -> usize {
    points.iter().position(Option::is_some).map_or(0, |index| points.len() - index)
}

fn wanted(property: &'static str, expected: &'static str) -> AlarmError {
    AlarmError::Property { property, expected }
}

/// CloudFormation takes texts for numbers and bools.
fn number(properties: &Value, property: &str) -> Option<f64> {
    let value = properties.get(property)?;
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

fn is(value: &Value, word: &str) -> bool {
    match value {
        Value::Bool(value) => value.to_string() == word,
        Value::String(text) => text.eq_ignore_ascii_case(word),
        _ => false,
    }
}

fn count(properties: &Value, property: &'static str) -> Result<Option<usize>, AlarmError> {
    if properties.get(property).is_none_or(Value::is_null) {
        return Ok(None);
    }
    let found = number(properties, property).filter(|count| count.fract() == 0.0 && *count >= 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number within the limit")]
    let found = found.map(|count| count.min(1e9) as usize).filter(|count| *count <= PERIODS_MAX);
    found.map(Some).ok_or_else(|| wanted(property, "a whole number from 1 to 10080"))
}

fn period(source: &Value) -> Result<u32, AlarmError> {
    let period = number(source, "Period").filter(|seconds| {
        [10.0, 20.0, 30.0].contains(seconds) || (*seconds >= 60.0 && seconds % 60.0 == 0.0 && *seconds <= 604_800.0)
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to a week")]
    period.map(|seconds| seconds as u32).ok_or_else(|| wanted("Period", "10, 20, 30 or a multiple of 60 seconds"))
}

fn statistic(source: &Value) -> Result<Statistic, AlarmError> {
    // `Stat`, of a metric in a list, holds either kind.
    let named = |property| text(source, property);
    if let Some(name) = named("Stat")? {
        let found = Statistic::basic(&name).or_else(|| Statistic::extended(&name));
        return found.ok_or_else(|| wanted("Stat", "a statistic"));
    }
    match (named("Statistic")?, named("ExtendedStatistic")?) {
        (Some(name), None) => {
            Statistic::basic(&name).ok_or_else(|| wanted("Statistic", "SampleCount, Average, Sum, Minimum or Maximum"))
        }
        (None, Some(name)) => Statistic::extended(&name).ok_or_else(|| {
            wanted("ExtendedStatistic", "a percentile such as `p99` or a trimmed statistic such as `tm90`")
        }),
        _ => Err(wanted("Statistic", "either this or `ExtendedStatistic`")),
    }
}

fn comparison(properties: &Value) -> Result<Comparison, AlarmError> {
    match text(properties, "ComparisonOperator")?.as_deref() {
        Some("GreaterThanOrEqualToThreshold") => Ok(Comparison::GreaterOrEqual),
        Some("GreaterThanThreshold") => Ok(Comparison::Greater),
        Some("LessThanThreshold") => Ok(Comparison::Less),
        Some("LessThanOrEqualToThreshold") => Ok(Comparison::LessOrEqual),
        Some("LessThanLowerOrGreaterThanUpperThreshold" | "LessThanLowerThreshold" | "GreaterThanUpperThreshold") => {
            Err(AlarmError::Unsupported("anomaly detection"))
        }
        _ => Err(wanted("ComparisonOperator", "a comparison such as `GreaterThanThreshold`")),
    }
}

fn missing_data(properties: &Value) -> Result<MissingData, AlarmError> {
    Ok(match text(properties, "TreatMissingData")?.as_deref() {
        None | Some("missing") => MissingData::Missing,
        Some("notBreaching") => MissingData::NotBreaching,
        Some("breaching") => MissingData::Breaching,
        Some("ignore") => MissingData::Ignore,
        Some(_) => return Err(wanted("TreatMissingData", "missing, notBreaching, breaching or ignore")),
    })
}

fn ignores_few_samples(properties: &Value) -> Result<bool, AlarmError> {
    match text(properties, "EvaluateLowSampleCountPercentile")?.as_deref() {
        None | Some("evaluate") => Ok(false),
        Some("ignore") => Ok(true),
        Some(_) => Err(wanted("EvaluateLowSampleCountPercentile", "evaluate or ignore")),
    }
}

fn text(properties: &Value, property: &'static str) -> Result<Option<String>, AlarmError> {
    match properties.get(property) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wanted(property, "a text")),
    }
}

/// What a template leaves to a reference (`{"Ref": "Instance"}`) stands as it is written.
fn dimensions(metric: &Value) -> Result<BTreeMap<String, String>, AlarmError> {
    let given = match metric.get("Dimensions") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wanted("Dimensions", "a list of `Name` and `Value`")),
    };
    let pair = |dimension: &Value| {
        let value = match dimension.get("Value")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((dimension.get("Name")?.as_str()?.to_owned(), value))
    };
    given
        .iter()
        .map(|dimension| pair(dimension).ok_or_else(|| wanted("Dimensions", "a list of `Name` and `Value`")))
        .collect()
}
