//! Calls against a server that answers by script: what is sent, what is repeated, and what each failure becomes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops there"
)]

mod client_server;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_server::{
    Server, Step, answer, client, client_of, environment, json_error, options, quick, session, xml_error,
};
use serde_json::{Value, json};
use yagura_aws::client::{FailureKind, Limits, Queue, QueueClient, WriteClient};
use yagura_aws::credentials::Session;
use yagura_aws::model::Models;
use yagura_model::{Cause, CouldNotLook};

const TABLES: &str = r#"{"TableNames": ["a", "b"]}"#;

/// How a call of `dynamodb:ListTables` ended: the code of the output or the kind of failure, and the requests it took.
async fn list_tables(steps: Vec<Step>) -> (Result<Value, FailureKind>, usize) {
    let server = Server::start(steps).await;
    let client = client(&server).await;
    let result = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await;
    assert_eq!(client.requests_sent(), u64::try_from(server.asked().len()).unwrap());
    (result.map_err(|failure| failure.kind), server.asked().len())
}

#[tokio::test]
async fn a_call_is_signed_and_its_answer_read() {
    let server = Server::start([answer(200, TABLES)]).await;
    let client = client(&server).await;
    let output = client.call("dynamodb", "eu-west-1", "ListTables", json!({"Limit": 5})).await.unwrap();
    assert_eq!(output, json!({"TableNames": ["a", "b"]}));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST / HTTP/1.1");
    assert_eq!(asked[0].headers["x-amz-target"], "DynamoDB_20120810.ListTables");
    assert_eq!(serde_json::from_str::<Value>(&asked[0].body).unwrap(), json!({"Limit": 5}));
    let signature = &asked[0].headers["authorization"];
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-west-1/dynamodb/aws4_request, SignedHeaders=";
    assert!(signature.starts_with(scope), "{signature}");
    assert!(signature.contains("host;"), "{signature}");
}

#[tokio::test]
async fn what_passes_is_repeated_until_it_has() {
    let throttle = || json_error(400, "ThrottlingException");
    let ok = || answer(200, TABLES);
    let tables = json!({"TableNames": ["a", "b"]});
    assert_eq!(list_tables(vec![throttle(), throttle(), ok()]).await, (Ok(tables.clone()), 3));
    assert_eq!(list_tables(vec![answer(500, ""), json_error(503, "X"), ok()]).await, (Ok(tables.clone()), 3));
    assert_eq!(list_tables(vec![Step::CutShort, ok()]).await, (Ok(tables.clone()), 2));
    assert_eq!(list_tables(vec![Step::HangUp, ok()]).await, (Ok(tables), 2));
}

#[tokio::test]
async fn what_does_not_pass_ends_in_its_kind() {
    let many = |step: fn() -> Step| (0..20).map(|_| step()).collect::<Vec<_>>();
    let throttled = many(|| json_error(400, "ProvisionedThroughputExceededException"));
    assert_eq!(list_tables(throttled).await, (Err(FailureKind::Throttled), 8));
    assert_eq!(list_tables(many(|| answer(500, "oh"))).await, (Err(FailureKind::Service), 4));
    assert_eq!(list_tables(many(|| Step::CutShort)).await, (Err(FailureKind::Unreachable), 4));
}

