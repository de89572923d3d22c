//! Runs the tests of a rules folder with the language's own functions only: `cargo run --example rule-test -- rules [part of a name]`.
//!
//! What other crates lend (`policy.*`, `net.*`, `filter.*`) is an error here, and a test that fails for this alone is
//! counted as not run. `yagura rule test` has them all.

use std::path::Path;
use std::process::ExitCode;

use yagura_model::Missing;
use yagura_rules::{Engine, Library, Problem, Report, RuleSet, test_control};

const ELSEWHERE: [(&str, usize, usize); 13] = [
    ("policy.public", 1, 1),
    ("policy.admin", 1, 1),
    ("policy.service_wildcard", 1, 1),
    ("policy.allows", 3, 3),
    ("policy.allows_not_action", 1, 1),
    ("policy.outside_accounts", 2, 2),
    ("policy.denies_insecure_transport", 1, 1),
    ("policy.escalates", 1, 1),
    ("policy.unknown_actions", 1, 1),
    ("net.open", 2, 3),
    ("net.open_ports", 1, 1),
    ("net.world", 1, 1),
    ("filter.matches", 2, 2),
];

const NOT_HERE: &str = "lent by another crate";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "rules".to_owned());
    let part = arguments.next().unwrap_or_default();
    let mut library = Library::default();
    for (name, fewest, most) in ELSEWHERE {
        if let Err(error) = library.register(name, fewest..=most, |_, _| Err(NOT_HERE.to_owned())) {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    let (rules, errors) = RuleSet::load_dir(Path::new(&folder), &library);
    for error in &errors {
        println!("{error}");
    }
    let engine = Engine::new(rules);
    let mut report = Report::default();
    for control in engine.rules().controls().iter().filter(|control| control.name.as_str().contains(&part)) {
        test_control(&engine, control, &mut report);
    }
    let (elsewhere, failures): (Vec<_>, Vec<_>) = report.failures.iter().partition(|failure| match &failure.problem {
        Problem::Unexpected { verdict, .. } => verdict
            .missing
            .iter()
            .any(|missing| matches!(missing, Missing::Evaluation { error } if error.contains(NOT_HERE))),
        Problem::PassesUnread { .. } => false,
    });
    for failure in &failures {
        println!("{failure}");
    }
    println!(
        "{} controls, {} tests, {} failed, {} need functions that are not here, {} errors in files",
        engine.rules().controls().len(),
        report.run,
        failures.len(),
        elsewhere.len(),
        errors.len()
    );
    if failures.is_empty() && errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
