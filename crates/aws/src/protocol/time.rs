//! Moments: the three ways of the wire, and RFC 3339 text in our JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Number, Value};

use crate::model::TimestampFormat;

/// How RFC 822 dates are written: always in GMT, to the second.
const RFC_822: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// What is read from AWS in practice beside RFC 3339 and RFC 2822: no zone (UTC is meant), a zone without a colon.
const LOOSE_FORMATS: [&str; 3] = ["%Y-%m-%dT%H:%M:%S%.f%z", "%a, %d %b %Y %H:%M:%S%.f GMT", "%Y-%m-%d %H:%M:%S%.f%z"];
const LOOSE_FORMATS_WITHOUT_ZONE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];

/// The moment of a JSON value: seconds since 1970 as a number, or text in any of the formats.
pub(super) fn from_json(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Number(number) => from_number(number),
        Value::String(text) => from_text(text),
        _ => None,
    }
}

/// The moment of text in any format that AWS writes.
pub(super) fn from_text(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)) {
        return Some(moment.to_utc());
    }
    if let Ok(number) = serde_json::from_str::<Number>(text) {
        return from_number(&number);
    }
    let with_zone = LOOSE_FORMATS.iter().find_map(|format| match format.strip_suffix(" GMT") {
        Some(naive) => Some(chrono::NaiveDateTime::parse_from_str(text.strip_suffix(" GMT")?, naive).ok()?.and_utc()),
        None => Some(DateTime::parse_from_str(text, format).ok()?.to_utc()),
    });
    let mut without = LOOSE_FORMATS_WITHOUT_ZONE.iter();
    with_zone.or_else(|| without.find_map(|f| Some(chrono::NaiveDateTime::parse_from_str(text, f).ok()?.and_utc())))
}

/// Our JSON's text of a moment.
pub(super) fn to_json(moment: DateTime<Utc>) -> Value {
    Value::String(moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The wire's text of a moment.
pub(super) fn to_wire(moment: DateTime<Utc>, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::Iso8601 => moment.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        TimestampFormat::Rfc822 => moment.format(RFC_822).to_string(),
        TimestampFormat::UnixTimestamp => to_number(moment).to_string(),
    }
}

/// Seconds since 1970, with a fraction where there is one.
pub(super) fn to_number(moment: DateTime<Utc>) -> Number {
    let microseconds = moment.timestamp_subsec_micros();
    if microseconds == 0 {
        return moment.timestamp().into();
    }
    #[expect(clippy::cast_precision_loss, reason = "microseconds fit 53 bits for the next two centuries")]
    let seconds = moment.timestamp_micros() as f64 / 1e6;
    Number::from_f64(seconds).unwrap_or_else(|| moment.timestamp().into())
}

fn from_number(number: &Number) -> Option<DateTime<Utc>> {
    if let Some(seconds) = number.as_i64() {
        return DateTime::from_timestamp(seconds, 0);
    }
    let seconds = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates and the bounds of chrono are checked")]
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(from_json(value).map(to_json), Some(json!(expected)));
    }

    #[test]
    fn all_formats_are_read() {
        check(&json!(1_398_796_238), "2014-04-29T18:30:38Z");
        check(&json!("1398796238"), "2014-04-29T18:30:38Z");
        check(&json!(1_398_796_238.25), "2014-04-29T18:30:38.250Z");
        check(&json!("2014-04-29T20:30:38+02:00"), "2014-04-29T18:30:38Z");
        check(&json!("2014-04-29T18:30:38.123+0000"), "2014-04-29T18:30:38.123Z");
        check(&json!("2014-04-29T18:30:38"), "2014-04-29T18:30:38Z");
        check(&json!("Tue, 29 Apr 2014 18:30:38 GMT"), "2014-04-29T18:30:38Z");
        check(&json!("Sun, 02 Jan 2000 20:34:56.456 GMT"), "2000-01-02T20:34:56.456Z");
        assert_eq!(from_json(&json!("yesterday")), None);
        assert_eq!(from_json(&json!(1e300)), None);
    }

    #[test]
    fn the_wire_has_three_formats() {
        let moment = from_text("2014-04-29T18:30:38.5Z").unwrap();
        assert_eq!(to_wire(moment, TimestampFormat::Iso8601), "2014-04-29T18:30:38.500Z");
        assert_eq!(to_wire(moment, TimestampFormat::Rfc822), "Tue, 29 Apr 2014 18:30:38 GMT");
        assert_eq!(to_wire(moment, TimestampFormat::UnixTimestamp), "1398796238.5");
    }
}
