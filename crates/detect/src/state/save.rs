//! The state as bytes, and back.
//!
//! `YGDS`, the version, the parts in the order of [`State::save`], and a BLAKE3 hash of everything before it. Writing the bytes so
//! that a crash leaves the old file is the caller's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use foldhash::{HashMap, HashMapExt};
use serde::{Deserialize, Serialize};
use yagura_model::FindingId;

use super::book::Book;
use super::codec::{Cut, Reader, Writer};
use super::memory::{Slot, Totals};
use super::names::Names;
use super::recent::Recent;
use super::sessions::{Session, Sessions};
use super::window::{Entry, Group};
use super::{Key, Limits, Report, State};
use crate::engine::Engine;
use crate::finding::Finding;

const MAGIC: &[u8; 4] = b"YGDS";

/// Grows when the form changes. A state of another version is not read: a replay makes it anew.
const VERSION: u64 = 1;

const HASH_BYTES: usize = 32;

/// Bytes that are no state of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They do not begin like one.
    #[error("this is not a saved state of detections")]
    NotAState,
    /// They are of another version.
    #[error("the saved state of detections is of version {0}, which is not read any more")]
    Version(u64),
    /// They are not what was written.
    #[error("the saved state of detections is damaged")]
    Damaged,
}

impl From<Cut> for StateError {
    fn from(_: Cut) -> Self {
        Self::Damaged
    }
}

/// What is written as JSON: little of it, and with many fields.
#[derive(Serialize, Deserialize)]
struct Told {
    findings: Vec<Finding>,
    changed: BTreeSet<FindingId>,
    report: Report,
}

impl State {
    /// The state as bytes. Equal states give equal bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes.extend_from_slice(MAGIC);
        writer.u64(VERSION);
        key(&mut writer, self.fingerprint);
        writer.length(self.slots.len());
        self.slots.iter().for_each(|slot| write_slot(&mut writer, slot));
        writer.length(self.recent.order.len());
        self.recent.order.iter().for_each(|id| key(&mut writer, *id));
        writer.length(self.names.names.len());
        self.names.names.iter().for_each(|name| writer.text(name));
        writer.length(self.sessions.by_key.len());
        for (session_key, session) in &self.sessions.by_key {
            key(&mut writer, *session_key);
            writer.i64(session.time_ms);
            writer.length(session.issuers.len());
            session.issuers.iter().for_each(|issuer| writer.text(issuer));
        }
        let told = Told {
            findings: self.book.findings().cloned().collect(),
            changed: self.book.changed().clone(),
            report: self.report,
        };
        // Findings have text keys and finite numbers, so there is nothing that JSON could refuse.
        writer.text(&serde_json::to_string(&told).unwrap_or_default());
        let hash = blake3::hash(&writer.bytes);
        writer.bytes.extend_from_slice(hash.as_bytes());
        writer.bytes
    }

    /// The state that was saved, for an engine whose rules may have changed: what it knows of rules that are the same stays.
    pub fn load(bytes: &[u8], engine: &Engine, limits: Limits) -> Result<Self, StateError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(StateError::NotAState)?;
        let version = Reader { rest: body }.u64()?;
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        let (written, hash) =
            bytes.split_at_checked(bytes.len().saturating_sub(HASH_BYTES)).ok_or(StateError::Damaged)?;
        if blake3::hash(written).as_bytes() != hash {
            return Err(StateError::Damaged);
        }
        let mut reader = Reader { rest: written.get(MAGIC.len() + 8..).ok_or(StateError::Damaged)? };
        let fingerprint = read_key(&mut reader)?;
        let slots: Vec<Slot> = (0..reader.length(40)?).map(|_| read_slot(&mut reader)).collect::<Result<_, _>>()?;
        let order: VecDeque<Key> = (0..reader.length(16)?).map(|_| read_key(&mut reader)).collect::<Result<_, _>>()?;
        let names: Vec<String> = (0..reader.length(8)?).map(|_| reader.text()).collect::<Result<_, _>>()?;
        let mut by_key = BTreeMap::new();
        for _ in 0..reader.length(32)? {
            let session_key = read_key(&mut reader)?;
            let time_ms = reader.i64()?;
            let issuers = (0..reader.length(8)?).map(|_| reader.text()).collect::<Result<_, _>>()?;
            by_key.insert(session_key, Session { time_ms, issuers });
        }
        let told: Told = serde_json::from_str(&reader.text()?).map_err(|_| StateError::Damaged)?;
        let mut state = Self {
            limits,
            fingerprint,
            totals: Totals::of(&slots),
            slots,
            recent: Recent::of(order),
            sessions: Sessions { by_key },
            names: Names::of(names),
            book: Book::of(told.findings, told.changed),
            report: told.report,
        };
        state.bind(engine);
        Ok(state)
    }
}

