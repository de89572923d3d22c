//! `yagura metrics add`: metrics from files.
//!
//! Three forms, told apart by the first line: what metric streams deliver (JSON, one object a line), what `metrics show -o
//! ndjson` and `sql` print, and CSV with `time` and `value`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use yagura_lake::object;
use yagura_lake::source::UNKNOWN;
use yagura_model::metric::{Point, Series, Statistics};

use super::{is_for_people, keep, lake, pairs, put_json, put_sentence, seconds};
use crate::cli::{Common, MetricsAddArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Lines of one file: a year of minutes of ten metrics.
const LINES_MAX: usize = 10 * 366 * 24 * 60;

/// Bytes of one file when decompressed.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Bytes of one line.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Metric streams deliver minutes.
const STREAM_PERIOD_SECONDS: u32 = 60;

/// Takes files in: all points of all of them, or none.
pub(super) fn run(common: &Common, args: &MetricsAddArgs, config: &Config, words: &Words) -> Result<Exit> {
    let defaults = Defaults::of(args)?;
    let now = crate::now();
    let mut points = Vec::new();
    for path in &args.files {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let text = object::open(file).with_context(|| format!("cannot read `{}`", path.display()))?;
        points.extend(defaults.read(path, text.take(FILE_BYTES_MAX), now)?);
    }
    let runtime = pipeline::runtime()?;
    let put = keep(&lake(config, &runtime)?, &points).context("keeping the metrics")?;
    if is_for_people(common) {
        println!("{}", put_sentence(&put, &points, words));
    } else {
        print::document(common, &json!({ "points": put_json(&put) }))?;
    }
    Ok(Exit::Clean)
}

/// What holds where a file does not say.
struct Defaults {
    account: String,
    region: String,
    namespace: Option<String>,
    metric: Option<String>,
    dimensions: BTreeMap<String, String>,
    unit: Option<String>,
    period_seconds: u32,
}

/// A line of a metric stream.
#[derive(Debug, Deserialize)]
struct StreamLine {
    account_id: String,
    region: String,
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    timestamp: i64,
    value: BTreeMap<String, f64>,
    unit: Option<String>,
}

/// A line as `metrics show -o ndjson` prints it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RowLine {
    #[serde(rename = "account")]
    account: Option<String>,
    #[serde(rename = "region")]
    region: Option<String>,
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Value>,
    unit: Option<String>,
    period: Option<u32>,
    timestamp: DateTime<Utc>,
    sample_count: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    average: Option<f64>,
    extended_statistics: Option<Value>,
}

impl Defaults {
    fn of(args: &MetricsAddArgs) -> Result<Self> {
        Ok(Self {
            account: args.account.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            region: args.region.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            namespace: args.namespace.clone(),
            metric: args.metric.clone(),
            dimensions: pairs(&args.dimension)?,
            unit: args.unit.clone(),
            period_seconds: seconds(&args.period)?,
        })
    }

    fn read(&self, path: &Path, text: impl Read, now: DateTime<Utc>) -> Result<Vec<Point>> {
        let mut text = BufReader::new(text);
        let first = text.fill_buf().with_context(|| format!("cannot read `{}`", path.display()))?;
        let is_json = first.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source: Arc<str> = format!("file:{name}").into();
        if is_json { self.json(path, text, &source, now) } else { self.csv(path, text, &source, now) }
    }

