//! One module a verb.

mod access;
mod alarm;
mod api;
mod batch;
mod check;
mod cluster;
mod collect;
mod config;
mod detect;
mod doctor;
mod explain_event;
mod filter;
mod findings;
mod follow;
mod hours;
mod hunt;
mod investigate;
pub(crate) mod logs;
mod metrics;
mod pages;
mod pattern;
mod record;
mod rule;
mod scan;
mod sql;
mod standard;

use anyhow::Result;

use crate::Exit;
use crate::cli::{
    AccountArgs, AlarmVerb, Cli, ConfigVerb, FilterVerb, FindingsVerb, LogsVerb, MetricsVerb, PatternVerb, RuleVerb,
    StandardVerb, Verb,
};
use crate::config::Config;
use crate::words::Words;

/// How the verb is told to reach an account; none for verbs that reach none.
pub(crate) fn account_args(verb: &Verb) -> Option<&AccountArgs> {
    match verb {
        Verb::Scan(args) => Some(&args.account),
        Verb::Collect(args) => Some(&args.account),
        Verb::Api(args) => Some(&args.account),
        Verb::Doctor(args) => Some(args),
        Verb::Logs { verb: LogsVerb::Add(args) } => Some(&args.account),
        Verb::Metrics { verb: MetricsVerb::Fetch(args) } => Some(&args.account),
        Verb::Logs { verb: LogsVerb::Follow(args) } => Some(&args.account),
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
        Verb::Rule { verb: RuleVerb::Explain { rule, resource, event, bundle } } => match (resource, event) {
            (_, Some(event)) => explain_event::run(common, &rule, &event, words),
            (resource, None) => {
                rule::explain(common, &rule, &resource.unwrap_or_default(), bundle.as_deref(), config, words)
            }
        },
        Verb::Standard { verb: StandardVerb::List } => standard::list(common, words),
        Verb::Standard { verb: StandardVerb::Show { standard } } => standard::show(common, &standard, words),
        Verb::Access { verb } => access::run(common, &verb, config, words),
        Verb::Logs { verb: LogsVerb::Add(args) } => logs::add(common, &args, config, words),
        Verb::Logs { verb: LogsVerb::Follow(args) } => follow::run(common, &args, config, words),
        Verb::Logs { verb: LogsVerb::Status(args) } => logs::status(common, &args, config, words),
        Verb::Logs { verb: LogsVerb::Compact(args) } => logs::compact(common, &args, config, words),
        Verb::Metrics { verb } => metrics::run(common, &verb, config, words),
        Verb::Sql(args) => sql::run(common, &args, config, words),
        Verb::Detect(args) => detect::run(common, &args, config, words),
        Verb::Findings { verb: FindingsVerb::List(args) } => findings::list(common, &args, config, words),
        Verb::Findings { verb: FindingsVerb::Show(args) } => findings::show(common, &args, config, words),
        Verb::Findings { verb: FindingsVerb::Incidents(args) } => {
            findings::list_incidents(common, &args, config, words)
        }
        Verb::Hunt(args) => hunt::run(common, &args, config, words),
        Verb::Investigate(args) => investigate::run(common, &args, config, words),
        Verb::Cluster { verb } => cluster::run(common, &verb, config, words),
        Verb::Pattern { verb: PatternVerb::Test(args) } => pattern::test(common, &args, words),
        Verb::Filter { verb: FilterVerb::Test(args) } => filter::test(common, &args, words),
        Verb::Alarm { verb: AlarmVerb::Test { paths } } => alarm::test(common, &paths, words),
        Verb::Alarm { verb: AlarmVerb::Run(args) } => alarm::run(common, &args, config, words),
        Verb::Alarm { verb: AlarmVerb::List } => alarm::list(common, config, words),
        Verb::Alarm { verb: AlarmVerb::History(args) } => alarm::history(common, &args, config, words),
        Verb::Alarm { verb: AlarmVerb::Import(args) } => alarm::import(common, &args, config, words),
        Verb::Api(args) => api::run(common, &args, config, words),
        Verb::IamPolicy => pages::iam_policy(common),
        Verb::Config { verb: ConfigVerb::Explain } => config::explain(common, config, words),
        Verb::Doctor(args) => doctor::run(common, &args, config, words),
        Verb::Completions { shell } => Ok(pages::completions(shell, words)),
        Verb::Man { dir } => pages::man(&dir, words),
    }
}
