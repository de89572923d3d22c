//! The policies that bind a request, ready for many requests.

use std::cell::RefCell;
use std::sync::Arc;

use super::request::{Request, Scene};
use super::s3::S3Access;
use super::statement::{self, Named};
use crate::policy::{Effect, Policy};

/// A policy document, ready for requests: patterns made, operands read.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    statements: Vec<statement::Compiled>,
}

impl Compiled {
    /// Makes a policy ready.
    pub fn of(policy: &Policy) -> Self {
        let statement = |statement| statement::Compiled::of(statement, policy.version);
        Self { statements: policy.statements.iter().map(statement).collect() }
    }

    /// Whether it alone lets a request through: some Allow matches and no Deny does. A statement without principals
    /// matches whoever asks.
    pub fn lets_through(&self, request: &Request) -> bool {
        let scene = Scene::silent(request);
        let any = |effect| {
            let mut statements = self.statements.iter().filter(|statement| statement.effect == effect);
            statements.any(|statement| statement.matches(scene).is_some())
        };
        any(Effect::Allow) && !any(Effect::Deny)
    }

    /// The `Sid` of a statement, by its number from 0.
    pub fn sid(&self, statement: usize) -> Option<&str> {
        self.statements.get(statement)?.sid.as_deref()
    }
}

/// All the policies that bind a request. What is empty or `None` is not there.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Those of the user and the user's groups, or of the role.
    pub identity: Vec<Arc<Compiled>>,
    /// That of the resource: a bucket's, a key's, a role's trust policy.
    pub resource: Option<Arc<Compiled>>,
    /// The permissions boundary of the user or the role.
    pub boundary: Option<Arc<Compiled>>,
    /// The policy given when the session began.
    pub session: Option<Arc<Compiled>>,
    /// Service control policies of the requester's account, by level: root, organisational units, account. Leave them
    /// out for the management account, which they do not bind; a request does not tell which account that is.
    pub scps: Vec<Vec<Arc<Compiled>>>,
    /// Resource control policies of the resource's account, by level. `RCPFullAWSAccess`, which is attached everywhere
    /// and cannot be detached, may be left out.
    pub rcps: Vec<Vec<Arc<Compiled>>>,
    /// The policy of the VPC endpoint that the request passes.
    pub endpoint: Option<Arc<Compiled>>,
    /// What S3 knows of the bucket beside its policy.
    pub s3: Option<S3Access>,
}

/// Where a statement stands inside its layer. Numbers begin at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The level of a control policy, from the root down.
    pub level: Option<usize>,
    /// The policy in the layer or in the level.
    pub policy: Option<usize>,
    /// The statement in the policy; of an access control list, the grant.
    pub statement: Option<usize>,
}

/// What the policies of one layer say of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// The Allow that reaches furthest, and how it names the requester.
    pub(super) allow: Option<(Named, Place)>,
    /// The first Deny.
    pub(super) deny: Option<Place>,
    /// The first level that allows nothing.
    pub(super) lacking: Option<usize>,
}

/// How a layer reads principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A statement without principals speaks of whoever the policy binds.
    Attached,
    /// An Allow without principals lets nobody in. `bounded` is whether the requester has a permissions boundary, which
    /// no `NotPrincipal` of a Deny spares.
    Resource { bounded: bool },
}

impl Found {
    /// What these policies say.
    pub(super) fn in_policies(policies: &[Arc<Compiled>], scene: Scene<'_>, reading: Reading) -> Self {
        let mut found = Self::default();
        for (index, policy) in policies.iter().enumerate() {
            found.look_into(policy, index, scene, reading);
            if found.deny.is_some() {
                break;
            }
        }
        found
    }

    /// What one policy says, where there is one.
    pub(super) fn in_policy(policy: &Compiled, scene: Scene<'_>, reading: Reading) -> Self {
        let mut found = Self::default();
        found.look_into(policy, 0, scene, reading);
        found
    }

    /// What levels of control policies say: each must allow, and any may deny. With `implied`, a level none of whose
    /// policies has an Allow has an unwritten one for everything.
    pub(super) fn in_levels(levels: &[Vec<Arc<Compiled>>], scene: Scene<'_>, implied: bool) -> Self {
        let mut all = Self::default();
        for (level, policies) in levels.iter().enumerate() {
            let found = Self::in_policies(policies, scene, Reading::Attached);
            let at_level = |place: Place| Place { level: Some(level), ..place };
            if let Some(deny) = found.deny {
                return Self { deny: Some(at_level(deny)), ..Self::default() };
            }
            let is_implied = implied && !policies.iter().any(|policy| policy.has_allow());
            if found.allow.is_none() && !is_implied {
                all.lacking = all.lacking.or(Some(level));
            }
            all.allow = found.allow.map(|(named, place)| (named, at_level(place))).or(all.allow);
        }
        all
    }

    fn look_into(&mut self, policy: &Compiled, index: usize, scene: Scene<'_>, reading: Reading) {
        for (number, statement) in policy.statements.iter().enumerate() {
            let place = || Place { level: None, policy: Some(index), statement: Some(number) };
            match statement.effect {
                Effect::Deny => {
                    let spares_nobody = reading == Reading::Resource { bounded: true } && statement.spares;
                    let denies = if spares_nobody {
                        statement.matches_anyone(scene)
                    } else {
                        statement.matches(scene).is_some()
                    };
                    if denies {
                        self.deny = Some(place());
                        return;
                    }
                }
                Effect::Allow => {
                    // One that reaches as far as any can is enough, unless somebody wants to hear of missing keys.
                    if scene.notes.is_none() && matches!(self.allow, Some((Named::Directly, _))) {
                        continue;
                    }
                    if reading != Reading::Attached && statement.names_nobody() {
                        continue;
                    }
                    if let Some(named) = statement.matches(scene)
                        && self.allow.is_none_or(|(before, _)| named > before)
                    {
                        self.allow = Some((named, place()));
                    }
                }
            }
        }
    }
}

impl Compiled {
    fn has_allow(&self) -> bool {
        self.statements.iter().any(|statement| statement.effect == Effect::Allow)
    }
}

impl<'a> Scene<'a> {
    /// A request with nobody listening.
    pub(super) fn silent(request: &'a super::Request) -> Self {
        Self { request, notes: None }
    }

    /// A request whose evaluation leaves notes.
    pub(super) fn noting(request: &'a super::Request, notes: &'a RefCell<super::Notes>) -> Self {
        Self { request, notes: Some(notes) }
    }
}
