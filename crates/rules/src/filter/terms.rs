//! Patterns of terms: `ERROR -timeout "not found"`, `?WARN ?ERROR`, `%4\d\d%`.

use super::PatternError;
use super::cursor::Cursor;
use super::regex::{self, Regex};
use super::value::quoted;

/// The terms of a pattern, by what they ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    all: Vec<Term>,
    /// Looked at only where there is nothing else: AWS ignores `?` terms beside others.
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    /// A word, or words in quotes.
    Text(String),
    Regex(Regex),
}

impl Terms {
    pub(super) fn matches(&self, event: &str) -> bool {
        if self.all.is_empty() && self.none.is_empty() {
            return self.any.iter().any(|term| term.is_in(event));
        }
        self.all.iter().all(|term| term.is_in(event)) && !self.none.iter().any(|term| term.is_in(event))
    }
}

impl Term {
    fn is_in(&self, event: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(event),
            // AWS writes "every event" as `" "` too.
            Self::Text(text) if text.trim().is_empty() => true,
            Self::Text(text) => event.match_indices(text.as_str()).any(|(start, found)| {
                let before = event.get(..start).and_then(|before| before.chars().next_back());
                let after = event.get(start + found.len()..).and_then(|after| after.chars().next());
                is_edge(before, found.chars().next()) && is_edge(after, found.chars().next_back())
            }),
        }
    }
}

/// Whether a word ends between a character outside a term and the term's own outermost one.
fn is_edge(outside: Option<char>, inside: Option<char>) -> bool {
    !(outside.is_some_and(is_word) && inside.is_some_and(is_word))
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Terms, PatternError> {
    let mut terms = Terms::default();
    loop {
        cursor.skip_blanks();
        let list = match cursor.peek() {
            None => return Ok(terms),
            Some('?') => {
                cursor.next();
                &mut terms.any
            }
            Some('-') => {
                cursor.next();
                &mut terms.none
            }
            Some(_) => &mut terms.all,
        };
        list.push(parse_term(cursor)?);
        if cursor.peek().is_some_and(|next| !next.is_whitespace()) {
            return Err(
                cursor.error("a blank between terms, or quotes around what is more than letters, digits and `_`")
            );
        }
    }
}

fn parse_term(cursor: &mut Cursor<'_>) -> Result<Term, PatternError> {
    let start = cursor.clone();
    match cursor.peek() {
        Some('%') => regex::parse(cursor).map(Term::Regex),
        Some('"') => quoted(cursor).map(Term::Text).ok_or_else(|| start.error("a closing quote")),
        _ => match cursor.take_while(|next| next.is_alphanumeric() || next == '_') {
            "" => Err(start.error("a term of letters, digits and `_`, or quotes around it")),
            word => Ok(Term::Text(word.to_owned())),
        },
    }
}
