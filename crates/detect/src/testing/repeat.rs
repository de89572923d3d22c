//! Events that a test has many times, nearly the same.

use serde_json::{Map, Value};

/// What stands for the number of the repetition in the texts of an event.
const NUMBER: &str = "{#}";

/// Every event as often as its `times` says, which is taken away; the number from 1 takes the place of `{#}` in its texts. At most
/// one event more than `most`.
pub(super) fn all(events: Vec<Map<String, Value>>, most: usize) -> Result<Vec<Map<String, Value>>, String> {
    let mut repeated = Vec::new();
    for mut event in events {
        let times = match event.remove("times") {
            None => {
                repeated.push(event);
                continue;
            }
            Some(times) => times.as_u64().ok_or_else(|| format!("`times` is {times}, not a whole number"))?,
        };
        for number in 1..=times {
            if repeated.len() > most {
                break;
            }
            repeated.push(event.iter().map(|(key, value)| (key.clone(), numbered(value, number))).collect());
        }
    }
    Ok(repeated)
}

/// The value with the number in its place; a text that is nothing else becomes the number.
fn numbered(value: &Value, number: u64) -> Value {
    match value {
        Value::String(text) if text == NUMBER => Value::from(number),
        Value::String(text) => Value::from(text.replace(NUMBER, &number.to_string())),
        Value::Array(values) => values.iter().map(|value| numbered(value, number)).collect(),
        Value::Object(values) => {
            Value::Object(values.iter().map(|(key, value)| (key.clone(), numbered(value, number))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(events: &Value, expected: Result<&Value, &str>) {
        let events = events.as_array().unwrap().iter().map(|event| event.as_object().unwrap().clone()).collect();
        let found = all(events, 5).map(|events| events.into_iter().map(Value::Object).collect::<Value>());
        assert_eq!(found, expected.cloned().map_err(str::to_owned));
    }

    #[test]
    fn an_event_is_repeated_with_its_number() {
        check(
            &json!([{ "times": 2, "port": "{#}", "to": "192.0.2.{#}", "in": [{ "n": "x{#}" }], "same": 7 }, { "port": "{#}" }]),
            Ok(&json!([
                { "port": 1, "to": "192.0.2.1", "in": [{ "n": "x1" }], "same": 7 },
                { "port": 2, "to": "192.0.2.2", "in": [{ "n": "x2" }], "same": 7 },
                { "port": "{#}" }
            ])),
        );
        check(&json!([{ "times": 0 }]), Ok(&json!([])));
        check(&json!([{ "times": "many" }]), Err("`times` is \"many\", not a whole number"));
        check(&json!([{ "times": 1_000_000_000_000_u64 }]), Ok(&json!([{}, {}, {}, {}, {}, {}])));
    }
}
