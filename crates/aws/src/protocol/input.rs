//! The input of an operation, checked against its model: what comes after can no longer be wrong about its types.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Number, Value};

use super::{DEPTH_MAX, InputError, time};
use crate::model::{Kind, Member, Operation, Reference, Service, Shape, Traits};

/// An unknown member is answered with the known ones; more of them than this are only counted.
const NAMES_SHOWN_MAX: usize = 16;

/// A value of the input together with what the model says of its parts.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// A hole in a list or map.
    Null,
    Text(Cow<'a, str>),
    Boolean(bool),
    Number(Cow<'a, Number>),
    /// `NaN`, `Infinity`, `-Infinity`: no JSON numbers.
    NoNumber(&'a str),
    Blob(Vec<u8>),
    Moment(DateTime<Utc>),
    /// Any JSON.
    Document(&'a Value),
    List(&'a Reference, Vec<Node<'a>>),
    Map(&'a Reference, &'a Reference, Vec<(&'a str, Node<'a>)>),
    Structure(Vec<(&'a Member, Node<'a>)>),
}

/// The members of an operation's input that are set, in the order of the input.
pub(super) type Members<'a> = Vec<(&'a Member, Node<'a>)>;

/// Checks `input` against the operation's model. Members that want an idempotency token and have none get one from `token`.
pub(super) fn check<'a>(
    service: &'a Service,
    operation: &'a Operation,
    input: &'a Value,
    token: &mut dyn FnMut() -> String,
) -> Result<Members<'a>, InputError> {
    let mut checker = Checker { service, path: Path::default() };
    let object = match input {
        Value::Object(object) => Some(object),
        Value::Null => None,
        other => return Err(checker.wrong_type("an object", other)),
    };
    let Some(shape) = service.input(operation) else {
        return match object.and_then(|object| object.keys().next()) {
            Some(name) => Err(InputError::UnknownMember { path: name.clone(), expected: "no input".to_owned() }),
            None => Ok(Vec::new()),
        };
    };
    let mut members = object.map(|object| checker.structure(shape, object)).transpose()?.unwrap_or_default();
    checker.required(shape, object, true)?;
    for member in shape.members() {
        let absent = || !members.iter().any(|(present, _)| present.name == member.name);
        if member.target.traits.idempotency_token && absent() {
            members.push((member, Node::Text(token().into())));
        }
    }
    Ok(members)
}

struct Checker<'a> {
    service: &'a Service,
    path: Path,
}

