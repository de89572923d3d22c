//! Why a verdict is what it is, one subexpression at a time.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use yagura_model::{Inventory, Missing, Resource, Verdict};

use crate::cel::{Arena, Evaluation, World};
use crate::control::{Control, Logic};
use crate::engine::Engine;
use crate::program::Program;

/// A verdict, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the control speaks of the resource, where it asks.
    pub when: Option<Step>,
    /// What is to be true. None where `when` is false: it is not evaluated then.
    pub logic: Option<Step>,
}

/// One subexpression and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its source text; of an element of a list, what the variable stands for (`rule = …`).
    pub source: String,
    /// Its value, or why it has none.
    pub outcome: StepOutcome,
    /// The subexpressions that it was made of.
    pub steps: Vec<Step>,
}

/// What a subexpression came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// A value; long ones are summarised. Absent is `null`.
    Value(Value),
    /// No value, for these causes.
    Missing(Vec<Missing>),
}

impl Engine {
    /// Takes the verdict of one control on one resource apart.
    pub fn explain(
        &self,
        control: &Control,
        resource: &Resource,
        inventory: &Inventory,
        now: DateTime<Utc>,
    ) -> Explanation {
        let verdict = self.judge(control, resource, inventory, now);
        let world = World::new(inventory, self.rules().tables(), now);
        let arena = Arena::new();
        let mut evaluation = Evaluation::new(&world, resource, &arena);
        let when = control.when.as_ref().map(|when| explained(&mut evaluation, when));
        let speaks = when.as_ref().is_none_or(|when| when.outcome == StepOutcome::Value(Value::Bool(true)));
        let logic = speaks.then(|| match &control.logic {
            Logic::Cel(program) => explained(&mut evaluation, program),
            Logic::Guard(rules) => Step {
                source: rules.source().trim().to_owned(),
                outcome: match rules.judge(resource) {
                    Ok(good) => StepOutcome::Value(good.map_or(Value::Null, Value::Bool)),
                    Err(failure) => StepOutcome::Missing(failure.into_missing()),
                },
                steps: Vec::new(),
            },
        });
        Explanation { verdict, when, logic }
    }
}

fn explained<'a, 'i: 'a>(evaluation: &mut Evaluation<'a, 'i>, program: &'a Program) -> Step {
    match program.expr() {
        Ok(expr) => evaluation.explain(expr),
        Err(failure) => Step {
            source: program.source().to_owned(),
            outcome: StepOutcome::Missing(failure.into_missing()),
            steps: Vec::new(),
        },
    }
}
