//! Where the credentials of a profile come from, decided before anything is asked.

use std::path::PathBuf;

use super::profiles::{Profiles, Section};
use super::{Environment, SessionError};

/// Longer chains of `source_profile` do not exist outside mistakes.
const ROLES_MAX: usize = 16;

/// What STS takes as the length of a role's session.
const DURATION_SECONDS: std::ops::RangeInclusive<i32> = 900..=43_200;

/// Where credentials start, and the roles assumed from there, in order. Without `Debug`: it may hold keys.
pub(super) struct Plan {
    pub(super) base: Base,
    pub(super) roles: Vec<Role>,
}

/// Credentials that need no others. Without `Debug`: it may hold keys.
pub(super) enum Base {
    Keys(Keys),
    Sso { profile: String, session: Option<String>, region: String, start_url: String, account: String, role: String },
    WebIdentity { role_arn: String, token_file: PathBuf, session_name: String },
    Process { profile: String, command: String },
    Container,
    Instance,
}

/// An access key. Without `Debug`.
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
    pub(super) account: Option<String>,
}

/// A role to assume.
#[derive(Clone)]
pub(super) struct Role {
    pub(super) profile: String,
    pub(super) arn: String,
    pub(super) session_name: String,
    pub(super) external_id: Option<String>,
    pub(super) duration_seconds: Option<i32>,
    pub(super) mfa_serial: Option<String>,
}

/// The session's name in CloudTrail where nothing else is configured.
const SESSION_NAME: &str = "yagura";

impl Plan {
    /// Where to get credentials. A profile that was asked for by name goes before the environment's keys; `profile` is
    /// the one that is selected in any case.
    pub(super) fn choose(
        environment: &Environment,
        profiles: &Profiles,
        profile: &str,
        asked_for: bool,
    ) -> Result<Self, SessionError> {
        if !asked_for && let Some(keys) = environment.keys() {
            return Ok(Self::only(Base::Keys(keys)));
        }
        if profiles.profile(profile).is_some()
            && let Some(plan) = Self::of_profile(environment, profiles, profile)?
        {
            return Ok(plan);
        }
        Self::without_profile(environment)
    }

    fn only(base: Base) -> Self {
        Self { base, roles: Vec::new() }
    }

    /// What the machine itself gives: a pod's or job's token, a container's role, an instance's role.
    fn without_profile(environment: &Environment) -> Result<Self, SessionError> {
        if let (Some(role_arn), Some(token_file)) =
            (environment.get("AWS_ROLE_ARN"), environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"))
        {
            let session_name = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or(SESSION_NAME).to_owned();
            let (role_arn, token_file) = (role_arn.to_owned(), PathBuf::from(token_file));
            return Ok(Self::only(Base::WebIdentity { role_arn, token_file, session_name }));
        }
        if environment.names_container() {
            return Ok(Self::only(Base::Container));
        }
        if environment.forbids_instance() { Err(SessionError::NoCredentials) } else { Ok(Self::only(Base::Instance)) }
    }

    /// The plan of a profile; `None` where it says nothing of credentials.
    fn of_profile(environment: &Environment, profiles: &Profiles, name: &str) -> Result<Option<Self>, SessionError> {
        let mut roles = Vec::new();
        let mut name = name;
        loop {
            let section = profiles.profile(name).ok_or_else(|| SessionError::unknown_profile(name, profiles))?;
            // Keys in a source profile go before a role of its own, as in the AWS CLI.
            if !roles.is_empty()
                && let Some(keys) = keys(name, section)?
            {
                return Ok(Some(Self::finish(Base::Keys(keys), roles)));
            }
            let Some(role) = role(name, section)? else {
                let base = base(profiles, name, section)?;
                let nothing = || problem(name, "it is a `source_profile` and has no credentials");
                return match (base, roles.is_empty()) {
                    (Some(base), _) => Ok(Some(Self::finish(base, roles))),
                    (None, true) => Ok(None),
                    (None, false) => Err(nothing()),
                };
            };
            if roles.len() >= ROLES_MAX {
                return Err(problem(name, "its chain of `source_profile` goes round in a circle or is too long"));
            }
            roles.push(role);
            match (section.get("source_profile"), section.get("credential_source")) {
                (Some(_), Some(_)) => {
                    return Err(problem(name, "it has both `source_profile` and `credential_source`"));
                }
                (None, None) => {
                    return Err(problem(name, "`role_arn` needs a `source_profile` or a `credential_source`"));
                }
                (None, Some(source)) => return Ok(Some(Self::finish(named_source(environment, name, source)?, roles))),
                (Some(source), None) if source == name => {
                    let base = base(profiles, name, section)?;
                    let base =
                        base.ok_or_else(|| problem(name, "it is its own `source_profile` and has no credentials"))?;
                    return Ok(Some(Self::finish(base, roles)));
                }
                (Some(source), None) => name = source,
            }
        }
    }

    /// The chain was read from its end.
    fn finish(base: Base, mut roles: Vec<Role>) -> Self {
        roles.reverse();
        Self { base, roles }
    }
}

fn role(profile: &str, section: &Section) -> Result<Option<Role>, SessionError> {
    let Some(role_arn) = section.get("role_arn") else { return Ok(None) };
    if section.get("web_identity_token_file").is_some() {
        return Ok(None);
    }
    let duration_seconds = match section.get("duration_seconds") {
        None => None,
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| DURATION_SECONDS.contains(seconds));
            Some(seconds.ok_or_else(|| problem(profile, "`duration_seconds` is not a number from 900 to 43200"))?)
        }
    };
    Ok(Some(Role {
        profile: profile.to_owned(),
        arn: role_arn.to_owned(),
        session_name: section.get("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
        external_id: section.get("external_id").map(ToOwned::to_owned),
        duration_seconds,
        mfa_serial: section.get("mfa_serial").map(ToOwned::to_owned),
    }))
}

