//! Joins what a template declares beside a resource to that resource.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use yagura_model::CouldNotLook;

use super::functions::as_text;
use super::inventory::Draft;
use super::join_table::{JOINS, Join, Nothing, Section, Shape};
use super::references::placeholder;
use super::resolve::{Scope, missing};

/// A value, and what is not known of it: paths below it (empty for all of it).
#[derive(Debug, Clone, Default)]
struct Piece {
    value: Option<Value>,
    lost: Vec<(String, CouldNotLook)>,
}

impl Piece {
    /// Nothing of it is known.
    fn lost(cause: CouldNotLook) -> Self {
        Self { value: None, lost: vec![(String::new(), cause)] }
    }
}

/// The types that belong to others, as (the other, the type).
pub(super) fn children() -> impl Iterator<Item = (&'static str, &'static str)> {
    JOINS.iter().map(|join| (join.parent, join.child))
}

/// Joins everything that the table knows.
pub(super) fn apply<'a>(scope: &Scope<'a>, drafts: &mut [Draft<'a>]) {
    let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        by_kind.entry(draft.kind).or_default().push(index);
    }
    let of = |kind: &str| by_kind.get(kind).map(Vec::as_slice).unwrap_or_default();
    let mut given = Vec::new();
    for join in &JOINS {
        let parents = of(join.parent);
        for child in of(join.child).iter().filter_map(|&child| drafts.get(child)) {
            let named = taken(child, Section::Properties, join.names);
            let belonging = |&parent: &usize| Some((parent, belongs(join, child, &named, drafts.get(parent)?)?));
            let belonging: Vec<(usize, Belongs)> = parents.iter().filter_map(belonging).collect();
            if !belonging.is_empty() {
                given.push((piece(join, child, scope), belonging));
            }
        }
        for (piece, belonging) in given.drain(..) {
            for (parent, belongs) in belonging {
                let size = piece.value.as_ref().unwrap_or(&Value::Null);
                let piece = match (belongs, scope.spend(join.child, size)) {
                    (Belongs::Yes, Ok(())) => piece.clone(),
                    (Belongs::Perhaps(cause), _) | (_, Err(cause)) => Piece::lost(cause),
                };
                if let Some(parent) = drafts.get_mut(parent) {
                    add(join, parent, piece);
                }
            }
        }
        for &parent in parents {
            if let Some(parent) = drafts.get_mut(parent) {
                settle(join, parent);
            }
        }
    }
}

/// How a child belongs to a resource.
enum Belongs {
    Yes,
    /// It depends on what is not known.
    Perhaps(CouldNotLook),
}

/// Whether a child belongs to a resource, by what it names.
fn belongs(join: &Join, child: &Draft<'_>, named: &Piece, parent: &Draft<'_>) -> Option<Belongs> {
    let own_name = join.called.and_then(|called| parent.properties.get(called)).and_then(as_text);
    let is_parent = |text: &str| {
        let attribute = || text.strip_prefix("${")?.strip_prefix(parent.id)?.strip_prefix('.')?.strip_suffix('}');
        text == parent.id || own_name.as_deref() == Some(text) || attribute().is_some()
    };
    let says_parent = |value: &Value| {
        let text = as_text(value);
        text.is_some_and(|text| is_parent(&text) || text.rsplit([':', '/']).next().is_some_and(is_parent))
    };
    let is_named = match &named.value {
        Some(Value::Array(items)) => items.iter().any(says_parent),
        Some(value) => says_parent(value),
        None => false,
    };
    if is_named {
        return Some(Belongs::Yes);
    }
    // What something unknown names was named before the deployment: that cannot be a resource whose name AWS makes up.
    let (_, cause) = named.lost.first()?;
    let own_name = parent.written?.get(join.called?)?;
    Some(match child.written?.get(join.names) {
        Some(Value::Array(items)) if items.contains(own_name) => Belongs::Yes,
        Some(written) if written == own_name => Belongs::Yes,
        _ => Belongs::Perhaps(cause.clone()),
    })
}

