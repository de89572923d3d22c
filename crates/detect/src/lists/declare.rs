//! What the files of a folder of lists are said to be: by `lists.yml` in it, or by their names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Format, Kind};

/// The file in a folder of lists that declares them.
pub const DECLARATION: &str = "lists.yml";

/// What a list file is said to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The file, as a path from the folder of lists.
    pub file: String,
    /// What the list says of what it holds.
    pub kind: Kind,
    /// What findings call the list; the file where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it is written; told by its content where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
}

impl Declared {
    /// What findings call the list.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.file)
    }

    /// What the name of a file says: `FEED.KIND.ENDING`, as in `tor-exits.tor.txt`. `None` where no kind is in it.
    pub fn by_name(file: &str) -> Option<Self> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let (rest, _ending) = name.rsplit_once('.')?;
        let (_feed, kind) = rest.rsplit_once('.')?;
        Some(Self { file: file.to_owned(), kind: Kind::parse(kind)?, name: None, format: None })
    }
}

/// Why the files of a folder could not be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeclareError {
    /// The declaration is no such YAML.
    #[error("`{DECLARATION}` cannot be read: {problem}")]
    Malformed {
        /// What is wrong, with its line.
        problem: String,
    },
    /// A list is declared twice.
    #[error("`{DECLARATION}` declares `{file}` twice")]
    Twice {
        /// The file as declared.
        file: String,
    },
    /// A list is declared that is not there.
    #[error("`{DECLARATION}` declares `{file}`, which is not there")]
    Missing {
        /// The file as declared.
        file: String,
    },
    /// A file is there whose kind nobody says.
    #[error("the list `{file}` is not used: say its kind in `{DECLARATION}`, or in its name (`feed.malicious.txt`)")]
    Undeclared {
        /// The file in the folder.
        file: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    lists: Vec<Declared>,
}

/// What each of `files`, the paths from the folder of lists, is: as the text of [`DECLARATION`] says, else as its name says. Hidden
/// files and the declaration itself are no lists. What is wrong is returned beside what could be told.
pub fn declare(files: &[String], declaration: Option<&str>) -> (Vec<Declared>, Vec<DeclareError>) {
    let mut errors = Vec::new();
    let mut declared = BTreeMap::new();
    let text = declaration.unwrap_or("lists: []");
    match serde_saphyr::from_str::<Declaration>(text) {
        Err(error) => errors.push(DeclareError::Malformed { problem: error.to_string() }),
        Ok(declaration) => {
            for list in declaration.lists {
                if !files.contains(&list.file) {
                    errors.push(DeclareError::Missing { file: list.file });
                } else if let Some(before) = declared.insert(list.file.clone(), list) {
                    errors.push(DeclareError::Twice { file: before.file });
                }
            }
        }
    }
    let mut lists = Vec::new();
    for file in files {
        let name = file.rsplit('/').next().unwrap_or(file);
        if file == DECLARATION || name.starts_with('.') {
            continue;
        }
        match declared.remove(file).or_else(|| Declared::by_name(file)) {
            Some(list) => lists.push(list),
            None => errors.push(DeclareError::Undeclared { file: file.clone() }),
        }
    }
    (lists, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], declaration: Option<&str>, expected: &[(&str, Kind)], errors: &[&str]) {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let (lists, problems) = declare(&files, declaration);
        let lists: Vec<(&str, Kind)> = lists.iter().map(|list| (list.file.as_str(), list.kind)).collect();
        assert_eq!(lists, expected);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, errors);
    }

    #[test]
    fn names_say_the_kind() {
        check(
            &["tor-exits.tor.txt", "feeds/pools.cryptomining.csv", "office.trusted.txt", ".swap", "lists.yml"],
            None,
            &[
                ("tor-exits.tor.txt", Kind::Tor),
                ("feeds/pools.cryptomining.csv", Kind::Cryptomining),
                ("office.trusted.txt", Kind::Trusted),
            ],
            &[],
        );
    }

    #[test]
    fn the_declaration_goes_before_the_name() {
        check(
            &["a.tor.txt", "b.json"],
            Some(
                "lists:\n- { file: a.tor.txt, kind: scanner, name: ours }\n- { file: b.json, kind: phishing, format: stix2 }\n",
            ),
            &[("a.tor.txt", Kind::Scanner), ("b.json", Kind::Phishing)],
            &[],
        );
    }

    #[test]
    fn what_nobody_declares_is_not_used() {
        check(
            &["feed.txt", "feed.evil.txt", "ok.malicious.txt"],
            Some(
                "lists:\n- { file: gone.txt, kind: tor }\n- { file: ok.malicious.txt, kind: tor }\n- { file: ok.malicious.txt, kind: tor }\n",
            ),
            &[("ok.malicious.txt", Kind::Tor)],
            &[
                "`lists.yml` declares `gone.txt`, which is not there",
                "`lists.yml` declares `ok.malicious.txt` twice",
                "the list `feed.txt` is not used: say its kind in `lists.yml`, or in its name (`feed.malicious.txt`)",
                "the list `feed.evil.txt` is not used: say its kind in `lists.yml`, or in its name (`feed.malicious.txt`)",
            ],
        );
    }

    #[test]
    fn a_broken_declaration_leaves_the_names() {
        let files = ["a.tor.txt".to_owned()];
        let (lists, errors) = declare(&files, Some("lists:\n- { file: a.tor.txt, kind: evil }\n"));
        assert_eq!(lists.len(), 1);
        assert!(matches!(errors.as_slice(), [DeclareError::Malformed { .. }]), "{errors:?}");
    }
}
