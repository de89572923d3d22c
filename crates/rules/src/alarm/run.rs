//! One run of alarms over a time, and going on from where another was.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::composite::CompositeAlarm;
use super::watch::{Actions, Change, Watch};
use super::{Reading, State};

/// What is known of each alarm's metric, by the alarm.
pub(super) type Readings = BTreeMap<String, Vec<(DateTime<Utc>, Reading)>>;

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin<'c> {
    /// At a time, knowing nothing.
    At(DateTime<Utc>),
    /// Where another run was.
    After(&'c Checkpoint),
}

/// All that a run knew at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When.
    pub time: DateTime<Utc>,
    /// The state of each alarm.
    pub states: BTreeMap<String, State>,
    /// What composite alarms hold back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    holds: BTreeMap<String, Hold>,
}

/// The states while time goes on.
pub(super) struct Run<'w> {
    watch: &'w Watch,
    pub(super) now: DateTime<Utc>,
    pub(super) states: BTreeMap<String, State>,
    holds: BTreeMap<String, Hold>,
    pub(super) changes: Vec<Change>,
}

/// What is known of the actions of a composite alarm with a suppressor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Hold {
    /// The last state that was acted on.
    acted: State,
    suppressed: bool,
    /// Until when actions wait for the suppressor, or go on being held after it.
    until: Option<DateTime<Utc>>,
}

impl<'w> Run<'w> {
    /// Alarms that a checkpoint does not know begin as new ones do.
    pub(super) fn begin(watch: &'w Watch, begin: Begin<'_>, interval: TimeDelta) -> Self {
        let (time, before, holds) = match begin {
            Begin::At(time) => (time, None, BTreeMap::new()),
            Begin::After(checkpoint) => (checkpoint.time, Some(&checkpoint.states), checkpoint.holds.clone()),
        };
        let known = |name: &str| before.and_then(|before| before.get(name)).copied().unwrap_or_default();
        let states = watch.alarms().map(|name| (name.to_owned(), known(name))).collect();
        let now = time.duration_trunc(interval).unwrap_or(time);
        Self { watch, now, states, holds, changes: Vec::new() }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { time: self.now, states: self.states.clone(), holds: self.holds.clone() }
    }

    fn state(&self, name: &str) -> State {
        self.states.get(name).copied().unwrap_or_default()
    }

    pub(super) fn tick(&mut self, now: DateTime<Utc>, series: &Readings, order: &[&'w str]) {
        self.now = now;
        for (name, alarm) in &self.watch.metric {
            if now.timestamp() % alarm.interval().num_seconds() != 0 {
                continue;
            }
            let from = self.state(name);
            let evaluation = alarm.evaluate(series.get(name).map(Vec::as_slice).unwrap_or_default(), now, from);
            let to = evaluation.state;
            if to != from {
                let actions = if alarm.actions_enabled { Actions::Taken } else { Actions::Disabled };
                let values = evaluation.slots.iter().map(|slot| slot.value).collect();
                self.change(Change { time: now, alarm: name.clone(), from, to, actions, values });
            }
        }
        for name in order {
            let Some(alarm) = self.watch.composite.get(*name) else { continue };
            let from = self.state(name);
            let to = if alarm.rule.holds(&|child| self.state(child)) { State::Alarm } else { State::Ok };
            self.composite(now, name, alarm, from, to);
        }
    }

    fn composite(&mut self, now: DateTime<Utc>, name: &'w str, alarm: &CompositeAlarm, from: State, to: State) {
        let change =
            |from, actions| Change { time: now, alarm: name.to_owned(), from, to, actions, values: Vec::new() };
        let Some(suppressor) = &alarm.suppressor else {
            if from != to {
                self.change(change(from, if alarm.actions_enabled { Actions::Taken } else { Actions::Disabled }));
            }
            return;
        };
        let suppressed = self.state(suppressor) == State::Alarm;
        let hold = self.holds.entry(name.to_owned()).or_default();
        if suppressed {
            hold.until = None;
        } else if hold.suppressed {
            hold.until = now.checked_add_signed(alarm.extension);
        } else if from != to && to == State::Alarm {
            hold.until = hold.until.max(now.checked_add_signed(alarm.wait));
        }
        hold.suppressed = suppressed;
        let waits = suppressed || hold.until.is_some_and(|until| now < until);
        let actions = match (alarm.actions_enabled, waits) {
            (false, _) => Actions::Disabled,
            (true, true) => Actions::Held,
            (true, false) if from == to => Actions::Released,
            (true, false) => Actions::Taken,
        };
        let acted = hold.acted;
        if !waits {
            hold.until = None;
            hold.acted = to;
        }
        if from != to {
            self.change(change(from, actions));
        } else if actions == Actions::Released && acted != to {
            self.change(change(acted, actions));
        }
    }

    fn change(&mut self, change: Change) {
        self.states.insert(change.alarm.clone(), change.to);
        self.changes.push(change);
    }
}
