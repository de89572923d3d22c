//! Events, flattened to their leaves.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Number, Value};

use super::number;

/// An event as patterns see it: every plain value with the keys that lead to it and the list elements that it is in.
#[derive(Debug, Clone, Default)]
pub struct Event<'a> {
    /// The paths of all fields, one after the other.
    paths: String,
    fields: Vec<Field<'a>>,
    places: Vec<Place>,
}

/// A plain value of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; nothing where no double holds what is written.
    Number(Option<f64>),
    /// A text.
    Text(Cow<'a, str>),
}

/// One leaf.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    path: Range<usize>,
    pub(super) value: Scalar<'a>,
    /// The innermost list element that it is in, an index into the event's places.
    pub(super) place: Option<usize>,
}

/// An element of a list that other fields may share.
#[derive(Debug, Clone, Copy)]
struct Place {
    outer: Option<usize>,
    list: usize,
    element: usize,
}

/// Which element of which list, by list.
pub(super) type Membership = Vec<(usize, usize)>;

impl<'a> Event<'a> {
    /// An event that is read already.
    pub fn new(value: &'a Value) -> Self {
        let mut builder = EventBuilder::default();
        add(&mut builder, value);
        builder.finish()
    }

    pub(super) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    pub(super) fn path(&self, field: &Field<'_>) -> &str {
        self.paths.get(field.path.clone()).unwrap_or_default()
    }

    /// The fields at a path.
    pub(super) fn at<'e>(&'e self, path: &'e str) -> impl Iterator<Item = &'e Field<'a>> + 'e {
        self.fields.iter().filter(move |field| self.path(field) == path)
    }

    /// The list elements that a field is in.
    pub(super) fn membership(&self, field: &Field<'_>) -> Membership {
        let mut membership = Membership::new();
        let mut next = field.place;
        while let Some(place) = next.and_then(|place| self.places.get(place)) {
            membership.push((place.list, place.element));
            next = place.outer;
        }
        membership.sort_unstable();
        membership
    }
}

/// Makes an [`Event`] of what a parser meets, in the order in which it meets it.
///
/// A member of an object is opened and closed around its value; a list is opened, each element is announced, and the list
/// is closed. Objects themselves need no word.
#[derive(Debug, Default)]
pub struct EventBuilder<'a> {
    event: Event<'a>,
    path: String,
    place: Option<usize>,
    frames: Vec<Frame>,
    /// How many members are open.
    members: usize,
    lists: usize,
}

#[derive(Debug)]
enum Frame {
    /// How long the path was, and where it was, before this member.
    Member { path: usize, place: Option<usize> },
    /// The list's number, the element that is being read, its place once something needs it, and where the list is.
    List { list: usize, element: usize, place: Option<usize>, outer: Option<usize> },
}

impl<'a> EventBuilder<'a> {
    /// The value that comes next belongs to this key.
    pub fn open_member(&mut self, name: &str) {
        let frame = Frame::Member { path: self.path.len(), place: self.place };
        self.enter_element();
        self.frames.push(frame);
        if self.members > 0 {
            self.path.push('.');
        }
        self.members += 1;
        self.path.push_str(name);
    }

    /// The value of the key has been told.
    pub fn close_member(&mut self) {
        if let Some(Frame::Member { path, place }) = self.frames.pop() {
            self.members -= 1;
            self.path.truncate(path);
            self.place = place;
        }
    }

    /// A list begins.
    pub fn open_list(&mut self) {
        self.enter_element();
        self.frames.push(Frame::List { list: self.lists, element: 0, place: None, outer: self.place });
        self.lists += 1;
    }

    /// The next element of the list begins.
    pub fn next_element(&mut self) {
        if let Some(Frame::List { element, place, outer, .. }) = self.frames.last_mut() {
            *element += 1;
            *place = None;
            self.place = *outer;
        }
    }

    /// The list ends.
    pub fn close_list(&mut self) {
        if let Some(Frame::List { outer, .. }) = self.frames.pop() {
            self.place = outer;
        }
    }

    /// A plain value. Directly in a list it belongs to where the list is: it does not bind the fields beside the list.
    pub fn value(&mut self, value: Scalar<'a>) {
        let place = match self.frames.last() {
            Some(Frame::List { outer, .. }) => *outer,
            _ => self.place,
        };
        let start = self.event.paths.len();
        self.event.paths.push_str(&self.path);
        self.event.fields.push(Field { path: start..self.event.paths.len(), value, place });
    }

    /// The event.
    pub fn finish(self) -> Event<'a> {
        self.event
    }

    /// What comes next is more than a plain value: where it is the element of a list, its fields belong together.
    fn enter_element(&mut self) {
        if let Some(Frame::List { list, element, place, outer }) = self.frames.last_mut() {
            let places = &mut self.event.places;
            self.place = Some(*place.get_or_insert_with(|| {
                places.push(Place { outer: *outer, list: *list, element: *element });
                places.len() - 1
            }));
        }
    }
}

/// The double that a number is, if any; what a parser made a double of is taken as it is.
fn double(number: &Number) -> Option<f64> {
    if number.is_f64() { number.as_f64() } else { number::exact(&number.to_string()) }
}

fn add<'a>(builder: &mut EventBuilder<'a>, value: &'a Value) {
    match value {
        Value::Null => builder.value(Scalar::Null),
        Value::Bool(value) => builder.value(Scalar::Bool(*value)),
        Value::Number(value) => builder.value(Scalar::Number(double(value))),
        Value::String(text) => builder.value(Scalar::Text(text.into())),
        Value::Array(list) => {
            builder.open_list();
            for element in list {
                builder.next_element();
                add(builder, element);
            }
            builder.close_list();
        }
        Value::Object(members) => {
            for (name, member) in members {
                builder.open_member(name);
                add(builder, member);
                builder.close_member();
            }
        }
    }
}
