//! `yagura metrics fetch`: from CloudWatch into the lake, once or on a schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use serde_json::{Value, json};
use yagura_collect::metrics::{self as cloudwatch, MetricSet, Query, SetMetric, Wanted};
use yagura_collect::{Failure, collector};
use yagura_lake::Lake;
use yagura_lake::metrics::Choice;
use yagura_model::metric::{Point, Series};
use yagura_model::{AccountId, Lang, Region};
use yagura_rules::alarm::Statistic;

use super::{is_for_people, keep, lake, pairs, put_json, put_sentence, seconds, threads};
use crate::cli::{Common, MetricsFetchArgs};
use crate::config::Config;
use crate::pipeline::{self, Live};
use crate::words::Words;
use crate::{Exit, Interrupted, Usage, content, errors, print};

/// The resolution where nothing says another: what every metric of AWS has.
const PERIOD_SECONDS: u32 = 300;

/// How far back the first fetch of a metric reaches.
const FIRST_SPAN: TimeDelta = TimeDelta::hours(3);

/// How far what is kept already is fetched again: samples that came late are in it.
const OVERLAP: TimeDelta = TimeDelta::minutes(15);

/// Questions that wait for answers at the same time, beside the client's own limits.
const AT_ONCE: usize = 8;

/// Failures that are told of by themselves; more of them have the same cause, most often.
const FAILURES_SHOWN: usize = 12;

/// The shortest interval of a schedule.
const EVERY_SECONDS_MIN: u32 = 10;

/// Fetches, or lists the ready-made sets.
pub(super) fn run(common: &Common, args: &MetricsFetchArgs, config: &Config, words: &Words) -> Result<Exit> {
    if args.list_sets {
        return list_sets(common, words);
    }
    let wanted = wanted(args)?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let Some(every) = args.every.as_deref().map(seconds).transpose()? else {
        return once(common, args, &wanted, &runtime, &lake, config, words);
    };
    let every = Duration::from_secs(u64::from(every.max(EVERY_SECONDS_MIN)));
    // One listener for the whole run: a signal between two others would reach neither.
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
    });
    loop {
        // Whatever goes wrong in one round may be right in the next; it is said, with the time.
        if let Err(error) = once(common, args, &wanted, &runtime, &lake, config, words) {
            if error.is::<Interrupted>() || error.is::<Usage>() {
                return Err(error);
            }
            let time = crate::now().format("%Y-%m-%dT%H:%M:%SZ");
            eprintln!("{time} {} {}", words.get("error.prefix"), errors::sentence(&error, words.lang()));
        }
        let goes_on = runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(every) => true,
                stopped = stopped.wait_for(|is_stopped| *is_stopped) => stopped.is_err(),
            }
        });
        if !goes_on {
            return Err(Interrupted(words.get("metrics.stopped").to_owned()).into());
        }
    }
}

fn list_sets(common: &Common, words: &Words) -> Result<Exit> {
    let rows: Vec<Value> = content::metric_sets()?
        .iter()
        .map(|set| {
            let title = if words.lang() == Lang::Ja { &set.ja } else { &set.en };
            let metrics: Vec<&String> = set.wanted.metrics.keys().collect();
            json!({ "set": set.name, "namespace": set.wanted.namespace, "title": title, "metrics": metrics,
                    "period": set.wanted.period_seconds })
        })
        .collect();
    let head = ["set", "Namespace", "title"].map(|key| format!("metrics.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, &rows, |row| {
        ["set", "namespace", "title"].map(|key| super::cell(row.get(key))).to_vec()
    })?;
    Ok(Exit::Clean)
}

