//! `yagura rule list|show|test|explain`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};
use yagura_model::ResourceType;
use yagura_rules::{Control, Engine, Logic, RuleSet, Step, StepOutcome};

use crate::cli::{Common, Format};
use crate::config::Config;
use crate::content::{self, Content};
use crate::pipeline;
use crate::report::{level_key, missing_sentence};
use crate::words::Words;
use crate::{Exit, Usage, print};

/// Every rule, a line each.
pub(super) fn list(common: &Common, more: &[PathBuf], words: &Words) -> Result<Exit> {
    let content = Content::load(more)?;
    let rows: Vec<Value> = content
        .rules()
        .controls()
        .iter()
        .map(|control| {
            json!({
                "rule": control.name,
                "id": control.id,
                "level": control.level,
                "aws": control.aws,
                "subject": control.subjects,
                "title": control.title.get(words.lang()),
                "minutes": control.minutes,
            })
        })
        .collect();
    let head = ["rule.level", "rule.name", "rule.aws", "rule.title"].map(|key| words.get(key));
    print::rows(common, &head, &rows, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let aws: Vec<&str> =
            row.get("aws").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        vec![words.get(&format!("level.{}", text("level"))).to_owned(), text("rule"), aws.join(" "), text("title")]
    })?;
    Ok(Exit::Clean)
}

/// One rule, as a person reads it.
pub(super) fn show(common: &Common, id: &str, words: &Words) -> Result<Exit> {
    let content = Content::load(&[])?;
    let controls = named(&content, id, words)?;
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        // What every start reads has no tests.
        let names: Vec<_> = controls.iter().map(|control| &control.name).collect();
        let tested = content::with_tests(&names)?;
        let shown: Vec<Value> = tested
            .controls()
            .iter()
            .filter(|control| names.contains(&&control.name))
            .map(|control| described(control, &content, words))
            .collect();
        print::document(common, &Value::Array(shown))?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    for control in controls {
        write_rule(&mut out, control, &content, words)?;
    }
    Ok(Exit::Clean)
}

fn named<'a>(content: &'a Content, id: &str, words: &Words) -> Result<Vec<&'a Control>> {
    let controls = content.controls_named(id);
    if controls.is_empty() {
        return Err(Usage(words.fill("rule.none", &[("rule", &id)])).into());
    }
    Ok(controls)
}

fn described(control: &Control, content: &Content, words: &Words) -> Value {
    let lang = words.lang();
    json!({
        "rule": control.name,
        "id": control.id,
        "level": control.level,
        "aws": control.aws,
        "subject": control.subjects,
        "title": control.title.get(lang),
        "why": control.why.get(lang).trim(),
        "fix": control.fix.get(lang).trim(),
        "command": control.command.as_ref().map(ToString::to_string),
        "minutes": control.minutes,
        "logic": logic(control),
        "reads": control.reads().paths,
        "types": control.reads().types,
        "standards": standards(control, content),
        "tests": control.cases.iter().map(|case| json!({ "name": case.name, "expect": case.expect })).collect::<Vec<_>>(),
    })
}

fn logic(control: &Control) -> String {
    let text = match &control.logic {
        Logic::Cel(program) => program.source(),
        Logic::Guard(rules) => rules.source(),
    };
    text.trim().to_owned()
}

fn standards(control: &Control, content: &Content) -> Vec<String> {
    let mut found = Vec::new();
    for standard in &content.standards {
        let requirements: Vec<&str> = standard
            .requirements
            .iter()
            .filter(|requirement| requirement.rules.contains(&control.name))
            .map(|requirement| requirement.id.as_str())
            .collect();
        if !requirements.is_empty() {
            found.push(format!("{} {}", standard.id, requirements.join(", ")));
        }
    }
    found
}

fn write_rule(out: &mut dyn Write, control: &Control, content: &Content, words: &Words) -> io::Result<()> {
    let lang = words.lang();
    writeln!(out, "{}  [{}]", control.title.get(lang), words.get(level_key(control.level)))?;
    let subjects: Vec<&str> = control.subjects.iter().map(ResourceType::as_str).collect();
    writeln!(out, "{}: {}", words.get("rule.name"), control.name)?;
    writeln!(out, "{}: {}", words.get("rule.aws"), control.aws.join(", "))?;
    writeln!(out, "{}: {}\n", words.get("rule.subject"), subjects.join(", "))?;
    writeln!(out, "{}\n  {}\n", words.get("rule.why"), control.why.get(lang).trim())?;
    let minutes = control.minutes.map(|minutes| format!(" ({})", words.fill("rule.minutes", &[("minutes", &minutes)])));
    writeln!(out, "{}{}\n  {}", words.get("rule.fix"), minutes.unwrap_or_default(), control.fix.get(lang).trim())?;
    if let Some(command) = &control.command {
        writeln!(out, "\n{}\n  {command}", words.get("rule.command"))?;
    }
    writeln!(out, "\n{}", logic(control))?;
    let reads: Vec<String> = control.reads().paths.into_iter().collect();
    if !reads.is_empty() {
        writeln!(out, "\n{}: {}", words.get("rule.reads"), reads.join(", "))?;
    }
    let standards = standards(control, content);
    if !standards.is_empty() {
        writeln!(out, "{}: {}", words.get("rule.standards"), standards.join("; "))?;
    }
    writeln!(out)
}

