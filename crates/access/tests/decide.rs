//! Deciding for all requests at once, against asking for each request in turn.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::too_many_lines,
    reason = "cases and what sets them up"
)]

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use yagura_access::decide::{self, Approximation, Verdict};
use yagura_access::evaluate::{Context, Request, Requester};
use yagura_access::policy::Policy;

fn policy(document: &Value) -> Policy {
    Policy::from_value(document).unwrap().unwrap()
}

fn statements(list: &Value) -> Policy {
    policy(&json!({ "Version": "2012-10-17", "Statement": list }))
}

fn compare(existing: &Policy, new: &Policy) -> decide::Answer {
    let answer = decide::new_access(existing, new, decide::kind(&[existing, new])).unwrap();
    if let Verdict::Access(witness) = &answer.verdict {
        assert!(decide::lets_through(new, &witness.request), "{witness:?}");
        assert!(!decide::lets_through(existing, &witness.request), "{witness:?}");
    }
    answer
}

/// Whether `new` adds access to `existing`; a statement each, or a list of them.
fn check(existing: Value, new: Value, expected: bool) {
    let (old, now) = (statements(&existing), statements(&new));
    let answer = compare(&old, &now);
    match answer.verdict {
        Verdict::Access(witness) => assert!(expected, "{existing} to {new}: {witness:?}"),
        Verdict::NoAccess => assert!(!expected, "{existing} to {new}: nothing found"),
        Verdict::Undecided(why) => panic!("{existing} to {new}: {why}"),
    }
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn allow_if(condition: Value) -> Value {
    json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition })
}

#[test]
fn actions_and_resources() {
    for (existing, new, expected) in [
        (allow("s3:*", "*"), allow("s3:GetObject", "*"), false),
        (allow("s3:GetObject", "*"), allow("s3:*", "*"), true),
        (allow("s3:Get*", "*"), allow("s3:GetObject*", "*"), false),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), allow("s3:GetObject", "arn:aws:s3:::a/b"), false),
        (allow("s3:GetObject", "arn:aws:s3:::a/b*"), allow("s3:GetObject", "arn:aws:s3:::a/*"), true),
        // Two halves may be the whole.
        (
            json!([allow("s3:GetObject", "arn:aws:s3:::a/b"), allow("s3:GetObject", "arn:aws:s3:::a/b?*")]),
            allow("s3:GetObject", "arn:aws:s3:::a/b*"),
            false,
        ),
        // A wildcard stays in its part of an ARN.
        (
            allow("sqs:*", "arn:aws:sqs:*:111122223333:q*"),
            allow("sqs:*", "arn:aws:sqs:us-east-1:111122223333:q1"),
            false,
        ),
        (allow("sqs:*", "arn:aws:sqs:us-*:111122223333:q"), allow("sqs:*", "arn:aws:sqs:*:111122223333:q"), true),
        // Nobody can get an object on something that is no object.
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), allow("s3:GetObject", "arn:aws:s3:::a"), false),
        (allow("s3:GetObject", "arn:aws:s3:::a/*"), allow("s3:ListBucket", "arn:aws:s3:::a"), true),
        // A service that nobody spoke of.
        (json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }), allow("*", "*"), true),
        (allow("*", "*"), json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }), false),
        (
            json!([allow("*", "*"), { "Effect": "Deny", "Action": "iam:*", "Resource": "*" }]),
            json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }),
            false,
        ),
        (
            json!([allow("*", "*"), { "Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::a/*" }]),
            allow("s3:GetObject", "arn:aws:s3:::a/*"),
            false,
        ),
        (
            json!([allow("*", "*"), { "Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::a/*" }]),
            allow("s3:GetObject", "arn:aws:s3:::*/b"),
            true,
        ),
    ] {
        check(existing, new, expected);
    }
}

