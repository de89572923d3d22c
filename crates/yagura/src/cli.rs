//! The command line: every verb, every flag, and the words that explain them.
//!
//! English stands here, beside what it explains; Japanese stands in `locales/ja/` under `help.` and is put in by
//! [`command`]. A test keeps the two complete.

mod access;
mod access_lint;
mod cluster;
mod detect;
mod events;
mod hunt;
mod logs;
mod metrics;

use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use yagura_model::{Lang, Level};

pub(crate) use self::access::{
    AccessVerb, CompareArgs, EvalArgs, ExternalArgs, GenerateArgs, NotGrantedArgs, PolicyType, PublicArgs, SimulateArgs,
};
pub(crate) use self::access_lint::{LintArgs, LintKind, LintSeverity};
use crate::words::Words;

pub(crate) use cluster::{ClusterVerb, ExecutorArgs, SchedulerArgs};
pub(crate) use detect::{DetectArgs, FindingsListArgs, FindingsShowArgs, FindingsVerb};
pub(crate) use events::{AlarmVerb, FilterTestArgs, FilterVerb, PatternTestArgs, PatternVerb};
pub(crate) use hunt::{HuntArgs, InvestigateArgs, KindArg, WithinArgs};
pub(crate) use logs::{LogsAddArgs, LogsCompactArgs, LogsFollowArgs, LogsStatusArgs, LogsVerb, SqlArgs};
pub(crate) use metrics::{
    AlarmHistoryArgs, AlarmImportArgs, AlarmRunArgs, ChoiceArgs, MetricsAddArgs, MetricsFetchArgs, MetricsFilterArgs,
    MetricsInsightsArgs, MetricsListArgs, MetricsShowArgs, MetricsVerb,
};

/// Yagura watches over AWS accounts: it records them, judges them by rules, and says what to fix first.
#[derive(Debug, Parser)]
#[command(name = "yagura", version, disable_help_subcommand = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Where Yagura keeps what it records (default: the user's data folder)
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration file (default: `yagura.toml` here, then in the user's configuration folder)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The language of everything a person reads (default: from the locale)
    #[arg(long, global = true, value_name = "en|ja")]
    pub(crate) lang: Option<Lang>,
    /// How to print the result
    #[arg(short, long, global = true, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// A JMESPath expression applied to JSON output
    #[arg(long, global = true, value_name = "JMESPATH")]
    pub(crate) query: Option<String>,
    /// Print the result and nothing else
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say on standard error what is being done; given twice, in detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person at a terminal.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values.
    Csv,
    /// OCSF Compliance Findings, one a line.
    Ocsf,
    /// AWS Security Finding Format, a JSON array.
    Asff,
    /// SARIF 2.1.0.
    Sarif,
    /// One HTML page that needs nothing else.
    Html,
    /// `JUnit` XML.
    Junit,
    /// Markdown.
    Md,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read an account, judge it, and say what to fix first
    Scan(Box<ScanArgs>),
    /// Judge CloudFormation templates before deployment, by Yagura's controls or by Guard rules
    Check(CheckArgs),
    /// Read an account and keep what was read
    Collect(CollectArgs),
    /// List recorded resources
    Resources(ResourcesArgs),
    /// Show one recorded resource
    Resource(ResourceArgs),
    /// Show how one resource changed
    History(HistoryArgs),
    /// Show what changed in the accounts
    Diff(DiffArgs),
    /// List, show, test and explain rules
    Rule {
        #[command(subcommand)]
        verb: RuleVerb,
    },
    /// List standards and show their requirements
    Standard {
        #[command(subcommand)]
        verb: StandardVerb,
    },
    /// Decide requests by the policies that bind them
    Access {
        #[command(subcommand)]
        verb: AccessVerb,
    },
    /// Keep logs: take them in, show what is there, keep the tables fit
    Logs {
        #[command(subcommand)]
        verb: LogsVerb,
    },
    /// Keep metrics: fetch them, count events, show them, find what is unusual
    Metrics {
        #[command(subcommand)]
        verb: MetricsVerb,
    },
    /// Ask the logs, the metrics and the recorded resources a question in SQL
    Sql(SqlArgs),
    /// Find threats in the logs
    Detect(DetectArgs),
    /// Show what was found in the logs, and the incidents that it makes
    Findings {
        #[command(subcommand)]
        verb: FindingsVerb,
    },
    /// Find every event that has to do with a key, a principal, an address or a resource, in all logs
    Hunt(HuntArgs),
    /// Show on one page all that is known of a key, a principal, an address, an instance or a resource
    Investigate(InvestigateArgs),
    /// Run the scheduler and the executors of a cluster that answers questions in SQL
    Cluster {
        #[command(subcommand)]
        verb: ClusterVerb,
    },
    /// Test EventBridge event patterns
    Pattern {
        #[command(subcommand)]
        verb: PatternVerb,
    },
    /// Test CloudWatch Logs filter patterns
    Filter {
        #[command(subcommand)]
        verb: FilterVerb,
    },
    /// Test CloudWatch alarms and run them over what is kept
    Alarm {
        #[command(subcommand)]
        verb: AlarmVerb,
    },
    /// Run one reading operation of any AWS API and print what it answered
    Api(ApiArgs),
    /// Print the least read-only IAM policy that a scan needs
    IamPolicy,
    /// Show the configuration and where each value comes from
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Say what is set up, what is missing, and what that makes unknown
    Doctor(AccountArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder
        dir: PathBuf,
    },
}

