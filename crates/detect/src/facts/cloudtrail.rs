//! Facts of CloudTrail events: who called from where, what became of the call, and what it granted or took away.
//!
//! An event is judged by what it does. Its name says which parameters to read; what stands in them (policy documents,
//! networks, accounts, key ids) makes the effects. Whatever a name alone says, a rule says itself with `eventName`.

mod call;
mod caller;
mod effect;
mod json;
mod origin;
mod outcome;
mod threat;

use super::{Fact, FactValue};
use crate::event::Event;

/// What is worked out of them.
pub(crate) const FACTS: &[Fact] = &[
    fact(
        "principal",
        "who did it: the ARN of the user, of the role behind a session or of the root user; else the service, account or identity provider's subject",
        |event| FactValue::text(caller::principal(event)?),
    ),
    fact(
        "caller",
        "what kind of caller: `user`, `role`, `root`, `service`, `federated`, `sso`, `account`, `anonymous` or `unknown`; besides `service-linked`, `instance`, `workload`, `assumed-root`, `console`, `mfa`, `through-service`, `cross-account`, `outside`, `automated`",
        |event| FactValue::texts(caller::kinds(event)),
    ),
    fact("access_key", "the access key that signed it", |event| {
        FactValue::text(event.text("userIdentity.accessKeyId")?)
    }),
    fact("issued_key", "the access key that it handed out", |event| FactValue::text(caller::issued_key(event)?)),
    fact("api", "the name of the event without the version of the API behind it", |event| {
        FactValue::text(call::api(&event.text("eventName")?))
    }),
    fact("service", "the service, `eventSource` without its domain", |event| FactValue::text(call::service(event)?)),
    fact("write", "whether it may change something", |event| call::is_write(event).map(FactValue::Bool)),
    fact(
        "outcome",
        "`success`, `denied`, `missing` (of what does not exist), `limit` (more than is allowed), `throttled`, `dry-run` or `failed`",
        |event| FactValue::text(outcome::of(event)),
    ),
    fact("target", "to what it was done, as the request names it", |event| FactValue::text(call::target(event)?)),
    fact(
        "quantity",
        "how many things it asks for: instances to launch or end, secrets or parameters to read, instances to run a command on",
        |event| call::quantity(event).map(FactValue::Number),
    ),
    fact("instance.type", "the types of the instances that it asks for", |event| {
        FactValue::texts(effect::instance_types(event))
    }),
    fact(
        "effect",
        "what it grants, opens, weakens or takes away, as far as the request says: see the table in `effect.rs`",
        |event| FactValue::texts(effect::of(event).found),
    ),
    fact("grantee", "the accounts and other outsiders that it lets in, `*` for anyone", |event| {
        FactValue::texts(effect::of(event).grantees)
    }),
    fact(
        "port",
        "what it opens to the whole internet: `all`, `admin`, `database`, `web`, `icmp` or `other`",
        |event| FactValue::texts(effect::of(event).ports),
    ),
    fact("source.address", "the address where it came from, if it is one", |event| {
        FactValue::text(origin::address(event)?.to_string())
    }),
    fact(
        "source.network",
        "the network where it came from: the number of the autonomous system where known, else the /16 (IPv6: /32); nothing where it came through a VPC endpoint",
        |event| FactValue::text(origin::network(event)?),
    ),
    fact(
        "source.block",
        "the /16 of the IPv4 address where it came from; nothing for IPv6, and where it came through a VPC endpoint",
        |event| FactValue::text(origin::block(event)?),
    ),
    fact(
        "source.kind",
        "where it came from: `public`, `private`, `endpoint` (a VPC endpoint), `service`, `internal` (AWS itself) or `unknown`",
        |event| FactValue::text(origin::kind(event)?),
    ),
    fact("source.country", "the country where it came from (ISO 3166-1), where place data are there", |event| {
        FactValue::text(origin::place(event)?.country?)
    }),
    fact("source.organisation", "who runs the network where it came from, where place data are there", |event| {
        FactValue::text(origin::place(event)?.organisation?)
    }),
    fact("source.aws", "whether a public address belongs to Amazon", |event| {
        origin::is_amazon(event).map(FactValue::Bool)
    }),
    fact("threat.list", "the names of the threat lists that the address where it came from is on", |event| {
        FactValue::texts(threat::lists(event))
    }),
    fact(
        "threat.kind",
        "what those lists say of the address: `tor`, `malicious` or another kind; `custom` where they say nothing",
        |event| FactValue::texts(threat::kinds(event)),
    ),
];

const fn fact(name: &'static str, about: &'static str, find: fn(&Event<'_>) -> Option<FactValue>) -> Fact {
    Fact { name, about, find }
}
