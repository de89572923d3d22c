//! Metrics from CloudWatch: which there are, and their statistics.
//!
//! In: what is wanted, a time span, an [`Api`]. Out: points, and what could not be asked. Two operations are called,
//! [`OPERATIONS`].

mod set;
mod span;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use yagura_model::metric::{Point, Series, Statistics};
use yagura_model::{AccountId, Cause, Region};

use crate::collector::{Api, Call, Failure};

pub use set::{MetricSet, MetricSetError, SetMetric};
pub use span::{Part, parts};

/// What fetching metrics calls: service and operation.
pub const OPERATIONS: [(&str, &str); 2] = [("cloudwatch", "ListMetrics"), ("cloudwatch", "GetMetricData")];

/// What a point that was fetched says of where it comes from.
pub const SOURCE: &str = "cloudwatch";

/// Queries in one `GetMetricData`: AWS's limit.
const QUERIES_MAX: usize = 500;

/// Points of one page: AWS's limit.
const DATAPOINTS_MAX: u32 = 100_800;

/// Pages of one question; a year of minutes of a whole question is a hundred.
const PAGES_MAX: usize = 2_000;

/// Series of one region that are fetched in one run.
pub const SERIES_MAX: usize = 50_000;

/// The statistics that every series is asked for. The average follows from two of them.
const BASIC: [&str; 4] = ["SampleCount", "Sum", "Minimum", "Maximum"];

/// Which metrics to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The namespace.
    pub namespace: String,
    /// The names, each with what is known of it; all of the namespace where there is none.
    pub metrics: BTreeMap<String, SetMetric>,
    /// Names of dimensions that a series must have, and no others; any where there is none.
    pub dimension_sets: Vec<BTreeSet<String>>,
    /// Dimensions that a series must have.
    pub dimensions: BTreeMap<String, String>,
    /// The resolution asked for, in seconds.
    pub period_seconds: u32,
    /// The unit of metrics of which nothing else is known; `GetMetricData` does not say.
    pub unit: Option<String>,
    /// Percentiles and trimmed statistics of every series.
    pub extended: BTreeSet<String>,
}

/// A series to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The series.
    pub series: Arc<Series>,
    /// In which resolution.
    pub period_seconds: u32,
    /// With which statistics beside the basic ones.
    pub extended: BTreeSet<String>,
}

/// What was fetched.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// The points.
    pub points: Vec<Point>,
    /// Why there are not all of them.
    pub failures: Vec<Failure>,
}

/// The series in a region that are wanted: those that CloudWatch had values of in the last two weeks.
pub async fn list(api: &dyn Api, account: &AccountId, region: &Region, wanted: &Wanted) -> Result<Vec<Query>, Failure> {
    let mut input = json!({ "Namespace": wanted.namespace });
    if let (Some((name, _)), 1) = (wanted.metrics.first_key_value(), wanted.metrics.len()) {
        insert(&mut input, "MetricName", json!(name));
    }
    if !wanted.dimensions.is_empty() {
        let pairs: Vec<Value> =
            wanted.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
        insert(&mut input, "Dimensions", Value::Array(pairs));
    }
    let call = Call { service: "cloudwatch", region: region.as_str(), operation: "ListMetrics", input: &input };
    let listed = api.pages(call, PAGES_MAX).await;
    if let Some(failure) = listed.failure {
        return Err(failure);
    }
    let mut found: BTreeMap<Series, Query> = BTreeMap::new();
    for metric in listed.pages.iter().flat_map(|page| items(page, "Metrics")) {
        let Some((name, dimensions)) = name_and_dimensions(metric) else {
            return Err(Failure::own(call, Cause::Malformed, "a metric without a name"));
        };
        let known = wanted.metrics.get(&name);
        let names: BTreeSet<&String> = dimensions.keys().collect();
        let is_of_set = wanted.dimension_sets.is_empty()
            || wanted.dimension_sets.iter().any(|set| set.iter().collect::<BTreeSet<_>>() == names);
        let has_all = wanted.dimensions.iter().all(|(name, value)| dimensions.get(name) == Some(value));
        if (known.is_none() && !wanted.metrics.is_empty()) || !is_of_set || !has_all {
            continue;
        }
        let series = Series {
            account: account.clone(),
            region: region.clone(),
            namespace: wanted.namespace.clone(),
            metric: name,
            dimensions,
            unit: known.and_then(|known| known.unit.clone()).or_else(|| wanted.unit.clone()),
        };
        let extended = known.into_iter().flat_map(|known| &known.extended).chain(&wanted.extended).cloned().collect();
        let query = Query {
            series: Arc::new(series.clone()),
            period_seconds: known.and_then(|known| known.period_seconds).unwrap_or(wanted.period_seconds),
            extended,
        };
        found.insert(series, query);
        if found.len() > SERIES_MAX {
            let text = format!("more than {SERIES_MAX} series in `{}`: ask for fewer", wanted.namespace);
            return Err(Failure::own(call, Cause::OverBudget, text));
        }
    }
    Ok(found.into_values().collect())
}

