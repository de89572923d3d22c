//! Two documents that are to be compared.

use serde_json::Value;

use super::{Answer, Approximation, PolicyKind, binding, kind, new_access};
use crate::actions::BrokenTable;
use crate::policy::{InvalidPolicy, Policy, Version};

/// Two policies, as their documents have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    existing: Policy,
    new: Policy,
    version_assumed: bool,
}

/// Why two documents cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDocument {
    /// The existing one cannot be understood.
    #[error("the existing policy cannot be understood")]
    Existing(#[source] InvalidPolicy),
    /// The new one cannot be understood.
    #[error("the new policy cannot be understood")]
    New(#[source] InvalidPolicy),
}

impl Pair {
    /// Reads both. No policy (`null`, an empty text) is one that allows nothing. Of two documents of which one has no
    /// `Version`, that one is read in the version of the other, so that the same text means the same on both sides;
    /// where `as_written`, it is read as AWS does, without policy variables.
    pub fn read(existing: &Value, new: &Value, as_written: bool) -> Result<Self, InvalidDocument> {
        let mut old = read(existing).map_err(InvalidDocument::Existing)?;
        let mut now = read(new).map_err(InvalidDocument::New)?;
        let mut version_assumed = false;
        if !as_written {
            let (without, other) = match (has_version(existing), has_version(new)) {
                (false, true) => (Some(&mut old), now.version),
                (true, false) => (Some(&mut now), old.version),
                _ => (None, Version::V2008),
            };
            if let Some(without) = without
                && other == Version::V2012
            {
                without.version = Version::V2012;
                reread_resources(without);
                version_assumed = !binding::variables(without).is_empty();
            }
        }
        Ok(Self { existing: old, new: now, version_assumed })
    }

    /// The kind of policy that they are.
    pub fn kind(&self) -> PolicyKind {
        kind(&[&self.existing, &self.new])
    }

    /// The existing policy.
    pub fn existing(&self) -> &Policy {
        &self.existing
    }

    /// The new policy.
    pub fn new_policy(&self) -> &Policy {
        &self.new
    }

    /// Whether the new one allows a request that the existing one does not.
    pub fn compare(&self, kind: PolicyKind) -> Result<Answer, BrokenTable> {
        let mut answer = new_access(&self.existing, &self.new, kind)?;
        if self.version_assumed {
            answer.approximations.insert(Approximation::VersionAssumed);
        }
        Ok(answer)
    }
}

fn read(document: &Value) -> Result<Policy, InvalidPolicy> {
    let none = || Policy { version: Version::default(), id: None, statements: Vec::new() };
    Ok(Policy::from_value(document)?.unwrap_or_else(none))
}

/// Whether a document says in which version it is written. A text was parsed already, so that searching it is enough.
fn has_version(document: &Value) -> bool {
    match document {
        Value::Object(object) => object.keys().any(|name| name.eq_ignore_ascii_case("version")),
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            text.contains("\"version\"") || text.contains("%22version%22")
        }
        _ => false,
    }
}

/// Patterns of resources hold their variables taken apart, or not, by version.
fn reread_resources(policy: &mut Policy) {
    use crate::policy::{Glob, Scope};
    for statement in &mut policy.statements {
        if let Some(Scope::In(globs) | Scope::NotIn(globs)) = &mut statement.resources {
            for glob in globs {
                *glob = Glob::with_variables(glob.as_str());
            }
        }
    }
}
