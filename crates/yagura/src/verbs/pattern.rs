//! `yagura pattern test`.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use yagura_rules::pattern::{Event, EventRule, Miss, Pattern, Reason};

use super::batch;
use crate::cli::{Common, Format, PatternTestArgs};
use crate::content;
use crate::words::Words;
use crate::{Exit, Usage, print};

/// The largest pattern or event that is read from a file: AWS's largest event is 256 KiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Whether a pattern matches an event; many by the line; or the tests of event rules.
pub(super) fn test(common: &Common, args: &PatternTestArgs, words: &Words) -> Result<Exit> {
    if let Some(path) = &args.rules {
        return rules(common, path, words);
    }
    if let Some(path) = &args.batch {
        return batch::run(path, |question| {
            answer(&batch::document(question.pattern)?, &batch::document(question.event)?)
        });
    }
    let (Some(pattern), Some(event)) = (&args.pattern, &args.event) else { return Ok(Exit::Usage) };
    let pattern = Pattern::parse(&given(pattern)?).map_err(|error| Usage(error.to_string()))?;
    let event = self::event(&given(event)?).map_err(Usage)?;
    let event = Event::new(&event);
    let misses = pattern.misses(&event);
    let matches = misses.is_empty();
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        let misses: Vec<Value> = misses.iter().map(|miss| described(miss, words)).collect();
        print::document(common, &json!({ "match": matches, "misses": misses }))?;
    } else {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", words.get(if matches { "events.match" } else { "events.no_match" }))?;
        for miss in &misses {
            writeln!(out, "  {}: {}", miss.path, sentence(miss, words))?;
        }
    }
    Ok(if args.fail && !matches { Exit::Findings } else { Exit::Clean })
}

/// Runs the tests inside event rules.
fn rules(common: &Common, path: &Path, words: &Words) -> Result<Exit> {
    let files =
        if path == Path::new("built-in") { content::built_in_files("events") } else { content::files_by_path(path)? };
    let (mut run, mut rules) = (0, 0);
    let mut failures = Vec::new();
    let mut errors = Vec::new();
    for (path, text) in &files {
        match EventRule::parse(path, text) {
            Ok(rule) => {
                rules += 1;
                run += rule.cases.len();
                failures.extend(rule.failures().into_iter().map(|(case, misses)| {
                    let why: Vec<String> =
                        misses.iter().map(|miss| format!("{}: {}", miss.path, sentence(miss, words))).collect();
                    let why = if why.is_empty() { words.get("events.match").to_owned() } else { why.join("; ") };
                    format!("{path}: {}: {why}", case.name)
                }));
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    let failed = failures.len();
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        let report = json!({ "rules": rules, "run": run, "failed": failed, "errors": errors, "failures": failures });
        print::document(common, &report)?;
    } else {
        let mut out = io::stdout().lock();
        errors.iter().chain(&failures).try_for_each(|line| writeln!(out, "{line}"))?;
        let (passed, failed) = (run - failed, failed + errors.len());
        let counts: [(&str, &dyn Display); 3] = [("passed", &passed), ("rules", &rules), ("failed", &failed)];
        writeln!(out, "{}", words.fill("rule.tests", &counts))?;
    }
    Ok(if failed == 0 && errors.is_empty() { Exit::Clean } else { Exit::Error })
}

fn answer(pattern: &str, event: &str) -> Result<bool, String> {
    let pattern = Pattern::parse(pattern).map_err(|error| error.to_string())?;
    Ok(pattern.matches(&Event::new(&self::event(event)?)))
}

/// The text that an argument is or names: JSON as it is, `-` for the standard input, else a file.
fn given(argument: &str) -> Result<String> {
    let argument = argument.trim();
    if argument.starts_with(['{', '[', '"']) {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let source: Box<dyn Read> = if argument == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(argument).with_context(|| format!("cannot read `{argument}`"))?)
    };
    source.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(|| format!("cannot read `{argument}`"))?;
    Ok(text)
}

fn event(text: &str) -> Result<Value, String> {
    let event: Value = serde_json::from_str(text).map_err(|error| format!("the event is not JSON: {error}"))?;
    if event.is_object() { Ok(event) } else { Err("the event is not a JSON object".to_owned()) }
}

fn described(miss: &Miss, words: &Words) -> Value {
    let (reason, found) = match &miss.reason {
        Reason::Absent => ("absent", &[][..]),
        Reason::Present(found) => ("present", &found[..]),
        Reason::Different(found) => ("different", &found[..]),
        Reason::DifferentElements => ("different_elements", &[][..]),
    };
    json!({ "path": miss.path, "wanted": miss.wanted, "reason": reason, "found": found, "why": sentence(miss, words) })
}

/// Why a condition does not hold, for a person.
pub(super) fn sentence(miss: &Miss, words: &Words) -> String {
    let wanted = &miss.wanted;
    match &miss.reason {
        Reason::Absent => words.fill("events.miss.absent", &[("wanted", wanted)]),
        Reason::Present(found) => words.fill("events.miss.present", &[("found", &found.join(", "))]),
        Reason::Different(found) => {
            words.fill("events.miss.different", &[("wanted", wanted), ("found", &found.join(", "))])
        }
        Reason::DifferentElements => words.get("events.miss.different_elements").to_owned(),
    }
}
