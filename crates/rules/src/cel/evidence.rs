//! What a rule read, for the people who read the verdict.

use serde_json::Value;
use yagura_model::Resource;

use super::expr::Path;
use super::place::Place;
use super::value::Val;

/// Entries in one verdict: a person reads no more, and the deciding ones come last.
const ENTRIES_MAX: usize = 16;

/// Reads remembered during one evaluation. Loops forget what did not decide, so only a very long rule comes near.
const READS_MAX: usize = 128;

/// Entries that one `filter` or `map` may add, so that a long list leaves room for the rest.
const ENTRIES_PER_LIST_MAX: usize = 6;

/// Resources that are shown by their names.
const NAMES_MAX: usize = 16;

/// The longest value, as JSON text, that is shown as it is.
const VALUE_BYTES_MAX: usize = 1024;

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Evidence<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    source: Source<'a>,
    value: Val<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    Path(&'a Path),
    Place(Place<'a>),
    /// A call, as source text.
    Call(&'a str),
}

impl<'a> Evidence<'a> {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes a path of the subject; a container only counts once something looks into it.
    pub(crate) fn read_path(&mut self, path: &'a Path, value: &Val<'a>) {
        if !value.is_container() {
            self.push(Source::Path(path), value);
        }
    }

    /// Notes what stands at a place of a resource; what stands nowhere is no evidence.
    pub(crate) fn read(&mut self, place: Place<'a>, value: &Val<'a>) {
        if place.resource().is_some() && !matches!(value, Val::Section(..)) {
            self.push(Source::Place(place), value);
        }
    }

    pub(crate) fn call(&mut self, text: &'a str, value: &Val<'a>) {
        self.push(Source::Call(text), value);
    }

    fn push(&mut self, source: Source<'a>, value: &Val<'a>) {
        if self.entries.len() < READS_MAX {
            self.entries.push(Entry { source, value: value.clone() });
        }
    }

    pub(crate) fn mark(&self) -> usize {
        self.entries.len()
    }

    /// Forgets what was read since the mark.
    pub(crate) fn back_to(&mut self, mark: usize) {
        self.entries.truncate(mark);
    }

    /// Forgets most of what was read since the mark.
    pub(crate) fn keep_some(&mut self, mark: usize) {
        self.entries.truncate(mark + ENTRIES_PER_LIST_MAX);
    }

    /// The evidence as a verdict has it.
    pub(crate) fn take(&mut self, subject: &Resource) -> Vec<(String, Value)> {
        let mut evidence: Vec<(String, Value)> = Vec::with_capacity(self.entries.len().min(ENTRIES_MAX));
        for entry in self.entries.drain(..) {
            let source = match entry.source {
                Source::Path(path) => path.to_string(),
                Source::Place(place) => match place.resource() {
                    Some(other) if !std::ptr::eq(other, subject) => {
                        format!("{}({}).{}", other.kind, other.id, place.path())
                    }
                    _ => place.path(),
                },
                Source::Call(text) => text.to_owned(),
            };
            if evidence.iter().all(|(known, _)| *known != source) {
                evidence.push((source, shown(&entry.value)));
            }
        }
        if evidence.len() > ENTRIES_MAX {
            // The beginning says what the rule is about and the end what decided.
            evidence.drain(ENTRIES_MAX / 2..evidence.len() - ENTRIES_MAX / 2);
        }
        evidence
    }
}

/// A value for a person: long ones by their size only.
pub(crate) fn shown(value: &Val<'_>) -> Value {
    match value {
        Val::Resource(resource) => Value::String(resource.arn_or_id().to_owned()),
        Val::Resources(resources) if resources.len() > NAMES_MAX => {
            Value::String(format!("a list of {}", resources.len()))
        }
        Val::Resources(resources) => {
            let names = resources.iter().map(|resource| Value::String(resource.arn_or_id().to_owned()));
            short(Value::Array(names.collect()))
        }
        other => match other.to_json() {
            std::borrow::Cow::Borrowed(value) if is_short(value) => value.clone(),
            std::borrow::Cow::Borrowed(value) => summary(value),
            std::borrow::Cow::Owned(value) => short(value),
        },
    }
}

fn short(value: Value) -> Value {
    if is_short(&value) { value } else { summary(&value) }
}

fn summary(value: &Value) -> Value {
    Value::String(match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(entries) => format!("an object of {} entries", entries.len()),
        Value::String(text) => {
            let start: String = text.chars().take(VALUE_BYTES_MAX / 8).collect();
            format!("{start}… ({} bytes)", text.len())
        }
        other => other.to_string(),
    })
}

fn is_short(value: &Value) -> bool {
    serde_json::to_writer(Room(VALUE_BYTES_MAX), value).is_ok()
}

/// A writer that refuses more than a number of bytes.
struct Room(usize);

impl std::io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
