//! The members of a JSON object in one pass, which is also the pass that finds its end and makes sure that it is JSON.
//!
//! What does not come through here is not lost: the caller looks at it again the slow way, which says what is wrong. So
//! there are no reasons here, and rare things (a key with escapes, deep nesting) may be refused.

/// Arrays and objects inside a member's value: the bits of the number that remembers which is which.
const DEPTH_MAX: u32 = u128::BITS;

/// Visits the members of the object that the text begins with: key and value, as they stand. Gives the object's length;
/// none if it is not JSON, or too unusual. What was visited until then means nothing.
pub(crate) fn object<'t>(json: &'t str, visit: &mut dyn FnMut(&'t str, &'t str)) -> Option<usize> {
    let bytes = json.as_bytes();
    if bytes.first() != Some(&b'{') {
        return None;
    }
    let mut at = blank_end(bytes, 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(bytes, at + 1)?;
        let key = json.get(at + 1..key_end - 1)?;
        if key.contains('\\') {
            return None;
        }
        let value_at = blank_end(bytes, colon(bytes, key_end)?);
        let end = value_end(bytes, value_at)?;
        visit(key, json.get(value_at..end)?);
        at = blank_end(bytes, end);
        match bytes.get(at)? {
            b',' => at = blank_end(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Where the value ends that begins at `at`.
fn value_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    // What the value lies in: a bit for each, set for an object, the innermost the lowest.
    let (mut objects, mut depth) = (0_u128, 0);
    loop {
        at = match bytes.get(at)? {
            b'"' => string_end(bytes, at + 1)?,
            open @ (b'{' | b'[') => {
                let inside = blank_end(bytes, at + 1);
                let is_object = *open == b'{';
                if bytes.get(inside)? == if is_object { &b'}' } else { &b']' } {
                    inside + 1
                } else {
                    if depth == DEPTH_MAX {
                        return None;
                    }
                    depth += 1;
                    objects = (objects << 1) | u128::from(is_object);
                    at = if is_object { key(bytes, inside)? } else { inside };
                    continue;
                }
            }
            b't' => word(bytes, at, b"true")?,
            b'f' => word(bytes, at, b"false")?,
            b'n' => word(bytes, at, b"null")?,
            _ => number_end(bytes, at)?,
        };
        // The value is over, and with it perhaps what it lies in.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = blank_end(bytes, at);
            let is_object = objects & 1 == 1;
            match bytes.get(at)? {
                b',' => {
                    at = blank_end(bytes, at + 1);
                    if is_object {
                        at = key(bytes, at)?;
                    }
                    break;
                }
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return None,
            }
            at += 1;
            objects >>= 1;
            depth -= 1;
        }
    }
}

/// Where the value begins whose key is at `at`.
fn key(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    Some(blank_end(bytes, colon(bytes, string_end(bytes, at + 1)?)?))
}

/// Where it goes on behind the colon that comes next.
fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = blank_end(bytes, at);
    (bytes.get(at) == Some(&b':')).then_some(at + 1)
}

fn blank_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

fn word(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Where the string ends whose first letter is at `at`: behind its quote. Eight letters are looked at together.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The high bit of each byte that is less than `limit` of its byte, exact up to the first.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    loop {
        if let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*eight);
            let quote = below(word ^ (ONES * u64::from(b'"')), 1);
            let escape = below(word ^ (ONES * u64::from(b'\\')), 1);
            let hit = quote | escape | below(word, b' ');
            if hit == 0 {
                at += 8;
                continue;
            }
            at += (hit.trailing_zeros() / 8) as usize;
        }
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = escape_end(bytes, at + 1)?,
            0..b' ' => return None,
            _ => at += 1,
        }
    }
}

