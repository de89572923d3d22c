//! The functions of policies, networks and log filters, lent to the rule language under their names.

use serde_json::{Value, json};
use yagura_access::{net, policy};
use yagura_rules::filter::Pattern;
use yagura_rules::{Library, Unlendable};

/// Everything that rules may call beside the language's own functions.
///
/// A function's error (a malformed policy, a port that is no number) makes the verdict `unknown`.
pub fn library() -> Result<Library, Unlendable> {
    let mut library = Library::default();
    lend_policy(&mut library)?;
    lend_net(&mut library)?;
    library.register("filter.matches", 2..=2, |arguments, _| {
        let [pattern, event] = arguments else { return Err(wrong_count()) };
        let Some(text) = pattern.as_str() else { return Err("a filter pattern is a text".to_owned()) };
        let pattern = Pattern::parse(text).map_err(|error| format!("filter pattern `{text}`: {error}"))?;
        Ok(json!(match event {
            Value::String(line) => pattern.matches(line),
            event => pattern.matches_json(event),
        }))
    })?;
    Ok(library)
}

fn lend_policy(library: &mut Library) -> Result<(), Unlendable> {
    judge(library, "policy.public", policy::public)?;
    judge(library, "policy.admin", policy::admin)?;
    judge(library, "policy.service_wildcard", policy::service_wildcard)?;
    judge(library, "policy.allows_not_action", policy::allows_not_action)?;
    judge(library, "policy.denies_insecure_transport", policy::denies_insecure_transport)?;
    judge(library, "policy.escalates", policy::escalates)?;
    judge(library, "policy.unknown_actions", policy::unknown_actions)?;
    library.register("policy.allows", 3..=3, |arguments, _| {
        let [document, action, resource] = arguments else { return Err(wrong_count()) };
        let answer = policy::allows(document, text(action, "an action")?, text(resource, "a resource")?);
        answer.map(Value::from).map_err(|error| error.to_string())
    })?;
    library.register("policy.outside_accounts", 2..=2, |arguments, _| {
        let [document, account] = arguments else { return Err(wrong_count()) };
        let outside = policy::outside_accounts(document, text(account, "an account")?);
        outside.map(Value::from).map_err(|error| error.to_string())
    })
}

fn lend_net(library: &mut Library) -> Result<(), Unlendable> {
    library.register("net.open", 2..=3, |arguments, _| {
        let (permissions, port, protocol) = match arguments {
            [permissions, port] => (permissions, port, "tcp"),
            [permissions, port, protocol] => (permissions, port, text(protocol, "a protocol")?),
            _ => return Err(wrong_count()),
        };
        let number = port.as_u64().and_then(|port| u16::try_from(port).ok());
        let port = number.ok_or_else(|| format!("`{port}` is not a port"))?;
        net::open(permissions, port, protocol).map(Value::from).map_err(|error| error.to_string())
    })?;
    judge(library, "net.open_ports", net::open_ports)?;
    library.register("net.world", 1..=1, |arguments, _| {
        let [cidr] = arguments else { return Err(wrong_count()) };
        net::world(text(cidr, "a network")?).map(Value::from).map_err(|error| error.to_string())
    })
}

/// Lends a function of one document.
fn judge<T, E>(
    library: &mut Library,
    name: &str,
    function: impl Fn(&Value) -> Result<T, E> + Send + Sync + 'static,
) -> Result<(), Unlendable>
where
    T: Into<Value>,
    E: std::fmt::Display,
{
    library.register(name, 1..=1, move |arguments, _| {
        let [document] = arguments else { return Err(wrong_count()) };
        function(document).map(Into::into).map_err(|error| error.to_string())
    })
}

fn text<'a>(value: &'a Value, expected: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("`{value}` is not {expected}"))
}

/// The library checks the count before it calls; this is what it would say.
fn wrong_count() -> String {
    "wrong number of arguments".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_format_is_lent() {
        let library = library().unwrap();
        let documented = include_str!("../../../docs/formats/controls.md");
        let lent: Vec<&str> = library.names().collect();
        for name in &lent {
            assert!(documented.contains(&format!("`{name}(")), "{name} is not in docs/formats/controls.md");
        }
        let namespaced = documented.split('`').filter_map(|text| text.split_once('(')).map(|(name, _)| name);
        for name in namespaced.filter(|name| {
            ["policy.", "net.", "filter."].iter().any(|space| name.starts_with(space)) && !name.contains(' ')
        }) {
            assert!(lent.contains(&name), "`{name}` is documented and not lent");
        }
    }
}
