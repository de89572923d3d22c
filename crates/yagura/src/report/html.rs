//! One HTML page that needs nothing else: no request leaves the machine that opens it.
//!
//! The page is `report.html` with the result as JSON inside; a content security policy allows its own script and style
//! by hash-free inline nonces only, and every text enters the page as text, never as markup.

use std::io::{self, Write};

use serde_json::{Value, json};
use yagura_model::Status;

use super::table::level_key;
use super::{FIRST_THINGS, Report, json as json_form};
use crate::words::Words;

const PAGE: &str = include_str!("report.html");

/// Findings that the page holds; a browser stays quick with these, and ndjson has them all.
const ROWS_MAX: usize = 20_000;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let title = words.fill("html.title", &[("source", &report.source)]);
    let data = serde_json::to_string(&data(report, words))?;
    // `</script>` and `<!--` inside the data would end or change the script element.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        out.write_all(before.as_bytes())?;
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let value = match name {
            "lang" => words.lang().code(),
            "title" => &super::junit::escaped(&title),
            "data" => &data,
            _ => "",
        };
        out.write_all(value.as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

fn data(report: &Report<'_>, words: &Words) -> Value {
    let lang = words.lang();
    let rows: Vec<Value> = report
        .rows(words)
        .filter(|(row, _)| matches!(row.status, Status::Fail | Status::Unknown))
        .take(ROWS_MAX)
        .map(|(row, control)| {
            json!({
                "rule": row.rule,
                "aws": row.aws,
                "title": row.title,
                "status": row.status,
                "level": row.level,
                "account": row.account,
                "region": row.region,
                "type": row.resource_type,
                "resource": row.resource,
                "reason": row.reason,
                "evidence": row.evidence,
                "standards": row.standards,
                "fix": control.fix.get(lang),
                "minutes": control.minutes,
                "command": report.command(control, row.subject),
            })
        })
        .collect();
    let concerned =
        report.verdicts.iter().filter(|verdict| matches!(verdict.status, Status::Fail | Status::Unknown)).count();
    let levels: serde_json::Map<String, Value> = yagura_model::Level::WORST_FIRST
        .into_iter()
        .map(|level| (level.as_str().to_owned(), json!(words.get(level_key(level)))))
        .collect();
    let mut text = serde_json::Map::new();
    for key in TEXTS {
        text.insert((*key).to_owned(), json!(words.get(key)));
    }
    json!({
        "summary": serde_json::to_value(json_form::summary(report, words)).unwrap_or_default(),
        "first_count": FIRST_THINGS,
        "rows": rows,
        "rows_left_out": concerned.saturating_sub(rows.len()),
        "levels": levels,
        "text": text,
    })
}

/// The words that the page's script uses.
const TEXTS: &[&str] = &[
    "html.title_plain",
    "html.findings",
    "html.search",
    "html.all",
    "html.status",
    "html.rule",
    "html.resource",
    "html.region",
    "html.evidence",
    "html.none_match",
    "html.shown",
    "html.left_out",
    "html.judged_at",
    "html.resources",
    "html.regions",
    "html.coverage",
    "html.copy",
    "html.copied",
    "html.account",
    "html.resources_more",
    "html.disabled",
    "table.first",
    "table.nothing_first",
    "table.where",
    "table.why",
    "table.how",
    "table.minutes",
    "table.levels",
    "table.level",
    "table.standards",
    "table.standard",
    "table.score",
    "table.standard_coverage",
    "table.gaps",
    "table.gap",
    "table.permissions",
    "table.coverage",
    "standing.passed",
    "standing.failed",
    "standing.unknown",
    "standing.not_applicable",
    "standing.not_implemented",
    "status.fail",
    "status.pass",
    "status.unknown",
    "status.not_applicable",
];

#[cfg(test)]
mod tests {
    use yagura_model::Lang;

    use super::*;

    #[test]
    fn every_word_of_the_page_exists() {
        for lang in [Lang::En, Lang::Ja] {
            let words = Words::of(lang).unwrap();
            for key in TEXTS {
                assert!(words.find(key).is_some(), "{key}");
            }
        }
        for used in PAGE.split("t(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(TEXTS.contains(&used), "the page uses `{used}`");
        }
    }
}
