//! The parser of every mapped source.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use sonic_rs::JsonValueTrait;

use super::cells::Cell;
use super::cloudwatch::{self, Envelope};
use super::columns::Places;
use super::columns::normalise;
use super::delimited::{self, Line};
use super::json::{self, Piece, Splitter};
use super::mapping::{Layout, Mapping, Shape};
use super::rows::{Context, Rows};
use super::time::TimeFormat;
use super::{parquet, pattern, recognise};
use crate::object::{LogObject, Reason, Skipped, Text};
use crate::source::{Framing, Parse, Stopped};

/// Bytes of a line of fields. The longest that AWS writes is a request with its headers, some 100 KB.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Lines at the start of an object by which it is told whether each is a record of its own.
const FRAMING_LINES_MAX: usize = 16;

/// What tells apart the records that stand in one line of an object that is read line by line: the second is in line
/// n + 2⁴⁰, which no object has, so that a row is still known by its place.
const SAME_LINE: u64 = 1 << 40;

/// A mapping and the engine for it.
#[derive(Debug)]
pub(super) struct Mapped(pub(super) Mapping);

impl Parse for Mapped {
    fn recognises(&self, object: &LogObject, head: &[u8]) -> bool {
        recognise::recognises(&self.0, object, head)
    }

    fn framing(&self, head: &[u8]) -> Framing {
        if head.starts_with(parquet::MAGIC) {
            return Framing::Whole;
        }
        let head = recognise::text(head);
        let envelope = recognise::envelope(&self.0, &head);
        match (&self.0.shape, envelope) {
            (_, Envelope::Messages) => Framing::Whole,
            (Shape::Json(_), Envelope::None) if !are_lines(&head) => Framing::Whole,
            _ => Framing::Lines,
        }
    }

    fn parse(
        &self,
        object: &LogObject,
        text: &Text,
        sink: &mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Stopped> {
        let mut rows = Rows::new(&self.0, object, sink, skipped);
        let delivered = delivered(object);
        if text.head.starts_with(parquet::MAGIC) {
            parquet::read(&self.0, &text.bytes, delivered, &mut rows)?;
            return rows.finish();
        }
        let head = recognise::text(&text.head);
        let envelope = recognise::envelope(&self.0, &head);
        let mut run = Run { mapping: &self.0, layout: None, delivered: None };
        match (&self.0.shape, envelope) {
            (_, Envelope::Messages) => run.documents(&text.bytes, &mut rows)?,
            (Shape::Json(json), Envelope::None) if self.framing(&text.head) == Framing::Whole => {
                run.json(unmarked(&text.bytes), &json.lists, 0, Numbers::Records, &mut rows)?;
            }
            (shape, envelope) => {
                if let Shape::Delimited(shape) = shape {
                    run.layout = shape.layout_of(&self.0.columns, &head);
                    // Only text of fields can be without a time and still be a log's.
                    run.delivered = delivered;
                }
                run.lines(text, envelope, &mut rows)?;
            }
        }
        rows.finish()
    }
}

/// How the records of one text are numbered.
#[derive(Clone, Copy)]
enum Numbers {
    /// One after the other.
    Records,
    /// All stand in the same line.
    SameLine,
}

/// One text on its way to rows.
struct Run<'m> {
    mapping: &'m Mapping,
    /// The header seen last.
    layout: Option<Layout>,
    /// When the object was delivered, where a row may fall back on it.
    delivered: Option<i64>,
}

