//! One condition key: which conditions on it can hold together, and for what values.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::binding::{Reading, Side, Wild, typical};
use super::joint::{self, Set};
use super::limits::{self, Undecided};
use super::pattern::{Kind, Pattern};
use crate::evaluate::operand;
use crate::policy::{Condition, Family, Qualifier, Version};

const MICROS_A_SECOND: i64 = 1_000_000;

/// A condition with its values made ready.
#[derive(Debug, Clone)]
pub(super) struct Test<'a> {
    pub(super) condition: &'a Condition,
    wanted: Vec<Wanted>,
}

/// What one value of a condition asks for.
#[derive(Debug, Clone)]
enum Wanted {
    Text(Pattern),
    Number(i128),
    Time(i64),
    Network(IpNet),
    Bytes(Vec<u8>, String),
    Switch(bool),
    /// Either, where a variable may be anything.
    AnySwitch,
    /// A value that nothing fits: not of the operator's kind, or a variable without a value.
    Nothing,
}

/// Whether a request has a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Presence {
    /// It may.
    Either,
    /// It always does.
    Always,
    /// It never does.
    Never,
    /// It has these values, or does not where there are none.
    Fixed(Option<String>),
}

/// One way to fill a key: the tests that hold, and the values; none where the key is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filling {
    pub(super) holding: Set,
    pub(super) values: Option<Vec<String>>,
}

impl<'a> Test<'a> {
    /// A condition, its variables read as its side asks.
    pub(super) fn new(condition: &'a Condition, version: Version, reading: &Reading, side: Side) -> Self {
        // Under a negated operator a value that fits is what makes the condition fail.
        let side = match (side, condition.operator.negated) {
            (Side::Sought, false) | (Side::Avoided, true) => Side::Sought,
            (Side::Sought, true) | (Side::Avoided, false) => Side::Avoided,
        };
        let wanted = condition.values.iter().map(|value| wanted(condition, value, version, reading, side)).collect();
        Self { condition, wanted }
    }

    /// The patterns that it compares with.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Text(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// Whether it holds for a request that has these values for the key, or none.
    pub(super) fn holds(&self, values: Option<&[String]>) -> bool {
        let operator = self.condition.operator;
        if operator.family == Family::Null {
            return match operator.qualifier {
                Qualifier::ForAll => true,
                Qualifier::ForAny => false,
                Qualifier::Single => self.condition.values.iter().any(|value| switch(value) == Some(values.is_none())),
            };
        }
        let Some(values) = values else { return operator.holds_when_absent() };
        match operator.qualifier {
            Qualifier::ForAll => values.iter().all(|value| self.suits(value)),
            Qualifier::ForAny => values.iter().any(|value| self.suits(value)),
            Qualifier::Single if operator.negated => values.iter().all(|value| self.suits(value)),
            Qualifier::Single => values.iter().any(|value| self.suits(value)),
        }
    }

    /// Whether one value is as the operator asks.
    fn suits(&self, value: &str) -> bool {
        let operator = self.condition.operator;
        // As the evaluator has it: with no value to compare with, these forms hold only where the key is absent.
        if self.wanted.is_empty() && (operator.if_exists || operator.qualifier != Qualifier::Single) {
            return false;
        }
        self.wanted.iter().any(|wanted| wanted.fits(operator.family, value)) != operator.negated
    }
}

impl Wanted {
    fn fits(&self, family: Family, value: &str) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(value),
            Self::Number(wanted) => operand::number(value).is_some_and(|given| compare(family, given.cmp(wanted))),
            Self::Time(wanted) => operand::date(value).is_some_and(|given| compare(family, given.cmp(wanted))),
            Self::Network(network) => operand::address(value).is_some_and(|address| network.contains(&address)),
            Self::Bytes(bytes, _) => operand::binary(value).is_some_and(|given| given == *bytes),
            Self::Switch(wanted) => switch(value) == Some(*wanted),
            Self::AnySwitch => switch(value).is_some(),
            Self::Nothing => false,
        }
    }
}

