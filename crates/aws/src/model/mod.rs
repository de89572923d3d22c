//! Service models as data: what operations a service has, what they take and what they answer.

mod botocore;
mod operation;
mod service;
mod shape;
mod table;

pub use botocore::BotocoreError;
pub use operation::{IamAction, Operation, Paginator, RequestChecksum};
pub use service::{ContextParam, Protocol, Service};
pub use shape::{Kind, Location, Member, Reference, Shape, ShapeId, TimestampFormat, Traits, XmlNamespace};
pub use table::{Models, ModelsError, write_table};
