//! Intervals of numbers, asked which of them a number is in.

use crate::pattern::matcher::Range;

/// Intervals sorted by where they begin, each half of the list with the farthest end in it.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    sorted: Vec<(Range, u32)>,
    /// For the middle element of each stretch that the search comes by: the farthest end in the stretch.
    farthest: Vec<f64>,
}

impl Intervals {
    pub(super) fn new(mut intervals: Vec<(Range, u32)>) -> Self {
        intervals.sort_by(|(a, _), (b, _)| a.low.total_cmp(&b.low));
        let mut farthest = vec![f64::NEG_INFINITY; intervals.len()];
        fill(&intervals, &mut farthest);
        Self { sorted: intervals, farthest }
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Every interval that holds the number.
    pub(super) fn find(&self, number: f64, found: &mut Vec<u32>) {
        search(&self.sorted, &self.farthest, number, found);
    }
}

fn fill(sorted: &[(Range, u32)], farthest: &mut [f64]) -> f64 {
    let middle = sorted.len() / 2;
    let (Some(((range, _), after)), true) =
        (sorted.get(middle..).and_then(<[_]>::split_first), farthest.len() == sorted.len())
    else {
        return f64::NEG_INFINITY;
    };
    let (left, rest) = farthest.split_at_mut(middle);
    let Some((own, right)) = rest.split_first_mut() else { return f64::NEG_INFINITY };
    let before = fill(sorted.get(..middle).unwrap_or_default(), left);
    *own = range.high.max(before).max(fill(after, right));
    *own
}

fn search(sorted: &[(Range, u32)], farthest: &[f64], number: f64, found: &mut Vec<u32>) {
    let middle = sorted.len() / 2;
    let (Some((range, node)), Some(end)) = (sorted.get(middle), farthest.get(middle)) else { return };
    if number > *end {
        return;
    }
    search(sorted.get(..middle).unwrap_or_default(), farthest.get(..middle).unwrap_or_default(), number, found);
    if range.contains(number) {
        found.push(*node);
    }
    if number >= range.low {
        let (sorted, farthest) = (sorted.get(middle + 1..), farthest.get(middle + 1..));
        search(sorted.unwrap_or_default(), farthest.unwrap_or_default(), number, found);
    }
}
