//! The chain of digests: each proves the one before.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::{Digest, Keys, Sha256};

/// The only way in which CloudTrail signs.
const ALGORITHM: &str = "SHA256withRSA";

/// A digest as it was found.
#[derive(Debug, Clone)]
pub struct Held {
    /// What it says.
    pub digest: Digest,
    /// The hash of its uncompressed content.
    pub hash: Sha256,
    /// Where it lay: the key from `AWSLogs/` on, see [`crate::object::LogObject::key`].
    pub key: String,
    /// Its signature as its own object's metadata have it (`x-amz-meta-signature`); none in a copy that lost them.
    pub signature: Option<Vec<u8>>,
}

/// How far a digest can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "because")]
pub enum Standing {
    /// Its signature is CloudTrail's, and the digest after it, if held, says the same of it.
    Verified,
    /// Nothing is known against it, but nothing proves it.
    NotVerified(Unproven),
    /// It is not what CloudTrail wrote.
    Tampered(Violation),
}

/// Why a digest is not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// No key of its fingerprint was handed in.
    NoKey,
    /// Neither its own metadata nor a digest after it gives its signature.
    NoSignature,
    /// It says that it is signed in a way that CloudTrail does not use.
    UnknownAlgorithm,
}

/// What shows that a digest was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// No signature that is known of it fits.
    Signature,
    /// The digest after it says another hash of its content.
    Hash,
    /// It does not lie where it says that it was written.
    Place,
}

/// One digest of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its place among the digests handed in.
    pub at: usize,
    /// How far it can be trusted.
    pub standing: Standing,
}

/// A time for which a trail has no digest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The trail and its home region.
    pub trail: String,
    /// When the last digest before the gap ends; none if there is none before it.
    pub from: Option<DateTime<Utc>>,
    /// When the first digest after the gap starts.
    pub to: DateTime<Utc>,
    /// What is known of it.
    pub reason: GapReason,
}

/// What is known of a gap.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "object")]
pub enum GapReason {
    /// The digest after the gap names one that is not here: its key.
    Missing(String),
    /// The digest after the gap names none before it: logging or validation was off and came back.
    Restarted,
}

/// What was found of all digests.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// The digests in the order in which they were handed in.
    pub links: Vec<Link>,
    /// The gaps, by account, region, trail and time.
    pub gaps: Vec<Gap>,
}

/// Verifies digests of any number of accounts, regions and trails, in any order.
///
/// A digest handed in twice (found in two places) is judged twice.
pub fn verify(digests: &[Held], keys: &Keys) -> Chain {
    // What the digests after each say of it; several where a chain was forged beside the true one.
    let mut said: HashMap<(&str, &str), Vec<&super::Previous>> = HashMap::new();
    for held in digests {
        if let Some(previous) = &held.digest.previous {
            said.entry((&previous.bucket, &previous.object)).or_default().push(previous);
        }
    }
    let standing = |held: &Held| {
        let said = said.get(&(held.digest.bucket.as_str(), held.digest.object.as_str()));
        standing(held, said.map_or(&[], Vec::as_slice), keys)
    };
    let links = digests.iter().enumerate().map(|(at, held)| Link { at, standing: standing(held) }).collect();
    Chain { links, gaps: gaps(digests) }
}

fn standing(held: &Held, said: &[&super::Previous], keys: &Keys) -> Standing {
    if !lies_where_it_says(held) {
        return Standing::Tampered(Violation::Place);
    }
    if held.digest.algorithm != ALGORITHM {
        return Standing::NotVerified(Unproven::UnknownAlgorithm);
    }
    // A signature that fits proves the content wherever the signature comes from: the text that is signed has the
    // content's hash, its time and its place. So it also stands against a later digest that says otherwise.
    let text = held.digest.signed_text(&held.hash);
    let own = held.signature.iter().map(Vec::as_slice);
    let signatures = own.chain(said.iter().map(|previous| previous.signature.as_slice()));
    let judged: Vec<Option<bool>> =
        signatures.map(|signature| keys.verify(&held.digest.fingerprint, &text, signature)).collect();
    if judged.contains(&Some(true)) {
        Standing::Verified
    } else if said.iter().any(|previous| previous.hash != held.hash) {
        Standing::Tampered(Violation::Hash)
    } else if judged.contains(&Some(false)) {
        Standing::Tampered(Violation::Signature)
    } else if judged.is_empty() {
        Standing::NotVerified(Unproven::NoSignature)
    } else {
        Standing::NotVerified(Unproven::NoKey)
    }
}

/// A digest moved to another place could stand for an hour that it does not speak of. A copy in a folder keeps the
/// layout from `AWSLogs/` on; where not even that is kept, only the file's name can be compared.
fn lies_where_it_says(held: &Held) -> bool {
    let file = |key: &str| key.rsplit('/').next().unwrap_or(key).trim_end_matches(".gz").to_owned();
    match held.key.find("AWSLogs/").and_then(|at| held.key.get(at..)) {
        Some(key) => held.digest.object.trim_end_matches(".gz").ends_with(key.trim_end_matches(".gz")),
        None => file(&held.key) == file(&held.digest.object),
    }
}

fn gaps(digests: &[Held]) -> Vec<Gap> {
    let mut trails: BTreeMap<(&str, &str, &str), Vec<&Digest>> = BTreeMap::new();
    for held in digests {
        let digest = &held.digest;
        trails.entry((&digest.account, &digest.region, &digest.trail)).or_default().push(digest);
    }
    let mut gaps = Vec::new();
    for ((account, region, trail), mut digests) in trails {
        digests.sort_by_key(|digest| (digest.end, digest.start));
        let mut covered_to: Option<DateTime<Utc>> = None;
        for digest in &digests {
            let before = covered_to.filter(|end| *end <= digest.start);
            let reason = match &digest.previous {
                Some(previous) if !digests.iter().any(|other| other.object == previous.object) => {
                    Some(GapReason::Missing(previous.object.clone()))
                }
                None if before.is_some_and(|end| end < digest.start) => Some(GapReason::Restarted),
                Some(_) | None => None,
            };
            if let Some(reason) = reason {
                gaps.push(Gap {
                    account: account.to_owned(),
                    region: region.to_owned(),
                    trail: trail.to_owned(),
                    from: before,
                    to: digest.start,
                    reason,
                });
            }
            covered_to = covered_to.max(Some(digest.end));
        }
    }
    gaps
}
