//! What proves the lake's logs: digests are kept beside the table, and judged anew each time they are asked for.

use std::io::Read;

use chrono::{DateTime, TimeDelta};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use crate::Lake;
use crate::completeness::{self, Completeness};
use crate::digest::{Chain, Digest, Held, InvalidDigest, Keys, Sha256, verify};
use crate::ledger::{Consumed, LedgerError};
use crate::object::{LogObject, Reason, is_account, is_region};
use crate::source::UNKNOWN;
use crate::table::{Table, TableError};

/// The folder of digests, within the table's; Delta's clean-up leaves folders that begin with `_` alone.
const FOLDER: &str = "_digests";

/// Bytes a file of digests may hold decompressed: those of one run over years of a large organisation.
const FILE_BYTES_MAX: u64 = 8 << 30;

/// Files of digests past which they are put together into one: each run over new digests adds one.
const FILES_MAX: usize = 64;

/// A digest as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptDigest {
    key: String,
    signature: Option<String>,
    content: String,
}

/// What is proven of one source.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The source.
    pub source: String,
    /// How far its digests can be trusted, and the gaps between them.
    pub chain: Chain,
    /// Its hours.
    pub completeness: Completeness,
}

/// Why it cannot be said what is proven.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A digest that was kept is not one any more.
    #[error("a kept digest, `{0}`, is damaged")]
    Digest(String, #[source] InvalidDigest),
}

impl KeptDigest {
    /// Takes a digest in; an error where it is none.
    pub(crate) fn new(
        object: &LogObject,
        content: &[u8],
        signature: impl FnOnce() -> Option<String>,
    ) -> Result<Self, Reason> {
        Digest::parse(content).map_err(|error| Reason::NotJson(error.to_string()))?;
        let content = std::str::from_utf8(content).map_err(|_| Reason::NotUtf8)?;
        Ok(Self { key: object.key().to_owned(), signature: signature(), content: content.to_owned() })
    }

    /// What the ledger keeps of it, so that it is read once.
    pub(crate) fn consumed(&self, object: &LogObject) -> Consumed {
        Consumed {
            key: self.key.clone(),
            size: object.size,
            version: object.version.clone(),
            rows: 0,
            skipped: 0,
            span: None,
            sha256: Some(Sha256::of(self.content.as_bytes()).to_string()),
        }
    }

    fn held(self) -> Result<Held, ProofError> {
        let digest =
            Digest::parse(self.content.as_bytes()).map_err(|error| ProofError::Digest(self.key.clone(), error))?;
        let signature = self.signature.as_deref().and_then(crate::digest::signature);
        Ok(Held { hash: Sha256::of(self.content.as_bytes()), signature, key: self.key, digest })
    }
}

