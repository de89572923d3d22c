//! The compiled evaluator against one written straight from the rules: no preparation, no shortcuts, whole sentences of
//! the documentation as code.

#![expect(clippy::indexing_slicing, reason = "a case that cannot be set up has failed")]
#![expect(clippy::unwrap_used, reason = "a case that cannot be set up has failed")]

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use yagura_access::evaluate::{Compiled, Context, Outcome, Policies, Request, Requester, evaluate, explain, matches};
use yagura_access::policy::{Condition, Effect, Family, Policy, Principal, Qualifier, Scope, Statement, Version};

const USER: &str = "arn:aws:iam::111122223333:user/alice";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/web/s";
const STRANGER: &str = "arn:aws:iam::444455556666:user/bob";
const RESOURCES: &[&str] = &["arn:aws:s3:::alice/k:1", "arn:aws:s3:::b", "arn:aws:sqs:us-east-1:111122223333:q"];

/// Whether a text fits a pattern, by trying every way that `*` can be read.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
        Some(('?', rest)) => !text.is_empty() && fits(rest, &text[1..]),
        Some((char, rest)) => text.first() == Some(char) && fits(rest, &text[1..]),
    }
}

fn like(pattern: &str, text: &str) -> bool {
    fits(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// The text with its one kind of variable replaced; none where the request has no such key.
fn resolved(text: &str, version: Version, request: &Request) -> Option<String> {
    if version == Version::V2008 || !text.contains("${") {
        return Some(text.to_owned());
    }
    let (before, rest) = text.split_once("${").unwrap();
    let (key, after) = rest.split_once('}').unwrap();
    let value: Vec<&str> = request.values(&key.to_ascii_lowercase()).iter().collect();
    (value.len() == 1).then(|| format!("{before}{}{after}", value[0]))
}

fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, arn) = (parts(pattern), parts(arn));
    pattern.len() == 6 && arn.len() == 6 && pattern.iter().zip(&arn).all(|(pattern, part)| like(pattern, part))
}

/// An ARN with `*` for the part that has a variable, which in these cases is always the last.
fn widest(text: &str) -> String {
    let before = text.split("${").next().unwrap();
    format!("{}:*", before.rsplit_once(':').unwrap().0)
}

