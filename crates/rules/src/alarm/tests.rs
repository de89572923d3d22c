use proptest::prelude::*;
use serde_json::{Value, json};

use super::metric::Needs;
use super::watch::Actions;
use super::*;

/// A row of AWS's tables: `0` good, `X` breaching, `-` missing, the newest point right.
fn points(row: &str) -> Vec<Option<bool>> {
    row.split(' ').map(|point| (point != "-").then_some(point == "X")).collect()
}

fn check_row(needed: usize, of: usize, row: &str, filled: usize, expected: [&str; 4]) {
    let settings = [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching];
    for (missing, expected) in settings.into_iter().zip(expected) {
        for before in [State::Ok, State::Alarm, State::InsufficientData] {
            let needs = Needs { of, breaching: needed, missing };
            let (state, _, found) = needs.state(&points(row), before);
            let expected = if expected == "keep" { before.as_str() } else { expected };
            assert_eq!((state.as_str(), found), (expected, filled), "{row}, {needed} of {of}, {missing:?}, {before}");
        }
    }
}

#[test]
fn missing_points_count_as_aws_s_tables_say() {
    for (row, filled, expected) in [
        ("0 - X - X", 0, ["OK", "OK", "OK", "OK"]),
        ("0 - - - -", 2, ["OK", "OK", "OK", "OK"]),
        ("- - - - -", 3, ["INSUFFICIENT_DATA", "keep", "ALARM", "OK"]),
        ("0 X X - X", 0, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", 2, ["ALARM", "keep", "ALARM", "OK"]),
        // Bad points that are too new for an alarm.
        ("- - - - X", 2, ["keep", "keep", "ALARM", "OK"]),
        ("- - - X -", 2, ["keep", "keep", "ALARM", "OK"]),
    ] {
        check_row(3, 3, row, filled, expected);
    }
    for (row, filled, expected) in [
        ("0 - X - X", 0, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", 0, ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", 1, ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", 2, ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", 2, ["ALARM", "keep", "ALARM", "OK"]),
    ] {
        check_row(2, 3, row, filled, expected);
    }
    check_row(1, 1, "- - X", 0, ["ALARM"; 4]);
    check_row(1, 1, "- - -", 1, ["INSUFFICIENT_DATA", "keep", "ALARM", "OK"]);
}

fn cpu(more: &Value) -> Value {
    let mut properties = json!({
        "Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average", "Period": 300, "EvaluationPeriods": 3,
        "Threshold": 70, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    });
    for (key, value) in more.as_object().unwrap() {
        properties[key] = value.clone();
    }
    properties
}

fn time(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + minutes * 60, 0).unwrap()
}

fn evaluate(more: &Value, samples: &[(i64, f64)], minute: i64) -> State {
    let alarm = MetricAlarm::from_properties(&cpu(more)).unwrap();
    let samples: Vec<_> = samples.iter().map(|(minute, value)| (time(*minute), Reading::from(*value))).collect();
    alarm.evaluate(&samples, time(minute), State::Ok).state
}

#[test]
fn an_alarm_compares_a_statistic_of_each_period() {
    let three = [(0, 70.0), (5, 80.0), (10, 90.0)];
    for (more, minute, expected) in [
        (json!({}), 15, State::Alarm),
        (json!({ "ComparisonOperator": "GreaterThanThreshold" }), 15, State::Ok),
        (json!({ "ComparisonOperator": "LessThanThreshold" }), 15, State::Ok),
        (json!({ "ComparisonOperator": "LessThanOrEqualToThreshold", "EvaluationPeriods": 1 }), 5, State::Alarm),
        (json!({ "Threshold": "85", "EvaluationPeriods": 3, "DatapointsToAlarm": 1 }), 15, State::Alarm),
        (json!({ "Threshold": 85 }), 15, State::Ok),
        (json!({ "Statistic": "Sum", "Period": 900, "EvaluationPeriods": 1, "Threshold": 240 }), 15, State::Alarm),
        (json!({ "Statistic": "SampleCount", "Period": 900, "EvaluationPeriods": 1, "Threshold": 4 }), 15, State::Ok),
        (
            json!({ "Statistic": null, "ExtendedStatistic": "p100", "Period": 900, "EvaluationPeriods": 1, "Threshold": 90 }),
            15,
            State::Alarm,
        ),
        (
            json!({ "Statistic": null, "ExtendedStatistic": "p50", "Period": 900, "EvaluationPeriods": 1, "EvaluateLowSampleCountPercentile": "ignore" }),
            15,
            State::Ok,
        ),
        (json!({}), 60, State::InsufficientData),
        (json!({ "TreatMissingData": "breaching" }), 60, State::Alarm),
    ] {
        assert_eq!(evaluate(&more, &three, minute), expected, "{more}");
    }
}

