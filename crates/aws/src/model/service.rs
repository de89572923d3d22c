//! Services: the unit that is decoded.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::Operation;
use super::shape::{Kind, Reference, Shape, ShapeId, is_false};

/// The model of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// botocore's name (`elbv2`, `cognito-idp`).
    pub name: Box<str>,
    /// How it speaks.
    pub protocol: Protocol,
    /// The start of its host names.
    pub endpoint_prefix: Box<str>,
    /// The name of the service in a signature.
    pub signing_name: Box<str>,
    /// The SDKs' name (`Elastic Load Balancing v2`).
    pub service_id: Box<str>,
    /// The name for people (`AWS Certificate Manager`).
    pub full_name: Box<str>,
    /// `v4`, `s3` or `s3v4`.
    pub signature_version: Box<str>,
    /// `1.0` or `1.1` in the JSON protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_version: Option<Box<str>>,
    /// The first half of `X-Amz-Target`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_prefix: Option<Box<str>>,
    /// The namespace of its XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<Box<str>>,
    /// The date of the API (`2006-03-01`).
    pub api_version: Box<str>,
    /// The host of a service that has one for all regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_endpoint: Option<Box<str>>,
    /// Errors carry the codes of the query protocol in `x-amzn-query-error`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub aws_query_compatible: bool,
    /// The rules that find its endpoint, as JSON text; see [`Service::endpoint_rules`].
    #[serde(skip)]
    pub endpoint_rules_json: Option<Box<str>>,
    /// Parameters of the endpoint rules that the client's configuration sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_context_params: Vec<ContextParam>,
    // INVARIANT: sorted by name, each name once.
    pub(super) operations: Vec<Operation>,
    // INVARIANT: every `ShapeId` in the service is below its length.
    pub(super) shapes: Vec<Shape>,
}

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// JSON bodies, the operation in `X-Amz-Target` (`awsJson1_0`, `awsJson1_1`).
    Json,
    /// Form bodies, XML answers.
    Query,
    /// The query protocol in the dialect of EC2.
    Ec2,
    /// Paths and headers with JSON bodies.
    RestJson,
    /// Paths and headers with XML bodies.
    RestXml,
}

/// A parameter of the endpoint rules that the client's configuration sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextParam {
    /// The name in the rules.
    pub name: Box<str>,
    /// `boolean` or `string`.
    #[serde(rename = "type")]
    pub kind: Box<str>,
}

impl Service {
    /// The operation with this name, spelled as in the service's documentation.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let index = self.operations.binary_search_by(|operation| (*operation.name).cmp(name)).ok()?;
        self.operations.get(index)
    }

    /// All operations by name.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The same operations, to set what is not in the published model.
    pub fn operations_mut(&mut self) -> impl Iterator<Item = &mut Operation> {
        self.operations.iter_mut()
    }

    /// The shape with this id. An id of another service gives an empty structure at worst.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        static NOTHING: LazyLock<Shape> = LazyLock::new(|| Shape {
            name: "Nothing".into(),
            kind: Kind::Structure { members: Vec::new(), payload: None, union: false, event_stream: false },
            sensitive: false,
            error_code: None,
            error_status: None,
        });
        usize::try_from(id.0).ok().and_then(|index| self.shapes.get(index)).unwrap_or(&NOTHING)
    }

    /// All shapes, in the order of their ids.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The input structure of an operation.
    pub fn input(&self, operation: &Operation) -> Option<&Shape> {
        operation.input.as_ref().map(|reference| self.shape(reference.shape))
    }

    /// The output structure of an operation.
    pub fn output(&self, operation: &Operation) -> Option<&Shape> {
        operation.output.as_ref().map(|reference| self.shape(reference.shape))
    }

    /// Parameters of the endpoint rules that members of the input give, as (parameter, member).
    pub fn context_params<'a>(&'a self, operation: &Operation) -> impl Iterator<Item = (&'a str, &'a str)> {
        let members = self.input(operation).map_or(&[][..], Shape::members);
        members.iter().filter_map(|member| Some((member.target.traits.context_param.as_deref()?, &*member.name)))
    }

    /// The rules that find its endpoint, in the schema of the Smithy endpoint rules engine, parsed anew each time: the
    /// text is a tenth of the tree's size. `None` where the service has none.
    pub fn endpoint_rules(&self) -> Option<Value> {
        serde_json::from_str(self.endpoint_rules_json.as_deref()?).ok()
    }

    /// The service with its operations sorted and every reference checked; the error names what points nowhere.
    pub(super) fn checked(mut self) -> Result<Self, String> {
        self.operations.sort_by(|left, right| left.name.cmp(&right.name));
        let known = |reference: &Reference| usize::try_from(reference.shape.0).is_ok_and(|id| id < self.shapes.len());
        for shape in &self.shapes {
            let sound = match &shape.kind {
                Kind::List { member } => known(member),
                Kind::Map { key, value } => known(key) && known(value),
                Kind::Structure { members, .. } => members.iter().all(|member| known(&member.target)),
                _ => true,
            };
            if !sound {
                return Err(format!("shape `{}` points at a shape that is not there", shape.name));
            }
        }
        for operation in &self.operations {
            let errors_known =
                operation.errors.iter().all(|id| usize::try_from(id.0).is_ok_and(|id| id < self.shapes.len()));
            if !errors_known || ![&operation.input, &operation.output].into_iter().flatten().all(known) {
                return Err(format!("operation `{}` points at a shape that is not there", operation.name));
            }
        }
        Ok(self)
    }
}
