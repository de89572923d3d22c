//! Texts in which `*` stands for any run of characters.

/// The text of a `wildcard` operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// What stands before the first star; everything, where there is none.
    head: String,
    /// What stands between stars, in order, empty for none.
    middle: Vec<String>,
    /// What stands after the last star; nothing, where there is none.
    tail: Option<String>,
}

impl Wildcard {
    /// Reads `*`, with `\*` and `\\` for the characters themselves; the error says what AWS would refuse.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = vec![String::new()];
        let mut chars = text.chars();
        let mut after_star = false;
        while let Some(char) = chars.next() {
            let literal = match char {
                '*' if after_star => return Err("two stars stand side by side in the wildcard"),
                '*' => None,
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '\\')) => Some(escaped),
                    _ => return Err("a `\\` in a wildcard stands before `*` or `\\` only"),
                },
                other => Some(other),
            };
            after_star = literal.is_none();
            match (literal, parts.last_mut()) {
                (Some(literal), Some(part)) => part.push(literal),
                _ => parts.push(String::new()),
            }
        }
        let tail = if parts.len() > 1 { parts.pop() } else { None };
        let head = if parts.is_empty() { String::new() } else { parts.remove(0) };
        Ok(Self { head, middle: parts, tail })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(mut rest) = text.strip_prefix(self.head.as_str()) else { return false };
        let Some(tail) = &self.tail else { return rest.is_empty() };
        for part in &self.middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(tail.as_str())
    }

    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// What a text must end with, where there is a star.
    pub(super) fn tail(&self) -> &str {
        self.tail.as_deref().unwrap_or_default()
    }

    /// The longest text between two stars.
    pub(super) fn longest_middle(&self) -> &str {
        self.middle.iter().max_by_key(|part| part.len()).map_or("", String::as_str)
    }

    pub(super) fn stars(&self) -> usize {
        if self.tail.is_some() { self.middle.len() + 1 } else { 0 }
    }
}

/// How many stars of these wildcards one text can be in at once, at most.
///
/// Wildcards whose beginnings exclude each other are never both in a star. Where beginnings fit, all may be.
pub(super) fn complexity(wildcards: &[&Wildcard]) -> usize {
    let at_once = |head: &str| -> usize {
        wildcards.iter().filter(|wildcard| head.starts_with(wildcard.head())).map(|wildcard| wildcard.stars()).sum()
    };
    wildcards.iter().map(|wildcard| at_once(wildcard.head())).max().unwrap_or_default()
}
