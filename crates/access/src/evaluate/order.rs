//! The order in which AWS asks the layers, and what they come to together.

use std::cell::RefCell;

use super::policies::{Found, Place, Policies, Reading};
use super::request::{Notes, Request, Scene};
use super::requester::RequesterKind;
use super::statement::Named;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is let through.
    Allowed,
    /// A Deny stops it.
    ExplicitDeny,
    /// No Allow lets it through.
    ImplicitDeny,
}

impl Outcome {
    /// `allowed`, `explicit_deny`, `implicit_deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicit_deny",
            Self::ImplicitDeny => "implicit_deny",
        }
    }
}

/// A kind of policy, or what stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Resource control policies.
    Rcp,
    /// Service control policies.
    Scp,
    /// The policy of a VPC endpoint.
    Endpoint,
    /// S3's block of public access.
    BlockPublicAccess,
    /// The resource's policy.
    Resource,
    /// An access control list of S3.
    Acl,
    /// The identity's policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// The session policy.
    Session,
    /// Being the root user, which needs no policy of its own.
    Root,
    /// The service itself, which asks no policy.
    Service,
}

impl Layer {
    /// The name in output: `scp`, `block_public_access`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rcp => "rcp",
            Self::Scp => "scp",
            Self::Endpoint => "endpoint",
            Self::BlockPublicAccess => "block_public_access",
            Self::Resource => "resource",
            Self::Acl => "acl",
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::Root => "root",
            Self::Service => "service",
        }
    }
}

/// What becomes of a request, and what decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of it.
    pub outcome: Outcome,
    /// The layer that allows, that denies, or whose Allow is missing.
    pub layer: Layer,
    /// The statement in the layer; of a missing Allow, at most the level.
    pub place: Place,
}

/// What one layer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerOutcome {
    /// The layer.
    pub layer: Layer,
    /// What it says, on its own; `None` where it has no say in this request or there is no policy.
    pub outcome: Option<Outcome>,
    /// The statement that says so.
    pub place: Place,
    /// Whether its Allow speaks of the requester's account only, and so leaves the rest to the identity's policies.
    pub delegates: bool,
}

/// A decision with all that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Every layer that there is, in the order in which they are asked.
    pub layers: Vec<LayerOutcome>,
    /// What was noticed besides.
    pub notes: Notes,
}

/// Decides a request.
pub fn evaluate(request: &Request, policies: &Policies) -> Decision {
    decide(request, policies, &Facts::of(policies, Scene::silent(request)))
}

/// Decides a request and says what each layer had to say. Slower than [`evaluate`], with the same decision.
pub fn explain(request: &Request, policies: &Policies) -> Explanation {
    let notes = RefCell::new(Notes::default());
    let facts = Facts::of(policies, Scene::noting(request, &notes));
    let decision = decide(request, policies, &facts);
    Explanation { decision, layers: facts.layers(), notes: notes.into_inner() }
}

/// What each layer says, none where it has no say.
struct Facts {
    rcp: Option<Found>,
    scp: Option<Found>,
    endpoint: Option<Found>,
    resource: Option<Found>,
    /// The number of the grant in an access control list.
    acl: Option<usize>,
    identity: Option<Found>,
    boundary: Option<Found>,
    session: Option<Found>,
}

