//! Sessions: whose credentials requests are signed with, and how the machine wants AWS to be reached.
//!
//! What comes in: the process's environment, the home directory and what was given with the command, all passed in. What
//! goes out: a [`Session`], whose credentials are kept in memory only and fetched anew before they expire. Everything is
//! found where the AWS CLI finds it. Single sources (SSO, container, instance, process) are those of
//! `aws-config`; which of them, and the roles assumed from there, is decided here, because `aws-config` cannot ask for an
//! MFA code and does not say what to do about an error.

mod obtain;
mod plan;
mod profiles;
mod settings;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use tokio::sync::Mutex;

use crate::client::{Clock, Proxy, Transport, TransportError, TransportLimits};
use crate::model::Service;
use obtain::Source;
use plan::Plan;
use profiles::Profiles;
use settings::Settings;

/// Credentials are fetched anew this long before they expire, so that a request under way does not outlive them.
const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_mins(5);

/// What a session is made from.
pub struct SessionOptions {
    /// The profile that was asked for; otherwise `AWS_PROFILE` selects one, or it is `default`.
    pub profile: Option<String>,
    /// The region that was asked for; otherwise the environment or the profile has one.
    pub region: Option<String>,
    /// The endpoint of all services that was asked for; otherwise the environment or the profile may have some.
    pub endpoint_url: Option<String>,
    /// The process's environment and home directory.
    pub environment: Environment,
    /// Who is asked for an MFA code.
    pub mfa: Option<Arc<dyn MfaPrompt>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Times and sizes that requests keep to.
    pub transport: TransportLimits,
}

/// The process's environment. Without `Debug`: variables may be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    /// All variables.
    pub variables: HashMap<String, String>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

/// Asks a person for an MFA code.
pub trait MfaPrompt: Send + Sync {
    /// The code that the device `serial` shows now, wanted for `profile`. Called on a thread that may block; an error
    /// means that nobody can be asked.
    fn code(&self, profile: &str, serial: &str) -> std::io::Result<String>;
}

impl<F: Fn(&str, &str) -> std::io::Result<String> + Send + Sync> MfaPrompt for F {
    fn code(&self, profile: &str, serial: &str) -> std::io::Result<String> {
        self(profile, serial)
    }
}

/// Credentials with the settings around them.
pub struct Session {
    profile: String,
    settings: Settings,
    transport: Transport,
    source: Source,
    clock: Arc<dyn Clock>,
    cached: Mutex<Option<Credentials>>,
}

