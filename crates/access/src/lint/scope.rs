//! Actions: whether they exist, and whether they belong where they stand.

use super::PolicyKind;
use super::codes::{
    INVALID_ACTION, INVALID_SERVICE_IN_ACTION, SCP_SYNTAX_ERROR_ACTION_WILDCARD, SCP_SYNTAX_ERROR_PRINCIPAL,
    UNSUPPORTED_ACTION_IN_POLICY, WILDCARD_IN_SERVICE_NAME,
};
use super::context::Context;
use super::facts::resource_policy_of;
use super::pattern::{fixed_start, has_wildcard, matches};
use super::view::{Document, Item, Statement};
use crate::actions::{Index, IndexedAction};

/// What a role's trust policy may speak of, in lower case.
const TRUST_ACTIONS: &[&str] = &[
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    for statement in &document.statements {
        for item in &statement.actions {
            action(item, context);
        }
        if context.kind == PolicyKind::Scp {
            scp(statement, context);
        }
    }
}

fn action(item: &Item<'_>, context: &Context<'_>) {
    let values = [("action", item.text)];
    if item.text == "*" || item.text.contains("${") {
        return;
    }
    let Some((prefix, name)) = item.lower.split_once(':') else {
        context.at(INVALID_ACTION, item.node, &values);
        return;
    };
    if has_wildcard(prefix) {
        context.at(WILDCARD_IN_SERVICE_NAME, item.node, &[("text", item.text)]);
        return;
    }
    let Some(index) = context.index(prefix) else {
        let meant = context.nearest(prefix, context.actions.prefixes()).map(|prefix| format!("{prefix}:{name}"));
        context.add_with(INVALID_SERVICE_IN_ACTION, item.node.start, &[("service", prefix)], meant);
        return;
    };
    let mut known = named(index, name).peekable();
    if known.peek().is_none() {
        context.add_with(INVALID_ACTION, item.node.start, &values, meant(index, prefix, name, context));
    } else if !item.negated && !belongs(prefix, name, known, context) {
        context.at(UNSUPPORTED_ACTION_IN_POLICY, item.node, &values);
    }
}

/// The actions of a service that a lower-case pattern names.
pub(super) fn named<'a>(index: &'a Index, name: &'a str) -> impl Iterator<Item = &'a IndexedAction> {
    let is_open = has_wildcard(name);
    let exact = if is_open { None } else { index.action(name) };
    let open = is_open.then(|| index.actions_from(fixed_start(name)));
    let open = open.into_iter().flatten().filter(move |(known, _)| matches(name, known)).map(|(_, action)| action);
    exact.into_iter().chain(open)
}

/// The existing action nearest to one that does not exist. Where it has wildcards, there is none.
fn meant(index: &Index, prefix: &str, name: &str, context: &Context<'_>) -> Option<String> {
    if has_wildcard(name) {
        return None;
    }
    let near = context.nearest(name, index.actions_from("").map(|(known, _)| known))?;
    index.action(near).map(|action| format!("{prefix}:{}", action.name))
}

/// Whether some of the actions can be asked of what the policy is attached to.
fn belongs<'a>(
    prefix: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a IndexedAction>,
    context: &Context<'_>,
) -> bool {
    match context.kind {
        PolicyKind::Trust => {
            let pattern = format!("{prefix}:{name}");
            TRUST_ACTIONS.iter().any(|action| matches(&pattern, action))
        }
        PolicyKind::Resource => match context.resource_type.and_then(resource_policy_of) {
            Some((service, kinds)) => {
                prefix == service
                    && (kinds.is_empty()
                        || known
                            .into_iter()
                            .any(|action| action.resources.iter().any(|kind| kinds.contains(&kind.as_ref()))))
            }
            None => true,
        },
        PolicyKind::Identity | PolicyKind::Scp | PolicyKind::Rcp => true,
    }
}

/// A service control policy binds every principal below it, and has wildcards at the end of actions only.
fn scp(statement: &Statement<'_>, context: &Context<'_>) {
    for member in [statement.principal, statement.not_principal].into_iter().flatten() {
        context.add(SCP_SYNTAX_ERROR_PRINCIPAL, member.start, &[("element", &member.name)]);
    }
    for item in &statement.actions {
        if has_wildcard(item.text.get(..item.text.len().saturating_sub(1)).unwrap_or_default()) {
            context.at(SCP_SYNTAX_ERROR_ACTION_WILDCARD, item.node, &[("action", item.text)]);
        }
    }
}
