//! The policies that bind one request, from recorded resources.

use std::sync::Arc;

use serde_json::{Map, Value};
use yagura_access::evaluate::{
    AclGrant, AclGrantee, AclPermission, Compiled, Context, Layer, Policies, Request, Requester, RequesterKind,
    S3Access,
};
use yagura_access::policy::{self, Effect, Glob, Policy, Principal, Scope, Statement, Version};
use yagura_model::{Inventory, Listing, Region, Resource, ResourceType};

/// Where resources of a type keep their policy: the service in their ARNs, the type, and the property or attribute.
pub(super) const RESOURCE_POLICIES: &[(&str, &str, &str)] = &[
    ("s3", "AWS::S3::Bucket", "Policy"),
    ("s3", "AWS::S3::AccessPoint", "Policy"),
    ("kms", "AWS::KMS::Key", "KeyPolicy"),
    ("sqs", "AWS::SQS::Queue", "Policy"),
    ("sns", "AWS::SNS::Topic", "Policy"),
    ("s3express", "AWS::S3Express::DirectoryBucket", "Policy"),
    ("lambda", "AWS::Lambda::Function", "Policy"),
    ("lambda", "AWS::Lambda::LayerVersion", "Policy"),
    ("secretsmanager", "AWS::SecretsManager::Secret", "Policy"),
    ("ecr", "AWS::ECR::Repository", "RepositoryPolicyText"),
    ("elasticfilesystem", "AWS::EFS::FileSystem", "FileSystemPolicy"),
    ("dynamodb", "AWS::DynamoDB::Table", "ResourcePolicy.PolicyDocument"),
    ("backup", "AWS::Backup::BackupVault", "AccessPolicy"),
    ("es", "AWS::OpenSearchService::Domain", "AccessPolicies"),
    ("events", "AWS::Events::EventBus", "Policy"),
];

/// Services whose resources may have policies that are not recorded, as they stand in ARNs.
const UNRECORDED_POLICIES: &[&str] = &[
    "acm-pca",
    "aoss",
    "bedrock",
    "cloudtrail",
    "codeartifact",
    "codebuild",
    "execute-api",
    "geo",
    "glacier",
    "glue",
    "iot",
    "kinesis",
    "logs",
    "mediastore",
    "kafka",
    "organizations",
    "ram",
    "redshift-serverless",
    "rekognition",
    "rolesanywhere",
    "s3-object-lambda",
    "s3-outposts",
    "s3tables",
    "s3vectors",
    "schemas",
    "serverlessrepo",
    "ses",
    "signer",
    "ssm",
    "ssm-contacts",
    "ssm-incidents",
    "states",
    "vpc-lattice",
    "workmail",
    "xray",
];

/// The most parents tried for a resource that is part of another (an object of a bucket, an alias of a function).
const PARENTS_MAX: usize = 64;

/// Something that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotLooked {
    /// The layer that it belongs to.
    pub(super) layer: Layer,
    /// What it is: the key of a sentence under `access.simulate.not_looked`.
    pub(super) key: &'static str,
    /// The name in the sentence.
    pub(super) name: String,
    /// Whether the decision could be another if it had been looked at. Control policies and what only a live request
    /// has are named, but do not make every decision unknown.
    pub(super) is_decisive: bool,
}

/// All that was found for one request.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The policies.
    pub(super) policies: Policies,
    /// The names of the identity's policies, in their order.
    pub(super) identity_names: Vec<String>,
    /// The documents of the identity's policies, in the same order.
    pub(super) identity_documents: Vec<Value>,
    /// The name of the boundary.
    pub(super) boundary_name: Option<String>,
    /// The resource whose policy it is.
    pub(super) resource_name: Option<String>,
    /// What was not recorded.
    pub(super) not_looked: Vec<NotLooked>,
}

