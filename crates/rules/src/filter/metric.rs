//! Metric filters: numbers made of the log events that a pattern matches.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::Value;

use super::json::{self, Selector};
use super::value::parse_number;
use super::{DIMENSIONS_MAX, Kind, Pattern, PatternError};

/// A metric filter, as `AWS::Logs::MetricFilter` describes it.
#[derive(Debug, Clone)]
pub struct MetricFilter {
    pattern: Pattern,
    transformations: Vec<Transformation>,
}

/// One metric that a filter makes.
#[derive(Debug, Clone)]
struct Transformation {
    namespace: String,
    name: String,
    value: Source,
    default: Option<f64>,
    unit: Option<String>,
    dimensions: Vec<(String, Source)>,
}

/// Where a number or a dimension comes from.
#[derive(Debug, Clone)]
enum Source {
    Number(f64),
    /// `$.field` of a JSON event.
    Selector(Selector),
    /// `$name` of a pattern over fields.
    Field(String),
}

/// A value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The metric's namespace.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// What tells this series of the metric from others.
    pub dimensions: BTreeMap<String, String>,
    /// The beginning of the minute that it belongs to.
    pub time: DateTime<Utc>,
    /// The value.
    pub value: f64,
    /// The unit, where one is declared.
    pub unit: Option<String>,
}

/// Properties that make no metric filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricFilterError {
    /// The pattern.
    #[error("`FilterPattern` cannot be used")]
    Pattern(#[source] PatternError),
    /// A property that is missing or of another kind.
    #[error("expected {expected} as `{property}`")]
    Property {
        /// The property.
        property: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A field that the pattern does not have.
    #[error("`{0}` is no field of the pattern")]
    Field(String),
    /// A default beside dimensions, which AWS refuses.
    #[error("`DefaultValue` and `Dimensions` exclude each other")]
    DefaultWithDimensions,
}

impl MetricFilter {
    /// The filter that the properties of an `AWS::Logs::MetricFilter` describe.
    pub fn from_properties(properties: &Value) -> Result<Self, MetricFilterError> {
        let pattern = text(properties, "FilterPattern")?.ok_or_else(|| wanted("FilterPattern", "a text"))?;
        let pattern = Pattern::parse(&pattern).map_err(MetricFilterError::Pattern)?;
        let transformations = properties.get("MetricTransformations").and_then(Value::as_array);
        let transformations = transformations.filter(|list| !list.is_empty());
        let transformations = transformations.ok_or_else(|| wanted("MetricTransformations", "a list"))?;
        let transformations =
            transformations.iter().map(|one| Transformation::parse(one, &pattern)).collect::<Result<_, _>>()?;
        Ok(Self { pattern, transformations })
    }

    /// What the pattern is.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The values that log events make, each with its time: one for each event that matches and has a number where one is
    /// asked for, and the default for each minute in which events came but none of them made a value.
    pub fn points<'a>(&self, events: impl IntoIterator<Item = (DateTime<Utc>, &'a str)>) -> Vec<Point> {
        let mut counter = self.counter();
        for (time, event) in events {
            counter.see(time, event, None);
        }
        let mut points = Vec::new();
        for (one, values) in counter.finish() {
            points.extend(values.into_iter().map(|value| Point { value, ..one.clone() }));
        }
        points
    }

    /// What counts events one by one, for more of them than fit in memory.
    pub fn counter(&self) -> Counter<'_> {
        Counter { filter: self, minutes: BTreeSet::new(), values: BTreeMap::new() }
    }
}

/// The values that a filter makes of events, as they come.
#[derive(Debug)]
pub struct Counter<'f> {
    filter: &'f MetricFilter,
    minutes: BTreeSet<DateTime<Utc>>,
    /// By minute, number of the transformation, and dimensions.
    values: BTreeMap<Slot, Vec<f64>>,
}

type Slot = (DateTime<Utc>, usize, BTreeMap<String, String>);

