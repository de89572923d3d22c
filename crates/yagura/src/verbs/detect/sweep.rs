//! Events of every table in the order of time, day by day, through the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use chrono::{DateTime, Utc};
use yagura_detect::{Context as Known, Engine, Input, Source, State};
use yagura_lake::hunt::Within;
use yagura_lake::{Form, Lake, News, Replay, Replayed, StoredFile};

/// The logs whose records are JSON objects, which rules ask by their own fields; others are asked by the columns of their tables.
const RECORDS: [&str; 3] = ["cloudtrail", "eksaudit", "waf"];

/// Events between two looks at whether to stop, and two words of progress.
const PROGRESS_EVENTS: u64 = 5_000;

/// What a sweep went through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Events judged.
    pub(crate) events: u64,
    /// Events that could not be read, with the first reason.
    pub(crate) unreadable: u64,
    /// The first reason.
    pub(crate) first_error: Option<String>,
    /// Whether it was stopped before the end.
    pub(crate) is_stopped: bool,
}

/// What came to each table that a rule of the engine reads, by its name.
pub(crate) struct Waiting {
    tables: Vec<(&'static Source, yagura_lake::source::Source, News)>,
}

impl Waiting {
    /// Looks for what came since the versions in `judged`.
    pub(crate) async fn look(engine: &Engine, lake: &Lake, judged: &BTreeMap<String, u64>) -> Result<Self> {
        let read: BTreeSet<&str> = engine.rules().iter().filter_map(|rule| Some(rule.source()?.name)).collect();
        let mut tables = Vec::new();
        for table in lake.sources() {
            let Some(source) = Source::named(&table.name).filter(|source| read.contains(source.name)) else { continue };
            if let Some(news) = lake.news(table, judged.get(&*table.name).copied()).await? {
                tables.push((source, table.clone(), news));
            }
        }
        Ok(Self { tables })
    }

    /// Whether what came cannot be told from what was judged before.
    pub(crate) fn is_lost(&self) -> bool {
        self.tables.iter().any(|(_, _, news)| news.is_lost)
    }

    /// The versions that it reaches up to.
    pub(crate) fn versions(&self) -> BTreeMap<String, u64> {
        self.tables.iter().map(|(source, _, news)| (source.name.to_owned(), news.version)).collect()
    }

    /// How many events there are.
    pub(crate) fn rows(&self, within: &Within) -> u64 {
        let files = self.tables.iter().flat_map(|(_, _, news)| &news.files);
        files.filter(|file| may_hold(file, within)).map(|file| file.rows).sum()
    }

    /// Judges it, as far as it is within the times and places.
    pub(crate) async fn sweep(
        &self,
        judge: &mut Judge<'_>,
        lake: &Lake,
        within: &Within,
        stop: &AtomicBool,
        shown: &mut dyn FnMut(u64),
    ) -> Result<Swept> {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut days: BTreeMap<i32, Vec<(usize, Vec<StoredFile>)>> = BTreeMap::new();
        for (number, (_, _, news)) in self.tables.iter().enumerate() {
            for file in news.files.iter().filter(|file| may_hold(file, within)) {
                let tables = days.entry(file.place.day).or_default();
                match tables.last_mut().filter(|(last, _)| *last == number) {
                    Some((_, files)) => files.push(file.clone()),
                    None => tables.push((number, vec![file.clone()])),
                }
            }
        }
        let mut swept = Swept::default();
        for tables in days.into_values() {
            let mut heads = Vec::new();
            for (number, files) in tables {
                let Some((source, table, _)) = self.tables.get(number) else { continue };
                let form = if RECORDS.contains(&source.name) { Form::Record } else { Form::Row };
                let mut replay = lake.replay(table, files, form, threads).await?;
                let next = replay.next().await?;
                heads.push(Head { source, replay, next });
            }
            while let Some(head) = heads.iter_mut().filter(|head| head.next.is_some()).min_by_key(|head| head.time()) {
                let Some(event) = head.next.take() else { break };
                if is_within(event.time, within) {
                    judge.event(head.source, &event, &mut swept);
                }
                head.next = head.replay.next().await?;
                if swept.events.is_multiple_of(PROGRESS_EVENTS) {
                    shown(swept.events);
                    if stop.load(Ordering::Relaxed) {
                        swept.is_stopped = true;
                        return Ok(swept);
                    }
                }
            }
        }
        shown(swept.events);
        Ok(swept)
    }
}

/// One table on its way.
struct Head {
    source: &'static Source,
    replay: Replay,
    next: Option<Replayed>,
}

impl Head {
    fn time(&self) -> i64 {
        self.next.as_ref().map_or(i64::MAX, |event| event.time)
    }
}

/// What judges.
pub(crate) struct Judge<'j> {
    /// The rules.
    pub(crate) engine: &'j Engine,
    /// What is remembered and was found.
    pub(crate) state: &'j mut State,
    /// What is known beside the events.
    pub(crate) known: Known<'j>,
}

impl Judge<'_> {
    fn event(&mut self, source: &'static Source, event: &Replayed, swept: &mut Swept) {
        let input = Input {
            source,
            text: &event.text,
            time: DateTime::<Utc>::from_timestamp_micros(event.time),
            id: None,
            account: event.account.as_deref(),
            region: event.region.as_deref(),
        };
        swept.events += 1;
        if let Err(error) = self.engine.process(self.state, &input, &self.known) {
            swept.unreadable += 1;
            swept.first_error.get_or_insert_with(|| error.to_string());
        }
    }
}

/// Whether a file may hold events within the times and places.
fn may_hold(file: &StoredFile, within: &Within) -> bool {
    let is_among = |chosen: &[String], name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    within.since.is_none_or(|since| file.span.1 >= since)
        && within.until.is_none_or(|until| file.span.0 < until)
        && is_among(&within.accounts, &file.place.account)
        && is_among(&within.regions, &file.place.region)
}

fn is_within(time: i64, within: &Within) -> bool {
    within.since.is_none_or(|since| time >= since) && within.until.is_none_or(|until| time < until)
}
