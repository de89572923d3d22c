use std::io::Read;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::digest::tests::{chain_of_fixture, keys_of_fixture};
use crate::digest::{Keys, Link, verify};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn tokyo() -> Place {
    Place { account: "111122223333".to_owned(), region: "ap-northeast-1".to_owned() }
}

/// The log files of the fixture, as the lake takes them in.
fn consumed_of_fixture() -> Vec<Consumed> {
    let folder = "AWSLogs/111122223333/CloudTrail/ap-northeast-1/2026/01/05";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/digests").join(folder);
    let mut found: Vec<Consumed> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mut content = Vec::new();
            flate2::read::GzDecoder::new(std::fs::File::open(entry.path()).unwrap()).read_to_end(&mut content).unwrap();
            let name = entry.file_name().into_string().unwrap();
            let at = name.find("20260105T").unwrap() + 9;
            let at = time(&format!("2026-01-05T{}:{}:00Z", &name[at..at + 2], &name[at + 2..at + 4]));
            Consumed {
                key: format!("{folder}/{name}"),
                hash: Some(Sha256::of(&content)),
                rows: vec![(tokyo(), at, at)],
            }
        })
        .collect();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(found.len(), 8);
    found
}

fn strip(consumed: &[Consumed], digests: &[Held], keys: &Keys) -> String {
    let found = Completeness::new(consumed, digests, &verify(digests, keys), None);
    let days: Vec<_> = found.days().collect();
    assert_eq!(days.len(), 1);
    letters(&days[0].2)
}

fn letters(hours: &[Hour; 24]) -> String {
    let letter = |hour: &Hour| match (hour.state, hour.has_rows) {
        (State::Complete, _) => 'C',
        (State::Missing, _) => 'M',
        (State::Tampered, _) => 'T',
        (State::NotVerified, true) => 'r',
        (State::NotVerified, false) => '.',
    };
    hours.iter().map(letter).collect()
}

#[test]
fn hours_that_proven_digests_cover_are_complete_a_quiet_one_too() {
    let found = strip(&consumed_of_fixture(), &chain_of_fixture(), &keys_of_fixture());
    assert_eq!(found, "..........CCCCC.........");
}

#[test]
fn a_log_file_that_was_removed_is_missing() {
    let mut consumed = consumed_of_fixture();
    consumed.remove(3);
    assert_eq!(strip(&consumed, &chain_of_fixture(), &keys_of_fixture()), "..........CMCCC.........");
}

#[test]
fn a_log_file_that_was_changed_is_tampered_with_even_without_a_key() {
    let mut consumed = consumed_of_fixture();
    consumed[4].hash = Some(Sha256([0; 32]));
    assert_eq!(strip(&consumed, &chain_of_fixture(), &keys_of_fixture()), "..........CCCTC.........");
    assert_eq!(strip(&consumed, &chain_of_fixture(), &Keys::default()), "..........rr.Tr.........");
}

#[test]
fn without_digests_nothing_is_proven() {
    assert_eq!(strip(&consumed_of_fixture(), &[], &keys_of_fixture()), "..........rr.rr.........");
}

#[test]
fn a_log_file_that_was_not_hashed_proves_nothing() {
    let mut consumed = consumed_of_fixture();
    consumed[0].hash = None;
    assert_eq!(strip(&consumed, &chain_of_fixture(), &keys_of_fixture()), "..........rCCCC.........");
}

#[test]
fn a_digest_that_was_changed_proves_nothing_of_its_hour() {
    let mut digests = chain_of_fixture();
    digests[3].hash = Sha256([1; 32]);
    assert_eq!(strip(&consumed_of_fixture(), &digests, &keys_of_fixture()), "..........CCCTC.........");
}

#[test]
fn a_missing_digest_leaves_its_hour_and_the_one_before_unproven() {
    let mut digests = chain_of_fixture();
    digests.remove(2);
    assert_eq!(strip(&consumed_of_fixture(), &digests, &keys_of_fixture()), "..........Cr.CC.........");
}

#[test]
fn a_copy_elsewhere_is_the_same_file() {
    let mut consumed = consumed_of_fixture();
    for object in &mut consumed {
        object.key = format!("/copies/{}", file_name(&object.key));
    }
    assert_eq!(strip(&consumed, &chain_of_fixture(), &keys_of_fixture()), "..........CCCCC.........");
}

#[test]
fn digests_that_begin_within_an_hour_prove_the_hours_between() {
    let mut digests = chain_of_fixture();
    for held in &mut digests {
        held.digest.start += TimeDelta::seconds(91);
        held.digest.end += TimeDelta::seconds(91);
    }
    let chain = Chain { links: (0..5).map(|at| Link { at, standing: Standing::Verified }).collect(), gaps: Vec::new() };
    let found = Completeness::new(&consumed_of_fixture(), &digests, &chain, None);
    assert_eq!(letters(&found.days().next().unwrap().2), "..........rCCCC.........");
}

#[test]
fn every_listed_file_has_its_outcome() {
    let mut consumed = consumed_of_fixture();
    consumed[1].hash = Some(Sha256([0; 32]));
    consumed.remove(0);
    let digests = chain_of_fixture();
    let found = Completeness::new(&consumed, &digests, &verify(&digests, &keys_of_fixture()), None);
    let outcomes: Vec<Outcome> = found.listed().iter().map(|listed| listed.outcome).collect();
    let mut expected = vec![Outcome::Verified; 8];
    expected[0] = Outcome::Missing;
    expected[1] = Outcome::HashMismatch;
    assert_eq!(outcomes, expected);
}