#[tokio::test]
async fn what_would_fail_again_is_not_repeated() {
    let once = |step: Step| async { list_tables(vec![step, answer(200, TABLES)]).await };
    assert_eq!(once(json_error(400, "AccessDeniedException")).await, (Err(FailureKind::Denied), 1));
    assert_eq!(once(json_error(400, "UnrecognizedClientException")).await, (Err(FailureKind::NotRecognized), 1));
    assert_eq!(once(json_error(400, "UnknownOperationException")).await, (Err(FailureKind::NotImplemented), 1));
    assert_eq!(once(answer(501, "")).await, (Err(FailureKind::NotImplemented), 1));
    assert_eq!(once(answer(404, "<html>no such page</html>")).await, (Err(FailureKind::NotImplemented), 1));
    assert_eq!(once(json_error(404, "ResourceNotFoundException")).await, (Err(FailureKind::Service), 1));
    assert_eq!(once(json_error(400, "ResourceNotFoundException")).await, (Err(FailureKind::Service), 1));
    assert_eq!(once(answer(200, "<html>who is there?</html>")).await, (Err(FailureKind::Malformed), 1));
    assert_eq!(once(answer(200, r#"{"TableNames": 7}"#)).await, (Err(FailureKind::Malformed), 1));
}

#[tokio::test]
async fn a_failure_says_what_was_answered_and_what_would_allow_it() {
    let server = Server::start([xml_error(403, "AccessDenied")]).await;
    let client = client(&server).await;
    let failure = client.call("iam", "us-east-1", "ListUsers", json!({})).await.unwrap_err();
    assert_eq!(failure.to_string(), "iam:ListUsers in us-east-1: AccessDenied: in the server's words");
    assert_eq!(failure.request_id.as_deref(), Some("r-1"));
    let reason = CouldNotLook::from(failure);
    let expected = CouldNotLook {
        service: "iam".to_owned(),
        operation: "ListUsers".to_owned(),
        cause: Cause::Denied,
        error: "AccessDenied".to_owned(),
        action: Some("iam:ListUsers".to_owned()),
    };
    assert_eq!(reason, expected);
}

#[tokio::test]
async fn the_read_client_sends_nothing_that_changes_anything() {
    let server = Server::start([answer(200, "{}")]).await;
    let client = client(&server).await;
    let mut refused = 0;
    for (service, operation) in [
        ("s3", "DeleteBucket"),
        ("iam", "CreateUser"),
        ("dynamodb", "PutItem"),
        ("ec2", "TerminateInstances"),
        ("sts", "AssumeRole"),
    ] {
        let call = client.call(service, "us-east-1", operation, json!({"Bucket": "b", "UserName": "u"})).await;
        assert_eq!(call.unwrap_err().kind, FailureKind::NotRead, "{service} {operation}");
        let pages = client.pages(service, "us-east-1", operation, json!({})).err();
        assert_eq!(pages.unwrap().kind, FailureKind::NotRead, "{service} {operation}");
        refused += 1;
    }
    assert_eq!(refused, 5);
    for (service, operation) in [("dynamodb", "DropEverything"), ("nothing", "ListTables")] {
        let call = client.call(service, "us-east-1", operation, json!({})).await;
        assert_eq!(call.unwrap_err().kind, FailureKind::BadCall);
    }
    let call = client.call("dynamodb", "us-east-1", "ListTables", json!({"Limits": 5})).await;
    assert_eq!(call.unwrap_err().kind, FailureKind::BadCall);
    let call = client.call("dynamodb", "us-east-1.example.com/", "ListTables", json!({})).await;
    assert_eq!(call.unwrap_err().kind, FailureKind::BadCall);
    assert_eq!(server.asked().len(), 0);
    assert_eq!(client.requests_sent(), 0);
}

#[tokio::test]
async fn the_write_client_sends_them() {
    let server = Server::start([answer(204, "")]).await;
    let session = std::sync::Arc::new(session(&server).await.unwrap());
    let client = WriteClient::new(Models::embedded().unwrap(), session, quick()).unwrap();
    client.call("s3", "us-east-1", "DeleteBucket", json!({"Bucket": "example-bucket"})).await.unwrap();
    assert_eq!(server.asked()[0].line, "DELETE /example-bucket HTTP/1.1");
}

#[tokio::test]
async fn a_body_that_must_have_a_checksum_has_one() {
    let server = Server::start([answer(200, ""), answer(200, "")]).await;
    let session = std::sync::Arc::new(session(&server).await.unwrap());
    let client = WriteClient::new(Models::embedded().unwrap(), session, quick()).unwrap();
    let input = json!({"Bucket": "example-bucket", "VersioningConfiguration": {"Status": "Enabled"}});
    client.call("s3", "us-east-1", "PutBucketVersioning", input.clone()).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.headers["x-amz-sdk-checksum-algorithm"], "CRC32");
    let checksum = STANDARD.encode(crc32fast::hash(asked.body.as_bytes()).to_be_bytes());
    assert_eq!(asked.headers["x-amz-checksum-crc32"], checksum);
    assert!(asked.headers["authorization"].contains("x-amz-checksum-crc32"));

    let mut other = input;
    other["ChecksumAlgorithm"] = "SHA256".into();
    client.call("s3", "us-east-1", "PutBucketVersioning", other.clone()).await.unwrap();
    let asked = &server.asked()[1];
    assert_eq!(asked.headers["x-amz-sdk-checksum-algorithm"], "SHA256");
    assert_eq!(asked.headers["x-amz-checksum-sha256"].len(), 44);
    assert!(!asked.headers.contains_key("x-amz-checksum-crc32"));

    other["ChecksumAlgorithm"] = "CRC64NVME".into();
    let failure = client.call("s3", "us-east-1", "PutBucketVersioning", other).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadCall);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_listing_that_must_have_a_checksum_is_sent_and_followed() {
    let page = |name: &str, more: &str| {
        let point = format!("<AccessPoint><Name>{name}</Name></AccessPoint>");
        answer(200, &format!("<Result><AccessPoints>{point}</AccessPoints>{more}</Result>"))
    };
    let server = Server::start([page("a", "<NextToken>t</NextToken>"), page("b", "")]).await;
    let client = client(&server).await;
    let input = json!({"AccountId": "111122223333"});
    let pages = client.pages("s3control", "us-west-2", "ListMultiRegionAccessPoints", input).unwrap();
    let pages = pages.all().await.unwrap();
    let names: Vec<&str> = pages.iter().filter_map(|page| page.pointer("/AccessPoints/0/Name")?.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let lines: Vec<String> = server.asked().iter().map(|asked| asked.line.clone()).collect();
    let path = "GET /v20180820/mrap/instances";
    assert_eq!(lines, [format!("{path} HTTP/1.1"), format!("{path}?nextToken=t HTTP/1.1")]);
    // The checksum of nothing.
    assert_eq!(server.asked()[0].headers["x-amz-checksum-crc32"], "AAAAAA==");
    assert!(!server.asked()[0].headers.contains_key("x-amz-sdk-checksum-algorithm"));
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    let page = |users: &str, more: &str| {
        answer(
            200,
            &format!(
                "<ListUsersResponse><ListUsersResult><Users>{users}</Users>{more}</ListUsersResult></ListUsersResponse>"
            ),
        )
    };
    let user = |name: &str| {
        format!(
            "<member><UserName>{name}</UserName><Path>/</Path><UserId>{name}</UserId><Arn>{name}</Arn>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate></member>"
        )
    };
    let server = Server::start([
        page(&user("a"), "<IsTruncated>true</IsTruncated><Marker>m1</Marker>"),
        json_error(429, "Throttling"),
        page(&user("b"), "<IsTruncated>true</IsTruncated><Marker>m2</Marker>"),
        page(&user("c"), "<IsTruncated>false</IsTruncated><Marker>m3</Marker>"),
    ])
    .await;
    let client = client(&server).await;
    let pages = client.pages("iam", "us-east-1", "ListUsers", json!({"PathPrefix": "/"})).unwrap().all().await.unwrap();
    let names: Vec<&str> = pages.iter().filter_map(|page| page.pointer("/Users/0/UserName")?.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let markers: Vec<bool> = server.asked().iter().map(|asked| asked.body.contains("Marker=m")).collect();
    assert_eq!(markers, [false, true, true, true]);
    assert!(server.asked()[3].body.contains("Marker=m2"));
    let stats = client.stats().total();
    assert_eq!((stats.calls, stats.retries, stats.throttles, stats.failures), (3, 1, 1, 0));
}

#[tokio::test]
async fn pages_without_a_published_paginator_are_followed_to_the_last() {
    let page = |bus: &str, more: &str| answer(200, &format!(r#"{{"EventBuses": [{{"Name": "{bus}"}}]{more}}}"#));
    let server = Server::start([
        page("a", r#", "NextToken": "t1""#),
        page("b", r#", "NextToken": "t2""#),
        page("c", r#", "NextToken": """#),
    ])
    .await;
    let client = client(&server).await;
    let input = json!({"NamePrefix": "x"});
    let pages = client.pages("events", "us-east-1", "ListEventBuses", input).unwrap().all().await.unwrap();
    let names: Vec<&str> = pages.iter().filter_map(|page| page.pointer("/EventBuses/0/Name")?.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let asked: Vec<Value> = server.asked().iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let token = |token: &str| json!({"NamePrefix": "x", "NextToken": token});
    assert_eq!(asked, [json!({"NamePrefix": "x"}), token("t1"), token("t2")]);

    let acls = |more: &str| answer(200, &format!(r#"{{"WebACLs": []{more}}}"#));
    let again = || acls(r#", "NextMarker": "m""#);
    let server = Server::start([again(), again(), again()]).await;
    let client = client_of(session(&server).await.unwrap(), quick());
    let input = json!({"Scope": "REGIONAL"});
    let failure = client.pages("wafv2", "us-east-1", "ListWebACLs", input).unwrap().all().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn pages_that_go_round_in_a_circle_end_in_a_failure() {
    let page = |token: &str| answer(200, &format!(r#"{{"TableNames": ["t"], "LastEvaluatedTableName": "{token}"}}"#));
    let server = Server::start([page("a"), page("b"), page("a"), page("b")]).await;
    let client = client(&server).await;
    let failure = client.pages("dynamodb", "us-east-1", "ListTables", json!({})).unwrap().all().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_page_that_fails_fails_the_listing() {
    let page = answer(200, r#"{"TableNames": ["t"], "LastEvaluatedTableName": "a"}"#);
    let server = Server::start([page, json_error(400, "AccessDeniedException"), answer(200, TABLES)]).await;
    let client = client(&server).await;
    let mut pages = client.pages("dynamodb", "us-east-1", "ListTables", json!({})).unwrap();
    assert!(pages.next().await.unwrap().is_ok());
    assert_eq!(pages.next().await.unwrap().unwrap_err().kind, FailureKind::Denied);
    assert!(pages.next().await.is_none());
    assert_eq!(client.stats().total().denials, 1);
}

#[tokio::test]
async fn the_budget_counts_every_request() {
    let server = Server::start([answer(500, ""), answer(200, TABLES), answer(200, TABLES)]).await;
    let limits = Limits { api_calls_max: Some(2), ..quick().limits };
    let client = client_of(session(&server).await.unwrap(), yagura_aws::client::ClientOptions { limits, ..quick() });
    assert!(client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.is_ok());
    let failure = client.call("dynamodb", "eu-west-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::OverBudget);
    assert_eq!(CouldNotLook::from(failure).cause, Cause::OverBudget);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_given_up() {
    let server = Server::start([Step::Silence, Step::Silence, Step::Silence, Step::Silence]).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", server.url.as_str()),
    ];
    let mut given = options(environment(&variables));
    given.transport.read_timeout = Duration::from_millis(20);
    let client = client_of(Session::load(given).await.unwrap(), quick());
    let failure = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.to_string(), "dynamodb:ListTables in us-east-1: no answer: no answer in time");

    let server = Server::start([answer(200, &format!(r#"{{"TableNames": ["{}"]}}"#, "t".repeat(5000)))]).await;
    let mut given = options(environment(&[variables[0], variables[1], ("AWS_ENDPOINT_URL", server.url.as_str())]));
    given.transport.answer_bytes_max = 4096;
    let client = client_of(Session::load(given).await.unwrap(), quick());
    let failure = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Malformed);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_no_answer() {
    let server = Server::start([]).await;
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut given = options(environment(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")]));
    given.endpoint_url = Some(format!("http://127.0.0.1:{port}"));
    let client = client_of(Session::load(given).await.unwrap(), quick());
    let failure = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(client.requests_sent(), 4);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_bucket_elsewhere_is_asked_there() {
    let moved = Step::Answer {
        status: 301,
        headers: vec![("x-amz-bucket-region", "eu-west-1".to_owned())],
        body: "<Error><Code>PermanentRedirect</Code><Message>there</Message></Error>".to_owned(),
    };
    let found = answer(200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    let server = Server::start([moved, found]).await;
    let client = client(&server).await;
    let output = client.call("s3", "us-east-1", "GetBucketVersioning", json!({"Bucket": "example-bucket"})).await;
    assert_eq!(output.unwrap(), json!({"Status": "Enabled"}));
    let scopes: Vec<bool> = server
        .asked()
        .iter()
        .map(|asked| asked.headers["authorization"].contains("/eu-west-1/s3/aws4_request"))
        .collect();
    assert_eq!(scopes, [false, true]);
    assert_eq!(server.asked()[1].line, "GET /example-bucket?versioning HTTP/1.1");
    assert!(server.asked()[1].headers.contains_key("x-amz-content-sha256"));
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let skewed = || Step::Answer {
        status: 403,
        headers: vec![("date", "Sat, 16 Jan 2027 08:00:00 GMT".to_owned())],
        body: r#"{"__type": "InvalidSignatureException", "message": "Signature expired"}"#.to_owned(),
    };
    let server = Server::start([skewed(), answer(200, TABLES), skewed()]).await;
    let client = client(&server).await;
    client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap();
    assert_eq!(server.asked()[0].headers["x-amz-date"], "20270115T080000Z");
    assert_eq!(server.asked()[1].headers["x-amz-date"], "20270116T080000Z");
    let failure = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Service, "InvalidSignatureException"));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn an_endpoint_set_by_hand_keeps_its_host() {
    let server = Server::start([answer(200, "<PublicAccessBlockConfiguration/>")]).await;
    let client = client(&server).await;
    let input = json!({"AccountId": "111122223333"});
    client.call("s3control", "us-east-1", "GetPublicAccessBlock", input).await.unwrap();
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "GET /v20180820/configuration/publicAccessBlock HTTP/1.1");
    assert_eq!(asked.headers["x-amz-account-id"], "111122223333");
    assert!(asked.headers["authorization"].contains("/us-east-1/s3/aws4_request"));
}

#[tokio::test]
async fn what_the_endpoint_rules_refuse_is_not_sent() {
    let server = Server::start([]).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", server.url.as_str()),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
    ];
    let client = client_of(Session::load(options(environment(&variables))).await.unwrap(), quick());
    let failure = client.call("dynamodb", "us-east-1", "ListTables", json!({})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotImplemented);
    assert!(failure.message.starts_with("there is no endpoint: "), "{failure}");
    assert_eq!(client.requests_sent(), 0);
}

#[tokio::test]
async fn messages_of_a_queue_are_taken_given_back_and_removed() {
    let message = r#"{"MessageId": "m-1", "ReceiptHandle": "r-1", "Body": "{}", "MD5OfBody": "99914b932bd37a50b983c5e7c90ae93b"}"#;
    let server = Server::start([
        answer(200, &format!(r#"{{"Messages": [{message}]}}"#)),
        answer(200, "{}"),
        answer(200, "{}"),
        answer(200, "{}"),
        answer(200, r#"{"Messages": [{"MessageId": "m-1"}]}"#),
    ])
    .await;
    let session = std::sync::Arc::new(session(&server).await.unwrap());
    let client = QueueClient::new(Models::embedded().unwrap(), session, quick()).unwrap();
    let queue = Queue::parse("https://sqs.eu-west-1.amazonaws.com/111122223333/trail", "us-east-1").unwrap();
    let (wait, hidden) = (Duration::from_secs(10), Duration::from_mins(15));
    let messages = client.receive(&queue, wait, hidden).await.unwrap();
    assert_eq!((messages.len(), &*messages[0].id, &*messages[0].body), (1, "m-1", "{}"));
    client.give_back(&queue, &messages[0], Duration::ZERO).await.unwrap();
    client.remove(&queue, &messages[0]).await.unwrap();
    assert_eq!(client.receive(&queue, wait, hidden).await.unwrap(), []);
    assert_eq!(client.receive(&queue, wait, hidden).await.unwrap_err().kind, FailureKind::Malformed);
    let asked = server.asked();
    let operations: Vec<_> = asked.iter().map(|asked| asked.headers["x-amz-target"].as_str()).collect();
    let expected = ["ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage", "ReceiveMessage"];
    assert_eq!(operations, expected.map(|name| format!("AmazonSQS.{name}")));
    let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/trail";
    let bodies: Vec<Value> = asked.iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let taken = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 10, "VisibilityTimeout": 900});
    assert_eq!(bodies[0], taken);
    assert_eq!(bodies[1], json!({"QueueUrl": url, "ReceiptHandle": "r-1", "VisibilityTimeout": 0}));
    assert_eq!(bodies[2], json!({"QueueUrl": url, "ReceiptHandle": "r-1"}));
    assert!(asked[0].headers["authorization"].contains("/eu-west-1/sqs/"), "{}", asked[0].headers["authorization"]);
}
