//! Lists in JSON: STIX 2 bundles, and what Open Threat Exchange hands out.
//!
//! The file is gone through lazily: only one object at a time is parsed, and an object of an odd shape costs only itself.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use sonic_rs::{JsonValueTrait, LazyValue};

use super::pattern;
use super::read::{Entries, Reason, Unread, Where};
use super::text::{is_uncomparable, plain_name};

/// An indicator of STIX 2.
#[derive(Deserialize)]
struct StixIndicator {
    pattern: Option<String>,
    pattern_type: Option<String>,
    valid_until: Option<String>,
    revoked: Option<bool>,
    #[serde(default)]
    indicator_types: Vec<String>,
}

/// An indicator of Open Threat Exchange.
#[derive(Deserialize)]
struct OtxIndicator {
    indicator: Option<String>,
    #[serde(rename = "type")]
    of_type: Option<String>,
    expiration: Option<String>,
    is_active: Option<serde_json::Value>,
}

/// Whether the file is of Open Threat Exchange: what STIX calls objects are there indicators, or pages of pulses.
pub(super) fn is_otx(bytes: &[u8]) -> bool {
    let has = |key: &str| sonic_rs::get(bytes, [key]).is_ok_and(|value| value.is_array());
    !has("objects") && (has("indicators") || has("results"))
}

/// Reads either; the keys tell them apart, also inside a plain array of objects.
pub(super) fn read(bytes: &[u8], entries: &mut Entries) -> Result<(), Unread> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unread::Json(error.to_string()))?;
    if text.trim_start().starts_with('[') {
        return each(text, |number, value| one(number, value, entries));
    }
    // The whole file is gone through, so that one that is cut is not taken for a shorter one.
    let keys = sonic_rs::to_object_iter(text).collect::<Result<Vec<_>, _>>();
    let keys = keys.map_err(|error| Unread::Json(first_line(&error)))?;
    let list = |name: &str| keys.iter().find(|(key, value)| *key == name && value.is_array()).map(|(_, value)| value);
    if let Some(objects) = list("objects") {
        return each(objects.as_raw_str(), |number, value| stix(number, value, entries));
    }
    if let Some(indicators) = list("indicators") {
        return each(indicators.as_raw_str(), |number, value| otx(number, value, entries));
    }
    if let Some(pulses) = list("results") {
        return each(pulses.as_raw_str(), |number, value| one(number, value, entries));
    }
    if !keys.iter().any(|(key, _)| *key == "type" || *key == "indicator") {
        return Err(Unread::Json("it has neither `objects` nor `indicators`".to_owned()));
    }
    one(1, text, entries);
    Ok(())
}

/// Hands each element of an array, and its place from 1, to `take`.
fn each(array: &str, mut take: impl FnMut(usize, &str)) -> Result<(), Unread> {
    for (number, value) in (1_usize..).zip(sonic_rs::to_array_iter(array)) {
        let value = value.map_err(|error| Unread::Json(first_line(&error)))?;
        take(number, value.as_raw_str());
    }
    Ok(())
}

/// An element of an array without a name: a text, a pulse, an object of STIX or an indicator.
fn one(number: usize, raw: &str, entries: &mut Entries) {
    if let Ok(text) = serde_json::from_str::<String>(raw) {
        return entries.take(&text, || place(number, None));
    }
    if let Ok(indicators) = sonic_rs::get(raw, ["indicators"])
        && indicators.is_array()
    {
        // The pulse was parsed as a whole before; there is nothing left to fail.
        let _ = each(indicators.as_raw_str(), |number, value| otx(number, value, entries));
        return;
    }
    if sonic_rs::get(raw, ["indicator"]).is_ok() { otx(number, raw, entries) } else { stix(number, raw, entries) }
}

fn stix(number: usize, raw: &str, entries: &mut Entries) {
    if text_of(raw, "type").as_deref() != Some("indicator") {
        entries.left_out += 1;
        return;
    }
    let id = text_of(raw, "id");
    let place = || place(number, id.clone());
    let Ok(indicator) = serde_json::from_str::<StixIndicator>(raw) else {
        return entries.refuse(place, Reason::Lacks("pattern"));
    };
    let is_over = indicator.valid_until.as_deref().and_then(time).is_some_and(|until| until <= entries.now);
    let is_benign = indicator.indicator_types.iter().any(|word| word == "benign");
    if is_over || is_benign || indicator.revoked == Some(true) {
        entries.left_out += 1;
        return;
    }
    let language = indicator.pattern_type.as_deref().unwrap_or("stix");
    if language != "stix" {
        return entries.refuse(place, Reason::Language(super::read::shown(language)));
    }
    let Some(pattern) = indicator.pattern else {
        return entries.refuse(place, Reason::Lacks("pattern"));
    };
    match pattern::values(&pattern) {
        Ok(values) if values.is_empty() => entries.left_out += 1,
        Ok(values) => {
            for value in values {
                entries.take(&value, place);
            }
        }
        Err(error) => entries.refuse(place, Reason::Pattern(error)),
    }
}

fn otx(number: usize, raw: &str, entries: &mut Entries) {
    let place = || place(number, None);
    let Ok(OtxIndicator { indicator: Some(text), of_type, expiration, is_active }) = serde_json::from_str(raw) else {
        return entries.refuse(place, Reason::Lacks("indicator"));
    };
    let is_over = expiration.as_deref().and_then(time).is_some_and(|until| until <= entries.now);
    let is_withdrawn = is_active.is_some_and(|active| active == 0 || active == false);
    if is_over || is_withdrawn || of_type.is_some_and(|name| is_uncomparable(&plain_name(name.as_bytes()))) {
        entries.left_out += 1;
        return;
    }
    entries.take(&text, place);
}

fn place(number: usize, id: Option<String>) -> Where {
    Where::Object(id.unwrap_or_else(|| number.to_string()))
}

fn text_of(raw: &str, key: &str) -> Option<String> {
    sonic_rs::get(raw, [key]).ok().as_ref().and_then(LazyValue::as_str).map(str::to_owned)
}

/// A time with or without its zone, which is UTC then.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    zoned.or_else(|| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc()))
}

/// What went wrong, without the drawing of the place.
fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
