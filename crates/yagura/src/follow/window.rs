//! Listing the part of a bucket in which objects of certain days lie.
//!
//! AWS lays logs out by day: `…/2026/03/10/…`, `…/year=2026/month=03/day=10/…`, `…/eventDay=20260310/…`. Prefixes of
//! other days are not listed. Where the layout says no day, everything is listed; a long folder of names that begin with
//! a time, as S3's access logs have, from that time on.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use futures::{StreamExt, stream};
use object_store::path::Path as Key;
use object_store::{Error, ObjectMeta, ObjectStore};

/// Listings that wait for an answer at the same time: S3 allows thousands a second for each prefix.
const LISTINGS_AT_ONCE: usize = 16;

/// Objects of one folder below which it is not worth remembering how they are named: they are one page.
const FOLDER_LONG: usize = 1_000;

/// How far the days go beyond now: clocks differ.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// The days whose objects are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    /// The first; all of them where there is none.
    first: Option<DateTime<Utc>>,
    last: NaiveDate,
    /// Whether an object without a day counts by the time at which it was written.
    by_written: bool,
}

impl Days {
    /// Those of the last `window` before `now`. Objects without a day all count.
    pub(crate) fn window(now: DateTime<Utc>, window: TimeDelta) -> Self {
        let first = now.checked_sub_signed(window);
        Self { first, last: (now + AHEAD).date_naive(), by_written: false }
    }

    /// All since a time, or all at all. Objects without a day count if they were written since.
    pub(crate) fn since(since: Option<DateTime<Utc>>) -> Self {
        Self { first: since, last: NaiveDate::MAX, by_written: true }
    }

    fn meets(&self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> bool {
        let first = self.first.map(|first| first.date_naive());
        // A day that does not exist is none to leave out by.
        let (Some(from), Some(to)) = (from, to) else { return true };
        first.is_none_or(|first| first <= to) && from <= self.last
    }

    fn meets_year(&self, year: i32) -> bool {
        self.meets(NaiveDate::from_ymd_opt(year, 1, 1), NaiveDate::from_ymd_opt(year, 12, 31))
    }

    fn meets_month(&self, year: i32, month: u32) -> bool {
        let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let last = NaiveDate::from_ymd_opt(next.0, next.1, 1).and_then(|day| day.pred_opt());
        self.meets(NaiveDate::from_ymd_opt(year, month, 1), last)
    }

    fn meets_day(&self, day: NaiveDate) -> bool {
        self.meets(Some(day), Some(day))
    }
}

/// How much of a day the parts of a path say so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    Nothing,
    Year(i32),
    Month(i32, u32),
    Day(NaiveDate),
    /// A year that is not followed by a month: it was none.
    Strange,
}

impl Dated {
    /// With one more part of the path.
    fn then(self, part: &str) -> Self {
        let (key, value) = part.split_once('=').map_or((None, part), |(key, value)| (Some(key), value));
        let number = |length: usize, name: &str| {
            let fits = value.len() == length && value.bytes().all(|byte| byte.is_ascii_digit());
            (fits && key.is_none_or(|key| key.eq_ignore_ascii_case(name))).then(|| value.parse::<u32>().ok()).flatten()
        };
        match self {
            Self::Nothing => {
                if let Some(day) = whole_day(value) {
                    return Self::Day(day);
                }
                // S3 opened in 2006; AWS's own ids of four digits there are none.
                let year = number(4, "year").filter(|year| (2006..2200).contains(year));
                year.and_then(|year| i32::try_from(year).ok()).map_or(Self::Nothing, Self::Year)
            }
            Self::Year(year) => {
                let month = number(2, "month").filter(|month| (1..=12).contains(month));
                month.map_or(Self::Strange, |month| Self::Month(year, month))
            }
            Self::Month(year, month) => {
                let day = number(2, "day").and_then(|day| NaiveDate::from_ymd_opt(year, month, day));
                day.map_or(Self::Strange, Self::Day)
            }
            Self::Day(_) | Self::Strange => self,
        }
    }

    fn meets(self, days: &Days) -> bool {
        match self {
            Self::Nothing | Self::Strange => true,
            Self::Year(year) => days.meets_year(year),
            Self::Month(year, month) => days.meets_month(year, month),
            Self::Day(day) => days.meets_day(day),
        }
    }
}

/// `2026-03-10` or `20260310`.
fn whole_day(text: &str) -> Option<NaiveDate> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match (text.len(), digits) {
        (8, 8) => NaiveDate::parse_from_str(text, "%Y%m%d").ok(),
        (10, 8) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
        _ => None,
    }
    .filter(|day| (2006..2200).contains(&day.year()))
}