fn compare(family: Family, order: std::cmp::Ordering) -> bool {
    match family {
        Family::NumericLessThan | Family::DateLessThan => order.is_lt(),
        Family::NumericLessThanEquals | Family::DateLessThanEquals => order.is_le(),
        Family::NumericGreaterThan | Family::DateGreaterThan => order.is_gt(),
        Family::NumericGreaterThanEquals | Family::DateGreaterThanEquals => order.is_ge(),
        _ => order.is_eq(),
    }
}

fn wanted(condition: &Condition, value: &str, version: Version, reading: &Reading, side: Side) -> Wanted {
    // Where no wildcard is read, the only one is what stands for a variable that may be anything.
    let text = |kind, wild| reading.pieces(value, version, side, wild).map(|pieces| Pattern::of_pieces(&pieces, kind));
    let wanted = match condition.operator.family {
        Family::StringEquals => text(Kind::Like, Wild::Nowhere).map(Wanted::Text),
        Family::StringEqualsIgnoreCase => text(Kind::Fold, Wild::Nowhere).map(Wanted::Text),
        Family::StringLike => text(Kind::Like, Wild::Everywhere).map(Wanted::Text),
        Family::Arn => text(Kind::Arn, Wild::Everywhere).map(Wanted::Text),
        Family::Bool => text(Kind::Fold, Wild::Nowhere).and_then(|pattern| {
            match (pattern.matches("true"), pattern.matches("false")) {
                (true, true) => Some(Wanted::AnySwitch),
                (true, false) => Some(Wanted::Switch(true)),
                (false, true) => Some(Wanted::Switch(false)),
                (false, false) => None,
            }
        }),
        Family::BinaryEquals => operand::binary(value).map(|bytes| Wanted::Bytes(bytes, value.to_owned())),
        Family::NumericEquals
        | Family::NumericLessThan
        | Family::NumericLessThanEquals
        | Family::NumericGreaterThan
        | Family::NumericGreaterThanEquals => operand::number(value).map(Wanted::Number),
        Family::DateEquals
        | Family::DateLessThan
        | Family::DateLessThanEquals
        | Family::DateGreaterThan
        | Family::DateGreaterThanEquals => operand::date(value).map(Wanted::Time),
        Family::IpAddress => operand::network(value).map(Wanted::Network),
        Family::Null => None,
    };
    wanted.unwrap_or(Wanted::Nothing)
}

