//! botocore's published protocol tests, in the five protocols that Yagura speaks.
//!
//! The data keeps botocore's conventions: a blob is plain text, a moment is a number of seconds. They are mapped to ours by
//! the shapes before and after.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use yagura_aws::model::{Kind, Operation, Reference, Service, Traits};
use yagura_aws::protocol::{WireRequest, parse_error, parse_output, serialize};

const PROTOCOLS: [&str; 7] = ["json", "json_1_0", "json_1_0-query-compatible", "query", "ec2", "rest-json", "rest-xml"];

/// The token that the published cases of idempotency expect.
const TOKEN: &str = "00000000-0000-4000-8000-000000000000";

/// The cases that the folder has and botocore does not leave out; fewer means that something was skipped by mistake.
const CASES_MIN: usize = 602;

#[test]
fn published_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets/aws-protocol-tests");
    if !folder.is_dir() {
        say("SKIPPED published_cases: ../shared/datasets/aws-protocol-tests is not there");
        return;
    }
    let ignored = read(&folder.join("protocol-tests-ignore-list.json"));
    let (mut run, mut failures) = (0, Vec::new());
    for protocol in PROTOCOLS {
        for direction in ["input", "output"] {
            let suites = read(&folder.join(direction).join(format!("{protocol}.json")));
            for suite in suites.as_array().unwrap() {
                for case in suite["cases"].as_array().unwrap() {
                    let id = case["id"].as_str().unwrap_or_default();
                    if is_ignored(&ignored, protocol, direction, suite, id) {
                        continue;
                    }
                    run += 1;
                    if let Err(reason) = check(direction, suite, case) {
                        failures.push(format!("{protocol} {direction} {id} ({}): {reason}", suite["description"]));
                    }
                }
            }
        }
    }
    say(&format!("{run} protocol cases"));
    assert!(failures.is_empty(), "{} of {run} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(run >= CASES_MIN, "only {run} cases");
}

/// Says something also where the test passes: what `println!` says is kept back then.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether botocore's own list leaves the case out.
fn is_ignored(ignored: &Value, protocol: &str, direction: &str, suite: &Value, id: &str) -> bool {
    let has = |list: Option<&Value>, name: &str| {
        list.and_then(Value::as_array).is_some_and(|names| names.iter().any(|listed| listed == name))
    };
    let suite = suite["description"].as_str().unwrap_or_default();
    [ignored.get("general"), ignored["protocols"].get(protocol)].into_iter().flatten().any(|part| {
        let part = part.get(direction);
        has(part.and_then(|part| part.get("suites")), suite) || has(part.and_then(|part| part.get("cases")), id)
    })
}

fn check(direction: &str, suite: &Value, case: &Value) -> Result<(), String> {
    let given = &case["given"];
    let name = given["name"].as_str().unwrap();
    let model = json!({
        "metadata": suite["metadata"],
        "shapes": suite["shapes"],
        "operations": { name: given },
    });
    let service = Service::from_botocore("test", &model, &Value::Null).map_err(|error| error.to_string())?;
    let operation = service.operation(name).unwrap();
    match direction {
        "input" => check_input(&service, operation, case),
        _ => check_output(&service, operation, case),
    }
}

fn check_input(service: &Service, operation: &Operation, case: &Value) -> Result<(), String> {
    let input = ours(service, operation.input.as_ref(), &case["params"]);
    let request = serialize(service, operation, &input, &mut || TOKEN.to_owned()).map_err(|error| error.to_string())?;
    let expected = &case["serialized"];
    same("method", &json!(request.method), &expected["method"])?;
    let pair = |(name, value): &(String, Option<String>)| (name.clone(), value.clone().unwrap_or_default());
    let query: BTreeSet<_> = request.query.iter().map(pair).collect();
    let uri = expected["uri"].as_str().unwrap();
    let (expected_path, expected_query) = uri.split_once('?').unwrap_or((uri, ""));
    same("path", &json!(request.path), &json!(expected_path))?;
    same("query", &json!(query), &json!(pairs(expected_query)))?;
    if let Some(host) = expected.get("host").and_then(Value::as_str) {
        let prefix = request.host_prefix.clone().unwrap_or_default();
        same("host", &json!(format!("{prefix}example.com")), &json!(host.split('/').next()))?;
    }
    check_headers(&request, expected)?;
    match expected.get("body").and_then(Value::as_str) {
        Some(body) => same_body(&request, body),
        None => Ok(()),
    }
}

fn check_headers(request: &WireRequest, expected: &Value) -> Result<(), String> {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.replace(", ", ","))
    };
    for (name, value) in expected.get("headers").and_then(Value::as_object).into_iter().flatten() {
        same(name, &json!(header(name)), &json!(value.as_str().unwrap().replace(", ", ",")))?;
    }
    for name in expected.get("forbidHeaders").and_then(Value::as_array).into_iter().flatten() {
        same("forbidden header", &json!(header(name.as_str().unwrap())), &Value::Null)?;
    }
    Ok(())
}

