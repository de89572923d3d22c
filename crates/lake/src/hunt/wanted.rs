//! What is hunted, and how it is told from other things.

use std::net::IpAddr;

use ipnet::IpNet;

/// Characters of a value that is hunted; the longest ARN is 2,048.
const CHARACTERS_MAX: usize = 2_048;

/// Letters and digits of an access key's id, or of a principal's.
const ID_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=128;

/// Something to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An access key's id.
    Key(String),
    /// A principal: ARN, unique id, name, or the name of a service.
    Principal(String),
    /// An address, or a network of them.
    Network(IpNet),
    /// A resource: ARN, id or name.
    Resource(String),
}

/// A value that cannot be hunted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWanted {
    /// Nothing, or too long.
    #[error("give between 1 and {CHARACTERS_MAX} characters to look for")]
    Length,
    /// Not an address.
    #[error("`{0}` is not an address and not a network: give `198.51.100.23`, `10.0.0.0/8` or `2001:db8::/32`")]
    Network(String),
    /// Not an access key's id.
    #[error("`{0}` is not the id of an access key: it begins with `AKIA` or `ASIA`")]
    Key(String),
}

impl Wanted {
    /// An access key's id. The forms of other partitions and of earlier years are taken as well.
    pub fn key(text: &str) -> Result<Self, InvalidWanted> {
        let text = checked(text)?;
        if is_key(text) { Ok(Self::Key(text.to_owned())) } else { Err(InvalidWanted::Key(text.to_owned())) }
    }

    /// A principal.
    pub fn principal(text: &str) -> Result<Self, InvalidWanted> {
        Ok(Self::Principal(checked(text)?.to_owned()))
    }

    /// An address or a network; of a network written with an address inside it, the network.
    pub fn network(text: &str) -> Result<Self, InvalidWanted> {
        let text = checked(text)?;
        network(text).map(Self::Network).ok_or_else(|| InvalidWanted::Network(text.to_owned()))
    }

    /// A resource.
    pub fn resource(text: &str) -> Result<Self, InvalidWanted> {
        Ok(Self::Resource(checked(text)?.to_owned()))
    }
}

fn checked(text: &str) -> Result<&str, InvalidWanted> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > CHARACTERS_MAX { Err(InvalidWanted::Length) } else { Ok(text) }
}

/// Whether the text looks like the id of an access key.
pub(crate) fn is_key(text: &str) -> bool {
    (text.starts_with("AKIA") || text.starts_with("ASIA")) && is_id(text)
}

/// Whether the text looks like an id that IAM makes: `AIDA…` of a user, `AROA…` of a role.
pub(crate) fn is_principal_id(text: &str) -> bool {
    text.starts_with('A') && !is_key(text) && is_id(text)
}

fn is_id(text: &str) -> bool {
    ID_CHARACTERS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The network that a text is.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let whole = |address: IpAddr| IpNet::from(address.to_canonical());
    text.parse().map(whole).ok().or_else(|| text.parse::<IpNet>().ok().map(|network| network.trunc()))
}

/// An ARN, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'t> {
    pub(crate) partition: &'t str,
    pub(crate) service: &'t str,
    pub(crate) account: &'t str,
    /// All that is behind the account: `role/ops/admin`.
    pub(crate) resource: &'t str,
}

impl<'t> Arn<'t> {
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(partition), Some(service), Some(_)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        Some(Self { partition, service, account: parts.next()?, resource: parts.next()? })
    }

    /// The resource without its type: `ops/admin`.
    pub(crate) fn id(&self) -> &'t str {
        self.resource.split_once(['/', ':']).map_or(self.resource, |(_, id)| id)
    }

    /// The last part of it: `admin`.
    pub(crate) fn name(&self) -> &'t str {
        self.resource.rsplit(['/', ':']).next().unwrap_or(self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        for (text, key, principal_id, net) in [
            ("AKIAIOSFODNN7EXAMPLE", true, false, None),
            ("AROAIOSFODNN7EXAMPLE", false, true, None),
            ("ALICE", false, false, None),
            ("198.51.100.23", false, false, Some("198.51.100.23/32")),
            ("10.1.2.3/8", false, false, Some("10.0.0.0/8")),
            ("2001:DB8::1", false, false, Some("2001:db8::1/128")),
            ("::ffff:192.0.2.1", false, false, Some("192.0.2.1/32")),
            ("10.0.0.0/33", false, false, None),
            ("ec2.amazonaws.com", false, false, None),
        ] {
            assert_eq!(
                (is_key(text), is_principal_id(text), network(text).map(|net| net.to_string()).as_deref()),
                (key, principal_id, net),
                "{text}"
            );
        }
        assert!(Wanted::key("AKIA'; DROP").is_err());
        assert!(Wanted::principal("  ").is_err());
        assert!(Wanted::resource(&"x".repeat(CHARACTERS_MAX + 1)).is_err());
    }

    #[test]
    fn arns_are_taken_apart() {
        let arn = Arn::parse("arn:aws:iam::111122223333:role/ops/admin").unwrap();
        assert_eq!(
            (arn.service, arn.account, arn.resource, arn.id(), arn.name()),
            ("iam", "111122223333", "role/ops/admin", "ops/admin", "admin")
        );
        let arn = Arn::parse("arn:aws:s3:::example-data").unwrap();
        assert_eq!((arn.account, arn.id(), arn.name()), ("", "example-data", "example-data"));
        assert_eq!(Arn::parse("arn:aws:s3"), None);
    }
}
