//! Reads one type in one place: the listing, then the details of each item.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use jmespath::{Rcvar, Variable};
use serde_json::{Map, Value};
use yagura_model::{Cause, CouldNotLook, Region, Seen};

use super::api::{Call, Failure};
use super::calls::Ask;
use super::item::{Item, Parent, resource};
use super::{Place, Run, Stopped};
use crate::types::expression::{Expression, Template};
use crate::types::{Code, Definition, ListCall};

/// How many listings of one type are under way at once, where it is listed for each of many parents.
const LISTS_AT_ONCE: usize = 8;
/// How many items (or batches of items) of one type are described at once.
const ITEMS_AT_ONCE: usize = 16;

/// The ids that have been given already, so that nothing is given twice.
pub(super) type Known = Mutex<HashSet<(Region, String)>>;

/// What a reading leaves for the types that are listed for its resources.
#[derive(Default)]
pub(super) struct Read {
    pub(super) parents: Vec<Arc<Parent>>,
    pub(super) failure: Option<CouldNotLook>,
}

/// A type in a place, while it is read.
pub(super) struct Reading<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) definition: &'a Definition,
    pub(super) place: &'a Place,
    pub(super) known: Arc<Known>,
    /// Whether others are listed for its resources.
    pub(super) keep: bool,
}

