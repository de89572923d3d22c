//! The actions that AWS services have, and what each works on.
//!
//! The facts are `data/actions.zst`, made by `cargo run -p xtask -- iam` and described in `data/NOTICE`; a newer file of
//! the same form may take its place at run time ([`Actions::read`]). One line is one service, read when it is first asked
//! for.

mod index;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use crate::policy::{Glob, Reading};
pub use index::{Index, IndexedAction, Key, KeyKind, KeyType, Template};

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
    /// Their types, a letter each ([`KeyType::of_letter`]).
    #[serde(default)]
    pub types: String,
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
    /// What each `*` stands for, in order (`Partition`, `BucketName`).
    #[serde(default)]
    pub names: Vec<String>,
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

/// A table of services and their actions.
#[derive(Debug)]
pub struct Actions {
    text: String,
    entries: BTreeMap<String, Entry>,
    everywhere: Everywhere,
    /// Global keys by name in lower case; a name with an end of its own (`aws:ResourceTag/${TagKey}`) ends with its `/`.
    global_keys: HashMap<String, KeyType>,
}

/// What belongs to no single service.
#[derive(Debug, Default, Deserialize)]
struct Everywhere {
    /// Global condition keys with the letters of their types.
    keys: Vec<(String, char)>,
    /// The services whose resources a resource control policy can protect.
    protected: Vec<String>,
    /// Prefixes of condition keys that are no service's (`accounts.google.com`), and the services that define them.
    providers: BTreeMap<String, Vec<String>>,
    /// Services in ARNs, and the prefixes of the services whose resources they are; those of equal names are left out.
    arns: BTreeMap<String, Vec<String>>,
}

#[derive(Debug)]
struct Entry {
    place: Range<usize>,
    service: OnceLock<Result<Service, BrokenTable>>,
    index: OnceLock<Result<Index, BrokenTable>>,
}

/// The line that holds [`Everywhere`].
const EVERYWHERE: &str = "*";

impl Actions {
    /// The table inside the program.
    pub fn built_in() -> Result<&'static Self, BrokenTable> {
        static ACTIONS: OnceLock<Result<Actions, BrokenTable>> = OnceLock::new();
        ACTIONS.get_or_init(|| Self::read(TABLE)).as_ref().map_err(Clone::clone)
    }

    /// A table from the bytes of a file of the form of `data/actions.zst`.
    pub fn read(bytes: &[u8]) -> Result<Self, BrokenTable> {
        let bytes = zstd::bulk::decompress(bytes, TABLE_BYTES_MAX).map_err(broken)?;
        let text = String::from_utf8(bytes).map_err(broken)?;
        let (mut entries, mut everywhere) = (BTreeMap::new(), Everywhere::default());
        let mut start = 0;
        for line in text.lines() {
            let (prefix, rest) = line.split_once('\t').ok_or_else(|| broken("a line without a tab"))?;
            if prefix == EVERYWHERE {
                everywhere = serde_json::from_str(rest).map_err(broken)?;
            } else {
                let place = start + prefix.len() + 1..start + line.len();
                let entry = Entry { place, service: OnceLock::new(), index: OnceLock::new() };
                entries.insert(prefix.to_owned(), entry);
            }
            start += line.len() + 1;
        }
        if entries.is_empty() {
            return Err(broken("it has no service"));
        }
        let mut global_keys = HashMap::new();
        for (name, letter) in &everywhere.keys {
            let name = name.split("${").next().unwrap_or_default().to_ascii_lowercase();
            global_keys.insert(name, KeyType::of_letter(*letter));
        }
        Ok(Self { text, entries, everywhere, global_keys })
    }

    /// The service of this prefix (`s3`), or `None` where AWS has none.
    pub fn service(&self, prefix: &str) -> Result<Option<&Service>, BrokenTable> {
        self.entries.get(prefix).map(|entry| self.read_entry(entry)).transpose()
    }

    /// The same, prepared for being asked often.
    pub fn index(&self, prefix: &str) -> Result<Option<&Index>, BrokenTable> {
        let Some(entry) = self.entries.get(prefix) else { return Ok(None) };
        let index = entry.index.get_or_init(|| self.read_entry(entry).map(Index::of));
        index.as_ref().map(Some).map_err(Clone::clone)
    }

    /// Every service's prefix, in order.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether AWS has a service of this prefix.
    pub fn has_service(&self, prefix: &str) -> bool {
        self.entries.contains_key(prefix)
    }

    /// The condition keys that belong to no single service, with their types.
    pub fn global_keys(&self) -> impl Iterator<Item = (&str, KeyType)> {
        self.everywhere.keys.iter().map(|(name, letter)| (name.as_str(), KeyType::of_letter(*letter)))
    }

    /// The type of a key that belongs to no single service, by its name in lower case.
    pub fn global_key(&self, name: &str) -> Option<KeyType> {
        let open = || {
            let (_, end) = name.split_once('/').filter(|(_, end)| !end.is_empty())?;
            self.global_keys.get(name.get(..name.len() - end.len())?)
        };
        self.global_keys.get(name).filter(|_| !name.ends_with('/')).or_else(open).copied()
    }

    /// Whether a global key of this lower-case name would take something more at its end (`aws:resourcetag/`).
    pub fn is_open_global_key(&self, name: &str) -> bool {
        let name = name.strip_suffix('/').unwrap_or(name);
        self.global_keys.contains_key(&format!("{name}/"))
    }

    /// Whether resource control policies cover the service.
    pub fn is_protected(&self, prefix: &str) -> bool {
        self.everywhere.protected.iter().any(|known| known == prefix)
    }

    /// The prefixes of condition keys that are no service's, with the services that define the keys.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.everywhere.providers.iter().map(|(prefix, services)| (prefix.as_str(), services.as_slice()))
    }

    /// The prefixes of the services whose resources have ARNs of this service (`arn:aws:SERVICE:…`).
    pub fn of_arn<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        let others = self.everywhere.arns.get(service);
        let same = others.is_none() && self.has_service(service);
        others.into_iter().flatten().map(String::as_str).chain(same.then_some(service))
    }

    fn read_entry<'a>(&'a self, entry: &'a Entry) -> Result<&'a Service, BrokenTable> {
        let text = self.text.get(entry.place.clone()).unwrap_or_default();
        let service = entry.service.get_or_init(|| serde_json::from_str(text).map_err(broken));
        service.as_ref().map_err(Clone::clone)
    }
}