/// What the flags ask for.
fn wanted(args: &MetricsFetchArgs) -> Result<Vec<Wanted>> {
    let period = args.period.as_deref().map(seconds).transpose()?;
    let dimensions = pairs(&args.dimension)?;
    let extended: BTreeSet<String> = args.statistic.iter().cloned().collect();
    if let Some(unknown) = extended.iter().find(|name| Statistic::extended(name).is_none()) {
        let text = format!("`{unknown}` is no statistic to ask for beside the basic ones: give `p99` or `tm90`");
        return Err(Usage(text).into());
    }
    if let Some(namespace) = &args.namespace {
        let metrics = args.metric.iter().map(|name| (name.clone(), SetMetric::default())).collect();
        let period_seconds = period.unwrap_or(PERIOD_SECONDS);
        let (namespace, dimension_sets, unit) = (namespace.clone(), Vec::new(), args.unit.clone());
        return Ok(vec![Wanted { namespace, metrics, dimension_sets, dimensions, period_seconds, unit, extended }]);
    }
    let sets = content::metric_sets()?;
    if let Some(unknown) = args.set.iter().find(|name| !sets.iter().any(|set| set.name == **name)) {
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        let text = format!("there is no set of metrics `{unknown}`; there are: {}", names.join(", "));
        return Err(Usage(text).into());
    }
    let chosen = sets.into_iter().filter(|set| args.set.is_empty() || args.set.contains(&set.name));
    let of_set = |set: MetricSet| {
        let mut wanted = set.wanted;
        if let Some(period) = period {
            wanted.period_seconds = period;
            wanted.metrics.values_mut().for_each(|metric| metric.period_seconds = None);
        }
        Wanted { dimensions: dimensions.clone(), extended: extended.clone(), ..wanted }
    };
    Ok(chosen.map(of_set).collect())
}

/// One round: ask, keep, tell.
fn once(
    common: &Common,
    args: &MetricsFetchArgs,
    wanted: &[Wanted],
    runtime: &tokio::runtime::Runtime,
    lake: &Lake,
    config: &Config,
    words: &Words,
) -> Result<Exit> {
    let now = crate::now();
    let since = args.since.as_deref().map(|text| print::time(text, now)).transpose()?;
    let held = runtime.block_on(kept_until(lake, since))?;
    let (points, failures) = runtime.block_on(async {
        tokio::select! {
            fetched = fetch(wanted, since, &held, now, config, words) => fetched,
            _ = tokio::signal::ctrl_c() => Err(anyhow!(Interrupted(words.get("error.interrupted").to_owned()))),
        }
    })?;
    let put = keep(lake, &points).context("keeping the metrics")?;
    let said: BTreeSet<String> = failures.iter().map(|failure| failure.look.to_string()).collect();
    if is_for_people(common) {
        let time = if args.every.is_some() { format!("{} ", now.format("%Y-%m-%dT%H:%M:%SZ")) } else { String::new() };
        println!("{time}{}", put_sentence(&put, &points, words));
    } else {
        print::document(common, &json!({ "time": now, "points": put_json(&put), "failures": said }))?;
    }
    for failure in said.iter().take(FAILURES_SHOWN) {
        eprintln!("{}", words.fill("metrics.not_fetched", &[("why", &errors::translated(failure, words.lang()))]));
    }
    if said.len() > FAILURES_SHOWN {
        eprintln!("{}", words.fill("metrics.not_fetched_more", &[("count", &(said.len() - FAILURES_SHOWN))]));
    }
    if points.is_empty() && failures.is_empty() && is_for_people(common) {
        println!("{}", words.get("metrics.nothing_there"));
    }
    Ok(if args.require_complete && !failures.is_empty() { Exit::Incomplete } else { Exit::Clean })
}

/// The last point that is kept of each series in a resolution, where a fetch is to go on from it.
type Kept = BTreeMap<(Series, u32), DateTime<Utc>>;

async fn kept_until(lake: &Lake, since: Option<DateTime<Utc>>) -> Result<Kept> {
    if since.is_some() {
        return Ok(Kept::new());
    }
    let held = lake.series(&Choice::default(), threads()).await?;
    Ok(held.into_iter().map(|held| ((held.series, held.period_seconds), held.last)).collect())
}

