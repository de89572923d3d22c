//! `yagura alarm`.

mod import;
mod kept;
mod lake;
mod yaml;

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use yagura_model::{Act, Order};
use yagura_rules::alarm::{Actions, AlarmFile, Change, Input, Sample};

use self::kept::Kept;
use crate::cli::{AlarmHistoryArgs, AlarmImportArgs, AlarmRunArgs, Common, Format};
use crate::config::Config;
use crate::content;
use crate::words::Words;
use crate::{Exit, Usage, errors, print};

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

/// Every change of state: over the lake, or over data of one's own.
pub(super) fn run(common: &Common, args: &AlarmRunArgs, config: &Config, words: &Words) -> Result<Exit> {
    match (&args.file, &args.data) {
        (Some(file), Some(data)) => over_data(common, file, data, args.until.as_deref(), words),
        _ => over_lake(common, args, config, words),
    }
}

/// Over the lake: what is new, and how it stands.
fn over_lake(common: &Common, args: &AlarmRunArgs, config: &Config, words: &Words) -> Result<Exit> {
    let ran = lake::run(args, config)?;
    let changes: Vec<Value> =
        ran.changes.iter().map(|(account, region, change)| change_row(account, region, change)).collect();
    let states: Vec<Value> = ran.states.iter().map(state_row).collect();
    let exit = if ran.errors.is_empty() { Exit::Clean } else { Exit::Incomplete };
    match (common.output, &common.query) {
        (Some(Format::Json), _) | (_, Some(_)) => print::document(
            common,
            &json!({ "changes": changes, "states": states, "orders": ran.orders, "not_evaluated": ran.errors }),
        )?,
        (Some(Format::Ndjson), None) => print_changes(common, &changes, words)?,
        _ => {
            if changes.is_empty() {
                println!("{}", words.get("metrics.alarm_no_change"));
            } else {
                print_changes(common, &changes, words)?;
            }
            println!();
            print_states(common, &states, words)?;
            for order in &ran.orders {
                println!("{}", order_sentence(order, words));
            }
        }
    }
    for error in &ran.errors {
        let why = errors::translated(error, words.lang());
        eprintln!("{}", words.fill("metrics.alarm_not_evaluated", &[("why", &why)]));
    }
    Ok(exit)
}

/// The alarms that were run over the lake, and their states.
pub(super) fn list(common: &Common, config: &Config, words: &Words) -> Result<Exit> {
    let kept = Kept::read(config.data_dir()?)?;
    let mut states = Vec::new();
    for standing in kept.standings.values() {
        for (alarm, state, since) in standing.states() {
            let mut row = json!({
                "alarm": alarm, "account": standing.account, "region": standing.region, "state": state, "since": since,
                "file": standing.file,
            });
            if let (Some(members), Some(evaluated)) = (row.as_object_mut(), standing.evaluated()) {
                members.insert("evaluated".to_owned(), json!(evaluated));
            }
            states.push(row);
        }
    }
    if states.is_empty() && common.output.is_none() && common.query.is_none() {
        println!("{}", words.get("metrics.alarm_never_run"));
        return Ok(Exit::Clean);
    }
    print_states(common, &states, words)?;
    Ok(Exit::Clean)
}

