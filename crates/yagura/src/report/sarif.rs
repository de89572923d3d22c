//! SARIF 2.1.0 (OASIS), as code scanning reads it: a result for each failed or unjudged resource.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};
use yagura_model::{Level, Status};

use super::Report;
use crate::words::Words;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let lang = words.lang();
    let mut rule_index: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rules: Vec<Value> = Vec::new();
    let mut results: Vec<Value> = Vec::new();
    for (row, control) in report.rows(words) {
        if !matches!(row.status, Status::Fail | Status::Unknown) {
            continue;
        }
        let index = *rule_index.entry(row.rule.as_str()).or_insert_with(|| {
            rules.push(json!({
                "id": row.rule,
                "name": row.rule,
                "shortDescription": { "text": control.title.get(lang) },
                "fullDescription": { "text": control.why.get(lang) },
                "help": { "text": control.fix.get(lang) },
                "defaultConfiguration": { "level": level(control.level) },
                "properties": { "tags": control.aws, "security-severity": security_severity(control.level) },
            }));
            rules.len() - 1
        });
        let mut location = json!({
            "logicalLocations": [{ "name": row.subject.id, "fullyQualifiedName": row.resource, "kind": "resource" }],
        });
        if let Some((file, line)) = report.lines.get(row.subject)
            && let Some(members) = location.as_object_mut()
        {
            members.insert(
                "physicalLocation".to_owned(),
                json!({ "artifactLocation": { "uri": uri(file) }, "region": { "startLine": line } }),
            );
        }
        results.push(json!({
            "ruleId": row.rule,
            "ruleIndex": index,
            "kind": if row.status == Status::Fail { "fail" } else { "open" },
            "level": if row.status == Status::Fail { level(row.level) } else { "none" },
            "message": { "text": format!("{}: {}", row.title, row.reason) },
            "locations": [location],
            "partialFingerprints": { "yaguraFindingId/v1": row.id },
            "properties": { "evidence": row.evidence, "account": row.account, "region": row.region },
        }));
    }
    write_run(&rules, &results, words, out)
}

/// Writes one run of these rules and results.
pub(crate) fn write_run(rules: &[Value], results: &[Value], words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Yagura",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "language": words.lang().code(),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A path as a URI reference (RFC 3986): what is neither unreserved nor a slash is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            b'\\' => uri.push('/'),
            other => {
                // Writing to a `String` does not fail.
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::High => "error",
        Level::Medium => "warning",
        Level::Low | Level::Informational => "note",
    }
}

/// The score by which code scanning orders results, on the scale of CVSS.
fn security_severity(level: Level) -> &'static str {
    match level {
        Level::Critical => "9.5",
        Level::High => "8.0",
        Level::Medium => "5.5",
        Level::Low => "3.0",
        Level::Informational => "0.0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_uri() {
        for (path, expected) in [
            ("a/b.yml", "a/b.yml"),
            ("my stack%.yml", "my%20stack%25.yml"),
            ("櫓.yml", "%E6%AB%93.yml"),
            ("a\\b", "a/b"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
