//! What is remembered between events: windows, first times, sessions, ids, findings. Bounded, and the same after a restart.

mod book;
mod codec;
mod key;
mod memory;
mod names;
mod recent;
mod save;
mod sessions;
mod window;

pub(crate) use book::{Details, Member, Told};
pub(crate) use key::Key;
pub(crate) use memory::{Seen, Slot};
pub use save::StateError;
pub use window::WINDOW_ENTRIES_MAX;
pub(crate) use window::{Entry, Judged};

use yagura_model::FindingId;

use crate::engine::Engine;
use crate::finding::Finding;
use book::Book;
use names::Names;
use recent::Recent;
use sessions::Sessions;

/// How late an event may come and still be put where it belongs: CloudTrail and flow logs are delivered within a
/// quarter of an hour, and files of one delivery come in any order.
pub const LATE_MS_MAX: i64 = 3_600_000;

/// How much is remembered. What is over is forgotten, the oldest first, and counted in the [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events in windows, of all rules. 40 bytes each, and 48 a group of them.
    pub window_entries: usize,
    /// Combinations that `new` has seen, of all rules. 25 bytes each, in tables that are between 44 and 88 % full.
    pub combinations: usize,
    /// For whom `new` learns, of all rules. 33 bytes each, likewise.
    pub learners: usize,
    /// Findings.
    pub findings: usize,
    /// Ids of events that made a rule fire. 32 bytes each.
    pub ids: usize,
    /// Access keys that were handed out, with those who asked for them.
    pub sessions: usize,
}

impl Default for Limits {
    /// Room for 10,000 principals with a hundred networks each and for windows of 1,000,000 addresses, which together
    /// reserve 285 MiB (`examples/detect_rate.rs` fills and measures them).
    fn default() -> Self {
        Self {
            window_entries: 2_000_000,
            combinations: 2_000_000,
            learners: 200_000,
            findings: 100_000,
            ids: 1_000_000,
            sessions: 100_000,
        }
    }
}

/// What is in a state, and what was forgotten or left out. Counts since the state was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Events that came again.
    pub duplicates: u64,
    /// Hits that came too late for a window.
    pub late: u64,
    /// Events that were dropped from windows before a finding had them.
    pub dropped_entries: u64,
    /// Groups whose windows were forgotten for want of room.
    pub evicted_groups: u64,
    /// Combinations that were forgotten for want of room: they may be taken for new again.
    pub evicted_combinations: u64,
    /// Those for whom `new` learnt who were forgotten for want of room: they are learnt anew.
    pub evicted_learners: u64,
    /// Findings that were forgotten for want of room: their next event begins them again.
    pub evicted_findings: u64,
    /// Sessions that were forgotten for want of room.
    pub evicted_sessions: u64,
    /// Ids that were forgotten for want of room: such an event may be counted again.
    pub forgotten_ids: u64,
}

/// How much there is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Groups that have a window.
    pub groups: usize,
    /// Events in windows.
    pub window_entries: usize,
    /// Combinations that were seen.
    pub combinations: usize,
    /// For whom.
    pub learners: usize,
    /// Findings.
    pub findings: usize,
    /// Ids of events.
    pub ids: usize,
    /// Sessions.
    pub sessions: usize,
    /// An estimate of the memory that windows, combinations, learners and ids take, in bytes, from how much is reserved.
    pub bytes: usize,
}

/// Everything that an engine remembers.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    /// Which rules it is for.
    fingerprint: Key,
    /// One for every rule, in the order of the rules.
    slots: Vec<Slot>,
    totals: memory::Totals,
    recent: Recent,
    sessions: Sessions,
    names: Names,
    book: Book,
    report: Report,
}

impl State {
    /// Nothing is known.
    pub fn new(engine: &Engine) -> Self {
        Self::with_limits(engine, Limits::default())
    }

