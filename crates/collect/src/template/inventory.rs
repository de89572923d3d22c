//! The resources of a template as an inventory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};
use yagura_model::{Arn, CouldNotLook, Inventory, Relation, Resource, ResourceType, Seen, Unread};

use super::functions::as_text;
use super::join_table::BESIDE;
use super::references::placeholder;
use super::resolve::{Notes, Resolved, Scope, missing};
use super::{Template, TemplateOptions, join};
use crate::redact::redact;

/// The properties that hold tags: all types but a few call them alike.
const TAG_PROPERTIES: [&str; 4] = ["Tags", "HostedZoneTags", "FileSystemTags", "UserPoolTags"];

/// The macro that only adds functions, and no resources.
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// Attributes that are the same on everything that a template makes: type, attribute, value.
const CERTAIN: [(&str, &str, &str); 1] = [("AWS::KMS::Key", "KeyManager", "CUSTOMER")];

/// A resource while it is put together.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    /// Its properties as they are written.
    pub(super) written: Option<&'a Map<String, Value>>,
    pub(super) properties: Map<String, Value>,
    pub(super) attributes: Map<String, Value>,
    /// The attributes that the template decides, whether they are there or not.
    pub(super) decided: BTreeSet<&'static str>,
    pub(super) lost: Vec<(String, CouldNotLook)>,
    pub(super) relations: Vec<Relation>,
}

pub(super) fn of(template: &Template, options: &TemplateOptions<'_>) -> Inventory {
    let scope = Scope::new(template, options);
    let mut drafts: Vec<Draft<'_>> = template
        .section("Resources")
        .into_iter()
        .flatten()
        .filter_map(|(id, resource)| draft(&scope, id, resource))
        .collect();
    join::apply(&scope, &mut drafts);
    let mut inventory = Inventory::default();
    for kind in listed(&drafts) {
        let (account, region) = (options.account.clone(), options.region.clone());
        inventory.add(match unseen(template) {
            None => Seen::Listed { kind, account, region },
            Some(cause) => Seen::Unlisted { kind, account, region, cause },
        });
    }
    for draft in drafts {
        inventory.add(Seen::Resource(Box::new(finish(draft, options))));
    }
    inventory
}

fn draft<'a>(scope: &Scope<'a>, id: &'a str, resource: &'a Value) -> Option<Draft<'a>> {
    let kind = resource.get("Type")?.as_str().filter(|kind| !kind.is_empty())?;
    let condition = resource.get("Condition").and_then(Value::as_str);
    if condition.is_some_and(|condition| scope.condition_named(condition) == Ok(false)) {
        return None;
    }
    let written = resource.get("Properties");
    let mut notes = Notes::default();
    let properties = match written.map(|properties| scope.walk(properties, "Properties", &mut notes)) {
        Some(Resolved::Value(Value::Object(properties))) => properties,
        _ => Map::new(),
    };
    let type_of = |named: &str| scope.declared("Resources", named)?.1.get("Type")?.as_str();
    let mut seen = HashSet::from([id]);
    let relation = |named: &'a str| Some(Relation { kind: ResourceType::from(type_of(named)?), id: named.to_owned() });
    let relations = notes.named.into_iter().filter(|named| seen.insert(named)).filter_map(relation).collect();
    let mut lost = notes.lost;
    for (named, cause) in notes.doubtful {
        lost.extend(type_of(named).map(|kind| (format!("Relations.{kind}"), cause)));
    }
    Some(Draft {
        id,
        kind,
        written: written.and_then(Value::as_object),
        properties,
        attributes: Map::new(),
        decided: BTreeSet::new(),
        lost,
        relations,
    })
}

