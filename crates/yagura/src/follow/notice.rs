//! What a message of a queue says: which objects were made in which buckets.
//!
//! Three senders say it in their own way, and any of them may stand inside SNS's envelope: S3 itself, EventBridge
//! (`Object Created`), and CloudTrail (`s3ObjectKey`).

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Envelopes within envelopes: EventBridge by way of SNS has one; nobody has more than two.
const ENVELOPES_MAX: usize = 3;

/// An object that a message names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Named {
    /// The bucket.
    pub(crate) bucket: String,
    /// The key, decoded.
    pub(crate) key: String,
}

/// Why a message says nothing that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoticeError {
    /// Not JSON.
    #[error("the message is not json")]
    NotJson,
    /// JSON of another kind.
    #[error("the message is no notification of a bucket")]
    Unknown,
    /// A notification without what it must have: the name of it.
    #[error("the notification has no `{0}`")]
    Missing(&'static str),
    /// A key that does not decode.
    #[error("the key in the notification is not utf-8")]
    Key,
    /// An object of a bucket or a prefix that nobody asked for: its place.
    #[error("the notification is of `{0}`, which is not followed")]
    Elsewhere(String),
}

/// The objects that the message says were made; none where it says something else (a test, a removal).
pub(crate) fn parse(body: &str) -> Result<Vec<Named>, NoticeError> {
    opened(body, ENVELOPES_MAX)
}

