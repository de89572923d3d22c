//! The rule languages.
//!
//! In: rule files as texts, an [`Inventory`](yagura_model::Inventory), tables of facts, the time, and the functions that other crates lend.
//! Out: [`Verdict`](yagura_model::Verdict)s with their evidence, and the errors of broken rules.
//! Never here: AWS, I/O beyond reading a rules folder, async, a clock, what the lent functions do.

pub mod alarm;
mod cel;
mod control;
mod described;
mod engine;
mod explain;
pub mod filter;
pub mod guard;
mod library;
mod load;
mod locate;
pub mod pattern;
mod program;
mod raw;
mod reads;
mod tables;
mod testing;

pub use control::{Case, Command, Control, Logic};
pub use described::Described;
pub use engine::{Engine, UNLISTED_ID};
pub use explain::{Explanation, Step, StepOutcome};
pub use library::{FunctionContext, Library, Unlendable};
pub use load::{LoadError, RuleSet};
pub use locate::Position;
pub use program::Program;
pub use reads::Reads;
pub use tables::Tables;
pub use testing::{Problem, Report, TestFailure, test_control, test_rules};
