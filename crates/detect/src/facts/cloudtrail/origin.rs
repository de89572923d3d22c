//! Where a call came from.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::json;
use crate::context::Place;
use crate::event::Event;

/// How much of an IPv4 address is its network, where its autonomous system is not known.
const NETWORK_BITS_V4: u8 = 16;
/// The same of an IPv6 address: what a registry hands to one provider.
const NETWORK_BITS_V6: u8 = 32;

/// Autonomous systems of Amazon.
const AMAZON_SYSTEMS: [u32; 5] = [7224, 8987, 14618, 16509, 38895];

/// What registries gave to Amazon, in large blocks, for who has no data on autonomous systems. Wider than the truth in places, so
/// that a call from an instance is not taken for one from outside; what is missed here, place data find.
const AMAZON_BLOCKS: [&str; 71] = [
    "3.0.0.0/8",
    "13.32.0.0/12",
    "13.48.0.0/13",
    "13.56.0.0/14",
    "13.112.0.0/14",
    "13.124.0.0/14",
    "13.192.0.0/10",
    "13.208.0.0/12",
    "13.224.0.0/12",
    "13.244.0.0/14",
    "13.248.0.0/14",
    "15.152.0.0/13",
    "15.160.0.0/13",
    "15.168.0.0/15",
    "15.177.0.0/16",
    "15.184.0.0/14",
    "15.188.0.0/15",
    "15.196.0.0/14",
    "15.200.0.0/13",
    "15.206.0.0/15",
    "15.216.0.0/13",
    "15.220.0.0/14",
    "15.228.0.0/14",
    "15.236.0.0/14",
    "15.248.0.0/13",
    "16.0.0.0/8",
    "18.0.0.0/8",
    "23.20.0.0/14",
    "34.192.0.0/10",
    "35.71.64.0/18",
    "35.72.0.0/13",
    "35.80.0.0/12",
    "35.152.0.0/13",
    "35.160.0.0/11",
    "43.192.0.0/12",
    "43.216.0.0/14",
    "44.192.0.0/10",
    "46.51.128.0/17",
    "46.137.0.0/16",
    "47.128.0.0/14",
    "50.16.0.0/14",
    "50.112.0.0/16",
    "51.16.0.0/14",
    "51.20.0.0/15",
    "51.24.0.0/13",
    "51.34.0.0/15",
    "51.44.0.0/14",
    "52.0.0.0/10",
    "52.64.0.0/11",
    "52.192.0.0/10",
    "54.64.0.0/10",
    "54.144.0.0/12",
    "54.160.0.0/11",
    "54.192.0.0/10",
    "56.0.0.0/8",
    "57.180.0.0/14",
    "63.32.0.0/14",
    "65.0.0.0/14",
    "65.8.0.0/14",
    "67.202.0.0/18",
    "75.2.0.0/17",
    "75.101.128.0/17",
    "79.125.0.0/17",
    "98.80.0.0/12",
    "99.77.0.0/16",
    "99.79.0.0/16",
    "100.20.0.0/14",
    "107.20.0.0/14",
    "174.129.0.0/16",
    "184.72.0.0/15",
    "204.236.128.0/17",
];

/// The address, if it is one. CloudTrail writes the name of a service there, or `AWS Internal`, and a data event may come with several
/// addresses, of which the first is the caller's.
pub(super) fn address(event: &Event<'_>) -> Option<IpAddr> {
    let text = json::text(event.root(), &["sourceIPAddress"])?;
    let first = text.split(',').next().unwrap_or_default().trim();
    let address: IpAddr = first.parse().ok()?;
    Some(address.to_canonical())
}

/// The network that it came from.
pub(super) fn network(event: &Event<'_>) -> Option<String> {
    let address = address(event)?;
    if came_by_endpoint(event) {
        return None;
    }
    if let Some(system) = event.context().places.place(address).and_then(|place| place.asn) {
        return Some(format!("AS{system}"));
    }
    let network = match address {
        IpAddr::V4(address) => IpNet::from(Ipv4Net::new(address, NETWORK_BITS_V4).ok()?),
        IpAddr::V6(address) => IpNet::from(Ipv6Net::new(address, NETWORK_BITS_V6).ok()?),
    };
    Some(network.trunc().to_string())
}

/// The block of addresses that an IPv4 call came from, whoever runs it: all of Amazon is few autonomous systems.
pub(super) fn block(event: &Event<'_>) -> Option<String> {
    let IpAddr::V4(address) = address(event)? else { return None };
    if came_by_endpoint(event) {
        return None;
    }
    Some(Ipv4Net::new(address, NETWORK_BITS_V4).ok()?.trunc().to_string())
}

/// What kind of place it came from.
pub(super) fn kind(event: &Event<'_>) -> Option<&'static str> {
    if came_by_endpoint(event) {
        return Some("endpoint");
    }
    let text: Cow<'_, str> = event.text("sourceIPAddress")?;
    Some(match address(event) {
        Some(address) if is_public(address) => "public",
        Some(_) => "private",
        None if text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") => "service",
        None if text.eq_ignore_ascii_case("AWS Internal") => "internal",
        None => "unknown",
    })
}

/// What place data say of it.
pub(super) fn place(event: &Event<'_>) -> Option<Place> {
    event.context().places.place(address(event)?)
}

/// Whether a public address is one of Amazon's; nothing where the call did not come from a public address.
pub(super) fn is_amazon(event: &Event<'_>) -> Option<bool> {
    if kind(event) != Some("public") {
        return None;
    }
    let address = address(event)?;
    if event.context().own.networks.iter().any(|network| network.contains(&address)) {
        // What the owner calls theirs is where their instances may be behind.
        return Some(true);
    }
    if let Some(system) = event.context().places.place(address).and_then(|place| place.asn) {
        return Some(AMAZON_SYSTEMS.contains(&system));
    }
    match address {
        IpAddr::V4(_) => Some(amazon_blocks().iter().any(|block| block.contains(&address))),
        // Amazon's addresses of version 6 are in too many blocks to be known by heart.
        IpAddr::V6(_) => None,
    }
}

fn amazon_blocks() -> &'static [IpNet] {
    static BLOCKS: OnceLock<Vec<IpNet>> = OnceLock::new();
    BLOCKS.get_or_init(|| AMAZON_BLOCKS.iter().filter_map(|block| block.parse().ok()).collect())
}

fn came_by_endpoint(event: &Event<'_>) -> bool {
    super::caller::says(event, &["vpcEndpointId"])
}

/// Whether an address can be reached from the internet at all.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let is_shared = Ipv4Net::new(Ipv4Addr::new(100, 64, 0, 0), 10).is_ok_and(|net| net.contains(&address));
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_amazon_is_a_network() {
        assert_eq!(amazon_blocks().len(), AMAZON_BLOCKS.len());
    }

    #[test]
    fn private_addresses_are_not_public() {
        for (text, expected) in [
            ("10.0.1.50", false),
            ("100.64.3.4", false),
            ("169.254.169.254", false),
            ("fd00::1", false),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }
}
