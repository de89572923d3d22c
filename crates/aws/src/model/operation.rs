//! Operations: the calls of a service.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shape::{Reference, ShapeId, is_false};

/// One call of a service.
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of the published models, independent of the others")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The name, as in the service's documentation (`ListBuckets`).
    pub name: Box<str>,
    /// The HTTP method.
    pub method: Box<str>,
    /// The path and query with `{Label}` and `{Label+}` where members go.
    pub request_uri: Box<str>,
    /// What it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Reference>,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Reference>,
    /// The element around the answer in the query protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_wrapper: Option<Box<str>>,
    /// The error shapes that the model lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ShapeId>,
    /// How its pages are followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paginator: Option<Paginator>,
    /// What is put before the host name, with `{Label}` where members go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_prefix: Option<Box<str>>,
    /// The request is not signed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auth_none: bool,
    /// The ways to sign that the model lists (`aws.auth#sigv4a`); empty means the service's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth: Vec<Box<str>>,
    /// Parameters of the endpoint rules with a fixed value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_context_params: Vec<(Box<str>, Value)>,
    /// Parameters of the endpoint rules with the `JMESPath` over the input that gives their value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operation_context_params: Vec<(Box<str>, Box<str>)>,
    /// The request needs a checksum of its body (`Content-MD5` where `checksum` names no algorithm).
    #[serde(default, skip_serializing_if = "is_false")]
    pub http_checksum_required: bool,
    /// How the request's checksum is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<RequestChecksum>,
    /// The body is not part of the signature.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unsigned_payload: bool,
    /// Doing it twice is the same as doing it once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
    /// The call changes nothing and hands out no secret or credential: the collector may make it. False unless the
    /// policy of `cargo xtask models` allows it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// The IAM action that allows the call.
    pub iam_action: IamAction,
}

/// An IAM action (`s3:ListAllMyBuckets`).
pub type IamAction = Box<str>;

/// How the pages of an operation are followed: the answer's `output_tokens` become the next request's `input_tokens`,
/// until they are absent or `more_results` is false. Paths are `JMESPath` over the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paginator {
    /// Members of the input.
    pub input_tokens: Vec<Box<str>>,
    /// Where the answer has them, in the order of `input_tokens`.
    pub output_tokens: Vec<Box<str>>,
    /// The answer's flag that says that there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_results: Option<Box<str>>,
    /// The input member that limits the size of a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_key: Option<Box<str>>,
    /// Where the answer has what is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub result_keys: Vec<Box<str>>,
    /// Parts of the answer that are the same on each page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_aggregate_keys: Vec<Box<str>>,
}

/// How the checksum of a request's body is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestChecksum {
    /// The request must have one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The input member that names the algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm_member: Option<Box<str>>,
    /// The input member that asks for a checksum of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_mode_member: Option<Box<str>>,
    /// The algorithms that an answer may be checked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_algorithms: Vec<Box<str>>,
}