/// Why there is no session, or why it has no credentials any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The profile is in neither file.
    #[error("there is no profile `{profile}` ({known})")]
    UnknownProfile {
        /// The profile.
        profile: String,
        /// The profiles that there are, as the end of a sentence.
        known: String,
    },
    /// A configuration file cannot be parsed.
    #[error("line {line} of `{path}` is malformed: {problem}")]
    MalformedFile {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A configuration file cannot be read.
    #[error("`{path}` cannot be read")]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A setting has a value that it cannot have.
    #[error("`{name}` is `{value}`: expected {expected}")]
    Setting {
        /// The variable or the setting.
        name: String,
        /// Its value.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// A profile contradicts itself.
    #[error("profile `{profile}`: {problem}")]
    Profile {
        /// The profile.
        profile: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing gives credentials.
    #[error(
        "no credentials were found: choose a profile with `--profile` or `AWS_PROFILE`, sign in with `aws sso login`, set \
         `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or give the machine a role"
    )]
    NoCredentials,
    /// The SSO session is absent or over.
    #[error(
        "the sso session of profile `{profile}` has expired or was never opened: run `aws sso login --profile {profile}`"
    )]
    SsoSignIn {
        /// The profile.
        profile: String,
        /// What was found.
        #[source]
        source: BoxError,
    },
    /// A single source of credentials failed.
    #[error("{from} gave no credentials")]
    Source {
        /// The source, as the start of a sentence.
        from: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The role could not be assumed.
    #[error("the role `{role_arn}` of profile `{profile}` could not be assumed")]
    AssumeRole {
        /// The profile.
        profile: String,
        /// The role.
        role_arn: String,
        /// What STS answered.
        #[source]
        source: BoxError,
    },
    /// No MFA code was given.
    #[error("profile `{profile}` needs a code of the mfa device `{serial}`, and nobody could be asked")]
    MfaCode {
        /// The profile.
        profile: String,
        /// The device.
        serial: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// HTTP cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// The error of a library.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl SessionError {
    fn unknown_profile(profile: &str, profiles: &Profiles) -> Self {
        let names: Vec<String> = profiles.names().map(|name| format!("`{name}`")).collect();
        let known = if names.is_empty() {
            "no profile is configured".to_owned()
        } else {
            format!("known are {}", names.join(", "))
        };
        Self::UnknownProfile { profile: profile.to_owned(), known }
    }
}

impl Session {
    /// Reads the configuration and fetches credentials once, so that what is wrong with them is known at the start.
    pub async fn load(options: SessionOptions) -> Result<Self, SessionError> {
        let SessionOptions { profile: asked_for, region, endpoint_url, environment, mfa, clock, transport: limits } =
            options;
        let config = environment.file("AWS_CONFIG_FILE", "config");
        let credentials = environment.file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let profiles = Profiles::read(config.as_deref(), credentials.as_deref()).await?;
        let selected = environment.get("AWS_PROFILE").or_else(|| environment.get("AWS_DEFAULT_PROFILE"));
        let profile = asked_for.as_deref().or(selected).unwrap_or("default").to_owned();
        if (asked_for.is_some() || selected.is_some()) && profiles.profile(&profile).is_none() {
            return Err(SessionError::unknown_profile(&profile, &profiles));
        }
        let mut settings = Settings::read(&environment, &profiles, &profile)?;
        settings.region = region.or(settings.region);
        settings.endpoints.forced = endpoint_url;
        let transport =
            Transport::new(settings.ca_bundle.as_deref(), &Proxy::of(&environment.variables), limits).await?;
        let plan = Plan::choose(&environment, &profiles, &profile, asked_for.is_some())?;
        let source = Source::new(plan, &settings, &transport, mfa, Arc::clone(&clock));
        let session = Self { profile, settings, transport, source, clock, cached: Mutex::new(None) };
        session.credentials().await?;
        Ok(session)
    }

    /// Credentials that are good for at least the next minutes. Waits while another caller is fetching them.
    pub async fn credentials(&self) -> Result<Credentials, SessionError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        if let Some(credentials) = cached.as_ref().filter(|credentials| lasts(credentials, now + REFRESH_BEFORE_EXPIRY))
        {
            return Ok(credentials.clone());
        }
        match self.source.fetch().await {
            Ok(credentials) => {
                *cached = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => match cached.as_ref().filter(|credentials| lasts(credentials, now)) {
                Some(credentials) => {
                    tracing::warn!(profile = %self.profile, %error, "refreshing credentials failed, the old ones still hold");
                    Ok(credentials.clone())
                }
                None => Err(error),
            },
        }
    }

    /// The selected profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// The configured region, where there is one.
    pub fn region(&self) -> Option<&str> {
        self.settings.region.as_deref()
    }

    /// The endpoint that was set by hand for this service, where there is one.
    pub fn endpoint_url(&self, service: &Service) -> Option<&str> {
        self.settings.endpoints.of(&service.service_id)
    }

    /// Whether endpoints shall be those validated for FIPS 140.
    pub fn use_fips(&self) -> bool {
        self.settings.use_fips
    }

    /// Whether endpoints shall be reachable by IPv6 too.
    pub fn use_dual_stack(&self) -> bool {
        self.settings.use_dual_stack
    }

    /// Whether buckets are named in the path: as configured, else where the endpoint was set by hand.
    pub(crate) fn path_style_s3(&self, custom_endpoint: bool) -> bool {
        self.settings.path_style_s3.unwrap_or(custom_endpoint)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}

/// Whether the credentials hold until `until`.
fn lasts(credentials: &Credentials, until: SystemTime) -> bool {
    credentials.expiry().is_none_or(|expiry| expiry > until)
}
