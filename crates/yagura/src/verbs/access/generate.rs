//! `yagura access generate`: the least policy that allows what a principal was recorded doing.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use yagura_access::evaluate::Requester;
use yagura_access::least::{Call, Least, ServiceUse, Unmapped, Wide, least, unused};
use yagura_access::policy::Policy;
use yagura_lake::{Searched, Tables, print as lake_print};

use super::gather::{Gathered, gather_identity};
use crate::cli::{Common, Format, GenerateArgs};
use crate::config::Config;
use crate::verbs::logs::lake;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Different calls (operation, place and parameters) that are taken in; a principal that does more is a service whose
/// policy nobody would write from its single calls.
const CALLS_MAX: usize = 500_000;

/// Unused permissions of a service that a table names; `-o json` has all.
const NAMES_SHOWN_MAX: usize = 8;

/// What was found.
struct Found {
    since: DateTime<Utc>,
    calls: u64,
    searched: Searched,
    least: Least,
    granted: Vec<ServiceUse>,
    gathered: Gathered,
}

/// Writes the policy and says how it stands to what is granted.
pub(super) fn run(common: &Common, args: &GenerateArgs, config: &Config, words: &Words) -> Result<Exit> {
    let principal = Requester::from_arn(&args.principal).map_err(|error| Usage(error.to_string()))?;
    let since = print::time(&args.since, crate::now())?;
    let (calls, searched) = recorded(&args.principal, since, config)?;
    let least = least(&calls)?;
    let seen = match &args.bundle {
        Some(path) => pipeline::read_bundle(path)?,
        None => pipeline::read_ledger(config, words)?,
    };
    let gathered = gather_identity(&seen.inventory, &principal)?;
    let mut policies = Vec::new();
    for (document, name) in gathered.identity_documents.iter().zip(&gathered.identity_names) {
        let policy = Policy::from_value(document).with_context(|| format!("the policy `{name}` cannot be read"))?;
        policies.extend(policy);
    }
    let used: BTreeSet<String> = least.actions.keys().cloned().collect();
    let granted = unused(&policies, &used)?;
    let calls = calls.iter().map(|(_, count)| count).sum();
    let found = Found { since, calls, searched, least, granted, gathered };
    match (common.output, &common.query) {
        (Some(Format::Json | Format::Ndjson), _) | (_, Some(_)) => {
            print::document(common, &report(&args.principal, &found, words))?;
        }
        (None | Some(Format::Table), None) => {
            write_table(&mut io::stdout().lock(), &args.principal, &found, words)?;
        }
        (Some(other), None) => return Err(print::unfit(other).into()),
    }
    // A policy that would stop what was done is an error of this program, not an answer.
    if !found.least.unproven.is_empty() {
        bail!("the policy could not be proven to allow {} of what was done", found.least.unproven.len());
    }
    Ok(Exit::Clean)
}

/// The calls of the principal that AWS let through, each with how often it was made.
fn recorded(principal: &str, since: DateTime<Utc>, config: &Config) -> Result<(Vec<(Call, u64)>, Searched)> {
    let quoted = principal.replace('\'', "''");
    let question = format!(
        r#"SELECT "eventSource", "eventName", "awsRegion", "recipientAccountId", "resources", "requestParameters",
                  count(*) AS "calls"
           FROM cloudtrail
           WHERE ("userIdentity_arn" = '{quoted}' OR "userIdentity_sessionContext_sessionIssuer_arn" = '{quoted}')
             AND "eventTime" >= '{}'
             AND coalesce("errorCode", '') NOT ILIKE '%denied%'
             AND coalesce("errorCode", '') NOT ILIKE '%unauthorized%'
             AND coalesce("errorCode", '') NOT ILIKE '%authfailure%'
             AND coalesce("errorMessage", '') NOT ILIKE '%not authorized to perform%'
           GROUP BY 1, 2, 3, 4, 5, 6"#,
        since.to_rfc3339_opts(SecondsFormat::Secs, true)
    );
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    runtime.block_on(async {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut answer = lake.query(&question, Tables::default(), false, threads).await?;
        let mut calls = Vec::new();
        while let Some(rows) = answer.next().await? {
            let mut text = Vec::new();
            lake_print::json_lines(&rows, &mut text)?;
            for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                calls.push(call(&serde_json::from_slice(line)?));
            }
            if calls.len() > CALLS_MAX {
                bail!(Usage(format!("there are more than {CALLS_MAX} different calls: give a later `--since`")));
            }
        }
        Ok((calls, answer.searched()))
    })
}

fn call(row: &Value) -> (Call, u64) {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let resources = row.get("resources").and_then(Value::as_array);
    let parameters = row.get("requestParameters").and_then(Value::as_str);
    let call = Call {
        event_source: text("eventSource"),
        event_name: text("eventName"),
        account: text("recipientAccountId"),
        region: text("awsRegion"),
        resources: resources.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        // What cannot be read as JSON names no resource: the permission is then wide, and said to be.
        parameters: parameters.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null),
    };
    (call, row.get("calls").and_then(Value::as_u64).unwrap_or(1))
}

