//! Fields and times, against rsigma's own view of the same JSON.

use rsigma_eval::Event as _;

use super::*;
use crate::context::Context;

fn read(text: &str) -> Result<Event<'static>, EventError> {
    let source = Source::named("cloudtrail").unwrap();
    Event::read(&Input::new(source, text), &Context::EMPTY)
}

#[test]
fn fields_are_what_rsigma_finds() {
    let text = r#"{"eventTime": "2026-01-05T10:00:00Z", "a": {"b": [{"c": 1}, {"c": "x"}, {"d": null}], "e.f": true},
        "a.e": 2.5, "list": [1, [2, 3]], "empty": [], "name[0]": "literal", "deep": {"x": {"y": [[{"z": 1}]]}}}"#;
    let event = read(text).unwrap();
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let theirs = rsigma_eval::JsonEvent::borrow(&value);
    for path in [
        "eventTime",
        "a",
        "a.b",
        "a.b.c",
        "a.b.d",
        "a.b[0].c",
        "a.b[-1].d",
        "a.b[7].c",
        "a.e",
        "a.e.f",
        "list",
        "list[1]",
        "list[1][0]",
        "empty",
        "name\\[0\\]",
        "name[0]",
        "deep.x.y.z",
        "none",
        "a.none",
        "",
        ".",
        "a.",
        ".a",
        "a..b",
    ] {
        assert_eq!(event.get_field(path), theirs.get_field(path), "`{path}`");
    }
    let mut texts: Vec<_> = event.all_string_values();
    let mut theirs: Vec<_> = theirs.all_string_values();
    texts.sort();
    theirs.sort();
    assert_eq!(texts, theirs);
}

#[test]
fn what_has_no_time_or_is_no_object_is_refused() {
    assert_eq!(read("{}").err(), Some(EventError::NoTime));
    assert!(matches!(read("[1]").err(), Some(EventError::NotJson(_))));
    assert!(matches!(read("{\"eventTime\": ").err(), Some(EventError::NotJson(_))));
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(EVENT_BYTES_MAX));
    assert_eq!(read(&long).err(), Some(EventError::TooLong));
}

#[test]
fn an_error_does_not_show_the_event() {
    let Some(EventError::NotJson(reason)) = read("{\"password\": \"hunter2\", oops}").err() else { panic!("accepted") };
    assert!(!reason.contains("hunter2"), "{reason}");
}

#[test]
fn times_of_every_log() {
    for (source, text, expected) in [
        ("cloudtrail", r#"{"eventTime": "2026-01-05T10:00:00Z"}"#, "2026-01-05T10:00:00+00:00"),
        ("vpcflow", r#"{"start": 1767607200}"#, "2026-01-05T10:00:00+00:00"),
        ("waf", r#"{"timestamp": 1767607200123}"#, "2026-01-05T10:00:00.123+00:00"),
        ("eksaudit", r#"{"stageTimestamp": "2026-01-05T10:00:00.000001Z"}"#, "2026-01-05T10:00:00+00:00"),
    ] {
        let source = Source::named(source).unwrap();
        let event = Event::read(&Input::new(source, text), &Context::EMPTY).unwrap();
        assert_eq!(event.time().to_rfc3339(), expected);
    }
}
