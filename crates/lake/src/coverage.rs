//! How much of what was asked about was there to be searched.
//!
//! In: what a question or a hunt was about, and the hours of each log: from digests where there are some, from the rows
//! themselves where there are none. Out: how many account-region-hours were searched, of how many, and where the gaps
//! are.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_optimizer::pruning::PruningPredicate;
use serde::Serialize;

use crate::Lake;
use crate::completeness::{Gap, Hour, Place, State};
use crate::digest::Keys;
use crate::evidence::ProofError;
use crate::hunt::Within;
use crate::query::Answer;
use crate::source::{ACCOUNT, DAY, REGION, Source, UNKNOWN};
use crate::table::Table;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;
const HOURS_OF_DAY: i64 = 24;

/// Hours between the first and the last that are counted: a hundred years. A broken clock in a log must not cost hours.
const HOURS_MAX: i64 = 876_600;

/// Gaps of each log that are named; the others are counted.
pub const GAPS_MAX: usize = 100;

/// How much was searched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// By log, those that anything is known of.
    pub sources: Vec<CoveredSource>,
}

/// How much of one log was searched, in hours of an account in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CoveredSource {
    /// The log.
    pub source: String,
    /// Hours that were asked about, of every account and region that the log is known of.
    pub hours: u64,
    /// Those that were searched: proven complete, or with rows against which nothing is known.
    pub searched: u64,
    /// Those that are proven complete.
    pub complete: u64,
    /// Those of which a log file is missing.
    pub missing: u64,
    /// Those of which a log file or a digest is not as AWS wrote it.
    pub tampered: u64,
    /// Hours in a row that were not searched; at most [`GAPS_MAX`].
    pub gaps: Vec<Gap>,
    /// How many gaps there are.
    pub gaps_all: u64,
}

impl Covered {
    /// The sums over all logs; without gaps.
    pub fn total(&self) -> CoveredSource {
        let mut total = CoveredSource::default();
        for source in &self.sources {
            total.hours += source.hours;
            total.searched += source.searched;
            total.complete += source.complete;
            total.missing += source.missing;
            total.tampered += source.tampered;
            total.gaps_all += source.gaps_all;
        }
        total
    }
}

/// What is known of a log's hours.
struct Known {
    days: BTreeMap<Place, BTreeMap<i64, [Hour; 24]>>,
    first: i64,
    last: i64,
}

impl Lake {
    /// How much of the times and places of `within` could be searched in each log that is kept. Without `since` and
    /// `until`, from the first to the last hour that anything is known of. `keys` prove digests.
    pub async fn covered(&self, within: &Within, keys: &Keys) -> Result<Covered, ProofError> {
        let mut covered = Covered::default();
        for source in self.sources() {
            let Some(known) = self.known(source, keys).await? else { continue };
            let from = within.since.map_or(known.first, |since| since.div_euclid(HOUR));
            let to = within.until.map_or(known.last + 1, |until| (until - 1).div_euclid(HOUR) + 1);
            let is_asked = |place: &Place| {
                (within.accounts.is_empty() || within.accounts.contains(&place.account))
                    && (within.regions.is_empty() || within.regions.contains(&place.region))
            };
            let asked = |place: &Place, hours: std::ops::Range<i64>| vec![is_asked(place); hours.count()];
            covered.sources.push(known.count(source, from, to, asked));
        }
        Ok(covered)
    }

    /// How much of what a question was about could be searched, by what its conditions say of time, account and region;
    /// of the logs that it asked.
    pub async fn covered_by(&self, answer: &Answer, keys: &Keys) -> Result<Covered, ProofError> {
        let asked: BTreeMap<Arc<str>, Vec<Option<PruningPredicate>>> = {
            let tally = answer.tally().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tally.iter().map(|(name, asked)| (Arc::clone(name), asked.predicates.clone())).collect()
        };
        let mut covered = Covered::default();
        for source in self.sources() {
            let Some(predicates) = asked.get(&source.name) else { continue };
            let Some(known) = self.known(source, keys).await? else { continue };
            let asked = |place: &Place, hours: std::ops::Range<i64>| {
                let hours = Hours { place, range: hours, time: source.time };
                let mut keep = vec![false; hours.num_containers()];
                for predicate in predicates {
                    // What cannot be told apart was asked about.
                    let kept = predicate.as_ref().and_then(|predicate| predicate.prune(&hours).ok());
                    match kept {
                        Some(kept) => keep.iter_mut().zip(kept).for_each(|(keep, kept)| *keep |= kept),
                        None => keep.fill(true),
                    }
                }
                keep
            };
            covered.sources.push(known.count(source, known.first, known.last + 1, asked));
        }
        Ok(covered)
    }

