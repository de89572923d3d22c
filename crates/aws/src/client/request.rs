//! From a request of a protocol to one on the wire: where it goes, what is around it, and its signature.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::checksum::{self, UnknownAlgorithm};
use super::permit::Permitted;
use crate::endpoint::{Endpoint, EndpointError, Partitions, RuleSet, Value};
use crate::model::{Operation, Service};
use crate::protocol::WireRequest;

/// Sent with every request: who asks, for the account's own CloudTrail.
const USER_AGENT: &str = concat!("yagura/", env!("CARGO_PKG_VERSION"));

/// What may stand as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How the machine wants AWS to be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) region: &'a str,
    /// Set by hand.
    pub(super) endpoint_url: Option<&'a str>,
    pub(super) use_fips: bool,
    pub(super) use_dual_stack: bool,
    pub(super) path_style_s3: bool,
}

/// Why a request cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("`{0}` is not the name of a region")]
    Region(String),
    #[error("the endpoint asks for a signature by `{0}`, which is not supported")]
    Scheme(String),
    #[error(transparent)]
    Checksum(#[from] UnknownAlgorithm),
    #[error("the request is malformed: {0}")]
    Malformed(String),
}

/// A request that lacks its signature only.
#[derive(Debug)]
pub(super) struct Unsigned {
    request: http::Request<Vec<u8>>,
    /// `None` where the operation is not signed.
    signing: Option<Signing>,
}

#[derive(Debug, PartialEq, Eq)]
struct Signing {
    name: String,
    region: String,
    /// The path is encoded once more for the signature, as for all services but S3.
    double_encoding: bool,
    /// The body's hash goes into a header, as S3 demands.
    content_hash: bool,
    unsigned_payload: bool,
}

/// The endpoint of one operation with one input.
pub(super) fn endpoint(
    permitted: Permitted<'_>,
    rules: &RuleSet,
    partitions: &Partitions,
    reach: Reach<'_>,
    input: &Json,
) -> Result<Endpoint, RequestError> {
    let (service, operation) = (permitted.service(), permitted.operation());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if reach.region.is_empty() || !reach.region.bytes().all(plain) {
        return Err(RequestError::Region(reach.region.to_owned()));
    }
    let resolved = rules.resolve(partitions, |name, built_in| match built_in {
        Some(built_in) => built_in_value(built_in, operation, reach),
        None => context_value(name, service, operation, input),
    });
    let mut endpoint = resolved?;
    // The rules of S3 Control put the account before any host, even one set by hand, where no such name need exist. The
    // account is in a header too.
    if let (Some(url), "s3control") = (reach.endpoint_url, &*service.name) {
        url.clone_into(&mut endpoint.url);
    }
    Ok(endpoint)
}

fn built_in_value(built_in: &str, operation: &Operation, reach: Reach<'_>) -> Value {
    match built_in {
        "AWS::Region" => Value::from(reach.region),
        "SDK::Endpoint" => reach.endpoint_url.map_or(Value::Absent, Value::from),
        "AWS::UseFIPS" => Value::from(reach.use_fips),
        "AWS::UseDualStack" => Value::from(reach.use_dual_stack),
        // Only with the bucket in the path is this answered from any region.
        "AWS::S3::ForcePathStyle" => Value::from(reach.path_style_s3 || &*operation.name == "GetBucketLocation"),
        // An ARN says where its bucket is.
        "AWS::S3::UseArnRegion" | "AWS::S3Control::UseArnRegion" => Value::from(true),
        // Host names with the account's number spread load; without it the ordinary ones do.
        "AWS::Auth::AccountIdEndpointMode" => Value::from("disabled"),
        _ => Value::Absent,
    }
}

fn context_value(name: &str, service: &Service, operation: &Operation, input: &Json) -> Value {
    if let Some((_, json)) = operation.static_context_params.iter().find(|(parameter, _)| &**parameter == name) {
        return Value::from_json(json).unwrap_or(Value::Absent);
    }
    let member = service.context_params(operation).find(|(parameter, _)| *parameter == name);
    let value = member.and_then(|(_, member)| input.get(member));
    value.and_then(Value::from_json).unwrap_or(Value::Absent)
}

/// Puts a request and its endpoint together.
pub(super) fn assemble(
    permitted: Permitted<'_>,
    wire: &WireRequest,
    endpoint: &Endpoint,
    reach: Reach<'_>,
) -> Result<Unsigned, RequestError> {
    let (service, operation) = (permitted.service(), permitted.operation());
    let prefix = wire.host_prefix.as_deref().filter(|_| reach.endpoint_url.is_none());
    let url = url(&endpoint.url, prefix, &wire.path, &wire.query);
    let mut request = http::Request::builder().method(wire.method.as_str()).uri(url).header("user-agent", USER_AGENT);
    let checksum = checksum::headers(operation, wire)?;
    let of_wire = wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let of_endpoint = endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let of_checksum = checksum.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in of_wire.chain(of_endpoint).chain(of_checksum) {
        request = request.header(name, value);
    }
    let request = request.body(wire.body.clone()).map_err(|error| RequestError::Malformed(error.to_string()))?;
    let signing = if operation.auth_none { None } else { Some(signing(service, operation, endpoint, reach.region)?) };
    Ok(Unsigned { request, signing })
}

