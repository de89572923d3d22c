//! What the reading threads send, gathered into piles, and the piles stored one after the other while the next one grows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use crate::evidence::{self, KeptDigest};
use crate::ingest::{Added, Message, Outcome, Progress, SKIPPED_LISTED_MAX};
use crate::ledger::Consumed;
use crate::object::LogObject;
use crate::rows::Waiting;
use crate::store::{Run, Stored, store};
use crate::table::{Table, TableError};
use crate::{AddError, Lake, compact};

/// What waits for each source, by the source's number.
type Piles = BTreeMap<usize, Pile>;

/// What waits for one source.
#[derive(Default)]
pub(crate) struct Pile {
    waiting: Waiting,
    consumed: Vec<Consumed>,
    digests: Vec<KeptDigest>,
}

/// Gathers what was read.
pub(crate) struct Keeper<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) objects: &'a [LogObject],
    /// Bytes of text past which a pile is handed on.
    pub(crate) waiting_bytes: usize,
    /// To the thread that stores; it takes the next pile when it has stored the last.
    pub(crate) piles: SyncSender<Piles>,
}

impl Keeper<'_> {
    /// Gathers until nobody sends any more, or nobody stores any more.
    pub(crate) fn keep(
        self,
        messages: &Receiver<Message>,
        added: &mut Added,
        state: &mut Progress,
        progress: &mut dyn FnMut(Progress),
    ) {
        let mut piles = Piles::new();
        let mut bytes_waiting = 0;
        for message in messages {
            match message {
                Message::Rows { object, source, batch, bytes } => {
                    state.rows += batch.num_rows() as u64;
                    bytes_waiting += bytes;
                    piles.entry(source).or_default().waiting.push(object, batch);
                }
                Message::Done { object, outcome: Outcome { digest: Some(digest), .. }, .. } => {
                    state.done += 1;
                    added.aside += 1;
                    let source = self.lake.sources().iter().position(|source| source.has_digests);
                    if let (Some(source), Some(object)) = (source, self.objects.get(object)) {
                        let pile = piles.entry(source).or_default();
                        pile.consumed.push(digest.consumed(object));
                        pile.digests.push(digest);
                    }
                }
                Message::Done { object, source, outcome } => {
                    state.done += 1;
                    if let (Some(source), Some(consumed)) = (source, self.done(object, source, outcome, added)) {
                        piles.entry(source).or_default().consumed.push(consumed);
                    }
                }
            }
            progress(*state);
            if bytes_waiting >= self.waiting_bytes {
                bytes_waiting = 0;
                if self.piles.send(std::mem::take(&mut piles)).is_err() {
                    return;
                }
            }
        }
        // Where nobody takes it, the thread that stores has failed, and says why.
        let _ = self.piles.send(piles);
    }

    /// Counts an object that was read; gives what the ledger keeps of it if it was read to its end.
    fn done(&self, object: usize, source: Option<usize>, outcome: Outcome, added: &mut Added) -> Option<Consumed> {
        added.aside += u64::from(outcome.aside);
        let is_whole = outcome.skipped.iter().all(|skipped| skipped.line.is_some());
        let skipped = outcome.skipped.len() as u64;
        added.skipped_count += skipped;
        let room = SKIPPED_LISTED_MAX.saturating_sub(added.skipped.len());
        added.skipped.extend(outcome.skipped.into_iter().take(room));
        let name = self.lake.sources().get(source?)?.name.to_string();
        let added = added.sources.entry(name).or_default();
        added.objects += 1;
        if let Some((first, last)) = outcome.span {
            let (from, to) = added.span.unwrap_or((first, last));
            added.span = Some((from.min(first), to.max(last)));
        }
        let object = self.objects.get(object).filter(|_| is_whole)?;
        Some(Consumed {
            key: object.key().to_owned(),
            size: object.size,
            version: object.version.clone(),
            rows: outcome.rows,
            skipped,
            span: outcome.span,
            sha256: outcome.sha256.map(|hash| hash.to_string()),
        })
    }
}

/// Stores what was gathered.
pub(crate) struct Storer<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) run: &'a Run,
    pub(crate) objects: &'a [LogObject],
    /// The table of each source; none where there is none yet.
    pub(crate) tables: Vec<Option<Table>>,
    /// Commits of this run.
    pub(crate) commits: usize,
}

impl Storer<'_> {
    /// Stores every pile, each in a commit for each of its sources, and leaves the tables fit. Gives what was stored of
    /// each source.
    pub(crate) fn store_all(
        mut self,
        full: &Receiver<Piles>,
        stop: &AtomicBool,
    ) -> Result<BTreeMap<String, Stored>, AddError> {
        let mut all: BTreeMap<String, Stored> = BTreeMap::new();
        for (number, pile) in full.iter().flatten() {
            if let Some((source, stored)) = self.store(number, &pile)? {
                let sum = all.entry(source).or_default();
                sum.rows += stored.rows;
                sum.duplicates += stored.duplicates;
            }
        }
        for table in self.tables.iter_mut().flatten() {
            let has_grown = all.get(&*table.source.name).is_some_and(|stored| stored.rows > 0);
            if has_grown && !stop.load(Ordering::Relaxed) {
                compact::settle(self.run, table)?;
            }
        }
        Ok(all)
    }

    fn store(&mut self, number: usize, pile: &Pile) -> Result<Option<(String, Stored)>, AddError> {
        let (Some(source), Some(table)) = (self.lake.sources().get(number), self.tables.get_mut(number)) else {
            return Ok(None);
        };
        if pile.waiting.is_empty() && pile.consumed.is_empty() {
            return Ok(None);
        }
        let table = match table {
            Some(table) => table,
            None => table.insert(self.run.runtime.block_on(Table::open_or_create(self.lake.root(), source))?),
        };
        // Written before the commit that makes the digests known: what a killed run leaves is read again, and a digest
        // proves itself or nothing.
        let (kept, name) = (table.store(), format!("{}-{}", self.run.id, self.commits));
        let kept = evidence::keep(&kept, table.folder(), &pile.digests, &name);
        self.run.runtime.block_on(kept).map_err(|error| TableError::Ledger(source.name.to_string(), error))?;
        let stored = store(self.run, table, &pile.waiting, self.objects, &pile.consumed, self.commits)?;
        self.commits += 1;
        Ok(Some((source.name.to_string(), stored)))
    }
}
