//! What many patterns ask of one field, arranged so that a value finds those that it satisfies.

use std::hash::Hash;

use foldhash::HashMap;

use super::intervals::Intervals;
use crate::pattern::event::Scalar;
use crate::pattern::fold::fold;
use crate::pattern::matcher::Matcher;
use crate::pattern::network::{Address, Network};

/// Up to so many matchers are asked one by one: that is faster than any arrangement of them.
const SMALL_MAX: usize = 4;

/// The matchers of one field, each with where it leads.
#[derive(Debug)]
pub(super) enum Index {
    Small(Vec<(Matcher, u32)>),
    Large(Box<Large>),
}

impl Index {
    pub(super) fn new(matchers: Vec<(Matcher, u32)>) -> Self {
        if matchers.len() <= SMALL_MAX { Self::Small(matchers) } else { Self::Large(Box::new(Large::new(matchers))) }
    }

    /// Where a value leads; the same place may be found more than once.
    pub(super) fn find(&self, value: &Scalar<'_>, found: &mut Vec<u32>) {
        match self {
            Self::Small(matchers) => {
                found.extend(matchers.iter().filter(|(matcher, _)| matcher.accepts(value)).map(|(_, to)| *to));
            }
            Self::Large(large) => large.find(value, found),
        }
    }
}

type Table<K> = HashMap<K, Vec<u32>>;

/// One arrangement for each kind of matcher.
#[derive(Debug, Default)]
pub(super) struct Large {
    null: Vec<u32>,
    bools: Table<bool>,
    numbers: Table<u64>,
    texts: Table<String>,
    ranges: Intervals,
    networks: Networks,
    prefixes: Affixes,
    suffixes: Affixes,
    folded: HashMap<String, Vec<(Matcher, u32)>>,
    folded_prefixes: Affixes,
    folded_suffixes: Affixes,
    inner: Inner,
    exists: Vec<u32>,
    /// Most values satisfy these, so nothing is won by arranging them.
    anything_but: Vec<(Matcher, u32)>,
}

fn put<K: Eq + Hash>(table: &mut Table<K>, key: K, to: u32) {
    table.entry(key).or_default().push(to);
}

impl Large {
    fn new(matchers: Vec<(Matcher, u32)>) -> Self {
        let mut large = Self::default();
        let mut ranges = Vec::new();
        for (matcher, to) in matchers {
            match matcher {
                Matcher::Null => large.null.push(to),
                Matcher::Bool(value) => put(&mut large.bools, value, to),
                Matcher::Number(number) => put(&mut large.numbers, number.to_bits(), to),
                Matcher::Text(text) => put(&mut large.texts, text, to),
                Matcher::Range(range) => ranges.push((range, to)),
                Matcher::Network(network) => large.networks.insert(network, to),
                Matcher::Prefix(ref prefix) => large.prefixes.insert(prefix.clone(), matcher, to),
                Matcher::Suffix(ref suffix) => large.suffixes.insert(suffix.clone(), matcher, to),
                Matcher::IgnoreCase(ref text) => {
                    large.folded.entry(text.folded()).or_default().push((matcher, to));
                }
                Matcher::PrefixIgnoreCase(ref prefix) => large.folded_prefixes.insert(prefix.folded(), matcher, to),
                Matcher::SuffixIgnoreCase(ref suffix) => large.folded_suffixes.insert(suffix.folded(), matcher, to),
                Matcher::Wildcard(ref wildcard) => {
                    let (head, tail) = (wildcard.head().to_owned(), wildcard.tail().to_owned());
                    let inner = wildcard.longest_middle().to_owned();
                    if head.len().max(tail.len()) < inner.len() && inner.len() >= GRAM {
                        large.inner.insert(&inner, matcher, to);
                    } else if head.len() >= tail.len() {
                        large.prefixes.insert(head, matcher, to);
                    } else {
                        large.suffixes.insert(tail, matcher, to);
                    }
                }
                Matcher::Exists => large.exists.push(to),
                Matcher::Absent => {}
                Matcher::AnythingBut(_) => large.anything_but.push((matcher, to)),
            }
        }
        large.ranges = Intervals::new(ranges);
        large
    }

    fn find(&self, value: &Scalar<'_>, found: &mut Vec<u32>) {
        found.extend(&self.exists);
        found.extend(self.anything_but.iter().filter(|(matcher, _)| matcher.accepts(value)).map(|(_, to)| *to));
        match value {
            Scalar::Null => found.extend(&self.null),
            Scalar::Bool(value) => found.extend(self.bools.get(value).into_iter().flatten()),
            Scalar::Number(None) => {}
            Scalar::Number(Some(number)) => {
                found.extend(self.numbers.get(&number.to_bits()).into_iter().flatten());
                if self.ranges.len() > 0 {
                    self.ranges.find(*number, found);
                }
            }
            Scalar::Text(text) => self.find_text(text, value, found),
        }
    }

