//! Reading request parameters, whose shape depends on the protocol of the service.
//!
//! A list is a list, or `{"items": […]}`, or `{"item": …}`, or, where XML had one element, that element. A truth value is one,
//! or its text. Keys differ in the case of their first letter between versions of an API.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

/// The most elements of one list that are read: AWS takes no more than 1,000 in any request read here.
const ELEMENTS_MAX: usize = 1000;

/// A key of an object, in any case.
pub(super) fn field<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(&key) {
        return (!found.is_null()).then_some(found);
    }
    let same = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
    same.map(|(_, found)| found).filter(|found| !found.is_null())
}

/// What is at a path of keys, in any case.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| field(value, key))
}

/// The text at a path, if it is one with something in it.
pub(super) fn text<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

/// The truth value at a path: a boolean, its text, or `{"value": …}` around it.
pub(super) fn truth(value: &Value, path: &[&str]) -> Option<bool> {
    let found = at(value, path)?;
    let found = field(found, "value").unwrap_or(found);
    if let Some(truth) = found.as_bool() {
        return Some(truth);
    }
    match found.as_str()? {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The whole number at a path, which may be a text.
pub(super) fn number(value: &Value, path: &[&str]) -> Option<i64> {
    let found = at(value, path)?;
    found.as_i64().or_else(|| found.as_str()?.parse().ok())
}

/// The elements of a list, however it is wrapped; none where nothing is there.
pub(super) fn items(value: Option<&Value>) -> Vec<&Value> {
    let Some(value) = value else { return Vec::new() };
    if let Some(list) = value.as_array() {
        return list.iter().take(ELEMENTS_MAX).collect();
    }
    let Some(object) = value.as_object() else {
        return if value.is_null() { Vec::new() } else { vec![value] };
    };
    if let Some(inner) = field(value, "items").or_else(|| field(value, "item")) {
        return items(Some(inner));
    }
    if object.is_empty() { Vec::new() } else { vec![value] }
}

/// The elements of a list at a path.
pub(super) fn list<'v>(value: &'v Value, path: &[&str]) -> Vec<&'v Value> {
    items(at(value, path))
}

/// A value for the access engine, which reads documents as objects and as texts.
pub(super) fn document(value: &Value) -> serde_json::Value {
    rsigma_eval::EventValue::to_json(&crate::path::event_value(value, crate::path::DEPTH_MAX))
}