/// Finds the policies for a request, and completes the request by what was recorded of principal and resource.
pub(super) fn gather(
    inventory: &Inventory,
    principal: &Requester,
    action: &str,
    resource: &str,
    mut context: Context,
) -> anyhow::Result<(Request, Gathered)> {
    let mut gathered = Gathered::default();
    gathered.identity_of(inventory, principal, &mut context)?;
    let owner = gathered.resource_policy_of(inventory, action, resource)?;
    gathered.endpoint_of(inventory, &context)?;
    gathered.control_policies(inventory, principal);
    let principal = gathered.s3_of(inventory, principal, owner)?;
    let mut request = Request::new(action, resource, principal);
    if let Some(owner) = owner {
        request = request.with_resource_account(owner.account.as_str());
    }
    Ok((request.with_context(context), gathered))
}

/// The policies of a user or a role alone, and what of them was not recorded.
pub(super) fn gather_identity(inventory: &Inventory, principal: &Requester) -> anyhow::Result<Gathered> {
    let mut gathered = Gathered::default();
    gathered.identity_of(inventory, principal, &mut Context::default())?;
    // What limits a session is no part of what its role is granted.
    gathered.not_looked.retain(|missed| missed.layer == Layer::Identity);
    Ok(gathered)
}

impl Gathered {
    /// The policies as if all that was not seen and could decide allowed everything.
    pub(super) fn at_best(&self) -> Policies {
        let mut policies = self.policies.clone();
        for missed in self.not_looked.iter().filter(|missed| missed.is_decisive) {
            match missed.layer {
                Layer::Identity => policies.identity.push(Arc::new(Compiled::of(&everything(false)))),
                Layer::Resource | Layer::Acl => policies.resource = Some(Arc::new(Compiled::of(&everything(true)))),
                // None of these lets anybody in; where one was not seen, nothing is taken away by it.
                _ => {}
            }
        }
        policies
    }

    fn missed(&mut self, layer: Layer, key: &'static str, name: impl Into<String>, is_decisive: bool) {
        self.not_looked.push(NotLooked { layer, key, name: name.into(), is_decisive });
    }

    /// The policies of the user or the role behind the request.
    fn identity_of(
        &mut self,
        inventory: &Inventory,
        principal: &Requester,
        context: &mut Context,
    ) -> anyhow::Result<()> {
        let (kind, arn) = match principal.kind() {
            RequesterKind::User => ("AWS::IAM::User", Some(principal.as_str())),
            RequesterKind::FederatedUser => ("AWS::IAM::User", principal.behind()),
            RequesterKind::Role => ("AWS::IAM::Role", Some(principal.as_str())),
            RequesterKind::RoleSession => ("AWS::IAM::Role", principal.behind()),
            _ => return Ok(()),
        };
        if matches!(principal.kind(), RequesterKind::RoleSession | RequesterKind::FederatedUser) {
            self.missed(Layer::Session, "session", principal.as_str(), false);
        }
        let arn = arn.unwrap_or_default();
        // The path of a role is not in the ARN of its session, but its name is unique in the account.
        let name = arn.rsplit('/').next().unwrap_or_default();
        let is_behind = principal.behind().is_some();
        let holder = inventory
            .of_type(&ResourceType::from(kind))
            .filter(|found| Some(found.account.as_str()) == principal.account())
            .find(|found| found.arn_or_id() == arn || (is_behind && found.id == name));
        let Some(holder) = holder else {
            self.missed(Layer::Identity, "principal", arn, true);
            return Ok(());
        };
        complete_context(holder, principal, context);
        self.attached(inventory, holder)?;
        for group in texts(holder, "Groups") {
            let found = inventory
                .of_type(&ResourceType::from("AWS::IAM::Group"))
                .find(|found| found.account == holder.account && (found.id == group || found.arn_or_id() == group));
            match found {
                Some(found) => self.attached(inventory, found)?,
                None => self.missed(Layer::Identity, "group", group, true),
            }
        }
        if is_unread(holder, "Properties.Groups") {
            self.missed(Layer::Identity, "groups", holder.arn_or_id(), true);
        }
        if is_unread(holder, "Properties.PermissionsBoundary") {
            self.missed(Layer::Boundary, "boundary", holder.arn_or_id(), true);
        }
        if let Some(boundary) = holder.properties.get("PermissionsBoundary").and_then(Value::as_str) {
            match managed(inventory, boundary) {
                Some(document) => {
                    self.policies.boundary = compiled(document, boundary)?;
                    self.boundary_name = Some(boundary.to_owned());
                }
                None => self.missed(Layer::Boundary, "managed_policy", boundary, true),
            }
        }
        Ok(())
    }

