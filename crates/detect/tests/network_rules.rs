//! Every detection of flow logs and of DNS queries, run by its own tests.

use std::path::Path;

use yagura_detect::{Context, Detection, Engine, Input, Source, State};

#[test]
fn every_rule_passes_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/detections");
    let mut failures = Vec::new();
    let mut cases = 0;
    for source in ["vpcflow", "route53resolver"] {
        let mut files: Vec<_> =
            std::fs::read_dir(root.join(source)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 13, "{source} has only {} rules", files.len());
        for file in files {
            let name = format!("{source}/{}", file.file_name().unwrap().to_string_lossy());
            match Detection::parse(&format!("detections/{name}"), &std::fs::read_to_string(&file).unwrap()) {
                Err(error) => {
                    let chain: Vec<String> =
                        std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                            .map(ToString::to_string)
                            .collect();
                    failures.push(format!("{name}: {}", chain.join(": ")));
                }
                Ok(detection) => {
                    for outcome in detection.test() {
                        cases += 1;
                        failures.extend(outcome.failure.map(|failure| format!("{name}: {}: {failure}", outcome.case)));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {cases} tests failed:\n{}", failures.len(), failures.join("\n"));
}

/// A day of a small shop: a web server behind a load balancer, a database, updates, an administrator, and an internet that knocks.
#[test]
fn an_ordinary_day_is_quiet() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/detections");
    let mut detections = Vec::new();
    for source in ["vpcflow", "route53resolver"] {
        for entry in std::fs::read_dir(root.join(source)).unwrap() {
            let file = entry.unwrap().path();
            let name = format!("detections/{source}/{}", file.file_name().unwrap().to_string_lossy());
            detections.push(Detection::parse(&name, &std::fs::read_to_string(&file).unwrap()).unwrap());
        }
    }
    let engine = Engine::new(detections, []).unwrap();
    let mut state = State::new(&engine);
    let start: chrono::DateTime<chrono::Utc> = "2026-01-05T00:00:00Z".parse().unwrap();
    let (flows, queries) = (Source::named("vpcflow").unwrap(), Source::named("route53resolver").unwrap());
    for minute in 0..24 * 60_i64 {
        let time = (start + chrono::Duration::minutes(minute)).to_rfc3339();
        let port = 40_000 + minute % 20_000;
        let guest = minute % 200 + 1;
        let rows = [
            // a visitor and the answer, through the load balancer
            format!(
                r#""srcaddr":"203.0.113.{guest}","srcport":{port},"dstaddr":"10.0.0.4","dstport":443,"packets":18,"bytes":3100,"action":"ACCEPT""#
            ),
            format!(
                r#""srcaddr":"10.0.0.4","srcport":443,"dstaddr":"203.0.113.{guest}","dstport":{port},"packets":40,"bytes":52000,"action":"ACCEPT""#
            ),
            // a check of health, and the database
            format!(
                r#""srcaddr":"10.0.0.4","srcport":{port},"dstaddr":"10.0.1.5","dstport":8080,"packets":5,"bytes":420,"action":"ACCEPT""#
            ),
            format!(
                r#""srcaddr":"10.0.1.5","srcport":{port},"dstaddr":"10.0.2.9","dstport":5432,"packets":300,"bytes":80000,"action":"ACCEPT""#
            ),
            // updates, and a download whose acknowledgements are many
            format!(
                r#""srcaddr":"10.0.1.5","srcport":{port},"dstaddr":"198.51.100.{guest}","dstport":443,"packets":9000,"bytes":470000,"action":"ACCEPT""#
            ),
            // the internet knocks at one port after the other
            format!(
                r#""srcaddr":"192.0.2.{guest}","srcport":{port},"dstaddr":"10.0.0.4","dstport":{},"packets":1,"bytes":44,"action":"REJECT""#,
                minute % 1000 + 1
            ),
            // an administrator, now and then
            format!(
                r#""srcaddr":"192.0.2.200","srcport":{},"dstaddr":"10.0.1.5","dstport":22,"packets":900,"bytes":90000,"action":"ACCEPT""#,
                50_000 + minute / 60
            ),
        ];
        for row in rows {
            let text = format!(
                r#"{{"time":"{time}","account":"111122223333","region":"us-east-1","instance_id":"i-1","protocol":6,{row}}}"#
            );
            engine.process(&mut state, &Input::new(flows, &text), &Context::EMPTY).unwrap();
        }
        for name in [
            format!("host{guest}.example.com."),
            format!("d{minute}-static-content-of-the-shop.cdn.example.net."),
            "api.example.com.ap-northeast-1.compute.internal.".to_owned(),
        ] {
            let code = if name.ends_with("internal.") { "NXDOMAIN" } else { "NOERROR" };
            let text = format!(
                r#"{{"query_timestamp":"{time}","query_name":"{name}","rcode":"{code}","answers":[],"srcaddr":"10.0.1.5"}}"#
            );
            engine.process(&mut state, &Input::new(queries, &text), &Context::EMPTY).unwrap();
        }
    }
    let found: Vec<String> = state.findings().map(|finding| format!("{finding:?}")).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
