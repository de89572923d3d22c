//! Evaluation: CEL's semantics over borrowed JSON, with absent values and values that could not be read.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;
use yagura_model::{Resource, ResourceType};

use super::arena::Arena;
use super::evidence::Evidence;
use super::expr::{Expr, Field, Loop, LoopKind, Path, Section};
use super::failure::Failure;
use super::operators::{both, calculate};
use super::place::{Place, Reach, Step, reach};
use super::value::{Val, at};
use super::world::World;

/// Nodes evaluated in one rule: some hundred milliseconds, far above what a sensible rule takes on a large account.
const STEPS_MAX: u64 = 5_000_000;

pub(crate) type Outcome<'a> = Result<Val<'a>, Failure>;

/// The judgement of one resource: what its expressions share.
pub(crate) struct Evaluation<'a, 'i> {
    pub(crate) world: &'a World<'i>,
    pub(crate) subject: &'a Resource,
    pub(crate) arena: &'a Arena<Value>,
    pub(crate) locals: Vec<Val<'a>>,
    pub(crate) evidence: Evidence<'a>,
    /// Results of lent functions, by function and arguments.
    pub(crate) kept: HashMap<super::call::Asked, Result<&'a Value, Failure>>,
    /// Everything read, where somebody wants to know (the tests of rules).
    pub(crate) touched: Option<Touched>,
    steps: u64,
}

/// Everything that an evaluation asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Resources by type and id, with the path below them.
    pub(crate) paths: BTreeSet<(ResourceType, String, String)>,
    pub(crate) types: BTreeSet<ResourceType>,
}

