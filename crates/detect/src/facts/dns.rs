//! Facts of queries to Route 53 Resolver: which domain, how it is written, what was answered, and what the lists say of it.
//!
//! The resolver logs what it was asked and had not cached, so that a count is of different questions rather than of all.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;

use super::vpcflow::listed;
use super::{Fact, FactValue};
use crate::event::Event;

mod generated;
pub(super) mod resolvers;

/// The addresses of the instance metadata service, IPv4 and IPv6.
const METADATA: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

/// Domains whose names lead to private addresses by design: those of AWS's own resolver, of local networks, of reverse look-up.
const INTERNAL: [&str; 8] =
    ["internal", "local", "localhost", "lan", "home.arpa", "in-addr.arpa", "ip6.arpa", "amazonaws.com"];

/// The longest text of answers that is parsed: far more than fits into a DNS message.
const ANSWERS_BYTES_MAX: usize = 1 << 17;

/// What is worked out of them.
pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "principal",
        about: "Who asked: the instance, else the resolver endpoint, else the address.",
        find: |event| {
            let fields = [
                "srcids_instance",
                "srcids.instance",
                "srcids_resolver_endpoint",
                "srcids.resolver_endpoint",
                "srcaddr",
            ];
            FactValue::text(fields.into_iter().find_map(|field| event.text(field))?)
        },
    },
    Fact {
        name: "source.address",
        about: "The address that asked.",
        find: |event| FactValue::text(event.address("srcaddr")?.to_string()),
    },
    Fact {
        name: "source.network",
        about: "Its network: the AS number where known, else its /16 (IPv6: /32).",
        find: |event| listed::network(event, event.address("srcaddr")?),
    },
    Fact {
        name: "name",
        about: "The name that was asked for: lower case, without the dot at its end.",
        find: |event| FactValue::text(name(event)?),
    },
    Fact {
        name: "domain",
        about: "The domain that somebody registered: the public suffix and one label. None for names without a dot.",
        find: |event| FactValue::text(domain(&name(event)?)?),
    },
    Fact {
        name: "suffix",
        about: "The public suffix of the name.",
        find: |event| FactValue::text(psl::suffix_str(&name(event)?)?),
    },
    Fact {
        name: "subdomain.bytes",
        about: "How much stands before the registered domain, in bytes, dots left out.",
        find: |event| {
            let name = name(event)?;
            let length = subdomain(&name)?.bytes().filter(|byte| *byte != b'.').count();
            Some(FactValue::Number(i64::try_from(length).ok()?))
        },
    },
    Fact {
        name: "subdomain.entropy",
        about: "Shannon's entropy of what stands before the registered domain, in hundredths of a bit for each letter.",
        find: |event| {
            let name = name(event)?;
            let letters: Vec<u8> = subdomain(&name)?.bytes().filter(|byte| *byte != b'.').collect();
            (!letters.is_empty()).then(|| FactValue::Number(generated::entropy_centibits(&letters)))
        },
    },
    Fact {
        name: "subdomain.spelling",
        about: "How unlike words what stands before the registered domain is spelt: mean cost of a pair of letters, in hundredths of a bit.",
        find: |event| {
            let name = name(event)?;
            generated::cost_centibits(subdomain(&name)?.split('.')).map(FactValue::Number)
        },
    },
    Fact {
        name: "label.bytes",
        about: "The length of the longest label, in bytes.",
        find: |event| {
            let longest = name(event)?.split('.').map(str::len).max()?;
            Some(FactValue::Number(i64::try_from(longest).ok()?))
        },
    },
    Fact {
        name: "generated",
        about: "Whether the registered label reads as if a machine had made it: its pairs of letters are seldom in words.",
        find: |event| {
            let name = name(event)?;
            let label = domain(&name)?.split('.').next()?;
            Some(FactValue::Bool(generated::is_generated(label)))
        },
    },
    Fact {
        name: "internal",
        about: "Whether the name is one of AWS's own resolver, of a local network or of reverse look-up.",
        find: |event| {
            let name = name(event)?;
            let is_below =
                |above: &str| name.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            Some(FactValue::Bool(!name.contains('.') || INTERNAL.iter().any(|above| is_below(above))))
        },
    },
    Fact {
        name: "resolver",
        about: "Whether the name is that of a public resolver that answers over HTTPS or TLS.",
        find: |event| Some(FactValue::Bool(resolvers::is_known_name(&name(event)?))),
    },
    Fact {
        name: "answered",
        about: "Whether there was an answer: no error, and at least one record.",
        find: |event| {
            let is_fine = event.text("rcode").is_some_and(|code| code == "NOERROR");
            Some(FactValue::Bool(is_fine && !answers(event).is_empty()))
        },
    },
    Fact {
        name: "answers.address",
        about: "The addresses that were answered.",
        find: |event| FactValue::texts(addresses(event).iter().map(ToString::to_string)),
    },
    Fact {
        name: "answers.metadata",
        about: "Whether an answer is the address of the instance metadata service.",
        find: |event| {
            let addresses = addresses(event);
            Some(FactValue::Bool(
                METADATA.iter().any(|known| addresses.iter().any(|address| known.parse() == Ok(*address))),
            ))
        },
    },
    Fact {
        name: "answers.threat.kind",
        about: "What the threat lists say of the addresses that were answered.",
        find: |event| listed::kinds(event, &addresses(event)),
    },
    Fact {
        name: "threat.list",
        about: "The names of the threat lists that the name, or a domain above it, is on; none where a trusted list has it too.",
        find: |event| listed::names_of_domain(event, &name(event)?),
    },
    Fact {
        name: "threat.kind",
        about: "What those lists say: `command-and-control`, `phishing`, `cryptomining` and so on.",
        find: |event| listed::kinds_of_domain(event, &name(event)?),
    },
    Fact {
        name: "trusted",
        about: "Whether the name, or a domain above it, is on a trusted list.",
        find: |event| Some(FactValue::Bool(listed::is_trusted_domain(event, &name(event)?))),
    },
];

fn name(event: &Event<'_>) -> Option<String> {
    let name = event.text("query_name")?;
    let name = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

/// The registered domain of a name.
fn domain(name: &str) -> Option<&str> {
    psl::domain_str(name)
}

/// What stands before the registered domain; empty where nothing does.
fn subdomain(name: &str) -> Option<&str> {
    let rest = name.strip_suffix(domain(name)?)?;
    Some(rest.strip_suffix('.').unwrap_or(rest))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Rdata")]
    data: Option<String>,
}

/// What was answered. In the lake the answers are one text of JSON; in the log itself a list.
fn answers(event: &Event<'_>) -> Vec<String> {
    let listed = event.texts("answers.Rdata");
    if !listed.is_empty() {
        return listed.into_iter().map(Cow::into_owned).collect();
    }
    let Some(text) = event.text("answers").filter(|text| text.len() <= ANSWERS_BYTES_MAX) else {
        return Vec::new();
    };
    let answers: Vec<Answer> = serde_json::from_str(&text).unwrap_or_default();
    answers.into_iter().filter_map(|answer| answer.data).collect()
}

fn addresses(event: &Event<'_>) -> Vec<IpAddr> {
    answers(event).iter().filter_map(|answer| answer.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
