//! Threat lists: addresses, networks, domain names, web addresses and file hashes that somebody says are hostile, or trusted.
//!
//! In: the bytes of list files, with what each is said to be ([`Declared`]), and the time for what expires. Out: an immutable
//! [`Lists`] that answers which lists hold an address, a name or a hash, and [`Problem`]s for the lines that could not be used:
//! one bad line never costs the others. Never here: opening files, fetching feeds, a clock.
//!
//! Reloading makes a new value from the old one ([`Lists::reload`]): files whose content is the same are not parsed again, and
//! whoever still holds the old value goes on with it.

mod asked;
mod declare;
mod indicator;
mod json;
mod names;
mod networks;
mod pattern;
mod places;
mod read;
mod sets;
mod text;
mod xml;

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use declare::{DECLARATION, Declared, declare};
pub use indicator::{Hash, Indicator, PREFIX_V4_MIN, PREFIX_V6_MIN, Refused, is_public};
pub use pattern::PatternError;
pub use places::{PlaceError, Places};
pub use read::{Format, ReadList, Reason, Unread, Where, read};

use names::Names;
use networks::Networks;
use sets::{SetId, Sets};

/// The largest list file, in bytes: the whole file is held while it is parsed. `GuardDuty` takes 35 MB.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// The most indicators of one list: four times what `GuardDuty` takes, and what a large paid feed holds.
pub const ENTRIES_MAX: usize = 1_000_000;

/// The most lists at once, so that a set of lists is named by a small number.
pub const LISTS_MAX: usize = 256;

/// The longest line of a plain list, in bytes: the longest web address that browsers take, with room for a remark.
pub const LINE_BYTES_MAX: usize = 8_192;

/// The most unusable lines that are named one by one for a list; the others are counted.
pub const PROBLEMS_MAX: usize = 100;

/// What a list says of what it holds. The rules that stand on lists ask for a kind, not for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The owner's own: whatever they want to hear of.
    Custom,
    /// Hostile, without a nearer word.
    Malicious,
    /// Servers by which malware is commanded.
    CommandAndControl,
    /// Mining pools and services of crypto currencies.
    Cryptomining,
    /// Nodes of the Tor network.
    Tor,
    /// Proxies and VPN services that hide who comes through them.
    Anonymizer,
    /// Hosts that imitate others to be told secrets.
    Phishing,
    /// Hosts that probe the ports of everyone.
    Scanner,
    /// Addresses to which the names of seized malware lead.
    Sinkhole,
    /// Hosts to which malware brings what it stole.
    DropPoint,
    /// Hosts whose pages install malware.
    DriveBy,
    /// Names made by the name generators of known malware.
    Dga,
    /// Hosts known for abuse, by their past or by who may register names there.
    Abused,
    /// Hosts that are probably hostile.
    Suspicious,
    /// Public DNS resolvers: not hostile, but a way around one's own.
    Resolver,
    /// Never reported, whatever other lists say.
    Trusted,
}

impl Kind {
    /// Every kind, in the order of the enumeration.
    pub const ALL: [Self; 16] = [
        Self::Custom,
        Self::Malicious,
        Self::CommandAndControl,
        Self::Cryptomining,
        Self::Tor,
        Self::Anonymizer,
        Self::Phishing,
        Self::Scanner,
        Self::Sinkhole,
        Self::DropPoint,
        Self::DriveBy,
        Self::Dga,
        Self::Abused,
        Self::Suspicious,
        Self::Resolver,
        Self::Trusted,
    ];

    /// As it is written in declarations, file names and rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Malicious => "malicious",
            Self::CommandAndControl => "command-and-control",
            Self::Cryptomining => "cryptomining",
            Self::Tor => "tor",
            Self::Anonymizer => "anonymizer",
            Self::Phishing => "phishing",
            Self::Scanner => "scanner",
            Self::Sinkhole => "sinkhole",
            Self::DropPoint => "drop-point",
            Self::DriveBy => "drive-by",
            Self::Dga => "dga",
            Self::Abused => "abused",
            Self::Suspicious => "suspicious",
            Self::Resolver => "resolver",
            Self::Trusted => "trusted",
        }
    }

    /// The kind that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// The same set with one more.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// Whether the kind is in it.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// Whether it holds nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in it, in the order of the enumeration.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

/// A list file as its owner handed it over.
#[derive(Debug, Clone)]
pub struct ListFile<'a> {
    /// What it is said to be.
    pub declared: Declared,
    /// Its content.
    pub bytes: &'a [u8],
}

/// One list that is in use.
#[derive(Debug)]
pub struct List {
    /// What it is said to be.
    pub declared: Declared,
    /// What could be read, and what not.
    pub read: Arc<ReadList>,
    /// The hash of the file's content, by which an unchanged file is known.
    content: blake3::Hash,
}

/// Why a list as a whole is not in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It could not be read at all.
    #[error("the list `{file}` is not used")]
    Unread {
        /// The file as declared.
        file: String,
        /// Why.
        #[source]
        why: Unread,
    },
    /// More than [`LISTS_MAX`] lists.
    #[error("the list `{file}` is not used: there are more than {LISTS_MAX} lists")]
    TooMany {
        /// The file as declared.
        file: String,
    },
}

