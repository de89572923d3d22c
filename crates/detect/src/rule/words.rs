//! The words of a finding, with its values filled in.

use yagura_model::{Lang, Text};

use super::{Rule, Words};
use crate::finding::Finding;

/// The most values of one field that stand in a sentence.
const SPOKEN_MAX: usize = 3;

/// The words of one finding in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// What happened, in one line.
    pub title: String,
    /// The whole sentence.
    pub what: String,
    /// What to check; empty where the rule does not say.
    pub check: String,
    /// What to do; empty where the rule does not say.
    pub advice: String,
}

impl Words {
    /// The fields that the words name.
    pub(crate) fn fields(&self) -> Vec<String> {
        let mut fields = Vec::new();
        for text in [&self.title, &self.what, &self.check, &self.advice] {
            for text in [&text.en, &text.ja] {
                for part in parts(text) {
                    if let Part::Field(field) = part
                        && field != "count"
                        && !fields.iter().any(|known| known == field)
                    {
                        fields.push(field.to_owned());
                    }
                }
            }
        }
        fields
    }
}

impl Rule {
    /// What a person reads of a finding of this rule.
    pub fn speak(&self, finding: &Finding, lang: Lang) -> Spoken {
        match &self.words {
            Some(words) => {
                let say = |text: &Text| fill(text.get(lang), finding);
                Spoken {
                    title: say(&words.title),
                    what: say(&words.what),
                    check: say(&words.check),
                    advice: say(&words.advice),
                }
            }
            None => Spoken {
                title: self.title.clone(),
                what: self.description.clone().unwrap_or_default(),
                check: String::new(),
                advice: String::new(),
            },
        }
    }
}

enum Part<'t> {
    Text(&'t str),
    Field(&'t str),
}

/// The text cut at its `{field}`s; braces that hold no field's name stay as they are.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        match after.split_once('}') {
            Some((field, after)) if is_field(field) => {
                parts.extend([Part::Text(before), Part::Field(field)]);
                rest = after;
            }
            _ => {
                let end = before.len() + 1;
                parts.push(Part::Text(rest.get(..end).unwrap_or_default()));
                rest = after;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_field(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-[]:".contains(&byte))
}

fn fill(text: &str, finding: &Finding) -> String {
    let mut filled = String::new();
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Field("count") => filled.push_str(&finding.count.to_string()),
            Part::Field(field) => filled.push_str(&values(finding, field)),
        }
    }
    filled
}

/// The values that a finding has of a field: at most three, `-` where it has none.
fn values(finding: &Finding, field: &str) -> String {
    let Some(values) = finding.evidence.get(field).filter(|values| !values.is_empty()) else {
        return "-".to_owned();
    };
    let mut spoken: Vec<&str> = values.iter().take(SPOKEN_MAX).map(String::as_str).collect();
    if values.len() > SPOKEN_MAX {
        spoken.push("…");
    }
    spoken.join(", ")
}