/// How the states of alarms changed, or what was ordered.
pub(super) fn history(common: &Common, args: &AlarmHistoryArgs, config: &Config, words: &Words) -> Result<Exit> {
    let kept = Kept::read(config.data_dir()?)?;
    let since = args.since.as_deref().map(|text| print::time(text, crate::now())).transpose()?;
    let is_asked = |name: &str, time: DateTime<Utc>| {
        args.alarm.as_ref().is_none_or(|text| name.contains(text.as_str())) && since.is_none_or(|since| time >= since)
    };
    if args.orders {
        let orders = kept.orders.iter().filter(|order| is_asked(&order.cause, order.time));
        let rows: Vec<Value> = orders.map(serde_json::to_value).collect::<Result<_, _>>()?;
        let head = ["time", "cause", "act", "target"].map(|key| format!("metrics.column.{key}"));
        let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
        print::rows(common, &head, &rows, |row| {
            let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let act = words.get(if text("act") == "tell" { "metrics.order_tell" } else { "metrics.order_run" });
            vec![text("time"), text("cause"), act.to_owned(), text("target") + &text("playbook")]
        })?;
        return Ok(Exit::Clean);
    }
    let mut changes: Vec<(&str, &str, &Change)> = Vec::new();
    for standing in kept.standings.values() {
        let of_alarm = standing.changes.iter().filter(|change| is_asked(&change.alarm, change.time));
        changes.extend(of_alarm.map(|change| (standing.account.as_str(), standing.region.as_str(), change)));
    }
    changes.sort_by(|(_, _, one), (_, _, other)| (one.time, &one.alarm).cmp(&(other.time, &other.alarm)));
    let rows: Vec<Value> =
        changes.into_iter().map(|(account, region, change)| change_row(account, region, change)).collect();
    if rows.is_empty() && common.output.is_none() && common.query.is_none() {
        println!("{}", words.get("metrics.alarm_no_history"));
        return Ok(Exit::Clean);
    }
    print_changes(common, &rows, words)?;
    Ok(Exit::Clean)
}

/// The alarms of recorded accounts, as files.
pub(super) fn import(common: &Common, args: &AlarmImportArgs, config: &Config, words: &Words) -> Result<Exit> {
    import::run(common, args, config, words)
}

fn change_row(account: &str, region: &str, change: &Change) -> Value {
    json!({
        "time": change.time, "alarm": change.alarm, "account": account, "region": region, "from": change.from,
        "to": change.to, "actions": change.actions, "values": change.values,
    })
}

fn state_row(state: &lake::AlarmState) -> Value {
    json!({
        "alarm": state.alarm, "account": state.account, "region": state.region, "state": state.state,
        "since": state.since, "file": state.file,
    })
}

fn order_sentence(order: &Order, words: &Words) -> String {
    let key = match order.act {
        Act::Tell { .. } => "metrics.order_to_tell",
        Act::Run { .. } => "metrics.order_to_run",
    };
    words.fill(key, &[("target", &order.act.target()), ("cause", &order.cause)])
}

fn print_changes(common: &Common, rows: &[Value], words: &Words) -> Result<()> {
    let has_places = rows.iter().any(|row| row.get("account").is_some());
    let places: &[&str] = if has_places { &["account", "region"] } else { &[] };
    let mut head = vec![words.get("events.alarm.time"), words.get("events.alarm.alarm")];
    head.extend(places.iter().map(|key| words.find(&format!("metrics.column.{key}")).unwrap_or(key)));
    head.extend(
        ["from", "to", "actions", "values"].map(|key| words.find(&format!("events.alarm.{key}")).unwrap_or(key)),
    );
    print::rows(common, &head, rows, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let values = row.get("values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<String> = values.map(|value| value.as_f64().map_or_else(|| "-".to_owned(), short)).collect();
        let mut cells = vec![text("time"), text("alarm")];
        cells.extend(places.iter().map(|key| text(key)));
        let actions = words.get(&format!("events.alarm.actions_{}", text("actions"))).to_owned();
        cells.extend([text("from"), text("to"), actions, values.join(" ")]);
        cells
    })
}

fn print_states(common: &Common, rows: &[Value], words: &Words) -> Result<()> {
    let keys = ["alarm", "account", "region", "state", "since"];
    let head = keys.map(|key| format!("metrics.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, rows, |row| {
        keys.map(|key| row.get(key).and_then(Value::as_str).unwrap_or("-").to_owned()).to_vec()
    })
}

/// A value in at most two digits behind the point.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Every change of state of the alarms of a file over recorded data.
fn over_data(common: &Common, file: &Path, data: &Path, until: Option<&str>, words: &Words) -> Result<Exit> {
    let path = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{path}`"))?;
    let (file, errors) = AlarmFile::parse(&path, &text).map_err(|error| Usage(error.to_string()))?;
    // An alarm that cannot be evaluated must not be taken for one that stays quiet.
    if let Some(error) = errors.first() {
        return Err(Usage(error.to_string()).into());
    }
    let until = until.map(|text| print::time(text, crate::now())).transpose()?;
    let outcome = file.watch.run(&input(data)?, until)?;
    let rows: Vec<Value> = outcome.changes.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    print_changes(common, &rows, words)?;
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
