//! All patterns together.
//!
//! The conditions of every alternative stand in one order, those that most distinguish patterns first, and make a tree:
//! patterns that begin with the same conditions share the way. From a node an event's value finds the next nodes by way
//! of an index, so an event goes only where some pattern is still possible. Whether the fields of what is reached come
//! from the same list elements is then asked of the few that are left.

mod index;
mod intervals;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::consistency::{self, Condition};
use super::event::{Event, Field};
use super::matcher::{Leaf, Matcher};
use super::{Alternative, Pattern};
use index::Index;

/// Patterns with their names, matched against an event all at once.
#[derive(Debug)]
pub struct PatternSet<I> {
    names: Vec<I>,
    alternatives: Vec<Known>,
    paths: HashMap<String, u32>,
    nodes: Vec<Node>,
}

/// An alternative, and the pattern that it belongs to.
#[derive(Debug)]
struct Known {
    pattern: u32,
    /// By path, in the order of the paths' texts.
    conditions: Vec<(u32, Arc<Leaf>)>,
}

/// What has been found to hold on the way here, and what may be asked next.
#[derive(Debug, Default)]
struct Node {
    /// The alternatives of which everything holds.
    complete: Vec<u32>,
    /// What is asked of which path, sorted by path.
    fields: Vec<(u32, Index)>,
    /// Which paths may also be absent, and where that leads.
    absences: Vec<(u32, u32)>,
}

impl<I> PatternSet<I> {
    /// Arranges patterns.
    pub fn new(patterns: impl IntoIterator<Item = (I, Pattern)>) -> Self {
        let mut names = Vec::new();
        let mut all = Vec::new();
        for (name, pattern) in patterns {
            let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
            names.push(name);
            all.extend(pattern.alternatives.into_iter().map(|alternative| (number, alternative)));
        }
        let order = Order::of(&all);
        let mut tree = Tree::default();
        let alternatives =
            all.into_iter().map(|(pattern, alternative)| tree.add(pattern, alternative, &order)).collect();
        let (paths, nodes) = tree.finish();
        Self { names, alternatives, paths, nodes }
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Tells the name of every pattern that the event matches, in the order in which they were given.
    pub fn matches(&self, event: &Event<'_>, tell: &mut impl FnMut(&I)) {
        let mut fields: Vec<(u32, &Field<'_>)> =
            event.fields().iter().filter_map(|field| Some((*self.paths.get(event.path(field))?, field))).collect();
        fields.sort_by_key(|(path, _)| *path);
        let fields = Fields { fields };
        let mut found: Vec<u32> = Vec::new();
        for alternative in self.reached(&fields) {
            let Some(known) = self.alternatives.get(alternative as usize) else { continue };
            if known.holds(&fields, event) {
                found.push(known.pattern);
            }
        }
        found.sort_unstable();
        found.dedup();
        for name in found.into_iter().filter_map(|pattern| self.names.get(pattern as usize)) {
            tell(name);
        }
    }

    /// The alternatives of which every condition holds somewhere in the event.
    fn reached(&self, fields: &Fields<'_, '_>) -> Vec<u32> {
        let mut complete = Vec::new();
        let mut waiting = vec![0];
        while let Some(node) = waiting.pop() {
            let Some(node) = self.nodes.get(node as usize) else { continue };
            complete.extend(&node.complete);
            let start = waiting.len();
            if node.fields.len() <= fields.fields.len() {
                for (path, index) in &node.fields {
                    fields.at(*path).for_each(|field| index.find(&field.value, &mut waiting));
                }
            } else {
                for (path, field) in &fields.fields {
                    if let Ok(at) = node.fields.binary_search_by_key(path, |(path, _)| *path)
                        && let Some((_, index)) = node.fields.get(at)
                    {
                        index.find(&field.value, &mut waiting);
                    }
                }
            }
            for (path, to) in &node.absences {
                // Inside a list the element decides, and that is not known yet.
                if fields.at(*path).all(|field| field.place.is_some()) {
                    waiting.push(*to);
                }
            }
            forget_doubles(&mut waiting, start);
        }
        complete
    }
}

/// Several values, or several matchers of one leaf, may lead to the same node; nothing else does, for it is a tree.
fn forget_doubles(nodes: &mut Vec<u32>, start: usize) {
    if nodes.len() > start + 1 {
        let mut new = nodes.split_off(start);
        new.sort_unstable();
        new.dedup();
        nodes.append(&mut new);
    }
}

/// The fields of an event that some pattern asks for, sorted by path.
struct Fields<'e, 'a> {
    fields: Vec<(u32, &'e Field<'a>)>,
}

impl<'e, 'a> Fields<'e, 'a> {
    fn at(&self, path: u32) -> impl Iterator<Item = &'e Field<'a>> + '_ {
        let start = self.fields.partition_point(|(other, _)| *other < path);
        let rest = self.fields.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == path).map(|(_, field)| *field)
    }
}

