//! CloudTrail digest files: whether the log files are those that CloudTrail delivered, and whether one is gone.
//!
//! Each hour CloudTrail writes a digest for each trail and region. It lists the log files delivered in that hour with
//! their hashes, names the digest before it with its hash and its signature, and is itself signed. So the signature of
//! a digest is found in two places: in the metadata of its own object, and in the digest after it.
//! Source: "CloudTrail log file integrity validation" and "Custom implementations" in the CloudTrail user guide.

mod chain;
mod keys;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use chain::{Chain, Gap, GapReason, Held, Link, Standing, Unproven, Violation, verify};
pub use keys::{InvalidKey, KeyFile, Keys};

/// Bytes of a digest, uncompressed. A digest of an hour with 10,000 log files has some 5 MB.
pub const DIGEST_BYTES_MAX: usize = 64 << 20;

/// Days that one digest may cover. CloudTrail writes one each hour; those written later, for a time that had none,
/// cover what was missed.
const DAYS_MAX: i64 = 31;

/// Log files that a digest may list; far more than an hour brings.
const LOG_FILES_MAX: usize = 200_000;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

/// What CloudTrail says of one hour of one trail in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The account whose events the log files hold.
    pub account: String,
    /// The region whose events they hold, from the object's name.
    pub region: String,
    /// The trail, from the object's name; with the region in which it was made, since names repeat.
    pub trail: String,
    /// The first moment of delivery that the digest covers.
    pub start: DateTime<Utc>,
    /// The moment before which its log files were delivered.
    pub end: DateTime<Utc>,
    /// The end as the digest writes it, for the text that is signed.
    end_text: String,
    /// The bucket the digest was written to.
    pub bucket: String,
    /// Its key there.
    pub object: String,
    /// Names the public key of its signature.
    pub fingerprint: String,
    /// How it is signed: `SHA256withRSA`.
    pub algorithm: String,
    /// The digest before it; none where logging or validation was just switched on.
    pub previous: Option<Previous>,
    /// The log files delivered in its time.
    pub log_files: Vec<LogFile>,
    /// Whether it was written later for a time that had none.
    pub is_backfill: bool,
}

/// What a digest says of the digest before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub object: String,
    /// The hash of its uncompressed content.
    pub hash: Sha256,
    /// Its signature.
    pub signature: Vec<u8>,
    /// The signature as it is written, for the text that is signed.
    signature_text: String,
}

/// What a digest says of a log file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub object: String,
    /// The hash of its uncompressed content.
    pub hash: Sha256,
    /// The time of its first event.
    pub oldest: Option<DateTime<Utc>>,
    /// The time of its last event.
    pub newest: Option<DateTime<Utc>>,
}

/// A digest that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDigest {
    /// More bytes than [`DIGEST_BYTES_MAX`].
    #[error("the digest has more than {DIGEST_BYTES_MAX} bytes")]
    TooLarge,
    /// Not the JSON of a digest.
    #[error("the digest is not what CloudTrail writes")]
    NotADigest(#[source] serde_json::Error),
    /// A field that says something impossible.
    #[error("`{field}` of the digest is not valid")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// An object's name from which trail and region cannot be told.
    #[error("`{0}` is not the name of a digest")]
    Name(String),
}

impl Digest {
    /// Reads the uncompressed content of a digest file. Nothing is verified yet: see [`verify`].
    pub fn parse(content: &[u8]) -> Result<Self, InvalidDigest> {
        if content.len() > DIGEST_BYTES_MAX {
            return Err(InvalidDigest::TooLarge);
        }
        let file: File = serde_json::from_slice(content).map_err(InvalidDigest::NotADigest)?;
        let name =
            Name::of(&file.digest_s3_object).ok_or_else(|| InvalidDigest::Name(file.digest_s3_object.clone()))?;
        let start = time(&file.digest_start_time).ok_or(InvalidDigest::Field { field: "digestStartTime" })?;
        let end = time(&file.digest_end_time).ok_or(InvalidDigest::Field { field: "digestEndTime" })?;
        if start > end || (end - start).num_days() > DAYS_MAX {
            return Err(InvalidDigest::Field { field: "digestStartTime" });
        }
        if file.log_files.len() > LOG_FILES_MAX {
            return Err(InvalidDigest::TooLarge);
        }
        let previous = match (
            file.previous_digest_s3_bucket,
            file.previous_digest_s3_object,
            file.previous_digest_hash_value,
            file.previous_digest_signature,
        ) {
            (None, None, None, None) => None,
            (Some(bucket), Some(object), Some(hash), Some(signature_text)) => Some(Previous {
                bucket,
                object,
                hash: Sha256::parse(&hash).ok_or(InvalidDigest::Field { field: "previousDigestHashValue" })?,
                signature: hex(&signature_text).ok_or(InvalidDigest::Field { field: "previousDigestSignature" })?,
                signature_text,
            }),
            _ => return Err(InvalidDigest::Field { field: "previousDigestS3Object" }),
        };
        Ok(Self {
            account: file.aws_account_id,
            region: name.region,
            trail: name.trail,
            start,
            end,
            end_text: file.digest_end_time,
            bucket: file.digest_s3_bucket,
            is_backfill: name.is_backfill,
            object: file.digest_s3_object,
            fingerprint: file.digest_public_key_fingerprint.to_ascii_lowercase(),
            algorithm: file.digest_signature_algorithm,
            previous,
            log_files: file.log_files.into_iter().map(LogFile::new).collect::<Result<_, _>>()?,
        })
    }

