//! `yagura metrics`.

mod add;
mod chart;
mod fetch;
pub(super) mod filter;
mod insights;
mod show;
mod unusual;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};
use yagura_lake::metrics::{Choice, Put};
use yagura_model::metric::{Point, Series};

use super::logs::{lake, options, threads};
use crate::cli::{ChoiceArgs, Common, Format, MetricsListArgs, MetricsVerb};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Points that are kept in one commit: some hundred megabytes in memory.
const POINTS_PER_COMMIT: usize = 200_000;

/// Runs one of the verbs.
pub(super) fn run(common: &Common, verb: &MetricsVerb, config: &Config, words: &Words) -> Result<Exit> {
    match verb {
        MetricsVerb::Fetch(args) => fetch::run(common, args, config, words),
        MetricsVerb::Add(args) => add::run(common, args, config, words),
        MetricsVerb::List(args) => list(common, args, config, words),
        MetricsVerb::Show(args) => show::run(common, args, config, words),
        MetricsVerb::Filter(args) => filter::run(common, args, config, words),
        MetricsVerb::Insights(args) => insights::run(common, args, config, words),
    }
}

/// What is kept.
fn list(common: &Common, args: &MetricsListArgs, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let choice = Choice { metric: args.metric.clone(), ..choice(&args.choice)? };
    let held = runtime.block_on(lake.series(&choice, threads()))?;
    let rows: Vec<Value> = held
        .iter()
        .map(|held| {
            let mut row = series_row(&held.series);
            set(&mut row, "Period", json!(held.period_seconds));
            set(&mut row, "points", json!(held.points));
            set(&mut row, "first", json!(held.first));
            set(&mut row, "last", json!(held.last));
            row
        })
        .collect();
    if rows.is_empty() && is_for_people(common) {
        println!("{}", words.get("metrics.none"));
        return Ok(Exit::Clean);
    }
    let keys =
        ["account", "region", "Namespace", "MetricName", "Dimensions", "Unit", "Period", "points", "first", "last"];
    table(common, &keys, &rows, words)?;
    Ok(Exit::Clean)
}

/// Rows in the form asked for, CSV among them.
fn table(common: &Common, keys: &[&str], rows: &[Value], words: &Words) -> Result<()> {
    let cells = |row: &Value| keys.iter().map(|key| cell(row.get(*key))).collect::<Vec<String>>();
    if common.output == Some(Format::Csv) && common.query.is_none() {
        let mut out = csv::Writer::from_writer(std::io::stdout().lock());
        out.write_record(keys)?;
        rows.iter().try_for_each(|row| out.write_record(cells(row)))?;
        out.flush()?;
        return Ok(());
    }
    let head: Vec<String> = keys.iter().map(|key| format!("metrics.column.{key}")).collect();
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, rows, cells)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(Value::Object(members)) => {
            let pairs: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}={}", cell(Some(value)))).collect();
            pairs.join(";")
        }
        Some(other) => other.to_string(),
    }
}

/// Whether the output is for people to read.
fn is_for_people(common: &Common) -> bool {
    matches!(common.output, None | Some(Format::Table)) && common.query.is_none()
}

fn series_row(series: &Series) -> Value {
    json!({
        "account": series.account, "region": series.region, "Namespace": series.namespace, "MetricName": series.metric,
        "Dimensions": series.dimensions, "Unit": series.unit,
    })
}

/// A point with the names that the table `metrics` has.
fn point_row(point: &Point) -> Value {
    let mut row = series_row(&point.series);
    set(&mut row, "Period", json!(point.period_seconds));
    set(&mut row, "Timestamp", json!(point.start));
    for name in ["SampleCount", "Sum", "Minimum", "Maximum", "Average"] {
        set(&mut row, name, json!(point.statistics.get(name)));
    }
    if !point.statistics.extended.is_empty() {
        set(&mut row, "ExtendedStatistics", json!(point.statistics.extended));
    }
    row
}

fn set(row: &mut Value, key: &str, value: Value) {
    if let Some(members) = row.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

/// The metrics that the flags choose, at any time.
fn choice(args: &ChoiceArgs) -> Result<Choice> {
    Ok(Choice {
        account: args.account.clone(),
        region: args.region.clone(),
        namespace: args.namespace.clone(),
        dimensions: pairs(&args.dimension)?,
        ..Choice::default()
    })
}

/// `NAME=VALUE`, several.
fn pairs(texts: &[String]) -> Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Usage(format!("`{text}` is not a dimension: give `NAME=VALUE`")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    texts.iter().map(pair).collect()
}

/// Seconds of `90s`, `5m`, `1h`, `1d`: at least one, at most a week.
fn seconds(text: &str) -> Result<u32> {
    let wrong = || Usage(format!("`{text}` is not a duration: give `60s`, `5m`, `1h` or `1d`"));
    let (at, unit) = text.char_indices().last().ok_or_else(wrong)?;
    let number: u32 = text.get(..at).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong().into()),
    };
    let seconds = number.checked_mul(factor).filter(|seconds| (1..=604_800).contains(seconds));
    Ok(seconds.ok_or_else(wrong)?)
}

/// A duration as [`seconds`] takes it.
fn duration_text(seconds: u32) -> String {
    match seconds {
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Keeps points, a part of them at a time.
fn keep(lake: &yagura_lake::Lake, points: &[Point]) -> Result<Put> {
    let mut put = Put::default();
    for (number, some) in points.chunks(POINTS_PER_COMMIT).enumerate() {
        let mut options = options();
        options.run = format!("{}-{number}", options.run);
        put += lake.put_points(some, &options)?;
    }
    Ok(put)
}

/// What became of points, as a sentence.
fn put_sentence(put: &Put, points: &[Point], words: &Words) -> String {
    let series: BTreeSet<&Series> = points.iter().map(|point| &*point.series).collect();
    let values: [(&str, &dyn std::fmt::Display); 4] =
        [("series", &series.len()), ("added", &put.added), ("replaced", &put.replaced), ("known", &put.known)];
    words.fill("metrics.put", &values)
}

fn put_json(put: &Put) -> Value {
    json!({ "added": put.added, "replaced": put.replaced, "known": put.known })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_understood() {
        for (text, expected) in [("90s", Some(90)), ("5m", Some(300)), ("1h", Some(3_600)), ("7d", Some(604_800))] {
            assert_eq!(seconds(text).ok(), expected);
        }
        for text in ["", "5", "m", "0m", "-5m", "8d", "5分", "99999999999m"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!([90, 300, 7_200, 86_400].map(duration_text), ["90s", "5m", "2h", "1d"]);
    }

    #[test]
    fn dimensions_are_names_with_values() {
        let given = ["InstanceId=i-1".to_owned(), "Path=/a=b".to_owned()];
        let expected = [("InstanceId", "i-1"), ("Path", "/a=b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(pairs(&given).unwrap(), BTreeMap::from(expected));
        assert!(pairs(&["InstanceId".to_owned()]).is_err());
        assert!(pairs(&["=i-1".to_owned()]).is_err());
    }
}
