//! What a test expects beside what came.

use serde_json::{Map, Value};
use yagura_model::{Arn, Resource, Seen};

use crate::types::{Definition, ExpectedResource, Test};

/// The first difference, in words.
pub(super) fn compare(definition: &Definition, test: &Test, seen: &[Seen]) -> Result<(), String> {
    let unlisted = seen.iter().find_map(|seen| match seen {
        Seen::Unlisted { kind, cause, .. } if *kind == definition.kind => Some(cause),
        _ => None,
    });
    let Some(expected) = &test.expect else {
        return match unlisted {
            Some(_) => Ok(()),
            None => Err("expected a listing that fails, but it was complete".to_owned()),
        };
    };
    if let Some(cause) = unlisted {
        return Err(format!("the type could not be listed: {cause}"));
    }
    let resources = resources(definition, seen);
    let ids: Vec<_> = resources.iter().map(|resource| resource.id.as_str()).collect();
    let wanted: Vec<_> = expected.iter().map(|resource| resource.id.as_str()).collect();
    if ids != wanted {
        return Err(format!("expected the resources {wanted:?}, got {ids:?}"));
    }
    for (resource, expected) in resources.into_iter().zip(expected) {
        compare_one(resource, expected).map_err(|difference| format!("`{}`: {difference}", resource.id))?;
    }
    Ok(())
}

/// The first thing that `seen` lacks of `whole` without saying that it could not be read.
pub(super) fn silent_loss(definition: &Definition, whole: &[Seen], seen: &[Seen]) -> Result<(), String> {
    let unlisted = seen.iter().any(|seen| matches!(seen, Seen::Unlisted { kind, .. } if *kind == definition.kind));
    let was_listed = whole.iter().any(|seen| matches!(seen, Seen::Listed { kind, .. } if *kind == definition.kind));
    let now = resources(definition, seen);
    for before in resources(definition, whole) {
        let Some(after) = now.iter().find(|after| after.id == before.id && after.region == before.region) else {
            if unlisted || !was_listed {
                continue;
            }
            return Err(format!("`{}` is gone without a word", before.id));
        };
        let said = |path: &str| after.unread.iter().any(|unread| unread.paths.iter().any(|known| known == path));
        let members = [
            ("Properties", &before.properties, &after.properties),
            ("Attributes", &before.attributes, &after.attributes),
        ];
        for (root, before, after) in members {
            let lost =
                before.iter().find(|(key, value)| after.get(*key) != Some(value) && !said(&format!("{root}.{key}")));
            if let Some((key, _)) = lost {
                return Err(format!("`{root}.{key}` changed without a word"));
            }
        }
        let relation = before
            .relations
            .iter()
            .find(|relation| !after.relations.contains(relation) && !said(&format!("Relations.{}", relation.kind)));
        let others = [
            ("Tags", before.tags != after.tags),
            ("Arn", before.arn != after.arn),
            ("Name", before.name != after.name),
        ];
        if let Some((path, _)) = others.iter().find(|(path, changed)| *changed && !said(path)) {
            return Err(format!("`{path}` changed without a word"));
        }
        if let Some(relation) = relation {
            return Err(format!("the relation to `{}` is gone without a word", relation.id));
        }
    }
    Ok(())
}

fn resources<'a>(definition: &Definition, seen: &'a [Seen]) -> Vec<&'a Resource> {
    let resources = seen.iter().filter_map(|seen| match seen {
        Seen::Resource(resource) if resource.kind == definition.kind => Some(&**resource),
        _ => None,
    });
    resources.collect()
}

fn compare_one(resource: &Resource, expected: &ExpectedResource) -> Result<(), String> {
    let texts = [
        ("arn", &expected.arn, resource.arn.as_ref().map(Arn::as_str)),
        ("name", &expected.name, resource.name.as_deref()),
        ("region", &expected.region, Some(resource.region.as_str())),
    ];
    for (what, expected, actual) in texts {
        if let Some(expected) = expected
            && actual != Some(expected)
        {
            return Err(format!("`{what}` should be {expected:?}, is {actual:?}"));
        }
    }
    let tags = resource.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    members("properties", &expected.properties, &resource.properties, resource)?;
    members("attributes", &expected.attributes, &resource.attributes, resource)?;
    if let Some(expected) = &expected.tags {
        members("tags", expected, &tags, resource)?;
    }
    if let Some(expected) = &expected.relations
        && *expected != resource.relations
    {
        return Err(format!("`relations` should be {expected:?}, are {:?}", resource.relations));
    }
    if let Some(expected) = &expected.unread {
        let mut unread: Vec<&String> = resource.unread.iter().flat_map(|unread| &unread.paths).collect();
        let mut expected: Vec<&String> = expected.iter().collect();
        unread.sort();
        expected.sort();
        if unread != expected {
            return Err(format!("`unread` should be {expected:?}, is {unread:?}"));
        }
    }
    Ok(())
}

/// Each of the expected members; those that are not expected may have any value, null expects that there is none.
fn members(
    what: &str,
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    resource: &Resource,
) -> Result<(), String> {
    for (key, expected) in expected {
        let actual = actual.get(key).unwrap_or(&Value::Null);
        if same(actual, expected) {
            continue;
        }
        let unread =
            resource.unread.iter().find(|unread| unread.paths.iter().any(|path| path.ends_with(&format!(".{key}"))));
        let why = unread.map(|unread| format!(" ({})", unread.cause)).unwrap_or_default();
        return Err(format!("`{what}.{key}` should be {expected}, is {actual}{why}"));
    }
    Ok(())
}

/// Equal as JSON means it: 14 and 14.0 are one number, keys have no order, and null is as good as absent.
fn same<'a>(left: &'a Value, right: &'a Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let value = |members: &'a Map<String, Value>, key: &str| members.get(key).unwrap_or(&Value::Null);
            left.keys().chain(right.keys()).all(|key| same(value(left, key), value(right, key)))
        }
        _ => left == right,
    }
}
