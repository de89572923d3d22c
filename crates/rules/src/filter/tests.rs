#![expect(clippy::too_many_lines, reason = "tables of cases")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(pattern: &str, event: &str, expected: bool) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    assert_eq!(parsed.matches(event), expected, "{pattern}\non {event}");
}

/// Conditions on this event, each with whether it holds.
const EVENT: &str = r#"{
    "eventName": "UpdateTrail", "code": 404, "text": "404", "ratio": 0.001, "big": 1e3, "negative": -5,
    "nothing": null, "yes": true, "no": false, "ip": "192.0.2.7", "empty": "", "quote": "say \"hi\" \\ bye",
    "user": { "name": "Alice Smith", "id": 7, "two-part": 1 }, "list": ["a", "b", { "c": 3 }], "numbers": [1, 20],
    "cluster.name": "main", "objects": [{ "n": 1 }, { "n": 2 }]
}"#;

#[test]
fn conditions_on_json() {
    for (condition, expected) in [
        (r#"$.eventName = "UpdateTrail""#, true),
        (r#"$.eventName="UpdateTrail""#, true),
        ("$.eventName = UpdateTrail", true),
        ("$.eventName=UpdateTrail", true),
        ("$.eventName = updatetrail", false),
        ("$.eventName = Update*", true),
        ("$.eventName = *Trail", true),
        (r#"$.eventName = "*date*""#, true),
        ("$.eventName = *", true),
        (r#"$.eventName = "Update""#, false),
        ("$.eventName != UpdateTrail", false),
        ("$.eventName != Other", true),
        ("$.eventName != %Trail%", false),
        ("$.eventName = %Tr[ab]+il$%", true),
        ("$.eventName = %^Trail%", false),
        ("$.eventName = %Nothing|Update%", true),
        ("$.code = 404", true),
        ("$.code = 404.0", true),
        ("$.code = 4*", true),
        ("$.code = *", true),
        ("$.code != 4*", false),
        (r#"$.code = "404""#, false),
        ("$.code > 403", true),
        ("$.code >= 404", true),
        ("$.code < 404", false),
        ("$.code <= 4.04e2", true),
        ("$.code = %40\\d%", true),
        ("$.text = 404", true),
        (r#"$.text = "404""#, true),
        ("$.text > 403", false),
        ("$.ratio = 1e-3", true),
        ("$.ratio < 1e-2", true),
        ("$.big = 1000", true),
        ("$.negative < -4", true),
        ("$.negative = -5", true),
        ("$.ip = 192.0.2.*", true),
        ("$.ip != 192.0.2.*", false),
        ("$.nothing IS NULL", true),
        ("$.nothing NOT EXISTS", false),
        ("$.nothing = *", false),
        ("$.nothing != x", false),
        ("$.absent IS NULL", false),
        ("$.absent NOT EXISTS", true),
        ("$.absent = x", false),
        ("$.absent != x", false),
        ("$.absent > 1", false),
        ("$.yes IS TRUE", true),
        ("$.yes IS FALSE", false),
        ("$.yes = true", true),
        ("$.no IS FALSE", true),
        ("$.no != true", true),
        ("$.user NOT EXISTS", false),
        ("$.user = *", false),
        ("$.user != x", false),
        (r#"$.user.name = "Alice *""#, true),
        ("$.user.two-part = 1", true),
        ("$.user.*  = 7", true),
        ("$.user.* = 8", false),
        ("$.list[0] = a", true),
        ("$.list[2].c = 3", true),
        ("$.list[3] NOT EXISTS", true),
        ("$.list[*] = b", true),
        ("$.list[*] = c", false),
        ("$.list[*] != a", true),
        ("$.objects[*].n = 2", true),
        ("$.objects[*].n > 2", false),
        ("$.objects[*].m NOT EXISTS", true),
        ("$.numbers[*] > 10", true),
        ("$.['cluster.name'] = main", true),
        ("$['cluster.name'] = main", true),
        ("$.cluster.name = main", false),
        (r#"$.empty = """#, true),
        (r#"$.empty = "x""#, false),
        (r#"$.quote = "say \"hi\" \\ bye""#, true),
    ] {
        check(&format!("{{ {condition} }}"), EVENT, expected);
        check(&format!("{{{condition}}}"), EVENT, expected);
        check(&format!("{{ ({condition}) }}"), EVENT, expected);
    }
}

#[test]
fn conditions_are_combined() {
    let (yes, no) = ("$.code = 404", "$.code = 500");
    for (pattern, expected) in [
        (format!("{{ {yes} && {no} }}"), false),
        (format!("{{ {yes} || {no} }}"), true),
        (format!("{{ {yes} || {no} && {no} }}"), true),
        (format!("{{ ({yes} || {no}) && {no} }}"), false),
        (format!("{{ {no} && {no} || {yes} }}"), true),
        (format!("{{({yes})&&(({no})||({yes}))}}"), true),
        (format!("{{{yes}&&{yes}}}"), true),
        (format!("  {{ {yes} }}  "), true),
    ] {
        check(&pattern, EVENT, expected);
    }
    check("{ $.a = 1 }", "not json", false);
    check("{ $.a = 1 }", "[1]", false);
}

#[test]
fn words_of_a_line() {
    let line = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html?a=b HTTP/1.0" 404 1534"#;
    for (pattern, expected) in [
        ("[ip, id, user, timestamp, request, status, bytes]", true),
        ("[ip, id, user, timestamp, request, status = 4*, bytes]", true),
        ("[ip, id, user, timestamp, request = *index.html*, status = 404, bytes > 1000]", true),
        (r#"[ip, id, user, timestamp, request = "GET /index*", status, bytes]"#, true),
        ("[ip, id, user, timestamp = 10/Oct*, request, status, bytes]", true),
        ("[ip = 127.0.0.*, ...]", true),
        ("[..., status = 404, bytes]", true),
        ("[..., bytes >= 1534]", true),
        ("[..., bytes < 1534]", false),
        ("[ip, ..., bytes = 1534]", true),
        ("[ip=%127\\.0\\.0\\.[0-9]%, ...]", true),
        ("[..., status = 404 || status = 410, bytes]", true),
        ("[...,status=400||status=410,bytes]", false),
        ("[..., status != 404 && status != 410, bytes]", false),
        ("[..., status != 400 && status != 410, bytes]", true),
        ("[..., status = 404.0, bytes]", true),
        ("[..., status != 404.0, bytes]", false),
        ("[ip, rest]", true),
        ("[ip, rest = *1534]", true),
        ("[ip, rest = Prod]", false),
        ("[a, b, c, d, e, f, g, h]", false),
        ("[...]", true),
        ("[ip != 127.0.0.1, ...]", false),
        ("[..., user > 5, a, b, c, d]", false),
    ] {
        check(pattern, line, expected);
    }
    check("[w1 = ERROR || w1 = %WARN%, w2]", "WARNING: disk is full", true);
    check("[w1 = ERROR, w2]", "ERROR code 400 bad", true);
    check("[w1 = ERROR, w2]", "ERROR", false);
    check("[a = x, b]", "\"x\"y [z", false);
    check("[a = \"*x*\", b = \"*z\"]", "\"x\"y [z", true);
    check("[a]", "", false);
    check("[...]", "", true);
}

#[test]
fn terms_in_a_text() {
    let line = "[ERROR 400] BAD REQUEST: user_1 failed (timeout=30s) 失敗した";
    for (pattern, expected) in [
        ("", true),
        ("   ", true),
        ("\" \"", true),
        ("ERROR", true),
        ("error", false),
        ("ERROR REQUEST", true),
        ("REQUEST ERROR", true),
        ("ERROR MISSING", false),
        ("ERR", false),
        ("user_1", true),
        ("user", false),
        ("\"BAD REQUEST\"", true),
        ("\"REQUEST BAD\"", false),
        ("\"ERROR 4\"", false),
        ("\"(timeout=\"", true),
        ("失敗", true),
        ("ERROR -timeout", false),
        ("ERROR -missing", true),
        ("-missing", true),
        ("-timeout", false),
        ("?MISSING ?ERROR", true),
        ("?MISSING ?LOST", false),
        ("?MISSING ERROR", true),
        ("?ERROR LOST", false),
        ("%ERR%", true),
        ("%40[0-3]%", true),
        ("%4\\d\\d%", true),
        ("%^ERROR%", false),
        ("-%REQ%", false),
        ("?%REQ% ?x", true),
        ("%\\x5BERROR%", true),
    ] {
        check(pattern, line, expected);
    }
}

#[test]
fn what_aws_refuses_is_an_error() {
    for (pattern, offset, expected) in [
        ("{", 1, "a selector (`$.field`) or `(`"),
        ("{}", 1, "a selector (`$.field`) or `(`"),
        ("{ $ = 1 }", 3, "`.` or `[`"),
        ("{ $. = 1 }", 4, "a field's name, `*` or a key in `['` and `']`"),
        ("{ $.a }", 6, "a comparison, `IS` or `NOT EXISTS`"),
        ("{ $.a = }", 8, "a value"),
        ("{ $.a == 1 }", 7, "a value"),
        ("{ $.a = 1", 9, "`&&`, `||` or `}`"),
        ("{ $.a = 1 } x", 12, "the end"),
        ("{ $.a = Failed authentication }", 15, "`&&`, `||` or `}`"),
        ("{ $.a = \"x }", 8, "a closing quote"),
        ("{ $.a > x }", 8, "a number"),
        ("{ $.a > \"1\" }", 8, "a number"),
        ("{ $.a > 1e999 }", 8, "a number"),
        ("{ $.a EXISTS }", 6, "a comparison, `IS` or `NOT EXISTS`"),
        ("{ $.a IS NOT NULL }", 9, "`NULL`, `TRUE` or `FALSE`"),
        ("{ $.a NOT NULL }", 10, "`EXISTS`"),
        ("{ !($.a = 1) }", 2, "a selector (`$.field`) or `(`"),
        ("{ ($.a = 1 }", 11, "`&&`, `||` or `)`"),
        ("{ $.a = 1 & $.b = 2 }", 10, "`&&`, `||` or `}`"),
        ("{ $.a[x] = 1 }", 6, "an index, `*` or a key in `'`"),
        ("{ $.a[*].b[*] = 1 }", 10, "no second wildcard in a selector"),
        ("{ $.a = %x% || $.a = %y% || $.a = %z% }", 34, "no more than two regular expressions"),
        ("{ $.a = %x", 10, "a closing `%`"),
        ("{ $.a = %(x)% }", 9, "a character that regular expressions allow (others as `\\xhh`)"),
        ("{ $.a = %\\b% }", 10, "an operator, or one of `d D s S w W x` after `\\`"),
        ("{ $.a = %[a% }", 8, "a regular expression that can be read"),
        ("{ $.a = %% }", 8, "a regular expression"),
        ("[a", 2, "`,` or `]`"),
        ("[]", 1, "a field's name"),
        ("[..., ...]", 6, "no second `...`"),
        ("[a = 1 || b = 2]", 10, "the name of the same field"),
        ("[a = ]", 5, "a value"),
        ("foo-bar", 3, "a blank between terms, or quotes around what is more than letters, digits and `_`"),
        ("$foo", 0, "a term of letters, digits and `_`, or quotes around it"),
        ("-", 1, "a term of letters, digits and `_`, or quotes around it"),
        ("\"foo", 0, "a closing quote"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err(), PatternError { offset, expected }, "{pattern}");
    }
    let four = "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d.* = 1 }";
    assert_eq!(Pattern::parse(four).unwrap_err().expected, "no more than three selectors with a wildcard");
    assert!(Pattern::parse(&"x ".repeat(PATTERN_CHARS_MAX / 2)).is_ok());
    assert!(Pattern::parse(&"x ".repeat(PATTERN_CHARS_MAX)).is_err());
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX));
    assert!(Pattern::parse(&deep).is_ok());
    let deeper = format!("{{ {}$.a = 1{} }}", "(".repeat(NESTING_MAX + 1), ")".repeat(NESTING_MAX + 1));
    assert!(Pattern::parse(&deeper).is_err());
    assert!(Pattern::parse("%[a-z]{1000}{1000}%").is_err());
}

/// A pattern that one of AWS's benchmarks asks for, an event that it is for, and one that it is not for.
fn benchmark(pattern: &str, hit: &Value, miss: &Value) {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    assert!(pattern.matches_json(hit) && pattern.matches(&hit.to_string()), "{hit}");
    assert!(!pattern.matches_json(miss) && !pattern.matches(&miss.to_string()), "{miss}");
}

#[test]
fn the_patterns_that_benchmarks_ask_for() {
    let root = |by: Value| json!({ "userIdentity": { "type": "Root", "invokedBy": by }, "eventType": "AwsApiCall" });
    let direct = json!({ "userIdentity": { "type": "Root" }, "eventType": "AwsApiCall" });
    benchmark(
        r#"{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType !="AwsServiceEvent"}"#,
        &direct,
        &root(json!("support.amazonaws.com")),
    );
    benchmark(
        "{ $.userIdentity.type = Root && $.userIdentity.invokedBy NOT EXISTS && $.eventType != AwsServiceEvent }",
        &direct,
        &json!({ "userIdentity": { "type": "Root" }, "eventType": "AwsServiceEvent" }),
    );
    benchmark(
        r#"{($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")}"#,
        &json!({ "errorCode": "Client.UnauthorizedOperation" }),
        &json!({ "errorCode": "Throttling" }),
    );
    benchmark(
        "{ ($.errorCode =*UnauthorizedOperation) || ($.errorCode =AccessDenied*) && ($.sourceIPAddress!=delivery.logs.amazonaws.com) && ($.eventName!=HeadBucket) }",
        &json!({ "errorCode": "AccessDeniedException", "sourceIPAddress": "192.0.2.1", "eventName": "GetObject" }),
        &json!({ "errorCode": "AccessDenied", "sourceIPAddress": "192.0.2.1", "eventName": "HeadBucket" }),
    );
    benchmark(
        r#"{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") && ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }"#,
        &json!({ "eventName": "ConsoleLogin", "additionalEventData": { "MFAUsed": "No" }, "userIdentity": { "type": "IAMUser" }, "responseElements": { "ConsoleLogin": "Success" } }),
        &json!({ "eventName": "ConsoleLogin", "additionalEventData": { "MFAUsed": "Yes" }, "userIdentity": { "type": "IAMUser" }, "responseElements": { "ConsoleLogin": "Success" } }),
    );
    benchmark(
        r#"{($.eventName=ConsoleLogin) && ($.errorMessage="Failed authentication")}"#,
        &json!({ "eventName": "ConsoleLogin", "errorMessage": "Failed authentication" }),
        &json!({ "eventName": "ConsoleLogin" }),
    );
    benchmark(
        "{($.eventSource=kms.amazonaws.com) && (($.eventName=DisableKey) || ($.eventName=ScheduleKeyDeletion))}",
        &json!({ "eventSource": "kms.amazonaws.com", "eventName": "ScheduleKeyDeletion" }),
        &json!({ "eventSource": "kms.amazonaws.com", "eventName": "CreateKey" }),
    );
    let names = |source: &str, names: &[&str]| {
        let any: Vec<String> = names.iter().map(|name| format!("($.eventName={name})")).collect();
        match source {
            "" => format!("{{{}}}", any.join(" || ")),
            source => format!("{{($.eventSource={source}) && ({})}}", any.join(" || ")),
        }
    };
    for (source, events) in [
        (
            "",
            &[
                "DeleteGroupPolicy",
                "DeleteRolePolicy",
                "DeleteUserPolicy",
                "PutGroupPolicy",
                "PutRolePolicy",
                "PutUserPolicy",
                "CreatePolicy",
                "DeletePolicy",
                "CreatePolicyVersion",
                "DeletePolicyVersion",
                "AttachRolePolicy",
                "DetachRolePolicy",
                "AttachUserPolicy",
                "DetachUserPolicy",
                "AttachGroupPolicy",
                "DetachGroupPolicy",
            ][..],
        ),
        ("", &["CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"]),
        (
            "s3.amazonaws.com",
            &[
                "PutBucketAcl",
                "PutBucketPolicy",
                "PutBucketCors",
                "PutBucketLifecycle",
                "PutBucketReplication",
                "DeleteBucketPolicy",
                "DeleteBucketCors",
                "DeleteBucketLifecycle",
                "DeleteBucketReplication",
            ],
        ),
        (
            "config.amazonaws.com",
            &["StopConfigurationRecorder", "DeleteDeliveryChannel", "PutDeliveryChannel", "PutConfigurationRecorder"],
        ),
        (
            "",
            &[
                "AuthorizeSecurityGroupIngress",
                "AuthorizeSecurityGroupEgress",
                "RevokeSecurityGroupIngress",
                "RevokeSecurityGroupEgress",
                "CreateSecurityGroup",
                "DeleteSecurityGroup",
            ],
        ),
        (
            "",
            &[
                "CreateNetworkAcl",
                "CreateNetworkAclEntry",
                "DeleteNetworkAcl",
                "DeleteNetworkAclEntry",
                "ReplaceNetworkAclEntry",
                "ReplaceNetworkAclAssociation",
            ],
        ),
        (
            "",
            &[
                "CreateCustomerGateway",
                "DeleteCustomerGateway",
                "AttachInternetGateway",
                "CreateInternetGateway",
                "DeleteInternetGateway",
                "DetachInternetGateway",
            ],
        ),
        (
            "ec2.amazonaws.com",
            &[
                "CreateRoute",
                "CreateRouteTable",
                "ReplaceRoute",
                "ReplaceRouteTableAssociation",
                "DeleteRouteTable",
                "DeleteRoute",
                "DisassociateRouteTable",
            ],
        ),
        (
            "",
            &[
                "CreateVpc",
                "DeleteVpc",
                "ModifyVpcAttribute",
                "AcceptVpcPeeringConnection",
                "CreateVpcPeeringConnection",
                "DeleteVpcPeeringConnection",
                "RejectVpcPeeringConnection",
                "AttachClassicLinkVpc",
                "DetachClassicLinkVpc",
                "DisableVpcClassicLink",
                "EnableVpcClassicLink",
            ],
        ),
    ] {
        let pattern = names(source, events);
        for event in events {
            let event_of = |name: &str| json!({ "eventSource": source, "eventName": name });
            benchmark(&pattern, &event_of(event), &event_of("DescribeInstances"));
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}", event in "\\PC{0,40}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.matches(&event);
        }
    }

    #[test]
    fn no_pattern_of_its_own_signs_does_either(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "(", ")", "$", ".", "a", "*", "=", "!=", "<", ">=", "&&", "||", "\"", "%", "\\", "1", "-", "?",
            " ", ",", "...", "IS", "NOT", "EXISTS", "NULL", "TRUE", "['", "']", "\\d", "é", "日",
        ]), 0..24),
        event in prop::sample::select(vec!["", "a 1", "{\"a\":1}", "[a] \"1", "é日", "\"é\" [日]x"]),
    ) {
        match Pattern::parse(&parts.concat()) {
            Ok(pattern) => { pattern.matches(event); }
            Err(error) => prop_assert!(error.offset <= parts.concat().len()),
        }
    }

    #[test]
    fn a_wildcard_matches_as_a_regular_expression_would(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
        let regex = ::regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
        prop_assert_eq!(value::Wildcard::bare(&pattern).matches(&text), regex.is_match(&text));
    }
}