    /// The inline and the managed policies of a user, a role or a group.
    fn attached(&mut self, inventory: &Inventory, holder: &Resource) -> anyhow::Result<()> {
        for (path, key) in [("Properties.Policies", "inline"), ("Properties.ManagedPolicyArns", "attached")] {
            if is_unread(holder, path) {
                self.missed(Layer::Identity, key, holder.arn_or_id(), true);
            }
        }
        let inline = holder.properties.get("Policies").and_then(Value::as_array);
        for policy in inline.into_iter().flatten() {
            let name = policy.get("PolicyName").and_then(Value::as_str).unwrap_or_default();
            let name = format!("{}/{name}", holder.id);
            self.add_identity(policy.get("PolicyDocument").unwrap_or(&Value::Null), name)?;
        }
        for arn in texts(holder, "ManagedPolicyArns") {
            match managed(inventory, &arn) {
                Some(document) => self.add_identity(document, arn)?,
                None => self.missed(Layer::Identity, "managed_policy", arn, true),
            }
        }
        Ok(())
    }

    fn add_identity(&mut self, document: &Value, name: String) -> anyhow::Result<()> {
        if let Some(policy) = compiled(document, &name)? {
            self.policies.identity.push(policy);
            self.identity_names.push(name);
            self.identity_documents.push(document.clone());
        }
        Ok(())
    }

