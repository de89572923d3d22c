//! The patterns of STIX 2 that name single values: one comparison, or several of which any will do.
//!
//! What needs two things at once (`AND`, `FOLLOWEDBY`, a time window) is no entry of a list: half of it would be reported for the
//! innocent. Such a pattern is refused with its reason.

/// How deep brackets may nest, so that no pattern can exhaust the stack.
const NESTING_MAX: usize = 32;

/// The longest pattern, in bytes: some hundreds of values.
const PATTERN_BYTES_MAX: usize = 65_536;

/// Why a pattern names no single values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not written as STIX has it.
    #[error("it is malformed")]
    Malformed,
    /// It asks for several things at once.
    #[error("it asks for several things at once")]
    Several,
    /// It says what must not be, or compares otherwise than with `=`, `IN` and `ISSUBSET`.
    #[error("it compares otherwise than with `=`, `IN` or `ISSUBSET`")]
    Comparison,
    /// Beyond the limits.
    #[error("it is too long or nested too deep")]
    TooLarge,
}

/// The values that a pattern names and that a log can be compared with: addresses, networks, domains, URLs and file hashes. Empty
/// where it names others only (mail addresses, registry keys).
pub(super) fn values(pattern: &str) -> Result<Vec<String>, PatternError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLarge);
    }
    let tokens = tokens(pattern)?;
    let mut parser = Parser { tokens: &tokens, values: Vec::new() };
    parser.any_of(0)?;
    match parser.tokens {
        [] => Ok(parser.values),
        [Token::Word(_), ..] => Err(PatternError::Several),
        _ => Err(PatternError::Malformed),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// One of `[ ] ( ) ,`.
    Sign(u8),
    /// `=`, `!=`, `<`, …
    Operator(String),
    /// A keyword or an object path.
    Word(String),
    /// A constant in quotes.
    Text(String),
}

