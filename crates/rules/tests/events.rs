//! The alarms and event rules of `rules/`: all of them can be used, and every test in them passes.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use yagura_rules::alarm::AlarmFile;
use yagura_rules::pattern::EventRule;

fn files(folder: &str) -> Vec<(String, String)> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut waiting: Vec<PathBuf> = vec![rules.join(folder)];
    let mut found = Vec::new();
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(&rules).unwrap().to_string_lossy().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_event_rule_passes_its_tests() {
    let files = files("events");
    assert!(files.len() >= 15, "{}", files.len());
    let mut ids = BTreeSet::new();
    for (path, text) in files {
        let rule = EventRule::parse(&path, &text).unwrap();
        let failures: Vec<_> = rule.failures().into_iter().map(|(case, misses)| (case.name.clone(), misses)).collect();
        assert_eq!(failures, [], "{path}");
        assert!(rule.cases.len() >= 3, "{path}: a test that fires, one that is silent, one with a field missing");
        assert!(ids.insert(rule.described.id), "{path}: the id is that of another rule");
    }
}

#[test]
fn every_alarm_passes_its_tests() {
    let files = files("alarms");
    assert_eq!(
        files.iter().filter(|(path, _)| path.starts_with("alarms/cis/")).count(),
        15,
        "the topics of the benchmark"
    );
    let mut ids = BTreeSet::new();
    for (path, text) in files {
        let (file, errors) = AlarmFile::parse(&path, &text).unwrap();
        assert_eq!(errors, [], "{path}");
        assert!(file.watch.alarms().count() > 0 && file.cases.len() >= 3, "{path}");
        for case in &file.cases {
            let (_, failures) = case.run(&file.watch).unwrap();
            assert_eq!(failures, Vec::<String>::new(), "{path}: {}", case.name);
        }
        assert!(ids.insert(file.described.unwrap().id), "{path}: the id is that of another file");
    }
}

#[test]
fn a_test_that_is_wrong_fails() {
    let (path, text) = files("alarms").into_iter().find(|(path, _)| path.ends_with("cpu-high.yml")).unwrap();
    let wrong = text.replace("[12, 15, 11, 90, 95, 40, 90]", "[12, 15, 11, 90, 95, 90, 90]");
    assert_ne!(wrong, text);
    let (file, _) = AlarmFile::parse(&path, &wrong).unwrap();
    let failed = file.cases.iter().filter(|case| !case.run(&file.watch).unwrap().1.is_empty()).count();
    assert_eq!(failed, 1);
    let (path, text) = files("events").into_iter().find(|(path, _)| path.ends_with("root-used.yml")).unwrap();
    let wrong = text.replace("type: [Root]", "type: [IAMUser]");
    assert!(!EventRule::parse(&path, &wrong).unwrap().failures().is_empty());
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let alarm = "title: T\nid: 5a0e8c3e-1f0b-4b1e-9a53-2f1f0f6f2d11\nlevel: low\nwhy: W\nfix: F\nja: { title: 題, why: 理由, fix: 対処 }\n";
    let resources = "Resources: { A: { Type: 'AWS::CloudWatch::Alarm', Properties: { Namespace: App, MetricName: Errors, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: GreaterThanThreshold } } }\n";
    for (text, expected) in [
        ("a: 1\n".to_owned(), "x.yml:1:1: there are no `Resources`"),
        (
            format!("{alarm}{resources}tests: [{{ name: t, expect: {{ B: OK }} }}]\n"),
            "x.yml:1:1: the test `t` expects something of `B`, which is no alarm of the file",
        ),
        (format!("{alarm}{resources}tests: []\nmore: 1\n"), "x.yml:1:1: there is no key `more`"),
        (
            format!("{}{resources}tests: []\n", alarm.replace("題", "T")),
            "x.yml:1:1: the text of `ja.title` is not Japanese",
        ),
    ] {
        assert_eq!(AlarmFile::parse("x.yml", &text).unwrap_err().to_string(), expected);
    }
    let broken = resources.replace("Period: 60", "Period: 61");
    let (_, errors) = AlarmFile::parse("x.yml", &broken).unwrap();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["x.yml: the alarm `A` cannot be evaluated: expected 10, 20, 30 or a multiple of 60 seconds as `Period`"]
    );
    let rule = format!(
        "{alarm}pattern: {{ a: [] }}\ntests: [{{ name: t, expect: fires, event: {{}} }}, {{ name: u, expect: silent, event: {{}} }}]\n"
    );
    assert_eq!(
        EventRule::parse("events/x.yml", &rule).unwrap_err().to_string(),
        "events/x.yml:1:1: the pattern: at `a`: an empty list is not allowed"
    );
}
