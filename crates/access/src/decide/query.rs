//! One question: is there a request that these statements match and those do not?

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::binding::{Reading, Side, Wild};
use super::bits::Bits;
use super::caller::{self, Asked, Caller, DERIVED, Who};
use super::cover;
use super::joint::{self, Set};
use super::limits::{self, Undecided};
use super::pattern::{Kind, Pattern};
use super::values::{self, Filling, Presence, Test};
use crate::policy::{Condition, Glob, Principal, Scope, Statement, Version};

/// A statement with its policy's version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) statement: &'a Statement,
    pub(super) version: Version,
}

/// The resources of a statement.
#[derive(Debug, Clone)]
struct Resources {
    negated: bool,
    patterns: Vec<Pattern>,
}

/// A statement made ready for one reading of variables and one side of the question.
#[derive(Debug)]
struct Ready {
    /// Its resources, once somebody asks for them: most statements of a large policy are never looked at.
    resources: OnceCell<Option<Resources>>,
    /// Its conditions, as places in [`Prepared::tests`].
    tests: Vec<usize>,
}

/// All statements, made ready for both sides of a question.
pub(super) struct Prepared<'a> {
    entries: &'a [Entry<'a>],
    reading: Reading,
    sought: Vec<Ready>,
    avoided: Option<Vec<Ready>>,
    /// Every different condition once.
    tests: Vec<Test<'a>>,
    /// Answers about one condition key, which many questions ask again.
    fillings: RefCell<HashMap<(Vec<usize>, Presence), Fillings>>,
    /// The callers of each kind that all the statements together can tell apart.
    callers: RefCell<HashMap<Caller, Result<Rc<Callers>, Undecided>>>,
    /// The resources of a question, which is asked for each kind of caller.
    resources: RefCell<HashMap<ResourcesAsked, Result<Places, Undecided>>>,
}

/// What is asked of resources: the statements sought and avoided, and the number of the forms.
type ResourcesAsked = (Vec<usize>, Vec<usize>, Option<usize>);

/// The resources of a question; none where no resource will do.
type Places = Option<Rc<Dimension<String>>>;

/// Callers, each with the statements whose principals and conditions on the caller it meets.
struct Callers {
    whos: Vec<Who>,
    sought: Vec<Bits>,
    avoided: Vec<Bits>,
}

/// The forms that the resource of an action may have.
#[derive(Debug)]
pub(super) struct Forms {
    /// What tells them from others in the same search.
    pub(super) number: usize,
    pub(super) patterns: Vec<Pattern>,
}

/// The answers about one condition key.
type Fillings = Result<Rc<[Filling]>, Undecided>;

/// What each value of a dimension misses, and the values.
type Dimension<T> = (Vec<cover::Value>, Vec<T>);

/// What is asked besides the statements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'q> {
    pub(super) caller: Caller,
    /// The forms that the resource may have; none where any text will do.
    pub(super) resources: Option<&'q Forms>,
    /// Condition keys that the request cannot have.
    pub(super) unknown_keys: &'q [String],
}

/// One way to meet the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) resource: Option<String>,
    pub(super) who: Option<Who>,
    pub(super) keys: Vec<(String, Option<Vec<String>>)>,
}