fn opened(body: &str, envelopes: usize) -> Result<Vec<Named>, NoticeError> {
    let message: Value = serde_json::from_str(body).map_err(|_| NoticeError::NotJson)?;
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    if let Some(records) = message.get("Records") {
        return from_s3(records.as_array().ok_or(NoticeError::Missing("Records"))?);
    }
    if text("Event") == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if text("source") == Some("aws.s3") {
        return from_eventbridge(&message);
    }
    if message.get("s3ObjectKey").is_some() {
        return from_cloudtrail(&message);
    }
    match text("Message") {
        Some(inner) if text("Type") == Some("Notification") && envelopes > 0 => opened(inner, envelopes - 1),
        // CloudTrail says so when a topic is set up.
        Some(inner) if inner.starts_with("CloudTrail validation message") => Ok(Vec::new()),
        _ => Err(NoticeError::Unknown),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn from_s3(records: &[Value]) -> Result<Vec<Named>, NoticeError> {
    let mut named = Vec::new();
    for record in records {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let event = text("/eventName").ok_or(NoticeError::Missing("eventName"))?;
        let bucket = text("/s3/bucket/name").ok_or(NoticeError::Missing("s3.bucket.name"))?;
        let key = text("/s3/object/key").ok_or(NoticeError::Missing("s3.object.key"))?;
        // As forms are encoded: a space is a plus.
        let key = key.replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8().map_err(|_| NoticeError::Key)?;
        if event.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            named.push(Named { bucket: bucket.to_owned(), key: key.into_owned() });
        }
    }
    Ok(named)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>: keys are as they are.
fn from_eventbridge(message: &Value) -> Result<Vec<Named>, NoticeError> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    if text("/detail-type").ok_or(NoticeError::Missing("detail-type"))? != "Object Created" {
        return Ok(Vec::new());
    }
    let bucket = text("/detail/bucket/name").ok_or(NoticeError::Missing("detail.bucket.name"))?;
    let key = text("/detail/object/key").ok_or(NoticeError::Missing("detail.object.key"))?;
    Ok(vec![Named { bucket: bucket.to_owned(), key: key.to_owned() }])
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html>
fn from_cloudtrail(message: &Value) -> Result<Vec<Named>, NoticeError> {
    let bucket = message.get("s3Bucket").and_then(Value::as_str).ok_or(NoticeError::Missing("s3Bucket"))?;
    let keys = message.get("s3ObjectKey").and_then(Value::as_array).ok_or(NoticeError::Missing("s3ObjectKey"))?;
    let named = keys.iter().map(|key| {
        let key = key.as_str().ok_or(NoticeError::Missing("s3ObjectKey"))?;
        Ok(Named { bucket: bucket.to_owned(), key: key.to_owned() })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn s3(event: &str, bucket: &str, key: &str) -> Value {
        json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": event,
            "s3": { "s3SchemaVersion": "1.0", "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
                    "object": { "key": key, "size": 5, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0A" } },
        }] })
    }

    fn sns(message: &Value) -> Value {
        json!({
            "Type": "Notification", "MessageId": "11111111-2222-3333-4444-555555555555",
            "TopicArn": "arn:aws:sns:eu-west-1:111122223333:trail", "Subject": "Amazon S3 Notification",
            "Message": message.to_string(), "Timestamp": "2026-03-10T12:00:00.000Z",
        })
    }

    fn eventbridge(kind: &str, bucket: &str, key: &str) -> Value {
        json!({
            "version": "0", "detail-type": kind, "source": "aws.s3", "account": "111122223333", "region": "eu-west-1",
            "detail": { "bucket": { "name": bucket }, "object": { "key": key, "size": 5, "etag": "0" }, "reason": "PutObject" },
        })
    }

    fn check(message: &Value, expected: Result<&[(&str, &str)], NoticeError>) {
        let of = |(bucket, key): &(&str, &str)| Named { bucket: (*bucket).to_owned(), key: (*key).to_owned() };
        let expected = expected.map(|all| all.iter().map(of).collect::<Vec<_>>());
        assert_eq!(parse(&message.to_string()), expected, "{message}");
    }

    #[test]
    fn each_sender_is_understood() {
        let key = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/10/a.json.gz";
        let found = [("trail", key)];
        check(&s3("ObjectCreated:Put", "trail", key), Ok(&found));
        check(&s3("ObjectCreated:CompleteMultipartUpload", "trail", key), Ok(&found));
        check(&s3("s3:ObjectCreated:Copy", "trail", key), Ok(&found));
        check(&sns(&s3("ObjectCreated:Put", "trail", key)), Ok(&found));
        check(&eventbridge("Object Created", "trail", key), Ok(&found));
        check(&sns(&eventbridge("Object Created", "trail", key)), Ok(&found));
        check(&sns(&json!({ "s3Bucket": "trail", "s3ObjectKey": [key] })), Ok(&found));
        check(&json!({ "s3Bucket": "trail", "s3ObjectKey": ["a", "b"] }), Ok(&[("trail", "a"), ("trail", "b")]));
    }

    #[test]
    fn keys_are_decoded_where_the_sender_encodes_them() {
        check(&s3("ObjectCreated:Put", "b", "a+b%2Bc/%E6%AB%93%3D1"), Ok(&[("b", "a b+c/櫓=1")]));
        check(&s3("ObjectCreated:Put", "b", "100%25"), Ok(&[("b", "100%")]));
        check(&eventbridge("Object Created", "b", "a+b%2Bc"), Ok(&[("b", "a+b%2Bc")]));
        check(&s3("ObjectCreated:Put", "b", "a%FF"), Err(NoticeError::Key));
    }

    #[test]
    fn what_makes_no_object_names_none() {
        check(&s3("ObjectRemoved:Delete", "b", "a"), Ok(&[]));
        check(&eventbridge("Object Deleted", "b", "a"), Ok(&[]));
        check(&json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" }), Ok(&[]));
        check(&sns(&json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" })), Ok(&[]));
        check(&json!({ "Records": [] }), Ok(&[]));
    }

    #[test]
    fn what_is_no_notification_is_named_as_such() {
        assert_eq!(parse("not json"), Err(NoticeError::NotJson));
        assert_eq!(parse(""), Err(NoticeError::NotJson));
        check(&json!({}), Err(NoticeError::Unknown));
        check(&json!(["Records"]), Err(NoticeError::Unknown));
        check(&json!({ "Records": 3 }), Err(NoticeError::Missing("Records")));
        check(&json!({ "Records": [{ "body": "{}" }] }), Err(NoticeError::Missing("eventName")));
        let mut keyless = s3("ObjectCreated:Put", "b", "a");
        keyless["Records"][0]["s3"]["object"] = json!({});
        check(&keyless, Err(NoticeError::Missing("s3.object.key")));
        let mut deep = s3("ObjectCreated:Put", "b", "a");
        for _ in 0..=ENVELOPES_MAX {
            deep = sns(&deep);
        }
        check(&deep, Err(NoticeError::Unknown));
    }

    proptest! {
        /// What S3 writes of a key is read as that key.
        #[test]
        fn any_key_comes_back(key in "[ -~あ-ん]{1,40}") {
            let encoded: String = url_encoded(&key);
            let named = parse(&s3("ObjectCreated:Put", "b", &encoded).to_string()).unwrap();
            prop_assert_eq!(&named[0].key, &key);
        }

        #[test]
        fn no_text_breaks_it(body in ".{0,200}") {
            let _ = parse(&body);
        }
    }

    /// As forms are encoded, by the slow obvious way.
    fn url_encoded(key: &str) -> String {
        key.bytes()
            .map(|byte| match byte {
                b' ' => "+".to_owned(),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect()
    }
}
