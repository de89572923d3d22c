//! An answer's rows, cell by cell.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use crate::Lake;
use crate::query::{QueryError, Tables};

/// Some rows.
pub(super) struct Rows {
    count: usize,
    texts: HashMap<String, StringViewArray>,
    numbers: HashMap<String, Int64Array>,
}

impl Rows {
    fn new(batch: &RecordBatch) -> Self {
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let is_number = column.data_type().is_numeric() || matches!(column.data_type(), DataType::Timestamp(_, _));
            let kind = if is_number { DataType::Int64 } else { DataType::Utf8View };
            let Ok(column) = cast(column, &kind) else { continue };
            if is_number {
                numbers.insert(field.name().clone(), column.as_primitive::<Int64Type>().clone());
            } else {
                texts.insert(field.name().clone(), column.as_string_view().clone());
            }
        }
        Self { count: batch.num_rows(), texts, numbers }
    }

    /// The rows' numbers.
    pub(super) fn each(&self) -> std::ops::Range<usize> {
        0..self.count
    }

    /// A text; none where there is none.
    pub(super) fn text(&self, column: &str, row: usize) -> Option<&str> {
        let column = self.texts.get(column)?;
        (row < column.len() && column.is_valid(row)).then(|| column.value(row)).filter(|text| !text.is_empty())
    }

    /// The same as a text of its own.
    pub(super) fn owned(&self, column: &str, row: usize) -> Option<String> {
        self.text(column, row).map(str::to_owned)
    }

    /// A number, or a time in microseconds since 1970.
    pub(super) fn number(&self, column: &str, row: usize) -> Option<i64> {
        let column = self.numbers.get(column)?;
        (row < column.len() && column.is_valid(row)).then(|| column.value(row))
    }

    /// A count.
    pub(super) fn count(&self, column: &str, row: usize) -> u64 {
        self.number(column, row).and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
    }
}

/// Asks, and hands over the rows as they come.
pub(super) async fn ask(lake: &Lake, sql: &str, threads: usize, mut each: impl FnMut(&Rows)) -> Result<(), QueryError> {
    let mut answer = lake.query(sql, Tables::default(), false, threads).await?;
    while let Some(batch) = answer.next().await? {
        each(&Rows::new(&batch));
    }
    Ok(())
}
