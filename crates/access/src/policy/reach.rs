//! Whom a resource's policy lets in.

use std::collections::BTreeSet;

use serde_json::Value;

use super::condition::{Condition, Family, Qualifier};
use super::grant::{Asked, actions_cover, asked, check_size, denies_pair, is_denied};
use super::narrow::{self, Narrowing};
use super::{Effect, Glob, InvalidPolicy, Policy, Principal, Scope, Statement};
use crate::decide;

/// Whether it lets anyone in, as [`decide::public`] tells: some request gets in that no account, organisation, network,
/// endpoint or source which the policy names is part of. An error where that could not be decided.
pub fn public(document: &Value) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    for allow in policy.allows() {
        check_size(&policy, allow)?;
    }
    let answer = decide::public(&policy)?;
    match (answer.statements.is_empty(), answer.undecided) {
        (false, _) => Ok(true),
        (true, None) => Ok(false),
        (true, Some(why)) => Err(why.into()),
    }
}

/// Who outside `account` is let in, in order and each once: accounts (twelve digits), organisations (`o-…`), identity
/// providers, canonical users, and `*` for anyone. Services count by the accounts that their sources are narrowed to; a
/// network or an endpoint names no account.
pub fn outside_accounts(document: &Value, account: &str) -> Result<Vec<String>, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(Vec::new()) };
    let mut outside = BTreeSet::new();
    for allow in policy.allows() {
        let Some(principals) = &allow.principals else { continue };
        check_size(&policy, allow)?;
        let principals = match principals {
            Scope::In(principals) => principals.as_slice(),
            Scope::NotIn(_) => &[Principal::Everyone],
        };
        let conditions = narrow::of_allow(&allow.conditions);
        for (action, resource) in pairs(allow) {
            if is_denied(&policy, allow, &action, &resource) {
                continue;
            }
            let mut pins = Pins::default();
            for narrowing in &conditions {
                pins.add(std::slice::from_ref(narrowing));
            }
            for spared in policy.denies().filter_map(|deny| spared(deny, &action, &resource)) {
                pins.add(&spared);
            }
            for principal in principals {
                outside.extend(pins.outsiders(principal, &allow.conditions, account));
            }
        }
    }
    Ok(outside.into_iter().collect())
}

/// Whether requests that are not encrypted are denied to everyone: a Deny of a whole service or of everything where
/// `aws:SecureTransport` is false. For S3 it has to speak of the bucket and of its objects.
pub fn denies_insecure_transport(document: &Value) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    let denies: Vec<&Statement> = policy
        .denies()
        .filter(|deny| names_everyone(deny))
        .filter(|deny| !deny.conditions.is_empty() && deny.conditions.iter().all(is_insecure_transport))
        .filter(|deny| is_of_whole_service(deny))
        .collect();
    let mut buckets: BTreeSet<&str> = BTreeSet::new();
    let mut objects: BTreeSet<&str> = BTreeSet::new();
    for deny in denies {
        let Some(Scope::In(resources)) = &deny.resources else { continue };
        for resource in resources {
            let bucket = resource.as_str().strip_prefix("arn:").and_then(|rest| rest.split_once(":s3:::"));
            match bucket.map(|(_, bucket)| bucket) {
                None => return Ok(true),
                Some(bucket) => match bucket.split_once('/') {
                    Some((bucket, "*")) => objects.insert(bucket),
                    Some(_) => false,
                    None if bucket.ends_with('*') => return Ok(true),
                    None => buckets.insert(bucket),
                },
            };
        }
    }
    Ok(buckets.intersection(&objects).next().is_some())
}

fn names_everyone(statement: &Statement) -> bool {
    matches!(&statement.principals, Some(Scope::In(principals)) if principals.contains(&Principal::Everyone))
}

fn pairs(allow: &Statement) -> impl Iterator<Item = (Asked<'_>, Asked<'_>)> {
    let resources = asked(allow.resources.as_ref());
    asked(Some(&allow.actions))
        .into_iter()
        .flat_map(move |action| resources.clone().into_iter().map(move |resource| (action.clone(), resource)))
}

/// Whom a Deny leaves of everyone; `None` where it does not take the pair away from everybody else.
fn spared(deny: &Statement, action: &Asked<'_>, resource: &Asked<'_>) -> Option<Vec<Narrowing>> {
    if deny.effect != Effect::Deny || !denies_pair(deny, action, resource) {
        return None;
    }
    match &deny.principals {
        Some(Scope::NotIn(principals)) if deny.conditions.is_empty() => principals.iter().map(spared_by_name).collect(),
        _ if names_everyone(deny) => narrow::of_deny(&deny.conditions),
        _ => None,
    }
}

fn spared_by_name(principal: &Principal) -> Option<Narrowing> {
    match principal {
        Principal::Everyone => None,
        Principal::Aws(_) | Principal::Federated(_) => Some(
            principal
                .account()
                .map_or(Narrowing::Place, |account| Narrowing::Accounts(BTreeSet::from([account.to_owned()]))),
        ),
        Principal::Service(_) | Principal::CanonicalUser(_) => Some(Narrowing::Place),
    }
}

