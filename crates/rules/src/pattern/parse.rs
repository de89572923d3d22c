//! Patterns read from JSON; what AWS would refuse is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fold::CaseFree;
use super::matcher::{Excluded, Leaf, Matcher, Range};
use super::network::Network;
use super::wildcard::{self, Wildcard};
use super::{
    Alternative, COMBINATIONS_MAX, PATTERN_CHARS_MAX, PatternError, TEXT_BYTES_MAX, WILDCARD_COMPLEXITY_MAX, number,
};

/// Names that make an object a match expression: where an alternative of `$or` has one, `$or` is an ordinary key.
const RESERVED: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// What is wrong with a part of a pattern.
type Parsed<T> = Result<T, String>;

pub(super) fn text(text: &str) -> Result<Vec<Alternative>, PatternError> {
    let whole = |problem| PatternError { path: String::new(), problem };
    if text.len() > TEXT_BYTES_MAX {
        return Err(whole(format!("the text is longer than {} KiB", TEXT_BYTES_MAX / 1024)));
    }
    // A number anywhere in a pattern is one that is compared.
    if let Some(number) = number::first_inexact(text) {
        return Err(whole(format!("the number `{number}` cannot be compared exactly")));
    }
    let parsed: Value =
        serde_json::from_str(text).map_err(|error| whole(format!("the pattern is not JSON: {error}")))?;
    value(&parsed)
}

pub(super) fn value(value: &Value) -> Result<Vec<Alternative>, PatternError> {
    let whole = |problem: String| PatternError { path: String::new(), problem };
    let Value::Object(members) = value else { return Err(whole("the pattern is not a JSON object".to_owned())) };
    if value.to_string().chars().nth(PATTERN_CHARS_MAX).is_some() {
        return Err(whole(format!("the pattern is longer than {PATTERN_CHARS_MAX} characters")));
    }
    let mut reader = Reader { alternatives: vec![BTreeMap::new()] };
    reader.object(None, members)?;
    Ok(reader.alternatives)
}

/// The alternatives of what has been read so far.
struct Reader {
    alternatives: Vec<Alternative>,
}

impl Reader {
    fn object(&mut self, path: Option<&str>, members: &Map<String, Value>) -> Result<(), PatternError> {
        if members.is_empty() {
            return Err(refused(path.unwrap_or_default(), "an empty object is not allowed"));
        }
        for (name, member) in members {
            if name == "$or"
                && let Some(branches) = branches(member)
            {
                self.or(path, &branches)?;
                continue;
            }
            let below = path.map_or_else(|| name.clone(), |path| format!("{path}.{name}"));
            match member {
                Value::Object(members) => self.object(Some(&below), members)?,
                Value::Array(values) => {
                    let leaf = leaf(values).map_err(|problem| refused(&below, problem))?;
                    let leaf = Arc::new(leaf);
                    for alternative in &mut self.alternatives {
                        alternative.insert(below.clone(), Arc::clone(&leaf));
                    }
                }
                _ => return Err(refused(&below, "expected a list of values or an object")),
            }
        }
        Ok(())
    }

    fn or(&mut self, path: Option<&str>, branches: &[&Map<String, Value>]) -> Result<(), PatternError> {
        let before = std::mem::take(&mut self.alternatives);
        let mut all = Vec::new();
        for branch in branches {
            self.alternatives.clone_from(&before);
            self.object(path, branch)?;
            all.append(&mut self.alternatives);
            if all.len() > COMBINATIONS_MAX {
                return Err(refused(
                    path.unwrap_or_default(),
                    format!("`$or` makes more than {COMBINATIONS_MAX} combinations"),
                ));
            }
        }
        self.alternatives = all;
        Ok(())
    }
}

fn refused(path: &str, problem: impl Into<String>) -> PatternError {
    PatternError { path: path.to_owned(), problem: problem.into() }
}

/// The alternatives of `$or`, where it is more than a key of that name.
fn branches(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    let branches: Option<Vec<_>> = value.as_array()?.iter().map(Value::as_object).collect();
    let reserved = |branch: &Map<String, Value>| branch.keys().any(|name| RESERVED.contains(&name.as_str()));
    branches.filter(|branches| branches.len() >= 2 && !branches.iter().any(|branch| reserved(branch)))
}

