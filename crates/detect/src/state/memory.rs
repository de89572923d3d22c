//! What is remembered for one rule: windows, and what was seen.

use foldhash::HashMap;

use super::window::{Entry, Group, Judged};
use super::{Key, LATE_MS_MAX, Limits, Report, Size};

/// When the limit is reached, this part of it is made free: an eighth.
const FREED_PART: usize = 8;

/// The state of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Which rule, and which of its versions that remember the same.
    pub(crate) id: Key,
    /// The time of the newest event that the rule picked.
    pub(crate) newest_ms: i64,
    /// How far back its windows are asked for, with the time that an event may be late.
    pub(crate) window_reach_ms: i64,
    /// How far back what was seen is asked for, likewise.
    pub(crate) memory_reach_ms: i64,
    pub(crate) groups: HashMap<Key, Group>,
    /// When a combination was last seen.
    pub(crate) combinations: HashMap<Key, i64>,
    /// For whom it was learnt, since when, and when they were last seen.
    pub(crate) learners: HashMap<Key, (i64, i64)>,
}

/// How much all slots hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: usize,
    pub(crate) combinations: usize,
    pub(crate) learners: usize,
}

/// A combination that an event has, for `new`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) of_whom: Key,
    pub(crate) combination: Key,
    pub(crate) time_ms: i64,
    pub(crate) learning_ms: i64,
    pub(crate) remember_ms: i64,
}

impl Totals {
    pub(crate) fn of(slots: &[Slot]) -> Self {
        let mut totals = Self::default();
        for slot in slots {
            totals.entries += slot.groups.values().map(|group| group.entries.len()).sum::<usize>();
            totals.combinations += slot.combinations.len();
            totals.learners += slot.learners.len();
        }
        totals
    }

    pub(crate) fn exceed(&self, limits: &Limits) -> bool {
        self.entries > limits.window_entries
            || self.combinations > limits.combinations
            || self.learners > limits.learners
    }
}

impl Slot {
    pub(crate) fn new(id: Key) -> Self {
        Self { id, newest_ms: i64::MIN, ..Self::default() }
    }

    /// Remembers a combination; whether it is new and its owner has been learnt long enough.
    pub(crate) fn learn(&mut self, seen: &Seen, totals: &mut Totals) -> bool {
        self.newest_ms = self.newest_ms.max(seen.time_ms);
        self.memory_reach_ms = seen.remember_ms.saturating_add(LATE_MS_MAX);
        let learners = self.learners.len();
        let (since_ms, last_ms) = self.learners.entry(seen.of_whom).or_insert((seen.time_ms, seen.time_ms));
        *since_ms = seen.time_ms.min(*since_ms);
        *last_ms = seen.time_ms.max(*last_ms);
        let learnt = seen.time_ms.saturating_sub(*since_ms) >= seen.learning_ms;
        totals.learners += self.learners.len() - learners;
        let combinations = self.combinations.len();
        let last_ms = self.combinations.entry(seen.combination).or_insert(i64::MIN);
        let new = *last_ms == i64::MIN || seen.time_ms.saturating_sub(*last_ms) > seen.remember_ms;
        *last_ms = seen.time_ms.max(*last_ms);
        totals.combinations += self.combinations.len() - combinations;
        new && learnt
    }

    /// Puts an event into the window of a group; nothing where it comes too late.
    pub(crate) fn window(
        &mut self,
        group: Key,
        entry: Entry,
        span_ms: i64,
        holds: &dyn Fn(&[Entry]) -> bool,
        totals: &mut Totals,
    ) -> Option<Judged> {
        self.newest_ms = self.newest_ms.max(entry.time_ms);
        self.window_reach_ms = span_ms.saturating_add(LATE_MS_MAX);
        if entry.time_ms < self.newest_ms.saturating_sub(LATE_MS_MAX) {
            return None;
        }
        let oldest_ms = self.newest_ms.saturating_sub(self.window_reach_ms);
        let judged = self.groups.entry(group).or_default().add(entry, span_ms, oldest_ms, holds);
        totals.entries = totals.entries.saturating_add_signed(judged.grown);
        Some(judged)
    }

