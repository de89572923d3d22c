//! The Delta table of one source: its files, its ledger, and the commits that change both at once.

use std::collections::HashMap;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitConflictError, CommitProperties, TransactionError};
use deltalake::kernel::{Action, Add, Remove, StructType, Transaction};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::durable;
use crate::ledger::{Ledger, LedgerError};
use crate::source::{ACCOUNT, DAY, OBJECT, REGION, Source};
use crate::time;

/// Commits between two checkpoints of the log: reading the log costs at most so many small files.
const CHECKPOINT_COMMITS: &str = "20";

/// Why a table cannot be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The folder is no place for a table.
    #[error("`{0}` cannot be used as a folder of tables")]
    Folder(String, #[source] Option<std::io::Error>),
    /// The table's log cannot be read or written.
    #[error("the log of the table `{0}` cannot be read or written")]
    Log(String, #[source] Box<DeltaTableError>),
    /// The ledger of consumed objects cannot be read or written.
    #[error("the ledger of the table `{0}` cannot be read or written")]
    Ledger(String, #[source] LedgerError),
    /// The table was written by something newer or changed by something else.
    #[error("the table `{0}` has {1}, which this version cannot read")]
    Foreign(String, &'static str),
    /// Other writers were faster again and again.
    #[error("other processes keep writing to the table `{0}`")]
    Busy(String),
    /// The disk did not take a commit.
    #[error("the disk did not take what was committed to the table `{0}`")]
    Disk(String, #[source] std::io::Error),
}

/// A partition: one account, one region, one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Twelve digits, or [`crate::source::UNKNOWN`].
    pub account: String,
    /// A region's name, or [`crate::source::UNKNOWN`].
    pub region: String,
    /// Days since 1970.
    pub day: i32,
}

impl Place {
    /// The folder of the partition within the table.
    pub(crate) fn folder(&self) -> String {
        format!("{ACCOUNT}={}/{REGION}={}/{DAY}={}", self.account, self.region, time::day_text(self.day))
    }

    pub(crate) fn values(&self) -> HashMap<String, Option<String>> {
        HashMap::from([
            (ACCOUNT.to_owned(), Some(self.account.clone())),
            (REGION.to_owned(), Some(self.region.clone())),
            (DAY.to_owned(), Some(time::day_text(self.day))),
        ])
    }

    fn of(values: &HashMap<String, Option<String>>) -> Option<Self> {
        let get = |name: &str| values.get(name).cloned().flatten();
        Some(Self { account: get(ACCOUNT)?, region: get(REGION)?, day: time::day_of(&get(DAY)?)? })
    }
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path within the table.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The partition it belongs to.
    pub place: Place,
    /// Rows.
    pub rows: u64,
    /// The times of the first and the last row, in microseconds since 1970.
    pub span: (i64, i64),
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
}

/// What the log keeps about a file, in Delta's form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    num_records: u64,
    #[serde(default)]
    min_values: HashMap<String, sonic_rs::Value>,
    #[serde(default)]
    max_values: HashMap<String, sonic_rs::Value>,
    #[serde(default)]
    null_count: HashMap<String, sonic_rs::Value>,
}

/// The table of one source.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) source: Source,
    folder: PathBuf,
    delta: DeltaTable,
    ledger: Ledger,
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It stands.
    Yes,
    /// Another writer came first, and what was to be committed must be made anew from what it left.
    Overtaken,
}

impl Table {
    /// Opens the table of `source` below `root`; none if nothing was ever stored in it.
    pub(crate) async fn open(root: &FsPath, source: &Source) -> Result<Option<Self>, TableError> {
        match Self::load(root, source).await? {
            Some(delta) => Self::with(root, source, delta).await.map(Some),
            None => Ok(None),
        }
    }

    /// The files of the table of `source` below `root`, for who only reads rows: the ledger is left alone.
    pub(crate) async fn files_of(root: &FsPath, source: &Source) -> Result<Vec<StoredFile>, TableError> {
        match Self::load(root, source).await? {
            Some(delta) => files(source, &delta),
            None => Ok(Vec::new()),
        }
    }

    async fn load(root: &FsPath, source: &Source) -> Result<Option<DeltaTable>, TableError> {
        let name = source.name.to_string();
        if !root.join(&*source.name).join("_delta_log").is_dir() {
            return Ok(None);
        }
        let builder = DeltaTableBuilder::from_url(url_of(root, &source.name)?).map_err(|error| log(&name, error))?;
        match builder.load().await {
            Ok(delta) => Ok(Some(delta)),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(log(&name, error)),
        }
    }

    /// Opens the table of `source` below `root`, and makes it where there is none.
    pub(crate) async fn open_or_create(root: &FsPath, source: &Source) -> Result<Self, TableError> {
        if let Some(table) = Self::open(root, source).await? {
            return Ok(table);
        }
        let name = source.name.to_string();
        let folder = root.join(&*source.name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| TableError::Folder(folder.display().to_string(), Some(error)))?;
        let schema: StructType = (&delta_schema(source)).try_into_kernel().map_err(|error| log(&name, error))?;
        let store = DeltaTableBuilder::from_url(url_of(root, &source.name)?)
            .and_then(|builder| builder.build_storage())
            .map_err(|error| log(&name, error))?;
        let created = CreateBuilder::new()
            .with_log_store(store)
            .with_table_name(&name)
            .with_columns(schema.fields().cloned())
            .with_partition_columns([ACCOUNT, REGION, DAY])
            .with_save_mode(SaveMode::Ignore)
            .with_configuration([
                ("delta.checkpointInterval", Some(CHECKPOINT_COMMITS)),
                // Only the time: statistics of every column would make the log larger than the rows.
                ("delta.dataSkippingStatsColumns", Some(source.time)),
            ])
            .await;
        match created {
            Ok(delta) => Self::with(root, source, delta).await,
            // Another process made it in this moment.
            Err(error) => Self::open(root, source).await?.ok_or_else(|| log(&name, error)),
        }
    }

    async fn with(root: &FsPath, source: &Source, delta: DeltaTable) -> Result<Self, TableError> {
        let name = source.name.to_string();
        let ledger = Ledger::load(&delta, None).await.map_err(|error| TableError::Ledger(name, error))?;
        let folder = absolute(root, &source.name)?;
        Ok(Self { source: source.clone(), folder, delta, ledger })
    }

    /// Reads what other writers have committed.
    pub(crate) async fn refresh(&mut self) -> Result<(), TableError> {
        let name = self.source.name.to_string();
        self.delta.update_state().await.map_err(|error| log(&name, error))?;
        let before = std::mem::take(&mut self.ledger);
        self.ledger = Ledger::load(&self.delta, Some(before)).await.map_err(|error| TableError::Ledger(name, error))?;
        Ok(())
    }

    /// The folder of the table.
    pub(crate) fn folder(&self) -> &FsPath {
        &self.folder
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.delta.object_store()
    }

    /// The files of the table.
    pub(crate) fn files(&self) -> Result<Vec<StoredFile>, TableError> {
        files(&self.source, &self.delta)
    }

    /// The files that these actions of the log added.
    pub(crate) fn stored(&self, adds: &[Add]) -> Result<Vec<StoredFile>, TableError> {
        adds.iter()
            .map(|add| {
                let place = Place::of(&add.partition_values)
                    .ok_or_else(|| TableError::Foreign(self.source.name.to_string(), "files outside its partitions"))?;
                let (size, written_ms) = (u64::try_from(add.size).unwrap_or_default(), add.modification_time);
                Ok(stored(&self.source, add.path.clone(), size, place, add.stats.as_deref(), written_ms))
            })
            .collect()
    }

    /// Commits files that were added and removed, and the ledger's next root, at once.
    pub(crate) async fn commit(
        &mut self,
        added: &[StoredFile],
        removed: &[StoredFile],
        consumed: Option<Transaction>,
        now_ms: i64,
    ) -> Result<Committed, TableError> {
        // Files that replace each other hold the same rows; rows come or go in all other cases.
        let is_change = added.is_empty() || removed.is_empty();
        self.commit_as(is_change, added, removed, consumed, now_ms).await
    }

    /// The same where files that replace each other do not hold the same rows.
    pub(crate) async fn commit_changed(
        &mut self,
        added: &[StoredFile],
        removed: &[StoredFile],
        mark: Option<Transaction>,
        now_ms: i64,
    ) -> Result<Committed, TableError> {
        self.commit_as(true, added, removed, mark, now_ms).await
    }

    async fn commit_as(
        &mut self,
        is_change: bool,
        added: &[StoredFile],
        removed: &[StoredFile],
        consumed: Option<Transaction>,
        now_ms: i64,
    ) -> Result<Committed, TableError> {
        let name = self.source.name.to_string();
        let mut actions: Vec<Action> = Vec::with_capacity(added.len() + removed.len());
        for file in removed {
            actions.push(Action::Remove(remove(file, is_change, now_ms)));
        }
        for file in added {
            actions.push(Action::Add(self.add(file, is_change)));
        }
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![ACCOUNT.to_owned(), REGION.to_owned(), DAY.to_owned()]),
            predicate: None,
        };
        let mut properties = CommitProperties::default();
        properties = properties.with_application_transactions(consumed.into_iter().collect());
        let state = self.delta.snapshot().map_err(|error| log(&name, error))?;
        let outcome = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), self.delta.log_store(), operation)
            .await;
        let committed = match outcome {
            Ok(done) => {
                let file = format!("_delta_log/{:020}.json", done.version());
                durable::files(&self.folder, &[file]).map_err(|error| TableError::Disk(name.clone(), error))?;
                Committed::Yes
            }
            Err(DeltaTableError::Transaction { source: TransactionError::CommitConflict(conflict) })
                if !matches!(conflict, CommitConflictError::CorruptedState { .. }) =>
            {
                Committed::Overtaken
            }
            Err(error) => return Err(log(&name, error)),
        };
        self.refresh().await?;
        Ok(committed)
    }

    fn add(&self, file: &StoredFile, is_change: bool) -> Add {
        let stats = Stats {
            num_records: file.rows,
            // Delta keeps milliseconds: the span is widened to hold every microsecond of it.
            min_values: HashMap::from([(self.source.time.to_owned(), moment(file.span.0.div_euclid(1000) * 1000))]),
            max_values: HashMap::from([(
                self.source.time.to_owned(),
                moment((file.span.1 + 999).div_euclid(1000) * 1000),
            )]),
            null_count: HashMap::new(),
        };
        Add {
            path: file.path.clone(),
            partition_values: file.place.values(),
            size: i64::try_from(file.size).unwrap_or(i64::MAX),
            modification_time: file.written_ms,
            data_change: is_change,
            stats: sonic_rs::to_string(&stats).ok(),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}

/// A file as the log tells it. One that another engine added without statistics has a span of all time.
fn stored(source: &Source, path: String, size: u64, place: Place, stats: Option<&str>, written_ms: i64) -> StoredFile {
    let stats: Option<Stats> = stats.and_then(|stats| sonic_rs::from_str(stats).ok());
    let at = |values: &HashMap<String, sonic_rs::Value>| {
        values.get(source.time).and_then(|value| sonic_rs::JsonValueTrait::as_str(value).and_then(time::micros))
    };
    let span = stats.as_ref().and_then(|stats| Some((at(&stats.min_values)?, at(&stats.max_values)?)));
    StoredFile {
        path,
        size,
        place,
        rows: stats.map_or(0, |stats| stats.num_records),
        span: span.unwrap_or((i64::MIN, i64::MAX)),
        written_ms,
    }
}

/// The files of a table. A file that another engine added without statistics has a span of all time. Rows may be hidden by
/// what only other engines write; they must not come back to life here, and such a table is refused.
fn files(source: &Source, delta: &DeltaTable) -> Result<Vec<StoredFile>, TableError> {
    let name = || source.name.to_string();
    let snapshot = delta.snapshot().map_err(|error| log(&name(), error))?;
    let mut files = Vec::new();
    for file in snapshot.log_data().iter() {
        if file.deletion_vector_descriptor().is_some() {
            return Err(TableError::Foreign(name(), "deletion vectors"));
        }
        let Some(place) = Place::of(&file.partition_values_map()) else {
            return Err(TableError::Foreign(name(), "files outside its partitions"));
        };
        let size = u64::try_from(file.size()).unwrap_or_default();
        let (path, stats) = (file.object_store_path().to_string(), file.stats());
        files.push(stored(source, path, size, place, stats.as_deref(), file.modification_time()));
    }
    Ok(files)
}

/// The columns of the table's rows as the files hold them: the source's, without the partition's, and the object.
pub(crate) fn file_schema(source: &Source) -> SchemaRef {
    let mut fields: Vec<_> = source
        .schema
        .fields()
        .iter()
        .filter(|field| field.name() != ACCOUNT && field.name() != REGION)
        .map(Arc::clone)
        .collect();
    fields.push(Arc::new(Field::new(OBJECT, DataType::Utf8View, false)));
    Arc::new(Schema::new(fields))
}

/// The same in Delta's types, and the partition's columns.
fn delta_schema(source: &Source) -> Schema {
    let mut fields: Vec<Field> = file_schema(source)
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            // Delta tables of others have no columns that must not be null; so everybody can add rows.
            DataType::Utf8View => Field::new(field.name(), DataType::Utf8, true),
            other => Field::new(field.name(), other.clone(), true),
        })
        .collect();
    fields.push(Field::new(ACCOUNT, DataType::Utf8, true));
    fields.push(Field::new(REGION, DataType::Utf8, true));
    fields.push(Field::new(DAY, DataType::Date32, true));
    Schema::new(fields)
}

fn remove(file: &StoredFile, is_change: bool, now_ms: i64) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: is_change,
        deletion_timestamp: Some(now_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(file.place.values()),
        size: i64::try_from(file.size).ok(),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}

fn moment(micros: i64) -> sonic_rs::Value {
    let text = chrono::DateTime::from_timestamp_micros(micros)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .unwrap_or_default();
    sonic_rs::Value::from(text.as_str())
}

fn absolute(root: &FsPath, name: &str) -> Result<PathBuf, TableError> {
    std::path::absolute(root.join(name)).map_err(|error| TableError::Folder(root.display().to_string(), Some(error)))
}

fn url_of(root: &FsPath, name: &str) -> Result<Url, TableError> {
    let folder = absolute(root, name)?;
    Url::from_directory_path(&folder).map_err(|()| TableError::Folder(folder.display().to_string(), None))
}

fn log(name: &str, error: impl Into<DeltaTableError>) -> TableError {
    TableError::Log(name.to_owned(), Box::new(error.into()))
}
