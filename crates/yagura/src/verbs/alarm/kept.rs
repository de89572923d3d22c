//! What is kept of alarms between runs: where each was, how it changed, what was ordered.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use yagura_model::Order;
use yagura_rules::alarm::{Begin, Change, Checkpoint, State};

use crate::print;

/// The file, in the data folder.
const FILE: &str = "alarms.json";

/// What only one run at a time holds.
const LOCK: &str = "alarms.lock";

/// The form of the file that this version writes.
const VERSION: u32 = 1;

/// How far back the state of alarms is kept, so that points which come late can be taken in.
const LATE_MAX: TimeDelta = TimeDelta::days(15);

/// Changes kept of the alarms of a file in one place; of more the oldest go.
const CHANGES_MAX: usize = 10_000;

/// Orders kept; of more the oldest go.
const ORDERS_MAX: usize = 10_000;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    /// When alarms were last run, by the machine's clock.
    pub(super) ran: Option<DateTime<Utc>>,
    /// By [`Standing::key`].
    pub(super) standings: BTreeMap<String, Standing>,
    /// What was ordered, the oldest first.
    pub(super) orders: Vec<Order>,
}

/// The alarms of one file in one account and region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// The file.
    pub(super) file: String,
    /// The account.
    pub(super) account: String,
    /// The region.
    pub(super) region: String,
    /// What tells the alarms from what they were before the file was edited.
    pub(super) definition: String,
    /// When the evaluation began.
    pub(super) begin: DateTime<Utc>,
    /// Whether the checkpoints reach back to the beginning.
    is_whole: bool,
    /// Where the evaluation can be gone on from, the oldest first.
    checkpoints: Vec<Checkpoint>,
    /// Every change, the oldest first.
    pub(super) changes: Vec<Change>,
}

impl Kept {
    /// What is kept in the data folder; nothing yet where there is none.
    pub(super) fn read(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(FILE);
        let unreadable = || format!("`{}` cannot be read", path.display());
        match std::fs::read(&path) {
            Ok(bytes) => {
                let kept: Self = serde_json::from_slice(&bytes).with_context(unreadable)?;
                if kept.version > VERSION {
                    bail!("`{}` was written by a newer version of Yagura", path.display());
                }
                Ok(kept)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(unreadable),
        }
    }

    pub(super) fn write(&mut self, data_dir: &Path) -> Result<()> {
        self.version = VERSION;
        let more = self.orders.len().saturating_sub(ORDERS_MAX);
        self.orders.drain(..more);
        print::whole_file(&data_dir.join(FILE), |out| Ok(serde_json::to_writer(out, self)?))
    }

    /// Keeps every other run waiting until the file is dropped.
    pub(super) fn lock(data_dir: &Path) -> Result<File> {
        let path = data_dir.join(LOCK);
        let made = std::fs::create_dir_all(data_dir).and_then(|()| File::create(&path));
        let file = made.and_then(|file| file.lock().map(|()| file));
        file.with_context(|| format!("cannot write `{}`", path.display()))
    }
}

impl Standing {
    /// What a standing is kept under.
    pub(super) fn key(file: &str, account: &str, region: &str) -> String {
        format!("{file}|{account}|{region}")
    }

