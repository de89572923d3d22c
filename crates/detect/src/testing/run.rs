//! Running them.

use serde_json::{Map, Value};

use super::{Case, Expected, Outcome};
use crate::engine::Engine;
use crate::event::Input;
use crate::finding::Finding;
use crate::rule::Detection;
use crate::source::Source;
use crate::state::{Limits, State};
use crate::time;

/// When the first event of a test happens that says nothing of it: 2026-01-05T10:00:00Z.
const FIRST_MS: i64 = 1_767_607_200_000;

/// How much later the next one happens.
const STEP_MS: i64 = 60_000;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

pub(super) fn all(detection: &Detection, limits: Limits) -> Vec<Outcome> {
    let engine = match Engine::new([detection.clone()], []) {
        Ok(engine) => engine,
        Err(error) => {
            let failure = Some(error.to_string());
            return detection
                .cases
                .iter()
                .map(|case| Outcome { case: case.name.clone(), failure: failure.clone() })
                .collect();
        }
    };
    let outcomes = detection
        .cases
        .iter()
        .map(|case| Outcome { case: case.name.clone(), failure: run(&engine, case, limits).err() });
    outcomes.collect()
}

fn run(engine: &Engine, case: &Case, limits: Limits) -> Result<(), String> {
    let mut state = State::with_limits(engine, limits);
    let context = case.given.context();
    let mut now_ms = FIRST_MS - STEP_MS;
    for (number, event) in case.events.iter().enumerate() {
        let mut event = event.clone();
        let of_event = |message: String| format!("event {}: {message}", number + 1);
        let source = source(&mut event, case.source).map_err(of_event)?;
        now_ms = moment(&mut event, source, now_ms).map_err(of_event)?;
        let text = Value::Object(event).to_string();
        let id = format!("event-{}", number + 1);
        let input = Input {
            source,
            text: &text,
            time: chrono::DateTime::from_timestamp_millis(now_ms),
            id: Some(&id),
            account: Some(ACCOUNT),
            region: Some(REGION),
        };
        engine.process(&mut state, &input, &context).map_err(|error| of_event(error.to_string()))?;
    }
    compare(case, &state.findings().collect::<Vec<_>>())
}

/// The log that an event is from: its `log`, which is taken away, or the rule's.
fn source(event: &mut Map<String, Value>, default: Option<&'static Source>) -> Result<&'static Source, String> {
    match event.remove("log") {
        Some(Value::String(name)) => Source::named(&name).ok_or_else(|| format!("`{name}` is not a log")),
        Some(other) => Err(format!("`log` is {other}, not the name of a log")),
        None => default.ok_or_else(|| "nothing says which log it is from; name it in `log`".to_owned()),
    }
}

/// When an event happens: what it says itself, or its `after`, which is taken away, or a minute later than the one before.
fn moment(event: &mut Map<String, Value>, source: &Source, before_ms: i64) -> Result<i64, String> {
    let step_ms = match event.remove("after") {
        None => STEP_MS,
        Some(Value::String(text)) => time::span_ms(&text)?,
        Some(other) => return Err(format!("`after` is {other}, not a span of time")),
    };
    let own = source.time.iter().find_map(|field| match event.get(*field) {
        Some(Value::String(text)) => time::of_text(text),
        Some(Value::Number(number)) => time::of_text(&number.to_string()),
        _ => None,
    });
    Ok(own.unwrap_or(before_ms.saturating_add(step_ms)))
}

fn compare(case: &Case, findings: &[&Finding]) -> Result<(), String> {
    if findings.len() != case.findings {
        let found: Vec<String> = findings.iter().map(|finding| describe(finding)).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join("; ") };
        return Err(format!("expected {} findings, found {}: {found}", case.findings, findings.len()));
    }
    // Each expected finding takes one of its own.
    let mut left: Vec<&Finding> = findings.to_vec();
    for expected in &case.expected {
        let Some(at) = left.iter().position(|finding| agrees(expected, finding)) else {
            let found: Vec<String> = left.iter().map(|finding| describe(finding)).collect();
            return Err(format!("no finding is {expected:?}; found {}", found.join("; ")));
        };
        left.swap_remove(at);
    }
    Ok(())
}

fn agrees(expected: &Expected, finding: &Finding) -> bool {
    expected.finding.as_ref().is_none_or(|name| finding.finding.as_ref() == Some(name))
        && expected.count.is_none_or(|count| finding.count == count)
        && expected.identity.iter().all(|wanted| finding.identity.contains(wanted))
}

fn describe(finding: &Finding) -> String {
    let identity: Vec<String> =
        finding.identity.iter().map(|(field, values)| format!("{field}={}", values.join(","))).collect();
    format!("{} ×{} ({})", finding.finding.as_deref().unwrap_or(&finding.rule), finding.count, identity.join(" "))
}
