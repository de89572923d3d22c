//! The least policy that a scan needs, computed from the resource files, and what each permission is needed for.
//!
//! In: [`ResourceTypes`], and who knows the IAM action of an operation. Out: policy documents and [`Need`]s.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use yagura_model::ResourceType;

use crate::types::expression::{Expression, Template};
use crate::types::{Definition, ResourceTypes};

/// IAM's limit on the characters of a managed policy, white space not counted.
pub const POLICY_CHARACTERS_MAX: usize = 6_144;

/// Operations that are asked before any type is read; `sts:GetCallerIdentity` needs no permission.
const DISCOVERY: [(&str, &str); 2] = [("ec2", "DescribeRegions"), ("account", "ListRegions")];

/// The permissions that a scan needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadPolicy {
    /// Policy documents, each within IAM's limit for a managed policy; most often one.
    pub documents: Vec<Value>,
    /// For each IAM action, in alphabetical order, what nobody knows without it.
    pub needs: BTreeMap<String, Vec<Need>>,
}

/// What one permission is needed for, in one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The type.
    pub kind: ResourceType,
    /// The paths that would be unread (`Properties.X`, …); empty where the whole type would be unlisted.
    pub paths: Vec<String>,
}

/// The least read-only policy for these types. `iam_action` knows the action of an operation (service, operation) where
/// a file does not name it; one that it does not know is taken to be `service:Operation`.
pub fn iam_policy(types: &ResourceTypes, iam_action: impl Fn(&str, &str) -> Option<String>) -> ReadPolicy {
    let action_of = |service: &str, operation: &str| {
        iam_action(service, operation).unwrap_or_else(|| format!("{service}:{operation}"))
    };
    let mut needs: BTreeMap<String, Vec<Need>> = BTreeMap::new();
    for (service, operation) in DISCOVERY {
        needs.entry(action_of(service, operation)).or_default();
    }
    for definition in types.iter() {
        for (service, operation) in definition.operations() {
            let actions = match definition.permission(operation) {
                Some(actions) => actions.to_vec(),
                None => vec![action_of(service, operation)],
            };
            let lost = lost_without(types, definition, service, operation);
            for action in actions {
                let needed = needs.entry(action).or_default();
                for need in &lost {
                    add(needed, need);
                }
            }
        }
    }
    let actions: Vec<&str> = needs.keys().map(String::as_str).collect();
    ReadPolicy { documents: documents(&actions), needs }
}

/// Unites two needs of one type: unlisted swallows unread.
fn add(needs: &mut Vec<Need>, need: &Need) {
    let Some(known) = needs.iter_mut().find(|known| known.kind == need.kind) else {
        return needs.push(need.clone());
    };
    if known.paths.is_empty() || need.paths.is_empty() {
        known.paths.clear();
        return;
    }
    for path in &need.paths {
        if !known.paths.contains(path) {
            known.paths.push(path.clone());
        }
    }
}

/// What is not known where an operation is denied: of the type itself, and of the types listed for its resources.
fn lost_without(types: &ResourceTypes, definition: &Definition, service: &str, operation: &str) -> Vec<Need> {
    let list = definition.list.call.as_ref();
    if list.is_some_and(|call| call.service == service && call.operation == operation) {
        return unlisted(types, definition);
    }
    let mut failed = BTreeSet::new();
    for detail in &definition.details {
        let asked = detail.service == service
            && (detail.operation == operation
                || detail.prepare.as_ref().is_some_and(|prepare| prepare.operation == operation));
        if asked || reads_any(&detail.reads, &failed) {
            failed.insert(detail.into.clone());
        }
    }
    lost(types, definition, &failed)
}

fn unlisted(types: &ResourceTypes, definition: &Definition) -> Vec<Need> {
    let mut needs = vec![Need { kind: definition.kind.clone(), paths: Vec::new() }];
    for child in types.children(&definition.kind) {
        needs.extend(unlisted(types, child));
    }
    needs
}

