//! What becomes of requests, as tables of cases: each line is one of AWS's published rules.

#![expect(clippy::needless_pass_by_value, reason = "cases read better without ampersands")]
#![expect(clippy::indexing_slicing, reason = "a case that cannot be set up has failed")]
#![expect(clippy::unwrap_used, reason = "a case that cannot be set up has failed")]

use std::sync::Arc;

use serde_json::{Value, json};
use yagura_access::evaluate::{
    AclGrant, Batch, Compiled, Context, Layer, Outcome, Policies, Request, Requester, S3Access, evaluate, explain,
};
use yagura_access::policy::Policy;

const USER: &str = "arn:aws:iam::111122223333:user/alice";
const ROLE: &str = "arn:aws:iam::111122223333:role/app/web";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/web/i-1";
const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/alice";
const ROOT: &str = "arn:aws:iam::111122223333:root";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:q";

fn compiled(document: &Value) -> Arc<Compiled> {
    Arc::new(Compiled::of(&Policy::from_value(document).unwrap().unwrap()))
}

/// A policy document with these statements.
fn doc(statements: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn allow_all() -> Value {
    doc(json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }))
}

fn allow_other() -> Value {
    doc(json!({ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" }))
}

fn line(principal: &Value, action: &str, resource: &str, rest: Value) -> Value {
    let mut line = json!({ "id": 1, "request": { "action": action, "resource": resource, "principal": principal } });
    line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    line
}

#[track_caller]
fn check(line: &Value, expected: &str) {
    let (answer, _) = Batch::default().answer(&line.to_string());
    let found = match answer.get("decision") {
        Some(decision) => {
            format!("{} by {}", decision.as_str().unwrap(), answer["by"]["layer"].as_str().unwrap())
        }
        None => answer["error"].as_str().unwrap().to_owned(),
    };
    assert_eq!(found, expected, "{line:#}");
}

fn aws(arn: &str) -> Value {
    json!({ "type": "aws", "arn": arn })
}

/// The table of what a resource's policy gives directly within one account.
#[test]
fn a_resource_policy_of_the_same_account_reaches_as_far_as_it_names_the_requester() {
    let to = |principal: Value, condition: Value| {
        doc(
            json!({ "Effect": "Allow", "Principal": principal, "Action": "sqs:*", "Resource": "*", "Condition": condition }),
        )
    };
    let none = json!({});
    let arn_is_role = json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/web" } });
    for (requester, policy, identity, boundary, session) in [
        // Whether an implicit deny of each of the three still counts.
        (USER, to(json!({ "AWS": USER }), none.clone()), false, false, None),
        (SESSION, to(json!({ "AWS": ROLE }), none.clone()), false, true, Some(true)),
        (SESSION, to(json!({ "AWS": SESSION }), none.clone()), false, false, Some(false)),
        (FEDERATED, to(json!({ "AWS": FEDERATED }), none.clone()), false, false, Some(false)),
        (FEDERATED, to(json!({ "AWS": USER }), none.clone()), false, true, Some(true)),
        (SESSION, to(json!("*"), arn_is_role), false, false, Some(false)),
        (USER, to(json!({ "AWS": "111122223333" }), none.clone()), true, true, None),
        (SESSION, to(json!({ "AWS": ROOT }), none), true, true, Some(true)),
    ] {
        let check_with = |parts: Value, expected: &str| {
            let mut rest = json!({ "resource_policy": policy });
            rest.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
            check(&line(&aws(requester), "sqs:SendMessage", QUEUE, rest), expected);
        };
        let (all, other) = (allow_all(), allow_other());
        let allowed = if identity { "allowed by identity" } else { "allowed by resource" };
        check_with(json!({}), if identity { "implicit_deny by identity" } else { allowed });
        check_with(json!({ "identity": [all] }), allowed);
        let limit = if boundary { "implicit_deny by boundary" } else { allowed };
        check_with(json!({ "identity": [all], "boundary": other }), limit);
        check_with(json!({ "identity": [all], "boundary": all }), allowed);
        if let Some(session) = session {
            let limit = if session { "implicit_deny by session" } else { allowed };
            check_with(json!({ "identity": [all], "session": other }), limit);
        }
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let theirs = "arn:aws:sqs:us-east-1:444455556666:q";
    let all = allow_all();
    for principal in [json!("*"), json!({ "AWS": USER }), json!({ "AWS": ROOT }), json!({ "AWS": "111122223333" })] {
        let policy = doc(json!({ "Effect": "Allow", "Principal": principal, "Action": "sqs:*", "Resource": "*" }));
        let of = |rest: Value| line(&aws(USER), "sqs:SendMessage", theirs, rest);
        check(&of(json!({ "resource_policy": policy })), "implicit_deny by identity");
        check(&of(json!({ "resource_policy": policy, "identity": [all] })), "allowed by identity");
        check(
            &of(json!({ "resource_policy": policy, "identity": [all], "boundary": allow_other() })),
            "implicit_deny by boundary",
        );
        check(&of(json!({ "identity": [all] })), "implicit_deny by resource");
        let root = line(&aws(ROOT), "sqs:SendMessage", theirs, json!({ "resource_policy": policy }));
        check(&root, if principal["AWS"] == USER { "implicit_deny by resource" } else { "allowed by root" });
    }
    // A session named itself needs its identity's Allow across accounts, and its session policy's.
    let policy = doc(json!({ "Effect": "Allow", "Principal": { "AWS": SESSION }, "Action": "sqs:*", "Resource": "*" }));
    check(
        &line(&aws(SESSION), "sqs:SendMessage", theirs, json!({ "resource_policy": policy })),
        "implicit_deny by identity",
    );
    let session = json!({ "resource_policy": policy, "identity": [all], "session": allow_other() });
    check(&line(&aws(SESSION), "sqs:SendMessage", theirs, session), "implicit_deny by session");
}

#[test]
fn control_policies_bind_whom_they_bind() {
    let all = allow_all();
    let deny = doc(json!({ "Sid": "No", "Effect": "Deny", "Action": "sqs:*", "Resource": "*" }));
    let of = |principal: &Value, rest: Value| {
        let mut rest = rest;
        let policy = doc(json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }));
        rest.as_object_mut().unwrap().insert("resource_policy".to_owned(), policy);
        line(principal, "sqs:SendMessage", QUEUE, rest)
    };
    let user = aws(USER);
    check(&of(&user, json!({ "scps": [[all], [all, deny]] })), "explicit_deny by scp");
    check(&of(&user, json!({ "scps": [[all], [allow_other()], [all]] })), "implicit_deny by scp");
    check(&of(&user, json!({ "scps": [[all], []] })), "implicit_deny by scp");
    check(&of(&user, json!({ "scps": [[allow_other(), all]] })), "allowed by resource");
    check(&of(&aws(ROOT), json!({ "scps": [[all, deny]] })), "explicit_deny by scp");
    for unbound in [
        json!({ "type": "service", "service": "sns.amazonaws.com" }),
        json!({ "type": "anonymous" }),
        aws("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForSupport/x"),
        aws("arn:aws:iam::111122223333:role/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport"),
    ] {
        check(&of(&unbound, json!({ "scps": [[all, deny]] })), "allowed by resource");
    }
    let rcp = doc(json!({ "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
        "Condition": { "BoolIfExists": { "aws:PrincipalIsAWSService": "false" } } }));
    check(&of(&user, json!({ "rcps": [[rcp]] })), "explicit_deny by rcp");
    check(&of(&json!({ "type": "anonymous" }), json!({ "rcps": [[rcp]] })), "explicit_deny by rcp");
    check(
        &of(&json!({ "type": "service", "service": "sns.amazonaws.com" }), json!({ "rcps": [[rcp]] })),
        "allowed by resource",
    );
    check(&of(&user, json!({ "endpoint": allow_other() })), "implicit_deny by endpoint");
    check(&of(&user, json!({ "endpoint": all })), "allowed by resource");
}

#[test]
fn services_and_strangers_are_let_in_by_the_resource_alone() {
    let service = json!({ "type": "service", "service": "sns.amazonaws.com" });
    let anonymous = json!({ "type": "anonymous" });
    let to = |principal: Value, condition: Value| {
        json!({ "identity": [allow_all()], "resource_policy":
            doc(json!({ "Effect": "Allow", "Principal": principal, "Action": "sqs:*", "Resource": "*", "Condition": condition })) })
    };
    let source = json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:111122223333:*" } });
    let to_service = json!({ "Service": ["events.amazonaws.com", "sns.amazonaws.com"] });
    check(&line(&service, "sqs:SendMessage", QUEUE, to(to_service.clone(), json!({}))), "allowed by resource");
    check(
        &line(&service, "sqs:SendMessage", QUEUE, to(to_service.clone(), source.clone())),
        "implicit_deny by resource",
    );
    let mut with_source = line(&service, "sqs:SendMessage", QUEUE, to(to_service.clone(), source));
    with_source["request"]["context"] = json!({ "AWS:sourceARN": "arn:aws:sns:eu-west-1:111122223333:t" });
    check(&with_source, "allowed by resource");
    check(&line(&service, "sqs:SendMessage", QUEUE, json!({ "identity": [allow_all()] })), "implicit_deny by resource");
    check(&line(&anonymous, "sqs:SendMessage", QUEUE, to(json!("*"), json!({}))), "allowed by resource");
    check(&line(&anonymous, "sqs:SendMessage", QUEUE, to(json!({ "AWS": "*" }), json!({}))), "allowed by resource");
    check(&line(&anonymous, "sqs:SendMessage", QUEUE, to(to_service, json!({}))), "implicit_deny by resource");
    let own = json!({ "StringEquals": { "aws:PrincipalAccount": "111122223333" } });
    check(&line(&anonymous, "sqs:SendMessage", QUEUE, to(json!("*"), own.clone())), "implicit_deny by resource");
    check(&line(&aws(USER), "sqs:SendMessage", QUEUE, to(json!("*"), own)), "allowed by resource");
}

#[test]
fn trust_and_key_policies_must_allow_themselves() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/k";
    let all = json!([allow_all()]);
    for (action, resource) in [("kms:Decrypt", key), ("sts:AssumeRole", ROLE), ("sts:TagSession", ROLE)] {
        let to = |principal: Value| {
            let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action });
            if action.starts_with("kms") {
                statement["Resource"] = json!("*");
            }
            doc(statement)
        };
        let of = |rest: Value| line(&aws(USER), action, resource, rest);
        check(&of(json!({ "identity": all })), "implicit_deny by resource");
        check(
            &of(json!({ "identity": all, "resource_policy": to(json!({ "AWS": ROLE })) })),
            "implicit_deny by resource",
        );
        check(&of(json!({ "identity": all, "resource_policy": to(json!({ "AWS": ROOT })) })), "allowed by identity");
        check(&of(json!({ "resource_policy": to(json!({ "AWS": ROOT })) })), "implicit_deny by identity");
        check(&of(json!({ "resource_policy": to(json!({ "AWS": USER })) })), "allowed by resource");
    }
    check(&line(&aws(USER), "kms:ListKeys", "*", json!({ "identity": all })), "allowed by identity");
    check(
        &line(&aws(USER), "kms:CreateAlias", "arn:aws:kms:us-east-1:111122223333:alias/a", json!({ "identity": all })),
        "allowed by identity",
    );
    check(&line(&aws(USER), "iam:GetRole", ROLE, json!({ "identity": all })), "allowed by identity");
    check(&line(&aws(USER), "sts:GetCallerIdentity", "*", json!({})), "allowed by service");
    let web = json!({ "type": "federated", "provider": "accounts.google.com" });
    let trust = doc(
        json!({ "Effect": "Allow", "Principal": { "Federated": "accounts.google.com" }, "Action": "sts:AssumeRoleWithWebIdentity" }),
    );
    check(
        &line(&web, "sts:AssumeRoleWithWebIdentity", ROLE, json!({ "resource_policy": trust })),
        "allowed by resource",
    );
}

