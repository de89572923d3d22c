//! Which combinations of patterns one text can match at once.

use std::collections::{HashMap, HashSet};

use super::limits::{self, Undecided};
use super::pattern::{self, Kind, Loop, Pattern, Step};

/// A set of at most 128 things by their numbers.
pub(super) type Set = u128;

/// One combination: the patterns that match, and a text of which that is so.
pub(super) type Combination = (Set, String);

/// Every combination of `atoms` that some text has which all of `required` match, each with such a text.
pub(super) fn combinations(required: &[&Pattern], atoms: &[&Pattern]) -> Result<Vec<Combination>, Undecided> {
    if atoms.len() >= limits::ATOMS_MAX {
        return Err(Undecided::Atoms);
    }
    if let Some(text) = required.iter().find_map(|pattern| pattern.literal()) {
        let possible = required.iter().all(|pattern| pattern.matches(&text));
        let matching = matching(atoms, &text);
        return Ok(possible.then_some((matching, text)).into_iter().collect());
    }
    if required.iter().all(|pattern| pattern.is_everything())
        && let Some(literals) = atoms.iter().map(|pattern| pattern.literal()).collect::<Option<Vec<_>>>()
    {
        return Ok(of_literals(&literals));
    }
    let leaves_out_arns = required.iter().chain(atoms).any(|pattern| pattern.leaves_out_arns());
    if !leaves_out_arns {
        return Walk::new(required, atoms).run();
    }
    // Whether the text is an ARN is then one more thing to tell apart.
    let arn = Pattern::new("arn:*:*:*:*:*", Kind::Arn);
    let atoms: Vec<&Pattern> = atoms.iter().copied().chain([&arn]).collect();
    let mut kept = Vec::new();
    for (set, text) in Walk::new(required, &atoms).run()? {
        let is_arn = arn.matches(&text);
        if is_arn && required.iter().any(|pattern| pattern.leaves_out_arns()) {
            continue;
        }
        let bits = atoms.iter().enumerate().take(atoms.len() - 1);
        let left_out = bits.filter(|(_, pattern)| is_arn && pattern.leaves_out_arns());
        let left_out = left_out.fold(1 << (atoms.len() - 1), |all: Set, (index, _)| all | 1 << index);
        kept.push((set & !left_out, text));
    }
    kept.sort_unstable();
    kept.dedup_by_key(|(set, _)| *set);
    Ok(kept)
}

/// The atoms that match a text.
pub(super) fn matching(atoms: &[&Pattern], text: &str) -> Set {
    let bits = atoms.iter().enumerate().map(|(index, pattern)| Set::from(pattern.matches(text)) << index);
    bits.fold(0, |all, bit| all | bit)
}

/// Of texts alone: each of them, and one that is none of them.
fn of_literals(literals: &[String]) -> Vec<Combination> {
    let mut by_text: HashMap<&str, Set> = HashMap::with_capacity(literals.len());
    for (index, literal) in literals.iter().enumerate() {
        *by_text.entry(literal).or_default() |= 1 << index;
    }
    let mut other = String::from("other");
    while by_text.contains_key(other.as_str()) {
        other.push('x');
    }
    let mut combinations = vec![(0, other)];
    combinations.extend(by_text.into_iter().map(|(text, set)| (set, text.to_owned())));
    combinations.sort_unstable();
    combinations
}

/// A walk over texts, character by character, through all the patterns at once.
struct Walk<'a> {
    patterns: Vec<&'a Pattern>,
    required: usize,
    /// Where each pattern's words begin in a state.
    offsets: Vec<usize>,
    words: usize,
}

/// A state that was reached: how, and what it is. A pattern that takes everything from here on is settled: its words
/// are all ones, and one that takes nothing has none.
struct Node {
    from: Option<(usize, char)>,
    state: Vec<u64>,
}

impl<'a> Walk<'a> {
    fn new(required: &[&'a Pattern], atoms: &[&'a Pattern]) -> Self {
        let patterns: Vec<&Pattern> = required.iter().chain(atoms).copied().collect();
        let mut offsets = Vec::with_capacity(patterns.len());
        let mut words = 0;
        for pattern in &patterns {
            offsets.push(words);
            words += pattern.places().div_ceil(64);
        }
        Self { patterns, required: required.len(), offsets, words }
    }

    fn parts(&self) -> impl Iterator<Item = (usize, &'a Pattern, std::ops::Range<usize>)> {
        self.patterns
            .iter()
            .zip(&self.offsets)
            .enumerate()
            .map(|(index, (pattern, &offset))| (index, *pattern, offset..offset + pattern.places().div_ceil(64)))
    }