    /// The alarms of a file in a place, before anything was evaluated.
    pub(super) fn new(file: &str, place: (&str, &str), definition: &str, begin: DateTime<Utc>) -> Self {
        Self {
            file: file.to_owned(),
            account: place.0.to_owned(),
            region: place.1.to_owned(),
            definition: definition.to_owned(),
            begin,
            is_whole: true,
            checkpoints: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Takes the alarms as they are defined now. As in AWS, they keep their states; what was before stays what it was.
    pub(super) fn redefine(&mut self, definition: &str) {
        if self.definition != definition {
            definition.clone_into(&mut self.definition);
            let last = self.checkpoints.pop();
            self.checkpoints = last.into_iter().collect();
            self.is_whole = false;
        }
    }

    /// Where to go on from to know how it is at `until`, where points from `changed` on may be others than before.
    pub(super) fn begins(&self, changed: Option<DateTime<Utc>>, until: DateTime<Utc>) -> Begin<'_> {
        let is_right = |checkpoint: &&Checkpoint| {
            checkpoint.time <= until && changed.is_none_or(|changed| checkpoint.time <= changed)
        };
        match (self.checkpoints.iter().rev().find(is_right), self.checkpoints.first()) {
            (Some(checkpoint), _) => Begin::After(checkpoint),
            (None, Some(oldest)) if !self.is_whole => Begin::After(oldest),
            (None, _) => Begin::At(self.begin),
        }
    }

    /// Takes in what a run that began at `from` came to; gives the changes that were not known.
    pub(super) fn take(
        &mut self,
        from: DateTime<Utc>,
        changes: Vec<Change>,
        checkpoints: Vec<Checkpoint>,
    ) -> Vec<Change> {
        let is_before = |time: DateTime<Utc>| time <= from;
        let at = self.changes.partition_point(|change| is_before(change.time));
        let before = self.changes.split_off(at);
        let is_new = |change: &&Change| !before.iter().any(|known| is_same(known, change));
        let new: Vec<Change> = changes.iter().filter(is_new).cloned().collect();
        self.changes.extend(changes);
        let more = self.changes.len().saturating_sub(CHANGES_MAX);
        self.changes.drain(..more);
        self.checkpoints.retain(|checkpoint| is_before(checkpoint.time));
        self.checkpoints.extend(checkpoints);
        // Between the midnights only the last is needed.
        let last = self.checkpoints.last().map(|last| last.time);
        let is_needed = |checkpoint: &Checkpoint| {
            Some(checkpoint.time) == last || checkpoint.time.timestamp().rem_euclid(86_400) == 0
        };
        self.checkpoints.retain(is_needed);
        if let Some(last) = last {
            let kept = self.checkpoints.len();
            self.checkpoints.retain(|checkpoint| checkpoint.time >= last - LATE_MAX);
            self.is_whole &= self.checkpoints.len() == kept;
        }
        new
    }

    /// The state of each alarm, and since when.
    pub(super) fn states(&self) -> Vec<(&str, State, DateTime<Utc>)> {
        let states = self.checkpoints.last().map(|last| &last.states);
        let since = |name: &str| {
            let last = self.changes.iter().rev().find(|change| change.alarm == name && change.from != change.to);
            last.map_or(self.begin, |change| change.time)
        };
        states.into_iter().flatten().map(|(name, state)| (name.as_str(), *state, since(name))).collect()
    }

    /// Until when the alarms were evaluated.
    pub(super) fn evaluated(&self) -> Option<DateTime<Utc>> {
        self.checkpoints.last().map(|last| last.time)
    }
}

fn is_same(one: &Change, other: &Change) -> bool {
    (one.time, &one.alarm, one.from, one.to, one.actions)
        == (other.time, &other.alarm, other.from, other.to, other.actions)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use yagura_rules::alarm::{Input, Reading, Watch};

    use super::*;

    fn time(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + minutes * 60, 0).unwrap()
    }

