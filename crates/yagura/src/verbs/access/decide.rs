//! `yagura access compare`, `not-granted` and `public`: one answer for all requests at once.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use yagura_access::decide::{self, PUBLIC_TYPES, Pair, PolicyKind};
use yagura_access::policy::Policy;

use super::eval;
use crate::cli::{Common, CompareArgs, Format, NotGrantedArgs, PolicyType, PublicArgs};
use crate::words::Words;
use crate::{Exit, Usage, print};

/// The longest policy file read, in bytes: what the policy reader takes, and white space besides.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The most actions and the most resources asked for at once, as many as IAM Access Analyzer takes.
const ASKED_MAX: usize = 100;

/// Compares two policies, or every pair of a file.
pub(super) fn compare(common: &Common, args: &CompareArgs, words: &Words) -> Result<Exit> {
    if let Some(batch) = &args.batch {
        return eval::lines(common, batch, |line| decide::compare_line(line, args.as_written));
    }
    let (Some(old), Some(new)) = (&args.old, &args.new) else { bail!(Usage("OLD and NEW are both needed".to_owned())) };
    let pair = Pair::read(&document(old)?, &document(new)?, args.as_written)?;
    let kind = args.policy_type.map_or_else(
        || pair.kind(),
        |kind| match kind {
            PolicyType::Identity => PolicyKind::Identity,
            PolicyType::Resource => PolicyKind::Resource,
        },
    );
    finish(common, pair.compare(kind)?.to_json("new_access"), "compare", "new_access", words)
}

/// Asks whether a policy grants any of some actions, or access to any of some resources.
pub(super) fn not_granted(common: &Common, args: &NotGrantedArgs, words: &Words) -> Result<Exit> {
    for (name, asked) in [("--action", &args.action), ("--resource", &args.resource)] {
        if asked.len() > ASKED_MAX {
            bail!(Usage(format!("{name} can be given {ASKED_MAX} times, not {}", asked.len())));
        }
    }
    let is_action = |text: &&String| {
        *text == "*" || text.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty())
    };
    if let Some(other) = args.action.iter().find(|action| !is_action(action)) {
        bail!(Usage(format!("`{other}` is not an action: give one like `s3:GetObject`")));
    }
    let Some(policy) = policy(&args.policy)? else {
        let nothing = json!({ "granted": false, "approximations": [] });
        return finish(common, object(nothing), "not_granted", "granted", words);
    };
    let answer = decide::granted(&policy, &args.action, &args.resource, decide::kind(&[&policy]))?;
    finish(common, answer.to_json("granted"), "not_granted", "granted", words)
}

/// Asks whether a resource's policy lets anybody in, or does so for every line of a file.
pub(super) fn public(common: &Common, args: &PublicArgs, words: &Words) -> Result<Exit> {
    if let Some(batch) = &args.batch {
        return eval::lines(common, batch, decide::public_line);
    }
    let (Some(path), Some(kind)) = (&args.policy, &args.resource_type) else {
        bail!(Usage("POLICY and --resource-type are both needed".to_owned()))
    };
    if !PUBLIC_TYPES.contains(&kind.as_str()) {
        bail!(Usage(format!(
            "`{kind}` is no resource type whose policy can be public: know {}",
            PUBLIC_TYPES.join(", ")
        )));
    }
    let answer = policy(path)?.map(|policy| decide::public(&policy)).transpose()?.unwrap_or_default();
    finish(common, answer.to_json(), "public", "public", words)
}

fn document(path: &Path) -> Result<Value> {
    let unreadable = || format!("cannot read the policy `{}`", path.display());
    let size = std::fs::metadata(path).with_context(unreadable)?.len();
    if size > FILE_BYTES_MAX {
        bail!("the policy `{}` is larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    let text = std::fs::read_to_string(path).with_context(unreadable)?;
    if text.trim_start().starts_with('%') {
        return Ok(Value::String(text));
    }
    serde_json::from_str(&text).with_context(|| format!("the policy `{}` is not a JSON document", path.display()))
}

fn policy(path: &Path) -> Result<Option<Policy>> {
    let policy = Policy::from_value(&document(path)?);
    policy.with_context(|| format!("the policy `{}` cannot be understood", path.display()))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Prints an answer and ends with 3 where there is such a request, and with 4 where it is not known.
fn finish(common: &Common, answer: Map<String, Value>, verb: &str, name: &str, words: &Words) -> Result<Exit> {
    let exit = match answer.get(name) {
        Some(Value::Bool(true)) => Exit::Findings,
        Some(Value::Bool(false)) => Exit::Clean,
        _ => Exit::Incomplete,
    };
    match (common.output, &common.query) {
        (Some(Format::Ndjson), None) => {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, &answer)?;
            writeln!(out)?;
        }
        (Some(Format::Json), _) | (None | Some(Format::Ndjson | Format::Table), Some(_)) => {
            print::document(common, &Value::Object(answer))?;
        }
        (None | Some(Format::Table), None) => {
            write_answer(&mut io::stdout().lock(), &answer, verb, exit, words)?;
        }
        (Some(other), _) => return Err(print::unfit(other).into()),
    }
    Ok(exit)
}

fn write_answer(
    out: &mut dyn Write,
    answer: &Map<String, Value>,
    verb: &str,
    exit: Exit,
    words: &Words,
) -> io::Result<()> {
    let verdict = match exit {
        Exit::Findings => "yes",
        Exit::Clean => "no",
        _ => "undecided",
    };
    writeln!(out, "{}", words.get(&format!("access.decide.{verb}.{verdict}")))?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(reason) = answer.get("reason") {
        writeln!(out, "  {}", text(Some(reason)))?;
    }
    if let Some(witness) = answer.get("witness") {
        let principal = witness.get("principal");
        let part = |name: &str| text(principal.and_then(|principal| principal.get(name)));
        let kind = words.get(&format!("access.decide.principal.{}", part("type"))).to_owned();
        let mut lines = vec![
            ("action", text(witness.get("action"))),
            ("resource", text(witness.get("resource"))),
            ("who", format!("{kind} {}", part("id")).trim_end().to_owned()),
        ];
        for (key, values) in witness.get("context").and_then(Value::as_object).into_iter().flatten() {
            let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            lines.push(("context", format!("{key} = {}", values.join(", "))));
        }
        let statement = witness.get("statement").and_then(Value::as_u64).unwrap_or_default() + 1;
        lines.push(("by", words.fill("access.decide.statement", &[("number", &statement)])));
        for (name, value) in lines {
            writeln!(out, "  {}", words.fill(&format!("access.decide.{name}"), &[("value", &value)]))?;
        }
    }
    if let Some(statements) = answer.get("statements").and_then(Value::as_array).filter(|list| list.len() > 1) {
        let numbers: Vec<String> =
            statements.iter().filter_map(Value::as_u64).map(|number| (number + 1).to_string()).collect();
        writeln!(out, "  {}", words.fill("access.decide.statements", &[("numbers", &numbers.join(", "))]))?;
    }
    for approximation in answer.get("approximations").and_then(Value::as_array).into_iter().flatten() {
        let name = text(Some(approximation)).replace('-', "_");
        let sentence = words.get(&format!("access.decide.approximation.{name}")).to_owned();
        writeln!(out, "{}", words.fill("access.decide.note", &[("note", &sentence)]))?;
    }
    Ok(())
}
