//! The files `config` and `credentials` that the AWS CLI and the SDKs share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::SessionError;

/// No real file is a hundredth of this; one that is larger is not what it should be.
const FILE_BYTES_MAX: usize = 16 << 20;

/// What both files say. Without `Debug`: values may be secrets.
#[derive(Default)]
pub(super) struct Profiles {
    by_name: BTreeMap<String, Section>,
    sso_sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
}

/// One section's settings, names in lower case. A setting with indented settings of its own has them as
/// `name.inner`.
#[derive(Default, Clone)]
pub(super) struct Section(BTreeMap<String, String>);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Profiles are `[profile name]`.
    Config,
    /// Profiles are `[name]`.
    Credentials,
}

impl Profiles {
    /// Reads both files; one that does not exist is as good as empty. What `credentials` says of a profile goes before
    /// what `config` says.
    pub(super) async fn read(config: Option<&Path>, credentials: Option<&Path>) -> Result<Self, SessionError> {
        let mut profiles = Self::default();
        for (path, kind) in [(config, FileKind::Config), (credentials, FileKind::Credentials)] {
            let Some(path) = path else { continue };
            match tokio::fs::read(path).await {
                Ok(bytes) => profiles.add(path, &bytes, kind)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(SessionError::UnreadableFile { path: path.to_owned(), source: error }),
            }
        }
        Ok(profiles)
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
        self.by_name.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.sso_sessions.get(name)
    }

    pub(super) fn services(&self, name: &str) -> Option<&Section> {
        self.services.get(name)
    }

    pub(super) fn add(&mut self, path: &Path, bytes: &[u8], kind: FileKind) -> Result<(), SessionError> {
        let malformed = |line: usize, problem| SessionError::MalformedFile { path: PathBuf::from(path), line, problem };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(malformed(1, "the file is far larger than any real one"));
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            malformed(before.split(|&byte| byte == b'\n').count(), "the line is not utf-8 text")
        })?;
        let mut section: Option<&mut Section> = None;
        let mut outer: Option<String> = None;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = index + 1;
            if line.trim().is_empty() || line.starts_with(['#', ';']) || line.trim_start().starts_with('#') {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                let (name, _) = header.split_once(']').ok_or_else(|| malformed(number, "the section has no `]`"))?;
                section = self.section(name, kind);
                outer = None;
                // Settings of sections that mean nothing here are still checked, into nowhere.
                continue;
            }
            let indented = line.starts_with([' ', '\t']);
            let Some((key, value)) = uncommented(line).split_once('=') else {
                if indented && outer.is_some() {
                    continue;
                }
                return Err(malformed(number, "the line is neither a section nor `name = value`"));
            };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key.is_empty() {
                return Err(malformed(number, "the setting has no name"));
            }
            let full = match (&outer, indented) {
                (Some(outer), true) => format!("{outer}.{key}"),
                _ => key.clone(),
            };
            if !indented {
                outer = Some(key);
            }
            if let Some(section) = &mut section {
                section.0.insert(full, value.to_owned());
            }
        }
        Ok(())
    }

    /// The section that a header opens; `None` for one that means nothing here.
    fn section(&mut self, header: &str, kind: FileKind) -> Option<&mut Section> {
        let header = header.trim();
        if kind == FileKind::Credentials {
            return Some(self.by_name.entry(unquoted(header).to_owned()).or_default());
        }
        if header == "default" {
            return Some(self.by_name.entry(header.to_owned()).or_default());
        }
        let (word, name) = header.split_once([' ', '\t'])?;
        let sections = match word {
            "profile" => &mut self.by_name,
            "sso-session" => &mut self.sso_sessions,
            "services" => &mut self.services,
            _ => return None,
        };
        Some(sections.entry(unquoted(name.trim()).to_owned()).or_default())
    }
}

impl Section {
    /// A setting; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every setting with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The line without a comment, which starts with `#` or `;` after white space.
fn uncommented(line: &str) -> &str {
    let starts = line.match_indices([' ', '\t']);
    let comment =
        starts.map(|(at, _)| at).find(|at| line.get(at + 1..).is_some_and(|rest| rest.starts_with(['#', ';'])));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

fn unquoted(name: &str) -> &str {
    let within = |quote| name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(config: &str, credentials: &str) -> Result<Profiles, String> {
        let mut profiles = Profiles::default();
        profiles
            .add(Path::new("config"), config.as_bytes(), FileKind::Config)
            .and_then(|()| profiles.add(Path::new("credentials"), credentials.as_bytes(), FileKind::Credentials))
            .map_err(|error| error.to_string())?;
        Ok(profiles)
    }

    #[test]
    fn profiles_come_from_both_files() {
        let config = "\u{feff}# a comment\n[default]\nregion = eu-west-1 ; here\n\n[profile \"two words\"]\nREGION=us-east-1\n[preview]\nx = 1\n[profile a]\noutput=json\n";
        let profiles = parse(config, "[a]\naws_access_key_id = A#B\noutput = text\n[only]\n").unwrap();
        assert_eq!(profiles.names().collect::<Vec<_>>(), ["a", "default", "only", "two words"]);
        let get = |profile: &str, name: &str| profiles.profile(profile).unwrap().get(name).map(ToOwned::to_owned);
        assert_eq!(get("default", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(get("two words", "region").as_deref(), Some("us-east-1"));
        assert_eq!(get("a", "aws_access_key_id").as_deref(), Some("A#B"));
        assert_eq!(get("a", "output").as_deref(), Some("text"));
        assert_eq!(get("only", "output"), None);
    }

    #[test]
    fn settings_nest_once() {
        let config = "[services dev]\ns3 =\n  endpoint_url = http://127.0.0.1:1\n\n  # note\n  addressing_style = path\ndynamodb=\n\tendpoint_url=http://127.0.0.1:2\n";
        let profiles = parse(config, "").unwrap();
        let services = profiles.services("dev").unwrap();
        assert_eq!(services.get("s3.endpoint_url"), Some("http://127.0.0.1:1"));
        assert_eq!(services.get("s3.addressing_style"), Some("path"));
        assert_eq!(services.get("dynamodb.endpoint_url"), Some("http://127.0.0.1:2"));
        assert_eq!(services.get("s3"), None);
    }

    #[test]
    fn a_malformed_file_is_named_with_its_line() {
        let error = |config: &str| parse(config, "").err().unwrap();
        assert_eq!(error("[default\n"), "line 1 of `config` is malformed: the section has no `]`");
        assert_eq!(
            error("[default]\n\nregion eu-west-1\n"),
            "line 3 of `config` is malformed: the line is neither a section nor `name = value`"
        );
        assert_eq!(error("[default]\n = x\n"), "line 2 of `config` is malformed: the setting has no name");
    }
}
