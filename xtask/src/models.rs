//! `cargo xtask models`: botocore's published models to the table that the program carries.

mod policy;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;
use yagura_aws::model::{Models, Protocol, Service, write_table};

use policy::Policy;

/// The botocore that is fetched where none is given. A release moves it on, together with the table.
const BOTOCORE: &str = "1.44.5";

/// botocore's names of the services that the table has.
const SERVICES: &str = include_str!("../data/services.txt");

/// The table is in every binary: past this it deserves a look at what grew.
const TABLE_BYTES_MAX: usize = 2 << 20;

/// No JSON file of botocore is larger; EC2's is about 10 MB.
const JSON_BYTES_MAX: u64 = 64 << 20;

/// Services that show most of what the models share; their start is the dictionary of the compression.
const DICTIONARY_OF: [&str; 3] = ["elbv2", "guardduty", "wafv2"];

/// How much of each goes into the dictionary, which is stored as it is.
const DICTIONARY_BYTES_EACH: usize = 12 << 10;

/// Makes the table of `botocore`: an installed package, its `data` folder or a wheel; fetched from `PyPI` where absent.
/// Prints the size of what it wrote.
pub(crate) fn run(botocore: Option<&Path>) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data = match botocore {
        Some(path) if path.is_dir() => data_folder(path)?,
        Some(wheel) => data_folder(&install(&wheel.display().to_string(), scratch.path())?)?,
        None => data_folder(&install(&format!("botocore=={BOTOCORE}"), scratch.path())?)?,
    };
    let version = version(&data)?;
    let policy = Policy::load()?;
    let mut services = Vec::new();
    for name in SERVICES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut service = read_service(&data, name).with_context(|| format!("reading the model of `{name}`"))?;
        policy.apply(&mut service);
        services.push(service);
    }
    policy.check(&services)?;
    let partitions = read_json(&data.join("partitions.json"))?.context("no partitions.json")?;
    let table = write_table(&version, &partitions, &services, &dictionary(&services)?)?;
    ensure!(table.len() <= TABLE_BYTES_MAX, "the table has {} bytes, the limit is {TABLE_BYTES_MAX}", table.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aws/models");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("models.bin.zst"), &table)?;
    fs::write(folder.join("NOTICE"), notice(&version))?;
    report(&version, &services, table)
}

/// Reads the table back as the program will, and says what is in it.
fn report(version: &str, services: &[Service], table: Vec<u8>) -> Result<()> {
    let size = table.len();
    let models = Models::open(table.leak())?;
    for service in services {
        ensure!(*models.load(&service.name)? == *service, "`{}` reads back as something else", service.name);
    }
    let operations: usize = services.iter().map(|service| service.operations().len()).sum();
    let reads = services.iter().flat_map(Service::operations).filter(|operation| operation.read_only).count();
    println!(
        "botocore {version}: {} services, {operations} operations ({reads} read), {} KiB",
        services.len(),
        size.div_ceil(1024)
    );
    Ok(())
}

/// Installs a requirement or a wheel below `scratch` without its dependencies.
fn install(requirement: &str, scratch: &Path) -> Result<PathBuf> {
    let target = scratch.join("botocore");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:", "--target"]);
    let status = pip.arg(&target).arg(requirement).status().context("running pip")?;
    ensure!(status.success(), "pip could not install `{requirement}`");
    Ok(target)
}

/// The folder of models in a package, a site folder or itself.
fn data_folder(path: &Path) -> Result<PathBuf> {
    let candidates = [path.to_owned(), path.join("data"), path.join("botocore/data")];
    let found = candidates.into_iter().find(|candidate| candidate.join("partitions.json").is_file());
    found.with_context(|| format!("no botocore models in `{}`", path.display()))
}

/// The version that the package beside the models says it has.
fn version(data: &Path) -> Result<String> {
    let package = data.parent().context("the models are in no package")?;
    let source = fs::read_to_string(package.join("__init__.py")).context("the models are in no package")?;
    let line =
        source.lines().find_map(|line| line.strip_prefix("__version__ = ")).context("botocore has no version")?;
    Ok(line.trim_matches(['\'', '"']).to_owned())
}