fn key(writer: &mut Writer, key: Key) {
    writer.u64(key.0);
    writer.u64(key.1);
}

fn read_key(reader: &mut Reader<'_>) -> Result<Key, Cut> {
    Ok(Key(reader.u64()?, reader.u64()?))
}

/// A map in the order of its keys, so that equal maps are equal bytes.
fn sorted<V>(map: &HashMap<Key, V>) -> Vec<(&Key, &V)> {
    let mut sorted: Vec<_> = map.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| **key);
    sorted
}

fn write_slot(writer: &mut Writer, slot: &Slot) {
    key(writer, slot.id);
    writer.i64(slot.newest_ms);
    writer.i64(slot.window_reach_ms);
    writer.i64(slot.memory_reach_ms);
    writer.length(slot.groups.len());
    for (group_key, group) in sorted(&slot.groups) {
        key(writer, *group_key);
        writer.length(group.entries.len());
        for entry in &group.entries {
            writer.i64(entry.time_ms);
            key(writer, entry.id);
            writer.u64(entry.value);
            writer.u64(u64::from(entry.name) << 1 | u64::from(entry.told));
        }
    }
    writer.length(slot.combinations.len());
    for (combination, last_ms) in sorted(&slot.combinations) {
        key(writer, *combination);
        writer.i64(*last_ms);
    }
    writer.length(slot.learners.len());
    for (learner, (since_ms, last_ms)) in sorted(&slot.learners) {
        key(writer, *learner);
        writer.i64(*since_ms);
        writer.i64(*last_ms);
    }
}

fn read_slot(reader: &mut Reader<'_>) -> Result<Slot, Cut> {
    let mut slot = Slot::new(read_key(reader)?);
    slot.newest_ms = reader.i64()?;
    slot.window_reach_ms = reader.i64()?;
    slot.memory_reach_ms = reader.i64()?;
    let groups = reader.length(24)?;
    slot.groups = HashMap::with_capacity(groups);
    for _ in 0..groups {
        let group_key = read_key(reader)?;
        let entries = (0..reader.length(40)?).map(|_| read_entry(reader)).collect::<Result<_, _>>()?;
        slot.groups.insert(group_key, Group { entries });
    }
    let combinations = reader.length(24)?;
    slot.combinations = HashMap::with_capacity(combinations);
    for _ in 0..combinations {
        slot.combinations.insert(read_key(reader)?, reader.i64()?);
    }
    let learners = reader.length(32)?;
    slot.learners = HashMap::with_capacity(learners);
    for _ in 0..learners {
        slot.learners.insert(read_key(reader)?, (reader.i64()?, reader.i64()?));
    }
    Ok(slot)
}

fn read_entry(reader: &mut Reader<'_>) -> Result<Entry, Cut> {
    let (time_ms, id, value) = (reader.i64()?, read_key(reader)?, reader.u64()?);
    let packed = reader.u64()?;
    Ok(Entry { time_ms, id, value, name: u32::try_from(packed >> 1).map_err(|_| Cut)?, told: packed & 1 == 1 })
}
