//! Putting points in: what is new is added, what is better known now replaces what was, in one commit.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use deltalake::kernel::Transaction;
use yagura_model::metric::{Point, Series};

use super::rows::{self, Placed, batch};
use super::source;
use crate::store::{GATHER_ROWS, Run, StoreError, put, read_file};
use crate::table::{Committed, Place, StoredFile, Table, TableError, file_schema};
use crate::write::FileWriter;
use crate::{AddError, Lake, Options, time};

/// Every commit of points names this, so that two that began from the same version conflict and the later one looks again.
const APP_ID: &str = "yagura.metrics";

/// Commits that may be overtaken before the run gives up.
const OVERTAKEN_MAX: usize = 20;

/// Files of a partition beyond which the small ones are written together with the next points: a fetch every five minutes
/// would make three hundred a day.
const FILES_MAX: usize = 12;

/// Bytes of a file that is left as it is by that.
const SMALL_BYTES: u64 = 1 << 20;

/// What became of points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Put {
    /// Points that were not known.
    pub added: u64,
    /// Points that are better known now.
    pub replaced: u64,
    /// Points that were known as well or better.
    pub known: u64,
    /// Points of a replaced source that it does not make any more.
    pub removed: u64,
}

impl std::ops::AddAssign for Put {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.replaced += other.replaced;
        self.known += other.known;
        self.removed += other.removed;
    }
}

/// What tells a point from every other of its series.
type Key = (Arc<Series>, u32, i64);

impl Lake {
    /// Keeps points. Repeating it changes nothing; of the same point said twice the better known is kept. All of it becomes
    /// true at once, or none.
    ///
    /// Must not be called on a thread of the runtime.
    pub fn put_points(&self, points: &[Point], options: &Options) -> Result<Put, AddError> {
        self.put(points, None, options)
    }

    /// Makes `points` all that `said_by` says of these days of an account in a region: points of that source which are
    /// not among them go. So numbers that are counted from what is kept can be counted anew.
    pub fn replace_points(
        &self,
        points: &[Point],
        said_by: &str,
        places: &[Place],
        options: &Options,
    ) -> Result<Put, AddError> {
        self.put(points, Some((said_by, places)), options)
    }

    fn put(&self, points: &[Point], replaced: Option<(&str, &[Place])>, options: &Options) -> Result<Put, AddError> {
        let run = Run { id: options.run.clone(), now_ms: options.now_ms, threads: 1, runtime: self.runtime().clone() };
        let by_place = by_place(points, replaced.map(|(_, places)| places).unwrap_or_default());
        if by_place.is_empty() {
            return Ok(Put::default());
        }
        let mut table = run.runtime.block_on(Table::open_or_create(self.root(), source()))?;
        for attempt in 0..OVERTAKEN_MAX {
            let change = change(&run, &table, &by_place, replaced.map(|(said_by, _)| said_by), attempt);
            let change = change.map_err(AddError::Store)?;
            if change.added.is_empty() && change.removed.is_empty() {
                return Ok(change.put);
            }
            let mark = Transaction::new(APP_ID, run.now_ms);
            let committed = table.commit_changed(&change.added, &change.removed, Some(mark), run.now_ms);
            if run.runtime.block_on(committed)? == Committed::Yes {
                return Ok(change.put);
            }
        }
        Err(TableError::Busy(source().name.to_string()).into())
    }
}

/// The points of each partition, each point once.
fn by_place(points: &[Point], more: &[Place]) -> BTreeMap<Place, HashMap<Key, Point>> {
    let mut places: BTreeMap<Place, HashMap<Key, Point>> =
        more.iter().map(|place| (place.clone(), HashMap::new())).collect();
    for point in points {
        let place = Place {
            account: point.series.account.to_string(),
            region: point.series.region.to_string(),
            day: time::day(point.start.timestamp_micros()),
        };
        let of_place = places.entry(place).or_default();
        match of_place.get_mut(&key(point)) {
            Some(before) => {
                before.statistics = before.statistics.with_later(&point.statistics);
                before.known = before.known.max(point.known);
            }
            None => {
                of_place.insert(key(point), point.clone());
            }
        }
    }
    places
}

fn key(point: &Point) -> Key {
    (Arc::clone(&point.series), point.period_seconds, point.start.timestamp_micros())
}

/// What one commit is to do.
#[derive(Default)]
struct Change {
    added: Vec<StoredFile>,
    removed: Vec<StoredFile>,
    put: Put,
}

