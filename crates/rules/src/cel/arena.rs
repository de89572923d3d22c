//! Values that live as long as the judgement of one resource: what functions returned.

use std::cell::{Cell, OnceCell};

/// Slots in the first block; every further block has twice as many, so that few resources need a second one.
const FIRST_BLOCK_SLOTS: usize = 8;

/// A store that only grows, and lends what it holds for as long as it lives.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    first: OnceCell<Box<Block<T>>>,
}

#[derive(Debug)]
struct Block<T> {
    slots: Vec<OnceCell<T>>,
    used: Cell<usize>,
    next: OnceCell<Box<Block<T>>>,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Self {
        Self { first: OnceCell::new() }
    }

    /// Keeps `value` and lends it.
    pub(crate) fn keep(&self, value: T) -> &T {
        let mut next = &self.first;
        let mut slots = FIRST_BLOCK_SLOTS;
        loop {
            let block = next.get_or_init(|| Box::new(Block::with_slots(slots)));
            if let Some(slot) = block.slots.get(block.used.get()) {
                block.used.set(block.used.get() + 1);
                return slot.get_or_init(|| value);
            }
            next = &block.next;
            slots = slots.saturating_mul(2);
        }
    }
}

impl<T> Block<T> {
    fn with_slots(slots: usize) -> Self {
        Self { slots: (0..slots).map(|_| OnceCell::new()).collect(), used: Cell::new(0), next: OnceCell::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_where_it_is() {
        let arena = Arena::new();
        let kept: Vec<&String> = (0..1000).map(|number| arena.keep(number.to_string())).collect();
        assert!(kept.iter().enumerate().all(|(number, text)| **text == number.to_string()));
    }
}
