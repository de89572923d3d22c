//! OCSF Compliance Findings (class 2003), schema 1.5.0, one a line.

use std::io::{self, Write};

use serde_json::{Value, json};
use yagura_model::{Level, Status};

use super::{Report, Row};
use crate::words::Words;

const SCHEMA_VERSION: &str = "1.5.0";
const CATEGORY_FINDINGS: u32 = 2;
const CLASS_COMPLIANCE_FINDING: u32 = 2003;
const ACTIVITY_CREATE: u32 = 1;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    for (row, control) in report.rows(words) {
        serde_json::to_writer(
            &mut *out,
            &finding(report, &row, control.why.get(words.lang()), control.fix.get(words.lang())),
        )?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn finding(report: &Report<'_>, row: &Row<'_>, why: &str, fix: &str) -> Value {
    let time = report.at.timestamp_millis();
    let (severity_id, severity) = severity(row);
    let (status_id, status) = match row.status {
        Status::Pass => (1, "Pass"),
        Status::Fail => (3, "Fail"),
        Status::Unknown => (0, "Unknown"),
        Status::NotApplicable => (99, "Not applicable"),
    };
    let standards: Vec<&str> = row.standards.keys().copied().collect();
    let requirements: Vec<&str> = row.standards.values().flatten().copied().collect();
    let region = (!row.region.is_global()).then_some(row.region);
    json!({
        "activity_id": ACTIVITY_CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY_FINDINGS,
        "category_name": "Findings",
        "class_uid": CLASS_COMPLIANCE_FINDING,
        "class_name": "Compliance Finding",
        "type_uid": CLASS_COMPLIANCE_FINDING * 100 + ACTIVITY_CREATE,
        "type_name": "Compliance Finding: Create",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "time": time,
        "message": row.reason,
        "metadata": {
            "version": SCHEMA_VERSION,
            "product": { "name": "Yagura", "vendor_name": "Yagura", "version": env!("CARGO_PKG_VERSION") },
            "profiles": ["cloud"],
            "event_code": row.rule,
            "uid": row.id,
        },
        "cloud": { "provider": "AWS", "region": region, "account": { "uid": row.account, "type_id": 10, "type": "AWS Account" } },
        "finding_info": {
            "uid": row.id,
            "title": row.title,
            "desc": why.trim(),
            "created_time": time,
            "analytic": { "type_id": 1, "type": "Rule", "uid": row.rule, "name": row.title },
        },
        "compliance": {
            "control": row.aws.first().map_or(row.rule.as_str(), String::as_str),
            "requirements": requirements,
            "standards": standards,
            "status_id": status_id,
            "status": status,
            "status_detail": row.reason,
        },
        "remediation": { "desc": fix.trim() },
        "resources": [{
            "uid": row.resource,
            "type": row.resource_type,
            "cloud_partition": row.resource.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or("aws"),
            "region": region,
        }],
        "unmapped": { "evidence": row.evidence },
    })
}

fn severity(row: &Row<'_>) -> (u32, &'static str) {
    if row.status != Status::Fail {
        return (1, "Informational");
    }
    match row.level {
        Level::Critical => (5, "Critical"),
        Level::High => (4, "High"),
        Level::Medium => (3, "Medium"),
        Level::Low => (2, "Low"),
        Level::Informational => (1, "Informational"),
    }
}
