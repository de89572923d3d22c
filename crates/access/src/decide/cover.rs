//! The product of the dimensions: one value from each, so that together they miss every statement to be missed.

use super::joint::Set;
use super::limits::{self, Undecided};

/// What one value of a dimension misses, and its place in the dimension.
pub(super) type Value = (Set, usize);

/// A place in each dimension, such that together everything in `all` is missed; none where there is no such choice.
pub(super) fn choose(mut dimensions: Vec<Vec<Value>>, all: Set) -> Result<Option<Vec<usize>>, Undecided> {
    let order = prepare(&mut dimensions, all);
    let mut rest = Vec::with_capacity(dimensions.len() + 1);
    let mut later: Set = 0;
    for &dimension in order.iter().rev() {
        rest.push(later);
        later |= dimensions.get(dimension).map_or(0, |values| union(values));
    }
    if later & all != all || dimensions.iter().any(Vec::is_empty) {
        return Ok(None);
    }
    rest.reverse();
    // What was missed so far, and the choice it came from: a chain through `steps`.
    let mut steps: Vec<(Option<usize>, usize)> = Vec::new();
    let mut partial: Vec<(Set, Option<usize>)> = vec![(0, None)];
    for (&dimension, later) in order.iter().zip(rest) {
        let values = dimensions.get(dimension).map(Vec::as_slice).unwrap_or_default();
        let mut next: Vec<(Set, Option<usize>, usize)> = Vec::new();
        for &(missed, chain) in &partial {
            for &(more, place) in values {
                let together = (missed | more) & all;
                if (together | later) & all == all {
                    next.push((together, chain, place));
                }
            }
            if next.len() > limits::PRODUCT_MAX {
                return Err(Undecided::Product);
            }
        }
        next.sort_by_key(|(missed, ..)| std::cmp::Reverse(missed.count_ones()));
        partial.clear();
        for (missed, chain, place) in next {
            if partial.iter().any(|(better, _)| missed & !better == 0) {
                continue;
            }
            steps.push((chain, place));
            partial.push((missed, Some(steps.len() - 1)));
        }
    }
    let Some((_, chain)) = partial.into_iter().find(|(missed, _)| missed & all == all) else { return Ok(None) };
    let mut chosen = vec![0; dimensions.len()];
    let mut here = chain;
    for &dimension in order.iter().rev() {
        let Some(&(before, place)) = here.and_then(|step| steps.get(step)) else { break };
        if let Some(slot) = chosen.get_mut(dimension) {
            *slot = place;
        }
        here = before;
    }
    Ok(Some(chosen))
}

/// Keeps of each dimension the values that miss most, and says in which order to go: the fewest values first.
fn prepare(dimensions: &mut [Vec<Value>], all: Set) -> Vec<usize> {
    for values in dimensions.iter_mut() {
        for (missed, _) in values.iter_mut() {
            *missed &= all;
        }
        values.sort_by_key(|(missed, place)| (std::cmp::Reverse(missed.count_ones()), *place));
        let mut kept: Vec<Value> = Vec::with_capacity(values.len());
        for value in values.iter() {
            if !kept.iter().any(|(better, _)| value.0 & !better == 0) {
                kept.push(*value);
            }
        }
        *values = kept;
    }
    let mut order: Vec<usize> = (0..dimensions.len()).collect();
    order.sort_by_key(|&dimension| dimensions.get(dimension).map_or(0, Vec::len));
    order
}

fn union(values: &[Value]) -> Set {
    values.iter().fold(0, |all, (missed, _)| all | missed)
}
