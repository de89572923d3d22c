//! Numbers as EventBridge compares them: doubles, and only where the double says what was written.

/// The double that a JSON number is, or nothing where no double says exactly what is written.
pub(super) fn exact(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    (decimal(text)? == decimal(&format!("{value:e}"))?).then_some(value + 0.0)
}

/// The first number of a JSON text that no double holds.
pub(super) fn first_inexact(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let start = rest.find(|next: char| next == '"' || next == '-' || next.is_ascii_digit())?;
        rest = rest.get(start..)?;
        if let Some(inside) = rest.strip_prefix('"') {
            rest = after_string(inside)?;
            continue;
        }
        let end = rest.find(|next: char| !(next.is_ascii_digit() || "+-.eE".contains(next))).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end)?;
        if decimal(number).is_some() && exact(number).is_none() {
            return Some(number);
        }
        rest = after;
    }
}

fn after_string(inside: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, next) in inside.char_indices() {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return inside.get(at + 1..),
            _ => {}
        }
    }
    None
}

/// Sign, digits without zeros at either end, and the power of ten that the digits are multiplied by.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    let zeros = i64::try_from(all.len() - digits.len()).ok()?;
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { Some((false, String::new(), 0)) } else { Some((negative, digits.to_owned(), power)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_exact_where_a_double_says_the_same() {
        for text in
            ["0", "-0", "-0.0", "300", "300.0", "3.0e2", "3E+2", "0.1", "9007199254740992", "1e308", "-5.5", "1e-5"]
        {
            assert!(exact(text).is_some(), "{text}");
        }
        for text in ["9007199254740993", "0.10000000000000000001", "1e309", "123456789012345678901234567890", "1e-400"]
        {
            assert_eq!(exact(text), None, "{text}");
        }
        assert_eq!(exact("-0.0").map(f64::to_bits), Some(0));
    }

    #[test]
    fn numbers_are_found_outside_of_texts_only() {
        assert_eq!(first_inexact(r#"{"a9007199254740993": ["9007199254740993", "\"1e999", 1.5e3, -2]}"#), None);
        assert_eq!(first_inexact(r#"{"a": ["x", -9007199254740993]}"#), Some("-9007199254740993"));
        assert_eq!(first_inexact(r#"{"a": [1e999]}"#), Some("1e999"));
    }
}
