//! Calls made once: whoever asks the same of the same region with the same input gets the same answer.
//!
//! An answer is kept while some type that makes the call has yet to be read in that region, and no longer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures::future::BoxFuture;
use jmespath::{Rcvar, Variable};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use yagura_model::{Cause, ResourceType};

use super::Progress;
use super::api::{Api, Call, Clock, Failure, Pages};
use crate::types::expression::{Expression, as_text, to_json, to_variable};
use crate::types::{Definition, Detail, Prepare};

/// How many calls are under way at once. The client has limits of its own for each service; this one bounds sockets
/// and answers in memory.
const CALLS_AT_ONCE: usize = 64;
/// How many pages one listing may have; 100 items a page make a million items.
const PAGES_MAX: usize = 10_000;
/// How many answers of one operation are kept in one region. Beyond that a call may be made twice.
const KEPT_MAX: usize = 20_000;
/// How long a list that types ask together may be: what `GetResources` takes of types. A longer one is asked type by type.
const TOGETHER_MAX: usize = 100;
/// How often a preparation is asked for; a credential report takes some seconds.
const PREPARE_TRIES: u32 = 20;
/// How long to wait between two of these.
const PREPARE_WAIT: std::time::Duration = std::time::Duration::from_secs(3);

/// The calls of one run.
pub(super) struct Calls<'a> {
    api: &'a dyn Api,
    clock: &'a dyn Clock,
    progress: &'a Progress,
    slots: Semaphore,
    operations: HashMap<Operation, Askers>,
    kept: Mutex<HashMap<Group, Kept>>,
    prepared: Mutex<HashMap<Preparation, Arc<OnceCell<Option<Failure>>>>>,
    together: HashMap<Shared, Vec<Value>>,
}

/// Service, operation, list and the rest of the input of a call that several types ask together.
type Shared = (String, String, String, String);

/// Operation, region and input of a preparation.
type Preparation = (String, String, String);

/// Service and operation.
type Operation = (String, String);

/// Answers that are dropped together. Without a place where some type asks it in regions other than its own.
type Group = (Operation, Option<String>);

/// Who makes a call, over all the types of the run.
struct Askers {
    types: usize,
    roaming: bool,
}

struct Kept {
    /// How many readings of a type in a place are still to come or under way that may ask this.
    readings: usize,
    answers: HashMap<(String, String), Arc<OnceCell<Arc<Answer>>>>,
}

/// A question, and whether someone else may ask it again.
pub(super) struct Ask<'a> {
    pub(super) call: Call<'a>,
    /// The place where the asking type is read.
    pub(super) place: &'a str,
    /// Whether no other item of the type can ask it.
    pub(super) once_an_item: bool,
}