    /// The policy of the resource, or of what it is a part of; gives that resource.
    fn resource_policy_of<'a>(
        &mut self,
        inventory: &'a Inventory,
        action: &str,
        arn: &str,
    ) -> anyhow::Result<Option<&'a Resource>> {
        if arn == "*" {
            return Ok(None);
        }
        let service = arn.split(':').nth(2).unwrap_or_default();
        let is_trust = service == "iam" && action.to_ascii_lowercase().starts_with("sts:");
        let kinds: Vec<(&str, &str)> = if is_trust {
            vec![("AWS::IAM::Role", "AssumeRolePolicyDocument")]
        } else {
            RESOURCE_POLICIES.iter().filter(|(of, ..)| *of == service).map(|&(_, kind, field)| (kind, field)).collect()
        };
        let found = parents(arn).find_map(|candidate| {
            inventory.named(candidate).find_map(|found| {
                let field = kinds.iter().find(|(kind, _)| *kind == found.kind.as_str()).map(|&(_, field)| field);
                (field.is_some() || kinds.is_empty()).then_some((found, field))
            })
        });
        if UNRECORDED_POLICIES.contains(&service) {
            self.missed(Layer::Resource, "service", service, false);
        }
        match found {
            None if kinds.is_empty() => Ok(None),
            None => {
                self.missed(Layer::Resource, "resource", arn, true);
                Ok(None)
            }
            Some((found, None)) => Ok(Some(found)),
            Some((found, Some(field))) => {
                if is_unread(found, &format!("Properties.{field}")) || is_unread(found, &format!("Attributes.{field}"))
                {
                    self.missed(Layer::Resource, "resource_policy", found.arn_or_id(), true);
                } else if let Some(document) = at(&found.properties, field).or_else(|| at(&found.attributes, field)) {
                    self.policies.resource = compiled(document, found.arn_or_id())?;
                }
                self.resource_name = Some(found.arn_or_id().to_owned());
                Ok(Some(found))
            }
        }
    }

    /// The policy of the VPC endpoint that the context names.
    fn endpoint_of(&mut self, inventory: &Inventory, context: &Context) -> anyhow::Result<()> {
        let Some([id]) = context.get("aws:sourcevpce") else { return Ok(()) };
        let found = inventory.named(id).find(|found| found.kind.as_str() == "AWS::EC2::VPCEndpoint");
        match found {
            Some(found) if !is_unread(found, "Properties.PolicyDocument") => {
                let document = found.properties.get("PolicyDocument").unwrap_or(&Value::Null);
                self.policies.endpoint = compiled(document, id)?;
            }
            _ => self.missed(Layer::Endpoint, "endpoint", id, true),
        }
        Ok(())
    }

    /// Service and resource control policies are not recorded; whether there can be any is.
    fn control_policies(&mut self, inventory: &Inventory, principal: &Requester) {
        let kind = ResourceType::from("AWS::Organizations::Organization");
        let account = principal.account().unwrap_or_default();
        let organization = inventory.of_type(&kind).find(|found| found.account.as_str() == account);
        let stands_alone = organization.is_none()
            && matches!(inventory.listing(&kind, &account.into(), &Region::global()), Some(Listing::Complete));
        let manages = organization
            .and_then(|found| found.properties.get("ManagementAccountId"))
            .is_some_and(|management| management == account);
        if !stands_alone && !manages && !account.is_empty() {
            self.missed(Layer::Scp, "scps", account, false);
        }
        if !stands_alone {
            self.missed(Layer::Rcp, "rcps", account, false);
        }
    }

    /// What S3 has beside the bucket's policy; gives the principal, as S3 knows its account.
    fn s3_of(
        &mut self,
        inventory: &Inventory,
        principal: &Requester,
        owner: Option<&Resource>,
    ) -> anyhow::Result<Requester> {
        let Some(bucket) = owner.filter(|owner| owner.kind.as_str() == "AWS::S3::Bucket") else {
            return Ok(principal.clone());
        };
        let account_block = inventory
            .of_type(&ResourceType::from("AWS::S3::AccountPublicAccessBlock"))
            .find(|block| block.account == bucket.account);
        let block = "PublicAccessBlockConfiguration";
        if is_unread(bucket, &format!("Properties.{block}")) {
            self.missed(Layer::BlockPublicAccess, "public_access_block", bucket.arn_or_id(), true);
        }
        match account_block {
            None => self.missed(Layer::BlockPublicAccess, "public_access_block", bucket.account.as_str(), false),
            Some(account) if !account.unread.is_empty() => {
                self.missed(Layer::BlockPublicAccess, "public_access_block", bucket.account.as_str(), true);
            }
            Some(_) => {}
        }
        let is_on = |name: &str| {
            let of_bucket = at(&bucket.properties, &format!("{block}.{name}")).and_then(Value::as_bool);
            let of_account = account_block.and_then(|account| account.properties.get(name)).and_then(Value::as_bool);
            of_bucket == Some(true) || of_account == Some(true)
        };
        let rules = at(&bucket.properties, "OwnershipControls.Rules").and_then(Value::as_array);
        let acls_disabled = rules
            .into_iter()
            .flatten()
            .any(|rule| rule.get("ObjectOwnership").and_then(Value::as_str) == Some("BucketOwnerEnforced"));
        if !acls_disabled {
            if is_unread(bucket, "Attributes.Grants") || is_unread(bucket, "Properties.OwnershipControls") {
                self.missed(Layer::Acl, "bucket_acl", bucket.arn_or_id(), true);
            }
            self.missed(Layer::Acl, "object_acl", bucket.arn_or_id(), false);
        }
        let grants = bucket.attributes.get("Grants").and_then(Value::as_array);
        let policy = bucket.attributes.get("Policy").unwrap_or(&Value::Null);
        self.policies.s3 = Some(S3Access {
            bucket_acl: grants.into_iter().flatten().filter_map(grant).collect(),
            object_acl: Vec::new(),
            acls_disabled,
            ignore_public_acls: is_on("IgnorePublicAcls"),
            restrict_public_buckets: is_on("RestrictPublicBuckets"),
            policy_is_public: policy::public(policy)?,
        });
        let canonical = bucket.attributes.get("Owner").and_then(Value::as_str);
        Ok(match canonical {
            Some(id) if principal.account() == Some(bucket.account.as_str()) => {
                principal.clone().with_canonical_user(id)
            }
            _ => principal.clone(),
        })
    }
}

