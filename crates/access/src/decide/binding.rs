//! Policy variables: what stands for them while two policies are compared.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{ARN_PARTS, Piece};
use crate::policy::{Policy, Scope, Version};

/// The values of the policy variables, by key in lower case; `None` where the request does not have the key.
pub(super) type Bindings = BTreeMap<String, Option<String>>;

/// On which side of the question a text stands when its variables are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// It makes the request more likely to be the one sought: a variable may be anything.
    Sought,
    /// It makes it less likely: a variable cannot be relied upon.
    Avoided,
}

/// Where `*` and `?` are wildcards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wild {
    /// Nowhere.
    Nowhere,
    /// In the text itself (resources).
    Text,
    /// In the values of its variables, too (conditions).
    Everywhere,
}

/// How variables are read.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// Each has the value given here.
    Bound(Bindings),
    /// Those given here have that value; any other is whatever makes the request sought.
    Loose(Bindings),
}

impl Reading {
    /// The values that are given.
    pub(super) fn bindings(&self) -> &Bindings {
        match self {
            Self::Bound(bindings) | Self::Loose(bindings) => bindings,
        }
    }

    /// A text with its variables replaced; `None` if it cannot match anything because one has no value.
    pub(super) fn pieces(&self, text: &str, version: Version, side: Side, wild: Wild) -> Option<Vec<Piece>> {
        let mut pieces = Vec::with_capacity(text.len());
        let is_arn = text.starts_with("arn:");
        let mut colons = 0;
        for part in parts(text, version) {
            match part {
                Part::Text(text) => {
                    colons += text.bytes().filter(|byte| *byte == b':').count();
                    pieces.extend(text.chars().map(|char| (char, wild != Wild::Nowhere)));
                }
                Part::Escaped(char) => pieces.push((char, false)),
                Part::Variable { name, default } => {
                    let value = match (self.bindings().get(&name), default) {
                        (Some(Some(value)), _) => value.as_str(),
                        (Some(None), Some(default)) => default,
                        (None, _) if matches!(self, Self::Loose(_)) && side == Side::Sought => {
                            pieces.push(('*', true));
                            continue;
                        }
                        (None | Some(None), _) => return None,
                    };
                    // No part of an ARN but the last holds a colon, and a text is taken apart as it is written.
                    if is_arn && wild != Wild::Nowhere && colons < ARN_PARTS - 1 && value.contains(':') {
                        return None;
                    }
                    pieces.extend(value.chars().map(|char| (char, wild == Wild::Everywhere)));
                }
            }
        }
        Some(pieces)
    }
}

/// Stands in a text for a variable without a value, until its part of the ARN is known; no ARN has it.
const UNKNOWN: char = '\0';

impl Reading {
    /// An ARN in `NotResource`, where a variable without a value leaves it open what is left out: all that the other
    /// parts of the ARN do not rule out.
    pub(super) fn left_out(&self, text: &str, version: Version) -> Vec<Piece> {
        const NO_ARN: &[Piece] = &[('?', true), ('*', true)];
        if text.starts_with("${") {
            return vec![('*', true)];
        }
        if !text.starts_with("arn:") {
            return NO_ARN.to_vec();
        }
        let mut marked = self.clone();
        let (Self::Bound(bindings) | Self::Loose(bindings)) = &mut marked;
        for value in bindings.values_mut().filter(|value| value.is_none()) {
            *value = Some(UNKNOWN.to_string());
        }
        let pieces = marked.pieces(text, version, Side::Sought, Wild::Text).unwrap_or_default();
        let colons = pieces.iter().filter(|(char, _)| *char == ':').count();
        // Too short for an ARN, and without a wildcard by which it would go on.
        if colons < ARN_PARTS - 1 && !pieces.iter().any(|piece| matches!(piece, ('*' | '?', true))) {
            return NO_ARN.to_vec();
        }
        let mut rest = pieces.as_slice();
        let mut whole = Vec::with_capacity(pieces.len());
        for part in 0..ARN_PARTS {
            let colon = rest.iter().position(|(char, _)| *char == ':').filter(|_| part + 1 < ARN_PARTS);
            let (here, after) = rest.split_at(colon.unwrap_or(rest.len()));
            let is_open = here.iter().any(|(char, _)| *char == UNKNOWN);
            whole.extend_from_slice(if is_open { &[('*', true)] } else { here });
            let Some((colon, after)) = after.split_first() else { break };
            whole.push(*colon);
            rest = after;
        }
        whole
    }
}

/// A piece of a text as it is written.
enum Part<'a> {
    Text(&'a str),
    Escaped(char),
    Variable { name: String, default: Option<&'a str> },
}

fn parts(text: &str, version: Version) -> Vec<Part<'_>> {
    if version == Version::V2008 || !text.contains("${") {
        return vec![Part::Text(text)];
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, after)) = after.split_once('}') else { break };
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(match inside {
            "*" => Part::Escaped('*'),
            "?" => Part::Escaped('?'),
            "$" => Part::Escaped('$'),
            _ => variable(inside),
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// `key` or `key, 'default'`.
fn variable(inside: &str) -> Part<'_> {
    let (name, default) = match inside.split_once(',') {
        Some((name, default)) => {
            let default = default.trim();
            (name, default.strip_prefix('\'').and_then(|default| default.strip_suffix('\'')))
        }
        None => (inside, None),
    };
    Part::Variable { name: name.trim().to_ascii_lowercase(), default }
}

/// Every text of a policy that may have variables: resources and condition values.
fn texts(policy: &Policy) -> impl Iterator<Item = (&str, &str)> {
    policy.statements.iter().flat_map(|statement| {
        let resources = match &statement.resources {
            Some(Scope::In(globs) | Scope::NotIn(globs)) => globs.as_slice(),
            None => &[],
        };
        let values = statement
            .conditions
            .iter()
            .flat_map(|condition| condition.values.iter().map(|value| (condition.key.as_str(), value.as_str())));
        resources.iter().map(|glob| ("", glob.as_str())).chain(values)
    })
}

/// The variables that a policy uses, in lower case.
pub(super) fn variables(policy: &Policy) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if policy.version == Version::V2008 {
        return names;
    }
    for (_, text) in texts(policy).filter(|(_, text)| text.contains("${")) {
        for part in parts(text, policy.version) {
            if let Part::Variable { name, .. } = part {
                names.insert(name);
            }
        }
    }
    names
}

