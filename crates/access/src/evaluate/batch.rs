//! Requests with their policies as lines of JSON, and the answers to them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::order::{Decision, Layer, evaluate};
use super::policies::{Compiled, Policies};
use super::request::{Context, Request};
use super::requester::{InvalidRequester, Requester};
use crate::policy::{InvalidPolicy, Policy};

/// Different policies kept ready at once: more than an organisation has, and a few hundred megabytes at the worst.
const POLICIES_KEPT_MAX: usize = 20_000;

/// The longest line read, in bytes: a handful of the largest policies.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// What a line may have; anything else is named in the answer, as it has had no part in it.
const FIELDS: [&str; 9] =
    ["id", "request", "identity", "resource_policy", "boundary", "session", "scps", "rcps", "endpoint"];

/// Why a line cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLine {
    /// No JSON.
    #[error("the line is not a JSON object")]
    Json(#[source] Option<serde_json::Error>),
    /// Longer than any line that is meant.
    #[error("the line is longer than {max} bytes", max = LINE_BYTES_MAX)]
    TooLong,
    /// Something is missing or of the wrong kind.
    #[error("`{at}` is not {expected}")]
    Unexpected {
        /// Where.
        at: String,
        /// What belongs there, as the end of a sentence.
        expected: &'static str,
    },
    /// The principal makes no requests.
    #[error("`request.principal` cannot be used")]
    Requester(#[source] InvalidRequester),
    /// A policy cannot be understood.
    #[error("`{at}` cannot be used")]
    Policy {
        /// Which.
        at: String,
        /// Why.
        source: InvalidPolicy,
    },
}

/// Answers lines, and keeps the policies that it has met ready for the next one.
#[derive(Debug, Default)]
pub struct Batch {
    kept: HashMap<String, Arc<Compiled>>,
}

/// A request and its policies, read from a line.
#[derive(Debug, Clone)]
pub struct Case {
    /// The line's own name for it; `null` where it has none.
    pub id: Value,
    /// The request.
    pub request: Request,
    /// The policies.
    pub policies: Policies,
    /// Fields of the line that mean nothing here.
    pub ignored: Vec<String>,
}

impl Batch {
    /// The answer to one line, and whether it is an answer: else it holds an `error`.
    pub fn answer(&mut self, line: &str) -> (Value, bool) {
        let object = match object(line) {
            Ok(object) => object,
            Err(error) => return (json!({ "id": null, "error": sentence(&error) }), false),
        };
        let id = object.get("id").cloned().unwrap_or_default();
        match self.read(&object) {
            Ok(case) => {
                let decision = evaluate(&case.request, &case.policies);
                let by = by(&decision, &case.policies);
                let mut answer = json!({ "id": id, "decision": decision.outcome.as_str(), "by": by });
                if !case.ignored.is_empty()
                    && let Some(answer) = answer.as_object_mut()
                {
                    answer.insert("ignored".to_owned(), json!(case.ignored));
                }
                (answer, true)
            }
            Err(error) => (json!({ "id": id, "error": sentence(&error) }), false),
        }
    }

    /// Reads a line without answering it.
    pub fn case(&mut self, line: &str) -> Result<Case, InvalidLine> {
        self.read(&object(line)?)
    }

    fn read(&mut self, object: &Map<String, Value>) -> Result<Case, InvalidLine> {
        let request = read_request(object.get("request").unwrap_or(&Value::Null))?;
        let policies = Policies {
            identity: self.list("identity", object.get("identity"))?,
            resource: self.one("resource_policy", object.get("resource_policy"))?,
            boundary: self.one("boundary", object.get("boundary"))?,
            session: self.one("session", object.get("session"))?,
            scps: self.levels("scps", object.get("scps"))?,
            rcps: self.levels("rcps", object.get("rcps"))?,
            endpoint: self.one("endpoint", object.get("endpoint"))?,
            s3: None,
        };
        let ignored = object.keys().filter(|name| !FIELDS.contains(&name.as_str())).cloned().collect();
        Ok(Case { id: object.get("id").cloned().unwrap_or_default(), request, policies, ignored })
    }

    fn levels(&mut self, at: &str, value: Option<&Value>) -> Result<Vec<Vec<Arc<Compiled>>>, InvalidLine> {
        let levels = match value {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(levels)) => levels,
            Some(_) => return Err(unexpected(at, "a list of levels, each a list of policies")),
        };
        let mut read = Vec::with_capacity(levels.len());
        for (index, level) in levels.iter().enumerate() {
            let at = format!("{at}[{index}]");
            if !level.is_array() {
                return Err(unexpected(at, "a list of policies: one for each level from the root down"));
            }
            read.push(self.list(&at, Some(level))?);
        }
        Ok(read)
    }

    fn list(&mut self, at: &str, value: Option<&Value>) -> Result<Vec<Arc<Compiled>>, InvalidLine> {
        let list = match value {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(list)) => list.as_slice(),
            Some(single @ Value::Object(_)) => std::slice::from_ref(single),
            Some(_) => return Err(unexpected(at, "a list of policies")),
        };
        let mut read = Vec::with_capacity(list.len());
        for (index, document) in list.iter().enumerate() {
            // A `null` among others is a policy that allows nothing: the numbers of the others stay.
            read.push(self.one(&format!("{at}[{index}]"), Some(document))?.unwrap_or_default());
        }
        Ok(read)
    }

    fn one(&mut self, at: &str, value: Option<&Value>) -> Result<Option<Arc<Compiled>>, InvalidLine> {
        let document = match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(list)) if list.is_empty() => return Ok(None),
            Some(document) => document,
        };
        let key = document.to_string();
        if let Some(kept) = self.kept.get(&key) {
            return Ok(Some(kept.clone()));
        }
        let policy = Policy::from_value(document)
            .map_err(|source| InvalidLine::Policy { at: at.to_owned(), source })?
            .map(|policy| Arc::new(Compiled::of(&policy)));
        if let Some(policy) = &policy {
            if self.kept.len() >= POLICIES_KEPT_MAX {
                self.kept.clear();
            }
            self.kept.insert(key, policy.clone());
        }
        Ok(policy)
    }
}

