//! The client of a message queue: it can take messages, give them back and remove those that were dealt with.
//!
//! To remove a message is a write, and a notification that is read and never removed comes again for days. So this is
//! the one client beside [`super::ReadClient`] that goes about by itself, and three operations are all that it can send.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::Engine;
use super::permit::Permitted;
use super::{CallFailure, ClientOptions, FailureKind, known, model_of};
use crate::credentials::Session;
use crate::endpoint::EndpointError;
use crate::model::Models;

/// Messages that one call may take; SQS gives no more.
const MESSAGES_MAX: u32 = 10;

/// Takes messages from SQS queues. Sends `ReceiveMessage`, `ChangeMessageVisibility` and `DeleteMessage`, never another
/// operation.
pub struct QueueClient(Engine);

/// A queue, and the region to ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    url: String,
    region: String,
}

/// A message as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The name of the message, the same each time it is taken.
    pub id: String,
    /// What this taking of it is called; to remove it or to give it back.
    pub receipt: String,
    /// What was sent.
    pub body: String,
}

impl Queue {
    /// The queue with this URL; `region` is asked where the host's name says none. None for what is no URL of a queue:
    /// `http(s)://host/account/name`.
    pub fn parse(url: &str, region: &str) -> Option<Self> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let (host, path) = rest.split_once('/')?;
        let (account, name) = path.split_once('/')?;
        let is_queue = !host.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && !name.is_empty()
            && !name.contains(['/', '?', '#']);
        let region = region_of(host).unwrap_or(region).to_owned();
        is_queue.then(|| Self { url: url.to_owned(), region })
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The region that is asked.
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// The region that AWS's host name of a queue says: `sqs.eu-west-1.amazonaws.com`, and the older
/// `eu-west-1.queue.amazonaws.com`.
fn region_of(host: &str) -> Option<&str> {
    let mut parts = host.split('.');
    match (parts.next()?, parts.next()?) {
        ("sqs" | "sqs-fips", region) | (region, "queue") => Some(region),
        _ => None,
    }
}

impl QueueClient {
    /// A client of `session`'s account.
    pub fn new(models: &'static Models, session: Arc<Session>, options: ClientOptions) -> Result<Self, EndpointError> {
        Engine::new(models, session, options).map(Self)
    }

    /// Takes up to ten messages, waiting up to `wait` (at most 20 seconds) for the first; nobody else is given them
    /// for the time `hidden`.
    pub async fn receive(&self, queue: &Queue, wait: Duration, hidden: Duration) -> Result<Vec<Message>, CallFailure> {
        let input = json!({
            "QueueUrl": queue.url, "MaxNumberOfMessages": MESSAGES_MAX,
            "WaitTimeSeconds": wait.as_secs(), "VisibilityTimeout": hidden.as_secs(),
        });
        let answer = self.call(queue, "ReceiveMessage", input).await?;
        let messages = answer.get("Messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |message: &Value, key: &str| message.get(key)?.as_str().map(str::to_owned);
        let messages = messages.iter().map(|message| {
            Some(Message {
                id: text(message, "MessageId")?,
                receipt: text(message, "ReceiptHandle")?,
                body: text(message, "Body")?,
            })
        });
        messages.collect::<Option<Vec<_>>>().ok_or_else(|| {
            let problem = "a message without id, receipt or body";
            CallFailure::new("sqs", "ReceiveMessage", &queue.region, FailureKind::Malformed, problem)
        })
    }

    /// Gives a message back, to be taken again after the time `hidden`.
    pub async fn give_back(&self, queue: &Queue, message: &Message, hidden: Duration) -> Result<(), CallFailure> {
        let input = json!({
            "QueueUrl": queue.url, "ReceiptHandle": message.receipt, "VisibilityTimeout": hidden.as_secs(),
        });
        self.call(queue, "ChangeMessageVisibility", input).await.map(drop)
    }

    /// Removes a message that was dealt with.
    pub async fn remove(&self, queue: &Queue, message: &Message) -> Result<(), CallFailure> {
        let input = json!({ "QueueUrl": queue.url, "ReceiptHandle": message.receipt });
        self.call(queue, "DeleteMessage", input).await.map(drop)
    }

    async fn call(&self, queue: &Queue, operation: &str, input: Value) -> Result<Value, CallFailure> {
        let service = model_of(&self.0, "sqs", &queue.region, operation)?;
        let operation = known(&service, &queue.region, operation)?;
        let permitted = Permitted::consume(&service, operation).ok_or_else(|| {
            CallFailure::of(&service, operation, &queue.region, FailureKind::NotRead, "nothing was sent")
        })?;
        self.0.call(permitted, &queue.region, &input).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_known_by_its_url() {
        for (url, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/trail", Some("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/trail", Some("cn-north-1")),
            ("https://sqs-fips.us-west-2.amazonaws.com/111122223333/trail.fifo", Some("us-west-2")),
            ("https://ap-northeast-1.queue.amazonaws.com/111122223333/trail", Some("ap-northeast-1")),
            ("https://queue.amazonaws.com/111122223333/trail", Some("us-east-1")),
            ("http://192.0.2.1:5000/111122223333/trail", Some("us-east-1")),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333", None),
            ("https://sqs.eu-west-1.amazonaws.com/11112222333/trail", None),
            ("https://sqs.eu-west-1.amazonaws.com/111122223333/a/b", None),
            ("arn:aws:sqs:eu-west-1:111122223333:trail", None),
            ("", None),
        ] {
            let queue = Queue::parse(url, "us-east-1");
            assert_eq!(queue.as_ref().map(Queue::region), region, "{url}");
        }
    }

    /// Every operation of the service, and of those that are named alike elsewhere: three may be sent.
    #[test]
    fn nothing_else_may_be_sent() {
        let models = Models::embedded().unwrap();
        let mut may = Vec::new();
        for service in ["sqs", "sns", "s3", "iam"] {
            let service = models.load(service).unwrap();
            for operation in service.operations() {
                if Permitted::consume(&service, operation).is_some() {
                    may.push(format!("{}:{}", service.name, operation.name));
                }
            }
        }
        may.sort();
        assert_eq!(may, ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]);
    }
}
