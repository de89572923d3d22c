//! What can be wrong with an input, with an answer, and what a service says when it refuses.

use serde_json::Value;

/// Why an input is no request of an operation. Paths are written `Filters[0].Name`, from the root of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The structure has no such member.
    #[error("`{path}` is not known: expected {expected}")]
    UnknownMember {
        /// Where it is in the input.
        path: String,
        /// The members that the structure has.
        expected: String,
    },
    /// A member that the model requires is absent.
    #[error("`{path}` is missing: expected {expected}")]
    MissingMember {
        /// Where it should be.
        path: String,
        /// Its type.
        expected: &'static str,
    },
    /// The value has another type.
    #[error("`{path}` is {found}: expected {expected}")]
    WrongType {
        /// Where it is.
        path: String,
        /// What the model wants.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The value has the right type and cannot be written.
    #[error("`{path}` cannot be written: expected {expected}")]
    BadValue {
        /// Where it is.
        path: String,
        /// What would do.
        expected: &'static str,
    },
    /// The input is nested deeper than any real one.
    #[error("`{path}` is nested deeper than {limit} levels")]
    TooDeep {
        /// Where the limit was met.
        path: String,
        /// The limit.
        limit: usize,
    },
}

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The body is no JSON.
    #[error("the body is not json")]
    Json(#[source] serde_json::Error),
    /// The body is no XML.
    #[error("the body is not xml: {detail}")]
    Xml {
        /// What is wrong, and where.
        detail: String,
    },
    /// A value has another type than the model says.
    #[error("`{path}` is {found}: expected {expected}")]
    WrongType {
        /// Where it is in the output.
        path: String,
        /// What the model says.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The body is nested deeper than any real one.
    #[error("the body is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The service sent an error with a successful status.
    #[error(transparent)]
    Service(#[from] Box<ServiceError>),
    /// The answer is a stream of events, which is not a document.
    #[error("the answer is a stream of events")]
    EventStream,
}

/// What a service said when it refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The code (`AccessDenied`), without namespace and address; the HTTP status as text where the answer has none.
    pub code: String,
    /// The service's words; empty where there are none.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// The id to give to AWS support.
    pub request_id: Option<String>,
    /// The members of the error's shape, as in an output; an empty object where the model does not know the code.
    pub fields: Value,
}
