//! Takes secrets out of what is about to be kept.

use serde_json::{Map, Value};

use crate::secrets;

/// What replaces a text that is not kept.
pub(crate) const REDACTED: &str = "[redacted]";

/// A path below which no text is kept: member names; lists are passed through, `*` is any member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedactPath {
    /// `Properties` or `Attributes`.
    pub(crate) root: Root,
    /// The names after it; at least one.
    pub(crate) names: Vec<String>,
}

/// Which half of a resource a path begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `Properties`.
    Properties,
    /// `Attributes`.
    Attributes,
}

impl RedactPath {
    /// Reads `Properties.Environment.Variables`; the error says what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut names = text.split('.').map(str::to_owned);
        let root = match names.next().as_deref() {
            Some("Properties") => Root::Properties,
            Some("Attributes") => Root::Attributes,
            _ => return Err(format!("`{text}` begins with neither `Properties.` nor `Attributes.`")),
        };
        let names: Vec<String> = names.collect();
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(format!("`{text}` is not a path such as `Properties.Environment.Variables`"));
        }
        Ok(Self { root, names })
    }
}

/// Replaces every text below the paths.
pub(crate) fn redact(paths: &[RedactPath], properties: &mut Map<String, Value>, attributes: &mut Map<String, Value>) {
    for path in paths {
        let members = match path.root {
            Root::Properties => &mut *properties,
            Root::Attributes => &mut *attributes,
        };
        descend_members("", members, &path.names);
    }
}

fn descend(name: &str, value: &mut Value, names: &[String]) {
    match value {
        _ if names.is_empty() => replace(name, value),
        Value::Array(elements) => elements.iter_mut().for_each(|element| descend(name, element, names)),
        Value::Object(members) => descend_members(name, members, names),
        // The path goes deeper than the value: what is there instead may be the secret in another shape.
        Value::String(_) => replace(name, value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn descend_members(name: &str, members: &mut Map<String, Value>, names: &[String]) {
    let Some((first, rest)) = names.split_first() else {
        return replace_members(name, members);
    };
    let sibling = secrets::pair_name(members).map(str::to_owned);
    for (key, value) in members.iter_mut() {
        // Of any member only those that go as deep as the path are meant.
        if first == key || (first == "*" && (rest.is_empty() || value.is_object() || value.is_array())) {
            let name = sibling.as_deref().filter(|_| secrets::is_pair_value(key)).unwrap_or(key);
            descend(name, value, rest);
        }
    }
}

fn replace(name: &str, value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = match secrets::looks_like(name, text) {
                Some(kind) => format!("[redacted: looks like a {}]", kind.as_str()),
                None => REDACTED.to_owned(),
            };
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| replace(name, element)),
        Value::Object(members) => replace_members(name, members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The name in a pair of `Name` and `Value` is what rules judge by, as is its type, and neither is a secret.
fn replace_members(name: &str, members: &mut Map<String, Value>) {
    let sibling = secrets::pair_name(members).map(str::to_owned);
    for (key, value) in members.iter_mut() {
        match &sibling {
            Some(sibling) if secrets::is_pair_value(key) => replace(sibling, value),
            Some(_) if secrets::is_pair_name(key) || key == "Type" || key == "type" => {}
            _ => replace(if key.is_empty() { name } else { key }, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(path: &str, properties: &Value) -> Value {
        let mut properties = properties.as_object().unwrap().clone();
        redact(&[RedactPath::parse(path).unwrap()], &mut properties, &mut Map::new());
        Value::Object(properties)
    }

    #[test]
    fn every_text_below_a_path_is_replaced_and_nothing_else() {
        let environment = json!({"Environment": {"Variables": {"PASSWORD": "hunter2", "STAGE": "prod"}}, "Name": "f"});
        assert_eq!(
            redacted("Properties.Environment.Variables", &environment),
            json!({
                "Environment": {"Variables": {"PASSWORD": "[redacted: looks like a password]", "STAGE": "[redacted]"}},
                "Name": "f",
            })
        );
        let containers =
            json!({"Containers": [{"Name": "web", "Environment": [{"Name": "API_TOKEN", "Value": "0123456789"}]}]});
        let expected = json!({"Containers": [
            {"Name": "web", "Environment": [{"Name": "API_TOKEN", "Value": "[redacted: looks like a token]"}]}
        ]});
        assert_eq!(redacted("Properties.Containers.Environment", &containers), expected);
        assert_eq!(redacted("Properties.Containers.Environment.Value", &containers), expected);
        let typed = json!({"Variables": [{"Name": "TOKEN", "Value": "0123456789", "Type": "PLAINTEXT", "Note": "x"}], "Type": "a"});
        assert_eq!(
            redacted("Properties.Variables", &typed),
            json!({"Variables": [
                {"Name": "TOKEN", "Value": "[redacted: looks like a token]", "Type": "PLAINTEXT", "Note": "[redacted]"}
            ], "Type": "a"})
        );
        assert_eq!(redacted("Properties.Type", &typed)["Type"], json!("[redacted]"));
        assert_eq!(redacted("Properties.*.Variables", &environment), redacted("Properties.Environment", &environment));
        assert_eq!(redacted("Properties.A.B", &json!({"A": "text", "N": 1})), json!({"A": "[redacted]", "N": 1}));
    }

    #[test]
    fn a_path_begins_in_properties_or_attributes() {
        for path in ["Tags.X", "Properties", "Properties.", "Attributes..A", ""] {
            assert!(RedactPath::parse(path).is_err(), "{path}");
        }
    }
}
