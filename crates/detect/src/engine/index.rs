//! Which rules an event may match: found by its values, so that the time hardly depends on how many rules there are.
//!
//! Every rule brings guards (see [`sigma`]): conditions that hold whenever it matches. The one that fewest rules share
//! finds the rule; the others are looked at before the rule is asked itself. What an event has in a field is looked up
//! once, and only in fields that a guard needs.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt};
use rsigma_eval::EventValue;

use crate::event::Event;
use crate::facts;
use crate::sigma::{Guard, Wanted};

/// So many rules behind one value cost no more than looking up another field.
const SHARED_MAX: usize = 16;

/// The longest text that is put into lower case without memory of its own.
const SHORT_BYTES: usize = 128;

/// The rules of one source.
#[derive(Debug, Default)]
pub(super) struct Index {
    fields: Vec<Field>,
    /// The fields by which rules are found, with the rules by value.
    entries: Vec<Entry>,
    candidates: Vec<Candidate>,
    /// The candidates without a guard.
    always: Vec<u32>,
    /// How many rules no value finds: those without a guard, or with one that only asks for a field to be there.
    unindexed: usize,
}

#[derive(Debug)]
struct Field {
    path: String,
    texts: HashMap<Box<str>, u32>,
    numbers: HashMap<i64, u32>,
}

#[derive(Debug)]
struct Entry {
    field: u32,
    by_value: HashMap<u32, Vec<u32>>,
}

#[derive(Debug)]
struct Candidate {
    rule: u32,
    guards: Vec<Compiled>,
}

/// A guard: for a field, the values of which it must have one, sorted.
#[derive(Debug)]
struct Compiled {
    fields: Vec<(u32, Vec<u32>)>,
}

/// The value of every field that is there.
const PRESENT: u32 = 0;

impl Index {
    pub(super) fn new(rules: impl IntoIterator<Item = (u32, Vec<Guard>)>) -> Self {
        let rules: Vec<_> = rules.into_iter().collect();
        let statistics = Statistics::of(&rules);
        let mut making = Making::default();
        let mut index = Self::default();
        for (rule, guards) in &rules {
            let rule = *rule;
            let first = guards.iter().enumerate().min_by_key(|(_, guard)| statistics.cost(guard)).map(|(at, _)| at);
            let number = u32::try_from(index.candidates.len()).unwrap_or(u32::MAX);
            let mut compiled: Vec<Compiled> = guards.iter().map(|guard| making.compile(guard)).collect();
            let Some(first) = first else {
                index.always.push(number);
                index.unindexed += 1;
                index.candidates.push(Candidate { rule, guards: compiled });
                continue;
            };
            let primary = compiled.swap_remove(first);
            index.unindexed += usize::from(primary.fields.iter().any(|(_, values)| values.contains(&PRESENT)));
            for (field, values) in primary.fields {
                making.enter(field, &values, number);
            }
            index.candidates.push(Candidate { rule, guards: compiled });
        }
        index.fields = making.fields;
        index.entries = making.entries.into_iter().map(|(field, by_value)| Entry { field, by_value }).collect();
        index
    }

    pub(super) fn unindexed(&self) -> usize {
        self.unindexed
    }

    /// Tells every rule whose guards an event satisfies; one may be told more than once.
    pub(super) fn candidates(&self, event: &Event<'_>, tell: &mut impl FnMut(u32)) {
        let mut known = Known { index: self, event, fields: Vec::new() };
        for entry in &self.entries {
            let values = known.values(entry.field);
            for value in 0..values {
                let Some(found) = known.value(entry.field, value).and_then(|value| entry.by_value.get(&value)) else {
                    continue;
                };
                for candidate in found.iter().filter_map(|number| self.candidates.get(*number as usize)) {
                    if known.satisfies(candidate) {
                        tell(candidate.rule);
                    }
                }
            }
        }
        for candidate in self.always.iter().filter_map(|number| self.candidates.get(*number as usize)) {
            if known.satisfies(candidate) {
                tell(candidate.rule);
            }
        }
    }
}

/// What has been looked up of one event.
struct Known<'k> {
    index: &'k Index,
    event: &'k Event<'k>,
    fields: Vec<(u32, Vec<u32>)>,
}

impl Known<'_> {
    /// Looks a field up, if that was not done; how many values of guards it has.
    fn values(&mut self, field: u32) -> usize {
        if let Some((_, values)) = self.fields.iter().find(|(known, _)| *known == field) {
            return values.len();
        }
        let values = self.index.fields.get(field as usize).map(|field| field.values(self.event)).unwrap_or_default();
        let count = values.len();
        self.fields.push((field, values));
        count
    }

    fn value(&self, field: u32, number: usize) -> Option<u32> {
        self.fields.iter().find(|(known, _)| *known == field)?.1.get(number).copied()
    }

    fn satisfies(&mut self, candidate: &Candidate) -> bool {
        candidate.guards.iter().all(|guard| {
            guard.fields.iter().any(|(field, wanted)| {
                let count = self.values(*field);
                (0..count)
                    .any(|number| self.value(*field, number).is_some_and(|value| wanted.binary_search(&value).is_ok()))
            })
        })
    }
}

