//! Alarms on other alarms.

use chrono::TimeDelta;
use serde_json::Value;

use super::{CHILDREN_MAX, RULE_CHARS_MAX, RULE_ELEMENTS_MAX, RULE_NESTING_MAX, State};

/// A composite alarm, as `AWS::CloudWatch::CompositeAlarm` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompositeAlarm {
    /// When it is in alarm.
    pub rule: AlarmRule,
    /// The alarm that holds back its actions.
    pub suppressor: Option<String>,
    /// How long the suppressor is waited for.
    pub wait: TimeDelta,
    /// How long actions are held back after the suppressor is over.
    pub extension: TimeDelta,
    pub(super) actions_enabled: bool,
}

/// The rule of a composite alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRule {
    expression: Expression,
    children: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    Constant(bool),
    Is {
        state: State,
        alarm: String,
    },
    /// So many of the alarms are, or are not, in the state.
    AtLeast {
        count: usize,
        negated: bool,
        state: State,
        alarms: Vec<String>,
    },
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// A text that is no alarm rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {offset} of the alarm rule")]
pub struct AlarmRuleError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What would have gone on there.
    pub expected: &'static str,
}

impl CompositeAlarm {
    /// The alarm that the properties of an `AWS::CloudWatch::CompositeAlarm` describe.
    pub fn from_properties(properties: &Value) -> Result<Self, AlarmRuleError> {
        let rule = properties.get("AlarmRule").and_then(Value::as_str);
        let rule = AlarmRule::parse(rule.ok_or(AlarmRuleError { offset: 0, expected: "a text as `AlarmRule`" })?)?;
        let seconds = |property: &str| {
            let value = properties.get(property)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok()).and_then(TimeDelta::try_seconds)
        };
        let suppressor = properties.get("ActionsSuppressor").and_then(Value::as_str).map(name_of);
        let actions_enabled = properties.get("ActionsEnabled").is_none_or(|value| *value != false && *value != "false");
        Ok(Self {
            rule,
            suppressor,
            wait: seconds("ActionsSuppressorWaitPeriod").unwrap_or_default(),
            extension: seconds("ActionsSuppressorExtensionPeriod").unwrap_or_default(),
            actions_enabled,
        })
    }
}

impl AlarmRule {
    /// The rule that a text is: `ALARM(a) AND NOT (OK("b") OR TRUE)`.
    pub fn parse(text: &str) -> Result<Self, AlarmRuleError> {
        let mut parser = Parser { text, offset: 0, elements: 0, children: Vec::new() };
        if text.chars().nth(RULE_CHARS_MAX).is_some() {
            return Err(parser.error("no more than 10,240 characters"));
        }
        let expression = parser.any(0)?;
        parser.skip_blanks();
        if !parser.rest().is_empty() {
            return Err(parser.error("`AND`, `OR` or the end"));
        }
        Ok(Self { expression, children: parser.children })
    }

    /// The alarms that the rule names, each once.
    pub fn children(&self) -> &[String] {
        &self.children
    }

    /// Whether the rule holds, given the state of each alarm that it names.
    pub fn holds(&self, state: &impl Fn(&str) -> State) -> bool {
        self.expression.holds(state)
    }
}

impl Expression {
    fn holds(&self, state: &impl Fn(&str) -> State) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is { state: wanted, alarm } => state(alarm) == *wanted,
            Self::AtLeast { count, negated, state: wanted, alarms } => {
                alarms.iter().filter(|alarm| (state(alarm) == *wanted) != *negated).count() >= *count
            }
            Self::Not(inner) => !inner.holds(state),
            Self::All(parts) => parts.iter().all(|part| part.holds(state)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(state)),
        }
    }
}

