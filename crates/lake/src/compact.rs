//! Keeping the tables fit: small files of a partition become one, old partitions go, and so does what no table names.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, concat_batches, interleave_record_batch, lexsort_to_indices};
use deltalake::operations::vacuum::VacuumMode;

use crate::durable;
use crate::index::{self, Keys};
use crate::source::Source;
use crate::store::{GATHER_ROWS, Run, StoreError, Written, put, read_file};
use crate::table::{Committed, Place, StoredFile, Table, TableError, file_schema};
use crate::write::FileWriter;
use crate::{AddError, Lake, Options, time};

/// Bytes of a file that is large enough to be left as it is.
const LARGE_BYTES: u64 = 64 << 20;

/// Bytes of files that are rewritten together: decompressed some ten times as many, and held in memory.
const TOGETHER_BYTES_MAX: u64 = 32 << 20;

/// Small files of a partition that adding leaves alone. Each row is then rewritten a few times in its life, and a day to
/// which something is added every five minutes has some dozen files at most.
const SETTLED_FILES_MAX: usize = 16;

/// Partitions rewritten in one commit.
const PLACES_PER_COMMIT: usize = 256;

/// How long files stay that a table no longer names: a query that began before still reads them.
const SWEEP_AFTER_MS: i64 = 3_600_000;

/// What compaction did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// The source.
    pub source: String,
    /// Files before and after.
    pub files: (u64, u64),
    /// Bytes before and after.
    pub bytes: (u64, u64),
    /// Rows of partitions that were older than asked for, and are gone.
    pub dropped: u64,
    /// Partitions left as they were, because another process changed them meanwhile.
    pub overtaken: u64,
    /// Files removed that no table named any more.
    pub swept: u64,
}

impl Lake {
    /// Rewrites the small files of each partition as one, drops partitions of more than `retain_days` days ago, and
    /// removes files that nothing names. The rows stay the same; queries and other writers go on meanwhile.
    ///
    /// Must not be called on a thread of the runtime.
    pub fn compact(&self, options: &Options, retain_days: Option<u32>) -> Result<Vec<Compacted>, AddError> {
        let run = Run {
            id: options.run.clone(),
            now_ms: options.now_ms,
            threads: options.threads.max(1),
            runtime: self.runtime().clone(),
        };
        let mut all = Vec::new();
        for source in self.tables() {
            let Some(mut table) = run.runtime.block_on(Table::open(self.root(), source))? else { continue };
            let before = table.files()?;
            let mut done = Compacted { source: source.name.to_string(), ..Compacted::default() };
            done.files.0 = before.len() as u64;
            done.bytes.0 = before.iter().map(|file| file.size).sum();
            if let Some(days) = retain_days {
                done.dropped = drop_old(&run, &mut table, days)?;
            }
            done.overtaken = merge(&run, &mut table, 2)?;
            done.swept = sweep(&run, &table)?;
            let after = table.files()?;
            done.files.1 = after.len() as u64;
            done.bytes.1 = after.iter().map(|file| file.size).sum();
            all.push(done);
        }
        Ok(all)
    }
}

fn drop_old(run: &Run, table: &mut Table, days: u32) -> Result<u64, TableError> {
    let first = time::day(run.now_ms.saturating_mul(1000)) - i32::try_from(days).unwrap_or(i32::MAX / 2);
    let old: Vec<StoredFile> = table.files()?.into_iter().filter(|file| file.place.day < first).collect();
    if old.is_empty() {
        return Ok(0);
    }
    match run.runtime.block_on(table.commit(&[], &old, None, run.now_ms))? {
        Committed::Yes => Ok(old.iter().map(|file| file.rows).sum()),
        Committed::Overtaken => Err(TableError::Busy(table.source.name.to_string())),
    }
}

/// Merges the small files of the partitions that have many, so that a table to which little is added often stays fit by
/// itself. What another process changes meanwhile is left to it.
pub(crate) fn settle(run: &Run, table: &mut Table) -> Result<(), StoreError> {
    merge(run, table, SETTLED_FILES_MAX).map(|_| ())
}

