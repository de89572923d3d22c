//! Ready-made sets of metrics: one file a set.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Wanted;

/// The resolution where a file does not say: what EC2 gives without detailed monitoring.
const PERIOD_SECONDS: u32 = 300;

/// Metrics that are worth fetching together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSet {
    /// The file's name without its ending.
    pub name: String,
    /// What it is, in English.
    pub en: String,
    /// What it is, in Japanese.
    pub ja: String,
    /// What to look for.
    pub wanted: Wanted,
}

/// What is known of a metric before it is fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMetric {
    /// The unit, as AWS spells it; `GetMetricData` does not say.
    #[serde(default)]
    pub unit: Option<String>,
    /// Its resolution, where that is not the set's.
    #[serde(default, rename = "period")]
    pub period_seconds: Option<u32>,
    /// Percentiles and trimmed statistics that are worth asking for.
    #[serde(default)]
    pub extended: BTreeSet<String>,
}

/// A file that is no set of metrics.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is no set of metrics")]
pub struct MetricSetError {
    path: String,
    #[source]
    problem: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    ja: String,
    namespace: String,
    #[serde(default)]
    dimensions: Vec<BTreeSet<String>>,
    #[serde(default)]
    period: Option<u32>,
    metrics: BTreeMap<String, SetMetric>,
}

impl MetricSet {
    /// The set that a file is.
    pub fn parse(path: &str, text: &str) -> Result<Self, MetricSetError> {
        let wrong = |problem| MetricSetError { path: path.to_owned(), problem };
        let file: File = serde_saphyr::from_str(text).map_err(|error| wrong(error.into()))?;
        let periods = file.metrics.values().filter_map(|metric| metric.period_seconds).chain(file.period);
        if periods.into_iter().any(|period| period == 0) || file.metrics.is_empty() {
            return Err(wrong("expected metrics, and periods of at least a second".into()));
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(Self {
            name: name.strip_suffix(".yml").unwrap_or(name).to_owned(),
            en: file.title,
            ja: file.ja,
            wanted: Wanted {
                namespace: file.namespace,
                metrics: file.metrics,
                dimension_sets: file.dimensions,
                dimensions: BTreeMap::new(),
                period_seconds: file.period.unwrap_or(PERIOD_SECONDS),
                unit: None,
                extended: BTreeSet::new(),
            },
        })
    }
}
