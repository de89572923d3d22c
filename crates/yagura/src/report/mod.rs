//! The result of a scan or a check, in every form it is printed in.

mod asff;
mod csv;
mod html;
mod json;
mod junit;
mod markdown;
mod ocsf;
mod sarif;
mod table;

pub(crate) use sarif::write_run as write_sarif;
pub(crate) use table::{level_key, plain_table};

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use yagura_analyze::assess::{self, Action, Gap};
use yagura_analyze::standards::{Score, Standard};
use yagura_model::{
    AccountId, Arn, FindingId, Inventory, Lang, Level, Missing, Region, ResourceKey, RuleName, Status, Verdict,
};
use yagura_rules::{Control, RuleSet};

use crate::cli::Format;
use crate::words::Words;

/// How many things to do first are shown.
pub(crate) const FIRST_THINGS: usize = 5;

/// Everything that a form of output may say.
pub(crate) struct Report<'a> {
    /// What was judged: an account's id, a bundle, a template.
    pub(crate) source: String,
    /// The accounts that were read.
    pub(crate) accounts: Vec<AccountId>,
    /// The regions that were read.
    pub(crate) regions: Vec<Region>,
    /// When it was judged.
    pub(crate) at: DateTime<Utc>,
    /// All that was seen.
    pub(crate) inventory: &'a Inventory,
    /// The rules judged by.
    pub(crate) rules: &'a RuleSet,
    /// The standards compared with.
    pub(crate) standards: &'a [Standard],
    /// Every verdict.
    pub(crate) verdicts: &'a [Verdict],
    /// Calls made, by service and operation; empty where none were.
    pub(crate) calls: Vec<CallRow>,
    /// Lines of templates that resources stand on, for SARIF.
    pub(crate) lines: HashMap<ResourceKey, (String, u64)>,
}

/// How often one operation was called, and how it went.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CallRow {
    /// The service.
    pub(crate) service: String,
    /// The operation.
    pub(crate) operation: String,
    /// How often it was sent.
    pub(crate) calls: u64,
    /// How often AWS asked to slow down.
    pub(crate) throttled: u64,
    /// How often AWS refused it.
    pub(crate) denied: u64,
}

/// One verdict as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    #[serde(skip)]
    pub(crate) subject: &'a ResourceKey,
    pub(crate) id: FindingId,
    pub(crate) rule: &'a RuleName,
    pub(crate) aws: &'a [String],
    pub(crate) title: &'a str,
    pub(crate) status: Status,
    pub(crate) level: Level,
    pub(crate) account: &'a AccountId,
    pub(crate) region: &'a Region,
    pub(crate) resource_type: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) reason: String,
    pub(crate) evidence: BTreeMap<&'a str, &'a Value>,
    #[serde(skip_serializing_if = "<[Missing]>::is_empty")]
    pub(crate) missing: &'a [Missing],
    pub(crate) standards: BTreeMap<&'a str, Vec<&'a str>>,
}

