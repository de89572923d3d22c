//! The settings of a run, each with the place it comes from: flag, environment, file or default, in this order.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use yagura_model::{Lang, Level};

use crate::Usage;
use crate::cli::{AccountArgs, Common};

/// The configuration file's name.
const FILE_NAME: &str = "yagura.toml";

/// Calls allowed in one run when nothing else is said: three times what an account of 10,000 resources needs.
const MAX_API_CALLS_DEFAULT: u64 = 100_000;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(&'static str),
    Environment(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and its source.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

/// What `yagura.toml` may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    lang: Option<Lang>,
    profile: Option<String>,
    regions: Option<Vec<String>>,
    endpoint_url: Option<String>,
    max_api_calls: Option<u64>,
    fail_on: Option<Level>,
    rules: Option<Vec<PathBuf>>,
}

/// The settings of a run.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where to keep things; see [`Config::data_dir`].
    pub(crate) data_dir: Setting<Option<PathBuf>>,
    pub(crate) lang: Setting<Lang>,
    pub(crate) profile: Setting<Option<String>>,
    pub(crate) regions: Setting<Vec<String>>,
    pub(crate) endpoint_url: Setting<Option<String>>,
    pub(crate) max_api_calls: Setting<u64>,
    pub(crate) fail_on: Setting<Option<Level>>,
    pub(crate) rules: Setting<Vec<PathBuf>>,
}

/// The environment as this program reads it; the one place that does.
pub(crate) struct Environment;

impl Environment {
    /// The variable's value; an empty one counts as not set.
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment, here and nowhere else")]
    pub(crate) fn get(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Config {
    /// The settings of this run.
    pub(crate) fn load(common: &Common, account: Option<&AccountArgs>) -> Result<Self> {
        let (file, path) = read_file(common.config.as_deref())?;
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let from_file = || Source::File(path.clone());
        let none = AccountArgs::default();
        let account = account.unwrap_or(&none);

        let data_dir = optional([
            common.data_dir.clone().map(|dir| (dir, Source::Flag("--data-dir"))),
            environment("YAGURA_DATA_DIR").map(|(dir, source)| (PathBuf::from(dir), source)),
            file.data_dir.map(|dir| (base.join(dir), from_file())),
            default_data_dir().map(|dir| (dir, Source::Default)),
        ]);
        let lang = first([
            common.lang.map(|lang| (lang, Source::Flag("--lang"))),
            parsed::<Lang>("YAGURA_LANG")?,
            file.lang.map(|lang| (lang, from_file())),
            locale_lang(),
        ]);
        Ok(Self {
            data_dir,
            lang: lang.unwrap_or(Setting { value: Lang::En, source: Source::Default }),
            profile: optional([
                account.profile.clone().map(|name| (name, Source::Flag("--profile"))),
                environment("AWS_PROFILE"),
                file.profile.map(|name| (name, from_file())),
            ]),
            regions: first([
                (!account.region.is_empty()).then(|| (account.region.clone(), Source::Flag("--region"))),
                environment("YAGURA_REGIONS")
                    .map(|(list, source)| (list.split(',').map(str::to_owned).collect(), source)),
                file.regions.map(|list| (list, from_file())),
            ])
            .unwrap_or(Setting { value: Vec::new(), source: Source::Default }),
            endpoint_url: optional([
                account.endpoint_url.clone().map(|url| (url, Source::Flag("--endpoint-url"))),
                environment("AWS_ENDPOINT_URL"),
                file.endpoint_url.map(|url| (url, from_file())),
            ]),
            max_api_calls: first([
                account.max_api_calls.map(|calls| (calls, Source::Flag("--max-api-calls"))),
                parsed::<u64>("YAGURA_MAX_API_CALLS")?,
                file.max_api_calls.map(|calls| (calls, from_file())),
            ])
            .unwrap_or(Setting { value: MAX_API_CALLS_DEFAULT, source: Source::Default }),
            fail_on: optional([parsed::<Level>("YAGURA_FAIL_ON")?, file.fail_on.map(|level| (level, from_file()))]),
            rules: first([file
                .rules
                .map(|dirs| (dirs.into_iter().map(|dir| base.join(dir)).collect::<Vec<_>>(), from_file()))])
            .unwrap_or(Setting { value: Vec::new(), source: Source::Default }),
        })
    }

    /// The folder where things are kept. An error where none is given and there is no home folder to have one in: only
    /// what keeps something, or shows what is kept, asks.
    pub(crate) fn data_dir(&self) -> Result<&Path> {
        let dir = self.data_dir.value.as_deref();
        dir.ok_or_else(|| Usage("there is no home folder: give --data-dir".to_owned()).into())
    }

    /// Name, value and source of every setting, in the order of the file's documentation.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String, String)> {
        fn row<T>(
            name: &'static str,
            setting: &Setting<T>,
            text: impl Fn(&T) -> String,
        ) -> (&'static str, String, String) {
            (name, text(&setting.value), setting.source.to_string())
        }
        let option = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            row("data_dir", &self.data_dir, |dir| {
                dir.as_ref().map_or_else(|| "-".to_owned(), |dir| dir.display().to_string())
            }),
            row("lang", &self.lang, |lang| lang.code().to_owned()),
            row("profile", &self.profile, option),
            row("regions", &self.regions, |list| if list.is_empty() { "-".to_owned() } else { list.join(",") }),
            row("endpoint_url", &self.endpoint_url, option),
            row("max_api_calls", &self.max_api_calls, u64::to_string),
            row("fail_on", &self.fail_on, |level| level.map_or_else(|| "-".to_owned(), |level| level.to_string())),
            row("rules", &self.rules, |dirs| {
                if dirs.is_empty() {
                    return "-".to_owned();
                }
                dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(",")
            }),
        ]
    }
}

