//! What the published models do not say: whether a call only reads, and which IAM action allows it.
//!
//! A call is `read_only` when the collector may make it on any account without asking. It is denied by default:
//!
//! 1. A call with PUT, PATCH or DELETE is not read, whatever it is called.
//! 2. `data/read-only.txt` decides for the operations that it names: calls that read under another name, and calls named
//!    like a read that change something or hand out a credential, a secret or a signed address.
//! 3. Else a call whose name starts with a word of [`READ_VERBS`] is read, unless a word of [`SECRET_WORDS`] is in it.
//!
//! Reading is not harmless by itself: `DescribeUserPoolClient` answers with a client secret among other things. What must
//! not be kept is redacted where the resource is mapped.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use yagura_aws::model::{Operation, Service};

const READ_ONLY: &str = include_str!("../../data/read-only.txt");
const IAM_ACTIONS: &str = include_str!("../../data/iam-actions.txt");

/// First words of names that read; compared as whole words of the camel case.
const READ_VERBS: [&str; 8] = ["Get", "List", "Describe", "Head", "BatchGet", "BatchDescribe", "Lookup", "Search"];

/// Words that a new operation which hands out a secret would have in its name.
const SECRET_WORDS: [&str; 8] = [
    "AccessToken",
    "AuthToken",
    "AuthorizationToken",
    "GetCredentials",
    "IdentityToken",
    "Presigned",
    "SecretValue",
    "SessionToken",
];

/// Methods that change something by their definition.
const WRITING_METHODS: [&str; 3] = ["PUT", "PATCH", "DELETE"];

/// The two data files, by (service, operation).
pub(super) struct Policy {
    read_only: BTreeMap<(&'static str, &'static str), bool>,
    actions: BTreeMap<(&'static str, &'static str), (&'static str, &'static str)>,
}

impl Policy {
    /// The policy of the data files in `xtask/data`.
    pub(super) fn load() -> Result<Self> {
        Ok(Self { read_only: read_only(READ_ONLY)?, actions: actions(IAM_ACTIONS)? })
    }

    /// Sets `read_only` and `iam_action` on every operation of `service`.
    pub(super) fn apply(&self, service: &mut Service) {
        let name = service.name.clone();
        for operation in service.operations_mut() {
            operation.read_only = self.is_read_only(&name, operation);
            if let Some(action) = self.action(&name, operation) {
                operation.iam_action = action.into();
            }
        }
    }

    /// Fails where a data file names an operation that is in none of `services`.
    pub(super) fn check(&self, services: &[Service]) -> Result<()> {
        let known = |(service, operation): &(&str, &str)| {
            let service = services.iter().find(|candidate| &*candidate.name == *service);
            service.is_some_and(|service| *operation == "*" || service.operation(operation).is_some())
        };
        let named: BTreeSet<_> = self.read_only.keys().chain(self.actions.keys()).collect();
        let unknown: Vec<String> =
            named.into_iter().filter(|key| !known(key)).map(|(service, name)| format!("{service} {name}")).collect();
        if !unknown.is_empty() {
            bail!("no such operation: {}", unknown.join(", "));
        }
        Ok(())
    }

    fn is_read_only(&self, service: &str, operation: &Operation) -> bool {
        if WRITING_METHODS.contains(&&*operation.method) {
            return false;
        }
        match self.read_only.get(&(service, &*operation.name)) {
            Some(named) => *named,
            None => {
                READ_VERBS.iter().any(|verb| starts_with_word(&operation.name, verb))
                    && !SECRET_WORDS.iter().any(|word| operation.name.contains(word))
            }
        }
    }

    fn action(&self, service: &str, operation: &Operation) -> Option<String> {
        let rule = self.actions.get(&(service, &*operation.name)).or_else(|| self.actions.get(&(service, "*")));
        let (prefix, action) = rule?;
        Some(match *action {
            "*" => format!("{prefix}:{}", operation.name),
            "{METHOD}" => format!("{prefix}:{}", operation.method),
            action => format!("{prefix}:{action}"),
        })
    }
}

