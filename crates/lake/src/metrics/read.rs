//! Reading points, by way of the lake's SQL.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrow::array::Int64Array;
use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use yagura_model::metric::{Point, Series};

use super::rows::{self, Placed, at, column_time, typed};
use super::{DIMENSIONS, METRIC, MetricError, NAMESPACE, PERIOD, TABLE, TIME, UNIT, source};
use crate::source::{ACCOUNT, REGION};
use crate::table::{Table, TableError};
use crate::{Lake, Tables};

/// Points that are read at once: a gigabyte of them in memory.
pub const POINTS_READ_MAX: usize = 5_000_000;

/// Which metrics. What is not said may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Of this account.
    pub account: Option<String>,
    /// Of this region.
    pub region: Option<String>,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this name.
    pub metric: Option<String>,
    /// With these dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// And with no others.
    pub no_others: bool,
    /// Points that begin at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Points that begin before this time.
    pub until: Option<DateTime<Utc>>,
}

/// A series in one resolution, and what is kept of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The series.
    pub series: Series,
    /// Its resolution.
    pub period_seconds: u32,
    /// How many points.
    pub points: u64,
    /// When the first begins.
    pub first: DateTime<Utc>,
    /// When the last begins.
    pub last: DateTime<Utc>,
}

/// The first point that may have changed, by account and region.
pub type Changed = BTreeMap<(String, String), DateTime<Utc>>;

impl Choice {
    /// The condition in SQL; empty where everything is chosen.
    fn condition(&self) -> String {
        let mut parts = Vec::new();
        let equal = |column: &str, value: &str| format!("\"{column}\" = {}", literal(value));
        let texts =
            [(ACCOUNT, &self.account), (REGION, &self.region), (NAMESPACE, &self.namespace), (METRIC, &self.metric)];
        parts.extend(texts.iter().filter_map(|(column, value)| value.as_ref().map(|value| equal(column, value))));
        if self.no_others {
            parts.push(equal(DIMENSIONS, &rows::dimensions_text(&self.dimensions)));
        } else {
            for (name, value) in &self.dimensions {
                parts.push(format!("(\"{DIMENSIONS}\"->>{}) = {}", literal(name), literal(value)));
            }
        }
        for (time, operator) in [(self.from, ">="), (self.until, "<")] {
            if let Some(time) = time {
                parts.push(format!("\"{TIME}\" {operator} TIMESTAMP {}", literal(&time.to_rfc3339())));
            }
        }
        if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
    }
}

/// A text in SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Lake {
    /// The points of the chosen metrics, those of one series together and in the order of time.
    pub async fn points(&self, choice: &Choice, threads: usize) -> Result<Vec<Point>, MetricError> {
        let mut sql = format!("SELECT * FROM {TABLE}{}", choice.condition());
        let order = [ACCOUNT, REGION, NAMESPACE, METRIC, DIMENSIONS, UNIT, TIME, PERIOD];
        let order: Vec<String> = order.iter().map(|column| format!("\"{column}\"")).collect();
        // Writing to a text cannot fail.
        let _ = write!(sql, " ORDER BY {}", order.join(", "));
        let mut answer = self.query(&sql, Tables::default(), false, threads).await?;
        let (mut found, mut last) = (Vec::new(), None);
        while let Some(rows) = answer.next().await? {
            found.extend(rows::points(&rows, &Placed::InRow, &mut last)?);
            if found.len() > POINTS_READ_MAX {
                return Err(MetricError::TooMany);
            }
        }
        Ok(found)
    }

    /// From when on points may have been put in or changed since a time (in milliseconds since 1970), by account and
    /// region.
    pub async fn points_changed(&self, since_ms: i64) -> Result<Changed, TableError> {
        let Some(table) = Table::open(self.root(), source()).await? else { return Ok(Changed::new()) };
        let mut changed = Changed::new();
        for file in table.files()?.into_iter().filter(|file| file.written_ms >= since_ms) {
            let Some(first) = DateTime::from_timestamp_micros(file.span.0) else { continue };
            let place = changed.entry((file.place.account, file.place.region)).or_insert(first);
            *place = first.min(*place);
        }
        Ok(changed)
    }

    /// What is kept of the chosen metrics.
    pub async fn series(&self, choice: &Choice, threads: usize) -> Result<Vec<Held>, MetricError> {
        let columns = [ACCOUNT, REGION, NAMESPACE, METRIC, DIMENSIONS, UNIT, PERIOD];
        let columns: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        let columns = columns.join(", ");
        let sql = format!(
            "SELECT {columns}, count(*) AS points, min(\"{TIME}\") AS \"firstTime\", max(\"{TIME}\") AS \"lastTime\" \
             FROM {TABLE}{} GROUP BY {columns} ORDER BY {columns}",
            choice.condition()
        );
        let mut answer = self.query(&sql, Tables::default(), false, threads).await?;
        let mut found = Vec::new();
        while let Some(batch) = answer.next().await? {
            let [account, region, namespace, metric, dimensions, unit] =
                [ACCOUNT, REGION, NAMESPACE, METRIC, DIMENSIONS, UNIT].map(|name| rows::column_text(&batch, name));
            let (account, region, namespace, metric) = (account?, region?, namespace?, metric?);
            let (dimensions, unit) = (dimensions?, unit?);
            let (first, last) = (column_time(&batch, "firstTime")?, column_time(&batch, "lastTime")?);
            let period = typed::<Int64Array>(&batch, PERIOD, &DataType::Int64)?;
            let points = typed::<Int64Array>(&batch, "points", &DataType::Int64)?;
            for row in 0..batch.num_rows() {
                let (Some(first), Some(last)) = (at(&first, row), at(&last, row)) else { continue };
                let series = Series {
                    account: rows::text(&account, row).into(),
                    region: rows::text(&region, row).into(),
                    namespace: rows::text(&namespace, row).to_owned(),
                    metric: rows::text(&metric, row).to_owned(),
                    dimensions: serde_json::from_str(rows::text(&dimensions, row)).unwrap_or_default(),
                    unit: Some(rows::text(&unit, row)).filter(|unit| !unit.is_empty()).map(str::to_owned),
                };
                found.push(Held {
                    series,
                    period_seconds: u32::try_from(period.value(row)).unwrap_or_default(),
                    points: u64::try_from(points.value(row)).unwrap_or_default(),
                    first,
                    last,
                });
            }
        }
        Ok(found)
    }
}
