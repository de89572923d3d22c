//! Files: what loads, and what is said of those that do not.

use yagura_model::Level;

use super::*;

const BASE: &str = "
title: A trail was stopped
id: 6D1CB2F8-6d5b-43f8-8b36-5d9d1f6a0a11
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: StopLogging}
  condition: selection
level: medium
tags: [attack.defense_evasion, attack.t1562.008, cve.2021.44228]
yagura:
  finding: Stealth:IAMUser/CloudTrailLoggingDisabled
  severity: 5.0
  identity: [requestParameters.name]
  actor: [userIdentity.arn]
  title: {en: t, ja: 題}
  what: {en: w, ja: 内容}
  check: {en: c, ja: 確認}
  do: {en: d, ja: 対処}
tests:
  - {name: fires, events: [{eventName: StopLogging}], findings: 1}
  - {name: silent, events: [{eventName: GetTrail}], findings: 0}
";

fn parse(text: &str) -> Result<Detection, String> {
    Detection::parse("detections/cloudtrail/trail-stopped.yml", text).map_err(|error| error.to_string())
}

#[test]
fn everything_that_a_file_says_is_read() {
    let detection = parse(BASE).unwrap();
    assert_eq!(detection.name, "cloudtrail/trail-stopped");
    let [rule] = detection.rules.as_slice() else { panic!("{}", detection.rules.len()) };
    assert_eq!(rule.name, "cloudtrail/trail-stopped");
    assert_eq!(rule.id, "6d1cb2f8-6d5b-43f8-8b36-5d9d1f6a0a11");
    assert_eq!((rule.level, rule.severity), (Level::Medium, 5.0));
    assert_eq!(rule.tactics, [Tactic::DefenseEvasion]);
    assert_eq!(rule.techniques, ["T1562.008"]);
    assert!(detection.test().iter().all(|outcome| outcome.failure.is_none()));
}

#[test]
fn files_of_others_load_as_they_are() {
    let text = "title: AWS Root Credentials
id: 8ad1600d-e9dc-4251-b0ee-a65268f29add
status: test
description: Detects AWS root account usage
references:
    - https://example.com
author: someone
date: 2020-01-21
modified: 2022-10-09
tags:
    - attack.privilege-escalation
    - attack.t1078.004
logsource:
    product: aws
    service: cloudtrail
detection:
    selection_usertype:
        userIdentity.type: Root
    selection_eventtype:
        eventType: AwsServiceEvent
    condition: selection_usertype and not selection_eventtype
falsepositives:
    - Billing
level: medium
";
    let detection = parse(text).unwrap();
    assert_eq!(detection.rules[0].tactics, [Tactic::PrivilegeEscalation]);
    assert!(detection.rules[0].words.is_none() && detection.cases.is_empty());
}

