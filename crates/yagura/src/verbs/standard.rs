//! `yagura standard list|show`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Common;
use crate::content::Content;
use crate::words::Words;
use crate::{Exit, Usage, print};

/// Every standard and how much of it is implemented.
pub(super) fn list(common: &Common, words: &Words) -> Result<Exit> {
    let content = Content::load(&[])?;
    let rows: Vec<Value> = content
        .standards
        .iter()
        .map(|standard| {
            let implemented = standard.requirements.iter().filter(|requirement| !requirement.rules.is_empty()).count();
            json!({
                "id": standard.id,
                "title": standard.title.get(words.lang()),
                "version": standard.version,
                "requirements": standard.requirements.len(),
                "implemented": implemented,
            })
        })
        .collect();
    let head = ["id", "title", "version", "requirements", "implemented"].map(|key| {
        words.get(match key {
            "id" => "standard.id",
            "title" => "standard.title",
            "version" => "standard.version",
            "requirements" => "standard.requirements",
            _ => "standard.implemented",
        })
    });
    print::rows(common, &head, &rows, |row| {
        ["id", "title", "version", "requirements", "implemented"].map(|key| text(row, key)).to_vec()
    })?;
    Ok(Exit::Clean)
}

/// Every requirement of one standard and the rules that judge it.
pub(super) fn show(common: &Common, id: &str, words: &Words) -> Result<Exit> {
    let content = Content::load(&[])?;
    let Some(standard) = content.standards.iter().find(|standard| standard.id == id) else {
        return Err(Usage(words.fill("standard.none", &[("standard", &id)])).into());
    };
    let rows: Vec<Value> = standard
        .requirements
        .iter()
        .map(|requirement| {
            let state = match (&requirement.manual, requirement.rules.is_empty()) {
                (_, false) => "implemented",
                (Some(_), true) => "manual",
                (None, true) => "not_implemented",
            };
            json!({
                "requirement": requirement.id,
                "controls": requirement.controls,
                "rules": requirement.rules,
                "state": state,
            })
        })
        .collect();
    let head = ["standard.requirement", "standard.controls", "standard.rules"].map(|key| words.get(key));
    print::rows(common, &head, &rows, |row| {
        let rules = match row.get("state").and_then(Value::as_str) {
            Some("manual") => words.get("standard.manual").to_owned(),
            Some("not_implemented") => words.get("standard.not_implemented").to_owned(),
            _ => text(row, "rules"),
        };
        vec![text(row, "requirement"), text(row, "controls"), rules]
    })?;
    Ok(Exit::Clean)
}

fn text(row: &Value, key: &str) -> String {
    match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
