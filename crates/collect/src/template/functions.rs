//! CloudFormation's functions, as far as they can be computed before deployment.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use yagura_model::CouldNotLook;

use super::cidr;
use super::resolve::{Notes, Scope, dynamic_reference, missing};

/// A scalar as CloudFormation writes it into a text; none for lists and mappings.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl<'a> Scope<'a> {
    /// What a function gives: none where that is `AWS::NoValue`, an error where it is only known at deployment.
    pub(super) fn call(
        &self,
        name: &str,
        argument: &'a Value,
        notes: &mut Notes<'a>,
    ) -> Result<Option<Value>, CouldNotLook> {
        let value = match name {
            "Ref" => match argument.as_str() {
                Some(named) => self.reference(named, notes)?,
                None => return Err(missing(name, "a name is needed")),
            },
            "Fn::GetAtt" => Some(self.get_att(argument, notes)?),
            "Fn::Sub" => Some(Value::String(self.substitute(argument, notes)?)),
            "Fn::Join" => Some(Value::String(self.join(argument, notes)?)),
            "Fn::Select" => self.select(argument, notes)?,
            "Fn::Split" => Some(self.split(argument, notes)?),
            "Fn::FindInMap" => self.find_in_map(argument, notes)?,
            "Fn::Base64" => Some(Value::String(STANDARD.encode(self.text(name, argument, notes)?))),
            "Fn::Cidr" => Some(self.cidr(argument, notes)?),
            "Fn::Length" => Some(Value::from(self.list(name, argument, notes)?.len())),
            "Fn::ToJsonString" => {
                let value = self.whole(argument, notes)?;
                Some(Value::String(value.unwrap_or(Value::Null).to_string()))
            }
            "Fn::ImportValue" => {
                let export = self.text(name, argument, notes)?;
                return Err(missing(name, format!("`{export}` is another stack's")));
            }
            "Fn::GetAZs" => return Err(missing(name, "the zones differ from account to account")),
            "Fn::Transform" => return Err(missing(name, "the macro is expanded at deployment")),
            other => return Err(missing(other, "the function is only evaluated at deployment")),
        };
        if let Some(value) = &value {
            self.spend(name, value)?;
            if let Some(cause) = value.as_str().and_then(dynamic_reference) {
                return Err(cause);
            }
        }
        Ok(value)
    }

    fn get_att(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<Value, CouldNotLook> {
        let malformed = || missing("Fn::GetAtt", "a logical id and an attribute are needed");
        match argument {
            Value::String(text) => {
                let (id, attribute) = text.split_once('.').ok_or_else(malformed)?;
                self.attribute(id, attribute, notes)
            }
            Value::Array(parts) => {
                let (Some(Value::String(id)), true) = (parts.first(), parts.len() > 1) else { return Err(malformed()) };
                let mut attribute = Vec::new();
                for part in parts.iter().skip(1) {
                    attribute.push(self.text("Fn::GetAtt", part, notes)?);
                }
                self.attribute(id, &attribute.join("."), notes)
            }
            _ => Err(malformed()),
        }
    }

    fn substitute(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<String, CouldNotLook> {
        let (text, own) = match argument {
            Value::String(text) => (text, None),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text)] => (text, None),
                [Value::String(text), Value::Object(own)] => (text, Some(own)),
                _ => return Err(missing("Fn::Sub", "a text and a mapping are needed")),
            },
            _ => return Err(missing("Fn::Sub", "a text is needed")),
        };
        let mut result = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                result.push_str("${");
                rest = after;
                continue;
            };
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
                continue;
            }
            let name = name.trim();
            let value = match (own.and_then(|own| own.get(name)), name.split_once('.')) {
                (Some(value), _) => self.whole(value, notes)?,
                (None, Some((id, attribute))) => Some(self.attribute(id, attribute, notes)?),
                (None, None) => self.reference(name, notes)?,
            };
            let value = value.and_then(|value| as_text(&value));
            let value = value.ok_or_else(|| missing("Fn::Sub", format!("`{name}` is no text")))?;
            result.push_str(&value);
            if result.len() > super::EXPANDED_BYTES_MAX {
                return Err(missing("Fn::Sub", "the text is too long"));
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    fn join(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<String, CouldNotLook> {
        let Some([Value::String(separator), items]) = argument.as_array().map(Vec::as_slice) else {
            return Err(missing("Fn::Join", "a separator and a list are needed"));
        };
        let items = self.list("Fn::Join", items, notes)?;
        let texts: Option<Vec<String>> = items.iter().map(as_text).collect();
        let texts = texts.ok_or_else(|| missing("Fn::Join", "a list of texts is needed"))?;
        Ok(texts.join(separator))
    }

    fn select(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<Option<Value>, CouldNotLook> {
        let Some([index, items]) = argument.as_array().map(Vec::as_slice) else {
            return Err(missing("Fn::Select", "a number and a list are needed"));
        };
        let index = self.text("Fn::Select", index, notes)?;
        let index: usize = index.trim().parse().map_err(|_| missing("Fn::Select", "a number is needed"))?;
        let beyond = || missing("Fn::Select", format!("the list has no element {index}"));
        match items {
            // Of a list that is written out, only the element that is taken has to be known.
            Value::Array(items) => self.whole(items.get(index).ok_or_else(beyond)?, notes),
            items => {
                let items = self.list("Fn::Select", items, notes)?;
                items.into_iter().nth(index).map(Some).ok_or_else(beyond)
            }
        }
    }

    fn split(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<Value, CouldNotLook> {
        let Some([Value::String(separator), text]) = argument.as_array().map(Vec::as_slice) else {
            return Err(missing("Fn::Split", "a separator and a text are needed"));
        };
        let text = self.text("Fn::Split", text, notes)?;
        if text.contains("${") {
            // A placeholder has not the parts that the real value will have.
            return Err(missing("Fn::Split", "the parts of a resource's attribute are only known at deployment"));
        }
        Ok(Value::Array(text.split(separator.as_str()).map(Value::from).collect()))
    }

    fn find_in_map(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<Option<Value>, CouldNotLook> {
        let (map, keys, default) = match argument.as_array().map(Vec::as_slice) {
            Some([map, first, second]) => (map, [first, second], None),
            Some([map, first, second, Value::Object(more)]) => (map, [first, second], more.get("DefaultValue")),
            _ => return Err(missing("Fn::FindInMap", "a map and two keys are needed")),
        };
        let name = self.text("Fn::FindInMap", map, notes)?;
        let mut found = self.declared("Mappings", &name).map(|(_, mapping)| mapping);
        let mut called = name;
        for key in keys {
            let key = self.text("Fn::FindInMap", key, notes)?;
            found = found.and_then(|found| found.get(key.as_str()));
            called = format!("{called}.{key}");
        }
        match (found, default) {
            // Mappings hold no functions, so that none leads back to where it is used.
            (Some(found), _) => Ok(Some(found.clone())),
            (None, Some(default)) => self.whole(default, notes),
            (None, None) => Err(missing("Fn::FindInMap", format!("the mappings have no `{called}`"))),
        }
    }

    fn cidr(&self, argument: &'a Value, notes: &mut Notes<'a>) -> Result<Value, CouldNotLook> {
        let (block, count, bits) = match argument.as_array().map(Vec::as_slice) {
            Some([block, count]) => (block, count, None),
            Some([block, count, bits]) => (block, count, Some(bits)),
            _ => return Err(missing("Fn::Cidr", "a block, a count and a number of bits are needed")),
        };
        let block = self.text("Fn::Cidr", block, notes)?;
        let count = self.text("Fn::Cidr", count, notes)?;
        let bits = bits.map(|bits| self.text("Fn::Cidr", bits, notes)).transpose()?;
        let bits = bits.as_deref().unwrap_or("8");
        let networks = match (count.parse(), bits.parse()) {
            (Ok(count), Ok(bits)) => cidr::cut(&block, count, bits),
            _ => None,
        };
        let networks =
            networks.ok_or_else(|| missing("Fn::Cidr", format!("`{block}` has no {count} networks of {bits} bits")))?;
        Ok(Value::Array(networks.into_iter().map(Value::String).collect()))
    }

    /// A value that has to be a scalar, as a text.
    fn text(&self, name: &str, value: &'a Value, notes: &mut Notes<'a>) -> Result<String, CouldNotLook> {
        let value = self.whole(value, notes)?;
        value.as_ref().and_then(as_text).ok_or_else(|| missing(name, "a text is needed"))
    }

    /// A value that has to be a list.
    fn list(&self, name: &str, value: &'a Value, notes: &mut Notes<'a>) -> Result<Vec<Value>, CouldNotLook> {
        match self.whole(value, notes)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(missing(name, "a list is needed")),
        }
    }
}
