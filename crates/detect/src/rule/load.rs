//! Reading a file.

use rsigma_parser::{CorrelationRule, SigmaRule};
use serde_json::Value;
use yagura_model::{Level, Text};
use yagura_rules::pattern::EventRule;
use yagura_rules::{LoadError, Position};

use super::check::{self, Severity};
use super::raw::{RawCase, RawCount, RawNew, RawYagura};
use super::{Count, Counted, DOCUMENTS_MAX, Detection, FILE_BYTES_MAX, Logic, New, Rule, Words};
use crate::source::Source;
use crate::tactic::{self, Tactic};
use crate::testing::Case;
use crate::time;

/// By what a rule without `yagura` merges, and how its findings say who did it.
const PRINCIPAL: &str = "fact.principal";
const ACCESS_KEY: &str = "fact.access_key";

impl Detection {
    /// Reads a file; `path` is given as it is below `rules/` and names the detection.
    pub fn parse(path: &str, text: &str) -> Result<Self, LoadError> {
        let whole = |message: String| LoadError { file: path.to_owned(), position: Position::START, message };
        if text.len() > FILE_BYTES_MAX {
            return Err(whole(format!("the file is longer than {FILE_BYTES_MAX} bytes")));
        }
        documents(path, text)?;
        let sigma = rsigma_parser::parse_sigma_yaml(text).map_err(|error| whole(error.to_string()))?;
        if let Some(error) = sigma.errors.first() {
            return Err(whole(error.clone()));
        }
        if let Some(filter) = sigma.filters.first() {
            return Err(whole(format!("`{}` is a filter, which is not supported", filter.title)));
        }
        let count = sigma.rules.len() + sigma.correlations.len();
        if count == 0 {
            return Err(whole("there is no rule in this file".to_owned()));
        }
        let name = path.strip_suffix(".yml").or_else(|| path.strip_suffix(".yaml")).unwrap_or(path);
        let name = name.rsplit_once("detections/").map_or(name, |(_, name)| name).to_owned();
        let mut reading = Reading { name: &name, several: count > 1, rules: Vec::new(), cases: Vec::new() };
        for rule in sigma.rules {
            let title = rule.title.clone();
            reading.rule(rule).map_err(|message| whole(format!("`{title}`: {message}")))?;
        }
        for correlation in sigma.correlations {
            let title = correlation.title.clone();
            reading.correlation(correlation).map_err(|message| whole(format!("`{title}`: {message}")))?;
        }
        let Reading { rules, cases, .. } = reading;
        if rules.iter().any(|rule| rule.words.is_some()) {
            check::cases(&cases).map_err(whole)?;
        }
        Ok(Self { name, rules, cases })
    }
}

/// Reads the file as plain YAML first: errors have their place, and what would exhaust the parser of conditions is refused.
fn documents(path: &str, text: &str) -> Result<(), LoadError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let error = error.without_snippet();
        let position = error.location().map_or(Position::START, |at| Position { line: at.line(), column: at.column() });
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        LoadError { file: path.to_owned(), position, message }
    })?;
    let whole = |message| LoadError { file: path.to_owned(), position: Position::START, message };
    if documents.len() > DOCUMENTS_MAX {
        return Err(whole(format!("the file has more than {DOCUMENTS_MAX} documents")));
    }
    if documents.iter().all(Value::is_null) {
        return Err(whole("there is no rule in this file".to_owned()));
    }
    if !documents.iter().all(Value::is_object) {
        return Err(whole("a document of this file is no map of keys".to_owned()));
    }
    documents.iter().try_for_each(check::complexity).map_err(whole)
}

struct Reading<'a> {
    name: &'a str,
    several: bool,
    rules: Vec<Rule>,
    cases: Vec<Case>,
}

/// What both kinds of documents say of themselves.
struct Common {
    id: Option<String>,
    alias: Option<String>,
    title: String,
    description: Option<String>,
    level: Option<rsigma_parser::Level>,
    tags: Vec<String>,
    yagura: Option<Value>,
    tests: Option<Value>,
}

