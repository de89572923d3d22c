//! `docs/detections.md`: which of GuardDuty's finding types are found by which detection, and which are not, and why. It is made of
//! the detections and of the table of types, so that it cannot say what is not so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what reads the files is as much test as what checks them")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use yagura_detect::Detection;

const TYPES: &str = include_str!("../data/guardduty-types.tsv");
const INCIDENTS: &str = include_str!("../src/incident.rs");

/// Types that could be found by their source and method, and are not.
const REASONS: [(&str, &str); 1] = [(
    "Impact:IAMUser/PromptInjection.Direct",
    "what a guardrail found in a prompt is in the answer to its caller, in no log that is read here",
)];

struct Row<'t> {
    name: &'t str,
    severity: &'t str,
    sources: &'t str,
    method: &'t str,
    is_retired: bool,
}

struct Found {
    rule: String,
    level: String,
    title: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn types() -> Vec<Row<'static>> {
    let mut rows = Vec::new();
    for line in TYPES.lines().skip(1) {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap();
        rows.push(Row {
            name: next(),
            severity: next(),
            sources: next(),
            method: next(),
            is_retired: next() == "retired",
        });
    }
    rows
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
}

/// The rules that make findings, by finding type.
fn rules() -> BTreeMap<String, Vec<Found>> {
    let folder = root().join("rules/detections");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    paths.sort();
    let mut by_type: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let detection =
            Detection::parse(&format!("detections/{name}"), &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for rule in &detection.rules {
            let Some(finding) = &rule.finding else { continue };
            let rule = Found { rule: rule.name.clone(), level: rule.level.to_string(), title: rule.title.clone() };
            by_type.entry(finding.clone()).or_default().push(rule);
        }
    }
    by_type
}

/// Why a type is not found.
fn reason(row: &Row<'_>) -> &'static str {
    if let Some((_, reason)) = REASONS.iter().find(|(name, _)| *name == row.name) {
        return reason;
    }
    let only = |source: &str| row.sources.split(", ").all(|own| own == source);
    match (row.method, row.is_retired) {
        (_, true) => "GuardDuty has retired it",
        ("anomaly", _) => "needs a learnt profile of what is usual; not built yet",
        ("malware-scan", _) => "needs the content of disks and objects, which is in no log",
        _ if only("Runtime") => "needs an agent on the machine",
        _ if only("RDS login") => "GuardDuty gets sign-ins from inside RDS; AWS publishes no such log",
        _ if only("Lambda network activity") => {
            "GuardDuty gets this traffic from inside Lambda; AWS publishes no such log"
        }
        _ if only("EKS audit") => "no detection on this log yet",
        ("correlation", _) => "its sources need an agent",
        _ => "no detection yet",
    }
}

fn is_incident(name: &str) -> bool {
    INCIDENTS.contains(&format!("name: \"{name}\""))
}

fn document() -> String {
    let (types, mut rules) = (types(), rules());
    let is_done = |row: &&Row<'_>| rules.contains_key(row.name) || is_incident(row.name);
    let active: Vec<&Row<'_>> = types.iter().filter(|row| !row.is_retired).collect();
    let done = active.iter().copied().filter(|row| is_done(row)).count();
    let mut text = String::from(
        "# Which threats are found\n\n\
         This page is made of the detections in `rules/detections` and of GuardDuty's list of finding types \
         (`crates/detect/data`); a test\nholds it to them. After a change: `YAGURA_UPDATE=1 cargo test -p yagura-detect --test coverage`.\n\n",
    );
    writeln!(
        text,
        "Of GuardDuty's {} active finding types, {done} are found, under their own names and severities.\n",
        active.len()
    )
    .unwrap();
    text.push_str("## GuardDuty's types\n\nSeverity is GuardDuty's. A rule is a file below `rules/detections`.\n\n");
    text.push_str("| type | severity | source | found by |\n|---|---|---|---|\n");
    for row in &types {
        let found: Vec<String> =
            rules.remove(row.name).unwrap_or_default().iter().map(|found| format!("`{}`", found.rule)).collect();
        let how = match (found.is_empty(), is_incident(row.name)) {
            (false, _) => found.join(", "),
            (true, true) => "incidents".to_owned(),
            (true, false) => format!("no: {}", reason(row)),
        };
        let retired = if row.is_retired { " (retired)" } else { "" };
        writeln!(text, "| {}{retired} | {} | {} | {how} |", row.name, row.severity, row.sources).unwrap();
    }
    text.push_str("\n## Yagura's own types\n\nIn GuardDuty's grammar, for what it has no type for.\n\n");
    text.push_str("| type | level | what happened | rule |\n|---|---|---|---|\n");
    for (name, found) in rules {
        for found in found {
            writeln!(text, "| {name} | {} | {} | `{}` |", found.level, found.title, found.rule).unwrap();
        }
    }
    text
}

#[test]
fn the_page_says_what_is_so() {
    let path = root().join("docs/detections.md");
    let document = document();
    if std::env::var_os("YAGURA_UPDATE").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == document, "docs/detections.md is not up to date: run this test with YAGURA_UPDATE=1");
}

/// What stands in the way of a type is its source or its method, or is said one by one.
#[test]
fn every_type_on_cloudtrail_is_found_or_says_why_not() {
    let rules = rules();
    for row in types() {
        let is_ours =
            row.sources.contains("CloudTrail") && !row.is_retired && !matches!(row.method, "anomaly" | "correlation");
        if is_ours && !rules.contains_key(row.name) {
            assert!(REASONS.iter().any(|(name, _)| *name == row.name), "{} has no rule and no reason", row.name);
        }
    }
    let done: BTreeSet<&String> = rules.keys().collect();
    for (name, _) in REASONS {
        assert!(!done.contains(&name.to_owned()), "{name} is found now: its reason is out of date");
        assert!(types().iter().any(|row| row.name == name), "{name} is no type of GuardDuty");
    }
}

/// GuardDuty's severity is the level of some rule of the type; a type of varying severity may have others too.
#[test]
fn rules_of_guardduty_have_its_severity() {
    let rules = rules();
    for row in types() {
        let (Some(found), false) = (rules.get(row.name), row.is_retired || row.severity == "Variable") else {
            continue;
        };
        let levels: Vec<&str> = found.iter().map(|found| found.level.as_str()).collect();
        assert!(
            levels.iter().any(|level| level.eq_ignore_ascii_case(row.severity)),
            "{}: {levels:?}, not {}",
            row.name,
            row.severity
        );
    }
}
