//! Whether the two cores agree: what is decided for all requests, and what is decided for one.
//!
//! `two_cores PAIRS [SEED] [REQUESTS]` makes random pairs of policies, many of them the same but for one detail, and
//! compares each. Where access is said, the evaluator has let the request through already; where none is said, so many
//! random requests (200 unless told otherwise) made of what the two policies speak of are put to the evaluator, and one
//! that the new policy alone lets through is a failure. Prints every failure and one JSON object; ends with 1 if there
//! was any. The same seed is the same run.

#![expect(clippy::print_stdout, reason = "this is a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use yagura_access::decide::{Pair, PolicyKind, Undecided, Verdict};
use yagura_access::evaluate::{Compiled, Context, Request, Requester, RequesterKind};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, otherwise: u64| arguments.get(place).map_or(Ok(otherwise), |text| text.parse());
    let (pairs, seed, requests) = (number(0, 10_000)?, number(1, 1)?, number(2, 200)?);
    let mut random = Random(seed);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failures = 0_u64;
    for number in 0..pairs {
        let (existing, new) = random.pair();
        let as_written = random.chance(50);
        let pair = Pair::read(&existing, &new, as_written)?;
        let kind = pair.kind();
        let verdict = pair.compare(kind)?.verdict;
        let failure = match &verdict {
            Verdict::Undecided(Undecided::Refuted) => Some("a request that does not pass".to_owned()),
            Verdict::Access(_) | Verdict::Undecided(_) => None,
            Verdict::NoAccess => {
                let texts = [existing.to_string(), new.to_string()].concat();
                let (old, now) = (Compiled::of(pair.existing()), Compiled::of(pair.new_policy()));
                let tried = (0..requests).map(|_| random.request(kind, &texts));
                let missed = tried.into_iter().find(|request| now.lets_through(request) && !old.lets_through(request));
                missed.map(|request| format!("{request:?}"))
            }
        };
        *counts.entry(word(&verdict)).or_default() += 1;
        if let Some(failure) = failure {
            failures += 1;
            let line = json!({ "number": number, "existing": existing, "new": new, "as_written": as_written });
            println!("{line}\n  {}: {failure}", word(&verdict));
        }
    }
    let line = json!({ "pairs": pairs, "seed": seed, "requests": requests, "verdicts": counts, "failures": failures });
    println!("{line}");
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Access(_) => "access",
        Verdict::NoAccess => "none",
        Verdict::Undecided(Undecided::Variable) => "undecided: variable",
        Verdict::Undecided(Undecided::MixedKinds) => "undecided: mixed kinds",
        Verdict::Undecided(_) => "undecided",
    }
}

/// `SplitMix64`: enough for a test, and the same everywhere.
struct Random(u64);

const ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:*Object",
    "s3:*",
    "s3:Put?bject",
    "*",
    "ec2:RunInstances",
    "s3:List*",
    "*:*Object",
    "S3:getobject",
    "s3:NotThere*",
];

const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::a/*",
    "arn:aws:s3:::a/b*",
    "arn:aws:s3:::a/?",
    "arn:aws:s3:::*/b",
    "arn:aws:s3:::a*",
    "arn:aws:s3:*:*:a/b",
    "arn:aws:s3*",
    "arn:aws:s3:::a/${aws:PrincipalTag/t}",
    "arn:aws:s3:::${aws:PrincipalTag/t}/b",
    "arn:aws:s3:::${aws:PrincipalTag/t, 'a*'}/b",
    "arn:aws:s3:::a/${aws:username}",
    "arn:${aws:PrincipalTag/t}:s3:::a/b",
    "arn:aws:s3:::a/${*}",
    "arn:*:ec2:*:*:*",
];

