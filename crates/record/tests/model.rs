//! The ledger against a model that keeps everything in lists and compares everything with everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{ACCOUNT, at, bucket, denied, listed, object, scan, shown, unlisted};
use yagura_model::{Observation, Resource, ResourceKey, Seen, Unread};
use yagura_record::{Ledger, Reader};

const TYPES: [&str; 2] = ["AWS::S3::Bucket", "AWS::SQS::Queue"];
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const PROPERTIES: [&str; 2] = ["Policy", "Size"];

/// What an observation says of one property.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Unread,
    Absent,
    Value(u8),
}

/// What is known of one property.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Known {
    Unknown,
    Absent,
    Value(u8),
}

#[derive(Debug, Clone)]
enum Step {
    Show { kind: usize, region: usize, id: u8, said: [Said; 2], used: u8 },
    List { kind: usize, place: Option<usize>, could: bool },
}

#[derive(Debug, Clone)]
struct Scan {
    /// Each with the seconds since the one before.
    steps: Vec<(i64, Step)>,
    flush_every: usize,
    is_finished: bool,
}

#[derive(Debug, Clone, Default)]
struct Model {
    resources: BTreeMap<ResourceKey, Vec<Version>>,
}

#[derive(Debug, Clone)]
struct Version {
    known: [Known; 2],
    since: i64,
    seen: i64,
    until: Option<i64>,
    gone: bool,
    scan: usize,
    readings: Vec<Reading>,
}

#[derive(Debug, Clone)]
struct Reading {
    since: i64,
    unread: [bool; 2],
    known: [Known; 2],
    used: u8,
}

impl Known {
    fn json(self) -> Option<Value> {
        match self {
            Self::Unknown | Self::Absent => None,
            Self::Value(value) => Some(json!(value)),
        }
    }
}

impl Model {
    fn show(&mut self, scan: usize, time: i64, key: ResourceKey, said: [Said; 2], used: u8) {
        let versions = self.resources.entry(key).or_default();
        let unread = said.map(|said| said == Said::Unread);
        let last = versions.last_mut();
        let before = last.as_ref().filter(|version| !version.gone).map(|version| version.known);
        let mut known = [Known::Unknown; 2];
        for index in 0..2 {
            known[index] = match said[index] {
                Said::Unread => before.map_or(Known::Unknown, |before| before[index]),
                Said::Absent => Known::Absent,
                Said::Value(value) => Known::Value(value),
            };
        }
        let mut since = time;
        if let Some(last) = last {
            since = time.max(last.seen).max(last.until.unwrap_or(0));
            if before.is_some_and(|before| before.map(Known::json) == known.map(Known::json)) {
                last.seen = since;
                last.scan = scan;
                last.known = known;
                match last.readings.last_mut() {
                    Some(reading) if reading.unread == unread && reading.known == known => reading.used = used,
                    _ => last.readings.push(Reading { since, unread, known, used }),
                }
                return;
            }
            if before.is_some() {
                last.until = Some(since);
            }
        }
        let readings = vec![Reading { since, unread, known, used }];
        versions.push(Version { known, since, seen: since, until: None, gone: false, scan, readings });
    }

    fn finish(&mut self, scan: usize, listings: &[(usize, Option<usize>, bool, i64)]) {
        for (key, versions) in &mut self.resources {
            let Some(last) = versions.last_mut().filter(|version| version.until.is_none() && version.scan != scan)
            else {
                continue;
            };
            let of_place = listings.iter().filter(|(kind, place, _, _)| {
                TYPES[*kind] == key.kind.as_str() && place.is_none_or(|place| REGIONS[place] == key.region.as_str())
            });
            let could: Vec<bool> = of_place.clone().map(|listing| listing.2).collect();
            if could.is_empty() || could.contains(&false) {
                continue;
            }
            // The latest complete listing of the type says when, wherever it was.
            let failed: Vec<_> =
                listings.iter().filter(|listing| !listing.2).map(|listing| (listing.0, listing.1)).collect();
            let when = listings
                .iter()
                .filter(|(kind, place, _, _)| TYPES[*kind] == key.kind.as_str() && !failed.contains(&(*kind, *place)))
                .map(|listing| listing.3)
                .max();
            last.until = Some(last.seen.max(when.unwrap()));
            last.gone = true;
        }
    }

