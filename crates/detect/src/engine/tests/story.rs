//! Findings and incidents as a person meets them.

use yagura_model::{Lang, Level};

use super::*;
use crate::finding::SAMPLES_MAX;
use crate::incident::incidents;

fn yagura(finding: &str, severity: f64, tactic: &str, event: &str) -> String {
    format!(
        "
title: {finding}
logsource: {{product: aws, service: cloudtrail}}
detection: {{s: {{eventName: {event}}}, condition: s}}
tags: [attack.{tactic}, attack.t1078.004]
yagura:
  finding: {finding}
  severity: {severity}
  identity: [userIdentity.arn]
  actor: [userIdentity.arn, userIdentity.accessKeyId]
  resource: [requestParameters.name]
  title: {{en: 'It happened', ja: '起きた'}}
  what: {{en: '{{userIdentity.arn}} did {{eventName}} {{count}} times to {{requestParameters.name}}, {{not a field}}', ja: '{{userIdentity.arn}} が {{eventName}} を {{count}} 回実行した。'}}
  check: {{en: 'Look.', ja: '確認する。'}}
  do: {{en: 'Act.', ja: '対処する。'}}
tests:
  - {{name: yes, events: [{{eventName: {event}}}], findings: 1}}
  - {{name: no, events: [{{eventName: Other}}], findings: 0}}
  - {{name: absent, events: [{{eventSource: x}}], findings: 0}}
"
    )
}

fn event(number: usize, second: u32, name: &str, who: &str) -> String {
    format!(
        r#"{{"eventTime": "{}", "eventID": "{}", "eventName": "{name}", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "userIdentity": {{"arn": "{who}"}}, "requestParameters": {{"name": "main"}}}}"#,
        at(second),
        id(number)
    )
}

fn many(rules: &[String]) -> Engine {
    let detections = rules.iter().enumerate().map(|(number, text)| {
        let detection = Detection::parse(&format!("detections/cloudtrail/r{number}.yml"), text).unwrap();
        for outcome in detection.test() {
            assert_eq!(outcome.failure, None, "{}", outcome.case);
        }
        detection
    });
    Engine::new(detections.collect::<Vec<_>>(), []).unwrap()
}

