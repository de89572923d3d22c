mod against_obvious;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn check(pattern: &str, event: &str, expected: bool) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let value: Value = serde_json::from_str(event).unwrap();
    let event = Event::new(&value);
    assert_eq!(parsed.matches(&event), expected, "{pattern} on {value}");
    assert_eq!(parsed.misses(&event).is_empty(), expected, "the misses of {pattern} on {value}");
    let set = PatternSet::new([("one", parsed)]);
    let mut found = false;
    set.matches(&event, &mut |_| found = true);
    assert_eq!(found, expected, "the set of {pattern} on {value}");
}

/// What is asked of the field `a`, and its value; `-` for none.
fn check_field(leaf: &str, value: &str, expected: bool) {
    let event = if value == "-" { r#"{"b": 1}"#.to_owned() } else { format!(r#"{{"a": {value}}}"#) };
    check(&format!(r#"{{"a": {leaf}}}"#), &event, expected);
}

#[test]
fn values_are_compared_by_type() {
    for (leaf, value, expected) in [
        (r#"["x"]"#, r#""x""#, true),
        (r#"["x"]"#, r#""X""#, false),
        (r#"["x", "y"]"#, r#""y""#, true),
        (r#"[""]"#, r#""""#, true),
        (r#"[""]"#, "null", false),
        ("[true]", "true", true),
        ("[true]", r#""true""#, false),
        ("[null]", "null", true),
        ("[null]", "-", false),
        ("[null]", r#""null""#, false),
        ("[300]", "300", true),
        ("[300]", "300.0", true),
        ("[3.0e2]", "300", true),
        ("[300]", r#""300""#, false),
        (r#"["300"]"#, "300", false),
        ("[0]", "-0.0", true),
        ("[9007199254740992]", "9007199254740993", false),
        (r#"[{"exactly": "x"}]"#, r#""x""#, true),
    ] {
        check_field(leaf, value, expected);
    }
}

#[test]
fn operators_do_what_they_are_called() {
    for (leaf, value, expected) in [
        (r#"[{"prefix": "ab"}]"#, r#""abc""#, true),
        (r#"[{"prefix": "ab"}]"#, r#""a""#, false),
        (r#"[{"prefix": "ab"}]"#, r#""Abc""#, false),
        (r#"[{"prefix": ""}]"#, r#""""#, true),
        (r#"[{"prefix": "1"}]"#, "12", false),
        (r#"[{"prefix": {"equals-ignore-case": "aB"}}]"#, r#""AbC""#, true),
        (r#"[{"suffix": ".png"}]"#, r#""a.png""#, true),
        (r#"[{"suffix": ".png"}]"#, r#""a.PNG""#, false),
        (r#"[{"suffix": {"equals-ignore-case": ".png"}}]"#, r#""a.PNG""#, true),
        (r#"[{"suffix": "日"}]"#, r#""一日""#, true),
        (r#"[{"equals-ignore-case": "Stop"}]"#, r#""sTOP""#, true),
        (r#"[{"equals-ignore-case": "Stop"}]"#, r#""stops""#, false),
        (r#"[{"wildcard": "a*z"}]"#, r#""az""#, true),
        (r#"[{"wildcard": "a*z"}]"#, r#""abcz""#, true),
        (r#"[{"wildcard": "a*z"}]"#, r#""abc""#, false),
        (r#"[{"wildcard": "*/b/*"}]"#, r#""a/b/c""#, true),
        (r#"[{"wildcard": "ab*ba"}]"#, r#""aba""#, false),
        (r#"[{"wildcard": "*"}]"#, r#""""#, true),
        (r#"[{"wildcard": "a\\*b"}]"#, r#""a*b""#, true),
        (r#"[{"wildcard": "a\\*b"}]"#, r#""axb""#, false),
        (r#"[{"wildcard": "a\\\\*"}]"#, r#""a\\x""#, true),
        (r#"[{"wildcard": "a?c"}]"#, r#""abc""#, false),
        (r#"[{"numeric": ["=", 5]}]"#, "5.0", true),
        (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "5", true),
        (r#"[{"numeric": [">", 0, "<=", 5]}]"#, "0", false),
        (r#"[{"numeric": [">=", 0, "<", 5]}]"#, "0", true),
        (r#"[{"numeric": [">=", 0, "<", 5]}]"#, "5", false),
        (r#"[{"numeric": ["<", 5]}]"#, r#""1""#, false),
        (r#"[{"numeric": ["<", 5]}]"#, "-1e30", true),
        (r#"[{"cidr": "192.0.2.0/24"}]"#, r#""192.0.2.9""#, true),
        (r#"[{"cidr": "192.0.2.0/24"}]"#, r#""192.0.3.9""#, false),
        (r#"[{"cidr": "192.0.2.0/24"}]"#, r#""192.0.2.0/24""#, false),
        (r#"[{"cidr": "2001:db8::/32"}]"#, r#""2001:db8::1""#, true),
        (r#"[{"cidr": "0.0.0.0/0"}]"#, r#""ec2.amazonaws.com""#, false),
        (r#"[{"exists": true}]"#, "null", true),
        (r#"[{"exists": true}]"#, "-", false),
        (r#"[{"exists": false}]"#, "-", true),
        (r#"[{"exists": false}]"#, "null", false),
        (r#"[{"exists": true}]"#, r#"{"c": 1}"#, false),
        (r#"[{"exists": false}]"#, r#"{"c": 1}"#, true),
        (r#"[{"exists": true}]"#, "[]", false),
        (r#"[{"exists": false}]"#, "[]", true),
        (r#"[{"exists": true}]"#, "{}", false),
        (r#"["x", {"exists": false}]"#, "-", true),
        (r#"["x", {"exists": false}]"#, r#""x""#, true),
        (r#"["x", {"exists": false}]"#, r#""y""#, false),
        (r#"[{"prefix": "a"}, 3, {"cidr": "192.0.2.0/24"}]"#, "3", true),
    ] {
        check_field(leaf, value, expected);
    }
}

#[test]
fn anything_but_holds_of_every_other_value_that_is_there() {
    for (leaf, value, expected) in [
        (r#"[{"anything-but": "x"}]"#, r#""y""#, true),
        (r#"[{"anything-but": "x"}]"#, r#""x""#, false),
        (r#"[{"anything-but": "x"}]"#, "-", false),
        (r#"[{"anything-but": "x"}]"#, "null", true),
        (r#"[{"anything-but": "1"}]"#, "1", true),
        (r#"[{"anything-but": ["x", "y"]}]"#, r#""y""#, false),
        (r#"[{"anything-but": 1}]"#, "1.0", false),
        (r#"[{"anything-but": [1, 2]}]"#, "3", true),
        (r#"[{"anything-but": [1, 2]}]"#, r#""1""#, true),
        (r#"[{"anything-but": {"prefix": "a"}}]"#, r#""ab""#, false),
        (r#"[{"anything-but": {"prefix": ["a", "b"]}}]"#, r#""c""#, true),
        (r#"[{"anything-but": {"suffix": [".a", ".b"]}}]"#, r#""x.b""#, false),
        (r#"[{"anything-but": {"suffix": ".a"}}]"#, "7", true),
        (r#"[{"anything-but": {"equals-ignore-case": ["On", "Off"]}}]"#, r#""oFF""#, false),
        (r#"[{"anything-but": {"equals-ignore-case": "On"}}]"#, r#""onn""#, true),
        (r#"[{"anything-but": {"wildcard": "*/lib/*"}}]"#, r#""a/lib/b""#, false),
        (r#"[{"anything-but": {"wildcard": ["a*", "*b"]}}]"#, r#""cc""#, true),
        // One element that is different is enough.
        (r#"[{"anything-but": "x"}]"#, r#"["x", "y"]"#, true),
        (r#"[{"anything-but": "x"}]"#, r#"["x", "x"]"#, false),
        (r#"[{"anything-but": "x"}]"#, "[]", false),
    ] {
        check_field(leaf, value, expected);
    }
}

#[test]
fn fields_below_a_list_come_from_one_element() {
    let event = r#"{"n": [{"a": 1, "b": 2, "m": [{"x": 1, "y": 1}, {"x": 2, "y": 2}]}, {"a": 3, "b": 4, "m": [{"x": 3, "y": 3}]}, {"c": 9}],
        "tags": ["p", "q"], "deep": [[{"x": 1, "y": 1}], [{"x": 2, "y": 2}]], "k": "v"}"#;
    for (pattern, expected) in [
        (r#"{"n": {"a": [1], "b": [2]}}"#, true),
        (r#"{"n": {"a": [1], "b": [4]}}"#, false),
        (r#"{"n": {"a": [1]}, "tags": ["q"], "k": ["v"]}"#, true),
        (r#"{"n": {"m": {"x": [2], "y": [2]}}}"#, true),
        (r#"{"n": {"m": {"x": [1], "y": [2]}}}"#, false),
        (r#"{"n": {"a": [3], "m": {"x": [1]}}}"#, false),
        (r#"{"n": {"a": [3], "m": {"x": [3]}}}"#, true),
        (r#"{"n": {"a": [1], "m": {"x": [2], "y": [{"anything-but": 1}]}}}"#, true),
        (r#"{"deep": {"x": [1], "y": [1]}}"#, true),
        (r#"{"deep": {"x": [1], "y": [2]}}"#, false),
        (r#"{"n": {"a": [1], "c": [{"exists": false}]}}"#, true),
        (r#"{"n": {"a": [{"exists": false}], "c": [9]}}"#, true),
        (r#"{"n": {"b": [{"exists": false}], "a": [1]}}"#, false),
        (r#"{"n": {"c": [{"exists": false}]}}"#, false),
        (r#"{"n": {"z": [{"exists": false}]}}"#, true),
        (r#"{"n": {"a": [1, {"exists": false}], "c": [9]}}"#, true),
        (r#"{"n": {"a": [1, {"exists": false}], "b": [4]}}"#, false),
        (r#"{"tags": ["p"], "k": [{"prefix": "v"}]}"#, true),
    ] {
        check(pattern, event, expected);
    }
}

#[test]
fn or_joins_alternatives_with_what_stands_beside() {
    let event = |a: i32, b: i32, c: i32| json!({ "a": a, "d": { "b": b, "c": c } }).to_string();
    for (pattern, event, expected) in [
        (r#"{"$or": [{"a": [1]}, {"d": {"b": [2]}}]}"#, event(1, 0, 0), true),
        (r#"{"$or": [{"a": [1]}, {"d": {"b": [2]}}]}"#, event(0, 2, 0), true),
        (r#"{"$or": [{"a": [1]}, {"d": {"b": [2]}}]}"#, event(0, 0, 0), false),
        (r#"{"a": [1], "d": {"$or": [{"b": [2]}, {"c": [3]}]}}"#, event(1, 0, 3), true),
        (r#"{"a": [1], "d": {"$or": [{"b": [2]}, {"c": [3]}]}}"#, event(0, 2, 3), false),
        (r#"{"$or": [{"a": [1]}, {"a": [2]}], "d": {"$or": [{"b": [2]}, {"c": [3]}]}}"#, event(2, 2, 0), true),
        (r#"{"$or": [{"a": [1]}, {"$or": [{"d": {"b": [5]}}, {"d": {"c": [6]}}]}]}"#, event(0, 0, 6), true),
        (r#"{"$or": [1, 2]}"#, json!({ "$or": 2 }).to_string(), true),
        (r#"{"$or": [{"prefix": "a"}, {"prefix": "b"}]}"#, json!({ "$or": "bc" }).to_string(), true),
    ] {
        check(pattern, &event, expected);
    }
}

#[test]
fn keys_are_paths() {
    for (pattern, event, expected) in [
        (r#"{"a": {"b": [1]}}"#, r#"{"a.b": 1}"#, true),
        (r#"{"a.b": [1]}"#, r#"{"a": {"b": 1}}"#, true),
        (r#"{"A": [1]}"#, r#"{"a": 1}"#, false),
        (r#"{"a": [1], "a": [2]}"#, r#"{"a": 2}"#, true),
        (r#"{"a": [1], "a": [2]}"#, r#"{"a": 1}"#, false),
        (r#"{"": [1]}"#, r#"{"": 1}"#, true),
        (r#"{"": {"a": [1]}}"#, r#"{"": {"a": 1}}"#, true),
    ] {
        check(pattern, event, expected);
    }
}

#[test]
fn what_aws_refuses_is_an_error_with_its_place() {
    for (pattern, expected) in [
        ("{}", "an empty object is not allowed"),
        ("[]", "the pattern is not a JSON object"),
        (r#"{"a": {}}"#, "at `a`: an empty object is not allowed"),
        (r#"{"a": {"b": []}}"#, "at `a.b`: an empty list is not allowed"),
        (r#"{"a": "x"}"#, "at `a`: expected a list of values or an object"),
        (r#"{"a": [["x"]]}"#, "at `a`: a value is a text, a number, a bool, null or a match expression, not a list"),
        (r#"{"a": [{}]}"#, "at `a`: a match expression names an operator"),
        (r#"{"a": [{"prefix": "a", "suffix": "b"}]}"#, "at `a`: a match expression has one operator only"),
        (r#"{"a": [{"starts": "a"}]}"#, "at `a`: there is no operator `starts`"),
        (r#"{"a": [{"prefix": 1}]}"#, "at `a`: `prefix` wants a text"),
        (r#"{"a": [{"suffix": {"wildcard": "x"}}]}"#, "at `a`: `suffix` wants a text or `equals-ignore-case`"),
        (r#"{"a": [{"exists": "true"}]}"#, "at `a`: `exists` wants true or false"),
        (r#"{"a": [{"wildcard": "a**b"}]}"#, "at `a`: two stars stand side by side in the wildcard"),
        (r#"{"a": [{"wildcard": "a\\b"}]}"#, "at `a`: a `\\` in a wildcard stands before `*` or `\\` only"),
        (r#"{"a": [{"cidr": "192.0.2.1"}]}"#, "at `a`: `192.0.2.1` is not a network in CIDR notation"),
        (r#"{"a": [{"anything-but": []}]}"#, "at `a`: an empty list is not allowed in `anything-but`"),
        (r#"{"a": [{"anything-but": ["x", 1]}]}"#, "at `a`: a list in `anything-but` holds texts only or numbers only"),
        (
            r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
            "at `a`: an empty `prefix` in `anything-but` would leave nothing",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, "<", 5]}]}"#,
            "at `a`: the lower bound of `numeric` must be less than the upper one",
        ),
        (r#"{"a": [{"numeric": ["!", 5]}]}"#, "at `a`: there is no comparison `!` in `numeric`"),
        (r#"{"a": [{"numeric": ["=", "5"]}]}"#, "at `a`: `\"5\"` is not a number"),
        (r#"{"a": [9007199254740993]}"#, "the number `9007199254740993` cannot be compared exactly"),
        (r#"{"$or": [{"a": [1]}]}"#, "at `$or`: there is no operator `a`"),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap_err().to_string(), expected, "{pattern}");
    }
    for pattern in [
        r#"{"a": [{"anything-but": null}]}"#,
        r#"{"a": [{"anything-but": true}]}"#,
        r#"{"a": [{"anything-but": [null]}]}"#,
        r#"{"a": [{"anything-but": {"exists": true}}]}"#,
        r#"{"a": [{"anything-but": {"prefix": "a", "suffix": "b"}}]}"#,
        r#"{"a": [{"numeric": []}]}"#,
        r#"{"a": [{"numeric": 5}]}"#,
        r#"{"a": [{"numeric": ["<", 9, ">", 1]}]}"#,
        r#"{"a": [{"numeric": [">", 1, "<", 9, "<", 10]}]}"#,
        r#"{"a": [{"numeric": ["=", 1, "<", 9]}]}"#,
        r#"{"a": [{"numeric": [">", 1, "<"]}]}"#,
        r#"{"a": [{"numeric": [">", 1, "=", 2]}]}"#,
        "{\"a\": [",
        "",
    ] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn limits_hold() {
    let or = |count: usize| -> Value { (0..count).map(|number| json!({ "a": [number] })).collect::<Vec<_>>().into() };
    let two = |first, second| json!({ "$or": or(first), "b": { "$or": or(second) } });
    assert!(Pattern::from_value(&two(25, 40)).is_ok());
    assert!(Pattern::from_value(&two(25, 41)).is_err());
    let long = |length: usize| json!({ "a": ["x".repeat(length - r#"{"a":[""]}"#.len())] }).to_string();
    assert!(Pattern::parse(&long(PATTERN_CHARS_MAX)).is_ok());
    assert!(Pattern::parse(&long(PATTERN_CHARS_MAX + 1)).is_err());
    let stars = |count: usize| json!({ "a": [{ "wildcard": "*a".repeat(count) }] });
    assert!(Pattern::from_value(&stars(WILDCARD_COMPLEXITY_MAX)).is_ok());
    assert!(Pattern::from_value(&stars(WILDCARD_COMPLEXITY_MAX + 1)).is_err());
    let apart: Vec<Value> = (100..250).map(|number| json!({ "wildcard": format!("{number}*") })).collect();
    assert!(Pattern::from_value(&json!({ "a": apart })).is_ok());
}

#[test]
fn many_elements_in_many_lists_take_no_time_to_speak_of() {
    let list: Vec<Value> = (0..300).map(|number| json!({ "x": number, "y": number + 1, "z": 0 })).collect();
    let event = json!({ "a": list, "b": list, "c": list, "d": list });
    let never = json!({ "x": [{ "exists": true }], "y": [{ "exists": true }], "z": [{ "exists": true }], "w": [{ "exists": false }] });
    let pattern = json!({ "a": never, "b": never, "c": never, "d": { "x": [5], "y": [5] } });
    check(&pattern.to_string(), &event.to_string(), false);
}

#[test]
fn the_reason_for_a_miss_is_given() {
    let event = json!({ "source": "aws.ec2", "detail": { "list": [{ "a": 1, "b": 1 }, { "a": 2, "b": 2 }], "state": ["x", 5] } });
    let event = Event::new(&event);
    for (pattern, expected) in [
        (r#"{"source": ["aws.s3"]}"#, vec![("source", Reason::Different(vec!["\"aws.ec2\"".into()]))]),
        (r#"{"detail": {"name": ["x"]}}"#, vec![("detail.name", Reason::Absent)]),
        (r#"{"source": [{"exists": false}]}"#, vec![("source", Reason::Present(vec!["\"aws.ec2\"".into()]))]),
        (
            r#"{"detail": {"state": ["y"]}}"#,
            vec![("detail.state", Reason::Different(vec!["\"x\"".into(), "5".into()]))],
        ),
        (
            r#"{"detail": {"list": {"a": [1], "b": [2]}}}"#,
            vec![("detail.list.a", Reason::DifferentElements), ("detail.list.b", Reason::DifferentElements)],
        ),
        (r#"{"$or": [{"x": [1], "y": [1]}, {"source": ["aws.ec2"], "z": [1]}]}"#, vec![("z", Reason::Absent)]),
    ] {
        let misses = Pattern::parse(pattern).unwrap().misses(&event);
        let found: Vec<_> = misses.iter().map(|miss| (miss.path.as_str(), miss.reason.clone())).collect();
        assert_eq!(found, expected, "{pattern}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn a_wildcard_matches_as_a_regular_expression_would(pattern in "[ab]{0,3}(\\*[ab]{1,3}){0,4}\\*?", text in "[ab]{0,9}") {
        let regex = ::regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
        prop_assert_eq!(wildcard::Wildcard::parse(&pattern).unwrap().matches(&text), regex.is_match(&text));
    }
}