impl Reading<'_> {
    /// Reads everything, giving observations on the way; the last of them says whether the listing is complete.
    pub(super) async fn read(&self, above: Option<&Read>) -> Result<Read, Stopped> {
        let mut failure = above.and_then(|above| above.failure.clone());
        let (items, incomplete) = self.list(above).await;
        failure = failure.or(incomplete);
        let mut read = Read::default();
        let mut chunks =
            stream::iter(in_chunks(items, self.definition)).map(|chunk| self.chunk(chunk)).buffered(ITEMS_AT_ONCE);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            read.parents.extend(chunk.parents);
            failure = failure.or(chunk.failure);
        }
        let (kind, account) = (self.definition.kind.clone(), self.place.account.clone());
        let region = self.place.recorded.clone();
        self.run
            .give(match &failure {
                Some(cause) => Seen::Unlisted { kind, account, region, cause: cause.clone() },
                None => Seen::Listed { kind, account, region },
            })
            .await?;
        read.failure = failure;
        Ok(read)
    }

    async fn list(&self, above: Option<&Read>) -> (Vec<Item>, Option<CouldNotLook>) {
        let list = &self.definition.list;
        let Some(call) = &list.call else {
            return (vec![Item::new(Rcvar::new(Variable::Object(BTreeMap::new())), None)], None);
        };
        let parents: Vec<Option<Arc<Parent>>> = match above {
            Some(above) => above.parents.iter().cloned().map(Some).collect(),
            None => vec![None],
        };
        let lists: Vec<_> = stream::iter(parents)
            .map(|parent| async move { self.list_for(call, parent).await })
            .buffered(LISTS_AT_ONCE)
            .collect()
            .await;
        let mut items = Vec::new();
        let mut failure = None;
        for (found, incomplete) in lists {
            items.extend(found);
            failure = failure.or(incomplete);
        }
        if self.run.one_of_each {
            items.truncate(1);
        }
        (items, failure)
    }

    async fn list_for(&self, call: &ListCall, parent: Option<Arc<Parent>>) -> (Vec<Item>, Option<CouldNotLook>) {
        let mut items = Vec::new();
        // The listing itself sees no item; an item without content lends what it knows of the parent.
        let before = Item::new(Rcvar::new(Variable::Null), parent.clone());
        match self.wanted(call, &before) {
            Ok(true) => {}
            Ok(false) => return (items, None),
            Err(cause) => return (items, Some(cause)),
        }
        for input in &call.inputs {
            let reads: Vec<&Expression> =
                input.expressions().into_iter().chain(call.region.iter().flat_map(Template::expressions)).collect();
            if let Some(cause) = reads.iter().find_map(|expression| before.blocked(expression.reads())) {
                return (items, Some(cause.clone()));
            }
            let object = before.object(self.place);
            let rendered =
                input.render(&object).and_then(|input| Ok((input, self.region_of(call.region.as_ref(), &object)?)));
            let (input, region) = match rendered {
                Ok(rendered) => rendered,
                Err(error) => return (items, Some(self.malformed(&call.service, &call.operation, error))),
            };
            let asked = Call { service: &call.service, region: &region, operation: &call.operation, input: &input };
            let answer = self.run.calls.pages(Ask { call: asked, place: &self.place.asked, once_an_item: false }).await;
            match &*answer.items(&call.items) {
                Ok(found) => items.extend(found.all().iter().map(|item| Item::new(item.clone(), parent.clone()))),
                Err(error) => return (items, Some(self.malformed(&call.service, &call.operation, error.clone()))),
            }
            if let Some(failure) = answer.failure()
                && !expected(&call.not_set, failure)
            {
                return (items, Some(self.cause(failure)));
            }
        }
        (items, None)
    }

    /// Whether a parent is to be asked about at all.
    fn wanted(&self, call: &ListCall, before: &Item) -> Result<bool, CouldNotLook> {
        let (Some(when), Some(parent)) = (&self.definition.list.when, &before.parent) else {
            return Ok(true);
        };
        let blocked = when.reads().iter().find_map(|name| match name.as_str() {
            "*" | "parent" => parent.failed.values().next(),
            name => parent.failed.get(name.strip_prefix("parent.").unwrap_or(name)),
        });
        if let Some(cause) = blocked {
            return Err(cause.clone());
        }
        // The parent's names are seen as they are, and behind `parent` as everywhere else.
        let mut members = before.object(self.place).as_object().cloned().unwrap_or_default();
        members.extend(parent.object.as_object().cloned().unwrap_or_default());
        members.insert("parent".to_owned(), parent.object.clone());
        let answer = when.search(&Rcvar::new(Variable::Object(members)));
        answer.map(|value| value.is_truthy()).map_err(|error| self.malformed(&call.service, &call.operation, error))
    }

    /// Describes a few items together and gives their resources.
    async fn chunk(&self, mut items: Vec<Item>) -> Result<Read, Stopped> {
        let levels = self.definition.details.iter().map(|detail| detail.level + 1).max().unwrap_or(0);
        for level in 0..levels {
            let details = self.definition.details.iter().filter(|detail| detail.level == level);
            let described = &items;
            let answers =
                join_all(details.map(|detail| async move { (detail, self.detail(detail, described).await) })).await;
            for (detail, answers) in answers {
                for (item, answer) in items.iter_mut().zip(answers) {
                    item.take(&detail.into, answer);
                }
            }
            items.retain(|item| !item.gone);
        }
        let mut read = Read::default();
        for item in items {
            let resource = match resource(self.definition, self.place, &item) {
                Ok(resource) => resource,
                Err(cause) => {
                    read.failure.get_or_insert(cause);
                    continue;
                }
            };
            let key = (resource.region.clone(), resource.id.clone());
            if !self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
                continue;
            }
            if self.keep {
                read.parents.push(Arc::new(item.into_parent(self.place, &resource.id)));
            }
            self.run.progress.count_resource();
            self.run.give(Seen::Resource(Box::new(resource))).await?;
        }
        Ok(read)
    }

    /// Where a call is asked.
    pub(super) fn region_of(&self, template: Option<&Template>, object: &Rcvar) -> Result<String, String> {
        match template {
            None => Ok(self.place.asked.clone()),
            Some(template) => template.render_text(object)?.ok_or_else(|| "the `region` to ask is null".to_owned()),
        }
    }

    /// What is kept of a failure, with the permission that the file names for the call.
    pub(super) fn cause(&self, failure: &Failure) -> CouldNotLook {
        let mut cause = (*failure.look).clone();
        if let Some(actions) = self.definition.permission(&cause.operation) {
            cause.action = actions.first().cloned();
        } else if cause.action.is_none() {
            cause.action = self.run.calls.iam_action(&cause.service, &cause.operation);
        }
        cause
    }

    pub(super) fn malformed(&self, service: &str, operation: &str, error: String) -> CouldNotLook {
        let call = Call { service, region: &self.place.asked, operation, input: &Value::Object(Map::new()) };
        *Failure::own(call, Cause::Malformed, error).look
    }
}

/// Whether an error is among those that a file expects.
pub(super) fn expected(codes: &[Code], failure: &Failure) -> bool {
    codes.iter().any(|code| code.is(&failure.code, &failure.message))
}

/// Items that are asked for together: as many as the largest batch takes, else each alone.
fn in_chunks(items: Vec<Item>, definition: &Definition) -> Vec<Vec<Item>> {
    let batches = definition.details.iter().filter_map(|detail| detail.batch.as_ref());
    let size = batches.map(|batch| batch.size).max().unwrap_or(1);
    let mut chunks = Vec::with_capacity(items.len().div_ceil(size));
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        chunks.push(items.by_ref().take(size).collect());
    }
    chunks
}
