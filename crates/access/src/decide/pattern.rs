//! Patterns as machines: what a joint walk over several of them needs.
//!
//! A pattern is a row of steps, each taking one character, with loops between them for `*`. Its state is the set of
//! steps that may come next, kept as bits, so that one character moves all of them at once.

/// The parts of an ARN; a wildcard in one of the first five does not reach over the colon that ends it.
pub(super) const ARN_PARTS: usize = 6;

/// What takes one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// This one.
    Char(char),
    /// This one in either case; kept in lower case.
    Fold(char),
    /// Any (`?`).
    Any,
    /// Any but `:`.
    InPart,
    /// A decimal digit.
    Digit,
}

/// What may be repeated before a step, or at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Loop {
    /// Nothing.
    None,
    /// Any character but `:`.
    InPart,
    /// Any character.
    Any,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    /// One more than the steps: what may be repeated at each place.
    loops: Vec<Loop>,
    /// Whether texts that are ARNs are left out: a pattern that is no ARN does not match any.
    not_arn: bool,
}

/// How texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `*` and `?` are wildcards that reach anywhere.
    Like,
    /// `*` and `?` are wildcards that stay inside their part of an ARN; the last part runs on. A pattern that is no ARN
    /// matches none, `*` excepted.
    Arn,
    /// The same, and an ARN that ends before its last part goes on with `*` if it has a wildcard at all.
    Resource,
    /// Every character is itself.
    Literal,
    /// `*` and `?` are wildcards that reach anywhere, and case does not matter.
    Fold,
}

/// A piece of a text after its policy variables were replaced: a character, and whether it may be a wildcard.
pub(super) type Piece = (char, bool);

impl Pattern {
    /// The pattern of a text in which nothing was replaced.
    pub(super) fn new(text: &str, kind: Kind) -> Self {
        let pieces: Vec<Piece> = text.chars().map(|char| (char, true)).collect();
        Self::of_pieces(&pieces, kind)
    }

    /// The pattern of pieces, of which only those marked so are wildcards.
    pub(super) fn of_pieces(pieces: &[Piece], kind: Kind) -> Self {
        let mut pattern = Self { steps: Vec::with_capacity(pieces.len()), loops: vec![Loop::None], not_arn: false };
        let is_wild = kind != Kind::Literal;
        let mut parts = None;
        if matches!(kind, Kind::Arn | Kind::Resource) {
            parts = arn_parts(pieces, kind);
            pattern.not_arn = parts.is_none() && !pieces.iter().all(|piece| *piece == ('*', true));
        }
        let mut colons = 0;
        for &(char, live) in pieces {
            let in_part = parts.is_some() && colons < ARN_PARTS - 1;
            match (char, is_wild && live) {
                ('*', true) => pattern.repeat(if in_part { Loop::InPart } else { Loop::Any }),
                ('?', true) => pattern.step(if in_part { Step::InPart } else { Step::Any }),
                _ if kind == Kind::Fold => pattern.step(fold(char)),
                _ => pattern.step(Step::Char(char)),
            }
            colons += usize::from(char == ':');
        }
        for part in parts.unwrap_or(ARN_PARTS)..ARN_PARTS {
            pattern.step(Step::Char(':'));
            pattern.repeat(if part + 1 < ARN_PARTS { Loop::InPart } else { Loop::Any });
        }
        pattern
    }

    /// What stands between two texts that are patterns themselves, as one part of an ARN.
    pub(super) fn framed(before: &str, part: &Self, after: &str) -> Self {
        let mut framed = Self::new(before, Kind::Like);
        for repeat in framed.loops.iter_mut().filter(|repeat| **repeat == Loop::Any) {
            *repeat = Loop::InPart;
        }
        for place in 0..part.places() {
            if part.repeats(place) != Loop::None {
                framed.repeat(Loop::InPart);
            }
            if let Some(step) = part.next(place) {
                framed.step(if step == Step::Any { Step::InPart } else { step });
            }
        }
        for char in after.chars() {
            if char == '*' { framed.repeat(Loop::Any) } else { framed.step(Step::Char(char)) }
        }
        framed
    }

