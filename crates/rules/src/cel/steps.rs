//! An evaluation, one subexpression at a time.

use super::evaluate::Evaluation;
use super::evidence::shown;
use super::expr::{Expr, Loop, LoopKind};
use super::failure::Failure;
use super::value::Val;
use crate::explain::{Step, StepOutcome};

/// Elements of a list that are shown, those first that decide.
const ELEMENTS_SHOWN_MAX: usize = 5;

impl<'a, 'i: 'a> Evaluation<'a, 'i> {
    /// Evaluates an expression and, each for itself, what it is made of.
    pub(crate) fn explain(&mut self, expr: &'a Expr) -> Step {
        self.restart_steps();
        let outcome = self.eval(expr);
        let steps = match expr {
            Expr::Constant(_) | Expr::Path(_) | Expr::Field(_) | Expr::Local { .. } | Expr::Has { .. } => Vec::new(),
            Expr::Select { of, .. } | Expr::Not(of) | Expr::Negate(of) => self.explain_all([&**of]),
            Expr::Index { of, index } => self.explain_all([&**of, &**index]),
            Expr::And(terms) | Expr::Or(terms) | Expr::List(terms) => self.explain_all(terms),
            Expr::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                match self.judge(condition) {
                    Ok(true) => self.explain_all([condition, then]),
                    Ok(false) => self.explain_all([condition, otherwise]),
                    Err(_) => self.explain_all([condition]),
                }
            }
            Expr::Equal { sides, .. }
            | Expr::Order { sides, .. }
            | Expr::Arithmetic { sides, .. }
            | Expr::In(sides) => self.explain_all(&**sides),
            Expr::Record(entries) => self.explain_all(entries.iter().map(|(_, value)| value)),
            Expr::Loop(each) => self.explain_loop(each),
            Expr::Call(call) => self.explain_all(&call.arguments),
        };
        Step { source: expr.to_string(), outcome: outcome_of(outcome), steps }
    }

    fn explain_all(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<Step> {
        let exprs = exprs.into_iter().filter(|expr| !matches!(expr, Expr::Constant(_)));
        exprs.map(|expr| self.explain(expr)).collect()
    }

    fn explain_loop(&mut self, each: &'a Loop) -> Vec<Step> {
        let mut steps = vec![self.explain(&each.range)];
        let items = self.eval(&each.range).ok().and_then(|range| range.elements()).unwrap_or_default();
        let body = match &each.kind {
            LoopKind::Map(Some(condition)) => condition,
            _ => &each.body,
        };
        let ordinary = matches!(each.kind, LoopKind::All);
        let mut deciding = Vec::new();
        let mut others = Vec::new();
        for item in items {
            let value = self.with_local(item.clone(), |it| it.judge(body));
            let list = if value == Ok(ordinary) { &mut others } else { &mut deciding };
            if list.len() < ELEMENTS_SHOWN_MAX {
                list.push(item);
            }
        }
        for item in deciding.into_iter().chain(others).take(ELEMENTS_SHOWN_MAX) {
            let source = format!("{} = {}", each.variable, shown(&item));
            let step = self.with_local(item, |it| it.explain(body));
            steps.push(Step { source, outcome: step.outcome.clone(), steps: vec![step] });
        }
        steps
    }
}

fn outcome_of(outcome: Result<Val<'_>, Failure>) -> StepOutcome {
    match outcome {
        Ok(value) => StepOutcome::Value(shown(&value)),
        Err(failure) => StepOutcome::Missing(failure.into_missing()),
    }
}
