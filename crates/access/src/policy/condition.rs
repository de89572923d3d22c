//! Conditions of a statement, and the operators they use.

/// One key of a `Condition` block under one operator. All the conditions of a statement must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How the key is compared.
    pub operator: Operator,
    /// The key, in lower case (`aws:sourceip`): AWS reads keys without regard to case.
    pub key: String,
    /// The values; one that fits is enough, and under a negated operator none may fit.
    pub values: Vec<String>,
}

/// A condition operator, taken apart (`ForAllValues:StringNotLikeIfExists`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// How a key with several values is compared.
    pub qualifier: Qualifier,
    /// What is compared.
    pub family: Family,
    /// Whether it asks that nothing fits.
    pub negated: bool,
    /// Whether it holds where the request does not have the key.
    pub if_exists: bool,
}

/// How the several values that a request may have for one key are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifier {
    /// The key has one value.
    Single,
    /// Every value must fit; none at all fits too.
    ForAll,
    /// Some value must fit.
    ForAny,
}

/// What an operator compares. Equality and its negation are one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `StringEquals`
    StringEquals,
    /// `StringEqualsIgnoreCase`
    StringEqualsIgnoreCase,
    /// `StringLike`
    StringLike,
    /// `NumericEquals`
    NumericEquals,
    /// `NumericLessThan`
    NumericLessThan,
    /// `NumericLessThanEquals`
    NumericLessThanEquals,
    /// `NumericGreaterThan`
    NumericGreaterThan,
    /// `NumericGreaterThanEquals`
    NumericGreaterThanEquals,
    /// `DateEquals`
    DateEquals,
    /// `DateLessThan`
    DateLessThan,
    /// `DateLessThanEquals`
    DateLessThanEquals,
    /// `DateGreaterThan`
    DateGreaterThan,
    /// `DateGreaterThanEquals`
    DateGreaterThanEquals,
    /// `Bool`
    Bool,
    /// `BinaryEquals`
    BinaryEquals,
    /// `IpAddress`
    IpAddress,
    /// `ArnEquals` and `ArnLike`, which AWS reads alike
    Arn,
    /// `Null`
    Null,
}

/// The operators by their names in lower case, with their family and whether they are negated.
const OPERATORS: &[(&str, Family, bool)] = &[
    ("stringequals", Family::StringEquals, false),
    ("stringnotequals", Family::StringEquals, true),
    ("stringequalsignorecase", Family::StringEqualsIgnoreCase, false),
    ("stringnotequalsignorecase", Family::StringEqualsIgnoreCase, true),
    ("stringlike", Family::StringLike, false),
    ("stringnotlike", Family::StringLike, true),
    ("numericequals", Family::NumericEquals, false),
    ("numericnotequals", Family::NumericEquals, true),
    ("numericlessthan", Family::NumericLessThan, false),
    ("numericlessthanequals", Family::NumericLessThanEquals, false),
    ("numericgreaterthan", Family::NumericGreaterThan, false),
    ("numericgreaterthanequals", Family::NumericGreaterThanEquals, false),
    ("dateequals", Family::DateEquals, false),
    ("datenotequals", Family::DateEquals, true),
    ("datelessthan", Family::DateLessThan, false),
    ("datelessthanequals", Family::DateLessThanEquals, false),
    ("dategreaterthan", Family::DateGreaterThan, false),
    ("dategreaterthanequals", Family::DateGreaterThanEquals, false),
    ("bool", Family::Bool, false),
    ("binaryequals", Family::BinaryEquals, false),
    ("ipaddress", Family::IpAddress, false),
    ("notipaddress", Family::IpAddress, true),
    ("arnequals", Family::Arn, false),
    ("arnnotequals", Family::Arn, true),
    ("arnlike", Family::Arn, false),
    ("arnnotlike", Family::Arn, true),
    ("null", Family::Null, false),
];

impl Operator {
    /// The operator of this name, whatever its case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (qualifier, name) = match name.split_once(':') {
            Some(("forallvalues", rest)) => (Qualifier::ForAll, rest),
            Some(("foranyvalue", rest)) => (Qualifier::ForAny, rest),
            Some(_) => return None,
            None => (Qualifier::Single, name.as_str()),
        };
        let (name, if_exists) = match name.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let &(_, family, negated) = OPERATORS.iter().find(|(known, _, _)| *known == name)?;
        // `Null` asks whether the key exists; AWS refuses to make that depend on its existence.
        if family == Family::Null && if_exists {
            return None;
        }
        Some(Self { qualifier, family, negated, if_exists })
    }

    /// Whether the operator holds for a request that does not have the key.
    pub fn holds_when_absent(self) -> bool {
        match self.qualifier {
            Qualifier::ForAll => true,
            Qualifier::ForAny => self.if_exists,
            Qualifier::Single => self.negated || self.if_exists,
        }
    }
}
