//! The action dimension: which statements an action can be meant by at once, against the published catalogue.
//!
//! Actions that the same statements mean are one class. Beside what the catalogue knows there is, for each service that
//! the policies speak of, one action that AWS has not published yet, and one service that it has not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use super::bits::Bits;
use crate::actions::{self, Action, BrokenTable, Service};
use crate::evaluate::pattern::{Pattern, means};
use crate::policy::{Scope, Statement};

/// The name of an action that no service has yet.
const UNKNOWN: &str = "unknownaction";

/// Actions that the same statements mean.
#[derive(Debug)]
pub(super) struct Class {
    /// The statements.
    pub(super) statements: Bits,
    members: Vec<Member>,
}

#[derive(Debug)]
enum Member {
    /// One action of a service.
    One(&'static Index, usize),
    /// All of a service but these.
    Rest(&'static Index, BTreeSet<usize>),
    /// All services but these.
    Elsewhere(BTreeSet<String>),
    /// One that the catalogue does not know.
    Unknown(String),
}

/// One action, as a request could have it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Its name as AWS writes it (`s3:GetObject`).
    pub(super) name: String,
    /// What the catalogue says of it.
    pub(super) known: Option<(&'static Service, &'static Action)>,
}

/// A service's actions by their names in lower case.
#[derive(Debug)]
struct Index {
    prefix: &'static str,
    service: &'static Service,
    names: Vec<(String, &'static str, &'static Action)>,
}

impl Class {
    /// The actions, those that the catalogue knows first. Where it is known which services' resources (as ARNs name
    /// services) are of interest, services that have none of them are left out.
    pub(super) fn candidates<'c>(&'c self, of: Option<&'c BTreeSet<String>>) -> impl Iterator<Item = Candidate> + 'c {
        let known = self.members.iter().filter(|member| !matches!(member, Member::Unknown(_)));
        let unknown = self.members.iter().filter(|member| matches!(member, Member::Unknown(_)));
        known.chain(unknown).flat_map(move |member| member.candidates(of))
    }
}

impl Member {
    fn candidates<'c>(&'c self, of: Option<&'c BTreeSet<String>>) -> Box<dyn Iterator<Item = Candidate> + 'c> {
        match self {
            Self::One(index, action) => Box::new(index.candidate(*action).into_iter()),
            Self::Rest(index, without) => {
                let rest = (0..index.names.len()).filter(|action| !without.contains(action));
                Box::new(rest.filter_map(|action| index.candidate(action)))
            }
            Self::Elsewhere(without) => {
                let is_named = move |prefix: &&str| of.is_some_and(|of| of.contains(*prefix));
                let all = || actions::prefixes().into_iter().flatten();
                let prefixes = all().filter(is_named).chain(all().filter(move |prefix| !is_named(prefix)));
                let prefixes = prefixes.filter(|prefix| !without.contains(*prefix));
                let indices = prefixes.filter_map(|prefix| index(prefix).ok().flatten());
                let indices = indices.filter(move |index| of.is_none_or(|of| index.has_resources_of(of)));
                Box::new(indices.flat_map(|index| (0..index.names.len()).filter_map(|action| index.candidate(action))))
            }
            Self::Unknown(name) => Box::new(std::iter::once(Candidate { name: name.clone(), known: None })),
        }
    }
}

impl Index {
    /// Whether an ARN of one of its resource types names one of these services.
    fn has_resources_of(&self, services: &BTreeSet<String>) -> bool {
        let named = |arn: &str| arn.split(':').nth(2).is_some_and(|named| named == "*" || services.contains(named));
        self.service.resources.values().any(|kind| named(&kind.arn))
    }

    fn candidate(&self, action: usize) -> Option<Candidate> {
        let (_, name, known) = self.names.get(action)?;
        Some(Candidate { name: format!("{}:{name}", self.prefix), known: Some((self.service, known)) })
    }

