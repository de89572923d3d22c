//! Tables of facts that rules look things up in.

use std::collections::BTreeMap;

use serde_json::Value;

/// The tables of `rules/tables/`, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    tables: BTreeMap<String, Value>,
}

impl Tables {
    /// The table of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.tables.get(name)
    }

    /// Every table's name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// Adds a table, or puts it in the place of the one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, table: Value) {
        self.tables.insert(name.into(), table);
    }
}
