//! The words a person reads, looked up by key in the language of the run.
//!
//! The files of `locales/en/` and `locales/ja/` are trees of texts; a key is the path through the tree. A text may hold
//! `{name}` places, filled by [`Words::fill`].

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use yagura_model::Lang;

const EN: &[&str] = &[
    include_str!("../../../locales/en/program.yml"),
    include_str!("../../../locales/en/access.yml"),
    include_str!("../../../locales/en/logs.yml"),
    include_str!("../../../locales/en/hunt.yml"),
    include_str!("../../../locales/en/events.yml"),
    include_str!("../../../locales/en/detect.yml"),
    include_str!("../../../locales/en/cluster.yml"),
    include_str!("../../../locales/en/metrics.yml"),
];
const JA: &[&str] = &[
    include_str!("../../../locales/ja/program.yml"),
    include_str!("../../../locales/ja/access.yml"),
    include_str!("../../../locales/ja/logs.yml"),
    include_str!("../../../locales/ja/hunt.yml"),
    include_str!("../../../locales/ja/events.yml"),
    include_str!("../../../locales/ja/detect.yml"),
    include_str!("../../../locales/ja/cluster.yml"),
    include_str!("../../../locales/ja/metrics.yml"),
];

/// One language's words, English behind them for what only English has (a flag's help stands in the code).
#[derive(Debug, Clone)]
pub(crate) struct Words {
    lang: Lang,
    texts: BTreeMap<String, String>,
}

impl Words {
    /// The words of `lang`.
    pub(crate) fn of(lang: Lang) -> Result<Self> {
        let sources = match lang {
            Lang::En => EN,
            Lang::Ja => JA,
        };
        let mut texts = BTreeMap::new();
        for source in sources {
            let tree: Value = serde_saphyr::from_str(source).context("reading the built-in words")?;
            flatten(String::new(), tree, &mut texts);
        }
        Ok(Self { lang, texts })
    }

    /// The language.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// The text under `key`, if there is one.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// The text under `key`; the key itself where there is none, so that the gap is seen.
    pub(crate) fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.find(key).unwrap_or(key)
    }

    /// The text under `key` with its `{name}` places filled.
    pub(crate) fn fill(&self, key: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        let mut text = self.get(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        text
    }
}

fn flatten(path: String, tree: Value, texts: &mut BTreeMap<String, String>) {
    match tree {
        Value::Object(members) => {
            for (name, member) in members {
                flatten(if path.is_empty() { name } else { format!("{path}.{name}") }, member, texts);
            }
        }
        Value::String(text) => {
            texts.insert(path, text);
        }
        other => {
            texts.insert(path, other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    /// Flags are explained in English in the code, so `help` is compared by the test beside the command line.
    #[test]
    fn both_languages_have_the_same_keys_and_places() {
        let (en, ja) = (Words::of(Lang::En).unwrap(), Words::of(Lang::Ja).unwrap());
        let keys = |words: &Words| -> BTreeSet<String> {
            words.texts.keys().filter(|key| !key.starts_with("help.")).cloned().collect()
        };
        assert_eq!(keys(&en), keys(&ja));
        for key in keys(&en) {
            assert_eq!(places(en.get(&key)), places(ja.get(&key)), "{key}");
        }
    }
}