/// A prefix to list, and for which days.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The prefix.
    pub(crate) prefix: Key,
    days: Days,
    dated: Dated,
}

impl Job {
    /// The prefix, for these days.
    pub(crate) fn new(prefix: Key, days: Days) -> Self {
        let dated = prefix.parts().fold(Dated::Nothing, |dated, part| dated.then(part.as_ref()));
        Self { prefix, days, dated }
    }
}

/// What a listing gave.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The objects.
    pub(crate) found: Vec<ObjectMeta>,
    /// What could not be listed to its end, and why. What was found of it before stands in `found`.
    pub(crate) failed: Vec<(Job, Error)>,
}

/// How long folders without days are named: what stands before the time in the name of every object.
#[derive(Debug, Default)]
pub(crate) struct Folders(HashMap<Key, (String, NameDate)>);

/// How names have their day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameDate {
    /// `2026-03-10-…`
    Dashed,
    /// `20260310T…`
    Compact,
}

/// Lists what the jobs name. A prefix of which `rests` holds is left out.
pub(crate) async fn list(
    store: &Arc<dyn ObjectStore>,
    jobs: Vec<Job>,
    folders: &mut Folders,
    rests: impl Fn(&Key) -> bool,
) -> Listing {
    let mut listing = Listing::default();
    let mut jobs = jobs;
    while !jobs.is_empty() {
        let tasks = jobs.drain(..).map(|job| {
            let from = folders.0.get(&job.prefix).cloned();
            async move {
                let step = one(store.as_ref(), &job, from).await;
                (job, step)
            }
        });
        let mut running = stream::iter(tasks.collect::<Vec<_>>()).buffer_unordered(LISTINGS_AT_ONCE);
        while let Some((job, step)) = running.next().await {
            if let Some(error) = step.failed {
                folders.0.remove(&job.prefix);
                listing.failed.push((job.clone(), error));
            }
            if let Some(named) = step.named {
                folders.0.insert(job.prefix.clone(), named);
            }
            listing.found.extend(step.found);
            jobs.extend(step.below.into_iter().filter(|below| !rests(&below.prefix)));
        }
    }
    listing
}

/// What one listing gave.
#[derive(Default)]
struct Step {
    found: Vec<ObjectMeta>,
    below: Vec<Job>,
    named: Option<(String, NameDate)>,
    failed: Option<Error>,
}

async fn one(store: &dyn ObjectStore, job: &Job, from: Option<(String, NameDate)>) -> Step {
    let is_dateless = matches!(job.dated, Dated::Nothing | Dated::Strange);
    let written_since = job.days.first.filter(|_| job.days.by_written && is_dateless);
    let counts = |meta: &ObjectMeta| meta.size > 0 && written_since.is_none_or(|first| meta.last_modified >= first);
    // Where every day counts, the walk ends where the days begin: there is nothing below to leave out.
    let is_all = job.days.first.is_none() && job.dated != Dated::Nothing;
    let offset = from.and_then(|(before, how)| offset(&job.prefix, &before, how, &job.days));
    if is_all || offset.is_some() || matches!(job.dated, Dated::Day(_) | Dated::Strange) {
        let mut listed = match &offset {
            Some(offset) => store.list_with_offset(Some(&job.prefix), offset),
            None => store.list(Some(&job.prefix)),
        };
        let mut step = Step::default();
        while let Some(meta) = listed.next().await {
            match meta {
                Ok(meta) => step.found.extend(counts(&meta).then_some(meta)),
                Err(error) => {
                    step.failed = Some(error);
                    break;
                }
            }
        }
        return step;
    }
    let level = match store.list_with_delimiter(Some(&job.prefix)).await {
        Ok(level) => level,
        Err(error) => return Step { failed: Some(error), ..Step::default() },
    };
    let below: Vec<Job> = level
        .common_prefixes
        .into_iter()
        .filter_map(|prefix| {
            let dated = job.dated.then(prefix.filename()?);
            dated.meets(&job.days).then_some(Job { prefix, days: job.days, dated })
        })
        .collect();
    let is_folder = below.is_empty() && level.objects.len() > FOLDER_LONG;
    let named = is_folder.then(|| naming(level.objects.iter().filter_map(|meta| meta.location.filename()))).flatten();
    Step { found: level.objects.into_iter().filter(counts).collect(), below, named, failed: None }
}

