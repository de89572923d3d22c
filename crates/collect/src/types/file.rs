//! The YAML of a resource file as it is written, with the place of everything that can be wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor, value};
use serde_json::Value;
use serde_saphyr::Spanned;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) service: Text,
    pub(super) scope: Option<Text>,
    pub(super) list: Spanned<List>,
    #[serde(default)]
    pub(super) details: Vec<Detail>,
    pub(super) id: Text,
    pub(super) arn: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) region: Option<Text>,
    #[serde(default)]
    pub(super) properties: Pairs<Text>,
    #[serde(default)]
    pub(super) attributes: Pairs<Text>,
    pub(super) tags: Option<Text>,
    #[serde(default)]
    pub(super) relations: Vec<Relation>,
    #[serde(default)]
    pub(super) redact: Vec<Text>,
    #[serde(default)]
    pub(super) permissions: Pairs<Texts>,
    #[serde(default)]
    pub(super) tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) operation: Option<Text>,
    pub(super) service: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) input: Option<Spanned<Value>>,
    pub(super) items: Option<Text>,
    #[serde(rename = "for")]
    pub(super) parent: Option<Text>,
    pub(super) when: Option<Text>,
    #[serde(default)]
    pub(super) one: bool,
    #[serde(default)]
    pub(super) not_set: Vec<String>,
    #[serde(default)]
    pub(super) each: Vec<Spanned<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Detail {
    pub(super) into: Text,
    pub(super) operation: Text,
    pub(super) service: Option<Text>,
    pub(super) input: Option<Spanned<Value>>,
    pub(super) region: Option<Text>,
    pub(super) when: Option<Text>,
    pub(super) items: Option<Text>,
    #[serde(default)]
    pub(super) not_set: Vec<String>,
    #[serde(default)]
    pub(super) gone: Vec<String>,
    pub(super) pick: Option<Pick>,
    pub(super) batch: Option<Batch>,
    pub(super) prepare: Option<Prepare>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pick {
    pub(super) key: Text,
    pub(super) of: Text,
    #[serde(default)]
    pub(super) many: bool,
    pub(super) together: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    pub(super) input: Text,
    pub(super) of: Text,
    pub(super) size: Spanned<usize>,
    pub(super) key: Text,
    #[serde(default)]
    pub(super) many: bool,
    #[serde(default)]
    pub(super) optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prepare {
    pub(super) operation: Text,
    pub(super) input: Option<Spanned<Value>>,
    pub(super) until: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Relation {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) id: Text,
}

/// A test inside a resource file; see `docs/formats/resource-types.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub(super) name: Text,
    #[serde(default)]
    pub(super) answers: Pairs<Value>,
    #[serde(default)]
    pub(super) parents: Vec<Value>,
    pub(super) region: Option<String>,
    pub(super) account: Option<String>,
    pub(super) partition: Option<String>,
    pub(super) expect: Spanned<Expect>,
}

/// What a test expects.
pub(super) enum Expect {
    /// These resources, in this order.
    Resources(Vec<ExpectedResource>),
    /// A listing that fails.
    Unlisted,
}

#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectedResource {
    pub(crate) id: String,
    pub(crate) arn: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) region: Option<String>,
    #[serde(default)]
    pub(crate) properties: serde_json::Map<String, Value>,
    #[serde(default)]
    pub(crate) attributes: serde_json::Map<String, Value>,
    pub(crate) tags: Option<serde_json::Map<String, Value>>,
    pub(crate) relations: Option<Vec<yagura_model::Relation>>,
    pub(crate) unread: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = Expect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of resources, or `unlisted`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Expect, E> {
                match text {
                    "unlisted" => Ok(Expect::Unlisted),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Expect, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(elements)).map(Expect::Resources)
            }
        }
        deserializer.deserialize_any(Expected)
    }
}

/// One text, or a list of them.
#[derive(Default)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Texts, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(elements)).map(Texts)
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// A mapping in the order written, each key with its place.
pub(super) struct Pairs<T>(pub(super) Vec<(Text, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = members.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}