fn one_fits(condition: &Condition, value: &str, version: Version, request: &Request) -> bool {
    condition.values.iter().any(|policy| {
        let text = resolved(policy, version, request);
        match condition.operator.family {
            Family::StringEquals => text.is_some_and(|text| text == value),
            Family::StringEqualsIgnoreCase => text.is_some_and(|text| text.to_lowercase() == value.to_lowercase()),
            Family::StringLike => text.is_some_and(|text| like(&text, value)),
            Family::Arn => text.is_some_and(|text| arn_like(&text, value)),
            Family::Bool => policy == value,
            Family::NumericEquals => number(policy).is_some() && number(policy) == number(value),
            Family::NumericLessThan => {
                matches!((number(value), number(policy)), (Some(value), Some(policy)) if value < policy)
            }
            Family::IpAddress => network(policy, value),
            _ => unreachable!("not generated"),
        }
    })
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn network(network: &str, address: &str) -> bool {
    let bits = |text: &str| text.split('.').fold(0_u32, |bits, part| (bits << 8) | part.parse::<u32>().unwrap());
    let (base, length) = network.split_once('/').unwrap_or((network, "32"));
    let shift = 32 - length.parse::<u32>().unwrap();
    u64::from(bits(base)) >> shift == u64::from(bits(address)) >> shift
}

fn holds(condition: &Condition, version: Version, request: &Request) -> bool {
    let operator = condition.operator;
    let values: Vec<&str> = request.values(&condition.key).iter().collect();
    if operator.family == Family::Null {
        return condition.values.iter().any(|value| (value == "true") == values.is_empty());
    }
    if values.is_empty() {
        let positive = !operator.negated && operator.qualifier == Qualifier::Single;
        return operator.if_exists
            || operator.qualifier == Qualifier::ForAll
            || (operator.qualifier == Qualifier::Single && !positive);
    }
    let fits = |value: &&str| one_fits(condition, value, version, request);
    match (operator.qualifier, operator.negated) {
        (Qualifier::Single | Qualifier::ForAny, false) => values.iter().any(fits),
        (Qualifier::Single | Qualifier::ForAll, true) => !values.iter().any(fits),
        (Qualifier::ForAll, false) => values.iter().all(fits),
        (Qualifier::ForAny, true) => !values.iter().all(fits),
    }
}

/// 0 by account, 1 by role, 2 directly.
fn names(principal: &Principal, request: &Request) -> Option<u8> {
    let who = request.principal().as_str();
    match principal {
        Principal::Everyone => Some(2),
        Principal::Aws(text) if text.ends_with(":root") => {
            (principal.account() == request.principal().account()).then_some(0)
        }
        Principal::Aws(text) if text == who => Some(2),
        Principal::Aws(text) => (who == SESSION && text == "arn:aws:iam::111122223333:role/web").then_some(1),
        _ => None,
    }
}

fn speaks(statement: &Statement, version: Version, request: &Request) -> Option<u8> {
    let action = |scope: &Scope<yagura_access::policy::Glob>| match scope {
        Scope::In(globs) => globs.iter().any(|glob| like(glob.as_str(), request.action())),
        Scope::NotIn(globs) => !globs.iter().any(|glob| like(glob.as_str(), request.action())),
    };
    let fits = |text: &str| resolved(text, version, request).map(|text| arn_like(&text, request.resource()));
    let resource = match &statement.resources {
        None => true,
        Some(Scope::In(globs)) => globs.iter().any(|glob| fits(glob.as_str()) == Some(true)),
        Some(Scope::NotIn(globs)) => globs.iter().all(|glob| match fits(glob.as_str()) {
            Some(fits) => !fits,
            // Another part than that of the variable has to tell that it is another resource.
            None => !arn_like(&widest(glob.as_str()), request.resource()),
        }),
    };
    let named = match &statement.principals {
        None => Some(2),
        Some(Scope::In(list)) => list.iter().filter_map(|principal| names(principal, request)).max(),
        Some(Scope::NotIn(list)) => list.iter().all(|principal| names(principal, request).is_none()).then_some(2),
    };
    let conditions = statement.conditions.iter().all(|condition| holds(condition, version, request));
    named.filter(|_| action(&statement.actions) && resource && conditions)
}

fn denied(policies: &[Policy], request: &Request) -> bool {
    let deny = |policy: &Policy, statement: &Statement| {
        statement.effect == Effect::Deny && speaks(statement, policy.version, request).is_some()
    };
    policies.iter().any(|policy| policy.statements.iter().any(|statement| deny(policy, statement)))
}

fn allowed(policies: &[Policy], request: &Request) -> Option<u8> {
    let statements = policies.iter().flat_map(|policy| policy.statements.iter().map(move |one| (policy.version, one)));
    statements
        .filter(|(_, statement)| statement.effect == Effect::Allow)
        .filter_map(|(version, statement)| speaks(statement, version, request))
        .max()
}

/// The layers of one case.
#[derive(Debug)]
struct Layers {
    identity: Vec<Policy>,
    resource: Option<Policy>,
    boundary: Option<Policy>,
    session: Option<Policy>,
    scps: Vec<Vec<Policy>>,
}

fn decide(request: &Request, layers: &Layers) -> Outcome {
    let one = |policy: &Option<Policy>| policy.iter().cloned().collect::<Vec<_>>();
    let (resource, boundary, session) = (one(&layers.resource), one(&layers.boundary), one(&layers.session));
    let scps: Vec<Policy> = layers.scps.concat();
    if [&layers.identity, &resource, &boundary, &session, &scps].iter().any(|policies| denied(policies, request)) {
        return Outcome::ExplicitDeny;
    }
    let limit_allows = |policy: &[Policy]| policy.is_empty() || allowed(policy, request).is_some();
    let limits_allow = limit_allows(&boundary) && limit_allows(&session);
    let organisation_allows = layers.scps.iter().all(|level| allowed(level, request).is_some());
    let identity_allows = allowed(&layers.identity, request).is_some();
    let granted = allowed(&resource, request);
    let is_own = request.resource_account() == request.principal().account();
    let core = if is_own {
        granted == Some(2) || (granted == Some(1) && limits_allow) || (identity_allows && limits_allow)
    } else {
        granted.is_some() && identity_allows && limits_allow
    };
    if core && organisation_allows { Outcome::Allowed } else { Outcome::ImplicitDeny }
}

fn conditions() -> impl Strategy<Value = Value> {
    let texts = ["a", "A", "b*", "?", "${aws:PrincipalAccount}", "${nothing}"];
    let text = (
        select(vec!["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike"]),
        select(vec!["", "ForAllValues:", "ForAnyValue:"]),
        select(vec!["", "IfExists"]),
        subsequence(texts.to_vec(), 1..3),
    )
        .prop_map(
            |(operator, set, suffix, values)| json!({ format!("{set}{operator}{suffix}"): { "My:Key": values } }),
        );
    let arn = (
        select(vec!["ArnEquals", "ArnNotLike", "ArnLikeIfExists"]),
        select(vec!["arn:aws:sns:*:*:t", "arn:aws:s3:::*", "*", "arn:aws:sns:?:${aws:PrincipalAccount}:t"]),
    )
        .prop_map(|(operator, value)| json!({ operator: { "aws:sourcearn": value } }));
    let other = select(vec![
        json!({ "Bool": { "aws:SecureTransport": "true" } }),
        json!({ "BoolIfExists": { "aws:SecureTransport": "false" } }),
        json!({ "NumericLessThan": { "n": "10" } }),
        json!({ "NumericNotEquals": { "n": ["2.50", "x"] } }),
        json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.77/24", "10.0.0.1"] } }),
        json!({ "NotIpAddress": { "aws:SourceIp": ["192.0.2.0/25"] } }),
        json!({ "Null": { "my:key": "true" } }),
        json!({ "Null": { "n": "false" }, "NumericEqualsIfExists": { "n": "2.5" } }),
        json!({}),
    ]);
    prop_oneof![text, arn, other]
}

fn statements(principals: bool) -> impl Strategy<Value = Value> {
    let actions = ["s3:GetObject", "s3:*", "*", "S3:?et*", "sqs:*", "*:*Message"];
    let resources = [
        "*",
        "arn:aws:s3:::alice/*",
        "arn:aws:s3:::${aws:username}/*",
        "arn:aws:s3:::${nothing}/*",
        "arn:aws:sqs:*:*:?",
        RESOURCES[1],
    ];
    let named = [USER, SESSION, STRANGER, "arn:aws:iam::111122223333:role/web", "arn:aws:iam::111122223333:root", "*"];
    (
        select(vec!["Allow", "Allow", "Allow", "Deny"]),
        (select(vec!["Action", "Action", "NotAction"]), subsequence(actions.to_vec(), 1..3)),
        (select(vec!["Resource", "Resource", "NotResource"]), subsequence(resources.to_vec(), 1..3)),
        (select(vec!["Principal", "Principal", "Principal", "NotPrincipal"]), subsequence(named.to_vec(), 1..3)),
        prop_oneof![Just(json!({})), conditions()],
    )
        .prop_map(move |(effect, action, resource, principal, condition)| {
            let mut statement =
                json!({ "Effect": effect, action.0: action.1, resource.0: resource.1, "Condition": condition });
            if principals {
                statement[principal.0] = json!({ "AWS": principal.1 });
            }
            statement
        })
}

fn policies(principals: bool) -> impl Strategy<Value = Policy> {
    let version = select(vec!["2012-10-17", "2012-10-17", "2008-10-17"]);
    (version, prop::collection::vec(statements(principals), 1..4)).prop_map(|(version, statements)| {
        Policy::from_value(&json!({ "Version": version, "Statement": statements })).unwrap().unwrap()
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let value = |key: &'static str, values: Vec<Vec<&'static str>>| {
        prop::option::of(select(values)).prop_map(move |values| values.map(|values| (key, values)))
    };
    (
        select(vec!["s3:GetObject", "S3:PutObject", "sqs:SendMessage"]),
        select(RESOURCES.to_vec()),
        select(vec![USER, SESSION, STRANGER]),
        value("my:KEY", vec![vec!["a"], vec!["b1", "A"], vec!["111122223333"], vec![]]),
        value("aws:SourceArn", vec![vec!["arn:aws:sns:x:111122223333:t"], vec!["arn:aws:s3:::b:c"], vec!["no arn"]]),
        value("aws:SecureTransport", vec![vec!["true"], vec!["false"]]),
        value("N", vec![vec!["2.5"], vec!["9"], vec!["11"], vec!["x"]]),
        value("aws:SourceIp", vec![vec!["192.0.2.1"], vec!["192.0.2.200"], vec!["10.0.0.1"]]),
    )
        .prop_map(|(action, resource, who, a, b, c, d, e)| {
            let context = [a, b, c, d, e].into_iter().flatten().collect::<Context>();
            Request::new(action, resource, Requester::from_arn(who).unwrap())
                .with_resource_account("111122223333")
                .with_context(context)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_compiled_statement_speaks_of_what_the_plain_one_speaks_of(policy in policies(true), request in requests()) {
        for statement in &policy.statements {
            let slow = speaks(statement, policy.version, &request);
            let fast = matches(statement, policy.version, &request).map(|named| named as u8);
            prop_assert_eq!(fast, slow, "{:#?}\n{:#?}", statement, request);
        }
    }

    #[test]
    fn the_layers_come_to_what_the_rules_say(
        identity in prop::collection::vec(policies(false), 0..3),
        resource in prop::option::of(policies(true)),
        boundary in prop::option::weighted(0.2, policies(false)),
        session in prop::option::weighted(0.2, policies(false)),
        scps in prop::collection::vec(prop::collection::vec(policies(false), 1..3), 0..2),
        request in requests(),
    ) {
        // `NotPrincipal` with a boundary has a rule of its own, with cases of its own.
        let spares = |policy: &Policy| policy.statements.iter().any(|one| matches!(one.principals, Some(Scope::NotIn(_))));
        prop_assume!(boundary.is_none() || !resource.as_ref().is_some_and(spares));
        let layers = Layers { identity, resource, boundary, session, scps };
        let compiled = |policy: &Policy| Arc::new(Compiled::of(policy));
        let all = |policies: &Vec<Policy>| policies.iter().map(compiled).collect::<Vec<_>>();
        let ready = Policies {
            identity: all(&layers.identity),
            resource: layers.resource.as_ref().map(compiled),
            boundary: layers.boundary.as_ref().map(compiled),
            session: layers.session.as_ref().map(compiled),
            scps: layers.scps.iter().map(all).collect(),
            ..Policies::default()
        };
        let decision = evaluate(&request, &ready);
        prop_assert_eq!(decision.outcome, decide(&request, &layers), "{:#?}\n{:#?}", request, layers);
        prop_assert_eq!(decision, explain(&request, &ready).decision);
    }
}
