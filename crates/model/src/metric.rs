//! Metrics, by CloudWatch's model: series of points, each the statistics of one period.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Region};

/// What tells one series of values from every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// The account that it is of.
    pub account: AccountId,
    /// The region that it is of; `global` for what is counted over all regions.
    pub region: Region,
    /// The namespace: `AWS/EC2`.
    pub namespace: String,
    /// The metric's name: `CPUUtilization`.
    pub metric: String,
    /// All dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// The unit, as AWS spells it (`Percent`, `Bytes/Second`); none where nobody said.
    pub unit: Option<String>,
}

/// What is known of a series in one period.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The series.
    pub series: Arc<Series>,
    /// When the period begins.
    pub start: DateTime<Utc>,
    /// How long it is, in seconds.
    pub period_seconds: u32,
    /// The values in it.
    pub statistics: Statistics,
    /// Who said so: `cloudwatch`, the name of a file, `filter:` and the name of a metric filter.
    pub source: Arc<str>,
    /// When that was learnt.
    pub known: DateTime<Utc>,
}

/// The statistics of the samples of one period, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// How many samples.
    pub sample_count: Option<f64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// The least.
    pub minimum: Option<f64>,
    /// The greatest.
    pub maximum: Option<f64>,
    /// Their mean, where it was given and does not follow from the others; ask [`Statistics::mean`].
    pub average: Option<f64>,
    /// Percentiles and trimmed statistics, by CloudWatch's name for them (`p99`, `tm90`).
    pub extended: BTreeMap<String, f64>,
}

impl Series {
    /// The dimensions as `A=1, B=2`.
    pub fn dimensions_text(&self) -> String {
        let pairs: Vec<String> = self.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(", ")
    }
}

impl Point {
    /// When the period is over.
    pub fn end(&self) -> DateTime<Utc> {
        self.start + TimeDelta::seconds(i64::from(self.period_seconds))
    }
}

impl Statistics {
    /// The statistics of samples. None of no samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let one = |value: &f64| Self {
            sample_count: Some(1.0),
            sum: Some(*value),
            minimum: Some(*value),
            maximum: Some(*value),
            ..Self::default()
        };
        let all: Vec<Self> = samples.iter().map(one).collect();
        Self::together(all.iter())
    }

    /// The mean: of sum and count where both are known.
    pub fn mean(&self) -> Option<f64> {
        match (self.sum, self.sample_count) {
            (Some(sum), Some(count)) if count > 0.0 => Some(sum / count),
            _ => self.average,
        }
    }

    /// The statistics of several parts of a period as one. What does not follow from the parts is not known: percentiles of
    /// more than one part, and a mean of means without counts.
    pub fn together<'s>(parts: impl IntoIterator<Item = &'s Self>) -> Option<Self> {
        let parts: Vec<&Self> = parts.into_iter().collect();
        if let [only] = parts.as_slice() {
            return Some((*only).clone());
        }
        let all = |value: fn(&Self) -> Option<f64>| parts.iter().map(|part| value(part)).collect::<Option<Vec<f64>>>();
        (!parts.is_empty()).then(|| Self {
            sample_count: all(|part| part.sample_count).map(|values| values.iter().sum()),
            sum: all(|part| part.sum).map(|values| values.iter().sum()),
            minimum: all(|part| part.minimum).and_then(|values| values.into_iter().reduce(f64::min)),
            maximum: all(|part| part.maximum).and_then(|values| values.into_iter().reduce(f64::max)),
            average: None,
            extended: BTreeMap::new(),
        })
    }

    /// What is known when `later` is said of a period of which this was known: the side that counted more samples is
    /// right, since samples that arrive late are added and none is taken away; the later one where that decides nothing.
    /// A statistic that only the other side has is kept, unless the two speak of different samples.
    #[must_use]
    pub fn with_later(&self, later: &Self) -> Self {
        let (right, other) = match (self.sample_count, later.sample_count) {
            (Some(before), Some(now)) if before > now => (self, later),
            _ => (later, self),
        };
        let same_samples = match (right.sample_count, other.sample_count) {
            (Some(one), Some(another)) => one.total_cmp(&another).is_eq(),
            _ => true,
        };
        let mut known = right.clone();
        if same_samples {
            known.sample_count = known.sample_count.or(other.sample_count);
            known.sum = known.sum.or(other.sum);
            known.minimum = known.minimum.or(other.minimum);
            known.maximum = known.maximum.or(other.maximum);
            known.average = known.average.or(other.average);
            for (name, value) in &other.extended {
                known.extended.entry(name.clone()).or_insert(*value);
            }
        }
        known
    }

    /// A statistic by CloudWatch's name: `Average`, `SampleCount`, `Sum`, `Minimum`, `Maximum`, `p99`.
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "SampleCount" => self.sample_count,
            "Sum" => self.sum,
            "Minimum" => self.minimum,
            "Maximum" => self.maximum,
            "Average" => self.mean(),
            extended => self.extended.get(extended).copied(),
        }
    }
}

