//! Patterns over JSON: `{ ($.eventName = "ConsoleLogin") && ($.errorMessage = "Failed authentication") }`.

use std::borrow::Cow;

use serde_json::Value;

use super::cursor::Cursor;
use super::value::{Field, Test, parse_test};
use super::{NESTING_MAX, PatternError, SELECTOR_WILDCARDS_MAX, WILDCARDS_MAX};

/// A pattern, or a part of one in brackets.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Condition { selector: Selector, demand: Demand },
}

/// The way to a field.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Name(String),
    Index(usize),
    /// `.*`
    AnyField,
    /// `[*]`
    AnyElement,
}

/// What is asked of a field.
#[derive(Debug, Clone)]
pub(super) enum Demand {
    Test(Test),
    Is(Value),
    NotExists,
}

pub(super) fn holds(expression: &Expression, event: &Value) -> bool {
    match expression {
        Expression::All(parts) => parts.iter().all(|part| holds(part, event)),
        Expression::Any(parts) => parts.iter().any(|part| holds(part, event)),
        Expression::Condition { selector, demand } => {
            let fields = selector.fields(event);
            match demand {
                Demand::NotExists => fields.is_empty(),
                Demand::Is(value) => fields.contains(&value),
                Demand::Test(test) => fields.iter().any(|field| compares(test, field)),
            }
        }
    }
}

/// Objects, lists and null are no values to compare with: neither `=` nor `!=` holds.
fn compares(test: &Test, field: &Value) -> bool {
    let (written, number): (Cow<'_, str>, _) = match field {
        Value::String(string) => return test.holds(Field::Text(string)),
        Value::Number(number) => (number.to_string().into(), number.as_f64()),
        Value::Bool(true) => ("true".into(), None),
        Value::Bool(false) => ("false".into(), None),
        Value::Null | Value::Array(_) | Value::Object(_) => return false,
    };
    test.holds(Field::Plain { text: &written, number })
}

impl Selector {
    /// What is there: nothing, one value, or several where the selector has a wildcard.
    pub(super) fn fields<'a>(&self, event: &'a Value) -> Vec<&'a Value> {
        let mut fields = vec![event];
        for step in &self.steps {
            let mut next = Vec::new();
            for field in fields {
                match (step, field) {
                    (Step::Name(name), Value::Object(object)) => next.extend(object.get(name)),
                    (Step::Index(index), Value::Array(list)) => next.extend(list.get(*index)),
                    (Step::AnyField, Value::Object(object)) => next.extend(object.values()),
                    (Step::AnyElement, Value::Array(list)) => next.extend(list),
                    _ => {}
                }
            }
            fields = next;
        }
        fields
    }
}

/// The selector that a whole text is.
pub(super) fn selector(text: &str) -> Result<Selector, PatternError> {
    let mut cursor = Cursor::new(text);
    let selector = parse_selector(&mut cursor, &mut Counts::default())?;
    match cursor.peek() {
        None => Ok(selector),
        Some(_) => Err(cursor.error("the end of the selector")),
    }
}

