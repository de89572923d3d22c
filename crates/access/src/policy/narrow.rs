//! Which conditions narrow "everyone" down to somebody known.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::condition::{Condition, Family, Qualifier};
use super::{account_of, is_account};

/// Networks wider than this are no narrowing: where AWS's own meaning of "public" for buckets draws the line.
const IPV4_PREFIX_MIN: u8 = 8;

/// The same for IPv6.
const IPV6_PREFIX_MIN: u8 = 32;

/// What is left of everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrowing {
    /// These accounts, or what acts for them.
    Accounts(BTreeSet<String>),
    /// The account or the organisation that holds the resource.
    Own,
    /// The accounts of these organisations.
    Organisations(BTreeSet<String>),
    /// A network, an endpoint, a service: known, but no account is named.
    Place,
    /// Nobody at all.
    Nobody,
}

/// What the values of a condition key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Account,
    Organisation,
    OrganisationPath,
    Arn,
    /// An id that AWS gave (`vpc-…`): nobody else has it.
    Id,
    Network,
    UserId,
    Service,
    /// A bool that AWS sets and that narrows where it is true.
    Flag,
    /// Where a subscription delivers to.
    Endpoint,
}

/// The keys that narrow. Absent on purpose: what the caller chooses or anyone can have (`aws:Referer`,
/// `aws:UserAgent`, `aws:PrincipalTag/…`, `sts:ExternalId`), how the call is made (`aws:SecureTransport`,
/// `aws:MultiFactorAuthPresent`, `aws:ViaAWSService`, `kms:ViaService`, `lambda:FunctionUrlAuthType`), private
/// addresses that every network has (`aws:VpcSourceIp`), and what speaks of the resource itself (`s3:ResourceAccount`).
const KEYS: &[(&str, Key)] = &[
    ("aws:principalaccount", Key::Account),
    ("aws:sourceaccount", Key::Account),
    ("aws:sourceowner", Key::Account),
    ("aws:vpceaccount", Key::Account),
    ("events:creatoraccount", Key::Account),
    ("kms:calleraccount", Key::Account),
    ("s3:dataaccesspointaccount", Key::Account),
    ("aws:principalorgid", Key::Organisation),
    ("aws:sourceorgid", Key::Organisation),
    ("aws:vpceorgid", Key::Organisation),
    ("aws:principalorgpaths", Key::OrganisationPath),
    ("aws:sourceorgpaths", Key::OrganisationPath),
    ("aws:vpceorgpaths", Key::OrganisationPath),
    ("aws:principalarn", Key::Arn),
    ("aws:sourcearn", Key::Arn),
    ("aws:sourcevpcarn", Key::Arn),
    ("aws:federatedprovider", Key::Arn),
    ("elasticfilesystem:accesspointarn", Key::Arn),
    ("lambda:sourcefunctionarn", Key::Arn),
    ("s3:dataaccesspointarn", Key::Arn),
    ("s3:x-amz-server-side-encryption-aws-kms-key-id", Key::Arn),
    ("aws:sourcevpc", Key::Id),
    ("aws:sourcevpce", Key::Id),
    ("aws:sourceip", Key::Network),
    ("aws:userid", Key::UserId),
    ("aws:principalservicename", Key::Service),
    ("aws:principalservicenameslist", Key::Service),
    ("aws:principalisawsservice", Key::Flag),
    ("elasticfilesystem:accessedviamounttarget", Key::Flag),
    ("sns:endpoint", Key::Endpoint),
];

/// What each of an Allow's conditions leaves of everyone; empty where none narrows.
pub(super) fn of_allow(conditions: &[Condition]) -> Vec<Narrowing> {
    conditions.iter().filter_map(|condition| what_holds(condition, conditions)).collect()
}

/// What a Deny for everyone leaves of everyone, one of these being enough to escape it; `None` where it leaves people
/// that nothing is known of, and an empty list where it leaves nobody.
pub(super) fn of_deny(conditions: &[Condition]) -> Option<Vec<Narrowing>> {
    conditions.iter().map(what_fails).collect()
}

