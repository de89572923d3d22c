//! `yagura metrics filter`: events of CloudTrail counted by metric filters.
//!
//! A day of an account is counted as a whole, and its points take the place of those that were counted of it before. So an
//! event counts once, however often this is run and however late the event comes. What was counted already is known by the
//! number of the day's events, which only grows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use yagura_lake::metrics::{Put, TrailDay};
use yagura_lake::{Lake, Place, time};
use yagura_model::Region;
use yagura_model::metric::{Point, Series, Statistics};
use yagura_rules::alarm::{AlarmFile, EventScope, NamedFilter, Placement};

use super::{is_for_people, lake, options, put_json, threads};
use crate::cli::{Common, MetricsFilterArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, content, pipeline, print};

/// What has been counted, in the data folder.
const STATE: &str = "metric-filters.json";

/// Series that one filter may make of a day of an account: AWS turns filters off that make more.
const SERIES_MAX: usize = 1_000;

/// Counts by the filters of files.
pub(super) fn run(common: &Common, args: &MetricsFilterArgs, config: &Config, words: &Words) -> Result<Exit> {
    let files = alarm_files(&args.files)?;
    let mut errors = Vec::new();
    let mut parsed = Vec::new();
    for (path, text) in &files {
        let (file, problems) = AlarmFile::parse(path, text).map_err(|error| Usage(error.to_string()))?;
        errors.extend(problems.iter().map(ToString::to_string));
        parsed.push(file);
    }
    let filters: usize = parsed.iter().map(|file| file.watch.filters().len()).sum();
    let runtime = pipeline::runtime()?;
    let counted = count(&parsed, &lake(config, &runtime)?, &runtime, config.data_dir()?)?;
    if is_for_people(common) {
        let values: [(&str, &dyn std::fmt::Display); 5] = [
            ("filters", &filters),
            ("events", &counted.events),
            ("days", &counted.days),
            ("added", &(counted.put.added + counted.put.replaced)),
            ("known", &counted.known_days),
        ];
        println!("{}", words.fill("metrics.counted", &values));
        for error in &errors {
            eprintln!("{error}");
        }
    } else {
        let report = json!({
            "filters": filters, "events": counted.events, "days": counted.days, "known_days": counted.known_days,
            "points": put_json(&counted.put), "errors": errors,
        });
        print::document(common, &report)?;
    }
    Ok(if errors.is_empty() { Exit::Clean } else { Exit::Error })
}

/// Files with alarms and filters: those given, of folders all, or those built in.
pub(in crate::verbs) fn alarm_files(paths: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("built-in") {
            let built_in = content::built_in_files("alarms").into_iter();
            files.extend(built_in.map(|(path, text)| (format!("built-in:{path}"), text)));
        } else {
            files.extend(content::files_by_path(path)?);
        }
    }
    Ok(files)
}

/// What was counted.
#[derive(Debug, Default)]
pub(in crate::verbs) struct Counted {
    put: Put,
    /// Events that were looked at.
    events: u64,
    /// Days of an account that were looked at.
    days: usize,
    /// Days of an account that were counted before, and have not changed.
    known_days: usize,
    /// The first day of events of each account and region that filters write to, as days since 1970.
    pub(in crate::verbs) places: BTreeMap<(String, Region), i32>,
}

/// For each filter, by its key, the events of each day of an account that it has counted.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    counted: BTreeMap<String, BTreeMap<String, u64>>,
}

/// One filter and where it stands.
struct Standing<'f> {
    named: &'f NamedFilter,
    placement: Option<&'f Placement>,
    /// What tells it from every other filter, and from itself when it was another.
    key: String,
    source: Arc<str>,
}

impl Standing<'_> {
    /// Where its points go: to its own account and region; without one to the account of the event, over all regions.
    fn region(&self) -> Region {
        self.placement.map_or_else(Region::global, |placement| placement.region.clone())
    }

    fn sees(&self, account: &str) -> bool {
        self.placement.is_none_or(|placement| placement.account.as_str() == account)
    }

    fn event_region(&self) -> Option<&str> {
        let placement = self.placement.filter(|_| self.named.scope == EventScope::OwnRegion);
        placement.map(|placement| placement.region.as_str())
    }
}