    async fn known(&self, source: &Source, keys: &Keys) -> Result<Option<Known>, ProofError> {
        let Some(table) = Table::open(self.root(), source).await? else { return Ok(None) };
        let mut days: BTreeMap<Place, BTreeMap<i64, [Hour; 24]>> = BTreeMap::new();
        for file in table.files()?.into_iter().filter(|file| file.rows > 0) {
            let place = Place { account: file.place.account, region: file.place.region };
            let day = days.entry(place).or_default().entry(i64::from(file.place.day)).or_insert([NOTHING; 24]);
            let first = i64::from(file.place.day) * HOURS_OF_DAY;
            let at = |time: i64| time.div_euclid(HOUR).clamp(first, first + HOURS_OF_DAY - 1) - first;
            let (from, to) = (at(file.span.0), at(file.span.1));
            for (_, hour) in (0..).zip(day.iter_mut()).filter(|(number, _)| (from..=to).contains(number)) {
                hour.has_rows = true;
            }
        }
        drop(table);
        for proof in self.proofs(keys, Some(&source.name)).await? {
            for (place, date, hours) in proof.completeness.days() {
                // Whose rows are is said by the rows; a file's name may say another, or nobody. What digests and
                // silence say of a place without rows counts all the same.
                let is_judged = hours.iter().any(|hour| hour.state != State::NotVerified);
                let is_nobodys = place.account == UNKNOWN || place.region == UNKNOWN;
                if !days.contains_key(place) && (is_nobodys || !is_judged) {
                    continue;
                }
                let number = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
                let day = days.entry(place.clone()).or_default().entry(number).or_insert([NOTHING; 24]);
                for (known, hour) in day.iter_mut().zip(hours) {
                    known.state = hour.state;
                }
            }
        }
        let is_known = |hour: &Hour| hour.has_rows || hour.state != State::NotVerified;
        let known = days.values().flatten().flat_map(|(day, hours)| {
            (0..).zip(hours).filter(|(_, hour)| is_known(hour)).map(move |(number, _)| day * HOURS_OF_DAY + number)
        });
        let (first, last) = known.fold((i64::MAX, i64::MIN), |(first, last), hour| (first.min(hour), last.max(hour)));
        Ok((first <= last).then_some(Known { days, first, last }))
    }
}

const NOTHING: Hour = Hour { state: State::NotVerified, has_rows: false };

impl Known {
    /// Counts the hours from `from` to before `to` that `asked` says were asked about.
    fn count(
        &self,
        source: &Source,
        from: i64,
        to: i64,
        asked: impl Fn(&Place, std::ops::Range<i64>) -> Vec<bool>,
    ) -> CoveredSource {
        let mut covered = CoveredSource { source: source.name.to_string(), ..CoveredSource::default() };
        let from = from.max(to.saturating_sub(HOURS_MAX));
        if from >= to {
            return covered;
        }
        for (place, days) in &self.days {
            let mut gap: Option<(i64, Hour)> = None;
            for (at, is_asked) in (from..to).zip(asked(place, from..to)) {
                let hour = days.get(&at.div_euclid(HOURS_OF_DAY)).and_then(|day| {
                    usize::try_from(at.rem_euclid(HOURS_OF_DAY)).ok().and_then(|number| day.get(number)).copied()
                });
                let hour = hour.unwrap_or(NOTHING);
                let is_gap = is_asked && !hour.is_searched();
                if gap.is_some_and(|(_, before)| !is_gap || before != hour) {
                    covered.close(place, gap.take(), at);
                }
                if is_gap && gap.is_none() {
                    gap = Some((at, hour));
                }
                if is_asked {
                    covered.hours += 1;
                    covered.searched += u64::from(hour.is_searched());
                    covered.complete += u64::from(hour.state == State::Complete);
                    covered.missing += u64::from(hour.state == State::Missing);
                    covered.tampered += u64::from(hour.state == State::Tampered);
                }
            }
            covered.close(place, gap, to);
        }
        covered
    }
}

impl CoveredSource {
    fn close(&mut self, place: &Place, gap: Option<(i64, Hour)>, to: i64) {
        let Some((from, hour)) = gap else { return };
        self.gaps_all += 1;
        let moment = |hour: i64| chrono::DateTime::from_timestamp_micros(hour.checked_mul(HOUR)?);
        if let (true, Some(from), Some(to)) = (self.gaps.len() < GAPS_MAX, moment(from), moment(to)) {
            self.gaps.push(Gap { place: place.clone(), from, to, state: hour.state, has_rows: hour.has_rows });
        }
    }
}

/// Hours of one account and region, as what a condition can be held against.
struct Hours<'a> {
    place: &'a Place,
    range: std::ops::Range<i64>,
    time: &'static str,
}