/// A condition that holds for what this one names as known, whatever becomes of those whom it names otherwise: its
/// positive form with the values that narrow by themselves. `None` where there are none.
pub(crate) fn known(condition: &Condition) -> Option<Condition> {
    let mut operator = condition.operator;
    if operator.family == Family::Null {
        return None;
    }
    operator.negated = false;
    operator.if_exists = false;
    if operator.qualifier == Qualifier::ForAll {
        operator.qualifier = Qualifier::ForAny;
    }
    let with = |values| Condition { operator, key: condition.key.clone(), values };
    // Networks count together: two halves of the internet are the internet.
    if operator.family == Family::IpAddress {
        return pinned(&with(condition.values.clone())).map(|_| with(condition.values.clone()));
    }
    let is_known = |value: &&String| pinned(&with(vec![(*value).clone()])).is_some();
    let values: Vec<String> = condition.values.iter().filter(is_known).cloned().collect();
    (!values.is_empty()).then(|| with(values))
}

fn what_holds(condition: &Condition, all: &[Condition]) -> Option<Narrowing> {
    let operator = condition.operator;
    if operator.negated || operator.family == Family::Null {
        return None;
    }
    if operator.holds_when_absent() && !all.iter().any(|guard| demands_presence(guard, &condition.key)) {
        return None;
    }
    if condition.values.is_empty() {
        return Some(Narrowing::Nobody);
    }
    pinned(condition)
}

fn what_fails(condition: &Condition) -> Option<Narrowing> {
    let operator = condition.operator;
    if operator.family == Family::Bool {
        let denied = condition.values.iter().all(|value| value.eq_ignore_ascii_case("false"));
        return (key_of(condition) == Some(Key::Flag) && denied).then_some(Narrowing::Place);
    }
    // A Deny that lets requests without the key pass lets everyone pass who leaves it out.
    if !operator.negated || !operator.holds_when_absent() {
        return None;
    }
    pinned(condition)
}

/// Whether a condition demands that the request has the key (`Null: {key: false}`).
fn demands_presence(condition: &Condition, key: &str) -> bool {
    condition.operator.family == Family::Null
        && condition.operator.qualifier == Qualifier::Single
        && condition.key == key
        && condition.values.iter().all(|value| value.eq_ignore_ascii_case("false"))
        && !condition.values.is_empty()
}

fn key_of(condition: &Condition) -> Option<Key> {
    let pinned_variable = matches!(condition.key.as_str(), "aws:resourceaccount" | "aws:resourceorgid");
    if pinned_variable {
        // `aws:ResourceAccount` equal to `${aws:PrincipalAccount}` is the same demand, written the other way round.
        return Some(Key::Account);
    }
    KEYS.iter().find(|(name, _)| *name == condition.key).map(|&(_, key)| key)
}

/// What is left where the key has one of the values; `None` where any of them leaves people that nothing is known of.
fn pinned(condition: &Condition) -> Option<Narrowing> {
    let key = key_of(condition)?;
    let values = &condition.values;
    let family = condition.operator.family;
    let is_text =
        matches!(family, Family::StringEquals | Family::StringEqualsIgnoreCase | Family::StringLike | Family::Arn);
    if is_text && values.iter().all(|value| is_own_variable(&condition.key, value)) {
        return Some(Narrowing::Own);
    }
    if condition.key.starts_with("aws:resource") {
        return None;
    }
    match key {
        Key::Network if family == Family::IpAddress => is_narrow(values).then_some(Narrowing::Place),
        Key::Flag if matches!(family, Family::Bool | Family::StringEquals) => {
            values.iter().all(|value| value.eq_ignore_ascii_case("true")).then_some(Narrowing::Place)
        }
        Key::Network | Key::Flag => None,
        _ if !is_text => None,
        Key::Account => accounts(values, |value| if is_account(value) { Some(value) } else { account_of(value) }),
        Key::Arn => accounts(values, account_of)
            .or_else(|| values.iter().all(|value| is_known_arn(value)).then_some(Narrowing::Place)),
        Key::Organisation => organisations(values, |value| is_literal(value).then_some(value)),
        Key::OrganisationPath => {
            organisations(values, |value| value.split_once('/').map_or(value, |(organisation, _)| organisation).into())
                .or_else(|| values.iter().all(|value| has_literal_unit(value)).then_some(Narrowing::Place))
        }
        Key::Id | Key::Service => {
            values.iter().all(|value| is_literal(value) && value.contains(['-', '.'])).then_some(Narrowing::Place)
        }
        Key::UserId => values.iter().all(|value| is_known_user_id(value)).then_some(Narrowing::Place),
        Key::Endpoint => values.iter().all(|value| is_known_endpoint(value)).then_some(Narrowing::Place),
    }
}