/// What a child gives.
fn piece(join: &Join, child: &Draft<'_>, scope: &Scope<'_>) -> Piece {
    let property = |path: &str| taken(child, Section::Properties, path);
    match join.shape {
        Shape::Value(path) | Shape::Element(path) => property(path),
        Shape::True => Piece { value: Some(Value::Bool(true)), lost: Vec::new() },
        Shape::Policy(path) => policy(property(path)),
        Shape::Permission => permission(child, scope),
        Shape::Some(keys) => members(keys.iter().map(|key| (*key, property(key)))),
        Shape::AllBut(left_out) => {
            let mut whole = taken(child, Section::Properties, "");
            if let Some(Value::Object(entries)) = &mut whole.value {
                entries.retain(|key, _| !left_out.contains(&key.as_str()));
            }
            whole.lost.retain(|(path, _)| !left_out.iter().any(|key| below(path, &format!(".{key}")).is_some()));
            whole
        }
        Shape::Arn => Piece { value: Some(Value::String(placeholder(child.id, "Arn"))), lost: Vec::new() },
    }
}

/// What stands at a path of a section, with what is not known of it.
fn taken(draft: &Draft<'_>, section: Section, path: &str) -> Piece {
    let whole = match path {
        "" => section.name().to_owned(),
        path => format!("{}.{path}", section.name()),
    };
    let entries = if section == Section::Properties { &draft.properties } else { &draft.attributes };
    let mut steps = path.split('.');
    let value = match steps.next() {
        None | Some("") => Some(Value::Object(entries.clone())),
        Some(first) => steps.try_fold(entries.get(first), |value, step| Some(value?.get(step))).flatten().cloned(),
    };
    let mut lost = Vec::new();
    for (at, cause) in &draft.lost {
        if let Some(rest) = below(at, &whole) {
            lost.push((rest.to_owned(), cause.clone()));
        } else if below(&whole, at).is_some() {
            lost.push((String::new(), cause.clone()));
        }
    }
    Piece { value, lost }
}

/// What of `path` is at or below `of`.
fn below<'p>(path: &'p str, of: &str) -> Option<&'p str> {
    path.strip_prefix(of).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A mapping of pieces.
fn members<'k>(pieces: impl IntoIterator<Item = (&'k str, Piece)>) -> Piece {
    let mut entries = Map::new();
    let mut lost = Vec::new();
    for (key, piece) in pieces {
        if let Some(value) = piece.value {
            entries.insert(key.to_owned(), value);
        }
        lost.extend(piece.lost.into_iter().map(|(path, cause)| (format!(".{key}{path}"), cause)));
    }
    Piece { value: Some(Value::Object(entries)), lost }
}

/// A policy as a mapping, be it written as one or as JSON in a text.
fn policy(piece: Piece) -> Piece {
    let Some(Value::String(text)) = &piece.value else { return piece };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut policy)) => {
            if let Some(lone) = policy.get_mut("Statement").filter(|statement| statement.is_object()) {
                *lone = Value::Array(vec![lone.take()]);
            }
            Piece { value: Some(Value::Object(policy)), lost: piece.lost }
        }
        _ => {
            Piece { value: None, lost: vec![(String::new(), missing("PolicyDocument", "the text is no JSON policy"))] }
        }
    }
}

/// The statement that AWS makes of a permission to invoke a function.
fn permission(child: &Draft<'_>, scope: &Scope<'_>) -> Piece {
    /// Property, operator and key of a condition.
    const CONDITIONS: [(&str, &str, &str); 5] = [
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ];
    let property = |name: &str| taken(child, Section::Properties, name);
    let known = |value: Value| Piece { value: Some(value), lost: Vec::new() };
    let mut principal = property("Principal");
    principal.value = principal.value.as_ref().and_then(as_text).map(|name| principal_of(&name, scope));
    let mut by_operator: BTreeMap<&str, Vec<(&str, Piece)>> = BTreeMap::new();
    for (name, operator, key) in CONDITIONS {
        let piece = property(name);
        if piece.value.is_some() || !piece.lost.is_empty() {
            by_operator.entry(operator).or_default().push((key, piece));
        }
    }
    let mut statement = vec![
        ("Sid", known(Value::from(child.id))),
        ("Effect", known(Value::from("Allow"))),
        ("Principal", principal),
        ("Action", property("Action")),
        ("Resource", property("FunctionName")),
    ];
    if !by_operator.is_empty() {
        statement.push(("Condition", members(by_operator.into_iter().map(|(name, keys)| (name, members(keys))))));
    }
    let statement = members(statement);
    Piece {
        value: Some(json!({ "Version": "2012-10-17", "Statement": [statement.value] })),
        lost: statement.lost.into_iter().map(|(path, cause)| (format!(".Statement[0]{path}"), cause)).collect(),
    }
}

