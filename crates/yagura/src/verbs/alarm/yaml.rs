//! JSON values as YAML that people like to read: blocks for lists and mappings, JSON's spelling for everything in them.

use serde_json::Value;

/// The value as a document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                out.push_str(&indent);
                out.push_str(&key(name));
                out.push(':');
                below(member, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&indent);
                out.push('-');
                below(item, depth, out);
            }
        }
        scalar => {
            out.push_str(&indent);
            out.push_str(&scalar.to_string());
            out.push('\n');
        }
    }
}

/// What follows a key or a dash: the scalar on the same line, a block below.
fn below(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push(' ');
        out.push_str(&value.to_string());
        out.push('\n');
    }
}

/// A key as it is, where it cannot be taken for anything else.
fn key(name: &str) -> String {
    let is_plain = name.len() > 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) && {
        name.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let is_word =
        ["Yes", "No", "On", "Off", "True", "False", "Null"].iter().any(|word| name.eq_ignore_ascii_case(word));
    if is_plain && !is_word { name.to_owned() } else { Value::String(name.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for value in [
            json!({}),
            json!({ "Resources": { "A": { "Type": "AWS::X", "Properties": { "P": ["a", { "B": 1 }, [], [["x"]]] } } } }),
            json!({ "yes": true, "No": "no", "1": null, "a: b": "c # d", "Text": "one\ntwo \"x\" \u{6ad3} {}", "E": 1e-3 }),
            json!({ "Pattern": "{ ($.eventName = \"X\") || %a\\d% }", "Empty": "", "Blank": " " }),
        ] {
            let read: Value =
                serde_saphyr::from_str(&text(&value)).unwrap_or_else(|error| panic!("{error}\n{}", text(&value)));
            assert_eq!(read, value, "{}", text(&value));
        }
    }
}
