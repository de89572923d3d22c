//! Questions by the line: `{"id", "pattern", "event"}` in, `{"id", "match"}` or `{"id", "error"}` out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Exit;

/// The longest line: an event of AWS's largest size (256 KiB), escaped as a text, with its pattern.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One question; the pattern and the event as they are written.
#[derive(Debug, Deserialize)]
pub(super) struct Question<'a> {
    #[serde(default)]
    id: Value,
    #[serde(borrow)]
    pub(super) pattern: &'a RawValue,
    #[serde(borrow)]
    pub(super) event: &'a RawValue,
}

/// Answers every line of a file (`-` is the standard input). A line that cannot be read is answered with an error and its
/// number, the rest goes on, and the run ends with an error.
pub(super) fn run(path: &Path, answer: impl FnMut(&Question<'_>) -> Result<bool, String>) -> Result<Exit> {
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let all_read = answers(&mut input, &mut out, answer)?;
    out.flush()?;
    Ok(if all_read { Exit::Clean } else { Exit::Error })
}

/// Whether every line could be read.
fn answers(
    input: &mut impl BufRead,
    out: &mut dyn Write,
    mut answer: impl FnMut(&Question<'_>) -> Result<bool, String>,
) -> Result<bool> {
    let mut all_read = true;
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).context("reading the questions")?;
        if read == 0 {
            break;
        }
        let said = if is_cut(&line) {
            input.skip_until(b'\n').context("reading the questions")?;
            Err(format!("the line is longer than {} MiB", LINE_BYTES_MAX / 1024 / 1024))
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            serde_json::from_slice::<Question<'_>>(&line).map_err(|error| format!("the line cannot be read: {error}"))
        };
        let answered = match said {
            Ok(question) => match answer(&question) {
                Ok(matches) => json!({ "id": question.id, "match": matches }),
                Err(error) => json!({ "id": question.id, "error": error }),
            },
            Err(error) => {
                all_read = false;
                json!({ "id": id_of(&line), "line": number, "error": error })
            }
        };
        serde_json::to_writer(&mut *out, &answered)?;
        out.write_all(b"\n")?;
    }
    Ok(all_read)
}

/// Whether a line goes on after what was read.
fn is_cut(line: &[u8]) -> bool {
    !line.ends_with(b"\n") && u64::try_from(line.len()).is_ok_and(|length| length >= LINE_BYTES_MAX)
}

/// The id of a line that lacks something else.
fn id_of(line: &[u8]) -> Value {
    let value: Option<Value> = serde_json::from_slice(line).ok();
    value.and_then(|value| value.get("id").cloned()).unwrap_or_default()
}

/// A JSON document that stands in a line as it is, or as a text that holds it.
pub(super) fn document(raw: &RawValue) -> Result<String, String> {
    let raw = raw.get().trim();
    if raw.starts_with('"') {
        return serde_json::from_str(raw).map_err(|error| format!("the text cannot be read: {error}"));
    }
    Ok(raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &[&str], all_read: bool) {
        let mut out = Vec::new();
        let answer = |question: &Question<'_>| {
            let (pattern, event) = (document(question.pattern)?, document(question.event)?);
            if pattern == "refused" { Err("no pattern".to_owned()) } else { Ok(pattern == event) }
        };
        assert_eq!(answers(&mut input.as_bytes(), &mut out, answer).unwrap(), all_read);
        assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_line_has_its_answer() {
        check(r#"{"id":1,"pattern":{"a":1},"event":{"a":1}}"#, &[r#"{"id":1,"match":true}"#], true);
        check(r#"{"event":"{\"a\":1}","pattern":{"a":1},"id":{"x":[]}}"#, &[r#"{"id":{"x":[]},"match":true}"#], true);
        check(
            "{\"id\":\"a\",\"pattern\":\"refused\",\"event\":1}\n\n{\"pattern\":1,\"event\":2}\r\n",
            &[r#"{"id":"a","error":"no pattern"}"#, r#"{"id":null,"match":false}"#],
            true,
        );
    }

    #[test]
    fn the_run_goes_on_after_a_line_that_cannot_be_read() {
        let good = r#"{"id":2,"pattern":1,"event":1}"#;
        let answered = r#"{"id":2,"match":true}"#;
        let missing =
            r#"{"id":"x","line":1,"error":"the line cannot be read: missing field `event` at line 1 column 22"}"#;
        check(&format!("{{\"id\":\"x\",\"pattern\":1}}\n{good}\n"), &[missing, answered], false);
        let long = format!("{}\n{good}", " ".repeat(usize::try_from(LINE_BYTES_MAX).unwrap() + 1));
        check(&long, &[r#"{"id":null,"line":1,"error":"the line is longer than 4 MiB"}"#, answered], false);
    }
}
