//! Principals: who they can be, and what must be asked of them.

use super::PolicyKind;
use super::arn::Arn;
use super::codes::{
    ALLOW_WITH_NOT_PRINCIPAL, FEDERATED_PRINCIPAL_NOT_SUPPORTED, INVALID_ROLE_REFERENCE,
    INVALID_SERVICE_PRINCIPAL_FORMAT, INVALID_USER_REFERENCE, RECOMMENDED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL,
    RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL, UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL, UNSUPPORTED_PRINCIPAL,
    UNSUPPORTED_WILDCARD_IN_PRINCIPAL,
};
use super::context::Context;
use super::facts::{IDENTITY_KEYS, SOURCE_KEYS};
use super::pattern::has_wildcard;
use super::resources;
use super::values::Group;
use super::view::{Document, Principal, Statement};

/// Keys by which people try to say in whose name a service calls, and which do not say it.
const WEAK_SOURCE_KEYS: &[&str] = &["aws:referer", "aws:sourceowner", "aws:useragent"];

/// What a service's name ends with, by partition.
const SERVICE_ENDINGS: &[&str] = &[
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".amazon.com",
    ".aws.internal",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    for statement in &document.statements {
        if context.kind == PolicyKind::Identity {
            for member in [statement.principal, statement.not_principal].into_iter().flatten() {
                context.add(UNSUPPORTED_PRINCIPAL, member.start, &[("element", &member.name)]);
            }
        }
        for principal in &statement.principals {
            one(principal, context);
        }
        if let Some(member) = statement.not_principal.filter(|_| statement.allows()) {
            context.add(ALLOW_WITH_NOT_PRINCIPAL, member.start, &[]);
        }
        services(statement, context);
    }
}

fn one(principal: &Principal<'_>, context: &Context<'_>) {
    let (text, node) = (principal.text, principal.node);
    let Some(key) = principal.key else { return };
    if text.contains("${") {
        return;
    }
    let values = [("principal", text)];
    match key {
        "AWS" if text == "*" => {}
        "Service" | "Federated" | "CanonicalUser" | "AWS" if has_wildcard(text) => {
            context.at(UNSUPPORTED_WILDCARD_IN_PRINCIPAL, node, &values);
        }
        "AWS" => aws(text, principal, context),
        "Service" if !is_service(text) => context.at(INVALID_SERVICE_PRINCIPAL_FORMAT, node, &values),
        "Federated" if context.kind == PolicyKind::Resource => {
            context.at(FEDERATED_PRINCIPAL_NOT_SUPPORTED, node, &values);
        }
        _ => {}
    }
}

/// An account, an ARN, or the unique id that is left of a principal that was deleted.
fn aws(text: &str, principal: &Principal<'_>, context: &Context<'_>) {
    let node = principal.node;
    let is_id = |prefix: &str| text.starts_with(prefix) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return;
    }
    if is_id("AROA") {
        context.at(INVALID_ROLE_REFERENCE, node, &[("principal", text)]);
    } else if is_id("AIDA") {
        context.at(INVALID_USER_REFERENCE, node, &[("principal", text)]);
    } else if let Some(Arn { service, resource, .. }) = resources::shape(text, node, context) {
        let kinds: &[&str] = match service {
            "iam" => &["root", "user/", "role/"],
            "sts" => &["assumed-role/", "federated-user/", "self"],
            _ => &[],
        };
        let fits = kinds.iter().any(|kind| match kind.strip_suffix('/') {
            Some(_) => resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()),
            None => resource == *kind,
        });
        if !fits {
            context.at(super::codes::INVALID_ARN_RESOURCE, node, &[("resource", resource), ("service", service)]);
        }
    }
}

/// `name.amazonaws.com`, with more names before it perhaps.
fn is_service(text: &str) -> bool {
    let name = SERVICE_ENDINGS.iter().find_map(|ending| text.strip_suffix(ending));
    name.is_some_and(|name| {
        name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
    })
}

/// Services act in the name of others: a policy of a resource has to say whose.
fn services(statement: &Statement<'_>, context: &Context<'_>) {
    if !statement.allows() {
        return;
    }
    let services =
        || statement.principals.iter().filter(|principal| principal.key == Some("Service") && !principal.negated);
    let Some(first) = services().next() else { return };
    let only_services = services().count() == statement.principals.len();
    if only_services {
        never_present(statement, context);
    }
    if context.kind != PolicyKind::Resource || statement.has_key(SOURCE_KEYS) {
        return;
    }
    let weak = statement.conditions.iter().find(|condition| WEAK_SOURCE_KEYS.contains(&condition.key.as_ref()));
    match weak {
        Some(condition) => {
            let values = [("key", condition.name()), ("principal", first.text)];
            context.add(RECOMMENDED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL, condition.member.start, &values);
        }
        None => {
            for principal in services() {
                let values = [("principal", principal.text)];
                context.at(RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL, principal.node, &values);
            }
        }
    }
}

fn never_present(statement: &Statement<'_>, context: &Context<'_>) {
    for condition in &statement.conditions {
        let key = condition.key.as_ref();
        let of_identity = IDENTITY_KEYS.contains(&key) || key.starts_with("aws:principaltag/");
        let needs_it = condition
            .operator
            .is_some_and(|operator| !operator.holds_when_absent() && Group::of(operator.family) != Group::Null);
        if of_identity && needs_it {
            let values = [("key", condition.name())];
            context.add(UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL, condition.member.start, &values);
        }
    }
}
