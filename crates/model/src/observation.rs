//! What AWS (or a template, or a bundle) said, and what it would not say.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Region, ResourceType};
use crate::resource::Resource;

/// One thing seen, or not seen, at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the answer came.
    pub at: DateTime<Utc>,
    /// What it was.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What an observation says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "seen")]
pub enum Seen {
    /// A resource, with what could be read of it.
    Resource(Box<Resource>),
    /// Every resource of one type in one place has been listed: what was not shown is not there.
    Listed {
        /// The type that was listed.
        #[serde(rename = "type")]
        kind: ResourceType,
        /// In which account.
        account: AccountId,
        /// In which region; `global` for a global type.
        region: Region,
    },
    /// The resources of one type in one place could not be listed: nothing is known of them.
    Unlisted {
        /// The type that was to be listed.
        #[serde(rename = "type")]
        kind: ResourceType,
        /// In which account.
        account: AccountId,
        /// In which region; `global` for a global type.
        region: Region,
        /// Why.
        cause: CouldNotLook,
    },
    /// A region that the account has not enabled; nothing in it was asked.
    RegionDisabled {
        /// The account.
        account: AccountId,
        /// The region left out.
        region: Region,
    },
}

/// Why something could not be read: the call, what AWS answered, and the permission that would allow it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[error("{service}:{operation} answered {error}")]
pub struct CouldNotLook {
    /// The service's name in the API models (`s3`, `elbv2`).
    pub service: String,
    /// The operation (`GetBucketVersioning`).
    pub operation: String,
    /// What kind of failure it was.
    pub cause: Cause,
    /// The error code, or what else went wrong, in few words.
    pub error: String,
    /// The IAM action that allows the call (`s3:GetBucketVersioning`), where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// The kinds of failure, as far as what to do about them differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The caller lacks a permission.
    Denied,
    /// AWS asked to slow down, more often than was waited for.
    Throttled,
    /// The endpoint does not know the operation, or the service is not in the region.
    NotImplemented,
    /// The answer could not be understood.
    Malformed,
    /// No answer came: network, DNS, TLS, a time-out.
    Unreachable,
    /// The budget of API calls was spent.
    OverBudget,
    /// Any other error that AWS answered.
    Failed,
    /// The value exists only at deployment (a template's parameter or reference).
    Unresolved,
}
