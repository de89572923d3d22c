//! JMESPath expressions and the templates that hold them, compiled once when a file is loaded.

use std::collections::BTreeSet;

use jmespath::ast::Ast;
use jmespath::{Context, ErrorReason, Rcvar, Variable, interpret};
use serde_json::{Map, Value};

use super::functions::{RUNTIME, misuse};

/// How long one expression may be; the longest in use has some 400 characters.
const EXPRESSION_BYTES_MAX: usize = 4 * 1024;
/// How many marks that make the parser call itself one expression may have, so that no file can exhaust the stack.
const EXPRESSION_MARKS_MAX: usize = 400;

/// A compiled expression, with what it reads of the object that it is evaluated over.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    text: String,
    ast: Ast,
    reads: BTreeSet<String>,
}

impl Expression {
    /// Compiles `text`; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > EXPRESSION_BYTES_MAX {
            return Err(format!("the expression is longer than {EXPRESSION_BYTES_MAX} bytes"));
        }
        if text.bytes().filter(|byte| b"([{!&".contains(byte)).count() > EXPRESSION_MARKS_MAX {
            return Err(format!("the expression has more than {EXPRESSION_MARKS_MAX} brackets"));
        }
        let ast =
            jmespath::parse(text).map_err(|error| format!("`{text}` is not JMESPath: {}", reason(&error.reason)))?;
        let mut scan = Scan::default();
        scan.node(&ast, Place::Root);
        match scan.problem {
            Some(problem) => Err(format!("`{text}`: {problem}")),
            None => Ok(Self { text: text.to_owned(), ast, reads: scan.reads }),
        }
    }

    /// The expression that is always null.
    pub(crate) fn null() -> Self {
        let value = Rcvar::new(Variable::Null);
        Self { text: "`null`".to_owned(), ast: Ast::Literal { offset: 0, value }, reads: BTreeSet::new() }
    }

    /// The value over `data`; the error says what could not be evaluated.
    pub(crate) fn search(&self, data: &Rcvar) -> Result<Rcvar, String> {
        let mut context = Context::new(&self.text, &RUNTIME);
        interpret(data, &self.ast, &mut context).map_err(|error| format!("`{}`: {}", self.text, reason(&error.reason)))
    }

    /// The expression as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its syntax tree.
    pub(crate) fn ast(&self) -> &Ast {
        &self.ast
    }

    /// The names it reads of its object: `item`, `policy`, `parent.item`; `parent` or `*` where it reads all of one.
    pub(crate) fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }
}

fn reason(reason: &ErrorReason) -> String {
    match reason {
        ErrorReason::Parse(message) => message.replace('\n', " "),
        ErrorReason::Runtime(error) => error.to_string(),
    }
}

/// What a node of the syntax tree is evaluated over. JMESPath has no way back from the inner to the outer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The outermost object: its fields are the names that a resource file speaks of.
    Root,
    /// An element, in a filter or in an object made of it.
    Element,
    /// The value before a `.`.
    Behind,
}

/// Walks a syntax tree for the names it reads of the outermost object, and for what cannot work.
#[derive(Default)]
struct Scan {
    reads: BTreeSet<String>,
    problem: Option<String>,
}

impl Scan {
    fn node(&mut self, node: &Ast, place: Place) {
        match node {
            Ast::Field { name, .. } => self.field(name, place),
            Ast::Identity { .. } | Ast::Index { .. } | Ast::Slice { .. } => self.field("*", place),
            Ast::Literal { .. } => {}
            Ast::Subexpr { lhs, rhs, .. } => self.step(lhs, rhs, place),
            Ast::Projection { lhs, rhs, .. } => {
                self.node(lhs, place);
                self.node(rhs, Place::Behind);
            }
            Ast::ObjectValues { node, .. } | Ast::Flatten { node, .. } | Ast::Not { node, .. } => {
                self.node(node, place);
            }
            Ast::Expref { ast, .. } => self.node(ast, Place::Element),
            Ast::Condition { predicate, then, .. } => {
                self.node(predicate, if place == Place::Root { place } else { Place::Element });
                self.node(then, place);
            }
            Ast::Comparison { lhs, rhs, .. } | Ast::And { lhs, rhs, .. } | Ast::Or { lhs, rhs, .. } => {
                self.node(lhs, place);
                self.node(rhs, place);
            }
            Ast::Function { name, args, .. } => {
                if let Some(problem) = misuse(name, args.len()) {
                    self.problem.get_or_insert(problem);
                }
                for argument in args {
                    self.node(argument, place);
                }
            }
            Ast::MultiList { elements, .. } => {
                for element in elements {
                    self.node(element, made_of(place));
                }
            }
            Ast::MultiHash { elements, .. } => {
                for element in elements {
                    self.node(&element.value, made_of(place));
                }
            }
        }
    }