    fn json(&self, path: &Path, mut text: impl BufRead, source: &Arc<str>, now: DateTime<Utc>) -> Result<Vec<Point>> {
        let (mut points, mut number, mut line) = (Vec::new(), 0, String::new());
        loop {
            line.clear();
            number += 1;
            let wrong = || format!("line {number} of `{}` cannot be read", path.display());
            let length = text.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).with_context(wrong)?;
            if length == 0 {
                return Ok(points);
            }
            check_length(path, number)?;
            if line.trim().is_empty() {
                continue;
            }
            let value: Value = serde_json::from_str(&line).with_context(wrong)?;
            let (series, start, period_seconds, statistics) = match value.get("metric_name") {
                Some(_) => stream_line(serde_json::from_value(value).with_context(wrong)?).with_context(wrong)?,
                None => self.row_line(serde_json::from_value(value).with_context(wrong)?).with_context(wrong)?,
            };
            check_place(&series).with_context(wrong)?;
            let (series, source) = (Arc::new(series), Arc::clone(source));
            points.push(Point { series, start, period_seconds, statistics, source, known: now });
        }
    }

    fn row_line(&self, row: RowLine) -> Result<(Series, DateTime<Utc>, u32, Statistics)> {
        // In SQL dimensions are a text; everywhere else they are themselves.
        let parsed = |value: Value| match value {
            Value::String(text) => serde_json::from_str(&text),
            other => Ok(other),
        };
        let dimensions = match row.dimensions {
            Some(dimensions) => serde_json::from_value(parsed(dimensions)?)?,
            None => self.dimensions.clone(),
        };
        let extended = match row.extended_statistics {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(extended) => serde_json::from_value(parsed(extended)?)?,
        };
        let series = self.series([row.account, row.region, row.namespace, row.metric_name, row.unit], dimensions)?;
        let follows = row.sum.is_some() && row.sample_count.is_some();
        let statistics = Statistics {
            sample_count: row.sample_count,
            sum: row.sum,
            minimum: row.minimum,
            maximum: row.maximum,
            average: row.average.filter(|_| !follows),
            extended,
        };
        Ok((series, row.timestamp, row.period.unwrap_or(self.period_seconds), statistics))
    }

    /// Samples, which become points of the period: all those of a series in one of them together.
    fn csv(&self, path: &Path, text: impl Read, source: &Arc<str>, now: DateTime<Utc>) -> Result<Vec<Point>> {
        let mut reader = csv::Reader::from_reader(text);
        let head = reader.headers().with_context(|| format!("cannot read `{}`", path.display()))?.clone();
        let column = |name: &str| head.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
        let (Some(time), Some(value)) = (column("time").or_else(|| column("timestamp")), column("value")) else {
            return Err(Usage(format!("`{}` has no columns `time` and `value`", path.display())).into());
        };
        let places = ["account", "region", "namespace", "metric", "unit"].map(column);
        let dimensions = column("dimensions");
        let mut samples: BTreeMap<(Series, i64), Vec<f64>> = BTreeMap::new();
        for (number, row) in reader.records().enumerate() {
            check_length(path, number)?;
            let wrong = || format!("line {} of `{}` cannot be read", number + 2, path.display());
            let row = row.with_context(wrong)?;
            let cell = |column: Option<usize>| {
                let text = column.and_then(|column| row.get(column)).map(str::trim);
                text.filter(|text| !text.is_empty()).map(str::to_owned)
            };
            // A period without a value is a row without one.
            let Some(value) = cell(Some(value)) else { continue };
            let value = value.parse().ok().filter(|value: &f64| value.is_finite()).with_context(wrong)?;
            let time: DateTime<Utc> = cell(Some(time)).unwrap_or_default().parse().with_context(wrong)?;
            let dimensions = match cell(dimensions) {
                Some(text) => pairs(&text.split(';').map(|pair| pair.trim().to_owned()).collect::<Vec<_>>())?,
                None => self.dimensions.clone(),
            };
            let series = self.series(places.map(cell), dimensions).with_context(wrong)?;
            check_place(&series).with_context(wrong)?;
            let bucket = time.timestamp().div_euclid(i64::from(self.period_seconds));
            samples.entry((series, bucket)).or_default().push(value);
        }
        let point = |((series, bucket), samples): ((Series, i64), Vec<f64>)| {
            Some(Point {
                series: Arc::new(series),
                start: DateTime::from_timestamp(bucket * i64::from(self.period_seconds), 0)?,
                period_seconds: self.period_seconds,
                statistics: Statistics::of(&samples)?,
                source: Arc::clone(source),
                known: now,
            })
        };
        Ok(samples.into_iter().filter_map(point).collect())
    }

    fn series(&self, said: [Option<String>; 5], dimensions: BTreeMap<String, String>) -> Result<Series> {
        let [account, region, namespace, metric, unit] = said;
        let needed = |said: Option<String>, default: &Option<String>, name: &'static str| {
            said.or_else(|| default.clone()).ok_or_else(|| Usage(format!("nothing says the {name}: give --{name}")))
        };
        Ok(Series {
            account: account.unwrap_or_else(|| self.account.clone()).as_str().into(),
            region: region.unwrap_or_else(|| self.region.clone()).as_str().into(),
            namespace: needed(namespace, &self.namespace, "namespace")?,
            metric: needed(metric, &self.metric, "metric")?,
            dimensions,
            unit: unit.or_else(|| self.unit.clone()),
        })
    }
}

