//! Conditions, with the values of the policy read once.

use std::cmp::Ordering;

use ipnet::IpNet;

use super::operand;
use super::request::Scene;
use super::text::{ArnParts, ArnText, Syntax, Text};
use crate::policy::{Condition, Family, Operator, Qualifier, Version};

/// One condition, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    operator: Operator,
    key: String,
    test: Test,
    /// Whether the policy gives no value at all.
    is_empty: bool,
    /// Values that are nothing of the kind that the operator compares.
    malformed: Vec<String>,
}

/// What the key is compared with.
#[derive(Debug, Clone)]
enum Test {
    Texts(Vec<Text>),
    AnyCase(Vec<Text>),
    Arns(Vec<ArnText>),
    Numbers(Compared, Vec<i128>),
    Dates(Compared, Vec<i64>),
    Networks(Vec<IpNet>),
    Bools(Vec<Text>),
    Bytes(Vec<Vec<u8>>),
    /// The key must be absent, or present.
    Absent(Vec<bool>),
}

/// How the request's value stands to the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compared {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
        }
    }
}

impl Asked {
    /// Reads a condition of a policy of this version.
    pub(super) fn of(condition: &Condition, version: Version) -> Self {
        let variables = version == Version::V2012;
        let mut malformed = Vec::new();
        let test = test(condition, variables, &mut malformed);
        let is_empty = condition.values.is_empty();
        Self { operator: condition.operator, key: condition.key.clone(), test, is_empty, malformed }
    }

    /// Whether the request meets it.
    pub(super) fn holds(&self, scene: Scene<'_>) -> bool {
        let values = scene.values(&self.key);
        for value in &self.malformed {
            scene.remark(|| {
                format!("the policy's value `{value}` for `{}` cannot be compared and fits nothing", self.key)
            });
        }
        if let Test::Absent(wanted) = &self.test {
            return match self.operator.qualifier {
                // A set without values is in every set, and has no value that fits.
                Qualifier::ForAll => true,
                Qualifier::ForAny => false,
                Qualifier::Single => wanted.contains(&values.is_absent()),
            };
        }
        if values.is_absent() {
            scene.missing(&self.key);
            return self.operator.holds_when_absent();
        }
        // What AWS's own policy checks say of an empty list: these forms match only where the key is absent.
        if self.is_empty && (self.operator.if_exists || self.operator.qualifier != Qualifier::Single) {
            return false;
        }
        let negated = self.operator.negated;
        match self.operator.qualifier {
            Qualifier::Single => values.iter().any(|value| self.fits(value, scene)) != negated,
            Qualifier::ForAll => values.iter().all(|value| self.fits(value, scene) != negated),
            Qualifier::ForAny => values.iter().any(|value| self.fits(value, scene) != negated),
        }
    }

    /// Whether one value of the request fits one of the policy's.
    fn fits(&self, value: &str, scene: Scene<'_>) -> bool {
        match &self.test {
            Test::Texts(texts) => texts.iter().any(|text| text.matches(value, scene)),
            Test::AnyCase(texts) => {
                let same = |text: &Text| text.literal(scene).is_some_and(|literal| same_but_for_case(&literal, value));
                texts.iter().any(same)
            }
            Test::Arns(arns) => {
                let parts = ArnParts::of(value);
                arns.iter().any(|arn| arn.matches(parts, scene))
            }
            Test::Numbers(compared, numbers) => self
                .read(value, scene, operand::number)
                .is_some_and(|value| numbers.iter().any(|number| compared.holds(value.cmp(number)))),
            Test::Dates(compared, dates) => self
                .read(value, scene, operand::date)
                .is_some_and(|value| dates.iter().any(|date| compared.holds(value.cmp(date)))),
            Test::Networks(networks) => self
                .read(value, scene, operand::address)
                .is_some_and(|address| networks.iter().any(|network| network.contains(&address))),
            Test::Bools(texts) => self.read(value, scene, is_true).is_some_and(|value| {
                texts.iter().any(|text| text.literal(scene).as_deref().and_then(is_true) == Some(value))
            }),
            Test::Bytes(bytes) => self.read(value, scene, operand::binary).is_some_and(|value| bytes.contains(&value)),
            Test::Absent(_) => false,
        }
    }

    /// The request's value as the operator reads it.
    fn read<T>(&self, value: &str, scene: Scene<'_>, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let read = read(value);
        if read.is_none() {
            scene.remark(|| {
                format!("the request's value `{value}` for `{}` cannot be compared and fits nothing", self.key)
            });
        }
        read
    }
}

fn test(condition: &Condition, variables: bool, malformed: &mut Vec<String>) -> Test {
    use Compared::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let plain = Syntax { wildcards: false, variables, wild_values: false };
    let wild = Syntax { wildcards: true, variables, wild_values: true };
    let texts = |syntax| condition.values.iter().map(|value| Text::parse(value, syntax)).collect();
    let values = &condition.values;
    match condition.operator.family {
        Family::StringEquals => Test::Texts(texts(plain)),
        Family::StringEqualsIgnoreCase => Test::AnyCase(texts(plain)),
        Family::StringLike => Test::Texts(texts(wild)),
        Family::Arn => Test::Arns(values.iter().map(|value| ArnText::parse(value, wild, false)).collect()),
        Family::NumericEquals => Test::Numbers(Equal, numbers(values, malformed)),
        Family::NumericLessThan => Test::Numbers(Less, numbers(values, malformed)),
        Family::NumericLessThanEquals => Test::Numbers(LessOrEqual, numbers(values, malformed)),
        Family::NumericGreaterThan => Test::Numbers(Greater, numbers(values, malformed)),
        Family::NumericGreaterThanEquals => Test::Numbers(GreaterOrEqual, numbers(values, malformed)),
        Family::DateEquals => Test::Dates(Equal, dates(values, malformed)),
        Family::DateLessThan => Test::Dates(Less, dates(values, malformed)),
        Family::DateLessThanEquals => Test::Dates(LessOrEqual, dates(values, malformed)),
        Family::DateGreaterThan => Test::Dates(Greater, dates(values, malformed)),
        Family::DateGreaterThanEquals => Test::Dates(GreaterOrEqual, dates(values, malformed)),
        Family::Bool => Test::Bools(texts(plain)),
        Family::BinaryEquals => Test::Bytes(read(values, malformed, operand::binary)),
        Family::IpAddress => Test::Networks(read(values, malformed, operand::network)),
        Family::Null => Test::Absent(read(values, malformed, is_true)),
    }
}

fn numbers(values: &[String], malformed: &mut Vec<String>) -> Vec<i128> {
    read(values, malformed, operand::number)
}

fn dates(values: &[String], malformed: &mut Vec<String>) -> Vec<i64> {
    read(values, malformed, operand::date)
}

fn read<T>(values: &[String], malformed: &mut Vec<String>, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let mut found = Vec::with_capacity(values.len());
    for value in values {
        match read(value) {
            Some(read) => found.push(read),
            None => malformed.push(value.clone()),
        }
    }
    found
}

fn is_true(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn same_but_for_case(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right) || (!left.is_ascii() && left.to_lowercase() == right.to_lowercase())
}
