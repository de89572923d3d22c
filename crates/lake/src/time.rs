//! Times as logs write them, in microseconds since 1970 (UTC).

use chrono::{DateTime, NaiveDate};

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;
/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The time of `2026-10-01T12:34:56Z`, and of RFC 3339 in general. None for anything else.
pub fn micros(text: &str) -> Option<i64> {
    if let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'Z'] =
        text.as_bytes()
    {
        let two = |high: &u8, low: &u8| -> Option<i64> {
            (high.is_ascii_digit() && low.is_ascii_digit()).then(|| i64::from(high - b'0') * 10 + i64::from(low - b'0'))
        };
        let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
        let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_of(year, month, day)?;
        return Some((days * DAY_SECONDS + hour * 3600 + minute * 60 + second) * MICROS);
    }
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}

/// Days since 1970 of a date of the civil calendar.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let date =
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days())
}

/// The day (UTC), as days since 1970, of a time in microseconds.
pub fn day(micros: i64) -> i32 {
    i32::try_from(micros.div_euclid(DAY_SECONDS * MICROS)).unwrap_or(0)
}

/// The day as `2026-10-01`.
pub fn day_text(day: i32) -> String {
    let date = NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(i64::from(day)));
    date.map_or_else(|| day.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

/// Days since 1970 of `2026-10-01`.
pub fn day_of(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// The time as RFC 3339 in UTC.
pub fn text(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (given, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-10-01T12:34:56Z", Some(1_790_858_096_000_000)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199_000_000)),
            ("2026-10-01T12:34:56.5Z", Some(1_790_858_096_500_000)),
            ("2026-10-01T21:34:56+09:00", Some(1_790_858_096_000_000)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-10-01T24:00:00Z", None),
            ("2026-10-01 12:34:56", None),
            ("", None),
        ] {
            assert_eq!(micros(given), expected, "{given}");
        }
        assert_eq!(day_text(day(-1)), "1969-12-31");
        assert_eq!(day_of(&day_text(20_000)), Some(20_000));
    }
}
