//! Deciding for all requests at once: what one policy lets through that another does not.
//!
//! Every dimension of a request (action, resource, caller, each condition key) is independent of the others. In each
//! one, the combinations of statements that one value can match together are few, however many values there are; a
//! request is one combination from each. The question "is there a request that this Allow matches, that no Deny of the
//! same policy and no Allow of the other does" is then a choice of one value a dimension, so that together they miss
//! every statement to be missed. No access is said only where no choice is left; access is said only with a request
//! that the evaluator itself lets through one policy and not the other.

mod action;
mod batch;
mod binding;
mod bits;
mod caller;
mod cover;
mod document;
mod external;
mod joint;
mod limits;
mod pattern;
mod public;
mod query;
mod request;
mod search;
mod values;

use std::collections::BTreeSet;

pub use batch::{compare_line, external_line, public_line};
pub use document::{InvalidDocument, Pair};
pub use external::{ExternalAnswer, ExternalFinding, Zone, external};
pub use limits::Undecided;
pub use public::{PUBLIC_TYPES, PublicAnswer, public};

use crate::actions::BrokenTable;
use crate::evaluate::{self, Request};
use crate::policy::{Effect, Glob, Policy, Scope, Statement, Version};

/// What a policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A user, a group or a role: it speaks of nobody by name.
    Identity,
    /// A resource: it says whom it lets in.
    Resource,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The answer itself.
    pub verdict: Verdict,
    /// What it rests on that is not exact.
    pub approximations: BTreeSet<Approximation>,
}

/// Whether there is such a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// There is: this one.
    Access(Box<Witness>),
    /// There is none.
    NoAccess,
    /// It is not known.
    Undecided(Undecided),
}

/// A request that one policy lets through and the other does not, as the evaluator has confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// The request.
    pub request: Request,
    /// Its action as AWS writes it (`s3:GetObject`).
    pub action: String,
    /// The statement of the first policy that allows it, counted from 0.
    pub statement: usize,
}

/// What an answer may rest on that is not exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Approximation {
    /// The same policy variable in both policies is one unknown text; other values were tried as far as they occur.
    PolicyVariables,
    /// What was left out are requests on resources that the action does not work on, as the published catalogue has it.
    ResourceTypes,
    /// The request has a condition key that the published catalogue does not list for its action.
    ActionKeys,
    /// One document has no `Version`, and its policy variables were read as in the version of the other. AWS would take
    /// them for plain text.
    VersionAssumed,
    /// The request has condition keys that AWS fills from one source, here filled each on its own.
    CorrelatedKeys,
}

impl Approximation {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PolicyVariables => "policy-variables",
            Self::ResourceTypes => "resource-types",
            Self::ActionKeys => "action-keys",
            Self::VersionAssumed => "version-assumed",
            Self::CorrelatedKeys => "correlated-keys",
        }
    }
}

/// The kind of policy that documents compared with each other are: a resource's if one of them names principals.
pub fn kind(policies: &[&Policy]) -> PolicyKind {
    let names = |policy: &&Policy| policy.statements.iter().any(|statement| statement.principals.is_some());
    if policies.iter().any(names) { PolicyKind::Resource } else { PolicyKind::Identity }
}

/// Whether `new` allows a request that `existing` does not.
pub fn new_access(existing: &Policy, new: &Policy, kind: PolicyKind) -> Result<Answer, BrokenTable> {
    search::answer(existing, new, kind)
}

/// Whether `policy` allows one of the actions on one of the resources; patterns both, and none of a kind is all of it.
pub fn granted(
    policy: &Policy,
    actions: &[String],
    resources: &[String],
    kind: PolicyKind,
) -> Result<Answer, BrokenTable> {
    new_access(&all_but(actions, resources), policy, kind)
}

/// A policy that allows everything but these actions on these resources.
fn all_but(actions: &[String], resources: &[String]) -> Policy {
    let everything = || Scope::In(vec![Glob::plain("*")]);
    let mut statements = Vec::new();
    if !actions.is_empty() {
        let globs = actions.iter().map(|action| Glob::plain(&action.to_ascii_lowercase())).collect();
        statements.push(allow(Scope::NotIn(globs), everything()));
    }
    if !resources.is_empty() {
        let globs = resources.iter().map(|resource| Glob::plain(resource)).collect();
        statements.push(allow(everything(), Scope::NotIn(globs)));
    }
    // Without variables, so that every character is what it is.
    Policy { version: Version::V2008, id: None, statements }
}

/// An Allow for everyone.
fn allow(actions: Scope<Glob>, resources: Scope<Glob>) -> Statement {
    Statement {
        sid: None,
        effect: Effect::Allow,
        principals: None,
        actions,
        resources: Some(resources),
        conditions: Vec::new(),
    }
}

/// Whether a policy alone lets a request through: some Allow matches and no Deny does.
pub fn lets_through(policy: &Policy, request: &Request) -> bool {
    let matches = |effect| {
        let mut statements = policy.statements.iter().filter(move |statement| statement.effect == effect);
        statements.any(|statement| evaluate::matches(statement, policy.version, request).is_some())
    };
    matches(Effect::Allow) && !matches(Effect::Deny)
}
