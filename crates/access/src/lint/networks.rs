//! Addresses and ranges under `IpAddress` and `NotIpAddress`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::codes::{
    IMPROVE_IP_RANGE, PRIVATE_IP_ADDRESS, PRIVATE_IP_ADDRESS_SUBSET, PRIVATE_NOT_IP_ADDRESS,
    PRIVATE_NOT_IP_ADDRESS_SUBSET, TYPE_MISMATCH_IP_RANGE,
};
use super::context::Context;
use super::variables;
use super::view::Condition;
use crate::policy::Operator;

pub(super) fn check(condition: &Condition<'_>, operator: Operator, context: &Context<'_>) {
    let mut ranges = Vec::new();
    let mut understood = true;
    for (text, node) in condition.texts() {
        let range = range(text);
        if range.is_none() {
            understood = false;
            if variables::names(text).next().is_none() {
                context.at(TYPE_MISMATCH_IP_RANGE, node, &[("value", text)]);
            }
        }
        if let Some(range) = range {
            if range.addr() != range.network() {
                let better = range.trunc().to_string();
                context.add_with(IMPROVE_IP_RANGE, node.start, &[("value", text)], Some(better));
            }
            ranges.push((range, node));
        }
    }
    // Callers reach AWS from public addresses; only through an endpoint do they keep a private one, and then this key
    // is absent.
    if condition.key != "aws:sourceip" || !understood || ranges.is_empty() {
        return;
    }
    let private = ranges.iter().filter(|(range, _)| is_private(range)).count();
    let values = [("key", condition.name())];
    let (all, some) = if operator.negated {
        (PRIVATE_NOT_IP_ADDRESS, PRIVATE_NOT_IP_ADDRESS_SUBSET)
    } else {
        (PRIVATE_IP_ADDRESS, PRIVATE_IP_ADDRESS_SUBSET)
    };
    if private == ranges.len() {
        context.at(all, &condition.member.node, &values);
    } else {
        for (range, node) in ranges.iter().filter(|(range, _)| is_private(range)) {
            context.at(some, node, &[("key", condition.name()), ("value", &range.to_string())]);
        }
    }
}

/// A range, or one address.
fn range(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(address)
}

/// Whether nothing of the range is routed on the internet (RFC 1918, RFC 4193).
fn is_private(range: &IpNet) -> bool {
    match range {
        IpNet::V4(range) => PRIVATE_V4.iter().any(|private| private.contains(range)),
        IpNet::V6(range) => PRIVATE_V6.contains(range),
    }
}

const PRIVATE_V4: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(192, 168, 0, 0), 16),
];

const PRIVATE_V6: Ipv6Net = Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);
