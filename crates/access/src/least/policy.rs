//! From what calls needed to the policy that allows it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::call::{Call, Unmapped, needed};
use super::resource::Named;
use crate::actions::BrokenTable;
use crate::evaluate::{Request, Requester, matches};
use crate::policy::{Glob, Policy, Reading};

/// The most resources of one action that are listed; more of the same kind become one pattern, so that the policy
/// stays inside the 6,144 characters that IAM gives it and a person can read it.
const RESOURCES_LISTED_MAX: usize = 20;

/// The least policy for some calls, and how far it can be relied upon.
#[derive(Debug, Clone, PartialEq)]
pub struct Least {
    /// The policy document.
    pub policy: Value,
    /// The permissions in it, each with the calls that needed it.
    pub actions: BTreeMap<String, u64>,
    /// Where it allows more than what was done, and why.
    pub wide: Vec<Wide>,
    /// Events (source and name) that no permission could be found for, or that need none, with their calls.
    pub unmapped: BTreeMap<(String, String), (Unmapped, u64)>,
    /// Calls that the policy was proven to allow.
    pub proven: u64,
    /// Permissions and resources of calls that the policy does not allow. Never any, unless the program is wrong.
    pub unproven: Vec<(String, String)>,
}

/// A permission that reaches further than what was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wide {
    /// The events do not tell which resource: everything of its kind is allowed.
    NotTold {
        /// The permission.
        action: String,
        /// On what it is allowed.
        resource: String,
    },
    /// So many resources that a pattern stands for them.
    TooMany {
        /// The permission.
        action: String,
        /// How many there were.
        resources: usize,
        /// What stands for them.
        pattern: String,
    },
}

/// The least policy that allows these calls, each with the number of times that it was made. Give only calls that AWS
/// let through: a denied one is no need.
pub fn least(calls: &[(Call, u64)]) -> Result<Least, BrokenTable> {
    let mut needs: BTreeMap<String, BTreeSet<Named>> = BTreeMap::new();
    let mut result = Least {
        policy: Value::Null,
        actions: BTreeMap::new(),
        wide: Vec::new(),
        unmapped: BTreeMap::new(),
        proven: 0,
        unproven: Vec::new(),
    };
    let mut asked = Vec::new();
    for (call, count) in calls {
        match needed(call)? {
            Err(why) => {
                let event = (call.event_source.clone(), call.event_name.clone());
                result.unmapped.entry(event).or_insert((why, 0)).1 += count;
            }
            Ok(needed) => {
                for need in &needed {
                    *result.actions.entry(need.action.clone()).or_default() += count;
                    needs.entry(need.action.clone()).or_default().extend(need.resources.iter().cloned());
                }
                asked.push((needed, *count));
            }
        }
    }
    let mut resources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (action, named) in needs {
        let patterns = patterns(&action, &named, &mut result.wide);
        resources.insert(action, patterns);
    }
    result.policy = document(&resources);
    result.wide.sort();
    let policy = Policy::from_value(&result.policy).ok().flatten();
    for (needed, count) in asked {
        let mut allowed = true;
        for need in &needed {
            for named in &need.resources {
                if !policy.as_ref().is_some_and(|policy| allows(policy, &need.action, named)) {
                    allowed = false;
                    result.unproven.push((need.action.clone(), named.arn.clone()));
                }
            }
        }
        result.proven += if allowed { count } else { 0 };
    }
    result.unproven.sort();
    result.unproven.dedup();
    Ok(result)
}

/// What to list for one permission: the resources, fewer where a wider one covers them or where they are too many.
fn patterns(action: &str, named: &BTreeSet<Named>, wide: &mut Vec<Wide>) -> BTreeSet<String> {
    let mut patterns: BTreeSet<String> = BTreeSet::new();
    for open in named.iter().filter(|named| !named.known) {
        wide.push(Wide::NotTold { action: action.to_owned(), resource: open.arn.clone() });
        patterns.insert(open.arn.clone());
    }
    let covers = |patterns: &BTreeSet<String>, arn: &str| {
        let arn = Glob::with_variables(arn);
        patterns.iter().any(|pattern| Glob::with_variables(pattern).covers_arn(&arn, Reading::Certain))
    };
    let rest: Vec<&Named> = named.iter().filter(|named| named.known && !covers(&patterns, &named.arn)).collect();
    let mut kinds: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for named in rest {
        kinds.entry(kind_of(&named.arn)).or_default().push(&named.arn);
    }
    for arns in kinds.into_values() {
        if arns.len() <= RESOURCES_LISTED_MAX {
            patterns.extend(arns.into_iter().map(str::to_owned));
            continue;
        }
        let pattern = common(&arns);
        wide.push(Wide::TooMany { action: action.to_owned(), resources: arns.len(), pattern: pattern.clone() });
        patterns.insert(pattern);
    }
    patterns
}

/// What resources must share to be put under one pattern: everything up to the name.
fn kind_of(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let head: Vec<&str> = parts.by_ref().take(5).collect();
    let name = parts.next().unwrap_or_default();
    let kind = name.split_once(['/', ':']).map_or("", |(kind, _)| kind);
    format!("{}:{kind}", head.join(":"))
}

