//! `yagura alarm run` over the lake: alarms on every metric that is kept, and on what metric filters make of the logs.
//!
//! What alarms come to is a function of the points and the time. A run goes on where the last one was, or where the points
//! begin that have come since, whichever is earlier; so late points are taken in, and the history is the same as if all had
//! been there from the start. Only orders are not taken back: they may have been carried out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use yagura_lake::Lake;
use yagura_lake::metrics::{Changed, Choice, Held};
use yagura_lake::time;
use yagura_model::metric::rolled_up;
use yagura_model::{Act, Order, OrderId};
use yagura_rules::alarm::{Actions, AlarmFile, Begin, Change, Input, MetricAlarm, Reading, State, Watch};

use super::kept::{Kept, Standing};
use crate::Usage;
use crate::cli::AlarmRunArgs;
use crate::config::Config;
use crate::pipeline;
use crate::print;
use crate::verbs::logs::{lake, threads};
use crate::verbs::metrics::filter::{Counted, alarm_files, count, identity, short_hash};

/// The folder of alarms in the data folder.
pub(super) const FOLDER: &str = "alarms";

/// How far back alarms that were never run begin.
const FIRST_SPAN: TimeDelta = TimeDelta::days(30);

/// How much earlier than the last run a point may have been put in without that run having seen it: the time that a fetch
/// takes between asking and keeping.
const UNSEEN_MAX: TimeDelta = TimeDelta::hours(1);

/// Changes older than this make no orders: who imports a month of data wants to know, and not to be woken.
const ORDERED_MAX: TimeDelta = TimeDelta::days(1);

/// What a run came to.
pub(super) struct Ran {
    /// Changes that were not known before, with account and region.
    pub(super) changes: Vec<(String, String, Change)>,
    /// Every alarm of the run.
    pub(super) states: Vec<AlarmState>,
    /// Orders that were not given before.
    pub(super) orders: Vec<Order>,
    /// What could not be evaluated.
    pub(super) errors: Vec<String>,
}

/// An alarm and its state.
pub(super) struct AlarmState {
    pub(super) alarm: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) state: State,
    /// None where the alarm has no metric anywhere.
    pub(super) since: Option<DateTime<Utc>>,
    pub(super) file: String,
}

/// Runs the alarms of the files until now.
pub(super) fn run(args: &AlarmRunArgs, config: &Config) -> Result<Ran> {
    let data_dir = config.data_dir()?;
    let now = crate::now();
    let until = args.until.as_deref().map_or(Ok(now), |text| print::time(text, now))?;
    let earliest = args.since.as_deref().map_or(Ok(until - FIRST_SPAN), |text| print::time(text, now))?;
    let (mut files, errors) = parsed(&files(args.file.as_deref(), data_dir)?)?;
    for (file, _) in &mut files {
        file.watch.drop_broken();
    }
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let _lock = Kept::lock(data_dir)?;
    let mut kept = Kept::read(data_dir)?;
    let (files, definitions): (Vec<AlarmFile>, Vec<String>) = files.into_iter().unzip();
    let counted = count(&files, &lake, &runtime, data_dir)?;
    let held = runtime.block_on(lake.series(&Choice { from: Some(earliest), ..Choice::default() }, threads()))?;
    let seen_ms = kept.ran.map_or(0, |ran| (ran - UNSEEN_MAX).timestamp_millis());
    let changed = runtime.block_on(lake.points_changed(seen_ms))?;
    let round = Round { lake: &lake, runtime: &runtime, held, changed, counted, earliest, until, now };
    let mut ran = Ran { changes: Vec::new(), states: Vec::new(), orders: Vec::new(), errors };
    for (file, definition) in files.iter().zip(&definitions) {
        round.file(file, definition, &mut kept, &mut ran)?;
    }
    ran.changes.sort_by(|(_, _, one), (_, _, other)| (one.time, &one.alarm).cmp(&(other.time, &other.alarm)));
    let given: BTreeSet<OrderId> = kept.orders.iter().map(|order| order.id.clone()).collect();
    ran.orders.retain(|order| !given.contains(&order.id));
    ran.orders.sort_by_key(|order| order.time);
    kept.orders.extend(ran.orders.iter().cloned());
    kept.ran = Some(now);
    kept.write(data_dir).context("keeping the states of the alarms")?;
    Ok(ran)
}

