//! An expression as it is evaluated: the parsed tree with every name resolved, printable as source text.

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use yagura_model::ResourceType;

use crate::library::Lent;

/// One node of an expression.
#[derive(Debug)]
pub(crate) enum Expr {
    Constant(Constant),
    /// A chain of keys from one of the subject's three sections.
    Path(Path),
    /// `Id`, `Region`, `now`, …
    Field(Field),
    /// A variable of `all`, `exists`, `filter` or `map`, by its place on the stack.
    Local {
        slot: usize,
        name: Box<str>,
    },
    Select {
        of: Box<Expr>,
        key: Box<str>,
    },
    /// `has(of.key)`.
    Has {
        of: Box<Expr>,
        key: Box<str>,
    },
    Index {
        of: Box<Expr>,
        index: Box<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    If(Box<[Expr; 3]>),
    Equal {
        sides: Box<[Expr; 2]>,
        negated: bool,
    },
    Order {
        operator: Order,
        sides: Box<[Expr; 2]>,
    },
    Arithmetic {
        operator: Arithmetic,
        sides: Box<[Expr; 2]>,
    },
    In(Box<[Expr; 2]>),
    List(Vec<Expr>),
    Record(Vec<(Expr, Expr)>),
    Loop(Box<Loop>),
    Call(Box<Call>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
}

/// A part of a resource that holds what AWS said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Properties,
    Attributes,
    Tags,
}

impl Section {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Properties, Self::Attributes, Self::Tags].into_iter().find(|section| section.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Properties => "Properties",
            Self::Attributes => "Attributes",
            Self::Tags => "Tags",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) section: Section,
    pub(crate) keys: Vec<Box<str>>,
}

/// What is known of every resource, and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Type,
    Id,
    Arn,
    Name,
    Region,
    Account,
    Now,
}

impl Field {
    /// Those that a resource has (all but the time).
    pub(crate) const OF_RESOURCE: [Self; 6] =
        [Self::Type, Self::Id, Self::Arn, Self::Name, Self::Region, Self::Account];

    pub(crate) fn of_resource(name: &str) -> Option<Self> {
        Self::OF_RESOURCE.into_iter().find(|field| field.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Type => "Type",
            Self::Id => "Id",
            Self::Arn => "Arn",
            Self::Name => "Name",
            Self::Region => "Region",
            Self::Account => "Account",
            Self::Now => "now",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) kind: LoopKind,
    pub(crate) range: Expr,
    pub(crate) variable: Box<str>,
    pub(crate) body: Expr,
}

#[derive(Debug)]
pub(crate) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    /// With the condition of `map(x, condition, value)`.
    Map(Option<Expr>),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Expr>,
    /// The call as source text: what its result is called in the evidence.
    pub(crate) text: Box<str>,
}

#[derive(Debug)]
pub(crate) enum Function {
    Or,
    Resources(ResourceType),
    ResourcesEverywhere(ResourceType),
    Related(ResourceType),
    AgeDays,
    DaysUntil,
    Lower,
    Number,
    Json,
    Split,
    Join,
    ContainsAny,
    ContainsAll,
    Table(Box<str>),
    Size,
    StartsWith,
    EndsWith,
    Contains,
    /// With the pattern, where it is written out.
    Matches(Option<Regex>),
    Int,
    Double,
    Text,
    Lent(Arc<Lent>),
}

