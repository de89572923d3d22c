//! How times are written in logs.

use chrono::{DateTime, NaiveDateTime};

/// The first moment that a row may have, in microseconds since 1970: 1 January 2000. AWS is younger; what is before
/// is a number that was taken for a time.
const MICROS_MIN: i64 = 946_684_800_000_000;

/// The moment before which a row must lie: 1 January 2100. A time past it is no log's, and its day would be a folder
/// of its own.
const MICROS_MAX: i64 = 4_102_444_800_000_000;

/// One way to write a time. All are UTC unless they say an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// Numbers since 1970, a fraction allowed: `epoch_s`, `epoch_ms`, `epoch_us`; how many microseconds the unit has.
    Epoch(i64),
    /// `iso`: RFC 3339, with or without `Z`, with `T` or a blank.
    Iso,
    /// A format of `chrono`.
    Pattern(String),
    /// The first of these that fits.
    First(Vec<TimeFormat>),
}

impl TimeFormat {
    /// The format of this name, or the `chrono` format that it is.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        Ok(match name {
            "epoch_s" => Self::Epoch(1_000_000),
            "epoch_ms" => Self::Epoch(1_000),
            "epoch_us" => Self::Epoch(1),
            "iso" => Self::Iso,
            pattern if pattern.contains('%') => {
                let wrong =
                    chrono::format::StrftimeItems::new(pattern).any(|item| matches!(item, chrono::format::Item::Error));
                if wrong {
                    return Err(format!("`{pattern}` is not a format of a time"));
                }
                Self::Pattern(pattern.to_owned())
            }
            other => return Err(format!("`{other}` is not a format of a time")),
        })
    }

    /// The microseconds since 1970 that the text says; none if it says no time that a log can have.
    pub(super) fn micros(&self, text: &str) -> Option<i64> {
        let micros = match self {
            Self::First(formats) => return formats.iter().find_map(|format| format.micros(text)),
            Self::Epoch(unit) => epoch(text, *unit)?,
            Self::Iso => iso(text)?,
            Self::Pattern(pattern) => pattern_micros(text, pattern)?,
        };
        (MICROS_MIN..MICROS_MAX).contains(&micros).then_some(micros)
    }
}

fn epoch(text: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut micros = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let mut scale = unit / 10;
    for digit in fraction.bytes() {
        micros = micros.checked_add(i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?) * scale)?;
        scale /= 10;
    }
    Some(micros)
}

fn iso(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f%z"]
        .iter()
        .find_map(|pattern| pattern_micros(text, pattern))
}

fn pattern_micros(text: &str, pattern: &str) -> Option<i64> {
    match DateTime::parse_from_str(text, pattern) {
        Ok(time) => Some(time.timestamp_micros()),
        Err(_) => NaiveDateTime::parse_from_str(text, pattern).ok().map(|time| time.and_utc().timestamp_micros()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, text: &str, expected: Option<&str>) {
        let found = TimeFormat::new(format).unwrap().micros(text);
        let found = found.map(|micros| DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339());
        assert_eq!(found.as_deref(), expected, "{format} {text}");
    }

    #[test]
    fn every_way_to_write_a_time() {
        check("epoch_s", "1616729292", Some("2021-03-26T03:28:12+00:00"));
        check("epoch_s", "1616729292.25", Some("2021-03-26T03:28:12.250+00:00"));
        check("epoch_ms", "1679548657700", Some("2023-03-23T05:17:37.700+00:00"));
        check("epoch_us", "1611831600123456", Some("2021-01-28T11:00:00.123456+00:00"));
        check("iso", "2021-02-04T17:51:55Z", Some("2021-02-04T17:51:55+00:00"));
        check("iso", "2021-02-04T17:51:55.123456789Z", Some("2021-02-04T17:51:55.123456+00:00"));
        check("iso", "2021-02-04T17:51:55", Some("2021-02-04T17:51:55+00:00"));
        check("iso", "2025-02-24T14:39:44.200427+0000", Some("2025-02-24T14:39:44.200427+00:00"));
        check("%d/%b/%Y:%H:%M:%S %z", "31/Jan/2023:09:25:21 +0000", Some("2023-01-31T09:25:21+00:00"));
        check("%d/%b/%Y:%H:%M:%S %z", "31/Jan/2023:09:25:21 +0900", Some("2023-01-31T00:25:21+00:00"));
        check("%Y%m%d %H:%M:%S", "20210128 10:00:00", Some("2021-01-28T10:00:00+00:00"));
    }

    #[test]
    fn what_no_log_says_is_no_time() {
        check("epoch_s", "99999999999999999999", None);
        check("epoch_s", "9223372036854775807", None);
        check("epoch_s", "12", None);
        check("epoch_s", "1616729292.x", None);
        check("epoch_ms", "1616729292", None);
        check("iso", "2021-02-30T00:00:00Z", None);
        check("iso", "", None);
        check("%d/%b/%Y:%H:%M:%S %z", "31/Jan/2023", None);
    }

    #[test]
    fn a_format_that_is_none_is_refused() {
        assert!(TimeFormat::new("epoch").is_err());
        assert!(TimeFormat::new("%Y-%Q").is_err());
    }
}