/// A value for each variable that no text of the policies has in it.
pub(super) fn fresh(names: &BTreeSet<String>, policies: &[&Policy]) -> Bindings {
    let mut bindings = Bindings::new();
    for (index, name) in names.iter().enumerate() {
        let taken = |value: &str| policies.iter().any(|policy| texts(policy).any(|(_, text)| text.contains(value)));
        let mut value = typical(name, index);
        let mut attempt = 0_usize;
        while taken(&value) && attempt < 1_000 {
            attempt += 1;
            value = typical(name, index + 7 * attempt);
        }
        bindings.insert(name.clone(), Some(value));
    }
    bindings
}

/// Whether a value that [`typical`] gave is one of a key that may hold any text.
pub(super) fn is_any_text(value: &str) -> bool {
    value.starts_with("some-")
}

/// A value such as the key has.
pub(super) fn typical(key: &str, number: usize) -> String {
    let name = key.rsplit([':', '/']).next().unwrap_or(key);
    let account = format!("{:012}", 444_455_556_666_usize + number);
    match name {
        _ if name.ends_with("account") || name.ends_with("owner") => account,
        _ if name.ends_with("orgid") => format!("o-example{number:05}"),
        _ if name.ends_with("orgpaths") => format!("o-example{number:05}/r-ab12/ou-ab12-11111111/"),
        "principalarn" => format!("arn:aws:iam::{account}:role/reader"),
        _ if name.ends_with("arn") => format!("arn:aws:sqs:us-east-1:{account}:queue"),
        "sourceip" | "vpcsourceip" => format!("203.0.113.{}", 10 + number % 200),
        "sourcevpc" => format!("vpc-0123456789abc{number:04}"),
        "sourcevpce" => format!("vpce-0123456789abc{number:04}"),
        "userid" => format!("AROAEXAMPLEID{number:07}:session"),
        "requestedregion" => "eu-central-2".to_owned(),
        _ => format!("some-{name}-{number}"),
    }
}

/// Other values worth trying for a variable: what the policies compare its key with, and what stands in their texts
/// where it stands in others, part by part where both are ARNs.
pub(super) fn candidates(name: &str, policies: &[&Policy]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        // Of a pattern, one text that it matches.
        let plain = text.replace('*', "").replace('?', "x");
        if (text.is_empty() || !plain.is_empty()) && !plain.contains('$') {
            found.insert(plain);
        }
    };
    let every = || policies.iter().flat_map(|policy| texts(policy));
    for (_, text) in every().filter(|(key, _)| *key == name) {
        add(text);
    }
    let frames: BTreeSet<Frame> = every().filter_map(|(_, text)| Frame::of(name, text)).collect();
    for (frame, (_, text)) in frames.iter().flat_map(|frame| every().map(move |text| (frame, text))) {
        if let Some(inside) = frame.inside(text) {
            add(inside);
        }
    }
    found
}

/// What stands around a variable: in the whole text, or in one part of an ARN.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    part: Option<usize>,
    before: String,
    after: String,
}

impl Frame {
    fn of(name: &str, text: &str) -> Option<Self> {
        let at = text.to_ascii_lowercase().find(&format!("${{{name}"))?;
        let (before, rest) = text.split_at_checked(at)?;
        let (_, after) = rest.split_once('}')?;
        if !before.starts_with("arn:") {
            return Some(Self { part: None, before: before.to_owned(), after: after.to_owned() });
        }
        let part = before.matches(':').count().min(ARN_PARTS - 1);
        let before = before.splitn(ARN_PARTS, ':').nth(part)?;
        let after = if part + 1 < ARN_PARTS { after.split(':').next()? } else { after };
        Some(Self { part: Some(part), before: before.to_owned(), after: after.to_owned() })
    }

    /// What another text has where the variable stands.
    fn inside<'t>(&self, text: &'t str) -> Option<&'t str> {
        let text = match self.part {
            None => text,
            Some(part) => text.strip_prefix("arn:")?.splitn(ARN_PARTS - 1, ':').nth(part.checked_sub(1)?)?,
        };
        let inside = text.strip_prefix(self.before.as_str())?;
        match self.after.split(['*', '?', '$']).next().filter(|next| !next.is_empty()) {
            Some(next) => match inside.split_once(next) {
                Some((inside, _)) => Some(inside),
                // A wildcard may stand for what follows.
                None if inside.contains(['*', '?']) => inside.split(['/', '*', '?']).next(),
                None => None,
            },
            None => inside.split('/').next(),
        }
    }
}
