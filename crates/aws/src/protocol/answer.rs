//! Outputs: successful answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::json::{join, scalar};
use super::{Answer, OutputError, input, json, particulars, refusal, xml};
use crate::model::{Kind, Location, Member, Operation, Protocol, Service, Shape};

/// The output of `operation`, an object.
pub(super) fn output(service: &Service, operation: &Operation, answer: &Answer<'_>) -> Result<Value, OutputError> {
    let Some(shape) = service.output(operation) else {
        check_for_error(service, operation, answer)?;
        return Ok(Value::Object(Map::new()));
    };
    let streams = |member: &Member| matches!(&service.shape(member.target.shape).kind, Kind::Structure { event_stream, .. } if *event_stream);
    if shape.members().iter().any(streams) {
        return Err(OutputError::EventStream);
    }
    match service.protocol {
        Protocol::Json => json::Reader { service }.structure(shape, &json::parse(answer.body)?, ""),
        Protocol::Query | Protocol::Ec2 => form_output(service, operation, shape, answer),
        Protocol::RestJson | Protocol::RestXml => {
            let mut output = rest_output(service, operation, shape, answer)?;
            particulars::finish(service, operation, &mut output);
            Ok(output)
        }
    }
}

/// The members of an error's shape, wherever its protocol puts them.
pub(super) fn error_fields(service: &Service, shape: &Shape, answer: &Answer<'_>) -> Result<Value, OutputError> {
    let mut output = located(service, shape, answer)?;
    let body = match service.protocol {
        Protocol::Json | Protocol::RestJson => {
            json::Reader { service }.structure(shape, &json::parse(answer.body)?, "")?
        }
        _ => {
            let root = xml::parse(answer.body)?;
            xml::Reader { service }.structure(shape, refusal::error_element(&root), "")?
        }
    };
    extend(&mut output, body);
    Ok(Value::Object(output))
}

/// An operation without output may still be refused with status 200.
fn check_for_error(service: &Service, operation: &Operation, answer: &Answer<'_>) -> Result<(), OutputError> {
    if service.protocol != Protocol::RestXml || answer.body.is_empty() {
        return Ok(());
    }
    match xml::parse(answer.body) {
        Ok(root) if particulars::is_error_in_success(service, &root) => {
            Err(OutputError::Service(Box::new(refusal::error(service, operation, answer))))
        }
        _ => Ok(()),
    }
}

fn form_output(
    service: &Service,
    operation: &Operation,
    shape: &Shape,
    answer: &Answer<'_>,
) -> Result<Value, OutputError> {
    if answer.body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let root = xml::parse(answer.body)?;
    let named = || format!("{}Result", operation.name);
    let start = match service.protocol {
        Protocol::Query => root.child(&operation.result_wrapper.as_deref().map_or_else(named, str::to_owned)),
        _ => None,
    };
    xml::Reader { service }.structure(shape, start.unwrap_or(&root), "")
}

fn rest_output(
    service: &Service,
    operation: &Operation,
    shape: &Shape,
    answer: &Answer<'_>,
) -> Result<Value, OutputError> {
    let mut output = located(service, shape, answer)?;
    if let Some(payload) = shape.payload() {
        if let Some(value) = payload_value(service, operation, payload, answer)? {
            output.insert(payload.name.to_string(), value);
        }
        return Ok(Value::Object(output));
    }
    let body = match service.protocol {
        Protocol::RestXml if answer.body.is_empty() => Value::Null,
        Protocol::RestXml => {
            let root = root(service, operation, answer)?;
            let read = || xml::Reader { service }.structure(shape, &root, "");
            particulars::output(service, operation, &root).map_or_else(read, Ok)?
        }
        // Without members in the body, whatever is there is not looked at.
        _ if !shape.members().iter().any(|member| member.target.traits.is_in_answer_body()) => Value::Null,
        _ => json::Reader { service }.structure(shape, &json::parse(answer.body)?, "")?,
    };
    extend(&mut output, body);
    Ok(Value::Object(output))
}

/// The value that is the whole body; `None` where the body is empty.
fn payload_value(
    service: &Service,
    operation: &Operation,
    payload: &Member,
    answer: &Answer<'_>,
) -> Result<Option<Value>, OutputError> {
    let shape = service.shape(payload.target.shape);
    if answer.body.is_empty() {
        return Ok(None);
    }
    let value = match (&shape.kind, service.protocol) {
        (Kind::Blob, _) => Value::String(STANDARD.encode(answer.body)),
        (Kind::String, _) => match std::str::from_utf8(answer.body) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => return Err(wrong_type(&payload.name, &shape.kind, "other bytes")),
        },
        (_, Protocol::RestXml) => {
            let root = root(service, operation, answer)?;
            xml::Reader { service }.value(&payload.target, &[&root], &payload.name)?
        }
        _ => json::Reader { service }.value(&payload.target, &json::parse(answer.body)?, &payload.name)?,
    };
    Ok(Some(value))
}

