//! `yagura access eval`: a line in, a line out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use yagura_access::evaluate::{Batch, LINE_BYTES_MAX};

use crate::cli::{Common, EvalArgs, Format};
use crate::{Exit, print};

/// Answers every line; those that cannot be understood are answered with an error, and the run ends with 1.
pub(super) fn run(common: &Common, args: &EvalArgs) -> Result<Exit> {
    let mut batch = Batch::default();
    lines(common, &args.batch, |line| batch.answer(line))
}

/// Answers every line of a file by `answer`, which says whether it understood the line.
pub(super) fn lines(common: &Common, path: &Path, answer: impl FnMut(&str) -> (Value, bool)) -> Result<Exit> {
    match (common.output, &common.query) {
        (None | Some(Format::Ndjson), None) => {
            let mut out = BufWriter::new(io::stdout().lock());
            let exit = answer_all(open(path)?, answer, |answer| {
                serde_json::to_writer(&mut out, &answer)?;
                out.write_all(b"\n")?;
                Ok(())
            })?;
            out.flush()?;
            Ok(exit)
        }
        (None | Some(Format::Ndjson | Format::Json), _) => {
            let mut answers = Vec::new();
            let exit = answer_all(open(path)?, answer, |answer| {
                answers.push(answer);
                Ok(())
            })?;
            print::document(common, &Value::Array(answers))?;
            Ok(exit)
        }
        (Some(other), _) => Err(print::unfit(other).into()),
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let unreadable = || format!("cannot read `{}`", path.display());
    let file = File::open(path).with_context(unreadable)?;
    if file.metadata().with_context(unreadable)?.is_dir() {
        return Err(anyhow::anyhow!("cannot read `{}`: it is a folder", path.display()));
    }
    Ok(Box::new(BufReader::new(file)))
}

fn answer_all(
    mut input: Box<dyn BufRead>,
    mut answer: impl FnMut(&str) -> (Value, bool),
    mut give: impl FnMut(Value) -> Result<()>,
) -> Result<Exit> {
    let mut exit = Exit::Clean;
    let mut line = Vec::new();
    // One byte more than the longest line, so that a longer one is told from it.
    let limit = LINE_BYTES_MAX as u64 + 1;
    loop {
        line.clear();
        if input.by_ref().take(limit).read_until(b'\n', &mut line).context("cannot read the requests")? == 0 {
            return Ok(exit);
        }
        if line.last() != Some(&b'\n') && line.len() > LINE_BYTES_MAX {
            skip_line(&mut *input)?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (answer, is_answered) = match str::from_utf8(&line) {
            Ok(text) => answer(text),
            Err(_) => (json!({ "id": null, "error": "the line is not UTF-8" }), false),
        };
        if !is_answered {
            exit = Exit::Error;
        }
        give(answer)?;
    }
}

/// Reads on to the end of a line that is too long to keep.
fn skip_line(input: &mut dyn BufRead) -> Result<()> {
    loop {
        let waiting = input.fill_buf().context("cannot read the requests")?;
        let (length, is_end) = match waiting.iter().position(|&byte| byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (waiting.len(), waiting.is_empty()),
        };
        input.consume(length);
        if is_end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> (Vec<Value>, Exit) {
        let mut answers = Vec::new();
        let mut batch = Batch::default();
        let give = |answer| {
            answers.push(answer);
            Ok(())
        };
        let exit = answer_all(Box::new(io::Cursor::new(input.to_vec())), |line| batch.answer(line), give);
        (answers, exit.unwrap())
    }

    #[test]
    fn a_line_that_cannot_be_understood_does_not_stop_the_run() {
        let good = r#"{"id":"a","request":{"action":"s3:GetObject","resource":"arn:aws:s3:::b/k","principal":{"type":"aws","arn":"arn:aws:iam::111122223333:user/u"}},"identity":[{"Statement":{"Sid":"Read","Effect":"Allow","Action":"s3:*","Resource":"*"}}]}"#;
        let input = [b"nonsense\n\n".as_slice(), b"{\"id\":7}\n", b"\xff\xfe\n", good.as_bytes()].concat();
        let (answers, exit) = answers(&input);
        assert_eq!(exit, Exit::Error);
        assert_eq!(answers.len(), 4);
        assert!(answers[0]["error"].as_str().unwrap().starts_with("the line is not a JSON object"), "{}", answers[0]);
        assert_eq!(answers[1], json!({ "id": 7, "error": "`request` is not an object" }));
        assert_eq!(answers[2], json!({ "id": null, "error": "the line is not UTF-8" }));
        assert_eq!(
            answers[3],
            json!({ "id": "a", "decision": "allowed", "by": { "layer": "identity", "policy": 0, "statement": 0, "sid": "Read" } })
        );
    }

    #[test]
    fn a_line_without_end_is_one_error_and_the_next_is_read() {
        let mut input = vec![b'x'; LINE_BYTES_MAX + 10];
        input.extend(b"\n{\"id\":1}\n");
        let (answers, exit) = answers(&input);
        assert_eq!(exit, Exit::Error);
        assert_eq!(answers.len(), 2);
        assert!(answers[0]["error"].as_str().unwrap().contains("longer than"), "{}", answers[0]);
        assert_eq!(answers[1]["id"], 1);
    }
}
