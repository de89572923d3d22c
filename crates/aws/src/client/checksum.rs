//! The checksum of a request's body, as S3 and S3 Control want it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::model::Operation;
use crate::protocol::WireRequest;

/// Where a request says which algorithm it used. Every model that has a member for the algorithm puts it here.
const ALGORITHM: &str = "x-amz-sdk-checksum-algorithm";

/// Where a request has its checksum, before the name of the algorithm.
const CHECKSUM: &str = "x-amz-checksum-";

/// What stands in the place of an algorithm's name and is no checksum.
const NO_CHECKSUMS: [&str; 3] = ["algorithm", "mode", "type"];

/// An algorithm that is asked for and not known here.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checksum algorithm `{0}` is not supported: ask for `CRC32` or `SHA256`, or for none")]
pub(super) struct UnknownAlgorithm(String);

/// An algorithm that checksums are made with.
#[derive(Debug, Clone, Copy)]
enum Algorithm {
    Crc32,
    Sha256,
}

/// The headers that a request lacks for its checksum: none where the operation wants none or the caller gave one. The
/// algorithm is the caller's; where none is asked for and the operation needs a checksum, it is CRC32, as in the SDKs, also
/// for operations that once needed a `Content-MD5`.
pub(super) fn headers(
    operation: &Operation,
    wire: &WireRequest,
) -> Result<Vec<(&'static str, String)>, UnknownAlgorithm> {
    if wire.headers.iter().any(|(name, _)| is_checksum(name)) {
        return Ok(Vec::new());
    }
    let flexible = operation.checksum.as_ref();
    let has_member = flexible.is_some_and(|checksum| checksum.algorithm_member.is_some());
    let required = operation.http_checksum_required || flexible.is_some_and(|checksum| checksum.required);
    let asked = wire.headers.iter().find(|(name, _)| has_member && name.eq_ignore_ascii_case(ALGORITHM));
    let algorithm = match asked {
        Some((_, name)) => Algorithm::parse(name).ok_or_else(|| UnknownAlgorithm(name.clone()))?,
        None if required => Algorithm::Crc32,
        None => return Ok(Vec::new()),
    };
    let mut headers = vec![algorithm.checksum(&wire.body)];
    if has_member && asked.is_none() {
        headers.push((ALGORITHM, algorithm.name().to_owned()));
    }
    Ok(headers)
}

/// Whether a header holds a checksum of the body.
fn is_checksum(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "content-md5" || name.strip_prefix(CHECKSUM).is_some_and(|rest| !NO_CHECKSUMS.contains(&rest))
}

impl Algorithm {
    fn parse(name: &str) -> Option<Self> {
        [Self::Crc32, Self::Sha256].into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name in the models.
    fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header with the checksum of `body`: base64 of its bytes, the highest first.
    fn checksum(self, body: &[u8]) -> (&'static str, String) {
        match self {
            Self::Crc32 => ("x-amz-checksum-crc32", STANDARD.encode(crc32fast::hash(body).to_be_bytes())),
            Self::Sha256 => ("x-amz-checksum-sha256", STANDARD.encode(Sha256::digest(body))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Models;
    use crate::protocol;
    use serde_json::{Value, json};

    fn check(service: &str, operation: &str, input: &Value, expected: Result<&[(&str, &str)], &str>) {
        let service = Models::embedded().unwrap().service(service).unwrap();
        let operation = service.operation(operation).unwrap();
        let wire = protocol::serialize(&service, operation, input, &mut || "token".to_owned()).unwrap();
        let headers = headers(operation, &wire);
        let headers = headers
            .as_ref()
            .map(|headers| headers.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        let expected = expected.map(<[_]>::to_vec);
        assert_eq!(headers.map_err(|error| error.0.as_str()), expected, "{} {input}", operation.name);
    }

    /// The values are those of `zlib.crc32` and `hashlib.sha256`.
    #[test]
    fn a_checksum_is_there_where_it_must_be_or_is_asked_for() {
        let account = json!({"AccountId": "111122223333"});
        let empty = ("x-amz-checksum-crc32", "AAAAAA==");
        check("s3control", "ListMultiRegionAccessPoints", &account, Ok(&[empty]));
        check("s3control", "ListAccessPoints", &account, Ok(&[]));
        let put = |key: &str, value: &str| {
            let mut input = json!({"Bucket": "b", "Key": "k", "Body": "MTIzNDU2Nzg5"});
            input[key] = value.into();
            input
        };
        check("s3", "PutObject", &put("Key", "l"), Ok(&[]));
        check("s3", "PutObject", &put("ChecksumAlgorithm", "CRC32"), Ok(&[("x-amz-checksum-crc32", "y/Q5Jg==")]));
        let sha256 = "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=";
        check("s3", "PutObject", &put("ChecksumAlgorithm", "SHA256"), Ok(&[("x-amz-checksum-sha256", sha256)]));
        check("s3", "PutObject", &put("ChecksumAlgorithm", "CRC64NVME"), Err("CRC64NVME"));
        check("s3", "GetObject", &json!({"Bucket": "b", "Key": "k", "ChecksumMode": "ENABLED"}), Ok(&[]));
        let policy = |member: &str, value: &str| {
            let mut input = json!({"Bucket": "b", "Policy": "123456789"});
            input[member] = value.into();
            input
        };
        let named = [("x-amz-checksum-crc32", "y/Q5Jg=="), (ALGORITHM, "CRC32")];
        check("s3", "PutBucketPolicy", &policy("ExpectedBucketOwner", "111122223333"), Ok(&named));
        check("s3", "PutBucketPolicy", &policy("ContentMD5", "JfnnlDI7RTiF9RgfG2JNCw=="), Ok(&[]));
        check("s3", "PutBucketPolicy", &policy("ChecksumAlgorithm", "SHA1"), Err("SHA1"));
    }
}
