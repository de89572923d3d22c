//! `yagura sql`: questions over the logs and the recorded resources.

use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use yagura_lake::{Answer, Cell, Kind, Tables, print as lake_print};
use yagura_model::{Arn, Lang, ResourceKey};
use yagura_record::{Filter, History, RESOURCES_MAX, Reader, ResourceRow, Version};

use super::cluster::engine;
use super::hours;
use super::logs::lake;
use crate::cli::{Common, Format, SqlArgs};
use crate::config::Config;
use crate::report::plain_table;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Rows that a table shows; a program reads the other forms, which have no end.
const TABLE_ROWS_MAX: usize = 1_000;

/// Characters that a cell of a table shows.
const CELL_CHARACTERS_MAX: usize = 120;

/// Rows that one JSON document holds; more would not fit in memory as `--query` needs them.
const DOCUMENT_ROWS_MAX: usize = 1_000_000;

/// Resources that the tables of resources hold.
const RESOURCES_ALL_MAX: u32 = 200_000;

/// The questions of `--examples` and of `docs/sql.md`.
const EXAMPLES: &str = include_str!("../../../../docs/sql-examples.yml");

/// One question to begin with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    pub(crate) en: String,
    pub(crate) ja: String,
    pub(crate) sql: String,
}

/// The questions to begin with.
pub(crate) fn examples() -> Result<Vec<Example>> {
    serde_saphyr::from_str(EXAMPLES).context("reading the built-in questions")
}

/// Answers a question.
pub(super) fn run(common: &Common, args: &SqlArgs, config: &Config, words: &Words) -> Result<Exit> {
    if args.show_examples {
        return print_examples(words);
    }
    let question = match (&args.question, &args.file) {
        (Some(question), _) => question.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) => String::new(),
    };
    let engine = engine(args.cluster.as_deref())?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    runtime.block_on(async {
        let tables = resource_tables(&question, config).await?;
        let mut answer = lake.query_on(&engine, &question, tables, args.explain).await?;
        let columns: Vec<String> = answer.columns().iter().map(|name| (*name).to_owned()).collect();
        if !for_programs(common, &columns, &mut answer).await? {
            table(&columns, &mut answer, words).await?;
        }
        let searched = answer.searched();
        if !common.quiet && !args.explain && searched.hours_all > 0 {
            let covered = lake.covered_by(&answer, &hours::keys(None, config)?).await?.total();
            let values: [(&str, &dyn std::fmt::Display); 4] = [
                ("hours", &covered.searched),
                ("all", &covered.hours),
                ("files", &searched.files),
                ("files_all", &searched.files_all),
            ];
            eprintln!("{}{}", words.fill("sql.searched", &values), hours::proven(&covered, words));
        }
        anyhow::Ok(())
    })?;
    Ok(Exit::Clean)
}

/// Whether a table is printed, and no form for programs.
pub(super) fn is_for_person(common: &Common) -> bool {
    matches!((common.output, &common.query), (None | Some(Format::Table), None))
}

/// Prints the answer in a form that a program reads, if one was asked for; says whether it was.
pub(super) async fn for_programs(common: &Common, columns: &[String], answer: &mut Answer) -> Result<bool> {
    match (common.output, &common.query) {
        (Some(Format::Json), _) | (_, Some(_)) => document(common, answer).await?,
        (Some(Format::Ndjson), None) => lines(answer).await?,
        (Some(Format::Csv), None) => csv(columns, answer).await?,
        (None | Some(Format::Table), None) => return Ok(false),
        (Some(other), None) => {
            let text = format!("a question has no output in the form `{other:?}`: use table, json, ndjson or csv");
            return Err(Usage(text.to_lowercase()).into());
        }
    }
    Ok(true)
}

fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().take(1 << 20).read_to_string(&mut text).context("the standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))
}

fn print_examples(words: &Words) -> Result<Exit> {
    let mut out = io::stdout().lock();
    for example in examples()? {
        let title = match words.lang() {
            Lang::En => &example.en,
            Lang::Ja => &example.ja,
        };
        writeln!(out, "-- {title}\n{}\n", example.sql.trim_end())?;
    }
    Ok(Exit::Clean)
}

