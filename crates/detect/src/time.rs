//! Times as logs write them, and spans as rules write them.

use chrono::DateTime;
use rsigma_parser::Timespan;
use sonic_rs::{JsonValueTrait, Value};

/// What is larger than this is counted in milliseconds: in seconds it would be the year 5138.
const SECONDS_MAX: i64 = 100_000_000_000;

/// The longest span that a rule may name, in milliseconds: 400 days, a year with some room.
pub(crate) const SPAN_MS_MAX: i64 = 400 * 86_400_000;

/// The time, in milliseconds since 1970, that a JSON value is: RFC 3339, or a number of seconds or milliseconds since 1970.
pub(crate) fn of_value(value: &Value) -> Option<i64> {
    if let Some(text) = value.as_str() {
        return of_text(text);
    }
    let number = value.as_i64()?;
    if number.abs() >= SECONDS_MAX { Some(number) } else { number.checked_mul(1000) }
}

/// The time that a text is.
pub(crate) fn of_text(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let number: i64 = text.parse().ok()?;
    if number.abs() >= SECONDS_MAX { Some(number) } else { number.checked_mul(1000) }
}

/// A span such as `10m` or `14d`, in milliseconds; the error says what is wrong.
pub(crate) fn span_ms(text: &str) -> Result<i64, String> {
    let span =
        Timespan::parse(text).map_err(|_| format!("`{text}` is not a span of time such as `10m`, `12h` or `14d`"))?;
    span_of(&span)
}

/// A parsed span in milliseconds.
pub(crate) fn span_of(span: &Timespan) -> Result<i64, String> {
    let span_ms = i64::try_from(span.seconds).ok().and_then(|seconds| seconds.checked_mul(1000));
    span_ms
        .filter(|span_ms| *span_ms <= SPAN_MS_MAX)
        .ok_or_else(|| format!("`{}` is longer than 400 days", span.original))
}
