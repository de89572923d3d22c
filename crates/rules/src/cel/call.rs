//! The functions of the language.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use yagura_model::Resource;

use super::evaluate::{Evaluation, Outcome};
use super::expr::{Call, Expr, Function};
use super::failure::Failure;
use super::place::Place;
use super::value::{Val, equal};
use crate::library::{FunctionContext, Lent};

/// A compiled pattern's size: AWS names need a few KiB, and a careless `{1000}{1000}` is refused.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The longest text that `json` parses: policies end at 20 KiB, state machines at 1 MiB.
const JSON_BYTES_MAX: usize = 4 << 20;

const SECONDS_A_DAY: i64 = 86_400;

/// A lent function and its arguments, by identity where they are kept JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    function: usize,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Argument {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// The address of JSON that stays where it is for as long as results are kept.
    Kept(usize),
}

impl<'a, 'i: 'a> Evaluation<'a, 'i> {
    pub(crate) fn call(&mut self, call: &'a Call) -> Outcome<'a> {
        match &call.function {
            Function::Or => match self.argument(call, 0)? {
                Val::Null => self.argument(call, 1),
                value => Ok(value),
            },
            Function::Resources(kind) => {
                self.touch_type(kind);
                let found = self.world.resources(self.subject, kind)?;
                Ok(self.found(call, &found))
            }
            Function::ResourcesEverywhere(kind) => {
                self.touch_type(kind);
                let found = self.world.resources_everywhere(&self.subject.account, kind)?;
                Ok(self.found(call, &found))
            }
            Function::Related(kind) => {
                self.touch_type(kind);
                let own = call.arguments.is_empty();
                let from = if own { Val::Resource(self.subject) } else { self.argument(call, 0)? };
                match from {
                    Val::Null => Ok(Val::Null),
                    Val::Resource(from) => {
                        let found = self.world.related(from, kind)?;
                        Ok(self.found(call, &found))
                    }
                    other => Err(wrong(call, 0, &other, "a resource")),
                }
            }
            Function::Table(name) => match self.world.tables.get(name) {
                Some(table) => Ok(Val::from_json(table, Place::default)),
                None => Err(Failure::evaluation(format!("there is no table `{name}`"))),
            },
            Function::Lent(lent) => self.lent(call, lent),
            Function::ContainsAny | Function::ContainsAll => self.contains_of(call),
            Function::StartsWith | Function::EndsWith | Function::Contains | Function::Matches(_) => {
                self.text_test(call)
            }
            _ => self.convert(call),
        }
    }

    fn found(&mut self, call: &'a Call, found: &[&'a Resource]) -> Val<'a> {
        let value = Val::Resources(found.into());
        self.evidence.call(&call.text, &value);
        value
    }

    fn argument(&mut self, call: &'a Call, position: usize) -> Outcome<'a> {
        match call.arguments.get(position) {
            Some(argument) => self.eval(argument),
            None => Ok(Val::Null),
        }
    }

    /// The functions that make one value of another; absent stays absent.
    fn convert(&mut self, call: &'a Call) -> Outcome<'a> {
        let value = self.argument(call, 0)?;
        if let Function::Size = call.function {
            self.use_whole(&value)?;
            let size = value.size().ok_or_else(|| wrong(call, 0, &value, "a text, a list or an object"))?;
            return Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX)));
        }
        if let Function::Join = call.function {
            return self.join(call, &value);
        }
        let text = match (&call.function, &value) {
            (_, Val::Null) => return Ok(Val::Null),
            (Function::AgeDays | Function::DaysUntil, _) => return self.days(call, &value),
            (Function::Json, Val::Json(Value::Object(_), _)) => return Ok(value),
            (Function::Number | Function::Int | Function::Double | Function::Text, _) => {
                return as_number_or_text(&call.function, &value)
                    .ok_or_else(|| wrong(call, 0, &value, "a value that can be converted"));
            }
            (_, Val::Text(text)) => text.clone(),
            _ => return Err(wrong(call, 0, &value, "a text")),
        };
        match call.function {
            Function::Lower => Ok(Val::Text(Cow::Owned(text.to_lowercase()))),
            Function::Json => self.json(call, &text),
            Function::Split => match self.argument(call, 1)? {
                Val::Text(separator) if !separator.is_empty() => {
                    Ok(Val::List(text.split(&*separator).map(|part| Val::Text(Cow::Owned(part.to_owned()))).collect()))
                }
                other => Err(wrong(call, 1, &other, "a separator")),
            },
            _ => Err(Failure::evaluation(format!("`{}` is not a function", call.function.name()))),
        }
    }

    fn json(&mut self, call: &Call, text: &str) -> Outcome<'a> {
        if text.len() > JSON_BYTES_MAX {
            return Err(Failure::evaluation(format!("`{}` is longer than {JSON_BYTES_MAX} bytes", call.text)));
        }
        match serde_json::from_str::<Value>(text) {
            Ok(value) => Ok(Val::from_json(self.arena.keep(value), Place::default)),
            Err(error) => Err(Failure::evaluation(format!("`{}` is not JSON: {error}", call.text))),
        }
    }

    fn join(&mut self, call: &'a Call, list: &Val<'a>) -> Outcome<'a> {
        self.use_whole(list)?;
        let items = list.elements().ok_or_else(|| wrong(call, 0, list, "a list"))?;
        let Val::Text(separator) = self.argument(call, 1)? else {
            return Err(Failure::evaluation(format!("`{}` needs a text between the elements", call.text)));
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            match as_number_or_text(&Function::Text, item) {
                Some(Val::Text(text)) => texts.push(text),
                _ => return Err(Failure::evaluation(format!("`{}` joins {}", call.text, item.kind()))),
            }
        }
        Ok(Val::Text(Cow::Owned(texts.join(&*separator))))
    }

    fn days(&mut self, call: &Call, value: &Val<'a>) -> Outcome<'a> {
        let seconds = match value {
            Val::Text(text) => seconds_of(text).ok_or_else(|| {
                Failure::evaluation(format!("`{text}` is not an ISO 8601 time (`2024-01-31T12:00:00Z`)"))
            })?,
            Val::Int(seconds) => *seconds,
            #[expect(clippy::cast_possible_truncation, reason = "a time in seconds; what is out of range saturates")]
            Val::Double(seconds) => *seconds as i64,
            other => return Err(wrong(call, 0, other, "a time")),
        };
        let now = self.world.now.timestamp();
        let (from, to) = if matches!(call.function, Function::AgeDays) { (seconds, now) } else { (now, seconds) };
        Ok(Val::Int(to.saturating_sub(from).div_euclid(SECONDS_A_DAY)))
    }

    fn contains_of(&mut self, call: &'a Call) -> Outcome<'a> {
        let mut lists = Vec::with_capacity(2);
        for position in 0..2 {
            let value = self.argument(call, position)?;
            self.use_whole(&value)?;
            lists.push(value.elements().ok_or_else(|| wrong(call, position, &value, "a list"))?);
        }
        let [all, wanted] = lists.as_slice() else { return Ok(Val::Bool(false)) };
        let has = |item: &Val<'_>| all.iter().any(|other| equal(item, other));
        Ok(Val::Bool(match call.function {
            Function::ContainsAny => wanted.iter().any(has),
            _ => wanted.iter().all(has),
        }))
    }

    fn text_test(&mut self, call: &'a Call) -> Outcome<'a> {
        let value = self.argument(call, 0)?;
        let Val::Text(text) = &value else { return Err(wrong(call, 0, &value, "a text")) };
        if let Function::Matches(Some(pattern)) = &call.function {
            return Ok(Val::Bool(pattern.is_match(text)));
        }
        let other = self.argument(call, 1)?;
        let Val::Text(part) = &other else { return Err(wrong(call, 1, &other, "a text")) };
        Ok(Val::Bool(match call.function {
            Function::StartsWith => text.starts_with(&**part),
            Function::EndsWith => text.ends_with(&**part),
            Function::Contains => text.contains(&**part),
            _ => pattern(part).map_err(Failure::evaluation)?.is_match(text),
        }))
    }

    fn lent(&mut self, call: &'a Call, lent: &Arc<Lent>) -> Outcome<'a> {
        let mut values = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            let value = self.eval(argument)?;
            self.use_contents(&value)?;
            values.push(value);
        }
        let asked = values.iter().map(|value| argument_of(value)).collect::<Option<Vec<_>>>();
        let asked = asked.map(|arguments| Asked { function: Arc::as_ptr(lent).addr(), arguments });
        let known = asked.as_ref().and_then(|asked| self.kept.get(asked)).cloned();
        let result = known.unwrap_or_else(|| {
            let json: Vec<Cow<'a, Value>> = values.iter().map(Val::to_json).collect();
            let arguments: Vec<&Value> = json.iter().map(|value| &**value).collect();
            let context = FunctionContext { now: self.world.now, subject: self.subject };
            let result = lent.call(&arguments, &context);
            let result = result.map_err(|error| Failure::evaluation(format!("`{}`: {error}", call.text)));
            let result = result.map(|value| self.arena.keep(value));
            if let Some(asked) = asked {
                self.kept.insert(asked, result.clone());
            }
            result
        });
        let value = Val::from_json(result?, Place::default);
        self.evidence.call(&call.text, &value);
        Ok(value)
    }
}

fn wrong(call: &Call, position: usize, value: &Val<'_>, wanted: &str) -> Failure {
    let argument = call.arguments.get(position).map(Expr::to_string).unwrap_or_default();
    let name = call.function.name();
    Failure::evaluation(format!("`{argument}` is {}, where `{name}` needs {wanted}", value.kind()))
}

/// What to keep a result under; none where the argument was made by the expression.
fn argument_of(value: &Val<'_>) -> Option<Argument> {
    Some(match value {
        Val::Null => Argument::Null,
        Val::Bool(value) => Argument::Bool(*value),
        Val::Int(value) => Argument::Int(*value),
        Val::Text(text) => Argument::Text(text.to_string()),
        Val::Json(value, _) => Argument::Kept(std::ptr::from_ref(*value).addr()),
        _ => return None,
    })
}

/// A compiled pattern, within the limit.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("`{text}` is not a pattern: {last}")
    })
}

