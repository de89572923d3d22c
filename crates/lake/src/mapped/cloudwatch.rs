//! What CloudWatch Logs puts around the lines of another log: an export task writes a time before each line, a
//! subscription (and `aws logs filter-log-events`) puts many messages into one JSON document.

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use super::time::TimeFormat;

/// What stands around the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    None,
    /// A time and a blank before each line.
    Export,
    /// JSON documents with messages.
    Messages,
}

/// The keys under which a document has its messages.
const LISTS: [&str; 2] = ["logEvents", "events"];

impl Envelope {
    /// What stands around the records of an object that begins so.
    pub(super) fn of(head: &str) -> Self {
        let start = head.trim_start();
        if start.starts_with(['{', '[']) {
            let has_messages = LISTS.iter().any(|list| head.contains(&format!("\"{list}\"")));
            let is_one = has_messages && (head.contains("\"message\"") || head.contains("\"messageType\""));
            return if is_one { Self::Messages } else { Self::None };
        }
        if exported(start).1.is_some() { Self::Export } else { Self::None }
    }
}

/// A line without the time that an export puts before it, and that time in microseconds.
pub(super) fn exported(line: &str) -> (&str, Option<i64>) {
    let Some((time, message)) = line.split_once(' ') else { return (line, None) };
    let is_time = time.len() >= 20 && time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T');
    match if is_time { TimeFormat::Iso.micros(time) } else { None } {
        Some(micros) => (message, Some(micros)),
        None => (line, None),
    }
}

/// One message of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'v> {
    pub(super) text: &'v str,
    pub(super) delivered: Option<i64>,
}

/// The account that owns the log group, and the messages; none if the document is no such envelope.
pub(super) fn messages(document: &Value) -> Option<(Option<&str>, Vec<Message<'_>>)> {
    let events = LISTS.iter().find_map(|list| document.get(list)?.as_array())?;
    // CloudWatch Logs sends these to see whether the destination answers.
    if document.get("messageType").and_then(|kind| kind.as_str()) == Some("CONTROL_MESSAGE") {
        return Some((None, Vec::new()));
    }
    let found = events.iter().map(|event| Message {
        text: event.get("message").and_then(|message| message.as_str()).unwrap_or_default(),
        delivered: event
            .get("timestamp")
            .and_then(JsonValueTrait::as_i64)
            .and_then(|millis| TimeFormat::Epoch(1000).micros(&millis.to_string())),
    });
    Some((document.get("owner").and_then(|owner| owner.as_str()), found.collect()))
}

/// The first message in the start of a document, which may be cut off; for telling whose log it is.
pub(super) fn first_messages(head: &str, most: usize) -> Vec<String> {
    head.split("\"message\"").skip(1).take(most).filter_map(unescaped).collect()
}

fn unescaped(behind_key: &str) -> Option<String> {
    let quoted = behind_key.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let mut end = quoted.len();
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let mut inner = quoted.get(..end)?;
    // Cut off in an escape: leave the escape out.
    if end == quoted.len() {
        inner = inner.rfind('\\').filter(|at| inner.len() - at < 6).and_then(|at| inner.get(..at)).unwrap_or(inner);
    }
    sonic_rs::from_str::<String>(&format!("\"{inner}\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_told_by_its_start() {
        for (head, expected) in [
            ("2 111122223333 eni-1 - -", Envelope::None),
            ("2024-01-05T10:00:00.000Z 2 111122223333 eni-1", Envelope::Export),
            ("{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"111122223333\",\"logEvents\":[", Envelope::Messages),
            ("{\"events\": [{\"timestamp\": 1, \"message\": \"x\"}]}", Envelope::Messages),
            ("{\"kind\":\"Event\"}", Envelope::None),
            ("", Envelope::None),
        ] {
            assert_eq!(Envelope::of(head), expected, "{head}");
        }
    }

    #[test]
    fn messages_of_a_start_that_is_cut_off() {
        let head = r#"{"logEvents":[{"message":"{\"a\":1}"},{"message":"a\n\u00e9"},{"message":"cut \u00"#;
        assert_eq!(first_messages(head, 9), ["{\"a\":1}", "a\né", "cut "]);
    }

    #[test]
    fn a_control_message_has_no_rows() {
        let document = r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE"}]}"#;
        let document: Value = sonic_rs::from_str(document).unwrap();
        assert_eq!(messages(&document), Some((None, vec![])));
    }
}
