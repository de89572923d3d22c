//! `yagura resources|resource|history|diff`: what the ledger knows.

use std::future::Future;
use std::io::{self, Write};

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use yagura_model::{AccountId, Region, ResourceKey};
use yagura_record::{Change, Filter, Reader};

use crate::cli::{Common, DiffArgs, Format, HistoryArgs, ResourceArgs, ResourcesArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Rows shown at most; a pipeline that wants more narrows the filter.
const ROWS_MAX: u32 = 1_000_000;

/// Lists recorded resources.
pub(super) fn resources(common: &Common, args: &ResourcesArgs, config: &Config, words: &Words) -> Result<Exit> {
    let filter = Filter {
        kind: args.kind.clone(),
        region: args.region.as_deref().map(Region::from),
        account: args.account.as_deref().map(AccountId::from),
        text: args.text.clone(),
        gone: args.gone,
        limit: ROWS_MAX,
        offset: 0,
    };
    let found = with_reader(config, async |reader| Ok(reader.resources(&filter).await?))?;
    let rows: Vec<Value> = found.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    let head = [
        "resources.type",
        "resources.region",
        "resources.id",
        "resources.name",
        "resources.first_seen",
        "resources.last_seen",
    ]
    .map(|key| words.get(key));
    print::rows(common, &head, &rows, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let last = if row.get("gone").is_some_and(|gone| !gone.is_null()) {
            format!("{} ({})", short(&text("last_seen")), words.get("resources.gone"))
        } else {
            short(&text("last_seen"))
        };
        vec![text("type"), text("region"), text("id"), text("name"), short(&text("first_seen")), last]
    })?;
    if common.output.is_none() && common.query.is_none() && !common.quiet {
        println!("{}", words.fill("resources.count", &[("count", &rows.len())]));
    }
    Ok(Exit::Clean)
}

/// Shows one resource, now or at a time.
pub(super) fn resource(common: &Common, args: &ResourceArgs, config: &Config, words: &Words) -> Result<Exit> {
    let at = args.at.as_deref().map(|text| print::time(text, crate::now())).transpose()?;
    let found = with_reader(config, async |reader| Ok(reader.resource(&args.name, at).await?))?;
    let documents: Vec<Value> =
        found.iter().map(|recorded| serde_json::to_value(&recorded.resource)).collect::<Result<_, _>>()?;
    match documents.as_slice() {
        [] => Err(Usage(words.fill("resources.none", &[("name", &args.name)])).into()),
        [one] => print::document(common, one).map(|()| Exit::Clean),
        _ => print::document(common, &Value::Array(documents)).map(|()| Exit::Clean),
    }
}

/// Shows every version of a resource and what changed.
pub(super) fn history(common: &Common, args: &HistoryArgs, config: &Config, words: &Words) -> Result<Exit> {
    let histories = with_reader(config, async |reader| Ok(reader.history(&args.name).await?))?;
    if histories.is_empty() {
        return Err(Usage(words.fill("resources.none", &[("name", &args.name)])).into());
    }
    if as_json(common) {
        print::document(common, &serde_json::to_value(&histories)?)?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    for history in &histories {
        writeln!(out, "{}", title(&history.key))?;
        for version in &history.versions {
            let time = moment(version.since);
            let mut line = words.fill("resources.version", &[("number", &version.number), ("time", &time)]);
            if version.appeared {
                line = format!("{line}  {}", words.get("resources.appeared"));
            }
            writeln!(out, "  {line}")?;
            write_changes(&mut out, &version.changes)?;
            if let (true, Some(until)) = (version.gone, version.until) {
                writeln!(out, "  {}  {}", moment(until), words.get("resources.disappeared"))?;
            }
        }
    }
    Ok(Exit::Clean)
}

/// Shows what changed in all accounts since a time.
pub(super) fn diff(common: &Common, args: &DiffArgs, config: &Config, words: &Words) -> Result<Exit> {
    let since = print::time(&args.since, crate::now())?;
    let difference = with_reader(config, async |reader| Ok(reader.diff(None, since, None).await?))?;
    if as_json(common) {
        print::document(common, &serde_json::to_value(&difference)?)?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    if difference.appeared.is_empty() && difference.changed.is_empty() && difference.disappeared.is_empty() {
        writeln!(out, "{}", words.fill("resources.no_change", &[("time", &moment(since))]))?;
        return Ok(Exit::Clean);
    }
    for key in &difference.appeared {
        writeln!(out, "+ {}  {}", title(key), words.get("resources.appeared"))?;
    }
    for changed in &difference.changed {
        writeln!(out, "~ {}  {}", title(&changed.key), words.get("resources.changed"))?;
        write_changes(&mut out, &changed.changes)?;
    }
    for key in &difference.disappeared {
        writeln!(out, "- {}  {}", title(key), words.get("resources.disappeared"))?;
    }
    Ok(Exit::Clean)
}

fn with_reader<T, F>(config: &Config, read: impl FnOnce(Reader) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    pipeline::runtime()?.block_on(async {
        let reader = pipeline::open_ledger(config).await?.reader().await?;
        let read = read(reader.clone()).await;
        reader.close().await;
        read
    })
}

fn as_json(common: &Common) -> bool {
    matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some()
}

fn write_changes(out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
    for change in changes {
        let before = change.before.as_ref().map_or_else(|| "∅".to_owned(), Value::to_string);
        let after = change.after.as_ref().map_or_else(|| "∅".to_owned(), Value::to_string);
        writeln!(out, "      {}: {before} → {after}", change.path)?;
    }
    Ok(())
}

fn title(key: &ResourceKey) -> String {
    format!("{} {} {} {}", key.kind, key.account, key.region, key.id)
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time as a table has room for it.
fn short(time: &str) -> String {
    time.parse::<DateTime<Utc>>().map_or_else(|_| time.to_owned(), |time| time.format("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_shortened_and_anything_else_left() {
        assert_eq!(super::short("2026-03-10T12:34:56.789Z"), "2026-03-10 12:34");
        assert_eq!(super::short("-"), "-");
    }
}