/// A permission's principal as a policy has it.
fn principal_of(name: &str, scope: &Scope<'_>) -> Value {
    let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    match name {
        "*" => Value::from("*"),
        _ if is_account => json!({ "AWS": format!("arn:{}:iam::{name}:root", scope.options.partition) }),
        _ if name.contains(".amazonaws.com") || name.ends_with(".amazon.com") => json!({ "Service": name }),
        _ => json!({ "AWS": name }),
    }
}

/// Puts what a child gives where it belongs.
fn add(join: &Join, parent: &mut Draft<'_>, piece: Piece) {
    let (section, key) = join.into;
    let path = format!("{}.{key}", section.name());
    let already_lost = parent.lost.iter().any(|(at, _)| below(&path, at).is_some());
    let entries = if section == Section::Properties { &mut parent.properties } else { &mut parent.attributes };
    let is_element = matches!(join.shape, Shape::Some(_) | Shape::AllBut(_) | Shape::Element(_) | Shape::Arn);
    let wholly_lost = piece.lost.iter().any(|(at, _)| at.is_empty());
    let mut prefix = path.clone();
    let mut skipped = 0;
    match piece.value {
        Some(_) | None if already_lost => {}
        None => {}
        Some(value) if is_element => match entries.entry(key).or_insert_with(|| json!([])) {
            Value::Array(items) => {
                prefix = format!("{path}[{}]", items.len());
                items.push(value);
            }
            _ => parent.lost.push((path.clone(), missing(join.child, "what it is added to is no list"))),
        },
        Some(Value::Object(mut policy)) if matches!(join.shape, Shape::Policy(_) | Shape::Permission) => {
            let more = policy.get_mut("Statement").and_then(Value::as_array_mut).map(std::mem::take);
            match (entries.get_mut(key).and_then(|known| known.get_mut("Statement")), more) {
                (Some(Value::Array(statements)), Some(mut more)) => {
                    skipped = statements.len();
                    statements.append(&mut more);
                }
                (_, more) => {
                    if let Some(more) = more {
                        policy.insert("Statement".to_owned(), Value::Array(more));
                    }
                    entries.insert(key.to_owned(), Value::Object(policy));
                }
            }
        }
        Some(value) => {
            entries.insert(key.to_owned(), value);
        }
    }
    for (at, cause) in piece.lost {
        let at = if skipped == 0 { at } else { behind(&at, skipped) };
        parent.lost.push(if wholly_lost { (path.clone(), cause) } else { (format!("{prefix}{at}"), cause) });
    }
}

/// The path of a statement that stands behind `skipped` others; all of the policy where the path is of no statement.
fn behind(path: &str, skipped: usize) -> String {
    let shifted = || {
        let (index, rest) = path.strip_prefix(".Statement[")?.split_once(']')?;
        Some(format!(".Statement[{}]{rest}", index.parse::<usize>().ok()? + skipped))
    };
    shifted().unwrap_or_default()
}

/// Notes that a resource's attribute is decided, now that all that could decide it is joined.
fn settle(join: &Join, parent: &mut Draft<'_>) {
    let (Section::Attributes, key) = join.into else { return };
    parent.decided.insert(key);
    let path = format!("Attributes.{key}");
    if parent.attributes.contains_key(key) || parent.lost.iter().any(|(at, _)| below(at, &path).is_some()) {
        return;
    }
    let nothing = match join.none {
        Nothing::Absent => return,
        Nothing::EmptyList => json!([]),
        Nothing::EmptyText => json!(""),
        Nothing::False => Value::Bool(false),
    };
    parent.attributes.insert(key.to_owned(), nothing);
}
