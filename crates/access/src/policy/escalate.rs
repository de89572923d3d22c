//! Ways by which the holder of a policy gains more rights than it says.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use super::grant::{actions_cover, asked, check_size, is_denied};
use super::{Asked, Condition, Family, Glob, InvalidPolicy, Policy};
use crate::actions::BrokenTable;

/// The names of the ways (`data/escalations.yml`) that the document opens to its holder, in the order of the table.
///
/// What a way needs must be allowed and not be taken away without condition. Whether the role to be passed, or the user
/// to be taken over, has more rights than the holder is not in the document: it is taken to be so wherever the holder
/// may choose. A policy of a resource (with principals) opens none.
pub fn escalates(document: &Value) -> Result<Vec<String>, InvalidPolicy> {
    let Some(policy) = Policy::from_value(document)? else { return Ok(Vec::new()) };
    for allow in policy.allows() {
        check_size(&policy, allow)?;
    }
    let ways = table()?;
    Ok(ways.iter().filter(|way| is_open(way, &policy)).map(|way| way.name.clone()).collect())
}

/// One way to more rights.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    name: String,
    /// All of these are needed.
    all: Vec<Step>,
    /// And one of these, where there are any.
    #[serde(default)]
    any: Vec<Step>,
    /// The service that a role is passed to; `iam:PassRole` is then needed too.
    #[serde(default)]
    pass_role_to: Option<String>,
}

/// One action that a way needs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    action: String,
    #[serde(default)]
    on: On,
    /// Condition keys that make the action harmless where they are pinned to values.
    #[serde(default)]
    unless: Vec<String>,
}

/// On which resources an action opens the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum On {
    /// On any, one's own user included.
    #[default]
    Any,
    /// On any but one's own user.
    Others,
    /// Where the holder may choose among several.
    Chosen,
}

fn is_open(way: &Way, policy: &Policy) -> bool {
    way.all.iter().all(|step| is_allowed(step, None, policy))
        && (way.any.is_empty() || way.any.iter().any(|step| is_allowed(step, None, policy)))
        && way.pass_role_to.as_deref().is_none_or(|service| {
            let pass = Step { action: "iam:PassRole".to_owned(), on: On::Chosen, unless: Vec::new() };
            is_allowed(&pass, Some(service), policy)
        })
}

fn is_allowed(step: &Step, passed_to: Option<&str>, policy: &Policy) -> bool {
    let action = Glob::plain(&step.action.to_ascii_lowercase());
    let action = Asked::Pattern(&action);
    policy.allows().filter(|allow| allow.principals.is_none()).any(|allow| {
        actions_cover(allow, &action)
            && !allow.conditions.iter().any(|condition| prevents(condition, step, passed_to))
            && asked(allow.resources.as_ref())
                .iter()
                .any(|resource| is_target(step.on, resource) && !is_denied(policy, allow, &action, resource))
    })
}

fn is_target(on: On, resource: &Asked<'_>) -> bool {
    let Asked::Pattern(glob) = resource else { return true };
    let last = Glob::with_variables(glob.as_str().splitn(6, ':').last().unwrap_or_default());
    match on {
        On::Any => true,
        On::Others => last.has_wildcard() || !last.has_variable(),
        On::Chosen => last.has_wildcard(),
    }
}

/// Whether a condition keeps the step from opening the way.
fn prevents(condition: &Condition, step: &Step, passed_to: Option<&str>) -> bool {
    let operator = condition.operator;
    let is_text = matches!(
        operator.family,
        Family::StringEquals | Family::StringEqualsIgnoreCase | Family::StringLike | Family::Arn
    );
    if operator.negated || operator.holds_when_absent() || !is_text {
        return false;
    }
    if let Some(service) = passed_to
        && condition.key == "iam:passedtoservice"
    {
        let service = Glob::plain(service);
        return !condition.values.iter().any(|value| Glob::plain(value).overlaps(&service));
    }
    step.unless.iter().any(|key| key.eq_ignore_ascii_case(&condition.key))
        && condition.values.iter().all(|value| !Glob::plain(value).is_everything())
}

fn table() -> Result<&'static [Way], InvalidPolicy> {
    static TABLE: OnceLock<Result<Vec<Way>, BrokenTable>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        serde_saphyr::from_str(include_str!("../../data/escalations.yml"))
            .map_err(|problem| BrokenTable { table: "escalations", problem: problem.to_string().into() })
    });
    match table {
        Ok(ways) => Ok(ways),
        Err(broken) => Err(broken.clone().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions;

    #[test]
    fn every_way_has_its_own_name_and_needs_actions_that_exist() {
        let mut names: Vec<&str> = Vec::new();
        for way in table().unwrap() {
            assert!(!names.contains(&way.name.as_str()), "{} twice", way.name);
            names.push(&way.name);
            assert!(!way.all.is_empty(), "{}", way.name);
            for step in way.all.iter().chain(&way.any) {
                let action = Glob::plain(&step.action.to_ascii_lowercase());
                assert!(actions::some_match(&action).unwrap(), "{} needs {}", way.name, step.action);
            }
        }
    }
}
