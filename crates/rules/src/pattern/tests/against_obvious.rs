//! Everything against a matcher that does what the words say, one pattern after the other and one field after the other.

#![expect(clippy::float_cmp, reason = "numbers are the same or they are not")]

use std::collections::BTreeMap;

use super::*;

/// A leaf of an event: its path, its value and which element of which list it is in.
type Leaf = (String, Value, BTreeMap<usize, usize>);

fn flatten(value: &Value, path: &str, within: &BTreeMap<usize, usize>, lists: &mut usize, leaves: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(member, &below, within, lists, leaves);
            }
        }
        Value::Array(elements) => {
            let list = *lists;
            *lists += 1;
            for (index, element) in elements.iter().enumerate() {
                let mut inside = within.clone();
                if element.is_object() || element.is_array() {
                    inside.insert(list, index);
                }
                flatten(element, path, &inside, lists, leaves);
            }
        }
        plain => leaves.push((path.to_owned(), plain.clone(), within.clone())),
    }
}

type Conditions = BTreeMap<String, Vec<Value>>;

fn alternatives(pattern: &Value, path: &str, mut so_far: Vec<Conditions>) -> Vec<Conditions> {
    for (name, member) in pattern.as_object().unwrap() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if name == "$or" {
            let branches = member.as_array().unwrap();
            so_far = branches.iter().flat_map(|branch| alternatives(branch, path, so_far.clone())).collect();
        } else if let Value::Array(leaf) = member {
            for conditions in &mut so_far {
                conditions.insert(below.clone(), leaf.clone());
            }
        } else {
            so_far = alternatives(member, &below, so_far);
        }
    }
    so_far
}

fn is(matcher: &Value, value: &Value) -> bool {
    let Value::Object(operator) = matcher else {
        return match (matcher.as_f64(), value.as_f64()) {
            (Some(wanted), Some(number)) => wanted == number,
            _ => matcher == value,
        };
    };
    let (name, operand) = operator.iter().next().unwrap();
    let text = value.as_str();
    let lower = |value: &Value| value["equals-ignore-case"].as_str().map(str::to_lowercase);
    match name.as_str() {
        "exists" => operand == true,
        "anything-but" => match operand {
            Value::Object(inner) => {
                let (inner, operands) = inner.iter().next().unwrap();
                let operands = operands.as_array().cloned().unwrap_or_else(|| vec![operands.clone()]);
                !operands.iter().any(|operand| is(&json!({ inner: operand }), value))
            }
            Value::Array(values) => !values.iter().any(|excluded| is(excluded, value)),
            excluded => !is(excluded, value),
        },
        "numeric" => value.as_f64().is_some_and(|number| {
            operand.as_array().unwrap().chunks(2).all(|term| {
                let bound = term[1].as_f64().unwrap();
                match term[0].as_str().unwrap() {
                    "=" => number == bound,
                    "<" => number < bound,
                    "<=" => number <= bound,
                    ">" => number > bound,
                    _ => number >= bound,
                }
            })
        }),
        "prefix" if operand.is_object() => {
            text.is_some_and(|text| text.to_lowercase().starts_with(&lower(operand).unwrap()))
        }
        "suffix" if operand.is_object() => {
            text.is_some_and(|text| text.to_lowercase().ends_with(&lower(operand).unwrap()))
        }
        "prefix" => text.is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
        "suffix" => text.is_some_and(|text| text.ends_with(operand.as_str().unwrap())),
        "equals-ignore-case" => {
            text.is_some_and(|text| text.to_lowercase() == operand.as_str().unwrap().to_lowercase())
        }
        "wildcard" => text.is_some_and(|text| {
            let regex = ::regex::escape(operand.as_str().unwrap()).replace("\\*", "(?s:.*)");
            ::regex::Regex::new(&format!("^{regex}$")).unwrap().is_match(text)
        }),
        "cidr" => {
            let (network, bits) = operand.as_str().unwrap().split_once('/').unwrap();
            let number = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
            let shift = 32 - bits.parse::<u32>().unwrap();
            let cut = |address: u32| u64::from(address) >> shift;
            text.and_then(number).is_some_and(|address| cut(address) == cut(number(network).unwrap()))
        }
        other => unreachable!("{other}"),
    }
}

/// Tries every field, and absence, for every condition.
fn try_all(left: &[(&String, &Vec<Value>)], chosen: &BTreeMap<usize, usize>, absent: &[&str], leaves: &[Leaf]) -> bool {
    let fits =
        |within: &BTreeMap<usize, usize>| within.iter().all(|(list, at)| chosen.get(list).is_none_or(|c| c == at));
    let Some(((path, leaf), rest)) = left.split_first() else {
        return absent.iter().all(|path| !leaves.iter().any(|(other, _, within)| other == path && fits(within)));
    };
    let here = leaves.iter().filter(|(other, value, within)| {
        other == *path && fits(within) && leaf.iter().any(|matcher| matcher["exists"] != false && is(matcher, value))
    });
    let found = here.into_iter().any(|(_, _, within)| {
        let both = chosen.iter().chain(within).map(|(list, at)| (*list, *at)).collect();
        try_all(rest, &both, absent, leaves)
    });
    found
        || leaf.iter().any(|matcher| matcher["exists"] == false)
            && try_all(rest, chosen, &[absent, &[path.as_str()]].concat(), leaves)
}

