//! `yagura access …`.

mod decide;
mod eval;
mod external;
mod gather;
mod generate;
mod lint;
mod sharing;
mod simulate;

use anyhow::Result;

use crate::Exit;
use crate::cli::{AccessVerb, Common};
use crate::config::Config;
use crate::words::Words;

/// Runs the verb.
pub(crate) fn run(common: &Common, verb: &AccessVerb, config: &Config, words: &Words) -> Result<Exit> {
    match verb {
        AccessVerb::Eval(args) => eval::run(common, args),
        AccessVerb::Compare(args) => decide::compare(common, args, words),
        AccessVerb::NotGranted(args) => decide::not_granted(common, args, words),
        AccessVerb::Public(args) => decide::public(common, args, words),
        AccessVerb::Generate(args) => generate::run(common, args, config, words),
        AccessVerb::External(args) => external::run(common, args, config, words),
        AccessVerb::Lint(args) => lint::run(common, args, words),
        AccessVerb::Simulate(args) => simulate::run(common, args, config, words),
    }
}
