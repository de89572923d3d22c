//! Rule files: read, checked and compiled, each with exact errors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use yagura_model::{RuleName, Text};

use crate::control::{Command, Control, Logic};
use crate::guard::{GuardError, GuardRules};
use crate::library::Library;
use crate::locate::Position;
use crate::program::Program;
use crate::raw::{RawControl, Said};
use crate::tables::Tables;

/// The largest rule file: the longest sensible one, tests included, has some 30 KiB.
const FILE_BYTES_MAX: usize = 512 * 1024;

/// The ending of a file in the packed form.
const PACKED_ENDING: &str = ".json";

/// How deep folders may nest below `rules/`.
const FOLDER_DEPTH_MAX: usize = 8;

/// The controls and tables of one `rules/` folder.
#[derive(Debug, Default)]
pub struct RuleSet {
    controls: Vec<Control>,
    by_name: HashMap<RuleName, usize>,
    tables: Tables,
}

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{position}: {message}")]
pub struct LoadError {
    /// The file, as a path below `rules/`.
    pub file: String,
    /// Where in the file.
    pub position: Position,
    /// What was found and what was expected.
    pub message: String,
}

impl RuleSet {
    /// Reads the folder `rules/`: its `controls/` and `tables/`. What is broken is listed, the rest is there.
    pub fn load_dir(path: &Path, library: &Library) -> (Self, Vec<LoadError>) {
        let mut files = Vec::new();
        let mut errors = Vec::new();
        for folder in ["controls", "tables"] {
            if path.join(folder).is_dir() {
                read_folder(&path.join(folder), folder, FOLDER_DEPTH_MAX, &mut files, &mut errors);
            }
        }
        if files.is_empty() && errors.is_empty() {
            let message = "there are no `controls/` and no `tables/` here".to_owned();
            errors.push(LoadError { file: path.display().to_string(), position: Position::START, message });
        }
        let (rules, more) = Self::load_files(files, library);
        errors.extend(more);
        (rules, errors)
    }

    /// Reads rule files by their paths below `rules/` (`controls/s3/bucket-versioning-enabled.yml`,
    /// `tables/lambda-runtimes.yml`); other folders' files are passed over.
    ///
    /// A path that ends in `.json` is that of a packed file: the same content as JSON, without its tests. Its
    /// expressions are taken to have been compiled before, and are compiled again when they are first evaluated.
    pub fn load_files(
        files: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
        library: &Library,
    ) -> (Self, Vec<LoadError>) {
        let mut rules = Self::default();
        let mut errors = Vec::new();
        let mut controls = BTreeMap::new();
        for (path, text) in files {
            let (path, text) = (path.as_ref(), text.as_ref());
            let packed = path.ends_with(PACKED_ENDING);
            let Some(stem) = path.strip_suffix(if packed { PACKED_ENDING } else { ".yml" }) else { continue };
            if let Some(name) = stem.strip_prefix("tables/") {
                match parse::<Value>(path, text, packed) {
                    Ok(table) => rules.tables.insert(name, table),
                    Err(error) => errors.push(error),
                }
            } else if let Some(name) = stem.strip_prefix("controls/") {
                controls.insert(name.to_owned(), (format!("{stem}.yml"), text.to_owned(), packed));
            }
        }
        let mut seen = Seen::default();
        let shared = Arc::new(library.clone());
        for (name, (path, text, packed)) in controls {
            let reading = Reading { path: &path, text: &text, packed, library: &shared, tables: &rules.tables };
            match reading.control(&name, &mut seen) {
                Ok(control) => {
                    rules.by_name.insert(control.name.clone(), rules.controls.len());
                    rules.controls.push(control);
                }
                Err(found) => errors.extend(found),
            }
        }
        (rules, errors)
    }

    /// Every control, by name.
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// The control of this name.
    pub fn control(&self, name: &RuleName) -> Option<&Control> {
        self.by_name.get(name).and_then(|index| self.controls.get(*index))
    }