    /// Two alarms that differ in how missing periods count, and one on both.
    fn watch() -> Watch {
        let alarm = |missing: &str| {
            json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": {
                "Namespace": "N", "MetricName": "M", "Statistic": "Average", "Period": 300, "EvaluationPeriods": 3,
                "DatapointsToAlarm": 2, "Threshold": 70, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "TreatMissingData": missing } })
        };
        let both = json!({ "Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {
            "AlarmRule": "ALARM(A) AND NOT OK(B)", "ActionsSuppressor": "B", "ActionsSuppressorWaitPeriod": 600,
            "ActionsSuppressorExtensionPeriod": 900 } });
        let template = json!({ "Resources": { "A": alarm("missing"), "B": alarm("ignore"), "Both": both } });
        let (watch, errors) = Watch::from_template(&template);
        assert_eq!(errors, []);
        watch
    }

    /// Points: which period of five minutes, the value, and how many minutes later it comes.
    type Points = Vec<(i64, f64, i64)>;

    fn input(points: &Points, now: DateTime<Utc>) -> Input {
        let known = points.iter().filter(|(period, _, late)| time(period * 5 + 5 + late) <= now);
        let readings: Vec<(DateTime<Utc>, Reading)> = known
            .map(|(period, value, _)| (time(period * 5 + 5) - TimeDelta::seconds(1), Reading::Sample(*value)))
            .collect();
        let readings = [("A".to_owned(), readings.clone()), ("B".to_owned(), readings)].into();
        Input { readings, ..Input::default() }
    }

    /// Numbers that look random, the same each time.
    struct Noise(u64);

    impl Noise {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % end
        }

        fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
            choices[usize::try_from(self.below(N as u64)).unwrap()]
        }
    }

    /// However often the alarms are run, with points that come late: the history is that of one run over all of them.
    #[test]
    fn going_on_comes_to_the_same_as_beginning_anew() {
        let watch = watch();
        let mut total = 0;
        for seed in 0..25 {
            let noise = &mut Noise(seed);
            // Of five periods one has no value, on average.
            let points: Points = (0..800)
                .filter_map(|period| {
                    let value = (noise.of([10.0, 69.0, 71.0, 95.0]), noise.of([0, 0, 0, 3, 20, 400, 2_000]));
                    (noise.below(5) > 0).then_some((period, value.0, value.1))
                })
                .collect();
            let mut standing = Standing::new("f", ("a", "r"), "d", time(0));
            let (mut now, mut before) = (time(0), None);
            for _ in 0..=noise.below(15) {
                now += TimeDelta::minutes(i64::try_from(noise.below(900)).unwrap() + 1);
                let is_new = |(period, _, late): &&(i64, f64, i64)| {
                    let arrival = time(period * 5 + 5 + late);
                    arrival <= now && before.is_none_or(|before| arrival > before)
                };
                let changed = points.iter().filter(is_new).map(|(period, ..)| time(period * 5)).min();
                let start = standing.begins(changed, now);
                let from = match start {
                    Begin::At(time) => time,
                    Begin::After(checkpoint) => checkpoint.time,
                };
                let outcome = watch.run_from(&input(&points, now), start, now).unwrap();
                standing.take(from, outcome.changes, outcome.checkpoints);
                // It is written and read between runs.
                standing = serde_json::from_str(&serde_json::to_string(&standing).unwrap()).unwrap();
                before = Some(now);
            }
            let whole = watch.run_from(&input(&points, now), Begin::At(time(0)), now).unwrap();
            assert_eq!(standing.changes, whole.changes, "seed {seed}");
            let ended: BTreeMap<String, State> =
                standing.states().into_iter().map(|(name, state, _)| (name.to_owned(), state)).collect();
            assert_eq!(whole.states, ended, "seed {seed}");
            total += whole.changes.len();
        }
        assert!(total > 500, "only {total} changes");
    }

    #[test]
    fn an_edited_file_keeps_the_states_and_the_history() {
        let watch = watch();
        let points: Points = (0..20).map(|period| (period, 95.0, 0)).collect();
        let mut standing = Standing::new("f", ("a", "r"), "d", time(0));
        let outcome = watch.run_from(&input(&points, time(100)), Begin::At(time(0)), time(100)).unwrap();
        standing.take(time(0), outcome.changes, outcome.checkpoints);
        let before = standing.clone();
        standing.redefine("d");
        assert_eq!(standing, before);
        standing.redefine("e");
        assert!(matches!(standing.begins(Some(time(1)), time(200)), Begin::After(last) if last.time == time(100)));
        assert_eq!((standing.states(), &standing.changes), (before.states(), &before.changes));
    }
}
