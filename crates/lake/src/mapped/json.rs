//! JSON: one record a line, one after the other, in an array, or in a list inside an object.

use std::borrow::Cow;

use sonic_rs::{JsonContainerTrait, JsonType, JsonValueTrait, Value};

use super::cells::{Cell, Kind};
use super::columns::{Column, Origin};
use super::delimited::wrong;
use super::mapping::Mapping;
use crate::object::Reason;

/// Levels that a record may be nested. The deepest of AWS's logs have about 20; far more is an attack on parsers that
/// descend by calling themselves.
pub(super) const DEPTH_MAX: usize = 128;

/// Bytes of one record. A CloudWatch Logs message has at most 1 MiB, an envelope of them some ten; past this a record
/// would cost many times its bytes when it is parsed.
pub(super) const RECORD_BYTES_MAX: usize = 32 << 20;

/// A part of a text that should be a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Record(&'t [u8]),
    Bad(Reason),
}

/// Finds the records of a text without parsing them: by brackets and quotes alone, so that nesting costs no stack and
/// one broken record does not take the others with it.
pub(super) struct Splitter<'t> {
    text: &'t [u8],
    at: usize,
    lists: &'t [String],
    /// Whether the records stand in a list.
    in_list: bool,
}

impl<'t> Splitter<'t> {
    /// Splits `text`; `lists` are keys of outer objects under which lists of records stand.
    pub(super) fn new(text: &'t [u8], lists: &'t [String]) -> Self {
        Self { text, at: 0, lists, in_list: false }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace() || byte == b',') {
            self.at += 1;
        }
    }

    /// Skips to the next line; the record that should have stood here is lost.
    fn skip_line(&mut self) {
        while self.byte().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn record(&mut self) -> Piece<'t> {
        let from = self.at;
        let (to, found) = scan(self.text, from);
        self.at = to;
        match found {
            Err(reason) => Piece::Bad(reason),
            Ok(()) if to - from > RECORD_BYTES_MAX => Piece::Bad(Reason::LineTooLong(RECORD_BYTES_MAX as u64)),
            Ok(()) => Piece::Record(self.text.get(from..to).unwrap_or_default()),
        }
    }

    /// Looks for one of the lists among the keys of the object that begins here, and goes to its first element.
    fn enter_list(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        loop {
            self.skip_blanks();
            if self.byte() != Some(b'"') {
                break;
            }
            let from = self.at + 1;
            let (to, Ok(())) = scan(self.text, self.at) else { break };
            let key = self.text.get(from..to.saturating_sub(1)).unwrap_or_default();
            self.at = to;
            while self.byte().is_some_and(|byte| byte.is_ascii_whitespace() || byte == b':') {
                self.at += 1;
            }
            if self.byte() == Some(b'[') && self.lists.iter().any(|list| list.as_bytes() == key) {
                self.at += 1;
                return true;
            }
            let (to, Ok(())) = scan(self.text, self.at) else { break };
            self.at = to;
        }
        self.at = start;
        false
    }

    /// Behind a list: the rest of the object that it stands in says nothing that a row needs.
    fn leave_list(&mut self) {
        self.at += 1;
        self.in_list = false;
        loop {
            self.skip_blanks();
            match self.byte() {
                Some(b'}' | b']') => self.at += 1,
                Some(b'"') => {
                    let (to, _) = scan(self.text, self.at);
                    self.at = to;
                    self.skip_blanks();
                    if self.byte() == Some(b':') {
                        self.at += 1;
                        self.skip_blanks();
                        let (to, _) = scan(self.text, self.at);
                        self.at = to;
                    }
                }
                _ => return,
            }
        }
    }
}

impl<'t> Iterator for Splitter<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        loop {
            self.skip_blanks();
            match self.byte()? {
                b'{' if !self.in_list && !self.lists.is_empty() && self.enter_list() => self.in_list = true,
                b'{' => return Some(self.record()),
                b'[' if !self.in_list => {
                    self.in_list = true;
                    self.at += 1;
                }
                b']' if self.in_list => self.leave_list(),
                _ => {
                    self.skip_line();
                    return Some(Piece::Bad(Reason::NotJson("not an object".to_owned())));
                }
            }
        }
    }
}

