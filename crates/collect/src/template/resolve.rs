//! Values with their functions resolved, and what could not be.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use serde_json::{Map, Value};
use yagura_model::{Cause, CouldNotLook};

use super::{EXPANDED_BYTES_MAX, Template, TemplateOptions};

/// How many values and conditions may be resolved inside of one another: more than a template may nest, so that only
/// conditions that lead to one another in a chain come that far.
const LEVELS_MAX: usize = 150;

/// How much of a value an explanation shows.
const ERROR_CHARS_MAX: usize = 200;

/// What functions see of the template and of its deployment.
pub(super) struct Scope<'a> {
    pub(super) template: &'a Template,
    pub(super) options: &'a TemplateOptions<'a>,
    /// Conditions by name; `None` while one is being decided.
    pub(super) decided: RefCell<HashMap<&'a str, Option<Result<bool, CouldNotLook>>>>,
    /// How many values and conditions are being resolved inside of one another.
    level: Cell<usize>,
    /// What functions may still make, over the whole template.
    bytes_left: Cell<usize>,
}

/// What resolving a value brought up besides the value.
#[derive(Debug, Default)]
pub(super) struct Notes<'a> {
    /// Paths without a value, and why.
    pub(super) lost: Vec<(String, CouldNotLook)>,
    /// The logical ids that the value names.
    pub(super) named: Vec<&'a str>,
    /// The logical ids that it may name, depending on what could not be decided.
    pub(super) doubtful: Vec<(&'a str, CouldNotLook)>,
}

/// A value resolved.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Value(Value),
    /// Taken away by `AWS::NoValue`, or null, of which CloudFormation has none.
    Removed,
    /// Not known; the notes say why.
    Lost,
}

/// Why a value is only known at deployment.
pub(super) fn missing(operation: &str, error: impl Into<String>) -> CouldNotLook {
    let mut error: String = error.into();
    if let Some((end, _)) = error.char_indices().nth(ERROR_CHARS_MAX) {
        error.truncate(end);
        error.push('…');
    }
    CouldNotLook {
        service: "cloudformation".to_owned(),
        operation: operation.to_owned(),
        cause: Cause::Unresolved,
        error,
        action: None,
    }
}

/// The function that a mapping is a call of, with its argument.
pub(super) fn function(entries: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut each = entries.iter();
    match (each.next(), each.next()) {
        (Some((name, argument)), None) if name == "Ref" || is_function(name) => Some((name, argument)),
        _ => None,
    }
}

fn is_function(name: &str) -> bool {
    name.starts_with("Fn::")
}

impl<'a> Scope<'a> {
    pub(super) fn new(template: &'a Template, options: &'a TemplateOptions<'a>) -> Self {
        Self {
            template,
            options,
            decided: RefCell::default(),
            level: Cell::new(0),
            bytes_left: Cell::new(EXPANDED_BYTES_MAX),
        }
    }

    /// Resolves a value part by part: what cannot be resolved is noted with its path and left out. In a list a null
    /// keeps its place, so that the paths of the other elements stay true.
    pub(super) fn walk(&self, value: &'a Value, path: &str, notes: &mut Notes<'a>) -> Resolved {
        match self.deeper(|| self.walk_here(value, path, notes)) {
            Some(resolved) => resolved,
            None => lose(notes, path, missing("Condition", "too many conditions lead to one another")),
        }
    }

    /// Goes one level down; `None` where that is one too many.
    pub(super) fn deeper<T>(&self, go: impl FnOnce() -> T) -> Option<T> {
        let level = self.level.get();
        if level >= LEVELS_MAX {
            return None;
        }
        self.level.set(level + 1);
        let result = go();
        self.level.set(level);
        Some(result)
    }

