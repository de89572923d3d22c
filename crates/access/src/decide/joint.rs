//! Which combinations of patterns one text can match at once.

use std::collections::HashMap;
use std::ops::Range;

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
    parts: Vec<Part<'a>>,
    /// So many of the parts, from the first on, must match.
    required: usize,
    /// The words of a state.
    words: usize,
}

/// One pattern and where its words stand in a state.
struct Part<'a> {
    pattern: &'a Pattern,
    words: Range<usize>,
    is_open_ended: bool,
}

/// The states that were reached, one after the other, each once. A pattern that takes everything from here on is settled:
/// its words are all ones, and one that takes nothing has none.
struct States {
    words: usize,
    /// All their words.
    all: Vec<u64>,
    /// How each was reached: from which one, and by which of `chars`.
    from: Vec<(usize, Range<usize>)>,
    chars: Vec<char>,
    /// Their places by hash, one more than the place; nothing is 0. Never more than half full.
    slots: Vec<u32>,
}

impl States {
    fn new(words: usize) -> Self {
        const SLOTS_AT_FIRST: usize = 64;
        Self { words, all: Vec::new(), from: Vec::new(), chars: Vec::new(), slots: vec![0; SLOTS_AT_FIRST] }
    }

    fn len(&self) -> usize {
        self.from.len()
    }

    fn get(&self, place: usize) -> &[u64] {
        self.all.get(place * self.words..(place + 1) * self.words).unwrap_or_default()
    }

    /// Keeps a state that was reached from another by characters, unless it is known.
    fn keep(&mut self, state: &[u64], before: usize, chars: &[char]) {
        if 2 * (self.len() + 1) > self.slots.len() {
            let mut slots = vec![0; 2 * self.slots.len()];
            for place in 0..self.len() {
                let slot = self.free_slot(&slots, self.get(place)).unwrap_or_default();
                put(&mut slots, slot, place);
            }
            self.slots = slots;
        }
        let Some(slot) = self.free_slot(&self.slots, state) else { return };
        put(&mut self.slots, slot, self.from.len());
        self.all.extend_from_slice(state);
        let start = self.chars.len();
        self.chars.extend_from_slice(chars);
        self.from.push((before, start..self.chars.len()));
    }

    /// Where a state belongs; none where it stands already.
    fn free_slot(&self, slots: &[u32], state: &[u64]) -> Option<usize> {
        // The multiplier of FxHash: the states are our own, so that nobody can choose them to collide.
        const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;
        let hash = state.iter().fold(0_u64, |hash, word| (hash.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER));
        let last = slots.len() - 1;
        let mut slot = usize::try_from(hash >> 32).unwrap_or_default() & last;
        loop {
            match slots.get(slot).copied().unwrap_or_default() {
                0 => return Some(slot),
                taken if self.get(taken as usize - 1) == state => return None,
                _ => slot = (slot + 1) & last,
            }
        }
    }

    /// The text that leads to a state.
    fn text(&self, place: usize) -> String {
        let mut runs = Vec::new();
        let mut here = place;
        while let Some((before, run)) = self.from.get(here) {
            runs.push(run.clone());
            if here == 0 {
                break;
            }
            here = *before;
        }
        runs.into_iter().rev().flat_map(|run| self.chars.get(run).unwrap_or_default()).collect()
    }
}

fn put(slots: &mut [u32], slot: usize, place: usize) {
    if let Some(slot) = slots.get_mut(slot) {
        // At most STATES_MAX.
        *slot = u32::try_from(place + 1).unwrap_or(u32::MAX);
    }
}

