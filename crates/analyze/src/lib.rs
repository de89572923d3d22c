//! Reads what is recorded and says what it means.
//!
//! In: an [`Inventory`](yagura_model::Inventory) and rules. Out: [`Verdict`](yagura_model::Verdict)s, scores against
//! standards, what to do first, what could not be looked at. Never here: calls to AWS, writes, a clock.

pub mod assess;
mod library;
pub mod standards;

pub use library::library;
