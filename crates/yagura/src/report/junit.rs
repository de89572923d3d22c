//! `JUnit` XML, as CI systems read it: a suite a rule, a case a resource; `unknown` is an error, not a skip.

use std::collections::BTreeMap;
use std::io::{self, Write};

use yagura_model::Status;

use super::{Report, Row};
use crate::words::Words;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: BTreeMap<String, Vec<Row<'_>>> = BTreeMap::new();
    for (row, _) in report.rows(words) {
        suites.entry(row.rule.to_string()).or_default().push(row);
    }
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="yagura">"#)?;
    for (rule, rows) in suites {
        let count = |status: Status| rows.iter().filter(|row| row.status == status).count();
        writeln!(
            out,
            r#"  <testsuite name="{}" tests="{}" failures="{}" errors="{}" skipped="{}">"#,
            escaped(&rule),
            rows.len(),
            count(Status::Fail),
            count(Status::Unknown),
            count(Status::NotApplicable)
        )?;
        for row in rows {
            let (name, class) = (escaped(row.resource), escaped(&rule));
            match row.status {
                Status::Pass => writeln!(out, r#"    <testcase classname="{class}" name="{name}"/>"#)?,
                Status::NotApplicable => {
                    writeln!(out, r#"    <testcase classname="{class}" name="{name}"><skipped/></testcase>"#)?;
                }
                Status::Fail | Status::Unknown => {
                    let element = if row.status == Status::Fail { "failure" } else { "error" };
                    let evidence = serde_json::to_string(&row.evidence)?;
                    writeln!(
                        out,
                        r#"    <testcase classname="{class}" name="{name}"><{element} type="{}" message="{}">{}</{element}></testcase>"#,
                        row.level.as_str(),
                        escaped(row.title),
                        escaped(&format!("{} {evidence}", row.reason)),
                    )?;
                }
            }
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

/// `text` as XML 1.0 character data or attribute value; characters that XML has no way to write are left out.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' | '\r' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => {}
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}
