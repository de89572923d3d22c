//! Networks in CIDR notation.

use std::net::IpAddr;

/// A network: addresses of one version whose first `bits` are those of `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Network {
    is_v6: bool,
    bits: u8,
    /// Left-aligned, with everything after the first `bits` zero.
    address: u128,
}

/// An address as far as networks go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    is_v6: bool,
    address: u128,
}

impl Network {
    /// Reads `192.0.2.0/24` or `2001:db8::/32`; bits after the prefix may be set and mean nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = Address::parse(address)?;
        let bits: u8 = bits.parse().ok().filter(|_| bits.bytes().all(|byte| byte.is_ascii_digit()))?;
        (bits <= if address.is_v6 { 128 } else { 32 }).then(|| address.network(bits))
    }

    pub(super) fn contains(self, address: Address) -> bool {
        self.is_v6 == address.is_v6 && address.network(self.bits) == self
    }

    /// The version and length, which addresses are cut to when looking up networks.
    pub(super) fn length(self) -> (bool, u8) {
        (self.is_v6, self.bits)
    }
}

impl Address {
    /// The address that a text is. An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.parse::<IpAddr>().ok()?.to_canonical() {
            IpAddr::V4(address) => Some(Self { is_v6: false, address: u128::from(address.to_bits()) << 96 }),
            IpAddr::V6(address) => Some(Self { is_v6: true, address: address.to_bits() }),
        }
    }

    pub(super) fn is_v6(self) -> bool {
        self.is_v6
    }

    /// The network of its first `bits`.
    pub(super) fn network(self, bits: u8) -> Network {
        let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or_default();
        Network { is_v6: self.is_v6, bits, address: self.address & mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses_of_their_own_version() {
        for (network, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.77/24", "192.0.2.0", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.1/32", "192.0.2.1", true),
            ("2001:db8::/32", "2001:0DB8:0:0::5", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "192.0.2.1", false),
            ("::1/128", "0:0:0:0:0:0:0:1", true),
        ] {
            let contains = Network::parse(network).unwrap().contains(Address::parse(address).unwrap());
            assert_eq!(contains, expected, "{network} {address}");
        }
        for text in
            ["192.0.2.0", "192.0.2.0/33", "192.0.2/24", "::/129", "a/8", "192.0.2.0/-1", "192.0.2.0/+8", "192.0.2.0/"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
        assert_eq!(Address::parse("ec2.amazonaws.com"), None);
    }
}
