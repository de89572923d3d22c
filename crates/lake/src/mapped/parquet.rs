//! Parquet files that AWS writes: the same fields as in text, by name.

use std::borrow::Cow;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::cells::Kind;
use super::columns::{Column, Place, Places, normalise};
use super::delimited::place;
use super::mapping::Mapping;
use super::rows::{Context, Rows};
use super::time::TimeFormat;
use crate::object::Reason;
use crate::source::Stopped;

/// What a Parquet file begins with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows of one file. AWS closes a file of flow logs at 75 MB, which is some ten million rows; a column of one repeated
/// value can claim billions in a few bytes.
const ROWS_MAX: i64 = 64 << 20;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// Reads the rows of a whole file.
pub(super) fn read(
    mapping: &Mapping,
    file: &Buffer,
    delivered: Option<i64>,
    rows: &mut Rows<'_>,
) -> Result<(), Stopped> {
    let reader = match open(file) {
        Ok(Ok(reader)) => reader,
        Ok(Err(reason)) => {
            rows.skip_object(reason);
            return Ok(());
        }
        Err(error) => {
            rows.skip_object(Reason::Corrupt(error.to_string()));
            return Ok(());
        }
    };
    let mut line = 0;
    for batch in reader {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                rows.skip(line + 1, Reason::Corrupt(error.to_string()))?;
                return Ok(());
            }
        };
        let from = line;
        line += batch.num_rows() as u64;
        match Fields::of(&batch) {
            Ok(fields) => fields.read(mapping, from, delivered, rows)?,
            Err(error) => rows.skip(from + 1, Reason::Corrupt(error.to_string()))?,
        }
    }
    Ok(())
}

/// A buffer as the owner of bytes, so that the file is not copied.
struct Shared(Buffer);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

type Batches = parquet::arrow::arrow_reader::ParquetRecordBatchReader;

fn open(file: &Buffer) -> Result<Result<Batches, Reason>, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_owner(Shared(file.clone())))?;
    if builder.metadata().file_metadata().num_rows() > ROWS_MAX {
        return Ok(Err(Reason::TooLarge(ROWS_MAX as u64)));
    }
    Ok(Ok(builder.with_batch_size(BATCH_ROWS).build()?))
}

/// The columns of one batch, ready to be asked for text.
struct Fields<'b> {
    batch: &'b RecordBatch,
    formatters: Vec<ArrayFormatter<'b>>,
    names: Vec<String>,
}

impl<'b> Fields<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self, ArrowError> {
        const OPTIONS: FormatOptions<'_> = FormatOptions::new();
        let columns = batch.columns().iter();
        let formatters =
            columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &OPTIONS)).collect::<Result<_, _>>()?;
        let names = batch.schema_ref().fields().iter().map(|field| normalise(field.name())).collect();
        Ok(Self { batch, formatters, names })
    }

    fn read(&self, mapping: &Mapping, from: u64, delivered: Option<i64>, rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let places = Places::of(&mapping.columns, &self.names);
        let columns = self.columns(mapping, &places);
        for row in 0..self.batch.num_rows() {
            let line = from + row as u64 + 1;
            let fields = self.texts(row);
            let mut cells = Vec::with_capacity(mapping.columns.len());
            match place(&columns, &places, &fields, &mut cells) {
                Ok(()) => rows.push(&cells, &self.record(row, &fields), Context { line, delivered, account: None })?,
                Err(reason) => rows.skip(line, reason)?,
            }
        }
        Ok(())
    }

    /// The mapping's columns, for this file: a time that Parquet knows to be one is not the number that text has.
    fn columns(&self, mapping: &Mapping, places: &Places) -> Vec<Column> {
        let mut columns = mapping.columns.clone();
        for (column, place) in columns.iter_mut().zip(&places.0) {
            let Place::At(at) = place else { continue };
            let is_time = matches!(self.batch.columns().get(*at).map(Array::data_type), Some(DataType::Timestamp(..)));
            if let (Kind::Time(format), true) = (&mut column.kind, is_time) {
                *format = TimeFormat::Iso;
            }
        }
        columns
    }

    /// The fields of one row as the same log would write them in text; empty where there is nothing.
    fn texts(&self, row: usize) -> Vec<Cow<'static, str>> {
        let columns = self.batch.columns().iter().zip(&self.formatters);
        columns
            .map(
                |(column, formatter)| {
                    if column.is_null(row) { Cow::Borrowed("") } else { Cow::Owned(formatter.value(row).to_string()) }
                },
            )
            .collect()
    }

    /// The row as JSON, since Parquet has no line to keep.
    fn record(&self, row: usize, fields: &[Cow<'_, str>]) -> String {
        let mut record = serde_json::Map::new();
        for ((field, column), text) in self.batch.schema_ref().fields().iter().zip(self.batch.columns()).zip(fields) {
            if column.is_null(row) {
                continue;
            }
            let value = match column.data_type() {
                DataType::Boolean => serde_json::Value::from(text == "true"),
                kind if kind.is_numeric() => {
                    text.parse::<serde_json::Number>().map_or_else(|_| text.as_ref().into(), Into::into)
                }
                _ => text.as_ref().into(),
            };
            record.insert(field.name().clone(), value);
        }
        serde_json::Value::Object(record).to_string()
    }
}
