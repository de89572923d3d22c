//! `yagura check`: templates before deployment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use yagura_collect::{ResourceTypes, Template, TemplateOptions};
use yagura_model::{Inventory, Partition, Region, ResourceKey, RuleName, Status, Verdict};
use yagura_rules::guard::{self, GuardStatus};

use super::scan;
use crate::cli::{CheckArgs, Common, Format};
use crate::config::Config;
use crate::content::{self, Content};
use crate::pipeline;
use crate::report::Report;
use crate::words::Words;
use crate::{Exit, Usage, errors, print};

/// The account that a template is judged for: what it names is not in any account yet.
const NO_ACCOUNT: &str = "000000000000";

/// Judges templates by Guard rules where some are given, else by Yagura's controls.
pub(super) fn run(common: &Common, args: &CheckArgs, config: &Config, words: &Words) -> Result<Exit> {
    if args.rules.is_empty() { by_controls(common, args, config, words) } else { by_guard(common, args, words) }
}

/// Each named rule of each file over each whole template. What cannot be read or evaluated is told, and the run goes on
/// and ends with an error: an unjudged template is not a passed one.
fn by_guard(common: &Common, args: &CheckArgs, words: &Words) -> Result<Exit> {
    let mut rules = Vec::new();
    for path in &args.rules {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the Guard rules `{}`", path.display()))?;
        rules.push((path.display().to_string(), text));
    }
    let (mut rows, mut errors, mut failed) = (Vec::new(), 0_usize, false);
    for path in &args.templates {
        let judged = read_any(path).and_then(|template| {
            let mut found = Vec::new();
            for (name, text) in &rules {
                let statuses = guard::check_template(text, name, template.value())
                    .with_context(|| format!("the Guard rules `{name}` cannot be run"))?;
                found.extend(statuses);
            }
            Ok(found)
        });
        match judged {
            Ok(statuses) => {
                for (rule, status) in statuses {
                    failed |= status == GuardStatus::Fail;
                    rows.push(
                        json!({ "template": path.display().to_string(), "rule": rule, "status": guard_status(status) }),
                    );
                }
            }
            Err(error) => {
                errors += 1;
                eprintln!("{} {}", words.get("error.prefix"), errors::sentence(&error, words.lang()));
            }
        }
    }
    let head = ["check.template", "rule.name", "html.status"].map(|key| words.get(key));
    print::rows(common, &head, &rows, |row| {
        ["template", "rule", "status"]
            .map(|key| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned())
            .to_vec()
    })?;
    Ok(match (errors > 0, failed && args.fail_on.is_some()) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Clean,
    })
}

fn guard_status(status: GuardStatus) -> &'static str {
    match status {
        GuardStatus::Pass => "PASS",
        GuardStatus::Fail => "FAIL",
        GuardStatus::Skip => "SKIP",
    }
}

/// Yagura's controls over each template; one that cannot be read is told, and the run ends with an error.
fn by_controls(common: &Common, args: &CheckArgs, config: &Config, words: &Words) -> Result<Exit> {
    let content = Content::load(&config.rules.value)?;
    let types = content::resource_types()?;
    let chosen = scan::choose(&content, &[], &args.control, words)?;
    let (mut verdicts, mut lines, mut inventory, mut names) =
        (Vec::new(), HashMap::new(), Inventory::default(), Vec::new());
    let parameters = parameters(&args.parameter)?;
    let mut errors = 0_usize;
    for path in &args.templates {
        let template = match read_template(path) {
            Ok(template) => template,
            Err(error) => {
                errors += 1;
                eprintln!("{} {}", words.get("error.prefix"), errors::sentence(&error, words.lang()));
                continue;
            }
        };
        let here = template.inventory(&options(args, &types, &parameters));
        let name = path.display().to_string();
        // Several templates may use the same logical ids: then each says which file it is of.
        let id_of = |id: &str| if args.templates.len() > 1 { format!("{name}#{id}") } else { id.to_owned() };
        for mut verdict in template_verdicts(&content, &here, chosen.rules.as_ref()) {
            if is_suppressed(&verdict, &content, &template) {
                continue;
            }
            verdict.subject.id = id_of(&verdict.subject.id);
            verdicts.push(verdict);
        }
        for resource in here.resources() {
            let mut resource = resource.as_ref().clone();
            let line = template.line_of(&resource.id);
            resource.id = id_of(&resource.id);
            // A stand-in for an ARN names nothing outside the template.
            resource.arn = None;
            lines.extend(line.map(|line| (resource.key(), (name.clone(), line))));
            inventory.add(yagura_model::Seen::Resource(Box::new(resource)));
        }
        names.push(name);
    }
    let report = Report {
        source: names.join(", "),
        accounts: Vec::new(),
        regions: vec![Region::from(args.region.as_str())],
        at: crate::now(),
        inventory: &inventory,
        rules: content.rules(),
        standards: &content.standards,
        verdicts: &verdicts,
        calls: Vec::new(),
        lines,
    };
    match common.output {
        None | Some(Format::Table) if common.query.is_none() => write_table(&report, words)?,
        Some(format) => scan::print_report(&report, format, common, None, words)?,
        None => scan::print_report(&report, Format::Json, common, None, words)?,
    }
    if errors > 0 {
        return Ok(Exit::Error);
    }
    let fail_on = args.fail_on.or(config.fail_on.value);
    Ok(scan::exit(&verdicts, content.rules(), fail_on, false, common, words))
}