impl Reading<'_> {
    fn rule(&mut self, rule: SigmaRule) -> Result<(), String> {
        let source = match (rule.logsource.product.as_deref(), rule.logsource.service.as_deref()) {
            (Some("aws"), Some(service)) => Source::named(service),
            _ => None,
        };
        let compiled = rsigma_eval::compile_rule(&rule).map_err(|error| error.to_string())?;
        let common = Common {
            id: rule.id.clone(),
            alias: rule.name.clone(),
            title: rule.title.clone(),
            description: rule.description.clone(),
            level: rule.level,
            tags: rule.tags.clone(),
            yagura: attribute(rule.custom_attributes.get("yagura"))?,
            tests: attribute(rule.custom_attributes.get("tests"))?,
        };
        let logic = Logic::Events { source, written: Box::new(rule), compiled: Box::new(compiled) };
        self.add(common, logic)
    }

    fn correlation(&mut self, correlation: CorrelationRule) -> Result<(), String> {
        check::correlation(&correlation)?;
        let common = Common {
            id: correlation.id.clone(),
            alias: correlation.name.clone(),
            title: correlation.title.clone(),
            description: correlation.description.clone(),
            level: correlation.level,
            tags: correlation.tags.clone(),
            yagura: attribute(correlation.custom_attributes.get("yagura"))?,
            tests: attribute(correlation.custom_attributes.get("tests"))?,
        };
        self.add(common, Logic::Correlation(Box::new(correlation)))
    }

    fn add(&mut self, common: Common, logic: Logic) -> Result<(), String> {
        let number = self.rules.len() + 1;
        let name = if self.several { format!("{}#{number}", self.name) } else { self.name.to_owned() };
        let raw: Option<RawYagura> = match common.yagura {
            Some(value) => Some(serde_json::from_value(value).map_err(|error| format!("`yagura`: {error}"))?),
            None => None,
        };
        let (source, grouped) = match &logic {
            Logic::Events { source, .. } => (*source, None),
            Logic::Correlation(correlation) => (None, Some(correlation.group_by.clone())),
            Logic::Pattern(_) => (None, None),
        };
        let correlates = grouped.is_some();
        let known = |field: &&str| source.is_none_or(|source| source.fact(field).is_some());
        let defaults =
            |fields: &[&str]| fields.iter().filter(|field| known(field)).map(|field| (*field).to_owned()).collect();
        let severity = Severity::of(common.level.map(level), raw.as_ref().and_then(|raw| raw.severity))?;
        let mut rule = Rule {
            id: common.id.map_or_else(|| name.clone(), |id| id.to_ascii_lowercase()),
            name,
            alias: common.alias,
            title: common.title,
            description: common.description,
            level: severity.level,
            severity: severity.number,
            finding: None,
            tactics: Vec::new(),
            techniques: common.tags.iter().filter_map(|tag| tactic::technique_of_tag(tag)).collect(),
            logic,
            identity: grouped.unwrap_or_else(|| defaults(&[PRINCIPAL])),
            actor: defaults(&[PRINCIPAL, ACCESS_KEY]),
            resource: Vec::new(),
            new: None,
            count: None,
            words: None,
        };
        rule.tactics = common.tags.iter().filter_map(|tag| Tactic::of_tag(tag)).collect();
        rule.tactics.sort_unstable();
        rule.tactics.dedup();
        if let Some(raw) = raw {
            extend(&mut rule, raw)?;
        }
        if correlates && (rule.new.is_some() || rule.count.is_some()) {
            return Err("a correlation has no `new` and no `count`; the rules that it names may have them".to_owned());
        }
        check::fields(&rule)?;
        if let Some(tests) = common.tests {
            let raw: Vec<RawCase> = serde_json::from_value(tests).map_err(|error| format!("`tests`: {error}"))?;
            for case in raw {
                let name = case.name.clone();
                let case = Case::of_raw(case, source).map_err(|message| format!("the test `{name}`: {message}"))?;
                self.cases.push(case);
            }
        }
        self.rules.push(rule);
        Ok(())
    }
}

