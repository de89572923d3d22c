//! `yagura filter test`.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::json;
use yagura_rules::filter::Pattern;

use super::batch::{self, Question};
use crate::cli::{Common, FilterTestArgs, Format};
use crate::words::Words;
use crate::{Exit, Usage, print};

/// Whether a filter pattern matches a log event; or many by the line.
pub(super) fn test(common: &Common, args: &FilterTestArgs, words: &Words) -> Result<Exit> {
    if let Some(path) = &args.batch {
        return batch::run(path, answer);
    }
    let (Some(pattern), Some(event)) = (&args.pattern, &args.event) else { return Ok(Exit::Usage) };
    let matches = Pattern::parse(pattern).map_err(|error| Usage(error.to_string()))?.matches(event);
    if matches!(common.output, Some(Format::Json | Format::Ndjson)) || common.query.is_some() {
        print::document(common, &json!({ "match": matches }))?;
    } else {
        writeln!(io::stdout().lock(), "{}", words.get(if matches { "events.match" } else { "events.no_match" }))?;
    }
    Ok(if args.fail && !matches { Exit::Findings } else { Exit::Clean })
}

fn answer(question: &Question<'_>) -> Result<bool, String> {
    let pattern: String = serde_json::from_str(question.pattern.get()).map_err(|_| "the pattern is not a text")?;
    let pattern = Pattern::parse(&pattern).map_err(|error| error.to_string())?;
    // An event is a line; a JSON object stands for the line that holds it.
    Ok(pattern.matches(&batch::document(question.event)?))
}
