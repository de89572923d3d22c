//! Who makes a request.

/// A principal as AWS sees it when it evaluates a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    kind: RequesterKind,
    /// The ARN, the service's name or the provider; empty for nobody in particular.
    text: String,
    account: Option<String>,
    /// The user or role behind a session.
    behind: Option<String>,
    canonical: Option<String>,
    user_id: Option<String>,
}

/// What kind of principal makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequesterKind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    User,
    /// A role, no matter in which session.
    Role,
    /// One session of a role.
    RoleSession,
    /// A session that a user got by `sts:GetFederationToken`.
    FederatedUser,
    /// Somebody whom an identity provider vouches for, before a role is assumed.
    Federated,
    /// An AWS service.
    Service,
    /// Nobody that AWS knows: a request without a signature.
    Anonymous,
}

/// Why a text names no requester.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequester {
    /// No ARN of something that makes requests.
    #[error("`{0}` is not the ARN of an account root, user, role, session or identity provider")]
    Arn(String),
    /// No service principal.
    #[error("`{0}` is not a service principal (`sns.amazonaws.com`)")]
    Service(String),
}

impl Requester {
    /// The requester with this ARN, or the root user of an account given by its twelve digits.
    pub fn from_arn(arn: &str) -> Result<Self, InvalidRequester> {
        let invalid = || InvalidRequester::Arn(arn.to_owned());
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_account(arn) {
            return Self::from_arn(&format!("arn:aws:iam::{arn}:root"));
        }
        let mut parts = arn.splitn(6, ':');
        let [Some("arn"), Some(partition), Some(service), Some(""), Some(account), Some(resource)] =
            std::array::from_fn(|_| parts.next())
        else {
            return Err(invalid());
        };
        if !is_account(account) || partition.is_empty() {
            return Err(invalid());
        }
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let named = |kind| if name.is_empty() { Err(invalid()) } else { Ok(kind) };
        let (kind, behind) = match (service, kind) {
            ("iam", "root") if name.is_empty() => (RequesterKind::Root, None),
            ("iam", "user") => (named(RequesterKind::User)?, None),
            ("iam", "role") => (named(RequesterKind::Role)?, None),
            ("iam", "saml-provider" | "oidc-provider") => (named(RequesterKind::Federated)?, None),
            ("sts", "assumed-role") => {
                let role = name.split_once('/').map_or(name, |(role, _)| role);
                (named(RequesterKind::RoleSession)?, Some(format!("arn:{partition}:iam::{account}:role/{role}")))
            }
            ("sts", "federated-user") => {
                (named(RequesterKind::FederatedUser)?, Some(format!("arn:{partition}:iam::{account}:user/{name}")))
            }
            _ => return Err(invalid()),
        };
        let user_id = (kind == RequesterKind::FederatedUser).then(|| format!("{account}:{name}"));
        Ok(Self { behind, user_id, account: Some(account.to_owned()), ..Self::of(kind, arn) })
    }

    /// The requester that a policy names, even with an account that AWS would not have: `cloudfront` for an origin access
    /// identity, or a number with a digit too many.
    pub(crate) fn as_named(arn: &str) -> Option<Self> {
        let kind = match arn.splitn(6, ':').nth(5)?.split('/').next()? {
            "root" => RequesterKind::Root,
            "user" => RequesterKind::User,
            "role" => RequesterKind::Role,
            _ => return None,
        };
        let account = arn.strip_prefix("arn:")?.split(':').nth(3)?.to_owned();
        Some(Self { account: Some(account), ..Self::of(kind, arn) })
    }

    /// An AWS service, by its principal (`sns.amazonaws.com`).
    pub fn service(name: &str) -> Result<Self, InvalidRequester> {
        let is_service = !name.contains(':') && name.contains('.');
        if !is_service {
            return Err(InvalidRequester::Service(name.to_owned()));
        }
        Ok(Self::of(RequesterKind::Service, name))
    }

    /// Somebody whom an OIDC provider that needs no ARN vouches for (`accounts.google.com`).
    pub fn federated(provider: &str) -> Self {
        Self::from_arn(provider).unwrap_or_else(|_| Self::of(RequesterKind::Federated, provider))
    }

    /// A request without a signature.
    pub fn anonymous() -> Self {
        Self::of(RequesterKind::Anonymous, "")
    }

    fn of(kind: RequesterKind, text: &str) -> Self {
        Self { kind, text: text.to_owned(), account: None, behind: None, canonical: None, user_id: None }
    }

    /// Says which user a federated session belongs to. AWS does not put it into the session's ARN; without this, the
    /// session is taken to be named after its user.
    #[must_use]
    pub fn with_user(mut self, arn: &str) -> Self {
        if self.kind == RequesterKind::FederatedUser {
            self.behind = Some(arn.to_owned());
        }
        self
    }

    /// Says which S3 canonical user the requester's account is, which no ARN shows.
    #[must_use]
    pub fn with_canonical_user(mut self, id: &str) -> Self {
        self.canonical = Some(id.to_owned());
        self
    }

    /// What kind of principal it is.
    pub fn kind(&self) -> RequesterKind {
        self.kind
    }

    /// The ARN as given, the service's name or the identity provider; empty for an anonymous request.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The account it belongs to; none for services, anonymous requests and providers without an ARN.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Its account's S3 canonical user, where it was told.
    pub fn canonical_user(&self) -> Option<&str> {
        self.canonical.as_deref()
    }

    /// The role of a session, or the user of a federated session. A role's path is not in a session's ARN: the role is
    /// given without one.
    pub fn behind(&self) -> Option<&str> {
        self.behind.as_deref()
    }

    /// What `aws:PrincipalArn` is, where the requester alone tells: for a session of a role it is the role.
    pub fn principal_arn(&self) -> Option<&str> {
        match self.kind {
            RequesterKind::RoleSession => self.behind(),
            RequesterKind::Root | RequesterKind::User | RequesterKind::Role | RequesterKind::FederatedUser => {
                Some(&self.text)
            }
            RequesterKind::Federated | RequesterKind::Service | RequesterKind::Anonymous => None,
        }
    }

    /// What `aws:PrincipalType` is.
    pub fn principal_type(&self) -> Option<&'static str> {
        match self.kind {
            RequesterKind::Root => Some("Account"),
            RequesterKind::User => Some("User"),
            RequesterKind::Role | RequesterKind::RoleSession => Some("AssumedRole"),
            RequesterKind::FederatedUser => Some("FederatedUser"),
            RequesterKind::Anonymous => Some("Anonymous"),
            RequesterKind::Federated | RequesterKind::Service => None,
        }
    }

    /// What `aws:username` is: the name of an IAM user, and of nobody else.
    pub fn username(&self) -> Option<&str> {
        (self.kind == RequesterKind::User).then(|| self.text.rsplit('/').next()).flatten()
    }

    /// What `aws:userid` is, where no unique id that only AWS knows is part of it.
    pub fn user_id(&self) -> Option<&str> {
        match self.kind {
            RequesterKind::Root => self.account(),
            RequesterKind::FederatedUser => self.user_id.as_deref(),
            _ => None,
        }
    }

    /// Whether it acts for AWS inside the account, by a role that control policies do not bind.
    pub fn is_service_linked_role(&self) -> bool {
        let resource = self.text.splitn(6, ':').nth(5).unwrap_or_default();
        match self.kind {
            RequesterKind::Role => resource.starts_with("role/aws-service-role/"),
            RequesterKind::RoleSession => resource.starts_with("assumed-role/AWSServiceRoleFor"),
            _ => false,
        }
    }
}
