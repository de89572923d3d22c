//! The regular expressions that filter patterns allow: no groups, ASCII, a short list of symbols.

use std::fmt::Write;

use super::cursor::Cursor;
use super::{PatternError, REGEX_BYTES_MAX};

pub(super) use ::regex::Regex;

/// Symbols that stand for themselves.
const PLAIN: &str = ":_#=@/;,-";

/// Symbols that mean something, and stand for themselves after a `\`.
const OPERATORS: &str = "^$?[]{}|\\*+.";

/// The classes, spelt out for ASCII: what they mean must not depend on Unicode's tables.
const CLASSES: &[(char, &str)] = &[
    ('d', "[0-9]"),
    ('D', "[^0-9]"),
    ('s', "[ \\t\\n\\r\\x0b\\x0c]"),
    ('S', "[^ \\t\\n\\r\\x0b\\x0c]"),
    ('w', "[0-9A-Za-z_]"),
    ('W', "[^0-9A-Za-z_]"),
];

/// Reads `%…%`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Regex, PatternError> {
    let start = cursor.clone();
    cursor.next();
    let mut translated = String::new();
    let mut in_class = false;
    loop {
        let here = cursor.clone();
        let Some(next) = cursor.next() else { return Err(here.error("a closing `%`")) };
        match next {
            '%' => break,
            '\\' => escape(cursor, &mut translated)?,
            // Inside a class these mean nothing in the pattern language, but would in the engine's.
            '[' if in_class => translated.push_str("\\["),
            '-' if in_class && translated.ends_with('-') => translated.push_str("\\-"),
            '[' | ']' => {
                in_class = next == '[';
                translated.push(next);
            }
            _ if next.is_ascii_alphanumeric() || PLAIN.contains(next) || OPERATORS.contains(next) => {
                translated.push(next);
            }
            _ => return Err(here.error("a character that regular expressions allow (others as `\\xhh`)")),
        }
    }
    if translated.is_empty() {
        return Err(start.error("a regular expression"));
    }
    let built = ::regex::RegexBuilder::new(&translated).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|_| start.error("a regular expression that can be read"))
}

fn escape(cursor: &mut Cursor<'_>, translated: &mut String) -> Result<(), PatternError> {
    let here = cursor.clone();
    let escaped = cursor.next();
    if let Some(escaped) = escaped {
        if let Some((_, class)) = CLASSES.iter().find(|(name, _)| *name == escaped) {
            translated.push_str(class);
            return Ok(());
        }
        if OPERATORS.contains(escaped) || PLAIN.contains(escaped) {
            translated.push_str(&::regex::escape(escaped.encode_utf8(&mut [0; 4])));
            return Ok(());
        }
        if escaped == 'x' {
            let digits: String = [cursor.next(), cursor.next()].into_iter().flatten().collect();
            let code = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
            let code = code.ok_or_else(|| here.error("two hexadecimal digits after `\\x`"))?;
            // Writing to a text does not fail.
            let _ = write!(translated, "\\x{code:02x}");
            return Ok(());
        }
    }
    Err(here.error("an operator, or one of `d D s S w W x` after `\\`"))
}