/// What the record knows of the principal and the request therefore has, unless it was given otherwise.
fn complete_context(holder: &Resource, principal: &Requester, context: &mut Context) {
    let mut give = |key: &str, value: String| {
        if context.get(&key.to_ascii_lowercase()).is_none() {
            context.insert(key, vec![value]);
        }
    };
    let unique = |name: &str| holder.attributes.get(name).and_then(Value::as_str);
    match principal.kind() {
        RequesterKind::RoleSession => {
            give("aws:PrincipalArn", holder.arn_or_id().to_owned());
            let session = principal.as_str().rsplit('/').next().unwrap_or_default();
            if let Some(id) = unique("RoleId") {
                give("aws:userid", format!("{id}:{session}"));
            }
        }
        RequesterKind::User => {
            if let Some(id) = unique("UserId") {
                give("aws:userid", id.to_owned());
            }
        }
        _ => {}
    }
    if !is_unread(holder, "Tags") {
        for (name, value) in &holder.tags {
            give(&format!("aws:PrincipalTag/{name}"), value.clone());
        }
    }
}

/// A policy that allows everything, to everyone where it is a resource's.
fn everything(of_resource: bool) -> Policy {
    Policy {
        version: Version::V2012,
        id: None,
        statements: vec![Statement {
            sid: None,
            effect: Effect::Allow,
            principals: of_resource.then(|| Scope::In(vec![Principal::Everyone])),
            actions: Scope::In(vec![Glob::plain("*")]),
            resources: None,
            conditions: Vec::new(),
        }],
    }
}

/// The document of a managed policy, one's own or one of AWS, where it is recorded.
fn managed<'a>(inventory: &'a Inventory, arn: &str) -> Option<&'a Value> {
    const KINDS: [&str; 2] = ["AWS::IAM::ManagedPolicy", "AWS::IAM::AWSManagedPolicy"];
    let found = inventory.named(arn).find(|found| KINDS.contains(&found.kind.as_str()))?;
    found.properties.get("PolicyDocument").filter(|document| !document.is_null())
}

fn compiled(document: &Value, name: &str) -> anyhow::Result<Option<Arc<Compiled>>> {
    use anyhow::Context as _;
    let policy = Policy::from_value(document).with_context(|| format!("the policy `{name}` cannot be used"))?;
    Ok(policy.map(|policy| Arc::new(Compiled::of(&policy))))
}

fn grant(value: &Value) -> Option<AclGrant> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some(AclGrant {
        grantee: AclGrantee::from_recorded(text("URI"), text("ID"))?,
        permission: AclPermission::from_recorded(text("Permission")?)?,
    })
}

