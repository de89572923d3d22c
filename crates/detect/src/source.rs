//! The logs that rules read, and where each says when, where and which event.

use sonic_rs::Value;

use crate::facts::{self, Fact};
use crate::path;

/// A log: what `service` of a rule's `logsource` names, and the name of its table in the lake.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// The fields that may hold the time, the first that does counts.
    pub time: &'static [&'static str],
    /// The fields that together say which event it is; all must be there.
    pub id: &'static [&'static str],
    /// The fields that may hold the account.
    pub account: &'static [&'static str],
    /// The fields that may hold the region.
    pub region: &'static [&'static str],
    /// The fields that may hold the name of what happened.
    pub name_field: &'static [&'static str],
    /// The fields that may hold the address it came from, where no fact says it.
    pub address: &'static [&'static str],
    /// What is worked out of its events.
    pub facts: &'static [Fact],
}

/// What events of the lake's tables have beside the log's own fields.
const TABLE: Source = Source {
    name: "",
    time: &["time"],
    id: &["_object", "_line"],
    account: &["account"],
    region: &["region"],
    name_field: &[],
    address: &[],
    facts: &[],
};

/// Every log, by name.
pub static SOURCES: &[Source] = &[
    Source { name_field: &["request"], address: &["client_ip"], name: "alb", ..TABLE },
    Source { name_field: &["cs_method"], address: &["c_ip"], name: "cloudfront", ..TABLE },
    Source {
        name: "cloudtrail",
        time: &["eventTime"],
        id: &["eventID"],
        account: &["recipientAccountId", "userIdentity.accountId"],
        region: &["awsRegion"],
        name_field: &["eventName"],
        address: &["sourceIPAddress"],
        facts: facts::cloudtrail::FACTS,
    },
    Source {
        name: "eksaudit",
        time: &["stageTimestamp", "requestReceivedTimestamp"],
        id: &["auditID", "stage"],
        name_field: &["verb"],
        address: &["sourceIPs"],
        ..TABLE
    },
    Source { name_field: &["request"], address: &["client_ip"], name: "elb", ..TABLE },
    Source { address: &["client_ip"], name: "nlb", ..TABLE },
    Source { name_field: &["event"], address: &["host"], name: "rdslogin", ..TABLE },
    Source {
        name: "route53resolver",
        time: &["query_timestamp", "time"],
        account: &["account_id", "account"],
        name_field: &["query_name"],
        address: &["srcaddr"],
        facts: facts::dns::FACTS,
        ..TABLE
    },
    Source { name_field: &["operation"], address: &["remote_ip"], name: "s3access", ..TABLE },
    Source {
        name: "vpcflow",
        time: &["time", "start", "end"],
        account: &["account", "account_id"],
        name_field: &["action"],
        address: &["srcaddr"],
        facts: facts::vpcflow::FACTS,
        ..TABLE
    },
    Source {
        name: "waf",
        time: &["timestamp", "time"],
        id: &["httpRequest.requestId"],
        name_field: &["action"],
        address: &["httpRequest.clientIp"],
        ..TABLE
    },
];

impl Source {
    /// The log of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SOURCES.iter().find(|source| source.name == name)
    }

    /// The fact of this name, with or without `fact.`.
    pub fn fact(&self, name: &str) -> Option<&'static Fact> {
        let name = name.strip_prefix(facts::PREFIX).unwrap_or(name);
        self.facts.iter().find(|fact| fact.name == name)
    }

    pub(crate) fn id_of(&self, root: &Value) -> Option<String> {
        let mut parts = Vec::with_capacity(self.id.len());
        for field in self.id {
            parts.push(path::get(root, field)?.as_str()?.into_owned());
        }
        Some(parts.join(":")).filter(|id| !id.is_empty())
    }
}