impl<'a> Calls<'a> {
    /// `readings` are all the types and places of the run.
    pub(super) fn new<'b>(
        api: &'a dyn Api,
        clock: &'a dyn Clock,
        progress: &'a Progress,
        readings: impl Iterator<Item = (&'b Definition, &'b str)> + Clone,
    ) -> Self {
        let mut operations: HashMap<Operation, Askers> = HashMap::new();
        let mut counted: Vec<&ResourceType> = Vec::new();
        for (definition, _) in readings.clone() {
            if counted.contains(&definition.kind()) {
                continue;
            }
            counted.push(definition.kind());
            for (service, operation) in definition.operations() {
                let askers = operations
                    .entry((service.to_owned(), operation.to_owned()))
                    .or_insert(Askers { types: 0, roaming: false });
                askers.types += 1;
                askers.roaming |= roams(definition, service, operation);
            }
        }
        let calls = Self {
            together: together(readings.clone().map(|(definition, _)| definition)),
            api,
            clock,
            progress,
            slots: Semaphore::new(CALLS_AT_ONCE),
            operations,
            kept: Mutex::default(),
            prepared: Mutex::default(),
        };
        for (definition, place) in readings {
            for (service, operation) in definition.operations() {
                let group = calls.group(service, operation, place);
                let mut kept = calls.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.entry(group).or_insert_with(|| Kept { readings: 0, answers: HashMap::new() }).readings += 1;
            }
        }
        calls
    }

    /// The input with the list that the types of the run ask together, where the detail shares one.
    pub(super) fn widened(&self, detail: &Detail, mut input: Value) -> Value {
        if let Some((shared, _)) = shared(detail, &input)
            && let Some(all) = self.together.get(&shared)
            && all.len() <= TOGETHER_MAX
            && let Some(members) = input.as_object_mut()
        {
            members.insert(shared.2, Value::Array(all.clone()));
        }
        input
    }

    /// Every page of an answer.
    pub(super) async fn pages(&self, ask: Ask<'_>) -> Arc<Answer> {
        let Some(cell) = self.cell(&ask) else {
            return Arc::new(self.ask(ask.call).await);
        };
        cell.get_or_init(|| async { Arc::new(self.ask(ask.call).await) }).await.clone()
    }

    /// Asks for a preparation until it is done; the failure is why it is not.
    pub(super) async fn prepare(&self, call: Call<'_>, prepare: &Prepare) -> Option<Failure> {
        let operation = format!("{}:{}", call.service, call.operation);
        let key = (operation, call.region.to_owned(), canonical(call.input));
        let once = {
            let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            prepared.entry(key).or_default().clone()
        };
        once.get_or_init(|| self.prepare_now(call, prepare)).await.clone()
    }

    /// A type has been read in a place: what only it could ask is dropped.
    pub(super) fn done(&self, definition: &Definition, place: &str) {
        for (service, operation) in definition.operations() {
            let group = self.group(service, operation, place);
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answers) = kept.get_mut(&group) {
                answers.readings = answers.readings.saturating_sub(1);
                if answers.readings == 0 {
                    kept.remove(&group);
                }
            }
        }
    }

    /// The IAM action that allows an operation.
    pub(super) fn iam_action(&self, service: &str, operation: &str) -> Option<String> {
        self.api.iam_action(service, operation)
    }

    /// How many answers are in memory.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.lock().unwrap().values().map(|kept| kept.answers.len()).sum()
    }

    fn group(&self, service: &str, operation: &str, place: &str) -> Group {
        let operation = (service.to_owned(), operation.to_owned());
        let roaming = self.operations.get(&operation).is_some_and(|askers| askers.roaming);
        (operation, (!roaming).then(|| place.to_owned()))
    }

    /// Where the answer is kept; none where nobody else can ask for it.
    fn cell(&self, ask: &Ask<'_>) -> Option<Arc<OnceCell<Arc<Answer>>>> {
        let group = self.group(ask.call.service, ask.call.operation, ask.place);
        let types = self.operations.get(&group.0).map_or(0, |askers| askers.types);
        if ask.once_an_item && types <= 1 {
            return None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = &mut kept.get_mut(&group)?.answers;
        let key = (ask.call.region.to_owned(), canonical(ask.call.input));
        if let Some(cell) = answers.get(&key) {
            return Some(cell.clone());
        }
        if answers.len() >= KEPT_MAX {
            return None;
        }
        Some(answers.entry(key).or_default().clone())
    }

    fn ask<'b>(&'b self, call: Call<'b>) -> BoxFuture<'b, Answer> {
        Box::pin(async move {
            // The semaphore is never closed; were it, going on without it would still be right.
            let slot = self.slots.acquire().await;
            let pages = self.api.pages(call, PAGES_MAX).await;
            drop(slot);
            self.progress.count_calls(pages.pages.len().max(1));
            Answer::new(call, pages)
        })
    }

    fn prepare_now<'b>(&'b self, call: Call<'b>, prepare: &'b Prepare) -> BoxFuture<'b, Option<Failure>> {
        Box::pin(async move {
            for turn in 0..PREPARE_TRIES {
                if turn > 0 {
                    self.clock.wait(PREPARE_WAIT).await;
                }
                let slot = self.slots.acquire().await;
                let answer = self.api.call(call).await;
                drop(slot);
                self.progress.count_calls(1);
                let answer = match answer {
                    Ok(answer) => answer,
                    Err(failure) => return Some(failure),
                };
                match prepare.until.search(&to_variable(&answer)) {
                    Ok(done) if done.is_truthy() => return None,
                    Ok(_) => {}
                    Err(error) => return Some(Failure::own(call, Cause::Malformed, error)),
                }
            }
            Some(Failure::own(call, Cause::Failed, format!("not ready after {PREPARE_TRIES} times")))
        })
    }
}

/// What is asked together, and what the detail itself asks of it.
fn shared(detail: &Detail, input: &Value) -> Option<(Shared, Vec<Value>)> {
    let name = detail.pick.as_ref()?.together.as_ref()?;
    let mut rest = input.as_object()?.clone();
    let own = rest.remove(name)?.as_array()?.clone();
    let rest = canonical(&Value::Object(rest));
    Some(((detail.service.clone(), detail.operation.clone(), name.clone(), rest), own))
}

/// For each call that types share the list that all of them need, without repetition and in a fixed order.
fn together<'b>(definitions: impl Iterator<Item = &'b Definition>) -> HashMap<Shared, Vec<Value>> {
    let mut together: HashMap<Shared, Vec<Value>> = HashMap::new();
    for detail in definitions.flat_map(|definition| &definition.details) {
        // Such an input has no places, so it is the same over any object.
        let Ok(input) = detail.input.render(&Rcvar::new(Variable::Null)) else { continue };
        if let Some((shared, own)) = shared(detail, &input) {
            let all = together.entry(shared).or_default();
            all.extend(own);
            all.sort_by_key(Value::to_string);
            all.dedup();
        }
    }
    together
}

