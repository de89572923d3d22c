//! `yagura alarm test|run`.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use yagura_rules::alarm::{Actions, AlarmFile, Change, Input, Sample};

use crate::cli::{AlarmRunArgs, Common, Format};
use crate::content;
use crate::words::Words;
use crate::{Exit, Usage, print};

/// The most lines of a data file: a year of minutes of twenty metrics.
const LINES_MAX: usize = 20 * 366 * 24 * 60;

/// Runs the tests inside alarm files; each with the changes of state, and what was other than expected.
pub(super) fn test(common: &Common, paths: &[PathBuf], words: &Words) -> Result<Exit> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(content::files_by_path(path)?);
    }
    if paths.is_empty() {
        files = content::built_in_files("alarms");
    }
    let plain = !matches!(common.output, Some(Format::Json | Format::Ndjson)) && common.query.is_none();
    let mut out = io::stdout().lock();
    let (mut tests, mut errors, mut run, mut failed) = (Vec::new(), Vec::new(), 0, 0);
    for (path, text) in &files {
        let file = match AlarmFile::parse(path, text) {
            Ok((file, problems)) => {
                errors.extend(problems.iter().map(ToString::to_string));
                file
            }
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        for case in &file.cases {
            run += 1;
            let (changes, failures) = match case.run(&file.watch) {
                Ok(done) => done,
                Err(error) => (Vec::new(), vec![error.to_string()]),
            };
            failed += usize::from(!failures.is_empty());
            if plain && (!failures.is_empty() || !common.quiet) {
                let mark = words.get(if failures.is_empty() { "status.pass" } else { "status.fail" });
                writeln!(out, "{mark} {path}: {}", case.name)?;
                for change in &changes {
                    writeln!(out, "    {}", sentence(change, words))?;
                }
                failures.iter().try_for_each(|failure| writeln!(out, "    ! {failure}"))?;
            }
            tests.push(json!({ "file": path, "name": case.name, "changes": changes, "failures": failures }));
        }
    }
    if plain {
        errors.iter().try_for_each(|error| writeln!(out, "{error}"))?;
        let (passed, failed) = (run - failed, failed + errors.len());
        let counts: [(&str, &dyn Display); 3] = [("passed", &passed), ("files", &files.len()), ("failed", &failed)];
        writeln!(out, "{}", words.fill("events.alarm.tests", &counts))?;
    } else {
        drop(out);
        print::document(common, &json!({ "run": run, "failed": failed, "errors": errors, "tests": tests }))?;
    }
    Ok(if failed == 0 && errors.is_empty() { Exit::Clean } else { Exit::Error })
}

/// Every change of state of the alarms of a file over recorded data.
pub(super) fn run(common: &Common, args: &AlarmRunArgs, words: &Words) -> Result<Exit> {
    let path = args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read `{path}`"))?;
    let (file, errors) = AlarmFile::parse(&path, &text).map_err(|error| Usage(error.to_string()))?;
    // An alarm that cannot be evaluated must not be taken for one that stays quiet.
    if let Some(error) = errors.first() {
        return Err(Usage(error.to_string()).into());
    }
    let until = args.until.as_deref().map(|text| print::time(text, crate::now())).transpose()?;
    let outcome = file.watch.run(&input(&args.data)?, until)?;
    let rows: Vec<Value> = outcome.changes.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    let head = ["time", "alarm", "from", "to", "actions", "values"].map(|key| format!("events.alarm.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, &rows, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let values = row.get("values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<String> =
            values.map(|value| if value.is_null() { "-".to_owned() } else { value.to_string() }).collect();
        let actions = words.get(&format!("events.alarm.actions_{}", text("actions"))).to_owned();
        vec![text("time"), text("alarm"), text("from"), text("to"), actions, values.join(" ")]
    })?;
    Ok(Exit::Clean)
}

fn sentence(change: &Change, words: &Words) -> String {
    let actions = words.get(match change.actions {
        Actions::Taken => "events.alarm.actions_taken",
        Actions::Held => "events.alarm.actions_held",
        Actions::Released => "events.alarm.actions_released",
        Actions::Disabled => "events.alarm.actions_disabled",
    });
    let time = change.time.format("%H:%M:%S");
    format!("{time} {}: {} → {} ({actions})", change.alarm, change.from, change.to)
}

/// The samples and log events of a data file.
fn input(path: &Path) -> Result<Input> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if path.extension().is_some_and(|ending| ending == "csv") {
        return Ok(Input { samples: samples_of_csv(path, file)?, ..Input::default() });
    }
    let mut input = Input::default();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read `{}`", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        check_length(path, number)?;
        let wrong = || format!("line {} of `{}` cannot be read", number + 1, path.display());
        let value: Value = serde_json::from_str(&line).with_context(wrong)?;
        match value.get("event") {
            Some(event) => {
                let time = value.get("time").and_then(Value::as_str).unwrap_or_default();
                let line = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
                input.events.push((time.parse().with_context(wrong)?, line));
            }
            None => input.samples.push(serde_json::from_value(value).with_context(wrong)?),
        }
    }
    Ok(input)
}

fn check_length(path: &Path, number: usize) -> Result<()> {
    if number >= LINES_MAX {
        bail!("`{}` has more than {LINES_MAX} lines", path.display());
    }
    Ok(())
}

/// Columns `time` and `value`, and as far as they are there `namespace`, `metric`, `unit`, and `dimensions` (`A=1;B=2`).
fn samples_of_csv(path: &Path, file: std::fs::File) -> Result<Vec<Sample>> {
    let mut reader = csv::Reader::from_reader(file);
    let head = reader.headers().with_context(|| format!("cannot read `{}`", path.display()))?.clone();
    let column = |name: &str| head.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    let (Some(time), Some(value)) = (column("time").or_else(|| column("timestamp")), column("value")) else {
        return Err(Usage(format!("`{}` has no columns `time` and `value`", path.display())).into());
    };
    let [namespace, metric, unit, dimensions] = ["namespace", "metric", "unit", "dimensions"].map(column);
    let mut samples = Vec::new();
    for (number, row) in reader.records().enumerate() {
        check_length(path, number)?;
        let wrong = || format!("line {} of `{}` cannot be read", number + 2, path.display());
        let row = row.with_context(wrong)?;
        let cell = |column: Option<usize>| {
            let text = column.and_then(|column| row.get(column)).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        // A period without a value is a row without one.
        let Some(value) = cell(Some(value)) else { continue };
        let pairs = cell(dimensions).map(|text| {
            let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
        });
        let time: DateTime<Utc> = cell(Some(time)).unwrap_or_default().parse().with_context(wrong)?;
        let value = value.parse().ok().filter(|value: &f64| value.is_finite()).with_context(wrong)?;
        let [namespace, metric, unit] = [namespace, metric, unit].map(cell);
        samples.push(Sample { time, value, namespace, metric, dimensions: pairs, unit });
    }
    Ok(samples)
}
