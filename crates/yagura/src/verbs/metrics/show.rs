//! `yagura metrics show`: a metric over a time, as a chart and as numbers.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};
use console::Term;
use serde_json::Value;
use yagura_lake::metrics::Choice;
use yagura_model::metric::{Point, Series, Statistics, rolled_up};
use yagura_rules::alarm::Statistic;

use super::chart::{Chart, number_text};
use super::{choice, duration_text, is_for_people, lake, point_row, seconds, table, threads};
use crate::cli::{Common, MetricsShowArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Series that are shown below each other; of more, the list helps more.
const SERIES_SHOWN: usize = 6;

/// Lines of a chart.
const HEIGHT: usize = 9;

/// The width where there is no terminal.
const WIDTH: usize = 100;

/// The periods that fit people's clocks, in seconds.
const PERIODS: [u32; 12] = [1, 10, 60, 300, 600, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];

/// Shows the metric.
pub(super) fn run(common: &Common, args: &MetricsShowArgs, config: &Config, words: &Words) -> Result<Exit> {
    let now = crate::now();
    let since = print::time(&args.since, now)?;
    let until = args.until.as_deref().map_or(Ok(now), |text| print::time(text, now))?;
    if since >= until {
        return Err(Usage("the time ends before it begins: give `--since` before `--until`".to_owned()).into());
    }
    if let Some(name) = args.statistic.as_deref().filter(|name| !is_statistic(name)) {
        let text = format!("`{name}` is no statistic: give Average, Sum, Minimum, Maximum, SampleCount or `p99`");
        return Err(Usage(text).into());
    }
    let period = args.period.as_deref().map(seconds).transpose()?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let (from, to) = (Some(since), Some(until));
    let wanted = Choice { metric: Some(args.metric.clone()), from, until: to, ..choice(&args.choice)? };
    let points = runtime.block_on(lake.points(&wanted, threads()))?;
    if points.is_empty() && is_for_people(common) {
        let anywhen = Choice { from: None, until: None, ..wanted };
        let last = runtime.block_on(lake.series(&anywhen, threads()))?.iter().map(|held| held.last).max();
        println!("{}", nothing(&args.metric, last, words));
        return Ok(Exit::Clean);
    }
    let width = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| usize::from(columns));
    let shown: Vec<Vec<Point>> = by_series(&points)
        .into_iter()
        .flat_map(|points| match period {
            Some(period) => vec![rolled_up(points, period)],
            None if is_for_people(common) => vec![rolled_up(points, fitting(points, (since, until), width))],
            // To a program every resolution is a series of its own.
            None => vec![points.to_vec()],
        })
        .collect();
    if !is_for_people(common) {
        let rows: Vec<Value> = shown.iter().flatten().map(point_row).collect();
        table(common, &COLUMNS, &rows, words)?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    let shown: Vec<&Vec<Point>> = shown.iter().filter(|points| !points.is_empty()).collect();
    if shown.is_empty() {
        writeln!(out, "{}", words.get("metrics.coarser"))?;
    }
    for points in shown.iter().take(SERIES_SHOWN) {
        let unit = points.first().and_then(|point| point.series.unit.clone());
        let statistic = args.statistic.as_deref().unwrap_or_else(|| natural(unit.as_deref()));
        page(&mut out, points, statistic, (since, until), width, words)?;
    }
    let more = shown.len().saturating_sub(SERIES_SHOWN);
    if more > 0 {
        writeln!(out, "{}", words.fill("metrics.more_series", &[("count", &more), ("metric", &args.metric)]))?;
    }
    Ok(Exit::Clean)
}

const COLUMNS: [&str; 14] = [
    "account",
    "region",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Unit",
    "Period",
    "Timestamp",
    "SampleCount",
    "Sum",
    "Minimum",
    "Maximum",
    "Average",
    "ExtendedStatistics",
];

fn nothing(metric: &str, last: Option<DateTime<Utc>>, words: &Words) -> String {
    match last {
        Some(last) => words.fill("metrics.not_then", &[("metric", &metric), ("last", &time_text(last))]),
        None => words.fill("metrics.not_at_all", &[("metric", &metric)]),
    }
}

fn is_statistic(name: &str) -> bool {
    Statistic::basic(name).is_some() || Statistic::extended(name).is_some()
}

/// The points of each series, which lie together.
fn by_series(points: &[Point]) -> Vec<&[Point]> {
    points.chunk_by(|one, other| Arc::ptr_eq(&one.series, &other.series) || one.series == other.series).collect()
}

/// The period of a chart: the coarsest that is kept, and longer where more points than dots would come of it.
fn fitting(points: &[Point], span: (DateTime<Utc>, DateTime<Utc>), width: usize) -> u32 {
    let kept = points.iter().map(|point| point.period_seconds).max().unwrap_or(1).max(1);
    let dots = i64::try_from(width.max(1) * 2).unwrap_or(i64::MAX);
    let least = (span.1 - span.0).num_seconds() / dots;
    let fits = |period: &&u32| **period >= kept && i64::from(**period) >= least && period.is_multiple_of(kept);
    PERIODS.iter().find(fits).copied().unwrap_or(kept)
}

/// The statistic that says most, by the unit: amounts add up, shares and times do not.
fn natural(unit: Option<&str>) -> &'static str {
    match unit {
        Some("Bytes" | "Bits" | "Count") => "Sum",
        _ => "Average",
    }
}

