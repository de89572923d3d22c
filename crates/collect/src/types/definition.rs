//! A resource type as the collector uses it: everything parsed, every name known to exist.

use std::collections::BTreeSet;

use serde_json::Value;
use yagura_model::ResourceType;

use super::expression::{Expression, Input, Template};
use super::file::ExpectedResource;
use crate::redact::RedactPath;

/// One resource type: how it is listed, described and mapped.
#[derive(Debug)]
pub struct Definition {
    pub(crate) kind: ResourceType,
    pub(crate) service: String,
    pub(crate) global: bool,
    pub(crate) file: String,
    pub(crate) list: List,
    pub(crate) details: Vec<Detail>,
    pub(crate) id: Template,
    pub(crate) arn: Option<Template>,
    pub(crate) name: Option<Template>,
    pub(crate) region: Option<Template>,
    pub(crate) properties: Vec<(String, Expression)>,
    pub(crate) attributes: Vec<(String, Expression)>,
    pub(crate) tags: Option<Expression>,
    pub(crate) relations: Vec<(ResourceType, Expression)>,
    pub(crate) redact: Vec<RedactPath>,
    pub(crate) permissions: Vec<(String, Vec<String>)>,
    pub(crate) tests: Vec<Test>,
}

impl Definition {
    /// The CloudFormation type, or the pseudo-type.
    pub fn kind(&self) -> &ResourceType {
        &self.kind
    }

    /// The service's name in the API models.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Whether it is asked once in the partition's home region instead of in each region.
    pub fn is_global(&self) -> bool {
        self.global
    }

    /// The file that it was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The type whose resources it is listed for, one by one.
    pub fn parent(&self) -> Option<&ResourceType> {
        self.list.parent.as_ref()
    }

    /// The names of its properties, in the order of the file.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|(name, _)| name.as_str())
    }

    /// The names of its attributes, in the order of the file.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }

    /// Every call that it may make, each once, as service and operation: the listing first.
    pub fn operations(&self) -> Vec<(&str, &str)> {
        let mut operations: Vec<(&str, &str)> = Vec::new();
        let list = self.list.call.as_ref().map(|call| (call.service.as_str(), call.operation.as_str()));
        let details = self.details.iter().flat_map(|detail| {
            let prepare = detail.prepare.as_ref().map(|prepare| (detail.service.as_str(), prepare.operation.as_str()));
            [Some((detail.service.as_str(), detail.operation.as_str())), prepare]
        });
        for operation in std::iter::once(list).chain(details).flatten() {
            if !operations.contains(&operation) {
                operations.push(operation);
            }
        }
        operations
    }

    /// The IAM actions that the file itself names for an operation.
    pub(crate) fn permission(&self, operation: &str) -> Option<&[String]> {
        let (_, actions) = self.permissions.iter().find(|(name, _)| name == operation)?;
        Some(actions)
    }

    /// The call that a reader of these names depends on first, as service and operation.
    pub(crate) fn call_behind(&self, reads: &BTreeSet<String>) -> (&str, &str) {
        let detail = self.details.iter().find(|detail| reads.contains(&detail.into));
        let list = self.list.call.as_ref().map(|call| (call.service.as_str(), call.operation.as_str()));
        detail
            .or_else(|| list.is_none().then(|| self.details.first()).flatten())
            .map(|detail| (detail.service.as_str(), detail.operation.as_str()))
            .or(list)
            .unwrap_or((&self.service, "-"))
    }
}

/// How the items of a type are found.
#[derive(Debug)]
pub(crate) struct List {
    /// None: there is one item, `{}`, and no call.
    pub(crate) call: Option<ListCall>,
    pub(crate) parent: Option<ResourceType>,
    pub(crate) when: Option<Expression>,
}

#[derive(Debug)]
pub(crate) struct ListCall {
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) region: Option<Template>,
    /// At least one.
    pub(crate) inputs: Vec<Input>,
    pub(crate) items: Expression,
    pub(crate) not_set: Vec<Code>,
}

#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) into: String,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) input: Input,
    pub(crate) region: Option<Template>,
    pub(crate) when: Option<Expression>,
    pub(crate) items: Option<Expression>,
    pub(crate) not_set: Vec<Code>,
    pub(crate) gone: Vec<Code>,
    pub(crate) pick: Option<Pick>,
    pub(crate) batch: Option<Batch>,
    pub(crate) prepare: Option<Prepare>,
    /// Everything that it reads: where one of these has failed, so has the detail.
    pub(crate) reads: BTreeSet<String>,
    /// Details of one level need none of each other, and may be asked at the same time.
    pub(crate) level: usize,
    /// Whether no two items can ask with the same input, because it holds all that the id is made of.
    pub(crate) once_an_item: bool,
}

#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) key: Expression,
    pub(crate) of: Template,
    pub(crate) many: bool,
    /// A list of the input, constant like all of it, that all types of a run which ask this fill together.
    pub(crate) together: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) input: String,
    pub(crate) of: Template,
    pub(crate) size: usize,
    pub(crate) key: Expression,
    pub(crate) many: bool,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) struct Prepare {
    pub(crate) operation: String,
    pub(crate) input: Input,
    pub(crate) until: Expression,
}

/// An error that is expected: its code, and a part of its message where the code alone says too little.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    code: String,
    message: Option<String>,
}

impl Code {
    /// `NoSuchBucketPolicy`, or `AccessDeniedException: is not enabled`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((code, message)) => Self { code: code.trim().to_owned(), message: Some(message.trim().to_owned()) },
            None => Self { code: text.trim().to_owned(), message: None },
        }
    }

    /// Whether an error is this one.
    pub(crate) fn is(&self, code: &str, message: &str) -> bool {
        self.code == code && self.message.as_ref().is_none_or(|part| message.contains(part.as_str()))
    }
}

/// A test inside a resource file.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) answers: Vec<(String, Value)>,
    pub(crate) parents: Vec<Value>,
    pub(crate) region: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) partition: Option<String>,
    /// None: a listing that fails.
    pub(crate) expect: Option<Vec<ExpectedResource>>,
}
