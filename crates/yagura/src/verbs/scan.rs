//! `yagura scan`: read, judge, print.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufWriter, Write};

use anyhow::Result;
use yagura_analyze::assess;
use yagura_analyze::standards::Standard;
use yagura_model::{Level, ResourceType, RuleName, Status, Verdict};
use yagura_rules::RuleSet;

use crate::cli::{Common, Format, ScanArgs};
use crate::config::Config;
use crate::content::Content;
use crate::pipeline::{self, Depth, Keep, Seen};
use crate::report::Report;
use crate::words::Words;
use crate::{Exit, Usage, print};

/// Reads an account, a bundle or the ledger, judges it and prints the result.
pub(super) fn run(common: &Common, args: &ScanArgs, config: &Config, words: &Words) -> Result<Exit> {
    let more: Vec<_> = config.rules.value.iter().chain(&args.rules).cloned().collect();
    let content = Content::load(&more)?;
    let chosen = choose(&content, &args.standard, &args.control, words)?;
    let seen = match (&args.bundle, args.offline) {
        (Some(path), _) => pipeline::read_bundle(path)?,
        (None, true) => pipeline::read_ledger(config, words)?,
        (None, false) => {
            let kinds = chosen.rules.as_ref().map(|rules| needed_types(content.rules(), rules));
            let keep = Keep { ledger: !args.no_record, bundle: None };
            pipeline::read_live(config, kinds, &keep, Depth::Everything, common.quiet, words)?
        }
    };
    let now = crate::now();
    let verdicts = pipeline::judge(&content.engine, &seen.inventory, now, chosen.rules.as_ref());
    let standards = chosen.standards.unwrap_or(content.standards);
    write(common, args, &seen, &standards, content.engine.rules(), &verdicts, words)?;

    let fail_on = args.fail_on.or(config.fail_on.value);
    Ok(exit(&verdicts, content.engine.rules(), fail_on, args.require_complete, common, words))
}

/// Rules and standards that a run is about.
pub(super) struct Chosen {
    /// The rules; none for all.
    pub(super) rules: Option<BTreeSet<RuleName>>,
    /// The standards; none for all.
    pub(super) standards: Option<Vec<Standard>>,
}

/// The rules that `--standard` and `--control` choose.
pub(super) fn choose(content: &Content, standards: &[String], controls: &[String], words: &Words) -> Result<Chosen> {
    let mut rules = BTreeSet::new();
    let mut chosen_standards = Vec::new();
    for id in standards {
        let Some(standard) = content.standards.iter().find(|standard| standard.id == *id) else {
            return Err(Usage(words.fill("standard.none", &[("standard", id)])).into());
        };
        rules.extend(standard.rules().cloned());
        chosen_standards.push(standard.clone());
    }
    for id in controls {
        let named = content.controls_named(id);
        if named.is_empty() {
            return Err(Usage(words.fill("rule.none", &[("rule", id)])).into());
        }
        rules.extend(named.iter().map(|control| control.name.clone()));
    }
    let everything = standards.is_empty() && controls.is_empty();
    Ok(Chosen { rules: (!everything).then_some(rules), standards: (!standards.is_empty()).then_some(chosen_standards) })
}

/// The types that some rules cannot judge without.
fn needed_types(all: &RuleSet, chosen: &BTreeSet<RuleName>) -> BTreeSet<ResourceType> {
    let mut kinds = BTreeSet::new();
    for control in all.controls().iter().filter(|control| chosen.contains(&control.name)) {
        kinds.extend(control.subjects.iter().cloned());
        kinds.extend(control.reads().types);
    }
    kinds
}

fn write(
    common: &Common,
    args: &ScanArgs,
    seen: &Seen,
    standards: &[Standard],
    rules: &RuleSet,
    verdicts: &[Verdict],
    words: &Words,
) -> Result<()> {
    let report = Report {
        source: seen.source.clone(),
        accounts: seen.accounts.clone(),
        regions: seen.regions.clone(),
        at: seen.at,
        inventory: &seen.inventory,
        rules,
        standards,
        verdicts,
        calls: seen.calls.clone(),
        lines: HashMap::new(),
    };
    let format = common.output.unwrap_or(Format::Table);
    print_report(&report, format, common, args.out.as_deref(), words)
}

/// Prints a report, or writes it to a file.
pub(super) fn print_report(
    report: &Report<'_>,
    format: Format,
    common: &Common,
    out: Option<&std::path::Path>,
    words: &Words,
) -> Result<()> {
    if let Some(query) = &common.query {
        let mut document = Vec::new();
        report.write(Format::Json, words, &mut document)?;
        let found = print::queried(query, &serde_json::from_slice(&document)?)?;
        let plain = Common {
            query: None,
            data_dir: None,
            config: None,
            lang: None,
            output: None,
            quiet: common.quiet,
            verbose: 0,
        };
        return print::document(&plain, &found);
    }
    if let Some(path) = out {
        print::whole_file(path, |out| report.write(format, words, out))?;
        if !common.quiet {
            eprintln!("{}", words.fill("scan.report_written", &[("path", &path.display())]));
        }
        return Ok(());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    report.write(format, words, &mut out)?;
    out.flush()?;
    Ok(())
}

/// The exit code of a run with these verdicts; what is bad comes before what is missing.
pub(super) fn exit(
    verdicts: &[Verdict],
    rules: &RuleSet,
    fail_on: Option<Level>,
    require_complete: bool,
    common: &Common,
    words: &Words,
) -> Exit {
    let bad = fail_on.is_some_and(|level| {
        verdicts
            .iter()
            .filter(|verdict| verdict.status == Status::Fail)
            .any(|verdict| rules.control(&verdict.rule).is_some_and(|control| control.level >= level))
    });
    if bad {
        return Exit::Findings;
    }
    let unknown = assess::totals(verdicts).unknown;
    if require_complete && unknown > 0 {
        if !common.quiet {
            eprintln!("{} {}", words.get("error.prefix"), words.fill("scan.incomplete", &[("count", &unknown)]));
        }
        return Exit::Incomplete;
    }
    Exit::Clean
}
