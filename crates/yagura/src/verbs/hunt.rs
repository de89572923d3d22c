//! `yagura hunt`: every event of every log that has to do with a key, a principal, an address or a resource.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use anyhow::Result;
use yagura_lake::coverage::Covered;
use yagura_lake::hunt::{COLUMNS, Hunt, WANTED_MAX, Wanted, Within};
use yagura_lake::{Answer, print as lake_print};

use super::logs::lake;
use super::{detect, hours, sql};
use crate::cli::{Common, HuntArgs, WithinArgs};
use crate::config::Config;
use crate::report::plain_table;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Rows that a table shows; a program reads the other forms, which have no end.
const TABLE_ROWS_MAX: usize = 1_000;

/// Characters of one cell: nine columns then fit side by side on a wide terminal.
const CELL_CHARACTERS_MAX: usize = 52;

/// Finds the events.
pub(super) fn run(common: &Common, args: &HuntArgs, config: &Config, words: &Words) -> Result<Exit> {
    if !args.rules.is_empty() {
        return by_rules(common, args, config, words);
    }
    let for_person = sql::is_for_person(common);
    let hunt = Hunt {
        wanted: wanted(args)?,
        within: within(&args.within)?,
        acting: args.acting,
        // One more than is shown tells whether there are more.
        limit: for_person.then_some(TABLE_ROWS_MAX + 1),
    };
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    runtime.block_on(async {
        let mut answer = lake.hunt(&hunt, threads()).await?;
        if !sql::for_programs(common, &COLUMNS.map(str::to_owned), &mut answer).await? {
            table(&mut answer, words).await?;
        }
        let covered = covered(&lake, &hunt.within, &args.within, config).await?;
        if !common.quiet {
            for line in hours::searched(&covered, words) {
                eprintln!("{line}");
            }
        }
        Ok(exit(&covered, &args.within))
    })
}

/// Finds what detections find.
fn by_rules(common: &Common, args: &HuntArgs, config: &Config, words: &Words) -> Result<Exit> {
    let within = within(&args.within)?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let stop = detect::stopper(&runtime);
    runtime.block_on(async {
        detect::hunt(common, &args.rules, &within, &lake, &stop, config, words).await?;
        let covered = covered(&lake, &within, &args.within, config).await?;
        if !common.quiet {
            for line in hours::searched(&covered, words) {
                eprintln!("{line}");
            }
        }
        Ok(exit(&covered, &args.within))
    })
}

/// The exit code: whether every hour was searched only matters to who asks for it.
pub(super) fn exit(covered: &Covered, args: &WithinArgs) -> Exit {
    let total = covered.total();
    let is_whole = total.searched == total.hours && total.hours > 0;
    if args.require_complete && !is_whole { Exit::Incomplete } else { Exit::Clean }
}

/// How much of the times and places that were asked about could be searched.
pub(super) async fn covered(
    lake: &yagura_lake::Lake,
    within: &Within,
    args: &WithinArgs,
    config: &Config,
) -> Result<Covered> {
    // "Since last week" means until now, also where the logs end yesterday.
    let until = within.until.or_else(|| within.since.map(|_| crate::now().timestamp_micros()));
    let keys = hours::keys(args.digest_keys.as_deref(), config)?;
    Ok(lake.covered(&Within { until, ..within.clone() }, &keys).await?)
}

/// When and where to look.
pub(super) fn within(args: &WithinArgs) -> Result<Within> {
    let time = |text: &Option<String>| {
        text.as_deref()
            .map(|text| print::time(text, crate::now()))
            .transpose()
            .map(|time| time.map(|time| time.timestamp_micros()))
    };
    let within = Within {
        since: time(&args.since)?,
        until: time(&args.until)?,
        accounts: args.account.clone(),
        regions: args.region.clone(),
    };
    match (within.since, within.until) {
        (Some(since), Some(until)) if since >= until => {
            Err(Usage("--since is not before --until: there is no time between them".to_owned()).into())
        }
        _ => Ok(within),
    }
}

