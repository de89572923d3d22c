//! Quick questions about `*` and `?`, for the many texts that need no [`crate::policy::Glob`].

/// Whether a text has a wildcard.
pub(super) fn has_wildcard(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'*' || byte == b'?')
}

/// What stands before the first wildcard.
pub(super) fn fixed_start(text: &str) -> &str {
    text.split(['*', '?']).next().unwrap_or_default()
}

/// Whether a pattern matches a text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(&wanted) if wanted == byte || wanted == b'?' => {
                at += 1;
                place += 1;
            }
            _ => match &mut star {
                // The last `*` takes one byte more.
                Some((back, taken)) => {
                    *taken += 1;
                    at = *back + 1;
                    place = *taken;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|&byte| byte == b'*')
}

/// The text as a pattern in which every variable (`${…}`) might be anything.
pub(super) fn open_variables(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains("${") {
        return text.into();
    }
    let (mut open, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once("${") {
        open.push_str(before);
        open.push('*');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    open.push_str(rest);
    open.into()
}

/// Of the known names the one nearest to a mistyped one, if it is near: a third of its letters may differ.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).clamp(1, 4);
    let near = known.filter(|name| name.len().abs_diff(word.len()) <= limit);
    let near = near.map(|name| (distance(word, name), name)).filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, name)| name)
}

/// How many letters must be put in, taken out, replaced or swapped with a neighbour; case does not count.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last: Option<u8> = None;
    for (number, a) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(number + 1);
        let mut previous: Option<u8> = None;
        for (column, b) in right.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = cell(&row, column) + usize::from(!a.eq_ignore_ascii_case(b));
            best = best.min(cell(&row, column + 1) + 1).min(cell(&next, column) + 1);
            let swapped = previous.is_some_and(|previous| previous.eq_ignore_ascii_case(a))
                && last.is_some_and(|last| last.eq_ignore_ascii_case(b));
            if swapped && column > 0 {
                best = best.min(cell(&before, column - 1) + 1);
            }
            next.push(best);
            previous = Some(*b);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(*a);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::{Glob, Reading};

    proptest! {
        #[test]
        fn the_quick_match_is_the_slow_one(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(
                matches(&pattern, &text),
                Glob::plain(&pattern).covers(&Glob::plain(&text), Reading::Certain)
            );
        }
    }

    #[test]
    fn a_mistyped_name_finds_the_one_meant() {
        for (word, expected) in [
            ("getobjekt", Some("getobject")),
            ("gteobject", Some("getobject")),
            ("putobject", Some("putobject")),
            ("x", None),
        ] {
            assert_eq!(nearest(word, ["getobject", "putobject"].into_iter()), expected, "{word}");
        }
    }

    #[test]
    fn variables_might_be_anything() {
        assert_eq!(open_variables("a/${aws:username}/b${x}"), "a/*/b*");
    }
}
