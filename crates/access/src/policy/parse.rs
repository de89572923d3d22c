//! From a recorded document to a [`Policy`].

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::condition::{Condition, Operator};
use super::{Effect, Glob, Policy, Principal, Scope, Statement, Version};
use crate::actions::BrokenTable;
use crate::decide::Undecided;

/// The longest document read, in bytes. AWS's largest managed policy is about 150 KB; a customer's own is at most 20 KB.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// The most statements read, so that comparing every Allow with every Deny stays quick. AWS's own have 46 at most.
const STATEMENTS_MAX: usize = 2_000;

/// The longest single pattern, in bytes: an ARN is at most 2,048, and matching takes the product of two lengths.
const PATTERN_BYTES_MAX: usize = 4_096;

/// Why a policy document cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    /// A text that is not JSON, URL-encoded or not.
    #[error("the policy is not a JSON document")]
    Json(#[source] serde_json::Error),
    /// A text that is URL-encoded, but not as UTF-8.
    #[error("the policy is not UTF-8")]
    Utf8(#[source] std::str::Utf8Error),
    /// A value of the wrong kind.
    #[error("`{at}` is not {expected}")]
    Unexpected {
        /// Where in the document.
        at: String,
        /// What belongs there, as the end of a sentence.
        expected: &'static str,
    },
    /// An element that the policy language does not have.
    #[error("`{name}` is no element of {of}")]
    UnknownElement {
        /// The element.
        name: String,
        /// What it stands in.
        of: &'static str,
    },
    /// An element that stands there twice, in different cases of its letters.
    #[error("`{0}` stands there twice")]
    Twice(String),
    /// Two elements that exclude each other, or neither where one must be.
    #[error("{at} needs one of `{one}` and `{other}`, and not both")]
    OneOf {
        /// Which statement.
        at: String,
        /// An element.
        one: &'static str,
        /// Its negation.
        other: &'static str,
    },
    /// A condition operator that does not exist.
    #[error("`{0}` is not a condition operator")]
    UnknownOperator(String),
    /// More than can be judged.
    #[error("the policy has more than {max} {what}")]
    TooLarge {
        /// The limit.
        max: usize,
        /// Of what.
        what: &'static str,
    },
    /// A table of facts that the answer needs cannot be read.
    #[error(transparent)]
    Table(#[from] BrokenTable),
    /// It would take more work than is done to tell.
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

impl Policy {
    /// The policy in a recorded value; `None` for `null` and for an empty text, which stand for "no policy".
    pub fn from_value(document: &Value) -> Result<Option<Self>, InvalidPolicy> {
        match document {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            Value::String(text) => Self::from_text(text).map(Some),
            Value::Object(object) => parse_policy(object).map(Some),
            _ => Err(unexpected("the policy", "a policy document")),
        }
    }

    /// The policy in a JSON text, URL-encoded (as IAM answers) or not.
    pub fn from_text(text: &str) -> Result<Self, InvalidPolicy> {
        let text = text.trim();
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(InvalidPolicy::TooLarge { max: DOCUMENT_BYTES_MAX, what: "bytes" });
        }
        let decoded = if text.starts_with('%') {
            percent_decode_str(text).decode_utf8().map_err(InvalidPolicy::Utf8)?
        } else {
            text.into()
        };
        let Value::Object(object) = serde_json::from_str(&decoded).map_err(InvalidPolicy::Json)? else {
            return Err(unexpected("the policy", "an object"));
        };
        parse_policy(&object)
    }
}

fn unexpected(at: impl Into<String>, expected: &'static str) -> InvalidPolicy {
    InvalidPolicy::Unexpected { at: at.into(), expected }
}

// The names of elements are read in any case: a document that AWS took is never refused for its spelling.
fn parse_policy(object: &Map<String, Value>) -> Result<Policy, InvalidPolicy> {
    let mut policy = Policy { version: Version::default(), id: None, statements: Vec::new() };
    let mut statements = None;
    for (name, value) in object {
        match name.to_ascii_lowercase().as_str() {
            "version" => policy.version = parse_version(value)?,
            "id" => policy.id = value.as_str().map(str::to_owned),
            "statement" if statements.is_some() => return Err(InvalidPolicy::Twice(name.clone())),
            "statement" => statements = Some(value),
            _ => return Err(InvalidPolicy::UnknownElement { name: name.clone(), of: "a policy" }),
        }
    }
    let statements = match statements {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single @ Value::Object(_)) => std::slice::from_ref(single),
        _ => return Err(unexpected("Statement", "a statement or a list of statements")),
    };
    if statements.len() > STATEMENTS_MAX {
        return Err(InvalidPolicy::TooLarge { max: STATEMENTS_MAX, what: "statements" });
    }
    for (index, statement) in statements.iter().enumerate() {
        policy.statements.push(parse_statement(&format!("Statement[{index}]"), statement, policy.version)?);
    }
    Ok(policy)
}

fn parse_version(value: &Value) -> Result<Version, InvalidPolicy> {
    match value.as_str() {
        Some("2012-10-17") => Ok(Version::V2012),
        Some("2008-10-17") => Ok(Version::V2008),
        _ => Err(unexpected("Version", "`2012-10-17` or `2008-10-17`")),
    }
}

/// The elements of one statement, as they stand in the document.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a Value>,
    effect: Option<&'a Value>,
    principal: Option<&'a Value>,
    not_principal: Option<&'a Value>,
    action: Option<&'a Value>,
    not_action: Option<&'a Value>,
    resource: Option<&'a Value>,
    not_resource: Option<&'a Value>,
    condition: Option<&'a Value>,
}

