//! Requests of the REST protocols: members go into the path, the query, headers and the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde_json::Value;

use super::form::scalar_text;
use super::input::{Members, Node};
use super::{InputError, UNRESERVED, WireRequest, json, particulars, xml_write};
use crate::model::{Kind, Location, Member, Operation, Protocol, Service, Shape, TimestampFormat};

/// A greedy label keeps its slashes.
const UNRESERVED_AND_SLASH: &AsciiSet = &UNRESERVED.remove(b'/');

type Entry<'a> = (&'a Member, Node<'a>);

/// The request of `members` without host prefix.
pub(super) fn request(
    service: &Service,
    operation: &Operation,
    members: &Members<'_>,
) -> Result<WireRequest, InputError> {
    let uri = particulars::request_uri(service, operation);
    let (path, fixed) = uri.split_once('?').unwrap_or((uri, ""));
    let mut query: Vec<(String, Option<String>)> = Vec::new();
    for pair in fixed.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value.to_owned())));
        query.push((name.to_owned(), value));
    }
    add_query(&mut query, members);
    let mut headers = Vec::new();
    for entry in members {
        add_headers(&mut headers, entry)?;
    }
    let body = body(service, operation, members, &mut headers);
    let path = expand(path, members)?;
    Ok(WireRequest { method: operation.method.to_string(), path, query, headers, body, host_prefix: None })
}

/// The path with its labels filled in.
fn expand(template: &str, members: &Members<'_>) -> Result<String, InputError> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, label, after)) = next_label(rest) {
        path.push_str(before);
        let (name, set) = match label.strip_suffix('+') {
            Some(name) => (name, UNRESERVED_AND_SLASH),
            None => (label, UNRESERVED),
        };
        let of_label = |(member, _): &&Entry<'_>| {
            let traits = &member.target.traits;
            traits.location == Some(Location::Uri) && traits.wire_name(&member.name) == name
        };
        let entry = members.iter().find(of_label);
        let missing = || InputError::MissingMember { path: name.to_owned(), expected: "text" };
        let (member, node) = entry.ok_or_else(missing)?;
        let text = scalar_text(node, &member.target.traits, TimestampFormat::Iso8601);
        if text.is_empty() {
            return Err(InputError::BadValue { path: member.name.to_string(), expected: "a text that is not empty" });
        }
        path.extend(utf8_percent_encode(&text, set));
        rest = after;
    }
    path.push_str(rest);
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    Ok(path)
}

/// What is before, in and after the next `{…}`.
fn next_label(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (label, after) = rest.split_once('}')?;
    Some((before, label, after))
}

/// Members with a name of their own first: they win over the entries of a map.
fn add_query(query: &mut Vec<(String, Option<String>)>, members: &Members<'_>) {
    let in_query = |(member, _): &&Entry<'_>| member.target.traits.location == Some(Location::Querystring);
    let text =
        |node: &Node<'_>, member: &Member| Some(scalar_text(node, &member.target.traits, TimestampFormat::Iso8601));
    for (member, node) in members.iter().filter(in_query) {
        let name = member.target.traits.wire_name(&member.name);
        match node {
            Node::Map(..) => {}
            Node::List(of, items) => {
                for item in items.iter().filter(|item| !matches!(item, Node::Null)) {
                    let text = scalar_text(item, &of.traits, TimestampFormat::Iso8601);
                    query.push((name.to_owned(), Some(text)));
                }
            }
            scalar => query.push((name.to_owned(), text(scalar, member))),
        }
    }
    let taken: Vec<String> = query.iter().map(|(name, _)| name.clone()).collect();
    for (member, node) in members.iter().filter(in_query) {
        let Node::Map(_, _, entries) = node else { continue };
        for (name, item) in entries.iter().filter(|(name, _)| !taken.iter().any(|taken| taken == name)) {
            match item {
                Node::Null => {}
                Node::List(_, items) => {
                    query.extend(items.iter().map(|item| ((*name).to_owned(), text(item, member))));
                }
                scalar => query.push(((*name).to_owned(), text(scalar, member))),
            }
        }
    }
}

