//! Storing: waiting rows and consumed objects into a table, in one commit.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::durable;
use crate::index::{self, Keys};
use crate::ledger::Consumed;
use crate::object::LogObject;
use crate::rows::{Position, Waiting, identity_schema};
use crate::table::{Committed, Place, StoredFile, Table, TableError, file_schema};
use crate::write::FileWriter;

/// Rows gathered and encoded at a time: the texts of so many rows are copied nowhere, their views are.
pub(crate) const GATHER_ROWS: usize = 16_384;

/// Commits that may be overtaken before the run gives up.
const OVERTAKEN_MAX: usize = 20;

/// Why rows could not be stored. Nothing of what was to be stored is in the table then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Rows that do not have the source's shape.
    #[error("the rows do not have the shape of their source")]
    Rows(#[from] arrow::error::ArrowError),
    /// A file could not be encoded or decoded.
    #[error("a file of rows cannot be written or read")]
    File(#[from] ParquetError),
    /// The storage failed.
    #[error("a file of rows cannot be stored")]
    Storage(#[from] object_store::Error),
    /// The index of which files hold a value.
    #[error("the index of the files cannot be written")]
    Index(#[source] std::io::Error),
    /// The disk did not take what was written.
    #[error("the disk did not take the files that were written")]
    Disk(#[source] std::io::Error),
}

/// Who stores, when, and with how many threads.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Unlike that of any other run; part of file names.
    pub(crate) id: String,
    /// When the run began, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    pub(crate) threads: usize,
    pub(crate) runtime: tokio::runtime::Handle,
}

/// What was stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) rows: u64,
    pub(crate) duplicates: u64,
}

/// Stores the rows and marks the objects as consumed, or does neither.
///
/// `number` is that of the commit within the run.
pub(crate) fn store(
    run: &Run,
    table: &mut Table,
    waiting: &Waiting,
    objects: &[LogObject],
    consumed: &[Consumed],
    number: usize,
) -> Result<Stored, StoreError> {
    let source = table.source.clone();
    let places: Vec<(Place, Vec<Position>)> = waiting.places(&source, objects)?.into_iter().collect();
    let total: usize = places.iter().map(|(_, rows)| rows.len()).sum();
    for attempt in 0..OVERTAKEN_MAX {
        let name = format!("{}-{number}-{attempt}", run.id);
        let written = write_files(run, table, waiting, objects, &places, &name)?;
        let rows: u64 = written.files.iter().map(|file| file.rows).sum();
        if written.files.is_empty() && consumed.is_empty() {
            return Ok(Stored { rows, duplicates: total as u64 });
        }
        let files = written.keep(table, &name)?;
        let store = table.store();
        let root = run.runtime.block_on(table.ledger().prepare(&store, consumed, &name, run.now_ms));
        let (root, mut beside) = root.map_err(|error| TableError::Ledger(source.name.to_string(), error))?;
        beside.extend(files.iter().map(|file| file.path.clone()));
        durable::files(table.folder(), &beside).map_err(StoreError::Disk)?;
        if run.runtime.block_on(table.commit(&files, &[], Some(root), run.now_ms))? == Committed::Yes {
            index::tidy(table.folder(), &name).map_err(StoreError::Index)?;
            return Ok(Stored { rows, duplicates: total as u64 - rows });
        }
        discard(run, table, &files);
        index::discard(table.folder(), &name);
    }
    Err(TableError::Busy(source.name.to_string()).into())
}

/// Files of rows that no commit names yet, and what the index is to say of each.
#[derive(Debug, Default)]
pub(crate) struct Written {
    files: Vec<StoredFile>,
    keys: Vec<Keys>,
}

impl Written {
    pub(crate) fn push(&mut self, file: StoredFile, keys: Keys) {
        self.files.push(file);
        self.keys.push(keys);
    }

    /// Writes the index of the files, under a name that is new.
    pub(crate) fn keep(self, table: &Table, name: &str) -> Result<Vec<StoredFile>, StoreError> {
        let named = self.files.iter().map(|file| file.path.clone()).zip(self.keys).collect();
        index::keep(table.folder(), named, name).map_err(StoreError::Index)?;
        Ok(self.files)
    }
}

/// Removes files that no commit names; that it fails leaves files nobody sees, which compaction sweeps.
fn discard(run: &Run, table: &Table, files: &[StoredFile]) {
    let store = table.store();
    run.runtime.block_on(async {
        for file in files {
            if let Err(error) = store.delete(&Path::from(file.path.as_str())).await {
                tracing::debug!(path = file.path, %error, "leaving a file that is not part of the table");
            }
        }
    });
}

/// Writes one file a partition, those of many rows first, on all threads.
fn write_files(
    run: &Run,
    table: &Table,
    waiting: &Waiting,
    objects: &[LogObject],
    places: &[(Place, Vec<Position>)],
    name: &str,
) -> Result<Written, StoreError> {
    let mut before: HashMap<Place, Vec<StoredFile>> = HashMap::new();
    for file in table.files()? {
        before.entry(file.place.clone()).or_default().push(file);
    }
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(places.get(*number).map_or(0, |(_, rows)| rows.len())));
    let (next, files, failed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()), Mutex::new(None));
    let work = || {
        while let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some((place, rows)) = places.get(*number) else { continue };
            let stored = before.get(place).map_or(&[][..], Vec::as_slice);
            let part = Part { place, name: format!("{name}-{number}"), stored };
            match part.write(run, table, waiting, objects, rows.clone()) {
                Ok(Some(file)) => {
                    lock(&files).insert(*number, file);
                }
                Ok(None) => {}
                Err(error) => {
                    *lock(&failed) = Some(error);
                    next.store(order.len(), Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..run.threads.min(places.len()) {
            scope.spawn(work);
        }
        work();
    });
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    let mut written = Written::default();
    for (file, keys) in std::mem::take(&mut *lock(&files)).into_values() {
        written.push(file, keys);
    }
    Ok(written)
}

/// A lock whose holder cannot have left the data half changed: it only inserts.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One partition's part of a commit.
struct Part<'a> {
    place: &'a Place,
    name: String,
    stored: &'a [StoredFile],
}

impl Part<'_> {
    /// Writes the rows that are not stored yet; none if all are.
    fn write(
        &self,
        run: &Run,
        table: &Table,
        waiting: &Waiting,
        objects: &[LogObject],
        mut rows: Vec<Position>,
    ) -> Result<Option<(StoredFile, Keys)>, StoreError> {
        let source = &table.source;
        let span = waiting.span(source, &rows)?;
        // The same row has the same time: only files that hold such times can hold it.
        let near: Vec<&StoredFile> =
            self.stored.iter().filter(|file| file.span.0 <= span.1 && span.0 <= file.span.1).collect();
        let identity = identity_schema(source)?;
        let mut stored = Vec::new();
        for file in near {
            stored.extend(run.runtime.block_on(read_file(table, file, &identity))?);
        }
        waiting.without_duplicates(source, objects, &mut rows, &stored)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let span = waiting.span(source, &rows)?;
        waiting.sort(source, &mut rows)?;
        let schema = file_schema(source);
        let mut writer = FileWriter::new(source, &schema, rows.len());
        let mut keys = Keys::default();
        for some in rows.chunks(GATHER_ROWS) {
            let some = waiting.gather(source, objects, some)?;
            keys.add(source, &some);
            writer.write(&some)?;
        }
        let path = format!("{}/part-{}.zstd.parquet", self.place.folder(), self.name);
        let bytes = writer.finish()?;
        let file = StoredFile {
            path,
            size: bytes.len() as u64,
            place: self.place.clone(),
            rows: rows.len() as u64,
            span,
            written_ms: run.now_ms,
        };
        put(run, table, &file.path, bytes)?;
        Ok(Some((file, keys)))
    }
}

pub(crate) fn put(run: &Run, table: &Table, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
    run.runtime.block_on(table.store().put(&Path::from(path), PutPayload::from(bytes)))?;
    Ok(())
}

/// The rows of a stored file, in the columns of `schema`: a column that the file has not is null.
pub(crate) async fn read_file(
    table: &Table,
    file: &StoredFile,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, StoreError> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let reader = StoredReader { store: table.store(), path: Path::from(file.path.as_str()), size: file.size };
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let batches: Vec<RecordBatch> = builder.with_projection(mask).build()?.try_collect().await?;
    let shaped = batches.into_iter().map(|batch| {
        let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => arrow::compute::cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
    });
    Ok(shaped.collect::<Result<_, _>>()?)
}

/// Reads the parts of a stored file that are asked for.
struct StoredReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

impl AsyncFileReader for StoredReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let bytes = async { self.store.get_range(&self.path, range).await };
        bytes.map_err(|error| ParquetError::External(Box::new(error))).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let size = self.size;
        async move { ParquetMetaDataReader::new().load_and_finish(self, size).await.map(Arc::new) }.boxed()
    }
}
