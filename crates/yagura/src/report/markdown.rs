//! Markdown, for an issue, a wiki or a pull request.

use std::io::{self, Write};

use yagura_analyze::assess;
use yagura_model::Status;

use super::table::{level_key, separator};
use super::{FIRST_THINGS, Report};
use crate::words::Words;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let lang = words.lang();
    writeln!(out, "# {}\n", words.fill("html.title", &[("source", &report.source)]))?;
    let totals = assess::totals(report.verdicts);
    let coverage = format!("{:.1}", totals.coverage_percent());
    let judged = totals.pass + totals.fail;
    let all = judged + totals.unknown;
    writeln!(out, "{}\n", words.fill("table.coverage", &[("percent", &coverage), ("judged", &judged), ("all", &all)]))?;
    writeln!(out, "## {}\n", words.get("table.first"))?;
    for (number, action) in (1..=FIRST_THINGS).zip(&report.actions()) {
        let control = action.control;
        writeln!(out, "{number}. **{}** ({})", cell(control.title.get(lang)), words.get(level_key(control.level)))?;
        let subjects: Vec<String> =
            action.subjects.iter().map(|subject| format!("`{}`", report.display_name(subject))).collect();
        writeln!(out, "   - {} {}", words.get("table.where"), subjects.join(separator(lang)))?;
        writeln!(out, "   - {} {}", words.get("table.why"), cell(control.why.get(lang).trim()))?;
        writeln!(out, "   - {} {}", words.get("table.how"), cell(control.fix.get(lang).trim()))?;
        if let Some(command) = action.subjects.first().and_then(|subject| report.command(control, subject)) {
            writeln!(out, "\n     ```sh\n     {}\n     ```", command.trim())?;
        }
    }
    writeln!(out, "\n## {}\n", words.get("table.standards"))?;
    writeln!(
        out,
        "| {} | {} | {} |\n| --- | ---: | ---: |",
        words.get("table.standard"),
        words.get("table.score"),
        words.get("table.standard_coverage")
    )?;
    for (standard, score) in report.scores() {
        let percent = score.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0} %"));
        writeln!(
            out,
            "| {} {} | {percent} | {:.0} % |",
            standard.title.get(lang),
            standard.version,
            score.coverage_percent()
        )?;
    }
    writeln!(out, "\n## {}\n", words.get("html.findings"))?;
    writeln!(
        out,
        "| {} | {} | {} | {} |\n| --- | --- | --- | --- |",
        words.get("table.level"),
        words.get("html.status"),
        words.get("html.rule"),
        words.get("html.resource")
    )?;
    for (row, _) in report.rows(words).filter(|(row, _)| matches!(row.status, Status::Fail | Status::Unknown)) {
        writeln!(
            out,
            "| {} | {} | {} | `{}` |",
            words.get(level_key(row.level)),
            words.get(&format!("status.{}", row.status.as_str())),
            cell(row.title),
            cell(row.resource)
        )?;
    }
    Ok(())
}

/// Text as one cell of a table: no line end, no bar, no markup of the account's choosing.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
}