impl Function {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Or => "or",
            Self::Resources(_) => "resources",
            Self::ResourcesEverywhere(_) => "resources_everywhere",
            Self::Related(_) => "related",
            Self::AgeDays => "age_days",
            Self::DaysUntil => "days_until",
            Self::Lower => "lower",
            Self::Number => "number",
            Self::Json => "json",
            Self::Split => "split",
            Self::Join => "join",
            Self::ContainsAny => "contains_any",
            Self::ContainsAll => "contains_all",
            Self::Table(_) => "table",
            Self::Size => "size",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
            Self::Matches(_) => "matches",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Lent(lent) => &lent.name,
        }
    }

    /// The type, or the table, that is written out in the call and so is no argument at run time.
    fn written(&self) -> Option<&str> {
        match self {
            Self::Resources(kind) | Self::ResourcesEverywhere(kind) | Self::Related(kind) => Some(kind.as_str()),
            Self::Table(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(constant) => constant.fmt(f),
            Self::Path(path) => path.fmt(f),
            Self::Field(field) => f.write_str(field.name()),
            Self::Local { name, .. } => f.write_str(name),
            Self::Select { of, key } => write!(f, "{}.{key}", Operand(of)),
            Self::Has { of, key } => write!(f, "has({}.{key})", Operand(of)),
            Self::Index { of, index } => write!(f, "{}[{index}]", Operand(of)),
            Self::Not(of) => write!(f, "!{}", Operand(of)),
            Self::Negate(of) => write!(f, "-{}", Operand(of)),
            Self::And(terms) => joined(f, terms, " && "),
            Self::Or(terms) => joined(f, terms, " || "),
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                write!(f, "{} ? {} : {}", Operand(condition), Operand(then), Operand(otherwise))
            }
            Self::Equal { sides, negated } => infix(f, sides, if *negated { "!=" } else { "==" }),
            Self::Order { operator, sides } => infix(f, sides, operator.sign()),
            Self::Arithmetic { operator, sides } => infix(f, sides, operator.sign()),
            Self::In(sides) => infix(f, sides, "in"),
            Self::List(items) => {
                f.write_str("[")?;
                listed(f, items)?;
                f.write_str("]")
            }
            Self::Record(entries) => {
                f.write_str("{")?;
                for (position, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Loop(each) => each.fmt(f),
            Self::Call(call) => f.write_str(&call.text),
        }
    }
}

/// An expression within another: in parentheses where it would otherwise fall apart.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::And(_)
            | Expr::Or(_)
            | Expr::If(_)
            | Expr::Equal { .. }
            | Expr::Order { .. }
            | Expr::Arithmetic { .. }
            | Expr::In(_) => write!(f, "({})", self.0),
            _ => self.0.fmt(f),
        }
    }
}

fn infix(f: &mut fmt::Formatter<'_>, sides: &[Expr; 2], sign: &str) -> fmt::Result {
    let [left, right] = sides;
    write!(f, "{} {sign} {}", Operand(left), Operand(right))
}

fn joined(f: &mut fmt::Formatter<'_>, terms: &[Expr], sign: &str) -> fmt::Result {
    for (position, term) in terms.iter().enumerate() {
        let sign = if position == 0 { "" } else { sign };
        match term {
            Expr::And(_) | Expr::Or(_) | Expr::If(_) => write!(f, "{sign}({term})")?,
            _ => write!(f, "{sign}{term}")?,
        }
    }
    Ok(())
}

fn listed(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (position, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if position == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.section.name())?;
        self.keys.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
        }
    }
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, condition) = match &self.kind {
            LoopKind::All => ("all", None),
            LoopKind::Exists => ("exists", None),
            LoopKind::ExistsOne => ("exists_one", None),
            LoopKind::Filter => ("filter", None),
            LoopKind::Map(condition) => ("map", condition.as_ref()),
        };
        write!(f, "{}.{name}({}, ", Operand(&self.range), self.variable)?;
        if let Some(condition) = condition {
            write!(f, "{condition}, ")?;
        }
        write!(f, "{})", self.body)
    }
}

/// The source text of a call.
pub(crate) fn call_text(function: &Function, arguments: &[Expr], method: bool) -> Box<str> {
    struct Text<'a>(&'a Function, &'a [Expr], bool);
    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut arguments = self.1;
            if self.2
                && let [target, rest @ ..] = arguments
            {
                write!(f, "{}.", Operand(target))?;
                arguments = rest;
            }
            write!(f, "{}(", self.0.name())?;
            listed(f, arguments)?;
            if let Some(written) = self.0.written() {
                write!(f, "{}'{written}'", if arguments.is_empty() { "" } else { ", " })?;
            }
            f.write_str(")")
        }
    }
    Text(function, arguments, method).to_string().into()
}