impl<'a, 'i: 'a> Evaluation<'a, 'i> {
    pub(crate) fn new(world: &'a World<'i>, subject: &'a Resource, arena: &'a Arena<Value>) -> Self {
        Self {
            world,
            subject,
            arena,
            locals: Vec::new(),
            evidence: Evidence::default(),
            kept: HashMap::new(),
            touched: None,
            steps: 0,
        }
    }

    /// Makes ready for the next expression over the same resource.
    pub(crate) fn restart(&mut self) {
        self.locals.clear();
        self.evidence.clear();
        self.steps = 0;
    }

    /// Starts the count of steps again.
    pub(crate) fn restart_steps(&mut self) {
        self.steps = 0;
    }

    /// The value of a whole expression, which is to be true or false.
    pub(crate) fn judge(&mut self, expr: &'a Expr) -> Result<bool, Failure> {
        let value = self.eval(expr)?;
        as_bool(expr, &value)
    }

    pub(crate) fn eval(&mut self, expr: &'a Expr) -> Outcome<'a> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Failure::evaluation(format!("the evaluation took more than {STEPS_MAX} steps")));
        }
        match expr {
            Expr::Constant(constant) => Ok(Val::from_constant(constant)),
            Expr::Path(path) => self.path(path),
            Expr::Field(Field::Now) => Ok(Val::Int(self.world.now.timestamp())),
            Expr::Field(field) => self.field(self.subject, *field),
            Expr::Local { slot, name } => match self.locals.get(*slot) {
                Some(value) => Ok(value.clone()),
                None => Err(Failure::evaluation(format!("`{name}` has no value here"))),
            },
            Expr::Select { of, key } => {
                let of = self.eval(of)?;
                self.select(&of, &Cow::Borrowed(key))
            }
            Expr::Has { of, key } => self.has(of, key),
            Expr::Index { of, index } => self.index(of, index),
            Expr::Not(of) => {
                let value = self.eval(of)?;
                Ok(Val::Bool(!as_bool(of, &value)?))
            }
            Expr::Negate(of) => self.negate(of),
            Expr::And(terms) => self.connect(terms, false),
            Expr::Or(terms) => self.connect(terms, true),
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let value = self.eval(condition)?;
                self.eval(if as_bool(condition, &value)? { then } else { otherwise })
            }
            Expr::Equal { sides, negated } => {
                let [left, right] = self.sides(sides)?;
                Ok(Val::Bool(self.equals(&left, &right)? != *negated))
            }
            Expr::Order { operator, sides } => self.compare(*operator, sides),
            Expr::Arithmetic { operator, sides } => {
                let [left, right] = self.sides(sides)?;
                self.use_whole(&left)?;
                self.use_whole(&right)?;
                calculate(*operator, &left, &right).map_err(|error| Failure::evaluation(format!("`{expr}` {error}")))
            }
            Expr::In(sides) => self.is_in(sides),
            Expr::List(items) => {
                Ok(Val::List(items.iter().map(|item| self.eval(item)).collect::<Result<Rc<[_]>, _>>()?))
            }
            Expr::Record(entries) => {
                let mut record = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    record.push((self.eval(key)?, self.eval(value)?));
                }
                Ok(Val::Record(record.into()))
            }
            Expr::Loop(each) => self.repeat(each),
            Expr::Call(call) => self.call(call),
        }
    }

    /// What a resource is known by. Its ARN and its name come from answers that may have failed.
    fn field(&mut self, resource: &'a Resource, field: Field) -> Outcome<'a> {
        if matches!(field, Field::Arn | Field::Name) {
            self.touch_at(resource, || field.name().to_owned());
            self.whole(resource, field.name())?;
        }
        Ok(Val::field(resource, field))
    }

    fn path(&mut self, path: &'a Path) -> Outcome<'a> {
        let Path { section, keys } = path;
        let place = || Place::of(self.subject, *section, keys);
        let mut keys_left = keys.iter();
        let Some(first) = keys_left.next() else { return Ok(Val::Section(*section, self.subject)) };
        self.touch(|| place().path());
        let reached =
            if self.subject.unread.is_empty() { Reach::Known } else { reach(self.subject, &path.to_string()) };
        if let Reach::Unread(unread) = reached {
            return Err(Failure::unread(path.to_string(), &unread.cause));
        }
        let mut value = match section {
            Section::Properties => self.subject.properties.get(&**first),
            Section::Attributes => self.subject.attributes.get(&**first),
            Section::Tags => return self.tag(path, first),
        };
        for key in keys_left {
            value = match value {
                Some(Value::Object(entries)) => entries.get(&**key),
                None | Some(Value::Null) => None,
                Some(other) => {
                    let kind = Val::from_json(other, Place::default).kind();
                    return Err(Failure::evaluation(format!("`{path}` asks {kind} for the key `{key}`")));
                }
            };
        }
        let value = value.map_or(Val::Null, |value| Val::from_json(value, place));
        if let (Val::Null, Reach::Partly(unread)) = (&value, reached) {
            return Err(Failure::unread(path.to_string(), &unread.cause));
        }
        self.evidence.read_path(path, &value);
        Ok(value)
    }

    fn tag(&mut self, path: &'a Path, key: &'a str) -> Outcome<'a> {
        let value = Val::Section(Section::Tags, self.subject).entry(key).unwrap_or(Val::Null);
        if let (Val::Text(_), [_, further, ..]) = (&value, path.keys.as_slice()) {
            return Err(Failure::evaluation(format!("`{path}` asks a text for the key `{further}`")));
        }
        self.evidence.read_path(path, &value);
        Ok(value)
    }

    /// The value under a key; absent below what is absent.
    pub(crate) fn select(&mut self, of: &Val<'a>, key: &Cow<'a, str>) -> Outcome<'a> {
        if let Val::Resource(resource) = of
            && let Some(field) = Field::of_resource(key)
        {
            return self.field(resource, field);
        }
        let place = place_of(of);
        if let Some(resource) = place.resource() {
            let path = place.below(|| Step::Key(key.clone()));
            self.touch_at(resource, || path.path());
            if !resource.unread.is_empty() {
                let asked = path.path();
                match reach(resource, &asked) {
                    Reach::Unread(unread) => return Err(Failure::unread(self.called(resource, &asked), &unread.cause)),
                    Reach::Partly(unread) if at(of, &Val::Text(key.clone())).is_none() => {
                        return Err(Failure::unread(self.called(resource, &asked), &unread.cause));
                    }
                    Reach::Known | Reach::Partly(_) => {}
                }
            }
            let value = of.entry(key).ok_or_else(|| no_key(of, key))?;
            self.evidence.read(path, &value);
            return Ok(value);
        }
        of.entry(key).ok_or_else(|| no_key(of, key))
    }

    fn has(&mut self, of: &'a Expr, key: &'a str) -> Outcome<'a> {
        let of = self.eval(of)?;
        let value = self.select(&of, &Cow::Borrowed(key))?;
        Ok(Val::Bool(match &of {
            Val::Resource(_) | Val::Null => !matches!(value, Val::Null),
            _ => !matches!(at(&of, &Val::Text(Cow::Borrowed(key))), None | Some(Val::Null)),
        }))
    }

    fn index(&mut self, of: &'a Expr, index: &'a Expr) -> Outcome<'a> {
        let (of, index) = both(self.eval(of), self.eval(index))?;
        let position = match &index {
            Val::Text(key) => return self.select(&of, key),
            Val::Int(position) => usize::try_from(*position).ok(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a fraction is refused; what is out of range saturates"
            )]
            Val::Double(position) if position.fract() == 0.0 => usize::try_from(*position as i64).ok(),
            _ => return Err(Failure::evaluation(format!("{} is no index", index.kind()))),
        };
        match &of {
            Val::Null => Ok(Val::Null),
            Val::Record(_) => Ok(at(&of, &index).unwrap_or(Val::Null)),
            Val::Json(Value::Array(_), _) | Val::List(_) | Val::Resources(_) => {
                self.use_whole(&of)?;
                let items = of.elements().unwrap_or_default();
                let value = position.and_then(|position| items.into_iter().nth(position)).unwrap_or(Val::Null);
                if let Some(position) = position {
                    self.evidence.read(place_of(&of).below(|| Step::Index(position)), &value);
                }
                Ok(value)
            }
            _ => Err(Failure::evaluation(format!("{} has no elements by number", of.kind()))),
        }
    }

    fn repeat(&mut self, each: &'a Loop) -> Outcome<'a> {
        let range = self.eval(&each.range)?;
        self.use_whole(&range)?;
        let Some(items) = range.elements() else {
            let kind = range.kind();
            return Err(Failure::evaluation(format!("`{}` is {kind}, where a list is needed", each.range)));
        };
        match &each.kind {
            LoopKind::All => self.quantify(each, items, false),
            LoopKind::Exists => self.quantify(each, items, true),
            LoopKind::ExistsOne => {
                let mut count = 0_usize;
                for item in items {
                    count += usize::from(self.with_local(item, |it| it.judge(&each.body))?);
                }
                Ok(Val::Bool(count == 1))
            }
            LoopKind::Filter => self.collect(items, Some(&each.body), None),
            LoopKind::Map(condition) => self.collect(items, condition.as_ref(), Some(&each.body)),
        }
    }

    /// `all` or `exists`. Of the evidence, only that of the deciding element stays.
    fn quantify(&mut self, each: &'a Loop, items: Vec<Val<'a>>, decisive: bool) -> Outcome<'a> {
        let mark = self.evidence.mark();
        let mut failure: Option<Failure> = None;
        for item in items {
            self.evidence.back_to(mark);
            match self.with_local(item, |it| it.judge(&each.body)) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(cause) => failure = Some(merged(failure, cause)),
            }
        }
        self.evidence.back_to(mark);
        failure.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    /// `filter` or `map`: an error in one element is an error of the whole.
    fn collect(&mut self, items: Vec<Val<'a>>, condition: Option<&'a Expr>, value: Option<&'a Expr>) -> Outcome<'a> {
        let mark = self.evidence.mark();
        let mut collected = Vec::with_capacity(items.len());
        for item in items {
            let before = self.evidence.mark();
            let taken = self.with_local(item.clone(), |it| {
                if let Some(condition) = condition
                    && !it.judge(condition)?
                {
                    return Ok(None);
                }
                value.map_or(Ok(item), |value| it.eval(value)).map(Some)
            })?;
            match taken {
                Some(value) => collected.push(value),
                None => self.evidence.back_to(before),
            }
        }
        self.evidence.keep_some(mark);
        Ok(Val::List(collected.into()))
    }

    pub(crate) fn with_local<T>(&mut self, value: Val<'a>, body: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(value);
        let result = body(self);
        self.locals.pop();
        result
    }

    /// Notes that a value is used as a whole: an error where a part of it could not be read.
    pub(crate) fn use_whole(&mut self, value: &Val<'a>) -> Result<(), Failure> {
        match value {
            Val::Json(_, place) => {
                if place.is_partial()
                    && let Some(resource) = place.resource()
                {
                    return self.whole(resource, &place.path());
                }
                self.evidence.read(place.clone(), value);
                Ok(())
            }
            Val::Section(section, resource) => {
                self.touch_at(resource, || section.name().to_owned());
                self.whole(resource, section.name())
            }
            Val::List(items) => items.iter().try_for_each(|item| self.use_whole(item)),
            Val::Record(entries) => entries.iter().try_for_each(|(_, value)| self.use_whole(value)),
            _ => Ok(()),
        }
    }

    /// As [`Self::use_whole`], where resources are to be given away with all that they hold.
    pub(crate) fn use_contents(&mut self, value: &Val<'a>) -> Result<(), Failure> {
        let sections = [Section::Properties, Section::Attributes, Section::Tags];
        let resources: &[&'a Resource] = match value {
            Val::Resource(resource) => &[*resource],
            Val::Resources(resources) => resources,
            Val::List(items) => return items.iter().try_for_each(|item| self.use_contents(item)),
            Val::Record(entries) => return entries.iter().try_for_each(|(_, value)| self.use_contents(value)),
            other => return self.use_whole(other),
        };
        resources.iter().try_for_each(|resource| {
            [Field::Arn, Field::Name].iter().try_for_each(|field| self.field(resource, *field).map(drop))?;
            sections.iter().try_for_each(|section| self.use_whole(&Val::Section(*section, resource)))
        })
    }

    fn whole(&self, resource: &'a Resource, path: &str) -> Result<(), Failure> {
        match reach(resource, path) {
            Reach::Known => Ok(()),
            Reach::Partly(unread) | Reach::Unread(unread) => {
                Err(Failure::unread(self.called(resource, path), &unread.cause))
            }
        }
    }

    /// A path as messages have it: with the resource where that is not the subject.
    fn called(&self, resource: &Resource, path: &str) -> String {
        if std::ptr::eq(resource, self.subject) {
            return path.to_owned();
        }
        format!("{}({}).{path}", resource.kind, resource.id)
    }

    fn touch(&mut self, path: impl FnOnce() -> String) {
        self.touch_at(self.subject, path);
    }

    fn touch_at(&mut self, resource: &Resource, path: impl FnOnce() -> String) {
        if let Some(touched) = &mut self.touched {
            touched.paths.insert((resource.kind.clone(), resource.id.clone(), path()));
        }
    }

    pub(crate) fn touch_type(&mut self, kind: &ResourceType) {
        if let Some(touched) = &mut self.touched {
            touched.types.insert(kind.clone());
        }
    }
}