#[test]
fn not_principal_is_everyone_else() {
    let of = |principal: &Value, effect: &str, spared: Value, rest: Value| {
        let mut rest = rest;
        let statement = json!({ "Effect": effect, "NotPrincipal": spared, "Action": "sqs:*", "Resource": "*" });
        let everyone = json!({ "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" });
        let statements = if effect == "Deny" { json!([everyone, statement]) } else { json!([statement]) };
        rest.as_object_mut().unwrap().insert("resource_policy".to_owned(), doc(statements));
        line(principal, "sqs:SendMessage", QUEUE, rest)
    };
    let spared = json!({ "AWS": [USER, ROOT] });
    let bob = aws("arn:aws:iam::444455556666:user/bob");
    let anonymous = json!({ "type": "anonymous" });
    check(&of(&aws(USER), "Deny", spared.clone(), json!({})), "allowed by resource");
    check(&of(&bob, "Deny", spared.clone(), json!({})), "explicit_deny by resource");
    check(&of(&anonymous, "Deny", spared.clone(), json!({})), "explicit_deny by resource");
    check(&of(&aws(USER), "Deny", spared.clone(), json!({ "boundary": allow_all() })), "explicit_deny by resource");
    check(&of(&anonymous, "Allow", spared.clone(), json!({})), "allowed by resource");
    check(&of(&aws(USER), "Allow", spared, json!({})), "implicit_deny by identity");
}

