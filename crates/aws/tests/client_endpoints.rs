//! Endpoints are what botocore makes of the same rules, for every service of the table in every partition.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops there"
)]

use serde_json::{Map, Value as Json};
use yagura_aws::endpoint::{Endpoint, EndpointError, Partitions, RuleSet, Value};
use yagura_aws::model::Models;

/// What botocore answered, written by `client_endpoints.py`.
const CASES: &str = include_str!("client_endpoints.txt");

#[test]
fn endpoints_are_those_of_botocore() {
    let models = Models::embedded().unwrap();
    let partitions = Partitions::from_json(models.partitions().unwrap()).unwrap();
    let mut rules = None;
    let mut differing = Vec::new();
    let mut services = Vec::new();
    for line in CASES.lines() {
        if let Some(service) = line.strip_prefix("= ") {
            services.push(service);
            let json = models.service(service).and_then(|service| service.endpoint_rules());
            rules = Some(RuleSet::from_json(&json.unwrap_or_else(|| panic!("no rules of {service}"))).unwrap());
            continue;
        }
        let (case, expected) = line.split_once('\t').unwrap();
        let given: Map<String, Json> = serde_json::from_str(case).unwrap();
        let answer = rules.as_ref().unwrap().resolve(&partitions, |name, _| value(given.get(name)));
        let answer = text(&answer);
        if answer != expected {
            differing.push(format!("{} {case}\n  expected {expected}\n  answered {answer}", services.last().unwrap()));
        }
    }
    assert!(differing.is_empty(), "{} differ\n{}", differing.len(), differing.join("\n"));
    let missing: Vec<&str> = models.service_names().filter(|name| !services.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "services without cases: run client_endpoints.py");
}

fn value(json: Option<&Json>) -> Value {
    match json {
        Some(Json::Bool(flag)) => Value::from(*flag),
        Some(Json::String(text)) => Value::from(text.as_str()),
        _ => Value::Absent,
    }
}

/// An answer as the script writes it.
fn text(answer: &Result<Endpoint, EndpointError>) -> String {
    let endpoint = match answer {
        Ok(endpoint) => endpoint,
        Err(EndpointError::Refused(message)) => return format!("error: {message}"),
        Err(EndpointError::Parameter(_)) => return "need: ".to_owned(),
        Err(EndpointError::NoMatch) => return "none: ".to_owned(),
        Err(error) => return format!("broken: {error}"),
    };
    let headers: Vec<String> = endpoint
        .headers
        .iter()
        .map(|(name, value)| format!("{}: [{}]", Json::from(&**name), Json::from(&**value)))
        .collect();
    let schemes: Vec<String> = endpoint
        .auth_schemes
        .iter()
        .map(|scheme| {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            let double = if scheme.disable_double_encoding { "" } else { "double" };
            format!("{}/{}/{}/{double}", scheme.name, part(&scheme.signing_name), part(&scheme.signing_region))
        })
        .collect();
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let headers = if headers.is_empty() { "-".to_owned() } else { format!("{{{}}}", headers.join(", ")) };
    format!("{}\t{headers}\t{}", endpoint.url, or_dash(schemes.join(" ")))
}
