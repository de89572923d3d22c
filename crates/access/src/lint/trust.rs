//! Trust policies of roles: who may become the role, and by which action.

use super::PolicyKind;
use super::arn::{self, Read};
use super::codes::{
    CONFIRM_AUDIENCE_CLAIM_TYPE, FORANYVALUE_WITH_AUDIENCE_CLAIM_TYPE,
    INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY, MISMATCHED_ACTION_FOR_PRINCIPAL,
    MISSING_ACTION_FOR_ROLES_ANYWHERE_TRUST_POLICY, MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL,
    MISSING_GITHUB_REPO_CONDITION_KEY, REDUNDANT_PRINCIPAL_IN_ROLE_TRUST_POLICY,
    ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL, ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE,
    ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL, SPECIFIC_GITHUB_REPO_AND_BRANCH_RECOMMENDED,
};
use super::context::Context;
use super::facts::{GITHUB_PROVIDER, PUBLIC_PROVIDERS, SINGLE_AUDIENCE_PROVIDERS};
use super::pattern::{has_wildcard, matches};
use super::values::is_set;
use super::view::{Condition, Document, Principal, Statement};
use crate::policy::Qualifier;

/// The service that hands out roles for certificates.
const ROLES_ANYWHERE: &str = "rolesanywhere.amazonaws.com";

/// What that service asks for, all of it.
const ROLES_ANYWHERE_ACTIONS: &[&str] = &["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    if context.kind != PolicyKind::Trust {
        return;
    }
    for statement in &document.statements {
        elements(statement, context);
        if statement.allows() {
            providers(statement, context);
            actions(statement, context);
            roles_anywhere(statement, document, context);
        }
        for condition in &statement.conditions {
            audience(condition, context);
        }
        redundant_sessions(statement, context);
    }
}

fn elements(statement: &Statement<'_>, context: &Context<'_>) {
    if let Some(member) = statement.not_principal {
        context.add(ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL, member.start, &[]);
    }
    for member in [statement.resource, statement.not_resource].into_iter().flatten() {
        context.add(ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE, member.start, &[("element", &member.name)]);
    }
    if let Some(principal) =
        statement.principals.iter().find(|principal| principal.key.is_none() && principal.text == "*")
    {
        context.at(ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL, principal.node, &[]);
    }
}

/// How a principal comes to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way<'t> {
    Saml,
    /// By tokens of this host.
    Oidc(&'t str),
    Direct,
    Unclear,
}

fn way<'t>(principal: &Principal<'t>) -> Way<'t> {
    if principal.key != Some("Federated") {
        return Way::Direct;
    }
    if let Read::Whole(arn) = arn::read(principal.text) {
        return match arn.resource.split_once('/') {
            Some(("saml-provider", _)) if arn.service == "iam" => Way::Saml,
            Some(("oidc-provider", host)) if arn.service == "iam" => Way::Oidc(host),
            _ => Way::Unclear,
        };
    }
    let is_host =
        |text: &str| {
            text.contains('.')
                && text.split('/').next().unwrap_or_default().split('.').all(|part| {
                    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
        };
    if is_host(principal.text) { Way::Oidc(principal.text) } else { Way::Unclear }
}

fn providers(statement: &Statement<'_>, context: &Context<'_>) {
    for principal in statement.principals.iter().filter(|principal| !principal.negated) {
        let node = principal.node;
        match way(principal) {
            Way::Unclear if !has_wildcard(principal.text) && !principal.text.contains("${") => {
                let values = [("principal", principal.text)];
                context.at(INVALID_FEDERATED_PRINCIPAL_SYNTAX_IN_ROLE_TRUST_POLICY, node, &values);
            }
            Way::Oidc(host) => provider_keys(host, principal, statement, context),
            _ => {}
        }
    }
}

/// Anyone with an account at the provider holds tokens of it: which of them are meant is for a condition to say.
fn provider_keys(host: &str, principal: &Principal<'_>, statement: &Statement<'_>, context: &Context<'_>) {
    let host = host.to_ascii_lowercase();
    let of_host = |condition: &&Condition<'_>| {
        condition.key.strip_prefix(host.as_str()).is_some_and(|rest| rest.starts_with([':', '/']))
    };
    let mut keys = statement.conditions.iter().filter(of_host).peekable();
    let values = [("provider", host.as_str())];
    if keys.peek().is_none() {
        context.at(MISSING_CONDITION_KEY_FOR_OIDC_PRINCIPAL, principal.node, &values);
    }
    if host != GITHUB_PROVIDER {
        return;
    }
    let subjects: Vec<&Condition<'_>> = keys.filter(|condition| condition.key.ends_with(":sub")).collect();
    if subjects.is_empty() {
        context.at(MISSING_GITHUB_REPO_CONDITION_KEY, principal.node, &[]);
    }
    for (text, node) in subjects.iter().flat_map(|condition| condition.texts()) {
        if has_wildcard(text) {
            context.at(SPECIFIC_GITHUB_REPO_AND_BRANCH_RECOMMENDED, node, &[("value", text)]);
        }
    }
}

