//! Which hours of the logs are all there: `yagura logs status`, its second half.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use yagura_lake::Proof;
use yagura_lake::completeness::{self, Coverage, Hour, Outcome, State};
use yagura_lake::coverage::{Covered, CoveredSource};
use yagura_lake::digest::{Gap, GapReason, KeyFile, Keys, Standing};

use crate::cli::{Common, Format};
use crate::config::Config;
use crate::print;
use crate::words::Words;

/// Days of each account and region that a person is shown unless all are asked for: two weeks.
pub(super) const DAYS_SHOWN: usize = 14;

/// Where keys lie within the data folder.
const KEYS_FOLDER: &str = "cloudtrail-keys";

/// Files of the folder of keys. A region has a handful of keys a year.
const KEY_FILES_MAX: usize = 10_000;

/// Bytes of a file of keys: an answer with hundreds of them.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;

/// Gaps in what was searched that a person is shown.
const GAPS_SHOWN: usize = 5;

/// Gaps, and log files that are not as they should be, that a person is shown; the JSON forms hold all.
const SHOWN_MAX: usize = 20;

/// The public keys that were handed in; none if the folder is not there and was not asked for.
pub(super) fn keys(given: Option<&Path>, config: &Config) -> Result<Keys> {
    let dir = match given {
        Some(dir) => dir.to_path_buf(),
        None => config.data_dir()?.join(KEYS_FOLDER),
    };
    let mut keys = Keys::default();
    if given.is_none() && !dir.exists() {
        return Ok(keys);
    }
    let unreadable = || format!("the keys in `{}` cannot be read", dir.display());
    for entry in fs::read_dir(&dir).with_context(unreadable)?.take(KEY_FILES_MAX) {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_key = [".pem", ".der", ".json"].iter().any(|ending| name.ends_with(ending));
        if is_key && entry.metadata().with_context(unreadable)?.len() <= KEY_FILE_BYTES_MAX {
            let content = fs::read(entry.path()).with_context(unreadable)?;
            keys.add_file(KeyFile { name: &name, content: &content })?;
        }
    }
    Ok(keys)
}

/// Whether nothing is known to be missing or changed.
pub(super) fn are_whole(proofs: &[Proof]) -> bool {
    proofs.iter().all(|proof| {
        let is_bad = |hour: &Hour| matches!(hour.state, State::Missing | State::Tampered);
        !proof.completeness.days().any(|(_, _, hours)| hours.iter().any(is_bad))
    })
}

/// Prints the hours: strips of the last `days` for a person, each hour for a program.
pub(super) fn print(common: &Common, proofs: &[Proof], days: Option<usize>, words: &Words) -> Result<()> {
    let rows = match (common.output, &common.query) {
        (None | Some(Format::Table), None) => strips(proofs, days, words),
        _ => each_hour(proofs),
    };
    let columns = ["source", "account", "region", "day", "hours"];
    let head = columns.map(|key| format!("logs.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    if matches!((common.output, &common.query), (None | Some(Format::Table), None)) {
        if rows.is_empty() {
            return Ok(());
        }
        print::rows(common, &head, &rows, |row| columns.map(|key| text(row.get(key))).to_vec())?;
        return describe(proofs, words);
    }
    let columns = ["source", "account", "region", "hour", "state", "has_events"];
    print::rows(common, &columns, &rows, |row| columns.map(|key| text(row.get(key))).to_vec())
}

/// What digests prove of the hours that were searched, as the end of a sentence; nothing where they prove nothing.
pub(super) fn proven(covered: &CoveredSource, words: &Words) -> String {
    let counts = [
        ("covered.complete", covered.complete),
        ("covered.missing", covered.missing),
        ("covered.tampered", covered.tampered),
    ];
    counts.iter().filter(|(_, count)| *count > 0).map(|(key, count)| words.fill(key, &[("count", count)])).collect()
}

/// How much was searched, and where not: a sentence, then the gaps, at most [`GAPS_SHOWN`].
pub(super) fn searched(covered: &Covered, words: &Words) -> Vec<String> {
    let total = covered.total();
    let values: [(&str, &dyn std::fmt::Display); 2] = [("hours", &total.searched), ("all", &total.hours)];
    let mut lines = vec![words.fill("covered.searched", &values) + &proven(&total, words)];
    let mut left = total.gaps_all;
    for (source, gap) in covered.sources.iter().flat_map(|source| source.gaps.iter().map(move |gap| (source, gap))) {
        if lines.len() > GAPS_SHOWN {
            break;
        }
        left = left.saturating_sub(1);
        lines.push(format!("  {}", hole_text(&source.source, gap, words)));
    }
    if left > 0 {
        lines.push(format!("  {}", words.fill("covered.more", &[("count", &left)])));
    }
    lines
}

/// One gap as a sentence.
pub(super) fn hole_text(source: &str, gap: &completeness::Gap, words: &Words) -> String {
    let (from, to) = (moment(gap.from), moment(gap.to));
    let key = match (gap.state, gap.has_rows) {
        (State::Missing, _) => "covered.gap_missing",
        (State::Tampered, _) => "covered.gap_tampered",
        (State::Complete | State::NotVerified, _) => "covered.gap_nothing",
    };
    let values: [(&str, &dyn std::fmt::Display); 5] = [
        ("source", &source),
        ("account", &gap.place.account),
        ("region", &gap.place.region),
        ("from", &from),
        ("to", &to),
    ];
    words.fill(key, &values)
}

fn strips(proofs: &[Proof], days: Option<usize>, words: &Words) -> Vec<Value> {
    let mut rows = Vec::new();
    for proof in proofs {
        for place in proof.completeness.places() {
            let of_place: Vec<_> = proof.completeness.days().filter(|(of, _, _)| *of == place).collect();
            let skip = days.map_or(0, |days| of_place.len().saturating_sub(days));
            for (_, day, hours) in of_place.into_iter().skip(skip) {
                let strip: String = hours.iter().map(|hour| letter(*hour, words)).collect();
                rows.push(json!({
                    "source": proof.source, "account": place.account, "region": place.region, "day": day.to_string(),
                    "hours": strip,
                }));
            }
        }
    }
    rows
}

fn each_hour(proofs: &[Proof]) -> Vec<Value> {
    let mut rows = Vec::new();
    for proof in proofs {
        for (place, day, hours) in proof.completeness.days() {
            for (number, hour) in hours.iter().enumerate() {
                rows.push(json!({
                    "source": proof.source, "account": place.account, "region": place.region,
                    "hour": format!("{day}T{number:02}:00:00Z"), "state": hour.state, "has_events": hour.has_rows,
                }));
            }
        }
    }
    rows
}

/// The key of what is known of an hour, in the words and in the legend.
fn key(hour: Hour) -> &'static str {
    match (hour.state, hour.has_rows) {
        (State::Complete, _) => "complete",
        (State::NotVerified, true) => "not_verified",
        (State::NotVerified, false) => "nothing",
        (State::Missing, _) => "missing",
        (State::Tampered, _) => "tampered",
    }
}

