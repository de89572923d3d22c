//! Where JSON values end: a walk that counts brackets and recurses into nothing, so that hostile nesting costs no stack.
//!
//! What it lets through is not yet known to be JSON; the parser that comes after says so. But it is known not to be
//! deeper than [`DEPTH_MAX`], and that parser does recurse.

mod object;

pub(crate) use object::object;

use crate::object::Reason;

/// Arrays and objects inside each other. AWS's own documents stay below 50.
pub(crate) const DEPTH_MAX: usize = 128;

/// The value that the text begins with, or why it cannot be parsed.
pub(crate) fn value(json: &str) -> Result<&str, Reason> {
    let (end, depth) = end(json.as_bytes()).ok_or_else(torn)?;
    if depth > DEPTH_MAX {
        return Err(Reason::TooDeep(DEPTH_MAX as u64));
    }
    json.get(..end).ok_or_else(torn)
}

/// The elements of the array that the text begins with. The last one may be an error, for what is torn off; one that is
/// too deep is an error, too, and the next ones come after it.
pub(crate) fn elements(json: &str) -> Elements<'_> {
    Elements { rest: json.strip_prefix('['), is_first: true }
}

/// See [`elements`].
pub(crate) struct Elements<'t> {
    /// What is still to be read; none after the end.
    rest: Option<&'t str>,
    is_first: bool,
}

impl<'t> Elements<'t> {
    /// The next element, if it is an object that [`object`] takes: its members are visited, and it is passed. If not,
    /// nothing is passed, and what was visited means nothing.
    pub(crate) fn next_object(&mut self, visit: &mut dyn FnMut(&'t str, &'t str)) -> Option<&'t str> {
        let mut rest = self.rest?.trim_ascii_start();
        if !self.is_first {
            rest = rest.strip_prefix(',')?.trim_ascii_start();
        }
        let (element, after) = rest.split_at_checked(object(rest, visit)?)?;
        (self.rest, self.is_first) = (Some(after), false);
        Some(element)
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = Result<&'t str, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest.take()?.trim_ascii_start();
        match (rest.as_bytes().first(), self.is_first) {
            (Some(b']'), _) => return None,
            (Some(b','), false) => rest = rest.get(1..).unwrap_or_default().trim_ascii_start(),
            (Some(_), true) => {}
            _ => return Some(Err(torn())),
        }
        self.is_first = false;
        let Some((end, depth)) = end(rest.as_bytes()) else { return Some(Err(torn())) };
        self.rest = rest.get(end..);
        if depth > DEPTH_MAX {
            return Some(Err(Reason::TooDeep(DEPTH_MAX as u64)));
        }
        Some(rest.get(..end).ok_or_else(torn))
    }
}

fn torn() -> Reason {
    Reason::NotJson("ends in the middle, or is not closed as it was opened".to_owned())
}

/// Where the value that the bytes begin with ends, and how deep it is; none if it does not end.
fn end(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at + 1)?;
                if depth == 0 {
                    return Some((at, deepest));
                }
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
                if depth == 0 {
                    return Some((at, deepest));
                }
            }
            _ if depth == 0 => return word_end(bytes, at).map(|end| (end, 0)),
            _ => at += 1,
        }
    }
}

/// Where the string ends whose first character is at `at`: behind its quote.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(found)? {
            b'"' => return Some(found + 1),
            _ => at = found + 2,
        }
    }
}

/// Where a number or a word ends; none if it is empty.
fn word_end(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?;
    let length = word
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}'))
        .unwrap_or(word.len());
    (length > 0).then_some(at + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(json: &str) -> Vec<Result<&str, &'static str>> {
        elements(json).map(|element| element.map_err(|reason| reason.code())).collect()
    }

    #[test]
    fn values_end_where_they_do() {
        for (json, expected) in [
            (r#"{"a":"}\"{","b":[1,{}]} rest"#, Ok(r#"{"a":"}\"{","b":[1,{}]}"#)),
            (r#""x\\" rest"#, Ok(r#""x\\""#)),
            ("12,", Ok("12")),
            ("null", Ok("null")),
            ("{\"a\":1", Err("not_json")),
            ("\"a\\\"", Err("not_json")),
            ("", Err("not_json")),
            ("]", Err("not_json")),
        ] {
            assert_eq!(value(json).map_err(|reason| reason.code()), expected, "{json}");
        }
        assert_eq!(parts(r#"[ 1 , "a,]" ,{"b":[]}]x"#), [Ok("1"), Ok(r#""a,]""#), Ok(r#"{"b":[]}"#)]);
        assert_eq!(parts("[]"), []);
        assert_eq!(parts("[1,{\"a\":"), [Ok("1"), Err("not_json")]);
        assert_eq!(parts("[1 2]"), [Ok("1"), Err("not_json")]);
        let deep = format!("[{}1{},2]", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(parts(&deep), [Err("too_deep"), Ok("2")]);
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            "-?[0-9]{1,4}(\\.[0-9]{1,2})?",
            r#"([a-z{}\[\],: ]|\\["\\n]|\\u00e9|櫓){0,8}"#.prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
                prop::collection::vec(inner, 0..4).prop_map(|all| {
                    let members: Vec<String> = all.iter().map(|value| format!("\"k}}\" : {value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_array_falls_into_its_elements(all in prop::collection::vec(json(), 0..6), between in "[ \n\t]{0,2}") {
            let text = format!("[{between}{}{between}] tail", all.join(&format!("{between},{between}")));
            let found: Vec<String> = elements(&text).map(|element| element.unwrap().to_owned()).collect();
            prop_assert_eq!(found, all);
        }

        #[test]
        fn no_text_is_too_much(text in "[\\[\\]{}\",:\\\\a1 ]{0,40}") {
            let _ = value(&text);
            prop_assert!(elements(&text).count() <= text.len() + 1);
        }
    }
}