impl<'a> Prepared<'a> {
    /// Makes all statements ready.
    pub(super) fn new(entries: &'a [Entry<'a>], reading: Reading) -> Self {
        let mut tests = Tests::default();
        let mut ready =
            |side| entries.iter().map(|entry| Ready::new(entry, &reading, side, &mut tests)).collect::<Vec<_>>();
        let sought = ready(Side::Sought);
        let avoided = matches!(reading, Reading::Loose(_)).then(|| ready(Side::Avoided));
        let (fillings, callers, resources) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { entries, sought, avoided, tests: tests.tests, reading, fillings, callers, resources }
    }

    fn ready(&self, statement: usize, side: Side) -> Option<&Ready> {
        match (&self.avoided, side) {
            (Some(avoided), Side::Avoided) => avoided.get(statement),
            _ => self.sought.get(statement),
        }
    }

    fn tests(&self, statement: usize, side: Side) -> impl Iterator<Item = (usize, &Test<'a>)> {
        let places = self.ready(statement, side).map(|ready| ready.tests.as_slice()).unwrap_or_default();
        places.iter().filter_map(|&place| self.tests.get(place).map(|test| (place, test)))
    }

    fn statement(&self, statement: usize) -> Option<&'a Statement> {
        self.entries.get(statement).map(|entry| entry.statement)
    }

    /// A request that all of `sought` match and none of `avoided`, as far as everything but the action goes.
    pub(super) fn find(
        &self,
        sought: &[usize],
        avoided: &[usize],
        frame: Frame<'_>,
    ) -> Result<Option<Found>, Undecided> {
        if avoided.len() > limits::ATOMS_MAX {
            return Err(Undecided::Atoms);
        }
        let all: Set = if avoided.len() == limits::ATOMS_MAX { Set::MAX } else { (1 << avoided.len()) - 1 };
        let mut dimensions = Vec::new();
        let callers = self.callers(frame.caller)?;
        let who_values = callers.values(sought, avoided);
        if who_values.is_empty() {
            return Ok(None);
        }
        dimensions.push(who_values);
        let Some(places) = self.places(sought, avoided, frame.resources)? else { return Ok(None) };
        dimensions.push(places.0.clone());
        let mut keys = Vec::new();
        for (key, asked) in self.conditions(sought, avoided) {
            let presence = if frame.unknown_keys.iter().any(|unknown| unknown == key) {
                Presence::Never
            } else {
                caller::presence(key, frame.caller, self.reading.bindings())
            };
            let fillings = self.fillings(key, &asked.tests, presence)?;
            let values = asked.values(&fillings);
            if values.is_empty() {
                return Ok(None);
            }
            dimensions.push(values);
            keys.push((key.to_owned(), fillings));
        }
        let Some(chosen) = cover::choose(dimensions, all)? else { return Ok(None) };
        let mut chosen = chosen.into_iter();
        let who = chosen.next().and_then(|place| callers.whos.get(place)).cloned();
        let resource = chosen.next().and_then(|place| places.1.get(place)).cloned();
        let keys = keys
            .into_iter()
            .zip(chosen)
            .filter_map(|((key, fillings), place)| Some((key, fillings.get(place)?.values.clone())))
            .collect();
        Ok(Some(Found { resource, who, keys }))
    }

    /// The callers of a kind.
    fn callers(&self, kind: Caller) -> Result<Rc<Callers>, Undecided> {
        if let Some(known) = self.callers.borrow().get(&kind) {
            return known.clone();
        }
        let made = self.make_callers(kind).map(Rc::new);
        self.callers.borrow_mut().insert(kind, made.clone());
        made
    }

    fn make_callers(&self, kind: Caller) -> Result<Callers, Undecided> {
        let side = |side| -> Vec<(Option<&'a Scope<Principal>>, Vec<&Test<'a>>)> {
            let of = |statement: usize| {
                let scope = self.statement(statement).and_then(|statement| statement.principals.as_ref());
                let tests = self.tests(statement, side).map(|(_, test)| test);
                (scope, tests.filter(|test| DERIVED.contains(&test.condition.key.as_str())).collect())
            };
            (0..self.entries.len()).map(of).collect()
        };
        let (mine, theirs) = (side(Side::Sought), side(Side::Avoided));
        let every = || mine.iter().chain(&theirs);
        let asked = Asked {
            scopes: mine.iter().filter_map(|(scope, _)| *scope).collect(),
            tests: every().flat_map(|(_, tests)| tests.iter().copied()).collect(),
            bindings: self.reading.bindings(),
        };
        let whos = caller::callers(kind, &asked)?;
        let suits = |who: &Who, (scope, tests): &(Option<&Scope<_>>, Vec<&Test<'_>>)| {
            who.is_named(*scope)
                && tests.iter().all(|test| {
                    let value = who.value(&test.condition.key).map(|value| vec![value.to_owned()]);
                    test.holds(value.as_deref())
                })
        };
        let suited = |side: &[(Option<&Scope<Principal>>, Vec<&Test<'_>>)]| -> Vec<Bits> {
            let of = |who: &Who| {
                let mut bits = Bits::none(self.entries.len());
                for (number, _) in side.iter().enumerate().filter(|(_, statement)| suits(who, statement)) {
                    bits.insert(number);
                }
                bits
            };
            whos.iter().map(of).collect()
        };
        let (sought, avoided) = (suited(&mine), suited(&theirs));
        Ok(Callers { whos, sought, avoided })
    }

    /// The resources of a question, as far as they were not asked for before.
    fn places(&self, sought: &[usize], avoided: &[usize], forms: Option<&Forms>) -> Result<Places, Undecided> {
        let asked = (sought.to_vec(), avoided.to_vec(), forms.map(|forms| forms.number));
        if let Some(known) = self.resources.borrow().get(&asked) {
            return known.clone();
        }
        let patterns = forms.map(|forms| forms.patterns.as_slice());
        let made = self.resources(sought, avoided, patterns).map(|places| places.map(Rc::new));
        self.resources.borrow_mut().insert(asked, made.clone());
        made
    }

    /// The resources of a statement.
    fn resources_of(&self, statement: usize, side: Side) -> Option<&Resources> {
        let entry = self.entries.get(statement)?;
        self.ready(statement, side)?.resources.get_or_init(|| Resources::new(entry, &self.reading, side)).as_ref()
    }

    /// The resources that every statement sought speaks of, with what they miss of those avoided; none where no
    /// resource will do.
    fn resources(
        &self,
        sought: &[usize],
        avoided: &[usize],
        forms: Option<&[Pattern]>,
    ) -> Result<Option<Dimension<String>>, Undecided> {
        let of = |statement: &usize, side| self.resources_of(*statement, side);
        let mine: Vec<&Resources> = sought.iter().filter_map(|statement| of(statement, Side::Sought)).collect();
        let theirs: Vec<Option<&Resources>> = avoided.iter().map(|statement| of(statement, Side::Avoided)).collect();
        let everything = [Pattern::new("*", Kind::Like)];
        // One of the patterns of the first statement that has them is required; each is a walk of its own.
        let base = mine.iter().find(|resources| !resources.negated);
        let bases = base.map_or(everything.as_slice(), |resources| resources.patterns.as_slice());
        let forms = forms.unwrap_or(&everything);
        let (mut values, mut texts) = (Vec::new(), Vec::new());
        for (base_pattern, form) in bases.iter().flat_map(|base| forms.iter().map(move |form| (base, form))) {
            if base_pattern.is_apart_from(form) {
                continue;
            }
            let required = [base_pattern, form];
            let mut atoms = Atoms { required, patterns: Vec::new() };
            let others: Vec<Holding> = mine
                .iter()
                .filter(|resources| base.is_none_or(|base| !std::ptr::eq(*base, **resources)))
                .map(|resources| atoms.holding(resources))
                .collect();
            let avoided: Vec<Holding> = theirs
                .iter()
                .map(|resources| resources.map_or(Holding::always(), |resources| atoms.holding(resources)))
                .collect();
            for (set, text) in joint::combinations(&required, &atoms.patterns)? {
                if others.iter().all(|holding| holding.holds(set)) {
                    let missed = avoided.iter().enumerate().filter(|(_, holding)| !holding.holds(set));
                    values.push((missed.fold(0, |all: Set, (index, _)| all | 1 << index), texts.len()));
                    texts.push(text);
                }
            }
        }
        Ok((!values.is_empty()).then_some((values, texts)))
    }

    /// The conditions by key.
    fn conditions(&self, sought: &[usize], avoided: &[usize]) -> BTreeMap<&'a str, KeyAsked> {
        let mut keys: BTreeMap<&str, KeyAsked> = BTreeMap::new();
        let sides = sought.iter().map(|&statement| (statement, None));
        let sides = sides.chain(avoided.iter().enumerate().map(|(index, &statement)| (statement, Some(index))));
        for (statement, avoided) in sides {
            let side = if avoided.is_some() { Side::Avoided } else { Side::Sought };
            for (place, test) in self.tests(statement, side) {
                let key = test.condition.key.as_str();
                if !DERIVED.contains(&key) {
                    keys.entry(key).or_default().add(place, avoided);
                }
            }
        }
        keys
    }

    /// How a key can be filled, as far as these tests tell; the bits of what holds are the places in `tests`.
    fn fillings(&self, key: &str, tests: &[usize], presence: Presence) -> Fillings {
        let remembered = (tests.to_vec(), presence);
        if let Some(known) = self.fillings.borrow().get(&remembered) {
            return known.clone();
        }
        let chosen: Vec<Test<'a>> = tests.iter().filter_map(|&place| self.tests.get(place)).cloned().collect();
        let fillings = values::fillings(key, &chosen, &remembered.1).map(Rc::from);
        self.fillings.borrow_mut().insert(remembered, fillings.clone());
        fillings
    }
}

