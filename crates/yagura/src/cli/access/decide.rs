//! The flags of the verbs that decide for all requests at once.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The kinds of policy documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyType {
    /// Attached to a user, a group or a role.
    Identity,
    /// Attached to a resource.
    Resource,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The file with the existing policy
    #[arg(value_name = "OLD", required_unless_present = "batch", requires = "new")]
    pub(crate) old: Option<PathBuf>,
    /// The file with the new policy
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<PathBuf>,
    /// The kind of policy (default: a resource's if one of the two names principals)
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) policy_type: Option<PolicyType>,
    /// Take a policy without `Version` as AWS does, without policy variables, even if the other one has a `Version`
    #[arg(long)]
    pub(crate) as_written: bool,
    /// Compare the pairs of this file instead, a JSON object with `id`, `existing` and `new` a line; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["old", "new", "policy_type"])]
    pub(crate) batch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NotGrantedArgs {
    /// The file with the policy
    #[arg(value_name = "POLICY")]
    pub(crate) policy: PathBuf,
    /// An action that must not be granted, wildcards allowed; may be given more than once
    #[arg(long, value_name = "ACTION", required_unless_present = "resource")]
    pub(crate) action: Vec<String>,
    /// A resource to which no access must be granted, wildcards allowed; may be given more than once
    #[arg(long, value_name = "ARN")]
    pub(crate) resource: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PublicArgs {
    /// The file with the policy
    #[arg(value_name = "POLICY", required_unless_present = "batch", requires = "resource_type")]
    pub(crate) policy: Option<PathBuf>,
    /// The type of the resource that has it (`AWS::S3::Bucket`)
    #[arg(long, value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// Judge the policies of this file instead, a JSON object with `id`, `resource_type` and `policy` a line; `-` is the
    /// standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "resource_type"])]
    pub(crate) batch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExternalArgs {
    /// An account or an organisation (`o-…`) that is trusted besides the account of each resource; may be given more than
    /// once
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',')]
    pub(crate) trusted: Vec<String>,
    /// The resources in this bundle instead of the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Judge the policies of this file instead, a JSON object with `id`, `policy` and `trusted` a line; `-` is the standard
    /// input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted", "bundle"])]
    pub(crate) batch: Option<PathBuf>,
}
