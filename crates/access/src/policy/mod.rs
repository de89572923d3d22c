//! IAM policy documents: what they are, and what they allow.
//!
//! Every question takes the document as it was recorded: an object, a JSON text or a URL-encoded JSON text. `null` and
//! an empty text are "no policy", which lets nobody do anything. A document that cannot be understood is an error, so
//! that no caller takes it for a harmless one.

mod condition;
mod escalate;
mod glob;
mod grant;
pub(crate) mod narrow;
mod parse;
mod reach;

pub use condition::{Condition, Family, Operator, Qualifier};
pub use escalate::escalates;
pub use glob::{Glob, Reading};
use grant::Asked;
pub use grant::{admin, allows, allows_not_action, service_wildcard, unknown_actions};
pub use parse::InvalidPolicy;
pub use reach::{denies_insecure_transport, outside_accounts, public};

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which language it is written in.
    pub version: Version,
    /// Its `Id`.
    pub id: Option<String>,
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// The two versions of the policy language; only the later one has policy variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// `2008-10-17`, and what a document without a version is.
    #[default]
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// What a statement does with a request that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Lets it through, unless something denies it.
    Allow,
    /// Stops it, whatever allows it.
    Deny,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Allow or Deny.
    pub effect: Effect,
    /// Who it speaks of; none in a policy attached to an identity.
    pub principals: Option<Scope<Principal>>,
    /// The actions, in lower case.
    pub actions: Scope<Glob>,
    /// The resources; none where the policy belongs to one (a role's trust policy).
    pub resources: Option<Scope<Glob>>,
    /// What must hold besides, all of it.
    pub conditions: Vec<Condition>,
}

/// A set given by what is in it, or by what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope<T> {
    /// `Action`, `Resource`, `Principal`.
    In(Vec<T>),
    /// `NotAction`, `NotResource`, `NotPrincipal`.
    NotIn(Vec<T>),
}

/// Who a statement speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// `*`: everyone, with an AWS identity or without.
    Everyone,
    /// An account, user, role or session, as written (an ARN, twelve digits, or a deleted principal's unique id).
    Aws(String),
    /// An AWS service (`sns.amazonaws.com`); `*` is every one. AWS refuses that `*`, but a template may have it.
    Service(String),
    /// An identity provider, for SAML or for OIDC; `*` is every one, which AWS refuses as well.
    Federated(String),
    /// An S3 canonical user.
    CanonicalUser(String),
}

impl Policy {
    fn allows(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Allow)
    }

    fn denies(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| statement.effect == Effect::Deny)
    }
}

impl Principal {
    /// The account that the principal belongs to, where its text says so.
    pub fn account(&self) -> Option<&str> {
        let text = match self {
            Self::Aws(text) | Self::Federated(text) => text.as_str(),
            Self::Everyone | Self::Service(_) | Self::CanonicalUser(_) => return None,
        };
        if is_account(text) {
            return Some(text);
        }
        account_of(text)
    }
}

/// Whether a text is twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The account in an ARN, where it has one and no wildcard stands for it.
fn account_of(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    is_account(account).then_some(account)
}
