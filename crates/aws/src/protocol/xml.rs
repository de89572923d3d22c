//! XML bodies of answers.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader as XmlReader, XmlVersion};
use serde_json::{Map, Value};

use super::input::described;
use super::json::{join, scalar};
use super::{DEPTH_MAX, OutputError};
use crate::model::{Kind, Member, Reference, Service, Shape};

/// An element without namespaces: AWS tells nothing apart by them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// The name without prefix.
    pub(super) name: String,
    /// Attributes by their names with prefix.
    pub(super) attributes: Vec<(String, String)>,
    /// All text directly inside.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child with this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The root element of a document.
pub(super) fn parse(body: &[u8]) -> Result<Element, OutputError> {
    let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
    let mut reader = XmlReader::from_str(text);
    // The elements that are open; the first is what holds the root.
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| malformed(&error))?;
        match event {
            Event::Start(start) => open.push(element(&start)?),
            Event::Empty(start) => {
                let child = element(&start)?;
                open.last_mut().into_iter().for_each(|parent| parent.children.push(child.clone()));
            }
            // INVARIANT: the reader has checked that an end has its start.
            Event::End(_) => {
                if let (Some(child), Some(parent)) = (open.pop(), open.last_mut()) {
                    parent.children.push(child);
                }
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => append(&mut open, &resolve(&reference)?),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
        if open.len() > DEPTH_MAX {
            return Err(OutputError::TooDeep { limit: DEPTH_MAX });
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(mut document), true) if document.children.len() == 1 => Ok(document.children.remove(0)),
        (_, true) => Err(malformed(&"it has not one root element")),
        _ => Err(malformed(&"it ends inside an element")),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, OutputError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| malformed(&error))?;
        attributes.push((attribute.key.0.to_owned(), value.into_owned()));
    }
    Ok(Element { name: start.local_name().as_ref().to_owned(), attributes, ..Element::default() })
}

fn append(open: &mut [Element], text: &str) {
    open.last_mut().into_iter().for_each(|element| element.text.push_str(text));
}

/// The text of `&…;`. Entities of a document's own are not resolved: AWS has none.
fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, OutputError> {
    if let Some(letter) = reference.resolve_char_ref().map_err(|error| malformed(&error))? {
        return Ok(letter.to_string());
    }
    let known = quick_xml::escape::resolve_predefined_entity(reference);
    known.map(str::to_owned).ok_or_else(|| malformed(&format!("`&{};` is not known", &**reference)))
}

fn malformed(detail: &impl std::fmt::Display) -> OutputError {
    OutputError::Xml { detail: detail.to_string() }
}

/// Reads elements by the shapes of `service`.
pub(super) struct Reader<'a> {
    pub(super) service: &'a Service,
}

impl Reader<'_> {
    /// The members of `shape` that `element` has. What the model does not know is left out.
    pub(super) fn structure(&self, shape: &Shape, element: &Element, path: &str) -> Result<Value, OutputError> {
        let mut output = Map::new();
        for member in shape.members().iter().filter(|member| member.target.traits.is_in_answer_body()) {
            let path = join(path, &member.name);
            if member.target.traits.xml_attribute {
                if let Some(value) = attribute(element, member.target.traits.wire_name(&member.name)) {
                    let kind = &self.service.shape(member.target.shape).kind;
                    let value = scalar(kind, value).ok_or_else(|| wrong_type(&path, kind, "an attribute"))?;
                    output.insert(member.name.to_string(), value);
                }
                continue;
            }
            let name = self.element_name(member);
            let elements: Vec<&Element> = element.children.iter().filter(|child| child.name == name).collect();
            if !elements.is_empty() {
                output.insert(member.name.to_string(), self.value(&member.target, &elements, &path)?);
            }
        }
        Ok(Value::Object(output))
    }

    /// A value from the elements with its name: several only for what is flattened.
    pub(super) fn value(&self, reference: &Reference, elements: &[&Element], path: &str) -> Result<Value, OutputError> {
        let shape = self.service.shape(reference.shape);
        let Some(first) = elements.first() else { return Ok(Value::Null) };
        match &shape.kind {
            Kind::Structure { .. } => self.structure(shape, first, path),
            Kind::List { member } if reference.traits.flattened => self.list(member, elements.iter().copied(), path),
            Kind::List { member } => self.list(member, first.children.iter(), path),
            Kind::Map { key, value } if reference.traits.flattened => {
                self.map(key, value, elements.iter().copied(), path)
            }
            Kind::Map { key, value } => self.map(key, value, first.children.iter(), path),
            kind if !first.children.is_empty() => Err(wrong_type(path, kind, "elements")),
            kind => scalar(kind, &first.text).ok_or_else(|| wrong_type(path, kind, "other text")),
        }
    }

    fn list<'e>(
        &self,
        member: &Reference,
        elements: impl Iterator<Item = &'e Element>,
        path: &str,
    ) -> Result<Value, OutputError> {
        let item = |(index, element)| self.value(member, &[element], &format!("{path}[{index}]"));
        elements.enumerate().map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    fn map<'e>(
        &self,
        key: &Reference,
        value: &Reference,
        entries: impl Iterator<Item = &'e Element>,
        path: &str,
    ) -> Result<Value, OutputError> {
        let mut output = Map::new();
        for entry in entries {
            let Some(name) = entry.child(key.traits.wire_name("key")) else { continue };
            let path = join(path, &name.text);
            let item = match entry.child(value.traits.wire_name("value")) {
                Some(element) => self.value(value, &[element], &path)?,
                None => Value::Null,
            };
            output.insert(name.text.clone(), item);
        }
        Ok(Value::Object(output))
    }

    /// The name of a member's elements. The items of a flattened list stand where the list would, under their own name.
    fn element_name<'m>(&'m self, member: &'m Member) -> &'m str {
        let traits = &member.target.traits;
        let item = match &self.service.shape(member.target.shape).kind {
            Kind::List { member } if traits.flattened => member.traits.location_name.as_deref(),
            _ => None,
        };
        item.unwrap_or_else(|| traits.wire_name(&member.name))
    }
}

/// An attribute by its name in the model; a document may bind the namespace to another prefix.
fn attribute<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut attributes = element.attributes.iter();
    let exact = attributes.clone().find(|(key, _)| key == name);
    exact.or_else(|| attributes.find(|(key, _)| local(key) == local(name))).map(|(_, value)| value.as_str())
}

fn wrong_type(path: &str, kind: &Kind, found: &str) -> OutputError {
    OutputError::WrongType { path: path.to_owned(), expected: described(kind), found: found.to_owned() }
}
