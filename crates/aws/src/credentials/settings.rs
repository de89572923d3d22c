//! What the environment and the selected profile say beside credentials: region, endpoints, FIPS, dual-stack, proxies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::plan::Keys;
use super::profiles::{Profiles, Section};
use super::{Environment, SessionError};

/// The settings of a session, as the AWS CLI reads them.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) region: Option<String>,
    pub(super) endpoints: Endpoints,
    pub(super) use_fips: bool,
    pub(super) use_dual_stack: bool,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) path_style_s3: Option<bool>,
}

/// Endpoints set by hand.
#[derive(Debug, Clone, Default)]
pub(super) struct Endpoints {
    /// Given with the command: it goes before everything else.
    pub(super) forced: Option<String>,
    /// Of one service, by the service's id in lower case with `_`.
    pub(super) services: BTreeMap<String, String>,
    /// Of all others.
    pub(super) general: Option<String>,
}

const ENDPOINT_PREFIX: &str = "AWS_ENDPOINT_URL_";

impl Endpoints {
    /// The endpoint of a service whose SDK name is `service_id` (`Elastic Load Balancing v2`).
    pub(super) fn of(&self, service_id: &str) -> Option<&str> {
        let specific = || self.services.get(&key_of(service_id));
        self.forced.as_ref().or_else(specific).or(self.general.as_ref()).map(String::as_str)
    }

    /// Environment before profile. Within each, a service's own endpoint before the general one; but the general one of
    /// the environment before a service's own of the profile.
    fn read(environment: &Environment, profiles: &Profiles, profile: Option<&Section>) -> Result<Self, SessionError> {
        let ignored =
            flag(environment, profile, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")?;
        if ignored {
            return Ok(Self::default());
        }
        let mut services = BTreeMap::new();
        let general = environment.get("AWS_ENDPOINT_URL").map(ToOwned::to_owned);
        if general.is_none()
            && let Some(section) = profile.and_then(|profile| profile.get("services"))
        {
            let missing = || SessionError::Setting {
                name: "services".to_owned(),
                value: section.to_owned(),
                expected: "the name of a `[services …]` section",
            };
            services = profiles.services(section).ok_or_else(missing)?.inner("endpoint_url");
        }
        for (name, url) in environment.with_prefix(ENDPOINT_PREFIX) {
            services.insert(name.to_ascii_lowercase(), url.to_owned());
        }
        let general =
            general.or_else(|| profile.and_then(|profile| profile.get("endpoint_url")).map(ToOwned::to_owned));
        Ok(Self { forced: None, services, general })
    }
}

fn key_of(service_id: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    service_id.chars().map(plain).collect()
}

impl Settings {
    pub(super) fn read(environment: &Environment, profiles: &Profiles, profile: &str) -> Result<Self, SessionError> {
        let section = profiles.profile(profile);
        let setting = |name: &str| section.and_then(|section| section.get(name)).map(ToOwned::to_owned);
        let region = environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION"));
        let ca_bundle = environment.get("AWS_CA_BUNDLE").map(ToOwned::to_owned).or_else(|| setting("ca_bundle"));
        Ok(Self {
            region: region.map(ToOwned::to_owned).or_else(|| setting("region")),
            endpoints: Endpoints::read(environment, profiles, section)?,
            use_fips: flag(environment, section, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?,
            use_dual_stack: flag(environment, section, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?,
            ca_bundle: ca_bundle.map(|path| environment.expanded(&path)),
            path_style_s3: match setting("s3.addressing_style").as_deref() {
                Some("path") => Some(true),
                Some("virtual") => Some(false),
                _ => None,
            },
        })
    }
}

impl Section {
    /// The setting `name` within each setting that has inner ones.
    fn inner(&self, name: &str) -> BTreeMap<String, String> {
        let of = |(key, value): (&str, &str)| {
            let (outer, inner) = key.split_once('.')?;
            (inner == name).then(|| (outer.to_owned(), value.to_owned()))
        };
        self.iter().filter_map(of).collect()
    }
}

fn flag(
    environment: &Environment,
    profile: Option<&Section>,
    variable: &str,
    setting: &str,
) -> Result<bool, SessionError> {
    let (name, value) = match (environment.get(variable), profile.and_then(|profile| profile.get(setting))) {
        (Some(value), _) => (variable, value),
        (None, Some(value)) => (setting, value),
        (None, None) => return Ok(false),
    };
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            Err(SessionError::Setting { name: name.to_owned(), value: value.to_owned(), expected: "`true` or `false`" })
        }
    }
}

impl Environment {
    /// A variable; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let variables = self.variables.iter().filter(|(_, value)| !value.is_empty());
        variables.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    pub(super) fn keys(&self) -> Option<Keys> {
        Some(Keys {
            access_key_id: self.get("AWS_ACCESS_KEY_ID")?.to_owned(),
            secret_access_key: self.get("AWS_SECRET_ACCESS_KEY")?.to_owned(),
            session_token: self.get("AWS_SESSION_TOKEN").map(ToOwned::to_owned),
            account: self.get("AWS_ACCOUNT_ID").map(ToOwned::to_owned),
        })
    }

    pub(super) fn names_container(&self) -> bool {
        ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
            .into_iter()
            .any(|name| self.get(name).is_some())
    }

    pub(super) fn forbids_instance(&self) -> bool {
        self.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The file of a variable, or the one under `.aws` in the home directory.
    pub(super) fn file(&self, variable: &str, name: &str) -> Option<PathBuf> {
        match self.get(variable) {
            Some(path) => Some(self.expanded(path)),
            None => self.home.as_ref().map(|home| home.join(".aws").join(name)),
        }
    }

    /// The path with a leading `~` as the home directory.
    fn expanded(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }
}
