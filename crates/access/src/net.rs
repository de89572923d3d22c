//! What security group rules open to the world.
//!
//! The rules are in the shape of CloudFormation's `SecurityGroupIngress` (or `SecurityGroupEgress`): `IpProtocol`,
//! `FromPort`, `ToPort` and one of `CidrIp`, `CidrIpv6`, a prefix list or another security group. `null` is no rule.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;

/// Why security group rules cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// A value of the wrong kind.
    #[error("`{at}` is not {expected}")]
    Unexpected {
        /// Where.
        at: String,
        /// What belongs there, as the end of a sentence.
        expected: &'static str,
    },
    /// More than can be judged.
    #[error("there are more than {RULES_MAX} rules")]
    TooMany,
}

/// The most rules judged at once. AWS lets a network interface have 1,000.
const RULES_MAX: usize = 10_000;

/// Protocol numbers that AWS also gives names to.
const PROTOCOLS: &[(&str, u8)] = &[("icmp", 1), ("tcp", TCP), ("udp", UDP), ("icmpv6", 58)];
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Networks that no packet from the internet comes from; who leaves just these out still lets the world in.
const NOT_INTERNET: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
];

/// All IPv6 addresses that the internet uses.
const GLOBAL_UNICAST: &str = "2000::/3";

/// Whether the rules open a port to the world; `protocol` is `tcp`, `udp` or a number. Networks count together: two
/// halves of the internet are the internet. A rule that cannot be judged is an error only where the others leave the port
/// closed: no rule closes what another opens.
pub fn open(permissions: &Value, port: u16, protocol: &str) -> Result<bool, InvalidRules> {
    let asked = parse_protocol("protocol", &Value::from(protocol))?;
    let (rules, invalid) = readable_rules(permissions)?;
    let networks = rules
        .iter()
        .filter(|rule| match (rule.protocol, asked) {
            (Protocol::All, _) | (_, Protocol::All) => rule.ports.contains(port),
            (Protocol::Number(theirs), Protocol::Number(asked)) => theirs == asked && rule.ports.contains(port),
        })
        .filter_map(|rule| rule.source);
    match invalid {
        _ if is_world(networks) => Ok(true),
        Some(invalid) => Err(invalid),
        None => Ok(false),
    }
}

/// The ranges that are open to the world, in order: `all`, or `22-22/tcp`, `53-53/udp`, `icmp`, `50` (a protocol without
/// ports by its name or number).
pub fn open_ports(permissions: &Value) -> Result<Vec<String>, InvalidRules> {
    let rules = parse_rules(permissions)?;
    let everywhere: Vec<&Rule> = rules.iter().filter(|rule| rule.protocol == Protocol::All).collect();
    if is_world(everywhere.iter().filter_map(|rule| rule.source)) {
        return Ok(vec!["all".to_owned()]);
    }
    let mut by_protocol: BTreeMap<u8, Vec<&Rule>> = BTreeMap::new();
    for rule in &rules {
        if let Protocol::Number(number) = rule.protocol {
            by_protocol.entry(number).or_insert_with(|| everywhere.clone()).push(rule);
        }
    }
    let mut open = Vec::new();
    for (number, rules) in by_protocol {
        let name = PROTOCOLS.iter().find(|(_, known)| *known == number).map(|(name, _)| (*name).to_owned());
        let name = name.unwrap_or_else(|| number.to_string());
        if matches!(number, TCP | UDP) {
            open.extend(open_ranges(&rules).into_iter().map(|ports| format!("{}-{}/{name}", ports.from, ports.to)));
        } else if is_world(rules.iter().filter_map(|rule| rule.source)) {
            open.push(name);
        }
    }
    Ok(open)
}

/// Whether a network is the whole internet.
pub fn world(cidr: &str) -> Result<bool, InvalidRules> {
    let network = network(cidr)
        .ok_or_else(|| InvalidRules::Unexpected { at: cidr.to_owned(), expected: "a network (`192.0.2.0/24`)" })?;
    Ok(is_world([network]))
}

