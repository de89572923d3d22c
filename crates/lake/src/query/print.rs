//! Rows as text: lines of JSON, and cells for tables and CSV.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// How times are written: RFC 3339, in UTC as they are kept.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// Writes the rows as JSON, one object a line, a null for what is not there.
pub fn json_lines(rows: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
    let builder = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format(TIME_FORMAT.to_owned())
        .with_timestamp_format(TIME_FORMAT.to_owned());
    let mut writer = builder.build::<_, LineDelimited>(out);
    writer.write(rows).and_then(|()| writer.finish()).map_err(io_error)
}

/// The rows as texts, an empty one for what is not there.
pub fn cells(rows: &RecordBatch) -> io::Result<Vec<Vec<String>>> {
    let options = FormatOptions::new()
        .with_null("")
        .with_timestamp_format(Some(TIME_FORMAT))
        .with_timestamp_tz_format(Some(TIME_FORMAT));
    let columns: Vec<ArrayFormatter<'_>> = rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).map_err(io_error))
        .collect::<Result<_, _>>()?;
    let row = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect();
    Ok((0..rows.num_rows()).map(row).collect())
}

fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}
