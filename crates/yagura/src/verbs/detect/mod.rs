//! `yagura detect`: judge the events of the lake by the detections, and keep what is found.

pub(crate) mod kept;
pub(crate) mod known;
pub(crate) mod sweep;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use yagura_detect::{Detection, Engine, Finding, State, incidents};
use yagura_lake::hunt::Within;
use yagura_rules::pattern::EventRule;

use super::findings;
use super::logs::lake;
use crate::cli::{Common, DetectArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Interrupted, Usage, content, pipeline, print};
use kept::Head;
use known::Beside;
use sweep::{Judge, Swept, Waiting};

/// The detections of files and folders that cannot be used, shown before the rest is counted.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Which of the built-in rules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    /// None of them.
    None,
    /// The detections.
    Detections,
    /// The detections, and the event rules that tell of changes worth knowing, hostile or not.
    WithNotices,
}

/// The built-in rules, and the detections of `more` beside them.
///
/// A built-in one that cannot be used is a defect and an error; one of `more` is named, and the others run.
pub(crate) fn engine(more: &[PathBuf], built_in: BuiltIn, words: &Words) -> Result<Engine> {
    let (mut detections, mut event_rules) = (Vec::new(), Vec::new());
    if built_in != BuiltIn::None {
        for (path, text) in content::built_in_files("detections") {
            detections.push(Detection::parse(&path, &text)?);
        }
    }
    if built_in == BuiltIn::WithNotices {
        for (path, text) in content::built_in_files("events") {
            event_rules.push(EventRule::parse(&path, &text)?);
        }
    }
    let mut problems = Vec::new();
    for path in more {
        for (path, text) in content::files_by_path(path)? {
            match Detection::parse(&path, &text) {
                Ok(detection) => detections.push(detection),
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    let (engine, errors) = Engine::link(detections, event_rules);
    problems.extend(errors.iter().map(ToString::to_string));
    for problem in problems.iter().take(PROBLEMS_SHOWN_MAX) {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        eprintln!("{}", words.fill("detect.unused", &[("count", &problems.len())]));
    }
    if engine.rules().is_empty() {
        return Err(Usage(words.get("detect.no_rules").to_owned()).into());
    }
    Ok(engine)
}

/// Judges what came since the last run.
pub(super) fn run(common: &Common, args: &DetectArgs, config: &Config, words: &Words) -> Result<Exit> {
    let built_in = if args.notices { BuiltIn::WithNotices } else { BuiltIn::Detections };
    let engine = engine(&args.rules, built_in, words)?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let stop = stopper(&runtime);
    let since = args.since.as_deref().map(|text| print::time(text, crate::now())).transpose()?;
    let since = since.and_then(|time| i32::try_from(time.timestamp_micros().div_euclid(DAY_US)).ok());
    runtime.block_on(async {
        let beside = Beside::load(args.lists.as_deref(), &lake, config, words).await?;
        let before = if args.replay { None } else { kept::load(&engine, config)? };
        let (mut head, mut state) = before.unwrap_or_else(|| (Head::default(), State::new(&engine)));
        if let Some(since) = since {
            if !head.judged.is_empty() && head.since_day != Some(since) {
                return Err(Usage(words.get("detect.since_needs_replay").to_owned()).into());
            }
            head.since_day = Some(since);
        }
        let mut waiting = Waiting::look(&engine, &lake, &head.judged).await?;
        if waiting.is_lost() {
            eprintln!("{}", words.get("detect.judged_anew"));
            head = Head { since_day: head.since_day, ..Head::default() };
            state = State::new(&engine);
            waiting = Waiting::look(&engine, &lake, &head.judged).await?;
        }
        let begun = crate::now();
        let within = Within { since: head.since_day.map(|day| i64::from(day) * DAY_US), ..Within::default() };
        let bar = bar(common.quiet, waiting.rows(&within), words);
        let mut shown = |done: u64| bar.set_position(done);
        let swept = {
            let mut judge = Judge { engine: &engine, state: &mut state, known: beside.context() };
            waiting.sweep(&mut judge, &lake, &within, &stop, &mut shown).await?
        };
        bar.finish_and_clear();
        if swept.is_stopped {
            return Err(Interrupted(words.get("detect.stopped").to_owned()).into());
        }
        let changed = state.take_changed();
        head.judged.extend(waiting.versions());
        head.events += swept.events;
        kept::save(&head, &state, config)?;
        let changed: Vec<&Finding> = changed.iter().filter_map(|id| state.finding(id)).collect();
        findings::print(common, &engine, changed.iter().copied(), words)?;
        if findings::is_plain(common) && !common.quiet {
            tell(&engine, &state, &swept, (crate::now() - begun).as_seconds_f64(), words);
        }
        let is_bad = args.fail_on.is_some_and(|level| changed.iter().any(|finding| finding.level >= level));
        Ok(if is_bad { Exit::Findings } else { Exit::Clean })
    })
}

/// Judges everything kept within the times and places by the detections of files and folders alone, and keeps nothing of it.
pub(super) async fn hunt(
    common: &Common,
    rules: &[PathBuf],
    within: &Within,
    lake: &yagura_lake::Lake,
    stop: &AtomicBool,
    config: &Config,
    words: &Words,
) -> Result<()> {
    let engine = engine(rules, BuiltIn::None, words)?;
    let beside = Beside::load(None, lake, config, words).await?;
    let mut state = State::new(&engine);
    let waiting = Waiting::look(&engine, lake, &BTreeMap::new()).await?;
    let begun = crate::now();
    let bar = bar(common.quiet, waiting.rows(within), words);
    let mut shown = |done: u64| bar.set_position(done);
    let swept = {
        let mut judge = Judge { engine: &engine, state: &mut state, known: beside.context() };
        waiting.sweep(&mut judge, lake, within, stop, &mut shown).await?
    };
    bar.finish_and_clear();
    if swept.is_stopped {
        return Err(Interrupted(words.get("detect.stopped").to_owned()).into());
    }
    findings::print(common, &engine, state.findings(), words)?;
    if findings::is_plain(common) && !common.quiet {
        tell(&engine, &state, &swept, (crate::now() - begun).as_seconds_f64(), words);
    }
    Ok(())
}

/// Becomes true when the person stops the program.
pub(crate) fn stopper(runtime: &tokio::runtime::Runtime) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&stop);
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            watched.store(true, Ordering::Relaxed);
        }
    });
    stop
}

