//! CloudTrail: every form in which its events are handed around, and the columns they become.
//!
//! Files as CloudTrail delivers them (`{"Records": […]}`), a bare array, one event, one event a line; events inside what
//! `EventBridge` (`detail`), CloudWatch Logs (`logEvents[].message`) and `LookupEvents` (`Events[].CloudTrailEvent`) wrap
//! around them.

mod columns;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sonic_rs::LazyValue;

use crate::hunt::{Clues, Template};
use crate::json;
use crate::object::{LogObject, Reason, Skipped, Text};
use crate::source::{Framing, Identity, Parse, Source, Stopped};
use columns::{Block, Columns};

/// Envelopes inside envelopes that are opened: `EventBridge` inside CloudWatch Logs inside an array is three.
const ENVELOPES_MAX: u8 = 5;

/// Rows that one batch holds; a CloudTrail file seldom holds more than a few thousand.
const BATCH_ROWS_MAX: usize = 16_384;

/// The table of `CloudTrail` events.
pub(crate) fn source() -> Source {
    Source {
        name: Arc::from("cloudtrail"),
        schema: columns::schema(),
        time: "eventTime",
        identity: Identity::Column("eventID"),
        sort: vec!["userIdentity_arn", "userIdentity_accessKeyId", "eventTime"],
        lookup: vec!["eventID", "userIdentity_accessKeyId", "sourceIPAddress"],
        long: vec!["record", "requestParameters", "responseElements", "eventID", "requestID"],
        has_digests: true,
        cadence: None,
        clues: clues(),
        parser: Arc::new(CloudTrail { schema: columns::schema() }),
    }
}

/// Where an event says who did what to what, from where.
fn clues() -> Clues {
    Clues {
        keys: vec!["userIdentity_accessKeyId"],
        principals: vec![
            "userIdentity_arn",
            "userIdentity_sessionContext_sessionIssuer_arn",
            "userIdentity_principalId",
            "userIdentity_userName",
            "userIdentity_invokedBy",
        ],
        addresses: vec!["sourceIPAddress"],
        resources: vec!["resources"],
        mentions: vec!["requestParameters", "responseElements"],
        service: Some("eventSource"),
        what: Template::column("eventName"),
        outcome: Template::column("errorCode"),
        agent: Some("userAgent"),
        id: Some("eventID"),
        ..Clues::default()
    }
}

#[derive(Debug)]
struct CloudTrail {
    schema: SchemaRef,
}

impl Parse for CloudTrail {
    fn recognises(&self, object: &LogObject, head: &[u8]) -> bool {
        let opens = head.iter().find(|byte| !byte.is_ascii_whitespace());
        if !matches!(opens, Some(b'{' | b'[')) || is_digest(head) {
            return false;
        }
        let name = object.uri.rsplit('/').next().unwrap_or_default();
        let has = |key: &str| memchr::memmem::find(head, key.as_bytes()).is_some();
        (name.contains("_CloudTrail") && has("\"Records\""))
            || (has("eventID") && has("eventSource") && has("eventTime"))
    }

    fn framing(&self, head: &[u8]) -> Framing {
        // One event a line: the first line is a JSON object by itself, and not a whole file that ends with a new line.
        let first = memchr::memchr(b'\n', head).and_then(|end| head.get(..end)).unwrap_or(head);
        let is_line = first.len() < head.len()
            && first.first() == Some(&b'{')
            && std::str::from_utf8(first).is_ok_and(|first| {
                let is_value = json::value(first).is_ok_and(|value| value.len() == first.trim_ascii_end().len());
                is_value && after_key(first, "Records").is_none()
            });
        if is_line { Framing::Lines } else { Framing::Whole }
    }

