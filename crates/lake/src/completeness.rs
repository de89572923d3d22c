//! Which hours of which account and region are all there.
//!
//! In: the objects that the lake took in, the digests that it holds and how far they can be trusted.
//! Out: a state for each hour, and for a stretch of time how much of it was searched and where the gaps are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::digest::{Chain, Digest, Held, LogFile, Sha256, Standing};

const HOUR_SECONDS: i64 = 3600;
const HOURS_OF_DAY: i64 = 24;

/// Hours before a digest's time in which the events of a file may lie that it lists: CloudTrail delivers within
/// minutes, and what a digest that proves nothing says must not mark years.
const LATE_HOURS_MAX: i64 = 48;

/// Days that one account and region may have in a state; a hundred years.
const DAYS_MAX: i64 = 36_600;

/// What is known of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing proves that all of it is here: there is no digest, or one that is not proven itself.
    NotVerified,
    /// Proven digests cover the hour, and every log file they list is here as it was written.
    Complete,
    /// A log file that a digest lists is not here, or a log that comes all the time did not come.
    Missing,
    /// A log file or a digest is not as CloudTrail wrote it.
    Tampered,
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// What is known of it.
    pub state: State,
    /// Whether there is a row of it.
    pub has_rows: bool,
}

/// One day in UTC, an hour in two bits, and one more bit for whether there are rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Day {
    states: u64,
    rows: u32,
}

/// An account and a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

/// An object that the lake took in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Its key: see [`crate::object::LogObject::key`].
    pub key: String,
    /// The hash of its uncompressed content; none if it was taken in without being hashed.
    pub hash: Option<Sha256>,
    /// Whose rows it has and from when: the first and the last moment of each account and region.
    pub rows: Vec<(Place, DateTime<Utc>, DateTime<Utc>)>,
}

/// What became of a log file that a digest lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is here, as a proven digest says.
    Verified,
    /// It is here, and its hash is another one.
    HashMismatch,
    /// It is not here.
    Missing,
    /// It is here, but the digest is not proven, or the file was not hashed when it was taken in.
    NotVerified,
}

/// A log file that a digest lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Whose it is.
    #[serde(flatten)]
    pub place: Place,
    /// Its key, as the digest has it.
    pub object: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// The state of every hour that anything is known of.
#[derive(Debug, Clone, Default)]
pub struct Completeness {
    days: BTreeMap<Place, BTreeMap<i64, Day>>,
    listed: Vec<Listed>,
}

/// How much of a stretch of time was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Hours of the stretch, of every account and region.
    pub hours: u64,
    /// Hours that were searched: those proven complete, and those with rows against which nothing is known.
    pub searched: u64,
    /// Hours that are proven complete.
    pub complete: u64,
    /// Everything that is not proven complete.
    pub gaps: Vec<Gap>,
}

/// Hours in a row that are not proven complete, and for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The first hour.
    pub from: DateTime<Utc>,
    /// The hour after the last.
    pub to: DateTime<Utc>,
    /// Why.
    pub state: State,
    /// Whether these hours have rows, and so were searched as far as they are here.
    pub has_rows: bool,
}

impl Completeness {
    /// Judges a source by its objects and, where it has them, its digests.
    ///
    /// `links` are those of `digests`, by [`crate::digest::verify`]. `cadence` is the longest time between two objects
    /// of a source that always has something to say: an hour without rows between hours with rows is then missing.
    pub fn new(consumed: &[Consumed], digests: &[Held], chain: &Chain, cadence: Option<TimeDelta>) -> Self {
        let mut found = Self::default();
        found.add_rows(consumed);
        if cadence.is_some_and(|cadence| cadence <= TimeDelta::hours(1)) {
            found.miss_silence();
        }
        found.add_digests(consumed, digests, chain);
        found
    }

