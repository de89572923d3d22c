//! One item on its way from a listing to a resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jmespath::{Rcvar, Variable};
use serde_json::{Map, Value};
use yagura_model::{Arn, Cause, CouldNotLook, Partition, Region, Relation, Resource, Unread};

use super::Place;
use crate::redact::redact;
use crate::types::Definition;
use crate::types::expression::{Expression, Template, to_json};

/// A resource that others are listed for.
pub(crate) struct Parent {
    /// `item`, the details, `id`, and so on.
    pub(crate) object: Rcvar,
    /// The details that could not be read.
    pub(crate) failed: BTreeMap<String, CouldNotLook>,
}

/// What is known of an item so far.
pub(super) struct Item {
    /// What the list gave.
    pub(super) listed: Rcvar,
    pub(super) parent: Option<Arc<Parent>>,
    pub(super) details: BTreeMap<String, Rcvar>,
    pub(super) failed: BTreeMap<String, CouldNotLook>,
    pub(super) gone: bool,
}

impl Item {
    pub(super) fn new(listed: Rcvar, parent: Option<Arc<Parent>>) -> Self {
        Self { listed, parent, details: BTreeMap::new(), failed: BTreeMap::new(), gone: false }
    }

    /// What expressions see.
    pub(super) fn object(&self, place: &Place) -> Rcvar {
        let mut members = place.names();
        members.insert("item".to_owned(), self.listed.clone());
        if let Some(parent) = &self.parent {
            members.insert("parent".to_owned(), parent.object.clone());
        }
        members.extend(self.details.iter().map(|(name, value)| (name.clone(), value.clone())));
        Rcvar::new(Variable::Object(members))
    }

    /// Why a reader of these names cannot be evaluated, if so.
    pub(super) fn blocked(&self, reads: &BTreeSet<String>) -> Option<&CouldNotLook> {
        reads.iter().find_map(|name| {
            if name == "*" {
                return self.failed.values().next().or_else(|| self.parent.as_ref()?.failed.values().next());
            }
            if let Some(cause) = self.failed.get(name) {
                return Some(cause);
            }
            let parent = self.parent.as_ref()?;
            if name == "parent" || name == "parent.*" {
                return parent.failed.values().next();
            }
            parent.failed.get(name.strip_prefix("parent.")?)
        })
    }

    /// As a parent of other resources.
    pub(super) fn into_parent(self, place: &Place, id: &str) -> Parent {
        let mut members = match &*self.object(place) {
            Variable::Object(members) => members.clone(),
            _ => BTreeMap::new(),
        };
        members.insert("id".to_owned(), Rcvar::new(Variable::String(id.to_owned())));
        let mut failed = self.failed;
        // Whoever reads the parent's parent reads what may have failed there.
        if let Some(cause) = self.parent.as_ref().and_then(|above| above.failed.values().next()) {
            failed.insert("parent".to_owned(), cause.clone());
        }
        Parent { object: Rcvar::new(Variable::Object(members)), failed }
    }
}

/// Maps an item to its resource; the error is why not even its id is known.
pub(super) fn resource(definition: &Definition, place: &Place, item: &Item) -> Result<Resource, CouldNotLook> {
    let mapping = Mapping { definition, item, object: item.object(place) };
    let id = mapping.required(&definition.id, "id")?;
    let region = match &definition.region {
        Some(template) => Region::from(mapping.required(template, "region")?.as_str()),
        None => place.recorded.clone(),
    };
    let mut unread = Unreads::default();
    let mut properties = mapping.members(&definition.properties, "Properties", &mut unread);
    let mut attributes = mapping.members(&definition.attributes, "Attributes", &mut unread);
    redact(&definition.redact, &mut properties, &mut attributes);
    let arn = mapping.optional(definition.arn.as_ref(), "Arn", &mut unread);
    let name = mapping.optional(definition.name.as_ref(), "Name", &mut unread);
    let tags = definition.tags.as_ref().and_then(|tags| unread.catch("Tags", mapping.tags(tags)));
    let mut relations: Vec<Relation> = Vec::new();
    for (kind, expression) in &definition.relations {
        let ids = unread.catch(&format!("Relations.{kind}"), mapping.relation(expression));
        for id in ids.unwrap_or_default() {
            let relation = Relation { kind: kind.clone(), id };
            if !relations.contains(&relation) {
                relations.push(relation);
            }
        }
    }
    Ok(Resource {
        kind: definition.kind.clone(),
        account: place.account.clone(),
        region,
        id,
        arn: arn.map(|arn| Arn::from(arn.as_str())),
        name,
        properties,
        attributes,
        tags: tags.unwrap_or_default(),
        relations,
        unread: unread.0,
    })
}

/// What could not be read, the paths of one cause together.
#[derive(Default)]
struct Unreads(Vec<Unread>);

