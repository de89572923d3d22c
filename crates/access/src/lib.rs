//! Who may do what, and what the network lets through.
//!
//! In: policy documents and security group rules as AWS or a template gives them. Out: answers about what they allow,
//! or an error that names what could not be understood.
//! Never here: I/O, async, a clock, AWS clients, rules, findings.

pub mod actions;
pub mod decide;
pub mod evaluate;
pub mod json;
pub mod least;
pub mod lint;
pub mod net;
pub mod policy;