#[test]
fn samples_belong_to_the_alarm_of_their_series() {
    let alarm =
        MetricAlarm::from_properties(&cpu(&json!({ "Dimensions": [{ "Name": "InstanceId", "Value": "i-1" }] })))
            .unwrap();
    let sample = |value: Value| -> Sample { serde_json::from_value(value).unwrap() };
    let at = "2026-01-01T00:00:00Z";
    for (value, expected) in [
        (json!({ "time": at, "value": 1 }), true),
        (json!({ "time": at, "value": 1, "metric": "CPUUtilization", "namespace": "AWS/EC2" }), true),
        (json!({ "time": at, "value": 1, "metric": "NetworkIn" }), false),
        (json!({ "time": at, "value": 1, "dimensions": { "InstanceId": "i-1" } }), true),
        (json!({ "time": at, "value": 1, "dimensions": {} }), false),
    ] {
        assert_eq!(alarm.concerns(&sample(value.clone())), expected, "{value}");
    }
}

#[test]
fn properties_that_make_no_alarm_are_errors() {
    for (more, expected) in [
        (json!({ "Period": 45 }), "expected 10, 20, 30 or a multiple of 60 seconds as `Period`"),
        (json!({ "EvaluationPeriods": 0 }), "expected a whole number from 1 to 10080 as `EvaluationPeriods`"),
        (json!({ "DatapointsToAlarm": 4 }), "expected no more than `EvaluationPeriods` as `DatapointsToAlarm`"),
        (json!({ "Threshold": "high" }), "expected a number as `Threshold`"),
        (
            json!({ "TreatMissingData": "skip" }),
            "expected missing, notBreaching, breaching or ignore as `TreatMissingData`",
        ),
        (json!({ "ExtendedStatistic": "p9" }), "expected either this or `ExtendedStatistic` as `Statistic`"),
        (json!({ "Metrics": [{ "Id": "a", "Expression": "b*2" }] }), "alarms on metric math are not evaluated"),
        (json!({ "ThresholdMetricId": "a" }), "alarms on anomaly detection are not evaluated"),
    ] {
        assert_eq!(MetricAlarm::from_properties(&cpu(&more)).unwrap_err().to_string(), expected);
    }
    let listed = json!({
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [{ "Id": "m", "MetricStat": { "Metric": { "Namespace": "N", "MetricName": "M" }, "Period": 60, "Stat": "p99" } }],
    });
    assert!(MetricAlarm::from_properties(&listed).is_ok());
}