    /// The ARN of an IAM identity of some account: twelve digits where the account stands.
    pub(super) fn identity(partition: &str, resource: &str) -> Self {
        let mut pattern = Self::new(&format!("arn:{partition}:iam::{}:{resource}", "#".repeat(12)), Kind::Arn);
        for step in &mut pattern.steps {
            match step {
                Step::Char('#') => *step = Step::Digit,
                Step::Any => *step = Step::InPart,
                _ => {}
            }
        }
        for repeat in &mut pattern.loops {
            if *repeat == Loop::Any {
                *repeat = Loop::InPart;
            }
        }
        pattern
    }

    fn step(&mut self, step: Step) {
        self.steps.push(step);
        self.loops.push(Loop::None);
    }

    fn repeat(&mut self, what: Loop) {
        if let Some(last) = self.loops.last_mut()
            && *last != Loop::Any
        {
            *last = what;
        }
    }

    /// The partition of the ARNs that it matches, where it is certain.
    pub(super) fn partition(&self) -> Option<String> {
        let mut text = String::new();
        for (place, step) in self.steps.iter().enumerate() {
            match (self.repeats(place), step) {
                (Loop::None, Step::Char(':')) if text.len() > 4 => break,
                (Loop::None, Step::Char(char)) => text.push(*char),
                _ => return None,
            }
        }
        text.strip_prefix("arn:").map(str::to_owned)
    }

    /// The number of places: one more than the steps.
    pub(super) fn places(&self) -> usize {
        self.loops.len()
    }

    /// Whether it is `*`.
    pub(super) fn is_everything(&self) -> bool {
        self.steps.is_empty() && self.loops == [Loop::Any]
    }

    /// The one text that it matches, where there is only one.
    pub(super) fn literal(&self) -> Option<String> {
        if self.loops.iter().any(|repeat| *repeat != Loop::None) {
            return None;
        }
        let char = |step: &Step| match step {
            Step::Char(char) => Some(*char),
            _ => None,
        };
        self.steps.iter().map(char).collect()
    }

    /// What may be repeated at a place.
    pub(super) fn repeats(&self, place: usize) -> Loop {
        self.loops.get(place).copied().unwrap_or(Loop::None)
    }

    /// What takes the next character at a place; none at the end.
    pub(super) fn next(&self, place: usize) -> Option<Step> {
        self.steps.get(place).copied()
    }

    /// The first place from which every text is taken to the end: the end itself, where it ends in `*`.
    pub(super) fn is_open_ended(&self) -> bool {
        self.loops.last() == Some(&Loop::Any)
    }

    /// Whether it leaves out texts that are ARNs.
    pub(super) fn leaves_out_arns(&self) -> bool {
        self.not_arn
    }

    /// Whether it matches a text.
    pub(super) fn matches(&self, text: &str) -> bool {
        if self.not_arn && is_arn(text) {
            return false;
        }
        // Nearly every pattern has under 256 places.
        let words = self.places().div_ceil(64);
        match words {
            1 => self.runs_through(text, &mut [0], &mut [0]),
            2..=4 => self.runs_through(text, &mut [0; 4], &mut [0; 4]),
            _ => self.runs_through(text, &mut vec![0; words], &mut vec![0; words]),
        }
    }

    fn runs_through<'s>(&self, text: &str, mut state: &'s mut [u64], mut next: &'s mut [u64]) -> bool {
        start(state);
        for char in text.chars() {
            if !advance(self, state, char, next) {
                return false;
            }
            std::mem::swap(&mut state, &mut next);
        }
        is_at_end(self, state)
    }

    /// Whether no text can match both, seen from their beginnings alone. A `false` says nothing.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        for place in 0..self.steps.len().min(other.steps.len()) {
            if self.repeats(place) != Loop::None || other.repeats(place) != Loop::None {
                return false;
            }
            if let (Some(Step::Char(mine)), Some(Step::Char(theirs))) = (self.next(place), other.next(place))
                && mine != theirs
            {
                return true;
            }
        }
        false
    }
}

fn fold(char: char) -> Step {
    Step::Fold(char.to_ascii_lowercase())
}

