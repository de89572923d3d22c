//! What is to be done: decided in one place, carried out in another, so that it can be read, held back and repeated.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What makes two orders the same: a hash of why, when and what, 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(String);

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The same for the same order, however often it is given.
    pub id: OrderId,
    /// When it was due.
    pub time: DateTime<Utc>,
    /// What it is about, as a person knows it: an alarm and its change.
    pub cause: String,
    /// What to do.
    #[serde(flatten)]
    pub act: Act,
}

/// What an order asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Act {
    /// Tell someone: an SNS topic, an `OpsItem`, an incident.
    Tell {
        /// The target's ARN, as the alarm names it.
        target: String,
    },
    /// Run something that changes something: a function, an action on an instance, a scaling policy, an automation.
    Run {
        /// The ARN of what is to be run.
        playbook: String,
    },
}

impl Order {
    /// The order to do `act` because of `cause`, due at `time`.
    pub fn new(time: DateTime<Utc>, cause: String, act: Act) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [time.to_rfc3339().as_str(), cause.as_str(), act.target()] {
            hasher.update(part.as_bytes()).update(b"\0");
        }
        let id = hasher.finalize().to_hex().chars().take(32).collect();
        Self { id: OrderId(id), time, cause, act }
    }
}

impl Act {
    /// What the target of an alarm's action asks for. Targets that only pass a message on are told; all others may change
    /// something.
    pub fn of_target(target: &str) -> Self {
        let mut parts = target.split(':');
        let is_arn = parts.next() == Some("arn");
        let service = parts.nth(1).filter(|_| is_arn).unwrap_or_default();
        match service {
            "sns" | "ssm-incidents" | "aiops" => Self::Tell { target: target.to_owned() },
            // `arn:aws:ssm:…:opsitem:3` opens an `OpsItem`.
            "ssm" if target.contains(":opsitem") => Self::Tell { target: target.to_owned() },
            _ => Self::Run { playbook: target.to_owned() },
        }
    }

    /// Whom or what it concerns.
    pub fn target(&self) -> &str {
        match self {
            Self::Tell { target } => target,
            Self::Run { playbook } => playbook,
        }
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_the_same_when_it_is_given_again() {
        let order =
            |cause: &str, target: &str| Order::new(DateTime::UNIX_EPOCH, cause.to_owned(), Act::of_target(target)).id;
        let topic = "arn:aws:sns:us-east-1:111122223333:alerts";
        assert_eq!(order("a", topic), order("a", topic));
        assert_ne!(order("a", topic), order("b", topic));
        assert_ne!(order("a", topic), order("a", "arn:aws:sns:us-east-1:111122223333:other"));
    }

    #[test]
    fn what_only_passes_a_message_on_is_told() {
        for (target, told) in [
            ("arn:aws:sns:us-east-1:111122223333:alerts", true),
            ("arn:aws:ssm:us-east-1:111122223333:opsitem:3#CATEGORY=Security", true),
            ("arn:aws:automate:us-east-1:ec2:stop", false),
            ("arn:aws:lambda:us-east-1:111122223333:function:f", false),
            ("nonsense", false),
        ] {
            assert_eq!(matches!(Act::of_target(target), Act::Tell { .. }), told, "{target}");
        }
    }
}
