//! The flags of `yagura access lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Policies as JSON, or plain CloudFormation templates; a folder is every `.json` in it, `-` the standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What kind of policy it is (default: told from the document)
    #[arg(long = "type", value_name = "identity|resource|trust|scp|rcp")]
    pub(crate) kind: Option<LintKind>,
    /// The CloudFormation type of the resource that the policy belongs to
    #[arg(long, value_name = "TYPE")]
    pub(crate) resource_type: Option<String>,
    /// Exit with 3 if anything of this type or a graver one is found
    #[arg(long, value_name = "error|security_warning|warning|suggestion")]
    pub(crate) fail_on: Option<LintSeverity>,
    /// A table of services and actions to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(crate) actions: Option<PathBuf>,
}

/// The kinds of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintKind {
    /// Of a user, group or role.
    Identity,
    /// Of a resource.
    Resource,
    /// Of a role: who may assume it.
    Trust,
    /// Of an organization, for principals.
    Scp,
    /// Of an organization, for resources.
    Rcp,
}

/// The types of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum LintSeverity {
    /// The policy is refused, or a part of it never works.
    Error,
    /// It allows more than is safe.
    SecurityWarning,
    /// It may not do what was meant.
    Warning,
    /// It could be said more simply.
    Suggestion,
}
