//! Bodies of the query protocol and of EC2's dialect of it: one flat form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::utf8_percent_encode;

use super::input::{Members, Node};
use super::{UNRESERVED, time};
use crate::model::{Operation, Protocol, Reference, Service, TimestampFormat, Traits};

/// The form of `members`.
pub(super) fn body(service: &Service, operation: &Operation, members: &Members<'_>) -> Vec<u8> {
    let mut form = Form { dialect: service.protocol, pairs: Vec::new() };
    form.pairs.push(("Action".to_owned(), operation.name.to_string()));
    form.pairs.push(("Version".to_owned(), service.api_version.to_string()));
    form.structure("", members);
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let pairs: Vec<String> =
        form.pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&").into_bytes()
}

struct Form {
    dialect: Protocol,
    pairs: Vec<(String, String)>,
}

impl Form {
    fn structure(&mut self, prefix: &str, members: &Members<'_>) {
        for (member, node) in members {
            let name = self.name(&member.target.traits, &member.name);
            let prefix = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.node(&prefix, &member.target.traits, node);
        }
    }

    fn node(&mut self, prefix: &str, traits: &Traits, node: &Node<'_>) {
        let text = match node {
            Node::Null => return,
            Node::Structure(members) => return self.structure(prefix, members),
            Node::List(member, items) => return self.list(prefix, traits, member, items),
            Node::Map(key, value, entries) => return self.map(prefix, traits, (key, value), entries),
            scalar => scalar_text(scalar, traits, TimestampFormat::Iso8601),
        };
        self.pairs.push((prefix.to_owned(), text));
    }

    fn list(&mut self, prefix: &str, traits: &Traits, member: &Reference, items: &[Node<'_>]) {
        let prefix = match (self.dialect, &member.traits.location_name) {
            (Protocol::Ec2, _) => prefix.to_owned(),
            // An empty list is how the query protocol says "none" as against "unchanged".
            _ if items.is_empty() => return self.pairs.push((prefix.to_owned(), String::new())),
            (_, Some(name)) if traits.flattened => match prefix.rsplit_once('.') {
                Some((parents, _)) => format!("{parents}.{name}"),
                None => name.to_string(),
            },
            _ if traits.flattened => prefix.to_owned(),
            (_, name) => format!("{prefix}.{}", name.as_deref().unwrap_or("member")),
        };
        for (index, item) in items.iter().enumerate() {
            self.node(&format!("{prefix}.{}", index.saturating_add(1)), &member.traits, item);
        }
    }

    fn map(&mut self, prefix: &str, traits: &Traits, of: (&Reference, &Reference), entries: &[(&str, Node<'_>)]) {
        let (key, value) = of;
        let prefix = if traits.flattened { prefix.to_owned() } else { format!("{prefix}.entry") };
        for (index, (name, item)) in entries.iter().enumerate() {
            let entry = format!("{prefix}.{}", index.saturating_add(1));
            self.pairs.push((format!("{entry}.{}", key.traits.wire_name("key")), (*name).to_owned()));
            self.node(&format!("{entry}.{}", value.traits.wire_name("value")), &value.traits, item);
        }
    }

    /// EC2 writes a member under its `queryName`, else under its `locationName` with a capital.
    fn name(&self, traits: &Traits, member: &str) -> String {
        match (self.dialect, &traits.query_name, &traits.location_name) {
            (Protocol::Ec2, Some(name), _) => name.to_string(),
            (Protocol::Ec2, None, name) => capitalized(name.as_deref().unwrap_or(member)),
            (_, _, name) => name.as_deref().unwrap_or(member).to_owned(),
        }
    }
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The text of a node that has no parts; empty for one that has.
pub(super) fn scalar_text(node: &Node<'_>, traits: &Traits, moments: TimestampFormat) -> String {
    match node {
        Node::Text(text) => text.to_string(),
        Node::Boolean(flag) => flag.to_string(),
        Node::Number(number) => number.to_string(),
        Node::NoNumber(text) => (*text).to_owned(),
        Node::Blob(bytes) => STANDARD.encode(bytes),
        Node::Moment(moment) => time::to_wire(*moment, traits.timestamp_format.unwrap_or(moments)),
        Node::Document(value) => value.to_string(),
        Node::Null | Node::List(..) | Node::Map(..) | Node::Structure(_) => String::new(),
    }
}
