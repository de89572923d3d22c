//! Facts of VPC flow logs: who talked to whom, who began it, and what the lists say of it.
//!
//! A row is one direction of a conversation in one interval. Which end is *near* (ours) and which *far* follows from what is
//! outside: public, and not of the owner's networks. Which end is the *client* (began it) and which the *server* follows from the
//! TCP flags where they tell, else from the ports. The addresses are those of the packets (`pkt_srcaddr`, `pkt_dstaddr`) where
//! the log has them, so that a NAT gateway or a pod's node in between does not stand for the end. Rows without traffic
//! (`NODATA`, `SKIPDATA`) have none of these facts.

use super::{Fact, FactValue};
use crate::event::Event;
pub(crate) use flow::Flow;
use flow::Side;

mod flow;
pub(super) mod listed;

/// What is worked out of them.
pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "principal",
        about: "What of ours talked: the instance, else the network interface.",
        find: |event| FactValue::text(event.text("instance_id").or_else(|| event.text("interface_id"))?),
    },
    Fact {
        name: "interface.kind",
        about: "What the interface belongs to, as the log says: `instance`, `lambda`, `nat_gateway`, `vpc_endpoint` and others.",
        find: interface_kind,
    },
    Fact {
        name: "source.address",
        about: "The address that sent the packets.",
        find: |event| FactValue::text(event.flow()?.source.address.to_string()),
    },
    Fact {
        name: "source.network",
        about: "The network of the sender: its AS number where known, else its /16 (IPv6: /32).",
        find: |event| listed::network(event, event.flow()?.source.address),
    },
    Fact {
        name: "near.address",
        about: "Our end, where it is clear which end is ours.",
        find: |event| FactValue::text(event.flow()?.near()?.address.to_string()),
    },
    Fact {
        name: "far.address",
        about: "The other end, where it is clear which end is ours.",
        find: |event| FactValue::text(event.flow()?.far()?.address.to_string()),
    },
    Fact {
        name: "far.network",
        about: "The network of the other end: its AS number where known, else its /16 (IPv6: /32).",
        find: |event| listed::network(event, event.flow()?.far()?.address),
    },
    Fact {
        name: "far.country",
        about: "The country of the other end, by its two letters, where a MaxMind file knows it.",
        find: |event| FactValue::text(listed::place(event, event.flow()?.far()?.address)?.country?),
    },
    Fact {
        name: "far.asn",
        about: "The autonomous system of the other end, where a MaxMind file knows it.",
        find: |event| {
            let place = listed::place(event, event.flow()?.far()?.address)?;
            place.asn.map(|asn| FactValue::Number(i64::from(asn)))
        },
    },
    Fact {
        name: "far.organisation",
        about: "Who runs the autonomous system of the other end.",
        find: |event| FactValue::text(listed::place(event, event.flow()?.far()?.address)?.organisation?),
    },
    Fact {
        name: "far.aws_service",
        about: "The AWS service of the other end, as the log says (`S3`, `EC2`, `AMAZON`); never where the log has no such field.",
        find: far_aws_service,
    },
    Fact {
        name: "sender",
        about: "Which end sent the packets of this row: `near` (ours) or `far`.",
        find: |event| {
            let side = event.flow()?.near_is?;
            FactValue::text(if side == Side::Source { "near" } else { "far" })
        },
    },
    Fact {
        name: "direction",
        about: "Who began: `outbound` (we did), `inbound` (the outside did), `internal` (both ends are ours).",
        find: |event| FactValue::text(event.flow()?.direction()?),
    },
    Fact {
        name: "client.address",
        about: "The end that began the conversation.",
        find: |event| FactValue::text(event.flow()?.client().address.to_string()),
    },
    Fact {
        name: "client.port",
        about: "The port of the end that began.",
        find: |event| event.flow()?.client().port.map(|port| FactValue::Number(port.into())),
    },
    Fact {
        name: "client.side",
        about: "Whether the end that began is `ours` or `outside`, where that is clear.",
        find: |event| {
            let flow = event.flow()?;
            FactValue::text(flow.side_of(flow.client_is)?)
        },
    },
    Fact {
        name: "server.address",
        about: "The end that was talked to.",
        find: |event| FactValue::text(event.flow()?.server().address.to_string()),
    },
    Fact {
        name: "server.port",
        about: "The port that was talked to.",
        find: |event| event.flow()?.server().port.map(|port| FactValue::Number(port.into())),
    },
    Fact {
        name: "server.side",
        about: "Whether the end that was talked to is `ours` or `outside`, where that is clear.",
        find: |event| {
            let flow = event.flow()?;
            FactValue::text(flow.side_of(flow.client_is.other())?)
        },
    },
    Fact {
        name: "to_server",
        about: "Whether the packets of this row went from who began to who was talked to.",
        find: |event| Some(FactValue::Bool(event.flow()?.client_is == Side::Source)),
    },
    Fact {
        name: "service",
        about: "What the server's port is for: `ssh`, `rdp`, `winrm`, `dns`, `dns-over-tls`, `smtp`, `http`, `https`, …",
        find: |event| FactValue::text(event.flow()?.service()?),
    },
    Fact {
        name: "transport",
        about: "`tcp`, `udp`, `icmp`, or the number of another protocol.",
        find: |event| FactValue::text(event.flow()?.transport()),
    },
    Fact {
        name: "packet_bytes",
        about: "Mean size of the packets of this row, headers included, in bytes.",
        find: |event| event.flow()?.packet_bytes().map(FactValue::Number),
    },
    Fact {
        name: "touch",
        about: "Whether it was no more than a knock: rejected, or TCP of at most three packets without payload.",
        find: |event| Some(FactValue::Bool(event.flow()?.is_touch())),
    },
    Fact {
        name: "outcome",
        about: "`rejected` by a security group or network ACL, `touched` (nothing was said), or `exchanged`.",
        find: |event| {
            let flow = event.flow()?;
            FactValue::text(match (flow.is_rejected, flow.is_touch()) {
                (true, _) => "rejected",
                (false, true) => "touched",
                (false, false) => "exchanged",
            })
        },
    },
    Fact {
        name: "threat.list",
        about: "The names of the threat lists that an outside end is on; none where a trusted list has it too.",
        find: |event| listed::names(event, &event.flow()?.outside()),
    },
    Fact {
        name: "threat.kind",
        about: "What those lists say: `tor`, `command-and-control`, `cryptomining`, `scanner` and so on.",
        find: |event| listed::kinds(event, &event.flow()?.outside()),
    },
    Fact {
        name: "threat.address",
        about: "The outside end that is on a threat list.",
        find: |event| FactValue::text(threatening(event)?.1.to_string()),
    },
    Fact {
        name: "threat.role",
        about: "Whether the end on a threat list is the `client` (it came) or the `server` (ours went to it).",
        find: |event| {
            let (side, _) = threatening(event)?;
            FactValue::text(if side == event.flow()?.client_is { "client" } else { "server" })
        },
    },
    Fact {
        name: "trusted",
        about: "Whether an outside end is on a trusted list.",
        find: |event| Some(FactValue::Bool(listed::is_trusted(event, &event.flow()?.outside()))),
    },
    Fact {
        name: "resolver",
        about: "Whether the server is a public DNS resolver: one that Yagura knows, or of a list of the kind `resolver`.",
        find: |event| {
            let address = event.flow()?.server().address;
            let is_known = super::dns::resolvers::is_known(address);
            Some(FactValue::Bool(is_known || listed::is_resolver(event, address)))
        },
    },
];

/// The outside end on a threat list, the first where both are.
fn threatening(event: &Event<'_>) -> Option<(Side, std::net::IpAddr)> {
    let flow = event.flow()?;
    let mut sides = [Side::Source, Side::Target].into_iter().filter(|side| flow.is_outside(*side));
    let side = sides.find(|side| listed::is_threat(event, flow.end(*side).address))?;
    Some((side, flow.end(side).address))
}

fn interface_kind(event: &Event<'_>) -> Option<FactValue> {
    match event.text("interface_type") {
        Some(kind) => FactValue::text(kind.to_ascii_lowercase()),
        None => event.text("instance_id").and_then(|_| FactValue::text("instance")),
    }
}

fn far_aws_service(event: &Event<'_>) -> Option<FactValue> {
    let field = match event.flow()?.near_is? {
        Side::Source => "pkt_dst_aws_service",
        Side::Target => "pkt_src_aws_service",
    };
    FactValue::text(event.text(field)?)
}

#[cfg(test)]
mod tests;
