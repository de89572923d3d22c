//! How many requests one core decides in a second, and the answers without the whole program around them.
//!
//! `evaluations answer < LINES` prints what `yagura access eval` prints. `evaluations measure FILE [ROUNDS]` reads the
//! lines once, decides every request again and again, and prints one JSON object: requests, how they were decided, and
//! the evaluations a second of one core's time in each round. Reading the lines and making the policies ready is measured apart.

#![expect(clippy::print_stdout, reason = "this is a program")]

use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use yagura_access::evaluate::{Batch, Case, Outcome, evaluate};

/// How long a round lasts at least: long enough that the clock and other processes do not matter much.
const ROUND: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["answer"] => answer(),
        ["measure", file] => measure(file, 7),
        ["measure", file, rounds] => measure(file, rounds.parse()?),
        _ => Err("usage: evaluations answer | evaluations measure FILE [ROUNDS]".into()),
    }
}

/// The time that this thread has had a core to itself, where the system (Linux) tells: what else runs does not count.
fn core_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn answer() -> Result<(), Box<dyn Error>> {
    let mut batch = Batch::default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let (answer, _) = batch.answer(&line?);
        writeln!(out, "{answer}")?;
    }
    Ok(out.flush()?)
}

fn measure(file: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let started = Instant::now();
    let mut batch = Batch::default();
    let cases: Vec<Case> = lines.iter().map(|line| batch.case(line)).collect::<Result<_, _>>()?;
    let reading = started.elapsed();
    if cases.is_empty() {
        return Err("the file has no requests".into());
    }
    let mut outcomes = [0_usize; 3];
    for case in &cases {
        let at = match evaluate(&case.request, &case.policies).outcome {
            Outcome::Allowed => 0,
            Outcome::ExplicitDeny => 1,
            Outcome::ImplicitDeny => 2,
        };
        if let Some(outcome) = outcomes.get_mut(at) {
            *outcome += 1;
        }
    }
    let mut rates = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let (started, before) = (Instant::now(), core_time());
        let mut done = 0_u32;
        while started.elapsed() < ROUND {
            for case in &cases {
                black_box(evaluate(black_box(&case.request), &case.policies));
            }
            done += u32::try_from(cases.len())?;
        }
        let spent =
            before.zip(core_time()).map_or_else(|| started.elapsed(), |(before, after)| after.saturating_sub(before));
        rates.push(f64::from(done) / spent.as_secs_f64());
    }
    let [allowed, explicit_deny, implicit_deny] = outcomes;
    println!(
        "{}",
        serde_json::json!({
            "requests": cases.len(),
            "allowed": allowed,
            "explicit_deny": explicit_deny,
            "implicit_deny": implicit_deny,
            "reading_seconds": reading.as_secs_f64(),
            "evaluations_per_second": rates,
        })
    );
    Ok(())
}