/// Where to begin in a folder whose names have their day.
fn offset(folder: &Key, before: &str, how: NameDate, days: &Days) -> Option<Key> {
    // What is asked for by its time of writing may have any name.
    let first = days.first.filter(|_| !days.by_written)?.date_naive();
    let day = match how {
        NameDate::Dashed => first.format("%Y-%m-%d"),
        NameDate::Compact => first.format("%Y%m%d"),
    };
    Some(folder.clone().join(format!("{before}{day}")))
}

/// What stands before the day in all of these names; none if it is not the same in all, or one has no day.
fn naming<'a>(names: impl Iterator<Item = &'a str>) -> Option<(String, NameDate)> {
    let mut all = None;
    for name in names {
        let (at, how) = day_in(name)?;
        let this = (name.get(..at)?, how);
        if *all.get_or_insert(this) != this {
            return None;
        }
    }
    all.map(|(before, how)| (before.to_owned(), how))
}

/// Where the first day in a name begins.
fn day_in(name: &str) -> Option<(usize, NameDate)> {
    name.char_indices().find_map(|(at, _)| {
        // Within a longer number is no day.
        if name.get(..at)?.ends_with(|before: char| before.is_ascii_digit()) {
            return None;
        }
        let dashed = name.get(at..at + 10).and_then(whole_day).map(|_| NameDate::Dashed);
        let compact = || {
            let is_time = name.get(at + 8..at + 9) == Some("T");
            name.get(at..at + 8).filter(|_| is_time).and_then(whole_day).map(|_| NameDate::Compact)
        };
        dashed.or_else(compact).map(|how| (at, how))
    })
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-02T00:30:00Z".parse().unwrap()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    async fn bucket(keys: impl IntoIterator<Item = String>) -> Arc<dyn ObjectStore> {
        let store = InMemory::new();
        for key in keys {
            store.put(&Key::parse(key).unwrap(), PutPayload::from_static(b"x")).await.unwrap();
        }
        Arc::new(store)
    }

    async fn listed(store: &Arc<dyn ObjectStore>, root: &str, days: Days, folders: &mut Folders) -> Vec<String> {
        let jobs = vec![Job::new(Key::parse(root).unwrap(), days)];
        let listing = list(store, jobs, folders, |_| false).await;
        assert!(listing.failed.is_empty());
        let mut found: Vec<String> = listing.found.into_iter().map(|meta| meta.location.to_string()).collect();
        found.sort();
        found
    }

    /// Which of the keys, marked `+`, lie in the 48 hours before the second of March, half past midnight.
    fn check(root: &str, keys: &[&str]) {
        runtime().block_on(async {
            let store = bucket(keys.iter().map(|key| key[1..].to_owned())).await;
            let days = Days::window(now(), TimeDelta::hours(48));
            let found = listed(&store, root, days, &mut Folders::default()).await;
            let mut expected: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix('+')).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{root}");
            let mut all: Vec<&str> = keys.iter().map(|key| &key[1..]).collect();
            all.sort_unstable();
            assert_eq!(listed(&store, root, Days::since(None), &mut Folders::default()).await, all, "{root}");
        });
    }

    #[test]
    fn only_the_days_of_the_window_are_listed() {
        let trail = [
            "-AWSLogs/111122223333/CloudTrail/eu-west-1/2025/03/01/a.json.gz",
            "-AWSLogs/111122223333/CloudTrail/eu-west-1/2026/02/27/a.json.gz",
            "+AWSLogs/111122223333/CloudTrail/eu-west-1/2026/02/28/a.json.gz",
            "+AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/a.json.gz",
            "+AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/b.json.gz",
            "-AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/03/b.json.gz",
            "+AWSLogs/444455556666/CloudTrail/us-east-1/2026/03/01/c.json.gz",
            "+AWSLogs/444455556666/CloudTrail-Digest/us-east-1/2026/03/01/c.json.gz",
            "+AWSLogs/o-abcdefghij/777788889999/CloudTrail/us-east-1/2026/03/02/d.json.gz",
            "-AWSLogs/o-abcdefghij/777788889999/CloudTrail/us-east-1/2026/01/02/d.json.gz",
        ];
        check("", &trail);
        check("AWSLogs", &trail);
        check("AWSLogs/111122223333/CloudTrail/eu-west-1", &trail[..6]);
        check("AWSLogs/111122223333/CloudTrail/eu-west-1/2026", &trail[1..6]);
        check("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02", &trail[4..5]);
    }

    #[test]
    fn other_layouts_have_days_too() {
        let hive = "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1";
        check(
            "",
            &[
                &format!("+{hive}/year=2026/month=03/day=01/hour=05/a.gz"),
                &format!("-{hive}/year=2026/month=02/day=27/a.gz"),
                &format!("-{hive}/year=2024/month=03/day=01/a.gz"),
            ],
        );
        check("lake", &["+lake/region=eu-west-1/eventDay=20260301/a", "-lake/region=eu-west-1/eventDay=20260201/a"]);
        check("lake", &["+lake/dt=2026-03-01/a", "-lake/dt=2026-02-01/a"]);
        check("waf", &["+waf/2026/03/02/00/a", "-waf/2026/02/02/00/a"]);
        check("alb", &["+alb/AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2026/03/01/a.log.gz"]);
    }

    #[test]
    fn where_no_day_is_said_everything_is_listed() {
        check("", &["+a.json", "+b/c.json", "+b/2026/readme", "+b/2026/99/x", "+b/2026/02/31/x", "+b/0007/x"]);
        check("", &["+1234/x", "+20261301/x", "+year=26/x", "+month=03/x"]);
    }

    #[test]
    fn a_long_folder_is_listed_from_the_window_on() {
        runtime().block_on(async {
            let name = |day: u64, number: u64| format!("access/log2026-02-{day:02}-00-00-00-{number:04}");
            let store = bucket((0..1_200).map(|number| name(1 + number % 28, number))).await;
            let days = Days::window(now(), TimeDelta::hours(48));
            let mut folders = Folders::default();
            assert_eq!(listed(&store, "access", days, &mut folders).await.len(), 1_200);
            let again = listed(&store, "access", days, &mut folders).await;
            assert!(!again.is_empty() && again.iter().all(|key| key.starts_with("access/log2026-02-28")), "{again:?}");
            let all = listed(&store, "access", Days::since(None), &mut folders).await;
            assert_eq!(all.len(), 1_200);
        });
    }

    #[test]
    fn names_that_do_not_sort_by_time_are_not_skipped() {
        let of = |names: &[&str]| naming(names.iter().copied());
        assert_eq!(
            of(&["E1.2026-03-01-05.ab.gz", "E1.2026-03-02-05.cd.gz"]),
            Some(("E1.".to_owned(), NameDate::Dashed))
        );
        assert_eq!(of(&["a_20260301T0000Z_x", "a_20260302T0000Z_y"]), Some(("a_".to_owned(), NameDate::Compact)));
        assert_eq!(of(&["E1.2026-03-01-05.ab.gz", "E2.2026-03-02-05.cd.gz"]), None);
        assert_eq!(of(&["E1.2026-03-01-05.ab.gz", "readme"]), None);
        assert_eq!(of(&["12026-03-01"]), None);
        assert_eq!(of(&["櫓2026-03-01"]), Some(("櫓".to_owned(), NameDate::Dashed)));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_rests_is_left_out() {
        runtime().block_on(async {
            let store = bucket(["a/2026/03/01/x", "b/2026/03/01/x"].map(str::to_owned)).await;
            let jobs = vec![Job::new(Key::default(), Days::since(None))];
            let listing = list(&store, jobs, &mut Folders::default(), |key| key.as_ref() == "a").await;
            assert_eq!(listing.found.len(), 1);
        });
    }

    proptest! {
        /// The window against every object looked at by itself.
        #[test]
        fn the_walk_finds_what_the_slow_way_finds(
            places in prop::collection::vec((0_u32..3, 0_i64..800, any::<bool>()), 0..40),
            hours in 0_i64..2_000,
        ) {
            let key = |(region, ago, hive): (u32, i64, bool)| {
                let day = (now() - TimeDelta::hours(ago)).date_naive();
                let form = if hive { "year=%Y/month=%m/day=%d" } else { "%Y/%m/%d" };
                (day, format!("AWSLogs/r-{region}-{hive}/{}/{ago}.gz", day.format(form)))
            };
            let all: Vec<(NaiveDate, String)> = places.into_iter().map(key).collect();
            let first = (now() - TimeDelta::hours(hours)).date_naive();
            let mut expected: Vec<String> =
                all.iter().filter(|(day, _)| *day >= first).map(|(_, key)| key.clone()).collect();
            expected.sort();
            expected.dedup();
            let found = runtime().block_on(async {
                let store = bucket(all.iter().map(|(_, key)| key.clone())).await;
                listed(&store, "AWSLogs", Days::window(now(), TimeDelta::hours(hours)), &mut Folders::default()).await
            });
            prop_assert_eq!(found, expected);
        }
    }
}
