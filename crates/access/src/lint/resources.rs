//! ARNs in `Resource`: each of the six parts, and whether the service has such resources.

use super::PolicyKind;
use super::arn::{self, Arn, Read};
use super::codes::{
    ARN_ACCOUNT_NOT_ALLOWED, ARN_REGION_NOT_ALLOWED, INVALID_ARN_ACCOUNT, INVALID_ARN_PREFIX, INVALID_ARN_REGION,
    INVALID_ARN_RESOURCE, INVALID_ARN_SERVICE_CASE, INVALID_PARTITION, INVALID_SERVICE, MISSING_ARN_ACCOUNT,
    MISSING_ARN_FIELD, MISSING_ARN_REGION, UNSUPPORTED_RESOURCE_ARN_IN_POLICY, WILDCARD_IN_SERVICE_NAME,
};
use super::context::Context;
use super::facts::{
    FREE_FORM_SERVICES, MORE_FORMS, OWNERS, PARTITIONS, PUBLISHING_SERVICES, REGIONS, resource_policy_of,
};
use super::pattern::{fixed_start, has_wildcard, matches, open_variables};
use super::view::Document;
use crate::actions::{Index, Template};
use crate::json::Node;
use crate::policy::Glob;

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    if context.kind == PolicyKind::Trust {
        return;
    }
    for item in document.statements.iter().flat_map(|statement| &statement.resources) {
        if item.text == "*" {
            continue;
        }
        if let Some(arn) = shape(item.text, item.node, context) {
            service(&arn, item.text, item.node, context);
        }
    }
}

/// An ARN whose parts are right by themselves; what is not is told.
pub(super) fn shape<'t>(text: &'t str, node: &Node<'_>, context: &Context<'_>) -> Option<Arn<'t>> {
    let arn = match arn::read(text) {
        Read::Whole(arn) => arn,
        Read::Short(count) => {
            context.at(MISSING_ARN_FIELD, node, &[("arn", text), ("count", &count.to_string())]);
            return None;
        }
        // A wildcard or a variable may stand for the beginning.
        Read::Other if "arn:".starts_with(fixed_start(&open_variables(text))) && text.contains(['*', '?', '$']) => {
            return None;
        }
        Read::Other => {
            context.at(INVALID_ARN_PREFIX, node, &[("arn", text)]);
            return None;
        }
    };
    let partition = open_variables(arn.partition);
    if !PARTITIONS.iter().any(|known| matches(&partition, known)) {
        let meant = context.nearest(arn.partition, PARTITIONS.iter().copied()).map(str::to_owned);
        context.add_with(INVALID_PARTITION, node.start, &[("partition", arn.partition)], meant);
    }
    let region = open_variables(arn.region);
    if !arn.region.is_empty() && !REGIONS.iter().any(|known| matches(&region, known)) {
        let meant = context.nearest(arn.region, REGIONS.iter().copied()).map(str::to_owned);
        context.add_with(INVALID_ARN_REGION, node.start, &[("region", arn.region)], meant);
    }
    if !arn.account.is_empty() && !may_be_account(&open_variables(arn.account)) {
        context.at(INVALID_ARN_ACCOUNT, node, &[("account", arn.account)]);
    }
    Some(arn)
}

/// Whether a pattern matches twelve digits, or is one of the words that stand for AWS itself.
fn may_be_account(pattern: &str) -> bool {
    let fixed = pattern.bytes().filter(|byte| *byte != b'*').count();
    let of_digits = pattern.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*' || byte == b'?');
    let fits = if pattern.contains('*') { fixed <= 12 } else { fixed == 12 };
    (of_digits && fits) || OWNERS.iter().any(|owner| matches(pattern, owner))
}