    /// Nothing is known, and this is how much may be.
    pub fn with_limits(engine: &Engine, limits: Limits) -> Self {
        Self {
            limits,
            fingerprint: engine.fingerprint(),
            slots: engine.slots().iter().map(|id| Slot::new(*id)).collect(),
            totals: memory::Totals::default(),
            recent: Recent::default(),
            sessions: Sessions::default(),
            names: Names::default(),
            book: Book::default(),
            report: Report::default(),
        }
    }

    /// Every finding, by id.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.book.findings()
    }

    /// A finding.
    pub fn finding(&self, id: &FindingId) -> Option<&Finding> {
        self.book.get(id)
    }

    /// The findings that are new or have grown since this was last asked, by id.
    pub fn take_changed(&mut self) -> Vec<FindingId> {
        self.book.take_changed()
    }

    /// What was forgotten or left out.
    pub fn report(&self) -> Report {
        self.report
    }

    /// How much there is.
    pub fn size(&self) -> Size {
        let mut size = Size {
            findings: self.book.len(),
            ids: self.recent.len(),
            sessions: self.sessions.len(),
            bytes: self.recent.bytes(),
            ..Size::default()
        };
        for slot in &self.slots {
            slot.measure(&mut size);
        }
        size
    }

    /// Makes it fit an engine with other rules: what it knows of rules that are the same stays.
    pub(crate) fn bind(&mut self, engine: &Engine) {
        if self.fingerprint == engine.fingerprint() {
            return;
        }
        let mut old = std::mem::take(&mut self.slots);
        for id in engine.slots() {
            let known = old.iter().position(|slot| slot.id == *id).map(|at| old.swap_remove(at));
            self.slots.push(known.unwrap_or_else(|| Slot::new(*id)));
        }
        self.fingerprint = engine.fingerprint();
        self.totals = memory::Totals::of(&self.slots);
    }

    /// Whether this event made a rule fire before; from now on it did.
    pub(crate) fn is_duplicate(&mut self, source: &str, id: &str) -> bool {
        let known = !self.recent.add(Key::of([source, id]), self.limits.ids, &mut self.report);
        self.report.duplicates += u64::from(known);
        known
    }

    /// Remembers a combination for someone; says whether it is new, and whether they have been learnt.
    pub(crate) fn learn(&mut self, rule: usize, seen: &Seen) -> bool {
        let Some(slot) = self.slots.get_mut(rule) else { return false };
        let fires = slot.learn(seen, &mut self.totals);
        self.make_room();
        fires
    }

    /// Puts an event into the window of a group.
    pub(crate) fn window(
        &mut self,
        rule: usize,
        group: Key,
        entry: Entry,
        span_ms: i64,
        holds: &dyn Fn(&[Entry]) -> bool,
    ) -> Judged {
        let Some(slot) = self.slots.get_mut(rule) else { return Judged::default() };
        let Some(judged) = slot.window(group, entry, span_ms, holds, &mut self.totals) else {
            self.report.late += 1;
            return Judged::default();
        };
        self.report.dropped_entries += judged.lost;
        self.make_room();
        judged
    }

    /// The number of an event's name.
    pub(crate) fn name(&mut self, name: Option<&str>) -> u32 {
        self.names.number(name)
    }

    /// Merges what a rule found.
    pub(crate) fn tell(&mut self, told: &Told<'_>) {
        self.book.tell(told, &self.names);
        self.book.make_room(self.limits.findings, &mut self.report);
    }

    /// Remembers who asked for an access key.
    pub(crate) fn issued(&mut self, key: &str, by: Option<&str>, with: Option<&str>, time_ms: i64) {
        self.sessions.add(key, by, with, time_ms);
        self.sessions.make_room(self.limits.sessions, &mut self.report);
    }

    /// Who asked for an access key, and who asked for theirs.
    pub(crate) fn issuers(&self, key: &str) -> &[String] {
        self.sessions.issuers(key)
    }

    fn make_room(&mut self) {
        if self.totals.exceed(&self.limits) {
            memory::make_room(&mut self.slots, &mut self.totals, &self.limits, &mut self.report);
        }
    }
}
