//! What a field is compared with.

use super::cursor::Cursor;
use super::regex::{self, Regex};
use super::{PatternError, REGEXES_MAX};

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The operators as they are written, the longer before its own beginning.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// A comparison with everything but the field.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// `=`, or its negation.
    Is { negated: bool, operand: Operand },
    /// One of the four that need numbers.
    Order { operator: Operator, number: f64 },
}

/// The right side of `=` and `!=`.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Quoted(Wildcard),
    Bare { text: Wildcard, number: Option<f64> },
    Regex(Regex),
}

/// A field's value, as far as comparing goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<'a> {
    /// Of a JSON text.
    Text(&'a str),
    /// Of a JSON number or bool; `text` is how it is written.
    Plain { text: &'a str, number: Option<f64> },
}

impl Test {
    pub(super) fn holds(&self, field: Field<'_>) -> bool {
        match self {
            Self::Is { negated, operand } => operand.fits(field) != *negated,
            Self::Order { operator, number } => match field {
                Field::Plain { number: Some(value), .. } => match operator {
                    Operator::Less => value < *number,
                    Operator::LessOrEqual => value <= *number,
                    Operator::Greater => value > *number,
                    Operator::GreaterOrEqual => value >= *number,
                    Operator::Equal | Operator::NotEqual => false,
                },
                Field::Plain { number: None, .. } | Field::Text(_) => false,
            },
        }
    }
}

impl Operand {
    fn fits(&self, field: Field<'_>) -> bool {
        match (self, field) {
            (Self::Quoted(_), Field::Plain { .. }) => false,
            #[expect(clippy::float_cmp, reason = "a literal names one number, and `1.0` is `1`")]
            (Self::Bare { number: Some(wanted), .. }, Field::Plain { number: Some(value), .. }) => *wanted == value,
            (Self::Quoted(wildcard), Field::Text(text))
            | (Self::Bare { text: wildcard, .. }, Field::Text(text) | Field::Plain { text, .. }) => {
                wildcard.matches(text)
            }
            (Self::Regex(regex), Field::Text(text) | Field::Plain { text, .. }) => regex.is_match(text),
        }
    }
}

/// A text in which `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// What stands between the stars.
    parts: Vec<String>,
}

impl Wildcard {
    pub(super) fn bare(text: &str) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect() }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, rest @ ..] = self.parts.as_slice() else { return false };
        let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
        for part in middle {
            let Some((_, after)) = text.split_once(part.as_str()) else { return false };
            text = after;
        }
        text.ends_with(last.as_str())
    }
}

/// Reads a comparison; `is_bare` says which characters need no quotes.
pub(super) fn parse_test(
    cursor: &mut Cursor<'_>,
    regexes: &mut usize,
    is_bare: fn(char) -> bool,
) -> Result<Test, PatternError> {
    let found = OPERATORS.iter().find(|(token, _)| cursor.eat(token));
    let Some(&(_, operator)) = found else {
        return Err(cursor.error("a comparison (`=`, `!=`, `<`, `<=`, `>`, `>=`)"));
    };
    cursor.skip_blanks();
    match operator {
        Operator::Equal | Operator::NotEqual => {
            let operand = parse_operand(cursor, regexes, is_bare)?;
            Ok(Test::Is { negated: operator == Operator::NotEqual, operand })
        }
        _ => {
            let start = cursor.clone();
            let number = parse_number(cursor.take_while(is_bare)).ok_or_else(|| start.error("a number"))?;
            Ok(Test::Order { operator, number })
        }
    }
}

fn parse_operand(
    cursor: &mut Cursor<'_>,
    regexes: &mut usize,
    is_bare: fn(char) -> bool,
) -> Result<Operand, PatternError> {
    match cursor.peek() {
        Some('"') => Ok(Operand::Quoted(parse_quoted(cursor)?)),
        Some('%') => {
            *regexes += 1;
            if *regexes > REGEXES_MAX {
                return Err(cursor.error("no more than two regular expressions"));
            }
            Ok(Operand::Regex(regex::parse(cursor)?))
        }
        _ => {
            let start = cursor.clone();
            let text = cursor.take_while(is_bare);
            if text.is_empty() {
                return Err(start.error("a value"));
            }
            Ok(Operand::Bare { text: Wildcard::bare(text), number: parse_number(text) })
        }
    }
}

/// A text in quotes, with its stars as wildcards; `\"` and `\\` stand for themselves.
fn parse_quoted(cursor: &mut Cursor<'_>) -> Result<Wildcard, PatternError> {
    let start = cursor.clone();
    let text = quoted(cursor).ok_or_else(|| start.error("a closing quote"))?;
    Ok(Wildcard::bare(&text))
}

/// The text in the quotes that come next.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut text = String::new();
    cursor.next();
    loop {
        match cursor.next()? {
            '"' => return Some(text),
            '\\' => match cursor.next()? {
                escaped @ ('"' | '\\') => text.push(escaped),
                other => text.extend(['\\', other]),
            },
            char => text.push(char),
        }
    }
}

/// A decimal number: sign, digits, fraction, exponent. Rust also reads `inf` and `nan`, which are words here.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}
