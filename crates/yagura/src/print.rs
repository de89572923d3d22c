//! What every verb prints with: JSON with `--query`, lines of JSON, plain tables.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use crate::Usage;
use crate::cli::{Common, Format};
use crate::report::plain_table;

/// Prints `rows` in the form asked for: a table (the default), one JSON array, or one JSON object a line.
///
/// `head` are the table's column titles and `cells` makes one table row of one JSON row. `--query` is applied to the
/// whole array.
pub(crate) fn rows(
    common: &Common,
    head: &[&str],
    rows: &[Value],
    cells: impl Fn(&Value) -> Vec<String>,
) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match (common.output, &common.query) {
        (_, Some(query)) => print_query(&mut out, query, &Value::Array(rows.to_vec()))?,
        (Some(Format::Json), None) => print_json(&mut out, &Value::Array(rows.to_vec()))?,
        (Some(Format::Ndjson), None) => {
            for row in rows {
                serde_json::to_writer(&mut out, row)?;
                out.write_all(b"\n")?;
            }
        }
        (None | Some(Format::Table), None) => {
            let mut table = plain_table();
            table.set_header(head.to_vec());
            for row in rows {
                table.add_row(cells(row));
            }
            writeln!(out, "{table}")?;
        }
        (Some(other), None) => return Err(unfit(other).into()),
    }
    out.flush()?;
    Ok(())
}

/// Prints one JSON value, by way of `--query` where it is given.
pub(crate) fn document(common: &Common, value: &Value) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match &common.query {
        Some(query) => print_query(&mut out, query, value)?,
        None => print_json(&mut out, value)?,
    }
    out.flush()?;
    Ok(())
}

/// The error of a verb that has no such form of output.
pub(crate) fn unfit(format: Format) -> Usage {
    Usage(format!("this verb has no output in the form `{format:?}`: use table, json or ndjson").to_lowercase())
}

/// The value that a JMESPath expression selects.
pub(crate) fn queried(query: &str, value: &Value) -> Result<Value> {
    let expression =
        jmespath::compile(query).map_err(|error| Usage(format!("--query cannot be used: {}", one_line(&error))))?;
    let found = expression.search(value).map_err(|error| anyhow!("--query failed: {}", one_line(&error)))?;
    serde_json::to_value(&*found).context("the result of --query cannot be printed")
}

fn one_line(error: &jmespath::JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_owned()
}

fn print_query(out: &mut dyn Write, query: &str, value: &Value) -> Result<()> {
    print_json(out, &queried(query, value)?)
}

fn print_json(out: &mut dyn Write, value: &Value) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes a file by way of a neighbour that is then renamed, so that there is never half a file.
pub(crate) fn whole_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A pipe, a terminal, a device: written to, never replaced.
        let written = std::fs::OpenOptions::new().write(true).open(path).and_then(|file| {
            let mut out = BufWriter::new(file);
            write(&mut out)?;
            out.flush()
        });
        return written.with_context(|| format!("cannot write `{}`", path.display()));
    }
    let name = path.file_name().ok_or_else(|| Usage(format!("`{}` is not a file name", path.display())))?;
    let mut part_name = name.to_owned();
    part_name.push(".part");
    let part = path.with_file_name(part_name);
    let written = File::create(&part).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        out.get_ref().sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // Nothing half-written stays; that the cleaning fails too changes nothing of what is said.
        let _ = std::fs::remove_file(&part);
    }
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Days of a year ago, whichever year it was.
const DAYS_OF_YEAR: i64 = 365;

/// A time as a person gives it: `24h`, `7d`, `30m`, `2w`, `1y` ago, a date, or RFC 3339.
pub(crate) fn time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if let Ok(date) = text.parse::<NaiveDate>()
        && let Some(midnight) = date.and_hms_opt(0, 0, 0)
    {
        return Ok(midnight.and_utc());
    }
    let ago = text.char_indices().last().and_then(|(at, unit)| {
        let number: i64 = text.get(..at)?.parse().ok().filter(|number| *number >= 0)?;
        match unit {
            'm' => TimeDelta::try_minutes(number),
            'h' => TimeDelta::try_hours(number),
            'd' => TimeDelta::try_days(number),
            'w' => TimeDelta::try_weeks(number),
            'y' => number.checked_mul(DAYS_OF_YEAR).and_then(TimeDelta::try_days),
            _ => None,
        }
    });
    ago.and_then(|ago| now.checked_sub_signed(ago)).ok_or_else(|| {
        Usage(format!("`{text}` is not a time: give `24h`, `7d`, `2026-01-31` or `2026-01-31T12:00:00Z`")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood_as_people_give_them() {
        let now: DateTime<Utc> = "2026-03-10T12:00:00Z".parse().unwrap();
        for (given, expected) in [
            ("24h", "2026-03-09T12:00:00Z"),
            ("7d", "2026-03-03T12:00:00Z"),
            ("1y", "2025-03-10T12:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T09:00:00+09:00", "2026-01-31T00:00:00Z"),
        ] {
            assert_eq!(time(given, now).unwrap(), expected.parse::<DateTime<Utc>>().unwrap(), "{given}");
        }
        for bad in ["", "7", "d", "-3d", "7日", "yesterday", "99999999999999999999d", "9999999999999d"] {
            assert!(time(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        let error = whole_file(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no space left on device"))
        });
        assert!(format!("{:#}", error.unwrap_err()).contains("no space left on device"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