    /// Whether an object of this name is a digest file, as CloudTrail lays them out.
    pub fn is_named(key: &str) -> bool {
        key.contains("/CloudTrail-Digest/") && Name::of(key).is_some()
    }

    /// The text that CloudTrail signed: the end, the object, the content's hash and the signature of the digest before
    /// (the word `null` where there is none), on a line each.
    fn signed_text(&self, content: &Sha256) -> String {
        let before = self.previous.as_ref().map_or("null", |previous| &previous.signature_text);
        format!("{}\n{}/{}\n{content}\n{before}", self.end_text, self.bucket, self.object)
    }
}

impl LogFile {
    fn new(file: LogFileEntry) -> Result<Self, InvalidDigest> {
        if file.hash_algorithm.as_deref().is_some_and(|algorithm| algorithm != "SHA-256") {
            return Err(InvalidDigest::Field { field: "hashAlgorithm" });
        }
        Ok(Self {
            hash: Sha256::parse(&file.hash_value).ok_or(InvalidDigest::Field { field: "hashValue" })?,
            bucket: file.s3_bucket,
            object: file.s3_object,
            oldest: file.oldest_event_time.as_deref().and_then(time),
            newest: file.newest_event_time.as_deref().and_then(time),
        })
    }
}

impl Sha256 {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        Self(hash)
    }

    /// The hash that 64 hexadecimal digits say.
    pub fn parse(text: &str) -> Option<Self> {
        hex(text)?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The signature that hexadecimal digits say, as S3's metadata have it; none if they say none.
pub fn signature(text: &str) -> Option<Vec<u8>> {
    hex(text.trim()).filter(|signature| !signature.is_empty())
}

/// The bytes that hexadecimal digits say.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// What the name of a digest's object says:
/// `…/<account>_CloudTrail-Digest_<region>_<trail>_<home region>_<time>[_backfill].json.gz`.
struct Name {
    region: String,
    trail: String,
    is_backfill: bool,
}

impl Name {
    fn of(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?.strip_suffix(".gz").unwrap_or(key.rsplit('/').next()?);
        let name = name.strip_suffix(".json")?;
        let (name, is_backfill) = name.strip_suffix("_backfill").map_or((name, false), |name| (name, true));
        let (_, rest) = name.split_once("_CloudTrail-Digest_")?;
        let (region, rest) = rest.split_once('_')?;
        // A trail's name may have underscores; what stands behind it may not.
        let (rest, _time) = rest.rsplit_once('_')?;
        let (_trail, _home) = rest.rsplit_once('_')?;
        Some(Self { region: region.to_owned(), trail: rest.to_owned(), is_backfill })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    aws_account_id: String,
    digest_start_time: String,
    digest_end_time: String,
    #[serde(rename = "digestS3Bucket")]
    digest_s3_bucket: String,
    #[serde(rename = "digestS3Object")]
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: String,
    #[serde(rename = "previousDigestS3Bucket")]
    previous_digest_s3_bucket: Option<String>,
    #[serde(rename = "previousDigestS3Object")]
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    log_files: Vec<LogFileEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFileEntry {
    #[serde(rename = "s3Bucket")]
    s3_bucket: String,
    #[serde(rename = "s3Object")]
    s3_object: String,
    hash_value: String,
    hash_algorithm: Option<String>,
    newest_event_time: Option<String>,
    oldest_event_time: Option<String>,
}

#[cfg(test)]
pub(crate) mod tests;
