//! Metrics and alarms as a person uses them: the program, the sample logs, files of metrics, the sample account.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use common::{json, succeeded as text, yagura};

fn event(id: usize, time: &str, name: &str, error: Option<&str>) -> Value {
    json!({
        "eventVersion": "1.11", "eventID": format!("{id:08x}-0000-4000-8000-000000000000"), "eventTime": time,
        "eventSource": "ec2.amazonaws.com", "eventName": name, "awsRegion": "us-east-1", "readOnly": false,
        "managementEvent": true, "eventCategory": "Management", "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "userAgent": "aws-cli",
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mio" },
        // A null is as good as nothing.
        "errorCode": error,
    })
}

fn write_log(path: &Path, events: &[Value]) {
    std::fs::write(path, json!({ "Records": events }).to_string()).unwrap();
}

#[test]
fn each_event_counts_once_and_alarms_go_on_where_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (data, logs) = (dir.path().join("data"), dir.path().join("logs"));
    std::fs::create_dir_all(&logs).unwrap();
    let alarms = dir.path().join("stopped.yml");
    let template = json!({ "Resources": {
        "Stopped": { "Type": "AWS::Logs::MetricFilter", "Properties": {
            "LogGroupName": "trail", "FilterPattern": "{ $.eventName = StopInstances }",
            "MetricTransformations": [{ "MetricNamespace": "Ours", "MetricName": "Stopped", "MetricValue": "1" }] } },
        "ManyStopped": { "Type": "AWS::CloudWatch::Alarm", "Properties": {
            "Namespace": "Ours", "MetricName": "Stopped", "Statistic": "Sum", "Period": 300, "EvaluationPeriods": 1,
            "Threshold": 3, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching",
            "AlarmActions": ["arn:aws:sns:us-east-1:111122223333:alerts"] } },
    } });
    std::fs::write(&alarms, template.to_string()).unwrap();
    let alarms = alarms.to_str().unwrap();
    let run = |until: &str| {
        json(&yagura(&data, &["alarm", "run", alarms, "--since", "2026-10-01", "--until", until, "-o", "json"]))
    };
    let states = |ran: &Value| -> Vec<String> {
        ran["changes"].as_array().unwrap().iter().map(|change| change["to"].as_str().unwrap().to_owned()).collect()
    };

    write_log(
        &logs.join("first.json"),
        &[
            event(1, "2026-10-01T10:00:10Z", "StopInstances", None),
            event(2, "2026-10-01T10:01:20Z", "StopInstances", None),
        ],
    );
    json(&yagura(&data, &["logs", "add", logs.to_str().unwrap(), "-o", "json"]));
    let counted = json(&yagura(&data, &["metrics", "filter", alarms, "-o", "json"]));
    assert_eq!((&counted["events"], &counted["points"]["added"]), (&json!(2), &json!(2)));
    let counted = json(&yagura(&data, &["metrics", "filter", alarms, "-o", "json"]));
    assert_eq!((&counted["events"], &counted["known_days"]), (&json!(0), &json!(1)));
    let ran = run("2026-10-01T10:30:00Z");
    assert_eq!(states(&ran), ["OK"]);

    // A log that comes late, with an event that came before and one that did not.
    write_log(
        &logs.join("second.json"),
        &[
            event(2, "2026-10-01T10:01:20Z", "StopInstances", None),
            event(3, "2026-10-01T10:02:30Z", "StopInstances", None),
        ],
    );
    json(&yagura(&data, &["logs", "add", logs.to_str().unwrap(), "-o", "json"]));
    let ran = run("2026-10-01T11:00:00Z");
    assert_eq!(states(&ran), ["ALARM", "OK"]);
    assert_eq!(ran["changes"][0]["time"], "2026-10-01T10:05:00Z");
    // Months ago as the machine's clock has it: worth knowing, not worth waking anyone.
    assert_eq!(ran["orders"], json!([]));
    assert_eq!(states(&run("2026-10-01T11:00:00Z")), Vec::<String>::new());
    let sum = json(&yagura(&data, &["sql", "SELECT sum(Sum) AS n FROM metrics", "-o", "json"]));
    assert_eq!(sum, json!([{ "n": 3.0 }]));

    let history = yagura(&data, &["alarm", "history", "-o", "json"]);
    let anew = dir.path().join("anew");
    json(&yagura(&anew, &["logs", "add", logs.to_str().unwrap(), "-o", "json"]));
    let replay = ["alarm", "run", alarms, "--since", "2026-10-01", "--until", "2026-10-01T11:00:00Z", "-o", "json"];
    json(&yagura(&anew, &replay));
    assert_eq!(json(&history), json(&yagura(&anew, &["alarm", "history", "-o", "json"])));
    for lang in ["en", "ja"] {
        assert!(text(&yagura(&data, &["--lang", lang, "alarm", "list"])).contains("ManyStopped"));
        assert!(text(&yagura(&data, &["--lang", lang, "alarm", "history"])).contains("2026-10-01T10:05:00Z"));
    }
}