fn url(base: &str, prefix: Option<&str>, path: &str, query: &[(String, Option<String>)]) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let rest = rest.trim_end_matches('/');
    // A path of the endpoint's own, such as a bucket, is complete without a slash at its end.
    let path = if path == "/" && rest.contains('/') { "" } else { path };
    let mut url = format!("{scheme}://{}{rest}{path}", prefix.unwrap_or_default());
    let mut separator = '?';
    for (name, value) in query {
        url.push(separator);
        url.extend(utf8_percent_encode(name, QUERY));
        if let Some(value) = value {
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        }
        separator = '&';
    }
    url
}

fn signing(
    service: &Service,
    operation: &Operation,
    endpoint: &Endpoint,
    region: &str,
) -> Result<Signing, RequestError> {
    let scheme = endpoint.auth_schemes.iter().find(|scheme| scheme.name == "sigv4");
    if let (None, Some(other)) = (scheme, endpoint.auth_schemes.first()) {
        return Err(RequestError::Scheme(other.name.clone()));
    }
    let like_s3 = matches!(&*service.signature_version, "s3" | "s3v4");
    let name = scheme.and_then(|scheme| scheme.signing_name.as_deref()).unwrap_or(&service.signing_name);
    let region = scheme.and_then(|scheme| scheme.signing_region.as_deref()).unwrap_or(region);
    Ok(Signing {
        name: name.to_owned(),
        region: region.to_owned(),
        double_encoding: !like_s3 && !scheme.is_some_and(|scheme| scheme.disable_double_encoding),
        content_hash: like_s3,
        unsigned_payload: operation.unsigned_payload,
    })
}

impl Unsigned {
    /// Whether credentials are needed.
    pub(super) fn wants_signature(&self) -> bool {
        self.signing.is_some()
    }

    /// The request as it goes out, signed at `time` where the operation is signed.
    pub(super) fn signed(
        &self,
        credentials: Option<&Credentials>,
        time: SystemTime,
    ) -> Result<http::Request<Vec<u8>>, RequestError> {
        let mut request = self.request.clone();
        let (Some(signing), Some(credentials)) = (&self.signing, credentials) else { return Ok(request) };
        let malformed = |error: &dyn std::fmt::Display| RequestError::Malformed(error.to_string());
        let mut settings = SigningSettings::default();
        if !signing.double_encoding {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        if signing.content_hash {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = Identity::from(credentials.clone());
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&signing.region)
            .name(&signing.name)
            .time(time)
            .settings(settings)
            .build()
            .map_err(|error| malformed(&error))?;
        let body = if signing.unsigned_payload {
            SignableBody::UnsignedPayload
        } else {
            SignableBody::Bytes(self.request.body())
        };
        let mut headers = Vec::new();
        for (name, value) in self.request.headers() {
            headers.push((name.as_str(), value.to_str().map_err(|error| malformed(&error))?));
        }
        let uri = self.request.uri().to_string();
        let signable = SignableRequest::new(self.request.method().as_str(), uri, headers.into_iter(), body);
        let signable = signable.map_err(|error| malformed(&error))?;
        let output = sign(signable, &parameters.into()).map_err(|error| malformed(&error))?;
        output.into_parts().0.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Models;
    use crate::protocol;

    /// What botocore signs, written by `client_signatures.py`.
    const SIGNATURES: &str = include_str!("../../tests/client_signatures.txt");

    #[test]
    fn requests_and_signatures_are_those_of_botocore() {
        let models = Models::embedded().unwrap();
        let partitions = Partitions::from_json(models.partitions().unwrap()).unwrap();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test");
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        for line in SIGNATURES.lines() {
            let [service, region, operation, input, url, expected] =
                line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let service = models.service(service).unwrap();
            let operation = service.operation(operation).unwrap();
            let input: Json = serde_json::from_str(input).unwrap();
            let permitted = Permitted::read(&service, operation).unwrap();
            let rules = RuleSet::from_json(&service.endpoint_rules().unwrap()).unwrap();
            let reach =
                Reach { region, endpoint_url: None, use_fips: false, use_dual_stack: false, path_style_s3: false };
            let wire = protocol::serialize(&service, operation, &input, &mut || panic!("no token")).unwrap();
            let endpoint = endpoint(permitted, &rules, &partitions, reach, &input).unwrap();
            let unsigned = assemble(permitted, &wire, &endpoint, reach).unwrap();
            let signed = unsigned.signed(Some(&credentials), time).unwrap();
            assert_eq!(signed.uri().to_string(), url);
            assert_eq!(signed.headers()["authorization"], expected, "{} {url} {signed:?}", operation.name);
        }
        assert_eq!(SIGNATURES.lines().count(), 7);
    }

    #[test]
    fn a_url_is_put_together_from_its_parts() {
        let query = [("list-type".to_owned(), Some("2".to_owned())), ("prefix".to_owned(), Some("a b/é".to_owned()))];
        let flag = [("versioning".to_owned(), None)];
        let cases = [
            (
                url("https://b.s3.amazonaws.com", None, "/", &query),
                "https://b.s3.amazonaws.com/?list-type=2&prefix=a%20b%2F%C3%A9",
            ),
            (url("http://127.0.0.1:5000/b", None, "/", &flag), "http://127.0.0.1:5000/b?versioning"),
            (url("http://127.0.0.1:5000/base/", None, "/x", &[]), "http://127.0.0.1:5000/base/x"),
            (url("https://example.com", Some("api."), "/", &[]), "https://api.example.com/"),
            (url("http://127.0.0.1:5000/b", None, "/a%2Fb", &[]), "http://127.0.0.1:5000/b/a%2Fb"),
        ];
        for (made, expected) in cases {
            assert_eq!(made, expected);
        }
    }
}
