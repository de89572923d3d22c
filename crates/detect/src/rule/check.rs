//! What a file must keep to.

use rsigma_parser::{CorrelationCondition, CorrelationRule, CorrelationType, WindowMode};
use serde_json::Value;
use yagura_model::{Level, Text};

use super::raw::RawText;
use super::{Count, Counted, FIELDS_MAX, Logic, Rule};
use crate::facts;
use crate::state::WINDOW_ENTRIES_MAX;
use crate::testing::Case;
use crate::time;

/// The longest condition, in bytes: the longest of `SigmaHQ` has under 500.
const CONDITION_BYTES_MAX: usize = 4_096;

/// How deep the parentheses of a condition may nest: the parser of conditions calls itself for each.
const CONDITION_DEPTH_MAX: usize = 32;

/// The most words of a condition: a chain of `not` nests as well.
const CONDITION_WORDS_MAX: usize = 512;

/// How deep lists and maps may nest.
const NESTING_MAX: usize = 32;

/// How bad a rule says it is.
pub(super) struct Severity {
    pub(super) level: Level,
    pub(super) number: f64,
}

impl Severity {
    /// Where a level begins on GuardDuty's scale; for who gives only a level.
    pub(super) fn lowest(level: Level) -> f64 {
        match level {
            Level::Informational | Level::Low => 1.0,
            Level::Medium => 4.0,
            Level::High => 7.0,
            Level::Critical => 9.0,
        }
    }

    pub(super) fn of(level: Option<Level>, number: Option<f64>) -> Result<Self, String> {
        let Some(number) = number else {
            let level = level.unwrap_or(Level::Medium);
            return Ok(Self { level, number: Self::lowest(level) });
        };
        if !(1.0..=10.0).contains(&number) {
            return Err(format!("the severity {number} is not from 1.0 to 10.0"));
        }
        let band = match number {
            number if number < 4.0 => Level::Low,
            number if number < 7.0 => Level::Medium,
            number if number < 9.0 => Level::High,
            _ => Level::Critical,
        };
        match level {
            None => Ok(Self { level: band, number }),
            Some(Level::Informational) if number <= 1.0 => Ok(Self { level: Level::Informational, number }),
            Some(level) if level == band => Ok(Self { level, number }),
            Some(level) => {
                Err(format!("the severity {number} is {}, but the level says {}", band.as_str(), level.as_str()))
            }
        }
    }
}

/// Refuses what would exhaust the parser of conditions, which nests calls.
pub(super) fn complexity(document: &Value) -> Result<(), String> {
    nesting(document, NESTING_MAX)?;
    let conditions = [document.pointer("/detection/condition"), document.pointer("/correlation/condition")];
    for condition in conditions.into_iter().flatten() {
        match condition {
            Value::String(text) => condition_text(text)?,
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).try_for_each(condition_text)?,
            _ => {}
        }
    }
    Ok(())
}

fn nesting(value: &Value, left: usize) -> Result<(), String> {
    let Some(left) = left.checked_sub(1) else {
        return Err(format!("the file nests deeper than {NESTING_MAX} levels"));
    };
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| nesting(value, left)),
        Value::Object(values) => values.values().try_for_each(|value| {
            // The condition of a block over a list is parsed as well, wherever it is.
            if let Some(condition) = value.get("condition").and_then(Value::as_str) {
                condition_text(condition)?;
            }
            nesting(value, left)
        }),
        _ => Ok(()),
    }
}

fn condition_text(text: &str) -> Result<(), String> {
    if text.len() > CONDITION_BYTES_MAX {
        return Err(format!("a condition is longer than {CONDITION_BYTES_MAX} bytes"));
    }
    if text.split_whitespace().count() > CONDITION_WORDS_MAX {
        return Err(format!("a condition has more than {CONDITION_WORDS_MAX} words"));
    }
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > CONDITION_DEPTH_MAX {
            return Err(format!("the parentheses of a condition nest deeper than {CONDITION_DEPTH_MAX} levels"));
        }
    }
    Ok(())
}