/// What decided, as it is printed.
pub fn by(decision: &Decision, policies: &Policies) -> Value {
    let place = decision.place;
    let policy = match decision.layer {
        Layer::Identity => place.policy.and_then(|index| policies.identity.get(index)),
        Layer::Scp => place.level.zip(place.policy).and_then(|(level, index)| policies.scps.get(level)?.get(index)),
        Layer::Rcp => place.level.zip(place.policy).and_then(|(level, index)| policies.rcps.get(level)?.get(index)),
        Layer::Resource => policies.resource.as_ref(),
        Layer::Boundary => policies.boundary.as_ref(),
        Layer::Session => policies.session.as_ref(),
        Layer::Endpoint => policies.endpoint.as_ref(),
        Layer::BlockPublicAccess | Layer::Acl | Layer::Root | Layer::Service => None,
    };
    let sid = place.statement.and_then(|statement| policy?.sid(statement));
    let mut by = json!({ "layer": decision.layer.as_str() });
    if let Some(by) = by.as_object_mut() {
        let is_many = matches!(decision.layer, Layer::Identity | Layer::Scp | Layer::Rcp);
        let numbers =
            [("level", place.level), ("policy", place.policy.filter(|_| is_many)), ("statement", place.statement)];
        by.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?)))));
        by.extend(sid.map(|sid| ("sid".to_owned(), json!(sid))));
    }
    by
}

fn object(line: &str) -> Result<Map<String, Value>, InvalidLine> {
    if line.len() > LINE_BYTES_MAX {
        return Err(InvalidLine::TooLong);
    }
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(InvalidLine::Json(None)),
        Err(error) => Err(InvalidLine::Json(Some(error))),
    }
}

fn unexpected(at: impl Into<String>, expected: &'static str) -> InvalidLine {
    InvalidLine::Unexpected { at: at.into(), expected }
}

fn read_request(value: &Value) -> Result<Request, InvalidLine> {
    let object = value.as_object().ok_or_else(|| unexpected("request", "an object"))?;
    let text = |name: &str| {
        let text = object.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| unexpected(format!("request.{name}"), "a text"))
    };
    let action = text("action")?;
    let is_action = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if !is_action || action.contains(['*', '?']) {
        return Err(unexpected("request.action", "one action (`s3:GetObject`)"));
    }
    let principal = read_principal(object.get("principal").unwrap_or(&Value::Null))?;
    let mut request = Request::new(action, text("resource")?, principal);
    match object.get("resource_account") {
        None | Some(Value::Null) => {}
        Some(Value::String(account)) if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) => {
            request = request.with_resource_account(account);
        }
        Some(_) => return Err(unexpected("request.resource_account", "an account id (twelve digits)")),
    }
    Ok(request.with_context(read_context(object.get("context").unwrap_or(&Value::Null))?))
}

fn read_principal(value: &Value) -> Result<Requester, InvalidLine> {
    let object = value.as_object().ok_or_else(|| unexpected("request.principal", "an object"))?;
    let text = |name: &str| {
        let text = object.get(name).and_then(Value::as_str);
        text.ok_or_else(|| unexpected(format!("request.principal.{name}"), "a text"))
    };
    let requester = match text("type")? {
        "aws" => Requester::from_arn(text("arn")?).map_err(InvalidLine::Requester)?,
        "service" => Requester::service(text("service")?).map_err(InvalidLine::Requester)?,
        "federated" => Requester::federated(text("provider")?),
        "anonymous" => Requester::anonymous(),
        _ => return Err(unexpected("request.principal.type", "`aws`, `service`, `federated` or `anonymous`")),
    };
    let requester = match object.get("user") {
        Some(_) => requester.with_user(text("user")?),
        None => requester,
    };
    Ok(match object.get("canonical_user") {
        Some(_) => requester.with_canonical_user(text("canonical_user")?),
        None => requester,
    })
}

fn read_context(value: &Value) -> Result<Context, InvalidLine> {
    let object = match value {
        Value::Null => return Ok(Context::default()),
        Value::Object(object) => object,
        _ => return Err(unexpected("request.context", "an object")),
    };
    let mut context = Context::default();
    for (key, value) in object {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(bool) => Ok(bool.to_string()),
            _ => Err(unexpected(format!("request.context.{key}"), "a text or a list of texts")),
        };
        let values = match value {
            Value::Null => Vec::new(),
            Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
            single => vec![text(single)?],
        };
        context.insert(key, values);
    }
    Ok(context)
}

/// The error and its causes as one sentence.
fn sentence(error: &InvalidLine) -> String {
    let mut sentence = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        cause = error.source();
    }
    sentence
}
