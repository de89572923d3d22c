//! How long CloudWatch keeps which resolution, and what that makes of a question about a time span.

use chrono::{DateTime, Utc};

/// Ages up to which a resolution is kept, in seconds, and the finest resolution then.
const KEPT: [(i64, u32); 4] = [(3 * HOUR, 1), (15 * DAY, 60), (63 * DAY, 300), (455 * DAY, 3_600)];

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A part of a time span with the resolution in which it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its beginning.
    pub start: DateTime<Utc>,
    /// Its end.
    pub end: DateTime<Utc>,
    /// The resolution.
    pub period_seconds: u32,
}

/// The parts of a span, the oldest first, each in the resolution asked for or the finest multiple that is still kept. What
/// is older than fifteen months is in none of them, nor is a period that is not over at `now`.
pub fn parts(span: (DateTime<Utc>, DateTime<Utc>), period_seconds: u32, now: DateTime<Utc>) -> Vec<Part> {
    let period_seconds = period_seconds.max(1);
    let mut parts: Vec<Part> = Vec::new();
    // The next part begins where the last one ends, so that no time is asked for twice.
    let mut begun: Option<i64> = None;
    let ages: Vec<i64> = KEPT.iter().rev().map(|(age, _)| *age).skip(1).chain([0]).collect();
    for ((oldest, finest), newest) in KEPT.iter().rev().zip(ages) {
        let period = period_seconds.div_ceil(*finest) * finest;
        let step = i64::from(period);
        // Aligned to hours, which every resolution of the table divides, and to the period.
        let edge = |age: i64| (now.timestamp() - age).div_euclid(HOUR) * HOUR + if age > 0 { HOUR } else { 0 };
        let from = match begun {
            Some(begun) => begun.div_euclid(step) * step + if begun.rem_euclid(step) > 0 { step } else { 0 },
            None => edge(*oldest).max(span.0.timestamp()).div_euclid(step) * step,
        };
        let until = if newest == 0 { now.timestamp() } else { edge(newest) };
        let until = until.min(span.1.timestamp()).min(now.timestamp()).div_euclid(step) * step;
        if from < until
            && let (Some(start), Some(end)) = (DateTime::from_timestamp(from, 0), DateTime::from_timestamp(until, 0))
        {
            match parts.last_mut().filter(|last| last.period_seconds == period && last.end == start) {
                Some(last) => last.end = end,
                None => parts.push(Part { start, end, period_seconds: period }),
            }
            begun = Some(until);
        }
        // What is left is less than a period of the finest that is kept of that time.
        if newest > 0 && span.1.timestamp() <= edge(newest) {
            break;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_year_is_asked_for_as_it_is_kept() {
        let now = time(1_800_000_000 + 130);
        let asked = parts((now - TimeDelta::days(500), now), 60, now);
        let shown: Vec<(u32, i64)> =
            asked.iter().map(|part| (part.period_seconds, (now - part.start).num_days())).collect();
        assert_eq!(shown, [(3_600, 454), (300, 62), (60, 14)]);
        assert_eq!(asked.last().unwrap().end, time(1_800_000_000 + 120));
        let asked = parts((now - TimeDelta::hours(1), now), 10, now);
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].period_seconds, asked[0].end), (10, now));
        assert_eq!(parts((now, now), 60, now), []);
    }

    proptest! {
        #[test]
        fn parts_follow_each_other_and_ask_for_nothing_that_is_gone(
            now in 1_700_000_000_i64..1_900_000_000,
            ago in 0_i64..50_000_000,
            lasts in 0_i64..50_000_000,
            period in prop::sample::select(vec![1_u32, 10, 30, 60, 120, 300, 900, 3_600, 21_600, 86_400]),
        ) {
            let now = time(now);
            let span = (now - TimeDelta::seconds(ago), now - TimeDelta::seconds(ago) + TimeDelta::seconds(lasts));
            let parts = parts(span, period, now);
            for part in &parts {
                prop_assert!(part.start < part.end && part.end <= now);
                let step = i64::from(part.period_seconds);
                prop_assert_eq!(part.start.timestamp().rem_euclid(step), 0);
                prop_assert_eq!(part.end.timestamp().rem_euclid(step), 0);
                prop_assert!(part.period_seconds >= period);
                // A whole period of the coarsest kind may begin before the edge: it is kept until all of it is too old.
                let age = (now - part.start).num_seconds() - step;
                let finest = KEPT.iter().find(|(oldest, _)| age <= *oldest).map(|(_, finest)| *finest);
                prop_assert!(finest.is_some_and(|finest| part.period_seconds.is_multiple_of(finest)));
            }
            for pair in parts.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }
    }
}