impl Unreads {
    fn catch<T>(&mut self, path: &str, value: Result<T, CouldNotLook>) -> Option<T> {
        let cause = match value {
            Ok(value) => return Some(value),
            Err(cause) => cause,
        };
        match self.0.iter_mut().find(|unread| unread.cause == cause) {
            // A type may have two relations of one kind.
            Some(unread) if unread.paths.iter().any(|known| known == path) => {}
            Some(unread) => unread.paths.push(path.to_owned()),
            None => self.0.push(Unread { paths: vec![path.to_owned()], cause }),
        }
        None
    }
}

struct Mapping<'a> {
    definition: &'a Definition,
    item: &'a Item,
    object: Rcvar,
}

impl Mapping<'_> {
    fn members(&self, members: &[(String, Expression)], root: &str, unread: &mut Unreads) -> Map<String, Value> {
        let mut mapped = Map::new();
        for (name, expression) in members {
            let value = self.evaluate(expression).map(|value| without_nulls(to_json(&value)));
            match unread.catch(&format!("{root}.{name}"), value) {
                None | Some(Value::Null) => {}
                Some(value) => {
                    mapped.insert(name.clone(), value);
                }
            }
        }
        mapped
    }

    fn evaluate(&self, expression: &Expression) -> Result<Rcvar, CouldNotLook> {
        if let Some(cause) = self.item.blocked(expression.reads()) {
            return Err(cause.clone());
        }
        expression.search(&self.object).map_err(|error| self.malformed(expression.reads(), error))
    }

    fn template(&self, template: &Template) -> Result<Option<String>, CouldNotLook> {
        let reads: BTreeSet<String> =
            template.expressions().flat_map(|expression| expression.reads().iter().cloned()).collect();
        if let Some(cause) = self.item.blocked(&reads) {
            return Err(cause.clone());
        }
        template.render_text(&self.object).map_err(|error| self.malformed(&reads, error))
    }

    fn required(&self, template: &Template, what: &str) -> Result<String, CouldNotLook> {
        let reads: BTreeSet<String> =
            template.expressions().flat_map(|expression| expression.reads().iter().cloned()).collect();
        self.template(template)?.ok_or_else(|| self.malformed(&reads, format!("an item has no `{what}`")))
    }

    fn optional(&self, template: Option<&Template>, path: &str, unread: &mut Unreads) -> Option<String> {
        unread.catch(path, self.template(template?)).flatten()
    }

    fn tags(&self, expression: &Expression) -> Result<BTreeMap<String, String>, CouldNotLook> {
        let value = self.evaluate(expression)?;
        let malformed = |error: String| self.malformed(expression.reads(), error);
        tags_of(&to_json(&value)).map_err(malformed)
    }

    fn relation(&self, expression: &Expression) -> Result<Vec<String>, CouldNotLook> {
        let value = to_json(&*self.evaluate(expression)?);
        match value {
            Value::Null => Ok(Vec::new()),
            Value::String(id) => Ok(vec![id].into_iter().filter(|id| !id.is_empty()).collect()),
            Value::Array(ids) => ids
                .into_iter()
                .filter(|id| !id.is_null() && id.as_str() != Some(""))
                .map(|id| match id {
                    Value::String(id) => Ok(id),
                    other => Err(other),
                })
                .collect::<Result<_, _>>()
                .map_err(|other| self.malformed(expression.reads(), format!("a relation's id is {other}"))),
            other => Err(self.malformed(expression.reads(), format!("a relation's id is {other}"))),
        }
    }

    fn malformed(&self, reads: &BTreeSet<String>, error: String) -> CouldNotLook {
        let (service, operation) = self.definition.call_behind(reads);
        CouldNotLook {
            service: service.to_owned(),
            operation: operation.to_owned(),
            cause: Cause::Malformed,
            error,
            action: None,
        }
    }
}

/// Tags as services give them: an object, or a list of keys and values.
fn tags_of(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Ok(text.clone()),
        None | Some(Value::Null) => Ok(String::new()),
        Some(other) => Err(format!("a tag's value is {other}")),
    };
    match value {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(members) => members.iter().map(|(key, value)| Ok((key.clone(), text(Some(value))?))).collect(),
        Value::Array(pairs) => pairs
            .iter()
            .map(|pair| {
                let key = ["Key", "key", "TagKey"].iter().find_map(|name| pair.get(name)?.as_str());
                let value = ["Value", "value", "TagValue"].iter().find_map(|name| pair.get(name));
                Ok((key.ok_or_else(|| "a tag has no key".to_owned())?.to_owned(), text(value)?))
            })
            .collect(),
        other => Err(format!("tags are {other}")),
    }
}

/// CloudFormation has no nulls: what is not set is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key, without_nulls(value)))
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

impl Place {
    /// The names that every expression may read.
    pub(crate) fn names(&self) -> BTreeMap<String, Rcvar> {
        let text = |text: &str| Rcvar::new(Variable::String(text.to_owned()));
        BTreeMap::from([
            ("account".to_owned(), text(self.account.as_str())),
            ("partition".to_owned(), text(Partition::as_str(&self.partition))),
            ("region".to_owned(), text(&self.asked)),
        ])
    }
}
