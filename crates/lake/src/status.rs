//! What the lake holds: rows, days and hours by account and region.

use std::collections::{BTreeMap, BTreeSet};

use crate::Lake;
use crate::table::{Table, TableError};

/// What one table holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// The source.
    pub source: String,
    /// Rows.
    pub rows: u64,
    /// Objects consumed.
    pub objects: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Accounts and regions.
    pub places: Vec<PlaceStatus>,
}

/// What one table holds of an account in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceStatus {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Rows.
    pub rows: u64,
    /// Days (UTC) that hold rows.
    pub days: u64,
    /// The times of the first and the last row, in microseconds since 1970.
    pub span: (i64, i64),
}

impl Lake {
    /// What every table that was ever written to holds.
    pub async fn status(&self) -> Result<Vec<SourceStatus>, TableError> {
        let mut all = Vec::new();
        for source in self.sources() {
            let Some(table) = Table::open(self.root(), source).await? else { continue };
            let mut status = SourceStatus {
                source: source.name.to_string(),
                objects: table.ledger().len() as u64,
                ..SourceStatus::default()
            };
            let mut places: BTreeMap<(String, String), (PlaceStatus, BTreeSet<i32>)> = BTreeMap::new();
            for file in table.files()? {
                status.rows += file.rows;
                status.files += 1;
                status.bytes += file.size;
                let key = (file.place.account.clone(), file.place.region.clone());
                let (place, days) = places.entry(key).or_insert_with(|| {
                    let (account, region) = (file.place.account.clone(), file.place.region.clone());
                    (PlaceStatus { account, region, rows: 0, days: 0, span: file.span }, BTreeSet::new())
                });
                place.rows += file.rows;
                place.span = (place.span.0.min(file.span.0), place.span.1.max(file.span.1));
                days.insert(file.place.day);
            }
            status.places =
                places.into_values().map(|(place, days)| PlaceStatus { days: days.len() as u64, ..place }).collect();
            all.push(status);
        }
        Ok(all)
    }
}
