//! The program, as the tests of its verbs run it.

#![allow(dead_code, reason = "each test uses some of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// The program with a data folder of its own and an environment of nothing else, ready to be run in the project's folder.
pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yagura"));
    command.env_clear().env("HOME", data).current_dir(root()).arg("--data-dir").arg(data).args(arguments);
    command
}

/// What the program says.
pub(crate) fn yagura(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

/// What a run that must succeed prints.
pub(crate) fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The same as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_str(&succeeded(output)).unwrap()
}