fn stream_line(line: StreamLine) -> Result<(Series, DateTime<Utc>, u32, Statistics)> {
    let series = Series {
        account: line.account_id.as_str().into(),
        region: line.region.as_str().into(),
        namespace: line.namespace,
        metric: line.metric_name,
        dimensions: line.dimensions,
        unit: line.unit.filter(|unit| unit != "None"),
    };
    let mut statistics = Statistics::default();
    for (name, value) in line.value {
        match name.as_str() {
            "count" => statistics.sample_count = Some(value),
            "sum" => statistics.sum = Some(value),
            "min" => statistics.minimum = Some(value),
            "max" => statistics.maximum = Some(value),
            _ => {
                statistics.extended.insert(name, value);
            }
        }
    }
    let start = DateTime::from_timestamp_millis(line.timestamp).context("the time is none")?;
    Ok((series, start, STREAM_PERIOD_SECONDS, statistics))
}

fn check_length(path: &Path, number: usize) -> Result<()> {
    if number > LINES_MAX {
        bail!("`{}` has more than {LINES_MAX} lines", path.display());
    }
    Ok(())
}

/// An account and a region are folders of the table.
fn check_place(series: &Series) -> Result<()> {
    let (account, region) = (series.account.as_str(), series.region.as_str());
    if account != UNKNOWN && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Usage(format!("`{account}` is not an AWS account id (twelve digits)")).into());
    }
    if region.is_empty()
        || !region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        return Err(Usage(format!("`{region}` is not the name of a region")).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> Defaults {
        Defaults {
            account: UNKNOWN.to_owned(),
            region: UNKNOWN.to_owned(),
            namespace: Some("AWS/EC2".to_owned()),
            metric: Some("CPUUtilization".to_owned()),
            dimensions: BTreeMap::new(),
            unit: Some("Percent".to_owned()),
            period_seconds: 300,
        }
    }

    fn read(text: &str) -> Result<Vec<Point>> {
        defaults().read(Path::new("metrics.txt"), text.as_bytes(), DateTime::UNIX_EPOCH)
    }

    fn shown(point: &Point) -> String {
        let Point { series, start, period_seconds, statistics, .. } = point;
        format!(
            "{} {} {}/{} [{}] {:?} {} {period_seconds} {:?}",
            series.account,
            series.region,
            series.namespace,
            series.metric,
            series.dimensions_text(),
            series.unit,
            start.format("%H:%M"),
            ["SampleCount", "Sum", "Minimum", "Maximum", "Average", "p99"].map(|name| statistics.get(name)),
        )
    }

    #[test]
    fn three_forms_are_read() {
        let stream = r#"{"metric_stream_name":"s","account_id":"111122223333","region":"eu-west-1","namespace":"AWS/NATGateway","metric_name":"BytesOutToSource","dimensions":{"NatGatewayId":"nat-1"},"timestamp":1790812800000,"value":{"count":2,"sum":6,"min":1,"max":5,"p99":5},"unit":"Bytes"}"#;
        let points = read(stream).unwrap();
        assert_eq!(
            shown(&points[0]),
            "111122223333 eu-west-1 AWS/NATGateway/BytesOutToSource [NatGatewayId=nat-1] Some(\"Bytes\") 00:00 60 \
             [Some(2.0), Some(6.0), Some(1.0), Some(5.0), Some(3.0), Some(5.0)]"
        );
        let csv = "time,value,dimensions\n2026-10-01T00:00:00Z,10,InstanceId=i-1\n2026-10-01T00:04:59Z,30,InstanceId=i-1\n\
                   2026-10-01T00:05:00Z,,InstanceId=i-1\n";
        let points = read(csv).unwrap();
        assert_eq!(points.len(), 1);
        assert_eq!(
            shown(&points[0]),
            "unknown unknown AWS/EC2/CPUUtilization [InstanceId=i-1] Some(\"Percent\") 00:00 300 \
             [Some(2.0), Some(40.0), Some(10.0), Some(30.0), Some(20.0), None]"
        );
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let csv = "time,value\n2026-10-01T00:00:00Z,10\n";
        let points = read(csv).unwrap();
        let line = super::super::point_row(&points[0]).to_string();
        assert_eq!(shown(&read(&line).unwrap()[0]), shown(&points[0]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, expected) in [
            ("a,b\n1,2\n", "`metrics.txt` has no columns `time` and `value`"),
            ("time,value\nnow,2\n", "line 2 of `metrics.txt` cannot be read"),
            ("time,value\n2026-10-01T00:00:00Z,NaN\n", "line 2 of `metrics.txt` cannot be read"),
            ("time,value,region\n2026-10-01T00:00:00Z,1,../x\n", "line 2 of `metrics.txt` cannot be read"),
            ("{\"metric_name\":1}", "line 1 of `metrics.txt` cannot be read"),
            ("{\"Timestamp\":\"2026-10-01T00:00:00Z\",\"account\":\"1\"}", "line 1 of `metrics.txt` cannot be read"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }
}