fn add_headers(headers: &mut Vec<(String, String)>, (member, node): &Entry<'_>) -> Result<(), InputError> {
    let traits = &member.target.traits;
    let name = traits.wire_name(&member.name);
    match (traits.location, node) {
        (Some(Location::Header), Node::List(_, items)) if items.is_empty() => {}
        (Some(Location::Header), node) => add_header(headers, member, name.to_owned(), header_value(node, member))?,
        (Some(Location::Headers), Node::Map(_, _, entries)) => {
            for (key, item) in entries.iter().filter(|(_, item)| !matches!(item, Node::Null)) {
                let value = scalar_text(item, traits, TimestampFormat::Rfc822);
                add_header(headers, member, format!("{name}{key}"), value)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn add_header(
    headers: &mut Vec<(String, String)>,
    member: &Member,
    name: String,
    value: String,
) -> Result<(), InputError> {
    let splits = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\t');
    if splits(&name) || splits(&value) {
        return Err(InputError::BadValue { path: member.name.to_string(), expected: "text of one line" });
    }
    headers.push((name, value));
    Ok(())
}

fn header_value(node: &Node<'_>, member: &Member) -> String {
    match node {
        // As in a body, text is taken to be the JSON itself.
        Node::Document(Value::String(text)) => STANDARD.encode(text),
        Node::Document(value) => STANDARD.encode(value.to_string()),
        Node::List(of, items) => {
            let text = |item: &Node<'_>| {
                let text = scalar_text(item, &of.traits, TimestampFormat::Rfc822);
                let quoted = matches!(item, Node::Text(_)) && text.contains([',', '"']);
                if quoted { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) } else { text }
            };
            let items = items.iter().filter(|item| !matches!(item, Node::Null));
            items.map(text).collect::<Vec<_>>().join(", ")
        }
        scalar => scalar_text(scalar, &member.target.traits, TimestampFormat::Rfc822),
    }
}

/// The body; its `Content-Type` is added where no member set one.
fn body(
    service: &Service,
    operation: &Operation,
    members: &Members<'_>,
    headers: &mut Vec<(String, String)>,
) -> Vec<u8> {
    let Some(shape) = service.input(operation) else { return Vec::new() };
    let (body, content_type) = match shape.payload() {
        Some(payload) => payload_body(service, payload, members),
        None => members_body(service, operation, shape, members),
    };
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(content_type) = content_type.filter(|_| !typed && !body.is_empty()) {
        headers.push(("Content-Type".to_owned(), content_type.to_owned()));
    }
    body
}

fn payload_body(service: &Service, payload: &Member, members: &Members<'_>) -> (Vec<u8>, Option<&'static str>) {
    let traits = &payload.target.traits;
    let shape = service.shape(payload.target.shape);
    let node = members.iter().find(|(member, _)| member.name == payload.name).map(|(_, node)| node);
    match (node, service.protocol) {
        (Some(Node::Blob(bytes)), _) => (bytes.clone(), Some("application/octet-stream")),
        (Some(Node::Text(text)), _) => (text.as_bytes().to_vec(), Some("text/plain")),
        (Some(node), Protocol::RestXml) => {
            let name = traits.wire_name(&shape.name);
            (xml_write::document(name, traits, node), Some("application/xml"))
        }
        (Some(node), _) => (json::value(node, traits).to_string().into_bytes(), Some("application/json")),
        (None, Protocol::RestJson) if matches!(shape.kind, Kind::Structure { .. }) => {
            (b"{}".to_vec(), Some("application/json"))
        }
        (None, _) => (Vec::new(), None),
    }
}

fn members_body(
    service: &Service,
    operation: &Operation,
    shape: &Shape,
    members: &Members<'_>,
) -> (Vec<u8>, Option<&'static str>) {
    let in_body: Vec<&Entry<'_>> =
        members.iter().filter(|(member, _)| member.target.traits.location.is_none()).collect();
    if service.protocol == Protocol::RestXml {
        let Some(input) = operation.input.as_ref().filter(|_| !in_body.is_empty()) else { return (Vec::new(), None) };
        let name = input.traits.wire_name(&shape.name);
        return (xml_write::structure_document(name, &input.traits, &in_body), Some("application/xml"));
    }
    // An operation that could have a body has one, be it empty; one that cannot has none.
    if !shape.members().iter().any(|member| member.target.traits.location.is_none()) {
        return (Vec::new(), None);
    }
    let entry = |(member, node): &&Entry<'_>| {
        let traits = &member.target.traits;
        (traits.wire_name(&member.name).to_owned(), json::value(node, traits))
    };
    let body = Value::Object(in_body.iter().map(entry).collect());
    (body.to_string().into_bytes(), Some("application/json"))
}
