//! A row of a flow log, read once.

use std::net::IpAddr;

use rsigma_eval::EventValue;

use crate::event::Event;
use crate::lists::is_public;

const TCP: i64 = 6;
const UDP: i64 = 17;

/// From here on systems take the ports of their clients (Linux from 32768, Windows and IANA from 49152): no service lives there.
const EPHEMERAL_PORT_MIN: u16 = 32_768;

/// The most packets of a knock: a SYN that is tried three times, or SYN, ACK and RST.
const TOUCH_PACKETS_MAX: i64 = 3;

/// The largest TCP packet without payload, in bytes: 20 of IP (40 of IPv6) and 20 to 40 of TCP with its options.
const EMPTY_BYTES_MAX: i64 = 80;

/// The ports of services, for what they are called and for telling a server from a client.
const SERVICES: &[(u16, &str)] = &[
    (20, "ftp"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "dns"),
    (80, "http"),
    (110, "pop3"),
    (123, "ntp"),
    (135, "rpc"),
    (139, "smb"),
    (143, "imap"),
    (161, "snmp"),
    (389, "ldap"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (500, "ipsec"),
    (587, "submission"),
    (636, "ldaps"),
    (853, "dns-over-tls"),
    (873, "rsync"),
    (993, "imaps"),
    (995, "pop3s"),
    (1194, "openvpn"),
    (1433, "mssql"),
    (1521, "oracle"),
    (2049, "nfs"),
    (2181, "zookeeper"),
    (2375, "docker"),
    (2376, "docker"),
    (2379, "etcd"),
    (3306, "mysql"),
    (3389, "rdp"),
    (4500, "ipsec"),
    (5432, "postgresql"),
    (5439, "redshift"),
    (5900, "vnc"),
    (5985, "winrm"),
    (5986, "winrm"),
    (6379, "redis"),
    (6443, "kubernetes"),
    (8080, "http"),
    (8443, "https"),
    (9092, "kafka"),
    (9200, "elasticsearch"),
    (9300, "elasticsearch"),
    (10_250, "kubelet"),
    (11_211, "memcached"),
    (27_017, "mongodb"),
    (51_820, "wireguard"),
];

/// One of the two ends of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who sent the packets.
    Source,
    /// Who got them.
    Target,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
        }
    }
}

/// An address with its port; ICMP and its like have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

/// What a row says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    pub(super) source: End,
    pub(super) target: End,
    /// Which end is ours, where it is clear.
    pub(super) near_is: Option<Side>,
    /// Which end began.
    pub(super) client_is: Side,
    pub(super) is_rejected: bool,
    protocol: Option<i64>,
    packets: Option<i64>,
    bytes: Option<i64>,
    is_outside: (bool, bool),
}

