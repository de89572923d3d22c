//! Rows on their way into files: to which partition each belongs, which are there already, and in what order they lie.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray, StringViewArray};
use arrow::compute::{SortColumn, interleave, lexsort_to_indices};
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;

use crate::object::{LogObject, is_account};
use crate::source::{ACCOUNT, Identity, LINE, OBJECT, REGION, Source, UNKNOWN};
use crate::table::{Place, file_schema};
use crate::time;

/// Characters of a region's name, or of what stands in its place (`aws-global`).
const REGION_CHARACTERS_MAX: usize = 32;

/// Rows of one source that wait to be stored, in the batches that the parser made.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    batches: Vec<(usize, RecordBatch)>,
}

/// Where a row lies: which batch, which row of it.
pub(crate) type Position = (usize, usize);

impl Waiting {
    /// Adds rows of the object of that number.
    pub(crate) fn push(&mut self, object: usize, batch: RecordBatch) {
        self.batches.push((object, batch));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The rows of each partition.
    pub(crate) fn places(
        &self,
        source: &Source,
        objects: &[LogObject],
    ) -> Result<BTreeMap<Place, Vec<Position>>, ArrowError> {
        let mut places: HashMap<Place, Vec<Position>> = HashMap::new();
        for (number, (object, batch)) in self.batches.iter().enumerate() {
            let (account, region, times) = (texts(batch, ACCOUNT)?, texts(batch, REGION)?, times(source, batch)?);
            let (path_account, path_region) = objects.get(*object).map_or((None, None), LogObject::place);
            // Neighbours nearly always belong together: rows are gathered in runs.
            let mut run: Option<(Place, Vec<Position>)> = None;
            for row in 0..batch.num_rows() {
                let at = |column: &'_ StringViewArray| column.is_valid(row).then(|| column.value(row).to_owned());
                let day = time::day(times.value(row));
                let same = run.as_ref().is_some_and(|(place, _)| {
                    place.day == day
                        && (account.is_valid(row) && account.value(row) == place.account)
                        && (region.is_valid(row) && region.value(row) == place.region)
                });
                if !same {
                    let place = Place {
                        account: account_of(at(account).as_deref().or(path_account)),
                        region: region_of(at(region).as_deref().or(path_region)),
                        day,
                    };
                    if run.as_ref().is_none_or(|(current, _)| *current != place)
                        && let Some((place, mut rows)) = run.replace((place, Vec::new()))
                    {
                        places.entry(place).or_default().append(&mut rows);
                    }
                }
                if let Some((_, rows)) = &mut run {
                    rows.push((number, row));
                }
            }
            if let Some((place, mut rows)) = run {
                places.entry(place).or_default().append(&mut rows);
            }
        }
        Ok(places.into_iter().collect())
    }

    /// The times of the first and last of these rows.
    pub(crate) fn span(&self, source: &Source, rows: &[Position]) -> Result<(i64, i64), ArrowError> {
        let mut span = (i64::MAX, i64::MIN);
        let (used, positions) = self.used(rows);
        let times: Vec<_> = used.iter().map(|(_, batch)| times(source, batch)).collect::<Result<_, _>>()?;
        for (batch, row) in positions {
            if let Some(times) = times.get(batch) {
                let time = times.value(row);
                span = (span.0.min(time), span.1.max(time));
            }
        }
        Ok(span)
    }

    /// Leaves of `rows` those that are neither twice among them nor in `stored`, batches of the source's identifying
    /// columns read from the partition's files. Memory is that of `rows`, however much is stored.
    pub(crate) fn without_duplicates(
        &self,
        source: &Source,
        objects: &[LogObject],
        rows: &mut Vec<Position>,
        stored: &[RecordBatch],
    ) -> Result<(), ArrowError> {
        match source.identity {
            Identity::Column(name) => {
                let (used, positions) = self.used(rows);
                let columns: Vec<&StringViewArray> =
                    used.iter().map(|(_, batch)| texts(batch, name)).collect::<Result<_, _>>()?;
                let id = |position: &Position| columns.get(position.0).map_or("", |column| column.value(position.1));
                let mut here: HashSet<&str> = HashSet::with_capacity(rows.len());
                let mut is_kept: Vec<bool> = positions.iter().map(|position| here.insert(id(position))).collect();
                let mut there: HashSet<String> = HashSet::new();
                for batch in stored {
                    each_text(batch.column(0), &mut |_, text| {
                        if here.contains(text) {
                            there.insert(text.to_owned());
                        }
                    })?;
                }
                if !there.is_empty() {
                    for (kept, position) in is_kept.iter_mut().zip(&positions) {
                        *kept &= !there.contains(id(position));
                    }
                }
                let mut kept = is_kept.iter();
                rows.retain(|_| kept.next().copied().unwrap_or_default());
            }
            Identity::Position => {
                if stored.is_empty() {
                    // An object is read once in a run, so that nothing can be twice here.
                    return Ok(());
                }
                let numbers: HashMap<&str, usize> =
                    objects.iter().enumerate().map(|(number, object)| (object.key(), number)).collect();
                let mut there: HashSet<(usize, i64)> = HashSet::new();
                for batch in stored {
                    let lines = batch.column(1).as_primitive::<Int64Type>();
                    each_text(batch.column(0), &mut |row, key| {
                        if let Some(number) = numbers.get(key) {
                            there.insert((*number, lines.value(row)));
                        }
                    })?;
                }
                let columns: Vec<_> = self
                    .batches
                    .iter()
                    .map(|(_, batch)| column(batch, LINE).map(AsArray::as_primitive::<Int64Type>))
                    .collect::<Result<_, _>>()?;
                rows.retain(|(batch, row)| match (self.batches.get(*batch), columns.get(*batch)) {
                    (Some((object, _)), Some(lines)) => !there.contains(&(*object, lines.value(*row))),
                    _ => true,
                });
            }
        }
        Ok(())
    }

    /// Puts the rows into the order in which they lie in a file.
    pub(crate) fn sort(&self, source: &Source, rows: &mut Vec<Position>) -> Result<(), ArrowError> {
        let (used, positions) = self.used(rows);
        let mut columns = Vec::new();
        for name in &source.sort {
            let arrays: Vec<&dyn Array> =
                used.iter().map(|(_, batch)| column(batch, name).map(AsRef::as_ref)).collect::<Result<_, _>>()?;
            columns.push(SortColumn { values: interleave(&arrays, &positions)?, options: None });
        }
        let order = lexsort_to_indices(&columns, None)?;
        *rows = order.values().iter().filter_map(|index| rows.get(*index as usize).copied()).collect();
        Ok(())
    }

    /// The rows as one batch, with the columns of a file.
    pub(crate) fn gather(
        &self,
        source: &Source,
        objects: &[LogObject],
        rows: &[Position],
    ) -> Result<RecordBatch, ArrowError> {
        let (used, positions) = self.used(rows);
        let schema = file_schema(source);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        let of_source = schema.fields().len().saturating_sub(1);
        for field in schema.fields().iter().take(of_source) {
            let columns: Vec<&dyn Array> = used
                .iter()
                .map(|(_, batch)| column(batch, field.name()).map(AsRef::as_ref))
                .collect::<Result<_, _>>()?;
            arrays.push(interleave(&columns, &positions)?);
        }
        let keys = StringArray::from_iter_values(
            used.iter().map(|(object, _)| objects.get(*object).map_or("", |object| object.key())),
        );
        let indices =
            Int32Array::from_iter_values(positions.iter().map(|(batch, _)| i32::try_from(*batch).unwrap_or_default()));
        let of_rows = DictionaryArray::try_new(indices, Arc::new(keys))?;
        arrays.push(arrow::compute::cast(&of_rows, &DataType::Utf8View)?);
        RecordBatch::try_new(schema, arrays)
    }

    /// The batches that the rows lie in, and the rows' positions among these.
    fn used(&self, rows: &[Position]) -> (Vec<&(usize, RecordBatch)>, Vec<Position>) {
        let mut used = Vec::new();
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        let mut positions = Vec::with_capacity(rows.len());
        for (batch, row) in rows {
            let number = *numbers.entry(*batch).or_insert_with(|| {
                used.extend(self.batches.get(*batch));
                used.len() - 1
            });
            positions.push((number, *row));
        }
        (used, positions)
    }
}

/// The columns by which the source's rows are told apart, as the files hold them.
pub(crate) fn identity_schema(source: &Source) -> Result<SchemaRef, ArrowError> {
    let schema = file_schema(source);
    let names = match source.identity {
        Identity::Column(name) => vec![name],
        Identity::Position => vec![OBJECT, LINE],
    };
    let indices = names.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(schema.project(&indices)?))
}

