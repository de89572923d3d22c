//! Rules that belong together: who correlates whom, who tells findings, who counts what.

use std::collections::BTreeMap;

use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType};

use super::window::{By, Enough, Measure, Window};
use crate::facts::PREFIX;
use crate::rule::{Counted, Logic, Rule};
use crate::source::Source;
use crate::time;

/// The most rules of an engine: ten times what the largest public collection has.
pub(super) const RULES_MAX: usize = 50_000;

/// Rules that cannot be used as they are; the others can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Two rules have one id.
    #[error("`{rule}` has the same id as `{other}`: `{id}`")]
    DoubleId {
        /// The one that is left out.
        rule: String,
        /// The one that stays.
        other: String,
        /// The id of both.
        id: String,
    },
    /// A correlation names a rule that is not there, or not in use.
    #[error("`{rule}` correlates `{missing}`, which is not the id or the name of a rule")]
    Unknown {
        /// The correlation.
        rule: String,
        /// What it names.
        missing: String,
    },
    /// Correlations correlate each other.
    #[error("`{rule}` correlates itself, directly or by way of others")]
    Circle {
        /// One of them.
        rule: String,
    },
    /// What makes a finding is not what its events are grouped by.
    #[error("`{field}` belongs to the identity of `{rule}`, which does not group by it")]
    Ungrouped {
        /// The rule.
        rule: String,
        /// The field.
        field: String,
    },
    /// A correlation names a fact that none of its logs has.
    #[error("`{rule}` names `{fact}`, which none of the logs that it correlates has")]
    UnknownFact {
        /// The correlation.
        rule: String,
        /// The fact, with `fact.`.
        fact: String,
    },
    /// There are too many rules.
    #[error("there are more than {RULES_MAX} rules; `{rule}` and those after it are left out")]
    TooMany {
        /// The first that is left out.
        rule: String,
    },
}

/// How rules hang together, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) windows: Vec<Option<Window>>,
    /// For every rule, the correlations that name it, and as which of their rules.
    pub(super) listeners: Vec<Vec<(usize, usize)>>,
    /// Whether a rule makes findings of its own.
    pub(super) reports: Vec<bool>,
    /// For every rule, the rules that a correlation names; nothing for others.
    pub(super) parts: Vec<Vec<usize>>,
}

/// Links rules; those that cannot be are taken out of `rules`.
pub(super) fn link(rules: &mut Vec<Rule>) -> (Links, Vec<LinkError>) {
    let mut errors = Vec::new();
    unique(rules, &mut errors);
    // Taking a correlation out may leave another without what it names.
    loop {
        match attempt(rules) {
            Ok(links) => return (links, errors),
            Err(broken) => {
                let mut names = Vec::new();
                for (number, error) in broken {
                    names.push(number);
                    errors.push(error);
                }
                let mut number = 0;
                rules.retain(|_| {
                    number += 1;
                    !names.contains(&(number - 1))
                });
            }
        }
    }
}

fn unique(rules: &mut Vec<Rule>, errors: &mut Vec<LinkError>) {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    rules.retain(|rule| {
        if let Some(other) = ids.get(&rule.id) {
            errors.push(LinkError::DoubleId { rule: rule.name.clone(), other: other.clone(), id: rule.id.clone() });
            return false;
        }
        ids.insert(rule.id.clone(), rule.name.clone());
        true
    });
    if let Some(first) = rules.get(RULES_MAX) {
        errors.push(LinkError::TooMany { rule: first.name.clone() });
        rules.truncate(RULES_MAX);
    }
}

type Broken = Vec<(usize, LinkError)>;