impl Facts {
    fn of(policies: &Policies, scene: Scene<'_>) -> Self {
        let who = scene.request.principal();
        let has_identity = has_identity(who.kind());
        let is_bound = has_identity && !who.is_service_linked_role();
        let attached = |policy: &Option<std::sync::Arc<super::Compiled>>| {
            policy.as_deref().map(|policy| Found::in_policy(policy, scene, Reading::Attached))
        };
        let bounded = has_identity && policies.boundary.is_some();
        let levels = |levels: &[_], applies: bool, implied| {
            (applies && !levels.is_empty()).then(|| Found::in_levels(levels, scene, implied))
        };
        Self {
            rcp: levels(&policies.rcps, !who.is_service_linked_role(), true),
            scp: levels(&policies.scps, is_bound, false),
            endpoint: attached(&policies.endpoint),
            resource: policies
                .resource
                .as_deref()
                .map(|policy| Found::in_policy(policy, scene, Reading::Resource { bounded })),
            acl: policies.s3.as_ref().and_then(|s3| s3.granting(scene.request)),
            identity: has_identity.then(|| Found::in_policies(&policies.identity, scene, Reading::Attached)),
            boundary: if has_identity { attached(&policies.boundary) } else { None },
            session: if has_identity { attached(&policies.session) } else { None },
        }
    }

    fn in_order(&self) -> [(Layer, Option<Found>); 7] {
        [
            (Layer::Rcp, self.rcp),
            (Layer::Scp, self.scp),
            (Layer::Endpoint, self.endpoint),
            (Layer::Resource, self.resource),
            (Layer::Identity, self.identity),
            (Layer::Boundary, self.boundary),
            (Layer::Session, self.session),
        ]
    }

    fn layers(&self) -> Vec<LayerOutcome> {
        let mut layers: Vec<LayerOutcome> = self
            .in_order()
            .into_iter()
            .filter_map(|(layer, found)| found.map(|found| LayerOutcome::of(layer, found)))
            .collect();
        if let Some(grant) = self.acl {
            let place = Place { statement: Some(grant), ..Place::default() };
            let outcome = Some(Outcome::Allowed);
            layers.push(LayerOutcome { layer: Layer::Acl, outcome, place, delegates: true });
        }
        layers
    }
}

impl LayerOutcome {
    fn of(layer: Layer, found: Found) -> Self {
        let at_level = |level| Place { level: Some(level), ..Place::default() };
        let (outcome, place) = match found {
            Found { deny: Some(place), .. } => (Outcome::ExplicitDeny, place),
            Found { lacking: Some(level), .. } => (Outcome::ImplicitDeny, at_level(level)),
            Found { allow: Some((_, place)), .. } => (Outcome::Allowed, place),
            // Control policies of resources with no Allow of their own have an unwritten one.
            Found { .. } if layer == Layer::Rcp => (Outcome::Allowed, Place::default()),
            Found { .. } => (Outcome::ImplicitDeny, Place::default()),
        };
        let delegates = layer == Layer::Resource && matches!(found.allow, Some((Named::Account, _)));
        Self { layer, outcome: Some(outcome), place, delegates }
    }
}

/// Whether policies can be attached to such a requester.
fn has_identity(kind: RequesterKind) -> bool {
    match kind {
        RequesterKind::Root
        | RequesterKind::User
        | RequesterKind::Role
        | RequesterKind::RoleSession
        | RequesterKind::FederatedUser => true,
        RequesterKind::Federated | RequesterKind::Service | RequesterKind::Anonymous => false,
    }
}

fn decide(request: &Request, policies: &Policies, facts: &Facts) -> Decision {
    let who = request.principal();
    if request.action() == "sts:getcalleridentity" && has_identity(who.kind()) {
        // AWS answers this whatever any policy says.
        return Decision { outcome: Outcome::Allowed, layer: Layer::Service, place: Place::default() };
    }
    for (layer, found) in facts.in_order() {
        if let Some(Found { deny: Some(place), .. }) = found {
            return Decision { outcome: Outcome::ExplicitDeny, layer, place };
        }
    }
    let gates = [(Layer::Rcp, facts.rcp), (Layer::Scp, facts.scp)];
    for (layer, found) in gates {
        if let Some(Found { lacking: Some(level), .. }) = found {
            return lacking(layer, Some(level));
        }
    }
    if facts.endpoint.is_some_and(|found| found.allow.is_none()) {
        return lacking(Layer::Endpoint, None);
    }
    let is_own = who.account().is_some() && request.resource_account().is_none_or(|owner| who.account() == Some(owner));
    let decision = if !has_identity(who.kind()) {
        by_resource(facts)
    } else if is_own {
        in_one_account(request, facts)
    } else {
        across_accounts(request, facts)
    };
    // A public bucket that is restricted is for its own account and for AWS services.
    let is_restricted = policies.s3.as_ref().is_some_and(|s3| s3.restrict_public_buckets && s3.policy_is_public);
    if is_restricted && decision.outcome == Outcome::Allowed && !is_own && who.kind() != RequesterKind::Service {
        let place = Place::default();
        return Decision { outcome: Outcome::ExplicitDeny, layer: Layer::BlockPublicAccess, place };
    }
    decision
}