/// `Get` starts `GetUser` and not `Getaway`.
fn starts_with_word(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_lowercase()))
}

fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let words = text.lines().map(|line| (line, line.split_whitespace().collect::<Vec<_>>()));
    words.filter(|(line, words)| !words.is_empty() && !line.starts_with('#'))
}

fn read_only(text: &'static str) -> Result<BTreeMap<(&'static str, &'static str), bool>> {
    let mut named = BTreeMap::new();
    for (line, words) in lines(text) {
        let (service, operation, read) = match *words {
            ["allow", service, operation] => (service, operation, true),
            ["deny", service, operation] => (service, operation, false),
            _ => bail!("`{line}` is neither allow nor deny of a service and an operation"),
        };
        if named.insert((service, operation), read).is_some() {
            bail!("`{line}` was said before");
        }
    }
    Ok(named)
}

type Actions = BTreeMap<(&'static str, &'static str), (&'static str, &'static str)>;

fn actions(text: &'static str) -> Result<Actions> {
    let mut named = BTreeMap::new();
    for (line, words) in lines(text) {
        let [service, operation, action] = *words else { bail!("`{line}` is not service, operation and action") };
        let action = action.split_once(':').with_context(|| format!("`{action}` is no IAM action"))?;
        named.insert((service, operation), action);
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, operations: &[(&str, &str)]) -> Service {
        let operations: serde_json::Map<_, _> = operations
            .iter()
            .map(|(name, method)| ((*name).to_owned(), json!({"http": {"method": method, "requestUri": "/"}})))
            .collect();
        let metadata = json!({"protocol": "json", "endpointPrefix": name, "signatureVersion": "v4"});
        let model = json!({"metadata": metadata, "operations": operations, "shapes": {}});
        let mut service = Service::from_botocore(name, &model, &json!(null)).unwrap();
        Policy::load().unwrap().apply(&mut service);
        service
    }

    #[track_caller]
    fn check(name: &str, operation: &str, method: &str, read_only: bool, action: &str) {
        let service = service(name, &[(operation, method)]);
        let operation = service.operation(operation).unwrap();
        assert_eq!((operation.read_only, &*operation.iam_action), (read_only, action));
    }

    #[test]
    fn names_tell_reads_from_writes() {
        check("ec2", "DescribeInstances", "POST", true, "ec2:DescribeInstances");
        check("ec2", "TerminateInstances", "POST", false, "ec2:TerminateInstances");
        check("ec2", "Getaway", "POST", false, "ec2:Getaway");
        check("rds", "DescribeDBInstances", "POST", true, "rds:DescribeDBInstances");
    }

    #[test]
    fn a_writing_method_is_never_read() {
        check("iot", "GetAndReset", "PUT", false, "iot:GetAndReset");
        check("dynamodb", "Query", "DELETE", false, "dynamodb:Query");
    }

    #[test]
    fn what_hands_out_a_secret_is_not_read() {
        check("secretsmanager", "GetSecretValue", "POST", false, "secretsmanager:GetSecretValue");
        check("sts", "GetSessionToken", "POST", false, "sts:GetSessionToken");
        check("new", "GetInstanceAccessToken", "POST", false, "new:GetInstanceAccessToken");
        check("iam", "GetAccountPasswordPolicy", "POST", true, "iam:GetAccountPasswordPolicy");
        check("sts", "GetCallerIdentity", "POST", true, "sts:GetCallerIdentity");
    }

    #[test]
    fn actions_follow_the_data_file() {
        check("s3", "ListBuckets", "GET", true, "s3:ListAllMyBuckets");
        check("apigateway", "GetRestApis", "GET", true, "apigateway:GET");
        check("cloudwatch", "DescribeAlarms", "POST", true, "cloudwatch:DescribeAlarms");
    }

    #[test]
    fn a_rule_for_nothing_is_refused() {
        let error = Policy::load().unwrap().check(&[service("s3", &[])]).unwrap_err();
        assert!(error.to_string().contains("s3 ListBuckets"), "{error}");
    }
}
