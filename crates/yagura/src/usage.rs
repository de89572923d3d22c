//! A command line that cannot be read, told in the language of the run.
//!
//! In English `clap` says it itself; in Japanese its kinds of error have a sentence each, under `help.usage`.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use yagura_model::Lang;

use crate::errors;
use crate::words::Words;

/// Prints help, the version, or what is wrong with the command line.
pub(crate) fn print(error: &clap::Error, words: &Words) {
    match sentence(error, words) {
        Some(text) => eprintln!("{text}"),
        // A broken pipe while printing is nobody's concern.
        None => drop(error.print()),
    }
}

/// What is wrong, how the command is used, and where to read more; none where `clap` is to say it.
fn sentence(error: &clap::Error, words: &Words) -> Option<String> {
    if words.lang() == Lang::En || !error.use_stderr() {
        return None;
    }
    let key = match error.kind() {
        ErrorKind::InvalidValue if text(error, ContextKind::InvalidValue).is_empty() => "no_value",
        ErrorKind::InvalidValue => "invalid_value",
        ErrorKind::UnknownArgument => "unknown_argument",
        ErrorKind::InvalidSubcommand => "unknown_verb",
        ErrorKind::NoEquals => "no_equals",
        ErrorKind::ValueValidation => "bad_value",
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => "number_of_values",
        ErrorKind::ArgumentConflict => "conflict",
        ErrorKind::MissingRequiredArgument => "missing",
        ErrorKind::MissingSubcommand => "no_verb",
        ErrorKind::InvalidUtf8 => "not_utf8",
        _ => return None,
    };
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let cause = errors::translated(&cause, words.lang());
    let argument = match text(error, ContextKind::InvalidArg) {
        argument if argument.is_empty() => text(error, ContextKind::InvalidSubcommand),
        argument => argument,
    };
    let values: [(&str, &dyn std::fmt::Display); 4] = [
        ("argument", &argument),
        ("value", &text(error, ContextKind::InvalidValue)),
        ("prior", &text(error, ContextKind::PriorArg)),
        ("cause", &cause),
    ];
    let mut lines =
        vec![format!("{} {}", words.get("error.prefix"), words.fill(&format!("help.usage.{key}"), &values))];
    let mut more = |kind: ContextKind, key: &str| {
        let found = text(error, kind);
        if !found.is_empty() {
            lines.push(format!("  {}", words.fill(key, &[("values", &found)])));
        }
    };
    more(ContextKind::ValidValue, "help.usage.possible");
    more(ContextKind::ValidSubcommand, "help.usage.possible");
    more(ContextKind::SuggestedArg, "help.usage.suggested");
    more(ContextKind::SuggestedSubcommand, "help.usage.suggested");
    more(ContextKind::SuggestedValue, "help.usage.suggested");
    let usage = text(error, ContextKind::Usage);
    if let Some(usage) = usage.trim().strip_prefix("Usage:") {
        lines.push(format!("\n{} {}", words.get("help.usage.usage"), usage.trim()));
    }
    lines.push(format!("\n{}", words.get("help.usage.help")));
    Some(lines.join("\n"))
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        None | Some(ContextValue::None) => String::new(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn told(line: &str) -> String {
        let words = Words::of(Lang::Ja).unwrap();
        let error = cli::command(&words).try_get_matches_from(line.split(' ')).unwrap_err();
        sentence(&error, &words).unwrap()
    }

    #[test]
    fn a_mistake_is_told_in_japanese_with_its_value() {
        for (line, part) in [
            ("yagura scna", "`scna` というコマンドはない"),
            ("yagura scan --regoin x", "`--regoin` という引数はない"),
            ("yagura scan -o pdf", "`pdf`"),
            ("yagura scan --lang fr", "`fr`"),
            ("yagura scan --fail-on", "`--fail-on <LEVEL>` に値がない"),
            ("yagura check", "<TEMPLATE>..."),
            ("yagura --quiet --lang", "--lang"),
            ("yagura scan --max-api-calls many", "`many`"),
        ] {
            let told = told(line);
            assert!(told.contains(part), "{line}: {told}");
            assert!(told.contains("--help") && !told.contains("help.usage"), "{line}: {told}");
        }
    }
}
