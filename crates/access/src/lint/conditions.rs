//! Conditions: operators, keys, and whether they go together.

use std::collections::HashMap;

use super::PolicyKind;
use super::codes::{
    DEPRECATED_GLOBAL_CONDITION_KEY, DUPLICATE_KEYS_WITH_DIFFERENT_CASE, DYNAMODB_ATTRIBUTES_WITHOUT_SELECT,
    FORALLVALUES_WITH_SINGLE_VALUED_KEY, INVALID_CONDITION_KEY_FORMAT, INVALID_CONDITION_OPERATOR,
    INVALID_GLOBAL_CONDITION_KEY, INVALID_SERVICE, INVALID_SERVICE_CONDITION_KEY, IRRELEVANT_CONDITION_KEY_IN_POLICY,
    MISSING_ACTION_FOR_CONDITION_KEY, MISSING_PAIRED_CONDITION_KEYS, MISSING_QUALIFIER, MISSING_TAG_KEY_IN_CONDITION,
    NULL_WITH_IF_EXISTS, NULL_WITH_QUALIFIER, STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS, TYPE_MISMATCH,
    UNSUPPORTED_ACTION_FOR_CONDITION_KEY, UNSUPPORTED_GLOBAL_CONDITION_KEY, UNTRUSTWORTHY_CONDITION_KEY,
    USE_CONDITION_KEY_ONLY_WITH_SUPPORTED_SERVICES,
};
use super::context::Context;
use super::facts::{
    DEPRECATED_KEYS, ENDPOINT_OWNER_KEYS, ENDPOINT_OWNER_SERVICES, FORGEABLE_KEYS, OWN_RESOURCE_KEYS, PAIRED_KEYS,
};
use super::keys::{Looked, look_up, meant};
use super::pattern::{has_wildcard, matches};
use super::scope::named;
use super::values::{self, Group};
use super::view::{Condition, Document, Statement};
use crate::actions::{Key, KeyKind, KeyType};
use crate::policy::{Family, Qualifier};

/// Every operator, as AWS spells it.
const OPERATORS: &[&str] = &[
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "BinaryEquals",
    "Bool",
    "DateEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateNotEquals",
    "IpAddress",
    "NotIpAddress",
    "Null",
    "NumericEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericNotEquals",
    "StringEquals",
    "StringEqualsIgnoreCase",
    "StringLike",
    "StringNotEquals",
    "StringNotEqualsIgnoreCase",
    "StringNotLike",
];

/// Keys that hold only for what another action asks for: the key, and the action that must be listed too.
const KEYS_WITH_ACTIONS: &[(&str, &str)] =
    &[("iam:passedtoservice", "iam:passrole"), ("iam:associatedresourcearn", "iam:passrole")];

/// Keys published as having several values which AWS's own examples use without a qualifier: what they look at is the
/// one value that a rule is made with.
const EITHER_KEYS: &[&str] = &["events:detail-type", "events:source"];

/// Keys that hold for actions of which the published tables do not say so; other pages of AWS do.
const MORE_ACTIONS: &[(&str, &str)] = &[
    ("aws-marketplace:productid", "aws-marketplace:subscribe"),
    ("aws-marketplace:productid", "aws-marketplace:unsubscribe"),
];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    for statement in &document.statements {
        operators(statement, context);
        for condition in &statement.conditions {
            let looked = look_up(&condition.key, context);
            key(condition, looked, context);
            together(condition, looked, statement, context);
            applies(condition, looked, statement, context);
            values::check(condition, looked, statement, context);
        }
        missing_partner(statement, context);
    }
}

fn operators(statement: &Statement<'_>, context: &Context<'_>) {
    let blocks = statement.condition.and_then(|member| member.node.as_object()).unwrap_or_default();
    for block in blocks {
        let name = block.name.as_ref();
        let base = name.rsplit(':').next().unwrap_or_default();
        match crate::policy::Operator::parse(name) {
            None if base.eq_ignore_ascii_case("NullIfExists") => context.add(NULL_WITH_IF_EXISTS, block.start, &[]),
            None => {
                let meant = context.nearest(base, OPERATORS.iter().copied()).map(str::to_owned);
                context.add_with(INVALID_CONDITION_OPERATOR, block.start, &[("operator", name)], meant);
            }
            Some(operator) if operator.family == Family::Null && operator.qualifier != Qualifier::Single => {
                context.add(NULL_WITH_QUALIFIER, block.start, &[("operator", name)]);
            }
            Some(_) => {}
        }
        let mut seen: HashMap<String, &str> = HashMap::new();
        for member in block.node.as_object().unwrap_or_default() {
            let before = seen.insert(member.name.to_ascii_lowercase(), &member.name);
            if before.is_some_and(|before| before != member.name) {
                context.add(DUPLICATE_KEYS_WITH_DIFFERENT_CASE, member.start, &[("key", &member.name)]);
            }
        }
    }
}

