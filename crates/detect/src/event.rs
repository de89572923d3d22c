//! One event, read once, with its fields, its facts, and what every source says of itself.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use rsigma_eval::EventValue;
use sonic_rs::{JsonContainerTrait, Value};

use crate::context::Context;
use crate::facts::vpcflow::Flow;
use crate::facts::{Fact, FactValue};
use crate::path;
use crate::source::Source;
use crate::time;

/// The largest event, in bytes: CloudTrail cuts its own at 256 KiB, a Kubernetes audit event may be 1 MiB.
pub const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An event as it comes, and what its delivery knows that it may not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Input<'i> {
    /// Which log it is from.
    pub source: &'static Source,
    /// The event: a JSON object. For logs that are no JSON, the row of the lake's table as one.
    pub text: &'i str,
    /// When, where the event does not say.
    pub time: Option<DateTime<Utc>>,
    /// Which event it is, where the event does not say.
    pub id: Option<&'i str>,
    /// The account, where the event does not say.
    pub account: Option<&'i str>,
    /// The region, where the event does not say.
    pub region: Option<&'i str>,
}

impl<'i> Input<'i> {
    /// An event that says everything itself.
    pub fn new(source: &'static Source, text: &'i str) -> Self {
        Self { source, text, time: None, id: None, account: None, region: None }
    }
}

/// An event that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is too long.
    #[error("the event is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// It is no JSON object.
    #[error("the event is not a JSON object: {0}")]
    NotJson(String),
    /// Nothing says when it happened.
    #[error("the event has no time")]
    NoTime,
}

/// An event, ready to be asked.
#[derive(Debug)]
pub struct Event<'c> {
    source: &'static Source,
    root: Value,
    context: &'c Context<'c>,
    time_ms: i64,
    id: Option<String>,
    account: Option<String>,
    region: Option<String>,
    facts: Vec<OnceCell<Option<FactValue>>>,
    flow: OnceCell<Option<Flow>>,
}

impl<'c> Event<'c> {
    /// Reads an event.
    pub fn read(input: &Input<'_>, context: &'c Context<'c>) -> Result<Self, EventError> {
        if input.text.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLong);
        }
        let root: Value = sonic_rs::from_str(input.text).map_err(|error| EventError::NotJson(reason(&error)))?;
        if root.as_object().is_none() {
            return Err(EventError::NotJson("it is something else".to_owned()));
        }
        let source = input.source;
        let first = |fields: &[&str]| fields.iter().find_map(|field| path::first_text(&root, field));
        let own_time = source.time.iter().find_map(|field| path::first(&root, field).and_then(time::of_value));
        let time_ms = own_time.or(input.time.map(|time| time.timestamp_millis())).ok_or(EventError::NoTime)?;
        let id = source.id_of(&root).or_else(|| input.id.map(str::to_owned));
        let account = first(source.account).or_else(|| input.account.map(str::to_owned));
        let region = first(source.region).or_else(|| input.region.map(str::to_owned));
        let facts = source.facts.iter().map(|_| OnceCell::new()).collect();
        Ok(Self { source, root, context, time_ms, id, account, region, facts, flow: OnceCell::new() })
    }

    /// Which log it is from.
    pub fn source(&self) -> &'static Source {
        self.source
    }

    /// When it happened.
    pub fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.time_ms).unwrap_or_default()
    }

    /// When it happened, in milliseconds since 1970.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Which event it is; nothing where neither it nor its delivery says.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its account.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// Its region.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// What it is called: CloudTrail's `eventName`, for instance.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        self.source.name_field.iter().find_map(|field| self.text(field))
    }

    /// What the caller knows: lists, places, own accounts.
    pub fn context(&self) -> &'c Context<'c> {
        self.context
    }

    /// The row of a flow log, read once for all facts of it.
    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.flow.get_or_init(|| Flow::of(self)).as_ref()
    }

    /// The JSON object itself.
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The value of a field, which may be a fact. Through lists it is every value there is.
    pub fn field(&self, path: &str) -> Option<EventValue<'_>> {
        if let Some(name) = path.strip_prefix(crate::facts::PREFIX) {
            return self.fact(name).map(FactValue::as_event_value);
        }
        path::get(&self.root, path)
    }

    /// The text of a field; of a number or a bool its text; of a list its first.
    pub fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        first_text(self.field(path)?)
    }

    /// Every text of a field: one, or those of a list.
    pub fn texts(&self, path: &str) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        if let Some(value) = self.field(path) {
            all_texts(value, &mut texts);
        }
        texts
    }

    /// The address that a field is.
    pub fn address(&self, path: &str) -> Option<IpAddr> {
        self.text(path)?.parse().ok()
    }

    /// A fact by its name without `fact.`, worked out on the first time it is asked for.
    pub fn fact(&self, name: &str) -> Option<&FactValue> {
        let number = self.source.facts.iter().position(|fact| fact.name == name)?;
        let (fact, cell): (&Fact, _) = (self.source.facts.get(number)?, self.facts.get(number)?);
        if let Some(known) = cell.get() {
            return known.as_ref();
        }
        // Not `get_or_init`: a fact may ask for others, and one that came back to itself must not panic.
        let _ = cell.set((fact.find)(self));
        cell.get()?.as_ref()
    }
}

fn reason(error: &sonic_rs::Error) -> String {
    // The parser shows the place in the text, which may hold what belongs in no log.
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn first_text(value: EventValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        EventValue::Str(text) => Some(text),
        EventValue::Array(values) => values.into_iter().find_map(first_text),
        EventValue::Null | EventValue::Map(_) => None,
        plain => plain.as_str().map(|text| Cow::Owned(text.into_owned())),
    }
}

fn all_texts<'v>(value: EventValue<'v>, texts: &mut Vec<Cow<'v, str>>) {
    match value {
        EventValue::Array(values) => values.into_iter().for_each(|value| all_texts(value, texts)),
        other => texts.extend(first_text(other)),
    }
}

impl rsigma_eval::Event for Event<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.field(path)
    }

    fn any_string_value(&self, predicate: &dyn Fn(&str) -> bool) -> bool {
        path::any_text(&self.root, predicate, path::DEPTH_MAX)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        path::each_text(&self.root, &mut |text| texts.push(Cow::Borrowed(text)), path::DEPTH_MAX);
        texts
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        path::each_text(&self.root, &mut |text| visit(text), path::DEPTH_MAX);
    }

    fn to_json(&self) -> serde_json::Value {
        path::event_value(&self.root, path::DEPTH_MAX).to_json()
    }
}

#[cfg(test)]
mod tests;