    /// The tables of facts.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}

fn read_folder(
    folder: &Path,
    name: &str,
    depth: usize,
    files: &mut Vec<(String, String)>,
    errors: &mut Vec<LoadError>,
) {
    let mut failed = |file: &str, error: String| {
        errors.push(LoadError { file: file.to_owned(), position: Position::START, message: error });
    };
    if depth == 0 {
        return failed(name, "the folders nest too deep".to_owned());
    }
    let entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return failed(name, error.to_string()),
    };
    for entry in entries {
        let path = entry.path();
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            read_folder(&path, &name, depth - 1, files, errors);
        } else if path.extension().is_some_and(|ending| ending == "yml") {
            match std::fs::read_to_string(&path) {
                Ok(text) => files.push((name, text)),
                Err(error) => {
                    errors.push(LoadError { file: name, position: Position::START, message: error.to_string() });
                }
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            let message = "the ending is `.yaml`, expected `.yml`".to_owned();
            errors.push(LoadError { file: name, position: Position::START, message });
        }
    }
}

pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str, packed: bool) -> Result<T, LoadError> {
    let error = |position, message| LoadError { file: file.to_owned(), position, message };
    if text.len() > FILE_BYTES_MAX {
        return Err(error(Position::START, format!("the file is longer than {FILE_BYTES_MAX} bytes")));
    }
    if packed {
        return serde_json::from_str(text).map_err(|found| error(Position::START, found.to_string()));
    }
    serde_saphyr::from_str(text).map_err(|found| {
        let found = found.without_snippet();
        let position = found.location().map_or(Position::START, Position::of);
        let message = found.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        // What the parser's caller could set is nothing to the author of a file.
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or_default();
        error(position, message.trim_start_matches("error: ").to_owned())
    })
}

/// What must be unique among all rules.
#[derive(Default)]
struct Seen {
    ids: HashMap<String, String>,
    aws: HashMap<String, String>,
}

/// One control file while it is read.
struct Reading<'a> {
    path: &'a str,
    text: &'a str,
    /// Whether the file has no tests and its expressions were compiled before.
    packed: bool,
    library: &'a Arc<Library>,
    tables: &'a Tables,
}