#[test]
fn conditions_of_one_key_and_of_several() {
    let none = || allow("s3:GetObject", "*");
    for (existing, new, expected) in [
        (
            json!({ "StringEquals": { "aws:PrincipalTag/a": ["x", "y"] } }),
            json!({ "StringEquals": { "aws:PrincipalTag/a": "x" } }),
            false,
        ),
        (
            json!({ "StringLike": { "aws:PrincipalTag/a": "x*" } }),
            json!({ "StringEquals": { "aws:PrincipalTag/a": "y" } }),
            true,
        ),
        (
            json!({ "StringNotEquals": { "aws:PrincipalTag/a": "x" } }),
            json!({ "StringEquals": { "aws:PrincipalTag/a": "y" } }),
            false,
        ),
        (
            json!({ "StringEqualsIgnoreCase": { "aws:PrincipalTag/a": "X" } }),
            json!({ "StringEquals": { "aws:PrincipalTag/a": "x" } }),
            false,
        ),
        (
            json!({ "StringEquals": { "aws:PrincipalTag/a": "x" } }),
            json!({ "StringEqualsIgnoreCase": { "aws:PrincipalTag/a": "X" } }),
            true,
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }),
            json!({ "IpAddress": { "aws:SourceIp": "192.0.2.128/25" } }),
            false,
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.0/25", "192.0.2.128/25"] } }),
            json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }),
            false,
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/25" } }),
            json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }),
            true,
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }),
            json!({ "IpAddress": { "aws:SourceIp": "2001:db8::/32" } }),
            true,
        ),
        (
            json!({ "NumericLessThan": { "s3:TlsVersion": "1.3" } }),
            json!({ "NumericLessThanEquals": { "s3:TlsVersion": "1.2" } }),
            false,
        ),
        (
            json!({ "NumericLessThan": { "s3:TlsVersion": "1.2" } }),
            json!({ "NumericLessThanEquals": { "s3:TlsVersion": "1.2" } }),
            true,
        ),
        (
            json!({ "DateGreaterThan": { "aws:CurrentTime": "2026-01-01T00:00:00Z" } }),
            json!({ "DateGreaterThan": { "aws:CurrentTime": "2026-06-01T00:00:00+09:00" } }),
            false,
        ),
        (
            json!({ "DateLessThan": { "aws:CurrentTime": "2026-01-01T00:00:00Z" } }),
            json!({ "DateLessThanEquals": { "aws:CurrentTime": "1767225600" } }),
            true,
        ),
        (
            json!({ "Null": { "aws:SourceVpc": "false" } }),
            json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } }),
            false,
        ),
        (
            json!({ "StringEquals": { "aws:SourceVpc": "vpc-1" } }),
            json!({ "StringEqualsIfExists": { "aws:SourceVpc": "vpc-1" } }),
            true,
        ),
        // Always there, so that one of the two holds.
        (json!({ "Bool": { "aws:SecureTransport": ["true", "false"] } }), json!({}), false),
        (json!({ "Bool": { "aws:MultiFactorAuthPresent": ["true", "false"] } }), json!({}), true),
        (
            json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": "a.amazonaws.com" } }),
            json!({ "ForAllValues:StringEquals": { "aws:CalledVia": "a.amazonaws.com" }, "Null": { "aws:CalledVia": "false" } }),
            false,
        ),
        (
            json!({ "ForAllValues:StringEquals": { "aws:CalledVia": "a.amazonaws.com" } }),
            json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": "a.amazonaws.com" } }),
            true,
        ),
        (
            json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": ["a.x", "b.x"] } }),
            json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": "a.x" } }),
            false,
        ),
        // The account is a part of the caller's ARN.
        (
            json!({ "StringEquals": { "aws:PrincipalAccount": "111122223333" } }),
            json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/*" } }),
            false,
        ),
        (
            json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/*" } }),
            json!({ "StringEquals": { "aws:PrincipalAccount": "111122223333" } }),
            true,
        ),
        (
            json!({ "StringEquals": { "aws:PrincipalType": "User" } }),
            json!({ "StringLike": { "aws:username": "*" } }),
            false,
        ),
    ] {
        check(allow_if(existing.clone()), allow_if(new.clone()), expected);
        check(none(), allow_if(new), false);
    }
}

#[test]
fn principals() {
    let allow = |principal: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*" });
    let aws = |arn: &str| json!({ "AWS": arn });
    for (existing, new, expected) in [
        (allow(json!("*")), allow(aws("111122223333")), false),
        (allow(aws("111122223333")), allow(json!("*")), true),
        (allow(aws("arn:aws:iam::111122223333:root")), allow(aws("arn:aws:iam::111122223333:role/reader")), false),
        (allow(aws("arn:aws:iam::111122223333:role/reader")), allow(aws("111122223333")), true),
        (
            allow(aws("arn:aws:iam::111122223333:role/reader")),
            allow(aws("arn:aws:sts::111122223333:assumed-role/reader/me")),
            false,
        ),
        (
            allow(aws("arn:aws:sts::111122223333:assumed-role/reader/me")),
            allow(aws("arn:aws:iam::111122223333:role/reader")),
            true,
        ),
        (
            allow(json!({ "Service": "sns.amazonaws.com" })),
            allow(json!({ "Service": ["sns.amazonaws.com", "sqs.amazonaws.com"] })),
            true,
        ),
        (
            allow(aws("arn:aws:iam::111122223333:user/a")),
            allow(aws("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1")),
            true,
        ),
        (
            allow(json!("*")),
            json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "111122223333" }, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*" }),
            false,
        ),
        (allow(aws("111122223333")), allow(json!({ "CanonicalUser": "79a5" })), true),
    ] {
        check(existing, new, expected);
    }
}

#[test]
fn variables() {
    let own = |resource: &str| allow("s3:GetObject", resource);
    for (existing, new, expected) in [
        (own("arn:aws:s3:::home/${aws:username}/*"), own("arn:aws:s3:::home/${aws:username}/*"), false),
        (own("arn:aws:s3:::home/*"), own("arn:aws:s3:::home/${aws:username}/*"), false),
        (own("arn:aws:s3:::home/${aws:username}/*"), own("arn:aws:s3:::home/*"), true),
        (own("arn:aws:s3:::home/${aws:username}/*"), own("arn:aws:s3:::home/${aws:username}/${aws:userid}"), false),
        // Only who is called bob gets in.
        (
            json!([]),
            json!([own("arn:aws:s3:::home/${aws:username}/*"), { "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::home/bob/*" }]),
            true,
        ),
        // A role has no user name, and so the Deny does not touch it.
        (
            json!([]),
            json!([own("arn:aws:s3:::home/x"), { "Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::home/*", "Condition": { "StringLike": { "aws:username": "*" } } }]),
            true,
        ),
    ] {
        check(existing, new, expected);
    }
}

#[test]
fn a_grant_is_found_by_action_and_resource() {
    let policy = statements(&json!([allow("s3:Get*", "arn:aws:s3:::a/*"), allow("sqs:*", "*")]));
    let kind = decide::kind(&[&policy]);
    let granted = |actions: &[&str], resources: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let answer = decide::granted(&policy, &owned(actions), &owned(resources), kind).unwrap();
        matches!(answer.verdict, Verdict::Access(_))
    };
    assert!(granted(&["s3:GetObject"], &[]));
    assert!(!granted(&["s3:PutObject"], &[]));
    assert!(granted(&["s3:GetObject"], &["arn:aws:s3:::a/b"]));
    assert!(!granted(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    assert!(granted(&[], &["arn:aws:sqs:us-east-1:111122223333:q"]));
    assert!(granted(&["iam:PassRole", "sqs:SendMessage"], &[]));
}

#[test]
fn what_is_not_exact_is_named() {
    let old = statements(&json!([allow("s3:GetObject", "arn:aws:s3:::${aws:username}/*")]));
    let answer = compare(&old, &old);
    assert_eq!(answer.verdict, Verdict::NoAccess);
    assert!(answer.approximations.contains(&Approximation::PolicyVariables));
}

/// Which Allows of a bucket's policy let anybody in.
fn public(list: Value) -> Vec<usize> {
    let answer = decide::public(&statements(&list)).unwrap();
    assert_eq!(answer.undecided, None, "{list}");
    assert_eq!(answer.witness.is_some(), !answer.statements.is_empty());
    answer.statements
}

#[test]
fn public_is_what_nothing_fixed_names() {
    let everyone = |condition: Value| json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition });
    for (condition, expected) in [
        (json!({}), true),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "o-abcde12345" } }), false),
        (json!({ "StringLike": { "aws:PrincipalOrgID": "o-*" } }), true),
        (json!({ "StringEqualsIfExists": { "aws:PrincipalOrgID": "o-abcde12345" } }), true),
        (json!({ "ForAllValues:StringLike": { "aws:PrincipalOrgPaths": "o-abcde12345/*" } }), true),
        (json!({ "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": "o-abcde12345/*" } }), false),
        (json!({ "StringEquals": { "aws:SourceVpce": ["vpce-1a2b3c4d", "vpce-1a2b3c4e"] } }), false),
        (json!({ "StringLike": { "aws:SourceVpce": "vpce-*" } }), true),
        (json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1a2b3c4d" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
        (json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/1", "128.0.0.0/1"] } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "64.0.0.0/7" } }), true),
        (json!({ "StringEquals": { "aws:Referer": "a long secret" } }), true),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), true),
        (json!({ "Bool": { "aws:PrincipalIsAWSService": "true" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:111122223333:*" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:*:topic" } }), true),
        (json!({ "StringEquals": { "aws:PrincipalAccount": "${aws:ResourceAccount}" } }), false),
        (json!({ "StringEquals": { "aws:PrincipalAccount": ["111122223333", "444455556666"] } }), false),
        (json!({ "StringLike": { "s3:DataAccessPointArn": "arn:aws:s3:*:111122223333:accesspoint/*" } }), false),
        (json!({ "StringLike": { "aws:userid": "AROAEXAMPLEID1234567:*" } }), false),
        // One fixed value is not enough where another lets anybody in.
        (json!({ "StringLike": { "aws:PrincipalOrgID": ["o-abcde12345", "o-?????*"] } }), true),
        // Both together can never hold.
        (json!({ "StringEquals": { "aws:Referer": "a" }, "StringNotLike": { "aws:Referer": "a*" } }), false),
    ] {
        assert_eq!(
            public(json!([everyone(condition.clone())])),
            if expected { vec![0] } else { vec![] },
            "{condition}"
        );
    }
    let deny = |rest: Value| {
        let mut deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*" });
        deny.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        deny
    };
    for (rest, expected) in [
        (json!({}), false),
        (json!({ "Action": "s3:PutObject" }), true),
        (json!({ "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-abcde12345" } } }), false),
        (json!({ "Condition": { "StringNotLike": { "aws:PrincipalOrgID": "o-*" } } }), true),
        (json!({ "Condition": { "Bool": { "aws:SecureTransport": "false" } } }), true),
        (json!({ "Condition": { "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }), false),
        (json!({ "Resource": "arn:aws:s3:::b/secret/*" }), true),
    ] {
        let list = json!([everyone(json!({})), deny(rest.clone())]);
        assert_eq!(!public(list).is_empty(), expected, "{rest}");
    }
    let named = |principal: Value| json!([{ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*" }]);
    assert!(public(named(json!({ "AWS": "111122223333" }))).is_empty());
    assert!(public(named(json!({ "Service": "sns.amazonaws.com" }))).is_empty());
    assert_eq!(public(named(json!({ "AWS": ["111122223333", "*"] }))), [0]);
    let but_one = json!([{ "Effect": "Allow", "NotPrincipal": { "AWS": "111122223333" }, "Action": "s3:GetObject", "Resource": "*" }]);
    assert_eq!(public(but_one), [0]);
}

#[test]
fn who_is_outside_depends_on_whom_one_trusts() {
    let policy = statements(&json!([
        { "Effect": "Allow", "Principal": { "AWS": ["111122223333", "444455556666"] }, "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": "*" },
        { "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*", "Condition": { "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:777788889999:*" } } },
        { "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sqs:SendMessage", "Resource": "*" },
        { "Effect": "Deny", "Principal": { "AWS": "444455556666" }, "Action": "sqs:ReceiveMessage", "Resource": "*" },
    ]));
    let zone = |accounts: &[&str]| decide::Zone {
        accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
        ..decide::Zone::default()
    };
    let outside = |accounts: &[&str]| -> Vec<(usize, Vec<String>, bool)> {
        let answer = decide::external(&policy, &zone(accounts)).unwrap();
        assert_eq!(answer.undecided, None);
        answer.findings.into_iter().map(|finding| (finding.statement, finding.actions, finding.is_public)).collect()
    };
    let send = || vec!["sqs:sendmessage".to_owned()];
    assert_eq!(outside(&["111122223333"]), [(0, send(), false), (1, send(), false)]);
    assert_eq!(outside(&["111122223333", "444455556666"]), [(1, send(), false)]);
    assert_eq!(outside(&["111122223333", "444455556666", "777788889999"]), []);
}

#[test]
fn a_line_is_answered_or_refused_with_one_sentence() {
    let policy =
        json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "s3:*", "Resource": "*" } });
    let line = json!({ "id": 7, "existing": null, "new": policy }).to_string();
    let (answer, understood) = decide::compare_line(&line, false);
    assert!(understood);
    assert_eq!((&answer["id"], &answer["new_access"]), (&json!(7), &json!(true)));
    assert_eq!(answer["witness"]["statement"], 0);
    for (line, expected) in [
        ("nonsense", "the line is not a JSON object"),
        ("[]", "the line is not a JSON object"),
        (r#"{"id":1,"new":null}"#, "`existing` is missing"),
        (
            r#"{"id":1,"existing":null,"new":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringSame":{"a":"b"}}}}}"#,
            "the new policy cannot be understood: `StringSame` is not a condition operator",
        ),
    ] {
        let (answer, understood) = decide::compare_line(line, false);
        assert!(!understood);
        assert!(answer["error"].as_str().unwrap().starts_with(expected), "{answer}");
    }
    let (answer, understood) = decide::public_line(r#"{"id":1,"resource_type":"AWS::No::Such","policy":null}"#);
    assert!(!understood && answer["error"].as_str().unwrap().contains("AWS::No::Such"), "{answer}");
    let (answer, understood) = decide::public_line(r#"{"id":1,"resource_type":"AWS::S3::Bucket","policy":null}"#);
    assert!(understood && answer["public"] == json!(false), "{answer}");
}

#[test]
fn a_document_without_a_version_is_read_in_that_of_the_other_and_that_is_said() {
    let statement = allow("s3:GetObject", "arn:aws:s3:::home/${aws:username}/*");
    let with = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let without = json!({ "Statement": [statement] });
    let compare = |as_written: bool| {
        let pair = decide::Pair::read(&without, &with, as_written).unwrap();
        pair.compare(pair.kind()).unwrap()
    };
    let assumed = compare(false);
    assert_eq!(assumed.verdict, Verdict::NoAccess);
    assert!(assumed.approximations.contains(&Approximation::VersionAssumed));
    let written = compare(true);
    assert!(matches!(written.verdict, Verdict::Access(_)));
    assert!(!written.approximations.contains(&Approximation::VersionAssumed));
}

#[test]
fn both_cores_read_the_odd_corners_alike() {
    let any = || allow("s3:GetObject", "*");
    let own_arn = || allow_if(json!({ "ArnEquals": { "aws:PrincipalArn": "${aws:PrincipalArn}" } }));
    let named = |principal: Value| json!({ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*" });
    let object = |resource: &str| allow("s3:GetObject", resource);
    let deny_elsewhere = |resource: &str| json!([any(), { "Effect": "Deny", "Action": "*", "NotResource": resource }]);
    for (existing, new, expected) in [
        // With no value to compare with, a set operator holds only where the key is absent; so does an empty list.
        (
            allow_if(json!({ "Null": { "aws:CalledVia": "true" } })),
            allow_if(json!({ "ForAllValues:StringEquals": { "aws:CalledVia": [] } })),
            false,
        ),
        (json!([]), allow_if(json!({ "ForAnyValue:StringNotEquals": { "aws:CalledVia": [] } })), false),
        (json!([]), allow_if(json!({ "StringEquals": { "aws:Referer": [] } })), false),
        (any(), allow_if(json!({ "StringNotEquals": { "aws:Referer": [] } })), false),
        (allow_if(json!({ "StringNotEquals": { "aws:Referer": [] } })), any(), false),
        // A variable that is an ARN is compared as one.
        (
            own_arn(),
            allow_if(json!({ "ArnEquals": { "aws:PrincipalArn": ["arn:aws:iam::*:role/x", "${aws:PrincipalArn}"] } })),
            false,
        ),
        (
            allow_if(json!({ "ArnEquals": { "aws:PrincipalArn": "arn:aws:iam::*:role/*" } })),
            allow_if(json!({ "ArnEquals": { "aws:PrincipalArn": "${aws:PrincipalArn}" } })),
            true,
        ),
        // A caller whom a variable fits is found among those that the policies tell apart.
        (
            json!([allow_if(json!({ "ArnEquals": { "aws:SourceArn": "${aws:PrincipalArn}" } }))]),
            json!([
                allow_if(json!({ "ArnEquals": { "aws:SourceArn": "${aws:PrincipalArn}" } })),
                allow_if(json!({ "StringEquals": { "aws:username": "bob" } }))
            ]),
            true,
        ),
        // What follows a variable may be what a wildcard of another text stands for.
        (
            json!([object("arn:aws:s3:::a/${aws:PrincipalTag/t}"), { "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::a/*" }]),
            json!([object("arn:aws:s3:::${aws:PrincipalTag/t}/b"), { "Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::a/*" }]),
            true,
        ),
        // A text that an operator of switches cannot compare is neither true nor false: a tag may be one.
        (
            json!([
                allow_if(json!({ "Bool": { "aws:PrincipalTag/x": "true" } })),
                allow_if(json!({ "Bool": { "aws:PrincipalTag/x": "false" } })),
                allow_if(json!({ "Null": { "aws:PrincipalTag/x": "true" } })),
            ]),
            any(),
            true,
        ),
        // A key that AWS fills with times holds nothing but times.
        (
            json!([
                allow_if(json!({ "DateLessThan": { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
                allow_if(json!({ "DateGreaterThanEquals": { "aws:CurrentTime": "2026-01-01T00:00:00Z" } })),
            ]),
            any(),
            false,
        ),
        // What a variable without a value leaves out is open; the other parts of the ARN are not.
        (object("arn:aws:s3:::home/*"), deny_elsewhere("arn:aws:s3:::home/${aws:PrincipalTag/none}"), true),
        (object("arn:aws:s3:::*"), deny_elsewhere("arn:aws:s3:::home/${aws:PrincipalTag/none}"), false),
        // `*` of a kind is everyone of that kind.
        (named(json!({ "Service": "*" })), named(json!({ "Service": "sns.amazonaws.com" })), false),
        (named(json!({ "Service": "sns.amazonaws.com" })), named(json!({ "Service": "*" })), true),
        (named(json!({ "Service": "*" })), named(json!({ "AWS": "111122223333" })), true),
        (named(json!({ "Federated": "*" })), named(json!({ "Federated": "accounts.google.com" })), false),
        (named(json!("*")), named(json!({ "Federated": "*" })), false),
    ] {
        check(existing, new, expected);
    }
}

#[test]
fn everyone_of_a_kind_is_public_where_anybody_can_be_of_it() {
    let public = |principal: Value| {
        let document = statements(
            &json!([{ "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*" }]),
        );
        !decide::public(&document).unwrap().statements.is_empty()
    };
    assert!(public(json!("*")) && public(json!({ "AWS": "*" })));
    // Anybody can set up an identity provider; nobody can be an AWS service.
    assert!(public(json!({ "Federated": "*" })));
    assert!(!public(json!({ "Service": "*" })) && !public(json!({ "CanonicalUser": "*" })));
}

// From here on: policies over a small alphabet, and every request over a small alphabet.

const ACTIONS: &[&str] = &["s3:getobject", "s3:putobject", "s3:listbucket", "ec2:runinstances"];
const RESOURCES: &[&str] = &[
    "arn:aws:s3:::a/b",
    "arn:aws:s3:::a/bc",
    "arn:aws:s3:::a/c",
    "arn:aws:s3:::b/b",
    "arn:aws:s3:::a",
    "arn:aws:ec2:us-east-1:111122223333:instance/i-1",
];

fn action() -> impl Strategy<Value = Value> {
    let patterns = select(vec![
        "s3:GetObject",
        "s3:*Object",
        "s3:*",
        "s3:Put?bject",
        "*",
        "ec2:RunInstances",
        "s3:List*",
        "*:*Object",
    ]);
    prop::collection::vec(patterns, 1..3).prop_map(Value::from)
}

fn resource() -> impl Strategy<Value = Value> {
    let patterns = select(vec![
        "*",
        "arn:aws:s3:::a/*",
        "arn:aws:s3:::a/b*",
        "arn:aws:s3:::a/?",
        "arn:aws:s3:::*/b",
        "arn:aws:s3:::a*",
        "arn:aws:s3:*:*:a/b",
        "arn:aws:s3:::${aws:PrincipalTag/t}/b",
        "arn:*:ec2:*:*:*",
    ]);
    prop::collection::vec(patterns, 1..3).prop_map(Value::from)
}

