//! Texts compared without regard to case.

/// A text of a pattern. A text is the same if each of its characters is the pattern's, or that in upper or lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaseFree {
    written: String,
}

impl CaseFree {
    pub(super) fn new(written: &str) -> Self {
        Self { written: written.to_owned() }
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.after(text).is_some_and(str::is_empty)
    }

    pub(super) fn begins(&self, text: &str) -> bool {
        self.after(text).is_some()
    }

    pub(super) fn ends(&self, text: &str) -> bool {
        let mut rest = text;
        self.written.chars().rev().all(|char| {
            let found = rest.strip_suffix(char);
            let found = found.or_else(|| rest.strip_suffix(&char.to_lowercase().collect::<String>()));
            let found = found.or_else(|| rest.strip_suffix(&char.to_uppercase().collect::<String>()));
            rest = found.unwrap_or(rest);
            found.is_some()
        })
    }

    /// What all texts that fit have in common when they are folded too.
    pub(super) fn folded(&self) -> String {
        fold(&self.written)
    }

    fn after<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        for char in self.written.chars() {
            rest = rest
                .strip_prefix(char)
                .or_else(|| strip_prefix(rest, char.to_lowercase()))
                .or_else(|| strip_prefix(rest, char.to_uppercase()))?;
        }
        Some(rest)
    }
}

fn strip_prefix(text: &str, mut chars: impl Iterator<Item = char>) -> Option<&str> {
    chars.try_fold(text, |rest, char| rest.strip_prefix(char))
}

/// A text with the differences of case gone; texts that differ in more may come to the same.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_everything_else_does() {
        for (written, text, expected) in [
            ("JAVA", "java", true),
            ("jAvA", "JaVa", true),
            ("java", "jav", false),
            ("", "", true),
            ("ÉTÉ", "été", true),
            ("été", "ete", false),
            ("straße", "STRASSE", true),
            ("Ж日", "ж日", true),
        ] {
            let pattern = CaseFree::new(written);
            assert_eq!(pattern.is(text), expected, "{written} {text}");
            assert_eq!(pattern.begins(&format!("{text}x")), expected, "{written} {text}x");
            assert_eq!(pattern.ends(&format!("x{text}")), expected, "{written} x{text}");
            assert!(!expected || pattern.folded() == fold(text), "{written} {text}");
        }
    }
}
