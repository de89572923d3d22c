//! Patterns with `*` and `?`, as actions and ARNs have them.

use std::fmt;

/// How a policy variable is read, whose value only a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It might be anything: what an Allow could let through.
    Possible,
    /// It cannot be relied upon: what a Deny surely takes away.
    Certain,
}

/// One pattern, taken apart once.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `${…}`: one unknown text.
    Variable,
}

/// The parts of an ARN: a wildcard in one of the first five stays inside it.
const ARN_PARTS: usize = 6;

impl Glob {
    /// A pattern in which `*` and `?` are wildcards and nothing else is special.
    pub fn plain(text: &str) -> Self {
        let tokens = text.chars().map(wildcard).collect();
        Self { text: text.to_owned(), tokens: ordered(tokens) }
    }

    /// A pattern that may also hold policy variables (`${aws:username}`) and the escapes `${*}`, `${?}`, `${$}`.
    pub fn with_variables(text: &str) -> Self {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let variable = rest.strip_prefix("${").and_then(|inner| inner.split_once('}'));
            if let Some((name, after)) = variable {
                tokens.push(match name {
                    "*" => Token::Literal('*'),
                    "?" => Token::Literal('?'),
                    "$" => Token::Literal('$'),
                    _ => Token::Variable,
                });
                rest = after;
                continue;
            }
            tokens.push(wildcard(first));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        Self { text: text.to_owned(), tokens: ordered(tokens) }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches every text (`*`).
    pub fn is_everything(&self) -> bool {
        !self.tokens.is_empty() && self.tokens.iter().all(|token| *token == Token::Many)
    }

    /// Whether `*` or `?` is in it; a variable is not enough, as it has one value in each request.
    pub fn has_wildcard(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::One | Token::Many))
    }

    /// Whether a policy variable is in it.
    pub fn has_variable(&self) -> bool {
        self.tokens.contains(&Token::Variable)
    }

    /// Whether everything that `other` matches is matched by this one too. A `false` may be wrong where both have
    /// wildcards in unusual places; a `true` never is.
    pub fn covers(&self, other: &Self, reading: Reading) -> bool {
        covers(&self.tokens, &other.tokens, reading)
    }

    /// Whether some text is matched by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlaps(&self.tokens, &other.tokens)
    }

    /// [`Glob::covers`] where both are ARNs: a wildcard does not reach over the end of its part, the last part excepted.
    pub fn covers_arn(&self, other: &Self, reading: Reading) -> bool {
        if self.is_every_arn() {
            return true;
        }
        match (self.arn_parts(), other.arn_parts()) {
            (Some(mine), Some(theirs)) => mine.iter().zip(&theirs).all(|(mine, theirs)| covers(mine, theirs, reading)),
            _ => self.covers(other, reading),
        }
    }

    /// [`Glob::overlaps`] where both are ARNs.
    pub fn overlaps_arn(&self, other: &Self) -> bool {
        match (self.arn_parts(), other.arn_parts()) {
            (Some(mine), Some(theirs)) => mine.iter().zip(&theirs).all(|(mine, theirs)| overlaps(mine, theirs)),
            _ => self.overlaps(other),
        }
    }

    /// `*`, or an ARN of wildcards alone (`arn:aws:*:*:*:*`).
    pub fn is_every_arn(&self) -> bool {
        let every = |part: &&[Token]| !part.is_empty() && part.iter().all(|token| *token == Token::Many);
        self.is_everything() || self.arn_parts().is_some_and(|parts| parts.iter().skip(2).all(every))
    }

    /// The six parts of an ARN, where it is one.
    fn arn_parts(&self) -> Option<Vec<&[Token]>> {
        let parts: Vec<&[Token]> = self.tokens.splitn(ARN_PARTS, |token| *token == Token::Literal(':')).collect();
        let is_arn = parts.len() == ARN_PARTS
            && parts
                .first()
                .is_some_and(|first| first.iter().eq(&[Token::Literal('a'), Token::Literal('r'), Token::Literal('n')]));
        is_arn.then_some(parts)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn wildcard(char: char) -> Token {
    match char {
        '*' => Token::Many,
        '?' => Token::One,
        _ => Token::Literal(char),
    }
}

/// Every run of wildcards with its `?` first and one `*` at most: equal patterns become equal tokens.
fn ordered(tokens: Vec<Token>) -> Vec<Token> {
    let mut ordered = Vec::with_capacity(tokens.len());
    let mut many = false;
    for token in tokens {
        match token {
            Token::Many => many = true,
            Token::One => ordered.push(Token::One),
            Token::Literal(_) | Token::Variable => {
                if many {
                    ordered.push(Token::Many);
                    many = false;
                }
                ordered.push(token);
            }
        }
    }
    if many {
        ordered.push(Token::Many);
    }
    ordered
}

/// One row of the table "the pattern so far against the first n tokens of the other", moved on by one token.
fn covers(pattern: &[Token], other: &[Token], reading: Reading) -> bool {
    if pattern.len() == 1 && pattern.first() == Some(&Token::Many) {
        return true;
    }
    let mut row: Vec<bool> = std::iter::once(true).chain(other.iter().map(|_| false)).collect();
    for token in pattern {
        let mut next = Vec::with_capacity(row.len());
        match token {
            // Any number of the other's tokens, whatever they stand for.
            Token::Many => {
                let mut reached = false;
                next.extend(row.iter().map(|&before| {
                    reached |= before;
                    reached
                }));
            }
            // One unknown text: it takes literals, and equals itself, but never a whole set.
            Token::Variable => {
                let possible = reading == Reading::Possible;
                let mut reached = false;
                next.push(row.first().is_some_and(|&before| before && possible));
                for ((&before, &here), token) in row.iter().zip(row.iter().skip(1)).zip(other) {
                    reached = possible && (reached || before) && matches!(token, Token::Literal(_));
                    next.push(reached || (possible && here) || (before && *token == Token::Variable));
                }
            }
            Token::One | Token::Literal(_) => {
                next.push(false);
                next.extend(row.iter().zip(other).map(|(&before, theirs)| {
                    before && (theirs == token || (*token == Token::One && matches!(theirs, Token::Literal(_))))
                }));
            }
        }
        if !next.contains(&true) {
            return false;
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

/// Whether two patterns share a text: the same table, where wildcards on either side may take what the other has.
fn overlaps(left: &[Token], right: &[Token]) -> bool {
    let loops = |token: &Token| matches!(token, Token::Many | Token::Variable);
    let mut row = vec![true];
    for theirs in right {
        let before = row.last().copied().unwrap_or(false);
        row.push(before && loops(theirs));
    }
    for mine in left {
        let mut next = Vec::with_capacity(row.len());
        next.push(row.first().is_some_and(|&before| before && loops(mine)));
        for ((&corner, &above), theirs) in row.iter().zip(row.iter().skip(1)).zip(right) {
            let beside = next.last().copied().unwrap_or(false);
            let reached = if loops(mine) || loops(theirs) {
                above || beside
            } else {
                corner && (mine == theirs || *mine == Token::One || *theirs == Token::One)
            };
            next.push(reached);
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_surely_matches() {
        for (pattern, other, expected) in [
            ("*", "*", true),
            ("*", "", true),
            ("s3:*", "s3:getobject", true),
            ("s3:*", "s3:*", true),
            ("s3:get*", "s3:*", false),
            ("s3:*", "s3:get*", true),
            ("s3:?et*", "s3:get*", true),
            ("s3:get*", "s3:?et*", false),
            ("*?", "?*", true),
            ("?*", "*", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a*b*c", "a*b*c", true),
            ("a*c", "a*b*c", true),
            ("a*b*c", "a*c", false),
            ("", "", true),
            ("", "a", false),
        ] {
            let (left, right) = (Glob::plain(pattern), Glob::plain(other));
            assert_eq!(left.covers(&right, Reading::Certain), expected, "{pattern} covers {other}");
        }
    }

    #[test]
    fn patterns_overlap_where_one_text_matches_both() {
        for (left, right, expected) in [
            ("s3:*", "*:get*", true),
            ("s3:get*", "s3:*object", true),
            ("s3:get*", "s3:put*", false),
            ("a?c", "ab*", true),
            ("a?c", "ab", false),
            ("*", "", true),
            ("", "?", false),
        ] {
            assert_eq!(Glob::plain(left).overlaps(&Glob::plain(right)), expected, "{left} and {right}");
            assert_eq!(Glob::plain(right).overlaps(&Glob::plain(left)), expected, "{right} and {left}");
        }
    }

    #[test]
    fn a_variable_is_one_unknown_text() {
        let own = Glob::with_variables("arn:aws:iam::*:user/${aws:username}");
        let bob = Glob::plain("arn:aws:iam::111122223333:user/bob");
        let all = Glob::plain("arn:aws:iam::111122223333:user/*");
        assert!(own.covers_arn(&bob, Reading::Possible));
        assert!(!own.covers_arn(&bob, Reading::Certain));
        assert!(!own.covers_arn(&all, Reading::Possible));
        assert!(own.covers_arn(&own, Reading::Certain));
        assert!(!Glob::with_variables("a${*}b").covers(&Glob::plain("a*b"), Reading::Certain));
        assert_eq!(Glob::with_variables("${").as_str(), "${");
    }

    #[test]
    fn a_wildcard_stays_inside_its_part_of_an_arn() {
        for (pattern, other, expected) in [
            ("arn:aws:s3:::*", "arn:aws:s3:::bucket/key", true),
            ("arn:aws:s3*:bucket/key", "arn:aws:s3:::bucket/key", true),
            ("arn:aws:sqs:*:111122223333:q", "arn:aws:sqs:us-east-1:111122223333:q", true),
            ("arn:aws:sqs:*:q", "arn:aws:sqs:us-east-1:111122223333:q", true),
            ("arn:aws:*:*:*:q", "arn:aws:sqs:us-east-1:111122223333:x:q", false),
            ("arn:aws:sqs:us-east-1:1*:q", "arn:aws:sqs:us-east-1:111122223333:other:q", false),
            ("arn:aws:logs:*:*:*", "arn:aws:logs:us-east-1:111122223333:log-group:x:*", true),
            ("arn:*:*:*:*:*", "*", true),
            ("arn:aws:kms:*:*:key/*", "*", false),
        ] {
            let (left, right) = (Glob::with_variables(pattern), Glob::with_variables(other));
            assert_eq!(left.covers_arn(&right, Reading::Certain), expected, "{pattern} covers {other}");
        }
    }
}
