//! The ledger: every version of every resource, and what could not be looked at.
//!
//! In: [`Observation`](yagura_model::Observation)s of one scan at a time. Out: resources as they are or were, their
//! history, what changed, and the inventory of a moment that rules judge.
//! Never here: AWS, rules, findings, the clock.
//!
//! One file, `ledger.sqlite`, holds it all. One scan writes at a time; any number of programs read meanwhile.
//!
//! # What makes a version
//!
//! A version is what stays the same of a resource between two scans: its ARN, name, properties, attributes, tags and
//! relations, as canonical JSON (keys sorted, lists as AWS gave them). Attributes that AWS changes by itself
//! ([`ScanInfo::volatile`]) make no version: the latest value is kept beside it.
//!
//! A part that could not be read is neither removed nor changed by that. For comparing, it is taken to be what it was
//! when it was last read; for reading, it is not there and stands in [`Resource::unread`](yagura_model::Resource), as
//! the collector said. When it can be read again and is the same, there is no new version; a part that is read for the
//! first time makes one, whose change says `learned`, not "appeared".
//!
//! A resource is gone when its type was listed completely where it was, in a scan that was finished, and it was not
//! shown. An unfinished scan, or a type that could not be listed, makes nothing gone.

mod body;
mod changes;
mod error;
mod ledger;
mod lookup;
mod reader;
mod rows;
mod schema;
mod snapshot;
mod writer;

pub use changes::Change;
pub use error::{OpenError, ReadError, WriteError};
pub use ledger::{Ledger, Limits};
pub use reader::{Filter, History, RESOURCES_MAX, Reader, Recorded, ResourceRow, Scan, Version};
pub use snapshot::{Changed, Difference};
pub use writer::{OBSERVATIONS_PER_COMMIT, ScanInfo, ScanSummary, ScanWriter};