/// The statistics of series of one region between two times, periods that are not over left out. Times older than a
/// resolution is kept come in the finest that is left ([`parts`]).
pub async fn fetch(
    api: &dyn Api,
    region: &Region,
    queries: &[Query],
    span: (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Fetched {
    let mut fetched = Fetched::default();
    let mut by_part: BTreeMap<Part, Vec<&Query>> = BTreeMap::new();
    for query in queries {
        for part in parts(span, query.period_seconds, now) {
            by_part.entry(part).or_default().push(query);
        }
    }
    for (part, queries) in by_part {
        let mut some: Vec<&Query> = Vec::new();
        let mut asked = 0;
        for query in queries {
            let needs = BASIC.len() + query.extended.len();
            if asked + needs > QUERIES_MAX && !some.is_empty() {
                ask(api, region, &some, part, now, &mut fetched).await;
                (some, asked) = (Vec::new(), 0);
            }
            some.push(query);
            asked += needs;
        }
        ask(api, region, &some, part, now, &mut fetched).await;
    }
    fetched
}

/// One `GetMetricData` with all its pages.
async fn ask(
    api: &dyn Api,
    region: &Region,
    queries: &[&Query],
    part: Part,
    now: DateTime<Utc>,
    fetched: &mut Fetched,
) {
    // The id of a question → the series' number and the statistic.
    let mut asked: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    let mut data = Vec::new();
    for (number, query) in queries.iter().enumerate() {
        let statistics = BASIC.iter().copied().chain(query.extended.iter().map(String::as_str));
        for (statistic, name) in statistics.take(QUERIES_MAX).enumerate() {
            let id = format!("q{number}_{statistic}");
            let dimensions: Vec<Value> =
                query.series.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
            let metric = json!({
                "Namespace": query.series.namespace, "MetricName": query.series.metric, "Dimensions": dimensions,
            });
            let stat = json!({ "Metric": metric, "Period": part.period_seconds, "Stat": name });
            data.push(json!({ "Id": id, "MetricStat": stat, "ReturnData": true }));
            asked.insert(id, (number, name));
        }
    }
    let input = json!({
        "MetricDataQueries": data, "StartTime": part.start.to_rfc3339(), "EndTime": part.end.to_rfc3339(),
        "ScanBy": "TimestampAscending", "MaxDatapoints": DATAPOINTS_MAX,
    });
    let call = Call { service: "cloudwatch", region: region.as_str(), operation: "GetMetricData", input: &input };
    let answer = api.pages(call, PAGES_MAX).await;
    let mut known: BTreeMap<(usize, DateTime<Utc>), Statistics> = BTreeMap::new();
    let mut incomplete: BTreeMap<String, String> = BTreeMap::new();
    for result in answer.pages.iter().flat_map(|page| items(page, "MetricDataResults")) {
        let id = result.get("Id").and_then(Value::as_str).unwrap_or_default();
        let Some((number, statistic)) = asked.get(id) else {
            fetched.failures.push(Failure::own(call, Cause::Malformed, "an answer to another question"));
            continue;
        };
        // A page may end in the middle of a series; the last page says how it went.
        match result.get("StatusCode").and_then(Value::as_str) {
            None | Some("Complete") => incomplete.remove(id),
            Some(status) => incomplete.insert(id.to_owned(), status.to_owned()),
        };
        let values = items(result, "Values").filter_map(Value::as_f64);
        let times = items(result, "Timestamps").filter_map(|time| time.as_str()?.parse::<DateTime<Utc>>().ok());
        for (time, value) in times.zip(values).filter(|(time, _)| *time >= part.start && *time < part.end) {
            set(known.entry((*number, time)).or_default(), statistic, value);
        }
    }
    for (id, status) in incomplete {
        let metric = asked.get(&id).and_then(|(number, _)| queries.get(*number)).map(|query| &query.series.metric);
        let text = format!("`{}` was not given: {status}", metric.map_or("", String::as_str));
        fetched.failures.push(Failure::own(call, Cause::Failed, text));
    }
    fetched.failures.extend(answer.failure);
    fetched.points.extend(known.into_iter().filter_map(|((number, start), statistics)| {
        let series = Arc::clone(&queries.get(number)?.series);
        let (period_seconds, source) = (part.period_seconds, SOURCE.into());
        Some(Point { series, start, period_seconds, statistics, source, known: now })
    }));
}

fn set(statistics: &mut Statistics, name: &str, value: f64) {
    match name {
        "SampleCount" => statistics.sample_count = Some(value),
        "Sum" => statistics.sum = Some(value),
        "Minimum" => statistics.minimum = Some(value),
        "Maximum" => statistics.maximum = Some(value),
        extended => {
            statistics.extended.insert(extended.to_owned(), value);
        }
    }
}

fn name_and_dimensions(metric: &Value) -> Option<(String, BTreeMap<String, String>)> {
    let name = metric.get("MetricName")?.as_str()?.to_owned();
    let pair = |dimension: &Value| {
        Some((dimension.get("Name")?.as_str()?.to_owned(), dimension.get("Value")?.as_str()?.to_owned()))
    };
    Some((name, items(metric, "Dimensions").map(pair).collect::<Option<_>>()?))
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn insert(value: &mut Value, key: &str, member: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(key.to_owned(), member);
    }
}

#[cfg(test)]
mod tests;
