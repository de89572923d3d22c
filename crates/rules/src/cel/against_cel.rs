//! The evaluator against the one of the `cel` crate, over documents where no key is missing.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use yagura_model::Inventory;

use super::*;
use crate::library::Library;
use crate::tables::Tables;
use crate::testing::sample;

/// The same document for the `cel` crate, all at once.
fn eager(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => cel::Value::Int(value),
            None => cel::Value::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => cel::Value::String(Arc::new(text.clone())),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(eager).collect())),
        Value::Object(entries) => {
            let entries: HashMap<String, cel::Value> =
                entries.iter().map(|(key, value)| (key.clone(), eager(value))).collect();
            entries.into()
        }
    }
}

/// What the `cel` crate says; none where it fails.
fn by_cel(source: &str, properties: &Value) -> Option<Value> {
    let program = cel::Program::compile(source).unwrap();
    let mut context = cel::Context::default();
    context.add_variable_from_value("Properties", eager(properties));
    program.execute(&context).ok().map(|value| value.json().unwrap())
}

fn by_us(source: &str, properties: &Map<String, Value>) -> Option<Value> {
    let mut resource = sample("AWS::S3::Bucket");
    resource.properties = properties.clone();
    let (inventory, tables) = (Inventory::default(), Tables::default());
    let world = World::new(&inventory, &tables, DateTime::UNIX_EPOCH);
    let arena = Arena::new();
    let expr = compile(source, &Library::default()).unwrap_or_else(|error| panic!("{source}: {error:?}"));
    let mut evaluation = Evaluation::new(&world, &resource, &arena);
    evaluation.eval(&expr).ok().map(|value| value.to_json().into_owned())
}

fn document() -> impl Strategy<Value = Map<String, Value>> {
    let text = "[a-c]{0,3}";
    let rule =
        (0i64..4, text, any::<bool>()).prop_map(|(port, cidr, on)| json!({"port": port, "cidr": cidr, "on": on}));
    (
        (-3i64..4, -3i64..4, -4i32..8, any::<bool>(), any::<bool>()),
        (text, text),
        proptest::collection::vec(-3i64..4, 0..4),
        proptest::collection::vec(text, 0..4),
        proptest::collection::vec(rule, 0..4),
    )
        .prop_map(|((i, j, half, b, c), (s, t), numbers, texts, rules)| {
            let document = json!({
                "i": i, "j": j, "d": f64::from(half) / 2.0, "b": b, "c": c, "s": s, "t": t,
                "numbers": numbers, "texts": texts, "rules": rules, "deep": {"m": {"i": i, "s": s}},
            });
            document.as_object().unwrap().clone()
        })
}

/// Numbers; `x` is a number that a comprehension may have bound.
fn number(depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        (-3i64..4).prop_map(|value| value.to_string()),
        (0u8..4).prop_map(|value| format!("{value}.5")),
        prop::sample::select(vec!["Properties.i", "Properties['j']", "Properties.d", "Properties.deep.m.i"])
            .prop_map(str::to_owned),
        prop::sample::select(vec!["size(Properties.texts)", "Properties.s.size()", "Properties.rules.size()"])
            .prop_map(str::to_owned),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let whole =
        || prop::sample::select(vec!["Properties.i", "Properties.j", "2", "0", "-1", "size(Properties.numbers)"]);
    prop_oneof![
        leaf,
        (whole(), prop::sample::select(vec!["+", "-", "*", "/", "%"]), whole())
            .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
        (bool_expr(depth - 1), number(depth - 1), number(depth - 1))
            .prop_map(|(condition, then, otherwise)| format!("({condition} ? {then} : {otherwise})")),
        Just("Properties.numbers.map(n, n * 2).filter(n, n > 0).size()".to_owned()),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-c]{0,2}".prop_map(|value| format!("'{value}'")),
        prop::sample::select(vec![
            "Properties.s",
            "Properties.t",
            "Properties['deep'].m.s",
            "Properties.s + Properties.t"
        ])
        .prop_map(|source| format!("({source})")),
    ]
    .boxed()
}

fn bool_expr(depth: u32) -> BoxedStrategy<String> {
    let sign = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let same = || prop::sample::select(vec!["==", "!="]);
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "true",
            "false",
            "Properties.b",
            "Properties.c",
            "has(Properties.i)",
            "has(Properties.deep.m)",
            "Properties.i in Properties.numbers",
            "Properties.s in Properties.texts",
            "'i' in Properties.deep.m",
            "Properties.numbers == [1, 2]",
            "Properties.deep == {'m': {'i': 1, 's': 'a'}}",
            "Properties.deep.m == Properties.deep.m",
            "Properties.rules == Properties.rules",
            "1.0 in Properties.numbers",
            "Properties.texts + ['a'] == Properties.texts",
            "Properties.i == 'a'",
            "Properties.numbers == Properties.texts",
            "Properties.rules.map(r, r.port) == Properties.numbers",
            "Properties.rules.exists_one(r, r.on)",
        ])
        .prop_map(str::to_owned),
        // Terms that fail: a text as a bool, a division by zero.
        prop::sample::select(vec!["Properties.s", "(1 / 0 == 1)", "(Properties.i < 'a')"]).prop_map(str::to_owned),
        (number(0), sign(), number(0)).prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
        (text(), sign(), text()).prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
        (text(), prop::sample::select(vec!["startsWith", "endsWith", "contains", "matches"]), text())
            .prop_map(|(left, name, right)| format!("{left}.{name}({right})")),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let smaller = || bool_expr(depth - 1);
    prop_oneof![
        leaf,
        (smaller(), smaller()).prop_map(|(left, right)| format!("({left} && {right})")),
        (smaller(), smaller()).prop_map(|(left, right)| format!("({left} || {right})")),
        smaller().prop_map(|of| format!("!({of})")),
        (smaller(), same(), smaller()).prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
        (smaller(), smaller(), smaller()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        (number(depth - 1), sign(), number(depth - 1))
            .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
        (
            prop::sample::select(vec!["all", "exists"]),
            number(0),
            sign(),
            smaller(),
            prop::sample::select(vec!["&&", "||"])
        )
            .prop_map(|(name, limit, sign, other, joint)| {
                format!("Properties.numbers.{name}(n, n {sign} {limit} {joint} {other})")
            }),
        (prop::sample::select(vec!["all", "exists"]), smaller(), text()).prop_map(|(name, other, part)| {
            format!(
                "Properties.rules.{name}(rule, rule.on && {other} || rule.cidr.startsWith({part}) && 6 / rule.port > 2)"
            )
        }),
        (prop::sample::select(vec!["all", "exists"]), smaller())
            .prop_map(|(name, other)| format!("Properties.deep.m.{name}(key, key == 'i' || {other})")),
        (smaller(), smaller()).prop_map(|(taken, other)| {
            format!("Properties.rules.filter(rule, rule.on || {taken}).all(rule, rule.port > 1 || {other})")
        }),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(properties in document(), source in bool_expr(3)) {
        let document = Value::Object(properties.clone());
        prop_assert_eq!(by_us(&source, &properties), by_cel(&source, &document), "{}", source);
    }

    #[test]
    fn no_text_stops_the_parser(source in "[ -~\\n\u{e9}\u{3042}]{0,40}") {
        let _ = compile(&source, &Library::default());
    }
}
