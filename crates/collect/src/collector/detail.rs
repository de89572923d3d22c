//! Asks one detail of a few items.

use std::collections::BTreeMap;

use futures::future::join_all;
use jmespath::{Rcvar, Variable};
use serde_json::Value;
use yagura_model::{Cause, CouldNotLook};

use super::api::{Call, Failure};
use super::calls::{Answer, Ask, canonical};
use super::item::Item;
use super::reading::{Reading, expected};
use crate::types::{Batch, Detail};

/// What a detail came to for one item.
#[derive(Clone)]
pub(super) enum Answered {
    /// Its value; null where it is not set or was not asked.
    Value(Rcvar),
    /// It could not be read.
    Failed(CouldNotLook),
    /// The item went away meanwhile.
    Gone,
}

impl Item {
    /// Keeps what a detail came to.
    pub(super) fn take(&mut self, into: &str, answered: Answered) {
        match answered {
            Answered::Value(value) => {
                self.details.insert(into.to_owned(), value);
            }
            Answered::Failed(cause) => {
                self.failed.insert(into.to_owned(), cause);
            }
            Answered::Gone => self.gone = true,
        }
    }
}

/// A call about to be made for an item.
struct Prepared {
    region: String,
    input: Value,
    /// The item's own element, with `pick` and `batch`.
    of: Option<String>,
}

