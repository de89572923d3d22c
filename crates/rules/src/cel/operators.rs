//! Operators: logic that a decisive side settles, equality, order, membership, arithmetic.

use std::borrow::Cow;

use serde_json::Value;

use super::evaluate::{Evaluation, Outcome, as_bool, merged, place_of};
use super::expr::{Arithmetic, Expr, Order};
use super::failure::Failure;
use super::value::{Val, at, equal, order};

impl<'a, 'i: 'a> Evaluation<'a, 'i> {
    pub(crate) fn negate(&mut self, of: &'a Expr) -> Outcome<'a> {
        match self.eval(of)? {
            Val::Int(value) => match value.checked_neg() {
                Some(value) => Ok(Val::Int(value)),
                None => Err(Failure::evaluation(format!("`-{of}` is out of range"))),
            },
            Val::Double(value) => Ok(Val::Double(-value)),
            other => Err(Failure::evaluation(format!("`{of}` is {}, where a number is needed", other.kind()))),
        }
    }

    /// `&&` (`decisive` is false) or `||` (true): one decisive term decides, whatever the others fail with.
    pub(crate) fn connect(&mut self, terms: &'a [Expr], decisive: bool) -> Outcome<'a> {
        let mut failure: Option<Failure> = None;
        for term in terms {
            match self.eval(term).and_then(|value| as_bool(term, &value)) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(cause) => failure = Some(merged(failure, cause)),
            }
        }
        failure.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    pub(crate) fn sides(&mut self, sides: &'a [Expr; 2]) -> Result<[Val<'a>; 2], Failure> {
        let [left, right] = sides;
        let (left, right) = both(self.eval(left), self.eval(right))?;
        Ok([left, right])
    }

    /// Equality; a container with an unread part is only known not to be `null` or a single value.
    pub(crate) fn equals(&mut self, left: &Val<'a>, right: &Val<'a>) -> Result<bool, Failure> {
        if left.is_container() && right.is_container() {
            self.use_whole(left)?;
            self.use_whole(right)?;
        } else {
            self.evidence.read(place_of(left), left);
            self.evidence.read(place_of(right), right);
        }
        Ok(equal(left, right))
    }

    pub(crate) fn compare(&mut self, operator: Order, sides: &'a [Expr; 2]) -> Outcome<'a> {
        let values = self.sides(sides)?;
        let [left, right] = &values;
        let Some(ordering) = order(left, right) else {
            let sign = operator.sign();
            for (value, side) in values.iter().zip(sides) {
                if matches!(value, Val::Null) {
                    return Err(Failure::evaluation(format!(
                        "`{side}` is absent and `{sign}` needs a value (`or({side}, …)` gives a default)"
                    )));
                }
            }
            let [left_expr, right_expr] = sides;
            return Err(Failure::evaluation(format!(
                "`{left_expr}` is {} and `{right_expr}` is {}: `{sign}` does not compare them",
                left.kind(),
                right.kind()
            )));
        };
        Ok(Val::Bool(match operator {
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        }))
    }

    pub(crate) fn is_in(&mut self, sides: &'a [Expr; 2]) -> Outcome<'a> {
        let [item, container] = self.sides(sides)?;
        if let Val::Null = container {
            return Ok(Val::Bool(false));
        }
        let keyed = matches!(&container, Val::Json(Value::Object(_), _) | Val::Section(..) | Val::Record(_));
        if keyed {
            if let Val::Text(key) = &item {
                self.select(&container, key)?;
            }
            return Ok(Val::Bool(at(&container, &item).is_some()));
        }
        self.use_whole(&container)?;
        match container.elements() {
            Some(items) => Ok(Val::Bool(items.iter().any(|other| equal(&item, other)))),
            None => Err(Failure::evaluation(format!("`{}` is {}, where a list is needed", sides[1], container.kind()))),
        }
    }
}

pub(crate) fn both<'a>(left: Outcome<'a>, right: Outcome<'a>) -> Result<(Val<'a>, Val<'a>), Failure> {
    match (left, right) {
        (Ok(left), Ok(right)) => Ok((left, right)),
        (Err(left), Err(right)) => Err(left.and(right)),
        (Err(cause), _) | (_, Err(cause)) => Err(cause),
    }
}

pub(crate) fn calculate<'a>(operator: Arithmetic, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, String> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => {
            let result = match operator {
                Arithmetic::Add => left.checked_add(*right),
                Arithmetic::Subtract => left.checked_sub(*right),
                Arithmetic::Multiply => left.checked_mul(*right),
                Arithmetic::Divide => left.checked_div(*right),
                Arithmetic::Modulo => left.checked_rem(*right),
            };
            result.map(Val::Int).ok_or_else(|| "divides by zero or is out of range".to_owned())
        }
        (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => {
            let (left, right) = (as_double(left), as_double(right));
            match operator {
                Arithmetic::Add => Ok(Val::Double(left + right)),
                Arithmetic::Subtract => Ok(Val::Double(left - right)),
                Arithmetic::Multiply => Ok(Val::Double(left * right)),
                Arithmetic::Divide => Ok(Val::Double(left / right)),
                Arithmetic::Modulo => Err("asks for the remainder of a fraction".to_owned()),
            }
        }
        (Val::Text(left), Val::Text(right)) if operator == Arithmetic::Add => {
            Ok(Val::Text(Cow::Owned(format!("{left}{right}"))))
        }
        _ if operator == Arithmetic::Add && (is_list(left) || is_list(right)) => {
            let both = left.elements().zip(right.elements());
            let (mut items, more) = both.ok_or_else(|| format!("adds {} to {}", right.kind(), left.kind()))?;
            items.extend(more);
            Ok(Val::List(items.into()))
        }
        _ => Err(format!("has {} on the left and {} on the right", left.kind(), right.kind())),
    }
}

fn is_list(value: &Val<'_>) -> bool {
    matches!(value, Val::Json(Value::Array(_), _) | Val::List(_) | Val::Resources(_))
}

#[expect(clippy::cast_precision_loss, reason = "arithmetic with a double is a double's")]
fn as_double(value: &Val<'_>) -> f64 {
    match value {
        Val::Int(value) => *value as f64,
        Val::Double(value) => *value,
        _ => f64::NAN,
    }
}
