//! `yagura access lint`: what is wrong with policies, file by file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use yagura_access::actions::Actions;
use yagura_access::json::{self, TEXT_BYTES_MAX};
use yagura_access::lint::{Finding, Options, PolicyKind, Severity, embedded, lint, lint_node};

use crate::cli::{Common, Format, LintArgs, LintKind, LintSeverity};
use crate::report::write_sarif;
use crate::words::Words;
use crate::{Exit, print};

/// How deep folders are looked into; a tree of policies has three or four levels.
const FOLDER_DEPTH_MAX: usize = 16;

/// The largest table of actions read, in bytes: ten times what is built in.
const ACTIONS_BYTES_MAX: u64 = 8 << 20;

/// Judges every file; one that cannot be read is told, and the run goes on and ends with an error.
pub(super) fn run(common: &Common, args: &LintArgs, words: &Words) -> Result<Exit> {
    let own = args.actions.as_deref().map(read_actions).transpose()?;
    let actions = match &own {
        Some(actions) => actions,
        None => Actions::built_in()?,
    };
    let options = Options { kind: args.kind.map(kind), resource_type: args.resource_type.as_deref() };
    let (mut linted, mut policies, mut failed) = (Vec::new(), 0, false);
    let mut fail = |error: &anyhow::Error| {
        failed = true;
        eprintln!("{} {error:#}", words.get("error.prefix"));
    };
    let mut paths = Vec::new();
    for path in &args.files {
        if let Err(error) = collect(path, 0, &mut paths) {
            fail(&error);
        }
    }
    for path in paths {
        let file = path.display().to_string();
        match lint_file(&path, options, actions) {
            Ok(found) => {
                policies += found.policies;
                if found.left_out > 0 {
                    eprintln!(
                        "{}",
                        words.fill("access.lint_report.left_out", &[("file", &file), ("count", &found.left_out)])
                    );
                }
                linted.extend(found.findings.into_iter().map(|finding| (file.clone(), finding)));
            }
            Err(error) => fail(&error),
        }
    }
    print_all(common, &linted, policies, words)?;
    let worst = linted.iter().map(|(_, finding)| finding.code.severity()).max();
    let is_reached = args.fail_on.is_some_and(|limit| worst.is_some_and(|worst| worst >= severity(limit)));
    Ok(match (failed, is_reached) {
        (true, _) => Exit::Error,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Clean,
    })
}

fn kind(kind: LintKind) -> PolicyKind {
    match kind {
        LintKind::Identity => PolicyKind::Identity,
        LintKind::Resource => PolicyKind::Resource,
        LintKind::Trust => PolicyKind::Trust,
        LintKind::Scp => PolicyKind::Scp,
        LintKind::Rcp => PolicyKind::Rcp,
    }
}

fn severity(severity: LintSeverity) -> Severity {
    match severity {
        LintSeverity::Error => Severity::Error,
        LintSeverity::SecurityWarning => Severity::SecurityWarning,
        LintSeverity::Warning => Severity::Warning,
        LintSeverity::Suggestion => Severity::Suggestion,
    }
}

fn read_actions(path: &Path) -> Result<Actions> {
    let unreadable = || format!("cannot read the table of actions `{}`", path.display());
    let bytes = read_up_to(File::open(path).with_context(unreadable)?, ACTIONS_BYTES_MAX).with_context(unreadable)?;
    Actions::read(&bytes).with_context(unreadable)
}

/// The files that a path stands for: itself, or every `.json` in a folder, in order.
fn collect(path: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<()> {
    if path == Path::new("-") || !path.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let unreadable = || format!("cannot read the folder `{}`", path.display());
    if depth == FOLDER_DEPTH_MAX {
        bail!("the folder `{}` is nested more than {FOLDER_DEPTH_MAX} levels deep", path.display());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).with_context(unreadable)? {
        entries.push(entry.with_context(unreadable)?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        // A link to a folder might lead back here.
        let is_folder = entry.file_type().with_context(unreadable)?.is_dir();
        let path = entry.path();
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_folder || (is_json && !path.is_dir()) {
            collect(&path, depth + 1, into)?;
        }
    }
    Ok(())
}

/// What one file had.
struct Linted {
    findings: Vec<Finding>,
    policies: usize,
    /// Policies of a template that only a deployment completes.
    left_out: usize,
}

fn lint_file(path: &Path, options: Options<'_>, actions: &Actions) -> Result<Linted> {
    let text = read_text(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let unlintable = || format!("`{}` cannot be judged", path.display());
    let root = json::parse(text).ok();
    let Some((root, template)) = root.as_ref().and_then(|root| Some((root, embedded(root)?))) else {
        let findings = lint(text, options, actions).with_context(unlintable)?;
        return Ok(Linted { findings, policies: 1, left_out: 0 });
    };
    let mut findings = Vec::new();
    for (policy, known) in &template.policies {
        findings.extend(lint_node(text, root, policy, *known, actions).with_context(unlintable)?);
    }
    Ok(Linted { findings, policies: template.policies.len(), left_out: template.with_functions })
}

fn read_text(path: &Path) -> Result<String> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let limit = TEXT_BYTES_MAX as u64;
    let bytes = if path == Path::new("-") {
        read_up_to(io::stdin().lock(), limit).with_context(unreadable)?
    } else {
        read_up_to(File::open(path).with_context(unreadable)?, limit).with_context(unreadable)?
    };
    String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("cannot read `{}`: it is not UTF-8", path.display()))
}

fn read_up_to(from: impl Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        bail!("it has more than {limit} bytes");
    }
    Ok(bytes)
}

