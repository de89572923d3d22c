//! `Fn::Cidr`: a network cut into smaller ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many networks CloudFormation cuts out at most.
const COUNT_MAX: u128 = 256;

/// The first `count` networks of `host_bits` bits in a block; none where they do not fit or the block is malformed.
pub(super) fn cut(block: &str, count: u128, host_bits: u32) -> Option<Vec<String>> {
    let (address, length) = block.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u32 = length.parse().ok()?;
    let (bits, start): (u32, u128) = match address {
        IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    let room = bits.checked_sub(length)?.checked_sub(host_bits)?;
    if count == 0 || count > COUNT_MAX || (room < 128 && count > 1 << room) {
        return None;
    }
    let block_bits = bits - length;
    let start = start.checked_shr(block_bits).unwrap_or(0).checked_shl(block_bits).unwrap_or(0);
    (0..count)
        .map(|index| {
            let network = start | index.checked_shl(host_bits).unwrap_or(0);
            let address = match address {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(network).ok()?)),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(network)),
            };
            Some(format!("{address}/{}", bits - host_bits))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn networks_are_cut_in_order() {
        let cases = [
            ("10.1.2.3/16", 3, 8, Some(vec!["10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24"])),
            ("10.0.0.0/24", 2, 8, None),
            ("10.0.0.0/24", 1, 8, Some(vec!["10.0.0.0/24"])),
            ("10.0.0.0/24", 1, 9, None),
            ("2001:db8::/56", 2, 64, Some(vec!["2001:db8::/64", "2001:db8:0:1::/64"])),
            ("::/0", 1, 128, Some(vec!["::/0"])),
            ("10.0.0.0", 1, 8, None),
            ("10.0.0.0/33", 1, 0, None),
            ("10.0.0.0/8", 257, 8, None),
        ];
        for (block, count, host_bits, expected) in cases {
            let expected = expected.map(|networks| networks.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(cut(block, count, host_bits), expected, "{block}");
        }
    }
}
