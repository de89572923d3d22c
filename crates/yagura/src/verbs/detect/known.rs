//! What detection may know beside the events: threat lists, places of addresses, and what is the owner's own.

use std::path::Path;

use anyhow::{Context, Result};
use ipnet::IpNet;
use yagura_detect::lists::{DECLARATION, ListFile, Lists, Places, declare};
use yagura_detect::{Context as Known, Own};
use yagura_lake::Lake;
use yagura_record::{Filter, RESOURCES_MAX};

use crate::config::Config;
use crate::errors;
use crate::pipeline;
use crate::words::Words;

/// The folder of lists within the data folder.
const FOLDER: &str = "lists";

/// The largest file in the folder of lists: the largest database of places has some 100 MB.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How deep folders of lists may be nested.
const DEPTH_MAX: usize = 8;

/// Everything beside the events.
pub(crate) struct Beside {
    lists: Lists,
    places: Places,
    own: Own,
}

impl Beside {
    /// Reads the folder of lists, and what the lake and the ledger say of the owner. A list that cannot be used is named on
    /// standard error, and the others are used.
    pub(crate) async fn load(dir: Option<&Path>, lake: &Lake, config: &Config, words: &Words) -> Result<Self> {
        let folder =
            dir.map_or_else(|| config.data_dir().map(|data| data.join(FOLDER)), |dir| Ok(dir.to_path_buf()))?;
        let mut files = Vec::new();
        if dir.is_some() || folder.is_dir() {
            walk(&folder, &folder, 0, &mut files)?;
            files.sort();
        }
        let mut places = Places::default();
        let mut contents: Vec<(String, Vec<u8>)> = Vec::new();
        let mut declaration = None;
        for name in files {
            let path = folder.join(&name);
            let bytes = read(&path)?;
            if path.extension().is_some_and(|ending| ending == "mmdb") {
                if let Err(error) = places.add(&name, bytes) {
                    eprintln!("{}", errors::sentence(&error.into(), words.lang()));
                }
            } else if name == DECLARATION {
                declaration = Some(String::from_utf8_lossy(&bytes).into_owned());
            } else {
                contents.push((name, bytes));
            }
        }
        let names: Vec<String> = contents.iter().map(|(name, _)| name.clone()).collect();
        let (declared, problems) = declare(&names, declaration.as_deref());
        for problem in problems {
            eprintln!("{}", errors::sentence(&problem.into(), words.lang()));
        }
        let of = |file: &str| contents.iter().find(|(name, _)| name == file).map(|(_, bytes)| bytes.as_slice());
        let files = declared.into_iter().filter_map(|declared| {
            let bytes = of(&declared.file)?;
            Some(ListFile { declared, bytes })
        });
        let (lists, problems) = Lists::new(files, crate::now());
        for problem in problems {
            eprintln!("{}", errors::sentence(&problem.into(), words.lang()));
        }
        for list in lists.lists() {
            let refused = list.read.unusable_count;
            if refused > 0 {
                let values: [(&str, &dyn std::fmt::Display); 2] =
                    [("list", &list.declared.name()), ("count", &refused)];
                eprintln!("{}", words.fill("detect.refused", &values));
            }
        }
        Ok(Self { lists, places, own: own(lake, config).await? })
    }

    /// As facts ask it.
    pub(crate) fn context(&self) -> Known<'_> {
        Known { lists: &self.lists, places: &self.places, own: &self.own }
    }
}

fn walk(top: &Path, dir: &Path, depth: usize, files: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            if depth < DEPTH_MAX {
                walk(top, &path, depth + 1, files)?;
            }
        } else if let Ok(name) = path.strip_prefix(top) {
            files.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "`{}` is larger than {} MB", path.display(), FILE_BYTES_MAX >> 20);
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// The accounts whose logs or resources are kept, and the networks of their VPCs.
async fn own(lake: &Lake, config: &Config) -> Result<Own> {
    let mut own = Own::default();
    for status in lake.status().await? {
        own.accounts.extend(status.places.into_iter().map(|place| place.account));
    }
    own.accounts.remove(yagura_lake::source::UNKNOWN);
    let reader = pipeline::open_ledger(config).await?.reader().await?;
    let mut filter = Filter { kind: Some("AWS::EC2::VPC".to_owned()), limit: RESOURCES_MAX, ..Filter::default() };
    loop {
        let found = reader.resources(&filter).await?;
        for row in &found {
            own.accounts.insert(row.key.account.to_string());
            for recorded in reader.resource(&row.key.id, None).await? {
                own.networks.extend(networks(&recorded.resource.properties));
                own.networks.extend(networks(&recorded.resource.attributes));
            }
        }
        if found.len() < RESOURCES_MAX as usize {
            break;
        }
        filter.offset += RESOURCES_MAX;
    }
    reader.close().await;
    own.networks.sort_unstable();
    own.networks.dedup();
    Ok(own)
}

/// The networks that a VPC has.
fn networks(properties: &serde_json::Map<String, serde_json::Value>) -> impl Iterator<Item = IpNet> + '_ {
    ["CidrBlock", "CidrBlocks", "Ipv6CidrBlocks"].into_iter().filter_map(|key| properties.get(key)).flat_map(|value| {
        let texts: Vec<&str> = match value {
            serde_json::Value::Array(items) => items.iter().filter_map(serde_json::Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        texts.into_iter().filter_map(|text| text.parse().ok()).collect::<Vec<IpNet>>()
    })
}
