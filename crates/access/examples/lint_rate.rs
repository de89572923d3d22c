//! How many policies one core judges in a second: `lint_rate FILE [SECONDS]`, a JSON Lines file of policy documents.
//!
//! With `--findings` it prints what was found instead, one JSON object a line: the number of the line and the code.

use std::io::Write;
use std::time::{Duration, Instant};

use yagura_access::actions::Actions;
use yagura_access::lint::{Options, lint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let findings = arguments.iter().any(|argument| argument == "--findings");
    arguments.retain(|argument| argument != "--findings");
    let path = arguments.first().ok_or("usage: lint_rate FILE [SECONDS] [--findings]")?;
    let seconds: u64 = arguments.get(1).map_or(Ok(5), |text| text.parse())?;
    let text = std::fs::read_to_string(path)?;
    let policies: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let actions = Actions::built_in()?;
    let mut out = std::io::stdout().lock();
    if findings {
        for (number, policy) in policies.iter().enumerate() {
            for finding in lint(policy, Options::default(), actions)? {
                let line = serde_json::json!({
                    "number": number,
                    "code": finding.code.name(),
                    "type": finding.code.severity().word(),
                    "path": finding.path,
                    "values": finding.values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
                    "suggestion": finding.suggestion,
                });
                writeln!(out, "{line}")?;
            }
        }
        return Ok(());
    }
    // The first round reads the tables.
    let mut found = round(&policies, actions)?;
    let (start, before, mut rounds) = (Instant::now(), core_time(), 0_usize);
    while start.elapsed() < Duration::from_secs(seconds) {
        found = round(&policies, actions)?;
        rounds += 1;
    }
    let spent = before.zip(core_time()).map(|(before, after)| after.saturating_sub(before));
    let elapsed = spent.unwrap_or_else(|| start.elapsed());
    let judged = u32::try_from(policies.len().saturating_mul(rounds))?;
    let rate = f64::from(judged) / elapsed.as_secs_f64();
    let line = serde_json::json!({
        "policies": policies.len(),
        "bytes": text.len(),
        "rounds": rounds,
        "findings": found,
        "policies_per_second": rate.round(),
    });
    writeln!(out, "{line}")?;
    Ok(())
}

/// The time that this thread has had a core to itself, where the system (Linux) tells: what else runs does not count.
fn core_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

fn round(policies: &[&str], actions: &Actions) -> Result<usize, yagura_access::lint::LintFailure> {
    let mut found = 0;
    for policy in policies {
        found += lint(policy, Options::default(), actions)?.len();
    }
    Ok(found)
}
