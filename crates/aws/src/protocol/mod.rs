//! The five protocols: JSON input to a request on the wire, and an answer on the wire to JSON output.
//!
//! In our JSON a blob is base64 text and a moment is RFC 3339 text; as input a moment may also be a number of seconds
//! since 1970. `NaN` and the infinities are text. A `null` in the input means that the member is absent.

mod answer;
mod error;
mod form;
mod input;
mod json;
mod particulars;
mod refusal;
mod rest;
mod time;
mod xml;
mod xml_write;

pub use error::{InputError, OutputError, ServiceError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::Value;

use crate::model::{Operation, Protocol, Service};
use input::{Members, Node};

/// How deep an input or a body may nest. DynamoDB allows 32 levels of values, each of up to three levels on the wire;
/// nothing else comes near. Below the 128 levels at which the JSON parser stops.
pub const DEPTH_MAX: usize = 112;

/// What stays as it is in a path or a form, by RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request before it has a host and a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, percent-encoded, with a leading `/`. It goes behind the path of the endpoint. The bucket of an S3 call is
    /// not in it: the endpoint rules put it into the endpoint, as a host or a path.
    pub path: String,
    /// The query in order, not encoded; a name without `=` has no value.
    pub query: Vec<(String, Option<String>)>,
    /// Headers that the protocol sets, without host, signature, checksums and length.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// What goes before the host name, with its labels filled in.
    pub host_prefix: Option<String>,
}

/// The request for `operation` with `input`, an object. `token` gives a fresh idempotency token (a UUID) where the model
/// wants one and the input has none. Errors name the path in the input and what was expected there.
pub fn serialize(
    service: &Service,
    operation: &Operation,
    input: &Value,
    token: &mut dyn FnMut() -> String,
) -> Result<WireRequest, InputError> {
    let mut members = input::check(service, operation, input, token)?;
    particulars::prepare(service, operation, &mut members);
    let mut request = match service.protocol {
        Protocol::RestJson | Protocol::RestXml => rest::request(service, operation, &members)?,
        Protocol::Query | Protocol::Ec2 => {
            let content_type = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
            rpc_request(operation, vec![content_type], form::body(service, operation, &members))
        }
        Protocol::Json => {
            let body = json::structure(&members).to_string().into_bytes();
            rpc_request(operation, json_headers(service, operation), body)
        }
    };
    request.host_prefix = host_prefix(service, operation, &members)?;
    particulars::add_headers(service, &mut request);
    Ok(request)
}

/// The output of `operation` from a successful answer, an object. Header names are compared without case. S3 may send an
/// error with status 200: that is [`OutputError::Service`].
pub fn parse_output(
    service: &Service,
    operation: &Operation,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Value, OutputError> {
    answer::output(service, operation, &Answer { status, headers, body })
}

/// The error from an answer that is not successful. Always gives one: where the body says nothing, as for HEAD, the code
/// is the status as text and the message its reason phrase.
pub fn parse_error(
    service: &Service,
    operation: &Operation,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> ServiceError {
    refusal::error(service, operation, &Answer { status, headers, body })
}

/// What came back.
#[derive(Clone, Copy)]
struct Answer<'a> {
    status: u16,
    headers: &'a [(String, String)],
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn rpc_request(operation: &Operation, headers: Vec<(String, String)>, body: Vec<u8>) -> WireRequest {
    let (method, path) = (operation.method.to_string(), operation.request_uri.to_string());
    WireRequest { method, path, query: Vec::new(), headers, body, host_prefix: None }
}

fn json_headers(service: &Service, operation: &Operation) -> Vec<(String, String)> {
    let version = service.json_version.as_deref().unwrap_or("1.0");
    let target = format!("{}.{}", service.target_prefix.as_deref().unwrap_or_default(), operation.name);
    let mut headers = vec![
        ("X-Amz-Target".to_owned(), target),
        ("Content-Type".to_owned(), format!("application/x-amz-json-{version}")),
    ];
    if service.aws_query_compatible {
        headers.push(("x-amzn-query-mode".to_owned(), "true".to_owned()));
    }
    headers
}

/// The host prefix with its labels filled in; a label holds letters, digits, hyphens and dots.
fn host_prefix(service: &Service, operation: &Operation, members: &Members<'_>) -> Result<Option<String>, InputError> {
    let Some(template) = particulars::host_prefix(service, operation) else { return Ok(None) };
    let mut prefix = template.to_owned();
    for member in service.input(operation).map_or(&[][..], crate::model::Shape::members) {
        let label = format!("{{{}}}", member.name);
        if !member.target.traits.host_label || !prefix.contains(&label) {
            continue;
        }
        let path = member.name.to_string();
        let text = members.iter().find(|(present, _)| present.name == member.name).map(|(_, node)| node);
        let Some(Node::Text(text)) = text else { return Err(InputError::MissingMember { path, expected: "text" }) };
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(InputError::BadValue { path, expected: "letters, digits, hyphens and dots" });
        }
        prefix = prefix.replace(&label, text);
    }
    Ok(Some(prefix))
}
