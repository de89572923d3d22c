//! Texts of a policy that may hold wildcards and policy variables, read once and resolved against each request.

use std::borrow::Cow;

use super::pattern::{self, Pattern};
use super::request::Scene;

/// The parts of an ARN. Only the last may itself hold colons.
const ARN_PARTS: usize = 6;

/// What is special in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(super) wildcards: bool,
    /// `${key}` and the escapes `${*}`, `${?}`, `${$}` are read.
    pub(super) variables: bool,
    /// `*` and `?` in the value of a variable are wildcards, too.
    pub(super) wild_values: bool,
}

/// One text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// Known before any request.
    Fixed(Pattern),
    /// To be completed by the request.
    Open(Box<[Piece]>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes of a pattern.
    Bytes(Vec<u8>),
    /// A policy variable.
    Variable {
        /// Its key, in lower case.
        key: String,
        /// What stands for it where the request has no such key.
        default: Option<String>,
        /// Whether wildcards in its value count.
        wild: bool,
    },
}

impl Text {
    /// Reads a text.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Self {
        Self::of_pieces(pieces(text, syntax))
    }

    fn of_pieces(mut pieces: Vec<Piece>) -> Self {
        match (pieces.pop(), pieces.is_empty()) {
            (None, _) => Self::Fixed(Pattern::Exact(Box::default())),
            (Some(Piece::Bytes(bytes)), true) => Self::Fixed(Pattern::of_bytes(bytes)),
            (Some(last), _) => {
                pieces.push(last);
                Self::Open(pieces.into())
            }
        }
    }

    /// Whether all of `value` fits; a variable that the request does not have fits nothing.
    pub(super) fn matches(&self, value: &str, scene: Scene<'_>) -> bool {
        match self {
            Self::Fixed(pattern) => pattern.matches(value),
            Self::Open(pieces) => resolve(pieces, scene).is_some_and(|bytes| pattern::fits(&bytes, value.as_bytes())),
        }
    }

    /// Whether the request has a value for every variable in it.
    fn is_known(&self, scene: Scene<'_>) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Open(pieces) => resolve(pieces, scene).is_some(),
        }
    }

    /// The text itself, where the request has all its variables and it holds no wildcard.
    pub(super) fn literal(&self, scene: Scene<'_>) -> Option<Cow<'_, str>> {
        match self {
            Self::Fixed(Pattern::Exact(bytes)) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Fixed(_) => None,
            Self::Open(pieces) => {
                resolve(pieces, scene).and_then(|bytes| String::from_utf8(bytes).ok()).map(Cow::Owned)
            }
        }
    }

    /// The bytes of the pattern for this request, where it has all variables.
    fn bytes(&self, scene: Scene<'_>) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Fixed(Pattern::Exact(bytes)) => Some(Cow::Borrowed(bytes)),
            Self::Fixed(_) => None,
            Self::Open(pieces) => resolve(pieces, scene).map(Cow::Owned),
        }
    }

    fn is_everything(&self) -> bool {
        matches!(self, Self::Fixed(pattern) if pattern.is_everything())
    }

    fn has_wildcard(&self) -> bool {
        match self {
            Self::Fixed(pattern) => !matches!(pattern, Pattern::Exact(_)),
            Self::Open(pieces) => pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Bytes(bytes) if bytes.iter().any(|&byte| byte >= pattern::ONE))),
        }
    }
}

/// A text with wildcards that is compared with ARNs part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArnText {
    /// `*`
    Everything,
    /// One ARN without wildcards and variables.
    Exact(Box<[u8]>),
    /// The six parts.
    Parts(Box<[Text; ARN_PARTS]>),
    /// What begins with a variable: taken apart when its value is known.
    Unknown {
        /// The text.
        text: Text,
        /// Whether an ARN that is too short goes on.
        short: bool,
    },
    /// No ARN: compared as a whole.
    Other(Text),
}

