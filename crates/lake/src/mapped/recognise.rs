//! Whose log an object is, judged by its first bytes; its name only where the bytes cannot say.

use super::cloudwatch::{self, Envelope};
use super::json::{Piece, Splitter};
use super::mapping::{Mapping, Shape};
use super::{delimited, parquet};
use crate::object::LogObject;

/// Records at the start of an object that are looked at: the first may be broken, or a message of CloudWatch's own.
const RECORDS_MAX: usize = 16;

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Whether the object is of this source.
pub(super) fn recognises(mapping: &Mapping, object: &LogObject, head: &[u8]) -> bool {
    let named = mapping.path.iter().any(|path| path.is_match(&object.uri));
    if head.starts_with(parquet::MAGIC) {
        return named;
    }
    if head.contains(&0) {
        return false;
    }
    let head = text(head);
    let records = first_records(mapping, &head);
    let says_so = |record: &String| {
        let wanted = &mapping.record;
        !wanted.is_empty() && wanted.iter().all(|regex| regex.is_match(record))
    };
    named || records.iter().any(says_so) || has_header(mapping, &records)
}

/// The start of an object as text, without the mark of its encoding.
pub(super) fn text(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&head).to_owned()
}

/// What CloudWatch Logs put around the records of an object that begins so.
pub(super) fn envelope(mapping: &Mapping, head: &str) -> Envelope {
    let found = if mapping.cloudwatch { Envelope::of(head) } else { Envelope::None };
    // A log whose own lines begin with a time looks like an export of itself.
    let fits = |line: &str| !mapping.record.is_empty() && mapping.record.iter().all(|regex| regex.is_match(line));
    let is_own = |line: &str| fits(line) && !fits(cloudwatch::exported(line).0);
    match found {
        Envelope::Export if head.lines().take(RECORDS_MAX).any(is_own) => Envelope::None,
        found => found,
    }
}

fn has_header(mapping: &Mapping, records: &[String]) -> bool {
    let Shape::Delimited(shape) = &mapping.shape else { return false };
    // One or two words can be the names of fields by chance.
    let is_one = |line: &delimited::Line| matches!(line, delimited::Line::Header(layout) if layout.fields > 2);
    mapping.record.is_empty() && records.iter().any(|record| is_one(&shape.line(&mapping.columns, record)))
        || shape.spec.header == super::file::Header::Line
            && records.first().is_some_and(|record| is_one(&shape.line(&mapping.columns, record)))
}

fn first_records(mapping: &Mapping, head: &str) -> Vec<String> {
    match envelope(mapping, head) {
        Envelope::Messages => return cloudwatch::first_messages(head, RECORDS_MAX),
        Envelope::Export => {
            return head.lines().take(RECORDS_MAX).map(|line| cloudwatch::exported(line).0.to_owned()).collect();
        }
        Envelope::None => {}
    }
    if !head.trim_start().starts_with(['{', '[']) {
        return head.lines().take(RECORDS_MAX).map(str::to_owned).collect();
    }
    let lists: &[String] = if let Shape::Json(json) = &mapping.shape { &json.lists } else { &[] };
    let mut records = Vec::new();
    for piece in Splitter::new(head.as_bytes(), lists).take(RECORDS_MAX) {
        if let Piece::Record(record) = piece {
            records.push(String::from_utf8_lossy(record).into_owned());
        }
    }
    if records.is_empty() {
        // The first record is longer than the start; what there is of it must do.
        records.push(head.to_owned());
    }
    records
}
