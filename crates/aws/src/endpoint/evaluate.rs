//! Following the rules to an endpoint.

use super::partition::Partitions;
use super::ruleset::{AuthTemplate, Call, Expression, Kind, Outcome, Parameter, Part, Rule, RuleSet, Template};
use super::value::Value;
use super::{AuthScheme, Endpoint, EndpointError};

impl RuleSet {
    /// The endpoint for parameters that `given` answers: it is asked with the name of each parameter and the name of its
    /// built-in where it has one, and gives [`Value::Absent`] where the default of the rule set shall do.
    pub fn resolve(
        &self,
        partitions: &Partitions,
        mut given: impl FnMut(&str, Option<&str>) -> Value,
    ) -> Result<Endpoint, EndpointError> {
        let mut scope = Scope { partitions, names: Vec::new() };
        for parameter in &self.parameters {
            let value = given(&parameter.name, parameter.built_in.as_deref());
            scope.names.push((&parameter.name, checked(parameter, value)?));
        }
        scope.follow(&self.rules)?.ok_or(EndpointError::NoMatch)
    }
}

/// The value of a parameter, or its default; an error where it is required and has none or is of another type.
fn checked(parameter: &Parameter, value: Value) -> Result<Value, EndpointError> {
    let value = match value {
        Value::Absent => parameter.default.clone().unwrap_or(Value::Absent),
        value => value,
    };
    let fits = match (&value, parameter.kind) {
        (Value::Absent, _) => !parameter.required,
        (Value::Text(_), Kind::Text) | (Value::Bool(_), Kind::Bool) | (Value::List(_), Kind::TextList) => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(EndpointError::Parameter(parameter.name.to_string())) }
}

/// The names that are known at one point of the rules, the latest last.
struct Scope<'a> {
    partitions: &'a Partitions,
    names: Vec<(&'a str, Value)>,
}

impl<'a> Scope<'a> {
    /// The endpoint of the first rule that leads to one; `None` where none does.
    fn follow(&mut self, rules: &'a [Rule]) -> Result<Option<Endpoint>, EndpointError> {
        for rule in rules {
            // INVARIANT: what a rule assigns is known in that rule and below it only.
            let known = self.names.len();
            let found = if rule.conditions.iter().all(|condition| self.call(condition).holds()) {
                match &rule.outcome {
                    Outcome::Tree(rules) => self.follow(rules)?,
                    Outcome::Endpoint(template) => Some(self.endpoint(template)?),
                    Outcome::Error(message) => return Err(EndpointError::Refused(self.text(message)?)),
                }
            } else {
                None
            };
            self.names.truncate(known);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn endpoint(&mut self, template: &'a Template) -> Result<Endpoint, EndpointError> {
        let url = self.text(&template.url)?;
        let mut headers = Vec::new();
        for (name, value) in &template.headers {
            headers.push((name.to_string(), self.text(value)?));
        }
        let mut auth_schemes = Vec::new();
        for scheme in &template.auth_schemes {
            auth_schemes.push(self.auth_scheme(scheme)?);
        }
        Ok(Endpoint { url, headers, auth_schemes })
    }

    fn auth_scheme(&mut self, template: &'a AuthTemplate) -> Result<AuthScheme, EndpointError> {
        let mut optional = |expression: &'a Option<Expression>| {
            expression.as_ref().map(|expression| self.text(expression)).transpose()
        };
        Ok(AuthScheme {
            name: template.name.to_string(),
            signing_name: optional(&template.signing_name)?,
            signing_region: optional(&template.signing_region)?,
            disable_double_encoding: template.disable_double_encoding,
        })
    }

    fn call(&mut self, call: &'a Call) -> Value {
        let arguments: Vec<Value> = call.arguments.iter().map(|argument| self.value(argument)).collect();
        let result = call.function.call(&arguments, self.partitions);
        if let Some(name) = &call.assign {
            self.names.push((name, result.clone()));
        }
        result
    }

    fn value(&mut self, expression: &'a Expression) -> Value {
        match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Name(name) => self.named(name),
            Expression::Text(parts) => self.joined(parts).map_or(Value::Absent, |text| Value::from(text.as_str())),
            Expression::Call(call) => self.call(call),
        }
    }

    /// The text of an expression that must have one.
    fn text(&mut self, expression: &'a Expression) -> Result<String, EndpointError> {
        let value = self.value(expression);
        let text =
            value.as_text().ok_or_else(|| EndpointError::Rules("a part of the endpoint is not set".to_owned()))?;
        Ok(text.to_owned())
    }

    fn joined(&self, parts: &[Part]) -> Option<String> {
        let mut joined = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => joined.push_str(text),
                Part::Name(name, path) => joined.push_str(self.named(name).at(path).as_text()?),
            }
        }
        Some(joined)
    }

    fn named(&self, name: &str) -> Value {
        let found = self.names.iter().rev().find(|(known, _)| *known == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }
}
