//! `yagura findings`: what detection found, as a person reads it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Result;
use chrono::SecondsFormat;
use serde_json::{Value, json};
use yagura_detect::{Engine, Finding, Incident, State, TimelineEntry, incidents};
use yagura_lake::print as lake_print;
use yagura_model::Lang;

use super::detect::{self, BuiltIn, kept};
use super::logs::lake;
use crate::cli::{Common, FindingsListArgs, FindingsShowArgs, Format};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Steps of a time line that a table shows.
const STEPS_SHOWN_MAX: usize = 12;

/// Characters of an id that a table shows: more than tell a million findings apart.
const ID_CHARACTERS: usize = 12;

/// Ids on one line.
const IDS_A_LINE: usize = 5;

/// Characters of a name that a table shows.
const NAME_CHARACTERS_MAX: usize = 36;

/// Values of one field that a person is shown.
const VALUES_SHOWN_MAX: usize = 4;

/// Lists findings.
pub(super) fn list(common: &Common, args: &FindingsListArgs, config: &Config, words: &Words) -> Result<Exit> {
    let (engine, state) = known(config, words)?;
    let chosen = chosen(&engine, &state, args, words)?;
    print(common, &engine, chosen.into_iter(), words)?;
    Ok(Exit::Clean)
}

/// Shows one finding.
pub(super) fn show(common: &Common, args: &FindingsShowArgs, config: &Config, words: &Words) -> Result<Exit> {
    let (engine, state) = known(config, words)?;
    let found: Vec<&Finding> =
        state.findings().filter(|finding| finding.id.as_str().starts_with(args.id.as_str())).collect();
    let finding = match found.as_slice() {
        [one] => *one,
        [] => return Err(Usage(words.fill("findings.none", &[("id", &args.id)])).into()),
        more => {
            return Err(Usage(words.fill("findings.several", &[("id", &args.id), ("count", &more.len())])).into());
        }
    };
    if args.events {
        return raw_events(finding, config, words);
    }
    if !is_plain(common) {
        print::document(common, &document(&engine, finding, words.lang()))?;
        return Ok(Exit::Clean);
    }
    describe(&mut io::stdout().lock(), &engine, finding, words)?;
    Ok(Exit::Clean)
}

/// Lists incidents.
pub(super) fn list_incidents(common: &Common, args: &FindingsListArgs, config: &Config, words: &Words) -> Result<Exit> {
    let (engine, state) = known(config, words)?;
    let mut incidents = incidents(chosen(&engine, &state, args, words)?);
    incidents.sort_by_key(|incident| (std::cmp::Reverse(incident.level), std::cmp::Reverse(incident.last_seen)));
    if !is_plain(common) {
        let rows: Vec<Value> = incidents.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        print::rows(common, &[], &rows, |_| Vec::new())?;
        return Ok(Exit::Clean);
    }
    let mut out = io::stdout().lock();
    for incident in &incidents {
        tell(&mut out, &engine, &state, incident, words)?;
    }
    writeln!(out, "{}", words.fill("findings.incidents", &[("count", &incidents.len())]))?;
    Ok(Exit::Clean)
}

/// Prints findings in the form asked for, the worst first.
pub(super) fn print<'f>(
    common: &Common,
    engine: &Engine,
    findings: impl Iterator<Item = &'f Finding>,
    words: &Words,
) -> Result<()> {
    let mut findings: Vec<&Finding> = findings.collect();
    findings
        .sort_by(|a, b| b.severity.total_cmp(&a.severity).then(b.last_seen.cmp(&a.last_seen)).then(a.id.cmp(&b.id)));
    let rows: Vec<Value> = findings.iter().map(|finding| document(engine, finding, words.lang())).collect();
    if findings.is_empty() && is_plain(common) {
        println!("{}", words.get("findings.empty"));
        return Ok(());
    }
    let head = ["level", "title", "principal", "resource", "source", "count", "last", "id"]
        .map(|key| format!("findings.column.{key}"));
    let head: Vec<&str> = head.iter().map(|key| words.get(key)).collect();
    print::rows(common, &head, &rows, |row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let level = words.get(&format!("level.{}", text("level"))).to_owned();
        let title = match text("finding") {
            "" => text("title").to_owned(),
            finding => format!("{}\n{finding}", text("title")),
        };
        let count = row.get("count").map(ToString::to_string).unwrap_or_default();
        let (last, id) = (text("last_seen"), text("id"));
        let short = |text: &str, length: usize| text.chars().take(length).collect::<String>();
        vec![
            level,
            title,
            shortened(&end_of(text("principal"))),
            shortened(&end_of(text("resource"))),
            text("source_ip").to_owned(),
            count,
            short(last, 16).replace('T', " "),
            short(id, ID_CHARACTERS),
        ]
    })
}

/// Whether a person reads it.
pub(super) fn is_plain(common: &Common) -> bool {
    matches!(common.output, None | Some(Format::Table)) && common.query.is_none()
}

