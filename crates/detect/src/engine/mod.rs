//! The engine: all rules, arranged so that an event meets few of them.

mod index;
mod judge;
mod link;
mod patterns;
mod window;

use std::collections::BTreeMap;

use rsigma_eval::CompiledRule;
use yagura_rules::pattern::EventRule;

pub use link::LinkError;

use crate::event::Event;
use crate::rule::{Detection, Logic, Rule};
use crate::sigma;
use crate::state::Key;
use index::Index;
use link::Links;
use patterns::Patterns;
pub(crate) use patterns::dressed;

/// Rules, ready to judge events.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<Rule>,
    links: Links,
    /// By name of the source.
    indexes: BTreeMap<&'static str, Index>,
    patterns: Patterns,
    /// For every rule, the fields and facts that its findings keep.
    evidence: Vec<Vec<String>>,
    slots: Vec<Key>,
    fingerprint: Key,
}

impl Engine {
    /// An engine of rules, if all of them can be used: Sigma's, and event patterns over CloudTrail.
    pub fn new(
        detections: impl IntoIterator<Item = Detection>,
        event_rules: impl IntoIterator<Item = EventRule>,
    ) -> Result<Self, LinkError> {
        let (engine, errors) = Self::link(detections, event_rules);
        errors.into_iter().next().map_or(Ok(engine), Err)
    }

    /// An engine of those rules that can be used, and what is wrong with the others.
    pub fn link(
        detections: impl IntoIterator<Item = Detection>,
        event_rules: impl IntoIterator<Item = EventRule>,
    ) -> (Self, Vec<LinkError>) {
        let mut rules: Vec<Rule> = detections.into_iter().flat_map(|detection| detection.rules).collect();
        rules.extend(event_rules.into_iter().map(|rule| Rule::of_event_rule(&rule)));
        let (links, errors) = link::link(&mut rules);
        let mut guarded: BTreeMap<&'static str, Vec<(u32, Vec<sigma::Guard>)>> = BTreeMap::new();
        let mut patterns = Vec::new();
        for (number, rule) in (0_u32..).zip(&rules) {
            match &rule.logic {
                Logic::Events { source: Some(source), written, .. } => {
                    guarded.entry(source.name).or_default().push((number, sigma::guards(written)));
                }
                Logic::Pattern(pattern) => patterns.push((number, pattern.as_ref().clone())),
                Logic::Events { source: None, .. } | Logic::Correlation(_) => {}
            }
        }
        let slots: Vec<Key> =
            rules.iter().zip(&links.windows).map(|(rule, window)| slot_id(rule, window.as_ref())).collect();
        let evidence = (0..rules.len()).map(|number| evidence(number, &rules, &links)).collect();
        let engine = Self {
            indexes: guarded.into_iter().map(|(source, rules)| (source, Index::new(rules))).collect(),
            patterns: Patterns::new(patterns),
            evidence,
            fingerprint: fingerprint(&slots),
            slots,
            links,
            rules,
        };
        (engine, errors)
    }

    /// Every rule, in the order in which they were given.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this UUID, or of this name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id.eq_ignore_ascii_case(name) || rule.name == name)
    }

    /// The rules on logs that Yagura does not keep: they never run.
    pub fn idle(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| matches!(rule.logic, Logic::Events { source: None, .. }))
    }

    /// How many rules no value of an event leads to: they are asked about every event of their log.
    pub fn unindexed(&self) -> usize {
        self.indexes.values().map(Index::unindexed).sum()
    }

    /// Tells the number of every rule on single events that matches this one, each once, in their order. Remembers nothing.
    pub fn matches(&self, event: &Event<'_>, tell: &mut impl FnMut(usize)) {
        let mut found: Vec<u32> = Vec::new();
        if let Some(index) = self.indexes.get(event.source().name) {
            index.candidates(event, &mut |rule| found.push(rule));
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|number| match self.rules.get(*number as usize).map(|rule| &rule.logic) {
            Some(Logic::Events { compiled, .. }) => holds(compiled, event),
            _ => false,
        });
        let sigma = found.len();
        self.patterns.matches(event, &mut |rule| found.push(rule));
        if found.len() > sigma {
            found.sort_unstable();
        }
        for number in found {
            tell(number as usize);
        }
    }

    pub(crate) fn slots(&self) -> &[Key] {
        &self.slots
    }

    pub(crate) fn fingerprint(&self) -> Key {
        self.fingerprint
    }
}

/// Whether a rule matches an event, as rsigma sees it.
pub(crate) fn holds(rule: &CompiledRule, event: &Event<'_>) -> bool {
    let mut names = Vec::new();
    rule.conditions
        .iter()
        .any(|condition| rsigma_eval::compiler::eval_condition(condition, &rule.detections, event, &mut names))
}

/// What the state of a rule is known by: another text of a rule that remembers the same keeps it.
fn slot_id(rule: &Rule, window: Option<&window::Window>) -> Key {
    let remembers = format!("{:?}{window:?}", rule.new);
    Key::of([rule.id.as_str(), &remembers])
}

fn fingerprint(slots: &[Key]) -> Key {
    let texts: Vec<String> = slots.iter().map(|key| format!("{key:?}")).collect();
    Key::of(texts.iter().map(String::as_str))
}

/// The most fields that the findings of one rule keep.
const EVIDENCE_FIELDS_MAX: usize = 48;

/// What the findings of a rule keep: what it names in its own keys and words, then what it looks at.
fn evidence(number: usize, rules: &[Rule], links: &Links) -> Vec<String> {
    let Some(rule) = rules.get(number) else { return Vec::new() };
    let mut fields: Vec<String> = Vec::new();
    let mut add = |field: &str| {
        if fields.len() < EVIDENCE_FIELDS_MAX && !fields.iter().any(|known| known == field) {
            fields.push(field.to_owned());
        }
    };
    let named = [&rule.identity, &rule.actor, &rule.resource].into_iter().flatten();
    named.for_each(|field| add(field));
    if let Some(words) = &rule.words {
        words.fields().iter().for_each(|field| add(field));
    }
    if let Some(new) = &rule.new {
        new.of.iter().chain(&new.of_whom).for_each(|field| add(field));
    }
    if let Some(Some(window)) = links.windows.get(number) {
        window.by.iter().for_each(|by| add(&by.name));
        match &window.measure {
            window::Measure::Distinct(fields) => fields.iter().for_each(|field| add(field)),
            window::Measure::Sum(field) => add(field),
            window::Measure::Events | window::Measure::Rules => {}
        }
    }
    let parts = links.parts.get(number).into_iter().flatten().filter_map(|part| rules.get(*part));
    for rule in std::iter::once(rule).chain(parts) {
        if let Logic::Events { written, .. } = &rule.logic {
            let mut named: Vec<_> = written.detection.named.iter().collect();
            named.sort_unstable_by_key(|(name, _)| name.as_str());
            for (_, detection) in named {
                sigma::each_field(detection, &mut add);
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests;