    /// The log files that digests list, in the order of the digests; each once.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// The accounts and regions that anything is known of.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.days.keys()
    }

    /// Every day that anything is known of, hour by hour.
    pub fn days(&self) -> impl Iterator<Item = (&Place, NaiveDate, [Hour; 24])> {
        self.days.iter().flat_map(|(place, days)| {
            days.iter().filter_map(move |(number, day)| {
                let date = moment(*number * HOURS_OF_DAY)?.date_naive();
                let mut hours = (0..HOURS_OF_DAY).map(|hour| day.hour(hour));
                let nothing = Hour { state: State::NotVerified, has_rows: false };
                Some((place, date, std::array::from_fn(|_| hours.next().unwrap_or(nothing))))
            })
        })
    }

    /// How much of the time from `from` until before `to` was searched; without them, from the first until the last
    /// hour that anything is known of. An hour counts if any of it is in the stretch.
    pub fn coverage(&self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Coverage {
        let mut coverage = Coverage { hours: 0, searched: 0, complete: 0, gaps: Vec::new() };
        let known = |end: fn(&BTreeMap<i64, Day>) -> Option<i64>| self.days.values().filter_map(end);
        let first = known(first_hour).min();
        let last = known(last_hour).max();
        let (Some(first), Some(last)) = (first, last) else { return coverage };
        let from = from.map_or(first, hour_of);
        let to = to.map_or(last + 1, |to| hour_of(to) + i64::from(to.timestamp().rem_euclid(HOUR_SECONDS) != 0));
        if from >= to || to - from > DAYS_MAX * HOURS_OF_DAY {
            return coverage;
        }
        for (place, days) in &self.days {
            let mut gap: Option<(i64, Hour)> = None;
            for at in from..to {
                let hour = days
                    .get(&at.div_euclid(HOURS_OF_DAY))
                    .copied()
                    .unwrap_or_default()
                    .hour(at.rem_euclid(HOURS_OF_DAY));
                coverage.hours += 1;
                coverage.complete += u64::from(hour.state == State::Complete);
                coverage.searched += u64::from(hour.is_searched());
                if gap.is_some_and(|(_, before)| before != hour) {
                    coverage.close(place, gap.take(), at);
                }
                if hour.state != State::Complete && gap.is_none() {
                    gap = Some((at, hour));
                }
            }
            coverage.close(place, gap, to);
        }
        coverage
    }

    fn add_rows(&mut self, consumed: &[Consumed]) {
        for (place, first, last) in consumed.iter().flat_map(|object| &object.rows) {
            // Rows of one object lie within hours; a broken clock in one of them must not mark a century.
            for hour in (hour_of(*first)..=hour_of(*last)).take(usize::try_from(LATE_HOURS_MAX).unwrap_or_default()) {
                self.day(place, hour).rows |= 1 << hour.rem_euclid(HOURS_OF_DAY);
            }
            self.day(place, hour_of(*last)).rows |= 1 << hour_of(*last).rem_euclid(HOURS_OF_DAY);
        }
    }

    fn miss_silence(&mut self) {
        for (place, days) in &self.days.clone() {
            let (Some(first), Some(last)) = (first_hour(days), last_hour(days)) else { continue };
            if last - first > DAYS_MAX * HOURS_OF_DAY {
                continue;
            }
            for hour in first..=last {
                let day = self.day(place, hour);
                if !day.hour(hour.rem_euclid(HOURS_OF_DAY)).has_rows {
                    day.set(hour.rem_euclid(HOURS_OF_DAY), State::Missing);
                }
            }
        }
    }

    fn add_digests(&mut self, consumed: &[Consumed], digests: &[Held], chain: &Chain) {
        // One name more than once: it was changed after it was taken in, or lies in two places.
        let mut held: HashMap<&str, Vec<&Consumed>> = HashMap::new();
        for object in consumed {
            held.entry(file_name(&object.key)).or_default().push(object);
        }
        let mut trails: BTreeMap<(Place, &str), Vec<(i64, i64)>> = BTreeMap::new();
        let mut bad: Vec<(Place, i64, State)> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for link in &chain.links {
            let Some(Held { digest, .. }) = digests.get(link.at) else { continue };
            let place = Place { account: digest.account.clone(), region: digest.region.clone() };
            match link.standing {
                Standing::Tampered(_) => {
                    bad.extend(hours(digest.start, digest.end).map(|hour| (place.clone(), hour, State::Tampered)));
                    continue;
                }
                Standing::Verified => {
                    let trail = trails.entry((place.clone(), &digest.trail)).or_default();
                    trail.push((digest.start.timestamp(), digest.end.timestamp()));
                }
                Standing::NotVerified(_) => {}
            }
            for file in &digest.log_files {
                let outcome =
                    outcome(file, held.get(file_name(&file.object)).map_or(&[], Vec::as_slice), link.standing);
                if seen.insert(&file.object) {
                    self.listed.push(Listed { place: place.clone(), object: file.object.clone(), outcome });
                }
                let state = match outcome {
                    Outcome::Missing => State::Missing,
                    Outcome::HashMismatch => State::Tampered,
                    // A file that was not hashed is no proof of its hour.
                    Outcome::NotVerified if link.standing == Standing::Verified => State::NotVerified,
                    Outcome::NotVerified | Outcome::Verified => continue,
                };
                bad.extend(events(digest, file).map(|hour| (place.clone(), hour, state)));
            }
        }
        self.complete(trails);
        for (place, hour, state) in bad {
            let day = self.day(&place, hour);
            let at = hour.rem_euclid(HOURS_OF_DAY);
            let before = day.hour(at).state;
            // Not verified takes completeness away and nothing else.
            if state > before || (state == State::NotVerified && before == State::Complete) {
                day.set(at, state);
            }
        }
    }

    /// Marks the hours that the proven digests of each trail cover whole.
    fn complete(&mut self, trails: BTreeMap<(Place, &str), Vec<(i64, i64)>>) {
        for ((place, _), mut stretches) in trails {
            stretches.sort_unstable();
            let mut merged: Vec<(i64, i64)> = Vec::new();
            for (start, end) in stretches {
                match merged.last_mut() {
                    Some((_, until)) if start <= *until => *until = end.max(*until),
                    _ => merged.push((start, end)),
                }
            }
            for (start, end) in merged {
                let first = start.div_euclid(HOUR_SECONDS) + i64::from(start.rem_euclid(HOUR_SECONDS) != 0);
                for hour in first..end.div_euclid(HOUR_SECONDS) {
                    self.day(&place, hour).set(hour.rem_euclid(HOURS_OF_DAY), State::Complete);
                }
            }
        }
    }

    fn day(&mut self, place: &Place, hour: i64) -> &mut Day {
        if !self.days.contains_key(place) {
            self.days.insert(place.clone(), BTreeMap::new());
        }
        self.days.entry(place.clone()).or_default().entry(hour.div_euclid(HOURS_OF_DAY)).or_default()
    }
}

