//! Sets of statements, by their numbers.

use super::pattern;

/// The numbers that are kept without an allocation: two policies of AWS's own rarely have more statements together.
const LOW: usize = 128;

/// A set of numbers below a bound that is fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Bits {
    low: u128,
    high: Vec<u64>,
}

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(super) fn none(bound: usize) -> Self {
        Self { low: 0, high: vec![0; bound.saturating_sub(LOW).div_ceil(64)] }
    }

    /// The empty set below the same bound.
    pub(super) fn emptied(&self) -> Self {
        Self { low: 0, high: vec![0; self.high.len()] }
    }

    pub(super) fn insert(&mut self, number: usize) {
        match number.checked_sub(LOW) {
            None => self.low |= 1 << number,
            Some(number) => {
                if let Some(word) = self.high.get_mut(number / 64) {
                    *word |= 1 << (number % 64);
                }
            }
        }
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        match number.checked_sub(LOW) {
            None => self.low & (1 << number) != 0,
            Some(number) => self.high.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0),
        }
    }

    pub(super) fn union(&mut self, other: &Self) {
        self.low |= other.low;
        for (mine, theirs) in self.high.iter_mut().zip(&other.high) {
            *mine |= theirs;
        }
    }

    /// What is in one of the two and not in the other.
    pub(super) fn difference(&self, other: &Self) -> Self {
        self.with(other, |mine, theirs| mine ^ theirs, |mine, theirs| mine ^ theirs)
    }

    /// What is in both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        self.with(other, |mine, theirs| mine & theirs, |mine, theirs| mine & theirs)
    }

    fn with(&self, other: &Self, low: impl Fn(u128, u128) -> u128, high: impl Fn(u64, u64) -> u64) -> Self {
        let words = self.high.iter().zip(&other.high);
        Self { low: low(self.low, other.low), high: words.map(|(mine, theirs)| high(*mine, *theirs)).collect() }
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.low & other.low != 0 || self.high.iter().zip(&other.high).any(|(mine, theirs)| mine & theirs != 0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.low == 0 && self.high.iter().all(|word| *word == 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let mut low = self.low;
        let low = std::iter::from_fn(move || {
            let number = usize::try_from(low.trailing_zeros()).ok().filter(|number| *number < LOW)?;
            low &= low - 1;
            Some(number)
        });
        low.chain(pattern::places(&self.high).map(|number| LOW + number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(left in prop::collection::btree_set(0_usize..300, 0..20), right in prop::collection::btree_set(0_usize..300, 0..20)) {
            let bits = |set: &BTreeSet<usize>| {
                let mut bits = Bits::none(300);
                for number in set {
                    bits.insert(*number);
                }
                bits
            };
            let (one, other) = (bits(&left), bits(&right));
            prop_assert!(one.iter().eq(left.iter().copied()));
            prop_assert!(one.intersection(&other).iter().eq(left.intersection(&right).copied()));
            prop_assert!(one.difference(&other).iter().eq(left.symmetric_difference(&right).copied()));
            prop_assert_eq!(one.meets(&other), !left.is_disjoint(&right));
            prop_assert_eq!(one.is_empty(), left.is_empty());
            prop_assert!((0..300).all(|number| one.contains(number) == left.contains(&number)));
            let mut both = one;
            both.union(&other);
            prop_assert!(both.iter().eq(left.union(&right).copied()));
        }
    }
}