impl Reading<'_> {
    fn control(&self, name: &str, seen: &mut Seen) -> Result<Control, Vec<LoadError>> {
        let raw: RawControl = parse(self.path, self.text, self.packed).map_err(|error| vec![error])?;
        let mut errors = Vec::new();
        self.check_name(name, &mut errors);
        self.check_unique(&raw, seen, &mut errors);
        let [title, why, fix] = [
            self.words(&raw.title, &raw.ja.title, &mut errors),
            self.words(&raw.why, &raw.ja.why, &mut errors),
            self.words(&raw.fix, &raw.ja.fix, &mut errors),
        ];
        let level = self.take(&raw.level, |level| level.parse().map_err(|error| format!("{error}")), &mut errors);
        let subjects = self.subjects(&raw, &mut errors);
        let command = raw.command.as_ref().and_then(|text| self.take(text, Command::parse, &mut errors));
        let when = raw.when.as_ref().and_then(|source| self.program(source, &mut errors));
        let logic = self.logic(&raw, &mut errors);
        let cases = if self.packed || subjects.is_empty() { Ok(Vec::new()) } else { raw.cases(&subjects) };
        let cases = cases.unwrap_or_else(|(position, message)| {
            errors.push(self.error(position, message));
            Vec::new()
        });
        match (level, logic) {
            (Some(level), Some(logic)) if errors.is_empty() => Ok(Control {
                name: name.into(),
                id: raw.id.value.to_ascii_lowercase(),
                title,
                why,
                fix,
                level,
                aws: raw.aws.into_iter().map(|name| name.value).collect(),
                subjects,
                command,
                minutes: raw.minutes,
                when,
                logic,
                cases,
            }),
            _ => Err(errors),
        }
    }

    fn error(&self, position: Position, message: impl Into<String>) -> LoadError {
        LoadError { file: self.path.to_owned(), position, message: message.into() }
    }

    fn check_name(&self, name: &str, errors: &mut Vec<LoadError>) {
        let word = |part: &str| {
            !part.is_empty()
                && part.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        };
        if name.split('/').count() != 2 || !name.split('/').all(word) {
            errors.push(self.error(
                Position::START,
                format!("the path is `{name}`, expected `service/good-state` in lower case with hyphens"),
            ));
        }
    }

    fn check_unique(&self, raw: &RawControl, seen: &mut Seen, errors: &mut Vec<LoadError>) {
        let id = raw.id.value.to_ascii_lowercase();
        let at = Position::of(raw.id.referenced);
        if !is_uuid(&id) {
            errors.push(self.error(at, format!("`{id}` is not a UUID")));
        }
        if let Some(other) = seen.ids.insert(id, self.path.to_owned()) {
            errors.push(self.error(at, format!("the id is that of `{other}` too")));
        }
        for name in &raw.aws {
            if let Some(other) = seen.aws.insert(name.value.clone(), self.path.to_owned())
                && (other == self.path || !is_config_rule(&name.value))
            {
                let at = Position::of(name.referenced);
                errors.push(self.error(at, format!("`{}` is claimed by `{other}` too", name.value)));
            }
        }
    }

    fn words(&self, en: &Said, ja: &Said, errors: &mut Vec<LoadError>) -> Text {
        for said in [en, ja] {
            if said.value.trim().is_empty() {
                errors.push(self.error(Position::of(said.referenced), "the text is empty"));
            }
        }
        if !ja.value.trim().is_empty() && ja.value.is_ascii() {
            errors.push(self.error(Position::of(ja.referenced), "the text is not Japanese"));
        }
        Text { en: en.value.trim().to_owned(), ja: ja.value.trim().to_owned() }
    }

    fn take<T>(
        &self,
        said: &Said,
        parse: impl FnOnce(&str) -> Result<T, String>,
        errors: &mut Vec<LoadError>,
    ) -> Option<T> {
        match parse(&said.value) {
            Ok(value) => Some(value),
            Err(message) => {
                errors.push(self.error(Position::of(said.referenced), message));
                None
            }
        }
    }

    fn subjects(&self, raw: &RawControl, errors: &mut Vec<LoadError>) -> Vec<yagura_model::ResourceType> {
        let at = Position::of(raw.subject.referenced);
        let types: Vec<String> = raw.subject.value.types();
        if types.is_empty() {
            errors.push(self.error(at, "expected at least one type"));
        }
        types
            .iter()
            .filter_map(|kind| match crate::cel::resource_type(kind) {
                Ok(kind) => Some(kind),
                Err(message) => {
                    errors.push(self.error(at, message));
                    None
                }
            })
            .collect()
    }

    fn program(&self, source: &Said, errors: &mut Vec<LoadError>) -> Option<Program> {
        if self.packed {
            return Some(Program::deferred(&source.value, Arc::clone(self.library)));
        }
        let start = Position::of(source.referenced);
        match Program::compile(&source.value, self.library) {
            Ok(program) => {
                for name in program.reads().tables {
                    if self.tables.get(&name).is_none() {
                        errors.push(self.error(start, format!("there is no table `{name}` in `tables/`")));
                    }
                }
                Some(program)
            }
            Err(found) => {
                let position = start.into_scalar(self.text, &source.value, found.offset);
                let source: Vec<&str> = source.value.split_whitespace().collect();
                let source = source.join(" ");
                errors.push(self.error(position, format!("{} in `{source}`", found.message)));
                None
            }
        }
    }

    fn guard_error(&self, source: &Said, error: &GuardError) -> LoadError {
        let start = Position::of(source.referenced);
        match error {
            GuardError::Malformed { position: Some(found), message } => {
                let offset = found.offset_in(&source.value);
                self.error(start.into_scalar(self.text, &source.value, offset), format!("{message} in the Guard rules"))
            }
            other => self.error(start, other.to_string()),
        }
    }

    fn logic(&self, raw: &RawControl, errors: &mut Vec<LoadError>) -> Option<Logic> {
        match (&raw.cel, &raw.guard) {
            (Some(source), None) => self.program(source, errors).map(Logic::Cel),
            (None, Some(source)) => match GuardRules::parse(&source.value) {
                Ok(rules) => Some(Logic::Guard(rules)),
                Err(error) => {
                    errors.push(self.guard_error(source, &error));
                    None
                }
            },
            (Some(_), Some(second)) => {
                let at = Position::of(second.referenced);
                errors.push(self.error(at, "expected either `cel` or `guard`, not both"));
                None
            }
            (None, None) => {
                errors.push(self.error(Position::START, "expected `cel` or `guard`"));
                None
            }
        }
    }
}

pub(crate) fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

/// Whether an identifier is a managed rule's of AWS Config (`IAM_USER_UNUSED_CREDENTIALS_CHECK`): with other parameters
/// such a rule stands behind several Security Hub controls, so several controls here may carry it.
fn is_config_rule(id: &str) -> bool {
    let shouted = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    id.contains('_') && id.chars().all(shouted)
}
