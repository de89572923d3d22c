//! From verdicts to what a person needs: what to do first, how complete the look was, and what would complete it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use yagura_model::{Cause, FindingId, Level, Missing, Region, ResourceKey, RuleName, Status, Verdict};
use yagura_rules::{Control, RuleSet};

/// What one rule asks to be done, over everything that fails it.
#[derive(Debug, Clone)]
pub struct Action<'a> {
    /// The rule.
    pub control: &'a Control,
    /// What fails it, in order.
    pub subjects: Vec<&'a ResourceKey>,
}

/// How many verdicts there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// As wanted.
    pub pass: usize,
    /// Not as wanted.
    pub fail: usize,
    /// Could not be judged.
    pub unknown: usize,
    /// Not spoken of.
    pub not_applicable: usize,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Pass => self.pass += 1,
            Status::Fail => self.fail += 1,
            Status::Unknown => self.unknown += 1,
            Status::NotApplicable => self.not_applicable += 1,
        }
    }

    /// Judged verdicts among those that should have been judged, in percent; 100 where there were none.
    #[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^52")]
    pub fn coverage_percent(&self) -> f64 {
        let judged = self.pass + self.fail;
        match judged + self.unknown {
            0 => 100.0,
            all => judged as f64 * 100.0 / all as f64,
        }
    }
}

/// One kind of call that failed, and what is unknown because of it.
#[derive(Debug, Clone)]
pub struct Gap {
    /// The service asked.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What kind of failure it was.
    pub cause: Cause,
    /// The error, in AWS's code.
    pub error: String,
    /// The IAM action that would allow it.
    pub action: Option<String>,
    /// Where.
    pub regions: BTreeSet<Region>,
    /// The rules that could not judge.
    pub rules: BTreeSet<RuleName>,
    /// How many verdicts are unknown because of it.
    pub verdicts: usize,
}

/// The finding that a verdict is: the same for the same rule and subject, whenever it is seen.
///
/// `rule_id` is the rule's UUID, so that a finding keeps its id when the rule's file moves.
pub fn finding_id(rule_id: &str, subject: &ResourceKey) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    for part in [rule_id, subject.kind.as_str(), subject.account.as_str(), subject.region.as_str(), &subject.id] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    FindingId::from(hash.get(..32).unwrap_or(&hash))
}

/// What to do, the most pressing first: the worst level; then what is exposed now, before switches that prevent it; then
/// what takes the least time, then what touches the most.
pub fn actions<'a>(verdicts: &'a [Verdict], rules: &'a RuleSet) -> Vec<Action<'a>> {
    let mut failing: BTreeMap<&RuleName, Vec<&ResourceKey>> = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.status == Status::Fail) {
        failing.entry(&verdict.rule).or_default().push(&verdict.subject);
    }
    let mut actions: Vec<Action<'a>> = failing
        .into_iter()
        .filter_map(|(name, subjects)| rules.control(name).map(|control| Action { control, subjects }))
        .collect();
    actions.sort_by_key(|action| {
        let minutes = action.control.minutes.unwrap_or(u32::MAX);
        let only_settings = action.subjects.iter().all(|subject| is_setting(subject));
        (std::cmp::Reverse(action.control.level), only_settings, minutes, std::cmp::Reverse(action.subjects.len()))
    });
    actions
}

/// Whether the subject is a switch of a region or of the account, as against something that is there and exposed now.
/// The account itself, which root's sign-in belongs to, is no switch.
fn is_setting(subject: &ResourceKey) -> bool {
    let of_account = subject.id == subject.account.as_str() && subject.kind.as_str() != "AWS::::Account";
    of_account || subject.id == subject.region.as_str() || subject.region.is_global() && subject.id == Region::GLOBAL
}

/// Verdicts by level.
pub fn by_level(verdicts: &[Verdict], rules: &RuleSet) -> BTreeMap<Level, Counts> {
    let mut counts: BTreeMap<Level, Counts> =
        Level::WORST_FIRST.iter().map(|&level| (level, Counts::default())).collect();
    let levels: HashMap<&RuleName, Level> =
        rules.controls().iter().map(|control| (&control.name, control.level)).collect();
    for verdict in verdicts {
        if let Some(level) = levels.get(&verdict.rule) {
            counts.entry(*level).or_default().add(verdict.status);
        }
    }
    counts
}

