//! Whether what resource files read can be there: each expression against the shapes that the API models give answers.
//!
//! A misspelt key is no error to JMESPath: it is null, and the property is silently left out. Here every key is looked up
//! in the shape that it is asked of. What the models leave open (documents, text that holds JSON, what functions make)
//! may hold any key.

use std::collections::BTreeMap;
use std::sync::Arc;

use jmespath::Variable;
use jmespath::ast::Ast;
use yagura_aws::model::{Kind, Models, Reference, Service};

use crate::types::expression::{Expression, Template};
use crate::types::{Definition, Detail, ResourceTypes};

/// Every key that an expression of these types asks of a shape that has no such key: file, expression and problem.
pub fn impossible_paths(types: &ResourceTypes, models: &Models) -> Vec<String> {
    let mut problems = Vec::new();
    for definition in types.iter() {
        let mut check = Check { types, models, file: definition.file(), problems: Vec::new() };
        check.definition(definition);
        problems.append(&mut check.problems);
    }
    problems.sort();
    problems.dedup();
    problems
}

/// What a value may be, as far as it is known.
#[derive(Clone)]
enum Type {
    /// Anything, with any keys.
    Any,
    /// Nothing at all; below it is nothing, and no mistake.
    Null,
    /// A text, a number, true or false.
    Scalar,
    /// What a model says.
    Shape(Arc<Service>, Reference),
    List(Box<Type>),
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// What one of two values is.
    fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, other) | (other, Self::Null) => other,
            (Self::Scalar, Self::Scalar) => Self::Scalar,
            (Self::List(left), Self::List(right)) => Self::List(Box::new(left.either(*right))),
            (Self::Shape(service, left), Self::Shape(other, right))
                if service.name == other.name && left.shape == right.shape =>
            {
                Self::Shape(service, left)
            }
            _ => Self::Any,
        }
    }

    fn of_reference(service: &Arc<Service>, reference: &Reference) -> Self {
        if reference.traits.json_value {
            return Self::Any;
        }
        match &service.shape(reference.shape).kind {
            Kind::List { .. } | Kind::Map { .. } | Kind::Structure { .. } => {
                Self::Shape(service.clone(), reference.clone())
            }
            Kind::Document => Self::Any,
            _ => Self::Scalar,
        }
    }

    /// The elements of a list; none where it is no list.
    fn element(&self) -> Option<Self> {
        match self {
            Self::Any | Self::Null => Some(self.clone()),
            Self::List(element) => Some((**element).clone()),
            Self::Shape(service, reference) => match &service.shape(reference.shape).kind {
                Kind::List { member } => Some(Self::of_reference(service, member)),
                _ => None,
            },
            Self::Scalar | Self::Object(_) => None,
        }
    }

    /// The value under a key; the error says what has no such key.
    fn key(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Any | Self::Null => Ok(self.clone()),
            Self::Scalar => Err("a plain value".to_owned()),
            Self::List(_) => Err("a list".to_owned()),
            Self::Object(members) => members.get(name).cloned().ok_or_else(|| {
                format!("an object of {}", members.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
            }),
            Self::Shape(service, reference) => {
                let shape = service.shape(reference.shape);
                match &shape.kind {
                    Kind::Map { value, .. } => Ok(Self::of_reference(service, value)),
                    _ => match shape.member(name) {
                        Some(member) => Ok(Self::of_reference(service, &member.target)),
                        None => Err(format!("{}:{}", service.name, shape.name)),
                    },
                }
            }
        }
    }

    /// The values of all keys.
    fn values(&self) -> Self {
        match self {
            Self::Shape(service, reference) => match &service.shape(reference.shape).kind {
                Kind::Map { value, .. } => Self::of_reference(service, value),
                _ => Self::Any,
            },
            _ => Self::Any,
        }
    }
}

struct Check<'a> {
    types: &'a ResourceTypes,
    models: &'a Models,
    file: &'a str,
    problems: Vec<String>,
}

