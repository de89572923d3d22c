//! What is wrong with a policy document, in the codes of IAM Access Analyzer's policy validation.
//!
//! A document is judged as it was written: every finding has its place. What the document should be is either told or
//! read from it ([`PolicyKind`]). Which check fires when, and where that is a choice of ours, is told in
//! `docs/access-lint.md`.

mod arn;
mod codes;
mod conditions;
mod context;
mod facts;
mod grants;
mod keys;
mod locate;
mod networks;
mod pattern;
mod principals;
mod rcp;
mod redundancy;
mod resources;
mod scope;
mod size;
mod statements;
mod structure;
mod tags;
mod template;
mod trust;
mod values;
mod variables;
mod view;

pub use codes::{CODES, Code, Severity};
pub use template::{Embedded, embedded};

use crate::actions::{Actions, BrokenTable};
use crate::json::{self, InvalidJson, Node, Position};
use context::Context;

/// What a document is attached to, which decides what belongs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A user, group or role.
    Identity,
    /// A resource: it says who may reach it.
    Resource,
    /// A role, as its trust policy.
    Trust,
    /// An organization: a service control policy.
    Scp,
    /// An organization: a resource control policy.
    Rcp,
}

/// What is told of a document beside its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// What it is; else read from the document.
    pub kind: Option<PolicyKind>,
    /// The CloudFormation type of the resource it belongs to (`AWS::S3::Bucket`), where the kind is one of a resource.
    pub resource_type: Option<&'a str>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub code: Code,
    /// Where in the text.
    pub position: Position,
    /// Where in the document (`Statement[0].Action[1]`); `$` is the document itself.
    pub path: String,
    /// What the sentence about it names. The `problem` of a document that is no JSON is a word of [`json::Problem::key`],
    /// or `repeated`.
    pub values: Vec<(&'static str, String)>,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Why a document could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum LintFailure {
    /// It is larger or deeper than what is read.
    #[error(transparent)]
    Unreadable(InvalidJson),
    /// It has more statements than are compared with each other.
    #[error("the policy has more than {STATEMENTS_MAX} statements")]
    TooManyStatements,
    /// A table of facts cannot be read.
    #[error(transparent)]
    Table(#[from] BrokenTable),
}

/// The most statements read. AWS's own policies have 46 at most, and the quotas leave room for a few hundred.
const STATEMENTS_MAX: usize = 2_000;

/// The CloudFormation type by which a role's trust policy is told.
const TRUST_POLICY_TYPE: &str = "AWS::IAM::AssumeRolePolicyDocument";

/// Judges one document. A text that is no JSON has that as its only finding.
pub fn lint(text: &str, options: Options<'_>, actions: &Actions) -> Result<Vec<Finding>, LintFailure> {
    match json::parse(text) {
        Ok(root) => lint_node(text, &root, &root, options, actions),
        Err(InvalidJson::Syntax { problem, at, .. }) => Ok(vec![Finding {
            code: codes::JSON_SYNTAX_ERROR,
            position: at,
            path: "$".to_owned(),
            values: vec![("problem", problem.key().to_owned())],
            suggestion: None,
        }]),
        Err(error) => Err(LintFailure::Unreadable(error)),
    }
}

/// Judges a document that stands inside another one, in a template for instance: `policy` is a node of `root`, which is
/// what `text` holds.
pub fn lint_node(
    text: &str,
    root: &Node<'_>,
    policy: &Node<'_>,
    options: Options<'_>,
    actions: &Actions,
) -> Result<Vec<Finding>, LintFailure> {
    let document = view::Document::of(policy);
    if document.statements.len() > STATEMENTS_MAX {
        return Err(LintFailure::TooManyStatements);
    }
    let kind = match (options.kind, options.resource_type) {
        (Some(kind), _) => kind,
        (None, Some(TRUST_POLICY_TYPE)) => PolicyKind::Trust,
        (None, Some(_)) => PolicyKind::Resource,
        (None, None) => document.likely_kind(),
    };
    let context = Context::new(text, kind, options.resource_type, actions);
    structure::check(&document, &context);
    statements::check(&document, &context);
    size::check(&document, &context);
    scope::check(&document, &context);
    variables::check(&document, &context);
    resources::check(&document, &context);
    conditions::check(&document, &context);
    principals::check(&document, &context);
    trust::check(&document, &context);
    rcp::check(&document, &context);
    tags::check(&document, &context);
    grants::check(&document, &context);
    redundancy::check(&document, &context);
    let found = context.finish()?;
    Ok(locate::findings(text, root, found))
}
