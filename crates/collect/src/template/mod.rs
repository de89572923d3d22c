//! CloudFormation templates as inventories, so that the rules which judge an account judge a stack before it is there.
//!
//! In: the text of a template (YAML with short tags, or JSON) and what is known of its deployment. Out: the template
//! as a value with its functions in their long form, and an [`Inventory`] in which what only the deployment will know
//! is unread, each with what is missing.

mod cidr;
mod conditions;
mod document;
mod error;
mod functions;
mod inventory;
mod join;
mod join_table;
mod references;
mod resolve;
mod scalar;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use yagura_model::{AccountId, Inventory, Partition, Region};

pub use error::{Problem, TemplateError};

use crate::ResourceTypes;

/// How long a template may be: CloudFormation takes 1 MB, and packaging it makes it shorter at times.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// How deep a template may nest, functions in their long form included: what reads it goes down by recursion.
const DEPTH_MAX: usize = 100;

/// What the aliases of a template may amount to, and what its functions may make: far above CloudFormation's 1 MB, far
/// below what a few lines of aliases of aliases can ask for.
const EXPANDED_BYTES_MAX: usize = 32 << 20;

/// How many resources a template may have: four times CloudFormation's quota of 500.
const RESOURCES_MAX: usize = 2_000;

/// A template, well formed.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    name: String,
    value: Value,
    lines: HashMap<String, u64>,
}

/// What is known of the deployment of a template.
#[derive(Debug, Clone)]
pub struct TemplateOptions<'a> {
    /// The account that it would go to.
    pub account: AccountId,
    /// The region that it would go to. Its global resources stand there as well: that is where they are declared.
    pub region: Region,
    /// The partition of that region.
    pub partition: Partition,
    /// Values of parameters; where none is given, the default holds. One of a `NoEcho` parameter is not used.
    pub parameters: BTreeMap<String, String>,
    /// The resource types, where they are at hand: which attributes a type has (those that no resource of the template
    /// decides are unread, one by one; without the types all are), and which properties are kept only in redacted form.
    pub types: Option<&'a ResourceTypes>,
}

impl Template {
    /// Reads a template and checks that it is one: it has resources, and each has a type. `name` is what errors call it.
    pub fn parse(text: &str, name: &str) -> Result<Self, TemplateError> {
        let template = Self::read(text, name)?;
        template.check()?;
        Ok(template)
    }

    /// Reads any YAML or JSON mapping, a whole template or a part of one. What is no resource in it is left out of the
    /// inventory.
    pub fn read(text: &str, name: &str) -> Result<Self, TemplateError> {
        let document = document::read(text, name)?;
        let template = Self { name: name.to_owned(), value: document.value, lines: document.lines };
        if !template.value.is_object() {
            return Err(template.wrong(None, no_mapping("the template", &template.value)));
        }
        if template.section("Resources").is_some_and(|resources| resources.len() > RESOURCES_MAX) {
            return Err(template.wrong(None, Problem::TooManyResources));
        }
        Ok(template)
    }

    /// The template with its functions in their long form, as Guard reads it: `{"Ref": …}`, `{"Fn::GetAtt": […]}`.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line, from 1, on which a resource begins.
    pub fn line_of(&self, logical_id: &str) -> Option<u64> {
        self.lines.get(logical_id).copied()
    }

    /// The resources of the template, with their functions resolved as far as that is possible before deployment.
    ///
    /// - A resource's `id` is its logical id. A reference to it gives that id, or `${Id.Attribute}`, which for `Arn` is
    ///   also its ARN, so that what names it is found to name it.
    /// - What cannot be resolved is left out and unread, as deep as possible, with [`Cause::Unresolved`]: parameters
    ///   without a value, imports, dynamic references, macros, and the attributes that only a live resource has.
    /// - A resource whose condition is false is left out; one whose condition cannot be decided is there.
    /// - What AWS shows as part of a resource and a template declares beside it (a bucket's policy, a group's rules) is
    ///   joined to it.
    /// - Every type in the template counts as listed, and so do the types that are declared beside one that is there
    ///   (flow logs for a VPC): of what the template declares, nothing is missing. Every other type is not listed; a
    ///   rule that asks for it needs the account, and its verdict is unknown.
    ///
    /// [`Cause::Unresolved`]: yagura_model::Cause::Unresolved
    pub fn inventory(&self, options: &TemplateOptions<'_>) -> Inventory {
        inventory::of(self, options)
    }

    fn check(&self) -> Result<(), TemplateError> {
        let resources = match self.value.get("Resources") {
            None | Some(Value::Null) => return Err(self.wrong(None, Problem::NoResources)),
            Some(Value::Object(resources)) if resources.is_empty() => {
                return Err(self.wrong(None, Problem::NoResources));
            }
            Some(Value::Object(resources)) => resources,
            Some(other) => return Err(self.wrong(None, no_mapping("`Resources`", other))),
        };
        for (id, resource) in resources.iter().filter(|(id, _)| !id.starts_with("Fn::")) {
            let Value::Object(entries) = resource else {
                return Err(self.wrong(Some(id), no_mapping(&format!("the resource `{id}`"), resource)));
            };
            if entries.get("Type").and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(self.wrong(Some(id), Problem::NoType { id: id.clone() }));
            }
            if let Some(other) = entries.get("Properties").filter(|value| !value.is_object() && !value.is_null()) {
                return Err(self.wrong(Some(id), no_mapping(&format!("`Properties` of the resource `{id}`"), other)));
            }
        }
        Ok(())
    }

    fn section(&self, name: &str) -> Option<&Map<String, Value>> {
        self.value.get(name).and_then(Value::as_object)
    }

    fn wrong(&self, id: Option<&str>, problem: Problem) -> TemplateError {
        TemplateError { file: self.name.clone(), line: id.and_then(|id| self.line_of(id)), problem }
    }
}

fn no_mapping(what: &str, value: &Value) -> Problem {
    Problem::NoMapping { what: what.to_owned(), found: scalar::kind(value) }
}
