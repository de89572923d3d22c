//! Scalars and tags of YAML as CloudFormation reads them.

use serde_json::{Map, Number, Value};

/// The value of a scalar without quotes. As in YAML 1.1, `yes`, `no`, `on` and `off` are booleans; a number is what
/// JSON takes for one, so that an account id with a leading zero stays a text.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// The number that a text is, as long as none of its digits is lost.
pub(super) fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) || text.ends_with(char::is_whitespace) {
        return None;
    }
    let number: Number = serde_json::from_str(text).ok()?;
    let is_whole = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    (!is_whole || number.is_i64() || number.is_u64()).then_some(number)
}

/// The long form of the function that a local tag (`!Sub`, without its `!`) stands for.
pub(super) fn long_form(tag: &str, value: Value) -> Value {
    let (name, value) = match (tag, value) {
        ("Ref" | "Condition", value) => (tag.to_owned(), value),
        ("GetAtt", Value::String(text)) => {
            let parts = match text.split_once('.') {
                Some((resource, attribute)) => vec![Value::from(resource), Value::from(attribute)],
                None => vec![Value::String(text)],
            };
            ("Fn::GetAtt".to_owned(), Value::Array(parts))
        }
        (_, value) => (format!("Fn::{tag}"), value),
    };
    Value::Object(Map::from_iter([(name, value)]))
}

/// Whether the argument of a tag is a text even where it looks like a number or a boolean.
pub(super) fn takes_text(tag: &str) -> bool {
    matches!(tag, "Ref" | "Condition" | "GetAtt" | "Sub" | "ImportValue" | "Base64")
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_without_quotes() {
        let cases = [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!("y")),
            ("~", json!(null)),
            ("22", json!(22)),
            ("-1", json!(-1)),
            ("0.5", json!(0.5)),
            ("012345678901", json!("012345678901")),
            ("111122223333", json!(111_122_223_333_u64)),
            ("123456789012345678901234567890", json!("123456789012345678901234567890")),
            ("2012-10-17", json!("2012-10-17")),
            ("1.2.3.4/32", json!("1.2.3.4/32")),
            ("0x10", json!("0x10")),
            (".5", json!(".5")),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