/// Every combination of the tests that one request can make hold, each with values that do it.
pub(super) fn fillings(key: &str, tests: &[Test<'_>], presence: &Presence) -> Result<Vec<Filling>, Undecided> {
    if tests.len() > limits::ATOMS_MAX {
        return Err(Undecided::Atoms);
    }
    let holding = |values: Option<&[String]>| {
        let bits = tests.iter().enumerate().map(|(index, test)| Set::from(test.holds(values)) << index);
        bits.fold(0, |all, bit| all | bit)
    };
    let absent = || Filling { holding: holding(None), values: None };
    match presence {
        Presence::Never | Presence::Fixed(None) => return Ok(vec![absent()]),
        Presence::Fixed(Some(value)) => {
            let values = vec![value.clone()];
            return Ok(vec![Filling { holding: holding(Some(&values)), values: Some(values) }]);
        }
        Presence::Either | Presence::Always => {}
    }
    let mut by_holding: HashMap<Set, usize> = HashMap::new();
    let mut fillings = Vec::new();
    let mut add = |fillings: &mut Vec<Filling>, filling: Filling| {
        if by_holding.insert(filling.holding, fillings.len()).is_none() {
            fillings.push(filling);
        }
    };
    // What need not be there is left out: it comes first.
    if *presence == Presence::Either {
        add(&mut fillings, absent());
    }
    let singles = single_values(key, tests)?;
    for value in &singles {
        let values = vec![value.clone()];
        add(&mut fillings, Filling { holding: holding(Some(&values)), values: Some(values) });
    }
    if tests.iter().any(|test| test.condition.operator.qualifier != Qualifier::Single) {
        for filling in several_values(tests, &singles)? {
            add(&mut fillings, filling);
        }
    }
    Ok(fillings)
}

/// What several values make hold: for each test that asks for all, what all of them suit; for each that asks for some,
/// what some of them suits. Only what both come to matters, so sets of values that come to the same are one.
fn several_values(tests: &[Test<'_>], singles: &[String]) -> Result<Vec<Filling>, Undecided> {
    let mut asks_all: Set = 0;
    for (index, test) in tests.iter().enumerate() {
        let operator = test.condition.operator;
        let all = match operator.qualifier {
            Qualifier::ForAll => true,
            Qualifier::ForAny => false,
            Qualifier::Single => operator.negated,
        };
        asks_all |= Set::from(all) << index;
    }
    let null = |test: &Test<'_>| test.condition.operator.family == Family::Null;
    let suits = |value: &String| {
        tests.iter().enumerate().fold(0, |all: Set, (index, test)| {
            all | Set::from(if null(test) { test.holds(Some(std::slice::from_ref(value))) } else { test.suits(value) })
                << index
        })
    };
    let singles: Vec<(Set, &String)> = singles.iter().map(|value| (suits(value), value)).collect();
    let mut seen: HashMap<Set, Vec<usize>> =
        singles.iter().enumerate().map(|(index, (holding, _))| (*holding, vec![index])).collect();
    let mut open: Vec<Set> = seen.keys().copied().collect();
    open.sort_unstable();
    while let Some(before) = open.pop() {
        let members = seen.get(&before).cloned().unwrap_or_default();
        for (index, (holding, _)) in singles.iter().enumerate() {
            let together = (before & holding & asks_all) | ((before | holding) & !asks_all);
            if seen.contains_key(&together) {
                continue;
            }
            if seen.len() >= limits::VALUES_MAX {
                return Err(Undecided::Values);
            }
            let mut members = members.clone();
            members.push(index);
            seen.insert(together, members);
            open.push(together);
        }
    }
    let mut fillings: Vec<Filling> = seen
        .into_iter()
        .map(|(holding, members)| Filling {
            holding,
            values: Some(
                members.iter().filter_map(|&index| singles.get(index)).map(|(_, value)| (*value).clone()).collect(),
            ),
        })
        .collect();
    fillings.sort_unstable_by_key(|filling| (filling.values.as_ref().map_or(0, Vec::len), filling.holding));
    Ok(fillings)
}

/// Single values of every kind that the tests can tell apart, the likeliest first.
fn single_values(key: &str, tests: &[Test<'_>]) -> Result<Vec<String>, Undecided> {
    let families = || tests.iter().map(|test| test.condition.operator.family).filter(|family| *family != Family::Null);
    // AWS gives such a key no other value; a tag, and what is compared as text as well, may be anything.
    let has_switches = families().any(|family| family == Family::Bool);
    if has_switches && !key.contains('/') && families().all(|family| family == Family::Bool) {
        return Ok(vec!["true".to_owned(), "false".to_owned()]);
    }
    let mut values = Vec::new();
    let switches = ["true", "false"].map(|text| Pattern::new(text, Kind::Fold));
    let mut patterns: Vec<&Pattern> = Vec::new();
    if has_switches {
        patterns.extend(&switches);
    }
    for pattern in tests.iter().flat_map(Test::patterns) {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    let mut kinds = 0;
    if !patterns.is_empty() {
        kinds += 1;
        values.extend(joint::combinations(&[], &patterns)?.into_iter().map(|(_, text)| text));
    }
    let (mut numbers, mut times, mut networks, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for wanted in tests.iter().flat_map(|test| &test.wanted) {
        match wanted {
            Wanted::Number(number) => numbers.push(*number),
            Wanted::Time(time) => times.push(*time),
            Wanted::Network(network) => networks.push(*network),
            Wanted::Bytes(_, text) => bytes.push(text.clone()),
            Wanted::Text(_) | Wanted::Switch(_) | Wanted::AnySwitch | Wanted::Nothing => {}
        }
    }
    kinds += [numbers.is_empty(), times.is_empty(), networks.is_empty(), bytes.is_empty()]
        .iter()
        .filter(|is_empty| !**is_empty)
        .count();
    // What no operator can compare is a value as well, but only where AWS does not say what the key holds.
    if kinds == 0 || !patterns.is_empty() || !networks.is_empty() || key.contains('/') {
        values.insert(0, typical(key, 0));
    }
    values.extend(bytes);
    values.extend(around_numbers(numbers));
    values.extend(around_times(times));
    if !networks.is_empty() {
        values.extend(inside_networks(&networks));
    }
    if kinds > 1 {
        return Err(Undecided::MixedKinds);
    }
    Ok(values)
}

/// Each end point, and one number in every gap: a whole one where there is one.
fn around_numbers(mut numbers: Vec<i128>) -> Vec<String> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut points = Vec::with_capacity(2 * numbers.len() + 1);
    points.extend(numbers.first().map(|first| first - operand::ONE));
    for (index, number) in numbers.iter().enumerate() {
        points.push(*number);
        let whole = (number.div_euclid(operand::ONE) + 1) * operand::ONE;
        match numbers.get(index + 1) {
            Some(next) if whole < *next => points.push(whole),
            Some(next) => points.push(number + (next - number) / 2),
            None => points.push(whole),
        }
    }
    points.iter().map(|point| decimal(*point)).collect()
}

fn decimal(number: i128) -> String {
    let (whole, fraction) =
        (number.unsigned_abs() / operand::ONE.unsigned_abs(), number.unsigned_abs() % operand::ONE.unsigned_abs());
    let sign = if number < 0 { "-" } else { "" };
    let fraction = format!("{fraction:018}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// Each moment, and one in every gap.
fn around_times(mut times: Vec<i64>) -> Vec<String> {
    times.sort_unstable();
    times.dedup();
    let mut points = Vec::with_capacity(2 * times.len() + 1);
    points.extend(times.first().map(|first| first - MICROS_A_SECOND));
    for (index, time) in times.iter().enumerate() {
        points.push(*time);
        points.push(match times.get(index + 1) {
            Some(next) => time + ((next - time) / 2).min(MICROS_A_SECOND),
            None => time + MICROS_A_SECOND,
        });
    }
    points.iter().map(|point| seconds(*point)).collect()
}

/// Seconds since 1970, never with four characters, which would be a year.
fn seconds(micros: i64) -> String {
    let text = decimal(i128::from(micros) * (operand::ONE / i128::from(MICROS_A_SECOND)));
    if text.len() == 4 { format!("{text}.0") } else { text }
}

/// An address inside each network and outside all smaller ones, and outside them all.
fn inside_networks(networks: &[IpNet]) -> Vec<String> {
    let everywhere: [IpNet; 2] = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
    let mut addresses = Vec::new();
    for network in everywhere.iter().chain(networks) {
        let mut inner: Vec<IpNet> =
            networks.iter().filter(|other| network.contains(*other) && *other != network).copied().collect();
        inner = IpNet::aggregate(&inner);
        inner.sort_unstable_by_key(IpNet::network);
        let mut address = Some(network.network());
        for smaller in &inner {
            if address.is_some_and(|address| smaller.contains(&address)) {
                address = after(smaller.broadcast());
            }
        }
        addresses.extend(address.filter(|address| network.contains(address)).map(|address| address.to_string()));
    }
    addresses
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(address) => address.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
