//! Facts of CloudTrail events, through the door that rules use.

#![expect(clippy::unwrap_used, reason = "what makes the events is as much test as what checks them")]
#![expect(clippy::needless_pass_by_value, reason = "a literal reads better without a borrow before it")]

use proptest::prelude::*;
use serde_json::{Value, json};
use yagura_detect::{Context, Event, FactValue, Input, Source};

fn with_fact<T>(mut event: Value, name: &str, look: impl FnOnce(Option<&FactValue>) -> T) -> T {
    let object = event.as_object_mut().unwrap();
    object.entry("eventTime").or_insert(json!("2026-01-05T10:00:00Z"));
    object.entry("recipientAccountId").or_insert(json!("111122223333"));
    let text = event.to_string();
    let source = Source::named("cloudtrail").unwrap();
    let event = Event::read(&Input::new(source, &text), &Context::EMPTY).unwrap();
    look(event.fact(name))
}

fn plain(value: Option<&FactValue>) -> String {
    match value {
        None => "-".to_owned(),
        Some(FactValue::Text(text)) => text.clone(),
        Some(FactValue::Number(number)) => number.to_string(),
        Some(FactValue::Bool(truth)) => truth.to_string(),
        Some(FactValue::Texts(texts)) => texts.join(" "),
    }
}

fn check(event: Value, fact: &str, expected: &str) {
    let shown = event.to_string();
    assert_eq!(with_fact(event, fact, plain), expected, "{fact} of {shown}");
}

fn by(identity: Value) -> Value {
    json!({ "eventName": "ListBuckets", "eventSource": "s3.amazonaws.com", "userIdentity": identity })
}

fn asked(service: &str, name: &str, parameters: Value) -> Value {
    json!({
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "requestParameters": parameters,
        "userIdentity": { "type": "IAMUser", "userName": "alice", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333" },
    })
}

#[test]
fn a_caller_is_known_by_what_does_not_change() {
    let role = "arn:aws:iam::111122223333:role/path/admin";
    let session = "arn:aws:sts::111122223333:assumed-role/admin/alice@example.com";
    check(by(json!({ "type": "IAMUser", "arn": "arn:aws:iam::1:user/a" })), "principal", "arn:aws:iam::1:user/a");
    check(
        by(json!({ "type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS" })),
        "principal",
        "HIDDEN_DUE_TO_SECURITY_REASONS",
    );
    check(
        by(json!({ "type": "AssumedRole", "arn": session, "sessionContext": { "sessionIssuer": { "arn": role } } })),
        "principal",
        role,
    );
    check(by(json!({ "type": "AssumedRole", "arn": session })), "principal", "arn:aws:iam::111122223333:role/admin");
    check(by(json!({ "type": "Root", "accountId": "111122223333" })), "principal", "arn:aws:iam::111122223333:root");
    check(by(json!({ "type": "AWSService", "invokedBy": "ec2.amazonaws.com" })), "principal", "ec2.amazonaws.com");
    check(by(json!({ "invokedBy": "secretsmanager.amazonaws.com" })), "principal", "secretsmanager.amazonaws.com");
    check(
        by(json!({ "type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAEXAMPLE" })),
        "principal",
        "444455556666",
    );
    let saml = json!({ "type": "SAMLUser", "identityProvider": "idp.example.com", "userName": "alice" });
    check(by(saml), "principal", "idp.example.com/alice");
    check(by(json!({})), "principal", "-");
    check(json!({ "eventName": "X" }), "principal", "-");
}

#[test]
fn a_caller_is_of_a_kind() {
    let session = |name: &str, role: &str| json!({ "type": "AssumedRole", "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{name}") });
    check(by(json!({ "type": "IAMUser" })), "caller", "user");
    check(by(json!({ "type": "Root" })), "caller", "root");
    check(by(json!({ "type": "Root", "sessionContext": { "assumedRoot": "true" } })), "caller", "assumed-root root");
    check(by(session("i-0123456789abcdef0", "web")), "caller", "instance role workload");
    check(by(session("alice", "AWSReservedSSO_Admin_0123456789abcdef")), "caller", "role sso");
    check(by(session("AWSConfig", "AWSServiceRoleForConfig")), "caller", "automated role service-linked");
    check(by(json!({ "type": "AWSService", "invokedBy": "ec2.amazonaws.com" })), "caller", "automated service");
    check(by(json!({ "invokedBy": "ec2.amazonaws.com" })), "caller", "automated service");
    check(by(json!({ "type": "AWSAccount", "accountId": "anonymous" })), "caller", "anonymous");
    check(by(json!({ "type": "AWSAccount", "accountId": "444455556666" })), "caller", "account cross-account outside");
    check(
        by(json!({ "type": "IAMUser", "sessionContext": { "attributes": { "mfaAuthenticated": "true" } } })),
        "caller",
        "mfa user",
    );
    check(by(json!({ "type": "IAMUser", "invokedBy": "athena.amazonaws.com" })), "caller", "through-service user");
    check(json!({ "eventName": "X" }), "caller", "unknown");
}

