//! JSON: one document, or one verdict a line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;
use yagura_analyze::assess;

use super::{FIRST_THINGS, Report};
use crate::words::Words;

/// One verdict a line.
pub(super) fn write_lines(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    for (row, _) in report.rows(words) {
        serde_json::to_writer(&mut *out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Summary and verdicts in one document. The verdicts are written one by one, so that memory does not grow with them.
pub(super) fn write_document(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"summary\":")?;
    serde_json::to_writer(&mut *out, &summary(report, words))?;
    out.write_all(b",\"verdicts\":[")?;
    for (index, (row, _)) in report.rows(words).enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &row)?;
    }
    out.write_all(b"\n]}\n")
}

/// What stands above the verdicts.
pub(super) fn summary(report: &Report<'_>, words: &Words) -> impl Serialize + use<> {
    let totals = assess::totals(report.verdicts);
    let lang = words.lang();
    let first: Vec<_> = report
        .actions()
        .iter()
        .take(FIRST_THINGS)
        .map(|action| {
            json!({
                "rule": action.control.name,
                "level": action.control.level,
                "title": action.control.title.get(lang),
                "why": action.control.why.get(lang),
                "fix": action.control.fix.get(lang),
                "minutes": action.control.minutes,
                "command": action.subjects.first().and_then(|subject| report.command(action.control, subject)),
                "resources": action.subjects.iter().map(|subject| report.arn_or_id(subject)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let gaps = report.gaps();
    json!({
        "source": report.source,
        "accounts": report.accounts,
        "regions": report.regions,
        "regions_disabled": report.inventory.disabled_regions().iter().map(|(_, region)| region).collect::<Vec<_>>(),
        "at": report.at,
        "version": env!("CARGO_PKG_VERSION"),
        "resources": report.inventory.resources().len(),
        "totals": { "pass": totals.pass, "fail": totals.fail, "unknown": totals.unknown, "not_applicable": totals.not_applicable },
        "coverage_percent": totals.coverage_percent(),
        "first": first,
        "standards": report.scores().into_iter().map(|(standard, score)| json!({
            "id": standard.id,
            "title": standard.title.get(lang),
            "version": standard.version,
            "percent": score.percent(),
            "coverage_percent": score.coverage_percent(),
            "passed": score.passed,
            "failed": score.failed,
            "unknown": score.unknown,
            "not_applicable": score.not_applicable,
            "manual": score.manual,
            "not_implemented": score.not_implemented,
        })).collect::<Vec<_>>(),
        "could_not_look": gaps.iter().map(|gap| json!({
            "service": gap.service,
            "operation": gap.operation,
            "cause": gap.cause,
            "error": gap.error,
            "action": gap.action,
            "regions": gap.regions,
            "rules": gap.rules,
            "verdicts": gap.verdicts,
        })).collect::<Vec<_>>(),
        "missing_permissions": assess::missing_permissions(&gaps),
        "calls": report.calls,
    })
}