/// Goes over one value, from its first byte, and says where it ends; or what is wrong, and where to go on.
///
/// A newline inside a text, and an object that begins a line where no value may stand, mean that the record was cut
/// off: the next one begins there.
fn scan(text: &[u8], from: usize) -> (usize, Result<(), Reason>) {
    let cut_off = |at: usize| (at, Err(Reason::NotJson("the record is cut off".to_owned())));
    let mut objects: Vec<bool> = Vec::new();
    let mut too_deep = 0_usize;
    let mut deepest = false;
    let mut in_text = false;
    let mut escaped = false;
    let mut before = b':';
    for (at, byte) in text.iter().copied().enumerate().skip(from) {
        if in_text {
            match byte {
                b'\n' => return cut_off(at),
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            if in_text || !objects.is_empty() {
                continue;
            }
            return (at + 1, Ok(()));
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'"' => in_text = true,
            b'{' | b'[' => {
                let value_may_stand = match objects.last() {
                    Some(true) => before == b':',
                    Some(false) => before == b'[' || before == b',',
                    None => true,
                };
                if byte == b'{' && !value_may_stand && at > 0 && text.get(at - 1) == Some(&b'\n') {
                    return cut_off(at);
                }
                if objects.len() < DEPTH_MAX {
                    objects.push(byte == b'{');
                } else {
                    too_deep += 1;
                    deepest = true;
                }
            }
            b'}' | b']' if too_deep > 0 => too_deep -= 1,
            b'}' | b']' => {
                if objects.pop().is_none() {
                    // A bracket that closes nothing ends the scalar before it.
                    return (at, Ok(()));
                }
                if objects.is_empty() {
                    let found = if deepest { Err(Reason::TooDeep(DEPTH_MAX as u64)) } else { Ok(()) };
                    return (at + 1, found);
                }
            }
            b',' if objects.is_empty() => return (at, Ok(())),
            _ => {}
        }
        before = byte;
    }
    if objects.is_empty() && !in_text { (text.len(), Ok(())) } else { cut_off(text.len()) }
}

/// Parses one record, whose depth is within [`DEPTH_MAX`]. Bytes that are no UTF-8 are replaced and not refused: one
/// byte in a client's name must not hide what the client did.
pub(super) fn parse(record: &[u8]) -> Result<(Cow<'_, str>, Value), Reason> {
    let text = String::from_utf8_lossy(record);
    let value = sonic_rs::from_str::<Value>(&text).map_err(|error| Reason::NotJson(plain(&error)))?;
    if value.is_object() { Ok((text, value)) } else { Err(Reason::NotJson("not an object".to_owned())) }
}

/// The first line of what the parser says; the others show the text.
fn plain(error: &sonic_rs::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().trim().to_owned()
}

/// The cells of one record.
pub(super) fn cells<'v>(mapping: &Mapping, record: &'v Value, cells: &mut Vec<Cell<'v>>) -> Result<(), Reason> {
    cells.clear();
    for (at, column) in mapping.columns.iter().enumerate() {
        let cell = match cell(column, record) {
            Ok(cell) => cell,
            // A row must lie at its right time or not at all; of another column the record keeps what it cannot.
            Err(text) if mapping.time.contains(&at) => return Err(wrong(column, &text)),
            Err(_) => Cell::Null,
        };
        cells.push(cell);
    }
    Ok(())
}

fn cell<'v>(column: &Column, record: &'v Value) -> Result<Cell<'v>, String> {
    let text = match &column.origin {
        Origin::First(ways) => match ways.iter().find_map(|way| find(record, way)) {
            None => return Ok(Cell::Null),
            Some(value) => text(value),
        },
        Origin::Join(keys) => {
            let parts = keys.iter().map(|key| record.get(key).filter(|value| !value.is_null()).map(text));
            match parts.collect::<Option<Vec<_>>>() {
                None => return Ok(Cell::Null),
                Some(parts) => Cow::Owned(parts.join(" ")),
            }
        }
    };
    if text.is_empty() && column.kind != Kind::Text {
        return Ok(Cell::Null);
    }
    let shown = text.clone();
    column.kind.cell(column.part, text).map_err(|()| shown.into_owned())
}

