//! One thing that a list can hold, from the text that a feed writes for it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

use super::Kind;

/// The widest IPv4 network of a list, in bits of its prefix: wider ones are slips of the pen (`0.0.0.0/0`), and hold the innocent.
pub const PREFIX_V4_MIN: u8 = 8;

/// The widest IPv6 network of a list: registries hand out nothing wider to one holder.
pub const PREFIX_V6_MIN: u8 = 19;

/// The longest domain name in its ASCII form, without the dot at the end.
const NAME_BYTES_MAX: usize = 253;

/// A thing that a list can hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Indicator {
    /// All addresses from the first to the last, both of one family.
    Addresses(IpAddr, IpAddr),
    /// A domain name and all below it: lower case, ASCII, no dot at the end.
    Name(Box<str>),
    /// A hash of a file.
    Hash(Hash),
}

/// A hash of a file; its length says which: MD5, SHA-1 or SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hash(Box<[u8]>);

impl Hash {
    /// The hash that is written so: 32, 40 or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if !matches!(text.len(), 32 | 40 | 64) || !text.is_ascii() {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        bytes.collect::<Option<Vec<u8>>>().map(|bytes| Self(bytes.into()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no indicator, or none that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Neither an address, a network, a domain name, a web address nor a file hash.
    #[error("this is no address, network, domain, url or file hash")]
    Unknown,
    /// A name under which anybody can register.
    #[error("this is a public suffix, under which anybody may have a name")]
    PublicSuffix,
    /// A network that holds too much of the internet.
    #[error("the network is wider than /{PREFIX_V4_MIN} (IPv4) or /{PREFIX_V6_MIN} (IPv6)")]
    TooWide,
    /// An address that is not of the public internet, in a list that is not of trusted ones.
    #[error("the address is not of the public internet")]
    NotPublic,
    /// A range whose end is before its start, or of the other family.
    #[error("the range ends before it starts")]
    Backwards,
}

impl Indicator {
    /// What `text` names, in a list of this kind. Taken are addresses, networks (`192.0.2.0/24`), ranges (`192.0.2.1-192.0.2.9`),
    /// domain names (`*.` and `.` in front change nothing: a name always stands for all below it), web addresses (their host is
    /// meant), file hashes, an address with a port, and the ways in which feeds make them unclickable (`hxxp://`, `[.]`, `(.)`).
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Refused> {
        let text = text.trim();
        let clickable = text.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":").replace("[://]", "://");
        let text = clickable.as_str();
        if let Some(hash) = Hash::parse(text) {
            return Ok(Self::Hash(hash));
        }
        if text.contains("://") {
            return Self::host(text, kind);
        }
        if let Some((first, last)) = addresses(text) {
            return Self::of_addresses(first, last, kind);
        }
        // What ends in a number is no name: an address with a slip in it.
        let host = text.split(['/', ':']).next().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.rsplit('.').next().is_none_or(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(Refused::Unknown);
        }
        Self::of_name(host)
    }

    fn host(text: &str, kind: Kind) -> Result<Self, Refused> {
        let (scheme, rest) = text.split_once("://").ok_or(Refused::Unknown)?;
        let scheme = scheme.to_ascii_lowercase().replace("hxxp", "http").replace("fxp", "ftp");
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| Refused::Unknown)?;
        match url.host().ok_or(Refused::Unknown)? {
            Host::Ipv4(address) => Self::of_addresses(address.into(), address.into(), kind),
            Host::Ipv6(address) => Self::of_addresses(address.into(), address.into(), kind),
            Host::Domain(name) => match name.parse::<IpAddr>() {
                Ok(address) => Self::of_addresses(address, address, kind),
                Err(_) => Self::of_name(name),
            },
        }
    }

    fn of_addresses(first: IpAddr, last: IpAddr, kind: Kind) -> Result<Self, Refused> {
        let (first, last) = (first.to_canonical(), last.to_canonical());
        let width_max = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                u128::from(last.to_bits().checked_sub(first.to_bits()).ok_or(Refused::Backwards)?)
                    >> (32 - PREFIX_V4_MIN)
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                last.to_bits().checked_sub(first.to_bits()).ok_or(Refused::Backwards)? >> (128 - PREFIX_V6_MIN)
            }
            _ => return Err(Refused::Backwards),
        };
        if width_max > 0 {
            return Err(Refused::TooWide);
        }
        let is_usable = kind == Kind::Trusted || (is_public(first) && is_public(last));
        if is_usable { Ok(Self::Addresses(first, last)) } else { Err(Refused::NotPublic) }
    }

    fn of_name(text: &str) -> Result<Self, Refused> {
        let text = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
        let name = Some(normal(text)).filter(|name| is_name(name)).ok_or(Refused::Unknown)?;
        match psl::suffix_str(&name) {
            Some(suffix) if suffix.len() >= name.len() => Err(Refused::PublicSuffix),
            Some(_) => Ok(Self::Name(name.into())),
            None => Err(Refused::Unknown),
        }
    }
}

/// A domain name in the form in which names are compared: lower case, ASCII (`xn--`), no dot at the end. What can be no name stays
/// as it is, so that an odd label in front hides nothing.
pub(super) fn normal(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    if !name.is_ascii()
        && let Ok(Host::Domain(ascii)) = Host::parse(name)
    {
        return ascii;
    }
    name.to_ascii_lowercase()
}

/// Whether a normal text can be a domain name.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63) && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// First and last of an address, a network, a range, or an address with a port; `None` when the text is none of these.
fn addresses(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, address));
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some((network.network(), network.broadcast()));
    }
    if let Some((first, last)) = text.split_once('-')
        && let (Ok(first), Ok(last)) = (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>())
    {
        return Some((first, last));
    }
    text.parse::<SocketAddr>().ok().map(|address| (address.ip(), address.ip()))
}

/// Whether an address is of the public internet. The networks that are reserved for written examples count as public, since
/// examples and tests are written with them.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && second & 0xc0 == 64;
    let is_benchmark = first == 198 && second & 0xfe == 18;
    let is_protocol = [first, second, third] == [192, 0, 0];
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || is_shared
        || is_benchmark
        || is_protocol)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Only 2000::/3 is given out; `fc00::/7`, `fe80::/10`, `ff00::/8`, `::1` and the rest are not.
    address.segments().first().is_some_and(|first| first & 0xe000 == 0x2000)
}