/// The service of an ARN, and what the service's own ARNs look like.
fn service(arn: &Arn<'_>, text: &str, node: &Node<'_>, context: &Context<'_>) {
    let name = arn.service;
    if name.contains("${") {
        return;
    }
    if has_wildcard(name) {
        context.at(WILDCARD_IN_SERVICE_NAME, node, &[("text", text)]);
        return;
    }
    let prefixes: Vec<&str> = context.actions.of_arn(name).collect();
    if prefixes.is_empty() {
        let lower = name.to_ascii_lowercase();
        let exists = lower != name && context.actions.of_arn(&lower).next().is_some();
        if exists {
            context.add_with(INVALID_ARN_SERVICE_CASE, node.start, &[("service", name)], Some(lower));
        } else if !context.actions.has_service(name) {
            let meant = context.nearest(name, context.actions.prefixes()).map(str::to_owned);
            context.add_with(INVALID_SERVICE, node.start, &[("service", name)], meant);
        }
        return;
    }
    let templates = prefixes.iter().filter_map(|prefix| context.index(prefix)).flat_map(Index::templates);
    let templates: Vec<&Template> =
        templates.filter(|template| [name, "*"].contains(&template.service.as_ref())).collect();
    if templates.is_empty() || FREE_FORM_SERVICES.contains(&name) {
        return;
    }
    let resource = Glob::plain(&open_variables(arn.resource));
    let start = fixed_start(resource.as_str());
    let fitting: Vec<&Template> = templates
        .into_iter()
        .filter(|template| {
            let known = fixed_start(template.resource.as_str());
            (known.starts_with(start) || start.starts_with(known)) && template.resource.overlaps(&resource)
        })
        .collect();
    if MORE_FORMS.iter().any(|(service, form)| *service == name && Glob::plain(form).overlaps(&resource)) {
        return;
    }
    if fitting.is_empty() {
        context.at(INVALID_ARN_RESOURCE, node, &[("resource", arn.resource), ("service", name)]);
        return;
    }
    region_and_account(arn, &fitting, node, context);
    of_type(arn, &fitting, node, context);
}

/// Whether region and account are there, or not, as in all the service's ARNs that the resource may be. A lone `*`
/// matches nothing as well, so it is never too much.
fn region_and_account(arn: &Arn<'_>, fitting: &[&Template], node: &Node<'_>, context: &Context<'_>) {
    let values = [("service", arn.service)];
    let all = |part: fn(&Template) -> &str, empty: bool| fitting.iter().all(|known| part(known).is_empty() == empty);
    let is_set = |part: &str| !part.is_empty() && part != "*";
    if is_set(arn.region) && all(|known| &known.region, true) {
        context.at(ARN_REGION_NOT_ALLOWED, node, &values);
    }
    if is_set(arn.account) && all(|known| &known.account, true) {
        context.at(ARN_ACCOUNT_NOT_ALLOWED, node, &values);
    }
    if arn.region.is_empty() && all(|known| &known.region, false) {
        context.at(MISSING_ARN_REGION, node, &values);
    }
    if arn.account.is_empty() && !PUBLISHING_SERVICES.contains(&arn.service) && all(|known| &known.account, false) {
        context.at(MISSING_ARN_ACCOUNT, node, &values);
    }
}

/// Whether the ARN is one of the resource type that the policy is said to belong to.
fn of_type(arn: &Arn<'_>, fitting: &[&Template], node: &Node<'_>, context: &Context<'_>) {
    if context.kind != PolicyKind::Resource {
        return;
    }
    let Some(kind) = context.resource_type else { return };
    let Some((service, kinds)) = resource_policy_of(kind) else { return };
    let fits = |part: &str, known: &str| part == "*" || part.is_empty() == known.is_empty();
    let is_of_type = arn.service == service
        && (kinds.is_empty()
            || fitting.iter().any(|known| {
                kinds.contains(&known.name.as_ref())
                    && fits(arn.region, &known.region)
                    && fits(arn.account, &known.account)
            }));
    if !is_of_type {
        context.at(UNSUPPORTED_RESOURCE_ARN_IN_POLICY, node, &[("type", kind)]);
    }
}
