//! Judging resources by controls.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, Utc};
use serde_json::Value;
use yagura_model::{Inventory, Listing, Missing, Resource, ResourceKey, ResourceType, Status, Verdict};

use crate::cel::{Arena, Evaluation, Failure, Touched, World};
use crate::control::{Control, Logic};
use crate::load::RuleSet;

/// Resources that a thread takes at a time: enough that threads seldom meet, few enough that they end together.
const BATCH_RESOURCES: usize = 64;

/// The id of the subject of a verdict on a type that could not be listed.
pub const UNLISTED_ID: &str = "*";

/// A rule set, ready to judge.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    by_subject: HashMap<ResourceType, Vec<usize>>,
}

impl Engine {
    /// An engine for these rules. Functions and tables are bound in when the rules are loaded.
    pub fn new(rules: RuleSet) -> Self {
        let mut by_subject: HashMap<ResourceType, Vec<usize>> = HashMap::new();
        for (index, control) in rules.controls().iter().enumerate() {
            for kind in &control.subjects {
                by_subject.entry(kind.clone()).or_default().push(index);
            }
        }
        Self { rules, by_subject }
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The controls that speak of a type, by name.
    pub fn controls_of(&self, kind: &ResourceType) -> impl Iterator<Item = &Control> {
        let indices = self.by_subject.get(kind).into_iter().flatten();
        indices.filter_map(|index| self.rules.controls().get(*index))
    }

    /// What one control says of one resource at a time.
    pub fn judge(&self, control: &Control, resource: &Resource, inventory: &Inventory, now: DateTime<Utc>) -> Verdict {
        let world = World::new(inventory, self.rules.tables(), now);
        let arena = Arena::new();
        judged(control, resource, &mut Evaluation::new(&world, resource, &arena))
    }

    /// As [`Self::judge`], with everything that was read.
    pub(crate) fn judge_and_touch(
        &self,
        control: &Control,
        resource: &Resource,
        inventory: &Inventory,
        now: DateTime<Utc>,
    ) -> (Verdict, Touched) {
        let world = World::new(inventory, self.rules.tables(), now);
        let arena = Arena::new();
        let mut evaluation = Evaluation::new(&world, resource, &arena);
        evaluation.touched = Some(Touched::default());
        let verdict = judged(control, resource, &mut evaluation);
        (verdict, evaluation.touched.unwrap_or_default())
    }

    /// What every control that `wanted` takes says of every resource, and of every type that could not be listed.
    ///
    /// The order is that of the inventory's resources, with the controls by name; then the unlisted types, by control,
    /// account and region. It is the same for any number of `threads`.
    pub fn judge_all(
        &self,
        inventory: &Inventory,
        now: DateTime<Utc>,
        threads: NonZeroUsize,
        wanted: impl Fn(&Control) -> bool,
    ) -> Vec<Verdict> {
        let wanted: HashMap<&ResourceType, Vec<&Control>> = self
            .by_subject
            .keys()
            .map(|kind| (kind, self.controls_of(kind).filter(|control| wanted(control)).collect()))
            .collect();
        let resources = inventory.resources();
        let next = AtomicUsize::new(0);
        let work = || {
            let world = World::new(inventory, self.rules.tables(), now);
            let mut done: Vec<(usize, Vec<Verdict>)> = Vec::new();
            loop {
                let start = next.fetch_add(BATCH_RESOURCES, Ordering::Relaxed);
                let Some(batch) = resources.get(start..(start + BATCH_RESOURCES).min(resources.len())) else { break };
                if batch.is_empty() {
                    break;
                }
                let mut verdicts = Vec::new();
                for resource in batch {
                    judge_resource(resource, wanted.get(&resource.kind), &world, &mut verdicts);
                }
                done.push((start, verdicts));
            }
            done
        };
        let mut batches = BTreeMap::new();
        std::thread::scope(|scope| {
            let helpers: Vec<_> = (1..threads.get()).map(|_| scope.spawn(work)).collect();
            batches.extend(work());
            for helper in helpers {
                match helper.join() {
                    Ok(done) => batches.extend(done),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        let mut verdicts: Vec<Verdict> = batches.into_values().flatten().collect();
        verdicts.extend(unlisted(inventory, &wanted));
        verdicts
    }
}

fn judge_resource<'i>(
    resource: &'i Arc<Resource>,
    controls: Option<&Vec<&'i Control>>,
    world: &World<'i>,
    verdicts: &mut Vec<Verdict>,
) {
    let Some(controls) = controls else { return };
    let arena = Arena::new();
    let mut evaluation = Evaluation::new(world, resource, &arena);
    for control in controls {
        verdicts.push(judged(control, resource, &mut evaluation));
    }
}

fn judged<'a, 'i: 'a>(control: &'a Control, resource: &Resource, evaluation: &mut Evaluation<'a, 'i>) -> Verdict {
    evaluation.restart();
    let (status, missing) = match decide(control, resource, evaluation) {
        Ok(status) => (status, Vec::new()),
        Err(failure) => (Status::Unknown, failure.into_missing()),
    };
    let evidence: Vec<(String, Value)> = evaluation.evidence.take(resource);
    Verdict { rule: control.name.clone(), subject: resource.key(), status, evidence, missing }
}

fn decide<'a, 'i: 'a>(
    control: &'a Control,
    resource: &Resource,
    evaluation: &mut Evaluation<'a, 'i>,
) -> Result<Status, Failure> {
    if let Some(when) = &control.when
        && !evaluation.judge(when.expr()?)?
    {
        return Ok(Status::NotApplicable);
    }
    let good = match &control.logic {
        Logic::Cel(program) => Some(evaluation.judge(program.expr()?)?),
        Logic::Guard(rules) => rules.judge(resource)?,
    };
    Ok(match good {
        Some(true) => Status::Pass,
        Some(false) => Status::Fail,
        None => Status::NotApplicable,
    })
}

/// One `unknown` for each control and place whose subjects could not be listed.
fn unlisted(inventory: &Inventory, wanted: &HashMap<&ResourceType, Vec<&Control>>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (kind, account, region, listing) in inventory.listings() {
        let Listing::Unread(cause) = listing else { continue };
        for control in wanted.get(kind).into_iter().flatten() {
            verdicts.push(Verdict {
                rule: control.name.clone(),
                subject: ResourceKey {
                    kind: kind.clone(),
                    account: account.clone(),
                    region: region.clone(),
                    id: UNLISTED_ID.to_owned(),
                },
                status: Status::Unknown,
                evidence: Vec::new(),
                missing: vec![Missing::Unread { what: kind.to_string(), cause: cause.clone() }],
            });
        }
    }
    verdicts.sort_by(|left, right| (&left.rule, &left.subject).cmp(&(&right.rule, &right.subject)));
    verdicts
}
