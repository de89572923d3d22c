//! The command line of `yagura logs` and `yagura sql`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AccountArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum LogsVerb {
    /// Take logs in: each event once, however often it is delivered or the command is run
    Add(LogsAddArgs),
    /// Take logs in as they come: list buckets again and again, or be told by a queue
    Follow(LogsFollowArgs),
    /// Show what is kept: sources, accounts, regions, first and last event, and which hours are proven complete
    Status(LogsStatusArgs),
    /// Make few large files of many small ones, and drop what is older than asked for
    Compact(LogsCompactArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LogsAddArgs {
    /// Files, folders (with everything below them) and `s3://bucket/prefix`
    #[arg(required = true, value_name = "PLACE")]
    pub(crate) places: Vec<String>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Exit with 4 if anything could not be read
    #[arg(long)]
    pub(crate) require_complete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsFollowArgs {
    /// Prefixes of buckets: `s3://bucket/prefix`
    #[arg(required = true, value_name = "PLACE")]
    pub(crate) places: Vec<String>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// How long to wait before looking again (`30s`, `5m`)
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub(crate) every: String,
    /// How late an object may come and still be found at once; once a day all are looked for
    #[arg(long, value_name = "TIME", default_value = "48h")]
    pub(crate) window: String,
    /// The SQS queue that the buckets' notifications come to; messages are removed when their objects are stored
    #[arg(long, value_name = "URL")]
    pub(crate) queue: Option<String>,
    /// Take in only what is newer than this (`30d`, or `2026-01-31`; default: everything)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsStatusArgs {
    /// Show every hour instead of the last days
    #[arg(long)]
    pub(crate) hours: bool,
    /// The folder with CloudTrail's public keys (default: `cloudtrail-keys` in the data folder)
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
    /// Exit with 4 if an hour is missing or was tampered with
    #[arg(long)]
    pub(crate) require_complete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsCompactArgs {
    /// Drop events of days that are more than this many days ago
    #[arg(long, value_name = "DAYS")]
    pub(crate) retain: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The question
    #[arg(required_unless_present_any = ["file", "show_examples"])]
    pub(crate) question: Option<String>,
    /// Read the question from this file; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "question")]
    pub(crate) file: Option<PathBuf>,
    /// Have the cluster of the scheduler at this URL answer
    #[arg(long, value_name = "URL")]
    pub(crate) cluster: Option<String>,
    /// Show how the question would be answered instead of answering it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print questions to begin with
    #[arg(long = "examples", conflicts_with_all = ["question", "file", "explain"])]
    pub(crate) show_examples: bool,
}