impl Rule {
    /// An event rule as one of the rules of an engine.
    pub(crate) fn of_event_rule(rule: &EventRule) -> Self {
        let described = &rule.described;
        let known = |field: &&&str| Source::named("cloudtrail").is_some_and(|source| source.fact(field).is_some());
        let fields = |fields: &[&str]| fields.iter().filter(known).map(|field| (*field).to_owned()).collect();
        let words = Words {
            title: described.title.clone(),
            what: described.why.clone(),
            check: Text::default(),
            advice: described.fix.clone(),
        };
        Self {
            name: format!("events/{}", rule.name),
            id: described.id.clone(),
            alias: None,
            title: described.title.en.clone(),
            description: None,
            level: described.level,
            severity: Severity::lowest(described.level),
            finding: None,
            tactics: Vec::new(),
            techniques: Vec::new(),
            logic: Logic::Pattern(Box::new(rule.pattern.clone())),
            identity: fields(&[PRINCIPAL]),
            actor: fields(&[PRINCIPAL, ACCESS_KEY]),
            resource: Vec::new(),
            new: None,
            count: None,
            words: Some(words),
        }
    }
}

fn attribute(value: Option<&impl serde::Serialize>) -> Result<Option<Value>, String> {
    value.map(serde_json::to_value).transpose().map_err(|error| error.to_string())
}

fn level(level: rsigma_parser::Level) -> Level {
    match level {
        rsigma_parser::Level::Informational => Level::Informational,
        rsigma_parser::Level::Low => Level::Low,
        rsigma_parser::Level::Medium => Level::Medium,
        rsigma_parser::Level::High => Level::High,
        rsigma_parser::Level::Critical => Level::Critical,
    }
}

fn extend(rule: &mut Rule, raw: RawYagura) -> Result<(), String> {
    check::finding_type(&raw.finding)?;
    rule.finding = Some(raw.finding);
    rule.identity = raw.identity;
    if let Some(actor) = raw.actor {
        rule.actor = actor;
    }
    rule.resource = raw.resource.unwrap_or_default();
    rule.new = raw.new.map(new).transpose().map_err(|message| format!("`new`: {message}"))?;
    rule.count = raw.count.map(count).transpose().map_err(|message| format!("`count`: {message}"))?;
    let title = match raw.title {
        Some(title) => check::text("title", &title)?,
        None => return Err("`yagura` has no `title`".to_owned()),
    };
    rule.words = Some(Words {
        title,
        what: check::text("what", &raw.what)?,
        check: check::text("check", &raw.check)?,
        advice: check::text("do", &raw.advice)?,
    });
    Ok(())
}

fn new(raw: RawNew) -> Result<New, String> {
    if raw.of.is_empty() {
        return Err("`of` names no field".to_owned());
    }
    let (learning_ms, remember_ms) = (time::span_ms(&raw.learning)?, time::span_ms(&raw.remember)?);
    if remember_ms < learning_ms {
        return Err("`remember` is shorter than `learning`".to_owned());
    }
    Ok(New { of: raw.of, of_whom: raw.of_whom, learning_ms, remember_ms })
}

fn count(raw: RawCount) -> Result<Count, String> {
    let of = match (raw.distinct, raw.sum) {
        (None, None) => Counted::Events,
        (Some(fields), None) if !fields.is_empty() => Counted::Distinct(fields),
        (None, Some(field)) => Counted::Sum(field),
        (Some(_), None) => return Err("`distinct` names no field".to_owned()),
        (Some(_), Some(_)) => return Err("`distinct` and `sum` exclude each other".to_owned()),
    };
    let count = Count { of, by: raw.by, within_ms: time::span_ms(&raw.within)?, at_least: raw.at_least };
    check::threshold(&count)?;
    Ok(count)
}