impl Run<'_> {
    fn lines(&mut self, text: &Text, envelope: Envelope, rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let bytes: &[u8] = if text.first_line == 1 { unmarked(&text.bytes) } else { &text.bytes };
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = text.first_line + number as u64;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if let (Shape::Json(json), Envelope::None) = (&self.mapping.shape, envelope) {
                self.json(line, &json.lists, number, Numbers::SameLine, rows)?;
                continue;
            }
            if line.len() > LINE_BYTES_MAX {
                rows.skip(number, Reason::LineTooLong(LINE_BYTES_MAX as u64))?;
                continue;
            }
            let line = String::from_utf8_lossy(line);
            let (line, exported) = match envelope {
                Envelope::Export => cloudwatch::exported(&line),
                Envelope::None | Envelope::Messages => (line.as_ref(), None),
            };
            let context = Context { line: number, account: None, delivered: exported.or(self.delivered) };
            self.record(line, context, rows)?;
        }
        Ok(())
    }

    /// Documents of messages, each of which is a record.
    fn documents(&mut self, text: &[u8], rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let mut number = 0;
        for piece in Splitter::new(unmarked(text), &[]) {
            let parsed = match piece {
                Piece::Bad(reason) => Err(reason),
                Piece::Record(document) => json::parse(document),
            };
            let document = match parsed {
                Ok((_, document)) => document,
                Err(reason) => {
                    number += 1;
                    rows.skip(number, reason)?;
                    continue;
                }
            };
            let Some((account, messages)) = cloudwatch::messages(&document) else {
                number += 1;
                rows.skip(number, Reason::NotJson("no messages".to_owned()))?;
                continue;
            };
            for message in messages {
                number += 1;
                let context = Context { line: number, account, delivered: message.delivered };
                self.record(message.text, context, rows)?;
            }
        }
        Ok(())
    }

    fn json(
        &mut self,
        text: &[u8],
        lists: &[String],
        line: u64,
        numbers: Numbers,
        rows: &mut Rows<'_>,
    ) -> Result<(), Stopped> {
        for (at, piece) in Splitter::new(text, lists).enumerate() {
            let line = match numbers {
                Numbers::Records => line + at as u64 + 1,
                Numbers::SameLine => line + at as u64 * SAME_LINE,
            };
            self.piece(piece, Context { line, ..Context::default() }, rows)?;
        }
        Ok(())
    }

    /// One record as text.
    fn record(&mut self, text: &str, context: Context<'_>, rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let text = text.trim_end_matches(['\r', '\n']);
        let (mut fields, mut cells) = (Vec::new(), Vec::new());
        let found = match &self.mapping.shape {
            Shape::Json(json) => {
                let mut pieces = Splitter::new(text.as_bytes(), &json.lists).peekable();
                if pieces.peek().is_none() {
                    return rows.skip(context.line, Reason::NotJson("empty".to_owned()));
                }
                for (at, piece) in pieces.enumerate() {
                    let line = context.line + at as u64 * SAME_LINE;
                    self.piece(piece, Context { line, ..context }, rows)?;
                }
                return Ok(());
            }
            Shape::Pattern(lines) => pattern::cells(self.mapping, lines, text, &mut fields, &mut cells),
            Shape::Delimited(_) if text.starts_with('{') => return self.json_fields(text, context, rows),
            Shape::Delimited(shape) => match shape.line(&self.mapping.columns, text) {
                Line::Comment => return Ok(()),
                Line::Header(layout) => {
                    self.layout = Some(layout);
                    return Ok(());
                }
                Line::Row => {
                    let layout = self.layout.as_ref().unwrap_or(&shape.order);
                    shape.cells(self.mapping, layout, text, &mut fields, &mut cells)
                }
            },
        };
        match found {
            Ok(()) => rows.push(&cells, text, context),
            Err(reason) => rows.skip(context.line, reason),
        }
    }

    /// One record of JSON.
    fn piece(&self, piece: Piece<'_>, context: Context<'_>, rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let parsed = match piece {
            Piece::Bad(reason) => Err(reason),
            Piece::Record(record) => json::parse(record),
        };
        let (text, value) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => return rows.skip(context.line, reason),
        };
        let inside = match &self.mapping.shape {
            Shape::Json(json) => json.inside.as_ref(),
            Shape::Delimited(_) | Shape::Pattern(_) => None,
        };
        let record = inside.and_then(|key| value.get(key)).filter(JsonValueTrait::is_object).unwrap_or(&value);
        let mut cells: Vec<Cell<'_>> = Vec::new();
        match json::cells(self.mapping, record, &mut cells) {
            Ok(()) => rows.push(&cells, &text, context),
            Err(reason) => rows.skip(context.line, reason),
        }
    }

    /// A row whose fields stand in a JSON object instead of between separators.
    fn json_fields(&self, text: &str, context: Context<'_>, rows: &mut Rows<'_>) -> Result<(), Stopped> {
        let parsed = match Splitter::new(text.as_bytes(), &[]).next() {
            Some(Piece::Record(record)) => json::parse(record),
            Some(Piece::Bad(reason)) => Err(reason),
            None => Err(Reason::NotJson("empty".to_owned())),
        };
        let value = match parsed {
            Ok((_, value)) => value,
            Err(reason) => return rows.skip(context.line, reason),
        };
        let (mut names, mut fields) = (Vec::new(), Vec::new());
        for (key, value) in sonic_rs::JsonContainerTrait::as_object(&value).into_iter().flatten() {
            names.push(normalise(key));
            fields.push(if value.is_null() { Cow::Borrowed("") } else { json::text(value) });
        }
        let columns = &self.mapping.columns;
        let mut cells = Vec::new();
        match delimited::place(columns, &Places::of(columns, &names), &fields, &mut cells) {
            Ok(()) => rows.push(&cells, text, context),
            Err(reason) => rows.skip(context.line, reason),
        }
    }
}

/// Whether each line of this start is a record of its own: then one broken line breaks no other.
fn are_lines(head: &str) -> bool {
    if !head.trim_start().starts_with('{') {
        return false;
    }
    let is_record = |line: &str| {
        let line = line.trim();
        let mut pieces = Splitter::new(line.as_bytes(), &[]);
        matches!(pieces.next(), Some(Piece::Record(record)) if record.len() == line.len())
    };
    head.lines().take(FRAMING_LINES_MAX).any(|line| line.starts_with('{') && is_record(line)) && head.contains('\n')
}

/// The bytes without the mark of their encoding.
fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// When the object was delivered, as AWS writes it into names: `…_20210128T1005Z_…`, with seconds or without.
fn delivered(object: &LogObject) -> Option<i64> {
    object.uri.rsplit('/').next()?.split(['_', '.']).find_map(|part| {
        let part = part.strip_suffix('Z')?;
        let pattern = match part.len() {
            13 => "%Y%m%dT%H%M",
            15 => "%Y%m%dT%H%M%S",
            _ => return None,
        };
        TimeFormat::new(pattern).ok()?.micros(part)
    })
}
