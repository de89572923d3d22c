//! JSON bodies, both ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::input::{Members, Node, described, found_type};
use super::{DEPTH_MAX, OutputError, time};
use crate::model::{Kind, Reference, Service, Shape, TimestampFormat, Traits};

/// The JSON of a structure.
pub(super) fn structure(members: &Members<'_>) -> Value {
    let entry = |(member, node): &(&crate::model::Member, Node<'_>)| {
        (member.target.traits.wire_name(&member.name).to_owned(), value(node, &member.target.traits))
    };
    Value::Object(members.iter().map(entry).collect())
}

/// The JSON of a node.
pub(super) fn value(node: &Node<'_>, traits: &Traits) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Text(text) => Value::String(text.to_string()),
        Node::Boolean(flag) => Value::Bool(*flag),
        Node::Number(number) => Value::Number(number.clone().into_owned()),
        Node::NoNumber(text) => Value::String((*text).to_owned()),
        Node::Blob(bytes) => Value::String(STANDARD.encode(bytes)),
        Node::Moment(moment) => match traits.timestamp_format.unwrap_or(TimestampFormat::UnixTimestamp) {
            TimestampFormat::UnixTimestamp => Value::Number(time::to_number(*moment)),
            format => Value::String(time::to_wire(*moment, format)),
        },
        // Text is taken to be the JSON itself.
        Node::Document(value) if traits.json_value && !value.is_string() => Value::String(value.to_string()),
        Node::Document(value) => (*value).clone(),
        Node::List(member, items) => items.iter().map(|item| value(item, &member.traits)).collect(),
        Node::Map(_, of, entries) => {
            Value::Object(entries.iter().map(|(name, item)| ((*name).to_owned(), value(item, &of.traits))).collect())
        }
        Node::Structure(members) => structure(members),
    }
}

/// The JSON of a body; an empty body is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Value, OutputError> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if is_deeper_than(body, DEPTH_MAX) {
        return Err(OutputError::TooDeep { limit: DEPTH_MAX });
    }
    serde_json::from_slice(body).map_err(OutputError::Json)
}

/// Reads values of the wire by the shapes of `service`.
pub(super) struct Reader<'a> {
    pub(super) service: &'a Service,
}

impl Reader<'_> {
    /// The members of `shape` that the body has. What the model does not know is left out.
    pub(super) fn structure(&self, shape: &Shape, wire: &Value, path: &str) -> Result<Value, OutputError> {
        let Value::Object(wire) = wire else { return Err(wrong_type(path, "an object", wire)) };
        let mut output = Map::new();
        for member in shape.members() {
            let traits = &member.target.traits;
            let Some(value) = wire.get(traits.wire_name(&member.name)).filter(|value| !value.is_null()) else {
                continue;
            };
            if traits.is_in_answer_body() {
                output.insert(member.name.to_string(), self.value(&member.target, value, &join(path, &member.name))?);
            }
        }
        Ok(Value::Object(output))
    }

    /// One value. Numbers and flags that a service writes as text are read as what the model says.
    pub(super) fn value(&self, reference: &Reference, wire: &Value, path: &str) -> Result<Value, OutputError> {
        let shape = self.service.shape(reference.shape);
        match (&shape.kind, wire) {
            (_, Value::Null) => Ok(Value::Null),
            (Kind::Document, wire) => Ok(wire.clone()),
            (Kind::String, Value::String(text)) if reference.traits.json_value => {
                serde_json::from_str(text).map_err(OutputError::Json)
            }
            (Kind::String, Value::Number(number)) => Ok(Value::String(number.to_string())),
            (Kind::String, Value::Bool(flag)) => Ok(Value::String(flag.to_string())),
            (Kind::String | Kind::Blob, Value::String(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Integer | Kind::Long | Kind::Float | Kind::Double, Value::Number(_)) => Ok(wire.clone()),
            (kind, Value::String(text)) if is_scalar(kind) => {
                scalar(kind, text).ok_or_else(|| wrong_type(path, described(kind), wire))
            }
            (Kind::Timestamp, Value::Number(_)) => {
                time::from_json(wire).map(time::to_json).ok_or_else(|| wrong_type(path, "a time", wire))
            }
            (Kind::List { member }, Value::Array(items)) => {
                let item = |(index, item)| self.value(member, item, &format!("{path}[{index}]"));
                items.iter().enumerate().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            (Kind::Map { value, .. }, Value::Object(entries)) => {
                let entry =
                    |(name, item): (&String, &Value)| Ok((name.clone(), self.value(value, item, &join(path, name))?));
                entries.iter().map(entry).collect::<Result<Map<_, _>, OutputError>>().map(Value::Object)
            }
            (Kind::Structure { .. }, Value::Object(_)) => self.structure(shape, wire, path),
            (kind, wire) => Err(wrong_type(path, described(kind), wire)),
        }
    }
}

/// The value of a kind without parts that the wire has as text; `None` where the text is no such value.
pub(super) fn scalar(kind: &Kind, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    match kind {
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Blob => Some(Value::String(text.split_ascii_whitespace().collect())),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        Kind::Integer | Kind::Long => trimmed.parse::<i64>().ok().map(Value::from),
        Kind::Float | Kind::Double => match trimmed {
            "NaN" | "Infinity" | "-Infinity" => Some(Value::String(trimmed.to_owned())),
            number => number.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        },
        Kind::Timestamp => time::from_text(text).map(time::to_json),
        _ => None,
    }
}

fn is_scalar(kind: &Kind) -> bool {
    !matches!(kind, Kind::Document | Kind::List { .. } | Kind::Map { .. } | Kind::Structure { .. })
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wrong_type(path: &str, expected: &'static str, found: &Value) -> OutputError {
    OutputError::WrongType { path: path.to_owned(), expected, found: found_type(found).to_owned() }
}

/// Whether brackets outside of text nest deeper than `limit`.
fn is_deeper_than(body: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth = depth.saturating_add(1),
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}
