//! XML bodies of requests.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::form::scalar_text;
use super::input::Node;
use crate::model::{Reference, TimestampFormat, Traits, XmlNamespace};

/// The document of `node` with a root element called `name`.
pub(super) fn document(name: &str, traits: &Traits, node: &Node<'_>) -> Vec<u8> {
    let mut text = String::new();
    element(&mut text, name, traits, node);
    text.into_bytes()
}

/// The document of an operation's input whose members make up the body.
pub(super) fn structure_document(
    name: &str,
    traits: &Traits,
    members: &[&(&crate::model::Member, Node<'_>)],
) -> Vec<u8> {
    let mut text = String::new();
    structure(&mut text, name, traits, members.iter().copied());
    text.into_bytes()
}

fn element(text: &mut String, name: &str, traits: &Traits, node: &Node<'_>) {
    match node {
        Node::Null => {}
        Node::Structure(members) => structure(text, name, traits, members.iter()),
        Node::List(member, items) => list(text, name, traits, member, items),
        Node::Map(key, value, entries) => map(text, name, traits, (key, value), entries),
        scalar => {
            let value = scalar_text(scalar, traits, TimestampFormat::Iso8601);
            open(text, name, traits);
            text.push('>');
            text.push_str(&escape(value));
            close(text, name);
        }
    }
}

fn structure<'m, 'a: 'm>(
    text: &mut String,
    name: &str,
    traits: &Traits,
    members: impl Iterator<Item = &'m (&'a crate::model::Member, Node<'a>)> + Clone,
) {
    open(text, name, traits);
    for (member, node) in members.clone().filter(|(member, _)| member.target.traits.xml_attribute) {
        let value = scalar_text(node, &member.target.traits, TimestampFormat::Iso8601);
        attribute(text, member.target.traits.wire_name(&member.name), &value);
    }
    text.push('>');
    for (member, node) in members.filter(|(member, _)| !member.target.traits.xml_attribute) {
        element(text, member.target.traits.wire_name(&member.name), &member.target.traits, node);
    }
    close(text, name);
}

fn list(text: &mut String, name: &str, traits: &Traits, member: &Reference, items: &[Node<'_>]) {
    if traits.flattened {
        for item in items {
            element(text, name, &member.traits, item);
        }
        return;
    }
    open(text, name, traits);
    text.push('>');
    for item in items {
        element(text, member.traits.wire_name("member"), &member.traits, item);
    }
    close(text, name);
}

fn map(text: &mut String, name: &str, traits: &Traits, of: (&Reference, &Reference), entries: &[(&str, Node<'_>)]) {
    let (key, value) = of;
    if !traits.flattened {
        open(text, name, traits);
        text.push('>');
    }
    let entry = if traits.flattened { name } else { "entry" };
    for (entry_key, item) in entries {
        text.push('<');
        text.push_str(entry);
        text.push('>');
        element(text, key.traits.wire_name("key"), &key.traits, &Node::Text((*entry_key).into()));
        element(text, value.traits.wire_name("value"), &value.traits, item);
        close(text, entry);
    }
    if !traits.flattened {
        close(text, name);
    }
}

/// The start of a tag with its namespace; the caller adds attributes and the bracket.
fn open(text: &mut String, name: &str, traits: &Traits) {
    text.push('<');
    text.push_str(name);
    if let Some(namespace) = traits.xml_namespace.as_deref() {
        let XmlNamespace { uri, prefix } = namespace;
        match prefix {
            Some(prefix) => attribute(text, &format!("xmlns:{prefix}"), uri),
            None => attribute(text, "xmlns", uri),
        }
    }
}

fn close(text: &mut String, name: &str) {
    // INVARIANT: writing to a `String` does not fail.
    let _ = write!(text, "</{name}>");
}

fn attribute(text: &mut String, name: &str, value: &str) {
    // INVARIANT: as above.
    let _ = write!(text, " {name}=\"{}\"", escape(value));
}
