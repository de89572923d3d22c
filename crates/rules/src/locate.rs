//! Where something is in a rule file.

use std::fmt;

use serde_saphyr::Location;

/// A line and a column, both counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Position {
    /// The beginning of a file.
    pub const START: Self = Self { line: 1, column: 1 };

    pub(crate) fn of(location: Location) -> Self {
        if location.line() == 0 {
            return Self::START;
        }
        Self { line: location.line(), column: location.column() }
    }

    /// The characters before this place of a text.
    pub(crate) fn offset_in(self, text: &str) -> usize {
        let lines = usize::try_from(self.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let before: usize = text.split_inclusive('\n').take(lines).map(|line| line.chars().count()).sum();
        before.saturating_add(usize::try_from(self.column.saturating_sub(1)).unwrap_or(usize::MAX))
    }

    /// The place in the file of what stands `offset` characters into a scalar that begins here.
    ///
    /// Characters other than white space are counted, because a plain, quoted, literal (`|`) or folded (`>`) scalar
    /// keeps those and only those in their order.
    pub(crate) fn into_scalar(self, file: &str, scalar: &str, offset: usize) -> Self {
        let mut left = scalar.chars().take(offset).filter(|letter| !letter.is_whitespace()).count();
        let mut letters = Letters::after(file, self);
        letters.skip_opening();
        loop {
            letters.skip_white_space();
            if left == 0 || letters.next().is_none() {
                return letters.position;
            }
            left -= 1;
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The letters of a scalar as it is written, with their places.
struct Letters<'a> {
    rest: &'a str,
    position: Position,
    quote: Option<char>,
}

impl<'a> Letters<'a> {
    fn after(file: &'a str, position: Position) -> Self {
        let line = usize::try_from(position.line - 1).unwrap_or(usize::MAX);
        let column = usize::try_from(position.column - 1).unwrap_or(usize::MAX);
        let line_start: usize = file.split_inclusive('\n').take(line).map(str::len).sum();
        let from_line = file.get(line_start..).unwrap_or_default();
        let into_line = from_line.char_indices().nth(column).map_or(from_line.len(), |(bytes, _)| bytes);
        Self { rest: from_line.get(into_line..).unwrap_or_default(), position, quote: None }
    }

    /// Skips a quote, or the header of a block scalar with the rest of its line.
    fn skip_opening(&mut self) {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                self.quote = Some(quote);
                self.step();
            }
            Some('|' | '>') => while self.step().is_some_and(|letter| letter != '\n') {},
            _ => {}
        }
    }

    fn skip_white_space(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.step();
        }
    }

    /// One letter of the value; an escape is one letter.
    fn next(&mut self) -> Option<char> {
        let letter = self.step()?;
        match self.quote {
            Some('\'') if letter == '\'' => self.step(),
            Some('"') if letter == '\\' => self.step(),
            _ => Some(letter),
        }
    }

    fn step(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        if letter == '\n' {
            self.position = Position { line: self.position.line + 1, column: 1 };
        } else {
            self.position.column += 1;
        }
        Some(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, line: u64, column: u64, scalar: &str, offset: usize, expected: &str) {
        let found = Position { line, column }.into_scalar(file, scalar, offset).to_string();
        assert_eq!(found, expected, "{file:?}");
    }

    #[test]
    fn a_place_in_a_scalar_is_found_however_it_is_written() {
        check("cel: a == b\n", 1, 6, "a == b", 5, "1:11");
        check("cel: 'a == ''x'' + b'\n", 1, 6, "a == 'x' + b", 11, "1:20");
        check("cel: \"a == \\\"x\\\" + b\"\n", 1, 6, "a == \"x\" + b", 11, "1:20");
        check("cel: |\n  a ==\n    b\n", 1, 6, "a ==\n  b\n", 7, "3:5");
        check("cel: >-\n  a ==\n  b\n", 1, 6, "a == b", 5, "3:3");
        check("x: 1\ncel: a ==\n  b\n", 2, 6, "a == b", 5, "3:3");
    }
}
