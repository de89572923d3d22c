//! What a document grants, whoever holds it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Glob, InvalidPolicy, Policy, Principal, Reading, Scope, Statement};
use crate::actions;

/// The most comparisons of an Allow's patterns with Denies made for one question, so that a hostile document costs a
/// second at worst. AWS's largest managed policy needs under 50,000.
const COMPARISONS_MAX: usize = 200_000;

/// Whether some Allow covers the action on the resource and no Deny takes it away.
///
/// Either may have wildcards and is then asked for as a whole: `s3:*` is allowed only by what covers all of S3, and
/// `*` as the resource only by what covers every resource that the action works on. A condition on an Allow may hold;
/// a condition on a Deny may not.
pub fn allows(document: &Value, action: &str, resource: &str) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    let action = Glob::plain(&action.to_ascii_lowercase());
    let resource = Glob::plain(resource);
    if policy_allows(&policy, &action, &resource) {
        return Ok(true);
    }
    if !resource.is_everything() {
        return Ok(false);
    }
    let kinds = actions::resource_arns(action.as_str())?;
    let mut partitions = partitions(&policy);
    let all_in = |partition: String| {
        kinds.iter().all(|arn| policy_allows(&policy, &action, &Glob::plain(&arn.replacen('*', &partition, 1))))
    };
    Ok(!kinds.is_empty() && partitions.all(all_in))
}

/// Whether it allows everything: `*` on `*`, in one statement or in what several amount to. Conditions do not matter,
/// as they may hold.
pub fn admin(document: &Value) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    let everything = Glob::plain("*");
    let wide: Vec<&Statement> = policy
        .allows()
        .filter(|allow| allow.resources.is_some())
        .filter(|allow| resources_cover(allow, &Asked::Pattern(&everything), Reading::Possible))
        .filter(|allow| !is_denied(&policy, allow, &Asked::Pattern(&everything), &Asked::Pattern(&everything)))
        .collect();
    let covered = |glob: &Glob| wide.iter().any(|allow| actions_cover(allow, &Asked::Pattern(glob)));
    // What an Allow with `NotAction` leaves out, another Allow may add.
    let completed = |excluded: &[Glob]| excluded.iter().all(covered);
    Ok(wide.iter().any(|allow| match &allow.actions {
        Scope::In(globs) => globs.iter().any(is_every_action),
        Scope::NotIn(excluded) => completed(excluded),
    }))
}

/// Whether it allows every action of some service (`s3:*`), on whatever resource.
pub fn service_wildcard(document: &Value) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    for allow in policy.allows() {
        let resources = asked(allow.resources.as_ref());
        check_size(&policy, allow)?;
        for action in asked(Some(&allow.actions)) {
            let is_whole = match &action {
                Asked::Pattern(glob) => is_whole_service(glob),
                Asked::AllBut(excluded) => !excluded.iter().any(is_every_action),
            };
            if is_whole && resources.iter().any(|resource| !is_denied(&policy, allow, &action, resource)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether it has an Allow with `NotAction`, which lets in every action that nobody thought of.
pub fn allows_not_action(document: &Value) -> Result<bool, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(false) };
    Ok(policy.allows().any(|allow| matches!(allow.actions, Scope::NotIn(_))))
}

/// The actions that no service has, as written but in lower case, in order and each once.
pub fn unknown_actions(document: &Value) -> Result<Vec<String>, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(Vec::new()) };
    let mut unknown: Vec<String> = Vec::new();
    for statement in &policy.statements {
        let (Scope::In(globs) | Scope::NotIn(globs)) = &statement.actions;
        for glob in globs {
            if !actions::some_match(glob)? && !unknown.iter().any(|known| known == glob.as_str()) {
                unknown.push(glob.as_str().to_owned());
            }
        }
    }
    Ok(unknown)
}

/// What is asked for in one dimension.
#[derive(Debug, Clone)]
pub(super) enum Asked<'a> {
    /// Everything that a pattern matches.
    Pattern(&'a Glob),
    /// Everything that none of these matches.
    AllBut(&'a [Glob]),
}

/// The parts of a scope that are asked for one by one; a scope that is not there is one part, everything.
pub(super) fn asked(scope: Option<&Scope<Glob>>) -> Vec<Asked<'_>> {
    match scope {
        Some(Scope::In(globs)) => globs.iter().map(Asked::Pattern).collect(),
        Some(Scope::NotIn(globs)) => vec![Asked::AllBut(globs)],
        None => vec![Asked::AllBut(&[])],
    }
}

/// That comparing this Allow's patterns with every Deny stays within the limit.
pub(super) fn check_size(policy: &Policy, allow: &Statement) -> Result<(), InvalidPolicy> {
    let patterns = |scope: &Scope<Glob>| match scope {
        Scope::In(globs) | Scope::NotIn(globs) => globs.len().max(1),
    };
    let denied: usize = policy.denies().map(|deny| patterns(&deny.actions)).sum();
    let pairs = patterns(&allow.actions).saturating_mul(allow.resources.as_ref().map_or(1, patterns));
    if pairs.saturating_mul(denied) > COMPARISONS_MAX {
        return Err(InvalidPolicy::TooLarge { max: COMPARISONS_MAX, what: "comparisons between its statements" });
    }
    Ok(())
}