#[test]
fn a_broken_delivery_is_one_finding() {
    let engine = many(&[yagura("Impact:S3/DeliveryFailed", 3.0, "impact", "PutObject")]);
    let mut state = State::new(&engine);
    let events: Vec<String> =
        (0..3_000).map(|number| event(number as usize, number, "PutObject", "arn:delivery")).collect();
    process(&engine, &mut state, &events);
    let findings: Vec<_> = state.findings().collect();
    let [finding] = findings.as_slice() else { panic!("{} findings", findings.len()) };
    assert_eq!((finding.count, finding.event_ids().count()), (3_000, SAMPLES_MAX));
    assert_eq!(finding.level, Level::Low);
    assert_eq!(finding.techniques, ["T1078.004"]);
    assert_eq!(finding.resource.as_deref(), Some("main"));
    assert_eq!(finding.source_ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(finding.id.as_str().len(), 32);
    let spoken = engine.rule(&finding.rule_id).unwrap().speak(finding, Lang::En);
    assert_eq!(spoken.what, "arn:delivery did PutObject 3000 times to main, {not a field}");
    assert_eq!(engine.rules()[0].speak(finding, Lang::Ja).what, "arn:delivery が PutObject を 3000 回実行した。");
    let changed = state.take_changed();
    assert_eq!(changed.len(), 1);
    assert!(state.take_changed().is_empty());
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let engine = many(&[yagura("Impact:S3/X", 3.0, "impact", "PutObject")]);
    let mut state = State::new(&engine);
    let one = event(1, 10, "PutObject", "arn:a");
    process(&engine, &mut state, &[one.clone(), one.clone(), event(2, 11, "PutObject", "arn:a"), one]);
    assert_eq!(state.findings().map(|finding| finding.count).sum::<u64>(), 2);
    assert_eq!(state.report().duplicates, 2);
}

#[test]
fn findings_of_one_principal_within_a_day_are_an_incident() {
    let engine = many(&[
        yagura("Discovery:IAMUser/X", 2.0, "discovery", "List"),
        yagura("Persistence:IAMUser/X", 5.0, "persistence", "CreateUser"),
        yagura("Stealth:IAMUser/X", 2.0, "defense_evasion", "StopLogging"),
    ]);
    let mut state = State::new(&engine);
    let hour = 3_600;
    process(
        &engine,
        &mut state,
        &[
            event(1, 0, "List", "arn:a"),
            event(2, 5, "CreateUser", "arn:a"),
            event(3, 10, "StopLogging", "arn:a"),
            event(4, 20, "StopLogging", "arn:b"),
            event(5, 30 * hour, "CreateUser", "arn:b"),
        ],
    );
    let found = incidents(state.findings());
    let [attack, one, other] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(attack.findings.len(), 3);
    assert_eq!(attack.sequence, Some("AttackSequence:IAM/CompromisedCredentials"));
    assert_eq!(attack.level, Level::Critical);
    let line: Vec<_> = attack.timeline.iter().map(|entry| entry.event.as_deref().unwrap_or_default()).collect();
    assert_eq!(line, ["List", "CreateUser", "StopLogging"]);
    assert_eq!((one.findings.len(), other.findings.len()), (1, 1));
    assert_eq!((one.level, other.level), (Level::Low, Level::Medium));
    let mut backwards: Vec<_> = state.findings().collect();
    backwards.reverse();
    assert_eq!(incidents(backwards), found);
}

#[test]
fn event_patterns_stand_in_the_same_run() {
    let text = include_str!("../../../../../rules/events/trail-stopped.yml");
    let rule = yagura_rules::pattern::EventRule::parse("events/trail-stopped.yml", text).unwrap();
    let engine =
        Engine::new([detection(&yagura("Stealth:IAMUser/X", 2.0, "defense_evasion", "StopLogging"))], [rule]).unwrap();
    let mut state = State::new(&engine);
    let stopped = r#"{"eventTime": "2026-01-05T10:00:00Z", "eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}"#;
    process(&engine, &mut state, &[stopped.to_owned()]);
    let mut rules: Vec<_> = state.findings().map(|finding| finding.rule.as_str()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["cloudtrail/example", "events/trail-stopped"]);
}

#[test]
fn rules_that_do_not_fit_together_are_left_out_and_named() {
    let correlation = |name: &str, of: &str| {
        format!(
            "title: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{of}], group-by: [who], timespan: 5m, condition: {{gte: 2}}}}\n"
        )
    };
    let parse = |name: &str, text: &str| Detection::parse(&format!("detections/{name}.yml"), text).unwrap();
    let (engine, errors) = Engine::link(
        [
            parse("a", &correlation("a", "b")),
            parse("b", &correlation("b", "a")),
            parse("c", &correlation("c", "nobody")),
            parse("d", &correlation("d", "c")),
            detection(&yagura("Stealth:IAMUser/X", 2.0, "defense_evasion", "StopLogging")),
        ],
        [],
    );
    assert_eq!(engine.rules().len(), 1);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(
        errors.iter().any(|error| error == "`c` correlates `nobody`, which is not the id or the name of a rule"),
        "{errors:?}"
    );
}

#[test]
fn what_has_no_log_is_idle() {
    let engine = engine("title: t\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n");
    assert_eq!(engine.idle().count(), 1);
}

#[test]
fn an_explanation_shows_what_the_event_has() {
    let engine = engine(
        "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {eventName: Stop, a.b|startswith: x}\n  f: {c|exists: true}\n  \
         condition: s and not f\n",
    );
    let explain = |log: &str, text: &str| {
        let event = Event::read(&Input::new(Source::named(log).unwrap(), text), &Context::EMPTY).unwrap();
        serde_json::to_value(engine.rules()[0].explain(&event)).unwrap()
    };
    let found =
        explain("cloudtrail", r#"{"eventTime": "2026-01-05T10:00:00Z", "eventName": "stop", "a": {"b": "yx"}}"#);
    assert_eq!((&found["applies"], &found["matched"]), (&true.into(), &false.into()));
    let fields = &found["steps"][0]["parts"][0]["parts"][0]["parts"];
    assert_eq!((&fields[0]["held"], &fields[0]["ask"]["actual"]), (&true.into(), &"stop".into()));
    assert_eq!(fields[1]["ask"]["field"], "a.b");
    assert_eq!((&fields[1]["held"], &fields[1]["ask"]["reason"]), (&false.into(), &"value_mismatch".into()));
    assert_eq!(found["steps"][0]["parts"][1]["held"], true);
    let other = explain("vpcflow", r#"{"time": "2026-01-05T10:00:00Z"}"#);
    assert_eq!(other["applies"], false);
}

#[test]
fn whoever_uses_a_key_that_was_handed_out_belongs_to_who_asked_for_it() {
    let engine = engine(
        "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: A}, condition: s}\n",
    );
    let mut state = State::new(&engine);
    state.issued("ASIA1", Some("arn:user"), Some("AKIA0"), 1_000);
    state.issued("ASIA2", Some("arn:role-one"), Some("ASIA1"), 2_000);
    assert_eq!(state.issuers("ASIA2"), ["arn:role-one", "ASIA1", "arn:user", "AKIA0"]);
    let mut state = State::load(&state.save(), &engine, crate::state::Limits::default()).unwrap();
    assert_eq!(state.issuers("ASIA1"), ["arn:user", "AKIA0"]);
    // A circle of keys ends.
    state.issued("ASIA1", Some("arn:role-two"), Some("ASIA2"), 3_000);
    assert!(state.issuers("ASIA1").len() <= 8);
}