impl Check<'_> {
    fn definition(&mut self, definition: &Definition) {
        let names = self.names(definition);
        let object = Type::Object(names);
        let templates = [&definition.arn, &definition.name, &definition.region];
        for template in templates.into_iter().flatten().chain([&definition.id]) {
            self.template(template, &object);
        }
        let members = definition.properties.iter().chain(&definition.attributes).map(|(_, expression)| expression);
        let relations = definition.relations.iter().map(|(_, expression)| expression);
        for expression in members.chain(relations).chain(&definition.tags) {
            self.expression(expression, &object);
        }
    }

    /// What the expressions of a type see; everything on the way to it is checked.
    fn names(&mut self, definition: &Definition) -> BTreeMap<String, Type> {
        let mut names: BTreeMap<String, Type> =
            ["account", "partition", "region"].map(|name| (name.to_owned(), Type::Scalar)).into();
        if let Some(parent) = definition.parent().and_then(|kind| self.types.get(kind)) {
            // The parent's own file is checked on its own.
            let mut above = Check { types: self.types, models: self.models, file: "", problems: Vec::new() };
            let mut object = above.names(parent);
            object.insert("id".to_owned(), Type::Scalar);
            if let Some(when) = &definition.list.when {
                let mut seen = object.clone();
                seen.insert("parent".to_owned(), Type::Object(object.clone()));
                self.expression(when, &Type::Object(seen));
            }
            names.insert("parent".to_owned(), Type::Object(object));
        }
        let item = match &definition.list.call {
            None => Type::Object(BTreeMap::new()),
            Some(call) => {
                for expression in call.inputs.iter().flat_map(|input| input.expressions()) {
                    self.expression(expression, &Type::Object(names.clone()));
                }
                let output = self.output(&call.service, &call.operation);
                self.items(&call.items, &output)
            }
        };
        names.insert("item".to_owned(), item);
        for detail in &definition.details {
            let value = self.detail(detail, &Type::Object(names.clone()));
            names.insert(detail.into.clone(), value);
        }
        names
    }

    fn detail(&mut self, detail: &Detail, names: &Type) -> Type {
        for expression in detail.input.expressions().into_iter().chain(&detail.when) {
            self.expression(expression, names);
        }
        if let Some(region) = &detail.region {
            self.template(region, names);
        }
        if let Some(prepare) = &detail.prepare {
            let output = self.output(&detail.service, &prepare.operation);
            self.expression(&prepare.until, &output);
        }
        let output = self.output(&detail.service, &detail.operation);
        let Some(items) = &detail.items else { return output };
        let element = self.items(items, &output);
        let (of, key, many) = match (&detail.pick, &detail.batch) {
            (Some(pick), _) => (&pick.of, &pick.key, pick.many),
            (None, Some(batch)) => (&batch.of, &batch.key, batch.many),
            (None, None) => return Type::List(Box::new(element)),
        };
        self.template(of, names);
        self.expression(key, &element);
        if many { Type::List(Box::new(element)) } else { element }
    }

    /// What an operation answers; anything where the model does not say, which another test is about.
    fn output(&self, service: &str, operation: &str) -> Type {
        let Some(service) = self.models.service(service) else { return Type::Any };
        let output = service.operation(operation).map(|operation| operation.output.clone());
        match output {
            Some(Some(reference)) => Type::of_reference(&service, &reference),
            Some(None) => Type::Object(BTreeMap::new()),
            None => Type::Any,
        }
    }

    fn items(&mut self, items: &Expression, output: &Type) -> Type {
        let list = self.expression(items, output);
        list.element().unwrap_or_else(|| {
            self.problems.push(format!("{}: `{}` is no list", self.file, items.text()));
            Type::Any
        })
    }

    fn template(&mut self, template: &Template, object: &Type) {
        for expression in template.expressions() {
            self.expression(expression, object);
        }
    }

    fn expression(&mut self, expression: &Expression, over: &Type) -> Type {
        let mut walk = Walk { problems: Vec::new() };
        let found = walk.node(expression.ast(), over);
        let told =
            walk.problems.into_iter().map(|problem| format!("{}: `{}`: {problem}", self.file, expression.text()));
        self.problems.extend(told);
        found
    }
}