async fn fetch(
    wanted: &[Wanted],
    since: Option<DateTime<Utc>>,
    held: &Kept,
    now: DateTime<Utc>,
    config: &Config,
    words: &Words,
) -> Result<(Vec<Point>, Vec<Failure>)> {
    let live = Live::connect(config, words).await?;
    let discovered = collector::discover(live.api(), &Region::from(live.region().as_str())).await?;
    let regions = pipeline::chosen_regions(config, &live, &discovered)?;
    let asked = regions.iter().flat_map(|region| wanted.iter().map(move |wanted| (region, wanted)));
    let rounds = asked.map(|(region, wanted)| of_region(&live, &discovered.account, region, wanted, since, held, now));
    let mut rounds = futures::stream::iter(rounds.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
    let (mut points, mut failures) = (Vec::new(), Vec::new());
    while let Some((some, failed)) = rounds.next().await {
        points.extend(some);
        failures.extend(failed);
    }
    Ok((points, failures))
}

async fn of_region(
    live: &Live,
    account: &AccountId,
    region: &Region,
    wanted: &Wanted,
    since: Option<DateTime<Utc>>,
    held: &Kept,
    now: DateTime<Utc>,
) -> (Vec<Point>, Vec<Failure>) {
    let queries = match cloudwatch::list(live.api(), account, region, wanted).await {
        Ok(queries) => queries,
        Err(failure) => return (Vec::new(), vec![failure]),
    };
    // Series that go on from about the same time are asked together.
    let mut from: BTreeMap<DateTime<Utc>, Vec<Query>> = BTreeMap::new();
    for query in queries {
        let last = held.get(&((*query.series).clone(), query.period_seconds)).copied();
        from.entry(beginning(since, last, query.period_seconds, now)).or_default().push(query);
    }
    let (mut points, mut failures) = (Vec::new(), Vec::new());
    for (start, queries) in from {
        tracing::debug!(%region, namespace = wanted.namespace, series = queries.len(), %start, "fetching metrics");
        let fetched = cloudwatch::fetch(live.api(), region, &queries, (start, now), now).await;
        points.extend(fetched.points);
        failures.extend(fetched.failures);
    }
    (points, failures)
}

/// Where the fetch of a series begins.
fn beginning(
    since: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    period_seconds: u32,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let period = TimeDelta::seconds(i64::from(period_seconds));
    let start = match (since, last) {
        (Some(since), _) => since,
        (None, Some(last)) => last - OVERLAP.max(period),
        (None, None) => now - FIRST_SPAN.max(period * 3),
    };
    start.min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_goes_on_from_what_is_kept() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = time("2026-11-02T12:00:00Z");
        for (since, last, period, expected) in [
            (None, None, 300, "2026-11-02T09:00:00Z"),
            (None, None, 86_400, "2026-10-30T12:00:00Z"),
            (None, Some("2026-11-02T11:50:00Z"), 300, "2026-11-02T11:35:00Z"),
            (None, Some("2026-11-01T00:00:00Z"), 86_400, "2026-10-31T00:00:00Z"),
            (Some("2026-11-01T00:00:00Z"), Some("2026-11-02T11:50:00Z"), 300, "2026-11-01T00:00:00Z"),
            (Some("2027-01-01T00:00:00Z"), None, 300, "2026-11-02T12:00:00Z"),
        ] {
            assert_eq!(beginning(since.map(time), last.map(time), period, now), time(expected));
        }
        assert_eq!(super::super::duration_text(PERIOD_SECONDS), "5m");
    }

    #[test]
    fn the_ready_made_sets_can_be_used() {
        let sets = content::metric_sets().unwrap();
        let units = ["Percent", "Count", "Bytes", "Seconds", "Milliseconds"];
        for set in &sets {
            assert!(!set.wanted.dimension_sets.is_empty() && set.en != set.ja, "{}", set.name);
            for (name, metric) in &set.wanted.metrics {
                let unit = metric.unit.as_deref().unwrap_or_default();
                assert!(units.contains(&unit), "{}: `{name}` has the unit `{unit}`", set.name);
                assert!(metric.extended.iter().all(|name| Statistic::extended(name).is_some()), "{}", set.name);
            }
        }
        assert!(sets.iter().any(|set| set.name == "ec2"));
    }
}