/// The longest beginning that all share, ended by `*`.
fn common(arns: &[&str]) -> String {
    let first = arns.first().copied().unwrap_or_default();
    let mut length = first.len();
    for arn in arns {
        let same = first.bytes().zip(arn.bytes()).take_while(|(left, right)| left == right).count();
        length = length.min(same);
    }
    let mut beginning = String::new();
    for char in first.chars() {
        if beginning.len() + char.len_utf8() > length {
            break;
        }
        beginning.push(char);
    }
    // An escape must not be torn apart.
    if let Some(open) = beginning.rfind("${")
        && !beginning.get(open..).is_some_and(|rest| rest.contains('}'))
    {
        beginning.truncate(open);
    }
    beginning + "*"
}

/// One statement for all permissions on the same resources, in the order of the resources.
fn document(resources: &BTreeMap<String, BTreeSet<String>>) -> Value {
    let mut statements: BTreeMap<&BTreeSet<String>, Vec<&str>> = BTreeMap::new();
    for (action, patterns) in resources {
        statements.entry(patterns).or_default().push(action);
    }
    let statements: Vec<Value> = statements
        .into_iter()
        .map(|(resources, actions)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources }))
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Whether the policy allows the permission on the resource: by the evaluator where the resource is known, and on all
/// that the pattern stands for where it is not.
fn allows(policy: &Policy, action: &str, named: &Named) -> bool {
    if named.known {
        let Ok(principal) = Requester::from_arn("arn:aws:iam::111122223333:user/anyone") else { return false };
        let request = Request::new(action, &unescaped(&named.arn), principal);
        return policy.statements.iter().any(|statement| matches(statement, policy.version, &request).is_some());
    }
    let arn = Glob::with_variables(&named.arn);
    let action = Glob::plain(&action.to_ascii_lowercase());
    policy.statements.iter().any(|statement| {
        let (crate::policy::Scope::In(actions), Some(crate::policy::Scope::In(resources))) =
            (&statement.actions, &statement.resources)
        else {
            return false;
        };
        actions.iter().any(|pattern| pattern.covers(&action, Reading::Certain))
            && resources.iter().any(|pattern| pattern.covers_arn(&arn, Reading::Certain))
    })
}

/// The name that an escaped one stands for.
fn unescaped(text: &str) -> String {
    text.replace("${*}", "*").replace("${?}", "?").replace("${$}", "$")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(bucket: &str, key: &str) -> Call {
        Call {
            event_source: "s3.amazonaws.com".into(),
            event_name: "GetObject".into(),
            account: "111122223333".into(),
            region: "us-east-1".into(),
            resources: Vec::new(),
            parameters: json!({ "bucketName": bucket, "key": key }),
        }
    }

    #[test]
    fn permissions_on_the_same_resources_share_a_statement() {
        let mut put = get("example-bucket", "a");
        put.event_name = "PutObject".into();
        let least = least(&[(get("example-bucket", "a"), 3), (put, 2)]).unwrap();
        assert_eq!(
            least.policy["Statement"],
            json!([{
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject"],
                "Resource": ["arn:aws:s3:::example-bucket/a"],
            }])
        );
        assert_eq!((least.proven, least.unproven.len(), least.actions["s3:GetObject"]), (5, 0, 3));
    }

    #[test]
    fn many_resources_become_one_pattern_and_that_is_said() {
        let calls: Vec<_> = (0..50).map(|n| (get("example-bucket", &format!("in/2026/{n}.csv")), 1)).collect();
        let least = least(&calls).unwrap();
        assert_eq!(least.policy["Statement"][0]["Resource"], json!(["arn:aws:s3:::example-bucket/in/2026/*"]));
        assert_eq!(
            least.wide,
            [Wide::TooMany {
                action: "s3:GetObject".into(),
                resources: 50,
                pattern: "arn:aws:s3:::example-bucket/in/2026/*".into()
            }]
        );
        assert_eq!(least.proven, 50);
    }

    #[test]
    fn a_name_with_a_wildcard_in_it_allows_only_itself() {
        let least = least(&[(get("example-bucket", "a*b"), 1)]).unwrap();
        assert_eq!(least.policy["Statement"][0]["Resource"], json!(["arn:aws:s3:::example-bucket/a${*}b"]));
        assert_eq!(least.proven, 1);
    }

    #[test]
    fn what_no_permission_was_found_for_is_listed() {
        let mut call = get("b", "k");
        call.event_name = "DoWhatNobodyKnows".into();
        let least = least(&[(call, 7)]).unwrap();
        let event = ("s3.amazonaws.com".to_owned(), "DoWhatNobodyKnows".to_owned());
        assert_eq!(least.unmapped[&event], (Unmapped::Action, 7));
        assert_eq!(least.policy["Statement"], json!([]));
    }

    proptest! {
        #[test]
        fn whatever_was_done_is_allowed(keys in prop::collection::vec("[a-z$*?{}/é]{1,12}", 1..60)) {
            let calls: Vec<_> = keys.iter().map(|key| (get("example-bucket", key), 1)).collect();
            let least = least(&calls).unwrap();
            prop_assert_eq!(&least.unproven, &Vec::<(String, String)>::new());
            prop_assert_eq!(least.proven, keys.len() as u64);
        }
    }
}
