//! Functions that other crates lend to the rule language.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use yagura_model::Resource;

use crate::cel;

/// What a lent function may know beside its arguments.
#[derive(Debug, Clone, Copy)]
pub struct FunctionContext<'a> {
    /// The time of the judgement.
    pub now: DateTime<Utc>,
    /// The resource that is judged.
    pub subject: &'a Resource,
}

type Body = dyn Fn(&[&Value], &FunctionContext<'_>) -> Result<Value, String> + Send + Sync;

/// The functions that expressions may call beside the language's own.
///
/// A lent function is pure: the same arguments and context give the same value, so its results are kept while one
/// resource is judged. An absent argument is [`Value::Null`]. Its error makes the verdict `unknown`.
#[derive(Debug, Clone, Default)]
pub struct Library {
    functions: BTreeMap<String, Arc<Lent>>,
}

/// A name that cannot be lent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlendable {
    /// The name is taken.
    #[error("a function `{0}` is there already")]
    Taken(String),
    /// The name does not fit the language.
    #[error("`{0}` is not a function name (`name` or `namespace.name`)")]
    Malformed(String),
}

impl Library {
    /// Lends a function under `name` (`policy.public`), called with a number of arguments within `arity`.
    pub fn register(
        &mut self,
        name: &str,
        arity: RangeInclusive<usize>,
        body: impl Fn(&[&Value], &FunctionContext<'_>) -> Result<Value, String> + Send + Sync + 'static,
    ) -> Result<(), Unlendable> {
        let word = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        if !name.split('.').all(word) || name.split('.').count() > 2 {
            return Err(Unlendable::Malformed(name.to_owned()));
        }
        if self.functions.contains_key(name) || cel::is_own_function(name) {
            return Err(Unlendable::Taken(name.to_owned()));
        }
        let lent = Lent { name: name.to_owned(), arity, body: Box::new(body) };
        self.functions.insert(name.to_owned(), Arc::new(lent));
        Ok(())
    }

    /// The names of all lent functions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Lent>> {
        self.functions.get(name)
    }

    pub(crate) fn has_namespace(&self, namespace: &str) -> bool {
        self.functions.keys().any(|name| name.split_once('.').is_some_and(|(first, _)| first == namespace))
    }
}

/// One lent function.
pub(crate) struct Lent {
    pub(crate) name: String,
    pub(crate) arity: RangeInclusive<usize>,
    body: Box<Body>,
}

impl Lent {
    pub(crate) fn call(&self, arguments: &[&Value], context: &FunctionContext<'_>) -> Result<Value, String> {
        (self.body)(arguments, context)
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("name", &self.name).field("arity", &self.arity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lent_once_and_hides_nothing() {
        let mut library = Library::default();
        let mut lend = |name: &str| library.register(name, 1..=1, |_, _| Ok(Value::Null));
        assert_eq!(lend("policy.public"), Ok(()));
        assert_eq!(lend("policy.public"), Err(Unlendable::Taken("policy.public".to_owned())));
        assert_eq!(lend("size"), Err(Unlendable::Taken("size".to_owned())));
        assert_eq!(lend("a.b.c"), Err(Unlendable::Malformed("a.b.c".to_owned())));
        assert_eq!(lend("a-b"), Err(Unlendable::Malformed("a-b".to_owned())));
    }
}