fn change(
    run: &Run,
    table: &Table,
    by_place: &BTreeMap<Place, HashMap<Key, Point>>,
    said_by: Option<&str>,
    attempt: usize,
) -> Result<Change, StoreError> {
    let mut stored: HashMap<Place, Vec<StoredFile>> = HashMap::new();
    for file in table.files()? {
        stored.entry(file.place.clone()).or_default().push(file);
    }
    let mut change = Change::default();
    for (number, (place, points)) in by_place.iter().enumerate() {
        let files = stored.remove(place).unwrap_or_default();
        let merged = Merged::of(run, table, files, points, said_by)?;
        change.put += merged.put;
        if merged.points.is_empty() && merged.rewritten.is_empty() {
            continue;
        }
        if !merged.points.is_empty() {
            let name = format!("{}-m{number}-{attempt}", run.id);
            change.added.push(write_file(run, table, place, &merged.points, &name)?);
        }
        change.removed.extend(merged.rewritten);
    }
    Ok(change)
}

/// A partition after its new points: what is to be written, and the files that this takes the place of.
#[derive(Default)]
struct Merged {
    points: Vec<Point>,
    rewritten: Vec<StoredFile>,
    put: Put,
}

impl Merged {
    fn of(
        run: &Run,
        table: &Table,
        files: Vec<StoredFile>,
        new: &HashMap<Key, Point>,
        said_by: Option<&str>,
    ) -> Result<Self, StoreError> {
        let times = || new.values().map(|point| point.start.timestamp_micros());
        let span = (times().min().unwrap_or(i64::MAX), times().max().unwrap_or(i64::MIN));
        let folds = files.len() > FILES_MAX;
        let mut merged = Self::default();
        let mut seen: HashSet<Key> = HashSet::new();
        for file in files {
            // The same point has the same time: only files that hold such times can hold it.
            let is_near = file.span.0 <= span.1 && span.0 <= file.span.1;
            let is_folded = folds && file.size < SMALL_BYTES;
            if !is_near && !is_folded && said_by.is_none() {
                continue;
            }
            let mut last = None;
            let (mut kept, mut changed) = (Vec::new(), Vec::new());
            let placed = Placed::At(&file.place.account, &file.place.region);
            for rows in run.runtime.block_on(read_file(table, &file, &file_schema(source())))? {
                for before in rows::points(&rows, &placed, &mut last)? {
                    let key = key(&before);
                    match (new.get(&key), said_by) {
                        (None, Some(said_by)) if &*before.source == said_by => merged.put.removed += 1,
                        (None, _) => kept.push(before),
                        (Some(now), _) => {
                            seen.insert(key);
                            let is_own = said_by.is_some_and(|said_by| &*before.source == said_by);
                            if let Some(better) = better(&before, now, is_own) {
                                changed.push(better);
                            } else {
                                merged.put.known += 1;
                                kept.push(before);
                            }
                        }
                    }
                }
            }
            merged.put.replaced += changed.len() as u64;
            let is_whole = kept.len() as u64 == file.rows && changed.is_empty();
            if !is_whole || is_folded {
                merged.points.append(&mut kept);
                merged.points.append(&mut changed);
                merged.rewritten.push(file);
            }
        }
        let added = new.iter().filter(|(key, _)| !seen.contains(*key)).map(|(_, point)| point.clone());
        let before = merged.points.len();
        merged.points.extend(added);
        merged.put.added = (merged.points.len() - before) as u64;
        // Nothing but small files that could be one: that can wait for the next points.
        if merged.put.added + merged.put.replaced + merged.put.removed == 0 {
            merged.points.clear();
            merged.rewritten.clear();
        }
        Ok(merged)
    }
}

/// The point as it is known now; none if that is as it was known before.
fn better(before: &Point, now: &Point, is_own: bool) -> Option<Point> {
    let statistics = if is_own { now.statistics.clone() } else { before.statistics.with_later(&now.statistics) };
    (statistics != before.statistics).then(|| Point { statistics, ..now.clone() })
}

fn write_file(run: &Run, table: &Table, place: &Place, points: &[Point], name: &str) -> Result<StoredFile, StoreError> {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by(|one, other| {
        let series = |point: &Point| {
            (
                point.series.namespace.clone(),
                point.series.metric.clone(),
                rows::dimensions_text(&point.series.dimensions),
            )
        };
        // Most neighbours are of one series: its texts need not be made.
        let by_series =
            if Arc::ptr_eq(&one.series, &other.series) { Ordering::Equal } else { series(one).cmp(&series(other)) };
        by_series.then(one.start.cmp(&other.start))
    });
    let schema = file_schema(source());
    let mut writer = FileWriter::new(source(), &schema, sorted.len());
    for some in sorted.chunks(GATHER_ROWS) {
        writer.write(&batch(some)?)?;
    }
    let times = || points.iter().map(|point| point.start.timestamp_micros());
    let bytes = writer.finish()?;
    let file = StoredFile {
        path: format!("{}/part-{name}.zstd.parquet", place.folder()),
        size: bytes.len() as u64,
        place: place.clone(),
        rows: points.len() as u64,
        span: (times().min().unwrap_or_default(), times().max().unwrap_or_default()),
        written_ms: run.now_ms,
    };
    put(run, table, &file.path, bytes)?;
    Ok(file)
}