#[test]
fn what_an_alarm_orders_is_kept_and_given_once() {
    let dir = tempfile::tempdir().unwrap();
    // The order depends on the clock: the last hour is what counts.
    let now = yagura(dir.path(), &["sql", "SELECT date_trunc('minute', now()) AS now", "-o", "json"]);
    let now = json(&now)[0]["now"].as_str().unwrap().to_owned();
    let minutes = |ago: i64| {
        let sql = format!("SELECT TIMESTAMP '{now}' - INTERVAL '{ago} minutes' AS t");
        json(&yagura(dir.path(), &["sql", &sql, "-o", "json"]))[0]["t"]
            .as_str()
            .unwrap()
            .trim_end_matches('Z')
            .to_owned()
            + "Z"
    };
    let mut csv = String::from("time,value\n");
    for (ago, value) in [(50, 10), (40, 95), (30, 95), (20, 10)] {
        writeln!(csv, "{},{value}", minutes(ago)).unwrap();
    }
    let (metrics, alarms) = (dir.path().join("cpu.csv"), dir.path().join("cpu.yml"));
    std::fs::write(&metrics, csv).unwrap();
    let template = json!({ "Resources": { "Busy": { "Type": "AWS::CloudWatch::Alarm", "Properties": {
        "Namespace": "N", "MetricName": "M", "Statistic": "Average", "Period": 600, "EvaluationPeriods": 1, "Threshold": 90,
        "ComparisonOperator": "GreaterThanThreshold", "OKActions": [],
        "AlarmActions": ["arn:aws:sns:us-east-1:111122223333:alerts", "arn:aws:automate:us-east-1:ec2:stop"],
    } } } });
    std::fs::write(&alarms, template.to_string()).unwrap();
    let add = ["metrics", "add", metrics.to_str().unwrap(), "--namespace", "N", "--metric", "M", "--period", "10m"];
    assert_eq!(json(&yagura(dir.path(), &[&add[..], &["-o", "json"]].concat()))["points"]["added"], 4);
    let run = || json(&yagura(dir.path(), &["alarm", "run", alarms.to_str().unwrap(), "-o", "json"]));
    let ran = run();
    let acts: Vec<&Value> = ran["orders"].as_array().unwrap().iter().map(|order| &order["act"]).collect();
    assert_eq!(acts, ["tell", "run"]);
    assert_eq!(run()["orders"], json!([]));
    let orders = json(&yagura(dir.path(), &["alarm", "history", "--orders", "-o", "json"]));
    assert_eq!(orders, ran["orders"]);
}

#[test]
fn alarms_of_a_recorded_account_are_imported_and_run() {
    let data = tempfile::tempdir().unwrap();
    let imported =
        json(&yagura(data.path(), &["alarm", "import", "--bundle", "fixtures/company.bundle", "-o", "json"]));
    assert_eq!((&imported[0]["alarms"], &imported[0]["filters"]), (&json!(2), &json!(2)));
    let ran = json(&yagura(data.path(), &["alarm", "run", "-o", "json"]));
    let alarms: Vec<&Value> = ran["states"].as_array().unwrap().iter().map(|state| &state["alarm"]).collect();
    assert_eq!(alarms, ["cpu", "root-usage"]);
    assert_eq!(ran["not_evaluated"], json!([]));
}

