//! The table: what a person at a terminal needs, the five things to do first at the top.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use console::{Style, measure_text_width};
use yagura_analyze::assess;
use yagura_model::{Lang, Level, Status};

use super::{FIRST_THINGS, Report};
use crate::words::Words;

/// Resources named under one thing to do; the rest is counted.
const SUBJECTS_SHOWN: usize = 3;

/// Kinds of failed calls listed; the rest is counted.
const GAPS_SHOWN: usize = 12;

/// The width when there is no terminal to ask.
const WIDTH_DEFAULT: usize = 100;

/// Lines wider than this tire the eye, whatever the terminal's width.
const WIDTH_MAX: usize = 120;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", heading(report, words))?;
    write_first(report, words, out)?;
    write_levels(report, words, out)?;
    write_standards(report, words, out)?;
    write_gaps(report, words, out)?;
    write_calls(report, words, out)
}

fn heading(report: &Report<'_>, words: &Words) -> String {
    let regions: Vec<&str> = report.regions.iter().map(yagura_model::Region::as_str).collect();
    let mut heading = words.fill(
        "table.heading",
        &[
            ("source", &report.source),
            ("resources", &report.inventory.resources().len()),
            ("regions", &regions.join(", ")),
        ],
    );
    let disabled = report.inventory.disabled_regions();
    if !disabled.is_empty() {
        let names: Vec<&str> = disabled.iter().map(|(_, region)| region.as_str()).collect();
        let _ = write!(heading, "\n{}", words.fill("table.disabled", &[("regions", &names.join(", "))]));
    }
    heading
}

fn write_first(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let lang = words.lang();
    let actions = report.actions();
    if actions.is_empty() {
        return writeln!(out, "\n{}", bold(words.get("table.nothing_first")));
    }
    writeln!(out, "\n{}", bold(words.get("table.first")))?;
    for (number, action) in (1..=FIRST_THINGS).zip(&actions) {
        let control = action.control;
        let level = words.get(level_key(control.level)).to_owned();
        let time = control.minutes.map(|minutes| words.fill("table.minutes", &[("minutes", &minutes)]));
        let time = time.map(|time| format!("  {}", dim(&time))).unwrap_or_default();
        writeln!(
            out,
            "\n {number}. {} {}{time}",
            colour(control.level).apply_to(level),
            bold(control.title.get(lang))
        )?;
        let shown: Vec<String> =
            action.subjects.iter().take(SUBJECTS_SHOWN).map(|subject| report.display_name(subject)).collect();
        let mut subjects = shown.join(", ");
        let rest = action.subjects.len().saturating_sub(SUBJECTS_SHOWN);
        if rest > 0 {
            subjects.push_str(&words.fill("table.more", &[("count", &rest)]));
        }
        write_labelled(out, words.get("table.where"), &subjects)?;
        write_labelled(out, words.get("table.why"), control.why.get(lang))?;
        write_labelled(out, words.get("table.how"), control.fix.get(lang))?;
        if let Some(command) = action.subjects.first().and_then(|subject| report.command(control, subject)) {
            // Not wrapped: it is there to be copied.
            writeln!(out, "    {} {}", dim("$"), Style::new().cyan().apply_to(command.trim()))?;
        }
        writeln!(out, "    {}", dim(&format!("yagura rule show {}", control.name)))?;
    }
    let more = actions.len().saturating_sub(FIRST_THINGS);
    if more > 0 {
        writeln!(out, "\n {}", words.fill("table.more_rules", &[("count", &more)]))?;
    }
    Ok(())
}

fn write_labelled(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    let indent = 4 + measure_text_width(label) + 1;
    for (index, line) in wrap(text.trim(), width().saturating_sub(indent).max(20)).iter().enumerate() {
        if index == 0 {
            writeln!(out, "    {} {line}", dim(label))?;
        } else {
            writeln!(out, "{}{line}", " ".repeat(indent))?;
        }
    }
    Ok(())
}

fn write_levels(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let mut table = plain_table();
    table.set_header(
        ["table.level", "status.fail", "status.pass", "status.unknown", "status.not_applicable"]
            .map(|key| words.get(key)),
    );
    for (level, counts) in assess::by_level(report.verdicts, report.rules).iter().rev() {
        table.add_row(vec![
            Cell::new(words.get(level_key(*level))),
            number(counts.fail),
            number(counts.pass),
            number(counts.unknown),
            number(counts.not_applicable),
        ]);
    }
    let totals = assess::totals(report.verdicts);
    table.add_row(vec![
        Cell::new(words.get("table.total")),
        number(totals.fail),
        number(totals.pass),
        number(totals.unknown),
        number(totals.not_applicable),
    ]);
    writeln!(out, "\n{}\n{table}", bold(words.get("table.levels")))?;
    let coverage = format!("{:.1}", totals.coverage_percent());
    let judged = totals.pass + totals.fail;
    let all = judged + totals.unknown;
    writeln!(out, "{}", words.fill("table.coverage", &[("percent", &coverage), ("judged", &judged), ("all", &all)]))
}