/// What several narrowings, which must all hold, leave together.
#[derive(Default)]
struct Pins {
    nobody: bool,
    own: bool,
    place: bool,
    accounts: Option<BTreeSet<String>>,
    organisations: Option<BTreeSet<String>>,
}

impl Pins {
    /// Adds a narrowing; of `alternatives` one is enough.
    fn add(&mut self, alternatives: &[Narrowing]) {
        let mut accounts = BTreeSet::new();
        let mut organisations = BTreeSet::new();
        let (mut own, mut place) = (false, false);
        for narrowing in alternatives {
            match narrowing {
                Narrowing::Accounts(named) => accounts.extend(named.iter().cloned()),
                Narrowing::Organisations(named) => organisations.extend(named.iter().cloned()),
                Narrowing::Own => own = true,
                Narrowing::Place => place = true,
                Narrowing::Nobody => {}
            }
        }
        match (own, place, accounts.is_empty(), organisations.is_empty()) {
            (false, false, true, true) => self.nobody = true,
            (true, false, true, true) => self.own = true,
            (_, false, false, true) => self.accounts = Some(meet(self.accounts.take(), accounts)),
            (_, false, true, false) => self.organisations = Some(meet(self.organisations.take(), organisations)),
            // Known people by several ways, of which some name no account: no set of accounts is certain.
            _ => self.place = true,
        }
    }

    /// Who of `principal` is outside `account` after all narrowing.
    fn outsiders(&self, principal: &Principal, conditions: &[Condition], account: &str) -> Vec<String> {
        if self.nobody || self.own {
            return Vec::new();
        }
        let named = |set: &BTreeSet<String>| set.iter().filter(|id| *id != account).cloned().collect();
        match principal {
            Principal::Everyone => match (&self.accounts, &self.organisations) {
                (Some(accounts), _) => named(accounts),
                (None, Some(organisations)) => named(organisations),
                (None, None) if self.place => Vec::new(),
                (None, None) => vec!["*".to_owned()],
            },
            Principal::Service(_) => self.accounts.as_ref().map(named).unwrap_or_default(),
            Principal::CanonicalUser(id) => vec![id.clone()],
            Principal::Federated(provider) if is_own_identity_pool(provider, conditions) => Vec::new(),
            Principal::Aws(text) | Principal::Federated(text) => match principal.account() {
                Some(theirs) if theirs == account => Vec::new(),
                Some(theirs) if self.accounts.as_ref().is_some_and(|pinned| !pinned.contains(theirs)) => Vec::new(),
                Some(theirs) => vec![theirs.to_owned()],
                None if is_nobody_anymore(text) || is_origin_access_identity(text) => Vec::new(),
                None => vec![text.clone()],
            },
        }
    }
}

fn meet(known: Option<BTreeSet<String>>, new: BTreeSet<String>) -> BTreeSet<String> {
    match known {
        Some(known) => known.intersection(&new).cloned().collect(),
        None => new,
    }
}

/// The unique id that AWS shows in place of a deleted user or role: it matches nobody.
fn is_nobody_anymore(text: &str) -> bool {
    text.starts_with('A') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The identity by which `CloudFront` reads a bucket: made by whoever set the policy, and of no account.
fn is_origin_access_identity(text: &str) -> bool {
    text.split(':').nth(4) == Some("cloudfront")
}

/// Cognito, narrowed to one's own identity pool.
fn is_own_identity_pool(provider: &str, conditions: &[Condition]) -> bool {
    provider == "cognito-identity.amazonaws.com"
        && conditions.iter().any(|condition| {
            condition.key == "cognito-identity.amazonaws.com:aud"
                && !condition.operator.negated
                && !condition.operator.holds_when_absent()
                && condition.values.iter().all(|value| !value.contains(['*', '?']))
        })
}

/// Whether a condition holds for every request without TLS: `aws:SecureTransport` is false.
fn is_insecure_transport(condition: &Condition) -> bool {
    let denied = match (condition.operator.family, condition.operator.negated) {
        (Family::Bool | Family::StringEquals | Family::StringEqualsIgnoreCase | Family::StringLike, false) => "false",
        (Family::StringEquals | Family::StringEqualsIgnoreCase | Family::StringLike, true) => "true",
        _ => return false,
    };
    condition.key == "aws:securetransport"
        && condition.operator.qualifier == Qualifier::Single
        && !condition.values.is_empty()
        && condition.values.iter().all(|value| value.eq_ignore_ascii_case(denied))
}

fn is_of_whole_service(deny: &Statement) -> bool {
    let Scope::In(globs) = &deny.actions else { return false };
    globs.iter().filter_map(|glob| glob.as_str().split(':').next()).any(|service| {
        let whole = Glob::plain(&format!("{service}:?*"));
        actions_cover(deny, &Asked::Pattern(&whole))
    })
}
