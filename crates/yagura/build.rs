//! Packs the content: every YAML file of `rules/`, `resources/` and `standards/` as JSON without its tests.
//!
//! The program starts with all of it, and JSON is read twenty times as fast as YAML. The YAML is what is kept, edited
//! and tested; a test beside `src/content.rs` holds the two forms together.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folders that are packed, one file for each.
const FOLDERS: [&str; 3] = ["rules", "resources", "standards"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..");
    let out = PathBuf::from(variable("OUT_DIR")?);
    for folder in FOLDERS {
        let top = root.join(folder);
        println!("cargo::rerun-if-changed={}", top.display());
        let mut files = Vec::new();
        pack(&top, &top, &mut files)?;
        files.sort();
        fs::write(out.join(format!("{folder}.json")), serde_json::to_string(&files)?)?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script by the environment where things are")]
fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

/// Adds every `.yml` below `dir` as its path below `top` with the ending `.json`, and its content as JSON. A file that
/// is no YAML is left as it is: the program's own loader says better what is wrong with it.
fn pack(top: &Path, dir: &Path, files: &mut Vec<(String, String)>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            pack(top, &path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yml") {
            let text = fs::read_to_string(&path)?;
            let name = path.strip_prefix(top)?.to_string_lossy().replace('\\', "/");
            match serde_saphyr::from_str::<Value>(&text) {
                Ok(mut content) => {
                    if let Some(members) = content.as_object_mut() {
                        members.shift_remove("tests");
                    }
                    files.push((name.replace(".yml", ".json"), content.to_string()));
                }
                Err(_) => files.push((name, text)),
            }
        }
    }
    Ok(())
}