impl Known {
    fn holds(&self, fields: &Fields<'_, '_>, event: &Event<'_>) -> bool {
        let in_list = |(path, _): &(u32, Arc<Leaf>)| fields.at(*path).any(|field| field.place.is_some());
        if !self.conditions.iter().any(in_list) {
            return true;
        }
        let conditions: Vec<Condition<'_, '_>> =
            self.conditions.iter().map(|(path, leaf)| (leaf.as_ref(), fields.at(*path).collect())).collect();
        consistency::holds(&conditions, event)
    }
}

/// In which order the conditions of an alternative are asked.
struct Order {
    /// How many different exact values are asked for at a path.
    values: HashMap<String, usize>,
}

impl Order {
    fn of(alternatives: &[(u32, Alternative)]) -> Self {
        let mut values: HashMap<&str, HashSet<&str>> = HashMap::default();
        for (path, leaf) in alternatives.iter().flat_map(|(_, alternative)| alternative) {
            if rank(leaf) == 0 {
                values.entry(path).or_default().insert(&leaf.written);
            }
        }
        Self { values: values.into_iter().map(|(path, values)| (path.to_owned(), values.len())).collect() }
    }

    fn sorted(&self, alternative: &Alternative) -> Vec<(String, Arc<Leaf>)> {
        let mut conditions: Vec<_> = alternative.iter().map(|(path, leaf)| (path.clone(), Arc::clone(leaf))).collect();
        let values = |path: &String| self.values.get(path).copied().unwrap_or_default();
        conditions.sort_by_cached_key(|(path, leaf)| (rank(leaf), usize::MAX - values(path), path.clone()));
        conditions
    }
}

/// How many events get past a condition, roughly: exact values let few through, `anything-but` nearly all.
fn rank(leaf: &Leaf) -> u8 {
    let rank = |matcher: &Matcher| match matcher {
        Matcher::Null | Matcher::Bool(_) | Matcher::Number(_) | Matcher::Text(_) | Matcher::IgnoreCase(_) => 0,
        Matcher::Prefix(_)
        | Matcher::Suffix(_)
        | Matcher::PrefixIgnoreCase(_)
        | Matcher::SuffixIgnoreCase(_)
        | Matcher::Wildcard(_)
        | Matcher::Range(_)
        | Matcher::Network(_) => 1,
        Matcher::Exists => 2,
        Matcher::AnythingBut(_) => 3,
        Matcher::Absent => 4,
    };
    leaf.matchers.iter().map(rank).max().unwrap_or_default()
}

/// The tree while it grows.
#[derive(Default)]
struct Tree {
    paths: HashMap<String, u32>,
    nodes: Vec<Growing>,
    /// How many alternatives there are.
    alternatives: u32,
}

#[derive(Default)]
struct Growing {
    complete: Vec<u32>,
    next: HashMap<(u32, String), u32>,
    edges: Vec<(u32, Arc<Leaf>, u32)>,
}

impl Tree {
    fn add(&mut self, pattern: u32, alternative: Alternative, order: &Order) -> Known {
        if self.nodes.is_empty() {
            self.nodes.push(Growing::default());
        }
        let mut node = 0;
        for (path, leaf) in order.sorted(&alternative) {
            let path = self.path(path);
            node = self.next(node, path, leaf);
        }
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.complete.push(self.alternatives);
        }
        self.alternatives += 1;
        let conditions = alternative.into_iter().map(|(path, leaf)| (self.path(path), leaf)).collect();
        Known { pattern, conditions }
    }

    fn path(&mut self, path: String) -> u32 {
        let number = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        *self.paths.entry(path).or_insert(number)
    }

    fn next(&mut self, node: u32, path: u32, leaf: Arc<Leaf>) -> u32 {
        let new = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(growing) = self.nodes.get_mut(node as usize) else { return node };
        if let Some(next) = growing.next.get(&(path, leaf.written.clone())) {
            return *next;
        }
        growing.next.insert((path, leaf.written.clone()), new);
        growing.edges.push((path, leaf, new));
        self.nodes.push(Growing::default());
        new
    }

    fn finish(self) -> (HashMap<String, u32>, Vec<Node>) {
        (self.paths, self.nodes.into_iter().map(Growing::finish).collect())
    }
}

impl Growing {
    fn finish(self) -> Node {
        let mut by_path: BTreeMap<u32, Vec<(Matcher, u32)>> = BTreeMap::new();
        let mut absences = Vec::new();
        for (path, leaf, to) in self.edges {
            for matcher in &leaf.matchers {
                match matcher {
                    Matcher::Absent => absences.push((path, to)),
                    other => by_path.entry(path).or_default().push((other.clone(), to)),
                }
            }
        }
        let fields = by_path.into_iter().map(|(path, matchers)| (path, Index::new(matchers))).collect();
        Node { complete: self.complete, fields, absences }
    }
}
