//! Runs detections over batches of events, each batch with a fresh memory: what `make quality` measures by.
//!
//!     quality FOLDER… < batches.ndjson
//!
//! In: `{"batch": "name", "event": {…}}` a line, the lines of a batch one after the other. Out: `{"batch", "rule", "finding",
//! "level", "tactics", "principal", "count", "event_ids"}` a finding. Folders are searched for `*.yml`; one whose name is
//! `events` holds event rules.

#![expect(clippy::print_stderr, reason = "what was left out is for a person to read")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use yagura_detect::{Context, Detection, Engine, Input, Source, State};
use yagura_rules::pattern::EventRule;

#[derive(Deserialize)]
struct Line {
    batch: String,
    event: Value,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut detections, mut event_rules) = (Vec::new(), Vec::new());
    for folder in std::env::args().skip(1).map(PathBuf::from) {
        for (name, text) in files(&folder, &folder)? {
            let broken = |error: &dyn std::fmt::Display| format!("{name}: {error}");
            if folder.ends_with("events") {
                event_rules.push(EventRule::parse(&name, &text).map_err(|error| broken(&error))?);
            } else {
                detections.push(Detection::parse(&name, &text).map_err(|error| broken(&error))?);
            }
        }
    }
    let (engine, errors) = Engine::link(detections, event_rules);
    for error in errors {
        eprintln!("left out: {error}");
    }
    eprintln!("{} rules, {} of them asked about every event", engine.rules().len(), engine.unindexed());
    let source = Source::named("cloudtrail").ok_or("there is no such log")?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut current = (String::new(), State::new(&engine));
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line: Line = serde_json::from_str(&line?)?;
        if line.batch != current.0 {
            tell(&mut out, &current.0, &current.1)?;
            current = (line.batch, State::new(&engine));
        }
        let text = line.event.to_string();
        let id = format!("line-{number}");
        // Single records of test cases say no time; one is as good as another there.
        let input = Input { time: Some(DateTime::<Utc>::UNIX_EPOCH), id: Some(&id), ..Input::new(source, &text) };
        if let Err(error) = engine.process(&mut current.1, &input, &Context::EMPTY) {
            *refused.entry(error.to_string()).or_default() += 1;
        }
    }
    tell(&mut out, &current.0, &current.1)?;
    for (error, count) in refused {
        eprintln!("{count} events could not be judged: {error}");
    }
    Ok(out.flush()?)
}

/// The files of a folder and of those below it, by their names in it.
fn files(root: &Path, folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(root, &path)?);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(found)
}

fn tell(out: &mut impl Write, batch: &str, state: &State) -> std::io::Result<()> {
    for finding in state.findings() {
        let tactics: Vec<String> = finding.tactics.iter().map(|tactic| format!("{tactic:?}")).collect();
        let line = json!({
            "batch": batch,
            "rule": finding.rule,
            "finding": finding.finding,
            "level": finding.level,
            "tactics": tactics,
            "principal": finding.principal,
            "count": finding.count,
            "event_ids": finding.event_ids().collect::<Vec<_>>(),
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
