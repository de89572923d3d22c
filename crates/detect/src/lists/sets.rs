//! Sets of lists, each kept once: an entry points at the set of lists that hold it.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use super::{Kind, Kinds};

/// The number of a set of lists. 0 is the empty set.
pub(super) type SetId = u32;

/// The sets that occur.
#[derive(Debug, Default)]
pub(super) struct Sets {
    kinds: Vec<Kind>,
    known: Vec<(Box<[u8]>, Kinds)>,
    ids: HashMap<Box<[u8]>, SetId, RandomState>,
}

impl Sets {
    /// Sets of the lists with these kinds, by their order.
    pub(super) fn new(kinds: impl Iterator<Item = Kind>) -> Self {
        let mut sets = Self { kinds: kinds.collect(), ..Self::default() };
        sets.id(&[]);
        sets
    }

    /// The set of these lists, which are sorted.
    pub(super) fn id(&mut self, lists: &[u8]) -> SetId {
        if let Some(id) = self.ids.get(lists) {
            return *id;
        }
        let id = SetId::try_from(self.known.len()).unwrap_or(SetId::MAX);
        let kinds = lists.iter().filter_map(|list| self.kinds.get(usize::from(*list)));
        let kinds = kinds.fold(Kinds::default(), |all, kind| all.with(*kind));
        self.known.push((lists.into(), kinds));
        self.ids.insert(lists.into(), id);
        id
    }

    /// The set with one list more.
    pub(super) fn with(&mut self, set: SetId, list: u8) -> SetId {
        let (members, _) = self.get(set);
        if members.contains(&list) {
            return set;
        }
        let mut members = members.to_vec();
        members.push(list);
        members.sort_unstable();
        self.id(&members)
    }

    /// The set with the lists of both.
    pub(super) fn join(&mut self, one: SetId, other: SetId) -> SetId {
        let (members, _) = self.get(other);
        let members = members.to_vec();
        members.into_iter().fold(one, |set, list| self.with(set, list))
    }

    /// The lists of a set, sorted, and what they say together.
    pub(super) fn get(&self, set: SetId) -> (&[u8], Kinds) {
        self.known.get(set as usize).map_or((&[], Kinds::default()), |(members, kinds)| (members, *kinds))
    }
}

/// Values, each with the set of lists that hold it.
#[derive(Debug)]
pub(super) struct Index<K>(HashMap<K, SetId, RandomState>);

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash> Index<K> {
    /// One more list holds `key`.
    pub(super) fn insert(&mut self, key: K, list: u8, sets: &mut Sets) {
        let set = self.0.entry(key).or_default();
        *set = sets.with(*set, list);
    }

    /// The set of lists that hold `key`.
    pub(super) fn find<Q>(&self, key: &Q) -> Option<SetId>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.get(key).copied()
    }
}