fn roams(definition: &Definition, service: &str, operation: &str) -> bool {
    let list = definition.list.call.as_ref();
    let listed =
        list.is_some_and(|call| call.service == service && call.operation == operation && call.region.is_some());
    listed
        || definition.details.iter().any(|detail| {
            detail.service == service
                && detail.region.is_some()
                && (detail.operation == operation
                    || detail.prepare.as_ref().is_some_and(|prepare| prepare.operation == operation))
        })
}

/// The same text for inputs that differ only in the order of their keys.
pub(super) fn canonical(input: &Value) -> String {
    to_json(&to_variable(input)).to_string()
}

/// What was answered, as JMESPath sees it.
pub(super) struct Answer {
    pages: Vec<Rcvar>,
    failure: Option<Failure>,
    whole: OnceLock<Rcvar>,
    lists: Mutex<HashMap<String, Arc<Result<ItemList, String>>>>,
}

impl Answer {
    fn new(call: Call<'_>, pages: Pages) -> Self {
        let mut failure = pages.failure;
        let mut kept = Vec::with_capacity(pages.pages.len());
        for page in &pages.pages {
            if page.is_object() {
                kept.push(to_variable(page));
            } else if failure.is_none() {
                failure = Some(Failure::own(call, Cause::Malformed, "the answer is not an object"));
            }
        }
        if kept.is_empty() && failure.is_none() {
            failure = Some(Failure::own(call, Cause::Malformed, "no page was answered"));
        }
        Self { pages: kept, failure, whole: OnceLock::new(), lists: Mutex::default() }
    }

    /// Why it is not complete.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// All pages as one: what is a list on several pages is one list, anything else is as on the first.
    pub(super) fn whole(&self) -> Rcvar {
        let whole = self.whole.get_or_init(|| {
            let mut pages = self.pages.iter();
            let first = pages.next().cloned().unwrap_or_else(|| Rcvar::new(Variable::Null));
            pages.fold(first, |whole, page| join(&whole, page))
        });
        whole.clone()
    }

    /// The items on all pages; made once for an expression.
    pub(super) fn items(&self, items: &Expression) -> Arc<Result<ItemList, String>> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(items.text()) {
            return list.clone();
        }
        let list = Arc::new(ItemList::new(&self.pages, items));
        lists.insert(items.text().to_owned(), list.clone());
        list
    }
}

fn join(whole: &Rcvar, page: &Rcvar) -> Rcvar {
    match (&**whole, &**page) {
        (Variable::Array(first), Variable::Array(more)) => {
            Rcvar::new(Variable::Array(first.iter().chain(more).cloned().collect()))
        }
        (Variable::Object(first), Variable::Object(more)) => {
            let mut members = first.clone();
            for (key, value) in more {
                let joined = members.get(key).map_or_else(|| value.clone(), |known| join(known, value));
                members.insert(key.clone(), joined);
            }
            Rcvar::new(Variable::Object(members))
        }
        _ => whole.clone(),
    }
}

/// The items of an answer, found by their keys without looking at each.
pub(super) struct ItemList {
    items: Vec<Rcvar>,
    indexes: Mutex<BTreeMap<String, Arc<Index>>>,
}

type Index = HashMap<String, Vec<usize>>;

impl ItemList {
    fn new(pages: &[Rcvar], items: &Expression) -> Result<Self, String> {
        let mut all = Vec::new();
        for page in pages {
            let found = items.search(page)?;
            match &*found {
                Variable::Array(elements) => all.extend(elements.iter().filter(|element| !element.is_null()).cloned()),
                // Services leave an empty list out.
                Variable::Null => {}
                other => return Err(format!("`{}` gives a {}, not a list", items.text(), other.get_type())),
            }
        }
        Ok(Self { items: all, indexes: Mutex::default() })
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> &[Rcvar] {
        &self.items
    }

    /// Those whose `key` is `of`.
    pub(super) fn pick(&self, key: &Expression, of: &str) -> Result<Vec<Rcvar>, String> {
        let index = {
            let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = indexes.get(key.text()) {
                index.clone()
            } else {
                let index = Arc::new(self.index(key)?);
                indexes.insert(key.text().to_owned(), index.clone());
                index
            }
        };
        let found = index.get(of).map(Vec::as_slice).unwrap_or_default();
        Ok(found.iter().filter_map(|position| self.items.get(*position)).cloned().collect())
    }

    fn index(&self, key: &Expression) -> Result<Index, String> {
        let mut index = Index::new();
        for (position, item) in self.items.iter().enumerate() {
            if let Some(text) = as_text(&*key.search(item)?) {
                index.entry(text).or_default().push(position);
            }
        }
        Ok(index)
    }
}
