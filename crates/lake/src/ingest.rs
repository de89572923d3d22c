//! Taking logs in: objects are read and parsed on all threads, and their rows stored batch by batch.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;

use crate::cloudtrail::is_digest;
use crate::digest::{Digest, Sha256};
use crate::evidence::KeptDigest;
use crate::keeper::{Keeper, Storer};
use crate::object::{LogObject, Reason, Skipped};
use crate::read;
use crate::source::{Framing, Source, Stopped, detect};
use crate::store::{Run, StoreError};
use crate::table::Table;
use crate::{AddError, Lake};

/// Text that waits in memory: one half while the other is being stored. With what the parsers work on and the encoders
/// hold, a run stays well under a gigabyte; smaller would make smaller files.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Messages that wait between the parsers and the storing thread, each the rows of one chunk of text at most.
const MESSAGES_MAX: usize = 8;

/// Things left out that a run keeps to tell about; beyond that they are counted.
pub const SKIPPED_LISTED_MAX: usize = 1_000;

/// Where objects' bytes come from.
pub trait Fetch: Sync {
    /// Opens the object for reading, once.
    fn fetch(&self, object: &LogObject) -> io::Result<Box<dyn Read + Send>>;

    /// The signature that a digest's object has beside its content: the metadata `signature` in a bucket, a file of the
    /// same name with `.sig` behind it in a folder. None where there is none, or it cannot be read: the digest then
    /// waits for the one after it.
    fn signature(&self, object: &LogObject) -> Option<String>;
}

/// Objects that are files.
#[derive(Debug, Clone, Copy)]
pub struct Files;

impl Fetch for Files {
    fn fetch(&self, object: &LogObject) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::fs::File::open(&object.uri)?))
    }

    fn signature(&self, object: &LogObject) -> Option<String> {
        let mut text = String::new();
        let file = std::fs::File::open(format!("{}{SIGNATURE_ENDING}", object.uri)).ok()?;
        file.take(SIGNATURE_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text.trim().to_owned())
    }
}

/// Behind the name of a digest: the name of the file with its signature.
const SIGNATURE_ENDING: &str = ".sig";

/// Bytes of a signature's file: 8192 bits in hexadecimal are 2,048.
const SIGNATURE_BYTES_MAX: u64 = 8 << 10;

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Unlike that of any other run; part of file names.
    pub run: String,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// Threads that store.
    pub threads: usize,
    /// Objects that are read at the same time; more than threads where reading is waiting for a network.
    pub readers: usize,
    /// Bytes that wait in memory before they are stored; [`WAITING_BYTES_MAX`] unless many small commits are wanted.
    pub waiting_bytes: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects there are.
    pub objects: usize,
    /// Objects done, those that were consumed before among them.
    pub done: usize,
    /// Rows parsed.
    pub rows: u64,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// For each source that objects belonged to.
    pub sources: BTreeMap<String, AddedSource>,
    /// Objects that hold no rows by their nature: digests.
    pub aside: u64,
    /// What was left out and why, at most [`SKIPPED_LISTED_MAX`].
    pub skipped: Vec<Skipped>,
    /// How many things were left out.
    pub skipped_count: u64,
    /// Whether the run was stopped before its end; what was stored stands, the rest is taken in by the next run.
    pub stopped: bool,
}

/// What a run added to one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddedSource {
    /// Rows that were not there before.
    pub rows: u64,
    /// Rows that were there already, or twice in these objects.
    pub duplicates: u64,
    /// Objects read.
    pub objects: u64,
    /// Objects that an earlier run had consumed and that have not changed.
    pub known: u64,
    /// The times of the first and the last row read, in microseconds since 1970.
    pub span: Option<(i64, i64)>,
}

/// What a reading thread tells.
pub(crate) enum Message {
    /// Rows of an object.
    Rows { object: usize, source: usize, batch: RecordBatch, bytes: usize },
    /// An object is read to its end.
    Done { object: usize, source: Option<usize>, outcome: Outcome },
}

/// What reading an object came to.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) rows: u64,
    pub(crate) span: Option<(i64, i64)>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) aside: bool,
    pub(crate) sha256: Option<Sha256>,
    pub(crate) digest: Option<KeptDigest>,
}

