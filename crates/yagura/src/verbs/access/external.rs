//! `yagura access external`: who outside is let in by the policies of recorded resources.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use yagura_access::decide::{self, Zone};
use yagura_access::policy::Policy;
use yagura_model::{Inventory, Listing, Resource, ResourceType};

use super::eval;
use super::gather::{RESOURCE_POLICIES, at, is_unread};
use crate::cli::{Common, ExternalArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Where a role keeps whom it trusts.
const TRUST_POLICY: (&str, &str) = ("AWS::IAM::Role", "AssumeRolePolicyDocument");

/// Reports every way in, and what could not be looked at; ends with 3 if there is any way in, and with 4 if there may be.
pub(super) fn run(common: &Common, args: &ExternalArgs, config: &Config, words: &Words) -> Result<Exit> {
    if let Some(batch) = &args.batch {
        return eval::lines(common, batch, decide::external_line);
    }
    let is_account = |text: &&String| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(other) = args.trusted.iter().find(|text| !is_account(text) && !text.starts_with("o-")) {
        bail!(Usage(format!("`{other}` is neither an account (twelve digits) nor an organisation (`o-…`)")));
    }
    let seen = match &args.bundle {
        Some(path) => pipeline::read_bundle(path)?,
        None => pipeline::read_ledger(config, words)?,
    };
    let rows = findings(&seen.inventory, &args.trusted)?;
    let has = |outcome: &str| rows.iter().any(|row| row.get("outcome").and_then(Value::as_str) == Some(outcome));
    let exit = if has("external") {
        Exit::Findings
    } else if rows.is_empty() {
        Exit::Clean
    } else {
        Exit::Incomplete
    };
    let head = ["resource", "outcome", "principal", "actions", "conditions"];
    let head = head.map(|name| words.get(&format!("access.external.{name}")).to_owned());
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    print::rows(common, &head, &rows, |row| cells(row, words))?;
    Ok(exit)
}

fn findings(inventory: &Inventory, trusted: &[String]) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let kinds = RESOURCE_POLICIES.iter().map(|&(_, kind, field)| (kind, field)).chain([TRUST_POLICY]);
    for (kind, field) in kinds {
        let kind = ResourceType::new(kind);
        for (listed, account, region, listing) in inventory.listings() {
            if let (true, Listing::Unread(why)) = (*listed == kind, listing) {
                let resource = format!("{} {}/{}", kind.as_str(), account.as_str(), region.as_str());
                rows.push(json!({ "resource": resource, "type": kind.as_str(), "outcome": "unread", "reason": format!("{why:?}") }));
            }
        }
        for resource in inventory.of_type(&kind) {
            rows.extend(of_resource(resource, field, trusted)?);
        }
    }
    Ok(rows)
}

fn of_resource(resource: &Resource, field: &str, trusted: &[String]) -> Result<Vec<Value>> {
    let row = |outcome: &str, more: Map<String, Value>| {
        let mut row = Map::new();
        row.insert("resource".to_owned(), json!(resource.arn_or_id()));
        row.insert("type".to_owned(), json!(resource.kind.as_str()));
        row.insert("account".to_owned(), json!(resource.account.as_str()));
        row.insert("outcome".to_owned(), json!(outcome));
        row.extend(more);
        Value::Object(row)
    };
    let reason = |text: String| Map::from_iter([("reason".to_owned(), json!(text))]);
    if is_unread(resource, &format!("Properties.{field}")) || is_unread(resource, &format!("Attributes.{field}")) {
        return Ok(vec![row("unread", reason("the policy could not be read".to_owned()))]);
    }
    let Some(document) = at(&resource.properties, field).or_else(|| at(&resource.attributes, field)) else {
        return Ok(Vec::new());
    };
    let policy = match Policy::from_value(document) {
        Ok(Some(policy)) => policy,
        Ok(None) => return Ok(Vec::new()),
        Err(error) => return Ok(vec![row("unread", reason(error.to_string()))]),
    };
    let (organisations, accounts) = trusted.iter().cloned().partition(|text| text.starts_with("o-"));
    let mut zone = Zone { accounts, organisations, ..Zone::default() };
    zone.accounts.insert(resource.account.as_str().to_owned());
    let answer = decide::external(&policy, &zone)?;
    let mut rows = Vec::new();
    for finding in &answer.findings {
        let Value::Object(more) = finding.to_json() else { continue };
        rows.push(row("external", more));
    }
    if let Some(why) = answer.undecided {
        rows.push(row("undecided", reason(why.to_string())));
    }
    Ok(rows)
}

fn cells(row: &Value, words: &Words) -> Vec<String> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let outcome = match (text("outcome").as_str(), row.get("is_public")) {
        ("external", Some(Value::Bool(true))) => "public".to_owned(),
        (outcome, _) => outcome.to_owned(),
    };
    let principal = match row.get("principal") {
        Some(Value::String(everyone)) => everyone.clone(),
        Some(Value::Object(named)) => named.values().filter_map(Value::as_str).collect(),
        _ => text("reason"),
    };
    let list =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    let conditions = row.get("conditions").and_then(Value::as_object).into_iter().flatten();
    let conditions: Vec<String> = conditions.map(|(key, values)| format!("{key}: {}", list(values))).collect();
    vec![
        text("resource"),
        words.get(&format!("access.external.verdict.{outcome}")).to_owned(),
        principal,
        row.get("actions").map(list).unwrap_or_default(),
        conditions.join("\n"),
    ]
}