fn leaf(values: &[Value]) -> Parsed<Leaf> {
    if values.is_empty() {
        return Err("an empty list is not allowed".to_owned());
    }
    let matchers: Vec<Matcher> = values.iter().map(matcher).collect::<Result<_, _>>()?;
    let mut wildcards = Vec::new();
    for matcher in &matchers {
        match matcher {
            Matcher::Wildcard(wildcard) => wildcards.push(wildcard),
            Matcher::AnythingBut(Excluded::Wildcards(more)) => wildcards.extend(more),
            _ => {}
        }
    }
    if wildcard::complexity(&wildcards) > WILDCARD_COMPLEXITY_MAX {
        return Err("the wildcards are too complex: use fewer stars".to_owned());
    }
    let written = Value::Array(values.to_vec()).to_string();
    Ok(Leaf { matchers, written })
}

fn matcher(value: &Value) -> Parsed<Matcher> {
    match value {
        Value::Null => Ok(Matcher::Null),
        Value::Bool(value) => Ok(Matcher::Bool(*value)),
        Value::Number(_) => number(value).map(Matcher::Number),
        Value::String(text) => Ok(Matcher::Text(text.clone())),
        Value::Object(members) => operator(members),
        Value::Array(_) => {
            Err("a value is a text, a number, a bool, null or a match expression, not a list".to_owned())
        }
    }
}

/// The name and the operand of a match expression.
fn only_member(members: &Map<String, Value>) -> Parsed<(&str, &Value)> {
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((name, operand)), None) => Ok((name, operand)),
        (None, _) => Err("a match expression names an operator".to_owned()),
        (Some(_), Some(_)) => Err("a match expression has one operator only".to_owned()),
    }
}

fn operator(members: &Map<String, Value>) -> Parsed<Matcher> {
    let (name, operand) = only_member(members)?;
    match name {
        "exactly" => text_of(name, operand).map(|text| Matcher::Text(text.to_owned())),
        "prefix" => match operand {
            Value::Object(_) => ignoring_case(name, operand).map(Matcher::PrefixIgnoreCase),
            _ => text_of(name, operand).map(|text| Matcher::Prefix(text.to_owned())),
        },
        "suffix" => match operand {
            Value::Object(_) => ignoring_case(name, operand).map(Matcher::SuffixIgnoreCase),
            _ => text_of(name, operand).map(|text| Matcher::Suffix(text.to_owned())),
        },
        "equals-ignore-case" => text_of(name, operand).map(|text| Matcher::IgnoreCase(CaseFree::new(text))),
        "wildcard" => wildcard(operand).map(Matcher::Wildcard),
        "anything-but" => anything_but(operand).map(Matcher::AnythingBut),
        "numeric" => numeric(operand),
        "exists" => match operand {
            Value::Bool(true) => Ok(Matcher::Exists),
            Value::Bool(false) => Ok(Matcher::Absent),
            _ => Err("`exists` wants true or false".to_owned()),
        },
        "cidr" => {
            let text = text_of(name, operand)?;
            let network = Network::parse(text).ok_or_else(|| format!("`{text}` is not a network in CIDR notation"))?;
            Ok(Matcher::Network(network))
        }
        unknown => Err(format!("there is no operator `{unknown}`")),
    }
}

fn text_of<'a>(operator: &str, value: &'a Value) -> Parsed<&'a str> {
    value.as_str().ok_or_else(|| format!("`{operator}` wants a text"))
}

fn ignoring_case(operator: &str, operand: &Value) -> Parsed<CaseFree> {
    let wrong = || format!("`{operator}` wants a text or `equals-ignore-case`");
    let Value::Object(members) = operand else { return Err(wrong()) };
    match only_member(members)? {
        ("equals-ignore-case", Value::String(text)) => Ok(CaseFree::new(text)),
        _ => Err(wrong()),
    }
}

fn wildcard(operand: &Value) -> Parsed<Wildcard> {
    Ok(Wildcard::parse(text_of("wildcard", operand)?)?)
}

