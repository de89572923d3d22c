//! Values while an expression is evaluated: borrowed from the resources wherever they come from there.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::{Map, Number, Value};
use yagura_model::Resource;

use super::expr::{Constant, Field, Section};
use super::place::Place;

/// A value. Absent and `null` are one.
#[derive(Debug, Clone)]
pub(crate) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// A JSON array or object, as it is kept.
    Json(&'a Value, Place<'a>),
    /// All properties, attributes or tags of a resource.
    Section(Section, &'a Resource),
    Resource(&'a Resource),
    Resources(Rc<[&'a Resource]>),
    /// A list made by the expression.
    List(Rc<[Val<'a>]>),
    /// A map made by the expression.
    Record(Rc<[(Val<'a>, Val<'a>)]>),
}

impl<'a> Val<'a> {
    /// The value that a JSON value is; `place` is asked for only where it is a container.
    pub(crate) fn from_json(value: &'a Value, place: impl FnOnce() -> Place<'a>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::from_number(number),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) | Value::Object(_) => Self::Json(value, place()),
        }
    }

    fn from_number(number: &Number) -> Self {
        match number.as_i64() {
            Some(value) => Self::Int(value),
            None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    pub(crate) fn from_constant(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::Text(value) => Self::Text(Cow::Borrowed(value)),
        }
    }

    /// What every resource has; never [`Field::Now`].
    pub(crate) fn field(resource: &'a Resource, field: Field) -> Self {
        let text = match field {
            Field::Type => Some(resource.kind.as_str()),
            Field::Id => Some(resource.id.as_str()),
            Field::Arn => resource.arn.as_ref().map(yagura_model::Arn::as_str),
            Field::Name => resource.name.as_deref(),
            Field::Region => Some(resource.region.as_str()),
            Field::Account => Some(resource.account.as_str()),
            Field::Now => None,
        };
        text.map_or(Self::Null, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// The kind of value, as messages name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "absent",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a text",
            Self::Json(Value::Array(_), _) | Self::Resources(_) | Self::List(_) => "a list",
            Self::Json(..) | Self::Section(..) | Self::Record(_) => "an object",
            Self::Resource(_) => "a resource",
        }
    }

    pub(crate) fn is_container(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Text(_))
    }

    /// The number of elements, entries or characters; none for what has no size.
    pub(crate) fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Null => 0,
            Self::Text(text) => text.chars().count(),
            Self::Json(Value::Array(items), _) => items.len(),
            Self::Json(Value::Object(entries), _) => entries.len(),
            Self::Section(section, resource) => match section {
                Section::Properties => resource.properties.len(),
                Section::Attributes => resource.attributes.len(),
                Section::Tags => resource.tags.len(),
            },
            Self::Resources(items) => items.len(),
            Self::List(items) => items.len(),
            Self::Record(entries) => entries.len(),
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Resource(_) | Self::Json(..) => return None,
        })
    }

    /// What a comprehension goes over: the elements of a list, the keys of an object; none for a single value.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        let texts = |keys: &mut dyn Iterator<Item = &'a String>| -> Vec<Self> {
            keys.map(|key| Self::Text(Cow::Borrowed(key.as_str()))).collect()
        };
        Some(match self {
            Self::Null => Vec::new(),
            Self::Json(Value::Array(items), place) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Self::from_json(item, || place.below(|| super::place::Step::Index(index))))
                .collect(),
            Self::Json(Value::Object(entries), _) => texts(&mut entries.keys()),
            Self::Section(Section::Properties, resource) => texts(&mut resource.properties.keys()),
            Self::Section(Section::Attributes, resource) => texts(&mut resource.attributes.keys()),
            Self::Section(Section::Tags, resource) => texts(&mut resource.tags.keys()),
            Self::Resources(items) => items.iter().map(|resource| Self::Resource(resource)).collect(),
            Self::List(items) => items.to_vec(),
            Self::Record(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::Text(_) | Self::Json(..) | Self::Resource(_) => {
                return None;
            }
        })
    }

    /// The value under a text key of an object, `Null` where the key is not there; none for what has no keys.
    pub(crate) fn entry(&self, key: &str) -> Option<Self> {
        let below = |value: Option<(&'a String, &'a Value)>, place: &dyn Fn() -> Place<'a>| match value {
            Some((key, value)) => {
                Self::from_json(value, || place().below(|| super::place::Step::Key(Cow::Borrowed(key.as_str()))))
            }
            None => Self::Null,
        };
        Some(match self {
            Self::Null => Self::Null,
            Self::Json(Value::Object(entries), place) => below(entries.get_key_value(key), &|| place.clone()),
            Self::Section(Section::Tags, resource) => {
                resource.tags.get(key).map_or(Self::Null, |value| Self::Text(Cow::Borrowed(value.as_str())))
            }
            Self::Section(section, resource) => {
                let entries = if *section == Section::Properties { &resource.properties } else { &resource.attributes };
                below(entries.get_key_value(key), &|| Place::of(resource, *section, &[]))
            }
            Self::Record(entries) => {
                let found = entries.iter().find(|(name, _)| matches!(name, Self::Text(name) if name == key));
                found.map_or(Self::Null, |(_, value)| value.clone())
            }
            Self::Resource(resource) => match Section::from_name(key) {
                Some(section) => Self::Section(section, resource),
                None => Self::field(resource, Field::of_resource(key)?),
            },
            _ => return None,
        })
    }

    /// The same as JSON; a borrow where the value is JSON that is kept anyway.
    pub(crate) fn to_json(&self) -> Cow<'a, Value> {
        Cow::Owned(match self {
            Self::Json(value, _) => return Cow::Borrowed(value),
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::from(*value),
            Self::Double(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Section(Section::Properties, resource) => Value::Object(resource.properties.clone()),
            Self::Section(Section::Attributes, resource) => Value::Object(resource.attributes.clone()),
            Self::Section(Section::Tags, resource) => {
                Value::Object(resource.tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect())
            }
            Self::Resource(resource) => resource_json(resource),
            Self::Resources(items) => Value::Array(items.iter().map(|resource| resource_json(resource)).collect()),
            Self::List(items) => Value::Array(items.iter().map(|item| item.to_json().into_owned()).collect()),
            Self::Record(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.as_key(), value.to_json().into_owned())).collect())
            }
        })
    }

    /// A key of a map as JSON has it.
    fn as_key(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            other => other.to_json().to_string(),
        }
    }
}

