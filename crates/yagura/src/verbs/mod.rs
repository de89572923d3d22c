//! One module a verb.

mod api;
mod check;
mod collect;
mod config;
mod doctor;
mod pages;
mod record;
mod rule;
mod scan;
mod standard;

use anyhow::Result;

use crate::Exit;
use crate::cli::{AccountArgs, Cli, ConfigVerb, RuleVerb, StandardVerb, Verb};
use crate::config::Config;
use crate::words::Words;

/// How the verb is told to reach an account; none for verbs that reach none.
pub(crate) fn account_args(verb: &Verb) -> Option<&AccountArgs> {
    match verb {
        Verb::Scan(args) => Some(&args.account),
        Verb::Collect(args) => Some(&args.account),
        Verb::Api(args) => Some(&args.account),
        Verb::Doctor(args) => Some(args),
        _ => None,
    }
}

/// Runs the verb.
pub(crate) fn run(cli: Cli, config: &Config, words: &Words) -> Result<Exit> {
    let common = &cli.common;
    match cli.verb {
        Verb::Scan(args) => scan::run(common, &args, config, words),
        Verb::Check(args) => check::run(common, &args, config, words),
        Verb::Collect(args) => collect::run(common, &args, config, words),
        Verb::Resources(args) => record::resources(common, &args, config, words),
        Verb::Resource(args) => record::resource(common, &args, config, words),
        Verb::History(args) => record::history(common, &args, config, words),
        Verb::Diff(args) => record::diff(common, &args, config, words),
        Verb::Rule { verb: RuleVerb::List { rules } } => rule::list(common, &rules, words),
        Verb::Rule { verb: RuleVerb::Show { rule } } => rule::show(common, &rule, words),
        Verb::Rule { verb: RuleVerb::Test { paths } } => rule::test(common, &paths, words),
        Verb::Rule { verb: RuleVerb::Explain { rule, resource, bundle } } => {
            rule::explain(common, &rule, &resource, bundle.as_deref(), config, words)
        }
        Verb::Standard { verb: StandardVerb::List } => standard::list(common, words),
        Verb::Standard { verb: StandardVerb::Show { standard } } => standard::show(common, &standard, words),
        Verb::Api(args) => api::run(common, &args, config, words),
        Verb::IamPolicy => pages::iam_policy(common),
        Verb::Config { verb: ConfigVerb::Explain } => config::explain(common, config, words),
        Verb::Doctor(args) => doctor::run(common, &args, config, words),
        Verb::Completions { shell } => Ok(pages::completions(shell, words)),
        Verb::Man { dir } => pages::man(&dir, words),
    }
}