impl Report<'_> {
    /// Every verdict with its rule, as it is printed; verdicts of rules that are not there are left out.
    pub(crate) fn rows<'r>(&'r self, words: &'r Words) -> impl Iterator<Item = (Row<'r>, &'r Control)> {
        let requirements = self.requirements();
        self.verdicts.iter().filter_map(move |verdict| {
            let control = self.rules.control(&verdict.rule)?;
            let row = Row {
                subject: &verdict.subject,
                id: assess::finding_id(&control.id, &verdict.subject),
                rule: &verdict.rule,
                aws: &control.aws,
                title: control.title.get(words.lang()),
                status: verdict.status,
                level: control.level,
                account: &verdict.subject.account,
                region: &verdict.subject.region,
                resource_type: verdict.subject.kind.as_str(),
                resource: self.arn_or_id(&verdict.subject),
                reason: reason(verdict, control, words),
                evidence: verdict.evidence.iter().map(|(path, value)| (path.as_str(), value)).collect(),
                missing: &verdict.missing,
                standards: requirements.get(&verdict.rule).cloned().unwrap_or_default(),
            };
            Some((row, control))
        })
    }

    /// The subject's ARN where it has one, else its id.
    pub(crate) fn arn_or_id<'r>(&'r self, subject: &'r ResourceKey) -> &'r str {
        self.inventory
            .named(&subject.id)
            .find(|resource| resource.key() == *subject)
            .and_then(|resource| resource.arn.as_ref())
            .map_or(&subject.id, Arn::as_str)
    }

    /// What a person calls the subject: its name where it has one, else its id.
    pub(crate) fn display_name<'r>(&'r self, subject: &'r ResourceKey) -> String {
        let named = self.inventory.named(&subject.id).find(|resource| resource.key() == *subject);
        match named.and_then(|resource| resource.name.as_ref()) {
            // An ARN or a URL as id tells a person less than the name and the place.
            Some(name) if subject.id.contains(':') => format!("{name} ({})", subject.region),
            Some(name) if *name != subject.id => format!("{} ({name})", subject.id),
            _ => subject.id.clone(),
        }
    }

    /// For each rule the requirements it judges, by standard.
    fn requirements(&self) -> HashMap<&RuleName, BTreeMap<&str, Vec<&str>>> {
        let mut by_rule: HashMap<&RuleName, BTreeMap<&str, Vec<&str>>> = HashMap::new();
        for standard in self.standards {
            for requirement in &standard.requirements {
                for rule in &requirement.rules {
                    let of_standard = by_rule.entry(rule).or_default().entry(&standard.id).or_default();
                    of_standard.push(&requirement.id);
                }
            }
        }
        by_rule
    }

    /// What to do, the most pressing first.
    pub(crate) fn actions(&self) -> Vec<Action<'_>> {
        assess::actions(self.verdicts, self.rules)
    }

    /// What could not be looked at.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        assess::gaps(self.verdicts)
    }

    /// How the account stands against each standard.
    pub(crate) fn scores(&self) -> Vec<(&Standard, Score)> {
        self.standards.iter().map(|standard| (standard, standard.score(self.verdicts))).collect()
    }

    /// The command that fixes `control` on `subject`, its places filled.
    pub(crate) fn command(&self, control: &Control, subject: &ResourceKey) -> Option<String> {
        let resource = self.inventory.named(&subject.id).find(|resource| resource.key() == *subject)?;
        control.command.as_ref().map(|command| command.fill(resource))
    }

    /// Writes the report in `format`.
    pub(crate) fn write(&self, format: Format, words: &Words, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::write(self, words, out),
            Format::Json => json::write_document(self, words, out),
            Format::Ndjson => json::write_lines(self, words, out),
            Format::Csv => csv::write(self, words, out),
            Format::Ocsf => ocsf::write(self, words, out),
            Format::Asff => asff::write(self, words, out),
            Format::Sarif => sarif::write(self, words, out),
            Format::Html => html::write(self, words, out),
            Format::Junit => junit::write(self, words, out),
            Format::Md => markdown::write(self, words, out),
        }
    }
}

/// Why the verdict is what it is, in a sentence or two.
fn reason(verdict: &Verdict, control: &Control, words: &Words) -> String {
    match verdict.status {
        Status::Pass | Status::NotApplicable => words.get(&format!("reason.{}", verdict.status.as_str())).to_owned(),
        Status::Fail => control.why.get(words.lang()).trim().to_owned(),
        Status::Unknown => {
            let mut sentences: Vec<String> =
                verdict.missing.iter().map(|missing| missing_sentence(missing, words)).collect();
            sentences.dedup();
            sentences.join(if words.lang() == Lang::Ja { "" } else { " " })
        }
    }
}

pub(crate) fn missing_sentence(missing: &Missing, words: &Words) -> String {
    match missing {
        Missing::Unread { what, cause } => {
            let call = format!("{}:{}", cause.service, cause.operation);
            let values: [(&str, &dyn std::fmt::Display); 4] = [
                ("what", what),
                ("call", &call),
                ("error", &cause.error),
                ("action", &cause.action.as_deref().unwrap_or("-")),
            ];
            let key = if cause.cause == yagura_model::Cause::Denied && cause.action.is_some() {
                "reason.denied"
            } else {
                "reason.unread"
            };
            words.fill(key, &values)
        }
        Missing::Evaluation { error } => words.fill("reason.evaluation", &[("error", error)]),
    }
}
