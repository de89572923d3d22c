//! The actions that AWS services have, and what each works on.
//!
//! The facts are `data/actions.zst`, made by `cargo run -p xtask -- iam` and described in `data/NOTICE`. One line is one
//! service, read when it is first asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::policy::{Glob, Reading};

/// A table of facts inside the program that cannot be read: a broken build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table of {table} cannot be read: {problem}")]
pub struct BrokenTable {
    /// Which one.
    pub table: &'static str,
    /// What is wrong with it.
    pub problem: Arc<str>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Service {
    /// What people call it (`Amazon S3`).
    pub name: String,
    /// Its actions, by name as AWS spells it (`GetObject`).
    pub actions: BTreeMap<String, Action>,
    /// Its resource types, by name (`bucket`).
    pub resources: BTreeMap<String, ResourceKind>,
    /// The condition keys that actions and resource types point at.
    pub keys: Vec<String>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Action {
    /// What it does to what it works on.
    pub access: Access,
    /// The resource types it works on; none where only `*` may be named.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Those of them that a request always has.
    #[serde(default)]
    pub required: Vec<String>,
    /// The condition keys it knows, as places in [`Service::keys`].
    #[serde(default)]
    pub keys: Vec<usize>,
}

/// What an action does to what it works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Names what is there.
    List,
    /// Reads it.
    Read,
    /// Changes it.
    Write,
    /// Changes its tags.
    Tagging,
    /// Changes who may use it.
    Permissions,
}

/// One resource type of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResourceKind {
    /// Its ARN with a `*` for everything that differs.
    pub arn: String,
    /// The condition keys it knows, as places in [`Service::keys`].
    #[serde(default)]
    pub keys: Vec<usize>,
}

/// What the table may grow to when inflated: ten times what it is, and nothing that could hurt.
const TABLE_BYTES_MAX: usize = 64 << 20;

/// The table as it is kept.
const TABLE: &[u8] = include_bytes!("../data/actions.zst");

/// The table's name in messages.
const TABLE_NAME: &str = "IAM actions";

struct Entry {
    text: &'static str,
    service: OnceLock<Result<Service, BrokenTable>>,
}

/// The service of this prefix (`s3`), or `None` where AWS has none.
pub fn service(prefix: &str) -> Result<Option<&'static Service>, BrokenTable> {
    entries()?.get(prefix).map(read).transpose()
}

/// Every service's prefix, in order.
pub fn prefixes() -> Result<impl Iterator<Item = &'static str>, BrokenTable> {
    Ok(entries()?.keys().copied())
}

/// Whether some action of some service fits the pattern, which is in lower case.
pub(crate) fn some_match(pattern: &Glob) -> Result<bool, BrokenTable> {
    if pattern.is_everything() {
        return Ok(true);
    }
    let prefix = pattern.as_str().split(':').next().unwrap_or_default();
    if !prefix.contains(['*', '?']) {
        let Some(service) = service(prefix)? else { return Ok(false) };
        return Ok(has_match(prefix, service, pattern));
    }
    for (prefix, entry) in entries()? {
        if has_match(prefix, read(entry)?, pattern) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The ARNs, with wildcards, of all that an action works on; none where the action is unknown or works on no resource
/// that could be named.
pub(crate) fn resource_arns(action: &str) -> Result<Vec<&'static str>, BrokenTable> {
    let Some((prefix, name)) = action.split_once(':') else { return Ok(Vec::new()) };
    let Some(service) = service(prefix)? else { return Ok(Vec::new()) };
    let action = service.actions.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((_, action)) = action else { return Ok(Vec::new()) };
    let kinds = action.resources.iter().filter_map(|kind| service.resources.get(kind));
    Ok(kinds.map(|kind| kind.arn.as_str()).collect())
}

fn has_match(prefix: &str, service: &Service, pattern: &Glob) -> bool {
    service
        .actions
        .keys()
        .any(|name| pattern.covers(&Glob::plain(&format!("{prefix}:{}", name.to_ascii_lowercase())), Reading::Certain))
}

fn read(entry: &'static Entry) -> Result<&'static Service, BrokenTable> {
    let service = entry.service.get_or_init(|| serde_json::from_str(entry.text).map_err(broken));
    service.as_ref().map_err(Clone::clone)
}

fn broken(problem: impl std::fmt::Display) -> BrokenTable {
    BrokenTable { table: TABLE_NAME, problem: problem.to_string().into() }
}

fn entries() -> Result<&'static BTreeMap<&'static str, Entry>, BrokenTable> {
    static TEXT: OnceLock<Result<String, BrokenTable>> = OnceLock::new();
    static ENTRIES: OnceLock<Result<BTreeMap<&'static str, Entry>, BrokenTable>> = OnceLock::new();
    let entries = ENTRIES.get_or_init(|| {
        let text = TEXT.get_or_init(|| {
            let bytes = zstd::bulk::decompress(TABLE, TABLE_BYTES_MAX).map_err(broken)?;
            String::from_utf8(bytes).map_err(broken)
        });
        let mut entries = BTreeMap::new();
        for line in text.as_ref().map_err(Clone::clone)?.lines() {
            let (prefix, text) = line.split_once('\t').ok_or_else(|| broken("a line without a tab"))?;
            entries.insert(prefix, Entry { text, service: OnceLock::new() });
        }
        Ok(entries)
    });
    entries.as_ref().map_err(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_table_can_be_read() {
        let mut actions = 0;
        for prefix in prefixes().unwrap() {
            let service = service(prefix).unwrap().unwrap();
            assert!(!service.name.is_empty(), "{prefix}");
            for (name, action) in &service.actions {
                actions += 1;
                for kind in action.resources.iter().chain(&action.required) {
                    assert!(service.resources.contains_key(kind), "{prefix}:{name} works on `{kind}`");
                }
                assert!(action.keys.iter().all(|&key| key < service.keys.len()), "{prefix}:{name}");
            }
        }
        assert!(actions > 20_000, "{actions}");
    }

    #[test]
    fn an_action_says_what_it_works_on() {
        let s3 = service("s3").unwrap().unwrap();
        assert_eq!(s3.actions["PutBucketPolicy"].access, Access::Permissions);
        assert_eq!(s3.actions["ListAllMyBuckets"].access, Access::List);
        assert_eq!(s3.resources["bucket"].arn, "arn:*:s3:::*");
        assert_eq!(resource_arns("kms:decrypt").unwrap(), ["arn:*:kms:*:*:key/*"]);
        assert_eq!(service("nothing"), Ok(None));
    }

    #[test]
    fn a_pattern_fits_what_exists() {
        for (pattern, expected) in [
            ("*", true),
            ("s3:*", true),
            ("s3:getobject", true),
            ("s3:get*acl", true),
            ("s3:getobjekt", false),
            ("s4:*", false),
            ("getobject", false),
            ("*:getobject", true),
            ("*:getobjekt", false),
        ] {
            assert_eq!(some_match(&Glob::plain(pattern)), Ok(expected), "{pattern}");
        }
    }
}
