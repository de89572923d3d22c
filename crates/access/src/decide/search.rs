//! The search for a request: which questions are asked, in which order, and what their answers come to.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::action::{self, Candidate, Class};
use super::binding::{self, Bindings, Reading, Side};
use super::bits::Bits;
use super::caller::{self, Asked, Caller, DERIVED, Who};
use super::limits::{self, Undecided};
use super::query::{Entry, Forms, Found, Frame, Prepared};
use super::request::{self, PARTITIONS, Shape};
use super::values::Test;
use super::{Answer, Approximation, PolicyKind, Verdict, Witness, lets_through};
use crate::actions::BrokenTable;
use crate::policy::{Condition, Effect, Policy, Principal, Scope, Statement, Version};

/// Whether `new` allows what `existing` does not.
pub(super) fn answer(existing: &Policy, new: &Policy, kind: PolicyKind) -> Result<Answer, BrokenTable> {
    let search = Search::new(existing, new, kind)?;
    let variables: BTreeSet<String> = binding::variables(new).union(&binding::variables(existing)).cloned().collect();
    let fresh = binding::fresh(&variables, &[new, existing]);
    let mut outcome = search.run(&Reading::Bound(fresh.clone()));
    if outcome.witness.is_none() && !variables.is_empty() {
        let (others, is_all) = search.other_bindings(&fresh);
        if !is_all {
            outcome.undecided = outcome.undecided.or(Some(Undecided::Variable));
        }
        for bindings in others {
            let other = search.run(&Reading::Bound(bindings));
            outcome.approximations.extend(&other.approximations);
            outcome.undecided = outcome.undecided.or(other.undecided);
            if other.witness.is_some() {
                outcome = other;
                break;
            }
        }
        if outcome.witness.is_none() {
            outcome.approximations.insert(Approximation::PolicyVariables);
            if search.is_open_to_variables(&fresh) {
                outcome.undecided = outcome.undecided.or(Some(Undecided::Variable));
            }
        }
    }
    let verdict = match (outcome.witness, outcome.undecided) {
        (Some(witness), _) => Verdict::Access(Box::new(witness)),
        (None, Some(undecided)) => Verdict::Undecided(undecided),
        (None, None) => Verdict::NoAccess,
    };
    Ok(Answer { verdict, approximations: outcome.approximations })
}

/// What one run came to.
#[derive(Default)]
struct Outcome {
    witness: Option<Witness>,
    undecided: Option<Undecided>,
    approximations: BTreeSet<Approximation>,
}

/// Two policies, taken apart: the statements of the new one, then those of the existing one.
struct Search<'a> {
    existing: &'a Policy,
    new: &'a Policy,
    entries: Vec<Entry<'a>>,
    classes: Vec<Class>,
    /// Allows and Denies of the new policy, and of the existing one.
    allows: Bits,
    denies: Bits,
    existing_allows: Bits,
    existing_denies: Bits,
    callers: Vec<Caller>,
    /// The forms of resources that were asked for, by the shape of the action and the place of the partition.
    forms: RefCell<HashMap<(Shape, usize), Rc<Forms>>>,
    /// By pair of statements: whether the first can match only what the second matches, the action left aside.
    implied: RefCell<HashMap<(usize, usize), bool>>,
}