async fn lines(answer: &mut Answer) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(rows) = answer.next().await? {
        lake_print::json_lines(&rows, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

async fn document(common: &Common, answer: &mut Answer) -> Result<()> {
    let mut all: Vec<Value> = Vec::new();
    while let Some(rows) = answer.next().await? {
        let mut text = Vec::new();
        lake_print::json_lines(&rows, &mut text)?;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            all.push(serde_json::from_slice(line)?);
        }
        if all.len() > DOCUMENT_ROWS_MAX {
            let text = format!("the answer has more than {DOCUMENT_ROWS_MAX} rows: use `-o ndjson`, or `LIMIT`");
            return Err(Usage(text).into());
        }
    }
    print::document(common, &Value::Array(all))
}

async fn csv(columns: &[String], answer: &mut Answer) -> Result<()> {
    let mut out = csv::Writer::from_writer(BufWriter::new(io::stdout().lock()));
    out.write_record(columns)?;
    while let Some(rows) = answer.next().await? {
        for cells in lake_print::cells(&rows)? {
            out.write_record(&cells)?;
        }
    }
    out.flush()?;
    Ok(())
}

async fn table(columns: &[String], answer: &mut Answer, words: &Words) -> Result<()> {
    let mut table = plain_table();
    table.set_header(columns);
    let (mut shown, mut more) = (0, false);
    while let Some(rows) = answer.next().await? {
        for cells in lake_print::cells(&rows)? {
            if shown == TABLE_ROWS_MAX {
                more = true;
                break;
            }
            shown += 1;
            table.add_row(cells.iter().map(|cell| shortened(cell)));
        }
        if more {
            break;
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{table}")?;
    if more {
        eprintln!("{}", words.fill("sql.more", &[("rows", &TABLE_ROWS_MAX)]));
    } else if io::stdout().is_terminal() {
        eprintln!("{}", words.fill("sql.rows", &[("rows", &shown)]));
    }
    Ok(())
}

/// The start of a long text, on one line.
fn shortened(cell: &str) -> String {
    let mut text: String =
        cell.chars().take(CELL_CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cell.chars().nth(CELL_CHARACTERS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// `resources` and `resource_history`, of what the ledger knows; empty unless the question speaks of them, for reading
/// them all takes a moment.
async fn resource_tables(question: &str, config: &Config) -> Result<Tables> {
    let lower = question.to_lowercase();
    let asked = |name: &str| lower.contains(name);
    let (mut resources, mut versions) = (Vec::new(), Vec::new());
    if asked("resources") || asked("resource_history") {
        let reader = pipeline::open_ledger(config).await?.reader().await?;
        for gone in [false, true].into_iter().filter(|_| asked("resources")) {
            let mut filter = Filter { gone, limit: RESOURCES_MAX, ..Filter::default() };
            while filter.offset < RESOURCES_ALL_MAX {
                let found = reader.resources(&filter).await?;
                filter.offset += RESOURCES_MAX;
                let is_last = found.len() < RESOURCES_MAX as usize;
                resources.extend(found.iter().map(resource_row));
                if is_last {
                    break;
                }
            }
        }
        if asked("resource_history") {
            versions = histories(&reader).await?;
        }
        reader.close().await;
    }
    let key = [
        ("account", Kind::Text),
        ("region", Kind::Text),
        ("type", Kind::Text),
        ("id", Kind::Text),
        ("arn", Kind::Text),
    ];
    let mut tables = Tables::default();
    let of_resource = [
        ("name", Kind::Text),
        ("version", Kind::Number),
        ("first_seen", Kind::Time),
        ("last_seen", Kind::Time),
        ("gone", Kind::Time),
    ];
    tables.add("resources", &[&key[..], &of_resource[..]].concat(), &resources)?;
    let of_version = [
        ("version", Kind::Number),
        ("since", Kind::Time),
        ("until", Kind::Time),
        ("event", Kind::Text),
        ("changes", Kind::Text),
    ];
    tables.add("resource_history", &[&key[..], &of_version[..]].concat(), &versions)?;
    Ok(tables)
}

fn key_cells(key: &ResourceKey, arn: Option<&Arn>) -> Vec<Cell> {
    vec![
        Cell::Text(key.account.to_string()),
        Cell::Text(key.region.to_string()),
        Cell::Text(key.kind.to_string()),
        Cell::Text(key.id.clone()),
        arn.map_or(Cell::Null, |arn| Cell::Text(arn.to_string())),
    ]
}

fn resource_row(row: &ResourceRow) -> Vec<Cell> {
    let mut cells = key_cells(&row.key, row.arn.as_ref());
    cells.push(row.name.clone().map_or(Cell::Null, Cell::Text));
    cells.push(Cell::Number(row.version));
    cells.extend([Some(row.first_seen), Some(row.last_seen), row.gone].map(time));
    cells
}

/// Every version of the resources, in one pass over the ledger.
async fn histories(reader: &Reader) -> Result<Vec<Vec<Cell>>> {
    let (mut rows, mut resources) = (Vec::new(), 0_u32);
    let visit = |arn: Option<Arn>, history: History| {
        resources += 1;
        rows.extend(history.versions.iter().map(|version| version_row(&history.key, arn.as_ref(), version)));
        if resources < RESOURCES_ALL_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    reader.each_history(visit).await?;
    Ok(rows)
}

fn version_row(key: &ResourceKey, arn: Option<&Arn>, version: &Version) -> Vec<Cell> {
    let event = match (version.appeared, version.gone) {
        (true, true) => "appeared, disappeared",
        (true, false) => "appeared",
        (false, true) => "changed, disappeared",
        (false, false) => "changed",
    };
    let mut cells = key_cells(key, arn);
    cells.push(Cell::Number(version.number));
    cells.extend([Some(version.since), version.until].map(time));
    cells.push(Cell::Text(event.to_owned()));
    cells.push(serde_json::to_string(&version.changes).map_or(Cell::Null, Cell::Text));
    cells
}

fn time(time: Option<DateTime<Utc>>) -> Cell {
    time.map_or(Cell::Null, |time| Cell::Time(time.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page of questions, made of the same file that `--examples` prints.
    fn page() -> String {
        let mut page = String::from(
            "# Questions to begin with\n\n\
            `yagura sql --examples` prints these. They are asked over the tables of [logs.md](logs.md). The page is made of \
            `sql-examples.yml` by a test, which `UPDATE_EXPECT=1` tells to write it anew; another asks every question.\n\n\
            最初の一歩となる質問集。`yagura sql --examples` でも表示できる。表の説明は [logs.md](logs.md) にある。\n",
        );
        for example in examples().unwrap() {
            let Example { en, ja, sql } = example;
            page.extend(["\n## ", &en, "\n\n", &ja, "\n\n```sql\n", sql.trim_end(), "\n```\n"]);
        }
        page
    }

    #[test]
    fn the_page_of_questions_is_made_of_them() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sql.md");
        if crate::config::Environment::get("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page());
    }

    #[test]
    fn long_texts_are_shortened_onto_one_line() {
        assert_eq!(shortened("one\ntwo"), "one two");
        assert_eq!(shortened(&"櫓".repeat(121)).chars().count(), 121);
        assert!(shortened(&"櫓".repeat(121)).ends_with('…'));
    }
}
