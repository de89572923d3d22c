//! Where detection stands between runs: how far each table was judged, and what is remembered and was found.
//!
//! One file, replaced as a whole, so that findings and how far they reach cannot come apart.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use yagura_detect::{Engine, Limits, State, StateError};

use crate::config::Config;
use crate::print;

/// The file within the data folder.
const FILE: &str = "findings.state";

/// The largest head: a number for each table.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What stands before the state, on a line of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The version up to which each table was judged.
    pub(crate) judged: BTreeMap<String, u64>,
    /// The day (days since 1970) at which judging began; every event, where there is none.
    pub(crate) since_day: Option<i32>,
    /// How many events were judged.
    pub(crate) events: u64,
}

/// The file.
pub(crate) fn file(config: &Config) -> Result<PathBuf> {
    Ok(config.data_dir()?.join(FILE))
}

/// What earlier runs left; nothing if there was none.
pub(crate) fn load(engine: &Engine, config: &Config) -> Result<Option<(Head, State)>> {
    let path = file(config)?;
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    let (head, state) = split(&bytes)?;
    Ok(Some((head, State::load(state, engine, Limits::default())?)))
}

/// The head and the bytes of the state.
fn split(bytes: &[u8]) -> Result<(Head, &[u8]), StateError> {
    let end = bytes.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n').ok_or(StateError::NotAState)?;
    let head = bytes.get(..end).and_then(|head| serde_json::from_slice(head).ok()).ok_or(StateError::NotAState)?;
    Ok((head, bytes.get(end + 1..).unwrap_or_default()))
}

/// Keeps what there is now in place of what was kept before.
pub(crate) fn save(head: &Head, state: &State, config: &Config) -> Result<()> {
    std::fs::create_dir_all(config.data_dir()?).with_context(|| {
        format!("cannot make `{}`", config.data_dir().map(|dir| dir.display().to_string()).unwrap_or_default())
    })?;
    let bytes = state.save();
    print::whole_file(&file(config)?, |out| {
        serde_json::to_writer(&mut *out, head)?;
        out.write_all(b"\n")?;
        out.write_all(&bytes)
    })
}
