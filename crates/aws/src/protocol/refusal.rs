//! Errors: answers that are not successful.

use serde_json::{Map, Value};

use super::{Answer, ServiceError, answer as output, json, xml};
use crate::model::{Operation, Protocol, Service, Shape};

/// Where an answer may name its request.
const REQUEST_ID_HEADERS: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amz-requestid"];

/// The error of an answer.
pub(super) fn error(service: &Service, operation: &Operation, answer: &Answer<'_>) -> ServiceError {
    let said = match service.protocol {
        Protocol::Json | Protocol::RestJson => json_said(answer),
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => xml_said(answer),
    };
    // A service that moved from the query protocol keeps its old code beside the shape's name.
    let old = answer.header("x-amzn-query-error").filter(|_| service.aws_query_compatible);
    let old = old.and_then(|both| both.split(';').next()).filter(|code| !code.is_empty());
    let shape = said.code.as_deref().and_then(|code| shape(service, operation, code));
    let fields = shape.and_then(|shape| output::error_fields(service, shape, answer).ok());
    let reason = || http::StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let message = match said.code {
        None if said.message.is_none() => reason().map(str::to_owned),
        _ => said.message,
    };
    ServiceError {
        code: old.map(str::to_owned).or(said.code).unwrap_or_else(|| answer.status.to_string()),
        message: message.unwrap_or_default(),
        status: answer.status,
        request_id: REQUEST_ID_HEADERS
            .iter()
            .find_map(|name| answer.header(name))
            .map(str::to_owned)
            .or(said.request_id),
        fields: fields.unwrap_or_else(|| Value::Object(Map::new())),
    }
}

/// The element with the error's code: the root (S3), below it (query), or below `Errors` (EC2).
pub(super) fn error_element(root: &xml::Element) -> &xml::Element {
    let nested = root.child("Errors").and_then(|errors| errors.child("Error"));
    root.child("Error").or(nested).unwrap_or(root)
}

/// What an answer says of itself.
#[derive(Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

fn json_said(answer: &Answer<'_>) -> Said {
    let body = json::parse(answer.body).unwrap_or_default();
    let first = |names: &[&str]| names.iter().find_map(|name| text(body.get(name)?));
    let code = answer.header("x-amzn-errortype").map(str::to_owned).or_else(|| first(&["__type", "code", "Code"]));
    Said {
        code: code.map(|code| bare(&code).to_owned()).filter(|code| !code.is_empty()),
        message: first(&["message", "Message", "errorMessage"]),
        request_id: None,
    }
}

fn xml_said(answer: &Answer<'_>) -> Said {
    // A proxy may answer a page of its own: that is no error of the service.
    let Ok(root) = xml::parse(answer.body) else { return Said::default() };
    let element = error_element(&root);
    let inside = |element: &xml::Element, names: &[&str]| {
        names.iter().find_map(|name| element.child(name)).map(|child| child.text.trim().to_owned())
    };
    let ids = ["RequestId", "RequestID", "requestId"];
    Said {
        code: inside(element, &["Code"]).filter(|code| !code.is_empty()),
        message: inside(element, &["Message", "message"]),
        request_id: inside(element, &ids).or_else(|| inside(&root, &ids)),
    }
}

/// `FooError` of `aws.example#FooError:http://…`.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().trim()
}

/// The shape of an error of the operation; a service may send any of its errors, listed or not.
fn shape<'a>(service: &'a Service, operation: &Operation, code: &str) -> Option<&'a Shape> {
    let named = |shape: &&Shape| shape.code() == code || &*shape.name == code;
    operation.errors.iter().map(|id| service.shape(*id)).find(named)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
