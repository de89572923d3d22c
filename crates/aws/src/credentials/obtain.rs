//! Fetching credentials by a plan.

use std::path::Path;
use std::sync::Arc;

use aws_config::credential_process::CredentialProcessProvider;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::error::display::DisplayErrorContext;

use super::plan::{Base, Plan, Role};
use super::settings::Settings;
use super::{BoxError, MfaPrompt, SessionError};
use crate::client::{Clock, SdkClock, Transport};

/// What fetches the credentials of a session.
pub(super) struct Source {
    base: Base,
    roles: Vec<Role>,
    provider: Option<SharedCredentialsProvider>,
    sts: SdkConfig,
    region: Option<String>,
    mfa: Option<Arc<dyn MfaPrompt>>,
}

impl Source {
    pub(super) fn new(
        plan: Plan,
        settings: &Settings,
        transport: &Transport,
        mfa: Option<Arc<dyn MfaPrompt>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let Plan { base, roles } = plan;
        let http = transport.sdk_client();
        let clock = SdkClock(clock);
        let config = ProviderConfig::empty()
            .with_http_client(http.clone())
            .with_sleep_impl(TokioSleep::new())
            .with_time_source(clock.clone())
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_use_fips(Some(settings.use_fips))
            .with_use_dual_stack(Some(settings.use_dual_stack))
            .with_region(settings.region.clone().map(Region::new));
        let mut sts = SdkConfig::builder()
            .http_client(http)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(clock)
            .behavior_version(BehaviorVersion::latest())
            .use_fips(settings.use_fips)
            .use_dual_stack(settings.use_dual_stack);
        sts.set_endpoint_url(settings.endpoints.of("STS").map(ToOwned::to_owned));
        let provider = provider(&base, &config);
        Self { base, roles, provider, sts: sts.build(), region: settings.region.clone(), mfa }
    }

    /// Fresh credentials: the base's, then those of each role in turn.
    pub(super) async fn fetch(&self) -> Result<Credentials, SessionError> {
        let mut credentials = self.fetch_base().await?;
        for role in &self.roles {
            credentials = self.assume(role, credentials).await?;
        }
        Ok(credentials)
    }

    async fn fetch_base(&self) -> Result<Credentials, SessionError> {
        if let Base::Keys(keys) = &self.base {
            let mut credentials = Credentials::builder()
                .access_key_id(&keys.access_key_id)
                .secret_access_key(&keys.secret_access_key)
                .provider_name("yagura");
            credentials.set_session_token(keys.session_token.clone());
            credentials.set_account_id(keys.account.as_deref().map(Into::into));
            return Ok(credentials.build());
        }
        if let Base::WebIdentity { role_arn, token_file, session_name } = &self.base {
            return self.exchange(role_arn, token_file, session_name).await;
        }
        let Some(provider) = &self.provider else { return Err(SessionError::NoCredentials) };
        provider.provide_credentials().await.map_err(|error| self.base_error(error))
    }

    fn base_error(&self, error: CredentialsError) -> SessionError {
        let from = match &self.base {
            Base::Sso { profile, .. } if wants_sign_in(&error) => {
                return SessionError::SsoSignIn { profile: profile.clone(), source: error.into() };
            }
            // Nobody said that this machine has a role: that it has none is no error of its own.
            Base::Instance if self.roles.is_empty() => return SessionError::NoCredentials,
            Base::Sso { profile, role, account, .. } => {
                format!("the role `{role}` of account `{account}` of profile `{profile}`")
            }
            Base::Process { profile, .. } => format!("the `credential_process` of profile `{profile}`"),
            Base::Container => "the container's metadata service".to_owned(),
            Base::Keys(_) | Base::WebIdentity { .. } | Base::Instance => "the instance's metadata service".to_owned(),
        };
        SessionError::Source { from, source: error.into() }
    }

    async fn assume(&self, role: &Role, credentials: Credentials) -> Result<Credentials, SessionError> {
        let config = self.sts.to_builder().region(self.sts_region(&role.arn));
        let config = config.credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let mut request = aws_sdk_sts::Client::new(&config)
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(&role.session_name)
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(role.duration_seconds);
        if let Some(serial) = &role.mfa_serial {
            request = request.serial_number(serial).token_code(self.mfa_code(role, serial).await?);
        }
        let failed = |source: BoxError| SessionError::AssumeRole {
            profile: role.profile.clone(),
            role_arn: role.arn.clone(),
            source,
        };
        let answer = request.send().await.map_err(|error| failed(refusal(&error).into()))?;
        given(answer.credentials).map_err(failed)
    }

