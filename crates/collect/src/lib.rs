//! Reads accounts, bundles and templates into observations.
//!
//! In: resource types as data, an [`Api`] that asks AWS, bundle files, CloudFormation templates.
//! Out: [`Observation`](yagura_model::Observation)s and [`Inventory`](yagura_model::Inventory)s.
//! Never here: rules and verdicts, storage, the clock and the environment (both are passed in), any call that changes
//! something in an account.

pub mod bundle;
pub mod collector;
mod live;
pub mod metrics;
pub mod policy;
mod redact;
pub mod secrets;
pub mod template;
pub mod testing;
pub mod types;

pub use bundle::{BundleReader, BundleWriter};
pub use collector::{Api, Call, Clock, Collector, Failure, Pages, Progress, Scope, discover, home_region};
pub use live::Live;
pub use policy::{ReadPolicy, iam_policy};
pub use template::{Template, TemplateError, TemplateOptions};
pub use types::{Definition, LoadError, ResourceTypes};
