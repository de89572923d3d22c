//! Which objects were consumed: a set that grows with the table and commits with its rows.
//!
//! The set lies beside the data, in `_objects/`, in segments that are never changed. A root file lists the segments that
//! count, and the table's log names the root: the `txn` action of the same commit that adds the rows carries its number.
//! So rows and consumed objects become true together or not at all, two writers that began from the same root conflict,
//! and a root that no commit names is nothing. Delta's clean-up leaves folders that begin with `_` alone.

use std::collections::HashSet;
use std::io::Read;

use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use crate::object::LogObject;

/// The application id under which the table's log names the root.
const APP_ID: &str = "yagura.objects";
/// The folder of roots and segments, within the table's.
const FOLDER: &str = "_objects";
/// Bytes a root or segment may hold decompressed: 100 million objects.
const FILE_BYTES_MAX: u64 = 32 << 30;
/// Names tried when a root of the same number is already there: two processes in the same millisecond.
const NUMBER_TRIES: i64 = 64;

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The storage failed.
    #[error("the list of consumed objects cannot be reached")]
    Storage(#[from] object_store::Error),
    /// The table's log failed.
    #[error("the table's log cannot be read")]
    Log(#[from] Box<deltalake::DeltaTableError>),
    /// A file of the ledger is not what was written.
    #[error("`{0}` is damaged")]
    Damaged(String, #[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One consumed object, as its segment keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// [`LogObject::key`].
    pub key: String,
    /// Bytes as stored.
    pub size: u64,
    /// [`LogObject::version`].
    pub version: String,
    /// Rows it held, duplicates included.
    pub rows: u64,
    /// Records or lines of it that were not taken in.
    pub skipped: u64,
    /// The times of the first and the last row, in microseconds since 1970; none if it held no row.
    pub span: Option<(i64, i64)>,
    /// SHA-256 of the decompressed content, in hexadecimal; kept where digests can be compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Root {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Segment {
    file: String,
    objects: u64,
}

/// The consumed objects of one table, as of one of its versions.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The number of the root; none before the first commit.
    number: Option<i64>,
    root: Root,
    known: HashSet<[u8; 16]>,
}

impl Ledger {
    /// The ledger that the table's current version names. What `before` already knows is not read again.
    pub(crate) async fn load(table: &DeltaTable, before: Option<Self>) -> Result<Self, LedgerError> {
        let state = table.snapshot().map_err(Box::new)?;
        let number = state.transaction_version(table.log_store().as_ref(), APP_ID).await.map_err(Box::new)?;
        let before = before.unwrap_or_default();
        if number == before.number {
            return Ok(before);
        }
        let Some(number) = number else { return Ok(Self::default()) };
        let store = table.object_store();
        let root_file = root_path(number);
        let bytes = store.get(&root_file).await?.bytes().await?;
        let root: Root =
            sonic_rs::from_slice(&bytes).map_err(|error| LedgerError::Damaged(root_file.to_string(), error.into()))?;
        let mut known = before.known;
        let have: HashSet<&str> = before.root.segments.iter().map(|segment| segment.file.as_str()).collect();
        for segment in root.segments.iter().filter(|segment| !have.contains(segment.file.as_str())) {
            for consumed in read_segment(&store, &segment.file).await? {
                known.insert(mark(&consumed.key, consumed.size, &consumed.version));
            }
        }
        Ok(Self { number: Some(number), root, known })
    }

    /// Whether the object, as it is now, was consumed.
    pub(crate) fn holds(&self, object: &LogObject) -> bool {
        self.known.contains(&mark(object.key(), object.size, &object.version))
    }

    /// Objects that were consumed, each content of one counted.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Writes the objects beside the table, where nobody sees them, and gives the action that makes them count, with the
    /// files that must be durable before it does.
    ///
    /// `name` must be new; `now_ms` is the time, in milliseconds since 1970. Segments smaller than the new one are merged
    /// into it, so that their number stays that of the logarithm of the objects.
    pub(crate) async fn prepare(
        &self,
        store: &dyn ObjectStore,
        consumed: &[Consumed],
        name: &str,
        now_ms: i64,
    ) -> Result<(Transaction, Vec<String>), LedgerError> {
        let mut written = Vec::new();
        let mut root = self.root.clone();
        let mut merged = consumed.to_vec();
        while let Some(last) = root.segments.pop_if(|last| last.objects <= 2 * merged.len() as u64) {
            let mut before = read_segment(store, &last.file).await?;
            before.append(&mut merged);
            merged = before;
        }
        if !merged.is_empty() {
            let file = format!("{name}.ndjson.zst");
            write_segment(store, &file, &merged).await?;
            written.push(segment_path(&file).to_string());
            root.segments.push(Segment { file, objects: merged.len() as u64 });
        }
        let bytes = sonic_rs::to_vec(&root).map_err(|error| LedgerError::Damaged(FOLDER.to_owned(), error.into()))?;
        // Numbers grow with time, so that the latest is also the greatest; the log's order is what counts.
        let first = self.number.map_or(i64::MIN, |number| number + 1).max(now_ms.saturating_mul(1 << 20));
        for number in first..first.saturating_add(NUMBER_TRIES) {
            let create = PutOptions::from(PutMode::Create);
            match store.put_opts(&root_path(number), PutPayload::from(bytes.clone()), create).await {
                Ok(_) => {
                    written.push(root_path(number).to_string());
                    return Ok((Transaction::new(APP_ID, number), written));
                }
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Damaged(root_path(first).to_string(), "too many roots of one moment".into()))
    }

    /// Every consumed object.
    pub(crate) async fn objects(&self, store: &dyn ObjectStore) -> Result<Vec<Consumed>, LedgerError> {
        let mut all = Vec::new();
        for segment in &self.root.segments {
            all.append(&mut read_segment(store, &segment.file).await?);
        }
        Ok(all)
    }

    /// Removes roots and segments that no longer count and were written before `before_ms`: a process that is writing
    /// may name newer ones yet.
    pub(crate) async fn sweep(&self, store: &dyn ObjectStore, before_ms: i64) -> Result<u64, LedgerError> {
        let mut keep: HashSet<Path> = self.root.segments.iter().map(|segment| segment_path(&segment.file)).collect();
        keep.extend(self.number.map(root_path));
        let folder = Path::from(FOLDER);
        let found: Vec<_> = store.list(Some(&folder)).try_collect().await?;
        let mut removed = 0;
        for meta in found {
            if !keep.contains(&meta.location) && meta.last_modified.timestamp_millis() < before_ms {
                store.delete(&meta.location).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn root_path(number: i64) -> Path {
    Path::from(format!("{FOLDER}/{number}.json"))
}

fn segment_path(file: &str) -> Path {
    Path::from(format!("{FOLDER}/{file}"))
}

fn mark(key: &str, size: u64, version: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes()).update(b"\0").update(&size.to_le_bytes()).update(version.as_bytes());
    let mut mark = [0; 16];
    hasher.finalize_xof().fill(&mut mark);
    mark
}

async fn read_segment(store: &dyn ObjectStore, file: &str) -> Result<Vec<Consumed>, LedgerError> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| LedgerError::Damaged(file.to_owned(), error);
    let bytes = store.get(&segment_path(file)).await?.bytes().await?;
    let mut text = String::new();
    zstd::Decoder::with_buffer(bytes.as_ref())
        .and_then(|decoder| decoder.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| damaged(error.into()))?;
    text.lines().map(|line| sonic_rs::from_str(line).map_err(|error| damaged(error.into()))).collect()
}

async fn write_segment(store: &dyn ObjectStore, file: &str, objects: &[Consumed]) -> Result<(), LedgerError> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| LedgerError::Damaged(file.to_owned(), error);
    let mut text = Vec::new();
    for object in objects {
        sonic_rs::to_writer(&mut text, object).map_err(|error| damaged(error.into()))?;
        text.push(b'\n');
    }
    let bytes = zstd::encode_all(text.as_slice(), 3).map_err(|error| damaged(error.into()))?;
    store.put(&segment_path(file), PutPayload::from(bytes)).await?;
    Ok(())
}