/// Runs the tests inside the rule files; broken files and failed cases are printed with file and line.
pub(super) fn test(common: &Common, paths: &[PathBuf], words: &Words) -> Result<Exit> {
    let library = yagura_analyze::library()?;
    let built_in = content::built_in_rule_files();
    let files = if paths.is_empty() {
        built_in
    } else {
        // The tables of facts are at hand for rules under test, too.
        let mut files: Vec<(String, String)> =
            built_in.into_iter().filter(|(path, _)| path.starts_with("tables/")).collect();
        for path in paths {
            files.extend(content::rule_files(path)?);
        }
        files
    };
    let (rules, errors) = RuleSet::load_files(files, &library);
    let count = rules.controls().len();
    let report = yagura_rules::test_rules(&Engine::new(rules));
    let failed = report.failures.len();
    if matches!(common.output, Some(Format::Json)) || common.query.is_some() {
        print::document(
            common,
            &json!({
                "rules": count,
                "run": report.run,
                "failed": failed,
                "errors": errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "failures": report.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }),
        )?;
    } else {
        let mut out = io::stdout().lock();
        for error in &errors {
            writeln!(out, "{error}")?;
        }
        for failure in &report.failures {
            writeln!(out, "{failure}")?;
        }
        let passed = report.run - failed;
        writeln!(
            out,
            "{}",
            words.fill("rule.tests", &[("passed", &passed), ("rules", &count), ("failed", &(failed + errors.len()))])
        )?;
    }
    Ok(if failed == 0 && errors.is_empty() { Exit::Clean } else { Exit::Error })
}

/// How one rule comes to its verdict on one resource.
pub(super) fn explain(
    common: &Common,
    id: &str,
    name: &str,
    bundle: Option<&Path>,
    config: &Config,
    words: &Words,
) -> Result<Exit> {
    let content = Content::load(&config.rules.value)?;
    let controls = named(&content, id, words)?;
    let seen = match bundle {
        Some(path) => pipeline::read_bundle(path)?,
        None => pipeline::read_ledger(config, words)?,
    };
    let mut found = false;
    let mut out = io::stdout().lock();
    for control in controls {
        for resource in seen.inventory.named(name).filter(|resource| control.subjects.contains(&resource.kind)) {
            found = true;
            let explanation = content.engine.explain(control, resource, &seen.inventory, crate::now());
            if matches!(common.output, Some(Format::Json | Format::Ndjson)) {
                serde_json::to_writer(&mut out, &explanation)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{} — {}: {}", control.name, resource.arn_or_id(), status(&explanation.verdict, words))?;
                for step in explanation.when.iter().chain(&explanation.logic) {
                    write_step(&mut out, step, 1, words)?;
                }
            }
        }
    }
    if !found {
        return Err(Usage(words.fill("resources.none", &[("name", &name)])).into());
    }
    Ok(Exit::Clean)
}

fn status<'a>(verdict: &yagura_model::Verdict, words: &'a Words) -> &'a str {
    words.get(match verdict.status {
        yagura_model::Status::Pass => "status.pass",
        yagura_model::Status::Fail => "status.fail",
        yagura_model::Status::Unknown => "status.unknown",
        yagura_model::Status::NotApplicable => "status.not_applicable",
    })
}

/// One condition with what it came to, and those that it is made of below it.
fn write_step(out: &mut dyn Write, step: &Step, depth: usize, words: &Words) -> io::Result<()> {
    let outcome = match &step.outcome {
        StepOutcome::Value(value) => value.to_string(),
        StepOutcome::Missing(missing) => {
            let sentences: Vec<String> = missing.iter().map(|missing| missing_sentence(missing, words)).collect();
            sentences.join(" ")
        }
    };
    writeln!(out, "{}{} → {outcome}", "  ".repeat(depth), step.source)?;
    step.steps.iter().try_for_each(|part| write_step(out, part, depth + 1, words))
}
