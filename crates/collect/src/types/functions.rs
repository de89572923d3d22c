//! The functions that resource files have beside those of JMESPath.
//!
//! Each of them gives null for null, so that an expression over something absent is absent.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jmespath::{Context, ErrorReason, JmespathError, Rcvar, Runtime, Variable};
use percent_encoding::percent_decode_str;

use crate::secrets;

/// What one call of `csv` may give; IAM's credential report has at most 5,001 rows.
const CSV_ROWS_MAX: usize = 100_000;

/// Every function an expression may call, with the least and the most arguments it takes. A call that does not fit
/// is found when the file is loaded, not when an account is read.
const ARITIES: &[(&str, usize, usize)] = &[
    ("abs", 1, 1),
    ("avg", 1, 1),
    ("ceil", 1, 1),
    ("contains", 2, 2),
    ("ends_with", 2, 2),
    ("floor", 1, 1),
    ("join", 2, 2),
    ("keys", 1, 1),
    ("length", 1, 1),
    ("map", 2, 2),
    ("max", 1, 1),
    ("max_by", 2, 2),
    ("merge", 1, usize::MAX),
    ("min", 1, 1),
    ("min_by", 2, 2),
    ("not_null", 1, usize::MAX),
    ("reverse", 1, 1),
    ("sort", 1, 1),
    ("sort_by", 2, 2),
    ("starts_with", 2, 2),
    ("sum", 1, 1),
    ("to_array", 1, 1),
    ("to_number", 1, 1),
    ("to_string", 1, 1),
    ("type", 1, 1),
    ("values", 1, 1),
    ("base64", 1, 1),
    ("bool", 1, 1),
    ("csv", 1, 1),
    ("entries", 1, 1),
    ("hints", 1, 1),
    ("json", 1, 1),
    ("lower", 1, 1),
    ("lower_first", 1, 1),
    ("number", 1, 1),
    ("object", 1, 1),
    ("replace", 3, 3),
    ("split", 2, 2),
    ("upper_first", 1, 1),
];

/// The runtime that every expression is evaluated with.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    let mut add = |name: &str, function: fn(&[Rcvar]) -> Result<Variable, String>| {
        runtime.register_function(
            name,
            Box::new(move |arguments: &[Rcvar], context: &mut Context<'_>| {
                if arguments.first().is_some_and(|argument| argument.is_null()) {
                    return Ok(Rcvar::new(Variable::Null));
                }
                function(arguments)
                    .map(Rcvar::new)
                    .map_err(|message| JmespathError::from_ctx(context, ErrorReason::Parse(message)))
            }),
        );
    };
    add("base64", |arguments| decode_base64(text(arguments, 0, "base64")?));
    add("bool", to_bool);
    add("csv", |arguments| rows(text(arguments, 0, "csv")?));
    add("entries", entries);
    add("hints", |arguments| Ok(hints(arguments)));
    add("json", parse_json);
    add("lower", |arguments| Ok(Variable::String(text(arguments, 0, "lower")?.to_lowercase())));
    add("lower_first", |arguments| Ok(keys_deep(arguments, str::to_lowercase)));
    add("number", to_number);
    add("object", object);
    add("replace", |arguments| {
        let (from, to) = (text(arguments, 1, "replace")?, text(arguments, 2, "replace")?);
        Ok(Variable::String(text(arguments, 0, "replace")?.replace(from, to)))
    });
    add("split", |arguments| {
        let separator = text(arguments, 1, "split")?;
        if separator.is_empty() {
            return Err("`split` needs a separator".to_owned());
        }
        Ok(Variable::Array(text(arguments, 0, "split")?.split(separator).map(string).collect()))
    });
    add("upper_first", |arguments| Ok(keys_deep(arguments, str::to_uppercase)));
    runtime
});

/// Why a call of `name` with `count` arguments cannot be right; `None` where it can.
pub(crate) fn misuse(name: &str, count: usize) -> Option<String> {
    let Some((_, least, most)) = ARITIES.iter().find(|(known, ..)| *known == name) else {
        return Some(format!("there is no function `{name}`"));
    };
    if (*least..=*most).contains(&count) {
        return None;
    }
    Some(format!("`{name}` takes {least} argument{}, not {count}", if *least == 1 { "" } else { "s" }))
}

