//! Ranges of addresses as sorted intervals that do not overlap.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::sets::{SetId, Sets};

/// Ranges of both families.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl Networks {
    /// The ranges with the lists that hold them: first and last address, of one family, and the list.
    pub(super) fn new(ranges: impl IntoIterator<Item = (IpAddr, IpAddr, u8)>, sets: &mut Sets) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (first, last, list) in ranges {
            match (first, last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.to_bits(), last.to_bits(), list)),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.to_bits(), last.to_bits(), list)),
                // INVARIANT: an indicator's addresses are of one family; there is nothing between two families.
                _ => {}
            }
        }
        Self { v4: Intervals::new(v4, sets), v6: Intervals::new(v6, sets) }
    }

    /// The lists with `address`.
    pub(super) fn find(&self, address: IpAddr) -> Option<SetId> {
        match address {
            IpAddr::V4(address) => self.v4.find(address.to_bits()),
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        }
    }
}

/// A point of the line of addresses.
trait Point: Copy + Ord {
    /// The next point, if there is one.
    fn next(self) -> Option<Self>;
}

impl Point for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Point for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Where the set of lists changes: from each start up to the next one the set is the same.
#[derive(Debug)]
struct Intervals<P> {
    starts: Vec<P>,
    sets: Vec<SetId>,
}

impl<P> Default for Intervals<P> {
    fn default() -> Self {
        Self { starts: Vec::new(), sets: Vec::new() }
    }
}

impl<P: Point> Intervals<P> {
    /// Goes along the line once: at each start a list opens, behind each end it closes.
    fn new(ranges: Vec<(P, P, u8)>, sets: &mut Sets) -> Self {
        let mut edges = Vec::with_capacity(ranges.len().saturating_mul(2));
        for (first, last, list) in ranges {
            edges.push((first, list, 1_i32));
            if let Some(behind) = last.next() {
                edges.push((behind, list, -1));
            }
        }
        edges.sort_unstable();
        // How many ranges of each list are open here.
        let mut open: BTreeMap<u8, i32> = BTreeMap::new();
        let mut intervals = Self::default();
        for edges in edges.chunk_by(|one, other| one.0 == other.0) {
            for (_, list, change) in edges {
                *open.entry(*list).or_default() += change;
            }
            open.retain(|_, count| *count > 0);
            let members: Vec<u8> = open.keys().copied().collect();
            let set = sets.id(&members);
            if intervals.sets.last().copied().unwrap_or_default() == set {
                continue;
            }
            if let Some((start, ..)) = edges.first() {
                intervals.starts.push(*start);
                intervals.sets.push(set);
            }
        }
        intervals
    }

    fn find(&self, point: P) -> Option<SetId> {
        let behind = self.starts.partition_point(|start| *start <= point);
        self.sets.get(behind.checked_sub(1)?).copied()
    }
}