impl Counter<'_> {
    /// Takes in one event. `json` is the event where that is known already, so that many filters need not parse it again.
    pub fn see(&mut self, time: DateTime<Utc>, event: &str, json: Option<&Value>) {
        let minute = time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time);
        self.minutes.insert(minute);
        let pattern = &self.filter.pattern;
        let matches = match (&pattern.kind, json) {
            (Kind::Json(_), Some(json)) => pattern.matches_json(json),
            _ => pattern.matches(event),
        };
        if !matches {
            return;
        }
        let json = json.map(Cow::Borrowed).or_else(|| serde_json::from_str(event).ok().map(Cow::Owned));
        let read = Read { text: event, json, pattern };
        for (number, one) in self.filter.transformations.iter().enumerate() {
            if let Some((value, dimensions)) = one.value_in(&read) {
                self.values.entry((minute, number, dimensions)).or_default().push(value);
            }
        }
    }

    /// For each minute and series the values, as a point without one of its own; in the order of time.
    pub fn finish(mut self) -> Vec<(Point, Vec<f64>)> {
        for (number, one) in self.filter.transformations.iter().enumerate() {
            let Some(default) = one.default else { continue };
            // Another transformation of the filter may be of the same metric.
            let valued: BTreeSet<DateTime<Utc>> = self
                .values
                .keys()
                .filter(|(_, other, _)| {
                    self.filter.transformations.get(*other).is_some_and(|other| one.is_metric_of(other))
                })
                .map(|(minute, _, _)| *minute)
                .collect();
            for minute in self.minutes.difference(&valued) {
                self.values.insert((*minute, number, BTreeMap::new()), vec![default]);
            }
        }
        let transformations = &self.filter.transformations;
        let pointed = self.values.into_iter().filter_map(|((minute, number, dimensions), values)| {
            Some((transformations.get(number)?.at(minute, 0.0, dimensions), values))
        });
        pointed.collect()
    }
}

/// An event in all the forms in which a value may be taken from it.
struct Read<'a> {
    text: &'a str,
    json: Option<Cow<'a, Value>>,
    pattern: &'a Pattern,
}

impl Transformation {
    fn parse(properties: &Value, pattern: &Pattern) -> Result<Self, MetricFilterError> {
        let needed = |property| text(properties, property)?.ok_or_else(|| wanted(property, "a text"));
        let value = Source::parse(&needed("MetricValue")?, pattern)?
            .ok_or_else(|| wanted("MetricValue", "a number, `$.field` or `$name`"))?;
        let default = match properties.get("DefaultValue") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value.as_f64().or_else(|| value.as_str().and_then(parse_number));
                Some(number.ok_or_else(|| wanted("DefaultValue", "a number"))?)
            }
        };
        let given = match properties.get("Dimensions") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(list)) if list.len() <= DIMENSIONS_MAX => list,
            Some(_) => return Err(wanted("Dimensions", "at most three keys with values")),
        };
        let mut dimensions = Vec::new();
        for dimension in given {
            let key = text(dimension, "Key")?.ok_or_else(|| wanted("Dimensions", "a list of `Key` and `Value`"))?;
            let value = text(dimension, "Value")?.ok_or_else(|| wanted("Dimensions", "a list of `Key` and `Value`"))?;
            match Source::parse(&value, pattern)? {
                Some(source @ (Source::Selector(_) | Source::Field(_))) => dimensions.push((key, source)),
                _ => return Err(wanted("Dimensions", "values that are `$.field` or `$name`")),
            }
        }
        if default.is_some() && !dimensions.is_empty() {
            return Err(MetricFilterError::DefaultWithDimensions);
        }
        let (namespace, name) = (needed("MetricNamespace")?, needed("MetricName")?);
        Ok(Self { namespace, name, value, default, unit: text(properties, "Unit")?, dimensions })
    }

    fn is_metric_of(&self, other: &Self) -> bool {
        other.namespace == self.namespace && other.name == self.name
    }

    /// The value and the dimensions; nothing where one of them is not in the event.
    fn value_in(&self, event: &Read<'_>) -> Option<(f64, BTreeMap<String, String>)> {
        let value = match &self.value {
            Source::Number(number) => *number,
            source => parse_number(&event.value(source)?)?,
        };
        let dimensions = self.dimensions.iter().map(|(key, source)| Some((key.clone(), event.value(source)?)));
        Some((value, dimensions.collect::<Option<_>>()?))
    }

    fn at(&self, time: DateTime<Utc>, value: f64, dimensions: BTreeMap<String, String>) -> Point {
        let (namespace, metric, unit) = (self.namespace.clone(), self.name.clone(), self.unit.clone());
        Point { namespace, metric, dimensions, time, value, unit }
    }
}

impl Source {
    /// Nothing where the text is neither a number nor a place in an event.
    fn parse(written: &str, pattern: &Pattern) -> Result<Option<Self>, MetricFilterError> {
        if let Some(number) = parse_number(written) {
            return Ok(Some(Self::Number(number)));
        }
        let unknown = || MetricFilterError::Field(written.to_owned());
        match (&pattern.kind, written.strip_prefix('$')) {
            (Kind::Json(_), Some(_)) => Ok(Some(Self::Selector(json::selector(written).map_err(|_| unknown())?))),
            (Kind::Fields(fields), Some(name)) if fields.names(name) => Ok(Some(Self::Field(name.to_owned()))),
            (_, Some(_)) => Err(unknown()),
            (_, None) => Ok(None),
        }
    }
}

