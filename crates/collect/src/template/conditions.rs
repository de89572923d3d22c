//! Conditions: true, false, or not to be decided before deployment.

use serde_json::Value;
use yagura_model::CouldNotLook;

use super::functions::as_text;
use super::resolve::{Notes, Scope, missing};

impl<'a> Scope<'a> {
    /// Whether a condition holds; an error where that is not known.
    pub(super) fn condition_named(&self, name: &str) -> Result<bool, CouldNotLook> {
        let Some((name, condition)) = self.declared("Conditions", name) else {
            return Err(missing("Condition", format!("the template has no condition `{name}`")));
        };
        match self.decided.borrow().get(name) {
            Some(Some(known)) => return known.clone(),
            Some(None) => return Err(missing("Condition", format!("condition `{name}` refers to itself"))),
            None => {}
        }
        self.decided.borrow_mut().insert(name, None);
        let result = self.condition(condition);
        self.decided.borrow_mut().insert(name, Some(result.clone()));
        result
    }

    fn condition(&self, condition: &'a Value) -> Result<bool, CouldNotLook> {
        self.deeper(|| self.condition_here(condition))
            .unwrap_or_else(|| Err(missing("Condition", "too many conditions lead to one another")))
    }

    fn condition_here(&self, condition: &'a Value) -> Result<bool, CouldNotLook> {
        let malformed = || missing("Condition", "a condition is malformed");
        let mut entries = match condition {
            Value::Bool(known) => return Ok(*known),
            Value::Object(entries) => entries.iter(),
            _ => return Err(malformed()),
        };
        let (Some((name, argument)), None) = (entries.next(), entries.next()) else { return Err(malformed()) };
        let terms = argument.as_array().map(Vec::as_slice);
        match (name.as_str(), argument, terms) {
            ("Condition", Value::String(name), _) => self.condition_named(name),
            ("Fn::Not", _, Some([term])) => self.condition(term).map(|holds| !holds),
            ("Fn::And", _, Some(terms)) => self.connect(terms, false),
            ("Fn::Or", _, Some(terms)) => self.connect(terms, true),
            ("Fn::Equals", _, Some([left, right])) => self.equal(left, right),
            _ => Err(malformed()),
        }
    }

    /// One term that is `decisive` decides, whatever is not known of the others.
    fn connect(&self, terms: &'a [Value], decisive: bool) -> Result<bool, CouldNotLook> {
        let mut unknown = None;
        for term in terms {
            match self.condition(term) {
                Ok(holds) if holds == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(cause) => unknown = unknown.or(Some(cause)),
            }
        }
        unknown.map_or(Ok(!decisive), Err)
    }

    fn equal(&self, left: &'a Value, right: &'a Value) -> Result<bool, CouldNotLook> {
        let mut notes = Notes::default();
        let mut sides = Vec::with_capacity(2);
        for side in [left, right] {
            let value = self.whole(side, &mut notes)?.unwrap_or(Value::Null);
            if value.as_str().is_some_and(|text| text.contains("${AWS::Stack")) {
                return Err(missing("Fn::Equals", "the stack has no name before deployment"));
            }
            sides.push(as_text(&value).map_or(value, Value::String));
        }
        Ok(sides.first() == sides.last())
    }
}
