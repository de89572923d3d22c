//! What is asked of policy documents, as tables of cases.

#![expect(clippy::needless_pass_by_value, reason = "cases read better without ampersands")]

use serde_json::{Value, json};
use yagura_access::policy::{
    Glob, InvalidPolicy, Policy, admin, allows, allows_not_action, denies_insecure_transport, escalates,
    outside_accounts, public, service_wildcard, unknown_actions,
};

const OWN: &str = "111122223333";

/// A policy with these statements.
fn doc(statements: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// An Allow for everyone with a condition.
fn everyone_if(condition: Value) -> Value {
    doc(
        json!([{ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition }]),
    )
}

/// An Allow for everyone, and a Deny for everyone with a condition.
fn everyone_unless(condition: Value) -> Value {
    doc(json!([
        { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*" },
        { "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"], "Condition": condition },
    ]))
}

fn for_principal(element: &str, principal: Value) -> Value {
    doc(json!({ "Effect": "Allow", element: principal, "Action": "sqs:SendMessage", "Resource": "*" }))
}

/// A policy of an identity with one Allow.
fn allow(actions: Value, resources: Value) -> Value {
    doc(json!({ "Effect": "Allow", "Action": actions, "Resource": resources }))
}

#[test]
fn no_policy_lets_nobody_in_and_a_malformed_one_is_an_error() {
    for none in [Value::Null, json!(""), json!("  ")] {
        assert!(!public(&none).unwrap());
        assert!(!admin(&none).unwrap());
        assert!(!allows(&none, "s3:GetObject", "*").unwrap());
        assert!(outside_accounts(&none, OWN).unwrap().is_empty());
        assert!(escalates(&none).unwrap().is_empty());
    }
    for (malformed, message) in [
        (json!("not json"), "the policy is not a JSON document"),
        (json!("%7Bnot json"), "the policy is not a JSON document"),
        (json!("%ff"), "the policy is not UTF-8"),
        (json!("[]"), "`the policy` is not an object"),
        (json!(7), "`the policy` is not a policy document"),
        (json!({}), "`Statement` is not a statement or a list of statements"),
        (json!({ "Version": "2013-01-01", "Statement": [] }), "`Version` is not `2012-10-17` or `2008-10-17`"),
        (json!({ "Statment": [] }), "`Statment` is no element of a policy"),
        (doc(json!([1])), "`Statement[0]` is not a statement"),
        (
            doc(json!([{ "Effect": "allow", "Action": "*", "Resource": "*" }])),
            "`Statement[0].Effect` is not `Allow` or `Deny`",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Resource": "*" }])),
            "Statement[0] needs one of `Action` and `NotAction`, and not both",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Action": "*", "NotAction": "*" }])),
            "Statement[0] needs one of `Action` and `NotAction`, and not both",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Action": { "Ref": "X" } }])),
            "`Statement[0].Action` is not a text or a list of texts",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Action": "*", "Principal": "arn:aws:iam::111122223333:root" }])),
            "`Statement[0].Principal` is not `*` or an object of principals",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Action": "*", "Principal": { "AWSS": "*" } }])),
            "`AWSS` is no element of a principal",
        ),
        (
            doc(json!([{ "Effect": "Allow", "Action": "*", "Conditions": {} }])),
            "`Conditions` is no element of a statement",
        ),
        (
            everyone_if(json!({ "StringMatches": { "aws:SourceIp": "x" } })),
            "`StringMatches` is not a condition operator",
        ),
        (
            everyone_if(json!({ "NullIfExists": { "aws:SourceIp": "true" } })),
            "`NullIfExists` is not a condition operator",
        ),
    ] {
        assert_eq!(public(&malformed).unwrap_err().to_string(), message);
        assert!(admin(&malformed).is_err());
        assert!(unknown_actions(&malformed).is_err());
    }
}

#[test]
fn a_document_is_read_as_an_object_a_text_or_an_encoded_text() {
    let object = for_principal("Principal", json!("*"));
    let text = object.to_string();
    let encoded =
        text.replace('%', "%25").replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace(':', "%3A");
    for form in [object, json!(text), json!(encoded)] {
        assert!(public(&form).unwrap());
    }
}

#[test]
fn everyone_is_public_unless_a_condition_names_somebody() {
    let account = |value: &str| json!({ "StringEquals": { "aws:SourceAccount": value } });
    for (condition, expected) in [
        (json!({}), true),
        (account(OWN), false),
        (account("*"), true),
        (json!({ "StringEquals": { "AWS:SourceAccount": [OWN, "444455556666"] } }), false),
        (json!({ "StringLike": { "aws:SourceAccount": ["1111*"] } }), true),
        (json!({ "StringEquals": { "aws:SourceAccount": [OWN, "*"] } }), true),
        (json!({ "StringEqualsIfExists": { "aws:SourceAccount": OWN } }), true),
        (
            json!({ "StringEqualsIfExists": { "aws:SourceAccount": OWN }, "Null": { "aws:SourceAccount": "false" } }),
            false,
        ),
        (json!({ "StringNotEquals": { "aws:SourceAccount": OWN } }), true),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "o-example1234" } }), false),
        (json!({ "StringLike": { "aws:PrincipalOrgID": "o-*" } }), true),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "${aws:ResourceOrgID}" } }), false),
        (json!({ "StringEquals": { "aws:PrincipalOrgID": "${aws:PrincipalOrgID}" } }), true),
        (json!({ "StringEquals": { "aws:ResourceOrgID": "o-example1234" } }), true),
        (json!({ "StringEquals": { "aws:ResourceAccount": "${aws:PrincipalAccount}" } }), false),
        (json!({ "StringEquals": { "aws:ResourceAccount": OWN } }), true),
        (
            json!({ "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": "o-example1234/r-ab12/ou-ab12-11111111/*" } }),
            false,
        ),
        (json!({ "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": "*/r-ab12/ou-ab12-11111111/*" } }), false),
        (json!({ "ForAnyValue:StringLike": { "aws:PrincipalOrgPaths": "*" } }), true),
        (json!({ "ForAllValues:StringLike": { "aws:PrincipalOrgPaths": "o-example1234/*" } }), true),
        (
            json!({ "ForAllValues:StringLike": { "aws:PrincipalOrgPaths": "o-example1234/*" }, "Null": { "aws:PrincipalOrgPaths": "false" } }),
            false,
        ),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::111122223333:role/*" } }), false),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/Admin" } }), true),
        (json!({ "StringLike": { "aws:PrincipalArn": "*" } }), true),
        (json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:sns:*:*:topic" } }), true),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:s3:::bucket" } }), false),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:*:s3:*:*:bucket" } }), true),
        (json!({ "ArnLike": { "aws:SourceArn": "arn:aws:s3:::*" } }), true),
        (json!({ "StringEquals": { "aws:SourceVpce": "vpce-0123456789abcdef0" } }), false),
        (json!({ "StringLike": { "aws:SourceVpce": "vpce-*" } }), true),
        (json!({ "StringEquals": { "aws:sourceVpc": ["vpc-1", "vpc-2"] } }), false),
        (json!({ "Null": { "aws:SourceVpce": "false" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.1" } }), false),
        (json!({ "IpAddress": { "aws:SourceIp": ["192.0.2.0/24", "0.0.0.0/0"] } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"] } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "8.0.0.0/7" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": ["8.0.0.0/8", "9.0.0.0/8"] } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "2001:db8::/32" } }), false),
        (json!({ "IpAddress": { "aws:SourceIp": "2000::/3" } }), true),
        // No address is in what is no network: nobody gets in.
        (json!({ "IpAddress": { "aws:SourceIp": "somewhere" } }), false),
        (json!({ "IpAddress": { "aws:VpcSourceIp": "10.0.0.0/16" } }), true),
        (json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), true),
        (json!({ "StringEquals": { "kms:CallerAccount": OWN } }), false),
        (json!({ "StringEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com" } }), true),
        (
            json!({ "StringEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:CallerAccount": OWN } }),
            false,
        ),
        (json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "NONE" } }), true),
        (json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "AWS_IAM" } }), true),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), true),
        (json!({ "Bool": { "elasticfilesystem:AccessedViaMountTarget": "true" } }), false),
        (json!({ "Bool": { "aws:PrincipalIsAWSService": true } }), false),
        (json!({ "StringLike": { "aws:userid": "AROAEXAMPLEEXAMPLEEX:*" } }), false),
        (json!({ "StringLike": { "aws:userid": "*:session" } }), true),
        (json!({ "StringLike": { "aws:Referer": "https://example.com/*" } }), true),
        (json!({ "StringLike": { "sns:Endpoint": "*@example.com" } }), false),
        (json!({ "StringLike": { "sns:Endpoint": "*" } }), true),
        (json!({ "StringEquals": { "sts:ExternalId": "secret" } }), true),
        (json!({ "StringEquals": { "aws:SourceAccount": [] } }), false),
    ] {
        assert_eq!(public(&everyone_if(condition.clone())).unwrap(), expected, "{condition}");
    }
}

#[test]
fn a_deny_takes_the_public_away_wholly_or_not_at_all() {
    for (condition, expected) in [
        (json!({}), false),
        (json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } }), false),
        (
            json!({ "StringNotEqualsIfExists": { "aws:PrincipalOrgID": "o-example1234" }, "BoolIfExists": { "aws:PrincipalIsAWSService": "false" } }),
            false,
        ),
        (
            json!({ "StringNotEquals": { "aws:PrincipalOrgID": "o-example1234" }, "Bool": { "aws:SecureTransport": "false" } }),
            true,
        ),
        (json!({ "Bool": { "aws:SecureTransport": "false" } }), true),
        (json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), false),
        (json!({ "NotIpAddress": { "aws:SourceIp": "0.0.0.0/0" } }), true),
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), true),
        (json!({ "ForAnyValue:StringNotLike": { "aws:PrincipalOrgPaths": "o-example1234/*" } }), true),
        (json!({ "ForAllValues:StringNotLike": { "aws:PrincipalOrgPaths": "o-example1234/*" } }), false),
        (json!({ "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/x" } }), true),
    ] {
        assert_eq!(public(&everyone_unless(condition.clone())).unwrap(), expected, "{condition}");
    }
    let partly = doc(json!([
        { "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*" },
        { "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*" },
    ]));
    assert!(public(&partly).unwrap());
    let for_one = doc(json!([
        { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" },
        { "Effect": "Deny", "Principal": { "AWS": "arn:aws:iam::444455556666:root" }, "Action": "*", "Resource": "*" },
    ]));
    assert!(public(&for_one).unwrap());
    let but_one = doc(json!([
        { "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" },
        { "Effect": "Deny", "NotPrincipal": { "AWS": "arn:aws:iam::444455556666:root" }, "Action": "*", "Resource": "*" },
    ]));
    assert!(!public(&but_one).unwrap());
    assert_eq!(outside_accounts(&but_one, OWN).unwrap(), ["444455556666"]);
}

#[test]
fn everyone_has_several_spellings() {
    for (element, principal, expected) in [
        ("Principal", json!("*"), true),
        ("Principal", json!({ "AWS": "*" }), true),
        ("Principal", json!({ "AWS": ["arn:aws:iam::111122223333:root", "*"] }), true),
        ("Principal", json!({ "AWS": "arn:aws:iam::*:root" }), true),
        ("Principal", json!({ "AWS": "111122223333" }), false),
        ("Principal", json!({ "Service": "sns.amazonaws.com" }), false),
        (
            "Principal",
            json!({ "CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be" }),
            false,
        ),
        ("NotPrincipal", json!({ "AWS": "arn:aws:iam::111122223333:root" }), true),
    ] {
        assert_eq!(public(&for_principal(element, principal.clone())).unwrap(), expected, "{element} {principal}");
    }
    assert!(!public(&allow(json!("*"), json!("*"))).unwrap(), "a policy of an identity speaks of nobody else");
}

#[test]
fn outsiders_are_named() {
    let trust = |principal: Value, condition: Value| {
        doc(json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition }))
    };
    let none: [&str; 0] = [];
    for (document, expected) in [
        (
            for_principal(
                "Principal",
                json!({ "AWS": ["arn:aws:iam::111122223333:role/x", "444455556666", "arn:aws:iam::777788889999:user/y"] }),
            ),
            vec!["444455556666", "777788889999"],
        ),
        (for_principal("Principal", json!("*")), vec!["*"]),
        (for_principal("NotPrincipal", json!({ "AWS": "444455556666" })), vec!["*"]),
        (
            everyone_if(json!({ "StringEquals": { "aws:PrincipalAccount": [OWN, "444455556666"] } })),
            vec!["444455556666"],
        ),
        (everyone_if(json!({ "StringEquals": { "aws:PrincipalOrgID": "o-example1234" } })), vec!["o-example1234"]),
        (
            everyone_if(
                json!({ "StringEquals": { "aws:PrincipalOrgID": "o-example1234", "aws:PrincipalAccount": OWN } }),
            ),
            none.to_vec(),
        ),
        (everyone_if(json!({ "StringEquals": { "aws:SourceVpce": "vpce-1" } })), none.to_vec()),
        (
            everyone_unless(json!({ "StringNotEquals": { "aws:PrincipalAccount": [OWN, "444455556666"] } })),
            vec!["444455556666"],
        ),
        (everyone_unless(json!({ "Bool": { "aws:SecureTransport": "false" } })), vec!["*"]),
        (trust(json!({ "Service": "sns.amazonaws.com" }), json!({})), none.to_vec()),
        (
            trust(
                json!({ "Service": "sns.amazonaws.com" }),
                json!({ "StringEquals": { "aws:SourceAccount": "444455556666" } }),
            ),
            vec!["444455556666"],
        ),
        (
            trust(json!({ "AWS": "444455556666" }), json!({ "StringEquals": { "aws:PrincipalAccount": OWN } })),
            none.to_vec(),
        ),
        (trust(json!({ "AWS": "AIDAEXAMPLEEXAMPLEEX" }), json!({})), none.to_vec()),
        (
            trust(
                json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }),
                json!({}),
            ),
            none.to_vec(),
        ),
        (trust(json!({ "Federated": "arn:aws:iam::444455556666:saml-provider/x" }), json!({})), vec!["444455556666"]),
        (trust(json!({ "Federated": "accounts.google.com" }), json!({})), vec!["accounts.google.com"]),
        (
            trust(
                json!({ "Federated": "cognito-identity.amazonaws.com" }),
                json!({ "StringEquals": { "cognito-identity.amazonaws.com:aud": "us-east-1:1234" } }),
            ),
            none.to_vec(),
        ),
        (
            trust(json!({ "Federated": "cognito-identity.amazonaws.com" }), json!({})),
            vec!["cognito-identity.amazonaws.com"],
        ),
    ] {
        assert_eq!(outside_accounts(&document, OWN).unwrap(), expected, "{document}");
    }
}

#[test]
fn an_action_is_allowed_where_an_allow_covers_it_and_no_deny_surely_takes_it() {
    let all_but = doc(json!([
        { "Effect": "Allow", "Action": "s3:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*" },
        { "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": { "Bool": { "aws:SecureTransport": "false" } } },
    ]));
    let not_action = doc(json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }));
    let not_resource = doc(json!({ "Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret/*" }));
    let keys = allow(json!("kms:Decrypt"), json!("arn:aws:kms:*:111122223333:key/*"));
    let all_keys = allow(json!("kms:Decrypt"), json!("arn:aws:kms:*:*:key/*"));
    for (document, action, resource, expected) in [
        (&all_but, "s3:GetObject", "arn:aws:s3:::b/k", true),
        (&all_but, "S3:getobject", "*", true),
        (&all_but, "s3:DeleteObject", "*", false),
        (&all_but, "s3:PutObject", "*", true),
        (&all_but, "s3:*", "*", true),
        (&all_but, "*", "*", false),
        (&all_but, "ec2:RunInstances", "*", false),
        (&not_action, "ec2:RunInstances", "*", true),
        (&not_action, "iam:PassRole", "*", false),
        (&not_action, "*", "*", false),
        (&not_resource, "s3:GetObject", "arn:aws:s3:::open/k", true),
        (&not_resource, "s3:GetObject", "arn:aws:s3:::secret/k", false),
        (&not_resource, "s3:GetObject", "*", false),
        (&keys, "kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/k", true),
        (&keys, "kms:Decrypt", "arn:aws:kms:*:111122223333:key/*", true),
        (&keys, "kms:Decrypt", "*", false),
        (&all_keys, "kms:Decrypt", "*", true),
    ] {
        assert_eq!(allows(document, action, resource).unwrap(), expected, "{document} {action} {resource}");
    }
}

#[test]
fn admin_is_everything_on_everything() {
    let star = |action: Value, resource: Value| allow(action, resource);
    for (document, expected) in [
        (star(json!("*"), json!("*")), true),
        (star(json!(["s3:Get*", "*"]), json!(["arn:aws:s3:::b", "*"])), true),
        (star(json!("*:*"), json!("*")), true),
        (star(json!("*"), json!("arn:aws:*:*:*:*")), true),
        (star(json!("*"), json!("arn:aws:s3:::*")), false),
        (star(json!("s3:*"), json!("*")), false),
        (doc(json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" })), false),
        (
            doc(
                json!([{ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" }, { "Effect": "Allow", "Action": "iam:*", "Resource": "*" }]),
            ),
            true,
        ),
        (
            doc(
                json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }, { "Effect": "Deny", "Action": "*", "Resource": "*" }]),
            ),
            false,
        ),
        (
            doc(
                json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }, { "Effect": "Deny", "Action": "s3:*", "Resource": "*" }]),
            ),
            true,
        ),
        (
            doc(
                json!({ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } }),
            ),
            true,
        ),
        (doc(json!({ "Effect": "Deny", "Action": "*", "Resource": "*" })), false),
    ] {
        assert_eq!(admin(&document).unwrap(), expected, "{document}");
    }
}

#[test]
fn a_whole_service_is_a_service_wildcard() {
    for (document, wildcard, not_action) in [
        (allow(json!("s3:*"), json!("arn:aws:s3:::b/*")), true, false),
        (allow(json!("*"), json!("*")), true, false),
        (allow(json!("s3:**"), json!("*")), true, false),
        (allow(json!("s3:Get*"), json!("*")), false, false),
        (doc(json!({ "Effect": "Allow", "NotAction": "iam:*", "Resource": "*" })), true, true),
        (doc(json!({ "Effect": "Deny", "NotAction": "iam:*", "Resource": "*" })), false, false),
        (
            doc(
                json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }, { "Effect": "Deny", "Action": "s3:*", "Resource": "*" }]),
            ),
            false,
            false,
        ),
    ] {
        assert_eq!(service_wildcard(&document).unwrap(), wildcard, "{document}");
        assert_eq!(allows_not_action(&document).unwrap(), not_action, "{document}");
    }
}

#[test]
fn insecure_transport_is_denied_to_everyone_for_all_of_the_resource() {
    let deny = |principal: Value, action: Value, resource: Value, condition: Value| {
        doc(
            json!([{ "Effect": "Deny", "Principal": principal, "Action": action, "Resource": resource, "Condition": condition }]),
        )
    };
    let insecure = || json!({ "Bool": { "aws:SecureTransport": "false" } });
    let both = || json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]);
    for (document, expected) in [
        (deny(json!("*"), json!("s3:*"), both(), insecure()), true),
        (deny(json!({ "AWS": "*" }), json!("*"), json!("*"), insecure()), true),
        (deny(json!("*"), json!("sqs:*"), json!("arn:aws:sqs:us-east-1:111122223333:q"), insecure()), true),
        (deny(json!("*"), json!("s3:*"), json!("arn:aws:s3:::b*"), insecure()), true),
        (deny(json!("*"), json!("s3:*"), json!("arn:aws:s3:::b/*"), insecure()), false),
        (deny(json!("*"), json!("s3:*"), json!("arn:aws:s3:::b"), insecure()), false),
        (deny(json!("*"), json!("s3:*"), json!(["arn:aws:s3:::b", "arn:aws:s3:::c/*"]), insecure()), false),
        (deny(json!("*"), json!("s3:GetObject"), both(), insecure()), false),
        (deny(json!({ "AWS": OWN }), json!("s3:*"), both(), insecure()), false),
        (deny(json!("*"), json!("s3:*"), both(), json!({ "Bool": { "aws:SecureTransport": "true" } })), false),
        (deny(json!("*"), json!("s3:*"), both(), json!({ "Bool": { "aws:SecureTransport": false } })), true),
        (deny(json!("*"), json!("s3:*"), both(), json!({ "BoolIfExists": { "aws:SecureTransport": "false" } })), true),
        (
            deny(json!("*"), json!("s3:*"), both(), json!({ "StringNotEquals": { "aws:SecureTransport": "true" } })),
            true,
        ),
        (
            deny(
                json!("*"),
                json!("s3:*"),
                both(),
                json!({ "Bool": { "aws:SecureTransport": "false", "aws:ViaAWSService": "false" } }),
            ),
            false,
        ),
        (deny(json!("*"), json!("s3:*"), both(), json!({})), false),
        (everyone_if(insecure()), false),
    ] {
        assert_eq!(denies_insecure_transport(&document).unwrap(), expected, "{document}");
    }
}

#[test]
fn ways_to_more_rights_are_named() {
    let none: [&str; 0] = [];
    let pass = |condition: Value| {
        doc(json!([
            { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": condition },
            { "Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:InvokeFunction", "ec2:RunInstances"], "Resource": "*" },
        ]))
    };
    for (document, expected) in [
        (allow(json!("iam:CreatePolicyVersion"), json!("*")), vec!["create-policy-version"]),
        (
            allow(json!("iam:Attach*Policy"), json!("*")),
            vec!["attach-user-policy", "attach-group-policy", "attach-role-policy"],
        ),
        (allow(json!("iam:PutUserPolicy"), json!("arn:aws:iam::*:user/${aws:username}")), vec!["put-user-policy"]),
        (allow(json!("iam:CreateAccessKey"), json!("arn:aws:iam::*:user/${aws:username}")), none.to_vec()),
        (allow(json!("iam:CreateAccessKey"), json!("arn:aws:iam::*:user/*")), vec!["create-access-key"]),
        (allow(json!("sts:AssumeRole"), json!("*")), vec!["assume-any-role"]),
        (allow(json!("sts:AssumeRole"), json!("arn:aws:iam::111122223333:role/one")), none.to_vec()),
        (allow(json!(["iam:PassRole", "s3:*"]), json!("*")), none.to_vec()),
        (allow(json!(["iam:PassRole", "lambda:CreateFunction"]), json!("*")), none.to_vec()),
        (allow(json!(["iam:PassRole", "ec2:RunInstances"]), json!("*")), vec!["pass-role-to-ec2-instance"]),
        (
            allow(json!(["lambda:UpdateFunctionCode"]), json!("arn:aws:lambda:us-east-1:111122223333:function:one")),
            none.to_vec(),
        ),
        (pass(json!({})), vec!["pass-role-to-ec2-instance", "pass-role-to-lambda-function"]),
        (
            pass(json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } })),
            vec!["pass-role-to-lambda-function"],
        ),
        (pass(json!({ "StringEquals": { "iam:PassedToService": "monitoring.rds.amazonaws.com" } })), none.to_vec()),
        (
            doc(
                json!([{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }, { "Effect": "Deny", "NotAction": "iam:AddUserToGroup", "Resource": "*" }]),
            ),
            vec!["add-user-to-group"],
        ),
        (
            doc(
                json!({ "Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*", "Condition": { "ArnEquals": { "iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess" } } }),
            ),
            none.to_vec(),
        ),
        (
            doc(
                json!({ "Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*", "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } }),
            ),
            vec!["attach-role-policy"],
        ),
        (doc(json!({ "Effect": "Allow", "Principal": { "AWS": OWN }, "Action": "sts:AssumeRole" })), none.to_vec()),
    ] {
        assert_eq!(escalates(&document).unwrap(), expected, "{document}");
    }
    assert!(escalates(&allow(json!("*"), json!("*"))).unwrap().len() > 40);
}

#[test]
fn actions_that_no_service_has_are_named() {
    let document = doc(json!([
        { "Effect": "Allow", "Action": ["s3:GetObject", "S3:GetObjekt", "*", "s3:Get*", "nosuch:*"], "Resource": "*" },
        { "Effect": "Deny", "NotAction": ["iam:PassRole", "iam:Nothing*", "nosuch:*"], "Resource": "*" },
    ]));
    assert_eq!(unknown_actions(&document).unwrap(), ["s3:getobjekt", "nosuch:*", "iam:nothing*"]);
}

#[test]
fn a_document_that_would_take_too_long_is_refused() {
    let actions: Vec<String> = (0..1_000).map(|index| format!("s3:*{index}*")).collect();
    let document = doc(json!([
        { "Effect": "Allow", "Principal": "*", "Action": actions, "Resource": "*" },
        { "Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*" },
    ]));
    assert!(matches!(public(&document), Err(InvalidPolicy::TooLarge { .. })));
    let statements: Vec<Value> =
        (0..3_000).map(|_| json!({ "Effect": "Deny", "Action": "*", "Resource": "*" })).collect();
    assert!(matches!(public(&doc(statements.into())), Err(InvalidPolicy::TooLarge { .. })));
    assert_eq!(Glob::plain("a**?").as_str(), "a**?");
}

#[test]
fn what_aws_takes_is_understood() {
    let statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" });
    let with = |name: &str, value: Value| {
        let mut statement = statement.clone();
        statement[name] = value;
        doc(json!([statement]))
    };
    for document in [
        json!({ "Statement": statement }),
        json!({ "Statement": [] }),
        json!({ "Version": "2008-10-17", "Id": "any text", "Statement": [statement] }),
        json!({ "version": "2012-10-17", "statement": [{ "effect": "Allow", "action": "*", "resource": "*" }] }),
        with("Sid", json!("")),
        with("Action", json!([])),
        with("Resource", json!([])),
        with("Condition", json!({})),
        with("Condition", json!({ "stringequals": { "AWS:SourceIp": [] } })),
        with("Condition", json!({ "Bool": { "aws:SecureTransport": false }, "NumericLessThan": { "n": 3 } })),
        with("Condition", json!({ "ForAnyValue:StringLikeIfExists": { "aws:TagKeys": ["a", "b"] } })),
        with("Principal", json!("*")),
        with("Principal", json!({ "AWS": [] })),
        with("Principal", json!({ "AWS": ["111122223333", "arn:aws:iam::111122223333:root", "AIDAEXAMPLEEXAMPLE12"] })),
        with("Principal", json!({ "AWS": "arn:aws:sts::111122223333:assumed-role/web/session" })),
        with("Principal", json!({ "CanonicalUser": "79a59df900b949e55d96a1e698fbaced" })),
        with("Principal", json!({ "Federated": "accounts.google.com", "Service": ["ec2.amazonaws.com"] })),
        with("NotPrincipal", json!({ "AWS": "arn:aws:iam::111122223333:user/alice" })),
    ] {
        assert!(Policy::from_value(&document).unwrap().is_some(), "{document}");
    }
    let twice = json!({ "Statement": [{ "Effect": "Allow", "effect": "Deny", "Action": "*", "Resource": "*" }] });
    assert_eq!(Policy::from_value(&twice).unwrap_err().to_string(), "`effect` stands there twice");
}
