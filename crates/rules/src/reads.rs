//! What an expression may read, told from its text alone.

use std::collections::BTreeSet;

use serde::Serialize;
use yagura_model::ResourceType;

use crate::cel::{Expr, Field, Function, LoopKind};
use crate::program::Program;

/// What a rule may read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// Paths of the subject: `Properties.Rules[].Port`.
    pub paths: BTreeSet<String>,
    /// Paths of other resources, by their type.
    pub others: BTreeSet<(ResourceType, String)>,
    /// Types asked for with `resources`, `resources_everywhere` and `related`.
    pub types: BTreeSet<ResourceType>,
    /// Functions that are called.
    pub functions: BTreeSet<String>,
    /// Tables that are looked up in.
    pub tables: BTreeSet<String>,
}

impl Reads {
    /// Adds what another expression may read.
    pub(crate) fn merge(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.others.extend(other.others);
        self.types.extend(other.types);
        self.functions.extend(other.functions);
        self.tables.extend(other.tables);
    }
}

impl Program {
    /// What the expression may read.
    pub fn reads(&self) -> Reads {
        let mut finder = Finder::default();
        let Ok(expr) = self.expr() else { return finder.reads };
        let origin = finder.walk(expr);
        finder.note(&origin);
        finder.reads
    }
}

/// Where the value of an expression comes from, as far as its text says.
#[derive(Debug, Clone, PartialEq)]
enum Origin {
    Subject(String),
    /// A resource of a type, or a path of one.
    Other(ResourceType, String),
    Made,
}

#[derive(Default)]
struct Finder {
    reads: Reads,
    locals: Vec<Origin>,
}

impl Finder {
    fn note(&mut self, origin: &Origin) {
        match origin {
            Origin::Subject(path) => {
                self.reads.paths.insert(path.clone());
            }
            Origin::Other(kind, path) if !path.is_empty() => {
                self.reads.others.insert((kind.clone(), path.clone()));
            }
            Origin::Other(..) | Origin::Made => {}
        }
    }

    /// Walks an expression whose value is used up here.
    fn used<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> Origin {
        for expr in exprs {
            let origin = self.walk(expr);
            self.note(&origin);
        }
        Origin::Made
    }

    fn walk(&mut self, expr: &Expr) -> Origin {
        match expr {
            Expr::Field(field @ (Field::Arn | Field::Name)) => Origin::Subject(field.name().to_owned()),
            Expr::Constant(_) | Expr::Field(_) => Origin::Made,
            Expr::Path(path) => Origin::Subject(path.to_string()),
            Expr::Local { slot, .. } => self.locals.get(*slot).cloned().unwrap_or(Origin::Made),
            Expr::Select { of, key } => below(self.walk(of), &format!(".{key}")),
            Expr::Has { of, key } => {
                let origin = below(self.walk(of), &format!(".{key}"));
                self.note(&origin);
                Origin::Made
            }
            Expr::Index { of, index } => {
                self.used([&**index]);
                below(self.walk(of), "[]")
            }
            Expr::Not(of) | Expr::Negate(of) => self.used([&**of]),
            Expr::And(terms) | Expr::Or(terms) | Expr::List(terms) => self.used(terms),
            Expr::If(parts) => self.used(&**parts),
            Expr::Equal { sides, .. }
            | Expr::Order { sides, .. }
            | Expr::Arithmetic { sides, .. }
            | Expr::In(sides) => self.used(&**sides),
            Expr::Record(entries) => self.used(entries.iter().flat_map(|(key, value)| [key, value])),
            Expr::Loop(each) => {
                let range = self.walk(&each.range);
                self.note(&range);
                let element = match &range {
                    Origin::Other(kind, path) if path.is_empty() => Origin::Other(kind.clone(), String::new()),
                    other => below(other.clone(), "[]"),
                };
                self.locals.push(element);
                if let LoopKind::Map(Some(condition)) = &each.kind {
                    self.used([condition]);
                }
                let body = self.walk(&each.body);
                self.note(&body);
                self.locals.pop();
                match each.kind {
                    LoopKind::Filter => range,
                    LoopKind::Map(_) => body,
                    _ => Origin::Made,
                }
            }
            Expr::Call(call) => {
                self.reads.functions.insert(call.function.name().to_owned());
                match &call.function {
                    Function::Resources(kind) | Function::ResourcesEverywhere(kind) | Function::Related(kind) => {
                        self.used(&call.arguments);
                        self.reads.types.insert(kind.clone());
                        Origin::Other(kind.clone(), String::new())
                    }
                    Function::Table(name) => {
                        self.reads.tables.insert(name.to_string());
                        Origin::Made
                    }
                    Function::Or => {
                        let first = call.arguments.first().map_or(Origin::Made, |first| self.walk(first));
                        self.used(call.arguments.iter().skip(1));
                        first
                    }
                    _ => self.used(&call.arguments),
                }
            }
        }
    }
}

fn below(origin: Origin, step: &str) -> Origin {
    match origin {
        Origin::Subject(path) => Origin::Subject(path + step),
        Origin::Other(kind, path) => Origin::Other(kind, (path + step).trim_start_matches('.').to_owned()),
        Origin::Made => Origin::Made,
    }
}