fn as_number_or_text<'a>(function: &Function, value: &Val<'a>) -> Option<Val<'a>> {
    let double = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite()).map(Val::Double);
    match (function, value) {
        (Function::Text, Val::Text(_))
        | (Function::Number, Val::Int(_) | Val::Double(_))
        | (Function::Int, Val::Int(_))
        | (Function::Double, Val::Double(_)) => Some(value.clone()),
        (Function::Text, Val::Bool(value)) => Some(Val::Text(Cow::Owned(value.to_string()))),
        (Function::Text, Val::Int(value)) => Some(Val::Text(Cow::Owned(value.to_string()))),
        (Function::Text, Val::Double(value)) => Some(Val::Text(Cow::Owned(value.to_string()))),
        (Function::Number, Val::Text(text)) => text.parse().ok().map(Val::Int).or_else(|| double(text)),
        (Function::Int, Val::Text(text)) => text.parse().ok().map(Val::Int),
        (Function::Double, Val::Text(text)) => double(text),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range of an i64")]
        (Function::Int, Val::Double(value)) if value.abs() < 9.2e18 => Some(Val::Int(value.trunc() as i64)),
        #[expect(clippy::cast_precision_loss, reason = "a double is asked for")]
        (Function::Double, Val::Int(value)) => Some(Val::Double(*value as f64)),
        _ => None,
    }
}

/// Seconds since 1970 of an ISO 8601 time or day; without a zone it is UTC's.
fn seconds_of(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp());
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(time.timestamp());
    }
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    naive.or_else(day).map(|time| time.and_utc().timestamp())
}