/// Whether key and value together say "the same account or organisation as the resource".
fn is_own_variable(key: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    matches!(
        (key, value.as_str()),
        (
            "aws:principalaccount" | "aws:sourceaccount" | "aws:vpceaccount" | "kms:calleraccount",
            "${aws:resourceaccount}"
        ) | ("aws:principalorgid" | "aws:sourceorgid" | "aws:vpceorgid", "${aws:resourceorgid}")
            | ("aws:principalorgpaths" | "aws:sourceorgpaths" | "aws:vpceorgpaths", "${aws:resourceorgpaths}")
            | ("aws:resourceaccount", "${aws:principalaccount}" | "${aws:sourceaccount}")
            | ("aws:resourceorgid", "${aws:principalorgid}" | "${aws:sourceorgid}")
    )
}

fn is_literal(value: &str) -> bool {
    !value.is_empty() && !value.contains(['*', '?']) && !value.contains("${")
}

fn accounts<'a>(values: &'a [String], account: impl Fn(&'a str) -> Option<&'a str>) -> Option<Narrowing> {
    let accounts: Option<BTreeSet<String>> = values.iter().map(|value| account(value).map(str::to_owned)).collect();
    accounts.map(Narrowing::Accounts)
}

fn organisations<'a>(values: &'a [String], organisation: impl Fn(&'a str) -> Option<&'a str>) -> Option<Narrowing> {
    let known =
        |value: &'a String| organisation(value).filter(|id| id.starts_with("o-") && is_literal(id)).map(str::to_owned);
    let organisations: Option<BTreeSet<String>> = values.iter().map(known).collect();
    organisations.map(Narrowing::Organisations)
}

/// Whether a path names an organisational unit or a root in full; AWS gives each id once.
fn has_literal_unit(path: &str) -> bool {
    path.split('/').any(|part| (part.starts_with("ou-") || part.starts_with("r-")) && is_literal(part))
}

/// An ARN of something known: of an account, or of a resource whose name nobody else can have.
fn is_known_arn(arn: &str) -> bool {
    if account_of(arn).is_some() {
        return true;
    }
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2).unwrap_or_default();
    let account = parts.nth(1).unwrap_or_default();
    let resource = parts.next().unwrap_or_default();
    // Bucket names belong to one account in the whole partition; only what stands before the first `/` is the name.
    let bucket = resource.split('/').next().unwrap_or_default();
    let known_bucket = service == "s3" && account.is_empty() && is_literal(bucket);
    known_bucket || (arn.starts_with("arn:") && is_literal(arn))
}

/// `AROA…:*`, `AIDA…`, an account id, or an account id and a name.
fn is_known_user_id(value: &str) -> bool {
    const UNIQUE_ID_CHARS_MIN: usize = 16;
    let id = value.split(':').next().unwrap_or_default();
    is_account(id) || (is_literal(id) && id.len() >= UNIQUE_ID_CHARS_MIN)
}

/// An address in full, or any address of a named domain (`*@example.com`, `https://example.com/*`).
fn is_known_endpoint(value: &str) -> bool {
    if is_literal(value) {
        return true;
    }
    let domain = value.rsplit_once('@').map(|(_, domain)| domain);
    let host = value.strip_prefix("https://").and_then(|rest| rest.split_once('/')).map(|(host, _)| host);
    account_of(value).is_some() || [domain, host].into_iter().flatten().any(is_literal)
}

/// Whether the networks together are neither the whole internet nor so wide that they might as well be.
fn is_narrow(values: &[String]) -> bool {
    let networks: Option<Vec<IpNet>> = values.iter().map(|value| crate::net::network(value)).collect();
    let Some(networks) = networks else { return false };
    IpNet::aggregate(&networks).iter().all(|network| match network {
        IpNet::V4(network) => network.prefix_len() >= IPV4_PREFIX_MIN,
        IpNet::V6(network) => network.prefix_len() >= IPV6_PREFIX_MIN,
    })
}
