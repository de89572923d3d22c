//! `yagura access external`: who outside is let in by the policies of recorded resources, and by what they have beside them.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use yagura_access::decide::{self, Zone};
use yagura_access::policy::{Policy, Principal};
use yagura_model::{Inventory, Listing, Resource, ResourceType};

use super::eval;
use super::gather::{RESOURCE_POLICIES, at};
use super::sharing::{SHARED, Share, is_unknown};
use crate::cli::{Common, ExternalArgs};
use crate::config::Config;
use crate::errors::translated;
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
    let rows = findings(&seen.inventory, &args.trusted, words)?;
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

fn findings(inventory: &Inventory, trusted: &[String], words: &Words) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let kinds = || RESOURCE_POLICIES.iter().map(|&(_, kind, field)| (kind, field)).chain([TRUST_POLICY]);
    let mut listed: Vec<&str> = kinds().map(|(kind, _)| kind).chain(SHARED.iter().map(|&(kind, ..)| kind)).collect();
    listed.sort_unstable();
    listed.dedup();
    for kind in listed {
        let kind = ResourceType::new(kind);
        for (of, account, region, listing) in inventory.listings() {
            if let (true, Listing::Unread(why)) = (*of == kind, listing) {
                let resource = format!("{} {}/{}", kind.as_str(), account.as_str(), region.as_str());
                let call = format!("{}:{}", why.service, why.operation);
                let reason = words.fill("access.external.unlisted", &[("call", &call), ("error", &why.error)]);
                rows.push(
                    json!({ "resource": resource, "type": kind.as_str(), "outcome": "unread", "reason": reason }),
                );
            }
        }
    }
    for (kind, field) in kinds() {
        for resource in inventory.of_type(&ResourceType::new(kind)) {
            rows.extend(of_policy(inventory, resource, field, trusted, words)?);
        }
    }
    for (kind, field, shares) in SHARED {
        for resource in inventory.of_type(&ResourceType::new(*kind)) {
            if is_unknown(resource, field) {
                rows.push(row(resource, "unread", reason(words.get("access.external.unread_sharing"))));
            }
            let mut zone = zone(resource, trusted).accounts;
            // Who owns a key owns what is granted on it.
            zone.extend(
                resource.properties.get("KeyArn").and_then(Value::as_str).and_then(account_of).map(str::to_owned),
            );
            let outside = shares(inventory, resource).into_iter().filter(|share| share.is_outside(&zone));
            rows.extend(outside.map(|share| shared(resource, &share)));
        }
    }
    Ok(rows)
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

fn row(resource: &Resource, outcome: &str, more: Map<String, Value>) -> Value {
    let mut row = Map::new();
    row.insert("resource".to_owned(), json!(resource.arn_or_id()));
    row.insert("type".to_owned(), json!(resource.kind.as_str()));
    row.insert("account".to_owned(), json!(resource.account.as_str()));
    row.insert("outcome".to_owned(), json!(outcome));
    row.extend(more);
    Value::Object(row)
}

fn reason(text: &str) -> Map<String, Value> {
    Map::from_iter([("reason".to_owned(), json!(text))])
}

/// The account of a resource and what is trusted besides.
fn zone(resource: &Resource, trusted: &[String]) -> Zone {
    let (organisations, accounts) = trusted.iter().cloned().partition(|text| text.starts_with("o-"));
    let mut zone = Zone { accounts, organisations, ..Zone::default() };
    zone.accounts.insert(resource.account.as_str().to_owned());
    zone
}

fn shared(resource: &Resource, share: &Share) -> Value {
    let principal = match &share.principal {
        Principal::Everyone => json!("*"),
        Principal::CanonicalUser(id) => json!({ "CanonicalUser": id }),
        Principal::Aws(text) | Principal::Service(text) | Principal::Federated(text) => json!({ "AWS": text }),
    };
    let conditions: Map<String, Value> =
        share.conditions.iter().map(|(name, value)| (name.clone(), json!([value.to_string()]))).collect();
    let more = json!({
        "principal": principal,
        "actions": share.actions,
        "conditions": conditions,
        "is_public": share.is_public,
        "source": share.source,
    });
    row(resource, "external", more.as_object().cloned().unwrap_or_default())
}

fn of_policy(
    inventory: &Inventory,
    resource: &Resource,
    field: &str,
    trusted: &[String],
    words: &Words,
) -> Result<Vec<Value>> {
    if is_unknown(resource, field) {
        return Ok(vec![row(resource, "unread", reason(words.get("access.external.unread_policy")))]);
    }
    let Some(document) = at(&resource.properties, field).or_else(|| at(&resource.attributes, field)) else {
        return Ok(Vec::new());
    };
    let policy = match Policy::from_value(document) {
        Ok(Some(policy)) => policy,
        Ok(None) => return Ok(Vec::new()),
        Err(error) => {
            let why = translated(&error.to_string(), words.lang());
            return Ok(vec![row(resource, "unread", reason(&why))]);
        }
    };
    let bucket = bucket_behind(inventory, resource);
    if let Some(Bucket::WithoutPolicy) = bucket {
        // Through an access point comes only whom the bucket's own policy lets in as well.
        return Ok(Vec::new());
    }
    let answer = decide::external(&policy, &zone(resource, trusted))?;
    let mut rows = Vec::new();
    for finding in &answer.findings {
        let Value::Object(mut more) = finding.to_json() else { continue };
        more.insert("source".to_owned(), json!(if bucket.is_some() { "S3_ACCESS_POINT" } else { "POLICY" }));
        rows.push(row(resource, "external", more));
    }
    if let Some(why) = answer.undecided {
        rows.push(row(resource, "undecided", reason(&translated(&why.to_string(), words.lang()))));
    }
    Ok(rows)
}

/// What is known of the bucket behind an access point.
enum Bucket {
    /// Its policy may let in whoever comes through the access point, or is not known.
    MayAllow,
    /// It has none, so that nobody from outside comes through.
    WithoutPolicy,
}

/// The bucket of an access point; none for anything else.
fn bucket_behind(inventory: &Inventory, point: &Resource) -> Option<Bucket> {
    if point.kind.as_str() != "AWS::S3::AccessPoint" {
        return None;
    }
    let name = point.properties.get("Bucket").and_then(Value::as_str).unwrap_or_default();
    let buckets = ResourceType::new("AWS::S3::Bucket");
    let found = inventory.of_type(&buckets).find(|bucket| bucket.id == name);
    Some(match found {
        Some(bucket) if !is_unknown(bucket, "Policy") && at(&bucket.attributes, "Policy").is_none() => {
            Bucket::WithoutPolicy
        }
        _ => Bucket::MayAllow,
    })
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
