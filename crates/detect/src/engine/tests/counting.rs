//! Windows against the obvious way: after every event, look at every window again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// An event: seconds, who, what, and a number.
type Happened = (u32, u8, u8, u8);

const SPAN_S: u32 = 600;

/// What a correlation asks of a window, given as pairs of what and number, in the order of time.
type Obvious = fn(&[(u32, u8, u8)]) -> bool;

fn correlations() -> Vec<(&'static str, Obvious)> {
    fn kinds(window: &[(u32, u8, u8)]) -> BTreeSet<u8> {
        window.iter().map(|(_, what, _)| *what).collect()
    }
    fn numbers(window: &[(u32, u8, u8)]) -> BTreeSet<u8> {
        window.iter().map(|(_, _, number)| *number).collect()
    }
    fn ordered(window: &[(u32, u8, u8)]) -> bool {
        window.iter().any(|(first, a, _)| {
            *a == 0
                && window.iter().any(|(second, b, _)| {
                    *b == 1 && second >= first && window.iter().any(|(third, c, _)| *c == 2 && third >= second)
                })
        })
    }
    vec![
        ("type: event_count\n  condition: {gte: 4}", |window| window.len() >= 4),
        ("type: event_count\n  condition: {gt: 2, lte: 5}", |window| window.len() > 2 && window.len() <= 5),
        ("type: event_count\n  condition: {eq: 3}", |window| window.len() == 3),
        ("type: value_count\n  condition: {field: number, gte: 3}", |window| numbers(window).len() >= 3),
        ("type: value_count\n  condition: {field: number, lt: 2}", |window| numbers(window).len() < 2),
        ("type: value_sum\n  condition: {field: number, gte: 7}", |window| {
            window.iter().map(|(_, _, number)| u32::from(*number)).sum::<u32>() >= 7
        }),
        ("type: temporal", |window| kinds(window).len() == 3),
        ("type: temporal\n  condition: r0 and (r1 or r2)", |window| {
            let kinds = kinds(window);
            kinds.contains(&0) && (kinds.contains(&1) || kinds.contains(&2))
        }),
        ("type: temporal\n  condition: r0 and not r1", |window| {
            kinds(window).contains(&0) && !kinds(window).contains(&1)
        }),
        ("type: temporal_ordered", ordered),
    ]
}

fn rules(correlation: &str) -> String {
    let mut text = String::new();
    for number in 0..3 {
        let rule = format!(
            "title: r{number}\nname: r{number}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  s: {{eventName: kind{number}}}\n  \
             condition: s\n---\n"
        );
        text.push_str(&rule);
    }
    text + &format!(
        "title: c\ncorrelation:\n  {correlation}\n  rules: [r0, r1, r2]\n  group-by: [who]\n  timespan: {SPAN_S}s\n"
    )
}

/// Who has which events in a finding.
fn obvious(events: &[Happened], holds: Obvious) -> BTreeMap<u8, BTreeSet<usize>> {
    let mut told: BTreeMap<u8, BTreeSet<usize>> = BTreeMap::new();
    let mut known: Vec<usize> = Vec::new();
    let mut newest = 0;
    for (number, (second, who, ..)) in events.iter().enumerate() {
        newest = newest.max(*second);
        if newest - second > 3_600 {
            continue;
        }
        known.push(number);
        for end in *second..=second + SPAN_S {
            let group = known.iter().filter(|other| events[**other].1 == *who);
            if !group.clone().any(|other| events[*other].0 == end) {
                continue;
            }
            let within: Vec<usize> =
                group.copied().filter(|other| events[*other].0 <= end && events[*other].0 + SPAN_S >= end).collect();
            let mut window: Vec<_> =
                within.iter().map(|other| (events[*other].0, events[*other].2, events[*other].3)).collect();
            window.sort_by_key(|(second, ..)| *second);
            if holds(&window) {
                told.entry(*who).or_default().extend(within);
            }
        }
    }
    told
}

fn event(number: usize, (second, who, what, value): Happened) -> String {
    format!(
        r#"{{"eventTime": "{}", "eventID": "{}", "who": "u{who}", "eventName": "kind{what}", "number": {value}}}"#,
        at(second),
        id(number)
    )
}

fn events() -> impl Strategy<Value = Vec<Happened>> {
    // Mostly onward, sometimes late, sometimes too late.
    let step = prop_oneof![6 => 0_i64..250, 2 => -500_i64..0, 1 => 600_i64..5_000, 1 => -5_000_i64..-3_000];
    prop::collection::vec((step, 0_u8..2, 0_u8..3, 0_u8..4), 0..60).prop_map(|steps| {
        let mut newest = 20_000_i64;
        steps
            .into_iter()
            .map(|(step, who, what, value)| {
                let second = newest + step;
                newest = newest.max(second);
                (u32::try_from(second).unwrap(), who, what, value)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn correlations_count_as_one_would(events in events(), (correlation, holds) in select(correlations())) {
        let engine = engine(&rules(correlation));
        let mut state = State::new(&engine);
        let texts: Vec<String> = events.iter().enumerate().map(|(number, happened)| event(number, *happened)).collect();
        process(&engine, &mut state, &texts);
        let mut found: BTreeMap<u8, BTreeSet<usize>> = BTreeMap::new();
        for finding in state.findings() {
            prop_assert_eq!(&finding.rule, "cloudtrail/example#4");
            let who = finding.identity[0].1[0].trim_start_matches('u').parse().unwrap();
            let numbers: BTreeSet<usize> =
                finding.event_ids().map(|id| usize::from_str_radix(&id[24..], 16).unwrap()).collect();
            prop_assert_eq!(finding.count, numbers.len() as u64);
            let seconds: Vec<_> = numbers.iter().map(|number| events[*number].0).collect();
            prop_assert_eq!(finding.first_seen.format("%Y-%m-%dT%H:%M:%SZ").to_string(), at(*seconds.iter().min().unwrap()));
            prop_assert_eq!(finding.last_seen.format("%Y-%m-%dT%H:%M:%SZ").to_string(), at(*seconds.iter().max().unwrap()));
            found.insert(who, numbers);
        }
        prop_assert_eq!(found, obvious(&events, holds));
    }
}

#[test]
fn a_full_window_drops_the_oldest_and_says_so() {
    let text = rules("type: event_count\n  condition: {gte: 4}");
    let unreachable = text.replace("gte: 4", "gte: 4096");
    let engine = engine(&unreachable);
    let mut state = State::new(&engine);
    let texts: Vec<String> = (0..4_500).map(|number| event(number, (30_000, 0, 0, 0))).collect();
    process(&engine, &mut state, &texts);
    assert!(state.report().dropped_entries > 0 || state.findings().count() == 1);
    let refused = Detection::parse("detections/cloudtrail/x.yml", &text.replace("gte: 4", "gte: 4097"));
    assert!(refused.unwrap_err().message.contains("never reaches 4097"));
}
