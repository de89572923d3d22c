//! What every check has at hand, and where it puts what it finds.

use std::cell::{Cell, RefCell};

use super::PolicyKind;
use super::codes::Code;
use super::pattern::nearest;
use crate::actions::{Actions, BrokenTable, Index};
use crate::json::Node;

/// A finding whose place is still a byte offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: usize,
    pub(super) code: Code,
    pub(super) values: Vec<(&'static str, String)>,
    pub(super) suggestion: Option<String>,
}

/// How often a mistyped word is compared with all the known ones in one document: a person mistypes a few, and a text
/// of nothing else should not take minutes.
const SUGGESTIONS_MAX: usize = 200;

pub(super) struct Context<'a> {
    /// The text that the document stands in.
    pub(super) text: &'a str,
    pub(super) kind: PolicyKind,
    pub(super) resource_type: Option<&'a str>,
    pub(super) actions: &'a Actions,
    suggestions: Cell<usize>,
    found: RefCell<Vec<Found>>,
    broken: RefCell<Option<BrokenTable>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str, kind: PolicyKind, resource_type: Option<&'a str>, actions: &'a Actions) -> Self {
        let (found, broken) = (RefCell::default(), RefCell::default());
        Self { text, kind, resource_type, actions, suggestions: Cell::new(0), found, broken }
    }

    /// Something is wrong at a byte offset.
    pub(super) fn add(&self, code: Code, offset: usize, values: &[(&'static str, &str)]) {
        self.add_with(code, offset, values, None);
    }

    /// Something is wrong at a node.
    pub(super) fn at(&self, code: Code, node: &Node<'_>, values: &[(&'static str, &str)]) {
        self.add(code, node.start, values);
    }

    /// Something is wrong, and something else was probably meant.
    pub(super) fn add_with(
        &self,
        code: Code,
        offset: usize,
        values: &[(&'static str, &str)],
        suggestion: Option<String>,
    ) {
        let values = values.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        self.found.borrow_mut().push(Found { offset, code, values, suggestion });
    }

    /// The service of this prefix. A table that cannot be read is told at the end, for all checks at once.
    pub(super) fn index(&self, prefix: &str) -> Option<&'a Index> {
        self.actions.index(prefix).unwrap_or_else(|error| {
            *self.broken.borrow_mut() = Some(error);
            None
        })
    }

    /// Of the known names the one that was probably meant.
    pub(super) fn nearest<'k>(&self, word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
        self.suggestions.set(self.suggestions.get() + 1);
        if self.suggestions.get() > SUGGESTIONS_MAX { None } else { nearest(word, known) }
    }

    /// Everything found, in the order of the text, nothing twice.
    pub(super) fn finish(self) -> Result<Vec<Found>, BrokenTable> {
        if let Some(error) = self.broken.into_inner() {
            return Err(error);
        }
        let mut found = self.found.into_inner();
        found.sort_by(|left, right| (left.offset, left.code.name()).cmp(&(right.offset, right.code.name())));
        found.dedup();
        Ok(found)
    }
}