#[test]
fn a_deny_not_principal_without_the_account_is_remarked_upon() {
    let policy =
        doc(json!([{ "Effect": "Deny", "NotPrincipal": { "AWS": USER }, "Action": "sqs:*", "Resource": "*" }]));
    let policies = Policies { resource: Some(compiled(&policy)), ..Policies::default() };
    let request = Request::new("sqs:SendMessage", QUEUE, Requester::from_arn(USER).unwrap());
    assert_eq!(explain(&request, &policies).notes.remarks.len(), 1);
}

/// One condition against one context: whether it holds.
#[track_caller]
fn holds(condition: Value, context: Value) -> bool {
    let policy = doc(json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }));
    let mut line = line(&aws(USER), "s3:GetObject", "arn:aws:s3:::b/k", json!({ "identity": [policy] }));
    line["request"]["context"] = context;
    let (answer, is_answered) = Batch::default().answer(&line.to_string());
    assert!(is_answered, "{answer}");
    answer["decision"] == "allowed"
}

#[test]
fn operators_compare_what_they_say() {
    for (operator, policy, value, expected) in [
        ("StringEquals", json!("A"), json!("A"), true),
        ("StringEquals", json!("A"), json!("a"), false),
        ("StringEquals", json!("a*"), json!("ab"), false),
        ("StringNotEquals", json!(["a", "b"]), json!("b"), false),
        ("StringNotEquals", json!(["a", "b"]), json!("c"), true),
        ("StringEqualsIgnoreCase", json!("ÄB"), json!("äb"), true),
        ("StringNotEqualsIgnoreCase", json!("AB"), json!("ab"), false),
        ("StringLike", json!("a*c?"), json!("abbcd"), true),
        ("StringLike", json!("A*"), json!("abc"), false),
        ("StringLike", json!("a${*}"), json!("a*"), true),
        ("StringLike", json!("a${*}"), json!("ab"), false),
        ("StringNotLike", json!(["a*", "b*"]), json!("bx"), false),
        ("NumericEquals", json!("10"), json!(10.0), true),
        ("NumericNotEquals", json!(10), json!("11"), true),
        ("NumericLessThan", json!(10), json!("9.5"), true),
        ("NumericLessThan", json!(10), json!("10"), false),
        ("NumericLessThanEquals", json!("10"), json!("10"), true),
        ("NumericGreaterThan", json!("-1"), json!("0"), true),
        ("NumericGreaterThanEquals", json!("2"), json!("10"), true),
        ("NumericLessThan", json!("ten"), json!("9"), false),
        ("NumericLessThan", json!("10"), json!("nine"), false),
        ("DateLessThan", json!("2026-01-31T12:00:00Z"), json!("2026-01-31T20:59:59+09:00"), true),
        ("DateGreaterThan", json!("2026-01-31"), json!("1769817601"), true),
        ("DateEquals", json!("1769817600"), json!("2026-01-31T00:00:00Z"), true),
        ("DateNotEquals", json!("1769817600"), json!("2026-01-31T00:00:01Z"), true),
        ("DateLessThanEquals", json!("2026-01-31"), json!("2026-01-31"), true),
        ("DateGreaterThanEquals", json!("2026-01-31"), json!("soon"), false),
        ("Bool", json!(true), json!("True"), true),
        ("Bool", json!("false"), json!(true), false),
        ("BinaryEquals", json!("aGk="), json!("aGk"), true),
        ("BinaryEquals", json!("aGk="), json!("aGkh"), false),
        ("IpAddress", json!("192.0.2.77/24"), json!("192.0.2.1"), true),
        ("IpAddress", json!("192.0.2.1"), json!("192.0.2.2"), false),
        ("IpAddress", json!(["10.0.0.0/8", "2001:db8::/32"]), json!("2001:db8:1::1"), true),
        ("IpAddress", json!("10.0.0.0/8"), json!("::1"), false),
        ("NotIpAddress", json!(["10.0.0.0/8"]), json!("10.1.1.1"), false),
        ("NotIpAddress", json!(["10.0.0.0/8"]), json!("11.1.1.1"), true),
        ("ArnEquals", json!("arn:aws:sns:*:111122223333:t*"), json!("arn:aws:sns:us-east-1:111122223333:topic"), true),
        ("ArnLike", json!("arn:aws:sns:*:t"), json!("arn:aws:sns:us-east-1:111122223333:t"), false),
        ("ArnLike", json!("arn:aws:s3:::b*"), json!("arn:aws:s3:::b:x"), true),
        ("ArnNotLike", json!("arn:aws:sns:*:*:t"), json!("arn:aws:sns:a:b:u"), true),
        ("ArnNotEquals", json!("arn:aws:sns:*:*:t"), json!("arn:aws:sns:a:b:t"), false),
        ("Null", json!("false"), json!("x"), true),
        ("Null", json!(true), json!("x"), false),
    ] {
        let condition = json!({ operator: { "My:Key": policy } });
        assert_eq!(holds(condition.clone(), json!({ "my:kEY": value })), expected, "{condition} with {value}");
    }
}

