//! A place in the text of a pattern.

use super::PatternError;

/// Reads a pattern from left to right.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    /// Goes to a place further on; nothing is left where that is not the start of a character.
    pub(super) fn advance_to(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.offset += next.len_utf8();
        Some(next)
    }

    /// Goes past `token` where it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let comes_next = self.rest().starts_with(token);
        if comes_next {
            self.offset += token.len();
        }
        comes_next
    }

    /// Goes past a keyword, where it comes next and ends there.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let ends = self
            .rest()
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'));
        ends && self.eat(word)
    }

    pub(super) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|next: char| !keep(next)).unwrap_or(rest.len());
        self.offset += end;
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// That something else was expected here.
    pub(super) fn error(&self, expected: &'static str) -> PatternError {
        PatternError { offset: self.offset, expected }
    }
}
