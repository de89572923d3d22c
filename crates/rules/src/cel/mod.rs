//! Expressions: CEL's grammar, read by the `cel` crate, over resources as they are kept.

#[cfg(test)]
mod against_cel;
mod arena;
mod call;
mod compile;
mod evaluate;
mod evidence;
mod expr;
mod failure;
mod operators;
mod place;
mod steps;
#[cfg(test)]
mod tests;
mod value;
mod world;

pub(crate) use arena::Arena;
pub(crate) use compile::{CompileError, compile, is_own_function, resource_type};
pub(crate) use evaluate::{Evaluation, Touched};
pub(crate) use expr::{Expr, Field, Function, LoopKind};
pub(crate) use failure::Failure;
pub(crate) use world::World;