/// The service of this prefix (`s3`), or `None` where AWS has none.
pub fn service(prefix: &str) -> Result<Option<&'static Service>, BrokenTable> {
    Actions::built_in()?.service(prefix)
}

/// Every service's prefix, in order.
pub fn prefixes() -> Result<impl Iterator<Item = &'static str>, BrokenTable> {
    Ok(Actions::built_in()?.prefixes())
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
    let actions = Actions::built_in()?;
    for (prefix, entry) in &actions.entries {
        if has_match(prefix, actions.read_entry(entry)?, pattern) {
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

fn broken(problem: impl std::fmt::Display) -> BrokenTable {
    BrokenTable { table: TABLE_NAME, problem: problem.to_string().into() }
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
    fn every_key_has_a_type_that_is_known() {
        let actions = Actions::built_in().unwrap();
        for prefix in actions.prefixes() {
            let service = actions.service(prefix).unwrap().unwrap();
            assert_eq!(service.types.len(), service.keys.len(), "{prefix}");
            assert!(service.types.chars().all(|letter| "sSaAbBnNdDiI-".contains(letter)), "{prefix}");
        }
        let globals: BTreeMap<&str, KeyType> = actions.global_keys().collect();
        assert_eq!(globals["aws:SourceIp"], KeyType { kind: KeyKind::Ip, several: false });
        assert_eq!(globals["aws:CalledVia"], KeyType { kind: KeyKind::String, several: true });
        assert!(actions.is_protected("s3") && !actions.is_protected("ec2"));
    }

    #[test]
    fn a_file_that_is_no_table_is_an_error() {
        assert!(Actions::read(b"nothing").is_err());
        assert!(Actions::read(&zstd::bulk::compress(b"", 1).unwrap()).is_err());
        assert!(Actions::read(&zstd::bulk::compress(b"s3 no tab", 1).unwrap()).is_err());
        let one = Actions::read(
            &zstd::bulk::compress(b"s4\t{\"name\":\"S4\",\"actions\":{},\"resources\":{},\"keys\":[]}", 1).unwrap(),
        )
        .unwrap();
        assert!(one.has_service("s4") && !one.has_service("s3"));
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