    /// Credentials for a web identity token, which is read anew each time: its keeper replaces it.
    async fn exchange(&self, role_arn: &str, file: &Path, session_name: &str) -> Result<Credentials, SessionError> {
        let token = tokio::fs::read_to_string(file).await;
        let token = token.map_err(|source| SessionError::UnreadableFile { path: file.to_owned(), source })?;
        let config = self.sts.to_builder().region(self.sts_region(role_arn)).build();
        let request = aws_sdk_sts::Client::new(&config)
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(session_name)
            .web_identity_token(token.trim());
        let from = || format!("the web identity token for the role `{role_arn}`");
        let failed = |source: BoxError| SessionError::Source { from: from(), source };
        let answer = request.send().await.map_err(|error| failed(refusal(&error).into()))?;
        given(answer.credentials).map_err(failed)
    }

    fn sts_region(&self, role_arn: &str) -> Region {
        Region::new(self.region.clone().unwrap_or_else(|| home_region(role_arn).to_owned()))
    }

    async fn mfa_code(&self, role: &Role, serial: &str) -> Result<String, SessionError> {
        let failed =
            |source| SessionError::MfaCode { profile: role.profile.clone(), serial: serial.to_owned(), source };
        let nobody = || failed(std::io::Error::new(std::io::ErrorKind::Unsupported, "there is no terminal to ask in"));
        let prompt = Arc::clone(self.mfa.as_ref().ok_or_else(nobody)?);
        let (profile, device) = (role.profile.clone(), serial.to_owned());
        // The prompt waits for a person: not on a thread that drives other requests.
        let asked = tokio::task::spawn_blocking(move || prompt.code(&profile, &device)).await;
        let code = asked.map_err(|error| failed(std::io::Error::other(error)))?.map_err(failed)?;
        let code = code.trim();
        if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(code.to_owned())
        } else {
            Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "the code is not six digits")))
        }
    }
}

/// The provider of `aws-config` for a base; `None` where none is needed, and for web identity tokens, with which
/// `aws-config` would not heed an endpoint set by hand.
fn provider(base: &Base, config: &ProviderConfig) -> Option<SharedCredentialsProvider> {
    Some(match base {
        Base::Keys(_) | Base::WebIdentity { .. } => return None,
        Base::Sso { session, region, start_url, account, role, .. } => {
            let mut provider = SsoCredentialsProvider::builder()
                .configure(config)
                .region(Region::new(region.clone()))
                .start_url(start_url)
                .account_id(account)
                .role_name(role);
            provider.set_session_name(session.clone());
            SharedCredentialsProvider::new(provider.build())
        }
        Base::Process { command, .. } => {
            SharedCredentialsProvider::new(CredentialProcessProvider::new(command.clone()))
        }
        Base::Container => SharedCredentialsProvider::new(EcsCredentialsProvider::builder().configure(config).build()),
        Base::Instance => SharedCredentialsProvider::new(ImdsCredentialsProvider::builder().configure(config).build()),
    })
}

/// The credentials of an answer of STS.
fn given(answered: Option<aws_sdk_sts::types::Credentials>) -> Result<Credentials, BoxError> {
    let given = answered.ok_or("sts answered without credentials")?;
    let expiry = given.expiration.try_into().map_err(|_| "sts answered without a readable expiry")?;
    let fresh = Credentials::builder()
        .access_key_id(given.access_key_id)
        .secret_access_key(given.secret_access_key)
        .session_token(given.session_token)
        .expiry(expiry)
        .provider_name("yagura");
    Ok(fresh.build())
}

/// A region of the partition of an ARN, to ask STS in where none is configured.
fn home_region(arn: &str) -> &'static str {
    match arn.split(':').nth(1) {
        Some("aws-cn") => "cn-north-1",
        Some("aws-us-gov") => "us-gov-west-1",
        _ => "us-east-1",
    }
}

/// Whether signing in again would help: not where the role is not given, nor where SSO did not answer.
fn wants_sign_in(error: &CredentialsError) -> bool {
    let text = words(error);
    !["ForbiddenException", "ResourceNotFoundException", "DispatchFailure", "TimeoutError"]
        .iter()
        .any(|other| text.contains(other))
}

/// What STS answered, in its own words where it did.
fn refusal(error: &(impl ProvideErrorMetadata + std::error::Error + 'static)) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => words(error),
    }
}

/// The words of an error and of its causes.
fn words(error: &(impl std::error::Error + 'static)) -> String {
    DisplayErrorContext(error).to_string()
}