    fn run(&self) -> Result<Vec<Combination>, Undecided> {
        let mut first = vec![0; self.words];
        for (_, pattern, range) in self.parts() {
            let part = first.get_mut(range).unwrap_or_default();
            pattern::start(part);
            settle(pattern, part);
        }
        let mut seen = HashSet::from([first.clone()]);
        let mut nodes = vec![Node { from: None, state: first }];
        let mut found: HashMap<Set, usize> = HashMap::new();
        let mut place = 0;
        while let Some(node) = nodes.get(place) {
            if let Some(set) = self.ending(&node.state) {
                found.entry(set).or_insert(place);
                // Nothing is left to be told apart.
                if self.required == self.patterns.len() {
                    break;
                }
            }
            let state = node.state.clone();
            for char in self.alphabet(&state) {
                let Some(next) = self.advance(&state, char) else { continue };
                if seen.insert(next.clone()) {
                    if nodes.len() >= limits::STATES_MAX {
                        return Err(Undecided::States);
                    }
                    nodes.push(Node { from: Some((place, char)), state: next });
                }
            }
            place += 1;
        }
        let mut combinations: Vec<Combination> =
            found.into_iter().map(|(set, place)| (set, text(&nodes, place))).collect();
        combinations.sort_unstable();
        Ok(combinations)
    }

    /// The atoms that match a text ending here; none if something required does not.
    fn ending(&self, state: &[u64]) -> Option<Set> {
        let mut set = 0;
        for (index, pattern, range) in self.parts() {
            let ends = pattern::is_at_end(pattern, state.get(range).unwrap_or_default());
            match index.checked_sub(self.required) {
                None if !ends => return None,
                None => {}
                Some(atom) => set |= Set::from(ends) << atom,
            }
        }
        Some(set)
    }

    /// The characters that can make a difference here: those that some pattern waits for, and one that none does.
    fn alphabet(&self, state: &[u64]) -> Vec<char> {
        let mut chars: Vec<char> = Vec::new();
        let mut folded: Vec<char> = Vec::new();
        let (mut colon, mut digit) = (false, false);
        for (_, pattern, range) in self.parts() {
            let part = state.get(range).unwrap_or_default();
            if is_settled(pattern, part) {
                continue;
            }
            for place in pattern::places(part) {
                colon |= pattern.repeats(place) == Loop::InPart;
                match pattern.next(place) {
                    Some(Step::Char(char)) => chars.push(char),
                    Some(Step::Fold(char)) => folded.push(char),
                    Some(Step::InPart) => colon = true,
                    Some(Step::Digit) => digit = true,
                    Some(Step::Any) | None => {}
                }
            }
        }
        // Either case of a folded character, as an exact one may ask for one of them.
        for char in folded {
            chars.push(char);
            let upper = char.to_ascii_uppercase();
            if chars.contains(&upper) || upper == char {
                continue;
            }
            chars.push(upper);
        }
        if colon {
            chars.push(':');
        }
        chars.sort_unstable();
        chars.dedup();
        let others = ('a'..='z').chain('0'..='9').chain('A'..='Z').chain('\u{100}'..);
        let letters = others.clone().filter(|char| !char.is_ascii_digit());
        chars.extend(letters.filter(|char| !chars.contains(char)).take(1).collect::<Vec<_>>());
        if digit {
            let digits = "1234567890".chars();
            chars.extend(digits.filter(|char| !chars.contains(char)).take(1).collect::<Vec<_>>());
        }
        chars
    }

    fn advance(&self, state: &[u64], char: char) -> Option<Vec<u64>> {
        let mut next = vec![0; self.words];
        for (index, pattern, range) in self.parts() {
            let before = state.get(range.clone()).unwrap_or_default();
            let after = next.get_mut(range).unwrap_or_default();
            if is_settled(pattern, before) {
                after.copy_from_slice(before);
                continue;
            }
            if !pattern::advance(pattern, before, char, after) && index < self.required {
                return None;
            }
            settle(pattern, after);
        }
        Some(next)
    }
}

/// A state in which the pattern takes whatever comes is brought to one form, so that equal futures are one state.
fn settle(pattern: &Pattern, part: &mut [u64]) {
    if pattern.is_open_ended() && pattern::is_at_end(pattern, part) {
        part.fill(u64::MAX);
    }
}

fn is_settled(pattern: &Pattern, part: &[u64]) -> bool {
    part.iter().all(|word| *word == 0) || (pattern.is_open_ended() && pattern::is_at_end(pattern, part))
}

/// The text that leads to a state.
fn text(nodes: &[Node], place: usize) -> String {
    let mut chars = Vec::new();
    let mut here = nodes.get(place);
    while let Some(Node { from: Some((before, char)), .. }) = here {
        chars.push(*char);
        here = nodes.get(*before);
    }
    chars.into_iter().rev().collect()
}
