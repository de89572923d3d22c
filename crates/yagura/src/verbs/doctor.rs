//! `yagura doctor`: what is set up, what is missing, and what that makes unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Result;
use serde_json::json;
use yagura_analyze::assess;
use yagura_collect::policy::Need;
use yagura_collect::{ResourceTypes, collector};
use yagura_model::{Cause, Region, ResourceType};

use crate::cli::{AccountArgs, Common, Format};
use crate::config::Config;
use crate::content::{self, Content};
use crate::pipeline::{self, Depth, Keep, Live};
use crate::words::Words;
use crate::{Exit, errors, print};

/// Checks content, data folder, credentials and permissions; the last by asking for one resource of each type.
pub(super) fn run(common: &Common, _: &AccountArgs, config: &Config, words: &Words) -> Result<Exit> {
    let content = Content::load(&config.rules.value)?;
    let types = content::resource_types()?;
    let mut lines = vec![words.fill(
        "doctor.version",
        &[
            ("version", &env!("CARGO_PKG_VERSION")),
            ("rules", &content.rules().controls().len()),
            ("types", &types.len()),
            ("standards", &content.standards.len()),
        ],
    )];
    let dir = config.data_dir.value.as_ref().map_or_else(|| "-".to_owned(), |dir| dir.display().to_string());
    let scans = pipeline::recorded_scans(config)?;
    lines.push(match scans {
        0 => words.fill("doctor.data_dir_empty", &[("path", &dir)]),
        scans => words.fill("doctor.data_dir", &[("path", &dir), ("scans", &scans)]),
    });

    let discovered = pipeline::runtime()?.block_on(async {
        let live = Live::connect(config, words).await?;
        anyhow::Ok(collector::discover(live.api(), &Region::from(live.region().as_str())).await?)
    });
    let mut document = json!({ "rules": content.rules().controls().len(), "types": types.len(), "scans": scans });
    let mut exit = Exit::Clean;
    match discovered {
        Err(error) => {
            lines.push(words.fill("doctor.no_credentials", &[("error", &errors::sentence(&error, words.lang()))]));
            lines.push(words.get("doctor.hint_demo").to_owned());
            add(&mut document, "credentials_error", json!(format!("{error:#}")));
            exit = Exit::Error;
        }
        Ok(discovered) => {
            let names: Vec<&str> = discovered.regions.iter().map(Region::as_str).collect();
            lines.push(words.fill("doctor.credentials", &[("arn", &discovered.caller)]));
            lines.push(words.fill("doctor.regions", &[("count", &names.len()), ("regions", &names.join(", "))]));
            add(&mut document, "caller", json!(discovered.caller));
            add(&mut document, "regions", json!(discovered.regions));
            let probe = probe(config, &content, &types, &discovered, common.quiet, words)?;
            probe.describe(types.len(), words, &mut lines)?;
            probe.add_to(&mut document);
        }
    }
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        print::document(common, &document)?;
    } else {
        let mut out = io::stdout().lock();
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(exit)
}

/// What came of asking for one resource of each type.
struct Probe {
    gaps: Vec<assess::Gap>,
    needs: BTreeMap<String, Vec<Need>>,
    /// Kinds of calls that were not made, for want of a resource to make them for.
    untried: usize,
}

/// Asks in one region, and of the global services, for the first resource of each type: as many calls as there are kinds
/// of them, in an account of any size. Nothing is kept.
fn probe(
    config: &Config,
    content: &Content,
    types: &ResourceTypes,
    discovered: &collector::Discovered,
    quiet: bool,
    words: &Words,
) -> Result<Probe> {
    let mut narrow = config.clone();
    if narrow.regions.value.len() != 1 {
        narrow.regions.value = discovered.regions.iter().take(1).map(ToString::to_string).collect();
    }
    let keep = Keep { ledger: false, bundle: None };
    let seen = pipeline::read_live(&narrow, None, &keep, Depth::OneOfEach, quiet, words)?;
    let verdicts = pipeline::judge(&content.engine, &seen.inventory, crate::now(), None);
    let operations: BTreeSet<(&str, &str)> = types.iter().flat_map(|kind| kind.operations()).collect();
    let tried: BTreeSet<(&str, &str)> =
        seen.calls.iter().map(|row| (row.service.as_str(), row.operation.as_str())).collect();
    Ok(Probe {
        gaps: assess::gaps(&verdicts),
        needs: content::iam_policy(types)?.needs,
        untried: operations.difference(&tried).count(),
    })
}

impl Probe {
    fn describe(&self, types: usize, words: &Words, lines: &mut Vec<String>) -> Result<()> {
        if !self.gaps.iter().any(|gap| gap.cause == Cause::Denied) {
            lines.push(words.fill("doctor.permission_ok", &[("count", &types)]));
        }
        for gap in &self.gaps {
            let call = format!("{}:{}", gap.service, gap.operation);
            let values: [(&str, &dyn std::fmt::Display); 3] =
                [("call", &call), ("error", &gap.error), ("rules", &gap.rules.len())];
            lines.push(words.fill("doctor.permission", &values));
            lines.extend(self.lost(gap).map(|(kind, paths)| match paths.as_slice() {
                [] => words.fill("doctor.unlisted", &[("type", &kind)]),
                paths => words.fill("doctor.unread", &[("type", &kind), ("paths", &paths.join(", "))]),
            }));
        }
        if self.untried > 0 {
            lines.push(words.fill("doctor.untried", &[("count", &self.untried)]));
        }
        if let Some(statement) = assess::missing_permissions(&self.gaps) {
            lines.push(words.get("doctor.missing").to_owned());
            lines.push(serde_json::to_string_pretty(&statement)?);
        }
        Ok(())
    }

    /// What is not known for want of the gap's permission, by type; no paths where all of the type is not.
    fn lost<'p>(&'p self, gap: &'p assess::Gap) -> impl Iterator<Item = (&'p ResourceType, &'p Vec<String>)> {
        let needs = gap.action.as_ref().and_then(|action| self.needs.get(action));
        needs.into_iter().flatten().map(|need| (&need.kind, &need.paths))
    }

    fn add_to(&self, document: &mut serde_json::Value) {
        let gaps = self.gaps.iter().map(|gap| {
            let lost = self.lost(gap).map(|(kind, paths)| json!({ "type": kind, "unread": paths }));
            json!({
                "service": gap.service,
                "operation": gap.operation,
                "error": gap.error,
                "action": gap.action,
                "rules": gap.rules,
                "lost": lost.collect::<Vec<_>>(),
            })
        });
        add(document, "could_not_look", gaps.collect());
        add(document, "untried_operations", json!(self.untried));
        add(document, "missing_permissions", json!(assess::missing_permissions(&self.gaps)));
    }
}

fn add(document: &mut serde_json::Value, key: &str, value: serde_json::Value) {
    if let Some(members) = document.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}
