//! Batches, row by row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, RecordBatch, StringViewBuilder,
    TimestampMicrosecondBuilder,
};

use super::cells::{Cell, Kind};
use super::columns::Column;
use super::mapping::{Mapping, TIME, is_common};
use crate::object::{LogObject, Reason, Skipped, is_account, is_region};
use crate::source::Stopped;

/// Rows of one batch: enough that the work for each batch is small beside that for its rows.
const BATCH_ROWS: usize = 8192;

/// Records of one text that are listed one by one as skipped; the rest is one entry that says how many. A list of a
/// million reasons is read by nobody and would be larger than the text.
const SKIPPED_MAX: usize = 1000;

/// What is known of a record beside its text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context<'a> {
    /// The line, or the record's number.
    pub(super) line: u64,
    /// The account that an envelope names.
    pub(super) account: Option<&'a str>,
    /// When the record was delivered, for a row that does not say its own time.
    pub(super) delivered: Option<i64>,
}

/// Takes rows one by one and hands them on in batches.
pub(super) struct Rows<'a> {
    mapping: &'a Mapping,
    object: &'a LogObject,
    sink: &'a mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
    skipped: &'a mut Vec<Skipped>,
    listed: usize,
    unlisted: Option<Unlisted>,
    count: usize,
    time: TimestampMicrosecondBuilder,
    account: StringViewBuilder,
    region: StringViewBuilder,
    columns: Vec<Builder>,
    record: StringViewBuilder,
    line: Int64Builder,
}

struct Unlisted {
    first: u64,
    last: u64,
    count: u64,
}

enum Builder {
    /// A column that every mapped source has, which is written once, as the row's.
    Elsewhere,
    Text(StringViewBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        mapping: &'a Mapping,
        object: &'a LogObject,
        sink: &'a mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
        skipped: &'a mut Vec<Skipped>,
    ) -> Self {
        Self {
            mapping,
            object,
            sink,
            skipped,
            listed: 0,
            unlisted: None,
            count: 0,
            time: utc(),
            account: texts(),
            region: texts(),
            columns: mapping.columns.iter().map(Builder::new).collect(),
            record: StringViewBuilder::new(),
            line: Int64Builder::new(),
        }
    }

    /// Adds the row of these cells, one for each column of the mapping.
    pub(super) fn push(&mut self, cells: &[Cell<'_>], record: &str, context: Context<'_>) -> Result<(), Stopped> {
        let own = self.mapping.time.iter().find_map(|at| match cells.get(*at) {
            Some(Cell::Time(micros)) => Some(*micros),
            _ => None,
        });
        let Some(time) = own.or(context.delivered) else {
            return self.skip(context.line, Reason::Missing(self.time_name()));
        };
        let first = |places: &[usize], of: fn(&str) -> Option<&str>| {
            places.iter().find_map(|at| match cells.get(*at) {
                Some(Cell::Text(text)) => of(text),
                _ => None,
            })
        };
        let account = first(&self.mapping.account, account).or(context.account);
        let region = first(&self.mapping.region, region);
        self.time.append_value(time);
        self.account.append_option(account);
        self.region.append_option(region);
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.append(cell);
        }
        self.record.append_value(record);
        self.line.append_option(i64::try_from(context.line).ok());
        self.count += 1;
        if self.count < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    /// Lists a record that is no row.
    #[expect(clippy::unnecessary_wraps, reason = "a shape ends a record with `push` or with `skip`")]
    pub(super) fn skip(&mut self, line: u64, reason: Reason) -> Result<(), Stopped> {
        if self.listed < SKIPPED_MAX {
            self.listed += 1;
            self.skipped.push(Skipped { uri: self.object.uri.clone(), line: Some(line), reason });
        } else {
            let unlisted = self.unlisted.get_or_insert(Unlisted { first: line, last: line, count: 0 });
            unlisted.last = line;
            unlisted.count += 1;
        }
        Ok(())
    }

    /// Lists the whole object as skipped.
    pub(super) fn skip_object(&mut self, reason: Reason) {
        self.skipped.push(Skipped { uri: self.object.uri.clone(), line: None, reason });
    }

    /// Hands the last rows on.
    pub(super) fn finish(mut self) -> Result<(), Stopped> {
        if let Some(Unlisted { first, last, count }) = self.unlisted.take() {
            let reason = Reason::BadRow(format!("{count} more that are no rows, until {last}"));
            self.skipped.push(Skipped { uri: self.object.uri.clone(), line: Some(first), reason });
        }
        if self.count == 0 { Ok(()) } else { self.flush() }
    }

    fn time_name(&self) -> &'static str {
        self.mapping.time.first().and_then(|at| self.mapping.columns.get(*at)).map_or(TIME, |column| column.name)
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        self.count = 0;
        let mut arrays: Vec<ArrayRef> =
            vec![Arc::new(self.time.finish()), Arc::new(self.account.finish()), Arc::new(self.region.finish())];
        arrays.extend(self.columns.iter_mut().filter_map(Builder::finish));
        arrays.push(Arc::new(self.record.finish()));
        arrays.push(Arc::new(self.line.finish()));
        match RecordBatch::try_new(Arc::clone(&self.mapping.schema), arrays) {
            Ok(batch) => (self.sink)(batch),
            Err(error) => {
                // INVARIANT: the builders are made from the columns of which the schema is made.
                self.skip_object(Reason::BadRow(error.to_string()));
                Ok(())
            }
        }
    }
}

