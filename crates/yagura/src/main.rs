//! The program: configuration, the wiring of the crates (`pipeline`), the verbs and what they print.
//!
//! In: the command line, the environment, files, AWS by way of `collect`. Out: reports, exit codes. Never here: what a
//! rule means, how a resource is read, what the ledger looks like inside.

mod cli;
mod config;
mod content;
mod errors;
mod follow;
mod log;
mod objects;
mod pipeline;
mod print;
mod report;
mod usage;
mod verbs;
mod words;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{CommandFactory, FromArgMatches};
use yagura_model::Lang;

use crate::cli::Cli;
use crate::config::{Config, Environment};
use crate::words::Words;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Clean = 0,
    /// Something went wrong.
    Error = 1,
    /// The command line cannot be used.
    Usage = 2,
    /// Something at or above `--fail-on` failed.
    Findings = 3,
    /// `--require-complete`, and something could not be looked at.
    Incomplete = 4,
    /// Interrupted from the keyboard.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The time now: the one place that reads the clock.
#[expect(clippy::disallowed_methods, reason = "the binary reads the clock, here and nowhere else")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn main() -> ExitCode {
    // Two crates bring a provider each, and rustls then takes neither by itself. One that is set already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words = match Words::of(help_lang()) {
        Ok(words) => words,
        Err(error) => return failed("yagura:", &error, Lang::En),
    };
    let matches = match cli::command(&words).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            usage::print(&error, &words);
            // Help and version are no failures.
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Clean.into() };
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.format(&mut Cli::command()).exit(),
    };
    if let Err(error) = log::start(cli.common.verbose, cli.common.quiet) {
        return failed(words.get("error.prefix"), &error, words.lang());
    }
    let config = match Config::load(&cli.common, verbs::account_args(&cli.verb)) {
        Ok(config) => config,
        Err(error) => return failed(words.get("error.prefix"), &error, words.lang()),
    };
    let words = match Words::of(config.lang.value) {
        Ok(words) => words,
        Err(error) => return failed("yagura:", &error, words.lang()),
    };
    match verbs::run(cli, &config, &words) {
        Ok(exit) => exit.into(),
        Err(error) if is_broken_pipe(&error) => Exit::Clean.into(),
        Err(error) => failed(words.get("error.prefix"), &error, words.lang()),
    }
}

/// The language of the help, which is printed before the command line is understood.
fn help_lang() -> Lang {
    let arguments: Vec<String> = std::env::args().collect();
    let flag = arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix("--lang") {
        Some("") => arguments.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    let locale = ["YAGURA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(Environment::get);
    // What is no language is told in that of the locale.
    match flag.filter(|flag| flag.parse::<Lang>().is_ok()).or(locale) {
        Some(lang) if lang.starts_with("ja") => Lang::Ja,
        _ => Lang::En,
    }
}

/// Prints the error and its causes as one sentence.
fn failed(prefix: &str, error: &anyhow::Error, lang: Lang) -> ExitCode {
    eprintln!("{prefix} {}", errors::sentence(error, lang));
    if error.is::<Interrupted>() {
        return Exit::Interrupted.into();
    }
    if error.is::<Usage>() { Exit::Usage.into() } else { Exit::Error.into() }
}

/// The person pressed Ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Interrupted(pub(crate) String);

/// A command line that can be read but not used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
