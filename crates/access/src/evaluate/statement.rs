//! Whether one statement speaks of one request: the part that every kind of policy shares.

use super::condition::Asked;
use super::pattern::{self, Pattern};
use super::request::{Request, Scene};
use super::requester::RequesterKind;
use super::text::{ArnText, Syntax};
use crate::policy::{Effect, Glob, Principal, Scope, Statement, Version};

/// How a statement with principals names the requester. The order is that of how far an Allow reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// By its account, which only hands the decision on to the account's own policies.
    Account,
    /// By the role or user behind its session: a boundary and a session policy still limit it.
    Behind,
    /// Itself, or everyone.
    Directly,
}

/// Whether the statement matches the request, as the bare rule of the policy language has it: principal, action,
/// resource and every condition. A statement without principals matches whoever asks, [`Named::Directly`].
///
/// For many requests compile the policy once ([`super::Compiled`]).
pub fn matches(statement: &Statement, version: Version, request: &Request) -> Option<Named> {
    // Most statements speak of other actions: those are not made ready.
    let means = |globs: &[Glob]| globs.iter().any(|glob| pattern::means(glob.as_str(), request.action()));
    let is_meant = match &statement.actions {
        Scope::In(globs) => means(globs),
        Scope::NotIn(globs) => !means(globs),
    };
    is_meant.then(|| Compiled::of(statement, version).matches(Scene { request, notes: None })).flatten()
}

/// One statement, ready for requests.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// Whether it names principals by leaving some out.
    pub(super) spares: bool,
    principals: Option<Part<Who>>,
    actions: Part<Pattern>,
    resources: Option<Part<ArnText>>,
    conditions: Vec<Asked>,
}

/// What a scope has, and whether it is meant or left out.
#[derive(Debug, Clone)]
struct Part<T> {
    negated: bool,
    items: Vec<T>,
}

impl<T> Part<T> {
    fn of<S>(scope: &Scope<S>, item: impl Fn(&S) -> T) -> Self {
        let (negated, items) = match scope {
            Scope::In(items) => (false, items),
            Scope::NotIn(items) => (true, items),
        };
        Self { negated, items: items.iter().map(item).collect() }
    }

    fn holds(&self, fits: impl Fn(&T) -> bool) -> bool {
        self.items.iter().any(fits) != self.negated
    }
}

/// A principal in a policy, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Everyone,
    Account(String),
    /// A role: any of its sessions, too. Names of roles are unique in an account, whatever their path.
    Role {
        arn: String,
        partition: String,
        account: String,
        name: String,
    },
    /// A user, or a session.
    Arn(String),
    Service(String),
    Provider(String),
    CanonicalUser(String),
}

impl Compiled {
    pub(super) fn of(statement: &Statement, version: Version) -> Self {
        let syntax = Syntax { wildcards: true, variables: version == Version::V2012, wild_values: false };
        Self {
            sid: statement.sid.clone(),
            effect: statement.effect,
            spares: matches!(statement.principals, Some(Scope::NotIn(_))),
            principals: statement.principals.as_ref().map(|scope| Part::of(scope, Who::of)),
            actions: Part::of(&statement.actions, |glob| Pattern::plain(glob.as_str())),
            resources: statement
                .resources
                .as_ref()
                .map(|scope| Part::of(scope, |glob| ArnText::parse(glob.as_str(), syntax, true))),
            conditions: statement.conditions.iter().map(|condition| Asked::of(condition, version)).collect(),
        }
    }

    /// Whether it speaks of the request, and how it names the requester.
    pub(super) fn matches(&self, scene: Scene<'_>) -> Option<Named> {
        let request = scene.request;
        if !self.actions.holds(|pattern| pattern.matches(request.action())) {
            return None;
        }
        if !self.is_on(scene) {
            return None;
        }
        let named = self.names(request);
        if named.is_none() && self.spares && self.effect == Effect::Deny {
            self.remark_on_sparing(scene);
        }
        let named = named?;
        self.is_met(scene).then_some(named)
    }

    /// AWS may ask for the account first, then the role, then the session: a `NotPrincipal` is sure to spare only those
    /// whose account it names, too.
    fn remark_on_sparing(&self, scene: Scene<'_>) {
        let request = scene.request;
        let items = self.principals.iter().flat_map(|part| &part.items);
        let mut named = items.filter(|who| matches!(who, Who::Account(_) | Who::Everyone));
        if request.principal().account().is_some() && !named.any(|who| who.names(request).is_some()) {
            scene.remark(|| {
                let who = request.principal().as_str();
                format!("a Deny with `NotPrincipal` spares `{who}`, but not its account: AWS may deny it all the same")
            });
        }
    }

