//! `yagura doctor`: what is set up, what is missing, and what that makes unknown.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::json;
use yagura_analyze::assess;
use yagura_collect::collector;
use yagura_model::{Cause, Region};

use crate::cli::{AccountArgs, Common, Format};
use crate::config::Config;
use crate::content::{self, Content};
use crate::pipeline::{self, Keep, Live};
use crate::words::Words;
use crate::{Exit, print};

/// Checks content, data folder, credentials and permissions; the last by reading one region, which is not kept.
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
    let dir = config.data_dir.value.display();
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
            lines.push(words.fill("doctor.no_credentials", &[("error", &format!("{error:#}"))]));
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
            let gaps = permissions(config, &content, &discovered, common.quiet, words)?;
            describe(&gaps, types.len(), words, &mut lines)?;
            add(&mut document, "could_not_look", json!(gaps.iter().map(|gap| json!({
                "service": gap.service, "operation": gap.operation, "error": gap.error, "action": gap.action, "rules": gap.rules,
            })).collect::<Vec<_>>()));
            add(&mut document, "missing_permissions", json!(assess::missing_permissions(&gaps)));
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

/// What could not be looked at in one region and the global services.
fn permissions(
    config: &Config,
    content: &Content,
    discovered: &collector::Discovered,
    quiet: bool,
    words: &Words,
) -> Result<Vec<assess::Gap>> {
    let mut narrow = config.clone();
    if narrow.regions.value.len() != 1 {
        narrow.regions.value = discovered.regions.iter().take(1).map(ToString::to_string).collect();
    }
    let keep = Keep { ledger: false, bundle: None };
    let seen = pipeline::read_live(&narrow, None, &keep, quiet, words)?;
    let verdicts = pipeline::judge(&content.engine, &seen.inventory, crate::now(), None);
    Ok(assess::gaps(&verdicts))
}

fn describe(gaps: &[assess::Gap], types: usize, words: &Words, lines: &mut Vec<String>) -> Result<()> {
    if !gaps.iter().any(|gap| gap.cause == Cause::Denied) {
        lines.push(words.fill("doctor.permission_ok", &[("count", &types)]));
    }
    for gap in gaps {
        let call = format!("{}:{}", gap.service, gap.operation);
        lines.push(
            words.fill("doctor.permission", &[("call", &call), ("error", &gap.error), ("rules", &gap.rules.len())]),
        );
    }
    if let Some(statement) = assess::missing_permissions(gaps) {
        lines.push(words.get("doctor.missing").to_owned());
        lines.push(serde_json::to_string_pretty(&statement)?);
    }
    Ok(())
}

fn add(document: &mut serde_json::Value, key: &str, value: serde_json::Value) {
    if let Some(members) = document.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}
