//! Measures comparisons of policies: median, 99th percentile, and how many stay undecided.
//!
//! `cargo run --release -p yagura-access --example comparisons -- PAIRS.jsonl`, where each line has `existing` and `new`.
//! With `--answers` each answer is printed as well, with `--json` the figures are one JSON object. The time of a pair
//! is the median of its rounds, so that what else the machine does falls out.

use std::time::{Duration, Instant};

use serde_json::Value;
use yagura_access::decide::{self, Verdict};
use yagura_access::policy::Policy;

/// Each pair is measured so often, after one time that is not: facts are read when they are first asked for.
const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let print = arguments.iter().any(|argument| argument == "--answers");
    let json = arguments.iter().any(|argument| argument == "--json");
    arguments.retain(|argument| !argument.starts_with("--"));
    let path = arguments.first().ok_or("which file of pairs?")?;
    let mut times = Vec::new();
    let (mut access, mut none, mut undecided) = (0, 0, 0);
    for line in std::fs::read_to_string(path)?.lines() {
        let pair: Value = serde_json::from_str(line)?;
        let id = pair.get("id").and_then(Value::as_str).unwrap_or_default();
        let policy = |name: &str| Policy::from_value(pair.get(name).unwrap_or(&Value::Null));
        let (existing, new) = match (policy("existing"), policy("new")) {
            (Ok(Some(existing)), Ok(Some(new))) => (existing, new),
            (existing, new) => {
                let problem = existing.err().or(new.err()).map(|problem| problem.to_string());
                eprintln!("{id}: {}", problem.unwrap_or_else(|| "no policy".to_owned()));
                continue;
            }
        };
        let kind = decide::kind(&[&existing, &new]);
        let answer = decide::new_access(&existing, &new, kind)?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            decide::new_access(&existing, &new, kind)?;
            rounds.push(start.elapsed());
        }
        rounds.sort();
        times.push((rounds.get(rounds.len() / 2).copied().unwrap_or_default(), id.to_owned()));
        match &answer.verdict {
            Verdict::Access(_) => access += 1,
            Verdict::NoAccess => none += 1,
            Verdict::Undecided(_) => undecided += 1,
        }
        if print {
            println!("{id}\t{}", describe(&answer.verdict));
        }
    }
    times.sort();
    let at = |percent: usize| times.get((times.len() * percent) / 100).map_or(Duration::ZERO, |(time, _)| *time);
    if json {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let line = serde_json::json!({
            "pairs": times.len(), "access": access, "none": none, "undecided": undecided,
            "median_us": micros(at(50)), "p99_us": micros(at(99)),
            "slowest_us": micros(times.last().map_or(Duration::ZERO, |(time, _)| *time)),
        });
        println!("{line}");
        return Ok(());
    }
    println!("{} pairs: {access} new access, {none} none, {undecided} undecided", times.len());
    if let Some((slowest, id)) = times.last() {
        println!("median {:?}, 99th percentile {:?}, slowest {slowest:?} ({id})", at(50), at(99));
    }
    Ok(())
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::NoAccess => "none".to_owned(),
        Verdict::Undecided(why) => format!("undecided\t{why}"),
        Verdict::Access(witness) => {
            let request = &witness.request;
            let who = request.principal();
            let context: Vec<String> =
                request.context().iter().map(|(key, values)| format!("{key}={}", values.join(","))).collect();
            format!(
                "access\t{} on {} by {:?} {} with {}",
                witness.action,
                request.resource(),
                who.kind(),
                who.as_str(),
                context.join(" ")
            )
        }
    }
}
