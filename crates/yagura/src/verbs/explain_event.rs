//! `yagura rule explain RULE --event FILE`: which conditions of a detection an event satisfies.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use yagura_detect::{Ask, Context as Known, Engine, Event, Explanation, Input, Rule, Source, Step};

use super::detect::{self, BuiltIn};
use crate::cli::{Common, Format};
use crate::words::Words;
use crate::{Exit, Usage, print};

/// The largest file of events: thousands of them, which is more than anybody reads.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Characters of a value that a person is shown.
const VALUE_CHARACTERS_MAX: usize = 100;

/// Explains the rules of this name on every event of a file.
pub(super) fn run(common: &Common, name: &str, file: &Path, words: &Words) -> Result<Exit> {
    let path = Path::new(name);
    let engine = if path.is_file() {
        detect::engine(&[path.to_path_buf()], BuiltIn::None, words)?
    } else {
        detect::engine(&[], BuiltIn::WithNotices, words)?
    };
    let rules = named(&engine, name, path.is_file());
    if rules.is_empty() {
        return Err(Usage(words.fill("rule.none", &[("rule", &name)])).into());
    }
    let mut explanations = Vec::new();
    for event in events(file)? {
        let text = event.to_string();
        for rule in &rules {
            let Some(source) = rule.source().or_else(|| Source::named("cloudtrail")) else { continue };
            // An event by itself need not say when it happened to be explained.
            let input = Input { time: Some(crate::now()), ..Input::new(source, &text) };
            let event = Event::read(&input, &Known::EMPTY)?;
            explanations.push(rule.explain(&event));
        }
    }
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        let rows: Vec<Value> = explanations.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        print::rows(common, &[], &rows, |_| Vec::new())?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    explanations.iter().try_for_each(|explanation| tell(&mut out, explanation, words))?;
    Ok(Exit::Clean)
}

/// The rules that a person means: one by its UUID or name, all of a file by the file's name.
fn named<'e>(engine: &'e Engine, name: &str, is_file: bool) -> Vec<&'e Rule> {
    if is_file {
        return engine.rules().iter().collect();
    }
    if let Some(rule) = engine.rule(name) {
        return vec![rule];
    }
    let is_of = |rule: &&Rule| {
        rule.finding.as_deref().is_some_and(|finding| finding.eq_ignore_ascii_case(name))
            || rule.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('#'))
    };
    engine.rules().iter().filter(is_of).collect()
}

/// The events of a file: one JSON object, a list, one a line, or what CloudTrail delivers.
fn events(file: &Path) -> Result<Vec<Value>> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut events = Vec::new();
    for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
        let value = value.map_err(|error| Usage(format!("`{}` holds no events: {error}", file.display())))?;
        match value {
            Value::Array(list) => events.extend(list),
            Value::Object(mut members) => match members.remove("Records") {
                Some(Value::Array(list)) => events.extend(list),
                _ => events.push(Value::Object(members)),
            },
            _ => return Err(Usage(format!("`{}` holds no events: an event is a JSON object", file.display())).into()),
        }
    }
    if events.is_empty() {
        return Err(Usage(format!("`{}` holds no events", file.display())).into());
    }
    Ok(events)
}

fn tell(out: &mut dyn Write, explanation: &Explanation, words: &Words) -> io::Result<()> {
    let verdict = words.get(if explanation.matched { "explain.matched" } else { "explain.unmatched" });
    writeln!(out, "{}: {verdict}", explanation.rule)?;
    if explanation.steps.is_empty() && !explanation.matched {
        writeln!(out, "  {}", words.get("explain.no_steps"))?;
    }
    explanation.steps.iter().try_for_each(|step| write_step(out, step, 1, words))?;
    for remembered in &explanation.memory {
        let fields = remembered.fields.iter().map(|(field, values)| {
            let values = if values.is_empty() { words.get("explain.absent").to_owned() } else { values.join(", ") };
            format!("{field} = {values}")
        });
        let fields = fields.collect::<Vec<_>>().join("; ");
        let values: [(&str, &dyn std::fmt::Display); 2] = [("what", &remembered.what), ("fields", &fields)];
        writeln!(out, "  {}", words.fill("explain.remembers", &values))?;
    }
    Ok(())
}

/// A condition with whether it holds, and those that it is made of below it.
fn write_step(out: &mut dyn Write, step: &Step, depth: usize, words: &Words) -> io::Result<()> {
    let mark = words.get(if step.held { "explain.held" } else { "explain.not_held" });
    let ask = match &step.ask {
        Ask::Named { name } => name.clone(),
        Ask::All => "and".to_owned(),
        Ask::Any => "or".to_owned(),
        Ask::Not => "not".to_owned(),
        Ask::AtLeast { needed, held } => format!("{held}/{needed}"),
        Ask::Elements { field, quantifier, count } => format!("{field}[{quantifier}, {count}]"),
        Ask::Field { field, comparison, expected, actual, .. } => {
            let actual = actual.as_ref().map_or_else(|| words.get("explain.absent").to_owned(), shortened);
            let expected = expected.as_deref().unwrap_or_default();
            format!("{} {comparison} {expected} ← {actual}", field.as_deref().unwrap_or("*"))
        }
    };
    // A group of one is said by its only part.
    if let (Ask::All | Ask::Any, [only]) = (&step.ask, step.parts.as_slice()) {
        return write_step(out, only, depth, words);
    }
    writeln!(out, "{}{ask} → {mark}", "  ".repeat(depth))?;
    step.parts.iter().try_for_each(|part| write_step(out, part, depth + 1, words))
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    let mut short: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