fn write_standards(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    if report.standards.is_empty() {
        return Ok(());
    }
    let mut table = plain_table();
    table.set_header(
        [
            "table.standard",
            "table.score",
            "table.standard_coverage",
            "standing.passed",
            "standing.failed",
            "standing.unknown",
            "standing.not_applicable",
            "standing.not_implemented",
        ]
        .map(|key| words.get(key)),
    );
    for (standard, score) in report.scores() {
        table.add_row(vec![
            Cell::new(format!("{} {}", standard.title.get(words.lang()), standard.version)),
            Cell::new(score.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0} %")))
                .set_alignment(CellAlignment::Right),
            Cell::new(format!("{:.0} %", score.coverage_percent())).set_alignment(CellAlignment::Right),
            number(score.passed),
            number(score.failed),
            number(score.unknown),
            number(score.not_applicable),
            number(score.not_implemented + score.manual),
        ]);
    }
    writeln!(out, "\n{}\n{table}", bold(words.get("table.standards")))
}

fn write_gaps(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let gaps = report.gaps();
    let evaluation_errors = report
        .verdicts
        .iter()
        .filter(|verdict| verdict.status == Status::Unknown)
        .filter(|verdict| {
            verdict.missing.iter().any(|missing| matches!(missing, yagura_model::Missing::Evaluation { .. }))
        })
        .count();
    if gaps.is_empty() && evaluation_errors == 0 {
        return Ok(());
    }
    writeln!(out, "\n{}", bold(words.get("table.gaps")))?;
    for gap in gaps.iter().take(GAPS_SHOWN) {
        let call = format!("{}:{}", gap.service, gap.operation);
        let regions: Vec<&str> = gap.regions.iter().map(yagura_model::Region::as_str).collect();
        let line = words.fill(
            "table.gap",
            &[
                ("call", &call),
                ("error", &gap.error),
                ("regions", &regions.join(", ")),
                ("count", &gap.verdicts),
                ("rules", &gap.rules.len()),
            ],
        );
        writeln!(out, "  {line}")?;
    }
    let rest = gaps.len().saturating_sub(GAPS_SHOWN);
    if rest > 0 {
        writeln!(out, "  {}", words.fill("table.more_gaps", &[("count", &rest)]))?;
    }
    if evaluation_errors > 0 {
        writeln!(out, "  {}", words.fill("table.evaluation_errors", &[("count", &evaluation_errors)]))?;
    }
    if let Some(statement) = assess::missing_permissions(&gaps) {
        writeln!(out, "\n{}", words.get("table.permissions"))?;
        writeln!(out, "{}", serde_json::to_string_pretty(&statement)?)?;
    }
    Ok(())
}

fn write_calls(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    if report.calls.is_empty() {
        return Ok(());
    }
    let sum = |of: fn(&super::CallRow) -> u64| report.calls.iter().map(of).sum::<u64>();
    let line = words.fill(
        "table.calls",
        &[
            ("calls", &sum(|row| row.calls)),
            ("operations", &report.calls.len()),
            ("throttled", &sum(|row| row.throttled)),
            ("denied", &sum(|row| row.denied)),
        ],
    );
    writeln!(out, "\n{}", dim(&line))
}

/// A table with no lines but one under its head: what is copied from it stays text.
pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn number(count: usize) -> Cell {
    Cell::new(count).set_alignment(CellAlignment::Right)
}

pub(crate) fn level_key(level: Level) -> &'static str {
    match level {
        Level::Critical => "level.critical",
        Level::High => "level.high",
        Level::Medium => "level.medium",
        Level::Low => "level.low",
        Level::Informational => "level.informational",
    }
}

fn colour(level: Level) -> Style {
    match level {
        Level::Critical => Style::new().white().on_red().bold(),
        Level::High => Style::new().red().bold(),
        Level::Medium => Style::new().yellow().bold(),
        Level::Low | Level::Informational => Style::new().blue(),
    }
}

fn bold(text: &str) -> String {
    Style::new().bold().apply_to(text).to_string()
}

fn dim(text: &str) -> String {
    Style::new().dim().apply_to(text).to_string()
}

fn width() -> usize {
    let terminal = console::Term::stdout();
    if !terminal.is_term() {
        return WIDTH_DEFAULT;
    }
    usize::from(terminal.size().1).clamp(40, WIDTH_MAX)
}

/// `text` in lines of at most `width` columns: broken at blanks, and within runs of wide characters (Japanese has no
/// blanks), never before a closing mark.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    const NEVER_FIRST: &str = "、。，．）」』】ーっゃゅょッャュョぁぃぅぇぉァィゥェォ!?！？:：;；)]}";
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut word = String::new();
    let flush = |line: &mut String, word: &mut String, lines: &mut Vec<String>| {
        if !line.trim_end().is_empty() && measure_text_width(line) + measure_text_width(word) > width {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        line.push_str(word);
        word.clear();
    };
    for character in text.chars() {
        let wide = measure_text_width(character.encode_utf8(&mut [0; 4])) > 1;
        if character == '\n' {
            flush(&mut line, &mut word, &mut lines);
            lines.push(line.trim_end().to_owned());
            line.clear();
        } else if character == ' ' {
            flush(&mut line, &mut word, &mut lines);
            if !line.is_empty() {
                line.push(' ');
            }
        } else if wide && !NEVER_FIRST.contains(character) {
            flush(&mut line, &mut word, &mut lines);
            word.push(character);
        } else {
            word.push(character);
        }
    }
    flush(&mut line, &mut word, &mut lines);
    lines.push(line.trim_end().to_owned());
    lines
}

/// The words between items of a list.
pub(crate) fn separator(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ", ",
        Lang::Ja => "、",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_blanks_and_between_wide_characters() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("バケットが公開。", 8), ["バケット", "が公開。"]);
        for line in wrap("バケットが公開されている。誰でも読める。", 10) {
            assert!(measure_text_width(&line) <= 10 + 2, "{line}");
            assert!(!line.starts_with('。'), "{line}");
        }
    }
}
