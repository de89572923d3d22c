//! The index leaves out no rule that rsigma by itself finds, and adds none.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

fn value() -> impl Strategy<Value = Value> {
    select(vec![
        json!("StopLogging"),
        json!("stoplogging"),
        json!("Stop"),
        json!("x*"),
        json!(""),
        json!("1"),
        json!("1.0"),
        json!("true"),
        json!("ÄÖ"),
        json!("äö"),
        json!(1),
        json!(1.0),
        json!(0),
        json!(true),
        json!(false),
        json!(null),
        json!(7.5),
        json!("İ"),
        json!("-0"),
        json!(9_007_199_254_740_993_i64),
    ])
}

fn field() -> impl Strategy<Value = &'static str> {
    select(vec!["eventName", "eventSource", "a.b", "a.list", "objects.key", "objects[0].key", "absent"])
}

fn item() -> impl Strategy<Value = (String, Value)> {
    let modifier =
        select(vec!["", "", "", "", "|cased", "|contains", "|startswith", "|exists", "|all", "|neq", "|gt", "|re"]);
    (field(), modifier, prop::collection::vec(value(), 1..4)).prop_map(|(field, modifier, values)| {
        let value = match modifier {
            "|exists" => json!(values.len() % 2 == 0),
            "|gt" => json!(values.len()),
            "|re" => json!("^[a-zS]+"),
            "|contains" | "|startswith" | "|all" => json!(["top", "sto"]),
            _ if values.len() == 1 => values.into_iter().next().unwrap_or_default(),
            _ => json!(values),
        };
        (format!("{field}{modifier}"), value)
    })
}

fn selection() -> impl Strategy<Value = Value> {
    let map = || prop::collection::vec(item(), 1..4).prop_map(|items| Value::Object(items.into_iter().collect()));
    prop_oneof![
        4 => map(),
        2 => prop::collection::vec(map(), 1..3).prop_map(Value::Array),
        1 => Just(json!(["keyword", "stop"])),
        1 => Just(json!({"objects[any]": {"key": "x"}})),
        1 => Just(json!({"objects[none]": {"key": "x"}})),
    ]
}

fn condition() -> impl Strategy<Value = &'static str> {
    select(vec![
        "s1",
        "s1 and s2",
        "s1 or s2",
        "not s1",
        "s1 and not s2",
        "1 of s*",
        "all of them",
        "2 of s*",
        "(s1 or s2) and s3",
        "s1 or (s2 and s3)",
        "not (s1 and s2)",
        "not 1 of s*",
    ])
}

fn rule(number: usize) -> impl Strategy<Value = String> {
    (selection(), selection(), selection(), condition()).prop_map(move |(s1, s2, s3, condition)| {
        json!({
            "title": "example", "name": format!("r{number}"), "sigma-version": 3,
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": {"s1": s1, "s2": s2, "s3": s3, "condition": condition},
        })
        .to_string()
    })
}

fn event() -> impl Strategy<Value = Value> {
    let texts = || prop::collection::vec(value(), 0..3);
    (prop::option::of(value()), prop::option::of(value()), prop::option::of(value()), texts(), texts()).prop_map(
        |(name, source, inner, list, keys)| {
            let mut event = json!({"eventTime": "2026-01-05T10:00:00Z", "a": {"list": list}});
            if let Some(name) = name {
                event["eventName"] = name;
            }
            if let Some(source) = source {
                event["eventSource"] = source;
            }
            if let Some(inner) = inner {
                event["a"]["b"] = inner;
            }
            event["objects"] = keys.into_iter().map(|key| json!({"key": key})).collect();
            event
        },
    )
}

proptest! {
    #[test]
    fn agrees_with_rsigma(
        rules in (0_usize..1).prop_flat_map(|_| (0..12).map(rule).collect::<Vec<_>>()),
        events in prop::collection::vec(event(), 1..6),
    ) {
        let detections: Vec<Detection> = rules
            .iter()
            .enumerate()
            .filter_map(|(number, text)| Detection::parse(&format!("detections/cloudtrail/r{number}.yml"), text).ok())
            .collect();
        prop_assert!(!detections.is_empty());
        let engine = Engine::new(detections, []).unwrap();
        for value in &events {
            let text = value.to_string();
            let input = Input::new(Source::named("cloudtrail").unwrap(), &text);
            let event = Event::read(&input, &Context::EMPTY).unwrap();
            let mut found = Vec::new();
            engine.matches(&event, &mut |number| found.push(number));
            let plain = rsigma_eval::JsonEvent::borrow(value);
            let obvious: Vec<usize> = engine.rules().iter().enumerate().filter(|(_, rule)| match &rule.logic {
                Logic::Events { compiled, .. } => rsigma_eval::evaluate_rule(compiled, &plain).is_some(),
                _ => false,
            }).map(|(number, _)| number).collect();
            prop_assert_eq!(&found, &obvious, "{}", text);
            for (number, rule) in engine.rules().iter().enumerate() {
                prop_assert_eq!(rule.explain(&event).matched, found.contains(&number));
            }
        }
    }
}

#[test]
fn rules_are_found_by_the_value_that_fewest_share() {
    let rules = (0..300).map(|number| {
        let text = format!(
            "title: t\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  s: {{eventSource: ec2.amazonaws.com, \
             eventName: Name{number}}}\n  condition: s\n"
        );
        Detection::parse(&format!("detections/cloudtrail/r{number}.yml"), &text).unwrap()
    });
    let engine = Engine::new(rules, []).unwrap();
    assert_eq!(engine.unindexed(), 0);
    let text = r#"{"eventTime": "2026-01-05T10:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "name7"}"#;
    let input = Input::new(Source::named("cloudtrail").unwrap(), text);
    let event = Event::read(&input, &Context::EMPTY).unwrap();
    let mut asked = 0;
    engine.indexes["cloudtrail"].candidates(&event, &mut |_| asked += 1);
    assert_eq!(asked, 1);
}
