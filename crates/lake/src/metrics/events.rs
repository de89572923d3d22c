//! What numbers are made of: the events of CloudTrail, day by day, and how many calls there were when.

use std::collections::BTreeMap;

use arrow::array::{Array, Int64Array};
use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};

use super::MetricError;
use super::read::literal;
use super::rows::{at, column_text, column_time, text, typed};
use crate::table::{Place, Table, TableError};
use crate::{Lake, Tables, time};

/// A partition of the table `cloudtrail`. Its events are never changed and never doubled: as long as their number is the
/// same, so are they.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailDay {
    /// Which.
    pub place: Place,
    /// Events in it.
    pub events: u64,
}

/// Calls of one API, with one outcome, of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The service: `ec2.amazonaws.com`.
    pub event_source: String,
    /// The operation: `RunInstances`.
    pub event_name: String,
    /// The error; none where errors are not told apart.
    pub error_code: Option<String>,
}

/// How often something was called, by the bin of time.
pub type Rate = BTreeMap<i64, u64>;

impl Lake {
    /// The partitions of the table `cloudtrail`.
    pub async fn trail_days(&self) -> Result<Vec<TrailDay>, TableError> {
        let Some(source) = self.sources().first() else { return Ok(Vec::new()) };
        let Some(table) = Table::open(self.root(), source).await? else { return Ok(Vec::new()) };
        let mut days: BTreeMap<Place, u64> = BTreeMap::new();
        for file in table.files()? {
            *days.entry(file.place).or_default() += file.rows;
        }
        Ok(days.into_iter().map(|(place, events)| TrailDay { place, events }).collect())
    }

    /// Hands over every event of an account on a day (days since 1970), in the regions given or in all: its time and its
    /// record, in no order.
    pub async fn trail_events(
        &self,
        account: &str,
        day: i32,
        region: Option<&str>,
        threads: usize,
        each: &mut (dyn FnMut(DateTime<Utc>, &str) + Send),
    ) -> Result<(), MetricError> {
        let region = region.map(|region| format!(" AND region = {}", literal(region))).unwrap_or_default();
        let sql = format!(
            "SELECT \"eventTime\", record FROM cloudtrail WHERE account = {} AND day = DATE {}{region}",
            literal(account),
            literal(&time::day_text(day)),
        );
        let mut answer = self.query(&sql, Tables::default(), false, threads).await?;
        while let Some(rows) = answer.next().await? {
            let (times, records) = (column_time(&rows, "eventTime")?, column_text(&rows, "record")?);
            for row in 0..rows.num_rows() {
                if let Some(time) = at(&times, row) {
                    each(time, text(&records, row));
                }
            }
        }
        Ok(())
    }

    /// How often each API was called by management events between two times, in bins of `bin_seconds`; with `errors` the
    /// calls that failed, by their error, else the calls that write.
    pub async fn trail_rates(
        &self,
        span: (DateTime<Utc>, DateTime<Utc>),
        bin_seconds: u32,
        errors: bool,
        threads: usize,
    ) -> Result<BTreeMap<Call, Rate>, MetricError> {
        let (error, condition) =
            if errors { ("\"errorCode\"", "\"errorCode\" IS NOT NULL") } else { ("NULL", "\"readOnly\" = false") };
        let sql = format!(
            "SELECT account, region, \"eventSource\", \"eventName\", {error} AS error, \
             CAST(floor(date_part('epoch', \"eventTime\") / {bin_seconds}) AS BIGINT) AS bin, count(*) AS calls \
             FROM cloudtrail WHERE \"eventTime\" >= TIMESTAMP {} AND \"eventTime\" < TIMESTAMP {} AND {condition} \
             AND (\"managementEvent\" IS NULL OR \"managementEvent\") GROUP BY 1, 2, 3, 4, 5, 6",
            literal(&span.0.to_rfc3339()),
            literal(&span.1.to_rfc3339()),
        );
        let mut answer = self.query(&sql, Tables::default(), false, threads).await?;
        let mut found: BTreeMap<Call, Rate> = BTreeMap::new();
        while let Some(rows) = answer.next().await? {
            let columns =
                ["account", "region", "eventSource", "eventName", "error"].map(|name| column_text(&rows, name));
            let [account, region, source, name, error] = columns;
            let (account, region, source, name, error) = (account?, region?, source?, name?, error?);
            let bins = typed::<Int64Array>(&rows, "bin", &DataType::Int64)?;
            let calls = typed::<Int64Array>(&rows, "calls", &DataType::Int64)?;
            for row in 0..rows.num_rows() {
                let call = Call {
                    account: text(&account, row).to_owned(),
                    region: text(&region, row).to_owned(),
                    event_source: text(&source, row).to_owned(),
                    event_name: text(&name, row).to_owned(),
                    error_code: (errors && !error.is_null(row)).then(|| text(&error, row).to_owned()),
                };
                let calls = u64::try_from(calls.value(row)).unwrap_or_default();
                *found.entry(call).or_default().entry(bins.value(row)).or_default() += calls;
            }
        }
        Ok(found)
    }

    /// Who made the calls between two times, by an attribute (a column of `cloudtrail`), the most frequent first.
    pub async fn trail_callers(
        &self,
        call: &Call,
        span: (DateTime<Utc>, DateTime<Utc>),
        column: &str,
        most: usize,
        threads: usize,
    ) -> Result<Vec<(String, u64)>, MetricError> {
        let error = call.error_code.as_ref().map(|error| format!(" AND \"errorCode\" = {}", literal(error)));
        let sql = format!(
            "SELECT coalesce(\"{}\", '') AS who, count(*) AS calls FROM cloudtrail WHERE account = {} AND region = {} \
             AND \"eventSource\" = {} AND \"eventName\" = {}{} AND \"eventTime\" >= TIMESTAMP {} \
             AND \"eventTime\" < TIMESTAMP {} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}",
            column.replace('"', ""),
            literal(&call.account),
            literal(&call.region),
            literal(&call.event_source),
            literal(&call.event_name),
            error.unwrap_or_default(),
            literal(&span.0.to_rfc3339()),
            literal(&span.1.to_rfc3339()),
        );
        let mut answer = self.query(&sql, Tables::default(), false, threads).await?;
        let mut found = Vec::new();
        while let Some(rows) = answer.next().await? {
            let (who, calls) = (column_text(&rows, "who")?, typed::<Int64Array>(&rows, "calls", &DataType::Int64)?);
            for row in 0..rows.num_rows() {
                found.push((text(&who, row).to_owned(), u64::try_from(calls.value(row)).unwrap_or_default()));
            }
        }
        Ok(found)
    }
}