fn first<T, const N: usize>(candidates: [Option<(T, Source)>; N]) -> Option<Setting<T>> {
    candidates.into_iter().flatten().next().map(|(value, source)| Setting { value, source })
}

fn optional<T, const N: usize>(candidates: [Option<(T, Source)>; N]) -> Setting<Option<T>> {
    match first(candidates) {
        Some(Setting { value, source }) => Setting { value: Some(value), source },
        None => Setting { value: None, source: Source::Default },
    }
}

fn environment(name: &'static str) -> Option<(String, Source)> {
    Environment::get(name).map(|value| (value, Source::Environment(name)))
}

fn parsed<T>(name: &'static str) -> Result<Option<(T, Source)>>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match Environment::get(name) {
        None => Ok(None),
        Some(text) => {
            let value = text.parse().with_context(|| format!("the environment variable {name} cannot be used"))?;
            Ok(Some((value, Source::Environment(name))))
        }
    }
}

/// The locale's language, by the rules of POSIX: `LC_ALL`, then `LC_MESSAGES`, then `LANG`.
fn locale_lang() -> Option<(Lang, Source)> {
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        if let Some(locale) = Environment::get(name) {
            let lang = if locale.starts_with("ja") { Lang::Ja } else { Lang::En };
            return Some((lang, Source::Environment(name)));
        }
    }
    None
}

fn default_data_dir() -> Option<PathBuf> {
    if let Some(dir) = Environment::get("XDG_DATA_HOME").or_else(|| Environment::get("LOCALAPPDATA")) {
        return Some(PathBuf::from(dir).join("yagura"));
    }
    let below = if cfg!(target_os = "macos") { "Library/Application Support/yagura" } else { ".local/share/yagura" };
    Environment::get("HOME").map(|home| PathBuf::from(home).join(below))
}

fn read_file(given: Option<&Path>) -> Result<(File, PathBuf)> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => match default_files().into_iter().find(|path| path.is_file()) {
            Some(path) => path,
            None => return Ok((File::default(), PathBuf::new())),
        },
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the configuration file `{}`", path.display()))?;
    let file =
        toml::from_str(&text).with_context(|| format!("the configuration file `{}` cannot be used", path.display()))?;
    Ok((file, path))
}

fn default_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from(FILE_NAME)];
    if let Some(dir) = Environment::get("XDG_CONFIG_HOME") {
        files.push(PathBuf::from(dir).join("yagura").join(FILE_NAME));
    } else if let Some(home) = Environment::get("HOME") {
        files.push(PathBuf::from(home).join(".config/yagura").join(FILE_NAME));
    }
    files
}