fn parse_statement(at: &str, value: &Value, version: Version) -> Result<Statement, InvalidPolicy> {
    let object = value.as_object().ok_or_else(|| unexpected(at, "a statement"))?;
    let mut elements = Elements::default();
    for (name, value) in object {
        let element = match name.to_ascii_lowercase().as_str() {
            "sid" => &mut elements.sid,
            "effect" => &mut elements.effect,
            "principal" => &mut elements.principal,
            "notprincipal" => &mut elements.not_principal,
            "action" => &mut elements.action,
            "notaction" => &mut elements.not_action,
            "resource" => &mut elements.resource,
            "notresource" => &mut elements.not_resource,
            "condition" => &mut elements.condition,
            _ => return Err(InvalidPolicy::UnknownElement { name: name.clone(), of: "a statement" }),
        };
        if element.replace(value).is_some() {
            return Err(InvalidPolicy::Twice(name.clone()));
        }
    }
    let effect = match elements.effect.and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(unexpected(format!("{at}.Effect"), "`Allow` or `Deny`")),
    };
    let one_of = |one, other| InvalidPolicy::OneOf { at: at.to_owned(), one, other };
    let globs = |name: &str, value: &Value, glob: fn(&str) -> Glob| -> Result<Vec<Glob>, InvalidPolicy> {
        patterns(&format!("{at}.{name}"), value).map(|texts| texts.iter().map(|text| glob(text)).collect())
    };
    let actions = match (elements.action, elements.not_action) {
        (Some(value), None) => Scope::In(globs("Action", value, action_glob)?),
        (None, Some(value)) => Scope::NotIn(globs("NotAction", value, action_glob)?),
        _ => return Err(one_of("Action", "NotAction")),
    };
    let resource_glob = match version {
        Version::V2012 => Glob::with_variables,
        Version::V2008 => Glob::plain,
    };
    let resources = match (elements.resource, elements.not_resource) {
        (Some(value), None) => Some(Scope::In(globs("Resource", value, resource_glob)?)),
        (None, Some(value)) => Some(Scope::NotIn(globs("NotResource", value, resource_glob)?)),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(one_of("Resource", "NotResource")),
    };
    let principals = match (elements.principal, elements.not_principal) {
        (Some(value), None) => Some(Scope::In(parse_principals(&format!("{at}.Principal"), value)?)),
        (None, Some(value)) => Some(Scope::NotIn(parse_principals(&format!("{at}.NotPrincipal"), value)?)),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(one_of("Principal", "NotPrincipal")),
    };
    let conditions = match elements.condition {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => parse_conditions(&format!("{at}.Condition"), value)?,
    };
    let sid = elements.sid.and_then(Value::as_str).map(str::to_owned);
    Ok(Statement { sid, effect, principals, actions, resources, conditions })
}

fn action_glob(text: &str) -> Glob {
    Glob::plain(&text.to_ascii_lowercase())
}

fn patterns(at: &str, value: &Value) -> Result<Vec<String>, InvalidPolicy> {
    let texts = texts(at, value)?;
    if texts.iter().any(|text| text.len() > PATTERN_BYTES_MAX) {
        return Err(InvalidPolicy::TooLarge { max: PATTERN_BYTES_MAX, what: "bytes in one pattern" });
    }
    Ok(texts)
}

/// One text or a list of them. A template written in YAML may have a number or a bool where a text is meant.
fn texts(at: &str, value: &Value) -> Result<Vec<String>, InvalidPolicy> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let text = |item: &Value| match item {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(unexpected(at, "a text or a list of texts")),
    };
    items.iter().map(text).collect()
}

fn parse_principals(at: &str, value: &Value) -> Result<Vec<Principal>, InvalidPolicy> {
    let kinds = match value {
        Value::String(text) if text == "*" => return Ok(vec![Principal::Everyone]),
        Value::Object(kinds) => kinds,
        _ => return Err(unexpected(at, "`*` or an object of principals")),
    };
    let mut principals = Vec::new();
    for (kind, value) in kinds {
        let named: fn(String) -> Principal = match kind.to_ascii_lowercase().as_str() {
            "aws" => Principal::Aws,
            "service" => Principal::Service,
            "federated" => Principal::Federated,
            "canonicaluser" => Principal::CanonicalUser,
            _ => return Err(InvalidPolicy::UnknownElement { name: kind.clone(), of: "a principal" }),
        };
        for text in texts(&format!("{at}.{kind}"), value)? {
            principals.push(principal(text, named));
        }
    }
    Ok(principals)
}

/// `*` of `AWS` is everyone; of any other kind it is everyone of that kind. So is a wildcard for the account: AWS refuses
/// it, but a template may still have it.
fn principal(text: String, named: fn(String) -> Principal) -> Principal {
    let any_account = text
        .strip_prefix("arn:")
        .and_then(|rest| rest.split(':').nth(3))
        .is_some_and(|account| account.contains(['*', '?']));
    match named(text) {
        Principal::Aws(text) if text == "*" || any_account => Principal::Everyone,
        Principal::Federated(_) if any_account => Principal::Federated("*".to_owned()),
        principal => principal,
    }
}

fn parse_conditions(at: &str, value: &Value) -> Result<Vec<Condition>, InvalidPolicy> {
    let operators = value.as_object().ok_or_else(|| unexpected(at, "an object of condition operators"))?;
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::parse(name).ok_or_else(|| InvalidPolicy::UnknownOperator(name.clone()))?;
        let keys = keys.as_object().ok_or_else(|| unexpected(format!("{at}.{name}"), "an object of condition keys"))?;
        for (key, values) in keys {
            let values = patterns(&format!("{at}.{name}.{key}"), values)?;
            conditions.push(Condition { operator, key: key.to_ascii_lowercase(), values });
        }
    }
    Ok(conditions)
}
