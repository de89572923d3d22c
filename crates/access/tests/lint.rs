//! Every check of policy documents by the cases of `src/lint/cases/`.
//!
//! A case is a document that the check fires on and a sibling that it is silent on. `fires` and `silent` are a JSON text,
//! a whole policy, or one statement, which then stands alone in a policy of version 2012-10-17. `also` are other codes
//! that `fires` has; all that is not named there must be silent. `LONG` in a text becomes `long` letters.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what reads the cases is as much test as what checks them")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use yagura_access::actions::Actions;
use yagura_access::lint::{CODES, Finding, Options, PolicyKind, lint};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    code: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    resource_type: Option<String>,
    long: Option<usize>,
    fires: Value,
    path: String,
    at: Option<String>,
    suggestion: Option<String>,
    #[serde(default)]
    also: BTreeSet<String>,
    silent: Value,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lint/cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let read: Vec<Case> =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        cases.extend(read);
    }
    cases
}

fn document(given: &Value, long: Option<usize>) -> String {
    let whole = |value: &Value| value.get("Statement").is_some() || value.get("Version").is_some();
    let text = match given {
        Value::String(text) => text.clone(),
        policy if whole(policy) => serde_json::to_string_pretty(policy).unwrap(),
        statement => {
            serde_json::to_string_pretty(&json!({ "Version": "2012-10-17", "Statement": [statement] })).unwrap()
        }
    };
    text.replace("LONG", &"x".repeat(long.unwrap_or_default()))
}

fn found(case: &Case, text: &str) -> Vec<Finding> {
    let kind = case.kind.as_deref().map(|kind| match kind {
        "identity" => PolicyKind::Identity,
        "resource" => PolicyKind::Resource,
        "trust" => PolicyKind::Trust,
        "scp" => PolicyKind::Scp,
        "rcp" => PolicyKind::Rcp,
        other => panic!("`{other}` is no kind of policy"),
    });
    let options = Options { kind, resource_type: case.resource_type.as_deref() };
    lint(text, options, Actions::built_in().unwrap()).unwrap()
}

fn codes(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|finding| finding.code.name().to_owned()).collect()
}

#[test]
fn each_check_fires_where_it_should_and_is_silent_beside() {
    let mut problems = Vec::new();
    for case in cases() {
        let text = document(&case.fires, case.long);
        let findings = found(&case, &text);
        let mut expected = case.also.clone();
        expected.insert(case.code.clone());
        if codes(&findings) != expected {
            problems.push(format!("{}: {:?} on {text}", case.code, codes(&findings)));
            continue;
        }
        let finding = findings.iter().find(|finding| finding.code.name() == case.code).unwrap();
        if finding.path != case.path {
            problems.push(format!("{}: at {}, not at {}", case.code, finding.path, case.path));
        }
        let at = format!("{}:{}", finding.position.line, finding.position.column);
        if case.at.as_ref().is_some_and(|expected| *expected != at) {
            problems.push(format!("{}: at {at}", case.code));
        }
        if case.suggestion.is_some() && finding.suggestion != case.suggestion {
            problems.push(format!("{}: suggests {:?}", case.code, finding.suggestion));
        }
        let silent = document(&case.silent, None);
        let findings = found(&case, &silent);
        if codes(&findings).contains(&case.code) || codes(&findings).iter().any(|code| !case.also.contains(code)) {
            problems.push(format!("{}: not silent: {:?} on {silent}", case.code, codes(&findings)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The value at a path, the slow way: by what `serde_json` reads.
fn at_path<'v>(root: &'v Value, path: &str) -> &'v Value {
    let mut value = root;
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[\"") {
            let (name, after) = after.split_once("\"]").unwrap();
            (value, rest) = (&value[name], after);
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']').unwrap();
            (value, rest) = (&value[index.parse::<usize>().unwrap()], after);
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            (value, rest) = (&value[&name[..end]], &name[end..]);
        }
    }
    value
}

#[test]
fn line_and_column_lead_to_what_the_path_names() {
    for case in cases() {
        let text = document(&case.fires, case.long);
        let Ok(root) = serde_json::from_str::<Value>(&text) else { continue };
        for finding in found(&case, &text) {
            let line = text.lines().nth(finding.position.line - 1).unwrap();
            let rest: String = line.chars().skip(finding.position.column - 1).collect();
            let mut after = rest.clone();
            for line in text.lines().skip(finding.position.line) {
                after.push('\n');
                after.push_str(line);
            }
            let mut values = serde_json::Deserializer::from_str(&after).into_iter::<Value>();
            let here = values.next().unwrap().unwrap();
            let named = at_path(&root, &finding.path);
            // A finding about a member stands at the member's name.
            let ends_with =
                |name: &str| finding.path.ends_with(name) || finding.path.ends_with(&format!("[\"{name}\"]"));
            let is_name = here.as_str().is_some_and(ends_with);
            assert!(here == *named || is_name, "{} at {}: {here} is not {named}", finding.code.name(), finding.path);
        }
    }
}

#[test]
fn every_check_has_a_case() {
    let have: BTreeSet<String> = cases().into_iter().map(|case| case.code).collect();
    let known: BTreeSet<String> = CODES.iter().map(|code| code.name().to_owned()).collect();
    assert_eq!(have, known);
    assert_eq!(CODES.len(), known.len());
}

#[test]
fn every_check_of_access_analyzer_is_there_with_its_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/catalogue/access-analyzer.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED every_check_of_access_analyzer_is_there_with_its_type: no ../shared");
        return;
    };
    let catalogue: Value = serde_json::from_str(&text).unwrap();
    let expected: BTreeMap<&str, &str> = catalogue["validation_checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["code"].as_str().unwrap(), check["type"].as_str().unwrap()))
        .collect();
    let ours: BTreeMap<&str, &str> = CODES.iter().map(|code| (code.name(), code.severity().word())).collect();
    assert_eq!(ours, expected);
    assert_eq!(ours.len(), 152);
}

#[test]
fn every_check_is_worded_in_both_languages_and_described() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = std::fs::read_to_string(root.join("docs/access-lint.md")).unwrap();
    for lang in ["en", "ja"] {
        let text = std::fs::read_to_string(root.join(format!("locales/{lang}/access.yml"))).unwrap();
        let words: Value = serde_saphyr::from_str(&text).unwrap();
        for code in CODES {
            let sentence = words["access"]["lint"][code.name()].as_str();
            assert!(sentence.is_some_and(|sentence| !sentence.is_empty()), "{} in {lang}", code.name());
        }
        assert_eq!(words["access"]["lint"].as_object().unwrap().len(), CODES.len());
    }
    for code in CODES {
        let row = format!("| `{}` | {} |", code.name(), code.severity().word());
        assert!(table.contains(&row), "{row} in docs/access-lint.md");
    }
}

/// Every place that a sentence has is filled by the check, and everything the check tells has its place.
#[test]
fn what_a_check_tells_fits_its_sentence() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../locales/en/access.yml");
    let words: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for case in cases() {
        for finding in found(&case, &document(&case.fires, case.long)) {
            let sentence = words["access"]["lint"][finding.code.name()].as_str().unwrap();
            let bare = sentence.replace("{ \"AWS\"", "");
            let places: BTreeSet<&str> =
                bare.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect();
            let told: BTreeSet<&str> = finding.values.iter().map(|(name, _)| *name).collect();
            assert!(places.is_subset(&told), "{}: {places:?} of {told:?}", finding.code.name());
        }
    }
}
