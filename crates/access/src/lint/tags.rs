//! Conditions on tags where a service knows none: they are never there, so the statement never applies.

use super::codes::{
    ALLOW_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
    ALLOW_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
    DENY_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE, DENY_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
};
use super::context::Context;
use super::values::Group;
use super::view::{Condition, Document, Statement};

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    for statement in &document.statements {
        for condition in statement.conditions.iter().filter(|condition| needs_tag(condition)) {
            one(condition, statement, context);
        }
    }
}

/// Whether the condition fails where there is no such tag.
fn needs_tag(condition: &Condition<'_>) -> bool {
    let key = condition.key.as_ref();
    let has_name = |start: &str| key.strip_prefix(start).is_some_and(|name| !name.is_empty());
    let is_tag = has_name("aws:resourcetag/") || has_name("aws:requesttag/") || key == "aws:tagkeys";
    is_tag
        && condition
            .operator
            .is_some_and(|operator| !operator.holds_when_absent() && Group::of(operator.family) != Group::Null)
}

fn one(condition: &Condition<'_>, statement: &Statement<'_>, context: &Context<'_>) {
    let (with_not_action, with_action) = match (statement.allows(), statement.denies()) {
        (true, _) => (
            ALLOW_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
            ALLOW_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
        ),
        (_, true) => (
            DENY_NOTACTION_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
            DENY_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE,
        ),
        _ => return,
    };
    let start = condition.member.start;
    // All but a few actions: services without tags are always among them.
    if statement.not_action.is_some() {
        context.add(with_not_action, start, &[("key", condition.name())]);
        return;
    }
    let mut services: Vec<&str> = Vec::new();
    for item in &statement.actions {
        let Some((prefix, _)) = item.lower.split_once(':') else { continue };
        let without = context.index(prefix).is_some_and(|index| index.key(&condition.key).is_none());
        if without && !services.contains(&prefix) {
            services.push(prefix);
        }
    }
    if !services.is_empty() {
        let values = [("key", condition.name()), ("services", &services.join(", "))];
        context.add(with_action, start, &values);
    }
}
