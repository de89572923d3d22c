//! The least policy that allows what was done: from recorded calls to a policy, and what is granted beyond it.
//!
//! A call is mapped to the permissions that IAM checked for it by [`data/calls.yml`](../../data/calls.yml) and the
//! table of actions; the resource is what the event names. Where an event does not name it, the policy has a wildcard
//! for what is not known, and says so ([`Least::wide`]). Every call is then put to the concrete evaluator
//! ([`Least::unproven`]): a policy that would stop what was done is never called the least one.

mod call;
mod granted;
mod policy;
mod resource;

pub use call::{Call, Unmapped};
pub use granted::{ServiceUse, unused};
pub use policy::{Least, Wide, least};
