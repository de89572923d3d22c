//! Ids as newtypes, so that a region is never passed where an account is meant.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that is not the id it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidId {
    /// What was given.
    pub text: String,
    /// What was expected, as the end of a sentence.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id of this text, taken as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

text_id!(
    /// An AWS account: twelve digits.
    AccountId
);
text_id!(
    /// A region's code (`ap-northeast-1`), or `global` for what belongs to no region.
    Region
);
text_id!(
    /// An AWS partition: `aws`, `aws-cn`, `aws-us-gov`, …
    Partition
);
text_id!(
    /// An Amazon Resource Name.
    Arn
);
text_id!(
    /// A CloudFormation resource type (`AWS::S3::Bucket`), or a pseudo-type for what CloudFormation has no type for
    /// (`AWS::::Account`, `AWS::::Region`).
    ResourceType
);
text_id!(
    /// A rule's name: its path under `rules/` without the ending, `s3/bucket-versioning-enabled`.
    RuleName
);
text_id!(
    /// A finding: a hash of the rule and of the rule's identity fields, 32 hexadecimal digits.
    FindingId
);

impl Region {
    /// The region of what belongs to no region.
    pub const GLOBAL: &'static str = "global";

    /// `global`.
    pub fn global() -> Self {
        Self::from(Self::GLOBAL)
    }

    /// Whether this is the place of what belongs to no region.
    pub fn is_global(&self) -> bool {
        self.as_str() == Self::GLOBAL
    }
}

impl FromStr for AccountId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::from(text));
        }
        Err(InvalidId { text: text.to_owned(), expected: "an AWS account id (twelve digits)" })
    }
}

/// What one resource is known by in all of Yagura: type, account, region and primary identifier.
///
/// An ARN alone would not do: several types have none, and two types can share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    /// The CloudFormation type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The account that holds it.
    pub account: AccountId,
    /// Where it is; [`Region::GLOBAL`] for what belongs to no region.
    pub region: Region,
    /// CloudFormation's primary identifier.
    pub id: String,
}