pub(super) fn policy_allows(policy: &Policy, action: &Glob, resource: &Glob) -> bool {
    let (action, resource) = (Asked::Pattern(action), Asked::Pattern(resource));
    policy.allows().any(|allow| {
        actions_cover(allow, &action)
            && resources_cover(allow, &resource, Reading::Possible)
            && !is_denied(policy, allow, &action, &resource)
    })
}

/// Whether a Deny without conditions surely takes away all that is asked, from all whom the Allow lets in.
pub(super) fn is_denied(policy: &Policy, allow: &Statement, action: &Asked<'_>, resource: &Asked<'_>) -> bool {
    policy.denies().any(|deny| {
        deny.conditions.is_empty()
            && denies_pair(deny, action, resource)
            && principals_cover(deny.principals.as_ref(), allow.principals.as_ref())
    })
}

/// Whether a Deny speaks of all of the actions and all of the resources asked for.
pub(super) fn denies_pair(deny: &Statement, action: &Asked<'_>, resource: &Asked<'_>) -> bool {
    actions_cover(deny, action) && resources_cover(deny, resource, Reading::Certain)
}

pub(super) fn actions_cover(statement: &Statement, asked: &Asked<'_>) -> bool {
    let covers = |mine: &Glob, theirs: &Glob| is_every_action(mine) || mine.covers(theirs, Reading::Certain);
    covers_scope(&statement.actions, asked, covers, Glob::overlaps)
}

fn resources_cover(statement: &Statement, asked: &Asked<'_>, reading: Reading) -> bool {
    let Some(scope) = &statement.resources else { return true };
    let covers = |mine: &Glob, theirs: &Glob| mine.covers_arn(theirs, reading);
    covers_scope(scope, asked, covers, Glob::overlaps_arn)
}

fn covers_scope(
    scope: &Scope<Glob>,
    asked: &Asked<'_>,
    covers: impl Fn(&Glob, &Glob) -> bool,
    overlaps: impl Fn(&Glob, &Glob) -> bool,
) -> bool {
    match (scope, asked) {
        (Scope::In(globs), Asked::Pattern(theirs)) => globs.iter().any(|mine| covers(mine, theirs)),
        (Scope::NotIn(globs), Asked::Pattern(theirs)) => !globs.iter().any(|mine| overlaps(mine, theirs)),
        (Scope::In(globs), Asked::AllBut(_)) => globs.iter().any(|mine| mine.is_everything() || mine.is_every_arn()),
        (Scope::NotIn(globs), Asked::AllBut(excluded)) => {
            globs.iter().all(|mine| excluded.iter().any(|theirs| covers(theirs, mine)))
        }
    }
}

/// Whether a Deny speaks of everyone whom an Allow lets in.
fn principals_cover(deny: Option<&Scope<Principal>>, allow: Option<&Scope<Principal>>) -> bool {
    let Some(deny) = deny else { return true };
    let allowed = match allow {
        Some(Scope::In(allowed)) => allowed.as_slice(),
        _ => &[Principal::Everyone],
    };
    match deny {
        Scope::In(denied) => {
            denied.contains(&Principal::Everyone)
                || allowed.iter().all(|allowed| denied.iter().any(|denied| includes(denied, allowed)))
        }
        Scope::NotIn(spared) => allowed
            .iter()
            .all(|allowed| *allowed != Principal::Everyone && !spared.iter().any(|spared| may_share(spared, allowed))),
    }
}

/// Whether everyone who is `allowed` is also `denied`: the same, or of the denied account.
fn includes(denied: &Principal, allowed: &Principal) -> bool {
    if denied == allowed {
        return true;
    }
    let text = match (denied, allowed) {
        (Principal::Aws(text), _) => text,
        (Principal::Service(every), Principal::Service(_)) | (Principal::Federated(every), Principal::Federated(_)) => {
            return every == "*";
        }
        _ => return false,
    };
    let whole_account = text.ends_with(":root") || super::is_account(text);
    whole_account && matches!(allowed, Principal::Aws(_)) && denied.account() == allowed.account()
}

/// Whether someone could be both: the same, of one account, or not to be told.
fn may_share(left: &Principal, right: &Principal) -> bool {
    match (left, right) {
        (Principal::Service(left), Principal::Service(right)) => left == right || left == "*" || right == "*",
        (Principal::Service(_), _) | (_, Principal::Service(_)) => false,
        _ => match (left.account(), right.account()) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        },
    }
}

/// The partitions whose resources the policy names; `aws` where it names none.
fn partitions(policy: &Policy) -> impl Iterator<Item = String> + use<> {
    let mut named = BTreeSet::new();
    for statement in &policy.statements {
        let Some(Scope::In(globs) | Scope::NotIn(globs)) = &statement.resources else { continue };
        let partition = |glob: &Glob| glob.as_str().split(':').nth(1).map(str::to_owned);
        named.extend(globs.iter().filter_map(partition).filter(|partition| !partition.contains(['*', '?'])));
    }
    if named.is_empty() {
        named.insert("aws".to_owned());
    }
    named.into_iter()
}

/// `*`, and `*:*`, which says the same.
fn is_every_action(glob: &Glob) -> bool {
    glob.is_everything() || glob.as_str() == "*:*"
}

/// `*`, or a service and nothing but wildcards that any action fits.
fn is_whole_service(glob: &Glob) -> bool {
    if is_every_action(glob) {
        return true;
    }
    let Some((service, _)) = glob.as_str().split_once(':') else { return false };
    glob.covers(&Glob::plain(&format!("{service}:?*")), Reading::Certain)
}