fn check_output(service: &Service, operation: &Operation, case: &Value) -> Result<(), String> {
    let response = &case["response"];
    let status = u16::try_from(response["status_code"].as_u64().unwrap()).unwrap();
    let headers = response["headers"].as_object().cloned().unwrap_or_default();
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let body = response["body"].as_str().unwrap_or_default().as_bytes();
    if let Some(code) = case.get("errorCode") {
        let error = parse_error(service, operation, status, &headers, body);
        same("code", &json!(error.code), code)?;
        if let Some(message) = case.get("errorMessage") {
            same("message", &json!(error.message), message)?;
        }
        let reference = operation.errors.first().map(|id| Reference { shape: *id, traits: Traits::default() });
        return same("fields", &error.fields, &ours(service, reference.as_ref(), &case["error"]));
    }
    let output = parse_output(service, operation, status, &headers, body).map_err(|error| error.to_string())?;
    same("output", &output, &ours(service, operation.output.as_ref(), &case["result"]))
}

/// A value in botocore's conventions in ours: blobs as base64, moments as text.
fn ours(service: &Service, reference: Option<&Reference>, value: &Value) -> Value {
    let Some(reference) = reference else { return value.clone() };
    let shape = service.shape(reference.shape);
    match (&shape.kind, value) {
        (Kind::Blob, Value::String(text)) => json!(STANDARD.encode(text)),
        (Kind::Timestamp, Value::Number(number)) => {
            #[expect(clippy::cast_possible_truncation, reason = "the published moments are small")]
            let micros = (number.as_f64().unwrap() * 1e6).round() as i64;
            let moment = chrono::DateTime::from_timestamp_micros(micros).unwrap();
            json!(moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        }
        (Kind::List { member }, Value::Array(items)) => {
            items.iter().map(|item| ours(service, Some(member), item)).collect()
        }
        (Kind::Map { value: of, .. }, Value::Object(entries)) => {
            entries.iter().map(|(name, item)| (name.clone(), ours(service, Some(of), item))).collect()
        }
        (Kind::Structure { .. }, Value::Object(members)) => members
            .iter()
            .map(|(name, item)| (name.clone(), ours(service, shape.member(name).map(|member| &member.target), item)))
            .collect(),
        _ => value.clone(),
    }
}

fn same(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if is_same(found, expected) { Ok(()) } else { Err(format!("{what} is {found}, expected {expected}")) }
}

/// Equality in which 1 and 1.0 are one number.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| is_same(left, right)))
        }
        (left, right) => left == right,
    }
}

/// The pairs of a query or a form, as a set.
fn pairs(text: &str) -> BTreeSet<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn same_body(request: &WireRequest, expected: &str) -> Result<(), String> {
    let found = String::from_utf8(request.body.clone()).map_err(|error| error.to_string())?;
    let kind = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let kind = kind.map_or("", |(_, kind)| kind.as_str());
    if kind.contains("json") && !expected.is_empty() {
        let found = serde_json::from_str(&found).map_err(|error| format!("`{found}`: {error}"))?;
        return same("body", &found, &serde_json::from_str(expected).unwrap());
    }
    if kind.contains("x-www-form-urlencoded") {
        return same("body", &json!(pairs(&found)), &json!(pairs(expected)));
    }
    if kind.contains("xml") && !expected.is_empty() {
        return same("body", &canonical(&found), &canonical(expected));
    }
    same("body", &json!(found), &json!(expected))
}

/// An XML document as JSON: elements in order, attributes by name, text without the space of the layout.
fn canonical(text: &str) -> Value {
    use quick_xml::events::{BytesStart, Event};
    struct Open(String, Map<String, Value>, String, Vec<Value>);
    let open_element = |start: &BytesStart<'_>| {
        let attribute = |attribute: quick_xml::events::attributes::Attribute<'_>| {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
            (attribute.key.0.to_owned(), json!(value))
        };
        let attributes = start.attributes().map(|found| attribute(found.unwrap())).collect();
        Open(start.name().0.to_owned(), attributes, String::new(), Vec::new())
    };
    let close = |Open(name, attributes, text, children): Open| {
        let text = if children.is_empty() { text } else { text.trim().to_owned() };
        json!([name, attributes, text, children])
    };
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = vec![Open(String::new(), Map::new(), String::new(), Vec::new())];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => open.push(open_element(&start)),
            Event::Empty(start) => {
                let element = close(open_element(&start));
                open.last_mut().unwrap().3.push(element);
            }
            Event::End(_) => {
                let element = close(open.pop().unwrap());
                open.last_mut().unwrap().3.push(element);
            }
            Event::Text(text) => open.last_mut().unwrap().2.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let letter = reference.resolve_char_ref().unwrap().map(String::from);
                let entity = quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                open.last_mut().unwrap().2.push_str(&letter.or(entity).unwrap());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    json!(open.pop().unwrap().3)
}
