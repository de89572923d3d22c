//! What single services do otherwise than their models say.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::input::{Members, Node};
use super::{WireRequest, xml};
use crate::model::{Operation, Service};

/// Where an S3 listing has what `EncodingType: url` encodes: members of the answer, and of the items of a list in it.
const LISTINGS: [Listing; 4] = [
    (
        "ListObjects",
        &["Delimiter", "Marker", "NextMarker", "Prefix"],
        &[("Contents", "Key"), ("CommonPrefixes", "Prefix")],
    ),
    ("ListObjectsV2", &["Delimiter", "Prefix", "StartAfter"], &[("Contents", "Key"), ("CommonPrefixes", "Prefix")]),
    (
        "ListObjectVersions",
        &["KeyMarker", "NextKeyMarker", "Prefix", "Delimiter"],
        &[("Versions", "Key"), ("DeleteMarkers", "Key"), ("CommonPrefixes", "Prefix")],
    ),
    (
        "ListMultipartUploads",
        &["KeyMarker", "NextKeyMarker", "Prefix", "Delimiter"],
        &[("Uploads", "Key"), ("CommonPrefixes", "Prefix")],
    ),
];

/// An operation, members of its answer, and lists of its answer with a member of their items.
type Listing = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// Shapes of Route 53 whose values are answered with their path (`/hostedzone/Z1`) and asked for without.
const ROUTE_53_IDS: [&str; 3] = ["ResourceId", "DelegationSetId", "ChangeId"];

/// The path of an operation. The endpoint rules of S3 put the bucket into the endpoint, so it is no part of the path.
pub(super) fn request_uri<'a>(service: &Service, operation: &'a Operation) -> &'a str {
    match operation.request_uri.strip_prefix("/{Bucket}") {
        Some(rest) if &*service.name == "s3" && bucket_is_in_endpoint(service, operation) => rest,
        _ => &operation.request_uri,
    }
}

fn bucket_is_in_endpoint(service: &Service, operation: &Operation) -> bool {
    service.context_params(operation).any(|(param, _)| param == "Bucket")
}

/// The host prefix that the operation's model gives. The endpoint rules of S3 Control put the account there themselves.
pub(super) fn host_prefix<'a>(service: &Service, operation: &'a Operation) -> Option<&'a str> {
    let in_rules = &*service.name == "s3control"
        && operation.static_context_params.iter().any(|(name, value)| &**name == "RequiresAccountId" && *value == true);
    operation.host_prefix.as_deref().filter(|prefix| !in_rules || *prefix != "{AccountId}.")
}

/// What the models leave to the client to put into a request.
pub(super) fn prepare<'a>(service: &'a Service, operation: &'a Operation, members: &mut Members<'a>) {
    if &*service.name == "route53" {
        for (member, node) in members.iter_mut() {
            let of_id = ROUTE_53_IDS.contains(&&*service.shape(member.target.shape).name);
            if let (true, Node::Text(text)) = (of_id, node)
                && let Some((_, id)) = text.rsplit_once('/')
            {
                *text = Cow::Owned(id.to_owned());
            }
        }
    }
    // A key may hold what XML cannot: S3 is asked to encode it, and `finish` decodes it.
    if listing(service, operation).is_some()
        && !members.iter().any(|(member, _)| &*member.name == "EncodingType")
        && let Some(member) = service.input(operation).and_then(|shape| shape.member("EncodingType"))
    {
        members.push((member, Node::Text("url".into())));
    }
}

/// Headers that are in no model.
pub(super) fn add_headers(service: &Service, request: &mut WireRequest) {
    // API Gateway answers HAL, with other names, to who does not ask for this.
    if &*service.name == "apigateway" && !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        request.headers.push(("Accept".to_owned(), "application/json".to_owned()));
    }
}

/// The output of an answer whose XML is not what the model says.
pub(super) fn output(service: &Service, operation: &Operation, root: &xml::Element) -> Option<Value> {
    if &*service.name != "s3" || &*operation.name != "GetBucketLocation" {
        return None;
    }
    // The whole document is the region; none means us-east-1, which is kept as null.
    let region = root.text.trim();
    let region = if region.is_empty() { Value::Null } else { Value::String(region.to_owned()) };
    Some(Value::Object(Map::from_iter([("LocationConstraint".to_owned(), region)])))
}

/// Whether S3 sent an error with status 200, as it does when a long operation fails after its headers were sent.
pub(super) fn is_error_in_success(service: &Service, root: &xml::Element) -> bool {
    &*service.name == "s3" && root.name == "Error"
}

/// Decodes what `prepare` asked to be encoded.
pub(super) fn finish(service: &Service, operation: &Operation, output: &mut Value) {
    let Some((_, names, items)) = listing(service, operation) else { return };
    if output.get("EncodingType").and_then(Value::as_str) != Some("url") {
        return;
    }
    for name in *names {
        output.get_mut(name).into_iter().for_each(decode);
    }
    for (list, name) in *items {
        let entries = output.get_mut(list).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            entry.get_mut(name).into_iter().for_each(decode);
        }
    }
}

fn listing(service: &Service, operation: &Operation) -> Option<&'static Listing> {
    (&*service.name == "s3").then(|| LISTINGS.iter().find(|(name, ..)| *name == &*operation.name)).flatten()
}

fn decode(value: &mut Value) {
    if let Value::String(text) = value {
        // A form's encoding: S3 writes a space as `+` and a plus as `%2B`.
        *text = percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    }
}
