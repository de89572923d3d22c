//! Which resources a recorded call was about.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::call::{Call, synonyms};
use crate::actions::{Action, BrokenTable, ResourceKind, Service};
use crate::policy::{Glob, Reading};

/// The most resources taken from one call. A call that names more is about many, and `*` says that better.
const RESOURCES_MAX: usize = 100;

/// How deep parameters are searched. AWS's own lists of ids lie three deep.
const DEPTH_MAX: usize = 8;

/// One resource of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Named {
    /// Its ARN, `*` where the action works on none, or an ARN with `*` for what the event does not tell.
    pub(super) arn: String,
    /// Whether the event tells all of it.
    pub(super) known: bool,
}

/// What the action was done to in this call: one entry or more. With `from`, it is the object that this parameter names
/// as S3 writes the source of a copy.
pub(super) fn named(
    call: &Call,
    service: &Service,
    action: &Action,
    from: Option<&str>,
) -> Result<Vec<Named>, BrokenTable> {
    if let Some(source) = from {
        return Ok(vec![copied(call, source)]);
    }
    let mut found = BTreeSet::new();
    let mut open = Vec::new();
    let kinds: Vec<(&String, &ResourceKind)> =
        action.resources.iter().filter_map(|name| service.resources.get_key_value(name)).collect();
    for &(name, kind) in &kinds {
        let mut arns = told(call, service, name, kind);
        if arns.is_empty() {
            arns = filled(call, kind)?;
        }
        if arns.is_empty() && action.required.contains(name) {
            open.push(Named { arn: fill(call, kind, |_| None), known: false });
        }
        found.extend(arns.into_iter().map(|arn| Named { arn, known: true }));
    }
    if found.len() > RESOURCES_MAX {
        open.extend(kinds.iter().map(|(_, kind)| Named { arn: fill(call, kind, |_| None), known: false }));
        found.clear();
    }
    // Of several kinds that a request must have, those that the event does not name are left open.
    let mut named: Vec<Named> = found.into_iter().chain(open).collect();
    if named.is_empty() {
        // A listing of everything, or a kind that only some requests have.
        named.push(Named { arn: "*".to_owned(), known: true });
    }
    named.dedup();
    Ok(named)
}

/// The roles that the call hands to a service.
pub(super) fn roles(call: &Call) -> Vec<Named> {
    let mut texts = Vec::new();
    texts_under(&call.parameters, &|key| key.to_ascii_lowercase().contains("role"), 0, &mut texts);
    let role = Glob::plain("arn:*:iam::*:role/*");
    let arns: BTreeSet<&str> =
        texts.into_iter().filter(|text| role.covers_arn(&Glob::plain(text), Reading::Certain)).collect();
    arns.into_iter().map(|arn| Named { arn: arn.to_owned(), known: true }).collect()
}

/// The ARNs of this kind that the event itself gives, in its resources or anywhere in its parameters.
fn told(call: &Call, service: &Service, name: &str, kind: &ResourceKind) -> Vec<String> {
    let mut texts: Vec<&str> = call.resources.iter().map(String::as_str).collect();
    texts_under(&call.parameters, &|_| true, 0, &mut texts);
    let mut arns = BTreeSet::new();
    for text in texts {
        if text.starts_with("arn:") && is_of(text, service, name, kind) {
            arns.insert(text.to_owned());
        }
    }
    arns.into_iter().collect()
}

/// Whether an ARN is of this kind and fits no other kind of the service more closely: an object's ARN also has the form
/// of a bucket's.
fn is_of(arn: &str, service: &Service, name: &str, kind: &ResourceKind) -> bool {
    let arn = Glob::plain(arn);
    let fits = |kind: &ResourceKind| Glob::plain(&kind.arn).covers_arn(&arn, Reading::Certain);
    let closeness = |kind: &ResourceKind| kind.arn.bytes().filter(|&byte| byte != b'*').count();
    fits(kind)
        && !service
            .resources
            .iter()
            .any(|(other, theirs)| other != name && closeness(theirs) > closeness(kind) && fits(theirs))
}