fn resource_json(resource: &Resource) -> Value {
    let mut object = Map::new();
    for field in Field::OF_RESOURCE {
        object.insert(field.name().to_owned(), Val::field(resource, field).to_json().into_owned());
    }
    for section in [Section::Properties, Section::Attributes, Section::Tags] {
        object.insert(section.name().to_owned(), Val::Section(section, resource).to_json().into_owned());
    }
    Value::Object(object)
}

/// Whether two values are equal: numbers by what they amount to, containers element by element, different kinds never.
pub(crate) fn equal(left: &Val<'_>, right: &Val<'_>) -> bool {
    match (left, right) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(left), Val::Bool(right)) => left == right,
        (Val::Text(left), Val::Text(right)) => left == right,
        (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => order(left, right) == Some(Ordering::Equal),
        (Val::Resource(left), Val::Resource(right)) => left.key() == right.key(),
        (Val::Json(left, _), Val::Json(right, _)) if std::ptr::eq(*left, *right) => true,
        _ if !left.is_container() || !right.is_container() || left.size() != right.size() => false,
        _ => match (is_list(left), is_list(right)) {
            (true, true) => {
                let (left, right) = (left.elements().unwrap_or_default(), right.elements().unwrap_or_default());
                left.iter().zip(&right).all(|(left, right)| equal(left, right))
            }
            (false, false) => equal_objects(left, right),
            _ => false,
        },
    }
}

/// Called with objects of the same size, so it is enough that every entry of one is in the other.
fn equal_objects(left: &Val<'_>, right: &Val<'_>) -> bool {
    left.elements().unwrap_or_default().iter().all(|key| {
        let (left, right) = (at(left, key), at(right, key));
        left.zip(right).is_some_and(|(left, right)| equal(&left, &right))
    })
}

/// The value under a key that is there; none where it is not.
pub(crate) fn at<'a>(object: &Val<'a>, key: &Val<'_>) -> Option<Val<'a>> {
    match (object, key) {
        (Val::Record(entries), key) => {
            entries.iter().find(|(name, _)| equal(name, key)).map(|(_, value)| value.clone())
        }
        (Val::Json(Value::Object(entries), _), Val::Text(key)) if !entries.contains_key(key.as_ref()) => None,
        (Val::Section(Section::Properties, of), Val::Text(key)) if !of.properties.contains_key(key.as_ref()) => None,
        (Val::Section(Section::Attributes, of), Val::Text(key)) if !of.attributes.contains_key(key.as_ref()) => None,
        (Val::Section(Section::Tags, of), Val::Text(key)) if !of.tags.contains_key(key.as_ref()) => None,
        (_, Val::Text(key)) => object.entry(key),
        _ => None,
    }
}

fn is_list(value: &Val<'_>) -> bool {
    matches!(value, Val::Json(Value::Array(_), _) | Val::Resources(_) | Val::List(_))
}

/// Which of two values comes first; none where they cannot be compared.
pub(crate) fn order(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => Some(left.cmp(right)),
        (Val::Double(left), Val::Double(right)) => left.partial_cmp(right),
        (Val::Int(left), Val::Double(right)) => order_mixed(*left, *right),
        (Val::Double(left), Val::Int(right)) => order_mixed(*right, *left).map(Ordering::reverse),
        (Val::Text(left), Val::Text(right)) => Some(left.cmp(right)),
        (Val::Bool(left), Val::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Compares without the loss that converting a large integer to a double would bring.
fn order_mixed(left: i64, right: f64) -> Option<Ordering> {
    /// Two to the power of 63, the first double above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if right.is_nan() {
        return None;
    }
    if right >= ABOVE {
        return Some(Ordering::Less);
    }
    if right < -ABOVE {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the value is within the range of an i64, as checked above")]
    let whole = right.trunc() as i64;
    Some(left.cmp(&whole).then_with(|| 0.0.partial_cmp(&right.fract()).unwrap_or(Ordering::Equal)))
}