/// Condition keys with operators and values that go together.
const CONDITIONS: &[(&str, &[&str], &[&str])] = &[
    (
        "aws:PrincipalTag/t",
        &[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringEqualsIfExists",
            "StringNotLikeIfExists",
            "StringLikeIfExists",
        ],
        &[
            "a",
            "A",
            "a*",
            "b",
            "?",
            "",
            "${aws:PrincipalTag/u}",
            "${aws:PrincipalTag/u, 'a*'}",
            "${aws:username}",
            "${*}",
        ],
    ),
    ("aws:PrincipalTag/t", &["Bool", "BoolIfExists", "Null"], &["true", "false", "TRUE"]),
    ("aws:PrincipalTag/u", &["StringEquals", "StringLike", "StringNotEquals"], &["a", "b*", "${aws:PrincipalTag/t}"]),
    (
        "aws:PrincipalTag/n",
        &["NumericLessThan", "NumericGreaterThanEquals", "NumericEquals", "NumericNotEquals"],
        &["5", "7", "-1.5", "x"],
    ),
    (
        "aws:CalledVia",
        &[
            "ForAllValues:StringEquals",
            "ForAnyValue:StringLike",
            "ForAnyValue:StringNotEquals",
            "ForAllValues:StringNotLike",
            "ForAnyValue:StringEqualsIfExists",
            "Null",
        ],
        &["a", "b", "a*", "true", "false"],
    ),
    (
        "aws:SourceIp",
        &["IpAddress", "NotIpAddress", "IpAddressIfExists"],
        &["192.0.2.0/24", "192.0.2.0/25", "192.0.2.200", "2001:db8::/32", "0.0.0.0/0", "::/0"],
    ),
    (
        "aws:MultiFactorAuthAge",
        &["NumericLessThan", "NumericGreaterThan", "NumericGreaterThanEqualsIfExists", "Null"],
        &["5", "7", "300", "true"],
    ),
    (
        "aws:CurrentTime",
        &["DateLessThan", "DateGreaterThanEquals", "DateEquals", "DateNotEquals"],
        &["2026-01-01T00:00:00Z", "2027-01-01", "1769860800"],
    ),
    ("aws:SecureTransport", &["Bool", "BoolIfExists", "StringEquals", "Null"], &["true", "false"]),
    ("aws:MultiFactorAuthPresent", &["Bool", "BoolIfExists", "Null"], &["true", "false"]),
    (
        "aws:PrincipalArn",
        &["ArnLike", "ArnEquals", "ArnNotLike", "StringLike", "StringNotEquals"],
        &[
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::111122223333:role/r",
            "arn:aws:iam::*:user/bob",
            "${aws:PrincipalArn}",
            "*",
        ],
    ),
    (
        "aws:SourceArn",
        &["ArnLike", "ArnEquals", "ArnNotEquals", "ArnLikeIfExists"],
        &[
            "arn:aws:sns:*:111122223333:*",
            "arn:aws:s3:::a",
            "${aws:PrincipalArn}",
            "arn:aws:s3:::${aws:PrincipalTag/t}",
        ],
    ),
    ("aws:PrincipalAccount", &["StringEquals", "StringNotEquals", "StringLike"], &["111122223333", "4444*"]),
    ("aws:username", &["StringLike", "StringEquals", "StringNotEquals"], &["b*", "bob", "${aws:username}"]),
    ("aws:PrincipalType", &["StringEquals", "StringNotEquals"], &["User", "AssumedRole"]),
    ("s3:prefix", &["BinaryEquals"], &["QmluYXJ5", "YQ=="]),
];

/// What a request may have for the keys: an empty list is its absence.
const VALUES: &[(&str, &[&[&str]])] = &[
    (
        "aws:PrincipalTag/t",
        &[&[], &["a"], &["A"], &["ab"], &["b"], &["true"], &["false"], &["aws"], &["*"], &["x"], &[""]],
    ),
    ("aws:PrincipalTag/u", &[&[], &["a"], &["b"], &["bc"], &["x"]]),
    ("aws:PrincipalTag/n", &[&[], &["4"], &["5"], &["6"], &["7"], &["8"], &["-1.5"], &["x"]]),
    ("aws:CalledVia", &[&[], &["a"], &["b"], &["a", "b"], &["c"], &["a", "c"], &["true"]]),
    ("aws:SourceIp", &[&[], &["192.0.2.1"], &["192.0.2.200"], &["203.0.113.9"], &["2001:db8::1"], &["2001:db9::1"]]),
    ("aws:MultiFactorAuthAge", &[&[], &["4"], &["5"], &["6"], &["7"], &["299"], &["301"]]),
    (
        "aws:CurrentTime",
        &[
            &["2025-12-31T23:59:59Z"],
            &["2026-01-01T00:00:00Z"],
            &["2026-01-31T12:00:00Z"],
            &["2026-06-01T00:00:00Z"],
            &["2027-01-01T00:00:00Z"],
            &["2028-01-01T00:00:00Z"],
        ],
    ),
    ("aws:SecureTransport", &[&["true"], &["false"]]),
    ("aws:MultiFactorAuthPresent", &[&[], &["true"], &["false"]]),
    (
        "aws:SourceArn",
        &[
            &[],
            &["arn:aws:sns:us-east-1:111122223333:t"],
            &["arn:aws:s3:::a"],
            &["arn:aws:s3:::ab"],
            &["arn:aws:iam::111122223333:role/r"],
        ],
    ),
    ("s3:prefix", &[&[], &["QmluYXJ5"], &["YQ=="], &["Yg=="]]),
];

