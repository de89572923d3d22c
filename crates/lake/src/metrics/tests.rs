use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use yagura_model::metric::{Point, Series, Statistics};

use super::*;
use crate::table::Place;
use crate::{Lake, Options, Tables, print, time};

const START: &str = "2026-10-01T00:00:00Z";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn options(run: usize) -> Options {
    let now_ms = 1_790_000_000_000 + i64::try_from(run).unwrap();
    Options { run: format!("run{run}"), now_ms, threads: 2, readers: 2, waiting_bytes: 1 << 20 }
}

fn series(instance: &str) -> Arc<Series> {
    Arc::new(Series {
        account: "111122223333".into(),
        region: "us-east-1".into(),
        namespace: "AWS/EC2".to_owned(),
        metric: "CPUUtilization".to_owned(),
        dimensions: BTreeMap::from([("InstanceId".to_owned(), instance.to_owned())]),
        unit: Some("Percent".to_owned()),
    })
}

fn at(minutes: i64) -> DateTime<Utc> {
    START.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn point(instance: &str, minutes: i64, samples: &[f64]) -> Point {
    Point {
        series: series(instance),
        start: at(minutes),
        period_seconds: 300,
        statistics: Statistics::of(samples).unwrap(),
        source: "cloudwatch".into(),
        known: at(60),
    }
}

fn put(added: u64, replaced: u64, known: u64, removed: u64) -> Put {
    Put { added, replaced, known, removed }
}

fn ask(runtime: &tokio::runtime::Runtime, lake: &Lake, sql: &str) -> String {
    runtime.block_on(async {
        let mut answer = lake.query(sql, Tables::default(), false, 2).await.unwrap();
        let mut out = Vec::new();
        while let Some(rows) = answer.next().await.unwrap() {
            print::json_lines(&rows, &mut out).unwrap();
        }
        String::from_utf8(out).unwrap()
    })
}

#[test]
fn a_point_is_kept_once_and_the_better_known_stays() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let lake = Lake::new(dir.path(), runtime.handle().clone());
    let first = [point("i-1", 0, &[10.0]), point("i-1", 5, &[20.0]), point("i-2", 0, &[70.0])];
    assert_eq!(lake.put_points(&first, &options(1)).unwrap(), put(3, 0, 0, 0));
    assert_eq!(lake.put_points(&first, &options(2)).unwrap(), put(0, 0, 3, 0));
    let second = [point("i-1", 5, &[20.0, 40.0]), point("i-1", 10, &[5.0]), point("i-1", 24 * 60, &[1.0])];
    assert_eq!(lake.put_points(&second, &options(3)).unwrap(), put(2, 1, 0, 0));
    // What counted fewer samples is of an earlier moment, whenever it comes.
    assert_eq!(lake.put_points(&first, &options(4)).unwrap(), put(0, 0, 3, 0));
    assert_eq!(
        ask(&runtime, &lake, "SELECT count(*) AS n, sum(samplecount) AS samples, max(Average) AS top FROM metrics"),
        "{\"n\":5,\"samples\":6.0,\"top\":70.0}\n"
    );
    assert_eq!(
        ask(
            &runtime,
            &lake,
            "SELECT Timestamp, Average, Unit, Dimensions->>'InstanceId' AS i, account, day FROM metrics WHERE Timestamp = '2026-10-01T00:05:00Z'"
        ),
        "{\"Timestamp\":\"2026-10-01T00:05:00Z\",\"Average\":30.0,\"Unit\":\"Percent\",\"i\":\"i-1\",\"account\":\"111122223333\",\"day\":\"2026-10-01\"}\n"
    );
    let choice = Choice { dimensions: second[0].series.dimensions.clone(), no_others: true, ..Choice::default() };
    let found = runtime.block_on(lake.points(&choice, 2)).unwrap();
    let shown: Vec<(DateTime<Utc>, Option<f64>)> =
        found.iter().map(|point| (point.start, point.statistics.mean())).collect();
    assert_eq!(shown, [(at(0), Some(10.0)), (at(5), Some(30.0)), (at(10), Some(5.0)), (at(1440), Some(1.0))]);
    assert_eq!(found[1].statistics, second[0].statistics);
    for elsewhere in [("444455556666", None), ("111122223333", Some(at(100_000)))] {
        let choice = Choice { account: Some(elsewhere.0.to_owned()), from: elsewhere.1, ..choice.clone() };
        assert_eq!(runtime.block_on(lake.points(&choice, 2)).unwrap(), []);
    }
    let held = runtime.block_on(lake.series(&Choice::default(), 2)).unwrap();
    let shown: Vec<(String, u64, DateTime<Utc>)> =
        held.iter().map(|held| (held.series.dimensions_text(), held.points, held.last)).collect();
    assert_eq!(shown, [("InstanceId=i-1".to_owned(), 4, at(1440)), ("InstanceId=i-2".to_owned(), 1, at(0))]);
}