fn print_all(common: &Common, linted: &[(String, Finding)], policies: usize, words: &Words) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match (common.output, &common.query) {
        (Some(Format::Sarif), None) => sarif(linted, words, &mut out)?,
        (None | Some(Format::Table), None) => {
            let counts = table(linted, words, &mut out)?;
            if !common.quiet {
                writeln!(out, "{}", totals(&counts, policies, words))?;
            }
        }
        _ => {
            drop(out);
            let rows: Vec<Value> = linted.iter().map(|(file, finding)| row(file, finding, words)).collect();
            return print::rows(common, &[], &rows, |_| Vec::new());
        }
    }
    out.flush()?;
    Ok(())
}

fn row(file: &str, finding: &Finding, words: &Words) -> Value {
    json!({
        "file": file,
        "code": finding.code.name(),
        "type": finding.code.severity().word(),
        "line": finding.position.line,
        "column": finding.position.column,
        "path": finding.path,
        "message": message(finding, words),
    })
}

/// The sentence about a finding, and what was probably meant.
fn message(finding: &Finding, words: &Words) -> String {
    let mut values: Vec<(&str, &dyn Display)> =
        finding.values.iter().map(|(name, value)| (*name, value as &dyn Display)).collect();
    let problem = finding.values.iter().find(|(name, _)| *name == "problem");
    let problem = problem.map(|(_, problem)| words.fill(&format!("access.lint_problem.{problem}"), &values));
    if let Some(problem) = &problem {
        values.retain(|(name, _)| *name != "problem");
        values.push(("problem", problem));
    }
    let mut text = words.fill(&format!("access.lint.{}", finding.code.name()), &values);
    if let Some(suggestion) = &finding.suggestion {
        if text.is_ascii() {
            text.push(' ');
        }
        text.push_str(&words.fill("access.lint_report.did_you_mean", &[("suggestion", suggestion)]));
    }
    text
}

/// How many findings there are of each severity.
type Counts = BTreeMap<Severity, usize>;

/// Findings under the file they are in, with the place to go to.
fn table(linted: &[(String, Finding)], words: &Words, out: &mut dyn Write) -> io::Result<Counts> {
    let mut counts = Counts::new();
    let mut last = None;
    for (file, finding) in linted {
        if last != Some(file) {
            writeln!(out, "{file}")?;
            last = Some(file);
        }
        let severity = finding.code.severity();
        *counts.entry(severity).or_default() += 1;
        let at = format!("{}:{}", finding.position.line, finding.position.column);
        let word = words.find(&format!("access.lint_type.{}", severity.word())).unwrap_or(severity.word());
        writeln!(out, "  {at:>7}  {word}  {}  {}", finding.code.name(), message(finding, words))?;
    }
    Ok(counts)
}

fn totals(counts: &Counts, policies: usize, words: &Words) -> String {
    let count = |severity| counts.get(&severity).copied().unwrap_or_default();
    let (errors, security) = (count(Severity::Error), count(Severity::SecurityWarning));
    let (warnings, suggestions) = (count(Severity::Warning), count(Severity::Suggestion));
    let values: [(&str, &dyn Display); 5] = [
        ("files", &policies),
        ("errors", &errors),
        ("security", &security),
        ("warnings", &warnings),
        ("suggestions", &suggestions),
    ];
    words.fill("access.lint_report.totals", &values)
}

fn sarif(linted: &[(String, Finding)], words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut rules, mut results) = (Vec::new(), Vec::new());
    for (file, finding) in linted {
        let name = finding.code.name();
        let (level, score) = sarif_level(finding.code.severity());
        let place = *places.entry(name).or_insert_with(|| {
            rules.push(json!({
                "id": name,
                "name": name,
                "shortDescription": { "text": without_values(words.get(&format!("access.lint.{name}"))) },
                "defaultConfiguration": { "level": level },
                "properties": { "tags": [finding.code.severity().word()], "security-severity": score },
            }));
            rules.len() - 1
        });
        results.push(json!({
            "ruleId": name,
            "ruleIndex": place,
            "kind": "fail",
            "level": level,
            "message": { "text": message(finding, words) },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": file },
                    "region": { "startLine": finding.position.line, "startColumn": finding.position.column },
                },
                "logicalLocations": [{ "fullyQualifiedName": finding.path }],
            }],
        }));
    }
    write_sarif(&rules, &results, words, out)
}