fn allowed(layer: Layer, place: Place) -> Decision {
    Decision { outcome: Outcome::Allowed, layer, place }
}

fn lacking(layer: Layer, level: Option<usize>) -> Decision {
    Decision { outcome: Outcome::ImplicitDeny, layer, place: Place { level, ..Place::default() } }
}

/// Services, federated people and anonymous requests have no side of their own.
fn by_resource(facts: &Facts) -> Decision {
    match (facts.resource.and_then(|found| found.allow), facts.acl) {
        (Some((Named::Directly, place)), _) => allowed(Layer::Resource, place),
        (_, Some(grant)) => allowed(Layer::Acl, Place { statement: Some(grant), ..Place::default() }),
        _ => lacking(Layer::Resource, None),
    }
}

fn in_one_account(request: &Request, facts: &Facts) -> Decision {
    let granted = facts.resource.and_then(|found| found.allow);
    if let Some((Named::Directly, place)) = granted {
        return allowed(Layer::Resource, place);
    }
    if granted.is_none() && needs_resource_policy(request) {
        return lacking(Layer::Resource, None);
    }
    let by = match granted {
        Some((Named::Behind, place)) => Some((Layer::Resource, place)),
        _ => by_identity(request, facts),
    };
    let Some((layer, place)) = by else { return lacking(Layer::Identity, None) };
    limited(facts).unwrap_or_else(|| allowed(layer, place))
}

fn across_accounts(request: &Request, facts: &Facts) -> Decision {
    let granted = facts.resource.and_then(|found| found.allow).is_some() || facts.acl.is_some();
    if !granted {
        return lacking(Layer::Resource, None);
    }
    let Some((layer, place)) = by_identity(request, facts) else { return lacking(Layer::Identity, None) };
    limited(facts).unwrap_or_else(|| allowed(layer, place))
}

/// What lets the requester do it on its own side.
fn by_identity(request: &Request, facts: &Facts) -> Option<(Layer, Place)> {
    if request.principal().kind() == RequesterKind::Root {
        return Some((Layer::Root, Place::default()));
    }
    facts.identity.and_then(|found| found.allow).map(|(_, place)| (Layer::Identity, place))
}

/// The boundary or the session policy that does not let it through.
fn limited(facts: &Facts) -> Option<Decision> {
    [(Layer::Boundary, facts.boundary), (Layer::Session, facts.session)]
        .into_iter()
        .find(|(_, found)| found.is_some_and(|found| found.allow.is_none()))
        .map(|(layer, _)| lacking(layer, None))
}

/// Whether the resource is one whose own policy must allow, be the requester of the same account or not: a role to be
/// assumed, and a KMS key.
fn needs_resource_policy(request: &Request) -> bool {
    let (service, name) = request.action().split_once(':').unwrap_or_default();
    let arn = request.arn();
    match service {
        "sts" => {
            let is_assuming =
                name.starts_with("assumerole") || matches!(name, "tagsession" | "setsourceidentity" | "setcontext");
            is_assuming && arn.part(2) == "iam" && arn.part(5).starts_with("role/")
        }
        "kms" => arn.part(5).starts_with("key/"),
        _ => false,
    }
}
