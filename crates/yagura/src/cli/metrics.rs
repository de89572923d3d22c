//! The command line of `yagura metrics`, and of `yagura alarm` as far as it is about the lake.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AccountArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum MetricsVerb {
    /// Fetch metrics from CloudWatch: the ready-made sets, or any namespace and dimension
    Fetch(MetricsFetchArgs),
    /// Take metrics in from files: metric streams, CSV, or what `metrics show -o ndjson` printed
    Add(MetricsAddArgs),
    /// List the metrics that are kept
    List(MetricsListArgs),
    /// Show a metric: a chart and its statistics
    Show(MetricsShowArgs),
    /// Count the events of CloudTrail by metric filters
    Filter(MetricsFilterArgs),
    /// Find unusual rates of API calls and API errors in the logs
    Insights(MetricsInsightsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MetricsFetchArgs {
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Only this ready-made set (`--list-sets` names them); may be given more than once
    #[arg(long, value_name = "NAME", conflicts_with = "namespace")]
    pub(crate) set: Vec<String>,
    /// List the ready-made sets and fetch nothing
    #[arg(long)]
    pub(crate) list_sets: bool,
    /// This namespace instead of the ready-made sets (`AWS/EC2`, or one of your own)
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Only metrics of this name; may be given more than once
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub(crate) metric: Vec<String>,
    /// Only with this dimension; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) dimension: Vec<String>,
    /// A percentile or trimmed statistic beside the basic ones (`p99`, `tm90`); may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) statistic: Vec<String>,
    /// The unit of the metrics of `--namespace`, which CloudWatch does not tell
    #[arg(long, value_name = "UNIT", requires = "namespace")]
    pub(crate) unit: Option<String>,
    /// The resolution (`60s`, `5m`, `1h`; default: what the set says, or 5m)
    #[arg(long, value_name = "DURATION")]
    pub(crate) period: Option<String>,
    /// From this time on (default: from what is kept on, or the last three hours)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Go on fetching, at this interval, until interrupted
    #[arg(long, value_name = "DURATION")]
    pub(crate) every: Option<String>,
    /// Exit with 4 if anything could not be fetched
    #[arg(long)]
    pub(crate) require_complete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsAddArgs {
    /// Files, plain or compressed
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The account, where a file does not say
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// The region, where a file does not say
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The namespace, where a file does not say
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The metric's name, where a file does not say
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,
    /// A dimension, where a file does not say; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) dimension: Vec<String>,
    /// The unit, where a file does not say
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// The length of the periods, where a file does not say
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub(crate) period: String,
}

/// Which metrics.
#[derive(Debug, Args)]
pub(crate) struct ChoiceArgs {
    /// Only of this namespace
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Only with this dimension; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) dimension: Vec<String>,
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Only of this region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsListArgs {
    /// Only metrics of this name
    #[arg(value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsShowArgs {
    /// The metric's name
    #[arg(value_name = "METRIC")]
    pub(crate) metric: String,
    #[command(flatten)]
    pub(crate) choice: ChoiceArgs,
    /// From this time on (`3h`, `7d` ago, or a time)
    #[arg(long, value_name = "TIME", default_value = "3h")]
    pub(crate) since: String,
    /// Until this time (default: now)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// The length of the periods, a multiple of what is kept (default: what fits the width)
    #[arg(long, value_name = "DURATION")]
    pub(crate) period: Option<String>,
    /// The statistic in the chart: `Average`, `Sum`, `Minimum`, `Maximum`, `SampleCount`, `p99` (default: by the unit)
    #[arg(long, value_name = "NAME")]
    pub(crate) statistic: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsFilterArgs {
    /// Files or folders with metric filters as CloudFormation has them, or `built-in`
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsInsightsArgs {
    /// From this time on (`24h`, `7d` ago, or a time); the baseline is the seven days before each moment
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub(crate) since: String,
    /// Until this time (default: now)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AlarmRunArgs {
    /// An alarm file or a folder of them, a CloudFormation template with alarms, or `built-in` (default: `alarms` in the data
    /// folder)
    pub(crate) file: Option<PathBuf>,
    /// Data of your own instead of the lake: `.csv` with `time,value`, or a JSON object a line with `time` and `value`, or with
    /// `time` and `event`
    #[arg(long, value_name = "FILE", requires = "file")]
    pub(crate) data: Option<PathBuf>,
    /// Go on until this time (default: now; with `--data` until the period of the last value is over)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Where alarms that were never run begin (default: 30 days ago)
    #[arg(long, value_name = "TIME", conflicts_with = "data")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AlarmHistoryArgs {
    /// Only alarms whose name contains this text
    pub(crate) alarm: Option<String>,
    /// Only changes from this time on (`24h`, `7d` ago, or a time)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Show the orders that came of the changes instead
    #[arg(long)]
    pub(crate) orders: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AlarmImportArgs {
    /// From this bundle instead of the ledger
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Into this folder (default: `alarms` in the data folder)
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