/// Whether the key exists.
fn key(condition: &Condition<'_>, looked: Looked<'_>, context: &Context<'_>) {
    let (start, key) = (condition.member.start, condition.key.as_ref());
    let values = [("key", condition.name())];
    let meant = || meant(key, looked, context);
    match looked {
        Looked::NoKey => context.add(INVALID_CONDITION_KEY_FORMAT, start, &values),
        Looked::Unfinished => context.add(MISSING_TAG_KEY_IN_CONDITION, start, &values),
        Looked::UnknownGlobal if key == "aws:arn" => {
            let instead = Some("aws:PrincipalArn".to_owned());
            context.add_with(UNSUPPORTED_GLOBAL_CONDITION_KEY, start, &values, instead);
        }
        Looked::UnknownGlobal => context.add_with(INVALID_GLOBAL_CONDITION_KEY, start, &values, meant()),
        Looked::UnknownInService(service) => {
            let values = [("key", condition.name()), ("service", service)];
            context.add_with(INVALID_SERVICE_CONDITION_KEY, start, &values, meant());
        }
        Looked::UnknownService(service) => {
            let meant = context.nearest(service, context.actions.prefixes()).map(str::to_owned);
            context.add_with(INVALID_SERVICE, start, &[("service", service)], meant);
        }
        Looked::Global(_) | Looked::Service(..) | Looked::Provider(_) => {}
    }
    if let Some((_, instead)) = DEPRECATED_KEYS.iter().find(|(name, _)| *name == key) {
        context.add_with(DEPRECATED_GLOBAL_CONDITION_KEY, start, &values, Some((*instead).to_owned()));
    }
    if FORGEABLE_KEYS.contains(&key) {
        context.add(UNTRUSTWORTHY_CONDITION_KEY, start, &values);
    }
    if context.kind == PolicyKind::Resource && OWN_RESOURCE_KEYS.contains(&key) {
        context.add(IRRELEVANT_CONDITION_KEY_IN_POLICY, start, &values);
    }
}

/// Whether operator and key suit each other.
fn together(condition: &Condition<'_>, looked: Looked<'_>, statement: &Statement<'_>, context: &Context<'_>) {
    let (Some(operator), Some(kind)) = (condition.operator, looked.kind()) else { return };
    let start = condition.member.start;
    let values = [("key", condition.name()), ("operator", condition.block.name.as_ref())];
    let group = Group::of(operator.family);
    if group == Group::Null {
        return;
    }
    if !suits(group, kind, condition) {
        context.add(TYPE_MISMATCH, start, &values);
    }
    if operator.family == Family::StringLike && kind.kind == KeyKind::Arn {
        context.add(STRING_LIKE_OPERATOR_WITH_ARN_CONDITION_KEYS, start, &values);
    }
    let is_either = EITHER_KEYS.contains(&condition.key.as_ref());
    match operator.qualifier {
        Qualifier::Single if kind.several && !is_either && !condition.values.is_empty() => {
            context.add(MISSING_QUALIFIER, start, &values);
        }
        // In a Deny, a key that is absent is denied: stricter than meant, not looser.
        Qualifier::ForAll if !kind.several && statement.allows() => {
            context.add(FORALLVALUES_WITH_SINGLE_VALUED_KEY, start, &values);
        }
        _ => {}
    }
}

fn suits(group: Group, kind: KeyType, condition: &Condition<'_>) -> bool {
    match (group, kind.kind) {
        (_, KeyKind::Unknown)
        | (Group::String | Group::Binary, KeyKind::String)
        | (Group::String | Group::Arn, KeyKind::Arn)
        | (Group::Numeric, KeyKind::Numeric)
        | (Group::Date, KeyKind::Date)
        | (Group::Bool, KeyKind::Bool)
        | (Group::Ip, KeyKind::Ip) => true,
        (Group::Numeric, KeyKind::Date) => condition.key == "aws:epochtime",
        // Many a key that holds ARNs is published as a text.
        (Group::Arn, KeyKind::String) => {
            condition.texts().all(|(text, _)| text.starts_with("arn:") || has_wildcard(text))
        }
        _ => false,
    }
}

