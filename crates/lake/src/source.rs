//! A log source: the shape of its rows, what identifies a row, and the parser that makes rows of text.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::hunt::Clues;
use crate::object::{LogObject, Skipped, Text};

/// The column that says which account a row belongs to. A source's schema has it, as nullable string views; a null is
/// filled from the object's path, and with [`UNKNOWN`] where the path does not say either.
pub const ACCOUNT: &str = "account";
/// The column that says which region a row belongs to; filled like [`ACCOUNT`].
pub const REGION: &str = "region";
/// The column of the day (UTC) of a row's time. Added to every table, never in a source's schema.
pub const DAY: &str = "day";
/// The column of the object a row came from: [`LogObject::key`]. Added to every table, never in a source's schema.
pub const OBJECT: &str = "_object";
/// The column, Int64, of the line (from 1) or the record's number in the object; in the schema of a source whose rows
/// are identified by position.
pub const LINE: &str = "_line";

/// Stands in [`ACCOUNT`] and [`REGION`] when nothing says which it is.
pub const UNKNOWN: &str = "unknown";

/// A log source; its name is the name of its table.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of the table: `cloudtrail`, `vpc_flow`.
    pub name: Arc<str>,
    /// The columns of the batches that the parser makes, [`ACCOUNT`] and [`REGION`] among them. Texts are `Utf8View`,
    /// times `Timestamp(Microsecond, "UTC")`, numbers `Int32`, `Int64` or `Float64`; Delta has no unsigned ones.
    pub schema: SchemaRef,
    /// The column of a row's time; never null (a row without time is skipped).
    pub time: &'static str,
    /// What makes two rows the same row.
    pub identity: Identity,
    /// Columns by which the rows of a file are sorted, the first first.
    pub sort: Vec<&'static str>,
    /// Columns looked up by value: they get bloom filters.
    pub lookup: Vec<&'static str>,
    /// Columns of long text, nearly never equal: written without a dictionary.
    pub long: Vec<&'static str>,
    /// Whether AWS writes digests of what it delivers, so that the hash of each object is worth keeping.
    pub has_digests: bool,
    /// The longest time between two objects of an account in a region while the log is on; none where it may have
    /// nothing to say for hours.
    pub cadence: Option<Duration>,
    /// What a row tells a hunter, and in which columns.
    pub clues: Clues,
    /// Makes rows of text.
    pub parser: Arc<dyn Parse>,
}

/// What makes two rows the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A column that AWS makes unique (`eventID`). The same row delivered twice has the same time as well.
    Column(&'static str),
    /// The object's key and the row's [`LINE`] in it.
    Position,
}

/// How an object's text is handed to the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// All at once.
    Whole,
    /// In chunks that end where a line ends.
    Lines,
}

/// A format.
pub trait Parse: std::fmt::Debug + Send + Sync {
    /// Whether this is how the source writes, judged by the object's name and its first bytes (decompressed, at most
    /// [`crate::object::HEAD_BYTES_MAX`]). Names are hints; bytes decide.
    fn recognises(&self, object: &LogObject, head: &[u8]) -> bool;

    /// How the object is to be read.
    fn framing(&self, head: &[u8]) -> Framing;

    /// Makes rows of one text: whole, or one chunk of several.
    ///
    /// Batches have the source's schema and go to `sink`. What cannot be a row is added to `skipped` and the rest is
    /// taken in. An error of `sink` is passed on at once: the run is over.
    fn parse(
        &self,
        object: &LogObject,
        text: &Text,
        sink: &mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Stopped>;
}

/// The run is over: nobody takes rows any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run was stopped")]
pub struct Stopped;

/// The source whose parser recognises the object, the first of `sources`.
pub fn detect<'a>(sources: &'a [Source], object: &LogObject, head: &[u8]) -> Option<&'a Source> {
    sources.iter().find(|source| source.parser.recognises(object, head))
}
