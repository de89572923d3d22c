//! The tests that rule files carry, and those that every rule has to pass.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use yagura_model::{Inventory, Missing, Resource, ResourceType, RuleName, Seen, Status, Verdict};

use crate::cel::Touched;
use crate::control::{Case, Control, Logic, denied_in_test, unread_in_test};
use crate::engine::Engine;

/// What came of all tests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Tests that were run: the rules' own, and the automatic ones.
    pub run: usize,
    /// Those that did not come out as they should.
    pub failures: Vec<TestFailure>,
}

/// A test that did not come out as it should.
#[derive(Debug, Clone, PartialEq)]
pub struct TestFailure {
    /// The control.
    pub rule: RuleName,
    /// The test's name.
    pub case: String,
    /// The test's line in the file.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// It is not the expected one.
    Unexpected {
        /// What the test says.
        expected: Status,
        /// What the rule says.
        verdict: Box<Verdict>,
    },
    /// It stays `pass` where something that it depends on cannot be read.
    PassesUnread {
        /// What cannot be read.
        what: String,
    },
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "controls/{}.yml:{}: test `{}`: ", self.rule, self.line, self.case)?;
        match &self.problem {
            Problem::PassesUnread { what } => write!(f, "passes although `{what}` could not be read"),
            Problem::Unexpected { expected, verdict } => {
                write!(f, "expected {}, found {}", expected.as_str(), verdict.status.as_str())?;
                for missing in &verdict.missing {
                    match missing {
                        Missing::Unread { what, cause } => write!(f, "\n    `{what}` could not be read: {cause}")?,
                        Missing::Evaluation { error } => write!(f, "\n    {error}")?,
                    }
                }
                verdict.evidence.iter().try_for_each(|(path, value)| write!(f, "\n    {path} = {value}"))
            }
        }
    }
}

/// Runs the tests of every control.
pub fn test_rules(engine: &Engine) -> Report {
    let mut report = Report::default();
    for control in engine.rules().controls() {
        test_control(engine, control, &mut report);
    }
    report
}

/// Runs the tests of one control, and for each resource of theirs that passes: the same with each thing that the
/// rule read unread, one at a time. Such a verdict may only be `pass` where the value that could not be read makes
/// no difference.
pub fn test_control(engine: &Engine, control: &Control, report: &mut Report) {
    for case in &control.cases {
        report.run += 1;
        let failed =
            |problem| TestFailure { rule: control.name.clone(), case: case.name.clone(), line: case.line, problem };
        let inventory = inventory_of(control, case);
        let (verdict, touched) = engine.judge_and_touch(control, &case.subject, &inventory, case.now);
        if verdict.status != case.expect {
            report.failures.push(failed(Problem::Unexpected { expected: case.expect, verdict: Box::new(verdict) }));
            continue;
        }
        if verdict.status != Status::Pass {
            continue;
        }
        for variant in variants(control, case, &touched) {
            report.run += 1;
            if passes(engine, control, &variant.unread)
                && !variant.known.iter().all(|case| passes(engine, control, case))
            {
                report.failures.push(failed(Problem::PassesUnread { what: variant.what }));
            }
        }
    }
}

fn passes(engine: &Engine, control: &Control, case: &Case) -> bool {
    let inventory = inventory_of(control, case);
    engine.judge(control, &case.subject, &inventory, case.now).status == Status::Pass
}

/// A test with one thing unread, and with that thing known to be something else.
struct Variant {
    what: String,
    unread: Case,
    known: Vec<Case>,
}

fn variants(control: &Control, case: &Case, touched: &Touched) -> Vec<Variant> {
    let mut variants = Vec::new();
    let subject = (&case.subject.kind, &case.subject.id);
    let mut paths: BTreeSet<(usize, String)> = BTreeSet::new();
    for (kind, id, path) in &touched.paths {
        let mut resources: Vec<usize> = Vec::new();
        if (kind, id) == subject {
            resources.push(0);
        }
        let others = case.others.iter().enumerate().filter(|(_, other)| (&other.kind, &other.id) == (kind, id));
        resources.extend(others.map(|(index, _)| index + 1));
        for index in resources {
            paths.extend(prefixes(path).map(|prefix| (index, prefix)));
        }
    }
    if let Logic::Guard(rules) = &control.logic {
        let keys = case.subject.properties.keys().map(|key| format!("Properties.{key}"));
        let keys = keys.chain(case.subject.attributes.keys().map(|key| format!("Attributes.{key}")));
        paths.extend(keys.filter(|path| rules.mentions(path)).map(|path| (0, path)));
    }
    for (index, path) in paths {
        let with = |change: &dyn Fn(&mut Resource)| {
            let mut changed = case.clone();
            match index.checked_sub(1) {
                None => change(&mut changed.subject),
                Some(other) => changed.others.iter_mut().skip(other).take(1).for_each(change),
            }
            changed
        };
        let what = if index == 0 { path.clone() } else { format!("{path} of another resource") };
        let unread = with(&|resource| {
            put(resource, &path, None);
            resource.unread.extend(unread_in_test(vec![path.clone()]));
        });
        let known =
            others_instead(&path).into_iter().map(|value| with(&|resource| put(resource, &path, value.clone())));
        variants.push(Variant { what, unread, known: known.collect() });
    }
    for kind in &touched.types {
        let mut unread = case.clone();
        unread.others.retain(|other| other.kind != *kind);
        let none = unread.clone();
        unread.unlisted.push(kind.clone());
        variants.push(Variant { what: kind.to_string(), unread, known: vec![none] });
    }
    variants
}