/// Verdicts in all.
pub fn totals(verdicts: &[Verdict]) -> Counts {
    let mut counts = Counts::default();
    for verdict in verdicts {
        counts.add(verdict.status);
    }
    counts
}

/// What could not be looked at, the costliest first.
pub fn gaps(verdicts: &[Verdict]) -> Vec<Gap> {
    let mut gaps: HashMap<(&str, &str, Cause, &str), Gap> = HashMap::new();
    for verdict in verdicts {
        let mut seen = BTreeSet::new();
        for missing in &verdict.missing {
            let Missing::Unread { cause, .. } = missing else { continue };
            let key = (cause.service.as_str(), cause.operation.as_str(), cause.cause, cause.error.as_str());
            let gap = gaps.entry(key).or_insert_with(|| Gap {
                service: cause.service.clone(),
                operation: cause.operation.clone(),
                cause: cause.cause,
                error: cause.error.clone(),
                action: cause.action.clone(),
                regions: BTreeSet::new(),
                rules: BTreeSet::new(),
                verdicts: 0,
            });
            gap.regions.insert(verdict.subject.region.clone());
            gap.rules.insert(verdict.rule.clone());
            if seen.insert(key) {
                gap.verdicts += 1;
            }
        }
    }
    let mut gaps: Vec<Gap> = gaps.into_values().collect();
    gaps.sort_by(|a, b| {
        b.verdicts.cmp(&a.verdicts).then_with(|| (&a.service, &a.operation).cmp(&(&b.service, &b.operation)))
    });
    gaps
}

/// The policy statement that would allow what was denied; `None` where nothing was denied.
pub fn missing_permissions(gaps: &[Gap]) -> Option<serde_json::Value> {
    let actions: BTreeSet<&str> =
        gaps.iter().filter(|gap| gap.cause == Cause::Denied).filter_map(|gap| gap.action.as_deref()).collect();
    (!actions.is_empty()).then(|| serde_json::json!({ "Effect": "Allow", "Action": actions, "Resource": "*" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_model::CouldNotLook;

    fn subject(id: &str) -> ResourceKey {
        ResourceKey {
            kind: "AWS::S3::Bucket".into(),
            account: "111122223333".into(),
            region: "us-east-1".into(),
            id: id.to_owned(),
        }
    }

    fn unknown(id: &str, operation: &str) -> Verdict {
        Verdict {
            rule: "s3/some-rule".into(),
            subject: subject(id),
            status: Status::Unknown,
            evidence: Vec::new(),
            missing: vec![Missing::Unread {
                what: "Properties.Policy".to_owned(),
                cause: CouldNotLook {
                    service: "s3".to_owned(),
                    operation: operation.to_owned(),
                    cause: Cause::Denied,
                    error: "AccessDenied".to_owned(),
                    action: Some(format!("s3:{operation}")),
                },
            }],
        }
    }

    #[test]
    fn a_finding_is_known_by_rule_and_subject() {
        let id = finding_id("0b8f2c1e", &subject("a"));
        assert_eq!(id, finding_id("0b8f2c1e", &subject("a")));
        assert_ne!(id, finding_id("0b8f2c1e", &subject("b")));
        assert_ne!(id, finding_id("0b8f2c1", &subject("ea")));
        assert_eq!(id.as_str().len(), 32);
    }

    #[test]
    fn gaps_are_counted_by_call_and_name_the_permission() {
        let verdicts = [unknown("a", "GetBucketPolicy"), unknown("b", "GetBucketPolicy"), unknown("a", "GetBucketAcl")];
        let gaps = gaps(&verdicts);
        let counted: Vec<(&str, usize)> = gaps.iter().map(|gap| (gap.operation.as_str(), gap.verdicts)).collect();
        assert_eq!(counted, [("GetBucketPolicy", 2), ("GetBucketAcl", 1)]);
        assert_eq!(
            missing_permissions(&gaps).unwrap(),
            serde_json::json!({ "Effect": "Allow", "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy"], "Resource": "*" })
        );
    }

    #[test]
    fn coverage_counts_only_what_should_have_been_judged() {
        let counts = Counts { pass: 2, fail: 1, unknown: 1, not_applicable: 7 };
        assert!((counts.coverage_percent() - 75.0).abs() < f64::EPSILON);
        assert!((Counts::default().coverage_percent() - 100.0).abs() < f64::EPSILON);
    }
}