    fn walk_here(&self, value: &'a Value, path: &str, notes: &mut Notes<'a>) -> Resolved {
        match value {
            Value::Null => Resolved::Removed,
            Value::Bool(_) | Value::Number(_) => Resolved::Value(value.clone()),
            Value::String(text) => match dynamic_reference(text) {
                Some(cause) => lose(notes, path, cause),
                None => Resolved::Value(value.clone()),
            },
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    match self.walk(item, &format!("{path}[{}]", resolved.len()), notes) {
                        Resolved::Value(item) => resolved.push(item),
                        Resolved::Lost => resolved.push(Value::Null),
                        Resolved::Removed => {}
                    }
                }
                Resolved::Value(Value::Array(resolved))
            }
            Value::Object(entries) => match function(entries) {
                Some(("Fn::If", argument)) => self.choose(argument, path, notes),
                Some((name, argument)) => match self.call(name, argument, notes) {
                    Ok(Some(value)) => Resolved::Value(value),
                    Ok(None) => Resolved::Removed,
                    Err(cause) => lose(notes, path, cause),
                },
                None => self.walk_entries(entries, path, notes),
            },
        }
    }

    fn walk_entries(&self, entries: &'a Map<String, Value>, path: &str, notes: &mut Notes<'a>) -> Resolved {
        if let Some(name) = entries.keys().find(|name| is_function(name)) {
            return lose(notes, path, missing(name, "the macro is expanded at deployment"));
        }
        let mut resolved = Map::new();
        for (key, value) in entries {
            let path = format!("{path}.{key}");
            // A policy's single statement may stand without its list; resources are recorded with the list.
            let is_lone_statement = key == "Statement" && value.get("Effect").is_some();
            let result = if is_lone_statement {
                match self.walk(value, &format!("{path}[0]"), notes) {
                    Resolved::Value(statement) => Resolved::Value(Value::Array(vec![statement])),
                    other => other,
                }
            } else {
                self.walk(value, &path, notes)
            };
            if let Resolved::Value(value) = result {
                resolved.insert(key.clone(), value);
            }
        }
        Resolved::Value(Value::Object(resolved))
    }

    /// `Fn::If`: the branch that holds, part by part.
    fn choose(&self, argument: &'a Value, path: &str, notes: &mut Notes<'a>) -> Resolved {
        let Some([condition, then, otherwise]) = argument.as_array().map(Vec::as_slice) else {
            return lose(notes, path, missing("Fn::If", "a condition and two values are needed"));
        };
        let decided = match condition.as_str() {
            Some(name) => self.condition_named(name),
            None => Err(missing("Fn::If", "the name of a condition is needed")),
        };
        match decided {
            Ok(true) => self.walk(then, path, notes),
            Ok(false) => self.walk(otherwise, path, notes),
            Err(cause) => {
                for branch in [then, otherwise] {
                    let mut possible = Notes::default();
                    self.walk(branch, path, &mut possible);
                    notes.doubtful.extend(possible.named.into_iter().map(|named| (named, cause.clone())));
                    notes.doubtful.extend(possible.doubtful);
                }
                lose(notes, path, cause)
            }
        }
    }

    /// Resolves a value as a whole: an error where any part of it cannot be resolved, `None` where it is taken away.
    pub(super) fn whole(&self, value: &'a Value, notes: &mut Notes<'a>) -> Result<Option<Value>, CouldNotLook> {
        let mut inner = Notes::default();
        let resolved = self.walk(value, "", &mut inner);
        notes.named.append(&mut inner.named);
        notes.doubtful.append(&mut inner.doubtful);
        match (inner.lost.into_iter().next(), resolved) {
            (Some((_, cause)), _) => Err(cause),
            (None, Resolved::Value(value)) => Ok(Some(value)),
            (None, _) => Ok(None),
        }
    }

    /// Takes what a function made from what functions may make.
    pub(super) fn spend(&self, operation: &str, value: &Value) -> Result<(), CouldNotLook> {
        match self.bytes_left.get().checked_sub(bytes_of(value)) {
            Some(left) => {
                self.bytes_left.set(left);
                Ok(())
            }
            None => Err(missing(operation, format!("the template resolves to more than {EXPANDED_BYTES_MAX} bytes"))),
        }
    }
}

