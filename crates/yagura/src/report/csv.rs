//! CSV: one verdict a row, for spreadsheets.

use std::io::{self, Write};

use super::Report;
use crate::words::Words;

const COLUMNS: [&str; 13] = [
    "id",
    "rule",
    "aws",
    "title",
    "status",
    "level",
    "account",
    "region",
    "resource_type",
    "resource",
    "reason",
    "evidence",
    "standards",
];

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(COLUMNS)?;
    for (row, _) in report.rows(words) {
        let evidence = serde_json::to_string(&row.evidence)?;
        let standards: Vec<String> = row
            .standards
            .iter()
            .map(|(standard, requirements)| format!("{standard}: {}", requirements.join(" ")))
            .collect();
        let cells = [
            row.id.as_str(),
            row.rule.as_str(),
            &row.aws.join(" "),
            row.title,
            row.status.as_str(),
            row.level.as_str(),
            row.account.as_str(),
            row.region.as_str(),
            row.resource_type,
            row.resource,
            &row.reason,
            &evidence,
            &standards.join("; "),
        ];
        csv.write_record(cells.map(inert))?;
    }
    csv.flush()
}

/// A cell that a spreadsheet does not take for a formula: what an account holds may be chosen by an attacker.
/// See OWASP, "CSV Injection".
fn inert(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_formula_is_made_inert() {
        assert_eq!(super::inert("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(super::inert("arn:aws:s3:::a"), "arn:aws:s3:::a");
    }
}