#[test]
fn absent_keys_and_several_values_follow_their_table() {
    let absent = json!({});
    let empty = json!({ "k": [] });
    for (operator, when_absent) in [
        ("StringEquals", false),
        ("StringNotEquals", true),
        ("StringEqualsIfExists", true),
        ("StringNotEqualsIfExists", true),
        ("ForAllValues:StringEquals", true),
        ("ForAllValues:StringNotEquals", true),
        ("ForAnyValue:StringEquals", false),
        ("ForAnyValue:StringNotEquals", false),
        ("ForAnyValue:StringEqualsIfExists", true),
        ("NumericLessThan", false),
        ("NumericLessThanIfExists", true),
        ("NotIpAddress", true),
        ("ArnNotLike", true),
        ("Bool", false),
        ("BoolIfExists", true),
    ] {
        let condition = json!({ operator: { "k": "true" } });
        assert_eq!(holds(condition.clone(), absent.clone()), when_absent, "{operator}");
        assert_eq!(holds(condition, empty.clone()), when_absent, "{operator} without values");
    }
    for (operator, policy, values, expected) in [
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "b", "a"]), true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "c"]), false),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), json!(["c", "b"]), true),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), json!(["c", "d"]), false),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), json!(["c", "a"]), false),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), json!(["c", "d"]), true),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "c"]), true),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "b"]), false),
        ("ForAllValues:StringLike", json!(["a*"]), json!(["ab", "ac"]), true),
        ("ForAnyValue:StringEquals", json!([]), json!(["a"]), false),
        ("StringEquals", json!([]), json!("a"), false),
        ("StringNotEquals", json!([]), json!("a"), true),
        ("StringEqualsIfExists", json!([]), json!("a"), false),
        ("ForAllValues:StringNotEquals", json!([]), json!(["a"]), false),
        ("ForAnyValue:StringNotEquals", json!([]), json!(["a"]), false),
        ("ForAllValues:Null", json!("false"), json!(["a"]), true),
        ("ForAnyValue:Null", json!("false"), json!(["a"]), false),
    ] {
        let condition = json!({ operator: { "k": policy } });
        assert_eq!(holds(condition.clone(), json!({ "k": values })), expected, "{condition} with {values}");
    }
    assert!(holds(json!({ "Null": { "k": "true" } }), absent));
    assert!(holds(json!({ "Null": { "k": "true" } }), empty));
    assert!(!holds(json!({ "StringEquals": { "a": "1", "b": "2" } }), json!({ "a": "1", "b": "3" })));
    assert!(!holds(json!({ "StringEquals": { "a": "1" }, "Bool": { "b": "true" } }), json!({ "a": "1" })));
}

