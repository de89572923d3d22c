//! HTTP: one request out, one answer in, within limits of time and size.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::display::DisplayErrorContext;
use http_body_util::BodyExt;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A host that does not take a connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest silence within a request that the AWS CLI bears; some reads of IAM and Config take half of it.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The largest answer that is kept in memory. The largest AWS makes without streaming are account-wide IAM details,
/// a few MB a page; log files are below 50 MB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Times and sizes that a transport keeps to.
#[derive(Debug, Clone, Copy)]
pub struct TransportLimits {
    /// To connect, TLS included.
    pub connect_timeout: Duration,
    /// Until the answer's headers, and then between two parts of its body.
    pub read_timeout: Duration,
    /// Of an answer's body.
    pub answer_bytes_max: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self { connect_timeout: CONNECT_TIMEOUT, read_timeout: READ_TIMEOUT, answer_bytes_max: ANSWER_BYTES_MAX }
    }
}

/// Keeps connections and sends requests over them.
#[derive(Debug, Clone)]
pub struct Transport {
    connector: SharedHttpConnector,
    sdk_client: SharedHttpClient,
    limits: TransportLimits,
}

/// The proxy that the environment names for `https`; requests to plain `http` endpoints go without one.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    https: Option<String>,
    except: Option<String>,
}

/// Why HTTP cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The file cannot be read.
    #[error("the certificates in `{path}` cannot be read")]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no PEM file of certificates.
    #[error("`{path}` is no pem file of certificates: {problem}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The proxy's URL is malformed.
    #[error("`HTTPS_PROXY` is not the url of a proxy")]
    Proxy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// TLS cannot be set up.
    #[error("tls cannot be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An answer of any status.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// The network, DNS, TLS or the peer failed.
    #[error("{0}")]
    Broken(String),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The request itself is malformed.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
}

impl Proxy {
    /// The proxy of an environment.
    pub fn of(variables: &HashMap<String, String>) -> Self {
        let get = |names: [&str; 2]| {
            let set = names.into_iter().filter_map(|name| variables.get(name)).find(|value| !value.is_empty());
            set.cloned()
        };
        Self { https: get(["HTTPS_PROXY", "https_proxy"]), except: get(["NO_PROXY", "no_proxy"]) }
    }

    fn config(&self) -> Result<ProxyConfig, TransportError> {
        let Some(url) = &self.https else { return Ok(ProxyConfig::disabled()) };
        let config = ProxyConfig::https(url.as_str()).map_err(|error| TransportError::Proxy(error.into()))?;
        Ok(match &self.except {
            Some(except) => config.no_proxy(except),
            None => config,
        })
    }
}

impl Transport {
    /// A transport that trusts the certificates in `ca_bundle`, else those of the machine.
    pub async fn new(ca_bundle: Option<&Path>, proxy: &Proxy, limits: TransportLimits) -> Result<Self, TransportError> {
        let trust = match ca_bundle {
            Some(path) => {
                let read = tokio::fs::read(path).await;
                let pem = read.map_err(|source| TransportError::CertificateFile { path: path.to_owned(), source })?;
                check_certificates(path, &pem)?;
                TrustStore::empty().with_pem_certificate(pem)
            }
            None => TrustStore::default(),
        };
        let tls = TlsContext::builder().with_trust_store(trust).build();
        let tls = tls.map_err(|error| TransportError::Tls(error.into()))?;
        let proxy = proxy.config()?;
        let connector = move |settings: Option<&HttpConnectorSettings>| {
            let mut builder = Connector::builder().sleep_impl(TokioSleep::new()).proxy_config(proxy.clone());
            builder.set_connector_settings(settings.cloned());
            builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls.clone()).build()
        };
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(limits.connect_timeout)
            .read_timeout(limits.read_timeout)
            .build();
        Ok(Self {
            connector: SharedHttpConnector::new(connector(Some(&settings))),
            sdk_client: Builder::new().build_with_connector_fn(move |settings, _| connector(settings)),
            limits,
        })
    }

    /// The same transport for the parts of the SDK that fetch credentials.
    pub(crate) fn sdk_client(&self) -> SharedHttpClient {
        self.sdk_client.clone()
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Answer, NoAnswer> {
        let request = HttpRequest::try_from(request.map(SdkBody::from));
        let request = request.map_err(|error| NoAnswer::Unsendable(error.to_string()))?;
        let response = self.connector.call(request).await.map_err(|error| match () {
            () if error.is_timeout() => NoAnswer::TimedOut,
            () if error.is_user() => NoAnswer::Unsendable(innermost(&error)),
            () => NoAnswer::Broken(innermost(&error)),
        })?;
        let status = response.status().as_u16();
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let headers = response.headers().iter().map(text).collect();
        let mut body = Vec::new();
        let mut frames = response.into_body();
        loop {
            let frame = tokio::time::timeout(self.limits.read_timeout, frames.frame()).await;
            let Some(frame) = frame.map_err(|_| NoAnswer::TimedOut)? else { break };
            let frame = frame.map_err(|error| NoAnswer::Broken(DisplayErrorContext(&*error).to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if body.len().saturating_add(data.len()) > self.limits.answer_bytes_max {
                return Err(NoAnswer::TooLarge(self.limits.answer_bytes_max));
            }
            body.extend_from_slice(&data);
        }
        Ok(Answer { status, headers, body })
    }
}

/// Checks what the TLS library would otherwise take for granted.
fn check_certificates(path: &Path, pem: &[u8]) -> Result<(), TransportError> {
    let wrong = |problem: String| TransportError::Certificates { path: path.to_owned(), problem };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(format!("{error:?}")))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(()) }
}

/// The last cause of an error, which for a connection says what the system said.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