/// The points of one series that say most about each period of `period_seconds`, without saying anything twice: where a
/// series is known in several resolutions, the one that covers more of the period, and the coarser of two that cover as
/// much, because its percentiles are right. Resolutions that do not divide the period say nothing about it.
pub fn without_overlap(points: &[Point], period_seconds: u32) -> Vec<&Point> {
    let period = i64::from(period_seconds.max(1));
    let mut buckets: BTreeMap<i64, BTreeMap<u32, Vec<&Point>>> = BTreeMap::new();
    for point in points {
        let seconds = point.period_seconds.max(1);
        if seconds <= period_seconds && period_seconds.is_multiple_of(seconds) {
            let bucket = point.start.timestamp().div_euclid(period);
            buckets.entry(bucket).or_default().entry(seconds).or_default().push(point);
        }
    }
    let mut chosen = Vec::new();
    for (_, by_resolution) in buckets {
        let covers = |(seconds, points): &(u32, Vec<&Point>)| (u64::from(*seconds) * points.len() as u64, *seconds);
        chosen.extend(by_resolution.into_iter().max_by_key(covers).map(|(_, points)| points).into_iter().flatten());
    }
    chosen.sort_by_key(|point| point.start);
    chosen
}

/// The points of one series as points of a longer period, which begins at a multiple of itself since 1970.
pub fn rolled_up(points: &[Point], period_seconds: u32) -> Vec<Point> {
    let period = i64::from(period_seconds.max(1));
    let mut buckets: BTreeMap<i64, Vec<&Point>> = BTreeMap::new();
    for point in without_overlap(points, period_seconds) {
        buckets.entry(point.start.timestamp().div_euclid(period)).or_default().push(point);
    }
    let rolled = buckets.into_iter().filter_map(|(bucket, parts)| {
        let first = parts.first()?;
        let mut statistics = Statistics::together(parts.iter().map(|part| &part.statistics))?;
        // Percentiles of a part are not those of the whole.
        if parts.iter().any(|part| part.period_seconds != period_seconds) {
            statistics.extended.clear();
        }
        Some(Point {
            series: Arc::clone(&first.series),
            start: DateTime::from_timestamp(bucket * period, 0)?,
            period_seconds,
            statistics,
            source: Arc::clone(&first.source),
            known: parts.iter().map(|part| part.known).max()?,
        })
    });
    rolled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(start: i64, period_seconds: u32, samples: &[f64]) -> Point {
        let series = Series {
            account: AccountId::from("111122223333"),
            region: Region::from("us-east-1"),
            namespace: "AWS/EC2".to_owned(),
            metric: "CPUUtilization".to_owned(),
            dimensions: BTreeMap::new(),
            unit: None,
        };
        Point {
            series: Arc::new(series),
            start: DateTime::from_timestamp(start, 0).unwrap(),
            period_seconds,
            statistics: Statistics::of(samples).unwrap(),
            source: "test".into(),
            known: DateTime::UNIX_EPOCH,
        }
    }

    fn counted(count: f64, sum: f64) -> Statistics {
        Statistics { sample_count: Some(count), sum: Some(sum), ..Statistics::default() }
    }

    #[test]
    fn parts_come_together_and_what_does_not_follow_is_not_known() {
        let (mut one, two) = (Statistics::of(&[1.0, 5.0]).unwrap(), Statistics::of(&[3.0]).unwrap());
        one.extended.insert("p90".to_owned(), 4.6);
        let both = Statistics::together([&one, &two]).unwrap();
        assert_eq!(
            both,
            Statistics {
                sample_count: Some(3.0),
                sum: Some(9.0),
                minimum: Some(1.0),
                maximum: Some(5.0),
                ..Statistics::default()
            }
        );
        assert_eq!(both.get("Average"), Some(3.0));
        assert_eq!(both.get("p90"), None);
        assert_eq!(Statistics::together([&one]), Some(one));
        let mean_only = Statistics { average: Some(2.0), ..Statistics::default() };
        assert_eq!(Statistics::together([&mean_only, &mean_only]).unwrap().mean(), None);
        assert_eq!(Statistics::together([]), None);
    }

    #[test]
    fn more_samples_are_right_and_later_ones_where_that_is_equal() {
        for (before, later, expected) in [
            (counted(4.0, 40.0), counted(5.0, 55.0), counted(5.0, 55.0)),
            (counted(5.0, 55.0), counted(4.0, 40.0), counted(5.0, 55.0)),
            (counted(5.0, 55.0), counted(5.0, 60.0), counted(5.0, 60.0)),
        ] {
            assert_eq!(before.with_later(&later), expected);
        }
        let percentile = Statistics { extended: BTreeMap::from([("p99".to_owned(), 9.0)]), ..Statistics::default() };
        let both = counted(5.0, 55.0).with_later(&percentile);
        assert_eq!((both.sum, both.get("p99")), (Some(55.0), Some(9.0)));
        let mut other_samples = counted(4.0, 40.0);
        other_samples.extended.insert("p99".to_owned(), 9.0);
        assert_eq!(other_samples.with_later(&counted(5.0, 55.0)).get("p99"), None);
    }

    #[test]
    fn resolutions_are_not_added_up() {
        let mut points: Vec<Point> = (0..5).map(|minute| point(minute * 60, 60, &[1.0])).collect();
        points.push(point(0, 300, &[1.0; 5]));
        points.extend((5..8).map(|minute| point(minute * 60, 60, &[2.0])));
        points.push(point(600, 300, &[3.0]));
        points.push(point(600, 60, &[3.0]));
        points.push(point(0, 3600, &[9.0]));
        let rolled: Vec<(i64, Option<f64>)> =
            rolled_up(&points, 300).iter().map(|point| (point.start.timestamp(), point.statistics.sum)).collect();
        assert_eq!(rolled, [(0, Some(5.0)), (300, Some(6.0)), (600, Some(3.0))]);
        assert_eq!(rolled_up(&points, 90).len(), 0);
    }
}
