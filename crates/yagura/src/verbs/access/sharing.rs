//! Who outside is let in beside policies: access control lists of buckets, grants of keys, shared snapshots.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use yagura_access::evaluate::AclGrantee;
use yagura_access::policy::Principal;
use yagura_model::{Inventory, Resource, ResourceType};

use super::gather::{at, is_unread};

/// Reads from a resource, and what is recorded around it, with whom it is shared.
type Read = fn(&Inventory, &Resource) -> Vec<Share>;

/// Where resources are shared without a policy: the type, and the property or attribute that says with whom.
pub(super) const SHARED: &[(&str, &str, Read)] = &[
    ("AWS::S3::Bucket", "Grants", of_bucket),
    ("AWS::KMS::Grant", "GranteePrincipal", of_grant),
    ("AWS::EC2::Snapshot", "CreateVolumePermissions", of_volume_snapshot),
    ("AWS::RDS::DBSnapshot", "Restore", of_database_snapshot),
    ("AWS::RDS::DBClusterSnapshot", "Restore", of_cluster_snapshot),
];

/// One way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    /// With whom.
    pub(super) principal: Principal,
    /// Who that is, where the text is an account or an ARN.
    pub(super) account: Option<String>,
    /// What they can do.
    pub(super) actions: Vec<String>,
    /// Under which conditions.
    pub(super) conditions: Map<String, Value>,
    /// Whether that is anybody.
    pub(super) is_public: bool,
    /// What says so: as IAM Access Analyzer calls it, or after it.
    pub(super) source: &'static str,
}

impl Share {
    fn with_account(text: &str, actions: &[&str], source: &'static str) -> Self {
        let principal = Principal::Aws(text.to_owned());
        Self {
            account: principal.account().map(str::to_owned),
            principal,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            conditions: Map::new(),
            is_public: false,
            source,
        }
    }

    fn with_everyone(actions: &[&str], source: &'static str) -> Self {
        Self {
            principal: Principal::Everyone,
            account: None,
            is_public: true,
            ..Self::with_account("", actions, source)
        }
    }

