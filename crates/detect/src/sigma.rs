//! What Sigma's tree says: which fields it names, and what an event must have for it to match at all.

use rsigma_parser::{
    ArrayQuantifier, ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaRule, SigmaValue,
};

/// The most values that a guard is made of: past it the guard says too little to be worth looking up.
const GUARD_VALUES_MAX: usize = 4_096;

/// The most guards that one rule brings: the first few decide, the rest is checked by the rule itself.
const GUARDS_MAX: usize = 8;

/// Calls `tell` with every field that a detection names.
pub(crate) fn each_field(detection: &Detection, tell: &mut dyn FnMut(&str)) {
    match detection {
        Detection::AllOf(items) => {
            for item in items {
                if let Some(field) = &item.field.name {
                    tell(field);
                }
                if item.field.has_modifier(Modifier::FieldRef) {
                    item.values.iter().for_each(|value| tell(&value.to_string()));
                }
            }
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| each_field(part, tell)),
        // Fields inside the block are below the list, and no fact is a list of objects.
        Detection::ArrayMatch { field, .. } => tell(field),
        Detection::Keywords(_) | Detection::Conditional { .. } => {}
    }
}

/// A value that a field must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Wanted {
    /// This text, in lower case.
    Text(String),
    /// This number.
    Number(i64),
    /// Any value, `null` included.
    Present,
}

/// A necessary condition: one of these fields has one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) any: Vec<(String, Wanted)>,
}

impl Guard {
    fn present(field: &str) -> Self {
        Self { any: vec![(field.to_owned(), Wanted::Present)] }
    }

    /// The field, where it is only one.
    fn field(&self) -> Option<&str> {
        let (first, _) = self.any.first()?;
        self.any.iter().all(|(field, _)| field == first).then_some(first)
    }

    fn is_weak(&self) -> bool {
        self.any.iter().any(|(_, wanted)| *wanted == Wanted::Present)
    }
}

/// The guards of a rule, all of which hold whenever it matches; none where nothing can be said.
pub(crate) fn guards(rule: &SigmaRule) -> Vec<Guard> {
    let branches = rule.detection.conditions.iter().map(|condition| of_condition(condition, &rule.detection));
    let mut guards = any_of(&branches.collect::<Vec<_>>());
    guards.truncate(GUARDS_MAX);
    guards
}

fn of_condition(condition: &ConditionExpr, detections: &Detections) -> Vec<Guard> {
    match condition {
        ConditionExpr::And(parts) => parts.iter().flat_map(|part| of_condition(part, detections)).collect(),
        ConditionExpr::Or(parts) => {
            any_of(&parts.iter().map(|part| of_condition(part, detections)).collect::<Vec<_>>())
        }
        ConditionExpr::Not(_) => Vec::new(),
        ConditionExpr::Identifier(name) => detections.named.get(name).map(of_detection).unwrap_or_default(),
        ConditionExpr::Selector { quantifier, pattern } => {
            let named = detections.named.iter().filter(|(name, _)| pattern.matches_detection_name(name));
            let mut named: Vec<_> = named.collect();
            // The parser keeps them in no order, and the index should be the same at every start.
            named.sort_unstable_by_key(|(name, _)| name.as_str());
            let branches: Vec<_> = named.into_iter().map(|(_, detection)| of_detection(detection)).collect();
            match quantifier {
                Quantifier::Count(0) => Vec::new(),
                Quantifier::All => branches.into_iter().flatten().collect(),
                Quantifier::Any | Quantifier::Count(_) => any_of(&branches),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Vec<Guard> {
    match detection {
        Detection::AllOf(items) => items.iter().filter_map(of_item).collect(),
        Detection::AnyOf(parts) => any_of(&parts.iter().map(of_detection).collect::<Vec<_>>()),
        Detection::And(parts) => parts.iter().flat_map(of_detection).collect(),
        Detection::ArrayMatch { field, quantifier: ArrayQuantifier::Any | ArrayQuantifier::All, .. } => {
            vec![Guard::present(field)]
        }
        Detection::ArrayMatch { .. } | Detection::Keywords(_) | Detection::Conditional { .. } => Vec::new(),
    }
}

fn of_item(item: &DetectionItem) -> Option<Guard> {
    let field = item.field.name.as_deref()?;
    if item.field.has_modifier(Modifier::Exists) {
        return matches!(item.values.as_slice(), [SigmaValue::Bool(true)]).then(|| Guard::present(field));
    }
    if item.values.is_empty() || item.values.iter().any(|value| matches!(value, SigmaValue::Null)) {
        return None;
    }
    let equality = item.field.modifiers.iter().all(|modifier| *modifier == Modifier::Cased);
    let wanted: Option<Vec<Wanted>> = if equality { item.values.iter().map(wanted).collect() } else { None };
    Some(match wanted {
        Some(wanted) if wanted.len() <= GUARD_VALUES_MAX => {
            Guard { any: wanted.into_iter().map(|wanted| (field.to_owned(), wanted)).collect() }
        }
        _ => Guard::present(field),
    })
}

/// What an event must have to equal a value; nothing where that is not one value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "only whole numbers that a double holds exactly pass"
)]
fn wanted(value: &SigmaValue) -> Option<Wanted> {
    match value {
        SigmaValue::String(text) => text.as_plain().map(|text| Wanted::Text(text.to_lowercase())),
        SigmaValue::Integer(number) => ((*number as f64) as i64 == *number).then_some(Wanted::Number(*number)),
        SigmaValue::Float(_) | SigmaValue::Bool(_) | SigmaValue::Null => None,
    }
}

/// The guards of alternatives: for each field that all of them ask for, its values together; else whatever each asks for.
fn any_of(branches: &[Vec<Guard>]) -> Vec<Guard> {
    let Some((first, others)) = branches.split_first() else { return Vec::new() };
    if others.is_empty() {
        return first.clone();
    }
    let mut guards = Vec::new();
    for field in first.iter().filter_map(Guard::field) {
        let same = branches.iter().map(|branch| branch.iter().find(|guard| guard.field() == Some(field)));
        guards.extend(together(same));
    }
    if guards.iter().all(Guard::is_weak) {
        let best = branches.iter().map(|branch| branch.iter().min_by_key(|guard| (guard.is_weak(), guard.any.len())));
        guards.extend(together(best));
    }
    guards
}

fn together<'g>(parts: impl Iterator<Item = Option<&'g Guard>>) -> Option<Guard> {
    let mut any = Vec::new();
    for part in parts {
        any.extend(part?.any.iter().cloned());
    }
    any.sort_unstable();
    any.dedup();
    (any.len() <= GUARD_VALUES_MAX).then_some(Guard { any })
}