    /// The actions that a pattern for their whole names (`*:Get*`) matches.
    fn matching_wide(&self, text: &str) -> Vec<usize> {
        // An action has one colon, and so only one place for that of a pattern.
        match text.split_once(':') {
            Some((service, name)) if means(service, self.prefix) => self.matching(name),
            Some(_) => Vec::new(),
            None => {
                let pattern = Pattern::plain(text);
                let mut whole = String::new();
                let mut matches = |name: &str| {
                    whole.clear();
                    whole.extend([self.prefix, ":", name]);
                    pattern.matches(&whole)
                };
                let names = self.names.iter().enumerate();
                names.filter(|(_, (name, ..))| matches(name)).map(|(action, _)| action).collect()
            }
        }
    }

    /// The actions that a pattern for their names matches.
    fn matching(&self, text: &str) -> Vec<usize> {
        let from = |text: &str| self.names.partition_point(|(name, ..)| name.as_str() < text);
        match text.find(['*', '?']) {
            None => self.names.binary_search_by(|(name, ..)| name.as_str().cmp(text)).into_iter().collect(),
            Some(at) if text.get(at..) == Some("*") => {
                let head = text.get(..at).unwrap_or_default();
                let first = from(head);
                let rest = self.names.get(first..).unwrap_or_default();
                let count = rest.iter().take_while(|(name, ..)| name.starts_with(head)).count();
                (first..first + count).collect()
            }
            Some(_) => {
                let pattern = Pattern::plain(text);
                let names = self.names.iter().enumerate();
                names.filter(|(_, (name, ..))| pattern.matches(name)).map(|(action, _)| action).collect()
            }
        }
    }
}

/// What the statements say of one service.
#[derive(Default)]
struct Mentioned<'a> {
    /// By statement: a pattern for the action's name.
    names: Vec<(usize, &'a str)>,
}

/// Every class of actions that one of `wanted` speaks of.
pub(super) fn classes(statements: &[&Statement], wanted: &Bits) -> Result<Vec<Class>, BrokenTable> {
    let bound = statements.len();
    let (mut universal, mut negated) = (Bits::none(bound), Bits::none(bound));
    let mut mentioned: BTreeMap<&str, Mentioned<'_>> = BTreeMap::new();
    let mut wide: Vec<(usize, &str)> = Vec::new();
    for (number, statement) in statements.iter().enumerate() {
        let globs = match &statement.actions {
            Scope::In(globs) => globs,
            Scope::NotIn(globs) => {
                negated.insert(number);
                globs
            }
        };
        for glob in globs {
            match glob.as_str().split_once(':') {
                _ if glob.is_everything() || glob.as_str() == "*:*" => universal.insert(number),
                Some((prefix, name)) if !prefix.contains(['*', '?']) => {
                    mentioned.entry(prefix).or_default().names.push((number, name));
                }
                _ => wide.push((number, glob.as_str())),
            }
        }
    }
    for prefix in actions::prefixes()? {
        if wide.iter().any(|(_, pattern)| could_be_of(pattern, prefix)) {
            mentioned.entry(prefix).or_default();
        }
    }
    let mut classes = Classes { by_statements: HashMap::new(), found: Vec::new(), wanted };
    for (prefix, names) in &mentioned {
        of_service(prefix, names, &wide, &universal, &negated, &mut classes)?;
    }
    let elsewhere = mentioned.keys().map(|prefix| (*prefix).to_owned()).collect();
    classes.add(universal.difference(&negated), Member::Elsewhere(elsewhere));
    let unknown = format!("unknown:{UNKNOWN}");
    let mut statements = universal;
    add_wide(&mut statements, &wide, &unknown);
    classes.add(statements.difference(&negated), Member::Unknown(unknown));
    Ok(classes.found)
}

struct Classes<'a> {
    by_statements: HashMap<Bits, usize>,
    found: Vec<Class>,
    wanted: &'a Bits,
}

impl Classes<'_> {
    fn add(&mut self, statements: Bits, member: Member) {
        if !statements.meets(self.wanted) {
            return;
        }
        if let Some(class) = self.by_statements.get(&statements).and_then(|&place| self.found.get_mut(place)) {
            class.members.push(member);
            return;
        }
        self.by_statements.insert(statements.clone(), self.found.len());
        self.found.push(Class { statements, members: vec![member] });
    }
}