impl<'a> Walk<'a> {
    fn new(required: &[&'a Pattern], atoms: &[&'a Pattern]) -> Self {
        let mut words = 0;
        let part = |pattern: &&'a Pattern| {
            let from = words;
            words += pattern.places().div_ceil(64);
            Part { pattern, words: from..words, is_open_ended: pattern.is_open_ended() }
        };
        let parts = required.iter().chain(atoms).map(part).collect();
        Self { parts, required: required.len(), words }
    }

    fn run(&self) -> Result<Vec<Combination>, Undecided> {
        let mut states = States::new(self.words);
        let mut found: Vec<(Set, usize)> = Vec::new();
        // The state looked at, the next one and the one after, and the characters that lead there.
        let (mut state, mut next, mut spare) = (vec![0; self.words], vec![0; self.words], vec![0; self.words]);
        let (mut run, mut alphabet) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let words = next.get_mut(part.words.clone()).unwrap_or_default();
            pattern::start(words);
            part.settle(words);
        }
        if self.follow(&mut next, &mut spare, &mut run) {
            states.keep(&next, 0, &run);
        }
        let mut place = 0;
        while place < states.len() {
            state.copy_from_slice(states.get(place));
            if let Some(set) = self.ending(&state) {
                if !found.iter().any(|(known, _)| *known == set) {
                    found.push((set, place));
                }
                // Nothing is left to be told apart.
                if self.required == self.parts.len() {
                    break;
                }
            }
            self.alphabet(&state, &mut alphabet);
            for &char in &alphabet {
                if !self.advance(&state, char, &mut next) {
                    continue;
                }
                run.clear();
                run.push(char);
                if !self.follow(&mut next, &mut spare, &mut run) {
                    continue;
                }
                states.keep(&next, place, &run);
                if states.len() > limits::STATES_MAX {
                    return Err(Undecided::States);
                }
            }
            place += 1;
        }
        let mut combinations: Vec<Combination> =
            found.into_iter().map(|(set, place)| (set, states.text(place))).collect();
        combinations.sort_unstable();
        Ok(combinations)
    }

    /// Goes on as long as something required leaves no choice of the next character; whether it gets anywhere.
    fn follow(&self, state: &mut Vec<u64>, spare: &mut Vec<u64>, run: &mut Vec<char>) -> bool {
        while let Some(char) = self.only_choice(state) {
            if !self.advance(state, char, spare) {
                return false;
            }
            std::mem::swap(state, spare);
            run.push(char);
        }
        true
    }

    /// The one character that something required can take here; such a state is no end.
    fn only_choice(&self, state: &[u64]) -> Option<char> {
        self.parts.iter().take(self.required).find_map(|part| {
            let mut places = pattern::places(state.get(part.words.clone()).unwrap_or_default());
            match (places.next(), places.next()) {
                (Some(place), None) if part.pattern.repeats(place) == Loop::None => match part.pattern.next(place) {
                    Some(Step::Char(char)) => Some(char),
                    _ => None,
                },
                _ => None,
            }
        })
    }

    /// The atoms that match a text ending here; none if something required does not.
    fn ending(&self, state: &[u64]) -> Option<Set> {
        let mut set = 0;
        for (index, part) in self.parts.iter().enumerate() {
            let ends = pattern::is_at_end(part.pattern, state.get(part.words.clone()).unwrap_or_default());
            match index.checked_sub(self.required) {
                None if !ends => return None,
                None => {}
                Some(atom) => set |= Set::from(ends) << atom,
            }
        }
        Some(set)
    }

    /// The characters that can make a difference here: those that some pattern waits for, and one that none does.
    fn alphabet(&self, state: &[u64], chars: &mut Vec<char>) {
        chars.clear();
        let (mut colon, mut digit) = (false, false);
        for part in &self.parts {
            let words = state.get(part.words.clone()).unwrap_or_default();
            if part.is_settled(words) {
                continue;
            }
            for place in pattern::places(words) {
                colon |= part.pattern.repeats(place) == Loop::InPart;
                match part.pattern.next(place) {
                    Some(Step::Char(char)) => chars.push(char),
                    // Either case of a folded character, as an exact one may ask for one of them.
                    Some(Step::Fold(char)) => chars.extend([char, char.to_ascii_uppercase()]),
                    Some(Step::InPart) => colon = true,
                    Some(Step::Digit) => digit = true,
                    Some(Step::Any) | None => {}
                }
            }
        }
        if colon {
            chars.push(':');
        }
        chars.sort_unstable();
        chars.dedup();
        let mut letters = ('a'..='z').chain('A'..='Z').chain('\u{100}'..);
        let letter = letters.find(|char| !chars.contains(char));
        chars.extend(letter);
        if digit {
            let mut digits = "1234567890".chars();
            let digit = digits.find(|char| !chars.contains(char));
            chars.extend(digit);
        }
    }

    /// Moves all patterns on by one character; whether everything required still can match.
    fn advance(&self, state: &[u64], char: char, next: &mut [u64]) -> bool {
        for (index, part) in self.parts.iter().enumerate() {
            let before = state.get(part.words.clone()).unwrap_or_default();
            let after = next.get_mut(part.words.clone()).unwrap_or_default();
            if part.is_settled(before) {
                after.copy_from_slice(before);
                continue;
            }
            if !pattern::advance(part.pattern, before, char, after) && index < self.required {
                return false;
            }
            part.settle(after);
        }
        true
    }
}

impl Part<'_> {
    /// A state in which the pattern takes whatever comes is brought to one form, so that equal futures are one state.
    fn settle(&self, words: &mut [u64]) {
        if self.is_open_ended && pattern::is_at_end(self.pattern, words) {
            words.fill(u64::MAX);
        }
    }

    fn is_settled(&self, words: &[u64]) -> bool {
        words.iter().all(|word| *word == 0) || (self.is_open_ended && pattern::is_at_end(self.pattern, words))
    }
}