fn attempt(rules: &[Rule]) -> Result<Links, Broken> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, rule) in rules.iter().enumerate().rev() {
        for name in [Some(rule.id.as_str()), rule.alias.as_deref()].into_iter().flatten() {
            names.insert(name, number);
        }
    }
    let mut links = Links {
        windows: vec![None; rules.len()],
        listeners: vec![Vec::new(); rules.len()],
        reports: vec![true; rules.len()],
        parts: vec![Vec::new(); rules.len()],
    };
    let mut broken = Broken::new();
    let mut silent = vec![false; rules.len()];
    let mut loud = vec![false; rules.len()];
    for (number, rule) in rules.iter().enumerate() {
        let window = match &rule.logic {
            Logic::Correlation(correlation) => match parts(rule, correlation, &names) {
                Ok(parts) => {
                    for (reference, part) in parts.iter().enumerate() {
                        set(&mut silent, *part);
                        if correlation.generate {
                            set(&mut loud, *part);
                        }
                        if let Some(listeners) = links.listeners.get_mut(*part) {
                            listeners.push((number, reference));
                        }
                    }
                    let window = of_correlation(correlation, rules, &parts);
                    if let Some(slot) = links.parts.get_mut(number) {
                        *slot = parts;
                    }
                    Some(window)
                }
                Err(error) => {
                    broken.push((number, error));
                    continue;
                }
            },
            Logic::Events { .. } | Logic::Pattern(_) => of_count(rule),
        };
        if let Some(window) = &window
            && let Some(field) = rule.identity.iter().find(|field| window.by.iter().all(|by| by.name != **field))
        {
            broken.push((number, LinkError::Ungrouped { rule: rule.name.clone(), field: field.clone() }));
        }
        if let Some(slot) = links.windows.get_mut(number) {
            *slot = window;
        }
    }
    broken.extend(circles(rules, &links.parts));
    if broken.is_empty() {
        broken.extend(facts(rules, &links));
    }
    for (report, (silent, loud)) in links.reports.iter_mut().zip(silent.into_iter().zip(loud)) {
        *report = !silent || loud;
    }
    if broken.is_empty() { Ok(links) } else { Err(broken) }
}

fn set(flags: &mut [bool], number: usize) {
    if let Some(flag) = flags.get_mut(number) {
        *flag = true;
    }
}

fn parts(rule: &Rule, correlation: &CorrelationRule, names: &BTreeMap<&str, usize>) -> Result<Vec<usize>, LinkError> {
    let find = |name: &String| {
        let found = names.get(name.as_str()).or_else(|| names.get(name.to_ascii_lowercase().as_str()));
        found.copied().ok_or_else(|| LinkError::Unknown { rule: rule.name.clone(), missing: name.clone() })
    };
    correlation.rules.iter().map(find).collect()
}

/// Correlations that reach themselves.
fn circles(rules: &[Rule], parts: &[Vec<usize>]) -> Broken {
    let mut broken = Broken::new();
    for (number, rule) in rules.iter().enumerate() {
        let mut waiting: Vec<usize> = parts.get(number).cloned().unwrap_or_default();
        let mut reached = waiting.clone();
        while let Some(next) = waiting.pop() {
            for part in parts.get(next).into_iter().flatten() {
                if !reached.contains(part) {
                    reached.push(*part);
                    waiting.push(*part);
                }
            }
        }
        if reached.contains(&number) {
            broken.push((number, LinkError::Circle { rule: rule.name.clone() }));
        }
    }
    broken
}

/// Correlations that name facts which no log of theirs has: a slip of the pen that would never be noticed otherwise.
fn facts(rules: &[Rule], links: &Links) -> Broken {
    let mut broken = Broken::new();
    for (number, rule) in rules.iter().enumerate() {
        let Logic::Correlation(_) = &rule.logic else { continue };
        let sources = sources(number, rules, &links.parts);
        let mut named: Vec<&String> = rule.identity.iter().chain(&rule.resource).collect();
        let words = rule.words.as_ref().map(crate::rule::Words::fields).unwrap_or_default();
        named.extend(&words);
        let window = links.windows.get(number).and_then(Option::as_ref);
        let by = window.map(|window| window.by.as_slice()).unwrap_or_default();
        let alias = |field: &String| by.iter().any(|by| by.name == *field && by.paths.iter().any(|path| path != field));
        named.retain(|field| !alias(field));
        named.extend(by.iter().flat_map(|by| &by.paths));
        let unknown = named.into_iter().find(|field| {
            field.starts_with(PREFIX)
                && !sources.is_empty()
                && sources.iter().all(|source| source.fact(field).is_none())
        });
        if let Some(fact) = unknown {
            broken.push((number, LinkError::UnknownFact { rule: rule.name.clone(), fact: fact.clone() }));
        }
    }
    broken
}

