//! `yagura collect`: read and keep.

use anyhow::Result;
use serde_json::json;
use yagura_model::Listing;

use crate::cli::{CollectArgs, Common, Format};
use crate::config::Config;
use crate::pipeline::{self, Depth, Keep};
use crate::words::Words;
use crate::{Exit, print};

/// Reads an account into the ledger, and into a bundle where one is asked for.
pub(super) fn run(common: &Common, args: &CollectArgs, config: &Config, words: &Words) -> Result<Exit> {
    let keep = Keep { ledger: !args.no_record, bundle: args.bundle.clone() };
    let seen = pipeline::read_live(config, None, &keep, Depth::Everything, common.quiet, words)?;
    let resources = seen.inventory.resources().len();
    let unlisted = seen.inventory.listings().filter(|(.., listing)| matches!(listing, Listing::Unread(_))).count();
    let gaps = unlisted + seen.inventory.resources().iter().map(|resource| resource.unread.len()).sum::<usize>();
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        let document = json!({
            "accounts": seen.accounts,
            "regions": seen.regions,
            "resources": resources,
            "could_not_look": gaps,
            "calls": seen.calls,
            "bundle": args.bundle,
        });
        print::document(common, &document)?;
        return Ok(Exit::Clean);
    }
    println!("{}", words.fill("collect.done", &[("resources", &resources), ("gaps", &gaps)]));
    if let Some(path) = &args.bundle {
        println!("{}", words.fill("collect.bundle", &[("path", &path.display())]));
    }
    Ok(Exit::Clean)
}