/// The root element, unless it is an error.
fn root(service: &Service, operation: &Operation, answer: &Answer<'_>) -> Result<xml::Element, OutputError> {
    let root = xml::parse(answer.body)?;
    if particulars::is_error_in_success(service, &root) {
        return Err(OutputError::Service(Box::new(refusal::error(service, operation, answer))));
    }
    Ok(root)
}

/// The members that are in headers and the status.
fn located(service: &Service, shape: &Shape, answer: &Answer<'_>) -> Result<Map<String, Value>, OutputError> {
    let mut output = Map::new();
    for member in shape.members() {
        let traits = &member.target.traits;
        let name = traits.wire_name(&member.name);
        let value = match traits.location {
            Some(Location::StatusCode) => Some(Value::from(answer.status)),
            Some(Location::Header) => {
                answer.header(name).map(|text| header_value(service, member, text)).transpose()?
            }
            Some(Location::Headers) => Some(header_map(traits.location_name.as_deref().unwrap_or_default(), answer)),
            _ => None,
        };
        if let Some(value) = value {
            output.insert(member.name.to_string(), value);
        }
    }
    Ok(output)
}

fn header_value(service: &Service, member: &Member, text: &str) -> Result<Value, OutputError> {
    let shape = service.shape(member.target.shape);
    let bad = |kind: &Kind| wrong_type(&member.name, kind, "other text");
    if member.target.traits.json_value {
        let bytes = STANDARD.decode(text).map_err(|_| bad(&Kind::Blob))?;
        return json::parse(&bytes);
    }
    match &shape.kind {
        Kind::List { member: of } => {
            let kind = &service.shape(of.shape).kind;
            let items = match kind {
                Kind::Timestamp => split_moments(text),
                _ => split_quoted(text),
            };
            items.iter().map(|item| scalar(kind, item).ok_or_else(|| bad(kind))).collect()
        }
        kind => scalar(kind, text).ok_or_else(|| bad(kind)),
    }
}

/// All headers that start with the prefix, by the rest of their names.
fn header_map(prefix: &str, answer: &Answer<'_>) -> Value {
    let mut output = Map::new();
    for (name, value) in answer.headers {
        if let Some((start, rest)) = name.split_at_checked(prefix.len())
            && start.eq_ignore_ascii_case(prefix)
        {
            output.insert(rest.to_owned(), Value::String(value.clone()));
        }
    }
    Value::Object(output)
}

/// The items of a list: separated by commas, in quotes where they hold one.
fn split_quoted(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let (mut quoted, mut letters) = (false, text.chars());
    while let Some(letter) = letters.next() {
        let item = match (letter, quoted) {
            ('"', _) => {
                quoted = !quoted;
                continue;
            }
            (',', false) => {
                items.push(String::new());
                continue;
            }
            ('\\', true) => letters.next(),
            (' ' | '\t', false) if items.last().is_some_and(String::is_empty) => None,
            (letter, _) => Some(letter),
        };
        items.last_mut().into_iter().for_each(|last| last.extend(item));
    }
    for item in &mut items {
        item.truncate(item.trim_end().len());
    }
    items
}

/// The items of a list of moments: a date of RFC 822 has a comma itself.
fn split_moments(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for part in text.split(',') {
        match items.last_mut() {
            Some(last) if last.len() == "Mon".len() => {
                last.push(',');
                last.push_str(part);
            }
            _ => items.push(part.trim().to_owned()),
        }
    }
    items
}

fn extend(output: &mut Map<String, Value>, body: Value) {
    if let Value::Object(body) = body {
        output.extend(body);
    }
}

fn wrong_type(name: &str, kind: &Kind, found: &str) -> OutputError {
    let path = join("", name);
    OutputError::WrongType { path, expected: input::described(kind), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_headers_keep_what_is_quoted() {
        assert_eq!(split_quoted(r#"a, "b,c" ,"\"d\"""#), ["a", "b,c", "\"d\""]);
        assert_eq!(split_quoted("1,2"), ["1", "2"]);
    }

    #[test]
    fn dates_in_headers_keep_their_comma() {
        let two = "Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT";
        assert_eq!(split_moments(two), ["Mon, 16 Dec 2019 23:48:18 GMT", "Mon, 16 Dec 2019 23:48:18 GMT"]);
    }
}