impl Hours<'_> {
    fn values(&self, column: &Column, of_hour: impl Fn(i64) -> i64) -> Option<ArrayRef> {
        let count = self.num_containers();
        let day = |hour: i64| i32::try_from(hour.div_euclid(HOURS_OF_DAY)).unwrap_or_default();
        Some(match column.name() {
            ACCOUNT => Arc::new(StringArray::from(vec![self.place.account.as_str(); count])),
            REGION => Arc::new(StringArray::from(vec![self.place.region.as_str(); count])),
            DAY => Arc::new(self.range.clone().map(|hour| Some(day(hour))).collect::<Date32Array>()),
            name if name == self.time => {
                let times = self.range.clone().map(|hour| Some(of_hour(hour)));
                Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
            }
            _ => return None,
        })
    }
}

impl PruningStatistics for Hours<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |hour| hour.saturating_mul(HOUR))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |hour| hour.saturating_mul(HOUR).saturating_add(HOUR - 1))
    }

    fn num_containers(&self) -> usize {
        self.range.clone().count()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = [ACCOUNT, REGION, DAY, self.time].contains(&column.name());
        known.then(|| Arc::new(UInt64Array::from(vec![0; self.num_containers()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [State; 4] = [State::NotVerified, State::Complete, State::Missing, State::Tampered];

    fn known(hours: &[(State, bool)]) -> Known {
        let mut days: BTreeMap<i64, [Hour; 24]> = BTreeMap::new();
        for (at, (state, has_rows)) in hours.iter().enumerate() {
            days.entry(i64::try_from(at / 24).unwrap()).or_insert([NOTHING; 24])[at % 24] =
                Hour { state: *state, has_rows: *has_rows };
        }
        let place = Place { account: "111122223333".to_owned(), region: "us-east-1".to_owned() };
        Known { days: BTreeMap::from([(place, days)]), first: 0, last: i64::try_from(hours.len()).unwrap() - 1 }
    }

    #[test]
    fn hours_are_counted_by_what_digests_prove() {
        let known = known(&[
            (State::Complete, false),
            (State::Complete, true),
            (State::Missing, true),
            (State::Missing, true),
            (State::NotVerified, true),
            (State::Tampered, true),
            (State::NotVerified, false),
        ]);
        let source = crate::cloudtrail::source();
        // From two hours before anything is known until one after.
        let covered = known.count(&source, -2, 8, |_, hours| vec![true; hours.count()]);
        assert_eq!((covered.hours, covered.searched, covered.complete), (10, 3, 2));
        assert_eq!((covered.missing, covered.tampered, covered.gaps_all), (2, 1, 4));
        let gaps: Vec<(i64, i64, State)> = covered
            .gaps
            .iter()
            .map(|gap| (gap.from.timestamp() / 3600, gap.to.timestamp() / 3600, gap.state))
            .collect();
        let nothing = State::NotVerified;
        assert_eq!(gaps, [(-2, 0, nothing), (2, 4, State::Missing), (5, 6, State::Tampered), (6, 8, nothing)]);
        let nowhere = known.count(&source, 0, 7, |_, hours| vec![false; hours.count()]);
        assert_eq!((nowhere.hours, nowhere.gaps_all), (0, 0));
        assert_eq!(known.count(&source, 5, 5, |_, hours| vec![true; hours.count()]).hours, 0);
    }

    proptest! {
        /// The slow way: hour by hour.
        #[test]
        fn the_same_as_asking_for_each_hour(
            hours in prop::collection::vec((0_usize..4, any::<bool>(), any::<bool>()), 1..60)
        ) {
            let states: Vec<(State, bool)> = hours.iter().map(|(state, rows, _)| (STATES[*state], *rows)).collect();
            let asked: Vec<bool> = hours.iter().map(|(.., asked)| *asked).collect();
            let known = known(&states);
            let covered = known.count(&crate::cloudtrail::source(), 0, known.last + 1, |_, _| asked.clone());
            let mine = states.iter().zip(&asked).filter(|(_, asked)| **asked).map(|((state, rows), _)| (*state, *rows));
            let is_searched = |(state, rows): &(State, bool)| *state == State::Complete || (*state == State::NotVerified && *rows);
            prop_assert_eq!(covered.hours, mine.clone().count() as u64);
            prop_assert_eq!(covered.searched, mine.clone().filter(is_searched).count() as u64);
            let missed: i64 = covered.gaps.iter().map(|gap| (gap.to - gap.from).num_hours()).sum();
            let expected = mine.filter(|hour| !is_searched(hour)).count();
            prop_assert_eq!(usize::try_from(missed).unwrap(), expected);
        }
    }
}