impl ArnText {
    /// Reads the text. Where `short` is set, an ARN that ends before its sixth part is taken to go on with `*`, if it
    /// has a wildcard at all.
    pub(super) fn parse(text: &str, syntax: Syntax, short: bool) -> Self {
        let whole = Text::parse(text, syntax);
        if whole.is_everything() {
            return Self::Everything;
        }
        if matches!(&whole, Text::Open(pieces) if matches!(pieces.first(), Some(Piece::Variable { .. }))) {
            return Self::Unknown { text: whole, short };
        }
        let mut parts = arn_parts(pieces(text, syntax));
        let is_arn = parts.first().is_some_and(|first| *first == Text::Fixed(Pattern::plain("arn")));
        if is_arn && short && parts.len() < ARN_PARTS && whole.has_wildcard() {
            parts.resize(ARN_PARTS, Text::Fixed(Pattern::Everything));
        }
        match (is_arn, <[Text; ARN_PARTS]>::try_from(parts)) {
            (true, Ok(parts)) => match whole {
                Text::Fixed(Pattern::Exact(bytes)) => Self::Exact(bytes),
                _ => Self::Parts(Box::new(parts)),
            },
            _ => Self::Other(whole),
        }
    }

    /// Whether the ARN fits.
    pub(super) fn matches(&self, arn: ArnParts<'_>, scene: Scene<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Exact(bytes) => **bytes == *arn.whole.as_bytes(),
            Self::Parts(parts) => {
                arn.is_arn && parts.iter().rev().zip(arn.rev()).all(|(text, part)| text.matches(part, scene))
            }
            Self::Unknown { text, short } => text.bytes(scene).is_some_and(|bytes| arn.fits(&bytes, *short)),
            Self::Other(text) => !arn.is_arn && text.matches(arn.whole, scene),
        }
    }
}

impl ArnText {
    /// Whether it surely does not fit the ARN, whatever the variables may be that the request does not have.
    pub(super) fn excludes(&self, arn: ArnParts<'_>, scene: Scene<'_>) -> bool {
        let parts_exclude = |text: &Text, part: &str| text.is_known(scene) && !text.matches(part, scene);
        match self {
            Self::Everything => false,
            Self::Exact(_) => !self.matches(arn, scene),
            Self::Parts(parts) => {
                !arn.is_arn || parts.iter().rev().zip(arn.rev()).any(|(text, part)| parts_exclude(text, part))
            }
            Self::Unknown { text, short } => text.bytes(scene).is_some_and(|bytes| !arn.fits(&bytes, *short)),
            Self::Other(text) => arn.is_arn || parts_exclude(text, arn.whole),
        }
    }
}

/// An ARN taken apart, or a text that is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArnParts<'a> {
    whole: &'a str,
    is_arn: bool,
    ends: [usize; ARN_PARTS - 1],
}

impl<'a> ArnParts<'a> {
    /// Takes a text apart.
    pub(super) fn of(whole: &'a str) -> Self {
        Self::with_ends(whole, arn_ends(whole))
    }

    /// The same, where the places of the colons are known.
    pub(super) fn with_ends(whole: &'a str, ends: Option<[usize; ARN_PARTS - 1]>) -> Self {
        Self { whole, is_arn: ends.is_some(), ends: ends.unwrap_or_default() }
    }

    /// Whether it fits the bytes of a pattern for an ARN, or for anything where they are `*`.
    fn fits(self, pattern: &[u8], short: bool) -> bool {
        if pattern == [pattern::MANY] {
            return true;
        }
        let parts: Vec<&[u8]> = pattern.splitn(ARN_PARTS, |&byte| byte == b':').collect();
        let goes_on = short && pattern.iter().any(|&byte| byte >= pattern::ONE);
        if parts.first() != Some(&b"arn".as_slice()) || (parts.len() < ARN_PARTS && !goes_on) {
            return !self.is_arn && pattern::fits(pattern, self.whole.as_bytes());
        }
        self.is_arn && parts.iter().enumerate().all(|(index, part)| pattern::fits(part, self.part(index).as_bytes()))
    }

