//! Whether a resource's policy alone lets anybody in.
//!
//! Public is what some request gets that nothing fixed names: no account, user, role, service or identity provider that
//! the policy names, and no network, endpoint, source or organisation. So the question is a comparison: is there access
//! beyond a policy that allows everything to those whom this policy names?

use std::collections::BTreeSet;

use super::{Answer, Approximation, PolicyKind, Undecided, Verdict, Witness, new_access};
use crate::actions::BrokenTable;
use crate::policy::{
    Condition, Effect, Family, Glob, Operator, Policy, Principal, Qualifier, Scope, Statement, narrow,
};

/// The resource types whose policies can be asked about: those of IAM Access Analyzer's check for no public access, and
/// those of its findings of external access that have a policy.
pub const PUBLIC_TYPES: &[&str] = &[
    "AWS::ApiGateway::RestApi",
    "AWS::Backup::BackupVault",
    "AWS::CloudTrail::Dashboard",
    "AWS::CloudTrail::EventDataStore",
    "AWS::CodeArtifact::Domain",
    "AWS::DynamoDB::Stream",
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::IAM::AssumeRolePolicyDocument",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::OpenSearchService::Domain",
    "AWS::S3::AccessPoint",
    "AWS::S3::Bucket",
    "AWS::S3::Glacier",
    "AWS::S3::MultiRegionAccessPoint",
    "AWS::S3Express::AccessPoint",
    "AWS::S3Express::DirectoryBucket",
    "AWS::S3ObjectLambda::AccessPoint",
    "AWS::S3Outposts::AccessPoint",
    "AWS::S3Outposts::Bucket",
    "AWS::S3Tables::Table",
    "AWS::S3Tables::TableBucket",
    "AWS::SecretsManager::Secret",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
];

/// Whether a policy is public, and by which statements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PublicAnswer {
    /// The Allows that let anybody in, counted from 0.
    pub statements: Vec<usize>,
    /// A request of somebody unknown that gets in.
    pub witness: Option<Box<Witness>>,
    /// Why it is not known whether others let anybody in.
    pub undecided: Option<Undecided>,
    /// What the answer rests on that is not exact.
    pub approximations: BTreeSet<Approximation>,
}

/// Whether `policy`, on a resource, lets anybody in.
pub fn public(policy: &Policy) -> Result<PublicAnswer, BrokenTable> {
    let known = known(policy);
    let mut answer = PublicAnswer::default();
    for (number, statement) in policy.statements.iter().enumerate() {
        if statement.effect != Effect::Allow || !may_name_anybody(statement) {
            continue;
        }
        // Each Allow on its own, under all the Denies.
        let mut alone = policy.clone();
        let mut place = 0;
        alone.statements.retain(|other| {
            place += 1;
            other.effect == Effect::Deny || place == number + 1
        });
        let Answer { verdict, approximations } = new_access(&known, &alone, PolicyKind::Resource)?;
        match verdict {
            Verdict::NoAccess => {}
            Verdict::Undecided(undecided) => answer.undecided = answer.undecided.or(Some(undecided)),
            Verdict::Access(mut witness) => {
                witness.statement = number;
                answer.statements.push(number);
                if answer.witness.is_none() {
                    answer.approximations = approximations;
                    answer.witness = Some(witness);
                }
            }
        }
    }
    Ok(answer)
}

fn may_name_anybody(statement: &Statement) -> bool {
    match &statement.principals {
        None => false,
        Some(Scope::NotIn(_)) => true,
        Some(Scope::In(principals)) => principals.iter().any(is_anybody),
    }
}

/// Whether it names nobody in particular: everyone, or whoever some identity provider vouches for.
fn is_anybody(principal: &Principal) -> bool {
    match principal {
        Principal::Everyone => true,
        Principal::Federated(provider) => provider == "*",
        Principal::Aws(_) | Principal::Service(_) | Principal::CanonicalUser(_) => false,
    }
}

/// A policy that allows everything to whom this policy names.
fn known(policy: &Policy) -> Policy {
    let mut statements = Vec::new();
    let mut principals: Vec<Principal> = Vec::new();
    for statement in &policy.statements {
        if let (Effect::Allow, Some(Scope::In(named))) | (Effect::Deny, Some(Scope::NotIn(named))) =
            (statement.effect, &statement.principals)
        {
            principals.extend(named.iter().filter(|named| !is_anybody(named)).cloned());
        }
        for condition in &statement.conditions {
            statements.extend(narrow::known(condition).map(|condition| allow(None, vec![condition])));
        }
    }
    if !principals.is_empty() {
        statements.push(allow(Some(Scope::In(principals)), Vec::new()));
    }
    statements.push(allow(None, vec![is_service()]));
    Policy { version: policy.version, id: None, statements }
}

/// The caller is an AWS service. None is anybody: what it may be made to do, its source conditions say.
pub(super) fn is_service() -> Condition {
    let operator = Operator { qualifier: Qualifier::Single, family: Family::Bool, negated: false, if_exists: false };
    Condition { operator, key: "aws:principalisawsservice".to_owned(), values: vec!["true".to_owned()] }
}

/// An Allow of everything to some, under conditions.
pub(super) fn allow(principals: Option<Scope<Principal>>, conditions: Vec<Condition>) -> Statement {
    let everything = || Scope::In(vec![Glob::plain("*")]);
    Statement {
        sid: None,
        effect: Effect::Allow,
        principals,
        actions: everything(),
        resources: Some(everything()),
        conditions,
    }
}
