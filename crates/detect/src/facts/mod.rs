//! Facts: what is worked out of an event, by name, when a rule asks.
//!
//! Each source has one table of facts; a fact is a name, a sentence about it, and a pure function of the event and its
//! [`Context`](crate::Context). A rule names it as `fact.<name>`. The result is kept with the event, so a fact that
//! many rules use, or that another fact asks for, is found once.

pub(crate) mod cloudtrail;
pub(crate) mod dns;
pub(crate) mod vpcflow;

use std::borrow::Cow;

use rsigma_eval::EventValue;

use crate::event::Event;

/// How the name of a fact begins in a rule. No log of AWS has a field of this name.
pub const PREFIX: &str = "fact.";

/// One fact of a source.
#[derive(Debug, Clone, Copy)]
pub struct Fact {
    /// Its name without `fact.`; it may have dots.
    pub name: &'static str,
    /// What it is, in one English sentence.
    pub about: &'static str,
    /// Finds it: a pure function of the event and its context. Nothing where it does not apply.
    pub find: fn(&Event<'_>) -> Option<FactValue>,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Bool(bool),
    /// Several texts: a condition holds if it holds of one.
    Texts(Vec<String>),
}

impl FactValue {
    /// A text, if there is one with something in it.
    pub fn text(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(Self::Text(text))
    }

    /// Texts, if there are any; sorted, each once.
    pub fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Option<Self> {
        let mut texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        texts.sort_unstable();
        texts.dedup();
        (!texts.is_empty()).then_some(Self::Texts(texts))
    }

    pub(crate) fn as_event_value(&self) -> EventValue<'_> {
        match self {
            Self::Text(text) => EventValue::Str(Cow::Borrowed(text)),
            Self::Number(number) => EventValue::Int(*number),
            Self::Bool(value) => EventValue::Bool(*value),
            Self::Texts(texts) => {
                EventValue::Array(texts.iter().map(|text| EventValue::Str(Cow::Borrowed(text))).collect())
            }
        }
    }
}