#[test]
fn a_source_is_an_address_or_a_name() {
    let from = |text: &str| json!({ "eventName": "X", "sourceIPAddress": text });
    for (text, kind, address, network) in [
        ("198.51.100.7", "public", "198.51.100.7", "198.51.0.0/16"),
        ("198.51.100.7, 10.0.0.1", "public", "198.51.100.7", "198.51.0.0/16"),
        ("::ffff:198.51.100.7", "public", "198.51.100.7", "198.51.0.0/16"),
        ("2001:db8:1:2::3", "public", "2001:db8:1:2::3", "2001:db8::/32"),
        ("10.1.2.3", "private", "10.1.2.3", "10.1.0.0/16"),
        ("cloudtrail.amazonaws.com", "service", "-", "-"),
        ("AWS Internal", "internal", "-", "-"),
        ("08.1.250.216", "unknown", "-", "-"),
    ] {
        check(from(text), "source.kind", kind);
        check(from(text), "source.address", address);
        check(from(text), "source.network", network);
    }
    let by_endpoint = json!({ "eventName": "X", "sourceIPAddress": "10.1.2.3", "vpcEndpointId": "vpce-1" });
    check(by_endpoint.clone(), "source.kind", "endpoint");
    check(by_endpoint, "source.network", "-");
}

