//! Standards: which requirement is judged by which rules, and how an account stands against it.
//!
//! A standard's file names Security Hub controls; a rule belongs to a requirement when one of these is among the rule's
//! `aws:` identifiers. So standards point at rules and a new rule needs no change here.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use yagura_model::{RuleName, Status, Text, Verdict};
use yagura_rules::RuleSet;

/// One standard in one version.
#[derive(Debug, Clone)]
pub struct Standard {
    /// `cis-5.0.0`.
    pub id: String,
    /// Its name.
    pub title: Text,
    /// Its version, as its publisher writes it.
    pub version: String,
    /// Security Hub's ARN for it, with `{region}` where the region stands.
    pub arn: String,
    /// Its requirements, in its own order.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a standard.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// Its number in the standard, or the Security Hub control where the standard has no number for it.
    pub id: String,
    /// The Security Hub controls that judge it.
    pub controls: Vec<String>,
    /// Why no rule can judge it, where none can.
    pub manual: Option<Text>,
    /// The rules here that judge it; empty where none does yet.
    pub rules: Vec<RuleName>,
}

/// How an account stands against one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything judged is as required.
    Passed,
    /// Something is not.
    Failed,
    /// Nothing failed, but something could not be judged.
    Unknown,
    /// There is nothing that the requirement speaks of.
    NotApplicable,
    /// Only a person can judge it.
    Manual,
    /// No rule judges it yet.
    NotImplemented,
}

/// How an account stands against one standard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The standard.
    pub standard: String,
    /// Requirements that passed.
    pub passed: usize,
    /// Requirements that failed.
    pub failed: usize,
    /// Requirements that could not be judged.
    pub unknown: usize,
    /// Requirements that speak of nothing in the account.
    pub not_applicable: usize,
    /// Requirements for a person to judge.
    pub manual: usize,
    /// Requirements that no rule judges yet.
    pub not_implemented: usize,
}

impl Score {
    /// Passed requirements among those judged, in percent; `None` where nothing was judged.
    pub fn percent(&self) -> Option<f64> {
        ratio(self.passed, self.passed + self.failed)
    }

    /// Requirements with an answer among all of the standard's, in percent.
    pub fn coverage_percent(&self) -> f64 {
        let answered = self.passed + self.failed + self.not_applicable;
        ratio(answered, answered + self.unknown + self.manual + self.not_implemented).unwrap_or(0.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requirements are far below 2^52")]
fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// A standard's file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the standard `{name}` cannot be used")]
pub struct StandardError {
    name: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    title: String,
    ja: String,
    version: String,
    arn: String,
    requirements: Vec<FileRequirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRequirement {
    id: String,
    #[serde(default)]
    controls: Vec<String>,
    #[serde(default)]
    manual: Option<Text>,
}

impl Standard {
    /// Reads a standard's file and finds its rules in `rules`. A name that ends in `.json` is that of a packed file: the
    /// same content as JSON.
    pub fn parse(name: &str, text: &str, rules: &RuleSet) -> Result<Self, StandardError> {
        let file: Result<File, Box<dyn std::error::Error + Send + Sync>> = if name.strip_suffix(".json").is_some() {
            serde_json::from_str(text).map_err(Into::into)
        } else {
            serde_saphyr::from_str(text).map_err(Into::into)
        };
        let file = file.map_err(|source| StandardError { name: name.to_owned(), source })?;
        let mut by_control: HashMap<&str, Vec<&RuleName>> = HashMap::new();
        for control in rules.controls() {
            for id in &control.aws {
                by_control.entry(id).or_default().push(&control.name);
            }
        }
        let requirements = file.requirements.into_iter().map(|requirement| {
            let mut rules: Vec<RuleName> = requirement
                .controls
                .iter()
                .filter_map(|control| by_control.get(control.as_str()))
                .flatten()
                .map(|&name| name.clone())
                .collect();
            rules.sort();
            rules.dedup();
            Requirement { id: requirement.id, controls: requirement.controls, manual: requirement.manual, rules }
        });
        Ok(Self {
            id: file.id,
            title: Text { en: file.title, ja: file.ja },
            version: file.version,
            arn: file.arn,
            requirements: requirements.collect(),
        })
    }

    /// Every rule that judges some requirement of the standard.
    pub fn rules(&self) -> impl Iterator<Item = &RuleName> {
        self.requirements.iter().flat_map(|requirement| &requirement.rules)
    }

    /// How the account stands against each requirement, in the standard's order.
    pub fn standings(&self, verdicts: &[Verdict]) -> Vec<(&Requirement, Standing)> {
        let mut by_rule: HashMap<&RuleName, [usize; 4]> = HashMap::new();
        for verdict in verdicts {
            let counts = by_rule.entry(&verdict.rule).or_default();
            let slot = match verdict.status {
                Status::Pass => 0,
                Status::Fail => 1,
                Status::Unknown => 2,
                Status::NotApplicable => 3,
            };
            if let Some(count) = counts.get_mut(slot) {
                *count += 1;
            }
        }
        self.requirements.iter().map(|requirement| (requirement, standing(requirement, &by_rule))).collect()
    }

    /// The counts of [`Standard::standings`].
    pub fn score(&self, verdicts: &[Verdict]) -> Score {
        let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
        for (_, standing) in self.standings(verdicts) {
            *counts.entry(standing as u8).or_default() += 1;
        }
        let count = |standing: Standing| counts.get(&(standing as u8)).copied().unwrap_or(0);
        Score {
            standard: self.id.clone(),
            passed: count(Standing::Passed),
            failed: count(Standing::Failed),
            unknown: count(Standing::Unknown),
            not_applicable: count(Standing::NotApplicable),
            manual: count(Standing::Manual),
            not_implemented: count(Standing::NotImplemented),
        }
    }
}

fn standing(requirement: &Requirement, by_rule: &HashMap<&RuleName, [usize; 4]>) -> Standing {
    if requirement.rules.is_empty() {
        return if requirement.manual.is_some() { Standing::Manual } else { Standing::NotImplemented };
    }
    let mut sum = [0_usize; 4];
    for rule in &requirement.rules {
        for (total, count) in sum.iter_mut().zip(by_rule.get(rule).copied().unwrap_or_default()) {
            *total += count;
        }
    }
    match sum.map(|count| count > 0) {
        [_, true, _, _] => Standing::Failed,
        [_, _, true, _] => Standing::Unknown,
        [true, ..] => Standing::Passed,
        _ => Standing::NotApplicable,
    }
}
