//! The same events give the same findings: in one go, in pieces, after restarts.

use proptest::prelude::*;

use super::*;
use crate::state::{Limits, StateError};

const RULES: &str = "
title: denied
name: denied
logsource: {product: aws, service: cloudtrail}
detection: {s: {errorCode: AccessDenied}, condition: s}
---
title: new network
name: new-network
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
yagura:
  finding: UnauthorizedAccess:IAMUser/ConsoleLogin.New
  identity: [who]
  new: {of: [network], for: [who], learning: 2m, remember: 1h}
  title: {en: t, ja: 題}
  what: {en: '{who} from {network}', ja: '{who} が {network} から'}
  check: {en: c, ja: 確認}
  do: {en: d, ja: 対処}
tests:
  - {name: silent, events: [{eventName: ConsoleLogin, who: a, network: n}], findings: 0}
  - name: fires
    events: [{eventName: ConsoleLogin, who: a, network: n}, {after: 3m, eventName: ConsoleLogin, who: a, network: m}]
    findings: [{count: 1, identity: {who: a}}]
---
title: many
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: Get}, condition: s}
yagura:
  finding: Discovery:IAMUser/Many
  identity: [who]
  count: {within: 5m, by: [who], distinct: [network], at_least: 3}
  title: {en: t, ja: 題}
  what: {en: w, ja: 内容}
  check: {en: c, ja: 確認}
  do: {en: d, ja: 対処}
---
title: denied often
correlation:
  type: event_count
  rules: [denied]
  group-by: [who]
  timespan: 10m
  condition: {gte: 3}
";

type Happened = (i64, u8, u8, u8, bool);

fn text(number: usize, second: u32, (_, who, what, network, denied): Happened) -> String {
    let name = ["Get", "ConsoleLogin", "Put"][usize::from(what)];
    let error = if denied { r#", "errorCode": "AccessDenied""# } else { "" };
    format!(
        r#"{{"eventTime": "{}", "eventID": "{}", "eventName": "{name}", "who": "u{who}", "network": "n{network}"{error}}}"#,
        at(second),
        id(number)
    )
}

fn events() -> impl Strategy<Value = Vec<String>> {
    let happened = (
        prop_oneof![5 => 0_i64..120, 1 => -300_i64..0, 1 => 2_000_i64..9_000],
        0_u8..4,
        0_u8..3,
        0_u8..5,
        any::<bool>(),
    );
    (prop::collection::vec(happened, 1..80), prop::collection::vec(0_usize..80, 0..5)).prop_map(|(steps, again)| {
        let mut second = 20_000_i64;
        let mut texts: Vec<String> = Vec::new();
        for (number, happened) in steps.into_iter().enumerate() {
            texts.push(text(number, u32::try_from(second + happened.0).unwrap(), happened));
            second = second.max(second + happened.0);
        }
        for number in again {
            if let Some(text) = texts.get(number).cloned() {
                texts.push(text);
            }
        }
        texts
    })
}

proptest! {
    #[test]
    fn pieces_and_restarts_change_nothing(
        events in events(),
        cuts in prop::collection::vec(0_usize..100, 0..6),
        tight in any::<bool>(),
    ) {
        let limits = if tight {
            Limits { window_entries: 12, combinations: 5, learners: 3, findings: 4, ids: 9, sessions: 2 }
        } else {
            Limits::default()
        };
        let engine = engine(RULES);
        let mut whole = State::with_limits(&engine, limits);
        process(&engine, &mut whole, &events);
        let mut pieces = State::with_limits(&engine, limits);
        for (number, event) in events.iter().enumerate() {
            if cuts.contains(&number) {
                let saved = pieces.save();
                pieces = State::load(&saved, &engine, limits).unwrap();
                prop_assert_eq!(pieces.save(), saved);
            }
            process(&engine, &mut pieces, std::slice::from_ref(event));
        }
        prop_assert_eq!(whole.findings().collect::<Vec<_>>(), pieces.findings().collect::<Vec<_>>());
        prop_assert_eq!(whole.report(), pieces.report());
        prop_assert_eq!(whole.save(), pieces.save());
        if tight {
            let size = whole.size();
            prop_assert!(size.window_entries <= 12 && size.combinations <= 5 && size.learners <= 3);
            prop_assert!(size.findings <= 4 && size.ids <= 9);
        }
    }

    #[test]
    fn damage_is_noticed(events in events(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let engine = engine(RULES);
        let mut state = State::new(&engine);
        process(&engine, &mut state, &events);
        let mut saved = state.save();
        let at = at.index(saved.len());
        saved[at] ^= 1_u8 << bit;
        prop_assert!(State::load(&saved, &engine, Limits::default()).is_err());
        prop_assert!(State::load(&saved[..at], &engine, Limits::default()).is_err());
    }
}

#[test]
fn what_is_no_state_is_told_apart() {
    let engine = engine(RULES);
    let load = |bytes: &[u8]| State::load(bytes, &engine, Limits::default()).err();
    assert_eq!(load(b""), Some(StateError::NotAState));
    assert_eq!(load(b"YGDS"), Some(StateError::Damaged));
    assert_eq!(load(b"YGDS\x09\0\0\0\0\0\0\0"), Some(StateError::Version(9)));
}

#[test]
fn a_rule_that_changes_its_words_keeps_what_it_learnt() {
    let before = engine(RULES);
    let mut state = State::new(&before);
    let login = |number: usize, second: u32, network: u8| text(number, second, (0, 1, 1, network, false));
    process(&before, &mut state, &[login(1, 1_000, 1)]);
    let after = engine(&RULES.replace("{who} from {network}", "{who} came from {network}"));
    let mut state = State::load(&state.save(), &after, Limits::default()).unwrap();
    process(&after, &mut state, &[login(2, 2_000, 1), login(3, 2_060, 2)]);
    assert_eq!(state.findings().count(), 1);
    let other = engine(&RULES.replace("learning: 2m", "learning: 3m"));
    let mut state = State::load(&state.save(), &other, Limits::default()).unwrap();
    process(&other, &mut state, &[login(4, 2_100, 3)]);
    assert_eq!(state.findings().map(|finding| finding.count).sum::<u64>(), 1, "it learns anew");
}

#[test]
fn its_tests_pass() {
    for outcome in detection(RULES).test() {
        assert_eq!(outcome.failure, None, "{}", outcome.case);
    }
}