    /// Whether it lets in somebody who is neither of these accounts nor AWS itself.
    pub(super) fn is_outside(&self, trusted: &BTreeSet<String>) -> bool {
        match (&self.principal, &self.account) {
            (Principal::Service(_), _) => false,
            (_, Some(account)) => !trusted.contains(account),
            (_, None) => true,
        }
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What each permission of a list lets do with the bucket.
const ACL_ACTIONS: &[(&str, &[&str])] = &[
    ("READ", &["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]),
    ("WRITE", &["s3:PutObject", "s3:DeleteObject"]),
    ("READ_ACP", &["s3:GetBucketAcl"]),
    ("WRITE_ACP", &["s3:PutBucketAcl"]),
];

/// The grants of a bucket's access control list, where lists have a say and are not blocked.
fn of_bucket(inventory: &Inventory, bucket: &Resource) -> Vec<Share> {
    let rules = at(&bucket.properties, "OwnershipControls.Rules").and_then(Value::as_array);
    let mut owners = rules.into_iter().flatten().filter_map(|rule| rule.get("ObjectOwnership")?.as_str());
    if owners.any(|owner| owner == "BucketOwnerEnforced") {
        return Vec::new();
    }
    let blocks = inventory
        .of_type(&ResourceType::from("AWS::S3::AccountPublicAccessBlock"))
        .filter(|block| block.account == bucket.account)
        .filter_map(|block| block.properties.get("IgnorePublicAcls"))
        .chain(at(&bucket.properties, "PublicAccessBlockConfiguration.IgnorePublicAcls"));
    let ignores_public = blocks.filter_map(Value::as_bool).any(|is_on| is_on);
    let owner = bucket.attributes.get("Owner").and_then(Value::as_str);
    let grants = bucket.attributes.get("Grants").and_then(Value::as_array);
    let share = |grant: &Value| {
        let text = |name: &str| grant.get(name).and_then(Value::as_str);
        let permission = text("Permission")?;
        let lets = ACL_ACTIONS.iter().filter(|(name, _)| *name == permission || permission == "FULL_CONTROL");
        let actions: Vec<&str> = lets.flat_map(|(_, actions)| actions.iter().copied()).collect();
        match AclGrantee::from_recorded(text("URI"), text("ID"))? {
            AclGrantee::AllUsers | AclGrantee::AuthenticatedUsers if ignores_public => None,
            AclGrantee::AllUsers | AclGrantee::AuthenticatedUsers => Some(Share::with_everyone(&actions, "BUCKET_ACL")),
            AclGrantee::CanonicalUser(id) if Some(id.as_str()) != owner => Some(Share {
                principal: Principal::CanonicalUser(id),
                account: None,
                ..Share::with_account("", &actions, "BUCKET_ACL")
            }),
            AclGrantee::CanonicalUser(_) | AclGrantee::LogDelivery => None,
        }
    };
    grants.into_iter().flatten().filter_map(share).collect()
}

/// Whom a grant of a key names: another than the key's own account, or a service.
fn of_grant(_: &Inventory, grant: &Resource) -> Vec<Share> {
    let Some(grantee) = grant.properties.get("GranteePrincipal").and_then(Value::as_str) else { return Vec::new() };
    let operations: Vec<String> =
        texts(grant.properties.get("Operations")).map(|operation| format!("kms:{operation}")).collect();
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
    let mut share = Share::with_account(grantee, &operations, "KMS_GRANT");
    if grantee.ends_with(".amazonaws.com") {
        share.principal = Principal::Service(grantee.to_owned());
    }
    if let Some(constraints) = grant.properties.get("Constraints").and_then(Value::as_object) {
        share.conditions.clone_from(constraints);
    }
    vec![share]
}

fn of_volume_snapshot(_: &Inventory, snapshot: &Resource) -> Vec<Share> {
    let permissions = snapshot.attributes.get("CreateVolumePermissions").and_then(Value::as_array);
    let share = |permission: &Value| {
        let text = |name: &str| permission.get(name).and_then(Value::as_str);
        match (text("Group"), text("UserId")) {
            (Some("all"), _) => Some(Share::with_everyone(&["ec2:CreateVolume"], "SNAPSHOT_SHARING")),
            (_, Some(account)) => Some(Share::with_account(account, &["ec2:CreateVolume"], "SNAPSHOT_SHARING")),
            _ => None,
        }
    };
    permissions.into_iter().flatten().filter_map(share).collect()
}

fn of_database_snapshot(_: &Inventory, snapshot: &Resource) -> Vec<Share> {
    restorable(snapshot, &["rds:RestoreDBInstanceFromDBSnapshot", "rds:CopyDBSnapshot"])
}

fn of_cluster_snapshot(_: &Inventory, snapshot: &Resource) -> Vec<Share> {
    restorable(snapshot, &["rds:RestoreDBClusterFromSnapshot", "rds:CopyDBClusterSnapshot"])
}

fn restorable(snapshot: &Resource, actions: &[&str]) -> Vec<Share> {
    let share = |with: &str| match with {
        "all" => Share::with_everyone(actions, "SNAPSHOT_SHARING"),
        account => Share::with_account(account, actions, "SNAPSHOT_SHARING"),
    };
    texts(snapshot.attributes.get("Restore")).map(share).collect()
}

/// Whether it could not be read with whom a resource is shared.
pub(super) fn is_unknown(resource: &Resource, field: &str) -> bool {
    is_unread(resource, &format!("Properties.{field}")) || is_unread(resource, &format!("Attributes.{field}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use yagura_model::Seen;

    use super::*;

    #[track_caller]
    fn check(resource: &Value, block: Option<bool>, expected: &[(&str, bool, &str)]) {
        let mut resource = resource.clone();
        for (name, value) in [("account", "111122223333"), ("region", "us-east-1"), ("id", "it")] {
            resource[name] = json!(value);
        }
        let resource: Resource = serde_json::from_value(resource).unwrap();
        let mut inventory = Inventory::default();
        if let Some(block) = block {
            let block = json!({ "type": "AWS::S3::AccountPublicAccessBlock", "id": "111122223333", "account": "111122223333",
                "region": "global", "properties": { "IgnorePublicAcls": block } });
            inventory.add(Seen::Resource(Box::new(serde_json::from_value(block).unwrap())));
        }
        let (_, _, shares) = SHARED.iter().find(|(kind, ..)| *kind == resource.kind.as_str()).unwrap();
        let trusted = BTreeSet::from(["111122223333".to_owned()]);
        let shares: Vec<Share> =
            shares(&inventory, &resource).into_iter().filter(|share| share.is_outside(&trusted)).collect();
        let found: Vec<(String, bool, &str)> = shares
            .iter()
            .map(|share| {
                let who = match &share.principal {
                    Principal::Everyone => "*",
                    Principal::Aws(text)
                    | Principal::CanonicalUser(text)
                    | Principal::Service(text)
                    | Principal::Federated(text) => text,
                };
                (who.to_owned(), share.is_public, share.actions.first().map_or("", String::as_str))
            })
            .collect();
        let found: Vec<(&str, bool, &str)> =
            found.iter().map(|(who, public, action)| (who.as_str(), *public, *action)).collect();
        assert_eq!(found, expected, "{resource:?}");
    }

    #[test]
    fn snapshots_are_shared_with_accounts_or_with_everyone() {
        let volume = |permissions: Value| json!({ "type": "AWS::EC2::Snapshot", "attributes": { "CreateVolumePermissions": permissions } });
        check(&volume(json!([])), None, &[]);
        check(&volume(json!([{ "UserId": "111122223333" }])), None, &[]);
        check(&volume(json!([{ "UserId": "444455556666" }])), None, &[("444455556666", false, "ec2:CreateVolume")]);
        check(&volume(json!([{ "Group": "all" }])), None, &[("*", true, "ec2:CreateVolume")]);
        let database = |kind: &str, with: Value| json!({ "type": kind, "attributes": { "Restore": with } });
        check(
            &database("AWS::RDS::DBSnapshot", json!(["all"])),
            None,
            &[("*", true, "rds:RestoreDBInstanceFromDBSnapshot")],
        );
        check(
            &database("AWS::RDS::DBClusterSnapshot", json!(["444455556666", "111122223333"])),
            None,
            &[("444455556666", false, "rds:RestoreDBClusterFromSnapshot")],
        );
        check(&database("AWS::RDS::DBSnapshot", Value::Null), None, &[]);
    }

    #[test]
    fn a_grant_lets_in_whom_it_names() {
        let grant = |grantee: &str| json!({ "type": "AWS::KMS::Grant", "properties": { "GranteePrincipal": grantee, "Operations": ["Decrypt"] } });
        check(&grant("arn:aws:iam::111122223333:role/own"), None, &[]);
        check(&grant("dynamodb.us-east-1.amazonaws.com"), None, &[]);
        let other = "arn:aws:iam::444455556666:role/backup";
        check(&grant(other), None, &[(other, false, "kms:Decrypt")]);
    }

    #[test]
    fn lists_of_a_bucket_count_unless_they_are_switched_off() {
        let everyone =
            json!({ "Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers", "Permission": "READ" });
        let partner = json!({ "Type": "CanonicalUser", "ID": "partner", "Permission": "FULL_CONTROL" });
        let own = json!({ "Type": "CanonicalUser", "ID": "me", "Permission": "FULL_CONTROL" });
        let bucket = |grants: Value, properties: Value| json!({ "type": "AWS::S3::Bucket", "properties": properties, "attributes": { "Owner": "me", "Grants": grants } });
        let both = [("*", true, "s3:ListBucket"), ("partner", false, "s3:ListBucket")];
        check(&bucket(json!([own, everyone, partner]), json!({})), None, &both);
        check(&bucket(json!([own, everyone, partner]), json!({})), Some(false), &both);
        check(&bucket(json!([own, everyone, partner]), json!({})), Some(true), &both[1..]);
        let blocked = json!({ "PublicAccessBlockConfiguration": { "IgnorePublicAcls": true } });
        check(&bucket(json!([everyone]), blocked), None, &[]);
        let disabled = json!({ "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] } });
        check(&bucket(json!([everyone, partner]), disabled), None, &[]);
    }
}
