use super::*;
use crate::context::{Context, Own};
use crate::event::Input;
use crate::lists::{Declared, Kind, ListFile, Lists};
use crate::source::Source;

/// The facts that a row has, as `name=value`, of those that are asked for.
fn facts(row: &serde_json::Value, own: &[&str], names: &[&str]) -> Vec<String> {
    let tor = Declared { file: "tor".to_owned(), kind: Kind::Tor, name: None, format: None };
    let resolvers = Declared { file: "dns".to_owned(), kind: Kind::Resolver, name: None, format: None };
    let files = [
        ListFile { declared: tor, bytes: b"198.51.100.7\n2001:db8:2::20\n" },
        ListFile { declared: resolvers, bytes: b"198.51.100.53\n" },
    ];
    let (lists, problems) = Lists::new(files, chrono::DateTime::UNIX_EPOCH);
    assert_eq!(problems, []);
    let own = Own { networks: own.iter().map(|network| network.parse().unwrap()).collect(), ..Own::default() };
    let context = Context { lists: &lists, own: &own, ..Context::EMPTY };
    let text = row.to_string();
    let input =
        Input { time: Some(chrono::DateTime::UNIX_EPOCH), ..Input::new(Source::named("vpcflow").unwrap(), &text) };
    let event = Event::read(&input, &context).unwrap();
    let value = |name: &str| event.text(&format!("fact.{name}")).map(|value| format!("{name}={value}"));
    names.iter().filter_map(|name| value(name)).collect()
}

fn check(row: &serde_json::Value, own: &[&str], expected: &[&str]) {
    let names: Vec<&str> = FACTS.iter().map(|fact| fact.name).collect();
    let found = facts(row, own, &names);
    for fact in expected {
        match fact.split_once('=') {
            Some((name, "")) => {
                let absent = !found.iter().any(|found| found.starts_with(&format!("{name}=")));
                assert!(absent, "{row}: {name} should be absent: {found:?}");
            }
            _ => assert!(found.iter().any(|found| found == fact), "{row}: {fact} is not in {found:?}"),
        }
    }
}

fn tcp(from: &str, from_port: u16, to: &str, to_port: u16) -> serde_json::Value {
    serde_json::json!({
        "srcaddr": from, "srcport": from_port, "dstaddr": to, "dstport": to_port, "protocol": 6,
        "packets": 10, "bytes": 4000, "action": "ACCEPT", "interface_id": "eni-1"
    })
}