/// The types of which the template declares all that there is to it.
fn listed(drafts: &[Draft<'_>]) -> BTreeSet<ResourceType> {
    let present: BTreeSet<&str> = drafts.iter().map(|draft| draft.kind).collect();
    let beside = BESIDE.iter().copied().chain(join::children()).filter(|(parent, _)| present.contains(parent));
    let beside: Vec<&str> = beside.map(|(_, child)| child).collect();
    present.into_iter().chain(beside).map(ResourceType::from).collect()
}

/// Why the template may have resources that it does not show.
fn unseen(template: &Template) -> Option<CouldNotLook> {
    let macros = match template.value().get("Transform") {
        Some(Value::Array(macros)) => macros.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let adds = macros.iter().any(|name| name != LANGUAGE_EXTENSIONS && !name.is_null());
    let inside = template.section("Resources")?.keys().any(|key| key.starts_with("Fn::"));
    (adds || inside).then(|| missing("Transform", "macros may add resources at deployment"))
}

fn finish(mut draft: Draft<'_>, options: &TemplateOptions<'_>) -> Resource {
    for (_, name, value) in CERTAIN.into_iter().filter(|(kind, ..)| *kind == draft.kind) {
        draft.attributes.insert(name.to_owned(), Value::from(value));
        draft.decided.insert(name);
    }
    let kind = ResourceType::from(draft.kind);
    let definition = options.types.and_then(|types| types.get(&kind));
    let live = || missing("CreateStack", "known only after deployment");
    let declared: Vec<&str> = definition
        .map(|definition| definition.attributes.iter().map(|(name, _)| name.as_str()).collect())
        .unwrap_or_default();
    if definition.is_none() && draft.decided.is_empty() {
        draft.lost.push(("Attributes".to_owned(), live()));
    }
    for name in declared.into_iter().filter(|name| !draft.decided.contains(name)) {
        draft.lost.push((format!("Attributes.{name}"), live()));
    }
    let tags = tags(&draft.properties, &mut draft.lost);
    if let Some(definition) = definition {
        redact(&definition.redact, &mut draft.properties, &mut draft.attributes);
    }
    Resource {
        kind,
        account: options.account.clone(),
        region: options.region.clone(),
        id: draft.id.to_owned(),
        arn: Some(Arn::from(placeholder(draft.id, "Arn").as_str())),
        name: None,
        properties: draft.properties,
        attributes: draft.attributes,
        tags,
        relations: draft.relations,
        unread: unread(draft.lost),
    }
}

fn tags(properties: &Map<String, Value>, lost: &mut Vec<(String, CouldNotLook)>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let mut keys: HashMap<String, String> = HashMap::new();
    for property in TAG_PROPERTIES {
        match properties.get(property) {
            Some(Value::Object(entries)) => {
                tags.extend(entries.iter().filter_map(|(key, value)| Some((key.clone(), as_text(value)?))));
            }
            Some(Value::Array(pairs)) => {
                for (index, pair) in pairs.iter().enumerate() {
                    let Some(key) = pair.get("Key").and_then(as_text) else { continue };
                    if let Some(value) = pair.get("Value").and_then(as_text) {
                        tags.insert(key.clone(), value);
                    }
                    keys.insert(format!("Properties.{property}[{index}].Value"), key);
                }
            }
            _ => {}
        }
    }
    let unknown: Vec<(String, CouldNotLook)> = lost
        .iter()
        .filter_map(|(path, cause)| {
            let known_key = || keys.get(path).map(String::as_str).or_else(|| key_in_mapping(path));
            let is_of_tags = path == "Properties" || TAG_PROPERTIES.iter().any(|name| below(path, name).is_some());
            let tags = || known_key().map_or_else(|| "Tags".to_owned(), |key| format!("Tags.{key}"));
            is_of_tags.then(|| (tags(), cause.clone()))
        })
        .collect();
    lost.extend(unknown);
    tags
}

/// The key of a path into tags that are a mapping.
fn key_in_mapping(path: &str) -> Option<&str> {
    TAG_PROPERTIES.iter().find_map(|name| below(path, name)?.strip_prefix('.'))
}

/// What of `path` is at or below a property.
fn below<'p>(path: &'p str, property: &str) -> Option<&'p str> {
    let rest = path.strip_prefix("Properties.")?.strip_prefix(property)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// What was lost, the paths of one cause together.
fn unread(lost: Vec<(String, CouldNotLook)>) -> Vec<Unread> {
    let mut unread: Vec<Unread> = Vec::new();
    let mut positions: HashMap<CouldNotLook, usize> = HashMap::new();
    let mut seen: HashSet<(usize, String)> = HashSet::new();
    for (path, cause) in lost {
        let position = *positions.entry(cause).or_insert_with_key(|cause| {
            unread.push(Unread { paths: Vec::new(), cause: cause.clone() });
            unread.len() - 1
        });
        if seen.insert((position, path.clone()))
            && let Some(known) = unread.get_mut(position)
        {
            known.paths.push(path);
        }
    }
    unread
}
