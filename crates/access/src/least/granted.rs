//! What is granted beyond what was used.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::{self, BrokenTable};
use crate::policy::{Effect, Glob, Policy, Reading, Scope, Statement};

/// What of one service is granted, and what of that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUse {
    /// Its prefix (`s3`).
    pub service: String,
    /// Granted and used permissions, by name (`GetObject`).
    pub used: Vec<String>,
    /// Granted permissions that no call used.
    pub unused: Vec<String>,
}

/// What these policies of an identity grant, service by service, beside the permissions that were used
/// (`s3:GetObject`). A permission counts as granted where an Allow names it for some resource and no Deny takes it away
/// from everything without a condition.
pub fn unused(granted: &[Policy], used: &BTreeSet<String>) -> Result<Vec<ServiceUse>, BrokenTable> {
    let used: BTreeSet<String> = used.iter().map(|action| action.to_ascii_lowercase()).collect();
    let statements = || granted.iter().flat_map(|policy| &policy.statements);
    let allows: Vec<&Statement> = statements().filter(|statement| statement.effect == Effect::Allow).collect();
    let denies: Vec<&Statement> = statements().filter(|statement| denies_everywhere(statement)).collect();
    let mut services: BTreeMap<String, ServiceUse> = BTreeMap::new();
    for prefix in actions::prefixes()? {
        if !allows.iter().any(|statement| may_name(statement, prefix)) {
            continue;
        }
        let Some(service) = actions::service(prefix)? else { continue };
        for name in service.actions.keys() {
            let action = format!("{prefix}:{}", name.to_ascii_lowercase());
            let glob = Glob::plain(&action);
            let is_granted = allows.iter().any(|statement| names(statement, &glob))
                && !denies.iter().any(|statement| names(statement, &glob));
            if is_granted {
                let entry = services.entry(prefix.to_owned()).or_insert_with(|| ServiceUse {
                    service: prefix.to_owned(),
                    used: Vec::new(),
                    unused: Vec::new(),
                });
                let list = if used.contains(&action) { &mut entry.used } else { &mut entry.unused };
                list.push(name.clone());
            }
        }
    }
    Ok(services.into_values().collect())
}

fn denies_everywhere(statement: &Statement) -> bool {
    statement.effect == Effect::Deny
        && statement.conditions.is_empty()
        && matches!(&statement.resources, Some(Scope::In(resources)) if resources.iter().any(Glob::is_every_arn))
}

/// Whether the statement could name an action of the service; quick, and sometimes wrong in the direction of yes.
fn may_name(statement: &Statement, prefix: &str) -> bool {
    match &statement.actions {
        Scope::NotIn(_) => true,
        Scope::In(patterns) => patterns.iter().any(|pattern| {
            let service = pattern.as_str().split(':').next().unwrap_or_default();
            Glob::plain(service).covers(&Glob::plain(prefix), Reading::Certain)
        }),
    }
}

fn names(statement: &Statement, action: &Glob) -> bool {
    let covers = |patterns: &[Glob]| patterns.iter().any(|pattern| pattern.covers(action, Reading::Certain));
    match &statement.actions {
        Scope::In(patterns) => covers(patterns),
        Scope::NotIn(patterns) => !covers(patterns),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statements: &serde_json::Value) -> Policy {
        Policy::from_value(&json!({ "Version": "2012-10-17", "Statement": statements })).unwrap().unwrap()
    }

    fn find<'a>(services: &'a [ServiceUse], prefix: &str) -> Option<&'a ServiceUse> {
        services.iter().find(|service| service.service == prefix)
    }

    #[test]
    fn what_is_granted_and_was_not_used_could_go() {
        let granted = [policy(&json!([
            { "Effect": "Allow", "Action": ["sqs:Send*", "sqs:ReceiveMessage"], "Resource": "*" },
            { "Effect": "Allow", "Action": "sns:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "sns:Delete*", "Resource": "*" },
        ]))];
        let services = unused(&granted, &BTreeSet::from(["sqs:SendMessage".to_owned()])).unwrap();
        let sqs = find(&services, "sqs").unwrap();
        assert_eq!(
            (sqs.used.as_slice(), sqs.unused.as_slice()),
            (&["SendMessage".to_owned()][..], &["ReceiveMessage".to_owned()][..])
        );
        let sns = find(&services, "sns").unwrap();
        assert!(sns.used.is_empty() && sns.unused.contains(&"Publish".to_owned()));
        assert!(!sns.unused.contains(&"DeleteTopic".to_owned()));
        assert_eq!(services.len(), 2);
    }

    #[test]
    fn not_action_grants_everything_else() {
        let granted = [policy(&json!([{ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }]))];
        let services = unused(&granted, &BTreeSet::new()).unwrap();
        assert!(find(&services, "iam").is_none() && find(&services, "s3").is_some());
    }
}
