//! Requests and answers of real services: what single services do otherwise than their models say, and what is refused.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]
#![allow(clippy::needless_pass_by_value, reason = "an expectation is written where it is given")]
#![allow(clippy::needless_raw_string_hashes, reason = "the updater of expectations writes them")]

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use yagura_aws::model::{Models, Service};
use yagura_aws::protocol::{DEPTH_MAX, InputError, OutputError, ServiceError, parse_error, parse_output, serialize};

fn service(name: &str) -> Arc<Service> {
    Models::embedded().unwrap().load(name).unwrap()
}

/// The request in the form of HTTP, as far as the protocol makes it.
fn request(name: &str, operation: &str, input: &Value) -> Result<String, InputError> {
    let service = service(name);
    let operation = service.operation(operation).unwrap();
    let request = serialize(&service, operation, input, &mut || "token".to_owned())?;
    let pair = |(name, value): &(String, Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    let query: Vec<String> = request.query.iter().map(pair).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let mut text = format!("{} {}{mark}{}\n", request.method, request.path, query.join("&"));
    for (name, value) in request.headers.iter().chain(&request.host_prefix.map(|prefix| ("(host)".to_owned(), prefix)))
    {
        writeln!(text, "{name}: {value}").unwrap();
    }
    text.push_str(&String::from_utf8(request.body).unwrap());
    Ok(text)
}

#[track_caller]
fn check_request(name: &str, operation: &str, input: &Value, expected: Expect) {
    expected.assert_eq(&request(name, operation, input).unwrap_or_else(|error| format!("error: {error}")));
}

fn output(name: &str, operation: &str, status: u16, body: &str) -> Result<Value, OutputError> {
    let service = service(name);
    parse_output(&service, service.operation(operation).unwrap(), status, &[], body.as_bytes())
}

#[track_caller]
fn check_output(name: &str, operation: &str, body: &str, expected: Expect) {
    let text = match output(name, operation, 200, body) {
        Ok(output) => output.to_string(),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&text);
}

fn error(name: &str, operation: &str, status: u16, headers: &[(&str, &str)], body: &str) -> ServiceError {
    let service = service(name);
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse_error(&service, service.operation(operation).unwrap(), status, &headers, body.as_bytes())
}

#[test]
fn the_bucket_is_left_to_the_endpoint() {
    check_request("s3", "GetBucketPolicy", &json!({"Bucket": "logs"}), expect!["GET /?policy\n"]);
    check_request(
        "s3",
        "GetObject",
        &json!({"Bucket": "logs", "Key": "a b/c+d"}),
        expect![[r#"
            GET /a%20b/c%2Bd
        "#]],
    );
}

#[test]
fn a_listing_of_keys_is_asked_encoded_and_answered_decoded() {
    check_request("s3", "ListObjectsV2", &json!({"Bucket": "logs"}), expect!["GET /?list-type=2&encoding-type=url\n"]);
    check_output(
        "s3",
        "ListObjectsV2",
        "<ListBucketResult><EncodingType>url</EncodingType><Prefix>a%2Fb</Prefix><Contents><Key>a%2Fb+c%2B%E6%AB%93</Key>\
         <Size>1</Size></Contents></ListBucketResult>",
        expect![[r#"{"Contents":[{"Key":"a/b c+櫓","Size":1}],"Prefix":"a/b","EncodingType":"url"}"#]],
    );
}

#[test]
fn the_location_of_a_bucket_is_the_text_of_the_document() {
    let document = |region: &str| {
        format!(r#"<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{region}</LocationConstraint>"#)
    };
    let check = |region: &str, expected: Expect| check_output("s3", "GetBucketLocation", &document(region), expected);
    check("ap-northeast-1", expect![[r#"{"LocationConstraint":"ap-northeast-1"}"#]]);
    check("", expect![[r#"{"LocationConstraint":null}"#]]);
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let body = "<Error><Code>InternalError</Code><Message>try again</Message></Error>";
    for operation in ["ListObjectsV2", "CopyObject", "GetBucketLocation"] {
        let result = output("s3", operation, 200, body);
        assert!(matches!(&result, Err(OutputError::Service(error)) if error.code == "InternalError"), "{result:?}");
    }
}

#[test]
fn route_53_ids_go_without_their_path() {
    let input = json!({"HostedZoneId": "/hostedzone/Z1"});
    check_request("route53", "ListResourceRecordSets", &input, expect!["GET /2013-04-01/hostedzone/Z1/rrset\n"]);
}

#[test]
fn the_account_of_s3_control_is_left_to_the_endpoint() {
    let input = json!({"AccountId": "111122223333"});
    check_request(
        "s3control",
        "GetPublicAccessBlock",
        &input,
        expect![[r#"
            GET /v20180820/configuration/publicAccessBlock
            x-amz-account-id: 111122223333
        "#]],
    );
}

#[test]
fn each_protocol_has_its_form() {
    check_request(
        "ec2",
        "DescribeInstances",
        &json!({"InstanceIds": ["i-1"], "Filters": [{"Name": "vpc-id", "Values": ["a", "b"]}], "MaxResults": 5}),
        expect![[r#"
            POST /
            Content-Type: application/x-www-form-urlencoded
            Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b&MaxResults=5"#]],
    );
    check_request(
        "cloudtrail",
        "LookupEvents",
        &json!({"StartTime": "2026-01-02T03:04:05Z"}),
        expect![[r#"
            POST /
            X-Amz-Target: com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents
            Content-Type: application/x-amz-json-1.1
            {"StartTime":1767323045}"#]],
    );
    check_request(
        "apigateway",
        "GetRestApis",
        &json!({"limit": 500}),
        expect![[r#"
            GET /restapis?limit=500
            Accept: application/json
        "#]],
    );
    check_request(
        "s3",
        "PutBucketVersioning",
        &json!({"Bucket": "logs", "VersioningConfiguration": {"Status": "Enabled"}}),
        expect![[r#"
            PUT /?versioning
            Content-Type: application/xml
            <VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#]],
    );
}

#[test]
fn a_token_is_filled_in_once() {
    let request = request("ec2", "RunInstances", &json!({"MinCount": 1, "MaxCount": 1})).unwrap();
    assert_eq!(request.matches("ClientToken=token").count(), 1, "{request}");
}

#[test]
fn a_wrong_input_is_told_where_and_why() {
    let check = |operation: &str, input: Value, expected: Expect| check_request("ec2", operation, &input, expected);
    check(
        "DescribeInstances",
        json!({"Filters": [{"Name": "a"}, {"Names": "b"}]}),
        expect!["error: `Filters[1].Names` is not known: expected one of `Name`, `Values`"],
    );
    check(
        "DescribeInstances",
        json!({"MaxResults": "5"}),
        expect!["error: `MaxResults` is text: expected a whole number"],
    );
    check_request("iam", "GetUser", &json!({"User": "a"}), expect!["error: `User` is not known: expected `UserName`"]);
    check("DescribeInstances", json!([]), expect!["error: `input` is a list: expected an object"]);
    check("RunInstances", json!({"MinCount": 1}), expect!["error: `MaxCount` is missing: expected a whole number"]);
    check_request("s3", "GetBucketPolicy", &json!({}), expect!["error: `Bucket` is missing: expected text"]);
    check_request(
        "s3",
        "GetObject",
        &json!({"Bucket": "b", "Key": ""}),
        expect!["error: `Key` cannot be written: expected a text that is not empty"],
    );
    check_request(
        "s3",
        "GetObject",
        &json!({"Bucket": "b", "Key": "k", "Range": "a\r\nX-Evil: 1"}),
        expect!["error: `Range` cannot be written: expected text of one line"],
    );
    check_request(
        "kms",
        "Encrypt",
        &json!({"KeyId": "k", "Plaintext": "no base64!"}),
        expect!["error: `Plaintext` cannot be written: expected base64 text"],
    );
}

#[test]
fn nesting_has_a_limit() {
    let mut deep = json!({"S": "leaf"});
    for _ in 0..DEPTH_MAX {
        deep = json!({"L": [deep]});
    }
    let input = json!({"TableName": "t", "Key": {"id": deep}});
    assert!(matches!(request("dynamodb", "GetItem", &input), Err(InputError::TooDeep { .. })));
    let json = format!("{}{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
    assert!(matches!(output("dynamodb", "GetItem", 200, &json), Err(OutputError::TooDeep { .. })));
    let xml = format!("{}{}", "<a>".repeat(DEPTH_MAX + 1), "</a>".repeat(DEPTH_MAX + 1));
    assert!(matches!(output("ec2", "DescribeInstances", 200, &xml), Err(OutputError::TooDeep { .. })));
}

#[test]
fn every_protocol_has_its_errors() {
    let body = r#"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>"#;
    let refused = error("ec2", "DescribeInstances", 403, &[], body);
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("UnauthorizedOperation", "no"));
    assert_eq!(refused.request_id.as_deref(), Some("r"));

    let refused = error("s3", "HeadBucket", 404, &[("X-Amz-Request-Id", "r")], "");
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("404", "Not Found"));
    assert_eq!(refused.request_id.as_deref(), Some("r"));

    let body = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#;
    let header = [("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")];
    let refused = error("sqs", "GetQueueUrl", 400, &header, body);
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("AWS.SimpleQueueService.NonExistentQueue", "gone"));

    let refused = error(
        "lambda",
        "GetPolicy",
        404,
        &[("X-Amzn-ErrorType", "ResourceNotFoundException")],
        r#"{"Message":"m","Type":"User"}"#,
    );
    assert_eq!(refused.code, "ResourceNotFoundException");
    assert_eq!(refused.fields, json!({"Type": "User", "Message": "m"}));

    let refused = error("iam", "GetUser", 503, &[], "<html><body>busy</body></html>");
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("503", "Service Unavailable"));
}

#[test]
fn attributes_and_cdata_are_read() {
    check_output(
        "s3",
        "GetBucketAcl",
        r#"<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:type="Group"><URI><![CDATA[http://a?b&c]]></URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"#,
        expect![[r#"{"Grants":[{"Grantee":{"Type":"Group","URI":"http://a?b&c"},"Permission":"READ"}]}"#]],
    );
    check_output("iam", "GetUser", "<a>&unknown;</a>", expect!["error: the body is not xml: `&unknown;` is not known"]);
    check_output("iam", "GetUser", "<a>", expect!["error: the body is not xml: it ends inside an element"]);
}

/// One operation of each protocol, with much in its answer.
const OPERATIONS: [(&str, &str); 6] = [
    ("dynamodb", "GetItem"),
    ("iam", "GetAccountAuthorizationDetails"),
    ("ec2", "DescribeInstances"),
    ("lambda", "ListFunctions"),
    ("s3", "ListObjectVersions"),
    ("cloudfront", "GetDistribution"),
];

fn read_as_anything(status: u16, headers: &[(String, String)], body: &[u8]) {
    for (name, operation) in OPERATIONS {
        let service = service(name);
        let operation = service.operation(operation).unwrap();
        if let Ok(output) = parse_output(&service, operation, status, headers, body) {
            assert!(output.is_object());
        }
        assert!(!parse_error(&service, operation, status, headers, body).code.is_empty());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_output_or_an_error(
        status in any::<u16>(),
        headers in prop::collection::vec(("[ -~]{0,20}", "[ -~]{0,20}"), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        read_as_anything(status, &headers, &body);
    }

    #[test]
    fn any_markup_is_an_output_or_an_error(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "<", ">", "/>", "</", "<Error>", "</Error>", "<Code>", "</Code>", "&amp;", "&#0;", "&", ";", "<![CDATA[", "]]>",
                "<!DOCTYPE a>", "<?xml version=\"1.0\"?>", "<Version>", "</Version>", "<Key>", "</Key>", "櫓", "\"", "{", "}",
                "[", "]", ":", ",", "\"Item\":", "\"message\"", "\"__type\":\"a#b:c\"", "null", "1e999", "a=\"1\" ", " ",
            ]),
            0..30,
        ),
    ) {
        read_as_anything(200, &[], parts.concat().as_bytes());
    }

    #[test]
    fn any_input_is_a_request_or_an_error(text in "[{\\[\"a-zA-Z:,0-9\\]} ]{0,60}", name in "[ -~]{0,30}") {
        let inputs = [json!({"Filters": [{"Name": name, "Values": [text.clone()]}]}), json!({name: text})];
        for input in inputs {
            let _ = request("ec2", "DescribeInstances", &input);
        }
    }
}
