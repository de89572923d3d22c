//! From a choice of values to a request that AWS could get.

use std::collections::BTreeSet;

use super::Approximation;
use super::action::Candidate;
use super::binding::Bindings;
use super::caller::DERIVED;
use super::pattern::{Kind, Pattern};
use super::query::Found;
use crate::actions;
use crate::evaluate::{Context, Request, Requester, RequesterKind};

/// The partitions of AWS, the one that nearly everyone is in first.
pub(super) const PARTITIONS: &[&str] = &["aws", "aws-cn", "aws-us-gov"];

/// What the resources of an action may be: of which service, of which types, and whether none need be named.
pub(super) type Shape = (usize, &'static [String], bool);

/// The shape of an action's resources; none where the catalogue does not know the action.
pub(super) fn shape(candidate: &Candidate) -> Option<Shape> {
    let (service, action) = candidate.known?;
    Some((std::ptr::from_ref(service).addr(), action.resources.as_slice(), action.required.is_empty()))
}

/// The forms that the resource of an action may have, in one partition; none where the catalogue does not know.
pub(super) fn forms(candidate: &Candidate, partition: &str) -> Option<Vec<Pattern>> {
    let (service, action) = candidate.known?;
    let kinds = action.resources.iter().filter_map(|kind| service.resources.get(kind));
    let arns = kinds.map(|kind| Pattern::new(&kind.arn.replacen('*', partition, 1), Kind::Resource));
    let mut forms: Vec<Pattern> = arns.collect();
    if action.required.is_empty() {
        forms.push(Pattern::new("*", Kind::Literal));
    }
    Some(forms)
}

/// Which of the keys a request for an action cannot have, as far as the catalogue tells.
pub(super) fn unknown_keys(candidate: &Candidate, keys: &BTreeSet<&str>) -> Vec<String> {
    let Some((service, action)) = candidate.known else { return Vec::new() };
    if keys.iter().all(|key| is_everywhere(key)) {
        return Vec::new();
    }
    let kinds = action.resources.iter().filter_map(|kind| service.resources.get(kind));
    let places = action.keys.iter().chain(kinds.flat_map(|kind| &kind.keys));
    let known: Vec<String> =
        places.filter_map(|&place| service.keys.get(place)).map(|key| key.to_ascii_lowercase()).collect();
    let is_known = |key: &str| {
        if is_everywhere(key) {
            return true;
        }
        known.iter().any(|known| match known.split_once('/') {
            Some((head, _)) => key.split_once('/').is_some_and(|(mine, _)| mine == head),
            None => known == key,
        })
    };
    keys.iter().filter(|key| !is_known(key)).map(|key| (*key).to_owned()).collect()
}

/// Whether a key is one that any request may have: a global one, or one of an identity provider.
fn is_everywhere(key: &str) -> bool {
    let Some((prefix, name)) = key.split_once(':') else { return false };
    if prefix == "aws" {
        return !(name.starts_with("resourcetag/") || name.starts_with("requesttag/") || name == "tagkeys");
    }
    prefix.contains('.') || matches!(actions::service(prefix), Ok(None))
}

/// The request of a choice.
pub(super) fn request(candidate: &Candidate, found: &Found, resource: &str, bindings: &Bindings) -> Request {
    let who = found.who.as_ref();
    let requester = who.map_or_else(Requester::anonymous, |who| who.requester.clone());
    let mut context = Context::default();
    if let Some(arn) = who.and_then(|who| who.arn.as_ref())
        && requester.kind() == RequesterKind::RoleSession
    {
        context.insert("aws:principalarn", vec![arn.clone()]);
    }
    let plain = Request::new(&candidate.name, resource, requester);
    let chosen = found.keys.iter().map(|(key, values)| (key.as_str(), values.clone()));
    let bound = bindings.iter().filter(|(key, _)| !DERIVED.contains(&key.as_str()));
    let bound = bound.map(|(key, value)| (key.as_str(), value.clone().map(|value| vec![value])));
    for (key, values) in bound.chain(chosen) {
        match values {
            Some(values) => context.insert(key, values),
            // What would follow from the caller or the resource is said not to be there.
            None if !plain.values(key).is_absent() => context.insert(key, Vec::new()),
            None => {}
        }
    }
    plain.with_context(context)
}

/// The resource as the walk found it, after forms of it that look more like what AWS has.
pub(super) fn dressed(candidate: &Candidate, resource: &str) -> Vec<String> {
    let mut forms = Vec::new();
    // Whether ARNs of this kind have a region and an account.
    let kinds = candidate.known.map(|(service, action)| {
        let kinds = action.resources.iter().filter_map(|kind| service.resources.get(kind));
        kinds.filter(|kind| Pattern::new(&kind.arn, Kind::Resource).matches(resource)).collect::<Vec<_>>()
    });
    let has = |part: usize| {
        let kinds = kinds.as_deref().unwrap_or_default();
        kinds.is_empty() || kinds.iter().any(|kind| kind.arn.split(':').nth(part) == Some("*"))
    };

    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    if let [arn, partition, service, region, account, name] = parts.as_slice() {
        let is_filler = |text: &str| text.len() <= 1;
        let regions: &[&str] = if is_filler(region) && has(3) { &["us-east-1", ""] } else { &[region] };
        let accounts: &[&str] = if is_filler(account) && has(4) { &["111122223333", ""] } else { &[account] };
        let service = if is_filler(service) { "s3" } else { service };
        let partition = if is_filler(partition) { "aws" } else { partition };
        let names = [filled(name), (*name).to_owned()];
        for name in names {
            for region in regions {
                for account in accounts {
                    forms.push(format!("{arn}:{partition}:{service}:{region}:{account}:{name}"));
                }
            }
        }
    }
    forms.push(resource.to_owned());
    forms.dedup();
    forms
}

/// A name in which every part that the walk filled has a text.
fn filled(name: &str) -> String {
    let is_filler = |part: &str| part.is_empty() || part == "a";
    let parts = name.split('/').map(|part| if is_filler(part) { "example" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Keys that AWS fills from one source: where a request has both, they may not go together.
const CORRELATED: &[(&str, &str)] = &[
    ("aws:sourcearn", "aws:sourceaccount"),
    ("aws:sourcevpce", "aws:sourceip"),
    ("aws:sourcevpc", "aws:sourceip"),
    ("aws:sourcevpce", "aws:sourcevpc"),
    ("aws:tagkeys", "aws:requesttag/"),
    ("aws:calledvia", "aws:viaawsservice"),
    ("aws:principalorgid", "aws:principalorgpaths"),
    ("aws:resourceorgid", "aws:resourceaccount"),
];

/// What a request rests on that is not exact.
pub(super) fn approximations(request: &Request, unknown: &[String]) -> BTreeSet<Approximation> {
    let mut found = BTreeSet::new();
    let has = |name: &str| {
        request.context().iter().any(|(key, values)| {
            !values.is_empty() && if name.ends_with('/') { key.starts_with(name) } else { key == name }
        })
    };
    if CORRELATED.iter().any(|(one, other)| has(one) && has(other)) {
        found.insert(Approximation::CorrelatedKeys);
    }
    let account = request.context().get("aws:resourceaccount").and_then(|values| values.first());
    let in_arn = request.resource().split(':').nth(4).filter(|account| !account.is_empty());
    if let (Some(account), Some(in_arn)) = (account, in_arn)
        && account != in_arn
    {
        found.insert(Approximation::CorrelatedKeys);
    }
    if unknown.iter().any(|key| has(key)) {
        found.insert(Approximation::ActionKeys);
    }
    found
}
