//! What the program says of its own work, on standard error: `-v`, `-vv`, or `YAGURA_LOG`.
//!
//! Only Yagura's own crates are ever heard below a warning: what others say of a request at that depth may hold what signs
//! it.

use std::io::IsTerminal;

use anyhow::Result;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Usage;
use crate::config::Environment;

/// The variable that names a level where no flag does.
const VARIABLE: &str = "YAGURA_LOG";

/// Begins to log: as `-v` says, else as the environment says, else warnings; with `--quiet` errors alone.
pub(crate) fn start(verbose: u8, quiet: bool) -> Result<()> {
    let level = level(verbose, quiet, Environment::get(VARIABLE).as_deref())?;
    // Ballista warns of every question to a scheduler that is away, and of every executor that is lost, and goes on.
    let cluster = if level >= LevelFilter::INFO { LevelFilter::WARN } else { LevelFilter::OFF };
    let targets = Targets::new()
        .with_target("yagura", level)
        .with_target("ballista", cluster)
        .with_default(level.min(LevelFilter::WARN));
    let plain = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time();
    // A second start, as in tests, changes nothing.
    let _ = tracing_subscriber::registry().with(targets).with(plain).try_init();
    Ok(())
}

fn level(verbose: u8, quiet: bool, variable: Option<&str>) -> Result<LevelFilter, Usage> {
    match (verbose, quiet, variable) {
        (0, true, _) => Ok(LevelFilter::ERROR),
        (0, false, None) => Ok(LevelFilter::WARN),
        (0, false, Some(text)) => text
            .parse()
            .map_err(|_| Usage(format!("`YAGURA_LOG` is `{text}`: expected off, error, warn, info, debug or trace"))),
        (1, ..) => Ok(LevelFilter::INFO),
        (2, ..) => Ok(LevelFilter::DEBUG),
        _ => Ok(LevelFilter::TRACE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_comes_before_the_environment() {
        for (verbose, quiet, variable, expected) in [
            (0, false, None, LevelFilter::WARN),
            (0, true, Some("debug"), LevelFilter::ERROR),
            (0, false, Some("debug"), LevelFilter::DEBUG),
            (0, false, Some("off"), LevelFilter::OFF),
            (1, false, Some("off"), LevelFilter::INFO),
            (2, false, None, LevelFilter::DEBUG),
            (9, true, None, LevelFilter::TRACE),
        ] {
            assert_eq!(level(verbose, quiet, variable).unwrap(), expected);
        }
        assert!(level(0, false, Some("loud")).is_err());
    }
}
