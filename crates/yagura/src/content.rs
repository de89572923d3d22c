//! The content the program carries: rules, tables of facts, resource types, standards.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use include_dir::{Dir, include_dir};
use serde_json::Value;
use yagura_analyze::standards::Standard;
use yagura_aws::model::Models;
use yagura_collect::types::ResourceTypes;
use yagura_model::RuleName;
use yagura_rules::{Control, Engine, RuleSet};

use crate::Usage;

static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");
static RESOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../resources");
static STANDARDS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../standards");

/// Attributes that AWS changes by itself, all the time: their latest value is kept, a change makes no version.
pub(crate) const VOLATILE_ATTRIBUTES: &[&str] = &[
    "AccessKey1LastUsedDate",
    "AccessKey2LastUsedDate",
    "PasswordLastUsed",
    "RoleLastUsed",
    "LastUsed",
    "LastAccessedDate",
    "LatestRestorableTime",
    "StoredBytes",
    "ItemCount",
    "TableSizeBytes",
    "SizeInBytes",
    "NumberOfObjects",
    "LastStatus",
    "LatestDeliveryTime",
    "LatestCloudWatchLogsDeliveryTime",
    "LatestDigestDeliveryTime",
    "StateUpdatedTimestamp",
    "ApproximateNumberOfMessages",
];

/// Rules and standards, ready to judge.
pub(crate) struct Content {
    /// The rules.
    pub(crate) engine: Engine,
    /// The standards, by id.
    pub(crate) standards: Vec<Standard>,
}

impl Content {
    /// The built-in rules and standards, and the rules of `more` folders beside them.
    ///
    /// A built-in file that cannot be used is a defect and stops the program; so does one of `more`, since a control
    /// that silently does not run would be taken for one that passes.
    pub(crate) fn load(more: &[PathBuf]) -> Result<Self> {
        let library = yagura_analyze::library().context("lending functions to the rules")?;
        let mut files = built_in_rule_files();
        for dir in more {
            files.extend(rule_files(dir)?);
        }
        let (rules, errors) = RuleSet::load_files(files, &library);
        if let Some(first) = errors.first() {
            let rest = errors.len() - 1;
            let rest = if rest == 0 { String::new() } else { format!(" (and {rest} more, see `yagura rule test`)") };
            bail!("{first}{rest}");
        }
        let mut standards = Vec::new();
        for (path, text) in files_of(&STANDARDS) {
            standards.push(Standard::parse(&path, text, &rules)?);
        }
        Ok(Self { engine: Engine::new(rules), standards })
    }

    /// The rules.
    pub(crate) fn rules(&self) -> &RuleSet {
        self.engine.rules()
    }

    /// The controls known by `id`: a rule's name, or an AWS identifier that one or more rules carry.
    pub(crate) fn controls_named(&self, id: &str) -> Vec<&Control> {
        if let Some(control) = self.rules().control(&RuleName::from(id)) {
            return vec![control];
        }
        let controls = self.rules().controls().iter();
        controls.filter(|control| control.aws.iter().any(|aws| aws.eq_ignore_ascii_case(id))).collect()
    }
}

/// The built-in rule files, by their paths below `rules/`.
pub(crate) fn built_in_rule_files() -> Vec<(String, String)> {
    files_of(&RULES).into_iter().map(|(path, text)| (path, text.to_owned())).collect()
}

/// The built-in resource types.
pub(crate) fn resource_types() -> Result<ResourceTypes> {
    let files = files_of(&RESOURCES);
    let (types, errors) = ResourceTypes::load_files(files.iter().map(|(path, text)| (path.as_str(), *text)));
    match errors.first() {
        None => Ok(types),
        Some(error) => Err(anyhow!("{error}").context("a built-in resource type cannot be used")),
    }
}

/// The documents of the least read-only policy; one, unless IAM's size limit asks for more.
pub(crate) fn iam_policy(types: &ResourceTypes) -> Result<Value> {
    let models = Models::embedded().context("the API models cannot be read")?;
    let action = |service: &str, operation: &str| {
        let service = models.service(service)?;
        service.operation(operation).map(|operation| operation.iam_action.to_string())
    };
    Ok(Value::Array(yagura_collect::iam_policy(types, action).documents))
}

/// A rule file, or every rule file of a folder, by their paths as `load_files` wants them.
pub(crate) fn rule_files(path: &Path) -> Result<Vec<(String, String)>> {
    if path.is_file() {
        return Ok(vec![(rule_path(path), read(path)?)]);
    }
    let mut found = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let entries =
            std::fs::read_dir(&dir).with_context(|| format!("cannot read the rules in `{}`", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read the rules in `{}`", dir.display()))?.path();
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "yml") {
                found.push((rule_path(&entry), read(&entry)?));
            }
        }
    }
    if found.is_empty() {
        return Err(Usage(format!("there are no rules (`*.yml`) in `{}`", path.display())).into());
    }
    found.sort();
    Ok(found)
}

/// The path that names a rule: from the last `controls/` or `tables/` on, else its folder and its file.
fn rule_path(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let parts: Vec<String> = whole.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if let Some(start) = parts.iter().rposition(|part| part == "controls" || part == "tables") {
        return parts.get(start..).unwrap_or_default().join("/");
    }
    let start = parts.len().saturating_sub(2);
    format!("controls/{}", parts.get(start..).unwrap_or_default().join("/"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the rule file `{}`", path.display()))
}

/// Every `.yml` file below `dir`, as path and text, sorted by path.
fn files_of(dir: &'static Dir<'_>) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    let mut waiting = vec![dir];
    while let Some(dir) = waiting.pop() {
        waiting.extend(dir.dirs());
        for file in dir.files() {
            if file.path().extension().is_some_and(|ending| ending == "yml")
                && let Some(text) = file.contents_utf8()
            {
                found.push((file.path().to_string_lossy().replace('\\', "/"), text));
            }
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_named_by_its_folder_wherever_that_stands() {
        for (path, expected) in [
            ("/home/a/rules/controls/s3/x.yml", "controls/s3/x.yml"),
            ("/home/a/rules/tables/x.yml", "tables/x.yml"),
            ("/home/a/our-rules/s3/x.yml", "controls/s3/x.yml"),
            ("/home/controls/ours/controls/s3/x.yml", "controls/s3/x.yml"),
        ] {
            assert_eq!(rule_path(Path::new(path)), expected);
        }
    }

    #[test]
    fn everything_built_in_can_be_used_and_passes_its_tests() {
        let content = Content::load(&[]).unwrap();
        let report = yagura_rules::test_rules(&content.engine);
        assert_eq!(report.failures, []);
        assert!(report.run > content.rules().controls().len());
        assert!(!resource_types().unwrap().is_empty());
        assert!(content.standards.iter().all(|standard| !standard.requirements.is_empty()));
    }
}