/// What a question says of one key.
#[derive(Debug, Default)]
struct KeyAsked {
    /// The different tests.
    tests: Vec<usize>,
    /// Those, as places in `tests`, that a statement sought has.
    needed: Vec<usize>,
    /// The others, each with the statement avoided that has it.
    missing: Vec<(usize, usize)>,
}

impl KeyAsked {
    fn add(&mut self, test: usize, avoided: Option<usize>) {
        let known = self.tests.iter().position(|known| *known == test);
        let index = known.unwrap_or_else(|| {
            self.tests.push(test);
            self.tests.len() - 1
        });
        match avoided {
            None => self.needed.push(index),
            Some(statement) => self.missing.push((index, statement)),
        }
    }

    /// The fillings under which all tests of the statements sought hold, with what they miss of those avoided.
    fn values(&self, fillings: &[Filling]) -> Vec<cover::Value> {
        let needed = self.needed.iter().fold(0, |all: Set, index| all | 1 << index);
        let mut values = Vec::new();
        for (place, filling) in fillings.iter().enumerate() {
            if filling.holding & needed == needed {
                let missed = self.missing.iter().filter(|(test, _)| filling.holding & 1 << test == 0);
                values.push((missed.fold(0, |all: Set, (_, statement)| all | 1 << statement), place));
            }
        }
        values
    }
}

