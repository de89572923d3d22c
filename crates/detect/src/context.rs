//! What facts may ask beside the event: threat lists, places, and what belongs to the owner.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::IpAddr;

use ipnet::IpNet;

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListKind {
    /// Who is on it is up to no good.
    Threat,
    /// Who is on it is known to be ours or harmless: never a finding of a threat list.
    Trusted,
}

/// An entry of a list that something is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed<'l> {
    /// The list's name.
    pub list: &'l str,
    /// What the list is for.
    pub kind: ListKind,
    /// What the list says that it is (`tor`, `c2`, `mining`, …), as far as it does.
    pub category: Option<&'l str>,
}

/// Lists of addresses, domains and hashes. Every answer is in the same order for the same lists.
pub trait Lists: Debug + Send + Sync {
    /// The lists that an address, or a network around it, is on.
    fn address(&self, address: IpAddr) -> Vec<Listed<'_>>;
    /// The lists that a domain, or one above it, is on; with or without a dot at its end, in any case.
    fn domain(&self, domain: &str) -> Vec<Listed<'_>>;
    /// The lists that a hash is on, as hexadecimal text in any case.
    fn hash(&self, hash: &str) -> Vec<Listed<'_>>;
}

/// Where an address is, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 code of the country.
    pub country: Option<String>,
    /// The city, in English.
    pub city: Option<String>,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Who runs the autonomous system.
    pub organisation: Option<String>,
    /// Thousandths of a degree north.
    pub latitude_millidegrees: Option<i32>,
    /// Thousandths of a degree east.
    pub longitude_millidegrees: Option<i32>,
}

/// Where addresses are: the files of `MaxMind`, when the user has them.
pub trait Places: Debug + Send + Sync {
    /// The place of an address; nothing where it is not known.
    fn place(&self, address: IpAddr) -> Option<Place>;
}

/// What belongs to the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// Account ids, twelve digits.
    pub accounts: BTreeSet<String>,
    /// Networks, public ones among them.
    pub networks: Vec<IpNet>,
}

/// Everything that facts may ask beside the event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    /// Threat and trusted lists.
    pub lists: &'c dyn Lists,
    /// Places of addresses.
    pub places: &'c dyn Places,
    /// What belongs to the owner.
    pub own: &'c Own,
}

/// No lists and no places: what a caller has who was given none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Lists for Nothing {
    fn address(&self, _: IpAddr) -> Vec<Listed<'_>> {
        Vec::new()
    }

    fn domain(&self, _: &str) -> Vec<Listed<'_>> {
        Vec::new()
    }

    fn hash(&self, _: &str) -> Vec<Listed<'_>> {
        Vec::new()
    }
}

impl Places for Nothing {
    fn place(&self, _: IpAddr) -> Option<Place> {
        None
    }
}

static NOTHING: Nothing = Nothing;
static NOBODY: Own = Own { accounts: BTreeSet::new(), networks: Vec::new() };

impl Context<'static> {
    /// Nothing is known beside the event.
    pub const EMPTY: Self = Self { lists: &NOTHING, places: &NOTHING, own: &NOBODY };
}
