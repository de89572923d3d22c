//! The answers of a test, given to whoever asks.

use std::sync::Mutex;

use futures::future::{BoxFuture, ready};
use serde_json::Value;
use yagura_model::{Cause, CouldNotLook};

use crate::collector::{Api, Call, Failure, Pages};

/// What a test answers, by operation.
pub(super) struct Answers {
    operations: Vec<(String, Vec<Case>)>,
    asked: Mutex<Vec<String>>,
    fault: Option<(String, Fault)>,
}

/// Something that goes wrong with one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The permission is missing.
    Denied,
    /// AWS asks to slow down.
    Throttled,
    /// The client cannot understand the answer.
    Malformed,
    /// The answer is JSON, but not an object.
    Garbage,
    /// The second page does not come.
    Torn,
}

impl Fault {
    /// Every fault.
    pub(super) const ALL: [Self; 5] = [Self::Denied, Self::Throttled, Self::Malformed, Self::Garbage, Self::Torn];

    fn on(self, call: Call<'_>, pages: Result<Vec<Value>, Failure>) -> Pages {
        let failure = |cause, code: &str| {
            let mut failure = Failure::own(call, cause, code);
            code.clone_into(&mut failure.code);
            Some(failure)
        };
        match self {
            Self::Denied => Pages { pages: Vec::new(), failure: failure(Cause::Denied, "InjectedAccessDenied") },
            Self::Throttled => Pages { pages: Vec::new(), failure: failure(Cause::Throttled, "InjectedThrottling") },
            Self::Malformed => Pages { pages: Vec::new(), failure: failure(Cause::Malformed, "") },
            Self::Garbage => Pages { pages: vec![Value::from("garbage")], failure: None },
            Self::Torn => {
                let pages = pages.unwrap_or_default();
                Pages { pages, failure: failure(Cause::Unreachable, "InjectedTimeout") }
            }
        }
    }
}

/// One answer, for the inputs that hold everything in `input`.
struct Case {
    input: Value,
    answer: Answer,
}

enum Answer {
    Pages(Vec<Value>),
    Error { code: String, message: String },
}

impl Answers {
    /// Reads the `answers` of a test; the error says what was expected.
    pub(super) fn parse(given: &[(String, Value)]) -> Result<Self, String> {
        let mut operations = Vec::new();
        for (operation, value) in given {
            let cases = match value {
                Value::Array(elements) => {
                    elements.iter().map(|element| case(operation, element)).collect::<Result<_, _>>()?
                }
                Value::Object(_) => vec![Case { input: Value::Null, answer: answer(value) }],
                _ => return Err(format!("the answer of `{operation}` is neither an object nor a list of cases")),
            };
            operations.push((operation.clone(), cases));
        }
        Ok(Self { operations, asked: Mutex::default(), fault: None })
    }

    /// The operations whose answers nobody wanted: most often a misspelt name.
    pub(super) fn unused(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.operations.iter().map(|(operation, _)| operation.clone()).filter(|name| !asked.contains(name)).collect()
    }

    /// The same answers, but for one operation (`service:Operation`).
    pub(super) fn with_fault(self, operation: &str, fault: Fault) -> Self {
        Self { fault: Some((operation.to_owned(), fault)), ..self }
    }

    fn pages(&self, call: Call<'_>) -> Pages {
        let found = self.find(call);
        match &self.fault {
            Some((operation, fault)) if *operation == format!("{}:{}", call.service, call.operation) => {
                fault.on(call, found)
            }
            _ => match found {
                Ok(pages) => Pages { pages, failure: None },
                Err(failure) => Pages { pages: Vec::new(), failure: Some(failure) },
            },
        }
    }

    fn find(&self, call: Call<'_>) -> Result<Vec<Value>, Failure> {
        let full = format!("{}:{}", call.service, call.operation);
        let found = self.operations.iter().find(|(operation, _)| *operation == call.operation || *operation == full);
        let Some((operation, cases)) = found else {
            return Err(Failure::own(call, Cause::Failed, "the test has no answer"));
        };
        let mut asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        asked.push(operation.clone());
        let case = cases.iter().find(|case| holds(call.input, &case.input));
        match case.map(|case| &case.answer) {
            None => Err(Failure::own(call, Cause::Failed, "the test has no answer for this input")),
            Some(Answer::Pages(pages)) => Ok(pages.clone()),
            Some(Answer::Error { code, message }) => Err(Failure {
                look: Box::new(CouldNotLook {
                    service: call.service.to_owned(),
                    operation: call.operation.to_owned(),
                    cause: if code.contains("Denied") { Cause::Denied } else { Cause::Failed },
                    error: code.clone(),
                    action: None,
                }),
                code: code.clone(),
                message: message.clone(),
            }),
        }
    }
}

fn case(operation: &str, element: &Value) -> Result<Case, String> {
    let input = element.get("input").filter(|input| input.is_object());
    let given = element.get("answer").or_else(|| element.get("error").map(|_| element));
    match (input, given) {
        (Some(input), Some(given)) => Ok(Case { input: input.clone(), answer: answer(given) }),
        _ => Err(format!("a case of `{operation}` needs `input`, and `answer` or `error`")),
    }
}

fn answer(value: &Value) -> Answer {
    if let Some(code) = value.get("error").and_then(Value::as_str) {
        // As in `not_set`: the code, and the message where it matters.
        let (code, message) = code.split_once(": ").unwrap_or((code, ""));
        return Answer::Error { code: code.to_owned(), message: message.to_owned() };
    }
    match (value.as_object().map(serde_json::Map::len), value.get("pages").and_then(Value::as_array)) {
        (Some(1), Some(pages)) => Answer::Pages(pages.clone()),
        _ => Answer::Pages(vec![value.clone()]),
    }
}

/// Whether `given` has everything that `wanted` has.
fn holds(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (_, Value::Null) => true,
        (Value::Object(given), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| given.get(key).is_some_and(|given| holds(given, wanted)))
        }
        _ => given == wanted,
    }
}

impl Api for Answers {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
        let answer = self.pages(call);
        Box::pin(ready(match answer.failure {
            Some(failure) => Err(failure),
            None => Ok(answer.pages.into_iter().next().unwrap_or_default()),
        }))
    }

    fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
        Box::pin(ready(Self::pages(self, call)))
    }

    fn iam_action(&self, service: &str, operation: &str) -> Option<String> {
        Some(format!("{service}:{operation}"))
    }
}
