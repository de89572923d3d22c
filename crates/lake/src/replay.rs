//! Events in the order of time, all of them or only those that came since: what detection reads.
//!
//! Detection runs after durability: it reads back what a commit made durable, so that judging everything anew gives what
//! was found as it came.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use deltalake::kernel::{Action, Add};
use deltalake::logstore::get_actions;
use tokio::sync::mpsc;

use crate::query::QueryError;
use crate::source::{ACCOUNT, LINE, OBJECT, REGION, Source, UNKNOWN};
use crate::table::{StoredFile, Table, TableError};
use crate::{Lake, query};

/// Batches of events that wait to be judged; each holds some thousands.
const BATCHES_WAITING_MAX: usize = 2;

/// Events of one table that came since a version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The version of the table that they reach up to.
    pub version: u64,
    /// The files with them, by day.
    pub files: Vec<StoredFile>,
    /// Whether some of them cannot be told from older events any more, since their files were made one with others and are
    /// gone: then everything has to be read anew.
    pub is_lost: bool,
}

/// What of an event is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The record as AWS wrote it, for logs whose records are JSON.
    Record,
    /// The row of the table as a JSON object.
    Row,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// The account of its partition, where it is known.
    pub account: Option<String>,
    /// The region of its partition, where it is known.
    pub region: Option<String>,
    /// A JSON object.
    pub text: String,
}

/// Events of some files of one table, the earliest first; those of the same moment always in the same order.
pub struct Replay {
    batches: mpsc::Receiver<Result<Vec<Replayed>, QueryError>>,
    waiting: std::vec::IntoIter<Replayed>,
}

impl Lake {
    /// What came to the table of `source` after its version `after`; everything with `None`. Nothing if there is no table.
    ///
    /// Rows that compaction has put elsewhere did not come.
    pub async fn news(&self, source: &Source, after: Option<u64>) -> Result<Option<News>, TableError> {
        let Some(table) = Table::open(self.root(), source).await? else { return Ok(None) };
        let version = table.version();
        let present = table.files()?;
        let Some(after) = after else { return Ok(Some(News { version, files: present, is_lost: false })) };
        let (mut added, mut dropped) = (HashMap::new(), BTreeSet::new());
        let mut is_lost = after > version;
        for commit in after.saturating_add(1)..=version {
            // The log forgets its oldest commits in time.
            let Some(actions) = table.actions(commit).await? else {
                is_lost = true;
                break;
            };
            for action in actions {
                match action {
                    Action::Add(add) if add.data_change => {
                        added.insert(add.path.clone(), add);
                    }
                    Action::Remove(remove) if remove.data_change => {
                        dropped.insert(remove.path);
                    }
                    _ => {}
                }
            }
        }
        added.retain(|path, _| !dropped.contains(path));
        let folder = self.root().join(&*source.name);
        is_lost |= added.keys().any(|path| !folder.join(path).is_file());
        let mut files: Vec<StoredFile> = if is_lost {
            Vec::new()
        } else {
            let adds: Vec<Add> = added.into_values().collect();
            table.stored(&adds)?
        };
        files.sort_by(|a, b| (a.place.day, &a.path).cmp(&(b.place.day, &b.path)));
        Ok(Some(News { version, files, is_lost }))
    }

    /// The events of `files` of the table of `source` in the order of time. `threads` work on it.
    pub async fn replay(
        &self,
        source: &Source,
        files: Vec<StoredFile>,
        form: Form,
        threads: usize,
    ) -> Result<Replay, QueryError> {
        let time = source.time;
        let columns = match form {
            Form::Record => format!("\"{time}\", \"{ACCOUNT}\", \"{REGION}\", record"),
            Form::Row => "*".to_owned(),
        };
        // Events of one moment need some order that is always the same; short texts make it cheap.
        let has = |name: &str| source.schema.field_with_name(name).is_ok();
        let last = ["eventID", LINE].into_iter().filter(|name| has(name)).map(|name| format!(", \"{name}\""));
        let last: String = last.collect();
        let sql = format!("SELECT {columns} FROM \"{}\" ORDER BY \"{time}\"{last}, \"{OBJECT}\"", source.name);
        let mut answer = query::of_files(self, source, files, &sql, threads).await?;
        let (sender, batches) = mpsc::channel(BATCHES_WAITING_MAX);
        // Reading goes on while the events before are judged.
        self.runtime().spawn(async move {
            loop {
                let events = match answer.next().await {
                    Ok(Some(batch)) => events(&batch, form, time),
                    Ok(None) => break,
                    Err(error) => Err(error),
                };
                let is_last = events.is_err();
                if sender.send(events).await.is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Replay { batches, waiting: Vec::new().into_iter() })
    }
}

impl Replay {
    /// The next event; none at the end.
    pub async fn next(&mut self) -> Result<Option<Replayed>, QueryError> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Ok(Some(event));
            }
            let Some(events) = self.batches.recv().await else { return Ok(None) };
            self.waiting = events?.into_iter();
        }
    }
}

fn events(batch: &RecordBatch, form: Form, time: &str) -> Result<Vec<Replayed>, QueryError> {
    let column = |name: &str| batch.column_by_name(name);
    let times = column(time).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let (accounts, regions) = (column(ACCOUNT).map(Arc::clone), column(REGION).map(Arc::clone));
    let known = |column: &Option<Arc<dyn Array>>, row: usize| {
        let text = column.as_ref().and_then(|column| text_at(column, row))?;
        Some(text.to_owned()).filter(|text| text != UNKNOWN)
    };
    let texts: Vec<String> = match form {
        Form::Record => {
            let records = column("record");
            (0..batch.num_rows())
                .map(|row| records.and_then(|records| text_at(records, row)).unwrap_or_default().to_owned())
                .collect()
        }
        Form::Row => {
            let mut lines = Vec::new();
            query::print::json_lines(batch, &mut lines).map_err(|error| QueryError::Refused(error.to_string()))?;
            String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect()
        }
    };
    let event = |(row, text): (usize, String)| Replayed {
        time: times.filter(|times| times.is_valid(row)).map_or(0, |times| times.value(row)),
        account: known(&accounts, row),
        region: known(&regions, row),
        text,
    };
    Ok(texts.into_iter().enumerate().map(event).collect())
}

/// The text of a column in a row, however the column keeps it.
fn text_at(column: &Arc<dyn Array>, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    if let Some(texts) = column.as_string_view_opt() {
        return Some(texts.value(row));
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(row));
    }
    None
}

impl Table {
    /// The version that was read.
    pub(crate) fn version(&self) -> u64 {
        self.delta().version().unwrap_or_default()
    }

    /// What a commit did; none where the log does not hold it any more.
    async fn actions(&self, version: u64) -> Result<Option<Vec<Action>>, TableError> {
        let log = |error| TableError::Log(self.source.name.to_string(), Box::new(error));
        match self.delta().log_store().read_commit_entry(version).await.map_err(log)? {
            Some(bytes) => get_actions(version, &bytes).map(Some).map_err(log),
            None => Ok(None),
        }
    }
}
