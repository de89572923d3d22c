//! What threat lists say of where a call came from.

use crate::context::{ListKind, Listed};
use crate::event::Event;

use super::origin;

/// What a list is that says no more of itself: one that the owner made.
const CUSTOM: &str = "custom";

/// The names of the threat lists that the address is on; none where it is on a trusted list.
pub(super) fn lists(event: &Event<'_>) -> Vec<String> {
    threats(event).into_iter().map(|listed| listed.list.to_owned()).collect()
}

/// What those lists say of it.
pub(super) fn kinds(event: &Event<'_>) -> Vec<String> {
    threats(event).into_iter().map(|listed| listed.category.unwrap_or(CUSTOM).to_ascii_lowercase()).collect()
}

fn threats<'c>(event: &Event<'c>) -> Vec<Listed<'c>> {
    let Some(address) = origin::address(event) else { return Vec::new() };
    let found = event.context().lists.address(address);
    if found.iter().any(|listed| listed.kind == ListKind::Trusted) {
        return Vec::new();
    }
    found
}