#[test]
fn coverage_says_how_much_was_searched_and_lists_the_gaps() {
    let mut consumed = consumed_of_fixture();
    consumed.remove(3);
    let digests = chain_of_fixture();
    let found = Completeness::new(&consumed, &digests, &verify(&digests, &keys_of_fixture()), None);
    let coverage = found.coverage(Some(time("2026-01-05T09:00:00Z")), Some(time("2026-01-05T15:00:00Z")));
    assert_eq!((coverage.searched, coverage.complete, coverage.hours), (4, 4, 6));
    let gaps: Vec<_> = coverage.gaps.iter().map(|gap| (gap.from, gap.to, gap.state)).collect();
    assert_eq!(
        gaps,
        [
            (time("2026-01-05T09:00:00Z"), time("2026-01-05T10:00:00Z"), State::NotVerified),
            (time("2026-01-05T11:00:00Z"), time("2026-01-05T12:00:00Z"), State::Missing),
        ]
    );
    // Without bounds: what is known. A part of an hour is an hour.
    let all = found.coverage(None, None);
    assert_eq!((all.searched, all.hours), (4, 5));
    let part = found.coverage(Some(time("2026-01-05T10:30:00Z")), Some(time("2026-01-05T11:00:01Z")));
    assert_eq!((part.searched, part.hours), (1, 2));
    let none = found.coverage(Some(time("2026-01-05T11:00:00Z")), Some(time("2026-01-05T11:00:00Z")));
    assert_eq!(none.hours, 0);
    assert_eq!(Completeness::default().coverage(None, None).hours, 0);
}

#[test]
fn a_log_that_always_comes_is_missed_when_it_does_not() {
    let object = |hour: u32| {
        let at = time(&format!("2026-01-05T{hour:02}:10:00Z"));
        Consumed { key: format!("AWSLogs/x/{hour}"), hash: None, rows: vec![(tokyo(), at, at)] }
    };
    let consumed = [object(8), object(9), object(12)];
    let none = Chain::default();
    let strip = |cadence| letters(&Completeness::new(&consumed, &[], &none, cadence).days().next().unwrap().2);
    assert_eq!(strip(Some(TimeDelta::minutes(15))), "........rrMMr...........");
    assert_eq!(strip(None), "........rr..r...........");
}

proptest! {
    /// Against the slow and obvious way: ask for each hour, minute by minute, whether a proven digest covers it, and
    /// for each listed file whether it is there.
    #[test]
    fn the_same_as_asking_minute_by_minute(
        digests in prop::collection::vec((0_i64..600, 1_i64..200, any::<bool>(), prop::collection::vec((0_i64..800, any::<u8>()), 0..3)), 0..8),
    ) {
        let midnight = time("2026-01-05T00:00:00Z");
        let minute = |at: i64| midnight + TimeDelta::minutes(at);
        let template = chain_of_fixture().remove(0);
        let (mut held, mut links, mut consumed) = (Vec::new(), Vec::new(), Vec::new());
        let mut expected = [State::NotVerified; 24];
        let mut covered = vec![false; 24 * 60];
        let mut marks = Vec::new();
        for (at, (start, length, is_verified, files)) in digests.iter().enumerate() {
            let mut one = template.clone();
            one.digest.start = minute(*start);
            one.digest.end = minute(start + length);
            one.digest.log_files.clear();
            for (number, (file_at, fate)) in files.iter().enumerate() {
                let event = (*file_at).min(start + length);
                let object = format!("AWSLogs/{at}/{number}.json.gz");
                one.digest.log_files.push(LogFile {
                    bucket: String::new(), object: format!("{object}-{at}-{number}"), hash: Sha256([1; 32]), oldest: Some(minute(event)), newest: Some(minute(event)),
                });
                let key = format!("{object}-{at}-{number}");
                match fate % 3 {
                    0 => marks.push((event, State::Missing)),
                    1 => { marks.push((event, State::Tampered)); consumed.push(Consumed { key, hash: Some(Sha256([2; 32])), rows: vec![] }); }
                    _ => consumed.push(Consumed { key, hash: Some(Sha256([1; 32])), rows: vec![] }),
                }
            }
            if *is_verified {
                for at in *start..start + length {
                    covered[usize::try_from(at).unwrap()] = true;
                }
            }
            let standing = if *is_verified { Standing::Verified } else { Standing::NotVerified(crate::digest::Unproven::NoKey) };
            links.push(Link { at, standing });
            held.push(one);
        }
        for hour in 0..24 {
            if covered[hour * 60..hour * 60 + 60].iter().all(|covered| *covered) {
                expected[hour] = State::Complete;
            }
            for (at, state) in &marks {
                if usize::try_from(at / 60).unwrap() == hour {
                    expected[hour] = expected[hour].max(*state);
                }
            }
        }
        let found = Completeness::new(&consumed, &held, &Chain { links, gaps: vec![] }, None);
        let states = found.days().next().map_or([State::NotVerified; 24], |(_, _, hours)| hours.map(|hour| hour.state));
        prop_assert_eq!(states, expected);
        let coverage = found.coverage(Some(midnight), Some(minute(24 * 60)));
        if coverage.hours > 0 {
            prop_assert_eq!(coverage.complete, expected.iter().filter(|state| **state == State::Complete).count() as u64);
            let in_gaps: i64 = coverage.gaps.iter().map(|gap| (gap.to - gap.from).num_hours()).sum();
            prop_assert_eq!(in_gaps.unsigned_abs() + coverage.complete, coverage.hours);
        }
    }
}