/// Every different condition once.
#[derive(Default)]
struct Tests<'a> {
    tests: Vec<Test<'a>>,
    known: Vec<(Version, Side)>,
}

impl<'a> Tests<'a> {
    fn place(&mut self, condition: &'a Condition, version: Version, reading: &Reading, side: Side) -> usize {
        // Without a variable in it neither the version nor the side matters.
        let is_plain = !condition.values.iter().any(|value| value.contains("${"));
        let (version, side) = if is_plain { (Version::V2012, Side::Sought) } else { (version, side) };
        let mut known = self.tests.iter().zip(&self.known);
        if let Some(place) =
            known.position(|(test, as_read)| *as_read == (version, side) && test.condition == condition)
        {
            return place;
        }
        self.tests.push(Test::new(condition, version, reading, side));
        self.known.push((version, side));
        self.tests.len() - 1
    }
}

impl Ready {
    fn new<'a>(entry: &Entry<'a>, reading: &Reading, side: Side, tests: &mut Tests<'a>) -> Self {
        let place = |condition| tests.place(condition, entry.version, reading, side);
        Self { resources: OnceCell::new(), tests: entry.statement.conditions.iter().map(place).collect() }
    }
}

impl Resources {
    fn new(entry: &Entry<'_>, reading: &Reading, side: Side) -> Option<Self> {
        let (negated, globs) = match entry.statement.resources.as_ref()? {
            Scope::In(globs) => (false, globs),
            Scope::NotIn(globs) => (true, globs),
        };
        let side = match (side, negated) {
            (Side::Sought, false) | (Side::Avoided, true) => Side::Sought,
            _ => Side::Avoided,
        };
        let pattern = |glob: &Glob| {
            let pieces = reading.pieces(glob.as_str(), entry.version, side, Wild::Text);
            let pieces = match (pieces, reading) {
                (None, Reading::Bound(_)) if negated => reading.left_out(glob.as_str(), entry.version),
                (pieces, _) => pieces?,
            };
            Some(Pattern::of_pieces(&pieces, Kind::Resource))
        };
        Some(Self { negated, patterns: globs.iter().filter_map(pattern).collect() })
    }
}

impl Callers {
    /// Those whom every statement sought is met by, with what they miss of those avoided. Of those that come to the same
    /// the first is enough.
    fn values(&self, sought: &[usize], avoided: &[usize]) -> Vec<cover::Value> {
        let mut values: Vec<cover::Value> = Vec::new();
        for (place, (mine, theirs)) in self.sought.iter().zip(&self.avoided).enumerate() {
            if sought.iter().all(|&statement| mine.contains(statement)) {
                let missed = avoided.iter().enumerate().filter(|&(_, &statement)| !theirs.contains(statement));
                let missed = missed.fold(0, |all: Set, (index, _)| all | 1 << index);
                if !values.iter().any(|(known, _)| *known == missed) {
                    values.push((missed, place));
                }
            }
        }
        values
    }
}

/// The patterns that are not decided by those required.
struct Atoms<'p> {
    required: [&'p Pattern; 2],
    patterns: Vec<&'p Pattern>,
}

/// Whether the resources of a statement hold, given the atoms that do.
struct Holding {
    negated: bool,
    always: bool,
    any: Set,
}

impl<'p> Atoms<'p> {
    fn holding(&mut self, resources: &'p Resources) -> Holding {
        let mut holding = Holding { negated: resources.negated, always: false, any: 0 };
        for pattern in &resources.patterns {
            if pattern.is_everything() || self.required.contains(&pattern) {
                holding.always = true;
            } else if !self.required.iter().any(|required| required.is_apart_from(pattern)) {
                let known = self.patterns.iter().position(|known| *known == pattern);
                let index = known.unwrap_or_else(|| {
                    self.patterns.push(pattern);
                    self.patterns.len() - 1
                });
                // Past the last bit the walk itself says that there are too many.
                holding.any |= Set::checked_shl(1, u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0);
            }
        }
        holding
    }
}

impl Holding {
    const fn always() -> Self {
        Self { negated: false, always: true, any: 0 }
    }

    fn holds(&self, set: Set) -> bool {
        (self.always || set & self.any != 0) != self.negated
    }
}
