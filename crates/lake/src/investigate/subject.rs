//! What is investigated, and what kind of thing it is taken for.

use serde::Serialize;

use crate::hunt::{Arn, InvalidWanted, Wanted, is_key, is_principal_id, network};

/// A kind of thing that can be investigated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An access key.
    Key,
    /// A user, a role, a session, the root user or a service.
    Principal,
    /// An address or a network.
    Address,
    /// An EC2 instance: what it did, and what was done to it.
    Instance,
    /// Anything else that has a name.
    Resource,
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Principal => "principal",
            Self::Address => "address",
            Self::Instance => "instance",
            Self::Resource => "resource",
        }
    }

    /// Everything that the text can be, the likeliest first; more than one where its form does not say.
    pub fn of(text: &str) -> Vec<Self> {
        let text = text.trim();
        if is_key(text) {
            return vec![Self::Key];
        }
        if network(text).is_some() {
            return vec![Self::Address];
        }
        if is_principal_id(text) {
            return vec![Self::Principal];
        }
        match Arn::parse(text) {
            _ if is_instance(text) => vec![Self::Instance, Self::Resource],
            Some(arn) if arn.service == "ec2" && arn.resource.starts_with("instance/") => {
                vec![Self::Instance, Self::Resource]
            }
            Some(arn) if arn.service == "sts" => vec![Self::Principal],
            // What a role did, or what was done to it: whoever asks for a role most often means the first.
            Some(arn) if arn.service == "iam" && is_principal(arn.resource) => vec![Self::Principal, Self::Resource],
            Some(_) => vec![Self::Resource],
            None if text.ends_with(".amazonaws.com") => vec![Self::Principal],
            None if has_prefix_of_id(text) => vec![Self::Resource],
            None => vec![Self::Principal, Self::Resource],
        }
    }
}

fn is_principal(resource: &str) -> bool {
    resource == "root" || resource.starts_with("user/") || resource.starts_with("role/")
}

fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(is_hex)
}

/// Whether the text has the form of EC2's ids: `vpc-0a1b2c3d`.
fn has_prefix_of_id(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(prefix, rest)| {
        is_hex(rest) && !prefix.is_empty() && prefix.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
    })
}

/// EC2's ids have 8 or 17 hexadecimal digits.
fn is_hex(text: &str) -> bool {
    matches!(text.len(), 8 | 17) && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

/// What is investigated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// As it was given.
    pub name: String,
    /// What it is taken for.
    pub kind: Kind,
    /// What is looked for.
    pub wanted: Vec<Wanted>,
}

/// What is known of an instance besides its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Ids of its network interfaces.
    pub ids: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

impl Subject {
    /// The thing, taken for what `kind` says.
    pub fn new(text: &str, kind: Kind) -> Result<Self, InvalidWanted> {
        let text = text.trim();
        let wanted = match kind {
            Kind::Key => vec![Wanted::key(text)?],
            Kind::Principal => vec![Wanted::principal(text)?],
            Kind::Address => vec![Wanted::network(text)?],
            Kind::Resource => vec![Wanted::resource(text)?],
            Kind::Instance => {
                let id = Arn::parse(text).map_or(text, |arn| arn.name());
                // What runs on it signs as the role's session that is called by its id.
                vec![Wanted::resource(id)?, Wanted::principal(id)?]
            }
        };
        Ok(Self { name: text.to_owned(), kind, wanted })
    }

    /// Looks for what goes over an instance's interfaces as well. What is no address is left out.
    #[must_use]
    pub fn with_interfaces(mut self, interfaces: &Interfaces) -> Self {
        self.wanted.extend(interfaces.ids.iter().filter_map(|id| Wanted::resource(id).ok()));
        self.wanted.extend(interfaces.addresses.iter().filter_map(|address| Wanted::network(address).ok()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_for_what_it_looks_like() {
        for (text, expected) in [
            ("AKIAIOSFODNN7EXAMPLE", &[Kind::Key][..]),
            ("ASIAIOSFODNN7EXAMPLE", &[Kind::Key]),
            ("AROAIOSFODNN7EXAMPLE", &[Kind::Principal]),
            ("198.51.100.23", &[Kind::Address]),
            ("10.0.0.0/8", &[Kind::Address]),
            ("i-0dbc91f429e48eeed", &[Kind::Instance, Kind::Resource]),
            ("arn:aws:ec2:us-east-1:111122223333:instance/i-0dbc91f429e48eeed", &[Kind::Instance, Kind::Resource]),
            ("arn:aws:iam::111122223333:user/mio", &[Kind::Principal, Kind::Resource]),
            ("arn:aws:iam::111122223333:root", &[Kind::Principal, Kind::Resource]),
            ("arn:aws:iam::111122223333:policy/x", &[Kind::Resource]),
            ("arn:aws:sts::111122223333:assumed-role/ops/mio", &[Kind::Principal]),
            ("arn:aws:s3:::example-data", &[Kind::Resource]),
            ("vpc-0a1b2c3d", &[Kind::Resource]),
            ("lambda.amazonaws.com", &[Kind::Principal]),
            ("mio", &[Kind::Principal, Kind::Resource]),
            ("i-am-a-bucket", &[Kind::Principal, Kind::Resource]),
        ] {
            assert_eq!(Kind::of(text), expected, "{text}");
        }
    }
}
