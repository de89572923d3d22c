//! `yagura logs follow`: take logs in as they come.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use yagura_aws::client::{ClientOptions, Limits, Queue, QueueClient};
use yagura_aws::model::Models;

use super::logs;
use crate::cli::{Common, Format, LogsFollowArgs};
use crate::config::Config;
use crate::errors;
use crate::follow::{Consumer, Follower, Kind, Plan, Round, Schedule, Stop};
use crate::objects::Places;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// How often the window is listed beside a queue, at least: notifications get lost, and this finds what they were of.
const LISTING_BESIDE_QUEUE: TimeDelta = TimeDelta::hours(1);

/// The longest length of time that is taken.
const SPAN_MAX: TimeDelta = TimeDelta::days(366);

/// Takes logs in until it is told to end.
pub(super) fn run(common: &Common, args: &LogsFollowArgs, config: &Config, words: &Words) -> Result<Exit> {
    if let Some(other) = common.output.filter(|form| !matches!(form, Format::Table | Format::Ndjson)) {
        return Err(print::unfit(other).into());
    }
    if let Some(place) = args.places.iter().find(|place| !place.starts_with("s3://")) {
        return Err(Usage(words.fill("follow.only_buckets", &[("place", place)])).into());
    }
    let plan = Plan {
        every: span(&args.every, words)?,
        window: span(&args.window, words)?,
        since: args.since.as_deref().map(|since| print::time(since, crate::now())).transpose()?,
    };
    let runtime = pipeline::runtime()?;
    let places = Places::open(&args.places, config, words, &runtime)?;
    let consumer = args.queue.as_deref().map(|url| consumer(url, &places, words)).transpose()?;
    let lake = logs::lake(config, &runtime)?;
    let stop = Stop::on_signals(&runtime);
    let told = stop.clone();
    let mut follower = Follower::new(&places, &lake, &runtime, plan, stop);
    if !common.quiet {
        eprintln!("{}", words.fill("follow.begun", &[("places", &args.places.join(" "))]));
    }
    let beside = if consumer.is_some() { plan.every.max(LISTING_BESIDE_QUEUE) } else { plan.every };
    let mut schedule = Schedule::new(beside, crate::now());
    while !told.is_told() {
        if let Some(kind) = schedule.due(crate::now()) {
            let round = follower.list(kind);
            schedule.done(kind, round.is_whole, crate::now());
            say(common, &round, words)?;
            continue;
        }
        match &consumer {
            Some(consumer) => say(common, &follower.consume(consumer, crate::now() + plan.every), words)?,
            None => follower.wait(schedule.next()),
        }
    }
    if !common.quiet {
        eprintln!("{}", words.get("follow.ended"));
    }
    Ok(Exit::Clean)
}

/// What reads the queue of that URL.
fn consumer(url: &str, places: &Places, words: &Words) -> Result<Consumer> {
    let bad = || Usage(words.fill("follow.bad_queue", &[("url", &url)]));
    let session = places.session().ok_or_else(bad)?;
    let queue = Queue::parse(url, session.region().unwrap_or("us-east-1")).ok_or_else(bad)?;
    let models = Models::embedded().context("the API models cannot be read")?;
    let options = ClientOptions { limits: Limits::default(), retry: pipeline::retry_policy()?, seed: pipeline::seed() };
    let client = QueueClient::new(models, Arc::clone(session), options).context("the client cannot be made")?;
    Ok(Consumer { client, queue })
}

/// A length of time: `30s`, `5m`, `48h`, `7d`.
fn span(text: &str, words: &Words) -> Result<TimeDelta> {
    let parsed = text.char_indices().last().and_then(|(at, unit)| {
        let number: i64 = text.get(..at)?.parse().ok()?;
        match unit {
            's' => TimeDelta::try_seconds(number),
            'm' => TimeDelta::try_minutes(number),
            'h' => TimeDelta::try_hours(number),
            'd' => TimeDelta::try_days(number),
            _ => None,
        }
    });
    let fits = parsed.filter(|span| *span > TimeDelta::zero() && *span <= SPAN_MAX);
    fits.ok_or_else(|| Usage(words.fill("follow.bad_span", &[("text", &text)])).into())
}