/// Refuses correlations that are not evaluated.
pub(super) fn correlation(rule: &CorrelationRule) -> Result<(), String> {
    use CorrelationType as Type;
    match rule.correlation_type {
        Type::ValueAvg | Type::ValuePercentile | Type::ValueMedian => {
            return Err(format!("correlations of type `{}` are not supported", rule.correlation_type.as_str()));
        }
        Type::EventCount | Type::ValueCount | Type::Temporal | Type::TemporalOrdered | Type::ValueSum => {}
    }
    if rule.window != WindowMode::Sliding {
        return Err(format!("windows that are `{}` are not supported", rule.window.as_str()));
    }
    if rule.rules.is_empty() {
        return Err("the correlation names no rules".to_owned());
    }
    if rule.rules.len() > FIELDS_MAX {
        return Err(format!("the correlation names more than {FIELDS_MAX} rules"));
    }
    time::span_of(&rule.timespan)?;
    match &rule.condition {
        CorrelationCondition::Threshold { predicates, field, .. } => {
            let needs_field = matches!(rule.correlation_type, Type::ValueCount | Type::ValueSum);
            if needs_field && field.as_ref().is_none_or(Vec::is_empty) {
                return Err("the condition names no `field`".to_owned());
            }
            let sums = rule.correlation_type == Type::ValueSum;
            match predicates.iter().map(|(_, number)| *number).max() {
                Some(largest) if !sums && largest > WINDOW_ENTRIES_MAX as u64 => {
                    Err(format!("a window holds at most {WINDOW_ENTRIES_MAX} events, so it never reaches {largest}"))
                }
                _ => Ok(()),
            }
        }
        CorrelationCondition::Extended(_)
            if matches!(rule.correlation_type, Type::Temporal | Type::TemporalOrdered) =>
        {
            Ok(())
        }
        CorrelationCondition::Extended(_) => {
            Err("only temporal correlations may have an expression of rules".to_owned())
        }
    }
}

/// Refuses a number that no window can reach.
pub(super) fn threshold(count: &Count) -> Result<(), String> {
    if count.at_least == 0 {
        return Err("`at_least: 0` holds without any event".to_owned());
    }
    let limited = !matches!(count.of, Counted::Sum(_));
    if limited && count.at_least > WINDOW_ENTRIES_MAX as u64 {
        return Err(format!(
            "a window holds at most {WINDOW_ENTRIES_MAX} events, so it never reaches {}",
            count.at_least
        ));
    }
    Ok(())
}

/// `Purpose:Resource/Family`, with more behind it.
pub(super) fn finding_type(text: &str) -> Result<(), String> {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._!&".contains(&byte))
    };
    let parts = text.split_once(':').and_then(|(purpose, rest)| Some((purpose, rest.split_once('/')?)));
    match parts {
        Some((purpose, (resource, family))) if word(purpose) && word(resource) && word(family) => Ok(()),
        _ => Err(format!("`{text}` is not a finding type such as `Stealth:IAMUser/CloudTrailLoggingDisabled`")),
    }
}

/// A text in both languages.
pub(super) fn text(key: &str, raw: &RawText) -> Result<Text, String> {
    let (en, ja) = (raw.en.trim().to_owned(), raw.ja.trim().to_owned());
    match (en.is_empty() || ja.is_empty(), ja.is_ascii()) {
        (true, _) => Err(format!("the text of `{key}` is empty")),
        (false, true) => Err(format!("the text of `{key}.ja` is not Japanese")),
        (false, false) => Ok(Text { en, ja }),
    }
}

/// Every fact that a rule names must be one of its source.
pub(super) fn fields(rule: &Rule) -> Result<(), String> {
    let mut lists: Vec<&[String]> = vec![&rule.identity, &rule.actor, &rule.resource];
    if let Some(new) = &rule.new {
        lists.extend([new.of.as_slice(), new.of_whom.as_slice()]);
    }
    if let Some(count) = &rule.count {
        lists.push(&count.by);
        match &count.of {
            Counted::Distinct(fields) => lists.push(fields),
            Counted::Sum(field) => lists.push(std::slice::from_ref(field)),
            Counted::Events => {}
        }
    }
    if let Some(list) = lists.iter().find(|list| list.len() > FIELDS_MAX) {
        return Err(format!("a list of fields has {} of them; at most {FIELDS_MAX} are read", list.len()));
    }
    let mut named: Vec<&str> = lists.into_iter().flatten().map(String::as_str).collect();
    let placeholders = rule.words.as_ref().map(super::Words::fields).unwrap_or_default();
    named.extend(placeholders.iter().map(String::as_str));
    let Logic::Events { source, written, .. } = &rule.logic else { return Ok(()) };
    let mut used = Vec::new();
    written
        .detection
        .named
        .values()
        .for_each(|detection| crate::sigma::each_field(detection, &mut |field| used.push(field.to_owned())));
    named.extend(used.iter().map(String::as_str));
    let Some(source) = source else { return Ok(()) };
    match named.iter().find(|field| field.starts_with(facts::PREFIX) && source.fact(field).is_none()) {
        Some(unknown) => Err(format!("`{unknown}` is not a fact of {}", source.name)),
        None => Ok(()),
    }
}

/// A detection needs a test that finds and one that does not.
pub(super) fn cases(cases: &[Case]) -> Result<(), String> {
    if cases.iter().any(Case::finds) && cases.iter().any(|case| !case.finds()) {
        Ok(())
    } else {
        Err("expected a test with a finding and one without".to_owned())
    }
}