#[test]
fn what_became_of_a_call_is_said_in_many_ways() {
    let ended = |code: Value| json!({ "eventName": "X", "errorCode": code });
    check(ended(json!(null)), "outcome", "success");
    check(ended(json!("")), "outcome", "success");
    check(ended(json!("AccessDenied")), "outcome", "denied");
    check(ended(json!("Client.UnauthorizedOperation")), "outcome", "denied");
    check(json!({ "eventName": "X" }), "outcome", "success");
    let signed = json!({ "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "responseElements": { "ConsoleLogin": "Failure" } });
    check(signed, "outcome", "denied");
}

#[test]
fn a_policy_is_read_however_it_is_written() {
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::444455556666:root" }, "Action": "s3:*", "Resource": "*" }] });
    let text = policy.to_string();
    let encoded = text.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
    for written in [policy, json!(text), json!(encoded)] {
        check(
            asked("s3", "PutBucketPolicy", json!({ "bucketName": "b", "bucketPolicy": written })),
            "effect",
            "external",
        );
        check(
            asked("s3", "PutBucketPolicy", json!({ "bucketName": "b", "bucketPolicy": written })),
            "grantee",
            "444455556666",
        );
    }
    check(
        asked("s3", "PutBucketPolicy", json!({ "bucketName": "b", "bucketPolicy": "{ not a policy" })),
        "effect",
        "unread",
    );
    check(asked("s3", "PutBucketPolicy", json!({ "bucketName": "b" })), "effect", "-");
    check(asked("s3", "PutBucketPolicy", json!(null)), "effect", "-");
    check(asked("kms", "PutKeyPolicy", json!({ "omitted": true })), "effect", "unread");
}

#[test]
fn most_calls_have_no_effect() {
    for (service, name) in [
        ("ec2", "DescribeInstances"),
        ("s3", "GetObject"),
        ("iam", "GetUser"),
        ("sts", "AssumeRole"),
        ("logs", "PutLogEvents"),
    ] {
        check(
            asked(service, name, json!({ "policy": "*", "launchPermission": { "add": [{ "group": "all" }] } })),
            "effect",
            "-",
        );
    }
}

#[test]
fn a_grant_to_the_own_account_is_none() {
    let add = |account: &str| json!({ "launchPermission": { "add": { "items": [{ "userId": account }] } } });
    check(asked("ec2", "ModifyImageAttribute", add("444455556666")), "effect", "external");
    check(asked("ec2", "ModifyImageAttribute", add("111122223333")), "effect", "-");
}

#[test]
fn quantities_are_what_is_asked_for() {
    check(
        asked("ec2", "RunInstances", json!({ "instancesSet": { "items": [{ "minCount": 1, "maxCount": 10 }] } })),
        "quantity",
        "10",
    );
    check(asked("ec2", "RunInstances", json!({})), "quantity", "1");
    check(asked("ssm", "GetParameters", json!({ "names": ["a", "b"] })), "quantity", "2");
    check(asked("ssm", "SendCommand", json!({ "instanceIds": [] })), "quantity", "0");
    check(asked("ec2", "DescribeInstances", json!({ "maxResults": 5 })), "quantity", "-");
}

/// A JSON value of the shapes that requests have, with keys that readers look for among the others.
fn parameters() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "policyDocument",
        "bucketPolicy",
        "ipPermissions",
        "items",
        "cidrIp",
        "fromPort",
        "toPort",
        "ipProtocol",
        "launchPermission",
        "add",
        "userId",
        "group",
        "roleName",
        "userName",
        "eventSelectors",
        "LifecycleConfiguration",
        "Rule",
        "Expiration",
        "Days",
        "x-amz-acl",
        "attributes",
        "Policy",
        "principal",
        "instanceType",
        "value",
        "omitted",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "*",
            "all",
            "0.0.0.0/0",
            "444455556666",
            "{\"Statement\":",
            "%7B%7D",
            "-1",
            "",
            "p3.8xlarge"
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|members| Value::Object(
                members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    /// Whatever stands in a request, every fact answers, and to the same event always the same.
    #[test]
    fn facts_answer_whatever_stands_in_a_request(
        parameters in parameters(),
        call in prop::sample::select(vec![
            ("iam", "PutUserPolicy"), ("iam", "CreateRole"), ("iam", "CreateAccessKey"), ("s3", "PutBucketPolicy"), ("s3", "PutBucketAcl"),
            ("s3", "PutBucketLifecycle"), ("ec2", "AuthorizeSecurityGroupIngress"), ("ec2", "ModifyImageAttribute"), ("ec2", "RunInstances"),
            ("cloudtrail", "PutEventSelectors"), ("sqs", "SetQueueAttributes"), ("lambda", "AddPermission20150331v2"), ("ec2", "CreateFleet"),
        ]),
    ) {
        let event = asked(call.0, call.1, parameters);
        for fact in Source::named("cloudtrail").unwrap().facts {
            let first = with_fact(event.clone(), fact.name, plain);
            prop_assert_eq!(&first, &with_fact(event.clone(), fact.name, plain));
        }
    }

    /// A rule is open to the world exactly where its network is the whole internet, or half of it.
    #[test]
    fn a_network_is_the_world_by_its_bits(address in any::<[u8; 4]>(), bits in 0_u8..=32) {
        let cidr = format!("{}/{bits}", std::net::Ipv4Addr::from(address));
        let event = asked("ec2", "AuthorizeSecurityGroupIngress", json!({ "cidrIp": cidr, "fromPort": 22, "toPort": 22, "ipProtocol": "tcp" }));
        let found = with_fact(event, "effect", plain);
        prop_assert_eq!(found == "world-open", bits <= 1);
    }
}
