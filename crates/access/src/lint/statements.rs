//! What each statement must have, may not have, and has for nothing.

use std::collections::HashSet;

use super::PolicyKind;
use super::codes::{
    EMPTY_ARRAY_ACTION, EMPTY_ARRAY_CONDITION, EMPTY_ARRAY_CONDITION_FORALLVALUES, EMPTY_ARRAY_CONDITION_FORANYVALUE,
    EMPTY_ARRAY_CONDITION_IFEXISTS, EMPTY_ARRAY_PRINCIPAL, EMPTY_ARRAY_RESOURCE, EMPTY_OBJECT_CONDITION,
    EMPTY_OBJECT_PRINCIPAL, EMPTY_SID_VALUE, MISSING_ACTION, MISSING_EFFECT, MISSING_PRINCIPAL, MISSING_RESOURCE,
    UNIQUE_SIDS_RECOMMENDED, UNIQUE_SIDS_REQUIRED, UNSUPPORTED_ELEMENT_COMBINATION, UNSUPPORTED_SID,
};
use super::context::Context;
use super::facts::RESOURCELESS_SERVICES;
use super::view::{Condition, Document, Statement};
use crate::json::{Member, Value};
use crate::policy::Qualifier;

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    for statement in &document.statements {
        missing(statement, context);
        combinations(statement, context);
        empty(statement, context);
    }
    sids(document, context);
}

fn missing(statement: &Statement<'_>, context: &Context<'_>) {
    let start = statement.start();
    if statement.effect.is_none() {
        context.add(MISSING_EFFECT, start, &[]);
    }
    if statement.action.or(statement.not_action).is_none() {
        context.add(MISSING_ACTION, start, &[]);
    }
    let names_principals = matches!(context.kind, PolicyKind::Resource | PolicyKind::Trust | PolicyKind::Rcp);
    if names_principals && statement.principal.or(statement.not_principal).is_none() {
        context.add(MISSING_PRINCIPAL, start, &[]);
    }
    let names_resources = match context.kind {
        PolicyKind::Trust => false,
        PolicyKind::Resource => !is_resourceless(statement),
        PolicyKind::Identity | PolicyKind::Scp | PolicyKind::Rcp => true,
    };
    if names_resources && statement.resource.or(statement.not_resource).is_none() {
        context.add(MISSING_RESOURCE, start, &[]);
    }
}

/// Whether all its actions are of services whose policies speak of the one resource that they belong to.
fn is_resourceless(statement: &Statement<'_>) -> bool {
    let of_such = |action: &str| action.split(':').next().is_some_and(|prefix| RESOURCELESS_SERVICES.contains(&prefix));
    !statement.actions.is_empty() && statement.actions.iter().all(|action| of_such(&action.lower))
}

fn combinations(statement: &Statement<'_>, context: &Context<'_>) {
    for (plain, negated) in [
        (statement.action, statement.not_action),
        (statement.resource, statement.not_resource),
        (statement.principal, statement.not_principal),
    ] {
        if let (Some(plain), Some(negated)) = (plain, negated) {
            let later = if plain.start < negated.start { negated } else { plain };
            let names = [("one", plain.name.as_ref()), ("other", negated.name.as_ref())];
            context.add(UNSUPPORTED_ELEMENT_COMBINATION, later.start, &names);
        }
    }
}

fn empty(statement: &Statement<'_>, context: &Context<'_>) {
    let is_empty_list = |member: &Member<'_>| matches!(&member.node.value, Value::Array(items) if items.is_empty());
    let is_empty_object =
        |member: &Member<'_>| matches!(&member.node.value, Value::Object(members) if members.is_empty());
    for (member, code) in [
        (statement.action, EMPTY_ARRAY_ACTION),
        (statement.not_action, EMPTY_ARRAY_ACTION),
        (statement.resource, EMPTY_ARRAY_RESOURCE),
        (statement.not_resource, EMPTY_ARRAY_RESOURCE),
    ] {
        if let Some(member) = member.filter(|member| is_empty_list(member)) {
            context.at(code, &member.node, &[("element", &member.name)]);
        }
    }
    for member in [statement.principal, statement.not_principal].into_iter().flatten() {
        if is_empty_object(member) {
            context.at(EMPTY_OBJECT_PRINCIPAL, &member.node, &[]);
        }
        let kinds = member.node.as_object().unwrap_or_default();
        for list in std::iter::once(member).chain(kinds).filter(|member| is_empty_list(member)) {
            context.at(EMPTY_ARRAY_PRINCIPAL, &list.node, &[]);
        }
    }
    if let Some(member) = statement.condition {
        let blocks = member.node.as_object().unwrap_or_default();
        for block in std::iter::once(member).chain(blocks).filter(|member| is_empty_object(member)) {
            context.at(EMPTY_OBJECT_CONDITION, &block.node, &[]);
        }
    }
    for condition in statement.conditions.iter().filter(|condition| condition.values.is_empty()) {
        let code = empty_condition(condition);
        context.at(code, &condition.member.node, &[("key", condition.name())]);
    }
}

fn empty_condition(condition: &Condition<'_>) -> super::Code {
    match condition.operator {
        Some(operator) if operator.qualifier == Qualifier::ForAll => EMPTY_ARRAY_CONDITION_FORALLVALUES,
        Some(operator) if operator.qualifier == Qualifier::ForAny => EMPTY_ARRAY_CONDITION_FORANYVALUE,
        Some(operator) if operator.if_exists => EMPTY_ARRAY_CONDITION_IFEXISTS,
        _ => EMPTY_ARRAY_CONDITION,
    }
}

/// IAM and Organizations refuse what resources take: other characters in a `Sid`, and the same one twice.
fn sids(document: &Document<'_>, context: &Context<'_>) {
    let is_strict = context.kind != PolicyKind::Resource;
    let mut seen = HashSet::new();
    for (sid, node) in document
        .statements
        .iter()
        .filter_map(|statement| statement.sid)
        .filter_map(|sid| Some((sid.node.as_str()?, &sid.node)))
    {
        if sid.is_empty() {
            context.at(EMPTY_SID_VALUE, node, &[]);
            continue;
        }
        if is_strict && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            context.at(UNSUPPORTED_SID, node, &[("sid", sid)]);
        }
        if !seen.insert(sid) {
            let code = if is_strict { UNIQUE_SIDS_REQUIRED } else { UNIQUE_SIDS_RECOMMENDED };
            context.at(code, node, &[("sid", sid)]);
        }
    }
}
