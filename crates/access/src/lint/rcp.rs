//! Resource control policies: they only take away, from everyone, and must let AWS services pass on purpose.

use super::PolicyKind;
use super::codes::{
    RCP_MISSING_RELATED_PRINCIPAL_CONDITION_KEY, RCP_MISSING_RELATED_SERVICE_PRINCIPAL_CONDITION_KEY,
    RCP_MISSING_SERVICE_CONDITION_KEY_NULL_CHECK, RCP_SYNTAX_ERROR_ACTION, RCP_SYNTAX_ERROR_ALLOW,
    RCP_SYNTAX_ERROR_NOTACTION, RCP_SYNTAX_ERROR_PRINCIPAL,
};
use super::context::Context;
use super::facts::{PRINCIPAL_OWNER_KEYS, SOURCE_KEYS};
use super::values::Group;
use super::view::{Document, Statement};
use crate::json::Value;

/// Keys of which one must be asked for before a service's call is judged by whose call it is.
const NULL_CHECKED_KEYS: &[&str] = &["aws:sourceaccount", "aws:sourcearn"];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    if context.kind != PolicyKind::Rcp {
        return;
    }
    for statement in &document.statements {
        elements(statement, context);
        if statement.denies() {
            keys(statement, context);
        }
    }
}

fn elements(statement: &Statement<'_>, context: &Context<'_>) {
    if let Some(member) = statement.not_principal {
        context.add(RCP_SYNTAX_ERROR_PRINCIPAL, member.start, &[]);
    }
    if let Some(member) = statement.principal.filter(|member| member.node.as_str() != Some("*")) {
        context.at(RCP_SYNTAX_ERROR_PRINCIPAL, &member.node, &[]);
    }
    if let Some(member) = statement.not_action {
        context.add(RCP_SYNTAX_ERROR_NOTACTION, member.start, &[]);
    }
    if let Some(effect) = statement.effect.filter(|_| statement.allows()) {
        if !is_full_access(statement) {
            context.at(RCP_SYNTAX_ERROR_ALLOW, &effect.node, &[]);
        }
        return;
    }
    for item in statement.actions.iter().filter(|item| !item.negated) {
        let prefix = item.lower.split(':').next().unwrap_or_default();
        // What does not exist at all is told elsewhere.
        let exists = item.text == "*" || context.actions.has_service(prefix);
        if exists && !context.actions.is_protected(prefix) {
            context.at(RCP_SYNTAX_ERROR_ACTION, item.node, &[("action", item.text)]);
        }
    }
}

/// The one Allow that there is: everything to everyone.
fn is_full_access(statement: &Statement<'_>) -> bool {
    let only_star = |items: &[super::view::Item<'_>]| matches!(items, [item] if item.text == "*" && !item.negated);
    only_star(&statement.actions) && only_star(&statement.resources) && statement.condition.is_none()
}

fn keys(statement: &Statement<'_>, context: &Context<'_>) {
    let of = |keys: &'static [&'static str]| {
        statement.conditions.iter().find(move |condition| {
            let is_null = condition.operator.is_some_and(|operator| Group::of(operator.family) == Group::Null);
            keys.contains(&condition.key.as_ref()) && !is_null
        })
    };
    if let Some(condition) = of(PRINCIPAL_OWNER_KEYS)
        && !asks(statement, Group::Bool, &["aws:principalisawsservice"], "false")
    {
        let values = [("key", condition.name())];
        context.add(RCP_MISSING_RELATED_PRINCIPAL_CONDITION_KEY, condition.member.start, &values);
    }
    let Some(condition) = of(SOURCE_KEYS) else { return };
    let values = [("key", condition.name())];
    if !asks(statement, Group::Bool, &["aws:principalisawsservice"], "true") {
        context.add(RCP_MISSING_RELATED_SERVICE_PRINCIPAL_CONDITION_KEY, condition.member.start, &values);
    }
    if !asks(statement, Group::Null, NULL_CHECKED_KEYS, "false") {
        context.add(RCP_MISSING_SERVICE_CONDITION_KEY_NULL_CHECK, condition.member.start, &values);
    }
}

/// Whether a condition of this group asks that one of the keys is `word`.
fn asks(statement: &Statement<'_>, group: Group, keys: &[&str], word: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.operator.is_some_and(|operator| Group::of(operator.family) == group)
            && keys.contains(&condition.key.as_ref())
            && condition.values.iter().any(|value| match &value.value {
                Value::String(text) => text.eq_ignore_ascii_case(word),
                Value::Bool(bool) => bool.to_string() == word,
                _ => false,
            })
    })
}