/// The ARNs made of the kind's form and what the parameters give for its placeholders.
fn filled(call: &Call, kind: &ResourceKind) -> Result<Vec<String>, BrokenTable> {
    let mut choices: Vec<(&str, Vec<String>)> = Vec::new();
    for name in &kind.names {
        if standing(call, name).is_some() {
            continue;
        }
        let values = values_of(call, name)?;
        if values.is_empty() {
            return Ok(Vec::new());
        }
        choices.push((name, values));
    }
    if choices.is_empty() || choices.iter().map(|(_, values)| values.len()).product::<usize>() > RESOURCES_MAX {
        // Without a placeholder of its own a kind is there in every account: nothing says that the call was about it.
        return Ok(Vec::new());
    }
    let mut combinations: Vec<Vec<(&str, &str)>> = vec![Vec::new()];
    for (name, values) in &choices {
        combinations = combinations
            .iter()
            .flat_map(|chosen| {
                values.iter().map(move |value| {
                    let mut chosen = chosen.clone();
                    chosen.push((*name, value.as_str()));
                    chosen
                })
            })
            .collect();
    }
    let value = |chosen: &[(&str, &str)], name: &str| {
        chosen.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Ok(combinations.iter().map(|chosen| fill(call, kind, |name| value(chosen, name))).collect())
}

/// The kind's ARN with its placeholders filled; `*` for those of which nothing is known.
fn fill(call: &Call, kind: &ResourceKind, value: impl Fn(&str) -> Option<String>) -> String {
    let mut arn = String::with_capacity(kind.arn.len());
    let mut names = kind.names.iter();
    for char in kind.arn.chars() {
        if char != '*' {
            arn.push(char);
            continue;
        }
        let name = names.next().map_or("", String::as_str);
        match standing(call, name).or_else(|| value(name)) {
            Some(text) => arn.push_str(&text),
            None => arn.push('*'),
        }
    }
    arn
}

/// What every ARN of the account and region has.
fn standing(call: &Call, placeholder: &str) -> Option<String> {
    match placeholder {
        "Partition" => Some(partition(&call.region).to_owned()),
        "Region" => Some(call.region.clone()),
        "Account" => Some(call.account.clone()),
        _ => None,
    }
}

fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// What the parameters give for a placeholder (`TableName`): the texts under the key of that name.
fn values_of(call: &Call, placeholder: &str) -> Result<Vec<String>, BrokenTable> {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect()
    };
    let mut wanted: Vec<String> = synonyms(placeholder)?.iter().map(|name| plain(name)).collect();
    if wanted.is_empty() {
        wanted.push(plain(placeholder));
    }
    let mut texts = Vec::new();
    texts_under(&call.parameters, &|key| wanted.contains(&plain(key)), 0, &mut texts);
    let values: BTreeSet<String> = texts
        .into_iter()
        // A queue's address ends in its name; a parameter's name may begin with the slash that its ARN has once.
        .map(|text| if text.starts_with("https://") { text.rsplit('/').next().unwrap_or(text) } else { text })
        .map(|text| text.trim_start_matches('/'))
        .filter(|text| !text.is_empty() && !text.starts_with("arn:"))
        .map(escaped)
        .collect();
    Ok(values.into_iter().collect())
}

/// A name in which `*`, `?` and `$` mean themselves, as policies write them.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '*' | '?' | '$' => escaped.extend(["${", char.encode_utf8(&mut [0; 4]), "}"]),
            _ => escaped.push(char),
        }
    }
    escaped
}

/// The object that a copy was made from: `/bucket/key`, percent-encoded, perhaps with a version.
fn copied(call: &Call, parameter: &str) -> Named {
    let mut texts = Vec::new();
    texts_under(&call.parameters, &|key| key.eq_ignore_ascii_case(parameter), 0, &mut texts);
    let source = texts.first().map(|text| text.split("?versionId=").next().unwrap_or(text));
    let decoded = source.map(|text| percent_decode_str(text.trim_start_matches('/')).decode_utf8_lossy().into_owned());
    let partition = partition(&call.region);
    match decoded {
        Some(path) if path.starts_with("arn:") => Named { arn: path, known: true },
        Some(path) if path.contains('/') => {
            Named { arn: format!("arn:{partition}:s3:::{}", escaped(&path)), known: true }
        }
        _ => Named { arn: format!("arn:{partition}:s3:::*/*"), known: false },
    }
}

/// The texts under keys that fit, alone or in lists.
fn texts_under<'a>(value: &'a Value, fits: &dyn Fn(&str) -> bool, depth: usize, found: &mut Vec<&'a str>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts_under(item, fits, depth + 1, found)),
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if fits(key) => found.push(text),
                    Value::Array(items) if fits(key) => {
                        found.extend(items.iter().filter_map(Value::as_str));
                        texts_under(value, fits, depth + 1, found);
                    }
                    _ => texts_under(value, fits, depth + 1, found),
                }
            }
        }
        _ => {}
    }
}
