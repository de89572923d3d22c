//! The shape of a document: which elements there are, and what each may be.

use std::collections::HashSet;

use super::codes::{
    DATA_TYPE_MISMATCH, INVALID_CONDITION_DATA_TYPE, INVALID_EFFECT, INVALID_POLICY_ELEMENT, INVALID_PRINCIPAL_FORMAT,
    INVALID_PRINCIPAL_KEY, INVALID_VERSION, JSON_SYNTAX_ERROR, MISSING_STATEMENT, MISSING_VERSION,
};
use super::context::Context;
use super::view::Document;
use crate::json::{Member, Node, Value};

const POLICY_ELEMENTS: &[&str] = &["Version", "Id", "Statement"];

const STATEMENT_ELEMENTS: &[&str] =
    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

const PRINCIPAL_KEYS: &[&str] = &["AWS", "CanonicalUser", "Federated", "Service"];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    let Some(members) = document.root.as_object() else {
        mismatch(document.root, "object", context);
        return;
    };
    repeated_names(document.root, context);
    elements(members, POLICY_ELEMENTS, context);
    version(document, context);
    for member in members {
        match (member.name.as_ref(), &member.node.value) {
            ("Version" | "Id", Value::String(_)) | ("Statement", Value::Object(_)) => {}
            ("Version" | "Id", _) => mismatch(&member.node, "string", context),
            ("Statement", Value::Array(items)) => {
                for item in items.iter().filter(|item| item.as_object().is_none()) {
                    mismatch(item, "object", context);
                }
            }
            ("Statement", _) => mismatch(&member.node, "object or array", context),
            _ => {}
        }
    }
    let statement = document.root.get("Statement");
    if statement.is_none_or(|member| member.node.as_array().is_some_and(<[_]>::is_empty)) {
        context.add(MISSING_STATEMENT, statement.map_or(document.root.start, |member| member.start), &[]);
    }
    for node in document.statements.iter().filter_map(|statement| statement.node) {
        let members = node.as_object().unwrap_or_default();
        elements(members, STATEMENT_ELEMENTS, context);
        for member in members {
            element(member, context);
        }
    }
}

fn mismatch(node: &Node<'_>, expected: &str, context: &Context<'_>) {
    context.at(DATA_TYPE_MISMATCH, node, &[("expected", expected)]);
}

/// A name that stands twice in one object: JSON readers keep one of the two, and not all the same one.
fn repeated_names(node: &Node<'_>, context: &Context<'_>) {
    for item in node.as_array().unwrap_or_default() {
        repeated_names(item, context);
    }
    let members = node.as_object().unwrap_or_default();
    let mut seen = HashSet::new();
    for member in members {
        if !seen.insert(member.name.as_ref()) {
            context.add(JSON_SYNTAX_ERROR, member.start, &[("problem", "repeated"), ("name", &member.name)]);
        }
        repeated_names(&member.node, context);
    }
}

fn elements(members: &[Member<'_>], known: &'static [&'static str], context: &Context<'_>) {
    for member in members.iter().filter(|member| !known.contains(&member.name.as_ref())) {
        let meant = context.nearest(&member.name, known.iter().copied()).map(str::to_owned);
        context.add_with(INVALID_POLICY_ELEMENT, member.start, &[("element", &member.name)], meant);
    }
}

fn version(document: &Document<'_>, context: &Context<'_>) {
    let Some(member) = document.version else {
        context.add(MISSING_VERSION, document.root.start, &[]);
        return;
    };
    if let Some(version) = member.node.as_str().filter(|version| !["2012-10-17", "2008-10-17"].contains(version)) {
        context.add_with(INVALID_VERSION, member.node.start, &[("version", version)], Some("2012-10-17".to_owned()));
    }
}

fn element(member: &Member<'_>, context: &Context<'_>) {
    let node = &member.node;
    match member.name.as_ref() {
        "Sid" if node.as_str().is_none() => mismatch(node, "string", context),
        "Effect" => match node.as_str() {
            None => mismatch(node, "string", context),
            Some("Allow" | "Deny") => {}
            Some(effect) => {
                let meant = context.nearest(effect, ["Allow", "Deny"].into_iter()).map(str::to_owned);
                context.add_with(INVALID_EFFECT, node.start, &[("effect", effect)], meant);
            }
        },
        "Action" | "NotAction" | "Resource" | "NotResource" => texts(node, context),
        "Principal" | "NotPrincipal" => principal(node, context),
        "Condition" => condition(node, context),
        _ => {}
    }
}

/// One text or a list of texts.
fn texts(node: &Node<'_>, context: &Context<'_>) {
    match &node.value {
        Value::String(_) => {}
        Value::Array(items) => {
            for item in items.iter().filter(|item| item.as_str().is_none()) {
                mismatch(item, "string", context);
            }
        }
        _ => mismatch(node, "string or array", context),
    }
}

fn principal(node: &Node<'_>, context: &Context<'_>) {
    match &node.value {
        Value::String(text) if text == "*" => {}
        // An empty list has a check of its own.
        Value::Array(items) if items.is_empty() => {}
        Value::Object(members) => {
            for member in members {
                if !PRINCIPAL_KEYS.contains(&member.name.as_ref()) {
                    let meant = context.nearest(&member.name, PRINCIPAL_KEYS.iter().copied()).map(str::to_owned);
                    context.add_with(INVALID_PRINCIPAL_KEY, member.start, &[("key", &member.name)], meant);
                }
                texts(&member.node, context);
            }
        }
        _ => context.at(INVALID_PRINCIPAL_FORMAT, node, &[]),
    }
}

fn condition(node: &Node<'_>, context: &Context<'_>) {
    let Some(blocks) = node.as_object() else {
        mismatch(node, "object", context);
        return;
    };
    for block in blocks {
        let Some(keys) = block.node.as_object() else {
            mismatch(&block.node, "object", context);
            continue;
        };
        for key in keys {
            condition_values(&key.node, context);
        }
    }
}

/// Texts, numbers or Booleans, all of one kind.
fn condition_values(node: &Node<'_>, context: &Context<'_>) {
    let values = node.as_array().unwrap_or(std::slice::from_ref(node));
    let kind = |node: &Node<'_>| match node.value {
        Value::String(_) => Some(0),
        Value::Number(_) => Some(1),
        Value::Bool(_) => Some(2),
        _ => None,
    };
    let first = values.first().and_then(kind);
    for value in values {
        if kind(value).is_none() || kind(value) != first {
            context.at(INVALID_CONDITION_DATA_TYPE, value, &[]);
            return;
        }
    }
}