impl<'a> Checker<'a> {
    fn structure(&mut self, shape: &'a Shape, object: &'a Map<String, Value>) -> Result<Members<'a>, InputError> {
        let mut members = Vec::with_capacity(object.len());
        for (name, value) in object {
            let Some(member) = shape.member(name) else {
                return Err(InputError::UnknownMember { path: self.path.with(name), expected: names(shape) });
            };
            if !value.is_null() {
                let node = self.within(name, |checker| checker.node(&member.target, value))?;
                members.push((member, node));
            }
        }
        Ok(members)
    }

    /// Checks that what is required is there. Only the input itself gets its idempotency token filled in.
    fn required(&self, shape: &Shape, object: Option<&Map<String, Value>>, top: bool) -> Result<(), InputError> {
        for member in shape.members() {
            let absent = object.and_then(|object| object.get(&*member.name)).is_none_or(Value::is_null);
            let filled = top && member.target.traits.idempotency_token;
            if member.required && absent && !filled {
                let expected = described(&self.service.shape(member.target.shape).kind);
                return Err(InputError::MissingMember { path: self.path.with(&member.name), expected });
            }
        }
        Ok(())
    }

    fn node(&mut self, reference: &'a Reference, value: &'a Value) -> Result<Node<'a>, InputError> {
        if reference.traits.json_value {
            return Ok(Node::Document(value));
        }
        let shape = self.service.shape(reference.shape);
        match (&shape.kind, value) {
            (Kind::Document, value) => Ok(Node::Document(value)),
            (Kind::String, Value::String(text)) => Ok(Node::Text(text.into())),
            (Kind::Boolean, Value::Bool(flag)) => Ok(Node::Boolean(*flag)),
            (Kind::Integer | Kind::Long, Value::Number(number)) => self.integer(number),
            (Kind::Float | Kind::Double, Value::Number(number)) => Ok(Node::Number(Cow::Borrowed(number))),
            (Kind::Float | Kind::Double, Value::String(text))
                if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") =>
            {
                Ok(Node::NoNumber(text))
            }
            (Kind::Blob, Value::String(text)) => {
                STANDARD.decode(text).map(Node::Blob).map_err(|_| self.bad_value("base64 text"))
            }
            (Kind::Timestamp, Value::String(_) | Value::Number(_)) => {
                time::from_json(value).map(Node::Moment).ok_or_else(|| self.bad_value("an rfc 3339 time or seconds"))
            }
            (Kind::List { member }, Value::Array(items)) => self.list(member, items),
            (Kind::Map { key, value }, Value::Object(object)) => self.map(key, value, object),
            (Kind::Structure { .. }, Value::Object(object)) => {
                let members = self.structure(shape, object)?;
                self.required(shape, Some(object), false)?;
                Ok(Node::Structure(members))
            }
            (kind, value) => Err(self.wrong_type(described(kind), value)),
        }
    }

    /// Expressions over answers may give `5.0` for 5; a fraction is refused.
    fn integer(&self, number: &'a Number) -> Result<Node<'a>, InputError> {
        /// Above this not every whole number is a double.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        if number.is_i64() || number.is_u64() {
            return Ok(Node::Number(Cow::Borrowed(number)));
        }
        match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "the value is whole and within the exact range")]
            Some(value) if value.fract() == 0.0 && value.abs() <= EXACT_MAX => {
                Ok(Node::Number(Cow::Owned((value as i64).into())))
            }
            _ => Err(self.bad_value("a whole number")),
        }
    }

    fn list(&mut self, member: &'a Reference, items: &'a [Value]) -> Result<Node<'a>, InputError> {
        let mut nodes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            nodes.push(self.within(&format!("[{index}]"), |checker| checker.element(member, item))?);
        }
        Ok(Node::List(member, nodes))
    }

    fn map(
        &mut self,
        key: &'a Reference,
        value: &'a Reference,
        object: &'a Map<String, Value>,
    ) -> Result<Node<'a>, InputError> {
        let mut entries = Vec::with_capacity(object.len());
        for (name, item) in object {
            entries.push((name.as_str(), self.within(name, |checker| checker.element(value, item))?));
        }
        Ok(Node::Map(key, value, entries))
    }

    fn element(&mut self, reference: &'a Reference, value: &'a Value) -> Result<Node<'a>, InputError> {
        if value.is_null() { Ok(Node::Null) } else { self.node(reference, value) }
    }

    fn within<T>(
        &mut self,
        step: &str,
        then: impl FnOnce(&mut Self) -> Result<T, InputError>,
    ) -> Result<T, InputError> {
        self.path.0.push(step.to_owned());
        if self.path.0.len() > DEPTH_MAX {
            return Err(InputError::TooDeep { path: self.path.text(), limit: DEPTH_MAX });
        }
        let result = then(self)?;
        self.path.0.pop();
        Ok(result)
    }

    fn bad_value(&self, expected: &'static str) -> InputError {
        InputError::BadValue { path: self.path.text(), expected }
    }

    fn wrong_type(&self, expected: &'static str, found: &Value) -> InputError {
        InputError::WrongType { path: self.path.text(), expected, found: found_type(found) }
    }
}

/// Where in the input we are.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn text(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            if !text.is_empty() && !step.starts_with('[') {
                text.push('.');
            }
            text.push_str(step);
        }
        if text.is_empty() { "input".to_owned() } else { text }
    }

    fn with(&self, step: &str) -> String {
        if self.0.is_empty() { step.to_owned() } else { format!("{}.{step}", self.text()) }
    }
}

impl Traits {
    /// The name on the wire of a member called `name`.
    pub(super) fn wire_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.location_name.as_deref().unwrap_or(name)
    }
}

fn names(shape: &Shape) -> String {
    let members = shape.members();
    let shown: Vec<_> = members.iter().take(NAMES_SHOWN_MAX).map(|member| format!("`{}`", member.name)).collect();
    match (shown.len(), members.len().saturating_sub(shown.len())) {
        (0, _) => "no members".to_owned(),
        (1, 0) => shown.join(""),
        (_, 0) => format!("one of {}", shown.join(", ")),
        (_, more) => format!("one of {} and {more} more", shown.join(", ")),
    }
}

/// A kind in words.
pub(super) fn described(kind: &Kind) -> &'static str {
    match kind {
        Kind::String => "text",
        Kind::Boolean => "true or false",
        Kind::Integer | Kind::Long => "a whole number",
        Kind::Float | Kind::Double => "a number",
        Kind::Blob => "base64 text",
        Kind::Timestamp => "a time",
        Kind::Document => "any json",
        Kind::List { .. } => "a list",
        Kind::Map { .. } | Kind::Structure { .. } => "an object",
    }
}

/// The type of a JSON value in words.
pub(super) fn found_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
