//! A resource as it is recorded: in the property shape of its CloudFormation type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{AccountId, Arn, Region, ResourceKey, ResourceType};
use crate::observation::CouldNotLook;

/// One resource, as AWS, a template or a bundle showed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The CloudFormation type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The account that holds it.
    pub account: AccountId,
    /// Where it is; `global` for what belongs to no region.
    pub region: Region,
    /// CloudFormation's primary identifier (a bucket's name, an instance's id).
    pub id: String,
    /// Its ARN, where the type has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// What a person calls it, where that is not the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What CloudFormation's resource schema has for the type, spelt as there.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// What AWS says of it that the schema does not have, spelt as in the API.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The resources it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// What could not be read of it. A rule that needs one of these is `unknown`, never `pass`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

impl Resource {
    /// What the resource is known by.
    pub fn key(&self) -> ResourceKey {
        ResourceKey {
            kind: self.kind.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            id: self.id.clone(),
        }
    }

    /// The ARN where there is one, else the id.
    pub fn arn_or_id(&self) -> &str {
        self.arn.as_ref().map_or(&self.id, Arn::as_str)
    }
}

/// One resource naming another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Relation {
    /// The type of the named resource.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// Its primary identifier or its ARN, as AWS gave it.
    pub id: String,
}

/// Parts of a resource that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// `Properties.VersioningConfiguration`, `Attributes.KeyRotationEnabled`, `Tags`, and deeper where only a part is
    /// missing (`Properties.SecurityGroupIngress[1].CidrIp`): all that is at or below such a path.
    pub paths: Vec<String>,
    /// Why.
    pub cause: CouldNotLook,
}