/// Where a container stands.
pub(crate) fn place_of<'a>(value: &Val<'a>) -> Place<'a> {
    match value {
        Val::Json(_, place) => place.clone(),
        Val::Section(section, resource) => Place::of(resource, *section, &[]),
        _ => Place::default(),
    }
}

pub(crate) fn as_bool(expr: &Expr, value: &Val<'_>) -> Result<bool, Failure> {
    match value {
        Val::Bool(value) => Ok(*value),
        Val::Null => Err(Failure::evaluation(format!(
            "`{expr}` is absent, where true or false is needed (`or({expr}, false)` gives a default)"
        ))),
        other => Err(Failure::evaluation(format!("`{expr}` is {}, where true or false is needed", other.kind()))),
    }
}

fn no_key(of: &Val<'_>, key: &str) -> Failure {
    match of {
        Val::Resource(_) => Failure::evaluation(format!(
            "a resource has no `{key}` (it has Type, Id, Arn, Name, Region, Account, Properties, Attributes and Tags)"
        )),
        _ => Failure::evaluation(format!("{} is asked for the key `{key}`", of.kind())),
    }
}

pub(crate) fn merged(earlier: Option<Failure>, later: Failure) -> Failure {
    match earlier {
        Some(earlier) => earlier.and(later),
        None => later,
    }
}
