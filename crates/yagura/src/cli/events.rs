//! The flags of the verbs about events: patterns, filters, alarms.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::metrics::{AlarmHistoryArgs, AlarmImportArgs, AlarmRunArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum PatternVerb {
    /// Say whether EventBridge event patterns match events, and if not, why
    Test(PatternTestArgs),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").required(true).args(["pattern", "batch", "rules"])))]
pub(crate) struct PatternTestArgs {
    /// The pattern: JSON, or a file that holds it
    #[arg(long, value_name = "JSON|FILE", requires = "event")]
    pub(crate) pattern: Option<String>,
    /// The event: JSON, a file that holds it, or `-` for the standard input
    #[arg(long, value_name = "JSON|FILE", requires = "pattern")]
    pub(crate) event: Option<String>,
    /// Many at once: a file with `{"id", "pattern", "event"}` a line, or `-` for the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) batch: Option<PathBuf>,
    /// Run the tests inside event rules: a file or a folder, or `built-in`
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// Exit with 3 if the event does not match (otherwise both answers exit with 0)
    #[arg(long, requires = "pattern")]
    pub(crate) fail: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FilterVerb {
    /// Say whether CloudWatch Logs filter patterns match log events
    Test(FilterTestArgs),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").required(true).args(["pattern", "batch"])))]
pub(crate) struct FilterTestArgs {
    /// The filter pattern
    #[arg(long, value_name = "TEXT", requires = "event", allow_hyphen_values = true)]
    pub(crate) pattern: Option<String>,
    /// The log event, one line
    #[arg(long, value_name = "LINE", requires = "pattern", allow_hyphen_values = true)]
    pub(crate) event: Option<String>,
    /// Many at once: a file with `{"id", "pattern", "event"}` a line, or `-` for the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) batch: Option<PathBuf>,
    /// Exit with 3 if the event does not match (otherwise both answers exit with 0)
    #[arg(long, requires = "pattern")]
    pub(crate) fail: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlarmVerb {
    /// Run the tests inside alarm files and show how the states change
    Test {
        /// Alarm files or folders (default: the built-in alarms)
        paths: Vec<PathBuf>,
    },
    /// Run alarms over the metrics and logs that are kept, or over data of your own, and print every change of state
    Run(AlarmRunArgs),
    /// List the alarms that were run, with their states
    List,
    /// Show how the states of alarms changed, and what was ordered
    History(AlarmHistoryArgs),
    /// Import the alarms and metric filters of recorded accounts
    Import(AlarmImportArgs),
}