fn of_service(
    prefix: &str,
    mentioned: &Mentioned<'_>,
    wide: &[(usize, &str)],
    universal: &Bits,
    negated: &Bits,
    classes: &mut Classes<'_>,
) -> Result<(), BrokenTable> {
    // Only what some statement wanted speaks of is asked for.
    let mut spoken = universal.clone();
    spoken.union(negated);
    for &(number, _) in mentioned.names.iter().chain(wide) {
        spoken.insert(number);
    }
    if !spoken.meets(classes.wanted) {
        return Ok(());
    }
    let index = index(prefix)?;
    let mut base = universal.clone();
    let mut explicit: BTreeMap<usize, Bits> = BTreeMap::new();
    let mut unknown = BTreeSet::from([UNKNOWN.to_owned()]);
    let mut put = |action: usize, number: usize| {
        explicit.entry(action).or_insert_with(|| universal.emptied()).insert(number);
    };
    let partial: Vec<(usize, &str)> = mentioned.names.iter().copied().filter(|(_, name)| !is_all(name)).collect();
    for &(number, _) in mentioned.names.iter().filter(|(_, name)| is_all(name)) {
        base.insert(number);
    }
    for &(number, name) in &partial {
        let matching = index.map(|index| index.matching(name)).unwrap_or_default();
        if matching.is_empty() || name.contains(['*', '?']) {
            unknown.insert(name.replace('*', UNKNOWN).replace('?', "x"));
        }
        for action in matching {
            put(action, number);
        }
    }
    for &(number, pattern) in wide.iter().filter(|(_, pattern)| could_be_of(pattern, prefix)) {
        for action in index.map(|index| index.matching_wide(pattern)).unwrap_or_default() {
            put(action, number);
        }
    }
    if let Some(index) = index {
        let all: BTreeSet<usize> = explicit.keys().copied().collect();
        for (action, mut statements) in explicit {
            statements.union(&base);
            classes.add(statements.difference(negated), Member::One(index, action));
        }
        if all.len() < index.names.len() {
            classes.add(base.difference(negated), Member::Rest(index, all));
        }
    }
    let patterns: Vec<(usize, Pattern)> =
        partial.iter().map(|(number, name)| (*number, Pattern::plain(name))).collect();
    for name in unknown {
        let mut statements = base.clone();
        for (number, _) in patterns.iter().filter(|(_, pattern)| pattern.matches(&name)) {
            statements.insert(*number);
        }
        let full = format!("{prefix}:{name}");
        add_wide(&mut statements, wide, &full);
        classes.add(statements.difference(negated), Member::Unknown(full));
    }
    Ok(())
}

fn add_wide(statements: &mut Bits, wide: &[(usize, &str)], action: &str) {
    for (number, pattern) in wide {
        if means(pattern, action) {
            statements.insert(*number);
        }
    }
}

fn is_all(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte == b'*')
}

/// Whether a pattern could match an action of a service, seen from the text before its first wildcard.
fn could_be_of(pattern: &str, prefix: &str) -> bool {
    let head = pattern.split(['*', '?']).next().unwrap_or_default();
    match head.split_once(':') {
        Some((service, _)) => service == prefix,
        None if head.len() == pattern.len() => false,
        None => prefix.starts_with(head),
    }
}

fn index(prefix: &str) -> Result<Option<&'static Index>, BrokenTable> {
    type Table = BTreeMap<&'static str, OnceLock<Result<Index, BrokenTable>>>;
    static TABLE: OnceLock<Result<Table, BrokenTable>> = OnceLock::new();
    let table = TABLE.get_or_init(|| Ok(actions::prefixes()?.map(|prefix| (prefix, OnceLock::new())).collect()));
    let table = table.as_ref().map_err(Clone::clone)?;
    let Some((&prefix, cell)) = table.get_key_value(prefix) else { return Ok(None) };
    let made = cell.get_or_init(|| {
        let broken = || BrokenTable { table: "IAM actions", problem: format!("`{prefix}` is gone").into() };
        let service = actions::service(prefix)?.ok_or_else(broken)?;
        let mut names: Vec<(String, &'static str, &'static Action)> =
            service.actions.iter().map(|(name, action)| (name.to_ascii_lowercase(), name.as_str(), action)).collect();
        names.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        Ok(Index { prefix, service, names })
    });
    made.as_ref().map(Some).map_err(Clone::clone)
}