/// How many threads a hunt works with.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn wanted(args: &HuntArgs) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for key in &args.key {
        wanted.push(Wanted::key(key)?);
    }
    for principal in &args.principal {
        wanted.push(Wanted::principal(principal)?);
    }
    for address in &args.ip {
        wanted.push(Wanted::network(address)?);
    }
    for resource in &args.resource {
        wanted.push(Wanted::resource(resource)?);
    }
    if wanted.len() > WANTED_MAX {
        return Err(Usage(format!("give at most {WANTED_MAX} values to hunt for at once")).into());
    }
    Ok(wanted)
}

async fn table(answer: &mut Answer, words: &Words) -> Result<()> {
    let mut table = plain_table();
    let head = ["time", "place", "what", "outcome", "principal", "address", "resource", "matched"];
    let head: Vec<String> = head.iter().map(|key| format!("hunt.column.{key}")).collect();
    table.set_header(head.iter().map(|key| words.get(key)));
    let (mut shown, mut more) = (0, false);
    while let Some(rows) = answer.next().await? {
        let names: Vec<String> = rows.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        for cells in lake_print::cells(&rows)? {
            if shown == TABLE_ROWS_MAX {
                more = true;
                break;
            }
            shown += 1;
            let row: BTreeMap<&str, &str> =
                names.iter().map(String::as_str).zip(cells.iter().map(String::as_str)).collect();
            table.add_row(line(&row, words));
        }
    }
    let mut out = io::stdout().lock();
    if shown > 0 {
        writeln!(out, "{table}")?;
    }
    if more {
        eprintln!("{}", words.fill("hunt.more", &[("rows", &TABLE_ROWS_MAX)]));
    } else {
        eprintln!("{}", words.fill("hunt.found", &[("rows", &shown)]));
    }
    Ok(())
}

/// One event as a person reads it.
fn line(row: &BTreeMap<&str, &str>, words: &Words) -> Vec<String> {
    let get = |column: &str| row.get(column).copied().unwrap_or_default();
    let what = match get("service").strip_suffix(".amazonaws.com") {
        Some(service) => format!("{service}:{}", get("what")),
        None => format!("{} {}", get("source"), get("what")),
    };
    let outcome = match (get("outcome"), get("source")) {
        ("", "cloudtrail") => words.get("hunt.ok"),
        (outcome, _) => outcome,
    };
    let matched = match get("matched") {
        "acting" => words.get("hunt.acting"),
        _ => words.get("hunt.named"),
    };
    let place = format!("{} {}", get("account"), get("region"));
    [
        get("time"),
        &place,
        &what,
        outcome,
        short_arn(get("principal")),
        get("address"),
        short_arn(get("resource")),
        matched,
    ]
    .map(cell)
    .to_vec()
}

/// An ARN of a principal or a resource without what stands beside it: `assumed-role/ops/mio`.
pub(super) fn short_arn(text: &str) -> &str {
    text.strip_prefix("arn:")
        .and_then(|rest| rest.splitn(5, ':').nth(4))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(text)
}

/// Start and end of a long text, on one line: names that begin alike are told apart by their ends.
pub(super) fn cell(text: &str) -> String {
    shortened(text, CELL_CHARACTERS_MAX)
}

/// The same within `characters`.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    let letters: Vec<char> = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if letters.len() <= characters {
        return letters.into_iter().collect();
    }
    let end = characters / 3;
    let (start, rest) = letters.split_at(characters.saturating_sub(end + 1));
    let rest = rest.iter().skip(rest.len() - end);
    start.iter().chain(std::iter::once(&'…')).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_keep_their_start_and_their_end() {
        assert_eq!(cell("one\ntwo"), "one two");
        let long = format!("stack-{}-web-1", "櫓".repeat(100));
        let short = cell(&long);
        assert_eq!(short.chars().count(), CELL_CHARACTERS_MAX);
        assert!(short.starts_with("stack-櫓") && short.contains('…') && short.ends_with("-web-1"));
    }

    #[test]
    fn arns_are_shortened_to_what_tells_them_apart() {
        for (arn, expected) in [
            ("arn:aws:sts::111122223333:assumed-role/ops/mio", "assumed-role/ops/mio"),
            ("arn:aws:s3:::example-data", "example-data"),
            ("arn:aws:iam::111122223333:root", "root"),
            ("ec2.amazonaws.com", "ec2.amazonaws.com"),
            ("arn:broken", "arn:broken"),
        ] {
            assert_eq!(short_arn(arn), expected);
        }
    }
}