    fn at(&self, time: i64) -> BTreeMap<&ResourceKey, usize> {
        let is_then = |version: &Version| version.since <= time && version.until.is_none_or(|until| until > time);
        self.resources.iter().filter_map(|(key, versions)| Some((key, versions.iter().position(is_then)?))).collect()
    }
}

fn changes(before: &Version, after: &Version) -> Value {
    let mut changes = Vec::new();
    for (index, name) in PROPERTIES.iter().enumerate() {
        let (before, after) = (before.known[index], after.known[index]);
        if after != Known::Unknown && before.json() != after.json() {
            changes.push(json!([format!("Properties.{name}"), before.json(), after.json(), before == Known::Unknown]));
        }
    }
    changes.into()
}

fn told(changes: &[yagura_record::Change]) -> Value {
    changes.iter().map(|change| json!([change.path, change.before, change.after, change.learned])).collect()
}

fn resource(kind: usize, region: usize, id: u8, said: [Said; 2], used: u8) -> Resource {
    let mut resource = bucket(&format!("r{id}"), json!({}));
    resource.kind = TYPES[kind].into();
    resource.region = REGIONS[region].into();
    resource.attributes = object(json!({ "LastUsed": used }));
    for (name, said) in PROPERTIES.iter().zip(said) {
        match said {
            Said::Unread => {
                resource.unread.push(Unread { paths: vec![format!("Properties.{name}")], cause: denied() });
            }
            Said::Absent => {}
            Said::Value(value) => {
                resource.properties.insert((*name).to_owned(), json!(value));
            }
        }
    }
    resource
}

async fn compare(model: &Model, reader: &Reader, times: &[i64]) {
    for (key, versions) in &model.resources {
        let histories = reader.history(&key.id).await.unwrap();
        let history = histories.into_iter().find(|history| history.key == *key).unwrap();
        assert_eq!(history.versions.len(), versions.len(), "{key:?}");
        for (index, (recorded, version)) in history.versions.iter().zip(versions).enumerate() {
            let before = index.checked_sub(1).map(|index| &versions[index]).filter(|before| !before.gone);
            assert_eq!(recorded.number, i64::try_from(index + 1).unwrap());
            assert_eq!((recorded.since, recorded.last_seen), (at(version.since), at(version.seen)), "{key:?}");
            assert_eq!((recorded.until, recorded.gone), (version.until.map(at), version.gone), "{key:?}");
            assert_eq!(recorded.appeared, before.is_none(), "{key:?}");
            assert_eq!(told(&recorded.changes), before.map_or(json!([]), |before| changes(before, version)), "{key:?}");
        }
    }
    let end = i64::from(i32::MAX);
    for &time in times.iter().chain([&end]) {
        let moment = (time != end).then(|| at(time));
        let mut expected: Vec<Resource> = Vec::new();
        for (key, index) in model.at(time) {
            let version = &model.resources[key][index];
            let reading = version.readings.iter().rfind(|reading| reading.since <= time).unwrap();
            let said = [0, 1].map(|index| match (reading.unread[index], reading.known[index]) {
                (true, _) => Said::Unread,
                (false, Known::Value(value)) => Said::Value(value),
                (false, Known::Unknown | Known::Absent) => Said::Absent,
            });
            let kind = TYPES.iter().position(|kind| *kind == key.kind.as_str()).unwrap();
            let region = REGIONS.iter().position(|region| *region == key.region.as_str()).unwrap();
            expected.push(resource(kind, region, key.id[1..].parse().unwrap(), said, reading.used));
        }
        let mut found: Vec<Resource> = Vec::new();
        for Observation { seen, .. } in reader.snapshot(&ACCOUNT.into(), moment).await.unwrap() {
            if let Seen::Resource(resource) = seen {
                found.push(*resource);
            }
        }
        expected.sort_by_key(Resource::key);
        found.sort_by_key(Resource::key);
        assert_eq!(found, expected, "at {time}");

        let (then, now) = (model.at(time), model.at(end));
        let difference = reader.diff(None, at(time), None).await.unwrap();
        let appeared: Vec<_> = now.keys().filter(|key| !then.contains_key(*key)).copied().cloned().collect();
        let disappeared: Vec<_> = then.keys().filter(|key| !now.contains_key(*key)).copied().cloned().collect();
        let sorted = |mut keys: Vec<ResourceKey>| {
            keys.sort();
            keys
        };
        assert_eq!(sorted(difference.appeared), appeared, "since {time}");
        assert_eq!(sorted(difference.disappeared), disappeared, "since {time}");
        let mut different: BTreeMap<ResourceKey, Value> = BTreeMap::new();
        for (key, index) in &then {
            let Some(latest) = now.get(key).filter(|latest| *latest != index) else { continue };
            let versions = &model.resources[*key];
            let changes = changes(&versions[*index], &versions[*latest]);
            if changes.as_array().unwrap().iter().any(|change| change[3] == json!(false)) {
                different.insert((*key).clone(), changes);
            }
        }
        let found: BTreeMap<ResourceKey, Value> =
            difference.changed.into_iter().map(|changed| (changed.key, told(&changed.changes))).collect();
        assert_eq!(found, different, "since {time}");
    }
}