/// Counts the events of every day that has changed since the last time, by every filter of the files.
pub(in crate::verbs) fn count(
    files: &[AlarmFile],
    lake: &Lake,
    runtime: &tokio::runtime::Runtime,
    data_dir: &Path,
) -> Result<Counted> {
    let standings: Vec<Standing<'_>> = files.iter().flat_map(standings).collect();
    let mut counted = Counted::default();
    if standings.is_empty() {
        return Ok(counted);
    }
    let path = data_dir.join(STATE);
    let mut state = read_state(&path)?;
    // A day of an account, over its regions.
    let mut days: BTreeMap<(String, i32), Vec<TrailDay>> = BTreeMap::new();
    for day in runtime.block_on(lake.trail_days())? {
        days.entry((day.place.account.clone(), day.place.day)).or_default().push(day);
    }
    for ((account, day), regions) in &days {
        let name = format!("{account}/{}", time::day_text(*day));
        let mut due = Vec::new();
        for standing in standings.iter().filter(|standing| standing.sees(account)) {
            let seen = |one: &&TrailDay| standing.event_region().is_none_or(|region| region == one.place.region);
            let events: u64 = regions.iter().filter(seen).map(|day| day.events).sum();
            let place = (account.clone(), standing.region());
            counted.places.entry(place).and_modify(|first| *first = (*first).min(*day)).or_insert(*day);
            if state.counted.get(&standing.key).and_then(|days| days.get(&name)) != Some(&events) {
                due.push((standing, events));
            }
        }
        if due.is_empty() {
            counted.known_days += 1;
            continue;
        }
        counted.days += 1;
        count_day(&due, account, *day, lake, runtime, &mut counted)?;
        for (standing, events) in due {
            state.counted.entry(standing.key.clone()).or_default().insert(name.clone(), events);
        }
        // After the points: killed in between, the day is counted again, and comes to the same.
        print::whole_file(&path, |out| Ok(serde_json::to_writer(out, &state)?))?;
    }
    Ok(counted)
}

fn standings(file: &AlarmFile) -> impl Iterator<Item = Standing<'_>> {
    file.watch.filters().iter().map(|named| {
        let placement = file.placement.as_ref();
        let place = placement.map_or_else(String::new, |place| format!("{}/{}", place.account, place.region));
        let definition = format!("{:?} {:?}", named.filter, named.scope);
        let file = identity(&file.path);
        let key = short_hash(&format!("{file}\n{}\n{place}\n{definition}", named.name));
        Standing { named, placement, key, source: format!("filter:{file}:{}", named.name).into() }
    })
}

/// Counts one day by the filters that are due.
fn count_day(
    due: &[(&Standing<'_>, u64)],
    account: &str,
    day: i32,
    lake: &Lake,
    runtime: &tokio::runtime::Runtime,
    counted: &mut Counted,
) -> Result<()> {
    // Filters that see the same events are shown them together, each event parsed once.
    let mut by_region: BTreeMap<Option<&str>, Vec<&Standing<'_>>> = BTreeMap::new();
    for (standing, _) in due {
        by_region.entry(standing.event_region()).or_default().push(standing);
    }
    for (region, standings) in by_region {
        let mut counters: Vec<_> = standings.iter().map(|standing| standing.named.filter.counter()).collect();
        let mut see = |time, event: &str| {
            counted.events += 1;
            let json: Option<Value> = serde_json::from_str(event).ok();
            for counter in &mut counters {
                counter.see(time, event, json.as_ref());
            }
        };
        runtime.block_on(lake.trail_events(account, day, region, threads(), &mut see))?;
        for (standing, counter) in standings.into_iter().zip(counters) {
            let points = points(standing, account, counter.finish())?;
            let place = Place { account: account.to_owned(), region: standing.region().to_string(), day };
            let mut options = options();
            options.run = format!("{}-{}", options.run, standing.key);
            let put = lake.replace_points(&points, &standing.source, &[place], &options);
            counted.put += put.context("keeping the metrics")?;
        }
    }
    Ok(())
}

fn points(
    standing: &Standing<'_>,
    account: &str,
    counted: Vec<(yagura_rules::filter::Point, Vec<f64>)>,
) -> Result<Vec<Point>> {
    let mut known: BTreeSet<Arc<Series>> = BTreeSet::new();
    let mut points = Vec::new();
    for (point, values) in counted {
        let series = Series {
            account: account.into(),
            region: standing.region(),
            namespace: point.namespace,
            metric: point.metric,
            dimensions: point.dimensions,
            unit: point.unit.filter(|unit| unit != "None"),
        };
        let series = match known.get(&series) {
            Some(series) => Arc::clone(series),
            None => Arc::new(series),
        };
        known.insert(Arc::clone(&series));
        if known.len() > SERIES_MAX {
            bail!("the metric filter `{}` makes more than {SERIES_MAX} series of one day", standing.named.name);
        }
        let Some(statistics) = Statistics::of(&values) else { continue };
        let source = Arc::clone(&standing.source);
        points.push(Point { series, start: point.time, period_seconds: 60, statistics, source, known: crate::now() });
    }
    Ok(points)
}

fn read_state(path: &Path) -> Result<State> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("`{}` cannot be read", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

/// A short name for a long text.
pub(in crate::verbs) fn short_hash(text: &str) -> String {
    // FNV-1a: a name, no secret.
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// What a file is known by, wherever the program is started.
pub(in crate::verbs) fn identity(path: &str) -> String {
    if path.starts_with("built-in:") {
        return path.to_owned();
    }
    std::fs::canonicalize(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}
