//! What says nothing that is not said already.

use std::collections::{HashMap, HashSet};

use super::PolicyKind;
use super::codes::{REDUNDANT_ACTION, REDUNDANT_RESOURCE, REDUNDANT_STATEMENT};
use super::context::Context;
use super::pattern::{fixed_start, has_wildcard};
use super::view::{Document, Item, Statement, lower};
use crate::json::{Node, Value};
use crate::policy::{Glob, Reading};

/// How many characters are compared with characters in one list, at most. A policy within AWS's quotas has six thousand
/// characters in all.
const COMPARED_MAX: usize = 50_000_000;

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    let has_variables = document.has_variables() == Some(true);
    for statement in &document.statements {
        for negated in [false, true] {
            let actions: Vec<&Item<'_>> = statement.actions.iter().filter(|item| item.negated == negated).collect();
            covered(&actions, |item| &item.lower, Glob::plain, |one, other| one.covers(other, Reading::Certain))
                .for_each(|(item, by)| {
                    context.at(REDUNDANT_ACTION, item.node, &[("action", item.text), ("by", by)]);
                });
            let resources: Vec<&Item<'_>> = statement.resources.iter().filter(|item| item.negated == negated).collect();
            let glob = if has_variables { Glob::with_variables } else { Glob::plain };
            if context.kind != PolicyKind::Trust {
                covered(&resources, |item| item.text, glob, |one, other| one.covers_arn(other, Reading::Certain))
                    .for_each(|(item, by)| {
                        context.at(REDUNDANT_RESOURCE, item.node, &[("resource", item.text), ("by", by)]);
                    });
            }
        }
    }
    statements(document, context);
}

/// The items that another one covers, each with one that does. Of two equal ones the later is covered.
fn covered<'i, 't>(
    items: &'i [&'i Item<'t>],
    text: impl Fn(&'i Item<'t>) -> &'i str,
    glob: impl Fn(&str) -> Glob,
    covers: impl Fn(&Glob, &Glob) -> bool,
) -> impl Iterator<Item = (&'i Item<'t>, &'i str)> {
    let mut found = Vec::new();
    let mut compared = 0_usize;
    let mut seen: HashSet<&str> = HashSet::new();
    // Only what has wildcards covers anything but itself, and only what begins as its fixed part does.
    let wide: Vec<(usize, &Item<'_>, &str, Glob)> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| items.len() > 1 && has_wildcard(item.text))
        .map(|(at, item)| (at, *item, fixed_start(text(item)), glob(text(item))))
        .collect();
    for (at, item) in items.iter().enumerate() {
        let own = text(item);
        if !seen.insert(own) {
            found.push((*item, item.text));
            continue;
        }
        let mut own_glob = None;
        let by = wide.iter().find(|(place, _, start, wide)| {
            compared += 1;
            if *place == at || !own.starts_with(start) || compared > COMPARED_MAX {
                return false;
            }
            compared += own.len() * wide.as_str().len();
            let own_glob = own_glob.get_or_insert_with(|| glob(own));
            // Of two that cover each other the first stays.
            covers(wide, own_glob) && !(at < *place && covers(own_glob, wide))
        });
        if compared > COMPARED_MAX {
            break;
        }
        if let Some((_, by, ..)) = by {
            found.push((*item, by.text));
        }
    }
    found.into_iter()
}

/// Statements that say the same, whatever their `Sid` and the order in which they say it.
fn statements(document: &Document<'_>, context: &Context<'_>) {
    if document.statements.len() < 2 {
        return;
    }
    // Most differ in these counts already.
    let shape = |statement: &Statement<'_>| {
        (
            statement.denies(),
            statement.actions.len(),
            statement.resources.len(),
            statement.principals.len(),
            statement.conditions.len(),
        )
    };
    let mut alike: HashMap<_, Vec<&Statement<'_>>> = HashMap::new();
    for statement in &document.statements {
        alike.entry(shape(statement)).or_default().push(statement);
    }
    for group in alike.values().filter(|group| group.len() > 1) {
        let mut seen = HashSet::new();
        for statement in group {
            let Some(node) = statement.node else { continue };
            if !seen.insert(said(node, statement)) {
                context.at(REDUNDANT_STATEMENT, node, &[]);
            }
        }
    }
}

/// The statement in one form for all its spellings.
fn said(node: &Node<'_>, statement: &Statement<'_>) -> String {
    let mut parts = Vec::new();
    for member in node.as_object().unwrap_or_default() {
        let text = match member.name.as_ref() {
            "Sid" => continue,
            "Action" | "NotAction" => {
                let mut actions: Vec<&str> = statement.actions.iter().map(|item| item.lower.as_ref()).collect();
                actions.sort_unstable();
                actions.join("\u{0}")
            }
            "Condition" => plain(&member.node, true),
            _ => plain(&member.node, false),
        };
        parts.push(format!("{:?}:{text}", member.name));
    }
    parts.sort_unstable();
    parts.join(",")
}

/// A value with its lists and members in order, and lists of one as what is in them. Names of condition operators and
/// keys have no case.
fn plain(node: &Node<'_>, is_condition: bool) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => format!("{:?}", bool.to_string()),
        Value::Number(text) => format!("{text:?}"),
        Value::String(text) => format!("{text:?}"),
        Value::Array(items) => {
            let mut items: Vec<String> = items.iter().map(|item| plain(item, false)).collect();
            items.sort_unstable();
            items.join("|")
        }
        Value::Object(members) => {
            let name = |name: &str| if is_condition { lower(name).into_owned() } else { name.to_owned() };
            let mut members: Vec<String> = members
                .iter()
                .map(|member| format!("{:?}:{}", name(&member.name), plain(&member.node, is_condition)))
                .collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
    }
}
