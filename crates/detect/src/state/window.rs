//! The events of one group in a sliding window.
//!
//! The window of an event at time *t* is every event of the group from *t* − span to *t*. Where the condition holds in
//! it, all of its events belong to the finding; each is told once. An event that comes late is put where it belongs, and
//! the windows of those after it are judged again.

use super::key::Key;

/// The most events that one group holds. What is older is dropped, and counted where no finding has it.
pub const WINDOW_ENTRIES_MAX: usize = 4_096;

/// How much of a full window is dropped at once, so that a full one is not moved for every event.
const DROPPED_AT_ONCE: usize = WINDOW_ENTRIES_MAX / 4;

/// An event in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) time_ms: i64,
    /// The event's id, where it is a UUID; zero where it is not.
    pub(crate) id: Key,
    /// What is counted: the hash of a value, a number, or which of a correlation's rules.
    pub(crate) value: u64,
    /// The event's name, a number of the state's names.
    pub(crate) name: u32,
    /// Whether a finding has it.
    pub(crate) told: bool,
}

/// The events of one group, by time; of the same time in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) entries: Vec<Entry>,
}

/// What became of an event that was put into a group.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// The events that now belong to the finding and did not before.
    pub(crate) told: Vec<Entry>,
    /// How many entries the group has more than before; fewer when negative.
    pub(crate) grown: isize,
    /// How many events were dropped that no finding has and that could still have counted.
    pub(crate) lost: u64,
}

impl Group {
    /// The time of the last event.
    pub(crate) fn last_ms(&self) -> i64 {
        self.entries.last().map_or(i64::MIN, |entry| entry.time_ms)
    }

    /// Puts an event in and judges the windows that it is in. `oldest_ms` is what no window reaches back to any more.
    pub(crate) fn add(
        &mut self,
        entry: Entry,
        span_ms: i64,
        oldest_ms: i64,
        holds: &dyn Fn(&[Entry]) -> bool,
    ) -> Judged {
        let mut judged = Judged::default();
        let before = self.entries.len();
        self.make_room(oldest_ms, &mut judged);
        let at = self.entries.partition_point(|other| other.time_ms <= entry.time_ms);
        self.entries.insert(at, entry);
        let mut next = at;
        while let Some(time_ms) = self.entries.get(next).map(|entry| entry.time_ms) {
            if time_ms > entry.time_ms.saturating_add(span_ms) {
                break;
            }
            let start = self.entries.partition_point(|other| other.time_ms < time_ms.saturating_sub(span_ms));
            let end = self.entries.partition_point(|other| other.time_ms <= time_ms);
            if self.entries.get(start..end).is_some_and(holds) {
                self.tell(start, end, &mut judged.told);
            }
            next = end;
        }
        judged.grown = self.entries.len().cast_signed() - before.cast_signed();
        judged
    }

    fn tell(&mut self, start: usize, end: usize, told: &mut Vec<Entry>) {
        for entry in self.entries.get_mut(start..end).unwrap_or_default() {
            if !entry.told {
                entry.told = true;
                told.push(*entry);
            }
        }
    }

    fn make_room(&mut self, oldest_ms: i64, judged: &mut Judged) {
        let old = self.entries.partition_point(|entry| entry.time_ms < oldest_ms);
        // Half at a time: each event is moved once on average.
        if old > 0 && old * 2 >= self.entries.len() {
            self.entries.drain(..old);
        }
        if self.entries.len() >= WINDOW_ENTRIES_MAX {
            let lost = self.entries.drain(..DROPPED_AT_ONCE).filter(|entry| !entry.told && entry.time_ms >= oldest_ms);
            judged.lost += lost.count() as u64;
        }
        // A group that was large once need not stay so.
        if self.entries.capacity() > 64 && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }
}
