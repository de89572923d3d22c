//! A server that answers what a test told it to, in that order, and remembers what it was asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops there"
)]
#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use yagura_aws::client::{ClientOptions, Limits, ReadClient, RetryPolicy, TransportLimits};
use yagura_aws::credentials::{Environment, Session, SessionError, SessionOptions};
use yagura_aws::model::Models;

/// One answer.
pub(crate) enum Step {
    /// A whole answer.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Half of an answer, then the connection ends.
    CutShort,
    /// No answer, and the connection ends.
    HangUp,
    /// No answer, and the connection stays.
    Silence,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub(crate) fn answer(status: u16, body: &str) -> Step {
    Step::Answer { status, headers: Vec::new(), body: body.to_owned() }
}

/// An error as the JSON protocols write it.
pub(crate) fn json_error(status: u16, code: &str) -> Step {
    answer(status, &format!(r#"{{"__type": "{code}", "message": "in the server's words"}}"#))
}

/// An error as the query protocol and S3 write it.
pub(crate) fn xml_error(status: u16, code: &str) -> Step {
    let error = format!("<Error><Code>{code}</Code><Message>in the server's words</Message></Error>");
    answer(status, &format!("<ErrorResponse>{error}<RequestId>r-1</RequestId></ErrorResponse>"))
}

impl Server {
    pub(crate) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { url, asked: Arc::default() };
        let steps: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(steps.into_iter().collect()));
        let asked = Arc::clone(&server.asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&steps), Arc::clone(&asked)));
            }
        });
        server
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, steps: Arc<Mutex<VecDeque<Step>>>, asked: Arc<Mutex<Vec<Asked>>>) {
    while let Some(request) = read(&mut stream).await {
        asked.lock().unwrap().push(request);
        let step = steps.lock().unwrap().pop_front();
        let (status, headers, body) = match step.unwrap_or_else(|| answer(418, "nothing more was expected")) {
            Step::Answer { status, headers, body } => (status, headers, body),
            Step::CutShort => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"TableNames\": [").await;
                return;
            }
            Step::HangUp => return,
            Step::Silence => {
                tokio::time::sleep(Duration::from_hours(1)).await;
                return;
            }
        };
        let headers = headers.iter().fold(String::new(), |head, (name, value)| format!("{head}{name}: {value}\r\n"));
        let head = format!("HTTP/1.1 {status} Status\r\n{headers}content-length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            break String::from_utf8(bytes).unwrap();
        }
    };
    let mut lines = end.lines();
    let line = lines.next()?.to_owned();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: HashMap<String, String> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { line, headers, body: String::from_utf8(body).unwrap() })
}

/// An environment of these variables alone.
pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Environment { variables: variables.iter().map(text).collect(), home: None }
}

pub(crate) fn options(environment: Environment) -> SessionOptions {
    SessionOptions {
        profile: None,
        region: None,
        endpoint_url: None,
        environment,
        mfa: None,
        clock: Arc::new(now),
        transport: TransportLimits::default(),
    }
}

/// Any fixed moment does: this is 2027-01-15T08:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(500_000)
}

/// A session with keys of its own that asks `server` for everything.
pub(crate) async fn session(server: &Server) -> Result<Session, SessionError> {
    Session::load(options(environment(&[
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", &server.url),
    ])))
    .await
}

/// Waits so short that no test is slow for them.
pub(crate) fn quick() -> ClientOptions {
    let moment = Duration::from_millis(1);
    let retry = RetryPolicy { base: moment, throttle_base: moment, wait_max: moment, ..RetryPolicy::default() };
    ClientOptions { limits: Limits { rate_min: 1000.0, rate_max: 1000.0, ..Limits::default() }, retry, seed: 1 }
}

pub(crate) fn client_of(session: Session, options: ClientOptions) -> ReadClient {
    ReadClient::new(Models::embedded().unwrap(), Arc::new(session), options).unwrap()
}

pub(crate) async fn client(server: &Server) -> ReadClient {
    client_of(session(server).await.unwrap(), quick())
}
