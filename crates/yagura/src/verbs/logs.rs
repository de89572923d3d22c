//! `yagura logs`: take logs in, show what is kept, keep the tables fit.

use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use yagura_lake::object::Skipped;
use yagura_lake::{Added, Lake, Options, Progress, WAITING_BYTES_MAX, time};

use super::hours;
use crate::cli::{Common, Format, LogsAddArgs, LogsCompactArgs, LogsStatusArgs};
use crate::config::Config;
use crate::objects::Places;
use crate::words::Words;
use crate::{Exit, Interrupted, content, pipeline, print};

/// Skipped things that a person is shown; the JSON forms hold more.
pub(super) const SKIPPED_SHOWN_MAX: usize = 20;

/// How often the progress line is drawn anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(120);

/// The lake of this configuration.
pub(crate) fn lake(config: &Config, runtime: &tokio::runtime::Runtime) -> Result<Lake> {
    let lake = Lake::new(&config.data_dir()?.join(yagura_lake::FOLDER), runtime.handle().clone());
    Ok(lake.with_sources(content::log_sources()?))
}

/// Takes logs in.
pub(super) fn add(common: &Common, args: &LogsAddArgs, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let places = Places::open(&args.places, config, words, &runtime)?;
    let objects = places.list(&runtime)?;
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            watched.store(true, Ordering::Relaxed);
        }
    });
    let options = Options { readers: places.readers(threads()), ..options() };
    let begun = crate::now();
    let bar = bar(common.quiet, words);
    let mut shown = |progress: Progress| draw(&bar, progress, words);
    let added = lake(config, &runtime)?.add(objects, &places, &options, &stop, &mut shown)?;
    bar.finish_and_clear();
    let seconds = (crate::now() - begun).as_seconds_f64();
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        print::document(common, &document(&added, seconds, words))?;
    } else {
        describe(&added, seconds, words)?;
    }
    if added.stopped {
        return Err(Interrupted(words.get("logs.stopped").to_owned()).into());
    }
    let is_complete = added.skipped_count == 0 || !args.require_complete;
    Ok(if is_complete { Exit::Clean } else { Exit::Incomplete })
}

/// Shows what is kept.
pub(super) fn status(common: &Common, args: &LogsStatusArgs, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let proofs = runtime.block_on(lake.proofs(&hours::keys(args.keys.as_deref(), config)?, None))?;
    let exit = if args.require_complete && !hours::are_whole(&proofs) { Exit::Incomplete } else { Exit::Clean };
    if args.hours {
        hours::print(common, &proofs, None, words)?;
        return Ok(exit);
    }
    let status = runtime.block_on(lake.status())?;
    let rows: Vec<Value> = status
        .iter()
        .flat_map(|source| {
            source.places.iter().map(|place| {
                json!({
                    "source": source.source,
                    "account": place.account,
                    "region": place.region,
                    "events": place.rows,
                    "days": place.days,
                    "first": time::text(place.span.0),
                    "last": time::text(place.span.1),
                })
            })
        })
        .collect();
    let head =
        ["source", "account", "region", "events", "days", "first", "last"].map(|key| format!("logs.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, &rows, |row| {
        ["source", "account", "region", "events", "days", "first", "last"].map(|key| cell(row.get(key))).to_vec()
    })?;
    if common.output.is_none() && common.query.is_none() && !common.quiet {
        for source in &status {
            let values: [(&str, &dyn std::fmt::Display); 5] = [
                ("source", &source.source),
                ("events", &source.rows),
                ("objects", &source.objects),
                ("files", &source.files),
                ("size", &megabytes(source.bytes)),
            ];
            println!("{}", words.fill("logs.holds", &values));
        }
        if status.is_empty() {
            println!("{}", words.get("logs.empty"));
        } else {
            hours::print(common, &proofs, Some(hours::DAYS_SHOWN), words)?;
        }
    }
    Ok(exit)
}

/// Keeps the tables fit.
pub(super) fn compact(common: &Common, args: &LogsCompactArgs, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let done = lake(config, &runtime)?.compact(&options(), args.retain)?;
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        let rows: Vec<Value> = done
            .iter()
            .map(|one| {
                json!({
                    "source": one.source, "files_before": one.files.0, "files": one.files.1, "bytes_before": one.bytes.0,
                    "bytes": one.bytes.1, "events_dropped": one.dropped, "overtaken": one.overtaken, "files_removed": one.swept,
                })
            })
            .collect();
        print::document(common, &Value::Array(rows))?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    for one in &done {
        let values: [(&str, &dyn std::fmt::Display); 5] = [
            ("source", &one.source),
            ("before", &one.files.0),
            ("after", &one.files.1),
            ("size_before", &megabytes(one.bytes.0)),
            ("size", &megabytes(one.bytes.1)),
        ];
        writeln!(out, "{}", words.fill("logs.compacted", &values))?;
        if one.dropped > 0 {
            writeln!(out, "  {}", words.fill("logs.dropped", &[("events", &one.dropped)]))?;
        }
        if one.overtaken > 0 {
            writeln!(out, "  {}", words.fill("logs.overtaken", &[("count", &one.overtaken)]))?;
        }
    }
    if done.is_empty() {
        writeln!(out, "{}", words.get("logs.empty"))?;
    }
    Ok(Exit::Clean)
}