/// An account that can stand in a path; what an event claims may be anything.
fn account_of(claimed: Option<&str>) -> String {
    claimed.filter(|text| is_account(text)).unwrap_or(UNKNOWN).to_owned()
}

fn region_of(claimed: Option<&str>) -> String {
    let is_name = |text: &&str| {
        !text.is_empty()
            && text.len() <= REGION_CHARACTERS_MAX
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    claimed.filter(is_name).unwrap_or(UNKNOWN).to_owned()
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
}

fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b StringViewArray, ArrowError> {
    let column = column(batch, name)?;
    column.as_string_view_opt().ok_or_else(|| ArrowError::SchemaError(format!("`{name}` is not text")))
}

fn times<'b>(
    source: &Source,
    batch: &'b RecordBatch,
) -> Result<&'b arrow::array::PrimitiveArray<TimestampMicrosecondType>, ArrowError> {
    let column = column(batch, source.time)?;
    column.as_primitive_opt().ok_or_else(|| ArrowError::SchemaError(format!("`{}` is not a time", source.time)))
}

/// Visits the texts of a column as Parquet files give it, nulls left out.
fn each_text(column: &ArrayRef, visit: &mut dyn FnMut(usize, &str)) -> Result<(), ArrowError> {
    let column = arrow::compute::cast(column, &DataType::Utf8View)?;
    for (row, text) in column.as_string_view().iter().enumerate() {
        if let Some(text) = text {
            visit(row, text);
        }
    }
    Ok(())
}
