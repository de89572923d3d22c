//! The command line of `yagura hunt` and `yagura investigate`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("hunted").required(true).multiple(true).args(["key", "principal", "ip", "resource", "rules"])))]
pub(crate) struct HuntArgs {
    /// The id of an access key; this and the next three may be given more than once, and events are found that have to
    /// do with any of them
    #[arg(long, value_name = "ID")]
    pub(crate) key: Vec<String>,
    /// A principal: ARN, unique id, the name of a user, a role or a session, or a service
    #[arg(long, value_name = "ARN|NAME")]
    pub(crate) principal: Vec<String>,
    /// An address or a network (`198.51.100.23`, `10.0.0.0/8`, `2001:db8::/32`)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Vec<String>,
    /// A resource: ARN, id or name
    #[arg(long, value_name = "ARN|ID")]
    pub(crate) resource: Vec<String>,
    /// Detections to judge the kept events by: Sigma files or folders of them; nothing is kept of what they find
    #[arg(long, value_name = "DIR", conflicts_with_all = ["key", "principal", "ip", "resource", "acting"])]
    pub(crate) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) within: WithinArgs,
    /// Only what was done by it or from there, not what names it in a request or an answer
    #[arg(long)]
    pub(crate) acting: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvestigateArgs {
    /// An access key, a principal, an address, an instance or a resource
    pub(crate) subject: String,
    /// What it is, where that could be taken in more than one way
    #[arg(long = "as", value_name = "KIND")]
    pub(crate) kind: Option<KindArg>,
    #[command(flatten)]
    pub(crate) within: WithinArgs,
    /// Write the page to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// When and where to look.
#[derive(Debug, Args)]
pub(crate) struct WithinArgs {
    /// Since when (`1y`, `7d`, `24h`, or a time; default: all that is kept)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only in this account; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(crate) account: Vec<String>,
    /// Only in this region; may be given more than once
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Vec<String>,
    /// The folder with CloudTrail's public keys (default: `cloudtrail-keys` in the data folder)
    #[arg(long, value_name = "DIR")]
    pub(crate) digest_keys: Option<PathBuf>,
    /// Exit with 4 if not every hour could be searched
    #[arg(long)]
    pub(crate) require_complete: bool,
}

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    Key,
    Principal,
    Address,
    Instance,
    Resource,
}