/// Where an escape ends, `at` being behind its backslash.
fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let mut at = from;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    at += usize::from(bytes.get(at)? == &b'-');
    at = if bytes.get(at)? == &b'0' { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let is_signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(at + 1 + usize::from(is_signed))?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The members and what follows the object.
    fn members(json: &str) -> Option<(Vec<(&str, &str)>, &str)> {
        let mut found = Vec::new();
        let length = object(json, &mut |key, value| found.push((key, value)))?;
        Some((found, &json[length..]))
    }

    /// The same, the slow way: the walk that finds the end, and another's parser.
    fn slowly(json: &str) -> Option<(Vec<(String, String)>, &str)> {
        let text = crate::json::value(json).ok().filter(|text| text.starts_with('{'))?;
        sonic_rs::from_str::<sonic_rs::LazyValue<'_>>(text).ok()?;
        let members = sonic_rs::to_object_iter(text).collect::<Result<Vec<_>, _>>().ok()?;
        let members = members.iter().map(|(key, value)| (key.to_string(), value.as_raw_str().to_owned())).collect();
        Some((members, json.get(text.len()..)?))
    }

    #[test]
    fn members_stand_as_they_are() {
        for (json, expected) in [
            (
                r#"{"a":1,"b" : "x\"}" ,"c":[{},[],{"d":[1,{"e":null}]}]} rest"#,
                Some((vec![("a", "1"), ("b", r#""x\"}""#), ("c", r#"[{},[],{"d":[1,{"e":null}]}]"#)], " rest")),
            ),
            ("{ }", Some((vec![], ""))),
            (
                r#"{"a":-0.5e+10,"b":true,"c":false}"#,
                Some((vec![("a", "-0.5e+10"), ("b", "true"), ("c", "false")], "")),
            ),
            (
                r#"{"a":"a long text with 櫓 in it, and \u00e9"}"#,
                Some((vec![("a", r#""a long text with 櫓 in it, and \u00e9""#)], "")),
            ),
        ] {
            assert_eq!(members(json), expected, "{json}");
        }
        for json in [
            "",
            "[]",
            "{",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":[1}]"#,
            r#"{"a":tru}"#,
            "{\"a\":\"\u{1}\"}",
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12g4"}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":1."#,
            r#"{"a":[1,]}"#,
            r#"{"a":{"b":1,}}"#,
            r#"{"a":{1:2}}"#,
        ] {
            assert_eq!(members(json), None, "{json}");
        }
        let deep = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(members(&deep(128)).is_some());
        assert!(members(&deep(129)).is_none());
        assert!(members(&"{\"a\":".repeat(200_000)).is_none());
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?(e[+-]?[0-9]{1,2})?",
            r#"([a-z{}\[\],: ]|\\["\\n]|\\u00e9|櫓){0,12}"#.prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let member = ("[a-z ]{0,9}", inner.clone()).prop_map(|(key, value)| format!("\"{key}\" :{value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
                prop::collection::vec(member, 0..4).prop_map(|all| format!("{{{}}}", all.join(" ,\n"))),
            ]
        })
    }

    /// JSON, and JSON with one of its bytes left out or replaced.
    fn nearly() -> impl Strategy<Value = String> {
        let object = prop::collection::vec(("[a-z]{0,9}", json()), 0..5).prop_map(|all| {
            let all: Vec<String> = all.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", all.join(","))
        });
        (object, any::<prop::sample::Index>(), prop::option::of("[\\[\\]{}\",:\\\\a0-9.e -]?")).prop_map(
            |(text, at, with)| {
                let Some(with) = with else { return text };
                let letters: Vec<char> = text.chars().collect();
                let at = at.index(letters.len());
                let before: String = letters[..at].iter().collect();
                before + &with + &letters[at + 1..].iter().collect::<String>()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_comes_through_is_what_the_slow_way_gives(text in nearly()) {
            let fast = members(&text).map(|(members, rest)| {
                let owned: Vec<_> = members.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                (owned, rest)
            });
            // Keys with escapes are left to the slow way, and escapes that are none.
            let slow = slowly(&text).filter(|_| fast.is_some() || !text.contains('\\'));
            prop_assert_eq!(fast, slow);
        }
    }
}