/// The last part of an ARN, which is what tells it from others of the account.
fn end_of(text: &str) -> String {
    if text.starts_with("arn:") { text.splitn(6, ':').last().unwrap_or(text).to_owned() } else { text.to_owned() }
}

/// A long name without its middle, since names of one kind differ at either end.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= NAME_CHARACTERS_MAX {
        return text.to_owned();
    }
    let half = NAME_CHARACTERS_MAX / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - (NAME_CHARACTERS_MAX - half - 1)).collect();
    format!("{head}…{tail}")
}

fn known(config: &Config, words: &Words) -> Result<(Engine, State)> {
    let engine = detect::engine(&[], BuiltIn::WithNotices, words)?;
    let (_, state) =
        kept::load(&engine, config)?.ok_or_else(|| Usage(words.get("findings.nothing_judged").to_owned()))?;
    Ok((engine, state))
}

fn chosen<'s>(engine: &Engine, state: &'s State, args: &FindingsListArgs, words: &Words) -> Result<Vec<&'s Finding>> {
    let since = args.since.as_deref().map(|text| print::time(text, crate::now())).transpose()?;
    let wanted = args.text.as_deref().map(str::to_lowercase);
    let has = |finding: &Finding| {
        wanted.as_deref().is_none_or(|wanted| {
            let title = spoken(engine, finding, words.lang()).title;
            let texts = [&finding.finding, &finding.principal, &finding.resource, &finding.source_ip];
            let texts = texts.into_iter().flatten().chain([&finding.rule, &title]);
            texts.into_iter().any(|text| text.to_lowercase().contains(wanted))
        })
    };
    Ok(state
        .findings()
        .filter(|finding| args.level.is_none_or(|level| finding.level >= level))
        .filter(|finding| since.is_none_or(|since| finding.last_seen >= since))
        .filter(|finding| has(finding))
        .collect())
}

/// The words of a finding; of a rule that is not there any more, what the finding itself says.
fn spoken(engine: &Engine, finding: &Finding, lang: Lang) -> yagura_detect::Spoken {
    engine.rule(&finding.rule_id).map_or_else(
        || yagura_detect::Spoken {
            title: finding.finding.clone().unwrap_or_else(|| finding.rule.clone()),
            what: String::new(),
            check: String::new(),
            advice: String::new(),
        },
        |rule| rule.speak(finding, lang),
    )
}

fn document(engine: &Engine, finding: &Finding, lang: Lang) -> Value {
    let spoken = spoken(engine, finding, lang);
    let mut value = serde_json::to_value(finding).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        let said = [("title", spoken.title), ("what", spoken.what), ("check", spoken.check), ("do", spoken.advice)];
        members.extend(said.map(|(key, text)| (key.to_owned(), json!(text))));
    }
    value
}

fn describe(out: &mut dyn Write, engine: &Engine, finding: &Finding, words: &Words) -> io::Result<()> {
    let spoken = spoken(engine, finding, words.lang());
    writeln!(out, "{}  {}", words.get(&format!("level.{}", finding.level)), spoken.title)?;
    let kind = finding.finding.as_deref().unwrap_or(&finding.rule);
    writeln!(out, "{kind}  {:.1}  {}", finding.severity, finding.id)?;
    writeln!(out)?;
    if !spoken.what.is_empty() {
        writeln!(out, "{}\n", spoken.what)?;
    }
    let time = |time: &chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let lines = [
        ("principal", finding.principal.clone()),
        ("resource", finding.resource.clone()),
        ("source", finding.source_ip.clone()),
        ("account", finding.account.clone()),
        ("region", finding.region.clone()),
        ("count", Some(finding.count.to_string())),
        ("first", Some(time(&finding.first_seen))),
        ("last", Some(time(&finding.last_seen))),
        ("tactics", Some(finding.techniques.join(", ")).filter(|text| !text.is_empty())),
        ("rule", Some(finding.rule.clone())),
    ];
    let lines: Vec<(&str, String)> = lines.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    for (key, value) in lines {
        writeln!(out, "  {}: {value}", words.get(&format!("findings.column.{key}")))?;
    }
    for (key, text) in [("check", &spoken.check), ("do", &spoken.advice)] {
        if !text.is_empty() {
            writeln!(out, "\n{}\n  {text}", words.get(&format!("findings.{key}")))?;
        }
    }
    writeln!(out, "\n{}", words.get("findings.evidence"))?;
    for (field, values) in &finding.evidence {
        let shown: Vec<&str> = values.iter().take(VALUES_SHOWN_MAX).map(String::as_str).collect();
        let more = if values.len() > VALUES_SHOWN_MAX { " …" } else { "" };
        writeln!(out, "  {field}: {}{more}", shown.join(", "))?;
    }
    writeln!(out, "\n{}", words.fill("findings.raw", &[("id", &finding.id)]))
}

