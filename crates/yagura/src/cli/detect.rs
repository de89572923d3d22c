//! The flags of `detect`, `findings` and `incidents`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use yagura_model::Level;

#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Detections of your own, beside the built-in ones: a file or a folder; may be given more than once
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// The folder of threat lists and of databases of places, `.mmdb` (default: `lists` in the data folder)
    #[arg(long, value_name = "DIR")]
    pub(crate) lists: Option<PathBuf>,
    /// Forget every finding and judge all events anew
    #[arg(long)]
    pub(crate) replay: bool,
    /// Leave older events out, when judging begins (`90d`, or a time)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Also report changes worth knowing that are no threats: security groups, gateways, IAM policies, sign-ins of root
    #[arg(long)]
    pub(crate) notices: bool,
    /// Exit with 3 if a finding of this run is at or above this level
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fail_on: Option<Level>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FindingsVerb {
    /// List the findings of the logs, the worst first
    List(FindingsListArgs),
    /// Show one finding: who, what, where from, what to check and what to do
    Show(FindingsShowArgs),
    /// List incidents: findings of one story, with their time line
    Incidents(FindingsListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FindingsListArgs {
    /// Only those at or above this level
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<Level>,
    /// Only those that were seen last at this time or later (`7d`, or a time)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only those whose type, rule, principal or resource contains this text
    pub(crate) text: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FindingsShowArgs {
    /// The finding's id, or its beginning
    pub(crate) id: String,
    /// Print the raw events behind it, one a line
    #[arg(long)]
    pub(crate) events: bool,
}