#[test]
fn a_burst_of_calls_and_errors_is_found_with_who_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut events = Vec::new();
    for number in 0..8 * 288_usize {
        let (day, minute) = (number / 288 + 1, number % 288 * 5);
        let time = format!("2026-10-{day:02}T{:02}:{:02}:30Z", minute / 60, minute % 60);
        events.push(event(events.len(), &time, "CreateTags", None));
    }
    for second in 0..50 {
        let time = format!("2026-10-08T12:00:{second:02}Z");
        let mut event = event(events.len(), &time, "RunInstances", Some("Client.UnauthorizedOperation"));
        event["userIdentity"]["arn"] = json!("arn:aws:iam::111122223333:user/rin");
        events.push(event);
    }
    let log = dir.path().join("log.json");
    write_log(&log, &events);
    json(&yagura(dir.path(), &["logs", "add", log.to_str().unwrap(), "-o", "json"]));
    let span = ["metrics", "insights", "--since", "2026-10-08", "--until", "2026-10-09"];
    let found = json(&yagura(dir.path(), &[&span[..], &["-o", "json"]].concat()));
    let kinds: Vec<&Value> = found.as_array().unwrap().iter().map(|found| &found["insightType"]).collect();
    assert_eq!(kinds, ["ApiCallRateInsight", "ApiErrorRateInsight"]);
    let error = &found[1];
    assert_eq!(
        (
            &error["eventName"],
            &error["errorCode"],
            &error["calls"],
            &error["insightAverage"],
            &error["baselineAverage"]
        ),
        (&json!("RunInstances"), &json!("Client.UnauthorizedOperation"), &json!(50), &json!(10.0), &json!(0.0))
    );
    assert_eq!((&error["start"], &error["end"]), (&json!("2026-10-08T12:00:00Z"), &json!("2026-10-08T12:05:00Z")));
    let caller = &error["attributions"][0]["insight"][0];
    assert_eq!(caller, &json!({ "value": "arn:aws:iam::111122223333:user/rin", "average": 10.0 }));
    for (lang, word) in [("en", "unusual errors"), ("ja", "エラー")] {
        let shown = text(&yagura(dir.path(), &[&["--lang", lang], &span[..]].concat()));
        assert!(shown.contains(word) && shown.contains("user/rin"), "{shown}");
    }
    // The first day has no week before it: that is said, and is no "nothing unusual".
    let early = yagura(dir.path(), &["metrics", "insights", "--since", "2026-10-01", "--until", "2026-10-02"]);
    assert!(String::from_utf8_lossy(&early.stderr).contains("not judged"), "{early:?}");
}

#[test]
fn bad_input_gets_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.csv");
    std::fs::write(&file, "time,value\n2026-10-01T00:00:00Z,1\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, status) in [
        (vec!["metrics", "add", file], 2),
        (vec!["metrics", "add", "/nonexistent.csv"], 1),
        (vec!["metrics", "add", file, "--namespace", "N", "--metric", "M", "--dimension", "x"], 2),
        (vec!["metrics", "add", file, "--namespace", "N", "--metric", "M", "--account", "../x"], 2),
        (vec!["metrics", "fetch", "--set", "nothing"], 2),
        (vec!["metrics", "fetch", "--statistic", "most", "--set", "ec2"], 2),
        (vec!["metrics", "show", "M", "--period", "5"], 2),
        (vec!["metrics", "show", "M", "--since", "2026-01-02", "--until", "2026-01-01"], 2),
        (vec!["metrics", "filter", "/nonexistent"], 1),
        (vec!["alarm", "run"], 2),
        (vec!["alarm", "import", "--bundle", "/nonexistent.bundle"], 1),
    ] {
        for lang in ["en", "ja"] {
            let output = yagura(dir.path(), &[&["--lang", lang], &arguments[..]].concat());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!((output.status.code(), said.lines().count()), (Some(status), 1), "{arguments:?}: {said}");
        }
    }
    // Nothing half was kept.
    let rows = json(&yagura(dir.path(), &["sql", "SELECT count(*) AS n FROM metrics", "-o", "json"]));
    assert_eq!(rows, json!([{ "n": 0 }]));
}