async fn run(scans: Vec<Scan>, times: Vec<i64>) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).await.unwrap();
    let mut model = Model::default();
    let mut time = 0;
    for (number, Scan { steps, flush_every, is_finished }) in scans.into_iter().enumerate() {
        let mut writer = ledger.begin_scan(scan(time)).await.unwrap();
        let mut listings = Vec::new();
        for (index, (later, step)) in steps.into_iter().enumerate() {
            time += later;
            let observation = match step {
                Step::Show { kind, region, id, said, used } => {
                    let resource = resource(kind, region, id, said, used);
                    model.show(number, time, resource.key(), said, used);
                    shown(time, resource)
                }
                Step::List { kind, place, could } => {
                    listings.push((kind, place, could, time));
                    let place = place.map_or("global", |place| REGIONS[place]);
                    if could { listed(time, TYPES[kind], place) } else { unlisted(time, TYPES[kind], place) }
                }
            };
            writer.observe(&observation).await.unwrap();
            if index % flush_every == 0 {
                writer.flush().await.unwrap();
            }
        }
        if is_finished {
            model.finish(number, &listings);
            writer.finish(at(time)).await.unwrap();
        } else {
            writer.flush().await.unwrap();
        }
    }
    let reader = ledger.reader().await.unwrap();
    compare(&model, &reader, &times).await;
    reader.close().await;
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![Just(Said::Unread), Just(Said::Absent), (0..2_u8).prop_map(Said::Value)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 0..2_usize, 0..3_u8, [said(), said()], 0..2_u8)
            .prop_map(|(kind, region, id, said, used)| Step::Show { kind, region, id, said, used }),
        1 => (0..2_usize, prop::option::of(0..2_usize), prop::bool::weighted(0.8))
            .prop_map(|(kind, place, could)| Step::List { kind, place, could }),
    ]
}

fn scans() -> impl Strategy<Value = Vec<Scan>> {
    let scan = (prop::collection::vec((0..3_i64, step()), 0..12), 1..5_usize, prop::bool::weighted(0.8))
        .prop_map(|(steps, flush_every, is_finished)| Scan { steps, flush_every, is_finished });
    prop::collection::vec(scan, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_keeps_what_a_slow_and_simple_model_keeps(
        scans in scans(),
        times in prop::collection::vec(0..80_i64, 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(scans, times));
    }
}