fn base(profiles: &Profiles, name: &str, section: &Section) -> Result<Option<Base>, SessionError> {
    if let Some(token_file) = section.get("web_identity_token_file") {
        let role_arn = section.get("role_arn");
        return Ok(Some(Base::WebIdentity {
            role_arn: role_arn.ok_or_else(|| problem(name, "`web_identity_token_file` needs a `role_arn`"))?.to_owned(),
            token_file: PathBuf::from(token_file),
            session_name: section.get("role_session_name").unwrap_or(SESSION_NAME).to_owned(),
        }));
    }
    if section.get("sso_account_id").is_some() || section.get("sso_role_name").is_some() {
        return sso(profiles, name, section).map(Some);
    }
    if let Some(keys) = keys(name, section)? {
        return Ok(Some(Base::Keys(keys)));
    }
    if let Some(command) = section.get("credential_process") {
        return Ok(Some(Base::Process { profile: name.to_owned(), command: command.to_owned() }));
    }
    if section.get("login_session").is_some() {
        return Err(problem(
            name,
            "`login_session` cannot be read directly: set `credential_process = aws configure export-credentials --profile …`",
        ));
    }
    Ok(None)
}

fn sso(profiles: &Profiles, name: &str, section: &Section) -> Result<Base, SessionError> {
    let session = section.get("sso_session");
    let place = match session {
        None => section,
        Some(session) => {
            let missing = || problem(name, &format!("there is no `sso-session {session}`"));
            profiles.sso_session(session).ok_or_else(missing)?
        }
    };
    let setting = |from: &Section, key: &str| match from.get(key) {
        Some(value) => Ok(value.to_owned()),
        None => Err(problem(name, &format!("`{key}` is missing"))),
    };
    Ok(Base::Sso {
        profile: name.to_owned(),
        session: session.map(ToOwned::to_owned),
        region: setting(place, "sso_region")?,
        start_url: setting(place, "sso_start_url")?,
        account: setting(section, "sso_account_id")?,
        role: setting(section, "sso_role_name")?,
    })
}

fn keys(profile: &str, section: &Section) -> Result<Option<Keys>, SessionError> {
    match (section.get("aws_access_key_id"), section.get("aws_secret_access_key")) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(Keys {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: section.get("aws_session_token").map(ToOwned::to_owned),
            account: section.get("aws_account_id").map(ToOwned::to_owned),
        })),
        (Some(_), None) => Err(problem(profile, "`aws_access_key_id` is there without `aws_secret_access_key`")),
        (None, Some(_)) => Err(problem(profile, "`aws_secret_access_key` is there without `aws_access_key_id`")),
    }
}

fn named_source(environment: &Environment, profile: &str, source: &str) -> Result<Base, SessionError> {
    match source.to_ascii_lowercase().as_str() {
        "environment" => {
            let keys = environment.keys().ok_or_else(|| {
                problem(profile, "`credential_source` is `Environment`, where `AWS_ACCESS_KEY_ID` is not set")
            })?;
            Ok(Base::Keys(keys))
        }
        "ec2instancemetadata" => Ok(Base::Instance),
        "ecscontainer" => Ok(Base::Container),
        _ => {
            Err(problem(profile, "`credential_source` is none of `Environment`, `Ec2InstanceMetadata`, `EcsContainer`"))
        }
    }
}

fn problem(profile: &str, problem: &str) -> SessionError {
    SessionError::Profile { profile: profile.to_owned(), problem: problem.to_owned() }
}
