//! Patterns over the words of a line: `[ip, user, ..., status = 4*, bytes > 1000]`.

use super::PatternError;
use super::cursor::Cursor;
use super::value::{Field, Test, parse_number, parse_test};

/// The fields of a pattern, in order.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// Those before `...`, or all.
    first: Vec<Condition>,
    /// Those after `...`; none where the pattern has no `...`.
    last: Option<Vec<Condition>>,
}

/// What one field has to be: one of these must hold wholly. Nothing asked holds always.
#[derive(Debug, Clone, Default)]
struct Condition {
    /// What the pattern calls the field; empty where it does not.
    name: String,
    any: Vec<Vec<Test>>,
}

impl Fields {
    pub(super) fn matches(&self, event: &str) -> bool {
        self.texts(event).is_some_and(|texts| texts.into_iter().all(|(condition, text)| condition.holds(text)))
    }

    /// What stands in the field that the pattern calls `name`.
    pub(super) fn value<'a>(&self, name: &str, event: &'a str) -> Option<&'a str> {
        let (_, text) = self.texts(event)?.into_iter().find(|(condition, _)| condition.name == name)?;
        Some(text)
    }

    /// Whether the pattern has a field of this name.
    pub(super) fn names(&self, name: &str) -> bool {
        self.first.iter().chain(self.last.iter().flatten()).any(|condition| condition.name == name)
    }

    /// Every field with its words, where the event has enough of them.
    fn texts<'a>(&self, event: &'a str) -> Option<Vec<(&Condition, &'a str)>> {
        let words = words(event);
        let needed = self.first.len() + self.last.as_ref().map_or(0, Vec::len);
        if words.len() < needed {
            return None;
        }
        if let Some(last) = &self.last {
            let ending = words.iter().skip(words.len() - last.len());
            let texts = self.first.iter().zip(&words).chain(last.iter().zip(ending));
            return Some(texts.map(|(condition, word)| (condition, word.text)).collect());
        }
        let texts = self.first.iter().zip(&words).enumerate().map(|(index, (condition, word))| {
            // The last field of a pattern takes whatever is left of the line.
            let takes_rest = index + 1 == self.first.len() && words.len() > self.first.len();
            let rest = event.get(word.start..).unwrap_or_default().trim_end();
            (condition, if takes_rest { rest } else { word.text })
        });
        Some(texts.collect())
    }
}

impl Condition {
    fn holds(&self, text: &str) -> bool {
        // Every word is both a text and, where it reads as one, a number.
        let holds = |test: &Test| match test {
            Test::Is { negated: true, .. } => test.holds(Field::Text(text)) && test.holds(plain(text)),
            _ => test.holds(Field::Text(text)) || test.holds(plain(text)),
        };
        self.any.is_empty() || self.any.iter().any(|all| all.iter().all(holds))
    }
}

fn plain(text: &str) -> Field<'_> {
    match parse_number(text) {
        Some(number) => Field::Plain { text, number: Some(number) },
        None => Field::Text(text),
    }
}

/// A word of a line, and where it starts.
struct Word<'a> {
    start: usize,
    text: &'a str,
}

/// The words of a line: what stands between blanks, and what stands in quotes or square brackets without them.
fn words(event: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut cursor = Cursor::new(event);
    loop {
        cursor.skip_blanks();
        let rest = cursor.rest();
        if rest.is_empty() {
            return words;
        }
        let start = event.len() - rest.len();
        let text = match enclosed(rest) {
            Some(text) => {
                cursor.advance_to(start + text.len() + 2);
                text
            }
            None => cursor.take_while(|next| !next.is_whitespace()),
        };
        words.push(Word { start, text });
    }
}

/// What stands between the quotes or brackets that a text begins with, if a blank or the end follows them.
fn enclosed(rest: &str) -> Option<&str> {
    let (close, inner) = match rest.strip_prefix('"') {
        Some(inner) => ('"', inner),
        None => (']', rest.strip_prefix('[')?),
    };
    let (text, after) = inner.split_once(close)?;
    (after.is_empty() || after.starts_with(char::is_whitespace)).then_some(text)
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Fields, PatternError> {
    cursor.next();
    let mut fields = Fields { first: Vec::new(), last: None };
    let mut regexes = 0;
    loop {
        cursor.skip_blanks();
        let before = cursor.clone();
        if cursor.eat("...") {
            if fields.last.is_some() {
                return Err(before.error("no second `...`"));
            }
            fields.last = Some(Vec::new());
        } else {
            let condition = parse_field(cursor, &mut regexes)?;
            fields.last.as_mut().unwrap_or(&mut fields.first).push(condition);
        }
        cursor.skip_blanks();
        match cursor.peek() {
            Some(',') => cursor.next(),
            Some(']') => {
                cursor.next();
                return Ok(fields);
            }
            _ => return Err(cursor.error("`,` or `]`")),
        };
    }
}

fn parse_field(cursor: &mut Cursor<'_>, regexes: &mut usize) -> Result<Condition, PatternError> {
    let start = cursor.clone();
    let name = cursor.take_while(is_name);
    cursor.skip_blanks();
    if matches!(cursor.peek(), None | Some(',' | ']')) {
        if name.is_empty() {
            return Err(start.error("a field's name"));
        }
        return Ok(Condition { name: name.to_owned(), any: Vec::new() });
    }
    let mut any = Vec::new();
    let mut all = vec![parse_test(cursor, regexes, is_bare)?];
    loop {
        cursor.skip_blanks();
        if cursor.eat("||") {
            any.push(std::mem::take(&mut all));
        } else if !cursor.eat("&&") {
            any.push(all);
            return Ok(Condition { name: name.to_owned(), any });
        }
        cursor.skip_blanks();
        let again = cursor.clone();
        if cursor.take_while(is_name) != name {
            return Err(again.error("the name of the same field"));
        }
        cursor.skip_blanks();
        all.push(parse_test(cursor, regexes, is_bare)?);
    }
}

fn is_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_' || char == '-'
}

fn is_bare(char: char) -> bool {
    !char.is_whitespace() && !",[]\"%&|=<>!(){}".contains(char)
}
