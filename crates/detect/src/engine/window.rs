//! What a rule counts in a window, and when that is enough.

use foldhash::{HashSet, HashSetExt};
use rsigma_parser::{ConditionExpr, ConditionOperator, Quantifier};

use crate::event::Event;
use crate::state::{Entry, Key};

/// The window of a rule with `count`, or of a correlation.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) span_ms: i64,
    /// The fields by which it groups.
    pub(super) by: Vec<By>,
    pub(super) measure: Measure,
    pub(super) enough: Enough,
}

/// A field by which a window groups.
#[derive(Debug, Clone)]
pub(super) struct By {
    pub(super) name: String,
    /// Its path in the events of each of the rules that are correlated.
    pub(super) paths: Vec<String>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Measure {
    Events,
    Distinct(Vec<String>),
    Sum(String),
    /// Which of the rules.
    Rules,
}

/// When it holds.
#[derive(Debug, Clone)]
pub(super) enum Enough {
    /// All of these of the number.
    Numbers(Vec<(ConditionOperator, u64)>),
    /// Every rule, of so many; in their order or in any.
    AllRules { count: usize, ordered: bool },
    /// An expression of the rules' names, and in their order where that is asked.
    Expression { expression: ConditionExpr, names: Vec<Vec<String>>, ordered: bool },
}

impl By {
    pub(super) fn path(&self, reference: usize) -> &str {
        self.paths.get(reference).unwrap_or(&self.name)
    }
}

/// The texts of a field, sorted, each once: what identities and groups are made of.
pub(super) fn values(event: &Event<'_>, path: &str) -> Vec<String> {
    let mut values: Vec<String> = event.texts(path).into_iter().map(std::borrow::Cow::into_owned).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// The key of an event's values of fields; nothing where it lacks one.
pub(super) fn key<'f>(event: &Event<'_>, fields: impl IntoIterator<Item = &'f str>) -> Option<Key> {
    let mut parts = Vec::new();
    for field in fields {
        let values = values(event, field);
        if values.is_empty() {
            return None;
        }
        parts.push(values.len().to_string());
        parts.extend(values);
    }
    Some(Key::of(parts.iter().map(String::as_str)))
}

impl Window {
    /// The group of an event.
    pub(super) fn group(&self, event: &Event<'_>, reference: usize) -> Option<Key> {
        key(event, self.by.iter().map(|by| by.path(reference)))
    }

    /// What an event counts; nothing where it lacks what is counted.
    pub(super) fn value(&self, event: &Event<'_>, reference: usize) -> Option<u64> {
        match &self.measure {
            Measure::Events => Some(0),
            Measure::Distinct(fields) => key(event, fields.iter().map(String::as_str)).map(|key| key.0),
            Measure::Sum(field) => {
                let number = event.field(field)?.as_f64().filter(|number| number.is_finite())?;
                Some(number.to_bits())
            }
            Measure::Rules => Some(reference as u64),
        }
    }

    /// Whether the condition holds of the events of a window.
    pub(super) fn holds(&self, entries: &[Entry]) -> bool {
        match &self.enough {
            Enough::Numbers(tests) => self.numbers(tests, entries),
            Enough::AllRules { count, ordered: true } => in_order(0..*count, entries),
            Enough::AllRules { count, ordered: false } => fired(entries).len() >= *count,
            Enough::Expression { expression, names, ordered } => {
                let fired = fired(entries);
                expression_holds(expression, names, &fired) && (!ordered || in_order(0..names.len(), entries))
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum is compared as it is added: in doubles")]
    fn numbers(&self, tests: &[(ConditionOperator, u64)], entries: &[Entry]) -> bool {
        let number = match &self.measure {
            Measure::Events => entries.len() as u64,
            Measure::Distinct(_) | Measure::Rules => distinct(entries, enough_for(tests)),
            Measure::Sum(_) => {
                let sum: f64 = entries.iter().map(|entry| f64::from_bits(entry.value)).sum();
                return tests.iter().all(|(operator, bound)| compare(*operator, &sum, &(*bound as f64)));
            }
        };
        tests.iter().all(|(operator, bound)| compare(*operator, &number, bound))
    }
}

fn compare<N: PartialOrd>(operator: ConditionOperator, number: &N, bound: &N) -> bool {
    match operator {
        ConditionOperator::Lt => number < bound,
        ConditionOperator::Lte => number <= bound,
        ConditionOperator::Gt => number > bound,
        ConditionOperator::Gte => number >= bound,
        ConditionOperator::Eq => number == bound,
        ConditionOperator::Neq => number != bound,
    }
}

/// From which number on counting further changes no test.
fn enough_for(tests: &[(ConditionOperator, u64)]) -> u64 {
    tests.iter().map(|(_, bound)| bound.saturating_add(1)).max().unwrap_or(u64::MAX)
}

/// How many different values there are; no more than `enough` are counted.
fn distinct(entries: &[Entry], enough: u64) -> u64 {
    let mut seen = HashSet::new();
    // The newest first: where there are many different ones, they are found soonest in the same part that grew.
    for entry in entries.iter().rev() {
        seen.insert(entry.value);
        if seen.len() as u64 >= enough {
            break;
        }
    }
    seen.len() as u64
}

/// Which rules there are.
fn fired(entries: &[Entry]) -> HashSet<u64> {
    entries.iter().map(|entry| entry.value).collect()
}

/// Whether there is an event of each rule, none earlier than that of the rule before. CloudTrail tells whole seconds,
/// so events of the same time count as in order.
fn in_order(rules: std::ops::Range<usize>, entries: &[Entry]) -> bool {
    let mut earliest_ms = i64::MIN;
    for rule in rules {
        let next = entries.iter().find(|entry| entry.value == rule as u64 && entry.time_ms >= earliest_ms);
        match next {
            Some(entry) => earliest_ms = entry.time_ms,
            None => return false,
        }
    }
    true
}

fn expression_holds(expression: &ConditionExpr, names: &[Vec<String>], fired: &HashSet<u64>) -> bool {
    let has = |rule: usize| fired.contains(&(rule as u64));
    match expression {
        ConditionExpr::And(parts) => parts.iter().all(|part| expression_holds(part, names, fired)),
        ConditionExpr::Or(parts) => parts.iter().any(|part| expression_holds(part, names, fired)),
        ConditionExpr::Not(part) => !expression_holds(part, names, fired),
        ConditionExpr::Identifier(name) => {
            names.iter().enumerate().any(|(rule, known)| known.contains(name) && has(rule))
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen = names
                .iter()
                .enumerate()
                .filter(|(_, known)| known.iter().any(|name| pattern.matches_detection_name(name)));
            let chosen: Vec<bool> = chosen.map(|(rule, _)| has(rule)).collect();
            let count = chosen.iter().filter(|has| **has).count() as u64;
            match quantifier {
                Quantifier::Any => count >= 1,
                Quantifier::All => count == chosen.len() as u64,
                Quantifier::Count(needed) => count >= *needed,
            }
        }
    }
}