/// A series: what it is, its chart, its numbers.
fn page(
    out: &mut dyn Write,
    points: &[Point],
    statistic: &str,
    span: (DateTime<Utc>, DateTime<Utc>),
    width: usize,
    words: &Words,
) -> Result<()> {
    let Some(first) = points.first() else { return Ok(()) };
    writeln!(out, "{}", title(&first.series))?;
    let period = duration_text(first.period_seconds);
    writeln!(out, "{}", words.fill("metrics.of_periods", &[("statistic", &statistic), ("period", &period)]))?;
    let values: Vec<(DateTime<Utc>, DateTime<Utc>, f64)> =
        points.iter().filter_map(|point| Some((point.start, point.end(), point.statistics.get(statistic)?))).collect();
    let unit = if statistic == "SampleCount" { None } else { first.series.unit.as_deref() };
    let chart = Chart { values: &values, span, unit, width, height: HEIGHT };
    for line in chart.lines() {
        writeln!(out, "{line}")?;
    }
    let numbers = values.iter().map(|(_, _, value)| *value);
    let (least, greatest) = (numbers.clone().reduce(f64::min), numbers.reduce(f64::max));
    let (Some(least), Some(greatest), Some((begun, _, newest))) = (least, greatest, values.last()) else {
        writeln!(out, "{}\n", words.fill("metrics.no_statistic", &[("statistic", &statistic)]))?;
        return Ok(());
    };
    let whole = Statistics::together(points.iter().map(|point| &point.statistics)).and_then(|whole| whole.mean());
    let average = whole.map_or_else(|| "-".to_owned(), |mean| number_text(mean, first.series.unit.as_deref()));
    let numbers = [least, greatest, *newest].map(|value| number_text(value, unit));
    let [least, greatest, newest] = numbers;
    let values: [(&str, &dyn std::fmt::Display); 6] = [
        ("least", &least),
        ("greatest", &greatest),
        ("average", &average),
        ("newest", &newest),
        ("time", &time_text(*begun)),
        ("points", &values.len()),
    ];
    writeln!(out, "{}\n", words.fill("metrics.numbers", &values))?;
    Ok(())
}

fn title(series: &Series) -> String {
    let dimensions = series.dimensions_text();
    let dimensions = if dimensions.is_empty() { String::new() } else { format!("  {dimensions}") };
    format!("{} {}{dimensions}  ({} {})", series.namespace, series.metric, series.account, series.region)
}

fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn point(period_seconds: u32) -> Point {
        let series = Series {
            account: "111122223333".into(),
            region: "us-east-1".into(),
            namespace: "N".to_owned(),
            metric: "M".to_owned(),
            dimensions: std::collections::BTreeMap::new(),
            unit: None,
        };
        Point {
            series: Arc::new(series),
            start: DateTime::UNIX_EPOCH,
            period_seconds,
            statistics: Statistics::of(&[1.0]).unwrap(),
            source: "test".into(),
            known: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_chart_has_no_more_points_than_dots() {
        for (kept, hours, width, expected) in
            [(300, 3, 100, 300), (60, 3, 100, 60), (60, 24, 100, 600), (300, 24 * 30, 100, 21_600), (420, 3, 100, 420)]
        {
            let end = DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
            assert_eq!(fitting(&[point(kept)], (DateTime::UNIX_EPOCH, end), width), expected);
        }
    }
}