impl Builder {
    fn new(column: &Column) -> Self {
        if is_common(column) {
            return Self::Elsewhere;
        }
        match &column.kind {
            // Nested JSON is nearly never twice the same; looking each one up would only cost.
            Kind::Json => Self::Text(StringViewBuilder::new()),
            Kind::Text => Self::Text(texts()),
            Kind::Int32 => Self::Int32(Int32Builder::new()),
            Kind::Int64 => Self::Int64(Int64Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::Time(_) => Self::Time(utc()),
        }
    }

    fn append(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Self::Text(to), Cell::Text(text)) => to.append_value(text),
            (Self::Int32(to), Cell::Int(number)) => to.append_option(i32::try_from(*number).ok()),
            (Self::Int64(to), Cell::Int(number)) => to.append_value(*number),
            (Self::Double(to), Cell::Double(number)) => to.append_value(*number),
            (Self::Bool(to), Cell::Bool(value)) => to.append_value(*value),
            (Self::Time(to), Cell::Time(micros)) => to.append_value(*micros),
            (Self::Elsewhere, _) => {}
            (Self::Text(to), _) => to.append_null(),
            (Self::Int32(to), _) => to.append_null(),
            (Self::Int64(to), _) => to.append_null(),
            (Self::Double(to), _) => to.append_null(),
            (Self::Bool(to), _) => to.append_null(),
            (Self::Time(to), _) => to.append_null(),
        }
    }

    fn finish(&mut self) -> Option<ArrayRef> {
        Some(match self {
            Self::Elsewhere => return None,
            Self::Text(from) => Arc::new(from.finish()),
            Self::Int32(from) => Arc::new(from.finish()),
            Self::Int64(from) => Arc::new(from.finish()),
            Self::Double(from) => Arc::new(from.finish()),
            Self::Bool(from) => Arc::new(from.finish()),
            Self::Time(from) => Arc::new(from.finish()),
        })
    }
}

fn utc() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

/// Texts that repeat (addresses, ids, actions) share their bytes.
fn texts() -> StringViewBuilder {
    StringViewBuilder::new().with_deduplicate_strings()
}

fn account(text: &str) -> Option<&str> {
    let id = if text.starts_with("arn:") { text.split(':').nth(4)? } else { text };
    is_account(id).then_some(id)
}

fn region(text: &str) -> Option<&str> {
    let name = if text.starts_with("arn:") { text.split(':').nth(3)? } else { text };
    is_region(name).then_some(name)
}