/// What is counted over a whole pattern.
#[derive(Default)]
struct Counts {
    regexes: usize,
    wildcards: usize,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Expression, PatternError> {
    cursor.next();
    let expression = parse_any(cursor, &mut Counts::default(), 0)?;
    cursor.skip_blanks();
    if !cursor.eat("}") {
        return Err(cursor.error("`&&`, `||` or `}`"));
    }
    Ok(expression)
}

fn parse_any(cursor: &mut Cursor<'_>, counts: &mut Counts, depth: usize) -> Result<Expression, PatternError> {
    let mut any = Vec::new();
    loop {
        let mut all = vec![parse_one(cursor, counts, depth)?];
        cursor.skip_blanks();
        while cursor.eat("&&") {
            all.push(parse_one(cursor, counts, depth)?);
            cursor.skip_blanks();
        }
        any.push(Expression::All(all));
        if !cursor.eat("||") {
            return Ok(Expression::Any(any));
        }
    }
}

fn parse_one(cursor: &mut Cursor<'_>, counts: &mut Counts, depth: usize) -> Result<Expression, PatternError> {
    cursor.skip_blanks();
    if cursor.peek() != Some('(') {
        let selector = parse_selector(cursor, counts)?;
        let demand = parse_demand(cursor, counts)?;
        return Ok(Expression::Condition { selector, demand });
    }
    if depth >= NESTING_MAX {
        return Err(cursor.error("no more brackets inside brackets"));
    }
    cursor.next();
    let expression = parse_any(cursor, counts, depth + 1)?;
    cursor.skip_blanks();
    if !cursor.eat(")") {
        return Err(cursor.error("`&&`, `||` or `)`"));
    }
    Ok(expression)
}

fn parse_selector(cursor: &mut Cursor<'_>, counts: &mut Counts) -> Result<Selector, PatternError> {
    if !cursor.eat("$") {
        return Err(cursor.error("a selector (`$.field`) or `(`"));
    }
    let mut steps = Vec::new();
    let mut wildcards = 0;
    loop {
        let here = cursor.clone();
        let Some(step) = parse_step(cursor)? else { break };
        if matches!(step, Step::AnyField | Step::AnyElement) {
            wildcards += 1;
            counts.wildcards += 1;
            if wildcards > SELECTOR_WILDCARDS_MAX {
                return Err(here.error("no second wildcard in a selector"));
            }
            if counts.wildcards > WILDCARDS_MAX {
                return Err(here.error("no more than three selectors with a wildcard"));
            }
        }
        steps.push(step);
    }
    if steps.is_empty() {
        return Err(cursor.error("`.` or `[`"));
    }
    Ok(Selector { steps })
}

/// The next step of a selector, if there is one: `.name`, `.*`, `[0]`, `[*]`, `['any key']`, `.['any key']`.
fn parse_step(cursor: &mut Cursor<'_>) -> Result<Option<Step>, PatternError> {
    let dotted = cursor.eat(".");
    if cursor.eat("[") {
        let start = cursor.clone();
        let step = if cursor.eat("'") {
            let name = cursor.take_while(|next| next != '\'');
            if name.is_empty() || !cursor.eat("'") {
                return Err(start.error("a key and a closing `'`"));
            }
            Step::Name(name.to_owned())
        } else if dotted {
            return Err(start.error("a key in `'`"));
        } else if cursor.eat("*") {
            Step::AnyElement
        } else {
            let digits = cursor.take_while(|next| next.is_ascii_digit());
            Step::Index(digits.parse().map_err(|_| start.error("an index, `*` or a key in `'`"))?)
        };
        if !cursor.eat("]") {
            return Err(cursor.error("`]`"));
        }
        return Ok(Some(step));
    }
    if !dotted {
        return Ok(None);
    }
    if cursor.eat("*") {
        return Ok(Some(Step::AnyField));
    }
    match cursor.take_while(|next| next.is_ascii_alphanumeric() || next == '_' || next == '-') {
        "" => Err(cursor.error("a field's name, `*` or a key in `['` and `']`")),
        name => Ok(Some(Step::Name(name.to_owned()))),
    }
}

fn parse_demand(cursor: &mut Cursor<'_>, counts: &mut Counts) -> Result<Demand, PatternError> {
    cursor.skip_blanks();
    if cursor.eat_word("IS") {
        cursor.skip_blanks();
        for (word, value) in [("NULL", Value::Null), ("TRUE", Value::Bool(true)), ("FALSE", Value::Bool(false))] {
            if cursor.eat_word(word) {
                return Ok(Demand::Is(value));
            }
        }
        return Err(cursor.error("`NULL`, `TRUE` or `FALSE`"));
    }
    if cursor.eat_word("NOT") {
        cursor.skip_blanks();
        if cursor.eat_word("EXISTS") {
            return Ok(Demand::NotExists);
        }
        return Err(cursor.error("`EXISTS`"));
    }
    if !cursor.peek().is_some_and(|next| "=!<>".contains(next)) {
        return Err(cursor.error("a comparison, `IS` or `NOT EXISTS`"));
    }
    parse_test(cursor, &mut counts.regexes, is_bare).map(Demand::Test)
}

/// Documented are letters, digits and `_`; AWS's own examples also have the others.
fn is_bare(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_.-:*+".contains(char)
}