    fn parse(
        &self,
        object: &LogObject,
        text: &Text,
        sink: &mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(), Stopped> {
        let framing = self.framing(&text.head);
        let columns = Columns::new(&self.schema);
        let mut rows = Rows { object, columns, number: 0, by_line: framing == Framing::Lines, sink, skipped };
        let block = rows.columns.add_buffer(&text.bytes);
        match (framing, std::str::from_utf8(&text.bytes)) {
            (Framing::Whole, Ok(json)) => rows.document(json, block)?,
            (Framing::Whole, Err(_)) => rows.skip_object(Reason::NotUtf8),
            (Framing::Lines, Ok(lines)) => {
                for (number, line) in (text.first_line..).zip(lines.split('\n')) {
                    rows.number = number;
                    rows.line(line, block)?;
                }
            }
            (Framing::Lines, Err(_)) => {
                for (number, line) in (text.first_line..).zip(text.bytes.split(|byte| *byte == b'\n')) {
                    rows.number = number;
                    match std::str::from_utf8(line) {
                        Ok(line) => rows.line(line, block)?,
                        Err(_) => rows.skip(Reason::NotUtf8),
                    }
                }
            }
        }
        rows.flush()
    }
}

/// Whether the text is a digest file: hashes of log files, not events.
pub(crate) fn is_digest(head: &[u8]) -> bool {
    memchr::memmem::find(head, b"\"digestStartTime\"").is_some()
        && memchr::memmem::find(head, b"\"digestS3Object\"").is_some()
}

struct Rows<'a> {
    object: &'a LogObject,
    columns: Columns,
    /// The record's number in a document, or its line.
    number: u64,
    by_line: bool,
    sink: &'a mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
    skipped: &'a mut Vec<Skipped>,
}

