//! What one field is asked.

use std::collections::BTreeSet;

use super::event::Scalar;
use super::fold::CaseFree;
use super::network::{Address, Network};
use super::wildcard::Wildcard;

/// What a pattern asks of one path: any of these.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    pub(super) matchers: Vec<Matcher>,
    /// How it is written, as compact JSON; the same text is the same leaf.
    pub(super) written: String,
}

/// One value or operator of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Matcher {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Prefix(String),
    Suffix(String),
    IgnoreCase(CaseFree),
    PrefixIgnoreCase(CaseFree),
    SuffixIgnoreCase(CaseFree),
    Wildcard(Wildcard),
    Range(Range),
    Network(Network),
    Exists,
    Absent,
    AnythingBut(Excluded),
}

/// What `anything-but` leaves out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Excluded {
    Texts(BTreeSet<String>),
    Numbers(Vec<f64>),
    Prefixes(Vec<String>),
    Suffixes(Vec<String>),
    IgnoreCase(Vec<CaseFree>),
    Wildcards(Vec<Wildcard>),
}

/// An interval of numbers; each end with whether it belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) low_included: bool,
    pub(super) high: f64,
    pub(super) high_included: bool,
}

impl Leaf {
    /// Whether a field with this value will do.
    pub(super) fn accepts(&self, value: &Scalar<'_>) -> bool {
        self.matchers.iter().any(|matcher| matcher.accepts(value))
    }

    /// Whether it will do that there is no such field.
    pub(super) fn accepts_absence(&self) -> bool {
        self.matchers.contains(&Matcher::Absent)
    }
}

impl Matcher {
    pub(super) fn accepts(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) | (Self::Null, Scalar::Null) => true,
            (Self::Bool(wanted), Scalar::Bool(value)) => wanted == value,
            #[expect(clippy::float_cmp, reason = "only numbers that doubles hold exactly are compared")]
            (Self::Number(wanted), Scalar::Number(Some(value))) => wanted == value,
            (Self::Range(range), Scalar::Number(Some(value))) => range.contains(*value),
            (Self::Text(wanted), Scalar::Text(text)) => wanted == text,
            (Self::Prefix(prefix), Scalar::Text(text)) => text.starts_with(prefix),
            (Self::Suffix(suffix), Scalar::Text(text)) => text.ends_with(suffix),
            (Self::IgnoreCase(wanted), Scalar::Text(text)) => wanted.is(text),
            (Self::PrefixIgnoreCase(prefix), Scalar::Text(text)) => prefix.begins(text),
            (Self::SuffixIgnoreCase(suffix), Scalar::Text(text)) => suffix.ends(text),
            (Self::Wildcard(wildcard), Scalar::Text(text)) => wildcard.matches(text),
            (Self::Network(network), Scalar::Text(text)) => {
                Address::parse(text).is_some_and(|address| network.contains(address))
            }
            (Self::AnythingBut(excluded), value) => !excluded.contains(value),
            _ => false,
        }
    }
}

impl Excluded {
    fn contains(&self, value: &Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Texts(texts), Scalar::Text(text)) => texts.contains(text.as_ref()),
            (Self::Numbers(numbers), Scalar::Number(Some(number))) => numbers.contains(number),
            (Self::Prefixes(prefixes), Scalar::Text(text)) => prefixes.iter().any(|prefix| text.starts_with(prefix)),
            (Self::Suffixes(suffixes), Scalar::Text(text)) => suffixes.iter().any(|suffix| text.ends_with(suffix)),
            (Self::IgnoreCase(texts), Scalar::Text(text)) => texts.iter().any(|excluded| excluded.is(text)),
            (Self::Wildcards(wildcards), Scalar::Text(text)) => wildcards.iter().any(|excluded| excluded.matches(text)),
            _ => false,
        }
    }
}

impl Range {
    pub(super) const ALL: Self =
        Self { low: f64::NEG_INFINITY, low_included: true, high: f64::INFINITY, high_included: true };

    pub(super) fn contains(&self, value: f64) -> bool {
        let above = if self.low_included { value >= self.low } else { value > self.low };
        let below = if self.high_included { value <= self.high } else { value < self.high };
        above && below
    }
}