pub(crate) fn bar(quiet: bool, events: u64, words: &Words) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(events);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:24} {pos}/{len}  {msg}  {per_sec}  {eta}") {
        bar.set_style(style);
    }
    bar.set_message(words.get("detect.judging").to_owned());
    bar
}

/// What was judged, by how much, and what could not be.
fn tell(engine: &Engine, state: &State, swept: &Swept, seconds: f64, words: &Words) {
    let all: Vec<&Finding> = state.findings().collect();
    let idle = engine.idle().count();
    let values: [(&str, &dyn std::fmt::Display); 5] = [
        ("events", &swept.events),
        ("rules", &(engine.rules().len() - idle)),
        ("seconds", &format!("{seconds:.1}")),
        ("findings", &all.len()),
        ("incidents", &incidents(all).len()),
    ];
    println!("{}", words.fill("detect.judged", &values));
    if idle > 0 {
        println!("{}", words.fill("detect.idle", &[("count", &idle)]));
    }
    if swept.unreadable > 0 {
        let why = swept.first_error.clone().unwrap_or_default();
        println!("{}", words.fill("detect.unreadable", &[("count", &swept.unreadable), ("why", &why)]));
    }
    let report = state.report();
    let forgotten = report.dropped_entries
        + report.evicted_groups
        + report.evicted_combinations
        + report.evicted_learners
        + report.evicted_findings
        + report.evicted_sessions;
    if forgotten > 0 {
        println!("{}", words.fill("detect.forgotten", &[("count", &forgotten)]));
    }
    if report.late > 0 {
        println!("{}", words.fill("detect.late", &[("count", &report.late)]));
    }
}
