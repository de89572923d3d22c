//! Public DNS resolvers: their addresses, and the names under which they answer over HTTPS and TLS.
//!
//! Those that their operators publish for everyone to use; a list of the kind `resolver` adds others.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::LazyLock;

/// Addresses, each as its operator documents it.
const ADDRESSES: &[&str] = &[
    // Cloudflare
    "1.1.1.1",
    "1.0.0.1",
    "1.1.1.2",
    "1.0.0.2",
    "1.1.1.3",
    "1.0.0.3",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
    // Google
    "8.8.8.8",
    "8.8.4.4",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    // Quad9
    "9.9.9.9",
    "149.112.112.112",
    "9.9.9.10",
    "149.112.112.10",
    "9.9.9.11",
    "149.112.112.11",
    "2620:fe::fe",
    "2620:fe::9",
    // OpenDNS
    "208.67.222.222",
    "208.67.220.220",
    "208.67.222.123",
    "208.67.220.123",
    "2620:119:35::35",
    "2620:119:53::53",
    // AdGuard
    "94.140.14.14",
    "94.140.15.15",
    "94.140.14.15",
    "94.140.15.16",
    // CleanBrowsing
    "185.228.168.9",
    "185.228.169.9",
    "185.228.168.168",
    "185.228.169.168",
    // Control D
    "76.76.2.0",
    "76.76.10.0",
    // Level 3
    "4.2.2.1",
    "4.2.2.2",
    // DNS.SB
    "185.222.222.222",
    "45.11.45.11",
    // AliDNS, DNSPod
    "223.5.5.5",
    "223.6.6.6",
    "119.29.29.29",
    // Yandex
    "77.88.8.8",
    "77.88.8.1",
];

/// Names, each standing for all below it.
const NAMES: &[&str] = &[
    "cloudflare-dns.com",
    "one.one.one.one",
    "dns.google",
    "dns.google.com",
    "quad9.net",
    "doh.opendns.com",
    "dns.opendns.com",
    "dns.adguard-dns.com",
    "dns.adguard.com",
    "doh.cleanbrowsing.org",
    "freedns.controld.com",
    "dns.nextdns.io",
    "doh.dns.sb",
    "dns.alidns.com",
    "doh.pub",
    "doh.mullvad.net",
    "dns.mullvad.net",
];

/// Whether this is the address of a public resolver.
pub(in crate::facts) fn is_known(address: IpAddr) -> bool {
    static KNOWN: LazyLock<HashSet<IpAddr>> =
        LazyLock::new(|| ADDRESSES.iter().filter_map(|address| address.parse().ok()).collect());
    KNOWN.contains(&address)
}

/// Whether this is the name of a public resolver, or one below it; in lower case, without the dot at the end.
pub(in crate::facts) fn is_known_name(name: &str) -> bool {
    let below = |known: &str| name.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    NAMES.iter().any(|known| below(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_one() {
        for address in ADDRESSES {
            assert!(is_known(address.parse().unwrap()), "{address}");
        }
        assert!(!is_known("192.0.2.53".parse().unwrap()));
    }

    #[test]
    fn names_stand_for_what_is_below_them() {
        assert!(is_known_name("mozilla.cloudflare-dns.com") && is_known_name("dns.google"));
        assert!(!is_known_name("notdns.google") && !is_known_name("google"));
    }
}
