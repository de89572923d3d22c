//! Resource types as data: `resources/**/*.yml` read into [`ResourceTypes`].
//!
//! The format is described in `docs/formats/resource-types.md`.

mod compile;
mod definition;
pub(crate) mod expression;
mod file;
mod functions;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_saphyr::Location;
use yagura_model::ResourceType;

pub use definition::Definition;
pub(crate) use definition::{Batch, Code, Detail, ListCall, Prepare, Test};
pub(crate) use file::ExpectedResource;

/// How long one file may be; the longest in use has some 20 KB.
const FILE_BYTES_MAX: u64 = 512 * 1024;
/// The ending of a file in the packed form.
const PACKED_ENDING: &str = ".json";
/// How many files are read; CloudFormation has some 1,300 types.
const FILES_MAX: usize = 5_000;
/// How deep folders may nest below `resources/`.
const FOLDER_DEPTH_MAX: usize = 8;

/// Something wrong with a resource file. The file is left out; the others load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1; 0 where no place is known.
    pub line: u64,
    /// The column in characters, from 1; 0 where no place is known.
    pub column: u64,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

impl LoadError {
    fn at(file: &str, location: Option<Location>, message: String) -> Self {
        let (line, column) = location.map_or((0, 0), |location| (location.line(), location.column()));
        Self { file: file.to_owned(), line, column, message }
    }
}

/// Every resource type that is known, by its name.
#[derive(Debug, Clone, Default)]
pub struct ResourceTypes {
    definitions: BTreeMap<ResourceType, Arc<Definition>>,
}

impl ResourceTypes {
    /// Reads every `.yml` below a folder; what could not be read or understood is in the list, everything else loads.
    pub fn load_dir(path: &Path) -> (Self, Vec<LoadError>) {
        let mut errors = Vec::new();
        let mut paths = Vec::new();
        find_files(path, 0, &mut paths, &mut errors);
        paths.sort();
        let mut files = Vec::new();
        for file in paths {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            match read_file(&file) {
                Ok(text) => files.push((name, text)),
                Err(message) => errors.push(LoadError::at(&name, None, message)),
            }
        }
        let (types, more) = Self::load_files(files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        errors.extend(more);
        (types, errors)
    }

    /// Reads files given as name and text, for instance those built into a program. A name that ends in `.json` is that
    /// of a packed file: the same content as JSON.
    pub fn load_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<LoadError>) {
        let mut types = Self::default();
        let mut errors = Vec::new();
        for (name, text) in files {
            match load_file(name, text) {
                Ok(definition) => match types.definitions.get(&definition.kind) {
                    Some(other) => {
                        let message = format!("`{}` is also in {}", definition.kind, other.file);
                        errors.push(LoadError::at(name, None, message));
                    }
                    None => {
                        types.definitions.insert(definition.kind.clone(), Arc::new(definition));
                    }
                },
                Err(problems) => errors.extend(problems),
            }
        }
        errors.extend(types.link());
        (types, errors)
    }

    /// A type by its name.
    pub fn get(&self, kind: &ResourceType) -> Option<&Arc<Definition>> {
        self.definitions.get(kind)
    }

    /// Every type, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.values()
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// The types that are listed for each resource of `kind`.
    pub fn children<'a>(&'a self, kind: &'a ResourceType) -> impl Iterator<Item = &'a Arc<Definition>> {
        self.definitions.values().filter(move |definition| definition.parent() == Some(kind))
    }

    /// Takes out the types whose parent is missing or wrong, until none is left, and says why.
    fn link(&mut self) -> Vec<LoadError> {
        let mut errors = Vec::new();
        loop {
            let wrong: Vec<_> = self
                .definitions
                .values()
                .filter_map(|definition| self.wrong_parent(definition).map(|problem| (definition.clone(), problem)))
                .collect();
            if wrong.is_empty() {
                return errors;
            }
            for (definition, message) in wrong {
                self.definitions.remove(&definition.kind);
                errors.push(LoadError::at(&definition.file, None, message));
            }
        }
    }

