//! The flags of `yagura access`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

mod decide;

pub(crate) use self::decide::{CompareArgs, ExternalArgs, NotGrantedArgs, PolicyType, PublicArgs};
use super::LintArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AccessVerb {
    /// Decide requests given with their policies, a line of JSON each
    Eval(EvalArgs),
    /// Say what is wrong with policies, in the codes of IAM Access Analyzer
    Lint(LintArgs),
    /// Decide one request by the recorded policies
    Simulate(SimulateArgs),
    /// Say whether a new version of a policy allows what the old one does not, and which request
    Compare(CompareArgs),
    /// Say whether a policy grants any of the given actions or access to any of the given resources
    NotGranted(NotGrantedArgs),
    /// Say whether a resource's policy lets anybody in
    Public(PublicArgs),
    /// Write the least policy that allows what a principal was recorded doing, and say what it has beyond that
    Generate(GenerateArgs),
    /// List who outside is let in by the policies of recorded resources
    External(ExternalArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// The file of requests, one JSON object a line; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) batch: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Who asks: the ARN of a user, role, session or account root, a service (`sns.amazonaws.com`), or `anonymous`
    #[arg(long, value_name = "ARN")]
    pub(crate) principal: String,
    /// What is asked for (`s3:GetObject`)
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: String,
    /// On which resource; `*` for an action that works on none
    #[arg(long, value_name = "ARN", default_value = "*")]
    pub(crate) resource: String,
    /// A context key of the request; give it again for further values of the same key
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) context: Vec<String>,
    /// By the policies of this time (`2026-01-31T12:00:00Z`, or `3d` ago)
    #[arg(long, value_name = "TIME", conflicts_with = "bundle")]
    pub(crate) at: Option<String>,
    /// By the policies in this bundle instead of the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Whose calls: the ARN of a user, a role (all its sessions) or one session
    #[arg(long, value_name = "ARN")]
    pub(crate) principal: String,
    /// Calls since this time (`90d` ago, or `2026-01-31`)
    #[arg(long, value_name = "TIME", default_value = "90d")]
    pub(crate) since: String,
    /// Compare with the policies in this bundle instead of those of the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
}
