//! What every rule on events says of itself, in words.

use serde::Deserialize;
use yagura_model::{Level, Text};

use crate::load::is_uuid;

/// The words of a rule.
#[derive(Debug, Clone)]
pub struct Described {
    /// A UUID that never changes, in lower case.
    pub id: String,
    /// How bad it is when the rule fires.
    pub level: Level,
    /// What happened, in one line.
    pub title: Text,
    /// Why it matters.
    pub why: Text,
    /// What to do.
    pub fix: Text,
}

/// The same as it is written.
#[derive(Debug, Deserialize)]
pub(crate) struct RawDescribed {
    id: String,
    level: String,
    title: String,
    why: String,
    fix: String,
    ja: RawWords,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWords {
    title: String,
    why: String,
    fix: String,
}

/// The keys of a [`RawDescribed`]; whoever flattens it into a file's shape checks the other keys.
pub(crate) const KEYS: &[&str] = &["id", "level", "title", "why", "fix", "ja"];

impl RawDescribed {
    pub(crate) fn described(self) -> Result<Described, String> {
        let id = self.id.to_ascii_lowercase();
        if !is_uuid(&id) {
            return Err(format!("`{id}` is not a UUID"));
        }
        let level = self.level.parse().map_err(|error| format!("{error}"))?;
        let text = |key: &str, en: &str, ja: &str| {
            let (en, ja) = (en.trim().to_owned(), ja.trim().to_owned());
            match (en.is_empty() || ja.is_empty(), ja.is_ascii()) {
                (true, _) => Err(format!("the text of `{key}` is empty")),
                (false, true) => Err(format!("the text of `ja.{key}` is not Japanese")),
                (false, false) => Ok(Text { en, ja }),
            }
        };
        Ok(Described {
            id,
            level,
            title: text("title", &self.title, &self.ja.title)?,
            why: text("why", &self.why, &self.ja.why)?,
            fix: text("fix", &self.fix, &self.ja.fix)?,
        })
    }
}

/// That a file has no key but these.
pub(crate) fn only_keys(value: &serde_json::Value, more: &[&str]) -> Result<(), String> {
    let unknown = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match unknown.into_iter().find(|key| !KEYS.contains(key) && !more.contains(key)) {
        Some(key) => Err(format!("there is no key `{key}`")),
        None => Ok(()),
    }
}