    /// The same for a Deny with `NotPrincipal` that meets a requester with a permissions boundary: whom it spares does
    /// not matter then.
    pub(super) fn matches_anyone(&self, scene: Scene<'_>) -> bool {
        let request = scene.request;
        self.actions.holds(|pattern| pattern.matches(request.action())) && self.is_on(scene) && self.is_met(scene)
    }

    /// Whether it speaks of the resource. What `NotResource` leaves out may hang on a variable without a value: then it
    /// cannot be told that the resource is another, and the statement does not match.
    fn is_on(&self, scene: Scene<'_>) -> bool {
        let Some(part) = &self.resources else { return true };
        let arn = scene.request.arn();
        if part.negated {
            part.items.iter().all(|text| text.excludes(arn, scene))
        } else {
            part.items.iter().any(|text| text.matches(arn, scene))
        }
    }

    /// Whether every condition holds. Where somebody listens, each is asked, so that all that is missing is heard of.
    fn is_met(&self, scene: Scene<'_>) -> bool {
        if scene.notes.is_some() {
            return self.conditions.iter().filter(|condition| !condition.holds(scene)).count() == 0;
        }
        self.conditions.iter().all(|condition| condition.holds(scene))
    }

    /// Whether it is without principals.
    pub(super) fn names_nobody(&self) -> bool {
        self.principals.is_none()
    }

    fn names(&self, request: &Request) -> Option<Named> {
        let Some(part) = &self.principals else { return Some(Named::Directly) };
        let best = part.items.iter().filter_map(|who| who.names(request)).max();
        if part.negated { best.is_none().then_some(Named::Directly) } else { best }
    }
}

impl Who {
    fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Everyone => Self::Everyone,
            Principal::Service(name) => Self::Service(name.clone()),
            Principal::Federated(provider) => Self::Provider(provider.clone()),
            Principal::CanonicalUser(id) => Self::CanonicalUser(id.clone()),
            Principal::Aws(text) => Self::of_aws(text),
        }
    }

    fn of_aws(text: &str) -> Self {
        let mut parts = text.splitn(6, ':');
        let [arn, partition, service, _, account, resource] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        match (arn, service, resource.split_once('/')) {
            ("arn", "iam", None) if resource == "root" => Self::Account(account.to_owned()),
            ("arn", "iam", Some(("role", path))) => Self::Role {
                arn: text.to_owned(),
                partition: partition.to_owned(),
                account: account.to_owned(),
                name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            },
            _ if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) => Self::Account(text.to_owned()),
            // The unique id of a deleted principal is nobody's ARN, and so matches nobody.
            _ => Self::Arn(text.to_owned()),
        }
    }

    fn names(&self, request: &Request) -> Option<Named> {
        let requester = request.principal();
        let kind = requester.kind();
        let is = |fits: bool, named: Named| fits.then_some(named);
        match self {
            Self::Everyone => Some(Named::Directly),
            Self::Account(account) => {
                let named = if kind == RequesterKind::Root { Named::Directly } else { Named::Account };
                // An identity provider of the account is no principal of the account.
                is(kind != RequesterKind::Federated && requester.account() == Some(account), named)
            }
            Self::Role { .. } => is(self.is_role_of(request), Named::Behind),
            Self::Arn(arn) if requester.as_str() == arn => Some(Named::Directly),
            Self::Arn(arn) => {
                is(kind == RequesterKind::FederatedUser && requester.behind() == Some(arn), Named::Behind)
            }
            Self::Service(name) => {
                let is_it = name == "*" || requester.as_str().eq_ignore_ascii_case(name);
                is(kind == RequesterKind::Service && is_it, Named::Directly)
            }
            Self::Provider(provider) => {
                let is_it = provider == "*" || requester.as_str() == provider;
                is(kind == RequesterKind::Federated && is_it, Named::Directly)
            }
            Self::CanonicalUser(id) => is(requester.canonical_user() == Some(id), Named::Account),
        }
    }

    fn is_role_of(&self, request: &Request) -> bool {
        let Self::Role { arn, partition, account, name } = self else { return false };
        let requester = request.principal();
        match requester.kind() {
            RequesterKind::Role => requester.as_str() == arn,
            RequesterKind::RoleSession => {
                // The ARN of the role with its path, where the request has it, settles it.
                let given = request.context().get("aws:principalarn").and_then(|values| values.first());
                if let Some(given) = given {
                    return given == arn;
                }
                let mut parts = requester.as_str().splitn(6, ':');
                let [_, theirs, _, _, owner, resource] = std::array::from_fn(|_| parts.next().unwrap_or_default());
                theirs == partition && owner == account && resource.split('/').nth(1) == Some(name)
            }
            _ => false,
        }
    }
}