    fn field(&mut self, name: &str, place: Place) {
        match place {
            Place::Root => {
                self.reads.insert(name.to_owned());
            }
            Place::Element if name == "item" => {
                self.problem.get_or_insert("inside a filter or a list only the element is seen: no `item`".to_owned());
            }
            Place::Element | Place::Behind => {}
        }
    }

    fn step(&mut self, lhs: &Ast, rhs: &Ast, place: Place) {
        let parent = place == Place::Root && matches!(lhs, Ast::Field { name, .. } if name == "parent");
        match first_field(rhs) {
            // Of a parent only what is read matters: another of its details may have failed.
            Some(name) if parent => {
                self.reads.insert(format!("parent.{name}"));
            }
            _ => self.node(lhs, place),
        }
        self.node(rhs, Place::Behind);
    }
}

/// The field that everything else of a node is reached through.
fn first_field(node: &Ast) -> Option<&str> {
    match node {
        Ast::Field { name, .. } => Some(name),
        Ast::Subexpr { lhs, .. } | Ast::Projection { lhs, .. } => first_field(lhs),
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } => first_field(node),
        _ => None,
    }
}

fn made_of(place: Place) -> Place {
    match place {
        Place::Root => Place::Root,
        Place::Element | Place::Behind => Place::Element,
    }
}

/// A text with expressions in braces.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// One `{…}` and nothing else: keeps the type of the value.
    Whole(Expression),
    /// Anything else: a text. Null where one of its expressions is.
    Parts(Vec<Part>),
}

/// A piece of a template.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// As it is.
    Text(String),
    /// `{…}`.
    Value(Expression),
}

impl Template {
    /// Compiles a template; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(close) = closing_brace(from) else {
                return Err(format!("`{text}` has a `{{` that is not closed"));
            };
            parts.push(Part::Value(Expression::parse(from.get(1..close).unwrap_or_default())?));
            rest = from.get(close + 1..).unwrap_or_default();
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if let [Part::Value(whole)] = parts.as_slice() {
            return Ok(Self::Whole(whole.clone()));
        }
        Ok(Self::Parts(parts))
    }

    /// The value over `data`.
    pub(crate) fn render(&self, data: &Rcvar) -> Result<Rcvar, String> {
        let parts = match self {
            Self::Whole(expression) => return expression.search(data),
            Self::Parts(parts) => parts,
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Value(expression) => match as_text(&*expression.search(data)?) {
                    Some(value) => text.push_str(&value),
                    None => return Ok(Rcvar::new(Variable::Null)),
                },
            }
        }
        Ok(Rcvar::new(Variable::String(text)))
    }

    /// The value as a text that is not empty, or none.
    pub(crate) fn render_text(&self, data: &Rcvar) -> Result<Option<String>, String> {
        Ok(as_text(&*self.render(data)?).filter(|text| !text.is_empty()))
    }

    /// The expressions in it.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let (whole, parts) = match self {
            Self::Whole(expression) => (Some(expression), [].as_slice()),
            Self::Parts(parts) => (None, parts.as_slice()),
        };
        let inner = parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(expression) => Some(expression),
        });
        whole.into_iter().chain(inner)
    }
}

/// Where the brace that `text` begins with is closed; braces in quotes do not count.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '{') => depth += 1,
            (None, '}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// Texts, numbers and booleans as a text; nothing else has one.
pub(crate) fn as_text(value: &Variable) -> Option<String> {
    match value {
        Variable::String(text) => Some(text.clone()),
        Variable::Number(number) => Some(number.to_string()),
        Variable::Bool(truth) => Some(truth.to_string()),
        Variable::Null | Variable::Array(_) | Variable::Object(_) | Variable::Expref(_) => None,
    }
}

/// An `input`: any JSON, its texts being templates.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// Number, boolean, null.
    Fixed(Value),
    /// A text.
    Text(Template),
    /// A list.
    List(Vec<Input>),
    /// An object, in the order written.
    Object(Vec<(String, Input)>),
}

impl Input {
    /// Compiles an input; the error says what is wrong with it.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::parse(text)?),
            Value::Array(elements) => Self::List(elements.iter().map(Self::parse).collect::<Result<_, _>>()?),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
            other => Self::Fixed(other.clone()),
        })
    }

    /// The input of one call. A template that gives null is an error: AWS would answer another question than was
    /// meant, for instance list everything where a filter is missing.
    pub(crate) fn render(&self, data: &Rcvar) -> Result<Value, String> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Text(template) => match to_json(&*template.render(data)?) {
                Value::Null => {
                    let texts: Vec<_> = template.expressions().map(Expression::text).collect();
                    Err(format!("`{}` is null", texts.join("`, `")))
                }
                value => Ok(value),
            },
            Self::List(elements) => elements.iter().map(|element| element.render(data)).collect(),
            Self::Object(members) => {
                let members = members.iter().map(|(key, value)| Ok((key.clone(), value.render(data)?)));
                Ok(Value::Object(members.collect::<Result<Map<_, _>, String>>()?))
            }
        }
    }

    /// The expressions in it.
    pub(crate) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Text(template) => template.expressions().collect(),
            Self::List(elements) => elements.iter().flat_map(Self::expressions).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.expressions()).collect(),
        }
    }
}

