//! Values of conditions: whether the operator and the key can do anything with them.

use super::codes::{
    EQUIVALENT_TO_NULL_FALSE, EQUIVALENT_TO_NULL_TRUE, INVALID_CONDITION_MULTIPLE_BOOLEAN, INVALID_DATE_VALUE,
    INVALID_KMS_KEY_VALUE, INVALID_REGION, INVALID_VARIABLE_FOR_OPERATOR, INVALID_VPC_FORMAT, INVALID_VPCE_FORMAT,
    REDUNDANT_CONDITION_VALUE_NUM, REDUNDANT_KEY_DUE_TO_WILDCARD_IN_CONDITION,
    REDUNDANT_STATEMENT_DUE_TO_WILDCARD_IN_CONDITION, TYPE_MISMATCH_BOOLEAN, TYPE_MISMATCH_DATE, TYPE_MISMATCH_NUMBER,
    TYPE_MISMATCH_STRING, VARIABLE_USAGE_TOO_PERMISSIVE, WILDCARD_USAGE_TOO_PERMISSIVE, WILDCARD_WITHOUT_LIKE_OPERATOR,
};
use super::context::Context;
use super::facts::{EVER_PRESENT_KEYS, KMS_KEY_KEYS, REGION_KEYS, REGIONS, SENSITIVE_KEYS, TRUSTED_VARIABLES};
use super::keys::Looked;
use super::pattern::{fixed_start, has_wildcard, matches, open_variables};
use super::view::{Condition, Statement};
use super::{networks, resources, variables};
use crate::json::{Node, Value};
use crate::policy::{Family, Operator, Qualifier};

/// What an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    String,
    Numeric,
    Date,
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

impl Group {
    pub(super) fn of(family: Family) -> Self {
        match family {
            Family::StringEquals | Family::StringEqualsIgnoreCase | Family::StringLike => Self::String,
            Family::NumericEquals
            | Family::NumericLessThan
            | Family::NumericLessThanEquals
            | Family::NumericGreaterThan
            | Family::NumericGreaterThanEquals => Self::Numeric,
            Family::DateEquals
            | Family::DateLessThan
            | Family::DateLessThanEquals
            | Family::DateGreaterThan
            | Family::DateGreaterThanEquals => Self::Date,
            Family::Bool => Self::Bool,
            Family::BinaryEquals => Self::Binary,
            Family::IpAddress => Self::Ip,
            Family::Arn => Self::Arn,
            Family::Null => Self::Null,
        }
    }
}

/// Leading characters that a pattern for a sensitive key must fix.
const FIXED_CHARACTERS_MIN: usize = 6;

pub(super) fn check(condition: &Condition<'_>, looked: Looked<'_>, statement: &Statement<'_>, context: &Context<'_>) {
    let Some(operator) = condition.operator else { return };
    let group = Group::of(operator.family);
    for value in condition.values {
        one(condition, group, value, context);
    }
    several(condition, operator, group, context);
    if group == Group::Ip {
        networks::check(condition, operator, context);
    }
    if matches!(group, Group::String | Group::Arn) {
        everything(condition, operator, looked, context);
        by_key(condition, operator, context);
        too_loose(condition, operator, statement, context);
    }
}

