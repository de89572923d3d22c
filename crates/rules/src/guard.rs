//! Rules in CloudFormation Guard's language, evaluated by `cfn-guard`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cfn_guard::{ValidateInput, run_checks};
use serde_json::{Map, Value, json};
use yagura_model::Resource;

use crate::cel::Failure;
use crate::locate::Position;

/// The longest rules text: conformance packs inline a few KiB a rule, the largest published file has some 200 KiB.
const RULES_BYTES_MAX: usize = 1 << 20;

/// The largest template as JSON text: CloudFormation's own limit is 1 MB.
const TEMPLATE_BYTES_MAX: usize = 8 << 20;

/// How deep brackets may nest in a rules text, because Guard's parser goes down by recursion.
const BRACKETS_MAX: usize = 64;

/// How much of the rules a syntax error shows.
const FRAGMENT_CHARS: usize = 40;

/// The name that Guard gives to clauses outside of any rule.
const DEFAULT_RULE: &str = "default";

/// What Guard says of one named rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuardStatus {
    /// Every clause holds.
    Pass,
    /// One does not.
    Fail,
    /// The rule does not speak of the document.
    Skip,
}

/// Why Guard gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The text is no Guard rules.
    #[error("the Guard rules are malformed{}: {message}", at(.position.as_ref()))]
    Malformed {
        /// Where in the text, as far as Guard says.
        position: Option<Position>,
        /// What is there.
        message: String,
    },
    /// A limit was passed.
    #[error("the {what} is over the limit of {limit}")]
    TooLarge {
        /// The rules or the template, and in what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Guard failed while it evaluated the rules.
    #[error("the Guard rules could not be evaluated: {0}")]
    Evaluation(String),
}

fn at(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |position| format!(" at line {}, column {}", position.line, position.column))
}

/// Guard rules of a control, known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRules {
    text: String,
}