#[test]
fn what_is_wrong_is_said() {
    let whole = "detections/cloudtrail/trail-stopped.yml:1:1: ";
    let rule = format!("{whole}`A trail was stopped`: ");
    for (from, to, expected) in [
        ("severity: 5.0", "severity: 7.0", format!("{rule}the severity 7 is high, but the level says medium")),
        ("severity: 5.0", "severity: 11", format!("{rule}the severity 11 is not from 1.0 to 10.0")),
        ("  severity: 5.0\n", "  sverity: 5.0\n", format!("{rule}`yagura`: unknown field `sverity`")),
        ("  title: {en: t, ja: 題}\n", "", format!("{rule}`yagura` has no `title`")),
        ("ja: 題", "ja: title", format!("{rule}the text of `title.ja` is not Japanese")),
        ("ja: 題", "ja: ''", format!("{rule}the text of `title` is empty")),
        (
            "Stealth:IAMUser/",
            "Stealth.IAMUser.",
            format!("{rule}`Stealth.IAMUser.CloudTrailLoggingDisabled` is not a finding type"),
        ),
        (
            "actor: [userIdentity.arn]",
            "actor: [fact.nobody]",
            format!("{rule}`fact.nobody` is not a fact of cloudtrail"),
        ),
        ("w, ja", "'{fact.nobody}', ja", format!("{rule}`fact.nobody` is not a fact of cloudtrail")),
        (
            "{eventName: StopLogging}\n  condition",
            "{fact.nobody: x}\n  condition",
            format!("{rule}`fact.nobody` is not a fact of cloudtrail"),
        ),
        ("condition: selection", "condition: selektion and", whole.to_owned()),
        ("condition: selection", "condition: selection | count() > 5", whole.to_owned()),
        (
            "  - {name: silent, events: [{eventName: GetTrail}], findings: 0}\n",
            "",
            format!("{whole}expected a test with a finding and one without"),
        ),
        ("events: [{eventName: GetTrail}]", "events: []", format!("{rule}the test `silent`: it has no events")),
        ("findings: 0", "findings: none", format!("{rule}`tests`: ")),
        (
            "  actor",
            "  new: {of: [a], for: [], learning: 2d, remember: 1d}\n  actor",
            format!("{rule}`new`: `remember` is shorter than `learning`"),
        ),
        (
            "  actor",
            "  new: {of: [a], for: [], learning: 2x, remember: 1d}\n  actor",
            format!("{rule}`new`: `2x` is not a span of time"),
        ),
        (
            "  actor",
            "  new: {of: [a], for: [], learning: 2d, remember: 500d}\n  actor",
            format!("{rule}`new`: `500d` is longer than 400 days"),
        ),
        (
            "  actor",
            "  count: {within: 1h, by: [], at_least: 0}\n  actor",
            format!("{rule}`count`: `at_least: 0` holds without any event"),
        ),
        (
            "  actor",
            "  count: {within: 1h, by: [], at_least: 5000}\n  actor",
            format!("{rule}`count`: a window holds at most 4096 events"),
        ),
        (
            "  actor",
            "  count: {within: 1h, by: [], at_least: 5, sum: a, distinct: [b]}\n  actor",
            format!("{rule}`count`: `distinct` and `sum` exclude each other"),
        ),
        ("level: medium", "level: [", "detections/cloudtrail/trail-stopped.yml:".to_owned()),
    ] {
        assert!(BASE.contains(from), "{from}");
        let error = parse(&BASE.replacen(from, to, 1)).expect_err(to);
        assert!(error.starts_with(&expected), "{to}: {error}");
    }
}

#[test]
fn what_would_exhaust_the_parser_is_refused() {
    let condition = |text: &str| BASE.replace("condition: selection", &format!("condition: {text}"));
    for (text, expected) in [
        (condition(&format!("{}selection{}", "(".repeat(5_000), ")".repeat(5_000))), "longer than"),
        (condition(&format!("{}selection{}", "(".repeat(40), ")".repeat(40))), "nest deeper"),
        (condition(&format!("{}selection", "not ".repeat(1_000))), "more than 512 words"),
        (format!("{}\nx: {}{}", BASE, "[".repeat(2_000), "]".repeat(2_000)), ""),
        ("a: 1\n---\n".repeat(200), "more than 64 documents"),
        ("x".repeat(FILE_BYTES_MAX + 1), "longer than"),
        (String::new(), "no rule"),
        ("title: f\nfilter: {rules: any, selection: {a: b}, condition: selection}\nlogsource: {product: aws}\n".to_owned(), "filter"),
        ("title: c\ncorrelation: {type: value_avg, rules: [a], group-by: [b], timespan: 5m, condition: {field: c, gte: 2}}\n".to_owned(), "not supported"),
    ] {
        let error = parse(&text).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_example_of_the_format_is_a_detection_that_passes() {
    let page = include_str!("../../../../docs/formats/detection.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    // Which facts there are is for whoever makes them.
    let cloudtrail = Source::named("cloudtrail").unwrap();
    let example = if cloudtrail.fact("principal").is_some() {
        example.to_owned()
    } else {
        example.replace("fact.principal", "userIdentity.arn")
    };
    let detection = parse(&example).unwrap();
    let outcomes = detection.test();
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        assert_eq!(outcome.failure, None, "{}", outcome.case);
    }
}

#[test]
fn a_test_can_fail() {
    for (from, to) in [
        (
            "{name: fires, events: [{eventName: StopLogging}], findings: 1}",
            "{name: fires, events: [{eventName: StopLogging}], findings: 2}",
        ),
        ("findings: 1", "findings: [{count: 2}]"),
        ("findings: 1", "findings: [{identity: {requestParameters.name: other}}]"),
        ("findings: 1", "findings: [{finding: 'Other:IAMUser/Thing'}]"),
        ("{eventName: GetTrail}", "{eventName: StopLogging}"),
    ] {
        let outcomes = parse(&BASE.replacen(from, to, 1)).unwrap().test();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.failure.is_some()).count(), 1, "{to}");
    }
}
