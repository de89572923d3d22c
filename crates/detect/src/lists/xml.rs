//! STIX 1: `CybOX` objects in XML.
//!
//! Only the elements that hold values are looked at, wherever they stand; their names are the same in every version.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::pattern::PatternError;
use super::read::{Entries, Reason, Unread, Where};

/// How deep elements may nest; what STIX needs is under thirty.
const DEPTH_MAX: usize = 100;

/// What stands between several values of one element, unless it says otherwise.
const DELIMITER: &str = "##comma##";

/// An element whose text is being read.
#[derive(Debug)]
struct Value {
    text: String,
    condition: Option<String>,
    delimiter: String,
    depth: usize,
    line: u64,
}

/// Takes the values of addresses, domain names, host names, URIs and file hashes.
pub(super) fn stix(bytes: &[u8], entries: &mut Entries) -> Result<(), Unread> {
    let text = std::str::from_utf8(bytes).map_err(|error| Unread::Xml(error.to_string()))?;
    let mut reader = Reader::from_str(text);
    let mut lines = Lines { text, position: 0, line: 1 };
    let mut depth = 0_usize;
    let mut value: Option<Value> = None;
    // What the object is that is being read, by its `xsi:type` or its `category`.
    let mut of_type = String::new();
    loop {
        let event = reader.read_event().map_err(|error| Unread::Xml(error.to_string()))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Unread::Xml(format!("its elements are nested deeper than {DEPTH_MAX} levels")));
                }
                if start.local_name().as_ref() == "Properties" {
                    of_type = kind_of(&start);
                }
                if value.is_none() && holds_value(&start, &of_type) {
                    let line = lines.at(reader.buffer_position());
                    value = Some(opened(&start, depth, line));
                }
            }
            Event::End(_) => {
                if let Some(done) = value.take_if(|value| value.depth == depth) {
                    done.take(entries);
                }
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) => append(&mut value, &text.xml10_content()),
            Event::CData(text) => append(&mut value, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let letter = reference.resolve_char_ref().ok().flatten().map(String::from);
                let known = || quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                append(&mut value, &letter.or_else(known).unwrap_or_default());
            }
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(Unread::Xml("it ends inside an element".to_owned())),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// Whether the text of the element is something to compare logs with.
fn holds_value(start: &BytesStart<'_>, of_type: &str) -> bool {
    match start.local_name().as_ref() {
        "Address_Value" => !of_type.contains("e-mail") && !of_type.contains("mac"),
        "Hostname_Value" | "Simple_Hash_Value" => true,
        "Value" => ["DomainName", "URI", "Hostname"].iter().any(|name| of_type.contains(name)),
        _ => false,
    }
}

/// The type and the category of an object, in one text.
fn kind_of(start: &BytesStart<'_>) -> String {
    let attributes = start.attributes().flatten().filter(|attribute| {
        let name = attribute.key.local_name();
        matches!(name.as_ref(), "type" | "category")
    });
    let values = attributes.filter_map(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).ok());
    values.map(std::borrow::Cow::into_owned).collect::<Vec<_>>().join(" ")
}

fn opened(start: &BytesStart<'_>, depth: usize, line: u64) -> Value {
    let attribute = |name: &str| {
        let found = start.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
        found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
    };
    let delimiter = attribute("delimiter").filter(|delimiter| !delimiter.is_empty());
    let delimiter = delimiter.unwrap_or_else(|| DELIMITER.to_owned());
    Value { text: String::new(), condition: attribute("condition"), delimiter, depth, line }
}

fn append(value: &mut Option<Value>, text: &str) {
    if let Some(value) = value {
        value.text.push_str(text);
    }
}

impl Value {
    fn take(self, entries: &mut Entries) {
        let place = || Where::Line(self.line);
        let values = self.text.split(self.delimiter.as_str()).map(str::trim).filter(|value| !value.is_empty());
        match self.condition.as_deref() {
            None | Some("Equals") => values.for_each(|value| entries.take(value, place)),
            Some("InclusiveBetween") => entries.take(&values.collect::<Vec<_>>().join("-"), place),
            Some(_) => entries.refuse(place, Reason::Pattern(PatternError::Comparison)),
        }
    }
}

/// Counts lines while going forward.
struct Lines<'a> {
    text: &'a str,
    position: usize,
    line: u64,
}

impl Lines<'_> {
    fn at(&mut self, position: u64) -> u64 {
        let position = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        let passed = self.text.as_bytes().get(self.position..position).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
        self.position = position;
        self.line
    }
}
