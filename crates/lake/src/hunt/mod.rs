//! Hunting: every row of every table that has to do with a key, a principal, an address or a resource.
//!
//! In: what is hunted, and when and where. Out: the rows of all tables in one shape and in order of time. Which columns
//! say what is the source's to declare ([`Clues`]); nothing here knows one log from another.

mod clues;
mod select;
mod wanted;

pub use clues::{Clues, Template};
pub use wanted::{InvalidWanted, Wanted};

pub(crate) use wanted::{Arn, is_key, is_principal_id, network};

pub(crate) use select::{Matched, groups, predicate, text_literal, totals, within};

use crate::Lake;
use crate::query::{Answer, QueryError, Tables};

/// Values hunted for at once: as many as a list of indicators from a report has, and few enough for one question.
pub const WANTED_MAX: usize = 200;

/// What a hunt looks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hunt {
    /// Rows are found that have to do with any of these.
    pub wanted: Vec<Wanted>,
    /// When and where.
    pub within: Within,
    /// Only what was done by them, not what was done to them.
    pub acting: bool,
    /// The most rows; none for all.
    pub limit: Option<usize>,
}

/// Which rows count at all. What is empty does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// From this time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Before this time.
    pub until: Option<i64>,
    /// In these accounts.
    pub accounts: Vec<String>,
    /// In these regions.
    pub regions: Vec<String>,
}

/// The columns of a hunt's answer, those that a responder reads first at the front.
pub const COLUMNS: [&str; 16] = [
    "time",
    "source",
    "account",
    "region",
    "service",
    "what",
    "outcome",
    "principal",
    "key",
    "address",
    "resource",
    "agent",
    "matched",
    "id",
    "object",
    "record",
];

impl Lake {
    /// Every row that has to do with what is hunted, in order of time, in the columns of [`COLUMNS`]. `threads` work on
    /// it.
    pub async fn hunt(&self, hunt: &Hunt, threads: usize) -> Result<Answer, QueryError> {
        self.query(&select::question(self.sources(), hunt), Tables::default(), false, threads).await
    }
}