/// The texts in a property that is a list, or one text.
fn texts(resource: &Resource, name: &str) -> Vec<String> {
    match resource.properties.get(name) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// The value at a path of names.
pub(super) fn at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = object.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// Whether the record could not be read at this path, below it, or above it.
pub(super) fn is_unread(resource: &Resource, path: &str) -> bool {
    let below = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    resource.unread.iter().flat_map(|unread| &unread.paths).any(|unread| below(unread, path) || below(path, unread))
}

/// An ARN and what it may be a part of: the same without its last part, again and again.
fn parents(arn: &str) -> impl Iterator<Item = &str> {
    // Behind the five colons stands the resource itself.
    let start = arn.match_indices(':').nth(4).map_or(0, |(at, _)| at + 1);
    std::iter::successors(Some(arn), move |arn| {
        let end = arn.rfind(['/', ':']).filter(|&end| end > start)?;
        arn.get(..end)
    })
    .take(PARENTS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use yagura_access::evaluate::{Outcome, explain};
    use yagura_model::{Cause, CouldNotLook, Seen, Unread};

    use super::*;

    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/web/i-1";
    const OBJECT: &str = "arn:aws:s3:::data/report.csv";

    fn allow(action: &str) -> Value {
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] })
    }

    /// An account with a user in a group, a role with a path, and a bucket; `unread` is what could not be read of each.
    fn account(bucket_policy: &Value, unread: &[(&str, &str)]) -> Inventory {
        let resources = json!([
            { "type": "AWS::IAM::User", "id": "alice", "arn": ALICE, "properties": { "Groups": ["readers"],
                "ManagedPolicyArns": [], "PermissionsBoundary": "arn:aws:iam::111122223333:policy/limit" },
              "attributes": { "UserId": "AIDAEXAMPLE" }, "tags": { "team": "core" } },
            { "type": "AWS::IAM::Group", "id": "readers", "properties": { "Policies": [{ "PolicyName": "read", "PolicyDocument": allow("s3:Get*") }] } },
            { "type": "AWS::IAM::Role", "id": "web", "arn": "arn:aws:iam::111122223333:role/app/web", "properties": {
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"], "AssumeRolePolicyDocument": { "Statement": [] } } },
            { "type": "AWS::IAM::ManagedPolicy", "id": "arn:aws:iam::111122223333:policy/limit", "properties": { "PolicyDocument": allow("s3:*") } },
            { "type": "AWS::S3::Bucket", "id": "data", "arn": "arn:aws:s3:::data", "attributes": { "Policy": bucket_policy, "Owner": "me",
                "Grants": [{ "Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers", "Permission": "READ" }] } },
            { "type": "AWS::S3::AccountPublicAccessBlock", "id": "111122223333", "properties": { "IgnorePublicAcls": null } },
        ]);
        let mut inventory = Inventory::default();
        for resource in resources.as_array().unwrap() {
            let mut resource = resource.clone();
            let id = resource["id"].as_str().unwrap().to_owned();
            resource["account"] = json!("111122223333");
            resource["region"] = json!("global");
            let mut resource: Resource = serde_json::from_value(resource).unwrap();
            for (_, path) in unread.iter().filter(|(of, _)| *of == id) {
                resource.unread.push(Unread { paths: vec![(*path).to_owned()], cause: denied() });
            }
            inventory.add(Seen::Resource(Box::new(resource)));
        }
        inventory
    }

    fn denied() -> CouldNotLook {
        CouldNotLook {
            service: "s3".to_owned(),
            operation: "GetBucketPolicy".to_owned(),
            cause: Cause::Denied,
            error: "AccessDenied".to_owned(),
            action: None,
        }
    }

    #[track_caller]
    fn check(
        inventory: &Inventory,
        principal: &str,
        action: &str,
        resource: &str,
        expected: (Outcome, Layer),
        missed: &[&str],
    ) {
        let requester =
            if principal == "anonymous" { Requester::anonymous() } else { Requester::from_arn(principal).unwrap() };
        let (request, gathered) = gather(inventory, &requester, action, resource, Context::default()).unwrap();
        let decision = explain(&request, &gathered.policies).decision;
        assert_eq!((decision.outcome, decision.layer), expected, "{request:?}");
        let decisive: Vec<&str> = gathered.not_looked.iter().filter(|one| one.is_decisive).map(|one| one.key).collect();
        assert_eq!(decisive, missed, "{:?}", gathered.not_looked);
    }

    #[test]
    fn policies_of_groups_and_boundaries_count() {
        let inventory = account(&Value::Null, &[]);
        check(&inventory, ALICE, "s3:GetObject", OBJECT, (Outcome::Allowed, Layer::Identity), &[]);
        check(&inventory, ALICE, "s3:PutObject", OBJECT, (Outcome::ImplicitDeny, Layer::Identity), &[]);
        check(&inventory, "anonymous", "s3:ListBucket", "arn:aws:s3:::data", (Outcome::Allowed, Layer::Acl), &[]);
        check(
            &inventory,
            ALICE,
            "sts:AssumeRole",
            "arn:aws:iam::111122223333:role/app/web",
            (Outcome::ImplicitDeny, Layer::Resource),
            &[],
        );
    }

    #[test]
    fn attached_policies_of_aws_count_where_they_are_recorded() {
        let mut inventory = account(&Value::Null, &[]);
        let policy = json!({ "type": "AWS::IAM::AWSManagedPolicy", "id": "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "account": "111122223333", "region": "global", "properties": { "PolicyDocument": allow("s3:Get*") } });
        inventory.add(Seen::Resource(Box::new(serde_json::from_value(policy).unwrap())));
        check(&inventory, SESSION, "s3:GetObject", OBJECT, (Outcome::Allowed, Layer::Identity), &[]);
        check(&inventory, SESSION, "s3:PutObject", OBJECT, (Outcome::ImplicitDeny, Layer::Identity), &[]);
    }

    #[test]
    fn the_request_is_completed_by_what_is_recorded() {
        let only = |key: &str, value: &str| json!({ "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": { "StringEquals": { key: value } } }] });
        for (principal, key, value, missed) in [
            (ALICE, "aws:PrincipalTag/team", "core", [].as_slice()),
            (ALICE, "aws:userid", "AIDAEXAMPLE", &[]),
            (ALICE, "aws:ResourceAccount", "111122223333", &[]),
            (SESSION, "aws:PrincipalArn", "arn:aws:iam::111122223333:role/app/web", &["managed_policy"]),
        ] {
            let inventory = account(&only(key, value), &[]);
            check(&inventory, principal, "s3:GetObject", OBJECT, (Outcome::ExplicitDeny, Layer::Resource), missed);
        }
    }

    #[test]
    fn what_was_not_seen_lets_in_at_best() {
        let inventory = account(&Value::Null, &[]);
        for (principal, action, resource, expected) in [
            (SESSION, "s3:GetObject", OBJECT, Outcome::Allowed),
            // Another account's user is not let in by a bucket without a policy, whatever the user's policies say.
            ("arn:aws:iam::444455556666:user/x", "s3:GetObject", OBJECT, Outcome::ImplicitDeny),
            (ALICE, "s3:PutObject", OBJECT, Outcome::ImplicitDeny),
        ] {
            let requester = Requester::from_arn(principal).unwrap();
            let (request, gathered) = gather(&inventory, &requester, action, resource, Context::default()).unwrap();
            let best = explain(&request, &gathered.at_best()).decision.outcome;
            assert_eq!(best, expected, "{principal} {action}");
        }
    }

    #[test]
    fn what_was_not_recorded_is_named() {
        let inventory = account(&Value::Null, &[]);
        let none = (Outcome::ImplicitDeny, Layer::Identity);
        check(&inventory, SESSION, "s3:GetObject", OBJECT, none, &["managed_policy"]);
        check(&inventory, "arn:aws:iam::111122223333:user/bob", "s3:GetObject", OBJECT, none, &["principal"]);
        check(
            &inventory,
            ALICE,
            "s3:GetObject",
            "arn:aws:s3:::elsewhere/x",
            (Outcome::Allowed, Layer::Identity),
            &["resource"],
        );
        for (of, path, expected, missed) in [
            ("data", "Attributes.Policy", (Outcome::Allowed, Layer::Identity), "resource_policy"),
            ("data", "Attributes.Grants", (Outcome::Allowed, Layer::Identity), "bucket_acl"),
            (
                "data",
                "Properties.PublicAccessBlockConfiguration",
                (Outcome::Allowed, Layer::Identity),
                "public_access_block",
            ),
            ("111122223333", "Properties.IgnorePublicAcls", (Outcome::Allowed, Layer::Identity), "public_access_block"),
            ("readers", "Properties.Policies", (Outcome::Allowed, Layer::Identity), "inline"),
            ("alice", "Properties", (Outcome::Allowed, Layer::Identity), "inline"),
        ] {
            let inventory = account(&Value::Null, &[(of, path)]);
            let requester = Requester::from_arn(ALICE).unwrap();
            let (request, gathered) =
                gather(&inventory, &requester, "s3:GetObject", OBJECT, Context::default()).unwrap();
            let decision = explain(&request, &gathered.policies).decision;
            assert_eq!((decision.outcome, decision.layer), expected, "{path}");
            assert!(
                gathered.not_looked.iter().any(|one| one.is_decisive && one.key == missed),
                "{path}: {:?}",
                gathered.not_looked
            );
        }
    }

    #[test]
    fn a_part_is_looked_for_in_what_it_is_part_of() {
        let of = |arn| parents(arn).collect::<Vec<_>>();
        assert_eq!(of("arn:aws:s3:::b/x/y"), ["arn:aws:s3:::b/x/y", "arn:aws:s3:::b/x", "arn:aws:s3:::b"]);
        assert_eq!(
            of("arn:aws:lambda:us-east-1:111122223333:function:f:live"),
            [
                "arn:aws:lambda:us-east-1:111122223333:function:f:live",
                "arn:aws:lambda:us-east-1:111122223333:function:f",
                "arn:aws:lambda:us-east-1:111122223333:function",
            ]
        );
        assert_eq!(of("*"), ["*"]);
    }
}