/// What the controls say of a template's resources. Those that ask for something that only an account has (another type,
/// an attribute of what lives) do not speak of a template.
fn template_verdicts(content: &Content, inventory: &Inventory, rules: Option<&BTreeSet<RuleName>>) -> Vec<Verdict> {
    let verdicts = pipeline::judge(&content.engine, inventory, crate::now(), rules);
    verdicts.into_iter().filter(|verdict| verdict.status != Status::NotApplicable).collect()
}

/// Whether the resource's own metadata takes it out of the rule, as Guard has it: `Metadata.guard.SuppressedRules` lists
/// rules by name; here also by AWS identifier.
fn is_suppressed(verdict: &Verdict, content: &Content, template: &Template) -> bool {
    let pointer = format!(
        "/Resources/{}/Metadata/guard/SuppressedRules",
        verdict.subject.id.replace('~', "~0").replace('/', "~1")
    );
    let Some(suppressed) = template.value().pointer(&pointer).and_then(Value::as_array) else { return false };
    let aws = content.rules().control(&verdict.rule).map(|control| control.aws.as_slice()).unwrap_or_default();
    suppressed
        .iter()
        .filter_map(Value::as_str)
        .any(|name| name == verdict.rule.as_str() || aws.iter().any(|id| id == name))
}

fn options<'a>(
    args: &CheckArgs,
    types: &'a ResourceTypes,
    parameters: &BTreeMap<String, String>,
) -> TemplateOptions<'a> {
    let partition = match args.region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if args.region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    TemplateOptions {
        account: NO_ACCOUNT.into(),
        region: Region::from(args.region.as_str()),
        partition: Partition::from(partition),
        parameters: parameters.clone(),
        types: Some(types),
    }
}

fn parameters(given: &[String]) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            bail!(Usage(format!("`{text}` is not a parameter: give --parameter NAME=VALUE")));
        };
        parameters.insert(name.to_owned(), value.to_owned());
    }
    Ok(parameters)
}

/// A template, or any mapping: Guard's rules also speak of parts of templates and of documents without resources.
fn read_any(path: &Path) -> Result<Template> {
    Ok(Template::read(&text_of(path)?, &path.display().to_string())?)
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read the template `{}`", path.display()))
}

fn read_template(path: &Path) -> Result<Template> {
    Ok(Template::parse(&text_of(path)?, &path.display().to_string())?)
}

/// Failures and what could not be judged, by resource, with the line to go to.
fn write_table(report: &Report<'_>, words: &Words) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut by_resource: BTreeMap<(String, u64, &ResourceKey), Vec<_>> = BTreeMap::new();
    for (row, control) in report.rows(words).filter(|(row, _)| row.status == Status::Fail) {
        let (file, line) = report.lines.get(row.subject).cloned().unwrap_or_default();
        by_resource.entry((file, line, row.subject)).or_default().push((row.level, row.title.to_owned(), control));
    }
    for ((file, line, subject), mut failures) in by_resource {
        writeln!(out, "{file}:{line}  {} {}", subject.kind, subject.id)?;
        failures.sort_by_key(|(level, title, _)| (std::cmp::Reverse(*level), title.clone()));
        for (level, title, control) in failures {
            writeln!(out, "    {:<13} {title}  [{}]", words.get(&format!("level.{level}")), control.name)?;
        }
    }
    let totals = yagura_analyze::assess::totals(report.verdicts);
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("fail", &totals.fail), ("pass", &totals.pass), ("unknown", &totals.unknown)];
    writeln!(out, "{}", words.fill("check.totals", &values))
}