/// The latest model of a service, with what botocore's own extras add to it.
fn read_service(data: &Path, name: &str) -> Result<Service> {
    let mut versions: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(data.join(name))? {
        versions.push(entry?.path());
    }
    let folder = versions.into_iter().filter(|path| path.is_dir()).max().context("it has no version")?;
    let part = |file: &str| -> Result<Value> {
        let mut value = read_json(&folder.join(format!("{file}.json")))?.unwrap_or_default();
        let extras = read_json(&folder.join(format!("{file}.sdk-extras.json")))?.unwrap_or_default();
        if let Some(extras) = extras.get("merge") {
            merge(&mut value, extras);
        }
        Ok(value)
    };
    let mut service = Service::from_botocore(name, &part("service-2")?, &part("paginators-1")?)?;
    let rules = part("endpoint-rule-set-1")?;
    service.endpoint_rules_json = (!rules.is_null()).then(|| strip_prose(rules).to_string().into());
    if service.protocol == Protocol::Json {
        ensure!(service.target_prefix.is_some() && service.json_version.is_some(), "it cannot be spoken in JSON");
    }
    Ok(service)
}

/// A JSON file, plain or with `.gz` behind its name; `None` where there is neither.
fn read_json(path: &Path) -> Result<Option<Value>> {
    let mut text = String::new();
    let packed = path.with_added_extension("gz");
    if path.is_file() {
        fs::File::open(path)?.take(JSON_BYTES_MAX).read_to_string(&mut text)?;
    } else if packed.is_file() {
        GzDecoder::new(fs::File::open(&packed)?).take(JSON_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        return Ok(None);
    }
    let value = serde_json::from_str(&text).with_context(|| format!("`{}` is no json", path.display()))?;
    Ok(Some(value))
}

/// `extra` laid over `value`: objects are merged, all else is replaced.
fn merge(value: &mut Value, extra: &Value) {
    match (value, extra) {
        (Value::Object(value), Value::Object(extra)) => {
            for (key, extra) in extra {
                merge(value.entry(key).or_insert(Value::Null), extra);
            }
        }
        (value, extra) => *value = extra.clone(),
    }
}

/// The rule set without the `documentation` of its parameters.
fn strip_prose(mut rules: Value) -> Value {
    let parameters = rules.get_mut("parameters").and_then(Value::as_object_mut);
    for parameter in parameters.into_iter().flat_map(|parameters| parameters.values_mut()) {
        if let Some(parameter) = parameter.as_object_mut() {
            parameter.remove("documentation");
        }
    }
    rules
}

fn dictionary(services: &[Service]) -> Result<Vec<u8>> {
    let mut dictionary = Vec::new();
    for name in DICTIONARY_OF {
        let service = services.iter().find(|service| &*service.name == name);
        let Some(service) = service else { bail!("`{name}` is not in the table") };
        let model = serde_json::to_vec(service)?;
        dictionary.extend(model.iter().take(DICTIONARY_BYTES_EACH));
    }
    // The rule sets are nearly the same for all regional services; what is last in a dictionary is cheapest to refer to.
    let rules = services.iter().find_map(|service| service.endpoint_rules_json.as_deref());
    dictionary.extend(rules.unwrap_or_default().as_bytes());
    Ok(dictionary)
}

fn notice(version: &str) -> String {
    format!(
        "models.bin.zst holds service models of the AWS SDK for Python's botocore {version}\n\
         (https://github.com/boto/botocore), compressed and stripped of documentation by `cargo xtask models`.\n\n\
         botocore\n\
         Copyright 2012-2022 Amazon.com, Inc. or its affiliates. All Rights Reserved.\n\n\
         Licensed under the Apache License, Version 2.0; the licence is in the file LICENSE of this repository.\n"
    )
}
