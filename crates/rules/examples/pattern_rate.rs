//! How long an event takes against 10, 100, 1,000 and 10,000 event patterns: `cargo run --release --example pattern_rate`.
//!
//! The patterns are of the kinds that people write for CloudTrail and EC2 events: some call of some service, on some
//! resource, from some network or by some role, with numbers, wildcards, `anything-but` and absences among them. Each is
//! for its own resource or role, so that an event matches few of them however many there are.

#![expect(clippy::print_stdout, reason = "the rates are for a person to read")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yagura_rules::pattern::{Event, Pattern, PatternSet};

/// How many different events are gone through.
const EVENTS: u32 = 2_000;

/// How long each size is measured.
const MEASURED: Duration = Duration::from_secs(2);

const SERVICES: [&str; 8] = ["ec2", "s3", "iam", "kms", "lambda", "rds", "sns", "cloudtrail"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: Vec<Value> = (0..EVENTS as usize).map(event).collect();
    let mut first = None;
    for size in [10, 100, 1_000, 10_000] {
        let patterns: Vec<(usize, Pattern)> = (0..size)
            .map(|number| Ok((number, Pattern::from_value(&pattern(number))?)))
            .collect::<Result<_, Box<dyn std::error::Error>>>()?;
        let set = PatternSet::new(patterns);
        let (mut rounds, mut matched) = (0_u32, 0_u32);
        let start = Instant::now();
        while start.elapsed() < MEASURED {
            for event in &events {
                set.matches(&Event::new(black_box(event)), &mut |_| matched += 1);
            }
            rounds += 1;
        }
        let nanoseconds = start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds) / f64::from(EVENTS);
        let ratio = nanoseconds / *first.get_or_insert(nanoseconds);
        let per_event = f64::from(matched) / f64::from(rounds) / f64::from(EVENTS);
        println!(
            "{size:>6} patterns: {nanoseconds:>7.0} ns an event, {ratio:.2} times the first, {per_event:.3} matches"
        );
    }
    Ok(())
}

fn service(number: usize) -> &'static str {
    SERVICES.get(number % SERVICES.len()).copied().unwrap_or("ec2")
}

fn pattern(number: usize) -> Value {
    let service = service(number);
    let source = format!("aws.{service}");
    let call = format!("Call{}", number / 3 % 40);
    let resource = format!("{service}-{number:05}");
    match number % 10 {
        0 => {
            json!({ "source": [source], "detail-type": ["AWS API Call via CloudTrail"], "detail": { "eventName": [call, format!("Delete{number}")], "requestParameters": { "name": [resource] } } })
        }
        1 => {
            json!({ "source": [source], "detail": { "requestParameters": { "name": [{ "prefix": format!("{resource}-") }] } } })
        }
        2 => {
            json!({ "source": [source], "detail": { "userIdentity": { "arn": [{ "suffix": format!("/role-{number}") }] }, "errorCode": [{ "exists": true }] } })
        }
        3 => {
            json!({ "source": [source], "detail": { "sourceIPAddress": [{ "cidr": format!("10.{}.{}.0/24", number / 250 % 250, number % 250) }] } })
        }
        4 => {
            json!({ "detail-type": ["AWS API Call via CloudTrail"], "detail": { "requestParameters": { "size": [{ "numeric": [">=", number * 10, "<", number * 10 + 10] }] } } })
        }
        5 => {
            json!({ "source": [source], "detail": { "eventName": [call], "requestParameters": { "name": [{ "wildcard": format!("*{number:05}*/x") }] } } })
        }
        6 => {
            json!({ "source": [source], "detail": { "requestParameters": { "name": [{ "equals-ignore-case": resource.to_uppercase() }] }, "errorCode": [{ "anything-but": ["Throttling", "AccessDenied"] }] } })
        }
        7 => {
            json!({ "account": [format!("{number:012}")], "detail": { "readOnly": [false], "userIdentity": { "type": [{ "anything-but": "AWSService" }] } } })
        }
        8 => {
            json!({ "source": [source], "detail": { "requestParameters": { "items": { "id": [format!("sg-{number:05}")], "port": [22, 3389] } }, "errorCode": [{ "exists": false }] } })
        }
        _ => {
            json!({ "source": [source], "$or": [{ "detail": { "requestParameters": { "name": [resource] } } }, { "resources": [format!("arn:aws:{service}:::{number}")] }] })
        }
    }
}

fn event(number: usize) -> Value {
    let target = number * 7 % 10_000;
    let service = service(target);
    json!({
        "version": "0", "id": format!("{number:032x}"), "detail-type": "AWS API Call via CloudTrail", "source": format!("aws.{service}"),
        "account": format!("{target:012}"), "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [format!("arn:aws:{service}:::{target}")],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": { "type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/app/role-{target}"), "accountId": "111122223333" },
            "eventTime": "2026-01-01T00:00:00Z", "eventSource": format!("{service}.amazonaws.com"), "eventName": format!("Call{}", number % 40),
            "awsRegion": "us-east-1", "sourceIPAddress": format!("10.{}.{}.9", target / 250 % 250, target % 250), "userAgent": "aws-cli/2",
            "requestParameters": {
                "name": format!("{service}-{target:05}{}", if number.is_multiple_of(3) { "-a/x" } else { "" }), "size": number * 50,
                "items": [{ "id": format!("sg-{target:05}"), "port": 443 }, { "id": "sg-1", "port": 22 }]
            },
            "responseElements": null, "requestID": "r", "eventID": "e", "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true
        }
    })
}
