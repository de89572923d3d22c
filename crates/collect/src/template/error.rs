//! What can be wrong with a template.

use super::{DEPTH_MAX, EXPANDED_BYTES_MAX, RESOURCES_MAX, TEXT_BYTES_MAX};

/// A text that is no template, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {problem}", line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct TemplateError {
    /// The template's name, as it was given.
    pub file: String,
    /// The line, from 1, where one is known.
    pub line: Option<u64>,
    /// What is wrong, and what was expected.
    pub problem: Problem,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Neither YAML nor JSON.
    #[error("the template is neither valid YAML nor valid JSON: {message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// There is nothing in it.
    #[error("the template is empty, where a mapping with `Resources` is needed")]
    Empty,
    /// More than one YAML document.
    #[error("a second YAML document begins here, where a template is one document")]
    SecondDocument,
    /// The text is too long to be a template.
    #[error("the template is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// Too many levels.
    #[error("the template nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Aliases that amount to too much.
    #[error("the aliases of the template amount to more than {EXPANDED_BYTES_MAX} bytes")]
    TooMuch,
    /// More resources than any stack may have.
    #[error("the template has more than {RESOURCES_MAX} resources")]
    TooManyResources,
    /// One key twice in a mapping.
    #[error("the key `{key}` stands twice in the same mapping")]
    Duplicate {
        /// The key.
        key: String,
    },
    /// A key that is a list or a mapping.
    #[error("a list or a mapping stands where a key is needed")]
    Key,
    /// An alias inside of its own anchor.
    #[error("an alias refers to the very value that it is part of")]
    Circle,
    /// A merge key with something else than mappings.
    #[error("the merge key `<<` needs a mapping or a list of mappings")]
    Merge,
    /// Something else than a mapping.
    #[error("{what} is {found}, where a mapping is needed")]
    NoMapping {
        /// The part of the template.
        what: String,
        /// What it is.
        found: &'static str,
    },
    /// No `Resources`, or nothing in it.
    #[error("the template has no `Resources`, where at least one resource is needed")]
    NoResources,
    /// A resource that does not say what it is.
    #[error("the resource `{id}` has no `Type`, where a text such as `AWS::S3::Bucket` is needed")]
    NoType {
        /// The logical id.
        id: String,
    },
}