/// Says what a round brought, if it brought anything.
fn say(common: &Common, round: &Round, words: &Words) -> Result<()> {
    if !round.says_something() {
        return Ok(());
    }
    let now = crate::now();
    if common.output == Some(Format::Ndjson) || common.query.is_some() {
        let row = row(round, now, words);
        let row = common.query.as_deref().map_or(Ok(row.clone()), |query| print::queried(query, &row))?;
        writeln!(io::stdout().lock(), "{row}")?;
        return Ok(());
    }
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let sources = || round.added.sources.values();
    let objects = sources().map(|source| source.objects).sum::<u64>() + round.added.aside;
    let events: u64 = sources().map(|source| source.rows).sum();
    let duplicates: u64 = sources().map(|source| source.duplicates).sum();
    let mut out = io::stdout().lock();
    if let Some(lag) = lag(round, now).filter(|_| events + duplicates > 0) {
        let lag = length(lag, words);
        let values: [(&str, &dyn std::fmt::Display); 5] =
            [("time", &time), ("events", &events), ("duplicates", &duplicates), ("objects", &objects), ("lag", &lag)];
        writeln!(out, "{}", words.fill("follow.brought", &values))?;
    } else if objects > 0 {
        writeln!(out, "{}", words.fill("follow.brought_none", &[("time", &time), ("objects", &objects)]))?;
    }
    if round.removed > 0 {
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("time", &time), ("removed", &round.removed), ("messages", &round.messages)];
        writeln!(out, "{}", words.fill("follow.removed", &values))?;
    }
    out.flush()?;
    for skipped in round.added.skipped.iter().take(logs::SKIPPED_SHOWN_MAX) {
        let object = match skipped.line {
            Some(line) => words.fill("logs.skipped_line", &[("object", &skipped.uri), ("line", &line)]),
            None => skipped.uri.clone(),
        };
        let reason = logs::reason(skipped, words);
        let values: [(&str, &dyn std::fmt::Display); 3] = [("time", &time), ("object", &object), ("reason", &reason)];
        eprintln!("{}", words.fill("follow.skipped", &values));
    }
    let more = round.added.skipped_count.saturating_sub(logs::SKIPPED_SHOWN_MAX as u64);
    if more > 0 {
        eprintln!("{time}  {}", words.fill("logs.skipped_more", &[("count", &more)]));
    }
    for (place, error) in &round.failed {
        let error = errors::sentence(error, words.lang());
        eprintln!("{}", words.fill("follow.failed", &[("time", &time), ("place", place), ("error", &error)]));
    }
    Ok(())
}

/// The round as one JSON object.
fn row(round: &Round, now: DateTime<Utc>, words: &Words) -> Value {
    let sum = |of: fn(&yagura_lake::AddedSource) -> u64| round.added.sources.values().map(of).sum::<u64>();
    let failed: Vec<Value> = round
        .failed
        .iter()
        .map(|(place, error)| json!({ "place": place, "error": errors::sentence(error, words.lang()) }))
        .collect();
    let document = logs::document(&round.added, 0.0, words);
    let kind = match round.kind {
        Kind::Everything => "everything",
        Kind::Window => "window",
        Kind::Queue => "queue",
    };
    json!({
        "time": now.to_rfc3339_opts(SecondsFormat::Millis, true),
        "kind": kind,
        "listed": round.listed,
        "objects": sum(|source| source.objects) + round.added.aside,
        "events": sum(|source| source.rows),
        "duplicates": sum(|source| source.duplicates),
        "known_objects": sum(|source| source.known),
        "lag_seconds": lag(round, now).map(|lag| lag.num_seconds()),
        "sources": document.get("sources"),
        "skipped": document.get("skipped"),
        "skipped_list": document.get("skipped_list"),
        "messages": round.messages,
        "messages_removed": round.removed,
        "failed": failed,
    })
}

/// How long ago the newest event was that the round read.
fn lag(round: &Round, now: DateTime<Utc>) -> Option<TimeDelta> {
    let newest = round.added.sources.values().filter_map(|source| source.span).map(|(_, last)| last).max()?;
    Some(now - DateTime::from_timestamp_micros(newest)?)
}

/// A length of time as a person reads it: the two largest units.
fn length(time: TimeDelta, words: &Words) -> String {
    let seconds = time.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (key, large, small) = match seconds {
        0..60 => return words.fill("follow.length.seconds", &[("small", &seconds)]),
        60..3_600 => ("minutes", minutes, seconds % 60),
        3_600..86_400 => ("hours", hours, minutes % 60),
        _ => ("days", days, hours % 24),
    };
    words.fill(&format!("follow.length.{key}"), &[("large", &large), ("small", &small)])
}

#[cfg(test)]
mod tests {
    use yagura_model::Lang;

    use super::*;

    #[test]
    fn lengths_of_time_are_understood_and_told() {
        let words = Words::of(Lang::En).unwrap();
        for (text, told) in
            [("30s", "30 s"), ("5m", "5 min 0 s"), ("90m", "1 h 30 min"), ("48h", "2 d 0 h"), ("7d", "7 d 0 h")]
        {
            assert_eq!(length(span(text, &words).unwrap(), &words), told);
        }
        for bad in ["", "0s", "-5m", "5", "m", "5 m", "367d", "99999999999999999999h", "9223372036854775807d", "5分"] {
            assert!(span(bad, &words).is_err(), "{bad}");
        }
    }
}
