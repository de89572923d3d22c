//! Questions about policies, a line of JSON each, answered without the whole program around them.
//!
//! `answers compare|external < LINES` answers as `yagura access compare --batch` and `external --batch` do. `answers lint`
//! takes `{"id", "policy_text"}` and gives the codes and types of the findings, `answers escalates` takes `{"id", "policy"}` and
//! gives the names of the ways to more rights, `answers arn` takes `{"id", "one", "other"}` and says whether two patterns
//! for ARNs have an ARN in common.

use std::error::Error;
use std::io::{BufRead, Write};

use serde_json::{Value, json};
use yagura_access::actions::Actions;
use yagura_access::decide;
use yagura_access::lint::{Options, lint};
use yagura_access::policy::{Glob, escalates};

fn main() -> Result<(), Box<dyn Error>> {
    let question = std::env::args().nth(1).unwrap_or_default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match question.as_str() {
            "compare" => decide::compare_line(&line, false).0,
            "external" => decide::external_line(&line).0,
            "lint" => with_id(&line, linted)?,
            "escalates" => with_id(&line, |object| {
                Ok(json!({ "escalates": escalates(object.get("policy").unwrap_or(&Value::Null))? }))
            })?,
            "arn" => with_id(&line, |object| {
                let glob =
                    |name: &str| Glob::with_variables(object.get(name).and_then(Value::as_str).unwrap_or_default());
                Ok(json!({ "overlaps": glob("one").overlaps_arn(&glob("other")) }))
            })?,
            _ => return Err("usage: answers compare|external|lint|escalates|arn < LINES".into()),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(out.flush()?)
}

fn with_id(line: &str, answer: impl Fn(&Value) -> Result<Value, Box<dyn Error>>) -> Result<Value, Box<dyn Error>> {
    let object: Value = serde_json::from_str(line)?;
    let mut answer = answer(&object)?;
    if let (Some(answer), Some(id)) = (answer.as_object_mut(), object.get("id")) {
        answer.insert("id".to_owned(), id.clone());
    }
    Ok(answer)
}

fn linted(object: &Value) -> Result<Value, Box<dyn Error>> {
    let text = object.get("policy_text").and_then(Value::as_str).unwrap_or_default();
    let findings = lint(text, Options::default(), Actions::built_in()?)?;
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "code": finding.code.name(), "type": finding.code.severity().word() }))
        .collect();
    Ok(json!({ "findings": findings }))
}