/// Whether the key can be there for the actions of the statement.
fn applies(condition: &Condition<'_>, looked: Looked<'_>, statement: &Statement<'_>, context: &Context<'_>) {
    let start = condition.member.start;
    let key = condition.key.as_ref();
    if let Looked::Service(prefix, found) = looked {
        let without = unsupported(prefix, found, key, statement, context);
        if !without.is_empty() {
            let values = [("key", condition.name()), ("actions", &without.join(", "))];
            context.add(UNSUPPORTED_ACTION_FOR_CONDITION_KEY, start, &values);
        }
    }
    for (_, action) in KEYS_WITH_ACTIONS.iter().filter(|(name, _)| *name == key) {
        let is_listed = statement.actions.iter().any(|item| item.negated || matches(&item.lower, action));
        if !statement.actions.is_empty() && !is_listed {
            context.add(MISSING_ACTION_FOR_CONDITION_KEY, start, &[("key", condition.name()), ("action", action)]);
        }
    }
    if ENDPOINT_OWNER_KEYS.contains(&key) && (statement.allows() || statement.denies()) {
        let outside = |item: &super::view::Item<'_>| {
            let prefix = item.lower.split(':').next().unwrap_or_default();
            item.negated || !ENDPOINT_OWNER_SERVICES.contains(&prefix)
        };
        if statement.actions.iter().any(outside) {
            context.add(USE_CONDITION_KEY_ONLY_WITH_SUPPORTED_SERVICES, start, &[("key", condition.name())]);
        }
    }
    if key == "dynamodb:attributes" && statement.allows() && !selects(statement) && reads_items(statement, context) {
        context.add(DYNAMODB_ATTRIBUTES_WITHOUT_SELECT, start, &[]);
    }
}

/// The actions of the statement, named one by one, that never have the key. An action that does not exist is told
/// elsewhere.
fn unsupported<'s>(
    prefix: &str,
    key: Key,
    condition_key: &str,
    statement: &'s Statement<'_>,
    context: &Context<'_>,
) -> Vec<&'s str> {
    let mut without = Vec::new();
    if !context.index(prefix).is_some_and(|index| index.is_used(key)) {
        return without;
    }
    for item in statement.actions.iter().filter(|item| !item.negated && !has_wildcard(&item.lower)) {
        let Some((service, name)) = item.lower.split_once(':') else { continue };
        if KEYS_WITH_ACTIONS.iter().any(|(_, action)| *action == item.lower) {
            continue;
        }
        let Some(index) = context.index(service) else { continue };
        let Some(action) = index.action(name) else { continue };
        // Another service may list the key too, as its own.
        let own = if service == prefix { Some(key) } else { index.key(condition_key) };
        if !own.is_some_and(|key| action.has_key(key)) && !MORE_ACTIONS.contains(&(condition_key, item.lower.as_ref()))
        {
            without.push(item.text);
        }
    }
    without
}

fn selects(statement: &Statement<'_>) -> bool {
    let select = statement.conditions.iter().find(|condition| condition.key == "dynamodb:select");
    select.is_some_and(|condition| condition.texts().any(|(text, _)| text == "SPECIFIC_ATTRIBUTES"))
}

/// Whether some action of the statement can be asked for all attributes.
fn reads_items(statement: &Statement<'_>, context: &Context<'_>) -> bool {
    let Some(index) = context.index("dynamodb") else { return false };
    let Some(key) = index.key("dynamodb:select") else { return false };
    statement.actions.iter().any(|item| match item.lower.split_once(':') {
        _ if item.negated => false,
        Some(("dynamodb", name)) => named(index, name).any(|action| action.has_key(key)),
        Some(_) => false,
        None => item.lower == "*",
    })
}

fn missing_partner(statement: &Statement<'_>, context: &Context<'_>) {
    for (key, partners) in PAIRED_KEYS {
        let alone = statement.conditions.iter().find(|condition| condition.key == *key);
        if let Some(condition) = alone.filter(|_| !statement.has_key(partners)) {
            let values = [("key", condition.name()), ("partners", &partners.join(", "))];
            context.add(MISSING_PAIRED_CONDITION_KEYS, condition.member.start, &values);
        }
    }
}