/// How a run that begins now is done.
pub(crate) fn options() -> Options {
    let now = crate::now();
    // Two runs of one moment on one machine have different process ids; two machines share no lake of files.
    let run = format!("{}-{}", now.format("%Y%m%dT%H%M%S%9f"), std::process::id());
    Options {
        run,
        now_ms: now.timestamp_millis(),
        threads: threads(),
        readers: threads(),
        waiting_bytes: WAITING_BYTES_MAX,
    }
}

pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn bar(quiet: bool, words: &Words) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{spinner} {bar:24} {pos}/{len}  {msg}  {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(words.get("logs.reading").to_owned());
    bar.enable_steady_tick(PROGRESS_EVERY);
    bar
}

fn draw(bar: &ProgressBar, progress: Progress, words: &Words) {
    bar.set_length(progress.objects as u64);
    bar.set_position(progress.done as u64);
    let seconds = bar.elapsed().as_secs_f64().max(0.001);
    let rate = rate(progress.rows, seconds);
    bar.set_message(words.fill("logs.progress", &[("events", &progress.rows), ("rate", &rate)]));
}

pub(super) fn document(added: &Added, seconds: f64, words: &Words) -> Value {
    let sources: Vec<Value> = added
        .sources
        .iter()
        .map(|(name, source)| {
            json!({
                "source": name, "events": source.rows, "duplicates": source.duplicates, "objects": source.objects,
                "known_objects": source.known, "first": source.span.map(|span| time::text(span.0)),
                "last": source.span.map(|span| time::text(span.1)),
            })
        })
        .collect();
    let skipped: Vec<Value> = added
        .skipped
        .iter()
        .map(|skipped| {
            json!({ "object": skipped.uri, "line": skipped.line, "reason": skipped.reason.code(), "text": reason(skipped, words) })
        })
        .collect();
    json!({
        "sources": sources, "digests": added.aside, "skipped": added.skipped_count, "skipped_list": skipped,
        "seconds": (seconds * 1000.0).round() / 1000.0, "complete": !added.stopped,
    })
}

fn describe(added: &Added, seconds: f64, words: &Words) -> Result<()> {
    let mut out = io::stdout().lock();
    for (name, source) in &added.sources {
        let values: [(&str, &dyn std::fmt::Display); 5] = [
            ("source", name),
            ("events", &source.rows),
            ("duplicates", &source.duplicates),
            ("objects", &source.objects),
            ("known", &source.known),
        ];
        writeln!(out, "{}", words.fill("logs.added", &values))?;
        if let Some((first, last)) = source.span {
            let (first, last) = (time::text(first), time::text(last));
            writeln!(out, "  {}", words.fill("logs.span", &[("first", &first), ("last", &last)]))?;
        }
    }
    if added.aside > 0 {
        writeln!(out, "{}", words.fill("logs.aside", &[("count", &added.aside)]))?;
    }
    let rows: u64 = added.sources.values().map(|source| source.rows + source.duplicates).sum();
    let took = format!("{seconds:.1}");
    let rate = rate(rows, seconds.max(0.001));
    writeln!(out, "{}", words.fill("logs.took", &[("seconds", &took), ("rate", &rate)]))?;
    if added.skipped_count > 0 {
        writeln!(out, "{}", words.fill("logs.skipped_heading", &[("count", &added.skipped_count)]))?;
        for skipped in added.skipped.iter().take(SKIPPED_SHOWN_MAX) {
            let place = match skipped.line {
                Some(line) => words.fill("logs.skipped_line", &[("object", &skipped.uri), ("line", &line)]),
                None => skipped.uri.clone(),
            };
            writeln!(out, "  {place}: {}", reason(skipped, words))?;
        }
        let more = added.skipped_count.saturating_sub(SKIPPED_SHOWN_MAX as u64);
        if more > 0 {
            writeln!(out, "  {}", words.fill("logs.skipped_more", &[("count", &more)]))?;
        }
    }
    Ok(())
}

pub(super) fn reason(skipped: &Skipped, words: &Words) -> String {
    words.fill(&format!("logs.skipped.{}", skipped.reason.code()), &[("detail", &skipped.reason.detail())])
}

/// Events a second, as a person reads them.
#[expect(clippy::cast_precision_loss, reason = "nobody reads the sixteenth digit")]
fn rate(rows: u64, seconds: f64) -> String {
    format!("{:.0}", rows as f64 / seconds)
}

#[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