/// What a collector may fail to read on the way to a path: its first and its second key, or all tags, or the one field.
fn prefixes(path: &str) -> impl Iterator<Item = String> + use<'_> {
    let ends = path.match_indices(['.', '[']).map(|(end, _)| end).chain([path.len()]);
    let section = path.split('.').next().unwrap_or_default();
    let from = usize::from(!["Tags", "Arn", "Name"].contains(&section));
    ends.enumerate()
        .filter(move |(depth, _)| (from..=2).contains(depth))
        .filter_map(|(_, end)| path.get(..end).filter(|prefix| !prefix.ends_with(']')).map(str::to_owned))
}

/// Values that a rule is likely to tell from each other; none is absence.
fn others_instead(path: &str) -> Vec<Option<Value>> {
    if path.starts_with("Tags") || ["Arn", "Name"].contains(&path) {
        return vec![None, Some(json!("x"))];
    }
    let values = [json!(true), json!(false), json!(""), json!("x"), json!(0), json!(1_000_000), json!([]), json!({})];
    [None].into_iter().chain(values.into_iter().map(Some)).collect()
}

/// Puts a value at a path of a resource, or takes away what is there.
fn put(resource: &mut Resource, path: &str, value: Option<Value>) {
    let mut keys = path.split('.');
    let section = keys.next().unwrap_or_default();
    let keys: Vec<&str> = keys.collect();
    let entries = match section {
        "Properties" => &mut resource.properties,
        "Attributes" => &mut resource.attributes,
        "Arn" => {
            resource.arn = value.as_ref().and_then(Value::as_str).map(Into::into);
            return;
        }
        "Name" => {
            resource.name = value.as_ref().and_then(Value::as_str).map(str::to_owned);
            return;
        }
        _ => {
            match (keys.as_slice(), value) {
                ([], _) => resource.tags.clear(),
                ([key, ..], Some(Value::String(text))) => {
                    resource.tags.insert((*key).to_owned(), text);
                }
                ([key, ..], _) => {
                    resource.tags.remove(*key);
                }
            }
            return;
        }
    };
    let Some((last, above)) = keys.split_last() else { return };
    let mut entries = entries;
    for key in above {
        let below = entries.entry((*key).to_owned()).or_insert_with(|| json!({}));
        let Value::Object(below) = below else { return };
        entries = below;
    }
    match value {
        Some(value) => {
            entries.insert((*last).to_owned(), value);
        }
        None => {
            entries.remove(*last);
        }
    }
}

/// What lies around a test's subject: what the test names, with every type that the rule asks for listed completely
/// unless the test says otherwise.
fn inventory_of(control: &Control, case: &Case) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.add(Seen::Resource(Box::new(case.subject.clone())));
    let mut places = BTreeSet::from([(case.subject.account.clone(), case.subject.region.clone())]);
    for other in &case.others {
        places.insert((other.account.clone(), other.region.clone()));
        inventory.add(Seen::Resource(Box::new(other.clone())));
    }
    for kind in asked(control) {
        for (account, region) in places.clone() {
            let (kind, account) = (kind.clone(), account);
            inventory.add(if case.unlisted.contains(&kind) {
                Seen::Unlisted { kind, account, region, cause: denied_in_test() }
            } else {
                Seen::Listed { kind, account, region }
            });
        }
    }
    inventory
}

/// The types that a control asks for.
fn asked(control: &Control) -> BTreeSet<ResourceType> {
    control.reads().types
}

/// A resource with nothing in it, for this crate's own tests.
#[cfg(test)]
pub(crate) fn sample(kind: &str) -> Resource {
    Resource {
        kind: kind.into(),
        account: "111122223333".into(),
        region: "us-east-1".into(),
        id: "example".to_owned(),
        arn: None,
        name: None,
        properties: serde_json::Map::new(),
        attributes: serde_json::Map::new(),
        tags: std::collections::BTreeMap::new(),
        relations: Vec::new(),
        unread: Vec::new(),
    }
}
