//! The ids of events that made a rule fire: the same event may be delivered twice, by two trails for instance.

use std::collections::VecDeque;

use foldhash::{HashSet, HashSetExt};

use super::{Key, Report};

/// The last of them, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) order: VecDeque<Key>,
    known: HashSet<Key>,
}

impl Recent {
    pub(crate) fn of(order: VecDeque<Key>) -> Self {
        let mut known = HashSet::with_capacity(order.len());
        known.extend(&order);
        Self { order, known }
    }

    /// Adds an id; whether it was not there.
    pub(crate) fn add(&mut self, id: Key, limit: usize, report: &mut Report) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
            report.forgotten_ids += 1;
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.order.capacity() * size_of::<Key>() + self.known.capacity() * (size_of::<Key>() + 1)
    }
}
