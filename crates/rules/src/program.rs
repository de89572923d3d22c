//! An expression of a rule file, ready to be evaluated.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::cel::{CompileError, Expr, Failure, compile};
use crate::library::Library;

/// An expression, compiled.
pub struct Program {
    source: String,
    compiled: OnceLock<Result<Expr, CompileError>>,
    /// What a deferred expression is compiled with; none where it is compiled already.
    library: Option<Arc<Library>>,
}

impl Program {
    /// Compiles `source`; the functions that it calls are the language's own and those of the library.
    pub(crate) fn compile(source: &str, library: &Library) -> Result<Self, CompileError> {
        let compiled = OnceLock::from(Ok(compile(source, library)?));
        Ok(Self { source: source.to_owned(), compiled, library: None })
    }

    /// An expression that is compiled when it is first asked for. For packed rules, whose tests have compiled it: a
    /// mistake in it would make every verdict unknown.
    pub(crate) fn deferred(source: &str, library: Arc<Library>) -> Self {
        Self { source: source.to_owned(), compiled: OnceLock::new(), library: Some(library) }
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn expr(&self) -> Result<&Expr, Failure> {
        let compile = || compile(&self.source, self.library.as_deref().unwrap_or(&Library::default()));
        let compiled = self.compiled.get_or_init(compile).as_ref();
        compiled.map_err(|error| Failure::evaluation(format!("{} in `{}`", error.message, self.source)))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.source).finish()
    }
}
