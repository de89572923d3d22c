//! Where a value stands in a resource: for the evidence, and to know what could not be read.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use yagura_model::{Resource, Unread};

use super::expr::Section;

/// Where a container stands; nowhere for what no resource holds (tables, parsed texts, literals).
#[derive(Debug, Clone, Default)]
pub(crate) struct Place<'a>(Option<Rc<Spot<'a>>>);

#[derive(Debug)]
struct Spot<'a> {
    resource: &'a Resource,
    above: Place<'a>,
    step: Step<'a>,
    /// Whether a part below this place could not be read.
    partial: bool,
}

/// One step down.
#[derive(Debug, Clone)]
pub(crate) enum Step<'a> {
    /// Keys from a section, or none for the section itself.
    Keys(Section, &'a [Box<str>]),
    Key(Cow<'a, str>),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(crate) fn of(resource: &'a Resource, section: Section, keys: &'a [Box<str>]) -> Self {
        Self::step(resource, Self(None), Step::Keys(section, keys))
    }

    /// The place one step below; nowhere below nowhere.
    pub(crate) fn below(&self, step: impl FnOnce() -> Step<'a>) -> Self {
        match &self.0 {
            Some(spot) => Self::step(spot.resource, self.clone(), step()),
            None => Self(None),
        }
    }

    fn step(resource: &'a Resource, above: Self, step: Step<'a>) -> Self {
        let mut spot = Spot { resource, above, step, partial: false };
        if !resource.unread.is_empty() {
            let mut path = String::new();
            spot.write_path(&mut path);
            spot.partial = matches!(reach(resource, &path), Reach::Partly(..));
        }
        Self(Some(Rc::new(spot)))
    }

    pub(crate) fn resource(&self) -> Option<&'a Resource> {
        self.0.as_ref().map(|spot| spot.resource)
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.0.as_ref().is_some_and(|spot| spot.partial)
    }

    /// `Properties.Rules[3].Port`; empty for nowhere.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        if let Some(spot) = &self.0 {
            spot.write_path(&mut path);
        }
        path
    }
}

impl Spot<'_> {
    fn write_path(&self, path: &mut String) {
        if let Some(above) = &self.above.0 {
            above.write_path(path);
        }
        match &self.step {
            Step::Keys(section, keys) => {
                path.push_str(section.name());
                for key in *keys {
                    path.push('.');
                    path.push_str(key);
                }
            }
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Index(index) => {
                // Writing to a `String` does not fail.
                let _ = write!(path, "[{index}]");
            }
        }
    }
}

/// How much of what stands at a path is known.
pub(crate) enum Reach<'a> {
    /// All of it.
    Known,
    /// Something below it could not be read.
    Partly(&'a Unread),
    /// It could not be read.
    Unread(&'a Unread),
}

/// How much of what stands at `path` (`Properties.X.Y`) of a resource is known.
pub(crate) fn reach<'a>(resource: &'a Resource, path: &str) -> Reach<'a> {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let mut partly = None;
    for unread in &resource.unread {
        for lost in &unread.paths {
            if within(path, lost) {
                return Reach::Unread(unread);
            }
            if within(lost, path) {
                partly = Some(unread);
            }
        }
    }
    partly.map_or(Reach::Known, Reach::Partly)
}