/// JSON as JMESPath has it.
pub(crate) fn to_variable(value: &Value) -> Rcvar {
    Rcvar::new(match value {
        Value::Null => Variable::Null,
        Value::Bool(truth) => Variable::Bool(*truth),
        Value::Number(number) => Variable::Number(number.clone()),
        Value::String(text) => Variable::String(text.clone()),
        Value::Array(elements) => Variable::Array(elements.iter().map(to_variable).collect()),
        Value::Object(members) => {
            Variable::Object(members.iter().map(|(key, value)| (key.clone(), to_variable(value))).collect())
        }
    })
}

/// JMESPath's value as JSON, keys in alphabetical order.
pub(crate) fn to_json(value: &Variable) -> Value {
    match value {
        Variable::Null | Variable::Expref(_) => Value::Null,
        Variable::Bool(truth) => Value::Bool(*truth),
        Variable::Number(number) => Value::Number(number.clone()),
        Variable::String(text) => Value::String(text.clone()),
        Variable::Array(elements) => Value::Array(elements.iter().map(|element| to_json(element)).collect()),
        Variable::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(text: &str) -> Vec<String> {
        Expression::parse(text).unwrap().reads().iter().cloned().collect()
    }

    #[test]
    fn an_expression_tells_which_names_it_reads() {
        for (text, expected) in [
            ("item.Name", vec!["item"]),
            ("versioning.Status && {Status: versioning.Status}", vec!["versioning"]),
            ("json(policy.Policy).Statement[?Effect=='Allow'].Action", vec!["policy"]),
            ("item.Rules[*].{From: Low, To: high.Value}", vec!["item"]),
            ("[item.A, location.B || `1`]", vec!["item", "location"]),
            ("parent.item.Name", vec!["parent.item"]),
            ("parent.keys[0].item", vec!["parent.keys"]),
            ("parent", vec!["parent"]),
            ("parent.{a: b}", vec!["parent"]),
            ("sort_by(item.List, &Key)", vec!["item"]),
            ("@", vec!["*"]),
            ("to_string(@)", vec!["*"]),
            ("!encryption.Enabled", vec!["encryption"]),
            ("item.Sets[].Members[].item", vec!["item"]),
            ("'fixed'", vec![]),
        ] {
            assert_eq!(reads(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_work_is_found_before_it_runs() {
        for text in
            ["item.", "nosuch(item)", "lower(item.A, item.B)", "groups[?GroupId==item.Id]", "a[*].{Id: item.Id}"]
        {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        assert!(Expression::parse(&"[".repeat(2_000)).is_err());
        assert!(Expression::parse(&"!".repeat(2_000)).is_err());
        assert!(Expression::parse(&"a".repeat(5_000)).is_err());
    }

    #[test]
    fn a_template_keeps_the_type_of_a_single_expression() {
        let data = to_variable(&json!({"item": {"Name": "a", "Size": 3, "List": [1]}, "region": "us-east-1"}));
        for (text, expected) in [
            ("{item.Size}", json!(3)),
            ("{item.List}", json!([1])),
            ("arn:{region}:{item.Name}/{item.Size}", json!("arn:us-east-1:a/3")),
            ("{ {a: item.Name, b: '}'} }", json!({"a": "a", "b": "}"})),
            ("x{item.Missing}", json!(null)),
            ("plain", json!("plain")),
            ("", json!("")),
        ] {
            assert_eq!(to_json(&Template::parse(text).unwrap().render(&data).unwrap()), expected, "{text}");
        }
        assert!(Template::parse("{item.Name").is_err());
    }

    #[test]
    fn an_input_with_a_null_in_it_is_not_asked() {
        let data = to_variable(&json!({"item": {"Name": "a"}}));
        let input = Input::parse(&json!({"Filters": [{"Name": "x", "Values": ["{item.Name}"]}], "Max": 5})).unwrap();
        assert_eq!(input.render(&data), Ok(json!({"Filters": [{"Name": "x", "Values": ["a"]}], "Max": 5})));
        let input = Input::parse(&json!({"Name": "{item.Other}"})).unwrap();
        assert_eq!(input.render(&data), Err("`item.Other` is null".to_owned()));
    }
}
