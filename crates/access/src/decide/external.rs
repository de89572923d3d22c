//! Who outside a zone of trust a resource's policy lets in.

use std::collections::{BTreeMap, BTreeSet};

use super::public::{allow, is_service, public};
use super::{PolicyKind, Undecided, Verdict, Witness, new_access};
use crate::actions::BrokenTable;
use crate::policy::{
    Condition, Effect, Family, Operator, Policy, Principal, Qualifier, Scope, Statement, Version, is_account,
};

/// The most actions of one statement that are asked for one by one; of a longer list all are reported together.
const ACTIONS_MAX: usize = 50;

/// Whom the owner of a resource trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// Accounts, by their twelve digits.
    pub accounts: BTreeSet<String>,
    /// Organisations (`o-…`).
    pub organisations: BTreeSet<String>,
    /// Organisational units, by their paths (`o-…/r-…/ou-…`), with all below them.
    pub units: BTreeSet<String>,
    /// Networks (`vpc-…`).
    pub vpcs: BTreeSet<String>,
    /// VPC endpoints (`vpce-…`).
    pub endpoints: BTreeSet<String>,
}

/// One way in from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalFinding {
    /// The Allow, counted from 0.
    pub statement: usize,
    /// Whom it names.
    pub principal: Principal,
    /// Which of its actions they can do, as it writes them.
    pub actions: Vec<String>,
    /// Under which conditions, by key.
    pub conditions: BTreeMap<String, Vec<String>>,
    /// Whether that is anybody.
    pub is_public: bool,
    /// A request from outside that gets in.
    pub witness: Box<Witness>,
}

/// All the ways in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExternalAnswer {
    /// Those that were found, one for each Allow and principal.
    pub findings: Vec<ExternalFinding>,
    /// Why there may be others.
    pub undecided: Option<Undecided>,
}

/// Who outside `zone` the policy of a resource lets in. An AWS service is not outside: on whose behalf it may act is said
/// by its source conditions.
pub fn external(policy: &Policy, zone: &Zone) -> Result<ExternalAnswer, BrokenTable> {
    let trusted = zone.policy(policy);
    let mut answer = ExternalAnswer::default();
    for (number, statement) in policy.statements.iter().enumerate() {
        let (Effect::Allow, Some(scope)) = (statement.effect, &statement.principals) else { continue };
        let everyone = [Principal::Everyone];
        let (named, keeps_scope) = match scope {
            Scope::In(named) => (named.as_slice(), false),
            Scope::NotIn(_) => (everyone.as_slice(), true),
        };
        for principal in named {
            let mut only = statement.clone();
            if !keeps_scope {
                only.principals = Some(Scope::In(vec![principal.clone()]));
            }
            match new_access(&trusted, &alone(policy, only.clone()), PolicyKind::Resource)?.verdict {
                Verdict::NoAccess => {}
                Verdict::Undecided(why) => answer.undecided = answer.undecided.or(Some(why)),
                Verdict::Access(mut witness) => {
                    witness.statement = number;
                    let is_public = *principal == Principal::Everyone
                        && !public(&alone(policy, only.clone()))?.statements.is_empty();
                    answer.findings.push(ExternalFinding {
                        statement: number,
                        principal: principal.clone(),
                        actions: actions(policy, &only, &trusted)?,
                        conditions: conditions(statement),
                        is_public,
                        witness,
                    });
                }
            }
        }
    }
    Ok(answer)
}

/// One Allow under all the Denies.
fn alone(policy: &Policy, statement: Statement) -> Policy {
    let mut alone = policy.clone();
    alone.statements.retain(|other| other.effect == Effect::Deny);
    alone.statements.insert(0, statement);
    alone
}

/// Which of an Allow's actions somebody outside can do.
fn actions(policy: &Policy, statement: &Statement, trusted: &Policy) -> Result<Vec<String>, BrokenTable> {
    let texts = |globs: &[crate::policy::Glob]| globs.iter().map(|glob| glob.as_str().to_owned()).collect();
    let globs = match &statement.actions {
        Scope::NotIn(_) => return Ok(vec!["*".to_owned()]),
        Scope::In(globs) if globs.len() == 1 || globs.len() > ACTIONS_MAX => return Ok(texts(globs)),
        Scope::In(globs) => globs,
    };
    let mut reached = Vec::new();
    for glob in globs {
        let mut only = statement.clone();
        only.actions = Scope::In(vec![glob.clone()]);
        // What cannot be ruled out is reported with the others.
        if new_access(trusted, &alone(policy, only), PolicyKind::Resource)?.verdict != Verdict::NoAccess {
            reached.push(glob.as_str().to_owned());
        }
    }
    Ok(reached)
}

fn conditions(statement: &Statement) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for condition in &statement.conditions {
        found.entry(condition.key.clone()).or_default().extend(condition.values.iter().cloned());
    }
    found
}

/// Keys that say on behalf of which account a request is made.
const ACCOUNT_KEYS: &[&str] = &["aws:sourceaccount", "aws:sourceowner", "aws:vpceaccount", "s3:dataaccesspointaccount"];

impl Zone {
    /// A policy that allows everything to whoever is inside, and to what only AWS itself can be.
    fn policy(&self, of: &Policy) -> Policy {
        let mut statements = vec![allow(None, vec![is_service()])];
        let mut when = |key: &str, family: Family, qualifier: Qualifier, values: Vec<String>| {
            if !values.is_empty() {
                let operator = Operator { qualifier, family, negated: false, if_exists: false };
                statements.push(allow(None, vec![Condition { operator, key: key.to_owned(), values }]));
            }
        };
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        for key in ACCOUNT_KEYS {
            when(key, Family::StringEquals, Qualifier::Single, list(&self.accounts));
        }
        for key in ["aws:sourcearn", "s3:dataaccesspointarn"] {
            let of_account = |account: &String| format!("arn:*:*:*:{account}:*");
            when(key, Family::Arn, Qualifier::Single, self.accounts.iter().map(of_account).collect());
        }
        for key in ["aws:principalorgid", "aws:sourceorgid", "aws:vpceorgid"] {
            when(key, Family::StringEquals, Qualifier::Single, list(&self.organisations));
        }
        let below = |path: &String| format!("{}/*", path.trim_end_matches('/'));
        let paths: Vec<String> = self.organisations.iter().chain(&self.units).map(below).collect();
        for key in ["aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"] {
            when(key, Family::StringLike, Qualifier::ForAny, paths.clone());
        }
        when("aws:sourcevpc", Family::StringEquals, Qualifier::Single, list(&self.vpcs));
        when("aws:sourcevpce", Family::StringEquals, Qualifier::Single, list(&self.endpoints));
        let accounts = self.accounts.iter().filter(|account| is_account(account)).cloned().map(Principal::Aws);
        let principals: Vec<Principal> = accounts.chain(origin_access_identities(of)).collect();
        if !principals.is_empty() {
            statements.push(allow(Some(Scope::In(principals)), Vec::new()));
        }
        Policy { version: Version::V2008, id: None, statements }
    }
}

/// The identities by which `CloudFront` reads buckets: made by the owner, and of no account.
fn origin_access_identities(policy: &Policy) -> impl Iterator<Item = Principal> {
    let named = policy.statements.iter().filter_map(|statement| match &statement.principals {
        Some(Scope::In(named)) => Some(named),
        _ => None,
    });
    let is_cloudfront = |principal: &&Principal| matches!(principal, Principal::Aws(text) if text.split(':').nth(4) == Some("cloudfront"));
    named.flatten().filter(is_cloudfront).cloned().collect::<Vec<_>>().into_iter()
}