#[test]
fn variables_take_their_value_from_the_request() {
    for (resource, version, expected) in [
        ("arn:aws:s3:::${aws:username}/*", "2012-10-17", true),
        ("arn:aws:s3:::${AWS:UserName}/*", "2012-10-17", true),
        ("arn:aws:s3:::${aws:username}/*", "2008-10-17", false),
        ("arn:aws:s3:::${aws:nothing}/*", "2012-10-17", false),
        ("arn:aws:s3:::${aws:nothing, 'alice'}/*", "2012-10-17", true),
        ("arn:aws:s3:::${aws:username, 'bob'}/*", "2012-10-17", true),
        ("arn:aws:s3:::alice/${aws:PrincipalTag/team}", "2012-10-17", true),
        ("arn:aws:s3:::alice/${aws:TagKeys}", "2012-10-17", false),
        ("arn:aws:s3:::alice/k${?}", "2012-10-17", false),
    ] {
        let policy = json!({ "Version": version, "Statement": { "Effect": "Allow", "Action": "S3:get*", "Resource": resource } });
        let mut line = line(&aws(USER), "s3:GetObject", "arn:aws:s3:::alice/key", json!({ "identity": [policy] }));
        line["request"]["context"] = json!({ "aws:PrincipalTag/Team": "key", "aws:TagKeys": ["a", "b"] });
        check(&line, if expected { "allowed by identity" } else { "implicit_deny by identity" });
    }
    // A variable without a value leaves open what `NotResource` leaves out, unless the rest tells.
    let deny = doc(json!([{ "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::${nothing}/*" },
        { "Effect": "Allow", "Action": "*", "Resource": "*" }]));
    check(
        &line(&aws(USER), "s3:GetObject", "arn:aws:s3:::alice/key", json!({ "identity": [deny] })),
        "allowed by identity",
    );
    check(&line(&aws(USER), "sqs:SendMessage", QUEUE, json!({ "identity": [deny] })), "explicit_deny by identity");
    assert!(holds(json!({ "StringEquals": { "k": "${aws:PrincipalAccount}" } }), json!({ "k": "111122223333" })));
    assert!(!holds(json!({ "StringEquals": { "k": "${nothing}" } }), json!({ "k": "${nothing}" })));
    assert!(holds(json!({ "StringNotEquals": { "k": "${nothing}" } }), json!({ "k": "x" })));
    assert!(holds(json!({ "StringLike": { "k": "${pattern}" } }), json!({ "k": "abc", "pattern": "a*" })));
    assert!(!holds(json!({ "StringEquals": { "k": "${pattern}" } }), json!({ "k": "abc", "pattern": "a*" })));
}