/// Writes digests beside the table whose folder is `folder`, under a name that is new. They are durable then.
pub(crate) async fn keep(
    store: &dyn ObjectStore,
    folder: &std::path::Path,
    digests: &[KeptDigest],
    name: &str,
) -> Result<(), LedgerError> {
    if digests.is_empty() {
        return Ok(());
    }
    write(store, folder, digests, name).await?;
    let files: Vec<_> = store.list(Some(&Path::from(FOLDER))).try_collect().await?;
    if files.len() <= FILES_MAX {
        return Ok(());
    }
    let mut all = Vec::new();
    for meta in &files {
        all.append(&mut read(store, &meta.location).await?);
    }
    // What two processes put together at once is there twice, which does no harm.
    unique(&mut all);
    write(store, folder, &all, &format!("{name}-all")).await?;
    for meta in &files {
        match store.delete(&meta.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn kept(store: &dyn ObjectStore) -> Result<Vec<KeptDigest>, LedgerError> {
    let files: Vec<_> = store.list(Some(&Path::from(FOLDER))).try_collect().await?;
    let mut all = Vec::new();
    for meta in files {
        all.append(&mut read(store, &meta.location).await?);
    }
    unique(&mut all);
    Ok(all)
}

/// Leaves one of each digest; the one with a signature where the same was read with and without.
fn unique(digests: &mut Vec<KeptDigest>) {
    digests.sort_by(|one, other| {
        (&one.key, &one.content, &other.signature).cmp(&(&other.key, &other.content, &one.signature))
    });
    digests.dedup_by(|one, before| one.key == before.key && one.content == before.content);
}

async fn write(
    store: &dyn ObjectStore,
    folder: &std::path::Path,
    digests: &[KeptDigest],
    name: &str,
) -> Result<(), LedgerError> {
    let file = format!("{FOLDER}/{name}.ndjson.zst");
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| LedgerError::Damaged(file.clone(), error);
    let mut text = Vec::new();
    for digest in digests {
        sonic_rs::to_writer(&mut text, digest).map_err(|error| damaged(error.into()))?;
        text.push(b'\n');
    }
    let bytes = zstd::encode_all(text.as_slice(), 3).map_err(|error| damaged(error.into()))?;
    store.put(&Path::from(file.as_str()), PutPayload::from(bytes)).await?;
    let durable = crate::durable::files(folder, &[file]);
    durable.map_err(|error| object_store::Error::Generic { store: "disk", source: error.into() }.into())
}

async fn read(store: &dyn ObjectStore, file: &Path) -> Result<Vec<KeptDigest>, LedgerError> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| LedgerError::Damaged(file.to_string(), error);
    let bytes = store.get(file).await?.bytes().await?;
    let mut text = String::new();
    zstd::Decoder::with_buffer(bytes.as_ref())
        .and_then(|decoder| decoder.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| damaged(error.into()))?;
    text.lines().map(|line| sonic_rs::from_str(line).map_err(|error| damaged(error.into()))).collect()
}

impl Lake {
    /// What is proven of every source that was ever written to; of one, if `source` names it.
    pub async fn proofs(&self, keys: &Keys, source: Option<&str>) -> Result<Vec<Proof>, ProofError> {
        let mut proofs = Vec::new();
        for one in self.sources().iter().filter(|one| source.is_none_or(|name| name == &*one.name)) {
            let Some(table) = Table::open(self.root(), one).await? else { continue };
            let store = table.store();
            let ledger = |error| TableError::Ledger(one.name.to_string(), error);
            let objects = table.ledger().objects(&store).await.map_err(ledger)?;
            let kept = if one.has_digests { kept(&store).await.map_err(ledger)? } else { Vec::new() };
            let held = kept.into_iter().map(KeptDigest::held).collect::<Result<Vec<_>, _>>()?;
            let chain = verify(&held, keys);
            let consumed: Vec<_> = objects.iter().map(judged).collect();
            let cadence = one.cadence.and_then(|cadence| TimeDelta::from_std(cadence).ok());
            let completeness = Completeness::new(&consumed, &held, &chain, cadence);
            proofs.push(Proof { source: one.name.to_string(), chain, completeness });
        }
        Ok(proofs)
    }
}

fn judged(object: &Consumed) -> completeness::Consumed {
    let rows = object.span.and_then(|(first, last)| {
        let (first, last) = (DateTime::from_timestamp_micros(first)?, DateTime::from_timestamp_micros(last)?);
        Some((place(&object.key), first, last))
    });
    completeness::Consumed {
        key: object.key.clone(),
        hash: object.sha256.as_deref().and_then(Sha256::parse),
        rows: rows.into_iter().collect(),
    }
}

/// Whose an object is: by its place, or by its name alone (`<account>_<log>_<region>_…`) in a copy without folders.
fn place(key: &str) -> completeness::Place {
    let object = LogObject { uri: key.to_owned(), size: 0, version: String::new() };
    let (account, region) = object.place();
    let mut parts = key.rsplit('/').next().unwrap_or_default().split('_');
    let account = account.or_else(|| parts.next().filter(|part| is_account(part)));
    let region = region.or_else(|| key.rsplit('/').next()?.split('_').nth(2).filter(|part| is_region(part)));
    completeness::Place { account: account.unwrap_or(UNKNOWN).to_owned(), region: region.unwrap_or(UNKNOWN).to_owned() }
}