/// The files to run: those given, or those of the data folder.
fn files(given: Option<&Path>, data_dir: &Path) -> Result<Vec<(String, String)>> {
    let folder = data_dir.join(FOLDER);
    match given {
        Some(path) => alarm_files(&[path.to_path_buf()]),
        None if folder.is_dir() => alarm_files(&[PathBuf::from(&folder)]),
        None => {
            let text = "there are no alarms yet: import those of an account with `yagura alarm import`, or name a file, or `built-in`";
            Err(Usage(text.to_owned()).into())
        }
    }
}

type Parsed = Vec<(AlarmFile, String)>;

/// The alarms of the files with a mark of what they say, and what of them cannot be evaluated.
fn parsed(files: &[(String, String)]) -> Result<(Parsed, Vec<String>)> {
    let (mut parsed, mut errors) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let (file, problems) = AlarmFile::parse(path, text).map_err(|error| Usage(error.to_string()))?;
        errors.extend(problems.iter().map(ToString::to_string));
        parsed.push((file, short_hash(text)));
    }
    Ok((parsed, errors))
}

/// What is the same for all files of a run.
struct Round<'r> {
    lake: &'r Lake,
    runtime: &'r tokio::runtime::Runtime,
    held: Vec<Held>,
    changed: Changed,
    counted: Counted,
    earliest: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Round<'_> {
    /// Runs the alarms of one file wherever they have something to watch.
    fn file(&self, file: &AlarmFile, definition: &str, kept: &mut Kept, ran: &mut Ran) -> Result<()> {
        let name = identity(&file.path);
        let places = self.places(file, &name, kept);
        if places.is_empty() {
            ran.states.extend(file.watch.alarms().map(|alarm| AlarmState {
                alarm: alarm.to_owned(),
                account: "-".to_owned(),
                region: "-".to_owned(),
                state: State::default(),
                since: None,
                file: file.path.clone(),
            }));
        }
        for (account, region) in places {
            let begin = self.first(&file.watch, &account, &region);
            let place = (account.as_str(), region.as_str());
            let standing = kept
                .standings
                .entry(Standing::key(&name, &account, &region))
                .or_insert_with(|| Standing::new(&name, place, definition, begin));
            standing.redefine(definition);
            let changed = self.changed.get(&(account.clone(), region.clone())).copied();
            let begins = standing.begins(changed, self.until);
            let from = match begins {
                Begin::At(time) => time,
                Begin::After(checkpoint) => checkpoint.time,
            };
            let input = self.input(&file.watch, place, from)?;
            let outcome = file.watch.run_from(&input, begins, self.until)?;
            let new = standing.take(from, outcome.changes, outcome.checkpoints);
            ran.orders.extend(new.iter().flat_map(|change| orders(&file.watch, place, change, self.now)));
            ran.changes.extend(new.into_iter().map(|change| (account.clone(), region.clone(), change)));
            ran.states.extend(standing.states().into_iter().map(|(alarm, state, since)| AlarmState {
                alarm: alarm.to_owned(),
                account: account.clone(),
                region: region.clone(),
                state,
                since: Some(since),
                file: file.path.clone(),
            }));
        }
        Ok(())
    }

    /// Where the alarms of a file watch: where they were imported from; else every account and region that has one of their
    /// metrics, or logs for one of their filters, or had.
    fn places(&self, file: &AlarmFile, name: &str, kept: &Kept) -> BTreeSet<(String, String)> {
        if let Some(placement) = &file.placement {
            return BTreeSet::from([(placement.account.to_string(), placement.region.to_string())]);
        }
        let concerned = self.held.iter().filter(|held| file.watch.metric_alarms().any(|(_, alarm)| is_of(alarm, held)));
        let mut places: BTreeSet<(String, String)> =
            concerned.map(|held| (held.series.account.to_string(), held.series.region.to_string())).collect();
        if !file.watch.filters().is_empty() {
            let seen = self.counted.places.keys().filter(|(_, region)| region.is_global());
            places.extend(seen.map(|(account, region)| (account.clone(), region.to_string())));
        }
        let known = kept.standings.values().filter(|standing| standing.file == name);
        places.extend(known.map(|standing| (standing.account.clone(), standing.region.clone())));
        places
    }

    /// When the first evaluation in a place begins: with the first point or the first log, but not before the earliest time.
    fn first(&self, watch: &Watch, account: &str, region: &str) -> DateTime<Utc> {
        let here = self.held.iter().filter(|held| {
            held.series.account.as_str() == account
                && held.series.region.as_str() == region
                && watch.metric_alarms().any(|(_, alarm)| is_of(alarm, held))
        });
        let logs =
            self.counted.places.get(&(account.to_owned(), region.into())).filter(|_| !watch.filters().is_empty());
        let logs = logs.and_then(|day| time::micros(&format!("{}T00:00:00Z", time::day_text(*day))));
        let logs = logs.and_then(DateTime::from_timestamp_micros);
        let first = here.map(|held| held.first).chain(logs).min();
        let midnight = self.until.with_time(NaiveTime::MIN).single().unwrap_or(self.until);
        first.unwrap_or(midnight).max(self.earliest).min(self.until)
    }

    /// What is known of the alarms' metrics, as far back as an evaluation at `from` looks.
    fn input(&self, watch: &Watch, place: (&str, &str), from: DateTime<Utc>) -> Result<Input> {
        let mut input = Input::default();
        for (name, alarm) in watch.metric_alarms() {
            let (namespace, metric, dimensions) = alarm.metric();
            let choice = Choice {
                account: Some(place.0.to_owned()),
                region: Some(place.1.to_owned()),
                namespace: Some(namespace.to_owned()),
                metric: Some(metric.to_owned()),
                dimensions: dimensions.clone(),
                no_others: true,
                from: Some(from - alarm.looks_back() - alarm.period()),
                until: Some(self.until),
            };
            let points = self.runtime.block_on(self.lake.points(&choice, threads()))?;
            let period = u32::try_from(alarm.period().num_seconds()).unwrap_or(u32::MAX);
            let mut readings = Vec::new();
            for points in points.chunk_by(|one, other| one.series == other.series) {
                let unit = points.first().and_then(|point| point.series.unit.as_deref());
                if alarm.unit().is_none() || unit.is_none() || unit == alarm.unit() {
                    // Periods begin at multiples of themselves, as the data points of CloudWatch do: a window that slid over
                    // minutes would see the same few events come and go again and again.
                    readings.extend(rolled_up(points, period).iter().map(Reading::of_point));
                }
            }
            input.readings.insert(name.to_owned(), readings);
        }
        Ok(input)
    }
}

fn is_of(alarm: &MetricAlarm, held: &Held) -> bool {
    let (namespace, metric, dimensions) = alarm.metric();
    held.series.namespace == namespace && held.series.metric == metric && held.series.dimensions == *dimensions
}

/// The orders that the actions of a change make, where it is not long ago.
fn orders(watch: &Watch, place: (&str, &str), change: &Change, now: DateTime<Utc>) -> Vec<Order> {
    let acts = matches!(change.actions, Actions::Taken | Actions::Released) && change.time > now - ORDERED_MAX;
    let targets = watch.targets(&change.alarm, change.to).iter().filter(|_| acts);
    let cause = format!("{} ({} {}): {} → {}", change.alarm, place.0, place.1, change.from, change.to);
    targets.map(|target| Order::new(change.time, cause.clone(), Act::of_target(target))).collect()
}
