//! A JSON tree that remembers where everything stands.
//!
//! Policies are judged as they were written: members keep their order and may repeat, numbers keep their text, and every
//! value knows its place. What is accepted and what is not is exactly what `serde_json` accepts.

use std::borrow::Cow;

/// The deepest nesting read, as in `serde_json`; a policy has seven levels.
pub const DEPTH_MAX: usize = 127;

/// The longest text read, in bytes. AWS's largest managed policy is about 150 KB; a template with policies in it is at
/// most 1 MB.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// A value and where it stands: byte offsets of its first character and of the one after its last.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'t> {
    /// What it is.
    pub value: Value<'t>,
    /// The byte offset of its first character.
    pub start: usize,
    /// The byte offset after its last character.
    pub end: usize,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number(&'t str),
    /// A text, unescaped.
    String(Cow<'t, str>),
    /// A list.
    Array(Vec<Node<'t>>),
    /// An object: members in the order written, a name perhaps more than once.
    Object(Vec<Member<'t>>),
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member<'t> {
    /// Its name, unescaped.
    pub name: Cow<'t, str>,
    /// The byte offset of the name's opening quote.
    pub start: usize,
    /// Its value.
    pub node: Node<'t>,
}

impl<'t> Node<'t> {
    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members, where it is an object.
    pub fn as_object(&self) -> Option<&[Member<'t>]> {
        match &self.value {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, where it is a list.
    pub fn as_array(&self) -> Option<&[Node<'t>]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The last member of this name, which is the one that counts where it is written twice.
    pub fn get(&self, name: &str) -> Option<&Member<'t>> {
        self.as_object()?.iter().rev().find(|member| member.name == name)
    }
}

/// A place in a text as a person counts: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset in a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// It is not JSON.
    #[error("{problem} at line {}, column {}", .at.line, .at.column)]
    Syntax {
        /// What is wrong.
        problem: Problem,
        /// The first character that does not fit.
        at: Position,
        /// Its byte offset.
        offset: usize,
    },
    /// It is larger than what is read.
    #[error("the text has more than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// It is nested deeper than what is read.
    #[error("the text is nested more than {DEPTH_MAX} levels deep at line {}, column {}", .at.line, .at.column)]
    TooDeep {
        /// Where the level too many begins.
        at: Position,
    },
}

/// What keeps a text from being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text ends inside a value.
    #[error("the text ends too early")]
    End,
    /// No value begins here.
    #[error("a value is expected")]
    Value,
    /// No member name begins here.
    #[error("a name in double quotes is expected")]
    Name,
    /// No colon after a name.
    #[error("a colon is expected")]
    Colon,
    /// Neither a comma nor the end of the list.
    #[error("a comma or `]` is expected")]
    ArrayEnd,
    /// Neither a comma nor the end of the object.
    #[error("a comma or `}}` is expected")]
    ObjectEnd,
    /// A comma with nothing after it.
    #[error("a comma stands before the end")]
    TrailingComma,
    /// A number that is none, or that is too large.
    #[error("the number is not valid")]
    Number,
    /// A backslash and what does not follow one.
    #[error("the escape is not valid")]
    Escape,
    /// A line break or another control character inside a text.
    #[error("a control character stands in a text")]
    Control,
    /// Something after the document.
    #[error("the document has ended before this")]
    Trailing,
}

impl Problem {
    /// Its name, by which words for it are looked up.
    pub fn key(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Value => "value",
            Self::Name => "name",
            Self::Colon => "colon",
            Self::ArrayEnd => "array_end",
            Self::ObjectEnd => "object_end",
            Self::TrailingComma => "trailing_comma",
            Self::Number => "number",
            Self::Escape => "escape",
            Self::Control => "control",
            Self::Trailing => "trailing",
        }
    }
}

/// Reads one JSON document.
pub fn parse(text: &str) -> Result<Node<'_>, InvalidJson> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(InvalidJson::TooLong);
    }
    let mut parser = Parser { text, bytes: text.as_bytes(), at: 0, depth: 0 };
    let node = parser.document();
    node.map_err(|stop| match stop {
        Stop::Syntax(problem, offset) => {
            InvalidJson::Syntax { problem, at: Position::of(text, offset), offset: offset.min(text.len()) }
        }
        Stop::TooDeep(offset) => InvalidJson::TooDeep { at: Position::of(text, offset) },
    })
}