fn with(mut row: serde_json::Value, more: &serde_json::Value) -> serde_json::Value {
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

#[test]
fn ends_are_told_by_what_is_public() {
    check(
        &tcp("10.0.0.5", 50_000, "198.51.100.7", 443),
        &[],
        &[
            "near.address=10.0.0.5",
            "far.address=198.51.100.7",
            "sender=near",
            "direction=outbound",
            "client.side=ours",
            "server.side=outside",
            "service=https",
            "to_server=true",
            "threat.kind=tor",
            "threat.role=server",
            "threat.address=198.51.100.7",
            "threat.list=tor",
            "touch=false",
            "outcome=exchanged",
            "principal=eni-1",
            "far.network=198.51.0.0/16",
        ],
    );
    check(
        &tcp("198.51.100.7", 443, "10.0.0.5", 50_000),
        &[],
        &[
            "near.address=10.0.0.5",
            "sender=far",
            "direction=outbound",
            "to_server=false",
            "client.address=10.0.0.5",
            "threat.role=server",
        ],
    );
    check(
        &tcp("198.51.100.7", 50_000, "10.0.0.5", 22),
        &[],
        &["direction=inbound", "threat.role=client", "service=ssh", "server.side=ours"],
    );
    check(
        &tcp("10.0.0.5", 50_000, "10.0.0.6", 22),
        &[],
        &["direction=internal", "near.address=", "client.side=ours", "server.side=ours"],
    );
}

#[test]
fn networks_of_the_owner_are_ours() {
    check(
        &tcp("203.0.113.5", 50_000, "198.51.100.7", 443),
        &["203.0.113.0/24"],
        &["near.address=203.0.113.5", "direction=outbound"],
    );
    check(
        &tcp("2001:db8:1::10", 34_892, "2001:db8:2::20", 22),
        &["2001:db8:1::/48"],
        &["direction=outbound", "threat.kind=tor"],
    );
    let both = tcp("2001:db8:1::10", 34_892, "2001:db8:2::20", 22);
    check(
        &both.clone(),
        &[],
        &["direction=", "near.address=", "client.side=", "threat.kind=tor", "threat.role=server"],
    );
    check(
        &with(both, &serde_json::json!({ "flow_direction": "egress" })),
        &[],
        &["direction=outbound", "client.side=ours"],
    );
}

#[test]
fn flags_say_who_began_before_ports_do() {
    let row = tcp("10.0.0.5", 8080, "198.51.100.7", 50_000);
    check(&row.clone(), &[], &["to_server=false", "direction=inbound", "server.port=8080"]);
    check(
        &with(row.clone(), &serde_json::json!({ "tcp_flags": 2 })),
        &[],
        &["to_server=true", "direction=outbound", "server.port=50000"],
    );
    check(&with(row.clone(), &serde_json::json!({ "tcp_flags": 19 })), &[], &["to_server=false", "server.port=8080"]);
    check(&with(row, &serde_json::json!({ "tcp_flags": 1 })), &[], &["to_server=false"]);
    check(&tcp("10.0.0.5", 40_000, "198.51.100.7", 41_000), &[], &["to_server=false"]);
    check(&tcp("10.0.0.5", 9000, "198.51.100.7", 9000), &[], &["to_server=true"]);
}

#[test]
fn packets_go_before_interfaces() {
    let through_a_gateway = with(
        tcp("10.0.1.5", 50_000, "10.0.0.220", 443),
        &serde_json::json!({ "pkt_srcaddr": "10.0.1.5", "pkt_dstaddr": "198.51.100.7", "flow_direction": "ingress" }),
    );
    check(&through_a_gateway, &[], &["far.address=198.51.100.7", "near.address=10.0.1.5", "threat.kind=tor"]);
}

#[test]
fn a_knock_says_nothing() {
    let knock = |packets: u32, bytes: u32| {
        with(tcp("10.0.0.5", 50_000, "198.51.100.9", 80), &serde_json::json!({ "packets": packets, "bytes": bytes }))
    };
    check(&knock(1, 44), &[], &["touch=true", "outcome=touched", "packet_bytes=44"]);
    check(&knock(3, 132), &[], &["touch=true"]);
    check(&knock(3, 600), &[], &["touch=false"]);
    check(&knock(4, 176), &[], &["touch=false"]);
    check(&with(knock(10, 9000), &serde_json::json!({ "action": "REJECT" })), &[], &["touch=true", "outcome=rejected"]);
    check(&with(knock(1, 44), &serde_json::json!({ "protocol": 17 })), &[], &["touch=false", "transport=udp"]);
}

#[test]
fn resolvers_are_known_and_no_threat() {
    check(&tcp("10.0.0.5", 50_000, "198.51.100.53", 443), &[], &["resolver=true", "threat.kind=", "threat.role="]);
    check(&tcp("10.0.0.5", 50_000, "9.9.9.9", 443), &[], &["resolver=true"]);
    check(&tcp("10.0.0.5", 50_000, "198.51.100.9", 443), &[], &["resolver=false"]);
}

#[test]
fn rows_without_traffic_have_no_ends() {
    let row = serde_json::json!({ "interface_id": "eni-1", "log_status": "NODATA" });
    let names: Vec<&str> = FACTS.iter().map(|fact| fact.name).collect();
    assert_eq!(facts(&row, &[], &names), ["principal=eni-1"]);
    let icmp = serde_json::json!({ "srcaddr": "10.0.0.5", "srcport": 0, "dstaddr": "198.51.100.9", "dstport": 0, "protocol": 1 });
    check(&icmp, &[], &["transport=icmp", "server.port=", "direction=outbound", "service="]);
    check(&tcp("nonsense", 1, "198.51.100.9", 2), &[], &["far.address=", "transport="]);
}

#[test]
fn the_interface_says_whose_it_is() {
    let row = || tcp("10.0.0.5", 50_000, "198.51.100.9", 443);
    check(&row(), &[], &["interface.kind="]);
    check(
        &with(row(), &serde_json::json!({ "instance_id": "i-1" })),
        &[],
        &["interface.kind=instance", "principal=i-1"],
    );
    check(&with(row(), &serde_json::json!({ "interface_type": "lambda" })), &[], &["interface.kind=lambda"]);
    let aws = serde_json::json!({ "pkt_dst_aws_service": "S3", "pkt_src_aws_service": "EC2" });
    check(&with(row(), &aws), &[], &["far.aws_service=S3"]);
}
