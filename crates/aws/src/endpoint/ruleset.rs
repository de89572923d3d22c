//! Rule sets, parsed once into what can be evaluated without further checks.

use serde_json::{Map, Value as Json};

use super::EndpointError;
use super::functions::Function;
use super::value::{Step, Value, steps};

/// No published rule set nests deeper than 18; one that does is not followed into a stack overflow.
const DEPTH_MAX: usize = 64;

/// The rules that find a service's endpoint.
#[derive(Debug, Clone)]
pub struct RuleSet {
    pub(super) parameters: Vec<Parameter>,
    pub(super) rules: Vec<Rule>,
}

/// What a rule set wants to know.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) name: Box<str>,
    pub(super) built_in: Option<Box<str>>,
    pub(super) default: Option<Value>,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Bool,
    TextList,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Call>,
    pub(super) outcome: Outcome,
}

/// What follows where all conditions of a rule hold.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The first of these that leads anywhere.
    Tree(Vec<Rule>),
    Endpoint(Template),
    Error(Expression),
}

/// An endpoint before its names are replaced by values.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) url: Expression,
    pub(super) headers: Vec<(Box<str>, Expression)>,
    pub(super) auth_schemes: Vec<AuthTemplate>,
}

#[derive(Debug, Clone)]
pub(super) struct AuthTemplate {
    pub(super) name: Box<str>,
    pub(super) signing_name: Option<Expression>,
    pub(super) signing_region: Option<Expression>,
    pub(super) disable_double_encoding: bool,
}

/// A function with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: Function,
    pub(super) arguments: Vec<Expression>,
    /// The name that the result has from here on.
    pub(super) assign: Option<Box<str>>,
}

#[derive(Debug, Clone)]
pub(super) enum Expression {
    Literal(Value),
    Name(Box<str>),
    Text(Vec<Part>),
    Call(Box<Call>),
}

/// A piece of a text with `{name}` or `{name#part}` in it.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(Box<str>),
    Name(Box<str>, Vec<Step>),
}

impl RuleSet {
    /// Reads a rule set in the schema of the Smithy rules engine (botocore's `endpoint-rule-set-1.json`).
    pub fn from_json(json: &Json) -> Result<Self, EndpointError> {
        let parse = || -> Result<Self, String> {
            let parameters = object(json.get("parameters"), "parameters")?.iter();
            Ok(Self {
                parameters: parameters.map(|(name, json)| parameter(name, json)).collect::<Result<_, _>>()?,
                rules: rules(json, 0)?,
            })
        };
        parse().map_err(EndpointError::Rules)
    }
}

fn parameter(name: &str, json: &Json) -> Result<Parameter, String> {
    let kind = text(json.get("type"), name)?;
    let kind = match kind.to_ascii_lowercase().as_str() {
        "string" => Kind::Text,
        "boolean" => Kind::Bool,
        "stringarray" => Kind::TextList,
        _ => return Err(format!("parameter `{name}` has the unknown type `{kind}`")),
    };
    Ok(Parameter {
        name: name.into(),
        built_in: json.get("builtIn").and_then(Json::as_str).map(Into::into),
        default: json.get("default").and_then(Value::from_json),
        required: json.get("required").and_then(Json::as_bool).unwrap_or(false),
        kind,
    })
}

fn rules(json: &Json, depth: usize) -> Result<Vec<Rule>, String> {
    if depth > DEPTH_MAX {
        return Err(format!("rules are nested deeper than {DEPTH_MAX}"));
    }
    array(json.get("rules"), "rules")?.iter().map(|json| rule(json, depth)).collect()
}

fn rule(json: &Json, depth: usize) -> Result<Rule, String> {
    let conditions = array(json.get("conditions"), "conditions")?.iter();
    let outcome = match text(json.get("type"), "a rule's type")? {
        "tree" => Outcome::Tree(rules(json, depth + 1)?),
        "endpoint" => Outcome::Endpoint(template(json.get("endpoint").unwrap_or(&Json::Null))?),
        "error" => Outcome::Error(expression(json.get("error").unwrap_or(&Json::Null), 0)?),
        other => return Err(format!("there is no kind of rule `{other}`")),
    };
    Ok(Rule { conditions: conditions.map(|json| call(json, 0)).collect::<Result<_, _>>()?, outcome })
}