struct Walk {
    problems: Vec<String>,
}

impl Walk {
    fn node(&mut self, node: &Ast, over: &Type) -> Type {
        match node {
            Ast::Field { name, .. } => over.key(name).unwrap_or_else(|holder| {
                self.problems.push(format!("{holder} has no `{name}`"));
                Type::Any
            }),
            Ast::Subexpr { lhs, rhs, .. } => {
                let left = self.node(lhs, over);
                self.node(rhs, &left)
            }
            Ast::Identity { .. } | Ast::Slice { .. } => over.clone(),
            Ast::Index { .. } => self.element(over),
            Ast::Projection { lhs, rhs, .. } => {
                let list = self.node(lhs, over);
                let element = self.element(&list);
                Type::List(Box::new(self.node(rhs, &element)))
            }
            Ast::Flatten { node, .. } => {
                let list = self.node(node, over);
                let element = self.element(&list);
                // A list inside of the list is dissolved, anything else stays.
                Type::List(Box::new(element.element().unwrap_or(element)))
            }
            Ast::ObjectValues { node, .. } => Type::List(Box::new(self.node(node, over).values())),
            Ast::Condition { predicate, then, .. } => {
                self.node(predicate, over);
                self.node(then, over)
            }
            Ast::Comparison { lhs, rhs, .. } => {
                self.node(lhs, over);
                self.node(rhs, over);
                Type::Scalar
            }
            Ast::Or { lhs, rhs, .. } => self.node(lhs, over).either(self.node(rhs, over)),
            Ast::And { lhs, rhs, .. } => {
                self.node(lhs, over);
                self.node(rhs, over)
            }
            Ast::Not { node, .. } => {
                self.node(node, over);
                Type::Scalar
            }
            Ast::Literal { value, .. } => match &**value {
                Variable::Null => Type::Null,
                Variable::Array(_) | Variable::Object(_) => Type::Any,
                _ => Type::Scalar,
            },
            Ast::MultiList { elements, .. } => {
                let found: Vec<Type> = elements.iter().map(|element| self.node(element, over)).collect();
                Type::List(Box::new(found.into_iter().fold(Type::Null, Type::either)))
            }
            Ast::MultiHash { elements, .. } => {
                Type::Object(elements.iter().map(|pair| (pair.key.clone(), self.node(&pair.value, over))).collect())
            }
            Ast::Expref { ast, .. } => self.node(ast, &Type::Any),
            Ast::Function { name, args, .. } => self.function(name, args, over),
        }
    }

    fn element(&mut self, list: &Type) -> Type {
        list.element().unwrap_or_else(|| {
            self.problems.push("its elements are asked for, and it is no list".to_owned());
            Type::Any
        })
    }

    fn function(&mut self, name: &str, args: &[Ast], over: &Type) -> Type {
        let list = args.iter().find(|argument| !matches!(argument, Ast::Expref { .. }));
        let list = list.map_or(Type::Any, |list| self.node(list, over));
        let element = list.element().unwrap_or(Type::Any);
        let mut of_each = Type::Any;
        let mut others = Vec::new();
        for argument in args {
            match argument {
                Ast::Expref { ast, .. } => of_each = self.node(ast, &element),
                other => others.push(self.node(other, over)),
            }
        }
        match name {
            "not_null" => others.into_iter().fold(Type::Null, Type::either),
            "sort" | "sort_by" | "reverse" => list,
            "max" | "min" | "max_by" | "min_by" => element,
            "map" => Type::List(Box::new(of_each)),
            _ => Type::Any,
        }
    }
}
