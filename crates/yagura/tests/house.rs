//! The shape of the house, kept by a machine: which crate may know which, how long files are, what the text may say.

#![expect(clippy::unwrap_used, reason = "a test that cannot look has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The arrows that may be. A crate is a wall: one that is not here may know no other.
const ARROWS: &[(&str, &[&str])] = &[
    ("yagura-model", &[]),
    ("yagura-aws", &["yagura-model"]),
    ("yagura-rules", &["yagura-model"]),
    ("yagura-access", &["yagura-model"]),
    ("yagura-collect", &["yagura-model", "yagura-aws"]),
    ("yagura-record", &["yagura-model"]),
    ("yagura-lake", &["yagura-model"]),
    ("yagura-cluster", &["yagura-model", "yagura-lake"]),
    ("yagura-detect", &["yagura-model", "yagura-rules", "yagura-access"]),
    ("yagura-analyze", &["yagura-model", "yagura-rules", "yagura-access", "yagura-record"]),
    (
        "yagura",
        &[
            "yagura-model",
            "yagura-aws",
            "yagura-rules",
            "yagura-access",
            "yagura-collect",
            "yagura-record",
            "yagura-lake",
            "yagura-cluster",
            "yagura-detect",
            "yagura-analyze",
        ],
    ),
    ("xtask", &["yagura-model", "yagura-aws", "yagura-rules", "yagura-access", "yagura-collect"]),
];

/// Lines of a source file without its tests; past that there is a second noun inside.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

#[test]
fn crates_know_only_what_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let may = allowed.get(name).unwrap_or_else(|| panic!("`{name}` has no place in the house: add it to ARROWS"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let is_test = dependency["kind"].as_str() == Some("dev");
            assert!(is_test || !ours.contains(to) || may.contains(&to), "`{name}` must not know `{to}`");
        }
    }
}

#[test]
fn source_files_are_short_enough_to_read() {
    let mut too_long = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.split("\n#[cfg(test)]").next().unwrap().lines().count();
        if lines > FILE_LINES_MAX {
            too_long.push(format!("{} has {lines} lines", file.strip_prefix(root()).unwrap().display()));
        }
    }
    assert_eq!(too_long, Vec::<String>::new());
}

#[test]
fn comments_open_each_crate_with_what_comes_in_and_out() {
    for (name, _) in ARROWS.iter().filter(|(name, _)| name.starts_with("yagura-")) {
        let file = root().join("crates").join(name.trim_start_matches("yagura-")).join("src/lib.rs");
        let text = std::fs::read_to_string(&file).unwrap();
        for part in ["//! In: ", "Out: ", "Never here: "] {
            assert!(text.contains(part), "{} does not say `{part}`", file.display());
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join("crates"), root().join("xtask")];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != "tests" && name != "target") {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "the walk found nothing");
    found
}