#[test]
fn resources_are_compared_part_by_part() {
    for (pattern, resource, expected) in [
        ("*", "arn:aws:s3:::b", true),
        ("*", "*", true),
        ("arn:aws:s3:::b", "*", false),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x:y/z", true),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b", false),
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/x", false),
        ("arn:aws:sqs:*:111122223333:q", QUEUE, true),
        ("arn:aws:sqs:*:*:*", QUEUE, true),
        ("arn:aws:sqs:us-east-1:1*:q", "arn:aws:sqs:us-east-1:111122223333:x:q", false),
        ("arn:aws:sqs:us-east-?:111122223333:?", QUEUE, true),
        ("arn:*:*:*:*:*", QUEUE, true),
    ] {
        let policy = doc(json!({ "Effect": "Allow", "Action": "*", "Resource": pattern }));
        let expected = if expected { "allowed by identity" } else { "implicit_deny by identity" };
        check(&line(&aws(USER), "x:Do", resource, json!({ "identity": [policy] })), expected);
        let others = doc(json!({ "Effect": "Allow", "Action": "*", "NotResource": pattern }));
        let expected = if expected.starts_with('a') { "implicit_deny by identity" } else { "allowed by identity" };
        check(&line(&aws(USER), "x:Do", resource, json!({ "identity": [others] })), expected);
    }
}

#[test]
fn the_requester_brings_its_own_context() {
    for (principal, key, value) in [
        (aws(USER), "aws:PrincipalArn", USER),
        (aws(SESSION), "aws:PrincipalArn", "arn:aws:iam::111122223333:role/web"),
        (aws(ROOT), "aws:userid", "111122223333"),
        (aws(FEDERATED), "aws:userid", "111122223333:alice"),
        (aws(USER), "aws:username", "alice"),
        (aws(SESSION), "aws:PrincipalType", "AssumedRole"),
        (aws(USER), "aws:PrincipalIsAWSService", "false"),
        (aws(USER), "aws:ResourceAccount", "111122223333"),
        (json!({ "type": "service", "service": "sns.amazonaws.com" }), "aws:PrincipalServiceName", "sns.amazonaws.com"),
    ] {
        let policy = doc(
            json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": { "StringEquals": { key: value } } }),
        );
        check(
            &line(&principal, "sqs:SendMessage", QUEUE, json!({ "resource_policy": policy })),
            "explicit_deny by resource",
        );
        // What is given counts instead.
        let mut given = line(&principal, "sqs:SendMessage", QUEUE, json!({ "resource_policy": policy }));
        given["request"]["context"] = json!({ key: "another" });
        assert_ne!(Batch::default().answer(&given.to_string()).0["decision"], "explicit_deny", "{key}");
    }
}