fn letter(hour: Hour, words: &Words) -> &str {
    words.get(match key(hour) {
        "complete" => "logs.hour.complete",
        "not_verified" => "logs.hour.not_verified",
        "missing" => "logs.hour.missing",
        "tampered" => "logs.hour.tampered",
        _ => "logs.hour.nothing",
    })
}

fn describe(proofs: &[Proof], words: &Words) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", words.get("logs.legend"))?;
    for proof in proofs {
        let Coverage { hours, searched, complete, .. } = proof.completeness.coverage(None, None);
        let values: [(&str, &dyn std::fmt::Display); 4] =
            [("source", &proof.source), ("hours", &hours), ("searched", &searched), ("complete", &complete)];
        writeln!(out, "{}", words.fill("logs.covered", &values))?;
        let mut notes: Vec<String> = proof.chain.gaps.iter().map(|gap| gap_text(gap, words)).collect();
        notes.extend(standings(proof, words));
        let bad = proof.completeness.listed().iter().filter_map(|listed| {
            let key = match listed.outcome {
                Outcome::Missing => "logs.file_missing",
                Outcome::HashMismatch => "logs.file_tampered",
                Outcome::Verified | Outcome::NotVerified => return None,
            };
            Some(words.fill(key, &[("object", &listed.object)]))
        });
        notes.extend(bad);
        for note in notes.iter().take(SHOWN_MAX) {
            writeln!(out, "  {note}")?;
        }
        if notes.len() > SHOWN_MAX {
            writeln!(out, "  {}", words.fill("logs.notes_more", &[("count", &(notes.len() - SHOWN_MAX))]))?;
        }
    }
    Ok(())
}

/// One sentence for each way in which digests fall short.
fn standings(proof: &Proof, words: &Words) -> Vec<String> {
    let (mut unproven, mut tampered) = (0_usize, 0_usize);
    for link in &proof.chain.links {
        match link.standing {
            Standing::Verified => {}
            Standing::NotVerified(_) => unproven += 1,
            Standing::Tampered(_) => tampered += 1,
        }
    }
    let counted = [("logs.digests_unproven", unproven), ("logs.digests_tampered", tampered)];
    let counted = counted.iter().filter(|(_, count)| *count > 0);
    counted.map(|(key, count)| words.fill(key, &[("count", count), ("all", &proof.chain.links.len())])).collect()
}

fn gap_text(gap: &Gap, words: &Words) -> String {
    let from = gap.from.map(moment).unwrap_or_default();
    let to = moment(gap.to);
    let values: [(&str, &dyn std::fmt::Display); 5] =
        [("account", &gap.account), ("region", &gap.region), ("trail", &gap.trail), ("from", &from), ("to", &to)];
    let key = match gap.reason {
        GapReason::Missing(_) => "logs.gap_missing",
        GapReason::Restarted => "logs.gap_restarted",
    };
    words.fill(key, &values)
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
