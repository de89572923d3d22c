//! `yagura alarm import`: the alarms and metric filters of recorded accounts, as files that alarms are run from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use yagura_model::{Inventory, Listing, Resource, ResourceType};
use yagura_rules::alarm::Watch;

use super::lake::FOLDER;
use crate::cli::{AlarmImportArgs, Common};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, pipeline, print};

/// The types that are imported.
const TYPES: [&str; 3] = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::Logs::MetricFilter"];

/// The type that says which log group has the events of CloudTrail.
const TRAIL: &str = "AWS::CloudTrail::Trail";

/// What an account has in a region.
#[derive(Default)]
struct Found {
    resources: Map<String, Value>,
    alarms: usize,
    filters: usize,
    /// What was left out, and why.
    left_out: Vec<String>,
}

/// Writes a file for each account and region.
pub(super) fn run(common: &Common, args: &AlarmImportArgs, config: &Config, words: &Words) -> Result<Exit> {
    let seen = match &args.bundle {
        Some(bundle) => pipeline::read_bundle(bundle)?,
        None => pipeline::read_ledger(config, words)?,
    };
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => config.data_dir()?.join(FOLDER),
    };
    let places = found(&seen.inventory, words);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let mut rows = Vec::new();
    for ((account, region), found) in places {
        let path = folder.join(format!("{account}-{region}.yml"));
        let template = json!({
            "Metadata": { "Yagura": { "Account": account, "Region": region } }, "Resources": found.resources,
        });
        let (_, errors) = Watch::from_template(&template);
        let problems: Vec<String> = errors.iter().map(|error| sentence(error)).collect();
        write(&path, &template)?;
        rows.push(json!({
            "account": account, "region": region, "file": path.display().to_string(), "alarms": found.alarms,
            "filters": found.filters, "left_out": found.left_out, "not_evaluated": problems,
        }));
    }
    let unread = unread(&seen.inventory);
    let head = ["account", "region", "alarms", "filters", "file"].map(|key| format!("metrics.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    if rows.is_empty() && common.output.is_none() && common.query.is_none() {
        println!("{}", words.get("metrics.import_none"));
    } else {
        print::rows(common, &head, &rows, |row| {
            let text = |key: &str| match row.get(key) {
                Some(Value::String(text)) => text.clone(),
                other => other.map(ToString::to_string).unwrap_or_default(),
            };
            ["account", "region", "alarms", "filters", "file"].map(text).to_vec()
        })?;
    }
    for row in &rows {
        for key in ["left_out", "not_evaluated"] {
            for why in row.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                let why = crate::errors::translated(why, words.lang());
                eprintln!("{}", words.fill(&format!("metrics.import_{key}"), &[("why", &why)]));
            }
        }
    }
    for place in &unread {
        eprintln!("{}", words.fill("metrics.import_unread", &[("place", place)]));
    }
    Ok(if unread.is_empty() { Exit::Clean } else { Exit::Incomplete })
}

/// An error and its cause.
fn sentence(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn write(path: &Path, template: &Value) -> Result<()> {
    let text = super::yaml::text(template);
    print::whole_file(path, |out| out.write_all(text.as_bytes()))
}

/// The alarms and filters, by account and region.
fn found(inventory: &Inventory, words: &Words) -> BTreeMap<(String, String), Found> {
    let trails: Vec<&Resource> = inventory.of_type(&ResourceType::from(TRAIL)).map(|resource| &**resource).collect();
    let mut places: BTreeMap<(String, String), Found> = BTreeMap::new();
    for kind in TYPES {
        for resource in inventory.of_type(&ResourceType::from(kind)) {
            let place = (resource.account.to_string(), resource.region.to_string());
            let found = places.entry(place).or_default();
            let properties: Map<String, Value> = resource
                .properties
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            // A part that was not read may say something else than its absence does.
            let missing =
                resource.unread.iter().any(|unread| unread.paths.iter().any(|path| path.starts_with("Properties")));
            if missing {
                found.left_out.push(words.fill("metrics.import_partly_read", &[("name", &resource.id)]));
                continue;
            }
            let mut template = json!({ "Type": kind, "Properties": properties });
            if kind == "AWS::Logs::MetricFilter" {
                match feeds(&trails, resource) {
                    None => {
                        found.left_out.push(words.fill("metrics.import_no_trail", &[("name", &resource.id)]));
                        continue;
                    }
                    Some(Events::OwnRegion) => set_own_region(&mut template),
                    Some(Events::AllRegions) => {}
                }
                found.filters += 1;
            } else {
                found.alarms += 1;
            }
            let taken: BTreeSet<&String> = found.resources.keys().collect();
            let name = logical_name(&resource.id, &taken);
            found.resources.insert(name, template);
        }
    }
    places
}

fn set_own_region(template: &mut Value) {
    if let Some(members) = template.as_object_mut() {
        members.insert("Metadata".to_owned(), json!({ "Yagura": { "EventsOf": "region" } }));
    }
}

/// Which events a log group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    OwnRegion,
    AllRegions,
}

/// Which events of CloudTrail the filter's log group gets; none where no recorded trail delivers to it.
fn feeds(trails: &[&Resource], filter: &Resource) -> Option<Events> {
    let group = filter.properties.get("LogGroupName")?.as_str()?;
    let is_of_group = |trail: &&&Resource| {
        let arn = trail.properties.get("CloudWatchLogsLogGroupArn").and_then(Value::as_str).unwrap_or_default();
        let mut parts = arn.split(':').skip(3);
        let (region, account) = (parts.next(), parts.next());
        let name = arn.split(":log-group:").nth(1).map(|rest| rest.trim_end_matches(":*"));
        name == Some(group) && region == Some(filter.region.as_str()) && account == Some(filter.account.as_str())
    };
    let all = |trail: &&&Resource| {
        ["IsMultiRegionTrail", "IsOrganizationTrail"].map(|name| trail.properties.get(name) == Some(&Value::Bool(true)))
    };
    let fed: Vec<[bool; 2]> = trails.iter().filter(is_of_group).map(|trail| all(&trail)).collect();
    match fed.iter().any(|[all_regions, _]| *all_regions) {
        _ if fed.is_empty() => None,
        true => Some(Events::AllRegions),
        false => Some(Events::OwnRegion),
    }
}

/// A name that a template may have, unlike those taken.
fn logical_name(id: &str, taken: &BTreeSet<&String>) -> String {
    let mut name: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    if name.is_empty() {
        name.push_str("Resource");
    }
    let plain = name.clone();
    let mut number = 1;
    while taken.contains(&name) {
        number += 1;
        name = format!("{plain}{number}");
    }
    name
}

/// Where the types could not be listed.
fn unread(inventory: &Inventory) -> Vec<String> {
    let mut places: Vec<String> = inventory
        .listings()
        .filter(|(kind, _, _, listing)| TYPES.contains(&kind.as_str()) && matches!(listing, Listing::Unread(_)))
        .map(|(kind, account, region, listing)| match listing {
            Listing::Unread(cause) => format!("{kind} {account} {region}: {cause}"),
            Listing::Complete => String::new(),
        })
        .collect();
    places.sort();
    places
}
