//! Verbs that print what the program knows of itself: the policy it needs, completions, manual pages.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use yagura_model::Lang;

use crate::cli::{self, Common};
use crate::content;
use crate::words::Words;
use crate::{Exit, print};

/// `yagura iam-policy`.
pub(super) fn iam_policy(common: &Common) -> Result<Exit> {
    let policy = content::iam_policy(&content::resource_types()?)?;
    print::document(common, &Value::Array(policy.documents))?;
    Ok(Exit::Clean)
}

/// `yagura completions`.
pub(super) fn completions(shell: clap_complete::Shell, words: &Words) -> Exit {
    clap_complete::generate(shell, &mut cli::command(words), "yagura", &mut io::stdout());
    Exit::Clean
}

/// `yagura man`: `yagura.1` and a page a verb, in the language of the run.
pub(super) fn man(dir: &Path, words: &Words) -> Result<Exit> {
    let words = if words.lang() == Lang::Ja { words.clone() } else { Words::of(Lang::En)? };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    clap_mangen::generate_to(cli::command(&words), dir)
        .with_context(|| format!("cannot write the manual pages into `{}`", dir.display()))?;
    Ok(Exit::Clean)
}