impl GuardRules {
    /// Reads rules: a whole file, or only clauses such as `Properties.VersioningConfiguration.Status == 'Enabled'`.
    pub(crate) fn parse(text: &str) -> Result<Self, GuardError> {
        // Evaluated over nothing, so that only the parser's errors show.
        match check_template(text, "rule", &json!({})) {
            Err(error @ (GuardError::Malformed { .. } | GuardError::TooLarge { .. })) => Err(error),
            Ok(rules) if rules.is_empty() => {
                Err(GuardError::Malformed { position: None, message: "there is no rule".to_owned() })
            }
            Ok(_) | Err(GuardError::Evaluation(_)) => Ok(Self { text: text.to_owned() }),
        }
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// Whether a resource is good; none where the rules do not speak of it. An error where they mention what could
    /// not be read of it, whatever Guard says: to Guard that is merely missing.
    pub(crate) fn judge(&self, resource: &Resource) -> Result<Option<bool>, Failure> {
        let mut lost: Option<Failure> = None;
        for unread in &resource.unread {
            for path in unread.paths.iter().filter(|path| self.mentions(path)) {
                let failure = Failure::unread(path.clone(), &unread.cause);
                lost = Some(match lost {
                    Some(lost) => lost.and(failure),
                    None => failure,
                });
            }
        }
        if let Some(lost) = lost {
            return Err(lost);
        }
        let statuses = check_template(&self.text, "rule", &document(resource))
            .map_err(|error| Failure::evaluation(error.to_string()))?;
        if statuses.iter().any(|(_, status)| *status == GuardStatus::Fail) {
            return Ok(Some(false));
        }
        Ok(statuses.iter().any(|(_, status)| *status == GuardStatus::Pass).then_some(true))
    }

    /// Whether the rules may look at a path: by its words, in any of the spellings that Guard tries, or because they
    /// go over all keys of its section.
    pub(crate) fn mentions(&self, path: &str) -> bool {
        let words: Vec<String> = words(&self.text).map(spelling).collect();
        let mut segments = path.split('.');
        let section = segments.next().unwrap_or_default();
        let says = |word: &str| words.contains(&spelling(word));
        let goes_over = |section: &str| {
            self.text.match_indices(section).any(|(start, found)| {
                let after = self.text.get(start + found.len()..).unwrap_or_default();
                after.trim_start().starts_with(['[', '*']) || after.starts_with(".*") || after.starts_with(".%")
            })
        };
        match segments.next() {
            None => says(section),
            Some(first) => says(first) || goes_over(section),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-')
        .filter(|word| !word.is_empty())
}

/// A key without what its spellings (`camelCase`, `snake_case`, …) differ in.
fn spelling(word: &str) -> String {
    word.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A resource as Guard sees it: as the one resource of a template, and by its own keys at the top.
fn document(resource: &Resource) -> Value {
    let mut own = Map::new();
    own.insert("Type".to_owned(), json!(resource.kind));
    own.insert("Properties".to_owned(), Value::Object(resource.properties.clone()));
    own.insert("Attributes".to_owned(), Value::Object(resource.attributes.clone()));
    let mut document = own.clone();
    document.insert("Id".to_owned(), json!(resource.id));
    document.insert("Arn".to_owned(), json!(resource.arn));
    document.insert("Region".to_owned(), json!(resource.region));
    document.insert("Account".to_owned(), json!(resource.account));
    document.insert("Tags".to_owned(), json!(resource.tags));
    document.insert("Resources".to_owned(), json!({ "Resource": own }));
    Value::Object(document)
}

/// The status of each named rule of a Guard file over a template, in the file's order.
///
/// `rules_name` is what messages call the file. The file runs as it is published; clauses outside of any rule count
/// as the rule `default`. Guard may print a message of its own where it fails; its panics become errors.
pub fn check_template(
    rules_text: &str,
    rules_name: &str,
    template: &Value,
) -> Result<Vec<(String, GuardStatus)>, GuardError> {
    if rules_text.len() > RULES_BYTES_MAX {
        return Err(GuardError::TooLarge { what: "length of the rules in bytes", limit: RULES_BYTES_MAX });
    }
    if depth(rules_text) > BRACKETS_MAX {
        return Err(GuardError::TooLarge { what: "nesting of the rules", limit: BRACKETS_MAX });
    }
    let content = template.to_string();
    if content.len() > TEMPLATE_BYTES_MAX {
        return Err(GuardError::TooLarge { what: "length of the template in bytes", limit: TEMPLATE_BYTES_MAX });
    }
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let data = ValidateInput { content: &content, file_name: "template" };
        let rules = ValidateInput { content: rules_text, file_name: rules_name };
        run_checks(data, rules, true)
    }));
    let report = match checked {
        Ok(Ok(report)) => report,
        Ok(Err(cfn_guard::Error::ParseError(message))) => return Err(malformed(&message)),
        Ok(Err(error)) => return Err(GuardError::Evaluation(one_line(&error.to_string()))),
        Err(panic) => return Err(GuardError::Evaluation(panic_message(&*panic))),
    };
    if report.is_empty() {
        // A file of comments.
        return Ok(Vec::new());
    }
    let report: Value = serde_json::from_str(&report).map_err(|error| GuardError::Evaluation(error.to_string()))?;
    statuses(&report).ok_or_else(|| GuardError::Evaluation("the report has an unknown shape".to_owned()))
}

/// The rules directly below the file in Guard's report.
fn statuses(report: &Value) -> Option<Vec<(String, GuardStatus)>> {
    let mut statuses = Vec::new();
    for child in report.get("children")?.as_array()? {
        let Some(rule) = child.pointer("/container/RuleCheck") else { continue };
        let status = match rule.get("status")?.as_str()? {
            "PASS" => GuardStatus::Pass,
            "FAIL" => GuardStatus::Fail,
            "SKIP" => GuardStatus::Skip,
            _ => return None,
        };
        let name = rule.get("name")?.as_str()?;
        let name = name.rsplit('/').next().filter(|last| *last == DEFAULT_RULE).unwrap_or(name);
        statuses.push((name.to_owned(), status));
    }
    Some(statuses)
}

/// The deepest nesting of brackets outside of quotes and comments.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for line in text.lines() {
        let mut quote = None;
        for letter in line.chars() {
            match (quote, letter) {
                (Some(open), _) if open == letter => quote = None,
                (None, '\'' | '"') => quote = Some(letter),
                (None, '#') => break,
                (None, '{' | '[' | '(') => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                (None, '}' | ']' | ')') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    deepest
}

/// Guard's syntax error, `… at line 3 at column 5, when handling …, fragment …`, in fewer words.
fn malformed(message: &str) -> GuardError {
    let number = |name: &str| -> Option<u64> {
        let (_, after) = message.split_once(name)?;
        after.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    };
    let position = number(" at line ").zip(number(" at column ")).map(|(line, column)| Position { line, column });
    let fragment = message.split_once("fragment ").map(|(_, fragment)| fragment);
    let message = match (position, fragment) {
        (Some(_), Some(fragment)) => {
            let fragment: String = one_line(fragment.trim_end_matches('`')).chars().take(FRAGMENT_CHARS).collect();
            if fragment.is_empty() { "unexpected end".to_owned() } else { format!("unexpected `{fragment}`") }
        }
        _ => one_line(message),
    };
    GuardError::Malformed { position, message }
}

fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ")
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("Guard stopped: {}", text.unwrap_or("no message"))
}
