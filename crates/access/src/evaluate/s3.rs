//! What S3 has beside policies: access control lists, who owns objects, and what is blocked for the public.

use super::request::Request;
use super::requester::RequesterKind;

/// What S3 knows of a bucket, and perhaps of an object in it, that is in no policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in S3")]
pub struct S3Access {
    /// The grants of the bucket's access control list.
    pub bucket_acl: Vec<AclGrant>,
    /// The grants of the object's access control list.
    pub object_acl: Vec<AclGrant>,
    /// `BucketOwnerEnforced`: access control lists have no say.
    pub acls_disabled: bool,
    /// `IgnorePublicAcls`, of the bucket or of its account.
    pub ignore_public_acls: bool,
    /// `RestrictPublicBuckets`, of the bucket or of its account.
    pub restrict_public_buckets: bool,
    /// Whether the bucket's policy is a public one ([`crate::policy::public`]).
    pub policy_is_public: bool,
}

/// One grant of an access control list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclGrant {
    /// To whom.
    pub grantee: AclGrantee,
    /// What.
    pub permission: AclPermission,
}

/// To whom an access control list grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclGrantee {
    /// `AllUsers`: everyone, without a signature too.
    AllUsers,
    /// `AuthenticatedUsers`: whoever has an AWS account.
    AuthenticatedUsers,
    /// `LogDelivery`: S3's own log delivery.
    LogDelivery,
    /// An account, by its canonical user.
    CanonicalUser(String),
}

/// What an access control list grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclPermission {
    /// `READ`
    Read,
    /// `WRITE`
    Write,
    /// `READ_ACP`
    ReadAcp,
    /// `WRITE_ACP`
    WriteAcp,
    /// `FULL_CONTROL`
    FullControl,
}

impl AclGrantee {
    /// The grantee as `GetBucketAcl` shows it: the group's URI, or the canonical user's id.
    pub fn from_recorded(uri: Option<&str>, id: Option<&str>) -> Option<Self> {
        match (uri.map(|uri| uri.rsplit('/').next().unwrap_or(uri)), id) {
            (Some("AllUsers"), _) => Some(Self::AllUsers),
            (Some("AuthenticatedUsers"), _) => Some(Self::AuthenticatedUsers),
            (Some("LogDelivery"), _) => Some(Self::LogDelivery),
            (None, Some(id)) => Some(Self::CanonicalUser(id.to_owned())),
            _ => None,
        }
    }

    fn is_public(&self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }

    fn is(&self, request: &Request) -> bool {
        let who = request.principal();
        match self {
            Self::AllUsers => true,
            Self::AuthenticatedUsers => {
                !matches!(who.kind(), RequesterKind::Anonymous | RequesterKind::Service | RequesterKind::Federated)
            }
            Self::LogDelivery => who.as_str() == "delivery.logs.amazonaws.com",
            Self::CanonicalUser(id) => who.canonical_user() == Some(id),
        }
    }
}

impl AclPermission {
    /// The permission of this name, as the API spells it.
    pub fn from_recorded(name: &str) -> Option<Self> {
        match name {
            "READ" => Some(Self::Read),
            "WRITE" => Some(Self::Write),
            "READ_ACP" => Some(Self::ReadAcp),
            "WRITE_ACP" => Some(Self::WriteAcp),
            "FULL_CONTROL" => Some(Self::FullControl),
            _ => None,
        }
    }
}

impl AclGrant {
    /// What one of S3's canned lists grants; `None` where there is no list of this name.
    ///
    /// `owner` is the canonical user that owns the bucket or the object, `bucket_owner` the one that owns the bucket.
    pub fn canned(name: &str, owner: &str, bucket_owner: &str) -> Option<Vec<Self>> {
        let grant = |grantee, permission| Self { grantee, permission };
        let to = |id: &str, permission| grant(AclGrantee::CanonicalUser(id.to_owned()), permission);
        let mut grants = vec![to(owner, AclPermission::FullControl)];
        match name {
            // What `aws-exec-read` adds is for EC2's own reading of image bundles, which is nobody's request.
            "private" | "aws-exec-read" => {}
            "public-read" => grants.push(grant(AclGrantee::AllUsers, AclPermission::Read)),
            "public-read-write" => {
                grants.push(grant(AclGrantee::AllUsers, AclPermission::Read));
                grants.push(grant(AclGrantee::AllUsers, AclPermission::Write));
            }
            "authenticated-read" => grants.push(grant(AclGrantee::AuthenticatedUsers, AclPermission::Read)),
            "bucket-owner-read" => grants.push(to(bucket_owner, AclPermission::Read)),
            "bucket-owner-full-control" => grants.push(to(bucket_owner, AclPermission::FullControl)),
            "log-delivery-write" => {
                grants.push(grant(AclGrantee::LogDelivery, AclPermission::Write));
                grants.push(grant(AclGrantee::LogDelivery, AclPermission::ReadAcp));
            }
            _ => return None,
        }
        Some(grants)
    }
}

/// What a grant on a bucket lets do, in lower case.
const ON_BUCKET: &[(AclPermission, &[&str])] = &[
    (AclPermission::Read, &["s3:listbucket", "s3:listbucketversions", "s3:listbucketmultipartuploads"]),
    (AclPermission::Write, &["s3:putobject"]),
    (AclPermission::ReadAcp, &["s3:getbucketacl"]),
    (AclPermission::WriteAcp, &["s3:putbucketacl"]),
];

/// What a grant on an object lets do, in lower case. `WRITE` lets do nothing there.
const ON_OBJECT: &[(AclPermission, &[&str])] = &[
    (AclPermission::Read, &["s3:getobject", "s3:getobjectversion"]),
    (AclPermission::ReadAcp, &["s3:getobjectacl", "s3:getobjectversionacl"]),
    (AclPermission::WriteAcp, &["s3:putobjectacl", "s3:putobjectversionacl"]),
];

impl S3Access {
    /// The number of the grant that lets the request through, in the list of the bucket or of the object.
    pub(super) fn granting(&self, request: &Request) -> Option<usize> {
        if self.acls_disabled || !request.action().starts_with("s3:") {
            return None;
        }
        let grants = |list: &[AclGrant], table: &[(AclPermission, &[&str])]| {
            list.iter().position(|grant| {
                let lets = table.iter().any(|(permission, actions)| {
                    (grant.permission == *permission || grant.permission == AclPermission::FullControl)
                        && actions.contains(&request.action())
                });
                lets && !(self.ignore_public_acls && grant.grantee.is_public()) && grant.grantee.is(request)
            })
        };
        grants(&self.bucket_acl, ON_BUCKET).or_else(|| grants(&self.object_acl, ON_OBJECT))
    }
}
