//! The values that condition operators compare: numbers, dates, networks, bytes.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use ipnet::IpNet;

/// Digits kept behind the point of a number; AWS's own keys have a handful.
const FRACTION_DIGITS: usize = 18;

/// Digits read before the point, so that the whole stays inside 128 bits.
const INTEGER_DIGITS_MAX: usize = 20;

/// One, in the units of [`number`].
pub(crate) const ONE: i128 = 10_i128.pow(18);

const SECONDS_A_DAY: i64 = 86_400;
const MICROS_A_SECOND: i64 = 1_000_000;

/// A decimal number in units of 10⁻¹⁸; `None` where the text is none, or is larger than any key's.
pub(crate) fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (integer.is_empty() && fraction.is_empty()) || !is_digits(integer) || !is_digits(fraction) {
        return None;
    }
    let integer = integer.trim_start_matches('0');
    if integer.len() > INTEGER_DIGITS_MAX || fraction.len() > FRACTION_DIGITS {
        return None;
    }
    let zeros = std::iter::repeat_n(b'0', FRACTION_DIGITS - fraction.len());
    let digits = integer.bytes().chain(fraction.bytes()).chain(zeros);
    let value = digits.fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    Some(if negative { -value } else { value })
}

/// A point in time in microseconds since 1970: a date of ISO 8601 (`2026`, `2026-01`, `2026-01-31`, with a time, with
/// an offset) or seconds since 1970. Four digits are a year.
pub(crate) fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_year = text.len() == 4;
    if !is_year && !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let micros = number(text)? / 10_i128.pow(12);
        return i64::try_from(micros).ok();
    }
    let (day, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let date = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&date) {
        return None;
    }
    let micros = time.map_or(Some(0), micros_of_day)?;
    (days_since_epoch(year, month, date) * SECONDS_A_DAY).checked_mul(MICROS_A_SECOND)?.checked_add(micros)
}

/// `12:30`, `12:30:15`, `12:30:15.25`, with `Z`, `+09:00`, `+0900` or nothing (which is UTC).
fn micros_of_day(text: &str) -> Option<i64> {
    let (clock, offset) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (text.get(..at)?, text.get(at..)?),
        None => (text, "Z"),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let (second, fraction) = match parts.next() {
        None => (0, ""),
        Some(part) => {
            let (second, fraction) = part.split_once('.').unwrap_or((part, ""));
            (digits(second, 2)?, fraction)
        }
    };
    if parts.next().is_some() || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits_of_micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let micros = digits_of_micros.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0'));
    let offset_minutes = match offset {
        "Z" | "z" => 0,
        _ => {
            let ahead = offset.strip_prefix('+');
            let text = ahead.or_else(|| offset.strip_prefix('-'))?.replace(':', "");
            let minutes = match text.len() {
                2 => digits(&text, 2)? * 60,
                4 => digits(text.get(..2)?, 2)? * 60 + digits(text.get(2..)?, 2)?,
                _ => return None,
            };
            if ahead.is_some() { minutes } else { -minutes }
        }
    };
    Some((((hour * 60 + minute - offset_minutes) * 60) + second) * MICROS_A_SECOND + micros)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01, in the Gregorian calendar carried backwards: years are counted from March, so that the leap
/// day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A network or one address; bits behind the prefix do not matter.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    crate::net::network(text).map(|network| network.trunc())
}

/// One address.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok()
}

/// The bytes that a Base64 text stands for, padded or not.
pub(crate) fn binary(text: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    ENGINE.decode(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(number("10"), number("10.00"));
        assert_eq!(number("-0"), number("0"));
        assert_eq!(number("007"), number("7"));
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("0.1") < number("0.10000000000000001"));
        assert!(number("-2") < number("-1"));
        for bad in ["", ".", "-", "1e3", "0x10", "1,000", "ten", "1.2.3", "123456789012345678901"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_are_read_in_their_usual_forms() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-10T12:30:15Z", 1_773_145_815),
            ("2026-03-10T21:30:15+09:00", 1_773_145_815),
            ("2026-03-10T12:30:15.000Z", 1_773_145_815),
            ("2026-03-10T12:30Z", 1_773_145_800),
            ("2026-03-10", 1_773_100_800),
            ("2026-03", 1_772_323_200),
            ("2026", 1_767_225_600),
            ("1773145815", 1_773_145_815),
            ("2024-02-29T00:00:00Z", 1_709_164_800),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(date(text), Some(seconds * MICROS_A_SECOND), "{text}");
        }
        for bad in ["", "2025-02-29", "2026-13-01", "2026-3-1", "soon", "2026-03-10T25:00Z", "2026-03-10T12", "-", "T"]
        {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn networks_ignore_host_bits_and_bytes_their_padding() {
        assert_eq!(network("192.0.2.77/24"), network("192.0.2.0/24"));
        assert_eq!(network("192.0.2.1"), network("192.0.2.1/32"));
        assert_eq!(network("2001:db8::1/32"), network("2001:db8::/32"));
        assert_eq!(network("192.0.2.0/33"), None);
        assert_eq!(binary("aGk="), Some(b"hi".to_vec()));
        assert_eq!(binary("aGk"), Some(b"hi".to_vec()));
        assert_eq!(binary("%%"), None);
    }
}