fn find<'v>(record: &'v Value, way: &[String]) -> Option<&'v Value> {
    let mut value = record;
    for key in way {
        value = match value.get_type() {
            JsonType::Array => value.as_array()?.get(key.parse::<usize>().ok()?)?,
            _ => value.get(key)?,
        };
    }
    (!value.is_null()).then_some(value)
}

/// A text as it is, anything else as JSON.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(sonic_rs::to_string(value).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(text: &str, lists: &[&str]) -> Vec<Result<String, String>> {
        let lists: Vec<String> = lists.iter().map(|list| (*list).to_owned()).collect();
        let pieces = Splitter::new(text.as_bytes(), &lists).map(|piece| match piece {
            Piece::Record(record) => Ok(String::from_utf8(record.to_vec()).unwrap()),
            Piece::Bad(reason) => Err(reason.to_string()),
        });
        pieces.collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|record| Ok((*record).to_owned())).collect();
        assert_eq!(split(text, &["Records"]), expected, "{text}");
    }

    #[test]
    fn records_are_found_in_every_arrangement() {
        check(r#"{"a":1}"#, &[r#"{"a":1}"#]);
        check("{\"a\":1}\n{\"b\":[{}]}\r\n", &[r#"{"a":1}"#, r#"{"b":[{}]}"#]);
        check(r#"{"a":1}{"b":2}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"[{"a":1}, {"b":2}]"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check("[\n {\"a\":\n 1}\n]", &["{\"a\":\n 1}"]);
        check(r#"{"Records":[{"a":1},{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"{"v":{"x":"}"},"Records":[{"a":1}],"more":[1,{"z":1}],"n":7}"#, &[r#"{"a":1}"#]);
        check(r#"{"Records":[{"a":1}]}{"Records":[{"b":2}]}"#, &[r#"{"a":1}"#, r#"{"b":2}"#]);
        check(r#"{"a":"} \" {"}"#, &[r#"{"a":"} \" {"}"#]);
        check(r#"{"Records":"none"}"#, &[r#"{"Records":"none"}"#]);
        check("", &[]);
        check("[]", &[]);
    }

    #[test]
    fn a_broken_record_does_not_take_the_next_with_it() {
        let good =
            |found: &[Result<String, String>]| found.iter().filter_map(|piece| piece.clone().ok()).collect::<Vec<_>>();
        for broken in
            ["{\"a\":\"cut", "{\"a\":1", "{\"a\":1,", "{\"a\":[1,2", "not json", "{\"a\":{\"b\":\"c\"}", "17", "\"x\""]
        {
            let found = split(&format!("{broken}\n{{\"b\":2}}\n{{\"c\":3}}\n"), &[]);
            assert_eq!(good(&found), ["{\"b\":2}", "{\"c\":3}"], "{broken}");
            assert_eq!(found.len(), 3, "{broken}: {found:?}");
        }
    }

    #[test]
    fn a_million_brackets_cost_no_stack() {
        let deep = format!("{{\"a\":{}{}}}\n{{\"b\":2}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let found = split(&deep, &[]);
        assert_eq!(found, [Err("too_deep: 128".to_owned()), Ok("{\"b\":2}".to_owned())]);
        assert_eq!(split(&"[".repeat(1_000_000), &[]).len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_end(text in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b'\n'), Just(b','), Just(b':'), any::<u8>()], 0..200)) {
            let lists = ["a".to_owned(), String::new()];
            let pieces = Splitter::new(&text, &lists).count();
            prop_assert!(pieces <= text.len());
        }

        #[test]
        fn what_is_written_is_found(values in prop::collection::vec("[a-z\\\\\"{}\\[\\], ]{0,12}", 0..12), way in 0..4_u8) {
            let records: Vec<String> = values.iter().map(|value| serde_json::json!({"k": value, "o": {"l": [value]}}).to_string()).collect();
            let text = match way {
                0 => records.join("\n"),
                1 => records.concat(),
                2 => format!("[{}]", records.join(",\n")),
                _ => format!("{{\"n\":1,\"Records\":[{}],\"z\":{{}}}}", records.join(",")),
            };
            let found: Vec<String> = split(&text, &["Records"]).into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(found, records);
        }
    }
}