fn obvious(pattern: &Value, event: &Value) -> bool {
    let mut leaves = Vec::new();
    flatten(event, "", &BTreeMap::new(), &mut 0, &mut leaves);
    alternatives(pattern, "", vec![Conditions::new()])
        .iter()
        .any(|conditions| try_all(&conditions.iter().collect::<Vec<_>>(), &BTreeMap::new(), &[], &leaves))
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "a",
        "b",
        "ab",
        "ba",
        "aba",
        "abcba",
        "AB",
        "bcbc",
        "abcdab",
        "É",
        "é",
        "192.0.2.7",
        "192.0.3.7",
    ])
    .prop_map(str::to_owned)
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        3 => prop::sample::select(vec![json!(0), json!(1), json!(1.0), json!(1.5), json!(2), json!(-3)]),
        1 => prop::sample::select(vec![Value::Null, json!(true), json!(false)]),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["p", "q", "r", "s"]).prop_map(str::to_owned)
}

fn event() -> impl Strategy<Value = Value> {
    let value = plain().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::vec((key(), value), 0..5).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn wildcard() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["*", "a*", "*a", "*b*", "a*b*a", "*bcbc*", "*cdab*", "ab", "*192.0*"])
        .prop_map(str::to_owned)
}

fn bound() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![json!(-3), json!(0), json!(1), json!(1.5)])
}

fn one_or_more(texts: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = Value> {
    prop_oneof![texts.clone().prop_map(Value::from), prop::collection::vec(texts, 1..3).prop_map(Value::from)]
}

fn matcher() -> impl Strategy<Value = Value> {
    let filled = || text().prop_filter("not empty", |text| !text.is_empty()).boxed();
    prop_oneof![
        6 => plain(),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => text().prop_map(|text| json!({ "prefix": text })),
        1 => text().prop_map(|text| json!({ "suffix": text })),
        1 => text().prop_map(|text| json!({ "prefix": { "equals-ignore-case": text } })),
        1 => text().prop_map(|text| json!({ "suffix": { "equals-ignore-case": text } })),
        1 => text().prop_map(|text| json!({ "equals-ignore-case": text })),
        2 => wildcard().prop_map(|text| json!({ "wildcard": text })),
        1 => prop::sample::select(vec!["=", "<", "<=", ">", ">="]).prop_flat_map(|op| bound().prop_map(move |n| json!({ "numeric": [op, n] }))),
        1 => bound().prop_map(|n| json!({ "numeric": [">=", n, "<", 1.75] })),
        1 => prop::sample::select(vec!["192.0.2.0/24", "192.0.2.9/22", "0.0.0.0/0"]).prop_map(|net| json!({ "cidr": net })),
        1 => one_or_more(text().boxed()).prop_map(|texts| json!({ "anything-but": texts })),
        1 => prop::collection::vec(bound(), 1..3).prop_map(|numbers| json!({ "anything-but": numbers })),
        1 => one_or_more(filled()).prop_map(|texts| json!({ "anything-but": { "prefix": texts } })),
        1 => one_or_more(filled()).prop_map(|texts| json!({ "anything-but": { "suffix": texts } })),
        1 => one_or_more(text().boxed()).prop_map(|texts| json!({ "anything-but": { "equals-ignore-case": texts } })),
        1 => one_or_more(wildcard().boxed()).prop_map(|texts| json!({ "anything-but": { "wildcard": texts } })),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(matcher(), 1..3).prop_map(Value::from);
    let below = leaf.prop_recursive(3, 8, 3, |inner| {
        let object = prop::collection::vec((key(), inner), 1..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
            .boxed();
        prop_oneof![
            3 => object.clone(),
            1 => prop::collection::vec(object.prop_filter("an object of keys", Value::is_object), 2..4)
                .prop_map(|branches| json!({ "$or": branches })),
        ]
    });
    prop::collection::vec((key(), below), 1..4).prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn one_pattern_and_many_at_once_match_as_the_obvious_matcher_says(
        patterns in prop::collection::vec(pattern(), 1..24),
        events in prop::collection::vec(event(), 1..12),
    ) {
        let parsed: Vec<Pattern> = patterns.iter().map(|pattern| Pattern::from_value(pattern).unwrap()).collect();
        let set = PatternSet::new(parsed.iter().cloned().enumerate());
        for event in &events {
            let flat = Event::new(event);
            let mut together = Vec::new();
            set.matches(&flat, &mut |name| together.push(*name));
            for (number, pattern) in patterns.iter().enumerate() {
                let expected = obvious(pattern, event);
                prop_assert_eq!(parsed[number].matches(&flat), expected, "{} on {}", pattern, event);
                prop_assert_eq!(parsed[number].misses(&flat).is_empty(), expected, "misses: {} on {}", pattern, event);
                prop_assert_eq!(together.contains(&number), expected, "together: {} on {}", pattern, event);
            }
        }
    }
}
