//! Questions and answers as JSON: a line in, a line out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Answer, Approximation, ExternalAnswer, ExternalFinding, PUBLIC_TYPES, Pair, PublicAnswer, Verdict, Witness, Zone,
    external, public,
};
use crate::evaluate::{LINE_BYTES_MAX, RequesterKind};
use crate::policy::{Policy, Principal};

/// Answers `{"id", "existing", "new"}` with `{"id", "new_access", …}`, and says whether the line was understood; one that
/// was not is answered with `{"id", "error"}`.
pub fn compare_line(line: &str, as_written: bool) -> (Value, bool) {
    answered(line, |object| {
        let document = |name: &str| object.get(name).ok_or_else(|| format!("`{name}` is missing"));
        let pair = Pair::read(document("existing")?, document("new")?, as_written).map_err(chain)?;
        let answer = pair.compare(pair.kind()).map_err(chain)?;
        Ok(answer.to_json("new_access"))
    })
}

/// Answers `{"id", "resource_type", "policy"}` with `{"id", "public", "statements", …}` in the same way.
pub fn public_line(line: &str) -> (Value, bool) {
    answered(line, |object| {
        let kind = object.get("resource_type").and_then(Value::as_str).ok_or("`resource_type` is not a text")?;
        if !PUBLIC_TYPES.contains(&kind) {
            return Err(format!("`{kind}` is no resource type whose policy can be public"));
        }
        let document = object.get("policy").ok_or("`policy` is missing")?;
        let policy = Policy::from_value(document).map_err(chain)?;
        let answer = policy.map(|policy| public(&policy)).transpose().map_err(chain)?.unwrap_or_default();
        Ok(answer.to_json())
    })
}

/// Answers `{"id", "policy", "trusted": {"accounts", "organisations", "units", "vpc", "vpce"}}`, each a list, with
/// `{"id", "external", "findings"}` in the same way.
pub fn external_line(line: &str) -> (Value, bool) {
    answered(line, |object| {
        let trusted = object.get("trusted").unwrap_or(&Value::Null);
        let list = |name: &str| match trusted.get(name) {
            None => Ok(BTreeSet::new()),
            Some(list) => {
                let items = list.as_array().ok_or_else(|| format!("`trusted.{name}` is not a list"))?;
                let text = |item: &Value| {
                    item.as_str().map(str::to_owned).ok_or_else(|| format!("`trusted.{name}` holds what is no text"))
                };
                items.iter().map(text).collect()
            }
        };
        let zone = Zone {
            accounts: list("accounts")?,
            organisations: list("organisations")?,
            units: list("units")?,
            vpcs: list("vpc")?,
            endpoints: list("vpce")?,
        };
        let policy = Policy::from_value(object.get("policy").ok_or("`policy` is missing")?).map_err(chain)?;
        let answer = policy.map(|policy| external(&policy, &zone)).transpose().map_err(chain)?.unwrap_or_default();
        Ok(answer.to_json())
    })
}

fn answered(
    line: &str,
    answer: impl FnOnce(&Map<String, Value>) -> Result<Map<String, Value>, String>,
) -> (Value, bool) {
    let refused = |id: Value, problem: String| (json!({ "id": id, "error": problem }), false);
    if line.len() > LINE_BYTES_MAX {
        return refused(Value::Null, format!("the line is longer than {LINE_BYTES_MAX} bytes"));
    }
    let object = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return refused(Value::Null, "the line is not a JSON object".to_owned()),
        Err(error) => return refused(Value::Null, format!("the line is not a JSON object: {error}")),
    };
    let id = object.get("id").cloned().unwrap_or_default();
    match answer(&object) {
        Ok(answer) => {
            let mut whole = Map::from_iter([("id".to_owned(), id)]);
            whole.extend(answer);
            (Value::Object(whole), true)
        }
        Err(problem) => refused(id, problem),
    }
}

/// An error with its causes, in one sentence.
fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Answer {
    /// The answer, under the name that the question gives it: `true` with a `witness`, `false`, or `undecided` with a
    /// `reason`; and the names of its `approximations`.
    pub fn to_json(&self, name: &str) -> Map<String, Value> {
        let mut object = Map::new();
        match &self.verdict {
            Verdict::Access(witness) => {
                object.insert(name.to_owned(), json!(true));
                object.insert("witness".to_owned(), witness.to_json());
            }
            Verdict::NoAccess => {
                object.insert(name.to_owned(), json!(false));
            }
            Verdict::Undecided(why) => {
                object.insert(name.to_owned(), json!("undecided"));
                object.insert("reason".to_owned(), json!(why.to_string()));
            }
        }
        object.insert("approximations".to_owned(), names(&self.approximations));
        object
    }
}

impl PublicAnswer {
    /// The answer: `public` with the `statements` that make it so and a `witness`.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let public = match (self.statements.is_empty(), self.undecided) {
            (false, _) => json!(true),
            (true, None) => json!(false),
            (true, Some(why)) => {
                object.insert("reason".to_owned(), json!(why.to_string()));
                json!("undecided")
            }
        };
        object.insert("public".to_owned(), public);
        object.insert("statements".to_owned(), json!(self.statements));
        if let Some(witness) = &self.witness {
            object.insert("witness".to_owned(), witness.to_json());
        }
        object.insert("approximations".to_owned(), names(&self.approximations));
        object
    }
}

impl ExternalAnswer {
    /// The answer: whether there is any way in, and each of them.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let external = match (self.findings.is_empty(), self.undecided) {
            (false, _) => json!(true),
            (true, None) => json!(false),
            (true, Some(_)) => json!("undecided"),
        };
        object.insert("external".to_owned(), external);
        if let Some(why) = self.undecided {
            object.insert("reason".to_owned(), json!(why.to_string()));
        }
        object.insert("findings".to_owned(), self.findings.iter().map(ExternalFinding::to_json).collect());
        object
    }
}

impl ExternalFinding {
    /// The finding, its principal as a policy writes it.
    pub fn to_json(&self) -> Value {
        let principal = match &self.principal {
            Principal::Everyone => json!("*"),
            Principal::Aws(text) => json!({ "AWS": text }),
            Principal::Service(text) => json!({ "Service": text }),
            Principal::Federated(text) => json!({ "Federated": text }),
            Principal::CanonicalUser(text) => json!({ "CanonicalUser": text }),
        };
        json!({
            "statement": self.statement,
            "principal": principal,
            "actions": self.actions,
            "conditions": self.conditions,
            "is_public": self.is_public,
            "witness": self.witness.to_json(),
        })
    }
}

impl Witness {
    /// The request, and the statement that allows it.
    pub fn to_json(&self) -> Value {
        let request = &self.request;
        let given = request.context().iter().filter(|(_, values)| !values.is_empty());
        let context: Map<String, Value> = given.map(|(key, values)| (key.to_owned(), json!(values))).collect();
        json!({
            "action": self.action,
            "resource": request.resource(),
            "principal": { "type": kind(request.principal().kind()), "id": request.principal().as_str() },
            "context": context,
            "statement": self.statement,
        })
    }
}

fn kind(kind: RequesterKind) -> &'static str {
    match kind {
        RequesterKind::Root => "root",
        RequesterKind::User => "user",
        RequesterKind::Role => "role",
        RequesterKind::RoleSession => "session",
        RequesterKind::FederatedUser => "federated-user",
        RequesterKind::Federated => "federated",
        RequesterKind::Service => "service",
        RequesterKind::Anonymous => "anonymous",
    }
}

fn names(approximations: &BTreeSet<Approximation>) -> Value {
    approximations.iter().map(|approximation| approximation.name()).collect()
}
