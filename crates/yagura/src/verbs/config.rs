//! `yagura config explain`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Common;
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, print};

/// Each setting, its value and where it comes from.
pub(super) fn explain(common: &Common, config: &Config, words: &Words) -> Result<Exit> {
    let rows: Vec<Value> = config
        .rows()
        .into_iter()
        .map(|(name, value, source)| json!({ "setting": name, "value": value, "source": source }))
        .collect();
    let head = ["config.name", "config.value", "config.source"].map(|key| words.get(key));
    print::rows(common, &head, &rows, |row| {
        ["setting", "value", "source"]
            .map(|key| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned())
            .to_vec()
    })?;
    Ok(Exit::Clean)
}