fn text<'a>(arguments: &'a [Rcvar], index: usize, function: &str) -> Result<&'a str, String> {
    let Some(argument) = arguments.get(index) else {
        return Err(format!("`{function}` needs {} arguments", index + 1));
    };
    argument
        .as_string()
        .map(String::as_str)
        .ok_or_else(|| format!("`{function}` needs a text where it was given a {}", argument.get_type()))
}

fn string(text: &str) -> Rcvar {
    Rcvar::new(Variable::String(text.to_owned()))
}

fn first(arguments: &[Rcvar]) -> Rcvar {
    arguments.first().cloned().unwrap_or_else(|| Rcvar::new(Variable::Null))
}

/// IAM gives its documents URL-encoded, most others as they are; some services give an object already.
fn parse_json(arguments: &[Rcvar]) -> Result<Variable, String> {
    let given = first(arguments);
    if given.is_object() || given.is_array() {
        return Ok((*given).clone());
    }
    let given = text(arguments, 0, "json")?;
    let plain = serde_json::from_str::<Variable>(given);
    match plain {
        Ok(value) => Ok(value),
        Err(error) if given.contains('%') => {
            let decoded =
                percent_decode_str(given).decode_utf8().map_err(|_| "not UTF-8 when URL-decoded".to_owned())?;
            serde_json::from_str(&decoded).map_err(|_| format!("not JSON: {error}"))
        }
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

fn decode_base64(given: &str) -> Result<Variable, String> {
    let compact: String = given.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|error| format!("not base64: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "base64 of something that is not UTF-8".to_owned())?;
    Ok(Variable::String(text))
}

fn rows(given: &str) -> Result<Variable, String> {
    let mut reader = csv::Reader::from_reader(given.as_bytes());
    let header = reader.headers().map_err(|error| format!("not CSV: {error}"))?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("not CSV: {error}"))?;
        if rows.len() == CSV_ROWS_MAX {
            return Err(format!("more than {CSV_ROWS_MAX} rows of CSV"));
        }
        let row = header.iter().zip(record.iter()).map(|(name, cell)| (name.to_owned(), string(cell)));
        rows.push(Rcvar::new(Variable::Object(row.collect())));
    }
    Ok(Variable::Array(rows))
}

fn entries(arguments: &[Rcvar]) -> Result<Variable, String> {
    let given = first(arguments);
    let Some(object) = given.as_object() else {
        return Err(format!("`entries` needs an object where it was given a {}", given.get_type()));
    };
    let pair = |(key, value): (&String, &Rcvar)| {
        let pair = BTreeMap::from([("Key".to_owned(), string(key)), ("Value".to_owned(), value.clone())]);
        Rcvar::new(Variable::Object(pair))
    };
    Ok(Variable::Array(object.iter().map(pair).collect()))
}

/// The spellings that services have for one tag.
const PAIR_KEYS: [(&str, &str); 3] = [("Key", "Value"), ("key", "value"), ("TagKey", "TagValue")];

fn object(arguments: &[Rcvar]) -> Result<Variable, String> {
    let given = first(arguments);
    if given.is_object() {
        return Ok((*given).clone());
    }
    let Some(pairs) = given.as_array() else {
        return Err(format!("`object` needs a list where it was given a {}", given.get_type()));
    };
    let mut object = BTreeMap::new();
    for pair in pairs {
        let found = PAIR_KEYS.iter().find_map(|(key, value)| {
            let key = pair.get_field(key).as_string()?.clone();
            Some((key, pair.get_field(value)))
        });
        let Some((key, value)) = found else {
            return Err("`object` needs a list of `Key` and `Value`".to_owned());
        };
        object.insert(key, value);
    }
    Ok(Variable::Object(object))
}

fn to_number(arguments: &[Rcvar]) -> Result<Variable, String> {
    let given = first(arguments);
    if given.is_number() {
        return Ok((*given).clone());
    }
    let text = text(arguments, 0, "number")?.trim();
    let whole = text.parse::<i64>().map(serde_json::Number::from).ok();
    whole
        .or_else(|| text.parse::<f64>().ok().and_then(serde_json::Number::from_f64))
        .map(Variable::Number)
        .ok_or_else(|| format!("`{text}` is not a number"))
}

fn to_bool(arguments: &[Rcvar]) -> Result<Variable, String> {
    let given = first(arguments);
    if given.is_boolean() {
        return Ok((*given).clone());
    }
    let text = text(arguments, 0, "bool")?;
    if text.eq_ignore_ascii_case("true") {
        return Ok(Variable::Bool(true));
    }
    if text.eq_ignore_ascii_case("false") {
        return Ok(Variable::Bool(false));
    }
    Err(format!("`{text}` is neither true nor false"))
}

fn keys_deep(arguments: &[Rcvar], change: fn(&str) -> String) -> Variable {
    rename(&first(arguments), change)
}

fn rename(value: &Variable, change: fn(&str) -> String) -> Variable {
    match value {
        Variable::Array(elements) => {
            Variable::Array(elements.iter().map(|element| Rcvar::new(rename(element, change))).collect())
        }
        Variable::Object(members) => {
            let renamed = members.iter().map(|(key, value)| {
                let mut letters = key.chars();
                let head = letters.next().map(|letter| change(letter.encode_utf8(&mut [0; 4]))).unwrap_or_default();
                (head + letters.as_str(), Rcvar::new(rename(value, change)))
            });
            Variable::Object(renamed.collect())
        }
        other => other.clone(),
    }
}

fn hints(arguments: &[Rcvar]) -> Variable {
    let value = super::expression::to_json(&first(arguments));
    Variable::Array(secrets::hints(&value).into_iter().map(|kind| string(kind.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::expression::{Expression, to_json, to_variable};

    fn evaluate(expression: &str, data: &Value) -> Result<Value, String> {
        let expression = Expression::parse(expression).unwrap();
        expression.search(&to_variable(data)).map(|value| to_json(&value))
    }

    #[test]
    fn functions_give_what_the_format_says() {
        let data = json!({
            "policy": "%7B%22Version%22%3A%222012-10-17%22%7D",
            "plain": "{\"a\": \"50%\"}",
            "csv": "user,arn\nroot,arn:aws:iam::1:root\n",
            "tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}],
            "lower": [{"key": "a", "value": "b"}],
            "kms": [{"TagKey": "a", "TagValue": "b"}],
            "deep": {"name": [{"innerName": 1}]},
        });
        for (expression, expected) in [
            ("json(policy)", json!({"Version": "2012-10-17"})),
            ("json(plain).a", json!("50%")),
            ("json(nothing)", Value::Null),
            ("csv(csv)", json!([{"user": "root", "arn": "arn:aws:iam::1:root"}])),
            ("base64('aGVs\nbG8=')", json!("hello")),
            ("object(tags)", json!({"a": "b", "c": "d"})),
            ("object(lower)", json!({"a": "b"})),
            ("object(kms)", json!({"a": "b"})),
            ("entries(object(tags))", json!([{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])),
            ("split('a/b', '/')[1]", json!("b")),
            ("replace('a-b', '-', '.')", json!("a.b")),
            ("lower('AbC')", json!("abc")),
            ("number('14')", json!(14)),
            ("number('0.5')", json!(0.5)),
            ("bool('True')", json!(true)),
            ("bool(nothing)", Value::Null),
            ("upper_first(deep)", json!({"Name": [{"InnerName": 1}]})),
            ("lower_first(upper_first(deep))", json!({"name": [{"innerName": 1}]})),
            ("hints('export DB_PASSWORD=hunter2')", json!(["password"])),
        ] {
            assert_eq!(evaluate(expression, &data), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_not_an_absence() {
        for expression in
            ["json('{')", "number('many')", "bool('yes')", "base64('*')", "split(`1`, ',')", "object('a')"]
        {
            assert!(evaluate(expression, &json!({})).is_err(), "{expression}");
        }
    }

    #[test]
    fn every_registered_function_has_an_arity() {
        for (name, ..) in super::ARITIES {
            assert!(super::RUNTIME.get_function(name).is_some(), "{name}");
        }
        assert_eq!(super::misuse("lower", 2).unwrap(), "`lower` takes 1 argument, not 2");
    }
}