/// What is not known where these names have failed.
fn lost(types: &ResourceTypes, definition: &Definition, failed: &BTreeSet<String>) -> Vec<Need> {
    if failed.is_empty() {
        return Vec::new();
    }
    let read = |expression: &Expression| reads_any(expression.reads(), failed);
    let used = |template: &Template| template.expressions().any(read);
    if used(&definition.id) || definition.region.as_ref().is_some_and(used) {
        return unlisted(types, definition);
    }
    let mut paths = Vec::new();
    for (root, members) in [("Properties", &definition.properties), ("Attributes", &definition.attributes)] {
        let unread = members.iter().filter(|(_, expression)| read(expression));
        paths.extend(unread.map(|(name, _)| format!("{root}.{name}")));
    }
    for (path, template) in [("Arn", &definition.arn), ("Name", &definition.name)] {
        if template.as_ref().is_some_and(used) {
            paths.push(path.to_owned());
        }
    }
    if definition.tags.as_ref().is_some_and(read) {
        paths.push("Tags".to_owned());
    }
    for (kind, expression) in &definition.relations {
        let path = format!("Relations.{kind}");
        if read(expression) && !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut needs = Vec::new();
    if !paths.is_empty() {
        needs.push(Need { kind: definition.kind.clone(), paths });
    }
    for child in types.children(&definition.kind) {
        needs.extend(lost_child(types, child, failed));
    }
    needs
}

/// What is not known of a child where these names of its parent have failed.
fn lost_child(types: &ResourceTypes, child: &Definition, above: &BTreeSet<String>) -> Vec<Need> {
    let when = child.list.when.iter().flat_map(Expression::reads);
    let unasked = when.map(|read| read.strip_prefix("parent.").unwrap_or(read)).any(|read| above.contains(read));
    let mut failed: BTreeSet<String> = above.iter().map(|name| format!("parent.{name}")).collect();
    failed.insert("parent".to_owned());
    let list = child.list.call.iter().flat_map(|call| {
        let region = call.region.iter().flat_map(Template::expressions);
        call.inputs.iter().flat_map(|input| input.expressions()).chain(region)
    });
    if unasked || list.into_iter().any(|expression| reads_any(expression.reads(), &failed)) {
        return unlisted(types, child);
    }
    for detail in &child.details {
        if reads_any(&detail.reads, &failed) {
            failed.insert(detail.into.clone());
        }
    }
    lost(types, child, &failed)
}

fn reads_any(reads: &BTreeSet<String>, failed: &BTreeSet<String>) -> bool {
    !failed.is_empty() && (reads.contains("*") || reads.iter().any(|name| failed.contains(name)))
}

/// As few documents as hold all actions, each a single statement, within the limit.
fn documents(actions: &[&str]) -> Vec<Value> {
    let mut documents = Vec::new();
    let mut rest = actions;
    while !rest.is_empty() {
        let mut length = document(&[]).to_string().len();
        let fitting = rest.iter().take_while(|action| {
            // Quotes and a comma.
            length += action.len() + 3;
            length <= POLICY_CHARACTERS_MAX
        });
        let count = fitting.count().max(1);
        let (now, later) = rest.split_at(count);
        documents.push(document(now));
        rest = later;
    }
    documents
}

fn document(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "YaguraReads", "Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(files: &[(&str, &str)]) -> ResourceTypes {
        let (types, errors) = ResourceTypes::load_files(files.iter().copied());
        assert_eq!(errors, []);
        types
    }

    const THING: &str = r#"
type: AWS::X::Thing
service: x
list: { operation: ListThings, items: Things }
details:
  - { into: place, operation: GetPlace, input: { Id: "{item.Id}" } }
  - { into: keys, operation: GetKeys, input: { Place: "{place.Id}" } }
  - { into: rest, operation: GetRest }
id: "{item.Id}"
properties: { Place: place.Id, Keys: keys.Keys, Rest: rest.Rest }
attributes: { Plain: item.Plain }
tags: keys.Tags
permissions: { GetKeys: [x:ReadKeys, "kms:Decrypt"] }
"#;
    const PART: &str = r#"
type: AWS::X::Part
service: y
list: { operation: ListParts, items: Parts, for: AWS::X::Thing, when: keys.Keys }
id: "{item.Id}"
properties: { Place: parent.place.Id }
"#;

    #[test]
    fn a_policy_has_every_action_and_says_what_each_is_for() {
        let policy = iam_policy(&types(&[("t", THING), ("p", PART)]), |service, operation| {
            (service == "y").then(|| format!("why:{operation}"))
        });
        let Some(Value::Array(actions)) = policy.documents[0].pointer("/Statement/0/Action") else { panic!("actions") };
        let expected = [
            "account:ListRegions",
            "ec2:DescribeRegions",
            "kms:Decrypt",
            "why:ListParts",
            "x:GetPlace",
            "x:GetRest",
            "x:ListThings",
            "x:ReadKeys",
        ];
        assert_eq!(actions.iter().filter_map(Value::as_str).collect::<Vec<_>>(), expected);
        let need = |action: &str| -> Vec<String> {
            policy.needs[action].iter().map(|need| format!("{} {}", need.kind, need.paths.join(" "))).collect()
        };
        assert_eq!(need("x:GetRest"), ["AWS::X::Thing Properties.Rest"]);
        assert_eq!(need("x:ReadKeys"), ["AWS::X::Thing Properties.Keys Tags", "AWS::X::Part "]);
        assert_eq!(need("x:GetPlace"), ["AWS::X::Thing Properties.Place Properties.Keys Tags", "AWS::X::Part "]);
        assert_eq!(need("x:ListThings"), ["AWS::X::Thing ", "AWS::X::Part "]);
        assert_eq!(need("why:ListParts"), ["AWS::X::Part "]);
    }

    #[test]
    fn a_policy_too_long_for_iam_is_several() {
        let actions: Vec<String> = (0..700).map(|number| format!("service:DescribeSomethingLong{number}")).collect();
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        let documents = documents(&actions);
        assert!(documents.len() > 1);
        assert!(documents.iter().all(|document| document.to_string().len() <= POLICY_CHARACTERS_MAX));
        let all: Vec<_> = documents
            .iter()
            .flat_map(|document| document.pointer("/Statement/0/Action").and_then(Value::as_array).unwrap())
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(all, actions);
    }
}
