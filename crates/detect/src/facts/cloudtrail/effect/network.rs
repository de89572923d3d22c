//! What is opened to the whole internet.

use sonic_rs::Value;

use super::{Call, Effects};
use crate::facts::cloudtrail::json;

/// Ports by which machines are administered: SSH, Telnet, RPC, SMB, RDP, VNC, `WinRM`, Docker, Kubernetes.
const ADMIN: [u16; 13] = [22, 23, 135, 445, 2375, 2376, 3389, 5900, 5985, 5986, 6443, 10250, 512];
/// Ports of databases, caches and search engines.
const DATABASE: [u16; 16] =
    [1433, 1434, 1521, 3306, 5432, 5439, 5984, 6379, 7000, 8086, 9042, 9092, 9200, 9300, 11211, 27017];
/// Ports that the public is meant to reach.
const WEB: [u16; 2] = [80, 443];

/// A network is the whole internet with no bits, or half of it with one, which is how a check for `/0` is got round.
const WORLD_BITS_MAX: u8 = 1;

/// Rules added to a security group, in any of the shapes that EC2 writes.
pub(super) fn security_group(call: &Call<'_>, effects: &mut Effects) {
    let parameters = call.parameters;
    for rule in json::list(parameters, &["ipPermissions"]) {
        let ranges = json::list(rule, &["ipRanges"]).into_iter().chain(json::list(rule, &["ipv6Ranges"]));
        if ranges.into_iter().any(|range| is_world(range, &["cidrIp", "cidrIpv6"])) {
            open(rule, "ipProtocol", effects);
        }
    }
    if is_world(parameters, &["cidrIp", "cidrIpv6"]) {
        open(parameters, "ipProtocol", effects);
    }
    for change in json::list(parameters, &["ModifySecurityGroupRulesRequest", "SecurityGroupRule"]) {
        let rule = json::field(change, "SecurityGroupRule").unwrap_or(change);
        if is_world(rule, &["CidrIpv4", "CidrIpv6"]) {
            open(rule, "IpProtocol", effects);
        }
    }
}

/// An entry of a network ACL that lets traffic in.
pub(super) fn acl_entry(call: &Call<'_>, effects: &mut Effects) {
    let parameters = call.parameters;
    let is_inbound = json::truth(parameters, &["egress"]) == Some(false);
    let allows = json::text(parameters, &["ruleAction"]).is_some_and(|action| action.eq_ignore_ascii_case("allow"));
    if !is_inbound || !allows || !is_world(parameters, &["cidrBlock", "ipv6CidrBlock"]) {
        return;
    }
    let range = (json::number(parameters, &["portRange", "from"]), json::number(parameters, &["portRange", "to"]));
    if let (Some(from), Some(to)) = range {
        note(from, to, effects);
    } else {
        effects.found.insert("world-open");
        effects.ports.insert("all");
    }
}

/// Whether an API opens the old kind of security group of a database.
pub(super) fn is_ingress(api: &str) -> bool {
    matches!(
        api,
        "AuthorizeDBSecurityGroupIngress"
            | "AuthorizeClusterSecurityGroupIngress"
            | "AuthorizeCacheSecurityGroupIngress"
    )
}

/// The old kind of security group of a database.
pub(super) fn database_group(call: &Call<'_>, effects: &mut Effects) {
    if is_world(call.parameters, &["cIDRIP"]) {
        effects.found.insert("world-open");
        effects.ports.insert("database");
    }
}

fn is_world(value: &Value, keys: &[&str]) -> bool {
    keys.iter().filter_map(|key| json::text(value, &[key])).any(is_world_text)
}

/// Whether a network is the whole internet. The bits decide: AWS does not mind what stands before them.
fn is_world_text(cidr: &str) -> bool {
    let bits = cidr.rsplit_once('/').and_then(|(_, bits)| bits.trim().parse::<u8>().ok());
    bits.is_some_and(|bits| bits <= WORLD_BITS_MAX)
}

fn open(rule: &Value, protocol: &str, effects: &mut Effects) {
    let protocol = json::text(rule, &[protocol]).unwrap_or("-1").to_ascii_lowercase();
    let range = (json::number(rule, &["fromPort"]), json::number(rule, &["toPort"]));
    match (protocol.as_str(), range) {
        ("tcp" | "6" | "udp" | "17", (Some(from), Some(to))) => note(from, to, effects),
        ("icmp" | "1" | "icmpv6" | "58", _) => {
            effects.found.insert("world-open");
            effects.ports.insert("icmp");
        }
        _ => {
            effects.found.insert("world-open");
            effects.ports.insert("all");
        }
    }
}

fn note(from: i64, to: i64, effects: &mut Effects) {
    effects.found.insert("world-open");
    let has = |ports: &[u16]| ports.iter().any(|port| (from..=to).contains(&i64::from(*port)));
    if from <= 0 && to >= i64::from(u16::MAX) {
        effects.ports.insert("all");
        return;
    }
    if has(&ADMIN) {
        effects.ports.insert("admin");
    }
    if has(&DATABASE) {
        effects.ports.insert("database");
    }
    if effects.ports.is_empty() {
        let is_web = from == to && has(&WEB);
        effects.ports.insert(if is_web { "web" } else { "other" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_decide_what_the_internet_is() {
        for (cidr, expected) in [
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("0.0.0.0/1", true),
            ("128.0.0.0/1", true),
            ("208.236.235.254/0", true),
            ("0.0.0.0/16", false),
            ("10.0.0.0/8", false),
            ("192.0.2.1/32", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(is_world_text(cidr), expected, "{cidr}");
        }
    }

    #[test]
    fn a_range_is_known_by_the_ports_in_it() {
        for (from, to, expected) in [
            (22, 22, vec!["admin"]),
            (20, 30, vec!["admin"]),
            (3306, 3306, vec!["database"]),
            (1, 6000, vec!["admin", "database"]),
            (0, 65535, vec!["all"]),
            (443, 443, vec!["web"]),
            (80, 443, vec!["admin"]),
            (8080, 8080, vec!["other"]),
        ] {
            let mut effects = Effects::default();
            note(from, to, &mut effects);
            assert_eq!(effects.ports.into_iter().collect::<Vec<_>>(), expected, "{from}-{to}");
        }
    }
}
