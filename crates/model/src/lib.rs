//! The nouns that flow through Yagura.
//!
//! In: nothing. Out: [`Resource`], [`Observation`], [`Inventory`], [`Verdict`], [`Order`], [metrics](metric) and the ids
//! they carry.
//! Never here: I/O, async, a clock, the environment, AWS clients, SQL.

mod ids;
mod inventory;
pub mod metric;
mod observation;
mod order;
mod resource;
mod text;
mod verdict;

pub use ids::{AccountId, Arn, FindingId, InvalidId, Partition, Region, ResourceKey, ResourceType, RuleName};
pub use inventory::{Inventory, Listing};
pub use observation::{Cause, CouldNotLook, Observation, Seen};
pub use order::{Act, Order, OrderId};
pub use resource::{Relation, Resource, Unread};
pub use text::{Lang, Text};
pub use verdict::{InvalidLevel, Level, Missing, Status, Verdict};