fn conditions() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        Just(json!({ "StringEquals": { "aws:PrincipalTag/t": "a" } })),
        Just(json!({ "StringNotLike": { "aws:PrincipalTag/t": ["a*", "b"] } })),
        Just(json!({ "StringEqualsIgnoreCaseIfExists": { "aws:PrincipalTag/t": "A" } })),
        Just(json!({ "Null": { "aws:PrincipalTag/t": "true" } })),
        Just(json!({ "ForAllValues:StringEquals": { "aws:CalledVia": ["a", "b"] } })),
        Just(json!({ "ForAnyValue:StringLike": { "aws:CalledVia": "a*" } })),
        Just(json!({ "ForAnyValue:StringNotEquals": { "aws:CalledVia": "a" } })),
        Just(json!({ "Null": { "aws:CalledVia": "false" } })),
        Just(json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } })),
        Just(json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.0/25", "2001:db8::/32"] } })),
        Just(json!({ "NumericGreaterThanEquals": { "aws:MultiFactorAuthAge": "5" } })),
        Just(json!({ "NumericLessThan": { "aws:MultiFactorAuthAge": "7" } })),
        Just(json!({ "Bool": { "aws:SecureTransport": "false" } })),
        Just(json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/*" } })),
        Just(json!({ "StringNotEquals": { "aws:PrincipalAccount": "111122223333" } })),
        Just(json!({ "StringLike": { "aws:username": "b*" } })),
    ];
    prop::collection::vec(one, 0..3).prop_map(|list| {
        let mut merged = serde_json::Map::new();
        for (operator, keys) in list.iter().flat_map(|condition| condition.as_object().unwrap()) {
            let into = merged.entry(operator).or_insert_with(|| json!({}));
            into.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        }
        Value::Object(merged)
    })
}

fn principal() -> impl Strategy<Value = Value> {
    select(vec![
        json!("*"),
        json!({ "AWS": "111122223333" }),
        json!({ "AWS": ["arn:aws:iam::111122223333:role/r", "arn:aws:iam::444455556666:root"] }),
        json!({ "AWS": "arn:aws:iam::111122223333:user/bob" }),
        json!({ "Service": "sns.amazonaws.com" }),
    ])
}

fn statement(named: bool) -> impl Strategy<Value = Value> {
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let negations = (prop::bool::weighted(0.15), prop::bool::weighted(0.15), prop::bool::weighted(0.15));
    (effect, action(), resource(), conditions(), principal(), negations).prop_map(
        move |(effect, action, resource, conditions, principal, (not_action, not_resource, not_principal))| {
            let mut statement = serde_json::Map::new();
            let name = |negated: bool, name: &str| if negated { format!("Not{name}") } else { name.to_owned() };
            statement.insert("Effect".to_owned(), json!(effect));
            statement.insert(name(not_action, "Action"), action);
            statement.insert(name(not_resource, "Resource"), resource);
            statement.insert("Condition".to_owned(), conditions);
            if named {
                statement.insert(name(not_principal && principal != json!("*"), "Principal"), principal);
            }
            Value::Object(statement)
        },
    )
}

fn document(named: bool) -> impl Strategy<Value = Policy> {
    prop::collection::vec(statement(named), 1..4).prop_map(|list| statements(&Value::Array(list)))
}

fn pair() -> impl Strategy<Value = (Policy, Policy)> {
    prop_oneof![(document(false), document(false)), (document(true), document(true))]
}

/// Every request over the alphabet that AWS could get.
fn requests(named: bool) -> Vec<Request> {
    let mut requesters = vec![
        Requester::from_arn("arn:aws:iam::111122223333:role/r").unwrap(),
        Requester::from_arn("arn:aws:iam::111122223333:user/bob").unwrap(),
    ];
    if named {
        requesters.push(Requester::from_arn("arn:aws:iam::777788889999:role/r").unwrap());
        requesters.push(Requester::anonymous());
        requesters.push(Requester::service("sns.amazonaws.com").unwrap());
    }
    let values = |list: &[&[&str]]| -> Vec<Vec<String>> {
        list.iter().map(|values| values.iter().map(|value| (*value).to_owned()).collect()).collect()
    };
    let tags = values(&[&[], &["a"], &["ab"], &["b"], &["x"]]);
    let via = values(&[&[], &["a"], &["b"], &["a", "b"], &["c"], &["a", "c"]]);
    let addresses = values(&[&[], &["192.0.2.1"], &["192.0.2.200"], &["2001:db8::1"]]);
    let ages = values(&[&[], &["4"], &["6"], &["8"]]);
    let mut requests = Vec::new();
    for (action, resource) in ACTIONS.iter().flat_map(|action| RESOURCES.iter().map(move |resource| (action, resource)))
    {
        let suits = match *action {
            "ec2:runinstances" => resource.contains(":ec2:"),
            "s3:listbucket" => resource.ends_with(":::a"),
            _ => resource.contains(":s3:") && resource.contains('/'),
        };
        if !suits {
            continue;
        }
        for requester in &requesters {
            let plain = Request::new(action, resource, requester.clone());
            let is_identity = requester.account().is_some();
            // One key at a time beside the others' first values, and all pairs of the first two: enough to be slow.
            for (tag, via) in tags.iter().flat_map(|tag| via.iter().map(move |via| (tag, via))) {
                for (address, age) in addresses.iter().flat_map(|address| ages.iter().map(move |age| (address, age))) {
                    if !is_identity && (!tag.is_empty() || !age.is_empty()) {
                        continue;
                    }
                    let mut context = Context::default();
                    context.insert("aws:PrincipalTag/t", tag.clone());
                    context.insert("aws:CalledVia", via.clone());
                    context.insert("aws:SourceIp", address.clone());
                    context.insert("aws:MultiFactorAuthAge", age.clone());
                    context.insert("aws:SecureTransport", vec!["true".to_owned()]);
                    requests.push(plain.clone().with_context(context));
                }
            }
        }
    }
    requests
}

/// How many cases: `PROPTEST_CASES`, for a night's run, or as many as a build can wait for.
fn config() -> ProptestConfig {
    const CASES: u32 = 24;
    let given = ProptestConfig::default();
    let cases = if given.cases == ProptestConfig::with_cases(256).cases { CASES } else { given.cases };
    ProptestConfig { cases, max_shrink_iters: 200, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_one_request_in_turn_gets_the_whole_finds((existing, new) in pair(), from in 0_usize..97) {
        let named = decide::kind(&[&existing, &new]) == decide::PolicyKind::Resource;
        let answer = compare(&existing, &new);
        prop_assert!(!matches!(answer.verdict, Verdict::Undecided(decide::Undecided::Refuted)), "refuted");
        if matches!(answer.verdict, Verdict::Access(_)) {
            // `compare` has let the evaluator look at it.
            return Ok(());
        }
        // A prime step from a random start: over many cases every request is asked, and no case takes long.
        for request in requests(named).iter().skip(from).step_by(97) {
            let gets_in = decide::lets_through(&new, request) && !decide::lets_through(&existing, request);
            prop_assert!(!gets_in || matches!(answer.verdict, Verdict::Undecided(_)), "{:?} misses {request:?}", answer.verdict);
        }
    }

    #[test]
    fn nothing_adds_to_itself(policy in document(true)) {
        prop_assert!(!matches!(compare(&policy, &policy).verdict, Verdict::Access(_)));
    }

    #[test]
    fn an_allow_never_takes_away_and_a_deny_never_adds(policy in document(false), more in document(false)) {
        use yagura_access::policy::Effect;
        let with = |effect: Effect| {
            let mut longer = policy.clone();
            longer.statements.extend(more.statements.iter().filter(|statement| statement.effect == effect).cloned());
            longer
        };
        prop_assert!(!matches!(compare(&with(Effect::Allow), &policy).verdict, Verdict::Access(_)));
        prop_assert!(!matches!(compare(&policy, &with(Effect::Deny)).verdict, Verdict::Access(_)));
    }
}
