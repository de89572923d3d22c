//! The text of a template as one value, with functions in their long form, and the lines of its resources.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value};

use super::error::{Problem, TemplateError};
use super::{DEPTH_MAX, EXPANDED_BYTES_MAX, TEXT_BYTES_MAX, scalar};

/// How far a key may reach before its colon: JSON templates put whole objects on one line, and YAML's own 1,024 is
/// about human readers.
const KEY_CHARS_MAX: usize = 64 * 1024;

/// What each element takes besides its text, against the limit of what aliases may amount to.
const NODE_BYTES: usize = 64;

/// A template as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) value: Value,
    /// The lines of the keys below `Resources`, from 1.
    pub(super) lines: HashMap<String, u64>,
}

/// Reads YAML, and JSON as the part of YAML that it is.
pub(super) fn read(text: &str, file: &str) -> Result<Document, TemplateError> {
    let fail = |line: Option<u64>, problem: Problem| TemplateError { file: file.to_owned(), line, problem };
    if text.len() > TEXT_BYTES_MAX {
        return Err(fail(None, Problem::TooLong));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.simple_key_max_lookahead = KEY_CHARS_MAX;
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let message = error.info().replace('\n', " ");
            fail(Some(error.marker().line() as u64), Problem::Syntax { message })
        })?;
        let line = span.start.line() as u64;
        builder.take(event, line).map_err(|problem| fail(Some(line), problem))?;
    }
    match builder.root {
        None | Some(Value::Null) => Err(fail(None, Problem::Empty)),
        Some(value) => Ok(Document { value, lines: builder.lines }),
    }
}

/// A finished value, with what it takes to use it again.
#[derive(Debug, Clone)]
struct Node {
    value: Value,
    /// Its own levels: 0 for a scalar.
    height: usize,
    bytes: usize,
}

/// A list or a mapping that is not finished.
#[derive(Debug)]
struct Frame {
    content: Content,
    tag: Option<String>,
    anchor: usize,
    height: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Content {
    List(Vec<Value>),
    Mapping { entries: Map<String, Value>, key: Option<String>, merges: Vec<Value> },
}

#[derive(Debug, Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    documents: usize,
    root: Option<Value>,
    lines: HashMap<String, u64>,
    aliased_bytes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: u64) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::SecondDocument);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                if self.awaits_key() {
                    return self.key(text.into_owned(), anchor, line);
                }
                let bytes = text.len() + NODE_BYTES;
                let value = scalar_value(&text, style, tag);
                self.finish(Node { value, height: 0, bytes }, tag.and_then(local_name), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => self.open(Content::List(Vec::new()), tag.as_deref(), anchor),
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Mapping { entries: Map::new(), key: None, merges: Vec::new() };
                self.open(content, tag.as_deref(), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or(Problem::Circle)?;
                self.aliased_bytes += node.bytes;
                if self.aliased_bytes > EXPANDED_BYTES_MAX {
                    return Err(Problem::TooMuch);
                }
                match (self.awaits_key(), node) {
                    (true, Node { value: Value::String(text), .. }) => self.key(text, 0, line),
                    (true, _) => Err(Problem::Key),
                    (false, node) => self.put(node),
                }
            }
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn open(&mut self, content: Content, tag: Option<&Tag>, anchor: usize) -> Result<(), Problem> {
        if self.awaits_key() {
            return Err(Problem::Key);
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err(Problem::TooDeep);
        }
        let tag = tag.and_then(local_name).map(str::to_owned);
        self.stack.push(Frame { content, tag, anchor, height: 0, bytes: NODE_BYTES });
        Ok(())
    }

    fn key(&mut self, text: String, anchor: usize, line: u64) -> Result<(), Problem> {
        if anchor != 0 {
            let bytes = text.len() + NODE_BYTES;
            self.anchors.insert(anchor, Node { value: Value::String(text.clone()), height: 0, bytes });
        }
        let in_resources = match self.stack.as_slice() {
            [Frame { content: Content::Mapping { key: Some(key), .. }, .. }, _] => key == "Resources",
            _ => false,
        };
        let Some(Frame { content: Content::Mapping { entries, key, .. }, bytes, .. }) = self.stack.last_mut() else {
            return Ok(());
        };
        if entries.contains_key(&text) {
            return Err(Problem::Duplicate { key: text });
        }
        *bytes += text.len();
        if in_resources {
            self.lines.insert(text.clone(), line);
        }
        *key = Some(text);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::List(items) => Value::Array(items),
            Content::Mapping { mut entries, merges, .. } => {
                for merged in merges {
                    merge(&mut entries, merged)?;
                }
                Value::Object(entries)
            }
        };
        let node = Node { value, height: frame.height + 1, bytes: frame.bytes };
        self.finish(node, frame.tag.as_deref(), frame.anchor)
    }

    fn finish(&mut self, node: Node, tag: Option<&str>, anchor: usize) -> Result<(), Problem> {
        let node = match tag {
            Some(tag) => {
                let height = node.height + if tag == "GetAtt" { 2 } else { 1 };
                Node { value: scalar::long_form(tag, node.value), height, bytes: node.bytes + NODE_BYTES }
            }
            None => node,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn put(&mut self, node: Node) -> Result<(), Problem> {
        if self.stack.len() + node.height > DEPTH_MAX {
            return Err(Problem::TooDeep);
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node.value);
            return Ok(());
        };
        frame.height = frame.height.max(node.height);
        frame.bytes += node.bytes;
        match &mut frame.content {
            Content::List(items) => items.push(node.value),
            Content::Mapping { entries, key, merges } => match key.take() {
                Some(key) if key == "<<" => merges.push(node.value),
                Some(key) => {
                    entries.insert(key, node.value);
                }
                None => return Err(Problem::Key),
            },
        }
        Ok(())
    }
}

/// What stands in a mapping itself wins over what is merged into it, and an earlier merge over a later.
fn merge(entries: &mut Map<String, Value>, merged: Value) -> Result<(), Problem> {
    match merged {
        Value::Object(more) => {
            for (key, value) in more {
                entries.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(parts) => parts.into_iter().try_for_each(|part| match part {
            Value::Object(_) => merge(entries, part),
            _ => Err(Problem::Merge),
        }),
        _ => Err(Problem::Merge),
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let as_text = match tag {
        None => style != ScalarStyle::Plain,
        Some(tag) => match (tag.core_suffix(), local_name(tag)) {
            (Some("str"), _) | (None, None) => true,
            (Some(_), _) => false,
            (None, Some(name)) => style != ScalarStyle::Plain || scalar::takes_text(name),
        },
    };
    if as_text { Value::String(text.to_owned()) } else { scalar::plain(text) }
}

/// The name of a function's tag: `Sub` of `!Sub`.
fn local_name(tag: &Tag) -> Option<&str> {
    (tag.handle() == "!" && !tag.suffix().is_empty()).then(|| tag.suffix())
}