fn lose(notes: &mut Notes<'_>, path: &str, cause: CouldNotLook) -> Resolved {
    notes.lost.push((path.to_owned(), cause));
    Resolved::Lost
}

fn bytes_of(value: &Value) -> usize {
    /// What a value takes besides its text.
    const OWN: usize = 16;
    OWN + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + bytes_of(value)).sum(),
    }
}

/// `{{resolve:secretsmanager:…}}`: CloudFormation looks it up while it deploys. The reference itself is not repeated,
/// as it may be built from anything.
pub(super) fn dynamic_reference(text: &str) -> Option<CouldNotLook> {
    let (_, after) = text.split_once("{{resolve:")?;
    let service: String = after.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    Some(missing(&format!("resolve:{service}"), "the dynamic reference is looked up at deployment"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The template of these parameters, mappings and conditions around one resource with the properties.
    fn resolve(template: &Value, given: &[(&str, &str)]) -> (Value, Vec<String>) {
        let text = serde_json::to_string(template).unwrap();
        let template = Template::read(&text, "test.json").unwrap();
        let options = options(given);
        let scope = Scope::new(&template, &options);
        let mut notes = Notes::default();
        let properties = template.value().pointer("/Resources/Own/Properties").unwrap();
        let resolved = match scope.walk(properties, "Properties", &mut notes) {
            Resolved::Value(value) => value,
            _ => Value::Null,
        };
        (resolved, notes.lost.into_iter().map(|(path, cause)| format!("{path}: {cause}")).collect())
    }

    fn options(given: &[(&str, &str)]) -> TemplateOptions<'static> {
        TemplateOptions {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            partition: "aws".into(),
            parameters: given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            types: None,
        }
    }

    fn own(properties: &Value) -> Value {
        json!({
            "Parameters": {
                "Open": { "Type": "String" },
                "Level": { "Type": "Number", "Default": "5" },
                "Nets": { "Type": "CommaDelimitedList", "Default": "a, b" },
                "Secret": { "Type": "String", "NoEcho": true, "Default": "hunter2" },
                "Looked": { "Type": "String", "Default": "{{resolve:ssm:/a}}" },
                "Image": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a/b" },
            },
            "Mappings": { "Sizes": { "eu-west-1": { "Small": "t3.small", "All": ["x", "y"] } } },
            "Conditions": {
                "IsFive": { "Fn::Equals": [{ "Ref": "Level" }, "5"] },
                "NotFive": { "Fn::Not": [{ "Condition": "IsFive" }] },
                "Unknown": { "Fn::Equals": [{ "Ref": "Open" }, "yes"] },
                "Both": { "Fn::And": [{ "Condition": "NotFive" }, { "Condition": "Unknown" }] },
                "Loop": { "Fn::Not": [{ "Condition": "Loop" }] },
            },
            "Resources": {
                "Own": { "Type": "AWS::S3::Bucket", "Properties": properties },
                "Key": { "Type": "AWS::KMS::Key" },
                "Topic": { "Type": "AWS::SNS::Topic" },
                "Nested": { "Type": "AWS::CloudFormation::Stack" },
            },
        })
    }

    #[test]
    fn functions_that_resolve() {
        let cases = [
            (json!({ "Ref": "AWS::Region" }), json!("eu-west-1")),
            (json!({ "Ref": "AWS::AccountId" }), json!("111122223333")),
            (json!({ "Ref": "AWS::URLSuffix" }), json!("amazonaws.com")),
            (json!({ "Ref": "Level" }), json!(5)),
            (json!({ "Ref": "Nets" }), json!(["a", "b"])),
            (json!({ "Ref": "Key" }), json!("Key")),
            (json!({ "Ref": "Topic" }), json!("${Topic.Arn}")),
            (json!({ "Fn::GetAtt": ["Key", "Arn"] }), json!("${Key.Arn}")),
            (json!({ "Fn::GetAtt": "Key.KeyId" }), json!("${Key.KeyId}")),
            (json!({ "Fn::Sub": "arn:${AWS::Partition}:s3:::${Key}/${!x}" }), json!("arn:aws:s3:::Key/${x}")),
            (json!({ "Fn::Sub": ["${A}-${Key.Arn}", { "A": { "Ref": "Level" } }] }), json!("5-${Key.Arn}")),
            (
                json!({ "Fn::Join": ["/", ["a", { "Ref": "AWS::Region" }, { "Ref": "AWS::NoValue" }]] }),
                json!("a/eu-west-1"),
            ),
            (json!({ "Fn::Join": ["", { "Ref": "Nets" }] }), json!("ab")),
            (json!({ "Fn::FindInMap": ["Sizes", { "Ref": "AWS::Region" }, "Small"] }), json!("t3.small")),
            (
                json!({ "Fn::FindInMap": ["Sizes", "us-east-1", "Small", { "DefaultValue": "t3.nano" }] }),
                json!("t3.nano"),
            ),
            (json!({ "Fn::Select": ["1", { "Ref": "Nets" }] }), json!("b")),
            (json!({ "Fn::Select": [0, ["a", { "Ref": "Open" }]] }), json!("a")),
            (json!({ "Fn::Split": [",", "a,b"] }), json!(["a", "b"])),
            (json!({ "Fn::Base64": "hi" }), json!("aGk=")),
            (json!({ "Fn::Cidr": ["10.0.0.0/16", 2, "8"] }), json!(["10.0.0.0/24", "10.0.1.0/24"])),
            (json!({ "Fn::If": ["IsFive", { "A": 1 }, { "Ref": "Open" }] }), json!({ "A": 1 })),
            (json!({ "Fn::If": ["Both", 1, 2] }), json!(2)),
            (json!({ "Fn::Length": { "Ref": "Nets" } }), json!(2)),
            (json!({ "Fn::ToJsonString": { "A": { "Ref": "Level" } } }), json!("{\"A\":5}")),
            (
                json!({ "Statement": { "Effect": "Allow", "Action": "*" } }),
                json!({ "Statement": [{ "Effect": "Allow", "Action": "*" }] }),
            ),
        ];
        for (value, expected) in cases {
            let (resolved, lost) = resolve(&own(&json!({ "X": value })), &[]);
            assert_eq!((resolved, lost), (json!({ "X": expected }), vec![]), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_lost_at_its_own_path() {
        let cases = [
            (json!({ "Ref": "Open" }), json!({}), "X: cloudformation:Ref answered parameter `Open` has no default"),
            (json!({ "Ref": "Secret" }), json!({}), "X: cloudformation:Ref answered parameter `Secret` is kept secret"),
            (json!({ "Ref": "Image" }), json!({}), "X: cloudformation:Ref answered parameter `Image` is looked up"),
            (
                json!({ "Ref": "Nobody" }),
                json!({}),
                "X: cloudformation:Ref answered nothing in the template is called `Nobody`",
            ),
            (json!({ "Fn::ImportValue": "net" }), json!({}), "X: cloudformation:Fn::ImportValue answered"),
            (json!({ "Fn::GetAZs": "" }), json!({}), "X: cloudformation:Fn::GetAZs answered"),
            (json!({ "Fn::GetAtt": ["Nested", "Outputs.Vpc"] }), json!({}), "X: cloudformation:Fn::GetAtt answered"),
            (
                json!({ "A": [1, { "Fn::Sub": "${Open}" }] }),
                json!({ "X": { "A": [1, null] } }),
                "X.A[1]: cloudformation:Ref",
            ),
            (
                json!({ "A": "{{resolve:ssm:/x}}", "B": 1 }),
                json!({ "X": { "B": 1 } }),
                "X.A: cloudformation:resolve:ssm",
            ),
            (json!({ "Ref": "Looked" }), json!({}), "X: cloudformation:resolve:ssm"),
            (
                json!({ "Fn::Sub": "{{resolve:secretsmanager:${Key}}}" }),
                json!({}),
                "X: cloudformation:resolve:secretsmanager",
            ),
            (json!({ "A": 1, "Fn::Transform": {} }), json!({}), "X: cloudformation:Fn::Transform"),
            (json!({ "Fn::If": ["Unknown", 1, 2] }), json!({}), "X: cloudformation:Ref answered parameter `Open`"),
            (json!({ "Fn::If": ["Loop", 1, 2] }), json!({}), "X: cloudformation:Condition answered"),
            (json!({ "Fn::If": ["None", 1, 2] }), json!({}), "X: cloudformation:Condition answered"),
            (json!({ "Fn::Split": [":", { "Fn::GetAtt": ["Key", "Arn"] }] }), json!({}), "X: cloudformation:Fn::Split"),
            (json!({ "Fn::Future": 1 }), json!({}), "X: cloudformation:Fn::Future"),
            (
                json!({ "Statement": { "Effect": "Allow", "Action": { "Ref": "Open" } } }),
                json!({ "X": { "Statement": [{ "Effect": "Allow" }] } }),
                "X.Statement[0].Action: cloudformation:Ref",
            ),
        ];
        for (value, expected, reason) in cases {
            let (resolved, lost) = resolve(&own(&json!({ "X": value })), &[("Secret", "s3cr3t")]);
            assert_eq!(resolved, expected, "{value}");
            assert_eq!(lost.len(), 1, "{value}: {lost:?}");
            let start = format!("Properties.{reason}");
            assert!(lost[0].starts_with(&start), "{value}: {lost:?}");
            assert!(!lost[0].contains("hunter2") && !lost[0].contains("s3cr3t"), "{lost:?}");
        }
    }

    #[test]
    fn a_given_value_decides() {
        let (resolved, lost) = resolve(
            &own(&json!({ "X": { "Fn::If": ["Unknown", "a", { "Ref": "AWS::NoValue" }] } })),
            &[("Open", "no")],
        );
        assert_eq!((resolved, lost), (json!({}), vec![]));
    }

    #[test]
    fn what_functions_make_has_a_limit() {
        let part = "x".repeat(1 << 20);
        let many: Vec<Value> = (0..64).map(|_| json!({ "Fn::Sub": "${Big}${Big}" })).collect();
        let template = json!({
            "Parameters": { "Big": { "Type": "String", "Default": part } },
            "Resources": { "Own": { "Type": "A", "Properties": { "X": many } } },
        });
        let (_, lost) = resolve(&template, &[]);
        assert!(lost.iter().any(|lost| lost.contains("resolves to more than")), "{}", lost.len());
    }

    #[test]
    fn conditions_in_a_long_chain_are_not_followed_to_the_end() {
        let mut conditions = Map::new();
        for number in 0..10_000 {
            let next = format!("C{}", number + 1);
            let through = json!({ "Fn::Equals": [{ "Fn::If": [next, "a", "b"] }, "a"] });
            conditions.insert(format!("C{number}"), through);
        }
        conditions.insert("C10000".to_owned(), json!({ "Fn::Equals": ["a", "a"] }));
        let template = json!({
            "Conditions": conditions,
            "Resources": { "Own": { "Type": "A", "Properties": {
                "Far": { "Fn::If": ["C0", 1, 2] },
                "Near": { "Fn::If": ["C9990", 1, 2] },
            } } },
        });
        let (resolved, lost) = resolve(&template, &[]);
        assert_eq!(resolved, json!({ "Near": 1 }));
        assert!(lost[0].ends_with("too many conditions lead to one another"), "{lost:?}");
    }
}
