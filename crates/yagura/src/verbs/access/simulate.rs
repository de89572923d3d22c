//! `yagura access simulate`: one request by the recorded policies.

use std::io::{self, Write};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use yagura_access::evaluate::{
    Context, Decision, Explanation, Layer, LayerOutcome, Outcome, Request, Requester, by, evaluate, explain,
};

use super::gather::{Gathered, NotLooked, gather};
use crate::cli::{Common, Format, SimulateArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Decides the request and says why.
pub(super) fn run(common: &Common, args: &SimulateArgs, config: &Config, words: &Words) -> Result<Exit> {
    let principal = requester(&args.principal)?;
    let context = context(&args.context)?;
    if !args.action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
        return Err(Usage(format!("`{}` is not an action: give one like `s3:GetObject`", args.action)).into());
    }
    if args.action.contains(['*', '?']) {
        return Err(Usage(format!("`{}` is more than one action: give one without wildcards", args.action)).into());
    }
    let seen = match (&args.bundle, &args.at) {
        (Some(path), _) => pipeline::read_bundle(path)?,
        (None, Some(at)) => pipeline::read_ledger_at(config, words, Some(print::time(at, crate::now())?))?,
        (None, None) => pipeline::read_ledger(config, words)?,
    };
    let (request, gathered) = gather(&seen.inventory, &principal, &args.action, &args.resource, context)?;
    let explanation = explain(&request, &gathered.policies);
    let report = report(args, &request, &gathered, &explanation, words);
    match (common.output, &common.query) {
        (Some(Format::Ndjson), None) => {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, &report)?;
            writeln!(out)?;
        }
        (Some(Format::Json), _) | (None | Some(Format::Ndjson | Format::Table), Some(_)) => {
            print::document(common, &report)?;
        }
        (None | Some(Format::Table), None) => {
            write_table(&mut io::stdout().lock(), &request, &gathered, &explanation, words)?;
        }
        (Some(other), _) => return Err(print::unfit(other).into()),
    }
    Ok(Exit::Clean)
}

fn requester(text: &str) -> Result<Requester> {
    if text == "anonymous" {
        return Ok(Requester::anonymous());
    }
    let requester =
        if text.contains(':') || !text.contains('.') { Requester::from_arn(text) } else { Requester::service(text) };
    requester.map_err(|error| Usage(error.to_string()).into())
}

fn context(pairs: &[String]) -> Result<Context> {
    let mut context = Context::default();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            bail!(Usage(format!("`{pair}` is no context key with a value: give `aws:SourceIp=192.0.2.1`")));
        };
        let mut values = context.get(&key.trim().to_ascii_lowercase()).unwrap_or_default().to_vec();
        values.push(value.to_owned());
        context.insert(key, values);
    }
    Ok(context)
}

/// What the answer is, as a word: `unknown` where something was not recorded that could turn it.
///
/// A Deny stays a Deny. What is allowed may be denied by anything that was not seen. What is not allowed could only be
/// turned by an Allow, so it is asked again as if all that was not seen allowed everything.
fn verdict(request: &Request, decision: &Decision, gathered: &Gathered) -> &'static str {
    let is_open = match decision.outcome {
        Outcome::ExplicitDeny => false,
        Outcome::Allowed => decision.layer != Layer::Service && gathered.not_looked.iter().any(|one| one.is_decisive),
        Outcome::ImplicitDeny => evaluate(request, &gathered.at_best()).outcome == Outcome::Allowed,
    };
    if is_open { "unknown" } else { decision.outcome.as_str() }
}

fn report(
    args: &SimulateArgs,
    request: &Request,
    gathered: &Gathered,
    explanation: &Explanation,
    words: &Words,
) -> Value {
    let context: serde_json::Map<String, Value> =
        request.context().iter().map(|(key, values)| (key.to_owned(), json!(values))).collect();
    let layers: Vec<Value> = explanation
        .layers
        .iter()
        .map(|layer| {
            let decision = Decision { outcome: Outcome::Allowed, layer: layer.layer, place: layer.place };
            let mut shown = decided_by(&decision, gathered);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("outcome".to_owned(), json!(layer.outcome.map(Outcome::as_str)));
                shown.insert("delegates".to_owned(), json!(layer.delegates));
            }
            shown
        })
        .collect();
    let not_looked: Vec<Value> = gathered
        .not_looked
        .iter()
        .map(|missed| {
            json!({
                "layer": missed.layer.as_str(),
                "what": sentence(missed, words),
                "decisive": missed.is_decisive,
            })
        })
        .collect();
    json!({
        "principal": args.principal,
        "action": args.action,
        "resource": request.resource(),
        "resource_account": request.resource_account(),
        "context": context,
        "decision": verdict(request, &explanation.decision, gathered),
        "by_recorded": explanation.decision.outcome.as_str(),
        "by": decided_by(&explanation.decision, gathered),
        "layers": layers,
        "not_looked": not_looked,
        "missing_context": explanation.notes.missing_keys,
        "remarks": explanation.notes.remarks,
    })
}