#[test]
fn composite_rules_read_as_written() {
    let state = |name: &str| match name {
        "a" | "with space" => State::Alarm,
        "b" => State::Ok,
        _ => State::InsufficientData,
    };
    for (rule, expected) in [
        ("ALARM(a)", true),
        ("ALARM(\"a\") AND OK(b)", true),
        ("ALARM(a) AND ALARM(b)", false),
        ("ALARM(a) OR ALARM(b) AND FALSE", true),
        ("(ALARM(a) OR ALARM(b)) AND FALSE", false),
        ("NOT ALARM(b) AND TRUE", true),
        ("NOT (ALARM(a) OR FALSE)", false),
        ("INSUFFICIENT_DATA(c)", true),
        ("ALARM(\"with space\")", true),
        ("ALARM(arn:aws:cloudwatch:us-east-1:111122223333:alarm:a)", true),
        ("AT_LEAST(2, ALARM, (a, b, \"with space\"))", true),
        ("AT_LEAST(50%, ALARM, (a, b, c))", false),
        ("AT_LEAST(2, NOT OK, (a, b, c))", true),
        ("  TRUE  ", true),
    ] {
        assert_eq!(AlarmRule::parse(rule).unwrap().holds(&state), expected, "{rule}");
    }
    for (rule, offset, expected) in [
        ("", 0, "a state such as `ALARM(name)`, `NOT`, `TRUE`, `FALSE` or `(`"),
        ("ALARM", 5, "`(`"),
        ("ALARM()", 6, "the name of an alarm"),
        ("ALARM(a", 7, "`)`"),
        ("ALARM(a) ALARM(b)", 9, "`AND`, `OR` or the end"),
        ("ALARM(\"a)", 9, "a closing quote"),
        ("ALARM(a) AND", 12, "a state such as `ALARM(name)`, `NOT`, `TRUE`, `FALSE` or `(`"),
        ("AT_LEAST(4, ALARM, (a, b))", 26, "no greater count than there are alarms"),
    ] {
        assert_eq!(AlarmRule::parse(rule).unwrap_err(), AlarmRuleError { offset, expected }, "{rule}");
    }
    assert!(AlarmRule::parse(&format!("{}TRUE{}", "(".repeat(40), ")".repeat(40))).is_ok());
    assert!(AlarmRule::parse(&format!("{}TRUE{}", "(".repeat(999), ")".repeat(999))).is_err());
    assert!(AlarmRule::parse(&"NOT ".repeat(499)).is_err());
    let many = |count: usize| (0..count).map(|number| format!("OK(a{number})")).collect::<Vec<_>>().join(" OR ");
    assert!(AlarmRule::parse(&many(CHILDREN_MAX)).is_ok());
    assert!(AlarmRule::parse(&many(CHILDREN_MAX + 1)).is_err());
}

fn template(composite: &Value) -> Watch {
    let minute = |name: &str| json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": cpu(&json!({ "MetricName": name, "Period": 60, "EvaluationPeriods": 1, "TreatMissingData": "notBreaching" })) });
    let resources = json!({ "Resources": {
        "A": minute("A"), "Maintenance": minute("B"), "Topic": { "Type": "AWS::SNS::Topic" },
        "Both": { "Type": "AWS::CloudWatch::CompositeAlarm", "Properties": composite },
    }});
    let (watch, errors) = Watch::from_template(&resources);
    assert_eq!(errors, []);
    watch
}

fn changes_of(composite: &Value, a: &[u8], maintenance: &[u8]) -> Vec<(i64, &'static str, Actions)> {
    let series = |bad: &[u8]| {
        let value = |minute: &u8| if bad.contains(minute) { 100.0 } else { 0.0 };
        (0..30).map(|minute: u8| (time(i64::from(minute)), value(&minute))).collect()
    };
    let input = Input {
        series: [("A".to_owned(), series(a)), ("Maintenance".to_owned(), series(maintenance))].into(),
        ..Input::default()
    };
    let outcome = template(composite).run(&input, Some(time(30))).unwrap();
    let of_both = outcome.changes.into_iter().filter(|change| change.alarm == "Both");
    of_both.map(|change| ((change.time - time(0)).num_minutes(), change.to.as_str(), change.actions)).collect()
}