fn anything_but(operand: &Value) -> Parsed<Excluded> {
    let wrong = "`anything-but` wants a text, a number, a list of either, or one of `prefix`, `suffix`, `equals-ignore-case`, `wildcard`";
    match operand {
        Value::String(text) => Ok(Excluded::Texts([text.clone()].into())),
        Value::Number(_) => Ok(Excluded::Numbers(vec![number(operand)?])),
        Value::Array(values) if values.is_empty() => Err("an empty list is not allowed in `anything-but`".to_owned()),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            Ok(Excluded::Texts(values.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        Value::Array(values) if values.iter().all(Value::is_number) => {
            Ok(Excluded::Numbers(values.iter().map(number).collect::<Result<_, _>>()?))
        }
        Value::Array(_) => Err("a list in `anything-but` holds texts only or numbers only".to_owned()),
        Value::Object(members) => {
            let (name, operand) = only_member(members)?;
            match name {
                "prefix" => Ok(Excluded::Prefixes(affixes(name, operand)?)),
                "suffix" => Ok(Excluded::Suffixes(affixes(name, operand)?)),
                "equals-ignore-case" => {
                    Ok(Excluded::IgnoreCase(texts(name, operand)?.into_iter().map(CaseFree::new).collect()))
                }
                "wildcard" => {
                    let parsed: Result<_, _> = texts(name, operand)?.into_iter().map(Wildcard::parse).collect();
                    Ok(Excluded::Wildcards(parsed?))
                }
                _ => Err(wrong.to_owned()),
            }
        }
        Value::Null | Value::Bool(_) => Err(wrong.to_owned()),
    }
}

/// The text or texts of an operator inside `anything-but`.
fn texts<'a>(operator: &str, operand: &'a Value) -> Parsed<Vec<&'a str>> {
    let wrong = || format!("`{operator}` in `anything-but` wants a text or a list of texts");
    match operand {
        Value::String(text) => Ok(vec![text]),
        Value::Array(values) if values.is_empty() => Err("an empty list is not allowed in `anything-but`".to_owned()),
        Value::Array(values) => values.iter().map(|value| value.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

fn affixes(operator: &str, operand: &Value) -> Parsed<Vec<String>> {
    let texts = texts(operator, operand)?;
    if texts.iter().any(|text| text.is_empty()) {
        return Err(format!("an empty `{operator}` in `anything-but` would leave nothing"));
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

fn number(value: &Value) -> Parsed<f64> {
    let wrong = || format!("the number `{value}` cannot be compared exactly");
    match value {
        Value::Number(number) => number::exact(&number.to_string()).ok_or_else(wrong),
        _ => Err(format!("`{value}` is not a number")),
    }
}

/// `["=", n]`, `[">", n]`, or a lower bound and an upper one.
fn numeric(operand: &Value) -> Parsed<Matcher> {
    let wrong = "`numeric` wants `[\"=\", n]`, one bound, or a lower bound and then an upper one";
    let Value::Array(terms) = operand else { return Err(wrong.to_owned()) };
    let mut range = Range::ALL;
    let mut terms = terms.as_slice();
    let mut bounded = false;
    while let [operator, bound, rest @ ..] = terms {
        let operator = operator.as_str().ok_or(wrong)?;
        let bound = number(bound)?;
        match operator {
            "=" if !bounded && rest.is_empty() => return Ok(Matcher::Number(bound)),
            ">" | ">=" if !bounded => {
                (range.low, range.low_included) = (bound, operator == ">=");
            }
            "<" | "<=" if rest.is_empty() => {
                (range.high, range.high_included) = (bound, operator == "<=");
            }
            "=" | ">" | ">=" | "<" | "<=" => return Err(wrong.to_owned()),
            unknown => return Err(format!("there is no comparison `{unknown}` in `numeric`")),
        }
        bounded = true;
        terms = rest;
    }
    if !terms.is_empty() || !bounded {
        return Err(wrong.to_owned());
    }
    if range.low >= range.high {
        return Err("the lower bound of `numeric` must be less than the upper one".to_owned());
    }
    Ok(Matcher::Range(range))
}