fn tell(out: &mut dyn Write, engine: &Engine, state: &State, incident: &Incident, words: &Words) -> io::Result<()> {
    let time = |time: &chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M").to_string();
    let mut who: Vec<String> =
        incident.principals.iter().take(VALUES_SHOWN_MAX).map(|principal| shortened(&end_of(principal))).collect();
    if incident.principals.len() > who.len() {
        who.push(format!("+{}", incident.principals.len() - who.len()));
    }
    let who = if who.is_empty() { "-".to_owned() } else { who.join(", ") };
    let level = words.get(&format!("level.{}", incident.level)).to_owned();
    let values: [(&str, &dyn std::fmt::Display); 4] = [
        ("level", &level),
        ("who", &who),
        ("first", &time(&incident.first_seen)),
        ("last", &time(&incident.last_seen)),
    ];
    writeln!(out, "{}", words.fill("findings.incident", &values))?;
    if let Some(sequence) = incident.sequence {
        writeln!(out, "  {sequence}")?;
    }
    let mut titles: BTreeMap<&str, String> = BTreeMap::new();
    for finding in incident.findings.iter().filter_map(|id| state.finding(id)) {
        titles.entry(&finding.rule).or_insert_with(|| spoken(engine, finding, words.lang()).title);
    }
    let steps: Vec<&[TimelineEntry]> =
        incident.timeline.chunk_by(|one, next| one.rule == next.rule && one.event == next.event).collect();
    for (step, times) in steps.iter().take(STEPS_SHOWN_MAX).filter_map(|steps| Some((steps.first()?, steps.len()))) {
        let tactic = step.tactic.map(|tactic| words.get(&format!("tactic.{}", tactic.as_str())).to_owned());
        let title = titles.get(step.rule.as_str()).cloned().unwrap_or_else(|| step.rule.clone());
        let event = step.event.as_deref().unwrap_or_default();
        let times = if times > 1 { format!("  ×{times}") } else { String::new() };
        writeln!(out, "  {}  {}: {title}  {event}{times}", time(&step.time), tactic.unwrap_or_default())?;
    }
    if steps.len() > STEPS_SHOWN_MAX {
        let more: usize = steps.iter().skip(STEPS_SHOWN_MAX).map(|steps| steps.len()).sum();
        writeln!(out, "  {}", words.fill("findings.more_steps", &[("count", &more)]))?;
    }
    let ids = incident.findings.iter().map(|id| id.as_str().chars().take(ID_CHARACTERS).collect::<String>());
    for ids in ids.collect::<Vec<_>>().chunks(IDS_A_LINE) {
        writeln!(out, "  yagura findings show {}", ids.join(" | "))?;
    }
    writeln!(out)
}

/// The events that a finding names, as they are kept, one a line.
fn raw_events(finding: &Finding, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let ids: Vec<&str> = finding.event_ids().collect();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let condition = match finding.source.as_str() {
        "cloudtrail" => format!("\"eventID\" IN ({})", ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(", ")),
        "eksaudit" | "waf" => {
            let id = if finding.source == "waf" { "record->'httpRequest'->>'requestId'" } else { "record->>'auditID'" };
            let ids = ids.iter().map(|id| quoted(id.split(':').next().unwrap_or(id)));
            format!("{id} IN ({})", ids.collect::<Vec<_>>().join(", "))
        }
        _ => {
            let places = ids.iter().filter_map(|id| {
                let (object, line) = id.rsplit_once(':')?;
                let line: u64 = line.parse().ok()?;
                Some(format!("(\"_object\" = {} AND \"_line\" = {line})", quoted(object)))
            });
            places.collect::<Vec<_>>().join(" OR ")
        }
    };
    if ids.is_empty() || condition.is_empty() {
        return Err(Usage(words.get("findings.no_events").to_owned()).into());
    }
    let days = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d").to_string();
    let what = if matches!(finding.source.as_str(), "cloudtrail" | "eksaudit" | "waf") { "record" } else { "*" };
    let sql = format!(
        "SELECT {what} FROM \"{}\" WHERE day >= DATE '{}' AND day <= DATE '{}' AND ({condition})",
        finding.source,
        days(finding.first_seen),
        days(finding.last_seen),
    );
    runtime.block_on(async {
        let mut answer = lake.query(&sql, yagura_lake::Tables::default(), false, 1).await?;
        let mut out = io::stdout().lock();
        while let Some(rows) = answer.next().await? {
            if what == "record" {
                for cells in lake_print::cells(&rows)? {
                    let record = cells.concat();
                    // A record that was delivered over many lines is the same on one.
                    match serde_json::from_str::<Value>(&record) {
                        Ok(value) => writeln!(out, "{value}")?,
                        Err(_) => writeln!(out, "{}", record.replace('\n', " "))?,
                    }
                }
            } else {
                lake_print::json_lines(&rows, &mut out)?;
            }
        }
        anyhow::Ok(())
    })?;
    Ok(Exit::Clean)
}
