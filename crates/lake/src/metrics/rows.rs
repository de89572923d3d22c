//! Points as rows, and rows as points.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use yagura_model::metric::{Point, Series, Statistics};
use yagura_model::{AccountId, Region};

use super::{BASIC, DIMENSIONS, EXTENDED, KNOWN, METRIC, NAMESPACE, PERIOD, TIME, UNIT, source};
use crate::source::{ACCOUNT, OBJECT, REGION};
use crate::table::file_schema;

/// Dimensions as one text, the same for the same dimensions: JSON, sorted by name.
pub(super) fn dimensions_text(dimensions: &BTreeMap<String, String>) -> String {
    serde_json::to_string(dimensions).unwrap_or_default()
}

/// A column of times in UTC.
pub(super) fn times(values: impl Iterator<Item = DateTime<Utc>>) -> ArrayRef {
    let micros = values.map(|time| time.timestamp_micros());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

/// The rows of a file of the table.
pub(super) fn batch(points: &[&Point]) -> Result<RecordBatch, ArrowError> {
    let texts = |value: fn(&Point) -> Option<String>| -> ArrayRef {
        Arc::new(points.iter().map(|point| value(point)).collect::<StringViewArray>())
    };
    let mut columns: Vec<ArrayRef> = vec![
        times(points.iter().map(|point| point.start)),
        texts(|point| Some(point.series.namespace.clone())),
        texts(|point| Some(point.series.metric.clone())),
        texts(|point| Some(dimensions_text(&point.series.dimensions))),
        texts(|point| point.series.unit.clone()),
    ];
    let period = |point: &&Point| i32::try_from(point.period_seconds).unwrap_or(i32::MAX);
    columns.push(Arc::new(points.iter().map(period).map(Some).collect::<Int32Array>()));
    for name in BASIC {
        columns.push(Arc::new(points.iter().map(|point| point.statistics.get(name)).collect::<Float64Array>()));
    }
    columns.push(texts(|point| {
        let extended = &point.statistics.extended;
        (!extended.is_empty()).then(|| serde_json::to_string(extended).unwrap_or_default())
    }));
    columns.push(times(points.iter().map(|point| point.known)));
    columns.push(texts(|point| Some(point.source.to_string())));
    RecordBatch::try_new(file_schema(source()), columns)
}

/// Where the account and the region of a row stand.
pub(super) enum Placed<'a> {
    /// In the file's place.
    At(&'a str, &'a str),
    /// In the row's own columns.
    InRow,
}

/// The points of rows. `last` is the series of the row before, which rows of one series share.
pub(super) fn points(
    rows: &RecordBatch,
    placed: &Placed<'_>,
    last: &mut Option<Arc<Series>>,
) -> Result<Vec<Point>, ArrowError> {
    let [namespace, metric, dimensions, unit, extended, object] =
        [NAMESPACE, METRIC, DIMENSIONS, UNIT, EXTENDED, OBJECT].map(|name| column_text(rows, name));
    let place = match placed {
        Placed::InRow => Some((column_text(rows, ACCOUNT)?, column_text(rows, REGION)?)),
        Placed::At(..) => None,
    };
    let (start, known) = (column_time(rows, TIME)?, column_time(rows, KNOWN)?);
    let (namespace, metric, dimensions, unit) = (namespace?, metric?, dimensions?, unit?);
    let (extended, object) = (extended?, object?);
    let period = typed::<Int32Array>(rows, PERIOD, &DataType::Int32)?;
    let numbers = BASIC.map(|name| typed::<Float64Array>(rows, name, &DataType::Float64));
    let mut basic = Vec::with_capacity(numbers.len());
    for column in numbers {
        basic.push(column?);
    }
    let mut found = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let (account, region) = match (placed, &place) {
            (_, Some((account, region))) => (text(account, row), text(region, row)),
            (Placed::At(account, region), None) => (*account, *region),
            (Placed::InRow, None) => continue,
        };
        let (Some(start), Some(known)) = (at(&start, row), at(&known, row)) else { continue };
        let key = SeriesKey {
            account,
            region,
            namespace: text(&namespace, row),
            metric: text(&metric, row),
            dimensions: text(&dimensions, row),
            unit: (!unit.is_null(row)).then(|| text(&unit, row)),
        };
        let same = last.as_ref().filter(|series| key.is(series)).map(Arc::clone);
        let series = match same {
            Some(series) => series,
            None => Arc::new(key.series()?),
        };
        *last = Some(Arc::clone(&series));
        let [sample_count, sum, minimum, maximum, average] =
            [0, 1, 2, 3, 4].map(|at: usize| basic.get(at).filter(|column| !column.is_null(row)).map(|c| c.value(row)));
        let follows = sum.is_some() && sample_count.is_some();
        let extended = match text(&extended, row) {
            "" => BTreeMap::new(),
            json => serde_json::from_str(json).map_err(|error| ArrowError::JsonError(error.to_string()))?,
        };
        found.push(Point {
            series,
            start,
            period_seconds: u32::try_from(period.value(row)).unwrap_or_default(),
            statistics: Statistics {
                sample_count,
                sum,
                minimum,
                maximum,
                average: average.filter(|_| !follows),
                extended,
            },
            source: text(&object, row).into(),
            known,
        });
    }
    Ok(found)
}

/// A series as its row spells it.
struct SeriesKey<'r> {
    account: &'r str,
    region: &'r str,
    namespace: &'r str,
    metric: &'r str,
    dimensions: &'r str,
    unit: Option<&'r str>,
}

impl SeriesKey<'_> {
    fn is(&self, series: &Series) -> bool {
        series.metric == self.metric
            && series.namespace == self.namespace
            && series.account.as_str() == self.account
            && series.region.as_str() == self.region
            && series.unit.as_deref() == self.unit
            && dimensions_text(&series.dimensions) == self.dimensions
    }

    fn series(&self) -> Result<Series, ArrowError> {
        let dimensions = serde_json::from_str(self.dimensions);
        Ok(Series {
            account: AccountId::from(self.account),
            region: Region::from(self.region),
            namespace: self.namespace.to_owned(),
            metric: self.metric.to_owned(),
            dimensions: dimensions.map_err(|error| ArrowError::JsonError(error.to_string()))?,
            unit: self.unit.map(str::to_owned),
        })
    }
}

/// A column in the type asked for; engines give texts in several.
pub(super) fn typed<A: Array + Clone + 'static>(
    rows: &RecordBatch,
    name: &str,
    kind: &DataType,
) -> Result<A, ArrowError> {
    let column = rows.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))?;
    let column = cast(column, kind)?;
    let found = column.as_any().downcast_ref::<A>().cloned();
    found.ok_or_else(|| ArrowError::SchemaError(format!("the column `{name}` is of another type")))
}

pub(super) fn column_text(rows: &RecordBatch, name: &str) -> Result<StringViewArray, ArrowError> {
    typed(rows, name, &DataType::Utf8View)
}

pub(super) fn column_time(rows: &RecordBatch, name: &str) -> Result<TimestampMicrosecondArray, ArrowError> {
    typed(rows, name, &DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))))
}

/// The text of a row; empty where there is none.
pub(super) fn text(column: &StringViewArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

pub(super) fn at(column: &TimestampMicrosecondArray, row: usize) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(column.value(row))
}