fn tokens(pattern: &str) -> Result<Vec<Token>, PatternError> {
    let mut tokens = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '[' | ']' | '(' | ')' | ',' => tokens.push(Token::Sign(u8::try_from(letter).unwrap_or_default())),
            '=' | '!' | '<' | '>' => {
                let mut operator = letter.to_string();
                while let Some(next) = letters.next_if(|next| matches!(next, '=' | '>')) {
                    operator.push(next);
                }
                tokens.push(Token::Operator(operator));
            }
            '\'' => tokens.push(Token::Text(quoted(&mut letters)?)),
            letter => {
                let mut word = letter.to_string();
                loop {
                    match letters.next_if(|next| !next.is_whitespace() && !"[](),=!<>".contains(*next)) {
                        // `hashes.'SHA-256'`
                        Some('\'') => word.push_str(&quoted(&mut letters)?),
                        Some(next) => word.push(next),
                        None => break,
                    }
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

/// The rest of a constant up to its closing quote.
fn quoted(letters: &mut impl Iterator<Item = char>) -> Result<String, PatternError> {
    let mut text = String::new();
    loop {
        match letters.next().ok_or(PatternError::Malformed)? {
            '\\' => text.push(letters.next().ok_or(PatternError::Malformed)?),
            '\'' => return Ok(text),
            letter => text.push(letter),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    values: Vec<String>,
}

impl Parser<'_> {
    /// Terms with `OR` between them; with anything else between them they are asked for together.
    fn any_of(&mut self, depth: usize) -> Result<(), PatternError> {
        if depth > NESTING_MAX {
            return Err(PatternError::TooLarge);
        }
        loop {
            self.term(depth)?;
            match self.tokens {
                [Token::Word(word), rest @ ..] if word == "OR" => self.tokens = rest,
                [Token::Word(_), ..] => return Err(PatternError::Several),
                _ => return Ok(()),
            }
        }
    }

    fn term(&mut self, depth: usize) -> Result<(), PatternError> {
        match self.tokens {
            [Token::Sign(open @ (b'[' | b'(')), rest @ ..] => {
                let close = if *open == b'[' { b']' } else { b')' };
                self.tokens = rest;
                self.any_of(depth + 1)?;
                match self.tokens {
                    [Token::Sign(sign), rest @ ..] if *sign == close => {
                        self.tokens = rest;
                        Ok(())
                    }
                    _ => Err(PatternError::Malformed),
                }
            }
            [Token::Word(path), Token::Operator(operator), Token::Text(text), rest @ ..] if operator == "=" => {
                self.tokens = rest;
                self.take(path, text);
                Ok(())
            }
            [Token::Word(path), Token::Word(word), Token::Text(text), rest @ ..] if word == "ISSUBSET" => {
                self.tokens = rest;
                self.take(path, text);
                Ok(())
            }
            [Token::Word(path), Token::Word(word), Token::Sign(b'('), rest @ ..] if word == "IN" => {
                self.tokens = rest;
                self.set(path)
            }
            [Token::Word(_), Token::Operator(_) | Token::Word(_), ..] => Err(PatternError::Comparison),
            _ => Err(PatternError::Malformed),
        }
    }

    /// `'a', 'b')`
    fn set(&mut self, path: &str) -> Result<(), PatternError> {
        loop {
            match self.tokens {
                [Token::Text(text), Token::Sign(sign @ (b',' | b')')), rest @ ..] => {
                    self.tokens = rest;
                    self.take(path, text);
                    if *sign == b')' {
                        return Ok(());
                    }
                }
                _ => return Err(PatternError::Malformed),
            }
        }
    }

    fn take(&mut self, path: &str, text: &str) {
        let path = path.to_ascii_lowercase();
        let is_comparable = match path.split_once(':') {
            Some(("ipv4-addr" | "ipv6-addr" | "domain-name" | "url", "value")) => true,
            Some(("network-traffic", property)) => matches!(property, "src_ref.value" | "dst_ref.value"),
            Some(("file" | "artifact", property)) => {
                matches!(property, "hashes.md5" | "hashes.sha-1" | "hashes.sha1" | "hashes.sha-256" | "hashes.sha256")
            }
            _ => false,
        };
        if is_comparable {
            self.values.push(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expected: Result<&[&str], PatternError>) {
        let found = values(pattern);
        let found = found.as_ref().map(|values| values.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.map_err(|error| *error), expected.map(<[_]>::to_vec), "{pattern}");
    }

    #[test]
    fn patterns_name_values_or_say_why_not() {
        check("[ipv4-addr:value = '198.51.100.7']", Ok(&["198.51.100.7"]));
        check(
            "[ipv4-addr:value='198.51.100.7'] OR [domain-name:value = 'bad.example.com']",
            Ok(&["198.51.100.7", "bad.example.com"]),
        );
        check(
            "[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR url:value = 'http://x.example/it\\'s']",
            Ok(&["198.51.100.0/24", "http://x.example/it's"]),
        );
        check("[domain-name:value IN ('a.example', 'b.example')]", Ok(&["a.example", "b.example"]));
        check(
            "[file:hashes.'SHA-256' = 'aa' OR file:hashes.MD5 = 'bb' OR file:hashes.SSDEEP = 'cc']",
            Ok(&["aa", "bb"]),
        );
        check("([network-traffic:dst_ref.value = '198.51.100.7'])", Ok(&["198.51.100.7"]));
        check("[email-addr:value = 'x@example.com']", Ok(&[]));
        check("[ipv4-addr:value = '198.51.100.7' AND network-traffic:dst_port = 443]", Err(PatternError::Several));
        check(
            "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [url:value = 'http://x.example']",
            Err(PatternError::Several),
        );
        check("[ipv4-addr:value = '198.51.100.7'] WITHIN 5 SECONDS", Err(PatternError::Several));
        check("[ipv4-addr:value != '198.51.100.7']", Err(PatternError::Comparison));
        check("[domain-name:value LIKE '%.example']", Err(PatternError::Comparison));
        check("[ipv4-addr:value NOT = '198.51.100.7']", Err(PatternError::Comparison));
        check("[ipv4-addr:value = '198.51.100.7'", Err(PatternError::Malformed));
        check("[ipv4-addr:value = '198.51.100.7", Err(PatternError::Malformed));
        check("", Err(PatternError::Malformed));
        check(&"[".repeat(100), Err(PatternError::TooLarge));
    }
}
