//! Policy variables (`${aws:username}`): how they are written, and where they may stand.

use super::codes::{
    EMPTY_VARIABLE, MISSING_BRACE_IN_VARIABLE, MISSING_QUOTE_IN_VARIABLE, UNSUPPORTED_SPACE_IN_VARIABLE,
    VARIABLE_UNSUPPORTED_IN_ELEMENT, VARIABLE_UNSUPPORTED_IN_VERSION,
};
use super::context::Context;
use super::view::{Document, Statement};
use crate::json::Node;

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    if !context.text.contains("${") {
        return;
    }
    let has_variables = document.has_variables();
    for statement in &document.statements {
        misplaced(statement, context);
        let values = statement.conditions.iter().flat_map(|condition| condition.values);
        let texts = values.filter_map(|node| Some((node.as_str()?, node)));
        for (text, node) in statement.resources.iter().map(|item| (item.text, item.node)).chain(texts) {
            if !text.contains("${") {
                continue;
            }
            written(text, node, context);
            if has_variables == Some(false) {
                context.at(VARIABLE_UNSUPPORTED_IN_VERSION, node, &[("text", text)]);
            }
        }
    }
}

/// Where a variable stays what it is.
fn misplaced(statement: &Statement<'_>, context: &Context<'_>) {
    let actions = statement.actions.iter().map(|item| (item.text, item.node.start));
    let principals = statement.principals.iter().map(|principal| (principal.text, principal.node.start));
    let keys = statement.conditions.iter().map(|condition| (condition.name(), condition.member.start));
    let sid = statement.sid.and_then(|sid| Some((sid.node.as_str()?, sid.node.start)));
    for (text, offset) in actions.chain(principals).chain(keys).chain(sid) {
        if text.contains("${") {
            context.add(VARIABLE_UNSUPPORTED_IN_ELEMENT, offset, &[("text", text)]);
        }
    }
}

fn written(text: &str, node: &Node<'_>, context: &Context<'_>) {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((inner, after)) = after.split_once('}') else {
            context.at(MISSING_BRACE_IN_VARIABLE, node, &[("text", text)]);
            return;
        };
        rest = after;
        if inner.trim().is_empty() {
            context.at(EMPTY_VARIABLE, node, &[("text", text)]);
            continue;
        }
        let (name, default) = match inner.split_once(',') {
            Some((name, default)) => (name, Some(default.trim())),
            None => (inner, None),
        };
        if name.contains(char::is_whitespace) {
            context.at(UNSUPPORTED_SPACE_IN_VARIABLE, node, &[("name", inner)]);
        }
        if default.is_some_and(|default| default.len() < 2 || !default.starts_with('\'') || !default.ends_with('\'')) {
            context.at(MISSING_QUOTE_IN_VARIABLE, node, &[("name", inner)]);
        }
    }
}

/// The names of the variables in a text, in lower case and without their defaults.
pub(super) fn names(text: &str) -> impl Iterator<Item = String> {
    text.split("${").skip(1).filter_map(|rest| {
        let inner = rest.split_once('}')?.0;
        let name = inner.split(',').next().unwrap_or_default().trim();
        (!["*", "?", "$", ""].contains(&name)).then(|| name.to_ascii_lowercase())
    })
}