/// A network in CIDR notation, or one address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    All,
    Number(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ports {
    from: u16,
    to: u16,
}

impl Ports {
    const ALL: Self = Self { from: 0, to: u16::MAX };

    fn contains(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }
}

struct Rule {
    protocol: Protocol,
    /// All of them for a protocol that has none.
    ports: Ports,
    /// The network let in; none for a security group or a prefix list.
    source: Option<IpNet>,
}

fn unexpected(at: impl Into<String>, expected: &'static str) -> InvalidRules {
    InvalidRules::Unexpected { at: at.into(), expected }
}

fn parse_rules(permissions: &Value) -> Result<Vec<Rule>, InvalidRules> {
    let (rules, invalid) = readable_rules(permissions)?;
    invalid.map_or(Ok(rules), Err)
}

/// The rules that can be judged, and what is wrong with the first of those that cannot.
fn readable_rules(permissions: &Value) -> Result<(Vec<Rule>, Option<InvalidRules>), InvalidRules> {
    let items = match permissions {
        Value::Null => return Ok((Vec::new(), None)),
        Value::Array(items) => items.as_slice(),
        single @ Value::Object(_) => std::slice::from_ref(single),
        _ => return Err(unexpected("rules", "a list of security group rules")),
    };
    if items.len() > RULES_MAX {
        return Err(InvalidRules::TooMany);
    }
    let mut rules = Vec::with_capacity(items.len());
    let mut invalid = None;
    for (index, item) in items.iter().enumerate() {
        if let Err(error) = parse_rule(&format!("rules[{index}]"), item, &mut rules) {
            invalid.get_or_insert(error);
        }
    }
    Ok((rules, invalid))
}

fn parse_rule(at: &str, item: &Value, rules: &mut Vec<Rule>) -> Result<(), InvalidRules> {
    if !item.is_object() {
        return Err(unexpected(at, "a security group rule"));
    }
    let protocol = parse_protocol(&format!("{at}.IpProtocol"), item.get("IpProtocol").unwrap_or(&Value::Null))?;
    let ports = match protocol {
        // Other protocols have no ports, and for ICMP the two numbers are its type and code.
        Protocol::Number(TCP | UDP) => parse_ports(at, item)?,
        Protocol::All | Protocol::Number(_) => Ports::ALL,
    };
    let mut sources = 0;
    for field in ["CidrIp", "CidrIpv6"] {
        let value = item.get(field).filter(|value| !value.is_null());
        let Some(value) = value else { continue };
        let source =
            value.as_str().and_then(network).ok_or_else(|| unexpected(format!("{at}.{field}"), "a network"))?;
        rules.push(Rule { protocol, ports, source: Some(source.trunc()) });
        sources += 1;
    }
    if sources == 0 {
        rules.push(Rule { protocol, ports, source: None });
    }
    Ok(())
}

fn parse_protocol(at: &str, value: &Value) -> Result<Protocol, InvalidRules> {
    let text = match value {
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => return Err(unexpected(at, "a protocol (`tcp`, `udp`, a number, or `-1` for all)")),
    };
    if text == "-1" || text == "all" {
        return Ok(Protocol::All);
    }
    let named = PROTOCOLS.iter().find(|(name, _)| *name == text).map(|&(_, number)| number);
    let number = named.or_else(|| text.parse().ok());
    number.map(Protocol::Number).ok_or_else(|| unexpected(at, "a protocol (`tcp`, `udp`, a number, or `-1` for all)"))
}

/// Ports that are not given, or -1, mean all of them.
fn parse_ports(at: &str, item: &Value) -> Result<Ports, InvalidRules> {
    let from = parse_port(&format!("{at}.FromPort"), item.get("FromPort"))?;
    let to = parse_port(&format!("{at}.ToPort"), item.get("ToPort"))?;
    let ports = match (from, to) {
        (None, None) => Ports::ALL,
        (Some(from), Some(to)) => Ports { from, to },
        (Some(_), None) => return Err(unexpected(format!("{at}.ToPort"), "a port")),
        (None, Some(_)) => return Err(unexpected(format!("{at}.FromPort"), "a port")),
    };
    if ports.from > ports.to {
        return Err(unexpected(format!("{at}.FromPort"), "a port up to `ToPort`"));
    }
    Ok(ports)
}

fn parse_port(at: &str, value: Option<&Value>) -> Result<Option<u16>, InvalidRules> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match number {
        Some(-1) => Ok(None),
        Some(number) => u16::try_from(number).map(Some).map_err(|_| unexpected(at, "a port")),
        None => Err(unexpected(at, "a port")),
    }
}