    pub(crate) fn measure(&self, size: &mut Size) {
        let entries: usize = self.groups.values().map(|group| group.entries.len()).sum();
        let reserved: usize = self.groups.values().map(|group| group.entries.capacity()).sum();
        size.groups += self.groups.len();
        size.window_entries += entries;
        size.combinations += self.combinations.len();
        size.learners += self.learners.len();
        // A table keeps a byte beside each place, and up to an eighth of its places empty.
        let table = |capacity: usize, bytes: usize| (capacity + capacity / 7) * (bytes + 1);
        size.bytes += reserved * size_of::<Entry>()
            + table(self.groups.capacity(), size_of::<(Key, Group)>())
            + table(self.combinations.capacity(), size_of::<(Key, i64)>())
            + table(self.learners.capacity(), size_of::<(Key, (i64, i64))>());
    }

    /// Forgets what is never asked for again.
    fn expire(&mut self) {
        let oldest_ms = self.newest_ms.saturating_sub(self.window_reach_ms);
        self.groups.retain(|_, group| group.last_ms() >= oldest_ms);
        let oldest_ms = self.newest_ms.saturating_sub(self.memory_reach_ms);
        self.combinations.retain(|_, last_ms| *last_ms >= oldest_ms);
        self.learners.retain(|_, (_, last_ms)| *last_ms >= oldest_ms);
    }
}

/// Forgets what is never asked for again, and, where that is not enough, the oldest.
pub(crate) fn make_room(slots: &mut [Slot], totals: &mut Totals, limits: &Limits, report: &mut Report) {
    slots.iter_mut().for_each(Slot::expire);
    *totals = Totals::of(slots);
    let goal = |limit: usize| limit - limit / FREED_PART;
    if totals.entries > goal(limits.window_entries) {
        let aged = oldest_first(slots, |slot| {
            slot.groups.iter().map(|(key, group)| (group.last_ms(), *key, group.entries.len())).collect()
        });
        let over = totals.entries - goal(limits.window_entries);
        report.evicted_groups += forget(slots, aged, over, |slot, key| {
            slot.groups.remove(key);
        });
    }
    if totals.combinations > goal(limits.combinations) {
        let aged =
            oldest_first(slots, |slot| slot.combinations.iter().map(|(key, last_ms)| (*last_ms, *key, 1)).collect());
        let over = totals.combinations - goal(limits.combinations);
        report.evicted_combinations += forget(slots, aged, over, |slot, key| {
            slot.combinations.remove(key);
        });
    }
    if totals.learners > goal(limits.learners) {
        let aged =
            oldest_first(slots, |slot| slot.learners.iter().map(|(key, (_, last_ms))| (*last_ms, *key, 1)).collect());
        let over = totals.learners - goal(limits.learners);
        report.evicted_learners += forget(slots, aged, over, |slot, key| {
            slot.learners.remove(key);
        });
    }
    *totals = Totals::of(slots);
}

/// Something that may be forgotten: when it was last seen, where it is, and how much it holds.
struct Aged {
    last_ms: i64,
    slot: usize,
    key: Key,
    weight: usize,
}

/// Everything of a kind, the oldest first; of the same age by slot and key, so that every run forgets the same.
fn oldest_first(slots: &[Slot], of: impl Fn(&Slot) -> Vec<(i64, Key, usize)>) -> Vec<Aged> {
    let aged = slots.iter().enumerate().flat_map(|(number, slot)| {
        of(slot).into_iter().map(move |(last_ms, key, weight)| Aged { last_ms, slot: number, key, weight })
    });
    let mut aged: Vec<Aged> = aged.collect();
    aged.sort_unstable_by_key(|aged| (aged.last_ms, aged.slot, aged.key));
    aged
}

/// Forgets the first of these until so much is gone; how many that were.
fn forget(slots: &mut [Slot], aged: Vec<Aged>, over: usize, remove: impl Fn(&mut Slot, &Key)) -> u64 {
    let (mut gone, mut count) = (0, 0);
    for aged in aged {
        if gone >= over {
            break;
        }
        if let Some(slot) = slots.get_mut(aged.slot) {
            remove(slot, &aged.key);
        }
        gone += aged.weight;
        count += 1;
    }
    count
}
