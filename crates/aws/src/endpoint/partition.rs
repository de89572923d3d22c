//! Partitions: the separate clouds that regions belong to.

use regex::Regex;
use serde::Deserialize;

use super::EndpointError;
use super::value::Value;

/// All partitions and their regions.
#[derive(Debug, Clone)]
pub struct Partitions(Vec<PartitionInfo>);

/// One partition.
#[derive(Debug, Clone)]
pub struct PartitionInfo {
    /// `aws`, `aws-cn`, …: the second part of its ARNs.
    pub name: String,
    /// `amazonaws.com`: the end of its host names.
    pub dns_suffix: String,
    /// Where services that have one endpoint for the whole partition are asked, and where such requests are signed for.
    pub home_region: String,
    pattern: Regex,
    regions: Vec<String>,
    record: Value,
}

impl Partitions {
    /// Reads the schema of botocore's `partitions.json`.
    pub fn from_json(json: &serde_json::Value) -> Result<Self, EndpointError> {
        let file = File::deserialize(json).map_err(|error| EndpointError::Rules(format!("partitions: {error}")))?;
        let partitions = file.partitions.into_iter().map(PartitionInfo::from_entry).collect::<Result<Vec<_>, _>>()?;
        if partitions.is_empty() {
            return Err(EndpointError::Rules("there are no partitions".to_owned()));
        }
        Ok(Self(partitions))
    }

    /// The partition of a region: the one that lists it, else the one whose pattern it has, else the first (`aws`), so
    /// that a region younger than the models works. `None` only of an empty table, which is never made.
    pub fn of_region(&self, region: &str) -> Option<&PartitionInfo> {
        let listed = self.0.iter().find(|partition| partition.regions.iter().any(|known| known == region));
        let matched = || self.0.iter().find(|partition| partition.pattern.is_match(region));
        listed.or_else(matched).or_else(|| self.0.first())
    }

    /// The partition with this name.
    pub fn named(&self, name: &str) -> Option<&PartitionInfo> {
        self.0.iter().find(|partition| partition.name == name)
    }
}

impl PartitionInfo {
    /// The regions that the models list, with pseudo-regions such as `aws-global`.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(String::as_str)
    }

    /// What `aws.partition` gives.
    pub(super) fn record(&self) -> Value {
        self.record.clone()
    }

    fn from_entry(entry: Entry) -> Result<Self, EndpointError> {
        let pattern = Regex::new(&entry.region_regex)
            .map_err(|error| EndpointError::Rules(format!("regions of partition `{}`: {error}", entry.id)))?;
        let Outputs { dns_suffix, dual_stack_dns_suffix, implicit_global_region, supports_dual_stack, supports_fips } =
            entry.outputs;
        let record = Value::Record(
            [
                ("name", Value::from(entry.id.as_str())),
                ("dnsSuffix", Value::from(dns_suffix.as_str())),
                ("dualStackDnsSuffix", Value::from(dual_stack_dns_suffix.as_str())),
                ("implicitGlobalRegion", Value::from(implicit_global_region.as_str())),
                ("supportsDualStack", Value::from(supports_dual_stack)),
                ("supportsFIPS", Value::from(supports_fips)),
            ]
            .into(),
        );
        Ok(Self {
            name: entry.id,
            dns_suffix,
            home_region: implicit_global_region,
            pattern,
            regions: entry.regions.into_iter().map(|(name, _)| name).collect(),
            record,
        })
    }
}

#[derive(Deserialize)]
struct File {
    partitions: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    region_regex: String,
    regions: serde_json::Map<String, serde_json::Value>,
    outputs: Outputs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outputs {
    dns_suffix: String,
    dual_stack_dns_suffix: String,
    implicit_global_region: String,
    supports_dual_stack: bool,
    #[serde(rename = "supportsFIPS")]
    supports_fips: bool,
}