#[test]
fn a_suppressor_holds_actions_back() {
    let plain = json!({ "AlarmRule": "ALARM(A)" });
    assert_eq!(
        changes_of(&plain, &[0, 5], &[0]),
        [
            (1, "ALARM", Actions::Taken),
            (2, "OK", Actions::Taken),
            (6, "ALARM", Actions::Taken),
            (7, "OK", Actions::Taken)
        ]
    );
    let suppressed = json!({
        "AlarmRule": "ALARM(A)", "ActionsSuppressor": "Maintenance", "ActionsSuppressorWaitPeriod": 180, "ActionsSuppressorExtensionPeriod": 120,
    });
    // The suppressor comes within the wait: nothing is done, for the alarm is over before the hold is.
    assert_eq!(
        changes_of(&suppressed, &[0, 4, 5], &[0, 1, 5, 6, 7])
            .into_iter()
            .filter(|change| change.2 != Actions::Held)
            .count(),
        1,
    );
    // It never comes: the actions are taken when the wait is over.
    assert_eq!(
        changes_of(&suppressed, &[4, 5, 6, 7, 8, 9, 10], &[]),
        [
            (1, "OK", Actions::Taken),
            (5, "ALARM", Actions::Held),
            (8, "ALARM", Actions::Released),
            (12, "OK", Actions::Taken)
        ]
    );
    // It leaves while the alarm goes on: the actions are taken after the extension.
    assert_eq!(
        changes_of(&suppressed, &[4, 5, 6, 7, 8, 9, 10, 11, 12], &[4, 5]),
        [
            (1, "OK", Actions::Taken),
            (5, "ALARM", Actions::Held),
            (9, "ALARM", Actions::Released),
            (14, "OK", Actions::Taken)
        ]
    );
}

#[test]
fn a_run_without_end_is_refused() {
    let run = |more: &Value, minutes: i64| {
        let mut watch = Watch::default();
        watch.add("AWS::CloudWatch::Alarm", "A", &cpu(more)).unwrap();
        let series = [("A".to_owned(), vec![(time(0), 1.0), (time(minutes), 1.0)])].into();
        watch.run(&Input { series, ..Input::default() }, None).map(|outcome| outcome.changes.len())
    };
    assert!(run(&json!({}), 7 * 24 * 60).is_ok());
    assert_eq!(run(&json!({}), 10 * 366 * 24 * 60), Err(WatchError::TooLong));
    assert_eq!(run(&json!({ "Period": 10, "EvaluationPeriods": 8_000 }), 366 * 24 * 60), Err(WatchError::TooLong));
    assert_eq!(Watch::default().run(&Input::default(), None).unwrap().changes, []);
}

#[test]
fn composite_alarms_that_cannot_be_evaluated_are_named() {
    let composite =
        |rule: &str| json!({ "Type": "AWS::CloudWatch::CompositeAlarm", "Properties": { "AlarmRule": rule } });
    let errors = |resources: Value| -> Vec<String> {
        let (_, errors) = Watch::from_template(&json!({ "Resources": resources }));
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        errors(json!({ "A": composite("ALARM(X)") })),
        ["the composite alarm `A` names `X`, which is not there"]
    );
    assert_eq!(
        errors(json!({ "A": composite("ALARM(B)"), "B": composite("NOT OK(A)") })),
        ["the composite alarm `A` depends on itself"]
    );
}

proptest! {
    #[test]
    fn no_rule_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = AlarmRule::parse(&text);
        let _ = Statistic::extended(&text);
    }

    /// Whatever is missing, an alarm needs as many bad points as it says, unless missing ones count as bad or age decides.
    #[test]
    fn a_good_point_too_many_is_never_an_alarm(
        points in prop::collection::vec(prop::option::of(any::<bool>()), 5..6), needed in 1_usize..4, before in prop::sample::select(vec![State::Ok, State::InsufficientData]),
    ) {
        let bad = points.iter().filter(|point| **point == Some(true)).count();
        let needs = Needs { of: 3, breaching: needed, missing: MissingData::NotBreaching };
        let (state, breaching, filled) = needs.state(&points, before);
        prop_assert!(breaching <= bad && filled <= 3);
        prop_assert_eq!(state == State::Alarm, breaching >= needed);
    }
}
