//! One request against all the policies that bind it: what AWS would decide, and which statement decides it.
//!
//! [`Policies`] are compiled once; [`evaluate`] then decides a request in well under a microsecond, and [`explain`] says
//! what every layer had to say. A value that a condition cannot compare fits nothing and is remarked upon; nothing here
//! fails on what a policy says.
//!
//! The order: a Deny in any layer; control policies of the resource's and of the requester's account; the VPC endpoint;
//! then, in one account, the resource's policy or the identity's, and across accounts both; the boundary and the session
//! policy wherever the resource's policy does not name the session itself.

mod batch;
mod condition;
pub(crate) mod operand;
mod order;
pub(crate) mod pattern;
mod policies;
mod request;
mod requester;
mod s3;
mod statement;
mod text;

pub use batch::{Batch, Case, InvalidLine, LINE_BYTES_MAX, by};
pub use order::{Decision, Explanation, Layer, LayerOutcome, Outcome, evaluate, explain};
pub use policies::{Compiled, Place, Policies};
pub use request::{Context, Notes, Request, Values};
pub use requester::{InvalidRequester, Requester, RequesterKind};
pub use s3::{AclGrant, AclGrantee, AclPermission, S3Access};
pub use statement::{Named, matches};