fn report(principal: &str, found: &Found, words: &Words) -> Value {
    let least = &found.least;
    let wide: Vec<Value> = least
        .wide
        .iter()
        .map(|wide| match wide {
            Wide::NotTold { action, resource } => json!({ "action": action, "why": "not_told", "resource": resource }),
            Wide::TooMany { action, resources, pattern } => {
                json!({ "action": action, "why": "too_many", "resources": resources, "resource": pattern })
            }
        })
        .collect();
    let unmapped: Vec<Value> = least
        .unmapped
        .iter()
        .map(|((source, name), (why, calls))| {
            json!({ "event_source": source, "event_name": name, "why": word(*why), "calls": calls })
        })
        .collect();
    let granted: Vec<Value> = found
        .granted
        .iter()
        .map(|service| json!({ "service": service.service, "used": service.used, "unused": service.unused }))
        .collect();
    json!({
        "principal": principal,
        "since": found.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        "calls": found.calls,
        "proven": least.proven,
        "policy": least.policy,
        "actions": least.actions,
        "wide": wide,
        "unmapped": unmapped,
        "unproven": least.unproven,
        "granted": granted,
        "not_looked": found.gathered.not_looked.iter().map(|missed| super::simulate::sentence(missed, words)).collect::<Vec<_>>(),
        "searched": { "hours": found.searched.hours, "hours_all": found.searched.hours_all },
    })
}

fn word(why: Unmapped) -> &'static str {
    match why {
        Unmapped::Free => "free",
        Unmapped::Service => "service",
        Unmapped::Action => "action",
    }
}

fn write_table(out: &mut dyn Write, principal: &str, found: &Found, words: &Words) -> Result<()> {
    let least = &found.least;
    let since = found.since.to_rfc3339_opts(SecondsFormat::Secs, true);
    if found.calls == 0 {
        let values: [(&str, &dyn Display); 2] = [("principal", &principal), ("since", &since)];
        writeln!(out, "{}", words.fill("access.generate.none", &values))?;
    } else {
        let values: [(&str, &dyn Display); 4] =
            [("calls", &found.calls), ("actions", &least.actions.len()), ("since", &since), ("proven", &least.proven)];
        writeln!(out, "{}\n", words.fill("access.generate.heading", &values))?;
        writeln!(out, "{}", serde_json::to_string_pretty(&least.policy)?)?;
    }
    if found.searched.hours_all > 0 {
        let values: [(&str, &dyn Display); 2] = [("hours", &found.searched.hours), ("all", &found.searched.hours_all)];
        writeln!(out, "\n{}", words.fill("access.generate.searched", &values))?;
    }
    section(out, words, "wide_head", least.wide.iter().map(|wide| wide_line(wide, words)))?;
    section(out, words, "unproven_head", least.unproven.iter().map(|(action, arn)| format!("{action} {arn}")))?;
    let unmapped = least.unmapped.iter().map(|((source, name), (why, calls))| {
        let event = format!("{}:{name}", source.trim_end_matches(".amazonaws.com"));
        let values: [(&str, &dyn Display); 2] = [("event", &event), ("count", calls)];
        words.fill(&format!("access.generate.unmapped.{}", word(*why)), &values)
    });
    section(out, words, "unmapped_head", unmapped)?;
    write_granted(out, found, words)
}

fn wide_line(wide: &Wide, words: &Words) -> String {
    match wide {
        Wide::NotTold { action, resource } => {
            words.fill("access.generate.wide.not_told", &[("action", action), ("resource", resource)])
        }
        Wide::TooMany { action, resources, pattern } => {
            let values: [(&str, &dyn Display); 3] = [("action", action), ("count", resources), ("pattern", pattern)];
            words.fill("access.generate.wide.too_many", &values)
        }
    }
}

fn write_granted(out: &mut dyn Write, found: &Found, words: &Words) -> Result<()> {
    let not_looked = found.gathered.not_looked.iter().map(|missed| super::simulate::sentence(missed, words));
    section(out, words, "not_compared", not_looked)?;
    let excess: Vec<&ServiceUse> = found.granted.iter().filter(|service| !service.unused.is_empty()).collect();
    if excess.is_empty() && !found.granted.is_empty() {
        writeln!(out, "\n{}", words.get("access.generate.nothing_unused"))?;
    }
    section(out, words, "granted_head", excess.into_iter().map(|service| unused_line(service, words)))
}

fn unused_line(service: &ServiceUse, words: &Words) -> String {
    let count = service.unused.len();
    if service.used.is_empty() {
        return words.fill("access.generate.whole", &[("service", &service.service), ("count", &count)]);
    }
    let mut names = service.unused.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = count.checked_sub(NAMES_SHOWN_MAX).filter(|&more| more > 0) {
        names += &words.fill("access.generate.more", &[("count", &more)]);
    }
    let all = count + service.used.len();
    let values: [(&str, &dyn Display); 4] =
        [("service", &service.service), ("count", &count), ("all", &all), ("names", &names)];
    words.fill("access.generate.part", &values)
}

/// A heading and its lines; nothing where there are none.
fn section(out: &mut dyn Write, words: &Words, heading: &str, lines: impl Iterator<Item = String>) -> Result<()> {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(out, "\n{}", words.get(&format!("access.generate.{heading}")))?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}
