//! A control: what a good resource looks like, in words and as an expression.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use yagura_model::{Level, Resource, ResourceType, RuleName, Status, Text, Unread};

use crate::guard::GuardRules;
use crate::program::Program;
use crate::reads::Reads;

/// One rule file, `rules/controls/<service>/<good-state>.yml`.
#[derive(Debug)]
pub struct Control {
    /// Its path under `rules/controls/` without the ending.
    pub name: RuleName,
    /// A UUID that never changes, in lower case.
    pub id: String,
    /// What is good, in one line.
    pub title: Text,
    /// Why it matters.
    pub why: Text,
    /// What to do.
    pub fix: Text,
    /// How bad a failure is.
    pub level: Level,
    /// AWS's own names for the same: Config managed rules, Security Hub controls, Trusted Advisor checks.
    pub aws: Vec<String>,
    /// The types that are judged.
    pub subjects: Vec<ResourceType>,
    /// A command that fixes it, where one does.
    pub command: Option<Command>,
    /// How long the fix takes a person.
    pub minutes: Option<u32>,
    /// Where false, the control does not speak of the resource.
    pub when: Option<Program>,
    /// What is to be true.
    pub logic: Logic,
    /// The tests that the file carries.
    pub cases: Vec<Case>,
}

impl Control {
    /// What its expressions may read. Of Guard rules, whose queries go where the document goes, nothing is known.
    pub fn reads(&self) -> Reads {
        let mut reads = self.when.as_ref().map(Program::reads).unwrap_or_default();
        if let Logic::Cel(program) = &self.logic {
            reads.merge(program.reads());
        }
        reads
    }
}

/// How a control judges.
#[derive(Debug)]
pub enum Logic {
    /// An expression that is true of a good resource.
    Cel(Program),
    /// Guard rules that a good resource passes.
    Guard(GuardRules),
}

/// One test: a resource, what lies around it, and the verdict that is right.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// Its line in the file.
    pub line: u64,
    /// The right verdict.
    pub expect: Status,
    /// The resource that is judged.
    pub subject: Resource,
    /// Other resources.
    pub others: Vec<Resource>,
    /// Types that could not be listed.
    pub unlisted: Vec<ResourceType>,
    /// The time of the judgement.
    pub now: DateTime<Utc>,
}

/// A command line with places for what is known of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `Id`, or a path from `Properties` or `Attributes`.
    Place(Vec<String>),
}

impl Command {
    /// Reads a command; the error names the place that is unknown.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let place = after.split_once('}').filter(|(place, _)| {
                place.starts_with(|first: char| first.is_ascii_alphabetic())
                    && place.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
            });
            let Some((place, after)) = place else {
                // A brace of JSON or of the shell.
                parts.push(Part::Text(format!("{before}{{")));
                rest = after;
                continue;
            };
            let keys: Vec<String> = place.split('.').map(str::to_owned).collect();
            let known = match keys.as_slice() {
                [field] => ["Id", "Arn", "Name", "Region", "Account"].contains(&field.as_str()),
                [section, keys @ ..] => {
                    ["Properties", "Attributes"].contains(&section.as_str()) && keys.iter().all(|key| !key.is_empty())
                }
                [] => false,
            };
            if !known {
                return Err(format!(
                    "unknown place `{{{place}}}`, expected {{Id}}, {{Arn}}, {{Name}}, {{Region}}, {{Account}} or \
                     {{Properties.X}}"
                ));
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(keys));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// The command for one resource. A place that the resource has nothing for stays as it is written; what is not a
    /// plain word is quoted for a POSIX shell.
    pub fn fill(&self, resource: &Resource) -> String {
        let mut command = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => command.push_str(text),
                Part::Place(keys) => {
                    let value = filled(keys, resource).map(|value| quoted(&value));
                    command.push_str(&value.unwrap_or_else(|| format!("{{{}}}", keys.join("."))));
                }
            }
        }
        command
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Place(keys) => write!(f, "{{{}}}", keys.join(".")),
        })
    }
}

fn filled(keys: &[String], resource: &Resource) -> Option<String> {
    let below = |section: &Map<String, Value>, keys: &[String]| {
        let (first, rest) = keys.split_first()?;
        let value = rest.iter().try_fold(section.get(first)?, |value, key| value.get(key))?;
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    };
    match keys {
        [field] => match field.as_str() {
            "Id" => Some(resource.id.clone()),
            "Arn" => resource.arn.as_ref().map(ToString::to_string),
            "Name" => Some(resource.name.clone().unwrap_or_else(|| resource.id.clone())),
            "Region" => Some(resource.region.to_string()),
            "Account" => Some(resource.account.to_string()),
            _ => None,
        },
        [section, keys @ ..] if section == "Properties" => below(&resource.properties, keys),
        [section, keys @ ..] if section == "Attributes" => below(&resource.attributes, keys),
        _ => None,
    }
}

fn quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

/// The cause that a test's `unread` and `unlisted` stand for.
pub(crate) fn denied_in_test() -> yagura_model::CouldNotLook {
    yagura_model::CouldNotLook {
        service: "test".to_owned(),
        operation: "Read".to_owned(),
        cause: yagura_model::Cause::Denied,
        error: "AccessDenied".to_owned(),
        action: None,
    }
}

/// Paths that a test could not read.
pub(crate) fn unread_in_test(paths: Vec<String>) -> Vec<Unread> {
    if paths.is_empty() { Vec::new() } else { vec![Unread { paths, cause: denied_in_test() }] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::sample;

    #[test]
    fn a_command_is_filled_and_quoted() {
        let mut resource = sample("AWS::S3::Bucket");
        resource.id = "it's".to_owned();
        resource.properties.insert("Kms".to_owned(), serde_json::json!({"Key": "alias/a"}));
        let command = Command::parse("do {Id} {Properties.Kms.Key} {Properties.No} --json '{\"a\":1}' {Account}");
        assert_eq!(
            command.map(|command| command.fill(&resource)).as_deref(),
            Ok("do 'it'\\''s' alias/a {Properties.No} --json '{\"a\":1}' 111122223333")
        );
        assert!(Command::parse("do {Bucket}").is_err_and(|error| error.starts_with("unknown place `{Bucket}`")));
    }
}