impl Lake {
    /// Takes the objects in: each once, whatever was added before and wherever an earlier run was killed.
    ///
    /// Must not be called on a thread of the runtime. `progress` is told how far it is, `stop` ends it early.
    pub fn add(
        &self,
        objects: Vec<LogObject>,
        fetch: &dyn Fetch,
        options: &Options,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Added, AddError> {
        let run = Run {
            id: options.run.clone(),
            now_ms: options.now_ms,
            threads: options.threads.max(1),
            runtime: self.runtime().clone(),
        };
        let mut tables: Vec<Option<Table>> = Vec::new();
        for source in self.sources() {
            tables.push(run.runtime.block_on(Table::open(self.root(), source))?);
        }
        let mut added = Added::default();
        let total = objects.len();
        let objects = Self::unknown(objects, &tables, &mut added);
        let mut state = Progress { objects: total, done: total - objects.len(), rows: 0 };
        progress(state);
        let next = AtomicUsize::new(0);
        let (sender, receiver) = sync_channel(MESSAGES_MAX);
        let reader = Reader { sources: self.sources(), objects: &objects, fetch, stop };
        let stored = std::thread::scope(|scope| {
            for _ in 0..options.readers.clamp(1, objects.len().max(1)) {
                let (sender, next, reader) = (sender.clone(), &next, &reader);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let object = next.fetch_add(1, Ordering::Relaxed);
                        if object >= reader.objects.len() || reader.read(object, &sender).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let (piles, full) = sync_channel(0);
            let storer = Storer { lake: self, run: &run, objects: &objects, tables, commits: 0 };
            let storing = scope.spawn(move || storer.store_all(&full, stop));
            let keeper = Keeper { lake: self, waiting_bytes: options.waiting_bytes / 2, objects: &objects, piles };
            keeper.keep(&receiver, &mut added, &mut state, progress);
            // Whoever still reads finds nobody to send to, and ends.
            drop(receiver);
            storing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        for (source, stored) in stored? {
            let source = added.sources.entry(source).or_default();
            source.rows += stored.rows;
            source.duplicates += stored.duplicates;
        }
        added.stopped = stop.load(Ordering::Relaxed) && state.done < total;
        Ok(added)
    }

    /// The objects that were not consumed yet, each once, in the order in which their partitions lie together.
    fn unknown(objects: Vec<LogObject>, tables: &[Option<Table>], added: &mut Added) -> Vec<LogObject> {
        let mut seen = HashSet::new();
        let mut unknown = Vec::new();
        for object in objects {
            let holder = tables.iter().flatten().find(|table| table.ledger().holds(&object));
            if let Some(table) = holder {
                added.sources.entry(table.source.name.to_string()).or_default().known += 1;
            } else if object.key().strip_suffix(SIGNATURE_ENDING).is_some_and(Digest::is_named) {
                // Read with the digest that it is of.
            } else if seen.insert(object.key().to_owned()) {
                unknown.push(object);
            }
        }
        unknown.sort_by(|one, other| one.uri.cmp(&other.uri));
        unknown
    }
}

/// What the reading threads share.
struct Reader<'a> {
    sources: &'a [Source],
    objects: &'a [LogObject],
    fetch: &'a dyn Fetch,
    stop: &'a AtomicBool,
}

impl Reader<'_> {
    /// Reads one object and sends what it holds.
    fn read(&self, number: usize, sender: &SyncSender<Message>) -> Result<(), Stopped> {
        let Some(object) = self.objects.get(number) else { return Ok(()) };
        let (mut outcome, mut source) = (Outcome::default(), None);
        let ended = match self.fetch.fetch(object) {
            Ok(stored) => self.parse(number, object, stored, &mut source, &mut outcome, sender)?,
            Err(error) => Err(Reason::Unreadable(error.to_string())),
        };
        if let Err(reason) = ended {
            outcome.skipped.push(Skipped { uri: object.uri.clone(), line: None, reason });
        }
        sender.send(Message::Done { object: number, source, outcome }).map_err(|_| Stopped)
    }

    fn parse(
        &self,
        number: usize,
        object: &LogObject,
        stored: Box<dyn Read + Send>,
        found: &mut Option<usize>,
        outcome: &mut Outcome,
        sender: &SyncSender<Message>,
    ) -> Result<read::Ended, Stopped> {
        let mut source = None;
        let aside = std::cell::Cell::new(false);
        let source_cell = std::cell::Cell::new(None);
        let frame = |head: &[u8]| {
            if is_digest(head) {
                aside.set(true);
                return Some(Framing::Whole);
            }
            let source = detect(self.sources, object, head)?;
            source_cell.set(self.sources.iter().position(|one| one.name == source.name));
            Some(source.parser.framing(head))
        };
        let ended = read::read(stored, object.size, frame, &mut |text| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            if aside.get() {
                match KeptDigest::new(object, &text.bytes, || self.fetch.signature(object)) {
                    Ok(digest) => outcome.digest = Some(digest),
                    Err(reason) => outcome.skipped.push(Skipped { uri: object.uri.clone(), line: None, reason }),
                }
                return Ok(());
            }
            source = source_cell.get();
            let Some((source, parser)) = source.and_then(|at| Some((at, self.sources.get(at)?))) else { return Ok(()) };
            let mut bytes = text.bytes.len();
            if parser.has_digests && parser.parser.framing(&text.head) == Framing::Whole {
                outcome.sha256 = Some(Sha256::of(&text.bytes));
            }
            let (rows, span) = (&mut outcome.rows, &mut outcome.span);
            parser.parser.parse(
                object,
                &text,
                &mut |batch| {
                    *rows += batch.num_rows() as u64;
                    widen(span, &batch, parser.time);
                    // The text is counted once; what else a batch holds is little beside it.
                    let bytes = std::mem::take(&mut bytes) + batch.num_rows() * batch.num_columns() * 16;
                    sender.send(Message::Rows { object: number, source, batch, bytes }).map_err(|_| Stopped)
                },
                &mut outcome.skipped,
            )
        })?;
        *found = source_cell.get();
        outcome.aside = aside.get();
        Ok(ended)
    }
}

fn widen(span: &mut Option<(i64, i64)>, batch: &RecordBatch, time: &str) {
    let times = batch.column_by_name(time).and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let Some(times) = times else { return };
    for row in 0..times.len() {
        let time = times.value(row);
        let (first, last) = span.unwrap_or((time, time));
        *span = Some((first.min(time), last.max(time)));
    }
}

impl From<StoreError> for AddError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Table(error) => Self::Table(error),
            other => Self::Store(other),
        }
    }
}