const PRINCIPALS: &[&str] = &[
    r#""*""#,
    r#"{"AWS":"*"}"#,
    r#"{"AWS":"111122223333"}"#,
    r#"{"AWS":["arn:aws:iam::111122223333:role/r","arn:aws:iam::444455556666:root"]}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#,
    r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/r/s"}"#,
    r#"{"Service":"sns.amazonaws.com"}"#,
    r#"{"Service":"*"}"#,
    r#"{"Federated":"accounts.google.com"}"#,
    r#"{"Federated":"*"}"#,
];

const REQUESTERS: &[&str] = &[
    "arn:aws:iam::111122223333:role/r",
    "arn:aws:iam::111122223333:role/other",
    "arn:aws:iam::111122223333:user/bob",
    "arn:aws:iam::444455556666:user/a",
    "arn:aws:iam::444455556666:root",
    "arn:aws:iam::777788889999:role/r",
    "arn:aws:sts::111122223333:assumed-role/r/s",
];

const ON: &[(&str, &[&str])] = &[
    (
        "s3:GetObject",
        &[
            "arn:aws:s3:::a/b",
            "arn:aws:s3:::a/bc",
            "arn:aws:s3:::b/b",
            "arn:aws:s3:::a/a",
            "arn:aws:s3:::a/*",
            "arn:aws:s3:::a/bob",
            "arn:aws:s3:::ab/c",
        ],
    ),
    ("s3:PutObject", &["arn:aws:s3:::a/b", "arn:aws:s3:::b/b", "arn:aws:s3:::a/bob"]),
    ("s3:ListBucket", &["arn:aws:s3:::a", "arn:aws:s3:::ab"]),
    ("ec2:RunInstances", &["arn:aws:ec2:us-east-1:111122223333:instance/i-1"]),
];

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or_default()
    }

    /// With a probability in percent.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one<T: Copy>(&mut self, list: &[T]) -> T {
        #[expect(clippy::indexing_slicing, reason = "the lists above are not empty")]
        list[self.below(list.len())]
    }

    fn some(&mut self, list: &[&str], most: usize) -> Value {
        let count = 1 + self.below(most);
        (0..count).map(|_| self.one(list)).collect()
    }

    fn pair(&mut self) -> (Value, Value) {
        let named = self.chance(50);
        let first = self.document(named);
        let second = if self.chance(25) { self.document(named) } else { self.changed(&first, named) };
        if self.chance(50) { (first, second) } else { (second, first) }
    }

    fn document(&mut self, named: bool) -> Value {
        let count = 1 + self.below(3);
        let statements: Vec<Value> = (0..count).map(|_| self.statement(named)).collect();
        let mut document = json!({ "Statement": statements });
        match (self.below(10), document.as_object_mut()) {
            (0, _) => {}
            (1, Some(document)) => drop(document.insert("Version".to_owned(), json!("2008-10-17"))),
            (_, Some(document)) => drop(document.insert("Version".to_owned(), json!("2012-10-17"))),
            _ => {}
        }
        document
    }

    /// The same but for a statement, or for one element of one.
    fn changed(&mut self, document: &Value, named: bool) -> Value {
        let mut changed = document.clone();
        let other = self.statement(named);
        let way = self.below(6);
        let Some(statements) = changed.get_mut("Statement").and_then(Value::as_array_mut) else { return changed };
        let place = self.below(statements.len());
        match way {
            0 => statements.push(other),
            1 if statements.len() > 1 => drop(statements.remove(place)),
            _ => {
                let Some(statement) = statements.get_mut(place).and_then(Value::as_object_mut) else { return changed };
                let elements = ["Action", "Resource", "Condition", "Principal", "Condition"];
                let name = self.one(&elements);
                statement.retain(|element, _| element.trim_start_matches("Not") != name);
                let same = |(element, _): &(&String, &Value)| element.trim_start_matches("Not") == name;
                let taken = other.as_object().into_iter().flatten().filter(same);
                statement.extend(taken.map(|(element, value)| (element.clone(), value.clone())));
            }
        }
        changed
    }

    fn statement(&mut self, named: bool) -> Value {
        let mut statement = Map::new();
        let name = |negated: bool, name: &str| if negated { format!("Not{name}") } else { name.to_owned() };
        statement.insert("Effect".to_owned(), json!(if self.chance(72) { "Allow" } else { "Deny" }));
        statement.insert(name(self.chance(12), "Action"), self.some(ACTIONS, 2));
        statement.insert(name(self.chance(18), "Resource"), self.some(RESOURCES, 2));
        if named {
            let principal: Value = serde_json::from_str(self.one(PRINCIPALS)).unwrap_or_default();
            let negated = self.chance(12) && principal.is_object();
            statement.insert(name(negated, "Principal"), principal);
        }
        let mut conditions: Map<String, Value> = Map::new();
        for _ in 0..self.below(4) {
            let (key, operators, values) = self.one(CONDITIONS);
            let operator = self.one(operators);
            let values = match operator {
                "Null" => json!(self.one(&["true", "false"])),
                _ if self.chance(4) => json!([]),
                _ => self.some(values, 2),
            };
            let keys = conditions.entry(operator).or_insert_with(|| json!({}));
            keys.as_object_mut().map(|keys| keys.insert(key.to_owned(), values));
        }
        if !conditions.is_empty() {
            statement.insert("Condition".to_owned(), Value::Object(conditions));
        }
        Value::Object(statement)
    }

    /// A request as AWS could get it. Keys that the policies do not speak of are left out.
    fn request(&mut self, kind: PolicyKind, texts: &str) -> Request {
        let (action, resources) = self.one(ON);
        let resource = self.one(resources);
        let requester = match self.below(10) {
            0 if kind == PolicyKind::Resource => Requester::anonymous(),
            1 if kind == PolicyKind::Resource => {
                Requester::federated(self.one(&["accounts.google.com", "login.example.com"]))
            }
            2 if kind == PolicyKind::Resource => {
                Requester::service(self.one(&["sns.amazonaws.com", "events.amazonaws.com"]))
                    .unwrap_or_else(|_| Requester::anonymous())
            }
            _ => {
                // No policy of an identity is attached to a root user.
                let of_identities: Vec<&str> = REQUESTERS
                    .iter()
                    .filter(|arn| kind == PolicyKind::Resource || !arn.ends_with(":root"))
                    .copied()
                    .collect();
                Requester::from_arn(self.one(&of_identities)).unwrap_or_else(|_| Requester::anonymous())
            }
        };
        let is_identity = requester.account().is_some() && requester.kind() != RequesterKind::Federated;
        let mut context = Context::default();
        for (key, values) in VALUES {
            let of_identity = key.starts_with("aws:PrincipalTag") || key.starts_with("aws:MultiFactor");
            if texts.contains(key) && (is_identity || !of_identity) {
                let values = self.one(values);
                // A tag with a wildcard in it makes a pattern of a variable: the comparison says that it does not look.
                if values != ["*"] || !texts.contains("${") {
                    context.insert(key, values.iter().map(|value| (*value).to_owned()).collect());
                }
            }
        }
        if let Some(arn) = requester.behind() {
            context.insert("aws:PrincipalArn", vec![arn.to_owned()]);
        }
        Request::new(action, resource, requester).with_context(context)
    }
}