impl Reading<'_> {
    /// One answer for each item, in their order.
    pub(super) async fn detail(&self, detail: &Detail, items: &[Item]) -> Vec<Answered> {
        if let Some(batch) = &detail.batch {
            return self.in_batches(detail, batch, items).await;
        }
        join_all(items.iter().map(|item| async move {
            let prepared = match self.before(detail, item).await {
                Ok(prepared) => prepared,
                Err(answered) => return answered,
            };
            let answer = self.ask(detail, &prepared, detail.once_an_item).await;
            self.after(detail, &prepared, &answer)
        }))
        .await
    }

    /// What is to be asked for an item, or what the detail is without asking.
    async fn before(&self, detail: &Detail, item: &Item) -> Result<Prepared, Answered> {
        if let Some(cause) = item.blocked(&detail.reads) {
            return Err(Answered::Failed(cause.clone()));
        }
        let failed = |error| Answered::Failed(self.malformed(&detail.service, &detail.operation, error));
        let object = item.object(self.place);
        if let Some(when) = &detail.when
            && !when.search(&object).map_err(failed)?.is_truthy()
        {
            return Err(Answered::Value(Rcvar::new(Variable::Null)));
        }
        let input = self.run.calls.widened(detail, detail.input.render(&object).map_err(failed)?);
        let region = self.region_of(detail.region.as_ref(), &object).map_err(failed)?;
        let of = match (&detail.pick, &detail.batch) {
            (Some(pick), _) => Some(&pick.of),
            (None, Some(batch)) => Some(&batch.of),
            (None, None) => None,
        };
        let of = match of {
            Some(of) => {
                Some(of.render_text(&object).map_err(failed)?.ok_or_else(|| failed("`of` is null".to_owned()))?)
            }
            None => None,
        };
        if let Some(prepare) = &detail.prepare {
            let input = prepare.input.render(&object).map_err(failed)?;
            let call = Call { service: &detail.service, region: &region, operation: &prepare.operation, input: &input };
            if let Some(failure) = self.run.calls.prepare(call, prepare).await {
                return Err(self.failed(detail, &failure));
            }
        }
        Ok(Prepared { region, input, of })
    }

    async fn ask(&self, detail: &Detail, prepared: &Prepared, once_an_item: bool) -> std::sync::Arc<Answer> {
        let call = Call {
            service: &detail.service,
            region: &prepared.region,
            operation: &detail.operation,
            input: &prepared.input,
        };
        self.run.calls.pages(Ask { call, place: &self.place.asked, once_an_item }).await
    }

    fn after(&self, detail: &Detail, prepared: &Prepared, answer: &Answer) -> Answered {
        if let Some(failure) = answer.failure() {
            return self.failed(detail, failure);
        }
        let Some(items) = &detail.items else {
            return Answered::Value(answer.whole());
        };
        let found = match &*answer.items(items) {
            Ok(list) => match (&detail.pick, &prepared.of) {
                (Some(pick), Some(of)) => list.pick(&pick.key, of).map(|found| {
                    if pick.many {
                        return Rcvar::new(Variable::Array(found));
                    }
                    found.into_iter().next().unwrap_or_else(|| Rcvar::new(Variable::Null))
                }),
                _ => Ok(Rcvar::new(Variable::Array(list.all().to_vec()))),
            },
            Err(error) => Err(error.clone()),
        };
        match found {
            Ok(value) => Answered::Value(value),
            Err(error) => Answered::Failed(self.malformed(&detail.service, &detail.operation, error)),
        }
    }

    fn failed(&self, detail: &Detail, failure: &Failure) -> Answered {
        if expected(&detail.gone, failure) {
            return Answered::Gone;
        }
        if expected(&detail.not_set, failure) {
            return Answered::Value(Rcvar::new(Variable::Null));
        }
        Answered::Failed(self.cause(failure))
    }

    async fn in_batches(&self, detail: &Detail, batch: &Batch, items: &[Item]) -> Vec<Answered> {
        let prepared = join_all(items.iter().map(|item| self.before(detail, item))).await;
        let mut answers: Vec<Answered> = Vec::with_capacity(items.len());
        // Items whose calls differ in more than the list cannot share one.
        let mut groups: BTreeMap<(String, String), Vec<(usize, Prepared)>> = BTreeMap::new();
        for (position, prepared) in prepared.into_iter().enumerate() {
            match prepared {
                Ok(prepared) => {
                    let key = (prepared.region.clone(), canonical(&prepared.input));
                    groups.entry(key).or_default().push((position, prepared));
                    // Replaced below: every position of a group gets its answer.
                    answers.push(Answered::Value(Rcvar::new(Variable::Null)));
                }
                Err(answered) => answers.push(answered),
            }
        }
        let calls = groups.values().flat_map(|group| group.chunks(batch.size));
        for answered in join_all(calls.map(|group| self.batch(detail, batch, group))).await {
            for (position, answer) in answered {
                if let Some(place) = answers.get_mut(position) {
                    *place = answer;
                }
            }
        }
        answers
    }

    async fn batch(&self, detail: &Detail, batch: &Batch, group: &[(usize, Prepared)]) -> Vec<(usize, Answered)> {
        let Some((_, first)) = group.first() else { return Vec::new() };
        let mut wanted: Vec<Value> = Vec::new();
        for of in group.iter().filter_map(|(_, prepared)| prepared.of.clone()) {
            let of = Value::String(of);
            if !wanted.contains(&of) {
                wanted.push(of);
            }
        }
        let mut input = first.input.clone();
        if let Some(members) = input.as_object_mut() {
            members.insert(batch.input.clone(), Value::Array(wanted));
        }
        let asked = Prepared { region: first.region.clone(), input, of: None };
        let answer = self.ask(detail, &asked, true).await;
        let all = |answered: Answered| group.iter().map(|(position, _)| (*position, answered.clone())).collect();
        if let Some(failure) = answer.failure() {
            return all(self.failed(detail, failure));
        }
        let list = match &detail.items {
            Some(items) => answer.items(items),
            None => return all(Answered::Value(answer.whole())),
        };
        let list = match &*list {
            Ok(list) => list,
            Err(error) => {
                return all(Answered::Failed(self.malformed(&detail.service, &detail.operation, error.clone())));
            }
        };
        let own = |(position, prepared): &(usize, Prepared)| {
            let of = prepared.of.as_deref().unwrap_or_default();
            let found = list.pick(&batch.key, of);
            let answered = found.and_then(|found| match (batch.many, found.into_iter().next()) {
                (true, _) => list.pick(&batch.key, of).map(|found| Rcvar::new(Variable::Array(found))),
                (false, Some(element)) => Ok(element),
                (false, None) if batch.optional => Ok(Rcvar::new(Variable::Null)),
                (false, None) => Err("the answer leaves the item out".to_owned()),
            });
            let malformed = |error| CouldNotLook {
                cause: Cause::Failed,
                ..self.malformed(&detail.service, &detail.operation, error)
            };
            (*position, answered.map_or_else(|error| Answered::Failed(malformed(error)), Answered::Value))
        };
        group.iter().map(own).collect()
    }
}