impl Read<'_> {
    fn value(&self, source: &Source) -> Option<String> {
        match source {
            Source::Number(number) => Some(number.to_string()),
            Source::Selector(selector) => match selector.fields(self.json.as_deref()?).first()? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(value) => Some(value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            },
            Source::Field(name) => match &self.pattern.kind {
                Kind::Fields(fields) => fields.value(name, self.text).map(str::to_owned),
                _ => None,
            },
        }
    }
}

/// A text; a number stands for how it is written, as CloudFormation has it.
fn text(properties: &Value, property: &'static str) -> Result<Option<String>, MetricFilterError> {
    match properties.get(property) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(wanted(property, "a text")),
    }
}

fn wanted(property: &'static str, expected: &'static str) -> MetricFilterError {
    MetricFilterError::Property { property, expected }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(properties: &Value, events: &[(&str, &str)]) -> Vec<(String, f64, String)> {
        let filter = MetricFilter::from_properties(properties).unwrap();
        let events = events.iter().map(|(time, event)| (format!("2026-01-01T00:{time}Z").parse().unwrap(), *event));
        let shown = |point: Point| {
            let dimensions: Vec<String> =
                point.dimensions.iter().map(|(key, value)| format!("{key}={value}")).collect();
            (point.time.format("%H:%M:%S").to_string(), point.value, dimensions.join(" "))
        };
        filter.points(events).into_iter().map(shown).collect()
    }

    fn filter(pattern: &str, mut transformation: Value) -> Value {
        for (key, value) in [("MetricNamespace", "N"), ("MetricName", "M")] {
            transformation[key] = json!(value);
        }
        json!({ "FilterPattern": pattern, "MetricTransformations": [transformation] })
    }

    #[test]
    fn matches_make_values_in_their_minute() {
        let events = [
            ("01:05", r#"{"e": 1, "ms": 12.5, "u": "a"}"#),
            ("01:50", r#"{"e": 1, "u": "b"}"#),
            ("02:10", r#"{"e": 2, "ms": 9}"#),
        ];
        let at = |time: &str, value: f64, dimensions: &str| (time.to_owned(), value, dimensions.to_owned());
        assert_eq!(
            values(&filter("{ $.e = 1 }", json!({ "MetricValue": "1" })), &events),
            [at("00:01:00", 1.0, ""), at("00:01:00", 1.0, "")]
        );
        assert_eq!(
            values(&filter("{ $.e = 1 }", json!({ "MetricValue": 1, "DefaultValue": 0 })), &events),
            [at("00:01:00", 1.0, ""), at("00:01:00", 1.0, ""), at("00:02:00", 0.0, "")]
        );
        let by_user = json!({ "MetricValue": "$.ms", "Dimensions": [{ "Key": "User", "Value": "$.u" }] });
        assert_eq!(values(&filter("{ $.e = 1 }", by_user), &events), [at("00:01:00", 12.5, "User=a")]);
        let lines = [("00:00", "GET 200 1534"), ("00:01", "GET 500 12")];
        let bytes = json!({ "MetricValue": "$bytes", "Dimensions": [{ "Key": "Status", "Value": "$status" }] });
        assert_eq!(
            values(&filter("[method, status, bytes]", bytes), &lines),
            [at("00:00:00", 1534.0, "Status=200"), at("00:00:00", 12.0, "Status=500")]
        );
    }

    #[test]
    fn what_aws_refuses_is_an_error() {
        let one = json!([{ "Key": "K", "Value": "$.k" }]);
        for (pattern, transformation, expected) in [
            ("{", json!({ "MetricValue": 1 }), "`FilterPattern` cannot be used"),
            ("x", json!({}), "expected a text as `MetricValue`"),
            ("x", json!({ "MetricValue": "$.a" }), "`$.a` is no field of the pattern"),
            ("[a, b]", json!({ "MetricValue": "$c" }), "`$c` is no field of the pattern"),
            ("x", json!({ "MetricValue": "many" }), "expected a number, `$.field` or `$name` as `MetricValue`"),
            (
                "{ $.a = 1 }",
                json!({ "MetricValue": 1, "DefaultValue": 0, "Dimensions": one }),
                "`DefaultValue` and `Dimensions` exclude each other",
            ),
        ] {
            let error = MetricFilter::from_properties(&filter(pattern, transformation)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