/// Each action must suit some principal, and each principal some action.
fn actions(statement: &Statement<'_>, context: &Context<'_>) {
    let needed = |way: Way<'_>| match way {
        Way::Saml => Some("sts:assumerolewithsaml"),
        Way::Oidc(_) => Some("sts:assumerolewithwebidentity"),
        Way::Direct => Some("sts:assumerole"),
        Way::Unclear => None,
    };
    let ways: Vec<Option<&str>> = statement
        .principals
        .iter()
        .filter(|principal| !principal.negated)
        .map(|principal| needed(way(principal)))
        .collect();
    if ways.is_empty() || ways.contains(&None) {
        return;
    }
    let assuming = |item: &&super::view::Item<'_>| !item.negated && item.lower.starts_with("sts:assumerole");
    for item in statement.actions.iter().filter(assuming) {
        if !ways.iter().flatten().any(|needed| matches(&item.lower, needed)) {
            let values = [("action", item.text)];
            context.at(MISMATCHED_ACTION_FOR_PRINCIPAL, item.node, &values);
        }
    }
}

fn roles_anywhere(statement: &Statement<'_>, document: &Document<'_>, context: &Context<'_>) {
    let names_it = |statement: &&Statement<'_>| {
        statement.allows()
            && statement.principals.iter().any(|principal| principal.text == ROLES_ANYWHERE && !principal.negated)
    };
    let first = document.statements.iter().find(names_it);
    if !first.is_some_and(|first| std::ptr::eq(first, statement)) {
        return;
    }
    let given = |action: &str| {
        let mut items = document.statements.iter().filter(names_it).flat_map(|statement| &statement.actions);
        items.any(|item| item.negated || matches(&item.lower, &action.to_ascii_lowercase()))
    };
    let missing: Vec<&str> = ROLES_ANYWHERE_ACTIONS.iter().copied().filter(|action| !given(action)).collect();
    if !missing.is_empty() {
        let offset = statement.action.map_or(statement.start(), |member| member.start);
        context.add(MISSING_ACTION_FOR_ROLES_ANYWHERE_TRUST_POLICY, offset, &[("actions", &missing.join(", "))]);
    }
}

/// A token's audience is one text with most providers, and a set operator on one text lets too much through.
fn audience(condition: &Condition<'_>, context: &Context<'_>) {
    let Some(operator) = condition.operator.filter(|operator| is_set(*operator)) else { return };
    let Some(provider) = condition.key.strip_suffix(":aud").filter(|provider| provider.contains('.')) else { return };
    let is_single = SINGLE_AUDIENCE_PROVIDERS.contains(&provider) || PUBLIC_PROVIDERS.contains(&provider);
    let values = [("key", condition.name()), ("operator", condition.block.name.as_ref())];
    match (is_single, operator.qualifier) {
        (true, Qualifier::ForAny) => context.add(FORANYVALUE_WITH_AUDIENCE_CLAIM_TYPE, condition.member.start, &values),
        (false, _) => context.add(CONFIRM_AUDIENCE_CLAIM_TYPE, condition.member.start, &values),
        // That is told as any other key of one value under ForAllValues.
        (true, _) => {}
    }
}

/// A session of a role that is itself named.
fn redundant_sessions(statement: &Statement<'_>, context: &Context<'_>) {
    let arns = || {
        statement.principals.iter().filter(|principal| principal.key == Some("AWS")).filter_map(|principal| {
            match arn::read(principal.text) {
                Read::Whole(arn) => Some((principal, arn)),
                _ => None,
            }
        })
    };
    for (principal, session) in arns().filter(|(_, arn)| arn.service == "sts") {
        let Some(name) = session.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) else {
            continue;
        };
        let is_its_role = |(_, role): (&Principal<'_>, arn::Arn<'_>)| {
            role.service == "iam"
                && role.account == session.account
                && role.resource.strip_prefix("role/").and_then(|path| path.rsplit('/').next()) == Some(name)
        };
        if arns().any(is_its_role) {
            context.at(REDUNDANT_PRINCIPAL_IN_ROLE_TRUST_POLICY, principal.node, &[("principal", principal.text)]);
        }
    }
}
