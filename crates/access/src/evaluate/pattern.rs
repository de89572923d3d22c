//! Patterns with `*` and `?`, made once for many comparisons with whole texts.

/// Stands for `*` in the bytes of a pattern; no byte of UTF-8 is this one.
pub(super) const MANY: u8 = 0xFF;

/// Stands for `?`: one character, not one byte.
pub(super) const ONE: u8 = 0xFE;

/// A pattern in the form in which it is compared fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`
    Everything,
    /// No wildcard.
    Exact(Box<[u8]>),
    /// A text and one `*` at its end.
    Prefix(Box<[u8]>),
    /// Anything else, with [`MANY`] and [`ONE`] in it.
    Wild(Box<[u8]>),
}

impl Pattern {
    /// The pattern that a text with `*` and `?` writes.
    pub(crate) fn plain(text: &str) -> Self {
        Self::of_bytes(text.bytes().map(wildcard).collect())
    }

    /// The pattern of bytes in which [`MANY`] and [`ONE`] already stand.
    pub(super) fn of_bytes(mut bytes: Vec<u8>) -> Self {
        bytes.dedup_by(|next, before| *next == MANY && *before == MANY);
        let is_wild = |byte: &u8| matches!(*byte, MANY | ONE);
        match bytes.iter().position(is_wild) {
            None => Self::Exact(bytes.into()),
            Some(0) if bytes.len() == 1 && bytes.first() == Some(&MANY) => Self::Everything,
            Some(first) if first + 1 == bytes.len() && bytes.last() == Some(&MANY) => {
                bytes.pop();
                Self::Prefix(bytes.into())
            }
            Some(_) => Self::Wild(bytes.into()),
        }
    }

    /// Whether all of `text` fits.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Exact(bytes) => **bytes == *text.as_bytes(),
            Self::Prefix(bytes) => text.as_bytes().starts_with(bytes),
            Self::Wild(bytes) => fits(bytes, text.as_bytes()),
        }
    }

    /// Whether it fits every text.
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::Everything
    }
}

/// A byte of a text as a pattern holds it.
pub(super) fn wildcard(byte: u8) -> u8 {
    match byte {
        b'*' => MANY,
        b'?' => ONE,
        other => other,
    }
}

/// Whether a pattern as it is written fits all of the text.
pub(crate) fn means(pattern: &str, text: &str) -> bool {
    match pattern.find(['*', '?']) {
        None => pattern == text,
        Some(at) if at + 1 == pattern.len() && pattern.ends_with('*') => {
            pattern.get(..at).is_some_and(|head| text.starts_with(head))
        }
        Some(_) => Pattern::plain(pattern).matches(text),
    }
}

/// Whether the pattern fits all of the text: two pointers, and one step back to the last `*`, whose latest place is
/// always enough. Time is the product of the lengths at worst, and their sum for the patterns that people write.
pub(super) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(here) {
        match pattern.get(at) {
            Some(&MANY) => {
                at += 1;
                star = Some((at, here));
            }
            Some(&ONE) => {
                at += 1;
                here += char_bytes(byte);
            }
            Some(&wanted) if wanted == byte => {
                at += 1;
                here += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                // A whole character is given to `*`, so that `?` never starts inside one.
                let from = from + text.get(from).map_or(1, |&byte| char_bytes(byte));
                star = Some((after, from));
                at = after;
                here = from;
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == MANY))
}

/// The bytes of the UTF-8 character that begins with this one.
fn char_bytes(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::{Glob, Reading};

    #[test]
    fn a_pattern_fits_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("**", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("s3:*", "s3:", true),
            ("s3:*", "s", false),
            ("a?c", "abc", true),
            ("a?c", "a櫓c", true),
            ("?", "é", true),
            ("*?", "é", true),
            ("*??", "é", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("a*", "a", true),
        ] {
            assert_eq!(Pattern::plain(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_agrees_with_the_table_of_two_lengths(pattern in "[ab:é*?]{0,8}", text in "[ab:é]{0,10}") {
            let slow = Glob::plain(&pattern).covers(&Glob::plain(&text), Reading::Certain);
            prop_assert_eq!(Pattern::plain(&pattern).matches(&text), slow);
        }
    }
}