impl Coverage {
    fn close(&mut self, place: &Place, gap: Option<(i64, Hour)>, to: i64) {
        if let Some((from, hour)) = gap
            && let (Some(from), Some(to)) = (moment(from), moment(to))
        {
            self.gaps.push(Gap { place: place.clone(), from, to, state: hour.state, has_rows: hour.has_rows });
        }
    }
}

impl Hour {
    /// Whether a search over this hour saw what there is of it: it is proven complete, or it has rows and nothing is
    /// known to be missing or changed.
    pub fn is_searched(self) -> bool {
        match self.state {
            State::Complete => true,
            State::NotVerified => self.has_rows,
            State::Missing | State::Tampered => false,
        }
    }
}

impl Day {
    fn hour(self, hour: i64) -> Hour {
        let state = match (self.states >> (hour * 2)) & 3 {
            0 => State::NotVerified,
            1 => State::Complete,
            2 => State::Missing,
            _ => State::Tampered,
        };
        Hour { state, has_rows: (self.rows >> hour) & 1 == 1 }
    }

    fn set(&mut self, hour: i64, state: State) {
        let bits: u64 = match state {
            State::NotVerified => 0,
            State::Complete => 1,
            State::Missing => 2,
            State::Tampered => 3,
        };
        self.states = self.states & !(3 << (hour * 2)) | bits << (hour * 2);
    }
}

fn outcome(file: &LogFile, held: &[&Consumed], standing: Standing) -> Outcome {
    if held.is_empty() {
        return Outcome::Missing;
    }
    let mut hashes = held.iter().filter_map(|object| object.hash).peekable();
    let is_hashed = hashes.peek().is_some();
    if hashes.any(|hash| hash != file.hash) {
        Outcome::HashMismatch
    } else if is_hashed && standing == Standing::Verified {
        Outcome::Verified
    } else {
        Outcome::NotVerified
    }
}

/// The hours in which the events of a file lie; those of the digest where it does not say.
fn events(digest: &Digest, file: &LogFile) -> impl Iterator<Item = i64> + use<> {
    let earliest = digest.start - TimeDelta::hours(LATE_HOURS_MAX);
    let (from, to) = match (file.oldest, file.newest) {
        (Some(oldest), Some(newest)) if oldest <= newest => (oldest.max(earliest), newest.min(digest.end)),
        _ => (digest.start, digest.end),
    };
    // The last event's hour is one of them, even where it lies on the hour.
    hours(from, to + TimeDelta::seconds(1))
}

/// The hours that a stretch of time touches; one at least.
fn hours(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = i64> + use<> {
    let first = hour_of(from);
    let last = (to.timestamp() - 1).div_euclid(HOUR_SECONDS);
    first..=last.max(first)
}

fn hour_of(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(HOUR_SECONDS)
}

fn moment(hour: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(hour.checked_mul(HOUR_SECONDS)?, 0)
}

fn first_hour(days: &BTreeMap<i64, Day>) -> Option<i64> {
    let (number, day) = days.first_key_value()?;
    (0..HOURS_OF_DAY).find(|hour| day.is_known(*hour)).map(|hour| number * HOURS_OF_DAY + hour)
}

fn last_hour(days: &BTreeMap<i64, Day>) -> Option<i64> {
    let (number, day) = days.last_key_value()?;
    (0..HOURS_OF_DAY).rev().find(|hour| day.is_known(*hour)).map(|hour| number * HOURS_OF_DAY + hour)
}

impl Day {
    fn is_known(self, hour: i64) -> bool {
        let hour = self.hour(hour);
        hour.has_rows || hour.state != State::NotVerified
    }
}

/// CloudTrail gives every log file a name of its own; a copy may lie in other folders and be unpacked.
fn file_name(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.strip_suffix(".gz").unwrap_or(name)
}

#[cfg(test)]
mod tests;