    fn wrong_parent(&self, definition: &Definition) -> Option<String> {
        let kind = definition.parent()?;
        let Some(parent) = self.definitions.get(kind) else {
            return Some(format!("`for: {kind}`: no file has this type, or its file did not load"));
        };
        if parent.global != definition.global {
            return Some(format!("`for: {kind}`: one of the two types is global, the other regional"));
        }
        let mut above = parent;
        for _ in 0..self.definitions.len() {
            let Some(next) = above.parent().and_then(|kind| self.definitions.get(kind)) else {
                return unknown_parent_name(definition, parent);
            };
            above = next;
        }
        Some(format!("`for: {kind}`: the types are listed for one another in a circle"))
    }
}

/// The names that an expression may read of a parent.
fn unknown_parent_name(definition: &Definition, parent: &Definition) -> Option<String> {
    let known = |name: &str| {
        matches!(name, "*" | "id" | "item" | "account" | "partition" | "region")
            || (name == "parent" && parent.list.parent.is_some())
            || parent.details.iter().any(|detail| detail.into == name)
    };
    let list = definition.list.call.as_ref();
    let when = definition.list.when.as_ref();
    let seen_by_when = |read: &&String| {
        let name = read.strip_prefix("parent.").unwrap_or(read);
        name != "parent" && !known(name.split('.').next().unwrap_or(name))
    };
    if let Some(name) = when.iter().flat_map(|when| when.reads()).find(seen_by_when) {
        return Some(format!("`when` of the list sees the object of {}, which has no `{name}`", parent.kind));
    }
    let inputs = list.into_iter().flat_map(|call| {
        let region = call.region.iter().flat_map(expression::Template::expressions);
        call.inputs.iter().flat_map(|input| input.expressions()).chain(region)
    });
    let mapped = definition.properties.iter().chain(&definition.attributes).map(|(_, expression)| expression);
    let relations = definition.relations.iter().map(|(_, expression)| expression);
    let templates =
        [Some(&definition.id), definition.arn.as_ref(), definition.name.as_ref(), definition.region.as_ref()];
    let templates = templates.into_iter().flatten().flat_map(expression::Template::expressions);
    let details = definition.details.iter().flat_map(|detail| detail.reads.iter());
    inputs
        .chain(mapped)
        .chain(relations)
        .chain(definition.tags.as_ref())
        .chain(templates)
        .flat_map(expression::Expression::reads)
        .chain(details)
        .filter_map(|read| read.strip_prefix("parent."))
        .find(|name| !known(name))
        .map(|name| format!("`parent.{name}`: {} has no such name", parent.kind))
}

fn load_file(name: &str, text: &str) -> Result<Definition, Vec<LoadError>> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(vec![LoadError::at(name, None, format!("longer than {FILE_BYTES_MAX} bytes"))]);
    }
    if let Some(stem) = name.strip_suffix(PACKED_ENDING) {
        let file = serde_json::from_str(text);
        let file = file.map_err(|error: serde_json::Error| vec![LoadError::at(name, None, error.to_string())])?;
        return compile::compile(&format!("{stem}.yml"), file);
    }
    let file: file::File = serde_saphyr::from_str(text).map_err(|error| {
        let location = error.location();
        let message = plain_message(&error);
        vec![LoadError::at(name, location, message)]
    })?;
    compile::compile(name, file)
}

/// The parser's message in one line, without the snippet and the place that it adds.
fn plain_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match line.split_once(": ") {
        Some((place, message)) if place.starts_with("line ") => message.to_owned(),
        _ => line.to_owned(),
    }
}

fn find_files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>, errors: &mut Vec<LoadError>) {
    let name = folder.to_string_lossy();
    if depth > FOLDER_DEPTH_MAX {
        errors.push(LoadError::at(&name, None, format!("folders nest deeper than {FOLDER_DEPTH_MAX}")));
        return;
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return errors.push(LoadError::at(&name, None, format!("the folder could not be read: {error}"))),
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                errors.push(LoadError::at(&name, None, format!("the folder could not be read: {error}")));
                continue;
            }
        };
        if path.is_dir() {
            find_files(&path, depth + 1, found, errors);
        } else if path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml") {
            if found.len() == FILES_MAX {
                errors.push(LoadError::at(&name, None, format!("more than {FILES_MAX} files")));
                return;
            }
            found.push(path);
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| format!("could not be read: {error}"))?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("longer than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("could not be read: {error}"))
}

#[cfg(test)]
mod tests;