/// The name of an alarm that is given by name or by ARN.
fn name_of(reference: &str) -> String {
    let name = reference.strip_prefix("arn:").and_then(|rest| rest.split_once(":alarm:"));
    name.map_or(reference, |(_, name)| name).to_owned()
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    elements: usize,
    children: Vec<String>,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn error(&self, expected: &'static str) -> AlarmRuleError {
        AlarmRuleError { offset: self.offset, expected }
    }

    fn skip_blanks(&mut self) {
        self.offset += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let comes_next = self.rest().starts_with(token);
        if comes_next {
            self.offset += token.len();
        }
        comes_next
    }

    fn needs(&mut self, token: &str, expected: &'static str) -> Result<(), AlarmRuleError> {
        if self.eat(token) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// A keyword, which does not go on after its end.
    fn eat_word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let after = self.rest().strip_prefix(word);
        let ends = after.is_some_and(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'));
        ends && self.eat(word)
    }

    fn count_element(&mut self) -> Result<(), AlarmRuleError> {
        self.elements += 1;
        if self.elements > RULE_ELEMENTS_MAX { Err(self.error("no more than 500 elements")) } else { Ok(()) }
    }

    fn any(&mut self, depth: usize) -> Result<Expression, AlarmRuleError> {
        let mut any = Vec::new();
        loop {
            let mut all = vec![self.one(depth)?];
            while self.eat_word("AND") {
                self.count_element()?;
                all.push(self.one(depth)?);
            }
            any.push(Expression::All(all));
            if !self.eat_word("OR") {
                return Ok(Expression::Any(any));
            }
            self.count_element()?;
        }
    }

    fn one(&mut self, depth: usize) -> Result<Expression, AlarmRuleError> {
        self.skip_blanks();
        if depth >= RULE_NESTING_MAX {
            return Err(self.error("no more brackets inside brackets"));
        }
        self.count_element()?;
        if self.eat_word("NOT") {
            return Ok(Expression::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.any(depth + 1)?;
            self.needs(")", "`AND`, `OR` or `)`")?;
            return Ok(inner);
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.eat_word(word) {
                return Ok(Expression::Constant(value));
            }
        }
        if self.eat_word("AT_LEAST") {
            return self.at_least();
        }
        let state =
            self.state().ok_or_else(|| self.error("a state such as `ALARM(name)`, `NOT`, `TRUE`, `FALSE` or `(`"))?;
        self.needs("(", "`(`")?;
        let alarm = self.reference()?;
        self.needs(")", "`)`")?;
        Ok(Expression::Is { state, alarm })
    }

    fn state(&mut self) -> Option<State> {
        let states = [State::Alarm, State::Ok, State::InsufficientData];
        states.into_iter().find(|state| self.eat_word(state.as_str()))
    }

    /// `(2, NOT OK, (a, b, c))`, the count also as a percentage.
    fn at_least(&mut self) -> Result<Expression, AlarmRuleError> {
        self.needs("(", "`(`")?;
        self.skip_blanks();
        let digits = self.rest().len() - self.rest().trim_start_matches(|next: char| next.is_ascii_digit()).len();
        let number: usize = self.rest().get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or_default();
        if number == 0 {
            return Err(self.error("a count or a percentage"));
        }
        self.offset += digits;
        let percent = self.eat("%");
        if percent && number > 100 {
            return Err(self.error("no more than 100 %"));
        }
        self.needs(",", "`,`")?;
        let negated = self.eat_word("NOT");
        let state = self.state().ok_or_else(|| self.error("a state"))?;
        self.needs(",", "`,`")?;
        self.needs("(", "`(`")?;
        let mut alarms = vec![self.reference()?];
        while self.eat(",") {
            self.count_element()?;
            alarms.push(self.reference()?);
        }
        self.needs(")", "`,` or `)`")?;
        self.needs(")", "`)`")?;
        let count = if percent { number.saturating_mul(alarms.len()).div_ceil(100) } else { number };
        if count > alarms.len() {
            return Err(self.error("no greater count than there are alarms"));
        }
        Ok(Expression::AtLeast { count, negated, state, alarms })
    }

    fn reference(&mut self) -> Result<String, AlarmRuleError> {
        self.skip_blanks();
        let start = self.offset;
        let mut name = String::new();
        if self.eat("\"") {
            let mut escaped = false;
            loop {
                let Some(next) = self.rest().chars().next() else { return Err(self.error("a closing quote")) };
                self.offset += next.len_utf8();
                match next {
                    '\\' if !escaped => escaped = true,
                    '"' if !escaped => break,
                    other => {
                        escaped = false;
                        name.push(other);
                    }
                }
            }
        } else {
            let end = self.rest().find(|next: char| next.is_whitespace() || "(),\"".contains(next));
            name.push_str(self.rest().get(..end.unwrap_or(self.rest().len())).unwrap_or_default());
            self.offset += name.len();
        }
        if name.is_empty() {
            return Err(AlarmRuleError { offset: start, expected: "the name of an alarm" });
        }
        let name = name_of(&name);
        if !self.children.contains(&name) {
            self.children.push(name.clone());
            if self.children.len() > CHILDREN_MAX {
                return Err(AlarmRuleError { offset: start, expected: "no more than 100 alarms" });
            }
        }
        Ok(name)
    }
}
