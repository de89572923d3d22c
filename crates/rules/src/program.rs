//! An expression of a rule file, ready to be evaluated.

use std::fmt;

use crate::cel::{CompileError, Expr, compile};
use crate::library::Library;

/// A compiled expression.
pub struct Program {
    source: String,
    expr: Expr,
}

impl Program {
    /// Compiles `source`; the functions that it calls are the language's own and those of the library.
    pub(crate) fn compile(source: &str, library: &Library) -> Result<Self, CompileError> {
        Ok(Self { source: source.to_owned(), expr: compile(source, library)? })
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn expr(&self) -> &Expr {
        &self.expr
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}