/// Merges the small files of each partition that has at least `least`; gives the number of partitions that others changed
/// meanwhile.
fn merge(run: &Run, table: &mut Table, least: usize) -> Result<u64, StoreError> {
    let mut places: BTreeMap<Place, Vec<Vec<StoredFile>>> = BTreeMap::new();
    for file in table.files()?.into_iter().filter(|file| file.size < LARGE_BYTES) {
        let groups = places.entry(file.place.clone()).or_default();
        let fits = groups
            .last()
            .is_some_and(|group| group.iter().map(|file| file.size).sum::<u64>() + file.size <= TOGETHER_BYTES_MAX);
        match groups.last_mut().filter(|_| fits) {
            Some(group) => group.push(file),
            None => groups.push(vec![file]),
        }
    }
    let groups: Vec<Vec<StoredFile>> = places.into_values().flatten().filter(|group| group.len() >= least).collect();
    let (mut overtaken, mut number) = (0, 0);
    for some in groups.chunks(PLACES_PER_COMMIT) {
        let mut written = Written::default();
        for group in some {
            number += 1;
            let (file, keys) = merge_files(run, table, group, &format!("{}-c{number}", run.id))?;
            written.push(file, keys);
        }
        let name = format!("{}-c{number}", run.id);
        let merged = written.keep(table, &name)?;
        let paths: Vec<String> = merged.iter().map(|file| file.path.clone()).collect();
        durable::files(table.folder(), &paths).map_err(StoreError::Disk)?;
        let removed: Vec<StoredFile> = some.iter().flatten().cloned().collect();
        if run.runtime.block_on(table.commit(&merged, &removed, None, run.now_ms))? == Committed::Overtaken {
            index::discard(table.folder(), &name);
            overtaken += some.len() as u64;
        }
    }
    Ok(overtaken)
}

fn merge_files(run: &Run, table: &Table, files: &[StoredFile], name: &str) -> Result<(StoredFile, Keys), StoreError> {
    let source = &table.source;
    let schema = file_schema(source);
    let mut batches = Vec::new();
    for file in files {
        batches.extend(run.runtime.block_on(read_file(table, file, &schema))?);
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let order = order(source, &batches)?;
    let mut writer = FileWriter::new(source, &schema, rows);
    let mut keys = Keys::default();
    let borrowed: Vec<&RecordBatch> = batches.iter().collect();
    for some in order.chunks(GATHER_ROWS) {
        let some = interleave_record_batch(&borrowed, some)?;
        keys.add(source, &some);
        writer.write(&some)?;
    }
    let nowhere = || Place { account: String::new(), region: String::new(), day: 0 };
    let place = files.first().map_or_else(nowhere, |file| file.place.clone());
    let bytes = writer.finish()?;
    let merged = StoredFile {
        path: format!("{}/part-{name}.zstd.parquet", place.folder()),
        size: bytes.len() as u64,
        place,
        rows: rows as u64,
        span: files.iter().fold((i64::MAX, i64::MIN), |span, file| (span.0.min(file.span.0), span.1.max(file.span.1))),
        written_ms: run.now_ms,
    };
    put(run, table, &merged.path, bytes)?;
    Ok((merged, keys))
}

/// The rows of all batches, in the order in which they lie in a file.
fn order(source: &Source, batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, StoreError> {
    let mut columns = Vec::new();
    for name in &source.sort {
        let some: Vec<RecordBatch> = batches
            .iter()
            .map(|batch| batch.schema_ref().index_of(name).and_then(|at| batch.project(&[at])))
            .collect::<Result<_, _>>()?;
        let Some(first) = some.first() else { return Ok(Vec::new()) };
        let together = concat_batches(&first.schema(), &some)?;
        columns.push(SortColumn { values: std::sync::Arc::clone(together.column(0)), options: None });
    }
    let places: Vec<(usize, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(number, batch)| (0..batch.num_rows()).map(move |row| (number, row)))
        .collect();
    let order = lexsort_to_indices(&columns, None)?;
    Ok(order.values().iter().filter_map(|at| places.get(*at as usize).copied()).collect())
}

/// Removes files that no version of the table of the last hour names.
fn sweep(run: &Run, table: &Table) -> Result<u64, StoreError> {
    let name = table.source.name.to_string();
    let files = table.files()?;
    let live = files.iter().map(|file| file.path.as_str()).collect();
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(run.now_ms - SWEEP_AFTER_MS).unwrap_or_default());
    index::sweep(table.folder(), &live, before, &run.id).map_err(StoreError::Index)?;
    run.runtime.block_on(async {
        let vacuum = table
            .delta()
            .clone()
            .vacuum()
            .with_retention_period(chrono::Duration::milliseconds(SWEEP_AFTER_MS))
            .with_enforce_retention_duration(false)
            .with_mode(VacuumMode::Full);
        let (_, metrics) = vacuum.await.map_err(|error| TableError::Log(name.clone(), Box::new(error)))?;
        let swept = table.ledger().sweep(&table.store(), run.now_ms - SWEEP_AFTER_MS).await;
        let swept = swept.map_err(|error| TableError::Ledger(name, error))?;
        Ok(metrics.files_deleted.len() as u64 + swept)
    })
}
