//! Whether fields can be found for all conditions of a pattern that come from the same elements of the lists they share.

use std::collections::BTreeSet;

use super::event::{Event, Field, Membership};
use super::matcher::Leaf;

/// What a pattern asks of one path, and the event's fields there.
pub(super) type Condition<'e, 'a> = (&'e Leaf, Vec<&'e Field<'a>>);

/// Whether every condition holds, in the same elements of the lists that they share.
pub(super) fn holds(conditions: &[Condition<'_, '_>], event: &Event<'_>) -> bool {
    let each = conditions
        .iter()
        .all(|(leaf, fields)| leaf.accepts_absence() || fields.iter().any(|field| leaf.accepts(&field.value)));
    if !each || !conditions.iter().flat_map(|(_, fields)| fields).any(|field| field.place.is_some()) {
        let absences = conditions
            .iter()
            .all(|(leaf, fields)| fields.is_empty() || fields.iter().any(|field| leaf.accepts(&field.value)));
        return each && absences;
    }
    let steps: Vec<Step> = conditions.iter().map(|(leaf, fields)| Step::new(leaf, fields, event)).collect();
    Search::new(steps).succeeds()
}

/// One condition with the list elements that would satisfy it.
struct Step {
    /// The elements of every field that has an accepted value; that field's alone make one choice.
    choices: BTreeSet<Membership>,
    /// Whether it will do that no field is there.
    absence: bool,
    /// The elements of every field there is.
    present: BTreeSet<Membership>,
}

impl Step {
    fn new(leaf: &Leaf, fields: &[&Field<'_>], event: &Event<'_>) -> Self {
        let accepted = fields.iter().filter(|field| leaf.accepts(&field.value));
        Self {
            choices: accepted.map(|field| event.membership(field)).collect(),
            absence: leaf.accepts_absence(),
            present: fields.iter().map(|field| event.membership(field)).collect(),
        }
    }
}

/// Goes through the conditions in order, and keeps all the choices of elements that are still possible.
///
/// Paths come sorted, so the fields below one list stand together. What is known of a list is forgotten when the last
/// condition that shares it has been seen; so there are never more states than the lists around one field have elements.
struct Search {
    steps: Vec<Step>,
    /// After which step the absence asked for by a step can be judged: the last that shares a list with it.
    judged_after: Vec<usize>,
}

/// The elements that have been chosen, and the steps that were satisfied by absence and not judged yet.
type State = (Membership, Vec<usize>);

impl Search {
    fn new(steps: Vec<Step>) -> Self {
        let judged_after = steps.iter().enumerate().map(|(index, step)| {
            let lists = lists(&step.present);
            let last = steps.iter().rposition(|other| !lists.is_disjoint(&self::lists(&other.choices)));
            last.map_or(index, |last| last.max(index))
        });
        let judged_after = judged_after.collect();
        Self { steps, judged_after }
    }

    fn succeeds(&self) -> bool {
        let mut states: BTreeSet<State> = [State::default()].into();
        for (index, step) in self.steps.iter().enumerate() {
            let needed = self.lists_needed_after(index);
            let mut next = BTreeSet::new();
            for (chosen, absent) in &states {
                let absence = step.absence.then(|| {
                    let absent = absent.iter().copied().chain([index]).collect();
                    (chosen.clone(), absent)
                });
                let choices = step.choices.iter().filter_map(|choice| Some((merged(chosen, choice)?, absent.clone())));
                for (mut chosen, mut absent) in choices.chain(absence) {
                    if self.judge(index, &chosen, &mut absent) {
                        chosen.retain(|(list, _)| needed.contains(list));
                        next.insert((chosen, absent));
                    }
                }
            }
            states = next;
        }
        !states.is_empty()
    }

    /// Whether the fields that had to be absent are, as far as that can be said after this step.
    fn judge(&self, index: usize, chosen: &Membership, absent: &mut Vec<usize>) -> bool {
        let is_due = |step: &usize| self.judged_after.get(*step).is_some_and(|after| *after <= index);
        let is_absent = |step: &usize| {
            let step = self.steps.get(*step);
            step.is_some_and(|step| !step.present.iter().any(|field| merged(chosen, field).is_some()))
        };
        let good = absent.iter().filter(|step| is_due(step)).all(is_absent);
        absent.retain(|step| !is_due(step));
        good
    }

    fn lists_needed_after(&self, index: usize) -> BTreeSet<usize> {
        let later = self.steps.iter().skip(index + 1).flat_map(|step| lists(&step.choices));
        let waiting = self.steps.iter().zip(&self.judged_after).filter(|(_, after)| **after > index);
        later.chain(waiting.flat_map(|(step, _)| lists(&step.present))).collect()
    }
}

fn lists(memberships: &BTreeSet<Membership>) -> BTreeSet<usize> {
    memberships.iter().flatten().map(|(list, _)| *list).collect()
}

/// Both together, or nothing where they want different elements of one list.
fn merged(first: &Membership, second: &Membership) -> Option<Membership> {
    let mut merged = first.clone();
    for (list, element) in second {
        match merged.binary_search_by_key(list, |(list, _)| *list) {
            Ok(at) => {
                if merged.get(at).is_none_or(|(_, chosen)| chosen != element) {
                    return None;
                }
            }
            Err(at) => merged.insert(at, (*list, *element)),
        }
    }
    Some(merged)
}
