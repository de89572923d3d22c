//! The values that endpoint rules compute with.

use std::sync::Arc;

/// A value of a parameter, or of an expression in a rule. Cheap to clone: rules name the same record many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Not set.
    Absent,
    /// True or false.
    Bool(bool),
    /// A whole number; only arguments of `substring` are.
    Integer(usize),
    /// Text.
    Text(Arc<str>),
    /// A sequence.
    List(Arc<[Value]>),
    /// Named parts of a partition, an ARN or a URL.
    Record(Arc<[(&'static str, Value)]>),
}

impl Value {
    /// Whether a condition with this result holds: anything but absent and false.
    pub(super) fn holds(&self) -> bool {
        !matches!(self, Self::Absent | Self::Bool(false))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a parameter as models and rule sets write it in JSON.
    pub(crate) fn from_json(json: &serde_json::Value) -> Option<Self> {
        Some(match json {
            serde_json::Value::Bool(flag) => Self::Bool(*flag),
            serde_json::Value::Number(number) => Self::Integer(usize::try_from(number.as_u64()?).ok()?),
            serde_json::Value::String(text) => Self::from(text.as_str()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect::<Option<_>>()?),
            serde_json::Value::Null | serde_json::Value::Object(_) => return None,
        })
    }

    /// What `path` names in this value.
    pub(super) fn at(&self, path: &[Step]) -> Self {
        let mut value = self;
        for step in path {
            let next = match (step, value) {
                (Step::Name(name), Self::Record(parts)) => {
                    parts.iter().find(|(part, _)| *part == &**name).map(|(_, part)| part)
                }
                (Step::Index(index), Self::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => return Self::Absent,
            }
        }
        value.clone()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// One step of a path like `resourceId[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A part of a record.
    Name(Box<str>),
    /// An element of a sequence.
    Index(usize),
}

/// The steps of a path whose names are joined by `separator`; `None` where it is malformed.
pub(super) fn steps(path: &str, separator: char) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split(separator) {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']')?.parse().ok()?)),
            None => (part, None),
        };
        if !name.is_empty() {
            steps.push(Step::Name(name.into()));
        }
        steps.extend(index.map(Step::Index));
    }
    (!steps.is_empty()).then_some(steps)
}
