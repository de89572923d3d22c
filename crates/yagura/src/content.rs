//! The content the program carries: rules, tables of facts, resource types, standards.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use include_dir::{Dir, include_dir};
use yagura_analyze::standards::Standard;
use yagura_aws::model::Models;
use yagura_collect::ReadPolicy;
use yagura_collect::metrics::MetricSet;
use yagura_collect::types::ResourceTypes;
use yagura_model::RuleName;
use yagura_rules::{Control, Engine, RuleSet};

use crate::Usage;

/// The rule files as they are written, for what asks for their tests.
static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sources");
static METRICS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../metrics");

// What every start reads, as the build script packs it: paths and contents.
static PACKED_RULES: &str = include_str!(concat!(env!("OUT_DIR"), "/rules.json"));
static PACKED_RESOURCES: &str = include_str!(concat!(env!("OUT_DIR"), "/resources.json"));
static PACKED_STANDARDS: &str = include_str!(concat!(env!("OUT_DIR"), "/standards.json"));

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
        let mut files = unpacked(PACKED_RULES)?;
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
        for (path, text) in unpacked(PACKED_STANDARDS)? {
            standards.push(Standard::parse(&path, &text, &rules)?);
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

/// The built-in controls of these names with the tests of their files.
pub(crate) fn with_tests(names: &[&RuleName]) -> Result<RuleSet> {
    let library = yagura_analyze::library().context("lending functions to the rules")?;
    let wanted = |path: &str| {
        let name = path.strip_prefix("controls/").and_then(|path| path.strip_suffix(".yml"));
        name.is_none_or(|name| names.iter().any(|wanted| wanted.as_str() == name))
    };
    let files = built_in_rule_files().into_iter().filter(|(path, _)| wanted(path));
    let (rules, errors) = RuleSet::load_files(files, &library);
    match errors.first() {
        None => Ok(rules),
        Some(error) => Err(anyhow!("{error}").context("a built-in rule cannot be used")),
    }
}

fn unpacked(packed: &str) -> Result<Vec<(String, String)>> {
    serde_json::from_str(packed).context("the built-in content cannot be read")
}

/// The built-in rule files as they are written, by their paths below `rules/`.
pub(crate) fn built_in_rule_files() -> Vec<(String, String)> {
    files_of(&RULES).into_iter().map(|(path, text)| (path, text.to_owned())).collect()
}

/// The built-in log sources, besides the one that the lake knows by itself.
pub(crate) fn log_sources() -> Result<Vec<yagura_lake::source::Source>> {
    let folders = SOURCES.dirs().filter_map(|dir| {
        let mapping = dir.get_file(dir.path().join("source.yml"))?.contents_utf8()?;
        Some((dir.path().to_str()?, mapping))
    });
    yagura_lake::mapped::sources(folders).context("a built-in log source cannot be used")
}

/// The ready-made sets of metrics, by name.
pub(crate) fn metric_sets() -> Result<Vec<MetricSet>> {
    let sets = files_of(&METRICS).into_iter().map(|(path, text)| MetricSet::parse(&path, text));
    sets.collect::<Result<_, _>>().context("a built-in set of metrics cannot be used")
}

/// The built-in resource types.
pub(crate) fn resource_types() -> Result<ResourceTypes> {
    let files = unpacked(PACKED_RESOURCES)?;
    let (types, errors) = ResourceTypes::load_files(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    match errors.first() {
        None => Ok(types),
        Some(error) => Err(anyhow!("{error}").context("a built-in resource type cannot be used")),
    }
}

/// The least read-only policy: its documents (one, unless IAM's size limit asks for more), and what each permission is
/// needed for.
pub(crate) fn iam_policy(types: &ResourceTypes) -> Result<ReadPolicy> {
    let models = Models::embedded().context("the API models cannot be read")?;
    let action = |service: &str, operation: &str| models.iam_action(service, operation).map(str::to_owned);
    Ok(yagura_collect::iam_policy(types, action))
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

/// The built-in files of one folder of `rules/` (`alarms`, `events`).
pub(crate) fn built_in_files(folder: &str) -> Vec<(String, String)> {
    let prefix = format!("{folder}/");
    built_in_rule_files().into_iter().filter(|(path, _)| path.starts_with(&prefix)).collect()
}

/// A file, or every `.yml` file of a folder, by the paths that a person knows them by.
pub(crate) fn files_by_path(path: &Path) -> Result<Vec<(String, String)>> {
    if path.is_file() {
        return Ok(vec![(path.display().to_string(), read(path)?)]);
    }
    let mut found = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
            let entry = entry.with_context(|| format!("cannot read `{}`", dir.display()))?.path();
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "yml") {
                found.push((entry.display().to_string(), read(&entry)?));
            }
        }
    }
    if found.is_empty() {
        return Err(Usage(format!("there are no rules (`*.yml`) in `{}`", path.display())).into());
    }
    found.sort();
    Ok(found)
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

    static RESOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../resources");
    static STANDARDS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../standards");

    fn written_rules() -> RuleSet {
        let (rules, errors) = RuleSet::load_files(built_in_rule_files(), &yagura_analyze::library().unwrap());
        assert_eq!(errors, []);
        rules
    }

    /// Everything of a control but its tests; what it reads is known only of an expression that compiles.
    fn shown(control: &Control) -> String {
        let Control { name, id, title, why, fix, level, aws, subjects, command, minutes, when, logic, cases: _ } =
            control;
        format!(
            "{:#?}",
            (name, id, title, why, (fix, level, aws, subjects), (command, minutes, when, logic), control.reads())
        )
    }

    #[test]
    fn an_identifier_of_config_names_every_rule_that_carries_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("controls/ours");
        std::fs::create_dir_all(&path).unwrap();
        let rule = RULES.get_file("controls/s3/bucket-object-lock-enabled.yml").unwrap().contents_utf8().unwrap();
        let rule: String = rule
            .lines()
            .map(|line| match line.split(": ").next() {
                Some("id") => "id: 00000000-0000-4000-8000-000000000001\n".to_owned(),
                Some("aws") => "aws: [S3_BUCKET_DEFAULT_LOCK_ENABLED]\n".to_owned(),
                _ => format!("{line}\n"),
            })
            .collect();
        std::fs::write(path.join("buckets-locked.yml"), rule).unwrap();
        let content = Content::load(&[dir.path().to_path_buf()]).unwrap();
        let names: Vec<&str> = content
            .controls_named("s3_bucket_default_lock_enabled")
            .iter()
            .map(|control| control.name.as_str())
            .collect();
        assert_eq!(names, ["ours/buckets-locked", "s3/bucket-object-lock-enabled"]);
    }

    #[test]
    fn what_is_packed_is_what_is_written() {
        let (packed, written) = (Content::load(&[]).unwrap(), written_rules());
        assert_eq!(packed.rules().tables(), written.tables());
        assert_eq!(packed.rules().controls().len(), written.controls().len());
        for (packed, written) in packed.rules().controls().iter().zip(written.controls()) {
            assert_eq!(shown(packed), shown(written));
        }
        let standards = files_of(&STANDARDS);
        assert_eq!(packed.standards.len(), standards.len());
        for (packed, (path, text)) in packed.standards.iter().zip(standards) {
            assert_eq!(format!("{packed:#?}"), format!("{:#?}", Standard::parse(&path, text, &written).unwrap()));
        }
        let files = files_of(&RESOURCES);
        let (written, errors) = ResourceTypes::load_files(files.iter().map(|(path, text)| (path.as_str(), *text)));
        assert_eq!(errors, []);
        let packed = resource_types().unwrap();
        assert_eq!(packed.len(), written.len());
        for (packed, written) in packed.iter().zip(written.iter()) {
            let without_tests = |shown: String| shown.rsplit_once("\n    tests: ").map(|(before, _)| before.to_owned());
            assert_eq!(without_tests(format!("{packed:#?}")), without_tests(format!("{written:#?}")));
        }
    }

    #[test]
    fn everything_built_in_can_be_used_and_passes_its_tests() {
        let rules = written_rules();
        let count = rules.controls().len();
        let report = yagura_rules::test_rules(&Engine::new(rules));
        assert_eq!(report.failures, []);
        assert!(report.run > count);
        let content = Content::load(&[]).unwrap();
        assert!(content.standards.iter().all(|standard| !standard.requirements.is_empty()));
    }
}