/// SARIF's level, and the score by which code scanning orders results, on the scale of CVSS.
fn sarif_level(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("error", "5.5"),
        Severity::SecurityWarning => ("warning", "7.0"),
        Severity::Warning => ("warning", "3.0"),
        Severity::Suggestion => ("note", "0.0"),
    }
}

/// A sentence with its places left open: `{action}` as `…`.
fn without_values(sentence: &str) -> String {
    let is_place = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    let (mut text, mut rest) = (String::new(), sentence);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let place = after.split_once('}').filter(|(name, _)| is_place(name));
        text.push(if place.is_some() { '…' } else { '{' });
        rest = place.map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use yagura_model::Lang;

    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        lint(text, Options::default(), Actions::built_in().unwrap()).unwrap()
    }

    #[test]
    fn a_finding_is_worded_in_both_languages() {
        let policy =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObjekt","Resource":"*"}]}"#;
        let doubled = r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        for (text, lang, expected) in [
            (policy, Lang::En, "There is no action `s3:GetObjekt`. Did you mean `s3:GetObject`?"),
            (policy, Lang::Ja, "アクション `s3:GetObjekt` は存在しない。`s3:GetObject` ではないか。"),
            ("{,}", Lang::En, "The document is not valid JSON: a name in double quotes is expected here."),
            ("{,}", Lang::Ja, "JSON として正しくない: ここにダブルクォートで囲んだ名前が必要である"),
            (doubled, Lang::En, "The document is not valid JSON: the name `Version` stands twice in one object."),
        ] {
            assert_eq!(message(&found(text)[0], &Words::of(lang).unwrap()), expected);
        }
    }

    #[test]
    fn every_problem_of_json_has_words() {
        for lang in [Lang::En, Lang::Ja] {
            let words = Words::of(lang).unwrap();
            for text in ["", "x", "{,}", "{\"a\" 1}", "[1 2]", "{\"a\":1 2}", "[1,]", "-x", "\"\\x\"", "\"\n\"", "1 2"]
            {
                let text = message(&found(text)[0], &words);
                assert!(!text.contains("access.lint_problem"), "{text}");
            }
        }
    }

    #[test]
    fn a_folder_is_every_json_in_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["c.json", "a.JSON", "b/d.json", "e.txt"] {
            std::fs::write(folder.path().join(name), "{}").unwrap();
        }
        let mut paths = Vec::new();
        collect(folder.path(), 0, &mut paths).unwrap();
        let names: Vec<String> =
            paths.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["a.JSON", "b/d.json", "c.json"]);
    }

    #[test]
    fn a_template_is_judged_policy_by_policy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("template.json");
        let role = r#"{"Resources":{"Role":{"Type":"AWS::IAM::Role","Properties":{
            "AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}}},
            "Key":{"Type":"AWS::KMS::Key","Properties":{"KeyPolicy":{"Statement":[{"Principal":{"AWS":{"Ref":"Account"}}}]}}}}}"#;
        std::fs::write(&path, role).unwrap();
        let linted = lint_file(&path, Options::default(), Actions::built_in().unwrap()).unwrap();
        assert_eq!((linted.policies, linted.left_out), (1, 1));
        let [finding] = linted.findings.as_slice() else { panic!("{:?}", linted.findings) };
        assert_eq!(finding.code.name(), "ROLE_TRUST_POLICY_UNSUPPORTED_WILDCARD_IN_PRINCIPAL");
        assert_eq!(finding.path, "Resources.Role.Properties.AssumeRolePolicyDocument.Statement[0].Principal");
        assert_eq!(finding.position.line, 2);
    }

    #[test]
    fn what_is_too_large_or_no_text_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.json");
        for (bytes, expected) in
            [(vec![b' '; TEXT_BYTES_MAX + 1], "it has more than 4194304 bytes"), (vec![0xff], "it is not UTF-8")]
        {
            std::fs::write(&path, bytes).unwrap();
            let error = lint_file(&path, Options::default(), Actions::built_in().unwrap()).err().unwrap();
            assert!(format!("{error:#}").ends_with(expected), "{error:#}");
        }
    }

    #[test]
    fn sarif_names_every_rule_once() {
        let found = found(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Ab","s3:Cd"],"Resource":"*"}]}"#,
        );
        let linted: Vec<(String, Finding)> = found.into_iter().map(|finding| ("p.json".to_owned(), finding)).collect();
        let mut out = Vec::new();
        sarif(&linted, &Words::of(Lang::En).unwrap(), &mut out).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        let run = &document["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        assert_eq!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"], "There is no action `…`.");
        assert_eq!(run["results"].as_array().unwrap().len(), 2);
        assert_eq!(run["results"][1]["locations"][0]["physicalLocation"]["region"]["startColumn"], 74);
    }
}