/// The ranges of ports that the rules, all of one protocol, open to the world together.
fn open_ranges(rules: &[&Rule]) -> Vec<Ports> {
    // Between two of these ports the same rules apply.
    let mut starts = BTreeSet::from([0]);
    for rule in rules {
        starts.insert(rule.ports.from);
        starts.extend(rule.ports.to.checked_add(1));
    }
    let starts: Vec<u16> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([u16::MAX]);
    let mut ranges: Vec<Ports> = Vec::new();
    for (&from, to) in starts.iter().zip(ends) {
        if !is_world(rules.iter().filter(|rule| rule.ports.contains(from)).filter_map(|rule| rule.source)) {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if last.to.checked_add(1) == Some(from) => last.to = to,
            _ => ranges.push(Ports { from, to }),
        }
    }
    ranges
}

/// Whether the networks together let in every address of the internet, of either version.
fn is_world(networks: impl IntoIterator<Item = IpNet>) -> bool {
    let mut v4: Vec<Ipv4Net> = Vec::new();
    let mut v6: Vec<Ipv6Net> = Vec::new();
    for network in networks {
        match network {
            IpNet::V4(network) => v4.push(network.trunc()),
            IpNet::V6(network) => v6.push(network.trunc()),
        }
    }
    if !v4.is_empty() {
        v4.extend(NOT_INTERNET.iter().filter_map(|text| text.parse::<Ipv4Net>().ok()));
    }
    let global = GLOBAL_UNICAST.parse::<Ipv6Net>().ok();
    Ipv4Net::aggregate(&v4).iter().any(|network| network.prefix_len() == 0)
        || Ipv6Net::aggregate(&v6).iter().any(|network| global.is_some_and(|global| network.contains(&global)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(protocol: &str, ports: Option<(i64, i64)>, cidr: &str) -> Value {
        let field = if cidr.contains(':') { "CidrIpv6" } else { "CidrIp" };
        match ports {
            Some((from, to)) => json!({ "IpProtocol": protocol, "FromPort": from, "ToPort": to, field: cidr }),
            None => json!({ "IpProtocol": protocol, field: cidr }),
        }
    }

    #[test]
    fn a_port_is_open_where_the_world_may_reach_it() {
        let all = "0.0.0.0/0";
        for (name, rules, expected) in [
            ("the port", json!([rule("tcp", Some((22, 22)), all)]), true),
            ("by number", json!([rule("6", Some((22, 22)), all)]), true),
            ("a range", json!([rule("tcp", Some((20, 25)), all)]), true),
            ("another port", json!([rule("tcp", Some((23, 25)), all)]), false),
            ("another protocol", json!([rule("udp", Some((22, 22)), all)]), false),
            ("all protocols", json!([rule("-1", None, all)]), true),
            ("all protocols, with ports", json!([rule("-1", Some((80, 80)), all)]), true),
            ("no ports", json!([rule("tcp", None, all)]), true),
            ("-1", json!([rule("tcp", Some((-1, -1)), all)]), true),
            ("icmp type", json!([rule("icmp", Some((8, 22)), all)]), false),
            ("v6", json!([rule("tcp", Some((22, 22)), "::/0")]), true),
            ("v6 unicast", json!([rule("tcp", Some((22, 22)), "2000::/3")]), true),
            ("private", json!([rule("tcp", Some((22, 22)), "10.0.0.0/8")]), false),
            ("half", json!([rule("tcp", Some((22, 22)), "0.0.0.0/1")]), false),
            (
                "halves",
                json!([rule("tcp", Some((22, 22)), "0.0.0.0/1"), rule("6", Some((1, 99)), "128.0.0.0/1")]),
                true,
            ),
            (
                "halves of two ports",
                json!([rule("tcp", Some((22, 22)), "0.0.0.0/1"), rule("tcp", Some((23, 23)), "128.0.0.0/1")]),
                false,
            ),
            ("one object", rule("tcp", Some((22, 22)), all), true),
            ("text ports", json!([{ "IpProtocol": "tcp", "FromPort": "22", "ToPort": "22", "CidrIp": all }]), true),
            (
                "group",
                json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "SourceSecurityGroupId": "sg-1" }]),
                false,
            ),
            ("none", json!([]), false),
            ("absent", Value::Null, false),
        ] {
            assert_eq!(open(&rules, 22, "tcp"), Ok(expected), "{name}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_judged_hides_no_open_port() {
        let (open_to_all, nameless) = (rule("tcp", Some((22, 22)), "0.0.0.0/0"), json!({ "CidrIp": "0.0.0.0/0" }));
        assert_eq!(open(&json!([nameless, open_to_all]), 22, "tcp"), Ok(true));
        assert!(
            matches!(open(&json!([open_to_all, nameless]), 23, "tcp"), Err(InvalidRules::Unexpected { at, .. }) if at == "rules[1].IpProtocol")
        );
        assert!(open_ports(&json!([open_to_all, nameless])).is_err());
    }

    #[test]
    fn leaving_out_private_networks_still_lets_the_world_in() {
        let world: Ipv4Net = "0.0.0.0/0".parse().unwrap();
        let private: Ipv4Net = "10.0.0.0/8".parse().unwrap();
        let rest: Vec<Value> = (1..=8)
            .flat_map(|length| world.subnets(length).unwrap().collect::<Vec<_>>())
            .filter(|net| !net.contains(&private) && net.supernet().unwrap().contains(&private))
            .map(|net| rule("tcp", Some((22, 22)), &net.to_string()))
            .collect();
        assert_eq!(rest.len(), 8);
        assert_eq!(open(&Value::from(rest.clone()), 22, "tcp"), Ok(true));
        assert_eq!(open(&Value::from(&rest[1..]), 22, "tcp"), Ok(false));
    }

    #[test]
    fn open_ports_are_named() {
        let all = "0.0.0.0/0";
        for (rules, expected) in [
            (json!([rule("tcp", Some((22, 22)), all), rule("tcp", Some((23, 25)), "::/0")]), vec!["22-25/tcp"]),
            (
                json!([rule("tcp", Some((22, 80)), "0.0.0.0/1"), rule("tcp", Some((70, 90)), "128.0.0.0/1")]),
                vec!["70-80/tcp"],
            ),
            (json!([rule("tcp", None, all), rule("udp", Some((53, 53)), all)]), vec!["0-65535/tcp", "53-53/udp"]),
            (json!([rule("-1", None, all), rule("tcp", Some((22, 22)), all)]), vec!["all"]),
            (json!([rule("icmp", Some((-1, -1)), all), rule("50", None, all)]), vec!["icmp", "50"]),
            (json!([rule("-1", None, "0.0.0.0/1"), rule("tcp", Some((5, 5)), "128.0.0.0/1")]), vec!["5-5/tcp"]),
            (json!([rule("tcp", Some((22, 22)), "192.0.2.0/24")]), vec![]),
        ] {
            assert_eq!(open_ports(&rules).unwrap(), expected, "{rules}");
        }
    }

    #[test]
    fn what_is_not_a_rule_is_an_error() {
        for rules in [
            json!("0.0.0.0/0"),
            json!([1]),
            json!([{ "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0" }]),
            json!([{ "IpProtocol": "tcp", "FromPort": 22, "CidrIp": "0.0.0.0/0" }]),
            json!([{ "IpProtocol": "tcp", "FromPort": 23, "ToPort": 22, "CidrIp": "0.0.0.0/0" }]),
            json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 70000, "CidrIp": "0.0.0.0/0" }]),
            json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": { "Ref": "Home" } }]),
            json!([{ "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "everywhere" }]),
            json!([{ "IpProtocol": "tpc", "CidrIp": "0.0.0.0/0" }]),
        ] {
            assert!(open(&rules, 22, "tcp").is_err(), "{rules}");
        }
        assert!(open(&Value::Null, 22, "tpc").is_err());
        assert!(world("anywhere").is_err());
    }

    #[test]
    fn the_world_is_the_whole_internet() {
        for (cidr, expected) in
            [("0.0.0.0/0", true), ("::/0", true), ("0.0.0.0/1", false), ("192.0.2.0/24", false), ("192.0.2.1", false)]
        {
            assert_eq!(world(cidr), Ok(expected), "{cidr}");
        }
    }
}
