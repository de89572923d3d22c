//! What the lists and the places say of addresses and names: asked by the facts of flows and of queries.

use std::net::IpAddr;

use crate::context::{ListKind, Listed, Place};
use crate::event::Event;
use crate::facts::FactValue;

/// The kind of lists that are no threat by themselves.
const RESOLVER: &str = "resolver";

/// What the threat lists say of one thing: nothing where a trusted list has it too.
fn threats(listed: Vec<Listed<'_>>) -> Vec<Listed<'_>> {
    if listed.iter().any(|entry| entry.kind == ListKind::Trusted) {
        return Vec::new();
    }
    listed.into_iter().filter(|entry| entry.category != Some(RESOLVER)).collect()
}

fn of_addresses<'e>(event: &'e Event<'_>, addresses: &[IpAddr]) -> Vec<Listed<'e>> {
    addresses.iter().flat_map(|address| threats(event.context().lists.address(*address))).collect()
}

/// The names of the threat lists that one of the addresses is on.
pub(in crate::facts) fn names(event: &Event<'_>, addresses: &[IpAddr]) -> Option<FactValue> {
    FactValue::texts(of_addresses(event, addresses).iter().map(|entry| entry.list))
}

/// What these lists say.
pub(in crate::facts) fn kinds(event: &Event<'_>, addresses: &[IpAddr]) -> Option<FactValue> {
    FactValue::texts(of_addresses(event, addresses).iter().filter_map(|entry| entry.category))
}

/// Whether a threat list has the address, and no trusted one.
pub(in crate::facts) fn is_threat(event: &Event<'_>, address: IpAddr) -> bool {
    !of_addresses(event, &[address]).is_empty()
}

/// Whether a trusted list has one of the addresses.
pub(in crate::facts) fn is_trusted(event: &Event<'_>, addresses: &[IpAddr]) -> bool {
    let mut listed = addresses.iter().flat_map(|address| event.context().lists.address(*address));
    listed.any(|entry| entry.kind == ListKind::Trusted)
}

/// Whether a list of public resolvers has the address.
pub(in crate::facts) fn is_resolver(event: &Event<'_>, address: IpAddr) -> bool {
    event.context().lists.address(address).iter().any(|entry| entry.category == Some(RESOLVER))
}

/// The names of the threat lists that a domain name is on.
pub(in crate::facts) fn names_of_domain(event: &Event<'_>, name: &str) -> Option<FactValue> {
    FactValue::texts(threats(event.context().lists.domain(name)).iter().map(|entry| entry.list))
}

/// What these lists say.
pub(in crate::facts) fn kinds_of_domain(event: &Event<'_>, name: &str) -> Option<FactValue> {
    FactValue::texts(threats(event.context().lists.domain(name)).iter().filter_map(|entry| entry.category))
}

/// Whether a trusted list has the domain name.
pub(in crate::facts) fn is_trusted_domain(event: &Event<'_>, name: &str) -> bool {
    event.context().lists.domain(name).iter().any(|entry| entry.kind == ListKind::Trusted)
}

/// Where an address is, as far as it is known.
pub(in crate::facts) fn place(event: &Event<'_>, address: IpAddr) -> Option<Place> {
    event.context().places.place(address)
}

/// The network of an address: its autonomous system where known, else its /16 (IPv6: /32).
pub(in crate::facts) fn network(event: &Event<'_>, address: IpAddr) -> Option<FactValue> {
    if let Some(asn) = place(event, address).and_then(|place| place.asn) {
        return FactValue::text(format!("AS{asn}"));
    }
    let prefix = if address.is_ipv4() { 16 } else { 32 };
    let network = ipnet::IpNet::new(address, prefix).ok()?.trunc();
    FactValue::text(network.to_string())
}
