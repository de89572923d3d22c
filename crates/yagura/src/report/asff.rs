//! AWS Security Finding Format, schema 2018-10-08: what `securityhub:BatchImportFindings` takes.
//!
//! Limits are those of the Security Hub user guide, "Required top-level ASFF attributes" and "Optional top-level ASFF
//! attributes"; a text over its limit is cut at a character.

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use yagura_model::{Level, Status};

use super::{Report, Row};
use crate::words::Words;

const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 1024;
const RECOMMENDATION_CHARS_MAX: usize = 512;
const STATUS_REASON_CHARS_MAX: usize = 2048;
const RELATED_REQUIREMENTS_MAX: usize = 32;

pub(super) fn write(report: &Report<'_>, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, (row, control)) in report.rows(words).enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &finding(report, &row, control.fix.get(words.lang())))?;
    }
    out.write_all(b"\n]\n")
}

fn finding(report: &Report<'_>, row: &Row<'_>, fix: &str) -> Value {
    let at = report.at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let partition = row.resource.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).unwrap_or("aws");
    let region = if row.region.is_global() { home_region(partition) } else { row.region.as_str() };
    let (compliance, reason_code) = match row.status {
        Status::Pass => ("PASSED", None),
        Status::Fail => ("FAILED", None),
        Status::Unknown => ("WARNING", Some("CONFIG_EVALUATIONS_EMPTY")),
        Status::NotApplicable => ("NOT_AVAILABLE", None),
    };
    let mut status = Map::new();
    status.insert("Status".to_owned(), json!(compliance));
    if let Some(code) = reason_code {
        let description = cut(&row.reason, STATUS_REASON_CHARS_MAX);
        status.insert("StatusReasons".to_owned(), json!([{ "ReasonCode": code, "Description": description }]));
    }
    let requirements: Vec<String> = row
        .standards
        .iter()
        .flat_map(|(standard, requirements)| {
            requirements.iter().map(move |requirement| format!("{standard} {requirement}"))
        })
        .take(RELATED_REQUIREMENTS_MAX)
        .collect();
    if !requirements.is_empty() {
        status.insert("RelatedRequirements".to_owned(), json!(requirements));
    }
    if let Some(control) = row.aws.iter().find(|id| is_control(id)) {
        status.insert("SecurityControlId".to_owned(), json!(control));
    }
    let label = if row.status == Status::Fail { label(row.level) } else { "INFORMATIONAL" };
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("yagura/{}", row.id),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default", account = row.account),
        "ProductName": "Yagura",
        "GeneratorId": format!("yagura/{}", row.rule),
        "AwsAccountId": row.account,
        "Region": region,
        "CreatedAt": at,
        "UpdatedAt": at,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "Severity": { "Label": label, "Original": row.level },
        "Title": cut(row.title, TITLE_CHARS_MAX),
        "Description": cut(&row.reason, DESCRIPTION_CHARS_MAX),
        "Remediation": { "Recommendation": { "Text": cut(fix.trim(), RECOMMENDATION_CHARS_MAX) } },
        "Resources": [{
            "Type": asff_type(row.resource_type),
            "Id": row.resource,
            "Partition": partition,
            "Region": region,
        }],
        "Compliance": status,
        "Workflow": { "Status": if row.status == Status::Pass { "RESOLVED" } else { "NEW" } },
        "RecordState": "ACTIVE",
    })
}

/// `S3.14`, as against a Config rule's `S3_BUCKET_VERSIONING_ENABLED` or a Trusted Advisor id.
fn is_control(id: &str) -> bool {
    id.split_once('.').is_some_and(|(service, number)| {
        !service.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// ASFF's spelling of a CloudFormation type: `AWS::EC2::Instance` → `AwsEc2Instance`.
fn asff_type(kind: &str) -> String {
    let mut parts = kind.split("::");
    match (parts.next(), parts.next(), parts.next()) {
        (Some("AWS"), Some(""), Some("Account" | "Region")) => "AwsAccount".to_owned(),
        (Some("AWS"), Some(service), Some(name)) => format!("Aws{}{}", capitalised(service), capitalised(name)),
        _ => "Other".to_owned(),
    }
}

/// An acronym as ASFF writes it: `EC2` → `Ec2`, `DBInstance` → `DbInstance`, `IAM` → `Iam`.
fn capitalised(word: &str) -> String {
    let characters: Vec<char> = word.chars().collect();
    let mut written = String::with_capacity(word.len());
    for (index, &character) in characters.iter().enumerate() {
        let after_upper = index > 0 && characters.get(index - 1).is_some_and(char::is_ascii_uppercase);
        let before_lower = characters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if after_upper && !before_lower { written.extend(character.to_lowercase()) } else { written.push(character) }
    }
    written
}

fn home_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

fn label(level: Level) -> &'static str {
    match level {
        Level::Critical => "CRITICAL",
        Level::High => "HIGH",
        Level::Medium => "MEDIUM",
        Level::Low => "LOW",
        Level::Informational => "INFORMATIONAL",
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_spelt_as_in_asff() {
        for (cloudformation, asff) in [
            ("AWS::EC2::Instance", "AwsEc2Instance"),
            ("AWS::RDS::DBInstance", "AwsRdsDbInstance"),
            ("AWS::S3::Bucket", "AwsS3Bucket"),
            ("AWS::IAM::User", "AwsIamUser"),
            ("AWS::::Account", "AwsAccount"),
            ("AWS::SNS::Topic", "AwsSnsTopic"),
            ("AWS::CloudTrail::Trail", "AwsCloudTrailTrail"),
        ] {
            assert_eq!(asff_type(cloudformation), asff);
        }
    }

    #[test]
    fn a_control_is_told_from_other_identifiers() {
        assert!(is_control("S3.14") && is_control("AutoScaling.1"));
        assert!(!is_control("S3_BUCKET_VERSIONING_ENABLED") && !is_control("Pfx0RwqBli") && !is_control("."));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(cut("日本語です", 4), "日本語…");
        assert_eq!(cut("short", 256), "short");
    }
}