/// All lists that are in use, indexed. Never changed: a reload makes another.
#[derive(Debug, Default)]
pub struct Lists {
    all: Vec<List>,
    sets: Sets,
    networks: Networks,
    names: Names,
    hashes: sets::Index<Hash>,
}

/// Which lists hold what was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Hits<'a> {
    lists: &'a [List],
    members: &'a [u8],
    kinds: Kinds,
}

impl<'a> Hits<'a> {
    /// Whether a trusted list holds it: then nothing is to be reported, and [`Hits::kinds`] is empty.
    pub fn is_trusted(&self) -> bool {
        self.kinds.has(Kind::Trusted)
    }

    /// What the lists say that hold it; nothing where a trusted list holds it as well.
    pub fn kinds(&self) -> Kinds {
        if self.is_trusted() { Kinds::default() } else { self.kinds }
    }

    /// The lists that hold it, trusted ones included, in the order of declaration.
    pub fn lists(&self) -> impl Iterator<Item = &'a List> + use<'a> {
        let lists = self.lists;
        self.members.iter().filter_map(move |member| lists.get(usize::from(*member)))
    }
}

impl Lists {
    /// Reads and indexes the files. A file that cannot be used is a [`Problem`], the others are used. Entries that say that they
    /// end before `now` are left out.
    pub fn new<'a>(files: impl IntoIterator<Item = ListFile<'a>>, now: DateTime<Utc>) -> (Self, Vec<Problem>) {
        Self::default().reload(files, now)
    }

    /// The lists as the files are now. What is declared as before and has the same content is taken over without parsing, with
    /// the entries that were valid when it was parsed.
    pub fn reload<'a>(
        &self,
        files: impl IntoIterator<Item = ListFile<'a>>,
        now: DateTime<Utc>,
    ) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut lists: Vec<List> = Vec::new();
        for file in files {
            let name = file.declared.file.clone();
            if lists.len() >= LISTS_MAX {
                problems.push(Problem::TooMany { file: name });
                continue;
            }
            match self.one(file, now) {
                Ok(list) => lists.push(list),
                Err(why) => problems.push(Problem::Unread { file: name, why }),
            }
        }
        (Self::index(lists), problems)
    }

    /// Whether the files are what these lists were read from, so that a caller who polls need not swap anything. Files that could
    /// not be used make it false.
    pub fn is_current<'a>(&self, files: impl IntoIterator<Item = ListFile<'a>>) -> bool {
        let mut lists = self.all.iter();
        let same = files.into_iter().all(|file| {
            lists.next().is_some_and(|list| list.declared == file.declared && list.content == blake3::hash(file.bytes))
        });
        same && lists.next().is_none()
    }

    /// The lists in use, in the order of declaration.
    pub fn lists(&self) -> &[List] {
        &self.all
    }

    /// The lists with a network around `address`. An IPv4 address that is written as IPv6 (`::ffff:…`) is the IPv4 address.
    pub fn address(&self, address: IpAddr) -> Hits<'_> {
        self.hits(self.networks.find(address.to_canonical()))
    }

    /// The lists with `name` or a domain above it. The name may end in a dot; case and encoding do not matter.
    pub fn name(&self, name: &str) -> Hits<'_> {
        self.hits(self.names.find(&indicator::normal(name)))
    }

    /// The lists with this file hash.
    pub fn hash(&self, hash: &Hash) -> Hits<'_> {
        self.hits(self.hashes.find(hash))
    }

    fn hits(&self, set: Option<SetId>) -> Hits<'_> {
        let (members, kinds) = set.map_or((&[][..], Kinds::default()), |set| self.sets.get(set));
        Hits { lists: &self.all, members, kinds }
    }

    fn one(&self, file: ListFile<'_>, now: DateTime<Utc>) -> Result<List, Unread> {
        if file.bytes.len() > FILE_BYTES_MAX {
            return Err(Unread::TooLarge);
        }
        let content = blake3::hash(file.bytes);
        let known = self.all.iter().find(|list| list.content == content && list.declared == file.declared);
        let read = match known {
            Some(list) => Arc::clone(&list.read),
            None => Arc::new(read(file.bytes, &file.declared, now)?),
        };
        Ok(List { declared: file.declared, read, content })
    }

    fn index(lists: Vec<List>) -> Self {
        let mut sets = Sets::new(lists.iter().map(|list| list.declared.kind));
        let (mut ranges, mut names) = (Vec::new(), Vec::new());
        let mut hashes = sets::Index::default();
        for (number, list) in (0_u8..=u8::MAX).zip(&lists) {
            for indicator in &list.read.indicators {
                match indicator {
                    Indicator::Addresses(first, last) => ranges.push((*first, *last, number)),
                    Indicator::Name(name) => names.push((name.as_ref(), number)),
                    Indicator::Hash(hash) => hashes.insert(hash.clone(), number, &mut sets),
                }
            }
        }
        let names = Names::new(names, &mut sets);
        let networks = Networks::new(ranges, &mut sets);
        Self { all: lists, sets, networks, names, hashes }
    }
}

#[cfg(test)]
mod tests;