/// How to reach an account.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AccountArgs {
    /// The profile of `~/.aws/config` to use
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// A region to read; may be given more than once (default: every enabled region)
    #[arg(long, value_name = "REGION", num_args = 1.., value_delimiter = ',')]
    pub(crate) region: Vec<String>,
    /// Send every call here instead of to AWS
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Stop calling AWS after this many calls; what was not read by then is unknown
    #[arg(long, value_name = "N")]
    pub(crate) max_api_calls: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Judge this bundle instead of a live account; nothing is sent anywhere
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Judge only what this standard requires; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(crate) standard: Vec<String>,
    /// Judge only this control, by rule name or AWS identifier; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(crate) control: Vec<String>,
    /// Exit with 3 if anything at or above this level fails
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fail_on: Option<Level>,
    /// Exit with 4 if anything could not be looked at
    #[arg(long)]
    pub(crate) require_complete: bool,
    /// Judge what the ledger holds, without calling AWS
    #[arg(long)]
    pub(crate) offline: bool,
    /// Write the result to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Keep nothing in the ledger
    #[arg(long)]
    pub(crate) no_record: bool,
    /// Rules of your own, beside the built-in ones; may be given more than once
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// CloudFormation templates, YAML or JSON
    #[arg(required = true, value_name = "TEMPLATE")]
    pub(crate) templates: Vec<PathBuf>,
    /// Guard rule files to judge by instead of Yagura's controls; may be given more than once
    #[arg(long, value_name = "FILE", num_args = 1)]
    pub(crate) rules: Vec<PathBuf>,
    /// A template parameter's value; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) parameter: Vec<String>,
    /// Judge only this control, by rule name or AWS identifier; may be given more than once
    #[arg(long, value_name = "ID")]
    pub(crate) control: Vec<String>,
    /// The region to judge for
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) region: String,
    /// Exit with 3 if anything at or above this level fails
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fail_on: Option<Level>,
}

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Write everything read into this file, to be judged anywhere without a network
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Keep nothing in the ledger
    #[arg(long)]
    pub(crate) no_record: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResourcesArgs {
    /// Only these types (`AWS::S3::*`)
    #[arg(long = "type", value_name = "GLOB")]
    pub(crate) kind: Option<String>,
    /// Only this region
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Only this account
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Those that are gone, too
    #[arg(long)]
    pub(crate) gone: bool,
    /// Only those whose id, ARN or name contains this text
    pub(crate) text: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResourceArgs {
    /// The resource's ARN or id
    #[arg(value_name = "ARN")]
    pub(crate) name: String,
    /// As it was at this time (`2026-01-31T12:00:00Z`, or `3d` ago)
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The resource's ARN or id
    #[arg(value_name = "ARN")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Since when (`24h`, `7d`, or a time)
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) since: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuleVerb {
    /// List the rules
    List {
        /// Rules of your own, beside the built-in ones
        #[arg(long, value_name = "DIR")]
        rules: Vec<PathBuf>,
    },
    /// Show one rule: what it asks, why, and how to fix it
    Show {
        /// The rule's name or an AWS identifier of it
        rule: String,
    },
    /// Run the tests inside the rule files
    Test {
        /// Rule files or folders (default: the built-in rules)
        paths: Vec<PathBuf>,
    },
    /// Show how a rule comes to its verdict on one resource or one event, condition by condition
    #[command(group(clap::ArgGroup::new("subject").required(true).args(["resource", "event"])))]
    Explain {
        /// The rule's name or an AWS identifier of it; of a detection its name, UUID or file
        rule: String,
        /// The resource's ARN or id
        #[arg(long, value_name = "ARN")]
        resource: Option<String>,
        /// A file with events, one or many, or `-` for the standard input
        #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
        event: Option<PathBuf>,
        /// In this bundle instead of the ledger
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum StandardVerb {
    /// List the standards and how much of each is implemented
    List,
    /// Show every requirement of a standard and the rules that judge it
    Show {
        /// The standard's id
        standard: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Show each value and where it comes from
    Explain,
}

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The service, as the AWS CLI names it (`ec2`, `elbv2`)
    pub(crate) service: String,
    /// The operation (`DescribeInstances`)
    pub(crate) operation: String,
    /// The input, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) input: String,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
}

/// The command with its help in `lang`, three examples at the end of each page.
pub(crate) fn command(words: &Words) -> clap::Command {
    localize(Cli::command(), "", words)
}

fn localize(mut command: clap::Command, path: &str, words: &Words) -> clap::Command {
    let key = |rest: &str| if path.is_empty() { format!("help.{rest}") } else { format!("help.{path}.{rest}") };
    if let Some(about) = words.find(&key("about")) {
        command = command.about(about.to_owned()).long_about(None::<&str>);
    }
    if let Some(examples) = words.find(&key("examples")) {
        command = command.after_help(examples.to_owned());
    }
    if words.lang() == Lang::Ja {
        command = command
            .disable_help_flag(true)
            .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help))
            .help_template("{about-with-newline}\n使い方: {usage}\n\n{all-args}{after-help}")
            .subcommand_help_heading("コマンド")
            .next_help_heading("オプション")
            .mut_args(|arg| {
                let heading = if arg.is_positional() { "引数" } else { "オプション" };
                let id = arg.get_id().to_string();
                let help = words.find(&key(&id)).or_else(|| words.find(&format!("help.arg.{id}"))).map(str::to_owned);
                let takes_value = arg.get_action().takes_values();
                let arg = arg.help_heading(heading).hide_possible_values(takes_value);
                match help {
                    Some(help) => arg.help(help),
                    None => arg,
                }
            });
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        command = command.mut_subcommand(&name, |sub| localize(sub, &below, words));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_page(command: &clap::Command, path: &str, visit: &mut dyn FnMut(&str, &clap::Command)) {
        visit(path, command);
        for sub in command.get_subcommands() {
            let below = if path.is_empty() { sub.get_name().to_owned() } else { format!("{path}.{}", sub.get_name()) };
            every_page(sub, &below, visit);
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        for lang in [Lang::En, Lang::Ja] {
            command(&Words::of(lang).unwrap()).debug_assert();
        }
    }

    #[test]
    fn every_verb_and_flag_is_explained_in_japanese() {
        let words = Words::of(Lang::Ja).unwrap();
        let mut missing = Vec::new();
        every_page(&Cli::command(), "", &mut |path, command| {
            let key = |rest: &str| if path.is_empty() { format!("help.{rest}") } else { format!("help.{path}.{rest}") };
            if words.find(&key("about")).is_none() {
                missing.push(key("about"));
            }
            for arg in command.get_arguments() {
                let id = arg.get_id().as_str();
                if words.find(&key(id)).is_none() && words.find(&format!("help.arg.{id}")).is_none() {
                    missing.push(key(id));
                }
            }
        });
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn every_help_page_ends_with_three_examples_that_parse() {
        for lang in [Lang::En, Lang::Ja] {
            let words = Words::of(lang).unwrap();
            every_page(&Cli::command(), "", &mut |path, command| {
                if command.has_subcommands() && !path.is_empty() {
                    return;
                }
                let key = if path.is_empty() { "help.examples".to_owned() } else { format!("help.{path}.examples") };
                let examples = words.find(&key).unwrap_or_else(|| panic!("no `{key}` in {lang:?}"));
                let lines: Vec<&str> = examples.lines().filter_map(|line| line.trim().strip_prefix("$ ")).collect();
                assert!(lines.len() >= 3, "`{key}` in {lang:?} has {} examples", lines.len());
                for line in lines {
                    let line = line.split(" | ").next().unwrap().split(" > ").next().unwrap();
                    let words = line.split(' ').map(|word| word.trim_matches(['\'', '"']));
                    if let Err(error) = Cli::try_parse_from(words)
                        && error.kind() != clap::error::ErrorKind::DisplayHelp
                    {
                        panic!("`{line}` in {lang:?}: {error}");
                    }
                }
            });
        }
    }
}
