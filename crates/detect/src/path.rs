//! Fields of a JSON value by their path, as Sigma's engines find them.
//!
//! A key that is the whole path is found first; otherwise dots part it, a list stands for all of its elements, and `[0]`
//! picks one (`[-1]` the last).

use std::borrow::Cow;

use rsigma_eval::EventValue;
use rsigma_parser::fieldpath::{first_unescaped, unescape_brackets};
use sonic_rs::{JsonContainerTrait, JsonNumberTrait, JsonValueTrait, Value, ValueRef};

/// How deep values are looked into: what is nested deeper is no log of AWS.
pub(crate) const DEPTH_MAX: usize = 64;

/// The value at a path; of several, all of them as a list.
pub(crate) fn get<'v>(root: &'v Value, path: &str) -> Option<EventValue<'v>> {
    let mut found = Found { first: None, more: Vec::new() };
    visit(root, path, &mut |value| found.add(event_value(value, DEPTH_MAX)));
    match (found.first, found.more.is_empty()) {
        (first, true) => first,
        (first, false) => Some(EventValue::Array(first.into_iter().chain(found.more).collect())),
    }
}

/// The first value at a path.
pub(crate) fn first<'v>(root: &'v Value, path: &str) -> Option<&'v Value> {
    let mut first = None;
    visit(root, path, &mut |value| {
        first.get_or_insert(value);
    });
    first
}

/// The text of the first value at a path, if it is a text with something in it.
pub(crate) fn first_text(root: &Value, path: &str) -> Option<String> {
    first(root, path)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

struct Found<'v> {
    first: Option<EventValue<'v>>,
    more: Vec<EventValue<'v>>,
}

impl<'v> Found<'v> {
    fn add(&mut self, value: EventValue<'v>) {
        match self.first {
            None => self.first = Some(value),
            Some(_) => self.more.push(value),
        }
    }
}

/// Calls `tell` with every value at a path.
fn visit<'v>(root: &'v Value, path: &str, tell: &mut impl FnMut(&'v Value)) {
    let Some(object) = root.as_object() else {
        return;
    };
    if let Some(value) = object.get(&path) {
        return tell(value);
    }
    if !path.bytes().any(|byte| matches!(byte, b'.' | b'[' | b'\\')) {
        return;
    }
    descend(root, path, tell);
}

fn descend<'v>(value: &'v Value, path: &str, tell: &mut impl FnMut(&'v Value)) {
    let (segment, rest) = match path.split_once('.') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    };
    if !segment.bytes().any(|byte| matches!(byte, b'[' | b'\\')) {
        return by_key(value, segment, &mut |next| onward(next, rest, tell));
    }
    let indexed =
        first_unescaped(segment, b'[').and_then(|at| Some((segment.get(..at)?, indexes(segment.get(at..)?)?)));
    match indexed {
        Some((name, picks)) => {
            let mut pick = |next: &'v Value| {
                if let Some(picked) = picks.iter().try_fold(next, |next, index| element(next, *index)) {
                    onward(picked, rest, tell);
                }
            };
            match name {
                "" => pick(value),
                name => by_key(value, &unescape_brackets(name), &mut pick),
            }
        }
        None => by_key(value, &unescape_brackets(segment), &mut |next| onward(next, rest, tell)),
    }
}

fn onward<'v>(value: &'v Value, rest: Option<&str>, tell: &mut impl FnMut(&'v Value)) {
    match rest {
        None => tell(value),
        // A closure that calls itself with another would make infinitely many types.
        Some(rest) => descend(value, rest, &mut (tell as &mut dyn FnMut(&'v Value))),
    }
}

fn by_key<'v>(value: &'v Value, key: &str, tell: &mut dyn FnMut(&'v Value)) {
    if let Some(object) = value.as_object() {
        if let Some(next) = object.get(&key) {
            tell(next);
        }
    } else if let Some(list) = value.as_array() {
        list.iter().for_each(|element| by_key(element, key, tell));
    }
}

fn element(value: &Value, index: i64) -> Option<&Value> {
    let list = value.as_array()?;
    let back = usize::try_from(index.unsigned_abs()).ok()?;
    let at = if index >= 0 { Some(back) } else { list.len().checked_sub(back) };
    list.get(at?)
}

/// `[0][-1]` as numbers; nothing where it is not of that form.
fn indexes(text: &str) -> Option<Vec<i64>> {
    let mut indexes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
        indexes.push(index.parse().ok()?);
        rest = after;
    }
    Some(indexes)
}

/// A JSON value as rsigma sees it; what is too deep is `null`.
pub(crate) fn event_value(value: &Value, depth: usize) -> EventValue<'_> {
    let Some(depth) = depth.checked_sub(1) else { return EventValue::Null };
    match value.as_ref() {
        ValueRef::Null => EventValue::Null,
        ValueRef::Bool(value) => EventValue::Bool(value),
        ValueRef::Number(number) => match number.as_i64() {
            Some(number) => EventValue::Int(number),
            None => EventValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        ValueRef::String(text) => EventValue::Str(Cow::Borrowed(text)),
        ValueRef::Array(list) => EventValue::Array(list.iter().map(|value| event_value(value, depth)).collect()),
        ValueRef::Object(object) => {
            EventValue::Map(object.iter().map(|(key, value)| (Cow::Borrowed(key), event_value(value, depth))).collect())
        }
    }
}

/// Whether a text anywhere in the value satisfies the predicate.
pub(crate) fn any_text(value: &Value, predicate: &dyn Fn(&str) -> bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value.as_ref() {
        ValueRef::String(text) => predicate(text),
        ValueRef::Array(list) => list.iter().any(|value| any_text(value, predicate, depth)),
        ValueRef::Object(object) => object.iter().any(|(_, value)| any_text(value, predicate, depth)),
        _ => false,
    }
}

/// Tells every text in the value.
pub(crate) fn each_text<'v>(value: &'v Value, tell: &mut dyn FnMut(&'v str), depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value.as_ref() {
        ValueRef::String(text) => tell(text),
        ValueRef::Array(list) => list.iter().for_each(|value| each_text(value, tell, depth)),
        ValueRef::Object(object) => object.iter().for_each(|(_, value)| each_text(value, tell, depth)),
        _ => {}
    }
}
