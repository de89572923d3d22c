//! The public keys of CloudTrail's signatures.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

/// Bytes of one public key: RSA with 8192 bits has about 1,100.
const KEY_BYTES_MAX: usize = 8 << 10;

/// Public keys by fingerprint.
///
/// They come from `CloudTrail:ListPublicKeys`, whose answer says the fingerprint of each: in the region of the digest,
/// for the time of the digest. Kept in a folder they serve without a network.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    by_fingerprint: BTreeMap<String, Vec<u8>>,
}

/// A file that may hold keys.
#[derive(Debug, Clone, Copy)]
pub struct KeyFile<'a> {
    /// Its name without folders. `<fingerprint>.pem` and `<fingerprint>.der` say whose key it is; `….json` is an answer
    /// of `ListPublicKeys`, which says it itself.
    pub name: &'a str,
    /// Its content.
    pub content: &'a [u8],
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKey {
    /// Neither an RSA public key nor one in a `SubjectPublicKeyInfo`.
    #[error("`{0}` is not an RSA public key")]
    NotRsa(String),
    /// Not an answer of `ListPublicKeys`.
    #[error("`{name}` is not an answer of `ListPublicKeys`")]
    NotAnAnswer {
        /// The file.
        name: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A name that ends in none of `.pem`, `.der`, `.json`.
    #[error("`{0}` does not say that it holds a key: its name ends in none of `.pem`, `.der`, `.json`")]
    Name(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    public_key_list: Vec<AnswerKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnswerKey {
    value: String,
    fingerprint: String,
}

impl Keys {
    /// Adds the keys of a file.
    pub fn add_file(&mut self, file: KeyFile<'_>) -> Result<(), InvalidKey> {
        let (fingerprint, ending) = file.name.rsplit_once('.').unwrap_or((file.name, ""));
        let not_rsa = || InvalidKey::NotRsa(file.name.to_owned());
        match ending {
            "der" => self.add(fingerprint, file.content).ok_or_else(not_rsa),
            "pem" => {
                let der = pem(file.content).ok_or_else(not_rsa)?;
                self.add(fingerprint, &der).ok_or_else(not_rsa)
            }
            "json" => {
                let answer: Answer = serde_json::from_slice(file.content)
                    .map_err(|source| InvalidKey::NotAnAnswer { name: file.name.to_owned(), source })?;
                for key in answer.public_key_list {
                    let der = STANDARD.decode(key.value.trim()).ok();
                    der.and_then(|der| self.add(&key.fingerprint, &der))
                        .ok_or_else(|| InvalidKey::NotRsa(key.fingerprint.clone()))?;
                }
                Ok(())
            }
            _ => Err(InvalidKey::Name(file.name.to_owned())),
        }
    }

    /// Adds a key: DER of an `RSAPublicKey` (PKCS #1), which is what `ListPublicKeys` gives, or of a
    /// `SubjectPublicKeyInfo`, which is what other tools make of it. None if it is neither.
    #[must_use]
    pub fn add(&mut self, fingerprint: &str, der: &[u8]) -> Option<()> {
        if der.len() > KEY_BYTES_MAX {
            return None;
        }
        let key = public_key_info(der).unwrap_or(der);
        // Two whole numbers in a sequence: what is no such thing would only be seen at the first signature.
        let (numbers, _) = element(key, SEQUENCE)?;
        let (_, rest) = element(numbers, INTEGER)?;
        element(rest, INTEGER)?;
        self.by_fingerprint.insert(fingerprint.to_ascii_lowercase(), key.to_vec());
        Some(())
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.by_fingerprint.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
    }

    /// Whether the text was signed with the key of this fingerprint; none if there is no such key.
    pub(super) fn verify(&self, fingerprint: &str, text: &str, signature: &[u8]) -> Option<bool> {
        let key = self.by_fingerprint.get(fingerprint)?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        Some(key.verify(text.as_bytes(), signature).is_ok())
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// The algorithm `rsaEncryption` (1.2.840.113549.1.1.1) in DER.
const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The content of the DER element of this kind that the bytes begin with, and what follows it.
fn element(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != kind {
        return None;
    }
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// The RSA key in a `SubjectPublicKeyInfo`.
fn public_key_info(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = element(der, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    if !algorithm.starts_with(RSA_ENCRYPTION) {
        return None;
    }
    let (bits, _) = element(rest, BIT_STRING)?;
    bits.strip_prefix(&[0])
}

/// The DER in a PEM file's first block.
fn pem(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}