#[test]
fn what_is_counted_anew_takes_the_place_of_what_was_counted() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let lake = Lake::new(dir.path(), runtime.handle().clone());
    let said_by = |source: &str, points: &[Point]| -> Vec<Point> {
        points.iter().map(|point| Point { source: source.into(), ..point.clone() }).collect()
    };
    let place = Place {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        day: time::day(at(0).timestamp_micros()),
    };
    lake.put_points(&[point("i-9", 0, &[1.0])], &options(1)).unwrap();
    let first = said_by("filter:a", &[point("i-1", 0, &[1.0, 1.0]), point("i-1", 5, &[1.0])]);
    assert_eq!(
        lake.replace_points(&first, "filter:a", std::slice::from_ref(&place), &options(2)).unwrap(),
        put(2, 0, 0, 0)
    );
    assert_eq!(
        lake.replace_points(&first, "filter:a", std::slice::from_ref(&place), &options(3)).unwrap(),
        put(0, 0, 2, 0)
    );
    let second = said_by("filter:a", &[point("i-1", 0, &[1.0]), point("i-1", 10, &[1.0])]);
    assert_eq!(
        lake.replace_points(&second, "filter:a", std::slice::from_ref(&place), &options(4)).unwrap(),
        put(1, 1, 0, 1)
    );
    assert_eq!(lake.replace_points(&[], "filter:a", &[place], &options(5)).unwrap(), put(0, 0, 0, 2));
    assert_eq!(ask(&runtime, &lake, "SELECT _object FROM metrics"), "{\"_object\":\"cloudwatch\"}\n");
}

#[test]
fn many_small_files_become_few_and_compaction_changes_nothing() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let lake = Lake::new(dir.path(), runtime.handle().clone());
    for round in 0..30 {
        let minutes = 5 * i64::try_from(round).unwrap();
        lake.put_points(&[point("i-1", minutes, &[1.0]), point("i-2", minutes, &[2.0])], &options(round)).unwrap();
    }
    let files =
        || runtime.block_on(crate::table::Table::open(dir.path(), source())).unwrap().unwrap().files().unwrap().len();
    assert!(files() <= 16, "{} files", files());
    let sums = "SELECT count(*) AS n, sum(Sum) AS sum, count(DISTINCT Timestamp) AS times FROM metrics";
    let before = ask(&runtime, &lake, sums);
    assert_eq!(before, "{\"n\":60,\"sum\":90.0,\"times\":30}\n");
    lake.compact(&options(99), None).unwrap();
    assert_eq!(files(), 1);
    assert_eq!(ask(&runtime, &lake, sums), before);
    assert_eq!(lake.put_points(&[point("i-1", 0, &[1.0])], &options(100)).unwrap(), put(0, 0, 1, 0));
}

#[test]
fn two_writers_of_the_same_points_do_not_double_them() {
    let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let lake = Lake::new(dir.path(), runtime.handle().clone());
    let points: Vec<Point> = (0..50).map(|number| point("i-1", number * 5, &[1.0])).collect();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (lake, points) = (&lake, &points);
            scope.spawn(move || lake.put_points(points, &options(writer)).unwrap());
        }
    });
    assert_eq!(ask(&runtime, &lake, "SELECT count(*) AS n FROM metrics"), "{\"n\":50}\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever comes in whichever order: the table holds what a plain map of the points holds.
    #[test]
    fn the_table_is_the_map_of_its_points(
        rounds in prop::collection::vec(
            prop::collection::vec((0_i64..6, 0_u8..3, 1_usize..4), 1..12), 1..5),
    ) {
        let (dir, runtime) = (tempfile::tempdir().unwrap(), runtime());
        let lake = Lake::new(dir.path(), runtime.handle().clone());
        let mut expected: BTreeMap<(String, DateTime<Utc>), Statistics> = BTreeMap::new();
        for (number, round) in rounds.iter().enumerate() {
            let points: Vec<Point> = round
                .iter()
                // Twelve hours apart: over several days.
                .map(|(time, instance, samples)| point(&format!("i-{instance}"), time * 720, &vec![1.5; *samples]))
                .collect();
            for point in &points {
                let key = (point.series.dimensions_text(), point.start);
                let known = expected.remove(&key);
                let now = known.map_or_else(|| point.statistics.clone(), |known| known.with_later(&point.statistics));
                expected.insert(key, now);
            }
            lake.put_points(&points, &options(number)).unwrap();
        }
        let found = runtime.block_on(lake.points(&Choice::default(), 2)).unwrap();
        let count = found.len();
        let found: BTreeMap<(String, DateTime<Utc>), Statistics> =
            found.into_iter().map(|point| ((point.series.dimensions_text(), point.start), point.statistics)).collect();
        prop_assert_eq!(found.len(), count);
        prop_assert_eq!(found, expected);
    }
}