/// One value under its operator.
fn one(condition: &Condition<'_>, group: Group, value: &Node<'_>, context: &Context<'_>) {
    let text = match &value.value {
        Value::String(text) => text.as_ref(),
        Value::Number(text) => text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        _ => return,
    };
    let has_variable = variables::names(text).next().is_some();
    if has_variable {
        // Bool takes variables too.
        if !matches!(group, Group::String | Group::Arn | Group::Bool) {
            let values = [("operator", condition.block.name.as_ref())];
            context.at(INVALID_VARIABLE_FOR_OPERATOR, value, &values);
        }
        return;
    }
    let values = [("value", text)];
    match group {
        Group::Bool | Group::Null if !["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            context.at(TYPE_MISMATCH_BOOLEAN, value, &values);
        }
        Group::Numeric if !is_number(text) => context.at(TYPE_MISMATCH_NUMBER, value, &values),
        Group::Binary if !is_base64(text) => context.at(TYPE_MISMATCH_STRING, value, &values),
        Group::Date => match date(text) {
            Date::Valid => {}
            Date::Epoch if condition.key == "aws:epochtime" => {}
            Date::Epoch | Date::Odd => context.at(INVALID_DATE_VALUE, value, &values),
            Date::None => context.at(TYPE_MISMATCH_DATE, value, &values),
        },
        Group::String => {
            let is_like = condition.operator.is_some_and(|operator| operator.family == Family::StringLike);
            // What is escaped stands for itself: `${*}`.
            if !is_like && has_wildcard(&text.replace("${*}", "").replace("${?}", "")) {
                context.at(WILDCARD_WITHOUT_LIKE_OPERATOR, value, &values);
            }
        }
        // A wildcard alone is every ARN; what else is none never matches.
        Group::Arn if !has_wildcard(text) || text.starts_with("arn:") => {
            resources::shape(text, value, context);
        }
        _ => {}
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(rest)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

enum Date {
    Valid,
    /// Seconds since 1970.
    Epoch,
    /// Digits where those of a date stand, but not the right ones.
    Odd,
    None,
}

/// The W3C forms of ISO 8601: a year, a month, a day, or a time with its zone.
fn date(text: &str) -> Date {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() != 4 {
        return Date::Epoch;
    }
    let (day, time) = match text.split_once(['T', 't']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let number = |text: &str, digits: usize, range: std::ops::RangeInclusive<u32>| {
        text.len() == digits && text.parse().is_ok_and(|number| range.contains(&number))
    };
    let parts: Vec<&str> = day.split('-').collect();
    let day_is_right = match parts.as_slice() {
        [year] => number(year, 4, 0..=9999) && time.is_none(),
        [year, month] => number(year, 4, 0..=9999) && number(month, 2, 1..=12) && time.is_none(),
        [year, month, day] => number(year, 4, 0..=9999) && number(month, 2, 1..=12) && number(day, 2, 1..=31),
        _ => false,
    };
    if day_is_right && time.is_none_or(is_time) {
        return Date::Valid;
    }
    let looks_like_one = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:TZtz+./ ".contains(&byte));
    if looks_like_one { Date::Odd } else { Date::None }
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s`, and a zone.
fn is_time(text: &str) -> bool {
    let clock = |text: &str, seconds: bool| {
        let mut parts = text.split(':');
        let mut part = |max: u32| {
            parts.next().is_some_and(|part| part.len() == 2 && part.parse().is_ok_and(|number: u32| number <= max))
        };
        let (hour, minute) = (part(24), part(59));
        let rest = parts.next();
        hour && minute && (rest.is_none() || (seconds && rest.is_some_and(is_seconds))) && parts.next().is_none()
    };
    match text.strip_suffix(['Z', 'z']) {
        Some(time) => clock(time, true),
        None => text.rsplit_once(['+', '-']).is_some_and(|(time, zone)| clock(time, true) && clock(zone, false)),
    }
}

fn is_seconds(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    whole.len() == 2
        && whole.parse().is_ok_and(|number: u32| number <= 60)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// Several values where the operator can use one only.
fn several(condition: &Condition<'_>, operator: Operator, group: Group, context: &Context<'_>) {
    if condition.values.len() < 2 {
        return;
    }
    let values = [("key", condition.name())];
    let is_order = !matches!(operator.family, Family::NumericEquals) && group == Group::Numeric;
    if is_order {
        context.at(REDUNDANT_CONDITION_VALUE_NUM, &condition.member.node, &values);
    }
    if matches!(group, Group::Bool | Group::Null) {
        context.at(INVALID_CONDITION_MULTIPLE_BOOLEAN, &condition.member.node, &values);
    }
}

/// A pattern that every value fits: it only asks whether the key is there, or nothing at all.
fn everything(condition: &Condition<'_>, operator: Operator, looked: Looked<'_>, context: &Context<'_>) {
    let is_like = operator.family == Family::StringLike || operator.family == Family::Arn;
    let Some((_, node)) = condition.texts().find(|(text, _)| !text.is_empty() && text.bytes().all(|byte| byte == b'*'))
    else {
        return;
    };
    if !is_like || matches!(looked, Looked::NoKey | Looked::UnknownGlobal | Looked::UnknownService(_)) {
        return;
    }
    let is_present = EVER_PRESENT_KEYS.contains(&condition.key.as_ref());
    let when_present = !operator.negated;
    let code = match (when_present, is_present, operator.holds_when_absent()) {
        (true, true, _) | (true, false, true) => REDUNDANT_KEY_DUE_TO_WILDCARD_IN_CONDITION,
        (false, true, _) | (false, false, false) => REDUNDANT_STATEMENT_DUE_TO_WILDCARD_IN_CONDITION,
        (true, false, false) => EQUIVALENT_TO_NULL_FALSE,
        (false, false, true) => EQUIVALENT_TO_NULL_TRUE,
    };
    context.at(code, node, &[("key", condition.name())]);
}

/// Values whose form the key fixes.
fn by_key(condition: &Condition<'_>, operator: Operator, context: &Context<'_>) {
    let key = condition.key.as_ref();
    let is_like = matches!(operator.family, Family::StringLike | Family::Arn);
    for (text, node) in condition.texts() {
        let open = open_variables(text);
        let values = [("value", text)];
        // Without Like a wildcard is a letter, and told as such.
        if !is_like && has_wildcard(text) {
            continue;
        }
        if REGION_KEYS.contains(&key) && !REGIONS.iter().any(|region| matches(&open, region)) {
            let meant = context.nearest(text, REGIONS.iter().copied()).map(str::to_owned);
            context.add_with(INVALID_REGION, node.start, &[("region", text)], meant);
        }
        match key {
            "aws:sourcevpc" if !may_be_id(&open, "vpc-") => context.at(INVALID_VPC_FORMAT, node, &values),
            "aws:sourcevpce" if !may_be_id(&open, "vpce-") => context.at(INVALID_VPCE_FORMAT, node, &values),
            _ => {}
        }
        if KMS_KEY_KEYS.contains(&key) && !may_be_key(&open) {
            context.at(INVALID_KMS_KEY_VALUE, node, &values);
        }
    }
}

/// Whether a pattern matches an id: the prefix with 8 or 17 characters after it.
fn may_be_id(pattern: &str, prefix: &str) -> bool {
    if has_wildcard(pattern) {
        let start = fixed_start(pattern);
        return start.starts_with(prefix) || prefix.starts_with(start);
    }
    pattern.strip_prefix(prefix).is_some_and(|id| {
        [8, 17].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn may_be_key(pattern: &str) -> bool {
    use crate::policy::Glob;
    Glob::plain("arn:*:kms:*:*:key/*").overlaps_arn(&Glob::plain(pattern))
}

/// A pattern for a key that keeps strangers out, with too little in it that is fixed.
fn too_loose(condition: &Condition<'_>, operator: Operator, statement: &Statement<'_>, context: &Context<'_>) {
    let key = condition.key.as_ref();
    // What lets in: an Allow for what fits, a Deny for what does not.
    let lets_in = if operator.negated { statement.denies() } else { statement.allows() };
    if !lets_in || !SENSITIVE_KEYS.contains(&key) {
        return;
    }
    let is_like = operator.family == Family::StringLike;
    for (text, node) in condition.texts() {
        // A lone `*` only asks whether the key is there, and is told as that. A wildcard for an ARN's partition is common
        // and harmless.
        if text.bytes().all(|byte| byte == b'*') || text.starts_with("arn:") {
            continue;
        }
        let values = [("key", condition.name()), ("value", text)];
        let is_loose = |fixed: &str| {
            fixed.chars().count() < FIXED_CHARACTERS_MIN || (key == "aws:userid" && is_loose_user_id(text))
        };
        let first_variable = text.split("${").next().unwrap_or_default();
        let foreign = variables::names(text).any(|name| !TRUSTED_VARIABLES.contains(&name.as_str()));
        if foreign && is_loose(first_variable) {
            context.at(VARIABLE_USAGE_TOO_PERMISSIVE, node, &values);
        } else if is_like && has_wildcard(text) && !text.contains("${") && is_loose(fixed_start(text)) {
            context.at(WILDCARD_USAGE_TOO_PERMISSIVE, node, &values);
        }
    }
}

/// `AROA…:session`: the id before the colon must be whole.
fn is_loose_user_id(text: &str) -> bool {
    let id = text.split(':').next().unwrap_or_default();
    has_wildcard(id) || id.contains('$')
}

/// Whether the operator asks for every or for some of several values.
pub(super) fn is_set(operator: Operator) -> bool {
    operator.qualifier != Qualifier::Single
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_what_is_none() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", "valid"),
            ("2026-01-31T12:00Z", "valid"),
            ("2026-01-31T12:00:00.5+09:00", "valid"),
            ("2026-01-31", "valid"),
            ("2026-01", "valid"),
            ("2026", "valid"),
            ("1767225600", "epoch"),
            ("2026-13-01", "odd"),
            ("2026-01-31T12:00:00", "odd"),
            ("2026/01/31", "odd"),
            ("tomorrow", "none"),
            ("", "none"),
        ] {
            let found = match date(text) {
                Date::Valid => "valid",
                Date::Epoch => "epoch",
                Date::Odd => "odd",
                Date::None => "none",
            };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_whole_or_decimal() {
        for (text, expected) in
            [("1", true), ("-1.5", true), ("1.", false), ("1e3", false), ("", false), ("ten", false)]
        {
            assert_eq!(is_number(text), expected, "{text}");
        }
    }
}