#[test]
fn lines_that_cannot_be_understood_say_why_in_one_sentence() {
    let good = line(&aws(USER), "s3:GetObject", "*", json!({}));
    let with = |path: &[&str], value: Value| {
        let mut line = good.clone();
        let mut place = &mut line;
        for name in path {
            place = &mut place[*name];
        }
        *place = value;
        line
    };
    for (line, expected) in [
        (with(&["request"], json!(null)), "`request` is not an object"),
        (with(&["request", "action"], json!("GetObject")), "`request.action` is not one action (`s3:GetObject`)"),
        (with(&["request", "action"], json!("s3:*")), "`request.action` is not one action (`s3:GetObject`)"),
        (
            with(&["request", "principal", "arn"], json!("alice")),
            "`request.principal` cannot be used: `alice` is not the ARN of an account root, user, role, session or identity provider",
        ),
        (
            with(&["request", "principal", "type"], json!("user")),
            "`request.principal.type` is not `aws`, `service`, `federated` or `anonymous`",
        ),
        (
            with(&["request", "context"], json!({ "k": { "a": 1 } })),
            "`request.context.k` is not a text or a list of texts",
        ),
        (
            with(&["request", "resource_account"], json!("me")),
            "`request.resource_account` is not an account id (twelve digits)",
        ),
        (
            with(&["scps"], json!([{ "Statement": [] }])),
            "`scps[0]` is not a list of policies: one for each level from the root down",
        ),
        (
            with(&["identity"], json!([{ "Statement": [], "Foo": 1 }])),
            "`identity[0]` cannot be used: `Foo` is no element of a policy",
        ),
        (
            with(&["boundary"], json!("{")),
            "`boundary` cannot be used: the policy is not a JSON document: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        check(&line, expected);
    }
    let (answer, _) = Batch::default().answer(&with(&["boundry"], allow_all()).to_string());
    assert_eq!(answer["ignored"], json!(["boundry"]));
}

#[test]
fn access_control_lists_let_in_unless_they_are_switched_off() {
    let bucket = "arn:aws:s3:::b";
    let grants = |name| AclGrant::canned(name, "owner", "owner").unwrap();
    let of = |requester: Requester, action: &str, resource: &str, identity: bool, s3: S3Access| {
        let request = Request::new(action, resource, requester).with_resource_account("444455556666");
        let identity = if identity { vec![compiled(&allow_all())] } else { Vec::new() };
        let decision = evaluate(&request, &Policies { identity, s3: Some(s3), ..Policies::default() });
        (decision.outcome, decision.layer)
    };
    let public = || S3Access { bucket_acl: grants("public-read"), ..S3Access::default() };
    let anonymous = Requester::anonymous;
    let user = || Requester::from_arn(USER).unwrap();
    let no = (Outcome::ImplicitDeny, Layer::Resource);
    assert_eq!(of(anonymous(), "s3:ListBucket", bucket, false, public()), (Outcome::Allowed, Layer::Acl));
    assert_eq!(of(anonymous(), "s3:PutObject", "arn:aws:s3:::b/k", false, public()), no);
    assert_eq!(of(anonymous(), "s3:GetObject", "arn:aws:s3:::b/k", false, public()), no);
    let object = S3Access { object_acl: grants("public-read"), ..S3Access::default() };
    assert_eq!(of(anonymous(), "s3:GetObject", "arn:aws:s3:::b/k", false, object), (Outcome::Allowed, Layer::Acl));
    assert_eq!(of(user(), "s3:ListBucket", bucket, true, public()), (Outcome::Allowed, Layer::Identity));
    assert_eq!(of(user(), "s3:ListBucket", bucket, false, public()), (Outcome::ImplicitDeny, Layer::Identity));
    let authenticated = || S3Access { bucket_acl: grants("authenticated-read"), ..S3Access::default() };
    assert_eq!(of(anonymous(), "s3:ListBucket", bucket, false, authenticated()), no);
    assert_eq!(of(user(), "s3:ListBucket", bucket, true, authenticated()), (Outcome::Allowed, Layer::Identity));
    let ignored = S3Access { ignore_public_acls: true, ..public() };
    assert_eq!(of(anonymous(), "s3:ListBucket", bucket, false, ignored), no);
    let disabled = S3Access { acls_disabled: true, ..public() };
    assert_eq!(of(anonymous(), "s3:ListBucket", bucket, false, disabled), no);
    let private = || S3Access { bucket_acl: grants("private"), ..S3Access::default() };
    assert_eq!(of(user().with_canonical_user("owner"), "s3:ListBucket", bucket, true, private()).0, Outcome::Allowed);
    assert_eq!(of(user().with_canonical_user("other"), "s3:ListBucket", bucket, true, private()), no);
}

#[test]
fn a_restricted_public_bucket_is_for_its_own_account_and_for_services() {
    let policy = doc(json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" }));
    for (requester, owner, expected) in [
        (Requester::anonymous(), "111122223333", Outcome::ExplicitDeny),
        (Requester::from_arn(USER).unwrap(), "444455556666", Outcome::ExplicitDeny),
        (Requester::from_arn(USER).unwrap(), "111122223333", Outcome::Allowed),
        (Requester::service("cloudtrail.amazonaws.com").unwrap(), "111122223333", Outcome::Allowed),
    ] {
        let request = Request::new("s3:GetObject", "arn:aws:s3:::b/k", requester).with_resource_account(owner);
        let s3 = S3Access { restrict_public_buckets: true, policy_is_public: true, ..S3Access::default() };
        let policies = Policies {
            identity: vec![compiled(&allow_all())],
            resource: Some(compiled(&policy)),
            s3: Some(s3),
            ..Policies::default()
        };
        assert_eq!(evaluate(&request, &policies).outcome, expected, "{request:?}");
    }
}

#[test]
fn missing_keys_and_malformed_values_are_named() {
    let policy = doc(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:PrincipalTag/team}",
        "Condition": { "NumericLessThan": { "aws:MultiFactorAuthAge": "soon" }, "Bool": { "aws:SecureTransport": "true" } } }));
    let policies = Policies { identity: vec![compiled(&policy)], ..Policies::default() };
    let request = |context: Context| {
        Request::new("s3:ListBucket", "arn:aws:s3:::b", Requester::from_arn(USER).unwrap()).with_context(context)
    };
    let explanation = explain(&request(Context::default()), &policies);
    assert_eq!(explanation.notes.missing_keys, ["aws:principaltag/team"]);
    let context = [("aws:PrincipalTag/team", vec!["b"])].into_iter().collect();
    let explanation = explain(&request(context), &policies);
    assert_eq!(explanation.notes.missing_keys, ["aws:multifactorauthage", "aws:securetransport"]);
    let context = Context::from_iter([("aws:PrincipalTag/team", vec!["b"]), ("aws:MultiFactorAuthAge", vec!["5"])]);
    let explanation = explain(&request(context), &policies);
    assert_eq!(explanation.decision.outcome, Outcome::ImplicitDeny);
    assert_eq!(explanation.notes.remarks.len(), 1, "{:?}", explanation.notes);
}

proptest::proptest! {
    #[test]
    fn no_value_makes_it_fail(
        operator in proptest::sample::select(vec![
            "StringLike", "StringEqualsIgnoreCase", "ArnLike", "NumericLessThan", "DateGreaterThan", "Bool", "BinaryEquals", "IpAddress", "Null",
        ]),
        policy in "(\\PC|[${}*?:,'TZ0-9./+-]){0,24}",
        value in "(\\PC|[:TZ0-9./+-]){0,24}",
    ) {
        let statement = json!({ "Effect": "Allow", "Action": policy, "Resource": policy, "Condition": { operator: { "k": policy } } });
        let others = json!({ "Effect": "Deny", "NotAction": "x:*", "NotResource": value });
        let mut line = line(&aws(USER), "x:Do", "*", json!({ "identity": [doc(json!([statement, others]))] }));
        line["request"]["resource"] = json!(format!("arn:aws:x:::{value}"));
        line["request"]["context"] = json!({ "k": value });
        proptest::prop_assert!(Batch::default().answer(&line.to_string()).1, "{}", line);
    }
}