fn template(json: &Json) -> Result<Template, String> {
    let mut headers = Vec::new();
    for (name, values) in json.get("headers").and_then(Json::as_object).into_iter().flatten() {
        for value in array(Some(values), name)? {
            headers.push((name.as_str().into(), expression(value, 0)?));
        }
    }
    let schemes = json.pointer("/properties/authSchemes").and_then(Json::as_array);
    Ok(Template {
        url: expression(json.get("url").unwrap_or(&Json::Null), 0)?,
        headers,
        auth_schemes: schemes.into_iter().flatten().map(auth_template).collect::<Result<_, _>>()?,
    })
}

fn auth_template(json: &Json) -> Result<AuthTemplate, String> {
    let optional = |name| json.get(name).map(|json| expression(json, 0)).transpose();
    Ok(AuthTemplate {
        name: text(json.get("name"), "the name of an auth scheme")?.into(),
        signing_name: optional("signingName")?,
        signing_region: optional("signingRegion")?,
        disable_double_encoding: json.get("disableDoubleEncoding").and_then(Json::as_bool).unwrap_or(false),
    })
}

fn call(json: &Json, depth: usize) -> Result<Call, String> {
    let name = text(json.get("fn"), "the name of a function")?;
    let arguments = array(json.get("argv"), name)?;
    let path = arguments.get(1).and_then(Json::as_str);
    let (function, count) = Function::named(name, path).ok_or_else(|| format!("there is no function `{name}`"))?;
    if arguments.len() != count {
        return Err(format!("`{name}` takes {count} arguments, not {}", arguments.len()));
    }
    Ok(Call {
        function,
        arguments: arguments.iter().map(|json| expression(json, depth + 1)).collect::<Result<_, _>>()?,
        assign: json.get("assign").and_then(Json::as_str).map(Into::into),
    })
}

fn expression(json: &Json, depth: usize) -> Result<Expression, String> {
    if depth > DEPTH_MAX {
        return Err(format!("calls are nested deeper than {DEPTH_MAX}"));
    }
    Ok(match json {
        Json::String(text) if text.contains(['{', '}']) => Expression::Text(parts(text)?),
        Json::Object(object) => match object.get("ref").and_then(Json::as_str) {
            Some(name) => Expression::Name(name.into()),
            None => Expression::Call(Box::new(call(json, depth)?)),
        },
        _ => Expression::Literal(Value::from_json(json).ok_or_else(|| format!("`{json}` is no expression"))?),
    })
}

/// The pieces of a text: `{{` and `}}` stand for one brace.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(brace);
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            literal.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            literal.push('}');
            rest = after;
        } else {
            let named = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (name, after) = named.ok_or_else(|| format!("a brace is left open in `{text}`"))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            let (name, path) = name.split_once('#').map_or((name, None), |(name, path)| (name, Some(path)));
            let path = path.map_or(Some(Vec::new()), |path| steps(path, '#'));
            parts.push(Part::Name(name.into(), path.ok_or_else(|| format!("a path is malformed in `{text}`"))?));
            rest = after;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
    Ok(parts)
}

fn object<'a>(json: Option<&'a Json>, what: &str) -> Result<&'a Map<String, Json>, String> {
    json.and_then(Json::as_object).ok_or_else(|| format!("`{what}` is no object"))
}

fn array<'a>(json: Option<&'a Json>, what: &str) -> Result<&'a [Json], String> {
    json.and_then(Json::as_array).map(Vec::as_slice).ok_or_else(|| format!("`{what}` is no array"))
}

fn text<'a>(json: Option<&'a Json>, what: &str) -> Result<&'a str, String> {
    json.and_then(Json::as_str).ok_or_else(|| format!("`{what}` is no text"))
}
