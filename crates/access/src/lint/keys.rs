//! What a condition key is: whose, of which type, and whether it exists.

use super::context::Context;
use crate::actions::{Key, KeyKind, KeyType};

/// A condition key, looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked<'k> {
    /// Of no single service.
    Global(KeyType),
    /// Of this service.
    Service(&'k str, Key),
    /// Of an identity provider.
    Provider(KeyType),
    /// One that takes a tag's name at its end and has none.
    Unfinished,
    /// Not `service:name`.
    NoKey,
    /// A global one that does not exist.
    UnknownGlobal,
    /// One that the service does not have.
    UnknownInService(&'k str),
    /// One of a service that does not exist.
    UnknownService(&'k str),
}

/// Keys whose published type is a text where each value is an ARN.
const ARN_KEYS: &[&str] = &["aws:sourcevpcarn"];

/// Looks up a key in lower case.
pub(super) fn look_up<'k>(key: &'k str, context: &Context<'_>) -> Looked<'k> {
    let Some((prefix, name)) = key.split_once(':') else { return Looked::NoKey };
    if prefix.is_empty() || name.is_empty() {
        return Looked::NoKey;
    }
    if let Some(kind) = context.actions.global_key(key) {
        let kind = if ARN_KEYS.contains(&key) { KeyType { kind: KeyKind::Arn, ..kind } } else { kind };
        return Looked::Global(kind);
    }
    if prefix == "aws" {
        let unfinished = context.actions.is_open_global_key(key);
        return if unfinished { Looked::Unfinished } else { Looked::UnknownGlobal };
    }
    if let Some(index) = context.index(prefix) {
        return match index.key(key) {
            Some(found) => Looked::Service(prefix, found),
            None if index.is_open_key(key) => Looked::Unfinished,
            None => Looked::UnknownInService(prefix),
        };
    }
    provider(key, prefix, context)
}

/// Keys of identity providers: those that a service lists, and those of any host.
fn provider<'k>(key: &'k str, prefix: &'k str, context: &Context<'_>) -> Looked<'k> {
    for (known, services) in context.actions.providers() {
        if known != prefix {
            continue;
        }
        let found = services.iter().find_map(|service| context.index(service)?.key(key));
        return match found {
            Some(found) => Looked::Provider(found.kind),
            // The claims that a provider of a host puts into its tokens are its own matter.
            None if prefix.contains('.') => Looked::Provider(UNKNOWN),
            None => Looked::UnknownInService(prefix),
        };
    }
    if prefix.contains('.') { Looked::Provider(UNKNOWN) } else { Looked::UnknownService(prefix) }
}

const UNKNOWN: KeyType = KeyType { kind: KeyKind::Unknown, several: false };

impl Looked<'_> {
    /// What its values are, where it exists.
    pub(super) fn kind(self) -> Option<KeyType> {
        match self {
            Self::Global(kind) | Self::Service(_, Key { kind, .. }) | Self::Provider(kind) => {
                (kind.kind != KeyKind::Unknown).then_some(kind)
            }
            _ => None,
        }
    }
}

/// The existing key nearest to one that does not exist.
pub(super) fn meant(key: &str, looked: Looked<'_>, context: &Context<'_>) -> Option<String> {
    match looked {
        Looked::UnknownGlobal => {
            let name = key.split_once(':')?.1;
            let names = context.actions.global_keys().filter_map(|(name, _)| name.strip_prefix("aws:"));
            context.nearest(name, names).map(|name| format!("aws:{name}"))
        }
        Looked::UnknownInService(prefix) => {
            let index = context.index(prefix)?;
            context.nearest(key, index.key_names()).map(str::to_owned)
        }
        _ => None,
    }
}