/// The logs that a correlation reads, by way of others too.
fn sources(number: usize, rules: &[Rule], parts: &[Vec<usize>]) -> Vec<&'static Source> {
    let mut sources: Vec<&'static Source> = Vec::new();
    let mut waiting = vec![number];
    while let Some(next) = waiting.pop() {
        waiting.extend(parts.get(next).into_iter().flatten());
        sources.extend(rules.get(next).and_then(Rule::source));
    }
    sources
}

fn of_count(rule: &Rule) -> Option<Window> {
    let count = rule.count.as_ref()?;
    let measure = match &count.of {
        Counted::Events => Measure::Events,
        Counted::Distinct(fields) => Measure::Distinct(fields.clone()),
        Counted::Sum(field) => Measure::Sum(field.clone()),
    };
    Some(Window {
        span_ms: count.within_ms,
        by: count.by.iter().map(|name| By { name: name.clone(), paths: Vec::new() }).collect(),
        measure,
        enough: Enough::Numbers(vec![(ConditionOperator::Gte, count.at_least)]),
    })
}

fn of_correlation(correlation: &CorrelationRule, rules: &[Rule], parts: &[usize]) -> Window {
    // Every name by which the correlation may mean each of its rules.
    let names: Vec<Vec<String>> = correlation
        .rules
        .iter()
        .zip(parts)
        .map(|(written, part)| {
            let rule = rules.get(*part);
            let alias = rule.and_then(|rule| rule.alias.clone());
            [Some(written.clone()), rule.map(|rule| rule.id.clone()), alias].into_iter().flatten().collect()
        })
        .collect();
    let by: Vec<By> = correlation
        .group_by
        .iter()
        .map(|name| {
            let alias = correlation.aliases.iter().find(|alias| alias.alias == *name);
            let path = |known: &Vec<String>| {
                let mapped = alias.and_then(|alias| known.iter().find_map(|name| alias.mapping.get(name)));
                mapped.unwrap_or(name).clone()
            };
            By { name: name.clone(), paths: names.iter().map(path).collect() }
        })
        .collect();
    let field = match &correlation.condition {
        CorrelationCondition::Threshold { field, .. } => field.clone().unwrap_or_default(),
        CorrelationCondition::Extended(_) => Vec::new(),
    };
    let ordered = correlation.correlation_type == CorrelationType::TemporalOrdered;
    let measure = match correlation.correlation_type {
        CorrelationType::Temporal | CorrelationType::TemporalOrdered => Measure::Rules,
        CorrelationType::ValueCount => Measure::Distinct(field.clone()),
        CorrelationType::ValueSum => Measure::Sum(field.first().cloned().unwrap_or_default()),
        _ => Measure::Events,
    };
    let enough = match &correlation.condition {
        CorrelationCondition::Extended(expression) => {
            Enough::Expression { expression: expression.clone(), names, ordered }
        }
        // What the parser says of a temporal correlation without a condition, which means all of its rules.
        CorrelationCondition::Threshold { predicates, .. }
            if measure == Measure::Rules && (ordered || predicates.as_slice() == [(ConditionOperator::Gte, 1)]) =>
        {
            Enough::AllRules { count: names.len(), ordered }
        }
        CorrelationCondition::Threshold { predicates, .. } => Enough::Numbers(predicates.clone()),
    };
    // The loader has checked the span.
    let span_ms = time::span_of(&correlation.timespan).unwrap_or(0);
    Window { span_ms, by, measure, enough }
}