/// One question: statements to match and statements to miss.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    sought: Vec<usize>,
    avoided: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(existing: &'a Policy, new: &'a Policy, kind: PolicyKind) -> Result<Self, BrokenTable> {
        let of =
            |policy: &'a Policy| policy.statements.iter().map(|statement| Entry { statement, version: policy.version });
        let entries: Vec<Entry<'a>> = of(new).chain(of(existing)).collect();
        let first = new.statements.len();
        let bits = |is_new: bool, effect: Effect| {
            let mut bits = Bits::none(entries.len());
            for (number, entry) in entries.iter().enumerate() {
                if (number < first) == is_new && entry.statement.effect == effect {
                    bits.insert(number);
                }
            }
            bits
        };
        let allows = bits(true, Effect::Allow);
        let (denies, existing_allows, existing_denies) =
            (bits(true, Effect::Deny), bits(false, Effect::Allow), bits(false, Effect::Deny));
        let statements: Vec<&Statement> = entries.iter().map(|entry| entry.statement).collect();
        let classes = action::classes(&statements, &allows)?;
        let callers = callers(&entries, kind);
        let (forms, implied) = (RefCell::default(), RefCell::default());
        Ok(Self {
            existing,
            new,
            entries,
            classes,
            allows,
            denies,
            existing_allows,
            existing_denies,
            callers,
            forms,
            implied,
        })
    }

    fn run(&self, reading: &Reading) -> Outcome {
        let prepared = Prepared::new(&self.entries, reading.clone());
        let mut outcome = Outcome::default();
        let mut known: HashMap<(Question, Caller), Result<bool, Undecided>> = HashMap::new();
        let callers = self.callers_under(reading.bindings());
        for class in &self.classes {
            for question in self.questions(class) {
                for &caller in &callers {
                    if known.len() >= limits::QUERIES_MAX {
                        outcome.undecided = Some(Undecided::Queries);
                        return outcome;
                    }
                    let is_open = known.entry((question.clone(), caller)).or_insert_with(|| {
                        let frame = Frame { caller, resources: None, unknown_keys: &[] };
                        let found = prepared.find(&question.sought, &question.avoided, frame);
                        found.map(|found| found.is_some())
                    });
                    match is_open {
                        Ok(false) => continue,
                        Err(undecided) => outcome.undecided = outcome.undecided.or(Some(*undecided)),
                        Ok(true) => {}
                    }
                    self.settle(class, &question, caller, &prepared, reading.bindings(), &mut outcome);
                    if outcome.witness.is_some() {
                        return outcome;
                    }
                }
            }
        }
        outcome
    }

    /// The questions that a class of actions raises, without those that are answered by looking at the statements.
    fn questions(&self, class: &Class) -> Vec<Question> {
        let of = |bits: &Bits| class.statements.intersection(bits);
        let (allows, denies) = (of(&self.allows), of(&self.denies));
        let (existing_allows, existing_denies) = (of(&self.existing_allows), of(&self.existing_denies));
        let mut avoided = denies.clone();
        avoided.union(&existing_allows);
        let denies: Vec<usize> = denies.iter().collect();
        let avoided: Vec<usize> = avoided.iter().collect();
        let mut questions = Vec::new();
        for allow in allows.iter() {
            if denies.iter().any(|&deny| self.implies(allow, deny)) {
                continue;
            }
            if !avoided.iter().any(|&other| self.implies(allow, other)) {
                questions.push(Question { sought: vec![allow], avoided: avoided.clone() });
            }
            if existing_allows.is_empty() {
                continue;
            }
            for deny in existing_denies.iter() {
                if !denies.iter().any(|&other| self.implies(deny, other)) {
                    questions.push(Question { sought: vec![allow, deny], avoided: denies.clone() });
                }
            }
        }
        questions
    }

    /// Whether a statement matches whatever another does, seen from how they are written. A `false` says nothing.
    fn implies(&self, one: usize, other: usize) -> bool {
        if let Some(&known) = self.implied.borrow().get(&(one, other)) {
            return known;
        }
        let implies = match (self.entries.get(one), self.entries.get(other)) {
            (Some(one), Some(other)) => implies(*one, *other),
            _ => false,
        };
        self.implied.borrow_mut().insert((one, other), implies);
        implies
    }

    /// Looks for a request that AWS could get: with an action of the class, on a resource that it works on.
    fn settle(
        &self,
        class: &Class,
        question: &Question,
        caller: Caller,
        prepared: &Prepared<'_>,
        bindings: &Bindings,
        outcome: &mut Outcome,
    ) {
        let keys = self.keys(question);
        let services = self.services(question);
        // First with the keys that the catalogue lists for the action alone, then with any.
        for strict in [true, false] {
            let mut tried: HashSet<(Shape, Vec<String>)> = HashSet::new();
            for candidate in class.candidates(services.as_ref()) {
                let unknown = request::unknown_keys(&candidate, &keys);
                if !strict && unknown.is_empty() {
                    continue;
                }
                if let Some(shape) = request::shape(&candidate)
                    && !tried.insert((shape, unknown.clone()))
                {
                    continue;
                }
                if tried.len() > limits::ACTIONS_TRIED_MAX {
                    outcome.undecided = outcome.undecided.or(Some(Undecided::Queries));
                    return;
                }
                let withheld = if strict { unknown.as_slice() } else { &[] };
                for partition in 0..PARTITIONS.len() {
                    let forms = self.forms(&candidate, partition);
                    let frame = Frame { caller, resources: forms.as_deref(), unknown_keys: withheld };
                    match prepared.find(&question.sought, &question.avoided, frame) {
                        Ok(Some(found)) => {
                            if self.confirm(&candidate, &found, &unknown, (question, bindings), outcome) {
                                return;
                            }
                            outcome.undecided = outcome.undecided.or(Some(Undecided::Refuted));
                        }
                        Ok(None) => {}
                        Err(undecided) => outcome.undecided = outcome.undecided.or(Some(undecided)),
                    }
                    if forms.is_none() {
                        break;
                    }
                }
            }
        }
        outcome.approximations.insert(Approximation::ResourceTypes);
    }

    /// The forms that the resource of an action may have in one partition.
    fn forms(&self, candidate: &Candidate, partition: usize) -> Option<Rc<Forms>> {
        let asked = (request::shape(candidate)?, partition);
        let number = self.forms.borrow().len();
        if let Some(known) = self.forms.borrow().get(&asked) {
            return Some(Rc::clone(known));
        }
        let patterns = request::forms(candidate, PARTITIONS.get(partition)?)?;
        let forms = Rc::new(Forms { number, patterns });
        self.forms.borrow_mut().insert(asked, Rc::clone(&forms));
        Some(forms)
    }

    /// Lets the evaluator look at a request; keeps it if it is as claimed.
    fn confirm(
        &self,
        candidate: &Candidate,
        found: &Found,
        unknown: &[String],
        (question, bindings): (&Question, &Bindings),
        outcome: &mut Outcome,
    ) -> bool {
        let statement = question.sought.first().copied().unwrap_or_default();
        for resource in request::dressed(candidate, found.resource.as_deref().unwrap_or("*")) {
            let request = request::request(candidate, found, &resource, bindings);
            if lets_through(self.new, &request) && !lets_through(self.existing, &request) {
                outcome.approximations = request::approximations(&request, unknown);
                outcome.witness = Some(Witness { request, action: candidate.name.clone(), statement });
                return true;
            }
        }
        false
    }

    /// The services whose resources can meet a question, as ARNs name them; none where any may.
    fn services(&self, question: &Question) -> Option<BTreeSet<String>> {
        let entry = question.sought.first().and_then(|&statement| self.entries.get(statement))?;
        let Some(Scope::In(globs)) = &entry.statement.resources else { return None };
        let service = |text: &str| text.strip_prefix("arn:")?.split(':').nth(1).map(str::to_owned);
        let services: Option<BTreeSet<String>> = globs.iter().map(|glob| service(glob.as_str())).collect();
        services.filter(|services| !services.iter().any(|service| service.contains(['*', '?', '$'])))
    }

    fn keys(&self, question: &Question) -> BTreeSet<&str> {
        let statements = question.sought.iter().chain(&question.avoided);
        let entries = statements.filter_map(|&statement| self.entries.get(statement));
        let conditions = entries.flat_map(|entry| &entry.statement.conditions);
        conditions.map(|condition| condition.key.as_str()).filter(|key| !DERIVED.contains(key)).collect()
    }

    /// The callers that can have the values which variables were given.
    fn callers_under(&self, bindings: &Bindings) -> Vec<Caller> {
        match bindings.get("aws:username") {
            Some(Some(_)) => vec![Caller::User],
            Some(None) => self.callers.iter().copied().filter(|caller| *caller != Caller::User).collect(),
            None => self.callers.clone(),
        }
    }

    /// Other values worth trying for the variables, each with what the caller must then be: none at all; where a variable
    /// is a property of the caller, those of each caller that the policies can tell from others; one value for all texts;
    /// and for each what the policies compare it with. Also whether that is all of them.
    fn other_bindings(&self, fresh: &Bindings) -> (Vec<Bindings>, bool) {
        let mut all = vec![fresh.keys().map(|name| (name.clone(), None)).collect::<Bindings>()];
        let add = |all: &mut Vec<Bindings>, bindings: Bindings| {
            if bindings != *fresh && !all.contains(&bindings) {
                all.push(bindings);
            }
        };
        let (derived, free): (Vec<&String>, Vec<&String>) =
            fresh.keys().partition(|name| DERIVED.contains(&name.as_str()));
        // What several properties are together, only a caller can tell.
        let mut bases = if derived.len() < 2 { vec![fresh.clone()] } else { Vec::new() };
        let whos = if derived.is_empty() { Ok(Vec::new()) } else { self.callers_told_apart() };
        let mut is_all = whos.is_ok();
        let whos = whos.unwrap_or_default();
        let of_caller = |who: &Who| {
            let mut bindings = fresh.clone();
            bindings.extend(derived.iter().map(|name| ((*name).clone(), who.value(name).map(str::to_owned))));
            bindings
        };
        for bindings in whos.iter().map(of_caller) {
            add(&mut bases, bindings.clone());
            add(&mut all, bindings);
        }
        let texts = || fresh.iter().filter(|(_, value)| value.as_deref().is_some_and(binding::is_any_text));
        if let Some((_, same)) = texts().next() {
            let mut bindings = fresh.clone();
            bindings.extend(texts().map(|(name, _)| (name.clone(), same.clone())));
            add(&mut all, bindings);
        }
        let changes = |name: &String| {
            let values = binding::candidates(name, &[self.new, self.existing]).into_iter().map(Some);
            values.chain([None]).collect::<Vec<_>>()
        };
        for name in &derived {
            for value in changes(name) {
                for who in whos.iter().filter_map(|who| who.with(name, value.as_deref()?)) {
                    add(&mut all, of_caller(&who));
                }
                let mut bindings = fresh.clone();
                bindings.insert((*name).clone(), value);
                add(&mut all, bindings);
            }
        }
        for name in free {
            let changes = changes(name);
            for (base, value) in bases.iter().flat_map(|base| changes.iter().map(move |value| (base, value))) {
                let mut bindings = base.clone();
                bindings.insert(name.clone(), value.clone());
                add(&mut all, bindings);
            }
        }
        is_all &= all.len() <= limits::BINDINGS_MAX;
        all.truncate(limits::BINDINGS_MAX);
        (all, is_all)
    }

    /// A caller for each combination of principals and of conditions on the caller that one can meet, variables aside.
    fn callers_told_apart(&self) -> Result<Vec<Who>, Undecided> {
        let nothing = Reading::Bound(Bindings::new());
        let conditions = self
            .entries
            .iter()
            .flat_map(|entry| entry.statement.conditions.iter().map(move |condition| (entry.version, condition)));
        let is_plain = |condition: &Condition| !condition.values.iter().any(|value| value.contains("${"));
        let conditions =
            conditions.filter(|(_, condition)| DERIVED.contains(&condition.key.as_str()) && is_plain(condition));
        let tests: Vec<Test<'_>> =
            conditions.map(|(version, condition)| Test::new(condition, version, &nothing, Side::Sought)).collect();
        let asked = Asked {
            scopes: self.entries.iter().filter_map(|entry| entry.statement.principals.as_ref()).collect(),
            tests: tests.iter().collect(),
            bindings: nothing.bindings(),
        };
        let mut whos = Vec::new();
        for &kind in &self.callers {
            whos.extend(caller::callers(kind, &asked)?);
        }
        Ok(whos)
    }

    /// Whether a request is possible when variables may have any value, those excepted that stand in what is sought and
    /// in what is avoided alike: these are one unknown text.
    fn is_open_to_variables(&self, fresh: &Bindings) -> bool {
        let in_new = binding::variables(self.new);
        let in_existing = binding::variables(self.existing);
        let shared: Bindings = fresh
            .iter()
            .filter(|(name, _)| in_new.contains(*name) && in_existing.contains(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let reading = Reading::Loose(shared);
        let prepared = Prepared::new(&self.entries, reading.clone());
        let callers = self.callers_under(reading.bindings());
        let mut asked: HashSet<(Question, Caller)> = HashSet::new();
        for question in self.classes.iter().flat_map(|class| self.questions(class)) {
            for &caller in &callers {
                if !asked.insert((question.clone(), caller)) {
                    continue;
                }
                let frame = Frame { caller, resources: None, unknown_keys: &[] };
                if !matches!(prepared.find(&question.sought, &question.avoided, frame), Ok(None)) {
                    return true;
                }
            }
        }
        false
    }
}

/// The kinds of callers that can make a difference between policies.
fn callers(entries: &[Entry<'_>], kind: PolicyKind) -> Vec<Caller> {
    let conditions = || entries.iter().flat_map(|entry| &entry.statement.conditions);
    let is_told_apart = conditions().any(|condition| DERIVED.contains(&condition.key.as_str()))
        || entries.iter().any(|entry| entry.version == Version::V2012 && uses_derived_variable(entry.statement));
    match kind {
        PolicyKind::Identity if is_told_apart => vec![Caller::Role, Caller::User],
        PolicyKind::Identity => vec![Caller::Role],
        PolicyKind::Resource => {
            let everyone = |scope: &Scope<Principal>| *scope == Scope::In(vec![Principal::Everyone]);
            let is_named =
                entries.iter().filter_map(|entry| entry.statement.principals.as_ref()).any(|scope| !everyone(scope));
            if is_named || is_told_apart {
                use Caller::{Anonymous, Provider, Role, Root, Service, User};
                vec![Role, User, Root, Anonymous, Service, Provider]
            } else {
                vec![Caller::Role, Caller::Anonymous]
            }
        }
    }
}

fn uses_derived_variable(statement: &Statement) -> bool {
    let uses = |text: &str| {
        let text = text.to_ascii_lowercase();
        DERIVED.iter().any(|key| text.contains(&format!("${{{key}")))
    };
    let resources = match &statement.resources {
        Some(Scope::In(globs) | Scope::NotIn(globs)) => globs.as_slice(),
        None => &[],
    };
    resources.iter().any(|glob| uses(glob.as_str()))
        || statement.conditions.iter().flat_map(|condition| &condition.values).any(|value| uses(value))
}

fn implies(one: Entry<'_>, other: Entry<'_>) -> bool {
    let (mine, theirs) = (one.statement, other.statement);
    let principals = match (&mine.principals, &theirs.principals) {
        (_, None) => true,
        (_, Some(Scope::In(principals))) if principals.contains(&Principal::Everyone) => true,
        (mine, theirs) => mine == theirs,
    };
    let resources = match (&mine.resources, &theirs.resources) {
        (_, None) => true,
        (_, Some(Scope::In(globs))) if globs.iter().any(|glob| glob.as_str() == "*") => true,
        (Some(Scope::In(mine)), Some(Scope::In(theirs))) => mine.iter().all(|glob| theirs.contains(glob)),
        (mine, theirs) => mine == theirs,
    };
    let has_variable = |statement: &Statement| {
        let resources = match &statement.resources {
            Some(Scope::In(globs) | Scope::NotIn(globs)) => globs.as_slice(),
            None => &[],
        };
        resources.iter().any(|glob| glob.as_str().contains("${"))
            || statement.conditions.iter().flat_map(|condition| &condition.values).any(|value| value.contains("${"))
    };
    principals
        && resources
        && theirs.conditions.iter().all(|condition| mine.conditions.contains(condition))
        && (one.version == other.version || !has_variable(theirs))
}