/// Why the parser stopped, and at which byte.
enum Stop {
    Syntax(Problem, usize),
    TooDeep(usize),
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn document(&mut self) -> Result<Node<'t>, Stop> {
        self.space();
        let node = self.node()?;
        self.space();
        if self.at < self.bytes.len() { Err(self.stop(Problem::Trailing)) } else { Ok(node) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The problem here; at the end of the text, that it ends.
    fn stop(&self, problem: Problem) -> Stop {
        Stop::Syntax(if self.at < self.bytes.len() { problem } else { Problem::End }, self.at)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn node(&mut self) -> Result<Node<'t>, Stop> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return Err(self.stop(Problem::Value)),
        };
        Ok(Node { value, start, end: self.at })
    }

    fn word(&mut self, word: &str, value: Value<'t>) -> Result<Value<'t>, Stop> {
        for byte in word.bytes() {
            if self.peek() != Some(byte) {
                return Err(self.stop(Problem::Value));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value<'t>, Stop>) -> Result<Value<'t>, Stop> {
        if self.depth == DEPTH_MAX {
            return Err(Stop::TooDeep(self.at));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value<'t>, Stop> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.node()?);
            self.space();
            match self.peek() {
                Some(b',') => self.comma(b']')?,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.stop(Problem::ArrayEnd)),
            }
        }
    }

    fn object(&mut self) -> Result<Value<'t>, Stop> {
        let mut members = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.stop(Problem::Name));
            }
            let name = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.stop(Problem::Colon));
            }
            self.at += 1;
            self.space();
            members.push(Member { name, start, node: self.node()? });
            self.space();
            match self.peek() {
                Some(b',') => self.comma(b'}')?,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(self.stop(Problem::ObjectEnd)),
            }
        }
    }

    /// Passes a comma; the closing bracket after it is an error at the comma, which is what has to go.
    fn comma(&mut self, close: u8) -> Result<(), Stop> {
        let comma = self.at;
        self.at += 1;
        self.space();
        if self.peek() == Some(close) { Err(Stop::Syntax(Problem::TrailingComma, comma)) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value<'t>, Stop> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.stop(Problem::Number)),
        }
        if let Some(b'0'..=b'9') = self.peek() {
            return Err(self.stop(Problem::Number));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        // Whole numbers of ordinary length need no second look.
        let ordinary = whole && text.len() < 20;
        if !ordinary && !text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(Stop::Syntax(Problem::Number, start));
        }
        Ok(Value::Number(text))
    }

    fn digits(&mut self) -> Result<(), Stop> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.stop(Problem::Number));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    /// A text: borrowed where nothing in it is escaped.
    fn string(&mut self) -> Result<Cow<'t, str>, Stop> {
        self.at += 1;
        let start = self.at;
        self.plain();
        let plain = self.text.get(start..self.at).unwrap_or_default();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.stop(Problem::Control)),
            }
            let start = self.at;
            self.plain();
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
        }
    }

    /// Passes what stands for itself inside a text.
    fn plain(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        self.at += length.unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.at += 1;
        let char = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(start),
            Some(_) => return Err(Stop::Syntax(Problem::Escape, start)),
            None => return Err(self.stop(Problem::End)),
        };
        self.at += 1;
        Ok(char)
    }

    /// `\uXXXX`, or two of them that make one character.
    fn code_point(&mut self, start: usize) -> Result<char, Stop> {
        let first = self.unit(start)?;
        let mut point = first;
        if (0xD800..0xDC00).contains(&first) {
            if self.bytes.get(self.at..self.at + 2) != Some(b"\\u".as_slice()) {
                return Err(Stop::Syntax(Problem::Escape, start));
            }
            self.at += 1;
            let second = self.unit(start)?;
            if !(0xDC00..0xE000).contains(&second) {
                return Err(Stop::Syntax(Problem::Escape, start));
            }
            point = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        }
        char::from_u32(point).ok_or(Stop::Syntax(Problem::Escape, start))
    }

    /// The four digits after a `u`, which is where the parser stands.
    fn unit(&mut self, start: usize) -> Result<u32, Stop> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or(Stop::Syntax(Problem::Escape, start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree without its places, as `serde_json` has it.
    fn plain(node: &Node<'_>) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(bool) => (*bool).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap(),
            Value::String(text) => text.as_ref().into(),
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(members) => {
                serde_json::Value::Object(members.iter().map(|m| (m.name.to_string(), plain(&m.node))).collect())
            }
        }
    }

    /// Every node's place holds exactly the node.
    fn places_hold(text: &str, node: &Node<'_>) {
        let again = parse(&text[node.start..node.end]).unwrap();
        assert_eq!(plain(&again), plain(node));
        for item in node.as_array().unwrap_or_default() {
            places_hold(text, item);
        }
        for member in node.as_object().unwrap_or_default() {
            assert_eq!(&text[member.start..=member.start], "\"");
            places_hold(text, &member.node);
        }
    }

    fn agrees(text: &str) {
        match (parse(text), serde_json::from_str::<serde_json::Value>(text)) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(plain(&ours), theirs, "{text}");
                places_hold(text, &ours);
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{text:?}: {ours:?} and {theirs:?}"),
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((".{0,6}", inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn valid_texts_give_the_same_tree(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            agrees(&text.unwrap());
        }

        #[test]
        fn almost_json_is_accepted_or_not_alike(text in r#"[\[\]{}:,"\\u0-9dDeE.+\-a-f \n\t{}truefalsn]{0,40}"#) {
            agrees(&text);
        }

        #[test]
        fn a_damaged_text_is_accepted_or_not_alike(value in any_json(), at in any::<prop::sample::Index>(), with in any::<char>()) {
            let mut chars: Vec<char> = serde_json::to_string(&value).unwrap().chars().collect();
            let at = at.index(chars.len());
            chars[at] = with;
            agrees(&chars.into_iter().collect::<String>());
        }
    }

    #[test]
    fn corners_are_accepted_or_not_as_by_serde_json() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "01",
            "-",
            "-0",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1e999",
            "-1e999",
            "1e-999",
            "1E5",
            r#""\u00e9""#,
            r#""\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\u12""#,
            r#""\uZZZZ""#,
            r#""\u+123""#,
            r#""\x""#,
            "\"\u{1}\"",
            "\"\u{7f}\"",
            "\"a",
            r#""a\"#,
            "[1,]",
            r#"{"a":1,}"#,
            "[,]",
            "{,}",
            "{a:1}",
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            "[1 2]",
            "1 2",
            "\u{feff}1",
            "[]",
            "{}",
            r#"{"a":1,"a":2}"#,
            "12345678901234567890123",
            "true",
            "truE",
        ] {
            agrees(text);
        }
        for depth in [DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1] {
            agrees(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        }
    }

    #[test]
    fn the_first_error_is_told_with_its_place() {
        for (text, expected) in [
            ("{\n  \"a\": [1, 2,]\n}", "a comma stands before the end at line 2, column 13"),
            ("{\n  \"é\": nul\n}", "a value is expected at line 2, column 11"),
            ("{\"a\": \"b", "the text ends too early at line 1, column 9"),
            ("{} x", "the document has ended before this at line 1, column 4"),
            ("{'a': 1}", "a name in double quotes is expected at line 1, column 2"),
            ("{\"a\": 1 \"b\": 2}", "a comma or `}` is expected at line 1, column 9"),
            ("[\"a\\q\"]", "the escape is not valid at line 1, column 4"),
            ("[\"a\nb\"]", "a control character stands in a text at line 1, column 4"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_repeated_name_is_kept_and_the_last_counts() {
        let node = parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap();
        assert_eq!(node.as_object().unwrap().len(), 3);
        assert_eq!(node.get("a").unwrap().node.value, Value::Number("3"));
        assert_eq!(node.get("a").unwrap().start, 17);
    }

    #[test]
    fn more_than_the_limit_is_not_read() {
        assert_eq!(parse(&" ".repeat(TEXT_BYTES_MAX + 1)), Err(InvalidJson::TooLong));
    }
}
