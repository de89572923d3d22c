//! What looks like a secret, judged by its name and by its value.
//!
//! In: a name, a text. Out: the kind of secret it looks like, or none. A heuristic: it errs on the side of naming a
//! kind where both name and value speak for one, and of silence where the value is plainly a reference.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// How much of one text is searched; user data has at most 16 KB.
const SEARCHED_BYTES_MAX: usize = 256 * 1024;

/// The kinds of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What a person or a program signs in with.
    Password,
    /// An access key of AWS, or its secret half.
    AccessKey,
    /// The private half of a key pair.
    PrivateKey,
    /// A bearer token or an API key of some service.
    Token,
}

impl Kind {
    /// The kind as resource files and rules spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::AccessKey => "access key",
            Self::PrivateKey => "private key",
            Self::Token => "token",
        }
    }
}

/// The kind of secret that `value`, kept under `name`, looks like.
pub fn looks_like(name: &str, value: &str) -> Option<Kind> {
    by_value(value).or_else(|| by_name(name).filter(|kind| could_be(*kind, value)))
}

/// The kinds of secret anywhere in a value: by the names of objects, by the assignments in a text, by what tokens
/// look like. Each kind once, sorted.
pub fn hints(value: &Value) -> Vec<Kind> {
    let mut kinds = Vec::new();
    walk("", value, &mut kinds);
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn walk(name: &str, value: &Value, kinds: &mut Vec<Kind>) {
    match value {
        Value::String(text) => {
            kinds.extend(looks_like(name, text));
            let searched = text.get(..text.floor_char_boundary(SEARCHED_BYTES_MAX)).unwrap_or_default();
            kinds.extend(searched.lines().filter_map(by_assignment));
        }
        Value::Array(elements) => elements.iter().for_each(|element| walk(name, element, kinds)),
        Value::Object(members) => {
            let sibling = pair_name(members);
            for (key, value) in members {
                let name = if is_pair_value(key) { sibling.unwrap_or(key) } else { key };
                walk(name, value, kinds);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// In a list of `Name` and `Value` the name of a value stands beside it.
pub(crate) fn pair_name(members: &serde_json::Map<String, Value>) -> Option<&str> {
    let (_, name) = members.iter().find(|(key, _)| is_pair_name(key))?;
    name.as_str().filter(|_| members.keys().any(|key| is_pair_value(key)))
}

/// Whether a member of this name holds the name of such a pair.
pub(crate) fn is_pair_name(key: &str) -> bool {
    matches!(key, "Name" | "name" | "Key" | "key" | "ParameterKey" | "ParameterName" | "OutputKey")
}

/// Whether a member of this name holds the value of such a pair: `Value`, `ParameterValue`, `ResolvedValue`.
pub(crate) fn is_pair_value(key: &str) -> bool {
    key == "value" || key.ends_with("Value")
}

/// A regular expression written here; one that does not compile is a defect that the tests find.
#[expect(clippy::expect_used, reason = "the patterns are constants, each used in the tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

static PRIVATE_KEY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"));
static ACCESS_KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"));
// Prefixes that the services document for their own tokens; the last is a signed JSON web token.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}",
        r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|[sr]k_live_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{35}",
        r"|npm_[A-Za-z0-9]{36}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})"
    ))
});
static URL_PASSWORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:([^/\s:@$<{]+)@"));
static SECRET_KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z0-9/+=]{40}$"));
// `export NAME=value`, `name: value`, `--name value`, `--name=value`, with or without quotes.
static ASSIGNMENT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?:^|[\s;"'{,(-])([A-Za-z][A-Za-z0-9_.-]{1,63})["']?\s*[=:]\s*["']?([^\s"';,]{4,})"#));
static FLAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?:^|\s)--([A-Za-z][A-Za-z0-9_.-]{1,63})\s+["']?([^\s"';,-][^\s"';,]{3,})"#));

fn by_value(value: &str) -> Option<Kind> {
    let searched = value.get(..value.floor_char_boundary(SEARCHED_BYTES_MAX)).unwrap_or_default();
    if PRIVATE_KEY.is_match(searched) {
        return Some(Kind::PrivateKey);
    }
    if ACCESS_KEY.is_match(searched) {
        return Some(Kind::AccessKey);
    }
    if TOKEN.is_match(searched) {
        return Some(Kind::Token);
    }
    URL_PASSWORD.is_match(searched).then_some(Kind::Password)
}

fn by_assignment(line: &str) -> Option<Kind> {
    ASSIGNMENT.captures_iter(line).chain(FLAG.captures_iter(line)).find_map(|captures| {
        let (name, value) = (captures.get(1)?.as_str(), captures.get(2)?.as_str());
        by_name(name).filter(|kind| could_be(*kind, value))
    })
}

/// Words that make a name one of something about a secret, not of a secret: `DB_PASSWORD_LENGTH`, `SECRET_ARN`.
const ABOUT: &[&str] = &[
    "arn",
    "bucket",
    "count",
    "days",
    "enabled",
    "endpoint",
    "expiration",
    "expiry",
    "file",
    "host",
    "id",
    "length",
    "max",
    "min",
    "name",
    "parameter",
    "path",
    "policy",
    "prefix",
    "region",
    "role",
    "ssm",
    "store",
    "table",
    "timeout",
    "ttl",
    "type",
    "uri",
    "url",
    "version",
];

fn by_name(name: &str) -> Option<Kind> {
    let words = words(name);
    let last = words.last()?;
    if ABOUT.contains(&last.as_str()) {
        // An access key's id is the half that is not secret, yet nobody keeps it without the other.
        return None;
    }
    let has = |word: &str| words.iter().any(|found| found == word);
    let joined = words.concat();
    if joined.contains("privatekey") {
        return Some(Kind::PrivateKey);
    }
    if joined.contains("secretaccesskey") || joined.contains("awssecret") || joined.ends_with("accesskey") {
        return Some(Kind::AccessKey);
    }
    if ["password", "passwd", "passphrase", "pwd", "pw"].iter().any(|word| has(word)) || joined.ends_with("password") {
        return Some(Kind::Password);
    }
    let token = ["token", "secret", "apikey", "credential", "credentials", "webhook"].iter().any(|word| has(word))
        || ["apikey", "secretkey", "authtoken", "clientsecret", "authkey", "accesstoken"]
            .iter()
            .any(|word| joined.contains(word));
    token.then_some(Kind::Token)
}

/// Whether a value can be a secret of a kind at all: not a reference, a placeholder, a switch or a short number.
fn could_be(kind: Kind, value: &str) -> bool {
    let value = value.trim();
    if value.len() < 4 || value.starts_with("arn:") || value.starts_with("[redacted") {
        return false;
    }
    let placeholder = value.starts_with("${")
        || value.starts_with("$(")
        || value.starts_with("{{")
        || (value.starts_with('$') && value.len() > 1)
        || (value.starts_with('<') && value.ends_with('>'))
        || value.chars().all(|letter| "*x-".contains(letter));
    if placeholder {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    if matches!(lower.as_str(), "true" | "false" | "null" | "none" | "enabled" | "disabled" | "required" | "optional") {
        return false;
    }
    match kind {
        Kind::AccessKey => SECRET_KEY.is_match(value) || value.len() >= 16,
        Kind::PrivateKey | Kind::Token => value.len() >= 8 && !value.contains(' '),
        Kind::Password => !value.starts_with('/') && !value.contains("://"),
    }
}

/// `dbPassword`, `DB_PASSWORD` and `db-password` alike as `db`, `password`.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        let boundary = !letter.is_ascii_alphanumeric() || (letter.is_ascii_uppercase() && before.is_ascii_lowercase());
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // Made of parts, so that no scanner takes this file for a leak.
    fn access_key() -> String {
        format!("AKIA{}", "IOSFODNN7EXAMPLE")
    }

    fn secret_key() -> String {
        format!("wJalrXUtnFEMI/K7MDENG/{}", "bPxRfiCYEXAMPLEKEY")
    }

    #[test]
    fn names_and_values_tell_the_kind() {
        let (access, secret) = (access_key(), secret_key());
        let jwt = format!("eyJ{}.eyJ{}.{}", "hbGciOiJIUzI1NiJ9", "zdWIiOiIxMjM0In0", "dozjgNryP4J3jVmN");
        let table: &[(&str, &str, Option<Kind>)] = &[
            ("DB_PASSWORD", "hunter2", Some(Kind::Password)),
            ("dbPassword", "correct horse", Some(Kind::Password)),
            ("MYSQL_ROOT_PWD", "rootroot", Some(Kind::Password)),
            ("DATABASE_URL", "postgres://app:s3cret@db.example.com/app", Some(Kind::Password)),
            ("DATABASE_URL", "postgres://app:${PASSWORD}@db.example.com/app", None),
            ("DATABASE_URL", "postgres://db.example.com:5432/app", None),
            ("PASSWORD_LENGTH", "14", None),
            ("PASSWORD_POLICY", "strict", None),
            ("DB_PASSWORD", "{{resolve:secretsmanager:db:SecretString:password}}", None),
            ("DB_PASSWORD", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db", None),
            ("DB_PASSWORD", "/prod/db/password", None),
            ("DB_PASSWORD", "", None),
            ("PASSWORD_REQUIRED", "true", None),
            ("KEY", &access, Some(Kind::AccessKey)),
            ("AWS_SECRET_ACCESS_KEY", &secret, Some(Kind::AccessKey)),
            ("AWS_SECRET_ACCESS_KEY", "none", None),
            ("ANY", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", Some(Kind::PrivateKey)),
            ("ANY", "-----BEGIN PUBLIC KEY-----\nMIIB", None),
            ("SSH_PRIVATE_KEY", "b3BlbnNzaC1rZXktdjE", Some(Kind::PrivateKey)),
            ("AUTH", &jwt, Some(Kind::Token)),
            ("GITHUB", "ghp_0123456789abcdefghijABCDEFGHIJ012345", Some(Kind::Token)),
            ("API_KEY", "0123456789abcdef", Some(Kind::Token)),
            ("CLIENT_SECRET", "0123456789abcdef", Some(Kind::Token)),
            ("SECRET_ARN", "anything-at-all", None),
            ("SECRET_NAME", "prod-database", None),
            ("TOKEN_URL", "https://auth.example.com/token", None),
            ("TOKEN", "short", None),
            ("STAGE", "production", None),
            ("KEY_PREFIX", "logs/2024", None),
        ];
        for (name, value, expected) in table {
            assert_eq!(looks_like(name, value), *expected, "{name}={value}");
        }
    }

    #[test]
    fn hints_are_found_in_scripts_and_in_pairs() {
        let script =
            format!("#!/bin/bash\nyum install -y nginx\nexport DB_PASSWORD='hunter2'\necho {}\n", access_key());
        assert_eq!(hints(&json!(script)), [Kind::Password, Kind::AccessKey]);
        assert_eq!(hints(&json!("mysql --password hunter22 -u root")), [Kind::Password]);
        assert_eq!(hints(&json!("#!/bin/bash\nset -e\nsystemctl start nginx\n")), []);
        assert_eq!(hints(&json!([{"Name": "API_TOKEN", "Value": "0123456789"}])), [Kind::Token]);
        assert_eq!(hints(&json!({"Environment": {"PASSWORD": "hunter2"}, "Size": 3})), [Kind::Password]);
    }
}