/// What decided, with the name of the policy where it has one.
fn decided_by(decision: &Decision, gathered: &Gathered) -> Value {
    let mut shown = by(decision, &gathered.policies);
    if let (Some(shown), Some(name)) = (shown.as_object_mut(), name(decision, gathered)) {
        shown.insert("name".to_owned(), json!(name));
    }
    shown
}

fn name<'a>(decision: &Decision, gathered: &'a Gathered) -> Option<&'a str> {
    match decision.layer {
        Layer::Identity => gathered.identity_names.get(decision.place.policy?).map(String::as_str),
        Layer::Boundary => gathered.boundary_name.as_deref(),
        Layer::Resource | Layer::Acl | Layer::BlockPublicAccess => gathered.resource_name.as_deref(),
        _ => None,
    }
}

pub(super) fn sentence(missed: &NotLooked, words: &Words) -> String {
    words.fill(&format!("access.simulate.not_looked.{}", missed.key), &[("name", &missed.name)])
}

fn write_table(
    out: &mut dyn Write,
    request: &Request,
    gathered: &Gathered,
    explanation: &Explanation,
    words: &Words,
) -> Result<()> {
    let decision = &explanation.decision;
    let verdict = verdict(request, decision, gathered);
    writeln!(out, "{}", words.get(&format!("access.simulate.verdict.{verdict}")))?;
    let layer = words.get(&format!("access.simulate.layer.{}", decision.layer.as_str())).to_owned();
    let lead = match (verdict, decision.outcome) {
        ("unknown", _) => "access.simulate.by_recorded",
        (_, Outcome::ImplicitDeny) => "access.simulate.lacking",
        _ => "access.simulate.by",
    };
    let outcome = words.get(&format!("access.simulate.verdict.{}", decision.outcome.as_str())).to_owned();
    let layer = format!("{layer}{}", place(decision, gathered, words));
    writeln!(out, "  {}", words.fill(lead, &[("layer", &layer), ("outcome", &outcome)]))?;
    if !explanation.layers.is_empty() {
        writeln!(out, "\n{}", words.get("access.simulate.layers"))?;
    }
    for layer in &explanation.layers {
        writeln!(out, "  {}", layer_line(layer, gathered, words))?;
    }
    if !gathered.not_looked.is_empty() {
        writeln!(out, "\n{}", words.get("access.simulate.not_looked_head"))?;
        for missed in &gathered.not_looked {
            writeln!(out, "  {}", sentence(missed, words))?;
        }
    }
    if !explanation.notes.missing_keys.is_empty() {
        let keys = explanation.notes.missing_keys.join(", ");
        writeln!(out, "\n{}", words.fill("access.simulate.missing_context", &[("keys", &keys)]))?;
    }
    for remark in &explanation.notes.remarks {
        writeln!(out, "\n{}", words.fill("access.simulate.remark", &[("remark", remark)]))?;
    }
    Ok(())
}

fn layer_line(layer: &LayerOutcome, gathered: &Gathered, words: &Words) -> String {
    let outcome = layer.outcome.map_or("none", Outcome::as_str);
    let outcome = if layer.delegates && layer.outcome == Some(Outcome::Allowed) { "delegated" } else { outcome };
    let decision = Decision { outcome: Outcome::Allowed, layer: layer.layer, place: layer.place };
    format!(
        "{}: {}{}",
        words.get(&format!("access.simulate.layer.{}", layer.layer.as_str())),
        words.get(&format!("access.simulate.outcome.{outcome}")),
        place(&decision, gathered, words)
    )
}

/// Where the statement stands: the policy's name, the number from 1 as a person counts, the `Sid`.
fn place(decision: &Decision, gathered: &Gathered, words: &Words) -> String {
    let mut parts: Vec<String> = name(decision, gathered).map(str::to_owned).into_iter().collect();
    if let Some(statement) = decision.place.statement {
        let key = if decision.layer == Layer::Acl { "access.simulate.grant" } else { "access.simulate.statement" };
        parts.push(words.fill(key, &[("number", &(statement + 1))]));
    }
    if let Some(sid) = by(decision, &gathered.policies).get("sid").and_then(Value::as_str) {
        parts.push(sid.to_owned());
    }
    if parts.is_empty() { String::new() } else { words.fill("access.simulate.place", &[("place", &parts.join(", "))]) }
}
