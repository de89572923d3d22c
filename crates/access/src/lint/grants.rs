//! Two actions that hand out power: passing roles to services, and creating service-linked roles.

use super::Code;
use super::PolicyKind;
use super::codes::{
    CREATE_SLR_WITH_NOT_ACTION_AND_NOT_RESOURCE, CREATE_SLR_WITH_NOT_RESOURCE,
    CREATE_SLR_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE, CREATE_SLR_WITH_STAR_IN_ACTION_AND_RESOURCE,
    CREATE_SLR_WITH_STAR_IN_RESOURCE, CREATE_SLR_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION,
    PASS_ROLE_WITH_NOT_ACTION_AND_NOT_RESOURCE, PASS_ROLE_WITH_NOT_RESOURCE,
    PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE, PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE,
    PASS_ROLE_WITH_STAR_IN_RESOURCE, PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION,
};
use super::context::Context;
use super::pattern::{has_wildcard, matches};
use super::view::{Document, Item, Statement};
use crate::policy::{Glob, Reading};

/// One of the two, and its checks.
struct Grant {
    /// In lower case.
    action: &'static str,
    /// Keys that say what for.
    keys: &'static [&'static str],
    /// A pattern for all the resources it works on.
    resources: &'static str,
    not_resource: Code,
    star_not_resource: Code,
    not_action_not_resource: Code,
    resource: Code,
    star_resource: Code,
    not_action_resource: Code,
}

const GRANTS: [Grant; 2] = [
    Grant {
        action: "iam:passrole",
        keys: &["iam:passedtoservice", "iam:associatedresourcearn"],
        resources: "arn:aws:iam::111122223333:role/*",
        not_resource: PASS_ROLE_WITH_NOT_RESOURCE,
        star_not_resource: PASS_ROLE_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE,
        not_action_not_resource: PASS_ROLE_WITH_NOT_ACTION_AND_NOT_RESOURCE,
        resource: PASS_ROLE_WITH_STAR_IN_RESOURCE,
        star_resource: PASS_ROLE_WITH_STAR_IN_ACTION_AND_RESOURCE,
        not_action_resource: PASS_ROLE_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION,
    },
    Grant {
        action: "iam:createservicelinkedrole",
        keys: &["iam:awsservicename"],
        resources: "arn:aws:iam::111122223333:role/aws-service-role/*",
        not_resource: CREATE_SLR_WITH_NOT_RESOURCE,
        star_not_resource: CREATE_SLR_WITH_STAR_IN_ACTION_AND_NOT_RESOURCE,
        not_action_not_resource: CREATE_SLR_WITH_NOT_ACTION_AND_NOT_RESOURCE,
        resource: CREATE_SLR_WITH_STAR_IN_RESOURCE,
        star_resource: CREATE_SLR_WITH_STAR_IN_ACTION_AND_RESOURCE,
        not_action_resource: CREATE_SLR_WITH_STAR_IN_RESOURCE_AND_NOT_ACTION,
    },
];

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    if context.kind != PolicyKind::Identity {
        return;
    }
    for statement in document.statements.iter().filter(|statement| statement.allows()) {
        for grant in &GRANTS {
            one(grant, statement, context);
        }
    }
}

fn one(grant: &Grant, statement: &Statement<'_>, context: &Context<'_>) {
    if statement.has_key(grant.keys) {
        return;
    }
    let covers = |item: &&Item<'_>| matches(&item.lower, grant.action);
    // A name that is written out weighs more than a pattern beside it.
    let named = statement.actions.iter().filter(covers).min_by_key(|item| has_wildcard(item.text));
    let (with_not_resource, with_resource, action) = match (statement.not_action, named) {
        (Some(_), Some(item)) if item.negated => return,
        (Some(member), None) => (grant.not_action_not_resource, grant.not_action_resource, member.start),
        (None, Some(item)) if has_wildcard(item.text) => {
            (grant.star_not_resource, grant.star_resource, item.node.start)
        }
        (None, Some(item)) => (grant.not_resource, grant.resource, item.node.start),
        _ => return,
    };
    if let Some(member) = statement.not_resource {
        context.add(with_not_resource, member.start, &[]);
    } else if statement.resources.iter().any(|item| is_everything(item.text, grant)) {
        context.add(with_resource, action, &[]);
    }
}

/// Whether the resource takes in every role of an account.
fn is_everything(text: &str, grant: &Grant) -> bool {
    if text == "*" {
        return true;
    }
    let Some((_, role)) = text.rsplit_once(":role").filter(|_| text.starts_with("arn:")) else {
        return has_wildcard(text) && Glob::plain(text).covers_arn(&Glob::plain(grant.resources), Reading::Certain);
    };
    let wanted = grant.resources.rsplit_once(":role").map_or("", |(_, role)| role);
    Glob::plain(role).covers(&Glob::plain(wanted), Reading::Certain)
}