    fn find_text(&self, text: &str, value: &Scalar<'_>, found: &mut Vec<u32>) {
        found.extend(self.texts.get(text).into_iter().flatten());
        self.prefixes.find(text, Side::Start, value, found);
        self.suffixes.find(text, Side::End, value, found);
        self.inner.find(text, value, found);
        self.networks.find(text, found);
        if !(self.folded.is_empty() && self.folded_prefixes.is_empty() && self.folded_suffixes.is_empty()) {
            let folded = fold(text);
            accepted(self.folded.get(&folded).into_iter().flatten(), value, found);
            self.folded_prefixes.find(&folded, Side::Start, value, found);
            self.folded_suffixes.find(&folded, Side::End, value, found);
        }
    }
}

fn accepted<'a>(candidates: impl Iterator<Item = &'a (Matcher, u32)>, value: &Scalar<'_>, found: &mut Vec<u32>) {
    found.extend(candidates.filter(|(matcher, _)| matcher.accepts(value)).map(|(_, to)| *to));
}

#[derive(Clone, Copy)]
enum Side {
    Start,
    End,
}

/// Beginnings or endings of texts. A text is cut to each length that there is, so its own length bounds the look-ups.
#[derive(Debug, Default)]
struct Affixes {
    lengths: Vec<usize>,
    matchers: HashMap<String, Vec<(Matcher, u32)>>,
}

impl Affixes {
    fn insert(&mut self, affix: String, matcher: Matcher, to: u32) {
        if let Err(at) = self.lengths.binary_search(&affix.len()) {
            self.lengths.insert(at, affix.len());
        }
        self.matchers.entry(affix).or_default().push((matcher, to));
    }

    fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    fn find(&self, text: &str, side: Side, value: &Scalar<'_>, found: &mut Vec<u32>) {
        for length in self.lengths.iter().take_while(|length| **length <= text.len()) {
            let affix = match side {
                Side::Start => text.get(..*length),
                Side::End => text.get(text.len() - length..),
            };
            accepted(affix.and_then(|affix| self.matchers.get(affix)).into_iter().flatten(), value, found);
        }
    }
}

/// How many bytes of the text between two stars a wildcard is found by.
const GRAM: usize = 4;

/// Wildcards that begin and end with a star, by bytes of what is between.
#[derive(Debug, Default)]
struct Inner {
    matchers: HashMap<[u8; GRAM], Vec<(Matcher, u32)>>,
}

impl Inner {
    /// Of all the grams of `text` takes the one that fewest others are found by.
    fn insert(&mut self, text: &str, matcher: Matcher, to: u32) {
        let grams = text.as_bytes().windows(GRAM).filter_map(|gram| gram.try_into().ok());
        let rarest = grams.min_by_key(|gram: &[u8; GRAM]| self.matchers.get(gram).map_or(0, Vec::len));
        self.matchers.entry(rarest.unwrap_or_default()).or_default().push((matcher, to));
    }

    fn find(&self, text: &str, value: &Scalar<'_>, found: &mut Vec<u32>) {
        if self.matchers.is_empty() {
            return;
        }
        for gram in text.as_bytes().windows(GRAM) {
            let candidates = <&[u8; GRAM]>::try_from(gram).ok().and_then(|gram| self.matchers.get(gram));
            accepted(candidates.into_iter().flatten(), value, found);
        }
    }
}

/// Networks, by their lengths and first bits.
#[derive(Debug, Default)]
struct Networks {
    lengths: Vec<(bool, u8)>,
    networks: Table<Network>,
}

impl Networks {
    fn insert(&mut self, network: Network, to: u32) {
        if let Err(at) = self.lengths.binary_search(&network.length()) {
            self.lengths.insert(at, network.length());
        }
        put(&mut self.networks, network, to);
    }

    fn find(&self, text: &str, found: &mut Vec<u32>) {
        if self.lengths.is_empty() {
            return;
        }
        let Some(address) = Address::parse(text) else { return };
        for (_, bits) in self.lengths.iter().filter(|(is_v6, _)| *is_v6 == address.is_v6()) {
            found.extend(self.networks.get(&address.network(*bits)).into_iter().flatten());
        }
    }
}