impl Flow {
    /// The row, if it says who talked to whom. It asks for fields only, never for facts.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        let address = |packet: &str, interface: &str| event.address(packet).or_else(|| event.address(interface));
        let port = |field: &str| number(event, field).and_then(|port| u16::try_from(port).ok());
        let protocol = number(event, "protocol");
        let has_ports = protocol.is_none_or(|protocol| matches!(protocol, TCP | UDP | 132));
        let end = |address: IpAddr, field: &str| End { address, port: port(field).filter(|_| has_ports) };
        let source = end(address("pkt_srcaddr", "srcaddr")?, "srcport");
        let target = end(address("pkt_dstaddr", "dstaddr")?, "dstport");
        let is_outside = (is_outside(event, source.address), is_outside(event, target.address));
        let near_is = near(is_outside, event.text("flow_direction").as_deref());
        Some(Self {
            source,
            target,
            near_is,
            client_is: client(number(event, "tcp_flags").filter(|_| protocol == Some(TCP)), source.port, target.port),
            is_rejected: event.text("action").is_some_and(|action| action == "REJECT"),
            protocol,
            packets: number(event, "packets"),
            bytes: number(event, "bytes"),
            is_outside,
        })
    }

    pub(super) fn end(&self, side: Side) -> End {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }

    pub(super) fn near(&self) -> Option<End> {
        self.near_is.map(|side| self.end(side))
    }

    pub(super) fn far(&self) -> Option<End> {
        self.near_is.map(|side| self.end(side.other()))
    }

    pub(super) fn client(&self) -> End {
        self.end(self.client_is)
    }

    pub(super) fn server(&self) -> End {
        self.end(self.client_is.other())
    }

    pub(super) fn is_outside(&self, side: Side) -> bool {
        match side {
            Side::Source => self.is_outside.0,
            Side::Target => self.is_outside.1,
        }
    }

    /// The addresses that are not ours, for comparing with lists.
    pub(super) fn outside(&self) -> Vec<IpAddr> {
        let sides = [Side::Source, Side::Target].into_iter().filter(|side| self.is_outside(*side));
        sides.map(|side| self.end(side).address).collect()
    }

    /// Whether an end is ours, where that is clear.
    pub(super) fn side_of(&self, side: Side) -> Option<&'static str> {
        match (self.near_is, self.is_outside) {
            (_, (false, false)) => Some("ours"),
            (Some(near), _) if near == side => Some("ours"),
            (Some(_), _) => Some("outside"),
            (None, _) => None,
        }
    }

    pub(super) fn direction(&self) -> Option<&'static str> {
        match (self.is_outside, self.near_is) {
            ((false, false), _) => Some("internal"),
            (_, Some(near)) if near == self.client_is => Some("outbound"),
            (_, Some(_)) => Some("inbound"),
            (_, None) => None,
        }
    }

    pub(super) fn service(&self) -> Option<&'static str> {
        let port = self.server().port?;
        SERVICES.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
    }

    pub(super) fn transport(&self) -> String {
        match self.protocol {
            Some(1 | 58) => "icmp".to_owned(),
            Some(TCP) => "tcp".to_owned(),
            Some(UDP) => "udp".to_owned(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn packet_bytes(&self) -> Option<i64> {
        self.bytes?.checked_div(self.packets?)
    }

    pub(super) fn is_touch(&self) -> bool {
        let is_short = self.packets.is_some_and(|packets| packets <= TOUCH_PACKETS_MAX);
        let is_empty = self.packet_bytes().is_some_and(|bytes| bytes <= EMPTY_BYTES_MAX);
        self.is_rejected || (self.protocol == Some(TCP) && is_short && is_empty)
    }
}

/// A number, also where it is written as text.
fn number(event: &Event<'_>, field: &str) -> Option<i64> {
    match event.field(field)? {
        EventValue::Int(number) => Some(number),
        other => other.as_str()?.parse().ok(),
    }
}

/// Whether an address is neither of a private network nor of one of the owner's.
fn is_outside(event: &Event<'_>, address: IpAddr) -> bool {
    is_public(address) && !event.context().own.networks.iter().any(|network| network.contains(&address))
}

/// Which end is ours: the one that is not outside, else the one whose interface wrote the row. Where nothing is outside and the
/// row does not say its direction, both are ours and neither is nearer.
fn near(is_outside: (bool, bool), flow_direction: Option<&str>) -> Option<Side> {
    match (is_outside, flow_direction) {
        ((false, true), _) | ((true, true) | (false, false), Some("egress")) => Some(Side::Source),
        ((true, false), _) | ((true, true) | (false, false), Some("ingress")) => Some(Side::Target),
        _ => None,
    }
}

/// Which end began. Only who answers sends SYN and ACK together, only who begins sends SYN alone. Without flags the port of a
/// known service is the server's, then one below the ports of clients, then the lower one; where both are the same, or there are
/// none, who sent is taken for who began.
fn client(tcp_flags: Option<i64>, source: Option<u16>, target: Option<u16>) -> Side {
    const SYN: i64 = 2;
    const ACK: i64 = 16;
    if let Some(flags) = tcp_flags.filter(|flags| flags & SYN != 0) {
        return if flags & ACK != 0 { Side::Target } else { Side::Source };
    }
    let (Some(source), Some(target)) = (source, target) else {
        return Side::Source;
    };
    // The lower, the more of a server.
    let rank = |port: u16| match port {
        port if SERVICES.iter().any(|(known, _)| *known == port) => 0,
        0..1024 => 1,
        1024..EPHEMERAL_PORT_MIN => 2,
        _ => 3,
    };
    match (rank(source), source).cmp(&(rank(target), target)) {
        std::cmp::Ordering::Less => Side::Target,
        _ => Side::Source,
    }
}
