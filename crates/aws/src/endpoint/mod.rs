//! Endpoints: where a request goes and for which region and service name it is signed.
//!
//! What comes in: a service's rule set and the partitions, both data, and the parameters of one request. What goes out: a
//! URL, headers and the ways to sign. The rules are those of the Smithy endpoint rules engine
//! (<https://smithy.io/2.0/additional-specs/rules-engine/>), so partitions other than `aws`, FIPS and dual-stack host
//! names and services with one endpoint for all regions need no code here.

mod evaluate;
mod functions;
mod partition;
mod ruleset;
mod value;

pub use partition::{PartitionInfo, Partitions};
pub use ruleset::RuleSet;
pub use value::Value;

/// Where to send a request and how to sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and perhaps a base path.
    pub url: String,
    /// Headers that every request to it has.
    pub headers: Vec<(String, String)>,
    /// The ways to sign, the preferred first; empty where the service's own do.
    pub auth_schemes: Vec<AuthScheme>,
}

/// A way to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthScheme {
    /// `sigv4`, `sigv4a`, `sigv4-s3express` or another.
    pub name: String,
    /// The service's name in the signature, where it is not the model's.
    pub signing_name: Option<String>,
    /// The region in the signature, where it is not the request's.
    pub signing_region: Option<String>,
    /// The path is signed as it is sent, not encoded once more.
    pub disable_double_encoding: bool,
}

/// Why there is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The rules or the partitions cannot be read.
    #[error("the endpoint rules are broken: {0}")]
    Rules(String),
    /// A parameter that the rules need is absent or has another type.
    #[error("the endpoint rules need `{0}`")]
    Parameter(String),
    /// The rules say that there is no endpoint for this, in their own words.
    #[error("there is no endpoint: {0}")]
    Refused(String),
    /// No rule leads anywhere.
    #[error("no endpoint rule matches")]
    NoMatch,
}