impl Field {
    /// The numbers of the values that an event has here, of those that some guard asks for.
    fn values(&self, event: &Event<'_>) -> Vec<u32> {
        let mut values = Vec::new();
        if let Some(value) = event.field(&self.path) {
            values.push(PRESENT);
            self.add(&value, &mut values);
        }
        values
    }

    fn add(&self, value: &EventValue<'_>, values: &mut Vec<u32>) {
        match value {
            EventValue::Str(text) => {
                if !self.texts.is_empty() {
                    values.extend(self.text(text));
                }
                if !self.numbers.is_empty() {
                    values.extend(text.parse().ok().and_then(|number| self.number(number)));
                }
            }
            EventValue::Int(_) | EventValue::Float(_) | EventValue::Bool(_) => {
                if !self.texts.is_empty() {
                    values.extend(value.as_str().and_then(|text| self.text(&text)));
                }
                if !self.numbers.is_empty() && !matches!(value, EventValue::Bool(_)) {
                    values.extend(value.as_f64().and_then(|number| self.number(number)));
                }
            }
            EventValue::Array(elements) => elements.iter().for_each(|element| self.add(element, values)),
            EventValue::Null | EventValue::Map(_) => {}
        }
    }

    fn text(&self, text: &str) -> Option<u32> {
        let mut short = [0_u8; SHORT_BYTES];
        match short.get_mut(..text.len()) {
            Some(lower) if text.is_ascii() => {
                lower.copy_from_slice(text.as_bytes());
                lower.make_ascii_lowercase();
                self.texts.get(std::str::from_utf8(lower).ok()?).copied()
            }
            _ => self.texts.get(text.to_lowercase().as_str()).copied(),
        }
    }

    /// Sigma's numbers are equal when they differ by less than the smallest step at 1.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number beyond the range becomes one that no guard holds or its neighbour, which the rule refuses"
    )]
    fn number(&self, number: f64) -> Option<u32> {
        let whole = number.round();
        ((whole - number).abs() < f64::EPSILON).then(|| self.numbers.get(&(whole as i64)).copied())?
    }
}

/// How many rules ask for what.
struct Statistics<'g> {
    values: HashMap<(&'g str, &'g Wanted), usize>,
    fields: HashMap<&'g str, usize>,
}

impl<'g> Statistics<'g> {
    fn of(rules: &'g [(u32, Vec<Guard>)]) -> Self {
        let mut statistics = Self { values: HashMap::new(), fields: HashMap::new() };
        for (field, wanted) in rules.iter().flat_map(|(_, guards)| guards).flat_map(|guard| &guard.any) {
            *statistics.values.entry((field, wanted)).or_default() += 1;
            *statistics.fields.entry(field).or_default() += 1;
        }
        statistics
    }

    /// How bad it is to find a rule by this guard; smaller is better.
    fn cost(&self, guard: &Guard) -> (bool, bool, usize, Reverse<usize>, usize) {
        let weak = guard.any.iter().any(|(_, wanted)| *wanted == Wanted::Present);
        let fact = guard.any.iter().any(|(field, _)| field.starts_with(facts::PREFIX));
        let shared =
            |(field, wanted): &(String, Wanted)| self.values.get(&(field.as_str(), wanted)).copied().unwrap_or(0);
        let shared = guard.any.iter().map(shared).max().unwrap_or(0);
        let popular = |(field, _): &(String, Wanted)| self.fields.get(field.as_str()).copied().unwrap_or(0);
        let popular = guard.any.iter().map(popular).min().unwrap_or(0);
        (weak, fact, shared.max(SHARED_MAX), Reverse(popular), guard.any.len())
    }
}

#[derive(Default)]
struct Making {
    fields: Vec<Field>,
    numbers: HashMap<String, u32>,
    entries: BTreeMap<u32, HashMap<u32, Vec<u32>>>,
}

impl Making {
    fn compile(&mut self, guard: &Guard) -> Compiled {
        let mut fields: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (path, wanted) in &guard.any {
            let field = self.field(path);
            let value = self.value(field, wanted);
            fields.entry(field).or_default().push(value);
        }
        let mut fields: Vec<_> = fields.into_iter().collect();
        for (_, values) in &mut fields {
            values.sort_unstable();
            values.dedup();
        }
        Compiled { fields }
    }

    fn field(&mut self, path: &str) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = u32::try_from(self.fields.len()).unwrap_or(u32::MAX);
        self.fields.push(Field { path: path.to_owned(), texts: HashMap::new(), numbers: HashMap::new() });
        self.numbers.insert(path.to_owned(), number);
        number
    }

    fn value(&mut self, field: u32, wanted: &Wanted) -> u32 {
        let Some(field) = self.fields.get_mut(field as usize) else { return PRESENT };
        let next = u32::try_from(field.texts.len() + field.numbers.len() + 1).unwrap_or(u32::MAX);
        match wanted {
            Wanted::Present => PRESENT,
            Wanted::Text(text) => *field.texts.entry(text.as_str().into()).or_insert(next),
            Wanted::Number(number) => *field.numbers.entry(*number).or_insert(next),
        }
    }

    fn enter(&mut self, field: u32, values: &[u32], candidate: u32) {
        let by_value = self.entries.entry(field).or_default();
        for value in values {
            by_value.entry(*value).or_default().push(candidate);
        }
    }
}