impl Rows<'_> {
    fn document(&mut self, json: &str, block: Block) -> Result<(), Stopped> {
        match after_key(json, "Records").filter(|rest| rest.starts_with('[')) {
            // The usual file, without a first pass to its end.
            Some(records) => self.array(records, block, ENVELOPES_MAX),
            None => self.value(json.trim(), block, ENVELOPES_MAX),
        }
    }

    fn line(&mut self, line: &str, block: Block) -> Result<(), Stopped> {
        self.value(line.trim(), block, ENVELOPES_MAX)
    }

    fn value(&mut self, json: &str, block: Block, envelopes: u8) -> Result<(), Stopped> {
        let mut inside = None;
        if self.members(block, &mut inside, |visit| json::object(json, visit)) == Some(json.len()) {
            return self.event(json, inside, block, envelopes);
        }
        match (json.as_bytes().first(), json::value(json)) {
            (None, _) => Ok(()),
            // Elements that stand before damage are taken in.
            (Some(b'['), _) => self.array(json, block, envelopes),
            (Some(_), Ok(_)) => self.object(json, block, envelopes),
            (Some(_), Err(reason)) => {
                self.number += u64::from(!self.by_line && self.number == 0);
                self.skip(reason);
                Ok(())
            }
        }
    }

    fn array(&mut self, json: &str, block: Block, envelopes: u8) -> Result<(), Stopped> {
        let mut elements = json::elements(json);
        loop {
            let mut inside = None;
            let event = self.members(block, &mut inside, |visit| elements.next_object(visit));
            let Some(element) = event.map(Ok).or_else(|| elements.next()) else { return Ok(()) };
            self.number += u64::from(!self.by_line);
            match element {
                Ok(element) if event.is_some() => self.event(element, inside, block, envelopes)?,
                Ok(element) => self.object(element, block, envelopes)?,
                Err(reason) => self.skip(reason),
            }
        }
    }

    /// Begins a row and lets `read` visit the members of an event, or of the envelope around some.
    fn members<'t, T>(
        &mut self,
        block: Block,
        inside: &mut Option<(Wrap, &'t str)>,
        read: impl FnOnce(&mut dyn FnMut(&'t str, &'t str)) -> T,
    ) -> T {
        self.columns.begin();
        let columns = &mut self.columns;
        read(&mut |key, value| {
            if !columns.set(key, value, block)
                && let Some(wrap) = Wrap::of(key)
            {
                *inside = Some((wrap, value));
            }
        })
    }

    /// One event, or an envelope around some, the slow way, which says what is wrong.
    fn object(&mut self, json: &str, block: Block, envelopes: u8) -> Result<(), Stopped> {
        self.columns.begin();
        let mut inside: Option<(Wrap, &str)> = None;
        for member in sonic_rs::to_object_iter(json) {
            match member {
                Ok((key, value)) => {
                    let value = raw(&value);
                    if !self.columns.set(&key, value, block)
                        && let Some(wrap) = Wrap::of(&key)
                    {
                        inside = Some((wrap, value));
                    }
                }
                Err(error) => {
                    self.skip(not_json(&error));
                    return Ok(());
                }
            }
        }
        self.event(json, inside, block, envelopes)
    }

    /// Ends the row whose members were visited, or opens the envelope.
    fn event(&mut self, json: &str, inside: Option<(Wrap, &str)>, block: Block, envelopes: u8) -> Result<(), Stopped> {
        match (inside, self.columns.missing()) {
            (_, None) => {
                self.columns.end(json, block);
                if self.columns.rows() >= BATCH_ROWS_MAX && block.is_lasting() { self.flush() } else { Ok(()) }
            }
            (Some((wrap, value)), Some(_)) if envelopes > 0 => self.unwrap(wrap, value, block, envelopes - 1),
            (_, Some(field)) => {
                self.skip(Reason::Missing(field));
                Ok(())
            }
        }
    }

    fn unwrap(&mut self, wrap: Wrap, json: &str, block: Block, envelopes: u8) -> Result<(), Stopped> {
        match wrap {
            Wrap::Json if json == "null" => Ok(()),
            Wrap::Json => self.value(json, block, envelopes),
            Wrap::Text => match sonic_rs::from_str::<String>(json) {
                Ok(text) => {
                    let block = self.columns.add_own(&text);
                    self.value(text.trim(), block, envelopes)
                }
                Err(error) => {
                    self.skip(not_json(&error));
                    Ok(())
                }
            },
        }
    }

    fn skip(&mut self, reason: Reason) {
        self.skipped.push(Skipped { uri: self.object.uri.clone(), line: Some(self.number.max(1)), reason });
    }

    fn skip_object(&mut self, reason: Reason) {
        self.skipped.push(Skipped { uri: self.object.uri.clone(), line: None, reason });
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        match self.columns.finish() {
            Ok(Some(batch)) => (self.sink)(batch),
            Ok(None) => Ok(()),
            Err(error) => {
                self.skip_object(Reason::BadRow(error.to_string()));
                Ok(())
            }
        }
    }
}

/// How events lie inside a member of an envelope.
#[derive(Clone, Copy)]
enum Wrap {
    /// As JSON.
    Json,
    /// As a string that holds JSON.
    Text,
}

impl Wrap {
    fn of(key: &str) -> Option<Self> {
        match key {
            "Records" | "detail" | "logEvents" | "events" | "Events" => Some(Self::Json),
            "message" | "CloudTrailEvent" => Some(Self::Text),
            _ => None,
        }
    }
}

/// The JSON text of a value, which lies in the text it was read from.
fn raw<'t>(value: &LazyValue<'t>) -> &'t str {
    match value.as_raw_cow() {
        Cow::Borrowed(text) => text,
        // Only values of shared strings are copies, and the iterators here run over borrowed text.
        Cow::Owned(_) => "null",
    }
}

/// What follows `{ "key" :` at the start of the text.
fn after_key<'t>(json: &'t str, key: &str) -> Option<&'t str> {
    let rest = json.trim_start().strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let rest = rest.strip_prefix(key)?.strip_prefix('"')?.trim_start().strip_prefix(':')?;
    Some(rest.trim_start())
}

fn not_json(error: &sonic_rs::Error) -> Reason {
    let text = error.to_string();
    Reason::NotJson(text.lines().next().unwrap_or_default().trim().trim_end_matches('.').to_owned())
}