    /// The parts, the last first: it tells resources apart soonest.
    fn rev(self) -> impl Iterator<Item = &'a str> {
        (0..ARN_PARTS).rev().map(move |index| self.part(index))
    }

    /// The part of this number; empty where the text is no ARN.
    pub(super) fn part(self, index: usize) -> &'a str {
        if !self.is_arn {
            return "";
        }
        let from = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end + 1);
        let to = self.ends.get(index).copied().unwrap_or(self.whole.len());
        self.whole.get(from..to).unwrap_or_default()
    }
}

/// The places of the five colons that take an ARN apart; none where it is not an ARN.
pub(super) fn arn_ends(text: &str) -> Option<[usize; ARN_PARTS - 1]> {
    if !text.starts_with("arn:") {
        return None;
    }
    let mut ends = [0; ARN_PARTS - 1];
    let mut colons = text.bytes().enumerate().filter(|&(_, byte)| byte == b':').map(|(at, _)| at);
    for end in &mut ends {
        *end = colons.next()?;
    }
    Some(ends)
}

fn pieces(text: &str, syntax: Syntax) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let inner =
            if syntax.variables { rest.strip_prefix("${").and_then(|inner| inner.split_once('}')) } else { None };
        if let Some((inner, after)) = inner {
            match inner {
                "*" | "?" | "$" => bytes.extend(inner.bytes()),
                _ => {
                    if !bytes.is_empty() {
                        found.push(Piece::Bytes(std::mem::take(&mut bytes)));
                    }
                    found.push(variable(inner, syntax));
                }
            }
            rest = after;
            continue;
        }
        // Byte by byte is whole characters in the end: `$`, `{` and `}` are no part of any other.
        let length = rest.chars().next().map_or(1, char::len_utf8);
        if length == 1 {
            bytes.push(if syntax.wildcards { pattern::wildcard(first) } else { first });
        } else {
            bytes.extend(rest.bytes().take(length));
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    if !bytes.is_empty() {
        found.push(Piece::Bytes(bytes));
    }
    found
}

/// What stands between `${` and `}`: a key, and perhaps `, 'default'`.
fn variable(inner: &str, syntax: Syntax) -> Piece {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let default = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (key, default.map(str::to_owned))
        }
        None => (inner, None),
    };
    Piece::Variable { key: key.trim().to_ascii_lowercase(), default, wild: syntax.wildcards && syntax.wild_values }
}

/// The parts of a text between colons, six at most; a colon inside a variable's name is none.
fn arn_parts(pieces: Vec<Piece>) -> Vec<Text> {
    let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
    for piece in pieces {
        let Piece::Bytes(bytes) = piece else {
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
            continue;
        };
        let left = ARN_PARTS + 1 - parts.len();
        for (index, bytes) in bytes.splitn(left, |&byte| byte == b':').enumerate() {
            if index > 0 {
                parts.push(Vec::new());
            }
            if !bytes.is_empty()
                && let Some(part) = parts.last_mut()
            {
                part.push(Piece::Bytes(bytes.to_vec()));
            }
        }
    }
    parts.into_iter().map(Text::of_pieces).collect()
}

/// The bytes of the pattern for this request; `None` where a variable has no value, or several.
fn resolve(pieces: &[Piece], scene: Scene<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(fixed) => bytes.extend_from_slice(fixed),
            Piece::Variable { key, default, wild } => {
                let value = match (scene.values(key).single(), default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => default,
                    (None, None) => {
                        scene.missing(key);
                        return None;
                    }
                };
                bytes.extend(value.bytes().map(|byte| if *wild { pattern::wildcard(byte) } else { byte }));
            }
        }
    }
    Some(bytes)
}
