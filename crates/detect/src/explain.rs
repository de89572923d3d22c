//! Why a rule matches an event, or does not: which condition held, with what the event has.

use rsigma_eval::{ConditionTrace, DetectionTrace, ItemTrace, MatchReason};
use serde::Serialize;
use serde_json::Value;

use crate::engine::dressed;
use crate::event::Event;
use crate::rule::{Counted, Logic, Rule};

/// The most elements of a list that a step shows.
const MEMBERS_MAX: usize = 16;

/// What a rule says of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The rule's name.
    pub rule: String,
    /// Whether the rule is about events of this log at all. A correlation is about other rules.
    pub applies: bool,
    /// Whether the conditions on the event hold. What a rule counts or has learnt is not asked here.
    pub matched: bool,
    /// The conditions, one of which must hold; of an event pattern, those that do not.
    pub steps: Vec<Step>,
    /// What else it takes: `new` or `count`, as the fields and their values in this event.
    pub memory: Vec<Remembered>,
}

/// What `new` and `count` ask of the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remembered {
    /// `new` or `count`.
    pub what: &'static str,
    /// The fields with the values that the event has; a field without any is why nothing is remembered.
    pub fields: Vec<(String, Vec<String>)>,
}

/// A condition, and what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What it asks.
    pub ask: Ask,
    /// Whether it held.
    pub held: bool,
    /// What it is made of.
    pub parts: Vec<Step>,
}

/// What a condition asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Ask {
    /// A named part of the rule holds.
    Named {
        /// Its name.
        name: String,
    },
    /// All parts hold.
    All,
    /// One part holds.
    Any,
    /// The part does not hold.
    Not,
    /// So many parts hold.
    AtLeast {
        /// How many must.
        needed: u64,
        /// How many do.
        held: u64,
    },
    /// Elements of a list hold.
    Elements {
        /// The list.
        field: String,
        /// `any`, `all`, `all_or_empty` or `none`.
        quantifier: String,
        /// How many there are.
        count: usize,
    },
    /// A field has a value; without a field: a text anywhere in the event.
    Field {
        /// The field.
        field: Option<String>,
        /// How it is compared.
        comparison: String,
        /// With what.
        expected: Option<String>,
        /// What the event has.
        actual: Option<Value>,
        /// `matched`, `field_absent`, `value_mismatch`, `case_mismatch`, `existence`, `no_keyword_match`.
        reason: String,
    },
}

impl Rule {
    /// Which of the rule's conditions an event satisfies.
    pub fn explain(&self, event: &Event<'_>) -> Explanation {
        let (applies, matched, steps) = match &self.logic {
            Logic::Events { source: Some(source), compiled, .. } if source.name == event.source().name => {
                let trace = rsigma_eval::explain_rule(compiled, event);
                (true, trace.matched, trace.conditions.into_iter().map(condition).collect())
            }
            Logic::Pattern(pattern) if event.source().name == "cloudtrail" => {
                let misses = pattern.misses(&dressed(event));
                let steps = misses.iter().map(|miss| Step {
                    ask: Ask::Field {
                        field: Some(miss.path.clone()),
                        comparison: "pattern".to_owned(),
                        expected: None,
                        actual: miss
                            .path
                            .strip_prefix("detail.")
                            .and_then(|path| event.field(path))
                            .map(|value| value.to_json()),
                        reason: format!("{:?}", miss.reason),
                    },
                    held: false,
                    parts: Vec::new(),
                });
                (true, misses.is_empty(), steps.collect())
            }
            _ => (false, false, Vec::new()),
        };
        Explanation { rule: self.name.clone(), applies, matched, steps, memory: self.remembered(event) }
    }

    fn remembered(&self, event: &Event<'_>) -> Vec<Remembered> {
        let fields = |fields: Vec<&String>| {
            let values = |field: &String| event.texts(field).into_iter().map(std::borrow::Cow::into_owned).collect();
            fields.into_iter().map(|field| (field.clone(), values(field))).collect()
        };
        let mut remembered = Vec::new();
        if let Some(new) = &self.new {
            remembered.push(Remembered { what: "new", fields: fields(new.of_whom.iter().chain(&new.of).collect()) });
        }
        if let Some(count) = &self.count {
            let of: &[String] = match &count.of {
                Counted::Events => &[],
                Counted::Distinct(fields) => fields,
                Counted::Sum(field) => std::slice::from_ref(field),
            };
            remembered.push(Remembered { what: "count", fields: fields(count.by.iter().chain(of).collect()) });
        }
        remembered
    }
}

fn step(ask: Ask, held: bool, parts: Vec<Step>) -> Step {
    Step { ask, held, parts }
}

fn condition(trace: ConditionTrace) -> Step {
    let conditions = |traces: Vec<ConditionTrace>| traces.into_iter().map(condition).collect();
    match trace {
        ConditionTrace::Selection { name, matched, detection: trace } => {
            step(Ask::Named { name }, matched, vec![detection(trace)])
        }
        ConditionTrace::And { matched, children } => step(Ask::All, matched, conditions(children)),
        ConditionTrace::Or { matched, children } => step(Ask::Any, matched, conditions(children)),
        ConditionTrace::Not { matched, child } => step(Ask::Not, matched, vec![condition(*child)]),
        ConditionTrace::Quantified { matched, need, got, mut branches, .. } => {
            // They come in no order.
            branches.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            let parts = branches.into_iter().map(|branch| {
                step(Ask::Named { name: branch.name }, branch.matched, vec![detection(branch.detection)])
            });
            step(Ask::AtLeast { needed: need, held: got }, matched, parts.collect())
        }
    }
}

fn detection(trace: DetectionTrace) -> Step {
    let items = |items: Vec<ItemTrace>| items.into_iter().map(item).collect();
    let detections = |traces: Vec<DetectionTrace>| traces.into_iter().map(detection).collect();
    match trace {
        DetectionTrace::AllOf { matched, items: traces } => step(Ask::All, matched, items(traces)),
        DetectionTrace::AnyOf { matched, branches } => step(Ask::Any, matched, detections(branches)),
        DetectionTrace::And { matched, branches } => step(Ask::All, matched, detections(branches)),
        DetectionTrace::Keywords { item: trace, .. } => item(trace),
        DetectionTrace::ArrayMatch { field, quantifier, matched, member_count, members, .. } => {
            let parts = members.into_iter().take(MEMBERS_MAX).map(|member| detection(member.detection));
            step(Ask::Elements { field, quantifier, count: member_count }, matched, parts.collect())
        }
        DetectionTrace::Conditional { matched, condition: trace } => step(Ask::All, matched, vec![condition(*trace)]),
        DetectionTrace::Other { kind, matched } => step(Ask::Named { name: kind }, matched, Vec::new()),
    }
}

fn item(trace: ItemTrace) -> Step {
    let reason = match trace.reason {
        MatchReason::Matched => "matched",
        MatchReason::FieldAbsent => "field_absent",
        MatchReason::ValueMismatch => "value_mismatch",
        MatchReason::CaseMismatch => "case_mismatch",
        MatchReason::Existence => "existence",
        MatchReason::NoKeywordMatch => "no_keyword_match",
    };
    let comparison = serde_json::to_value(trace.matcher).ok().and_then(|kind| kind.as_str().map(str::to_owned));
    let ask = Ask::Field {
        field: trace.field,
        comparison: comparison.unwrap_or_default(),
        expected: trace.pattern,
        actual: trace.actual,
        reason: reason.to_owned(),
    };
    step(ask, trace.matched, Vec::new())
}
