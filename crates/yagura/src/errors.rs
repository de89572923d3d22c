//! Errors as a person reads them: the whole chain as one sentence, in the language of the run.
//!
//! Errors are made and carried in English. `locales/ja/errors.yml` holds the Japanese of each sentence under its English
//! text as the code has it, `{places}` included; here the sentence at hand is found among them. A cause that is not in
//! the file, such as what a service answered, stays as it is. A test keeps the file complete.

use std::collections::BTreeMap;

use yagura_model::Lang;

static JA: &str = include_str!("../../../locales/ja/errors.yml");

/// How deep the values of a sentence are sentences themselves.
const DEPTH_MAX: usize = 4;

/// The error and its causes as one sentence. A cause that says what the last one said already is left out.
pub(crate) fn sentence(error: &anyhow::Error, lang: Lang) -> String {
    let translations = match lang {
        Lang::En => Translations::default(),
        Lang::Ja => Translations::ja(),
    };
    let mut sentence = String::new();
    let mut last = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if text != last && !last.ends_with(&text) {
            if !sentence.is_empty() {
                sentence.push_str(": ");
            }
            sentence.push_str(&translations.translated(&text, DEPTH_MAX));
        }
        last = text;
    }
    sentence
}

/// One sentence of the program in the language of the run.
pub(crate) fn translated(text: &str, lang: Lang) -> String {
    match lang {
        Lang::En => text.to_owned(),
        Lang::Ja => Translations::ja().translated(text, DEPTH_MAX),
    }
}

/// Sentences by their English form, the most particular first.
#[derive(Default)]
struct Translations(Vec<(Template, String)>);

impl Translations {
    /// None at all where the file cannot be read: a test says so, and an error in English is better than none.
    fn ja() -> Self {
        let read: BTreeMap<String, String> = serde_saphyr::from_str(JA).unwrap_or_default();
        let mut all: Vec<_> = read.into_iter().map(|(en, ja)| (Template::parse(&en), ja)).collect();
        all.sort_by_key(|(template, _)| std::cmp::Reverse(template.literals.iter().map(String::len).sum::<usize>()));
        Self(all)
    }

    fn translated(&self, text: &str, depth: usize) -> String {
        if depth == 0 {
            return text.to_owned();
        }
        for (template, ja) in &self.0 {
            let Some(values) = template.values(text) else { continue };
            let mut translated = ja.clone();
            for (name, value) in template.names.iter().zip(values) {
                translated = translated.replace(&format!("{{{name}}}"), &self.translated(value, depth - 1));
            }
            return translated;
        }
        // A place in a file, most often: what stands behind it may be known.
        match text.split_once(": ") {
            Some((place, rest)) => format!("{place}: {}", self.translated(rest, depth)),
            None => text.to_owned(),
        }
    }
}

/// A sentence with places: `the model of `{name}` is broken: {detail}`.
struct Template {
    /// What stands around the places: one more than there are places.
    literals: Vec<String>,
    names: Vec<String>,
}

impl Template {
    /// A place without a name is called by its number, from 1.
    fn parse(text: &str) -> Self {
        let (mut literals, mut names) = (Vec::new(), Vec::new());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            literals.push(before.to_owned());
            names.push(if name.is_empty() { (names.len() + 1).to_string() } else { name.to_owned() });
            rest = after;
        }
        literals.push(rest.to_owned());
        Self { literals, names }
    }

    /// What stands at the places of a text of this form.
    fn values<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, rest) = self.literals.split_first()?;
        let mut left = text.strip_prefix(first.as_str())?;
        let Some((last, middle)) = rest.split_last() else { return left.is_empty().then(Vec::new) };
        let mut values = Vec::with_capacity(rest.len());
        for literal in middle {
            let (value, after) = left.split_once(literal.as_str())?;
            values.push(value);
            left = after;
        }
        values.push(left.strip_suffix(last.as_str())?);
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use regex::Regex;

    use super::*;

    #[test]
    fn a_sentence_is_told_in_japanese_with_its_causes() {
        let error = anyhow::anyhow!("No such file or directory (os error 2)");
        let error = error.context("cannot read the template `a.yml`");
        assert_eq!(sentence(&error, Lang::Ja), "テンプレート `a.yml` を読み取れない: ファイルまたはフォルダーがない");
        assert_eq!(
            sentence(&error, Lang::En),
            "cannot read the template `a.yml`: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_is_inside_a_sentence_is_translated_and_what_is_unknown_stays() {
        for (en, ja) in [
            ("`xx` is not a language (`en` or `ja`)", "`xx` は使えない。指定できるのは言語（`en` か `ja`）"),
            ("a/b.yml:3:1: expected `cel` or `guard`", "a/b.yml:3:1: `cel` か `guard` が必要"),
            ("the moon is down", "the moon is down"),
            ("no model of service ``", "サービス `` のモデルがない"),
        ] {
            assert_eq!(translated(en, Lang::Ja), ja);
        }
    }

    #[test]
    fn both_sides_have_the_same_places() {
        let read: BTreeMap<String, String> = serde_saphyr::from_str(JA).unwrap();
        for (en, ja) in read {
            let mut names = Template::parse(&ja).names;
            names.retain(|name| !name.is_empty());
            for name in names {
                assert!(Template::parse(&en).names.contains(&name), "`{name}` of `{ja}` is not in `{en}`");
            }
        }
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }

    /// The sentences of the code: of each error type, and what the program itself says.
    fn sentences(path: &Path, program: bool) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        let literal = r#""((?:[^"\\]|\\.|\\\n)*)""#;
        let of_types = Regex::new(&format!(r"#\[error\(\s*{literal}")).unwrap();
        let of_program = Regex::new(&format!(
            r"(?:Usage\((?:format!\()?|context\((?:\|\| format!\()?|= \|\| format!\(|bail!\(|anyhow!\(|Error::other\()\s*{literal}"
        ))
        .unwrap();
        let breaks = Regex::new(r"\\\n\s*").unwrap();
        let mut found: Vec<String> = Vec::new();
        for pattern in [Some(of_types), program.then_some(of_program)].into_iter().flatten() {
            found.extend(pattern.captures_iter(text).map(|hit| breaks.replace_all(&hit[1], "").replace("\\\"", "\"")));
        }
        found
    }

    /// What is worth a translation: more than places and the marks between them.
    fn has_words(text: &str) -> bool {
        let template = Template::parse(text);
        template.literals.iter().flat_map(|literal| literal.split(' ')).filter(|word| word.len() > 1).count() > 1
    }

    #[test]
    fn every_error_that_a_person_meets_is_in_the_file() {
        let known: Vec<Template> = serde_saphyr::from_str::<BTreeMap<String, String>>(JA)
            .unwrap()
            .keys()
            .map(|en| Template::parse(en))
            .collect();
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut missing = Vec::new();
        for name in ["aws", "access", "cluster", "collect", "lake", "model", "record", "yagura"] {
            let program = name == "yagura";
            let mut files = Vec::new();
            sources(&crates.join(name).join("src"), &mut files);
            for file in files {
                for text in sentences(&file, program).into_iter().filter(|text| has_words(text)) {
                    if !known.iter().any(|template| template.literals == Template::parse(&text).literals) {
                        missing.push(format!("{}: {text}", file.display()));
                    }
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new(), "add these to locales/ja/errors.yml");
    }
}