/// How many parts a pattern for ARNs has; none where it is none.
fn arn_parts(pieces: &[Piece], kind: Kind) -> Option<usize> {
    if !pieces.iter().map(|(char, _)| *char).take(4).eq("arn:".chars()) {
        return None;
    }
    let parts = 1 + pieces.iter().filter(|(char, _)| *char == ':').count();
    let is_short = parts < ARN_PARTS;
    let has_wildcard = pieces.iter().any(|piece| matches!(piece, ('*' | '?', true)));
    (!is_short || (kind == Kind::Resource && has_wildcard)).then_some(parts.min(ARN_PARTS))
}

/// Whether a text has the six parts of an ARN.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.bytes().filter(|byte| *byte == b':').count() >= ARN_PARTS - 1
}

impl Step {
    /// Whether it takes a character.
    pub(super) fn takes(self, char: char) -> bool {
        match self {
            Self::Char(mine) => mine == char,
            Self::Fold(mine) => mine == char.to_ascii_lowercase(),
            Self::Any => true,
            Self::InPart => char != ':',
            Self::Digit => char.is_ascii_digit(),
        }
    }
}

/// Puts a state at the beginning.
pub(super) fn start(state: &mut [u64]) {
    if let Some(first) = state.first_mut() {
        *first = 1;
    }
}

/// Whether the whole pattern has been taken.
pub(super) fn is_at_end(pattern: &Pattern, state: &[u64]) -> bool {
    let end = pattern.places() - 1;
    state.get(end / 64).is_some_and(|word| word & (1 << (end % 64)) != 0)
}

/// Moves a state on by one character; whether anything is left of it.
pub(super) fn advance(pattern: &Pattern, state: &[u64], char: char, next: &mut [u64]) -> bool {
    next.fill(0);
    let mut alive = 0;
    for (index, &word) in state.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            let place = index * 64 + bit as usize;
            let stays = match pattern.repeats(place) {
                Loop::Any => true,
                Loop::InPart => char != ':',
                Loop::None => false,
            };
            if stays && let Some(word) = next.get_mut(index) {
                *word |= 1 << bit;
                alive |= 1;
            }
            if pattern.next(place).is_some_and(|step| step.takes(char))
                && let Some(word) = next.get_mut((place + 1) / 64)
            {
                *word |= 1 << ((place + 1) % 64);
                alive |= 1;
            }
        }
    }
    alive != 0
}

/// The places of a state, in order.
pub(super) fn places(state: &[u64]) -> impl Iterator<Item = usize> {
    state.iter().enumerate().flat_map(|(index, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(index * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_says() {
        for (pattern, kind, text, expected) in [
            ("*", Kind::Arn, "anything:at/all", true),
            ("a*c", Kind::Like, "abbbc", true),
            ("a*c", Kind::Like, "abbb", false),
            ("a?c", Kind::Like, "abc", true),
            ("a*c", Kind::Literal, "a*c", true),
            ("a*c", Kind::Literal, "abc", false),
            ("TrUe", Kind::Fold, "true", true),
            ("arn:aws:s3:::*", Kind::Arn, "arn:aws:s3:::bucket/a:b", true),
            ("arn:aws:sqs:*:*:q", Kind::Arn, "arn:aws:sqs:us-east-1:111122223333:q", true),
            ("arn:aws:*:*:*:q", Kind::Arn, "arn:aws:sqs:us-east-1:1:x:q", false),
            ("arn:aws:*:*:*:*q", Kind::Arn, "arn:aws:sqs:us-east-1:1:x:q", true),
            ("arn:aws:s3*", Kind::Resource, "arn:aws:s3:::bucket/a:b", true),
            ("arn:aws:s3*", Kind::Arn, "arn:aws:s3:::bucket", false),
            ("*bucket", Kind::Resource, "arn:aws:s3:::bucket", false),
            ("*bucket", Kind::Resource, "the bucket", true),
        ] {
            assert_eq!(Pattern::new(pattern, kind).matches(text), expected, "{pattern} on {text}");
        }
        let identity = Pattern::identity("aws", "role/*");
        assert!(identity.matches("arn:aws:iam::111122223333:role/reader"));
        assert!(!identity.matches("arn:aws:iam::someone:role/reader"));
    }
}
