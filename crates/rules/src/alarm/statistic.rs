//! What the samples of one period come to.

use yagura_model::metric::Statistics;

use super::Reading;

/// A statistic of CloudWatch, basic or extended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// How many samples.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// `p95`: the value that so many percent of the samples do not exceed.
    Percentile(f64),
    /// `tm`, `TM(a:b)`, `IQM`: the mean of those within the bounds.
    TrimmedMean(Bounds),
    /// `wm`, `WM(a:b)`: the mean after those outside were moved to the bounds.
    WinsorizedMean(Bounds),
    /// `tc`, `TC(a:b)`: how many are within the bounds.
    TrimmedCount(Bounds),
    /// `ts`, `TS(a:b)`: the sum of those within the bounds.
    TrimmedSum(Bounds),
    /// `PR(a:b)`: the percentage of those within the bounds.
    PercentileRank(Bounds),
}

/// From where to where samples count, the lower end excluded and the upper one included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bounds {
    /// By how many percent of the samples are not greater.
    Percent(f64, f64),
    /// By value.
    Value(f64, f64),
}

impl Statistic {
    /// A basic statistic, by its name in `Statistic`.
    pub fn basic(name: &str) -> Option<Self> {
        Some(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return None,
        })
    }

    /// An extended statistic, by its name in `ExtendedStatistic`: `p99.9`, `tm90`, `TM(10%:90%)`, `PR(:300)`, `IQM`.
    pub fn extended(name: &str) -> Option<Self> {
        if name == "IQM" {
            return Some(Self::TrimmedMean(Bounds::Percent(25.0, 75.0)));
        }
        if let Some(percent) = name.strip_prefix('p') {
            return percentage(percent).map(Self::Percentile);
        }
        let (kind, rest) = name.split_at_checked(2)?;
        let bounds = match rest.strip_prefix('(') {
            Some(range) => bounds(range.strip_suffix(')')?)?,
            None if kind.chars().all(char::is_lowercase) => Bounds::Percent(0.0, percentage(rest)?),
            None => return None,
        };
        Some(match kind.to_ascii_lowercase().as_str() {
            "tm" => Self::TrimmedMean(bounds),
            "wm" => Self::WinsorizedMean(bounds),
            "tc" => Self::TrimmedCount(bounds),
            "ts" => Self::TrimmedSum(bounds),
            "pr" if matches!(bounds, Bounds::Value(..)) => Self::PercentileRank(bounds),
            _ => return None,
        })
    }

    /// The statistic of samples; nothing of no samples.
    pub fn of(self, samples: &[f64]) -> Option<f64> {
        if samples.is_empty() {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        match self {
            Self::SampleCount => Some(count(&sorted)),
            Self::Average => mean(&sorted),
            Self::Sum => Some(sorted.iter().sum()),
            Self::Minimum => sorted.first().copied(),
            Self::Maximum => sorted.last().copied(),
            Self::Percentile(percent) => percentile(&sorted, percent),
            Self::TrimmedMean(bounds) => mean(bounds.within(&sorted)),
            Self::WinsorizedMean(bounds) => {
                let within = bounds.within(&sorted);
                let (first, last) = (within.first()?, within.last()?);
                mean(&sorted.iter().map(|value| value.clamp(*first, *last)).collect::<Vec<_>>())
            }
            Self::TrimmedCount(bounds) => Some(count(bounds.within(&sorted))),
            Self::TrimmedSum(bounds) => Some(bounds.within(&sorted).iter().sum()),
            Self::PercentileRank(bounds) => Some(count(bounds.within(&sorted)) / count(&sorted) * 100.0),
        }
    }

    /// The statistic of what is known of a period: samples, or statistics of parts of it. Nothing where it does not follow
    /// from them, such as a percentile from several parts. `name` is how AWS writes the statistic.
    pub fn of_readings<'r>(self, name: &str, readings: impl Iterator<Item = &'r Reading> + Clone) -> Option<f64> {
        let samples = readings.clone().map(|reading| match reading {
            Reading::Sample(value) => Some(*value),
            Reading::Period(_) => None,
        });
        if let Some(samples) = samples.collect::<Option<Vec<f64>>>() {
            return self.of(&samples);
        }
        let parts: Option<Vec<Statistics>> = readings
            .map(|reading| match reading {
                Reading::Sample(value) => Statistics::of(&[*value]),
                Reading::Period(statistics) => Some((**statistics).clone()),
            })
            .collect();
        Statistics::together(parts?.iter())?.get(name)
    }

    /// How many samples a percentile needs to mean something: ten beyond it on its shorter side.
    pub fn samples_needed(self) -> f64 {
        match self {
            Self::Percentile(percent) if percent > 0.0 && percent < 100.0 => {
                let share = percent / 100.0;
                10.0 / if share >= 0.5 { 1.0 - share } else { share }
            }
            _ => 0.0,
        }
    }
}

impl Bounds {
    /// The part of sorted samples within the bounds.
    fn within(self, sorted: &[f64]) -> &[f64] {
        let (start, end) = match self {
            Self::Value(low, high) => {
                (sorted.partition_point(|value| *value <= low), sorted.partition_point(|value| *value <= high))
            }
            Self::Percent(low, high) => {
                // The share of samples up to and with the one at an index, compared without dividing.
                let up_to = |percent: f64| {
                    let upto = |index: usize| usize_as_f64(index + 1) * 100.0 <= percent * count(sorted) + f64::EPSILON;
                    (0..sorted.len()).take_while(|index| upto(*index)).count()
                };
                (up_to(low), up_to(high))
            }
        };
        sorted.get(start..end).unwrap_or_default()
    }
}

fn percentage(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|percent| is_plain && (0.0..=100.0).contains(percent))
}

/// `10%:90%`, `:90%`, `100:2000`, `:300`.
fn bounds(text: &str) -> Option<Bounds> {
    let (low, high) = text.split_once(':')?;
    let by_percent = low.ends_with('%') || high.ends_with('%');
    let end = |text: &str, open: f64| match (text, text.strip_suffix('%')) {
        ("", _) => Some(open),
        (_, Some(percent)) => percentage(percent),
        (value, None) if !by_percent => value.parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    };
    let (open_low, open_high) = if by_percent { (0.0, 100.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let (from, to) = (end(low, open_low)?, end(high, open_high)?);
    let some = !(low.is_empty() && high.is_empty());
    (some && from < to).then_some(if by_percent { Bounds::Percent(from, to) } else { Bounds::Value(from, to) })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values))
}

fn count(values: &[f64]) -> f64 {
    usize_as_f64(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "no memory holds so many samples that a double could not count them")]
fn usize_as_f64(number: usize) -> f64 {
    number as f64
}

/// Between the two samples next to the rank, in proportion.
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let rank = percent / 100.0 * usize_as_f64(sorted.len() - 1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is an index and a fraction")]
    let below = rank.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * (rank - rank.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_what_their_names_say() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        for (name, expected) in [
            ("p0", 1.0),
            ("p50", 5.5),
            ("p100", 10.0),
            ("p90", 9.1),
            ("tm90", 5.0),
            ("TM(10%:90%)", 5.5),
            ("TM(2:4)", 3.5),
            ("TM(:4)", 2.5),
            ("wm90", 5.4),
            ("WM(20%:80%)", 5.5),
            ("tc80", 8.0),
            ("TC(5:)", 5.0),
            ("ts50", 15.0),
            ("PR(:3)", 30.0),
            ("PR(2:5)", 30.0),
            ("IQM", 5.0),
        ] {
            let value = Statistic::extended(name).unwrap_or_else(|| panic!("{name}")).of(&ten).unwrap();
            assert!((value - expected).abs() < 1e-9, "{name}: {value}");
        }
        for (name, expected) in
            [("SampleCount", 10.0), ("Average", 5.5), ("Sum", 55.0), ("Minimum", 1.0), ("Maximum", 10.0)]
        {
            assert_eq!(Statistic::basic(name).unwrap().of(&ten), Some(expected), "{name}");
        }
        assert_eq!(Statistic::Average.of(&[]), None);
        for name in [
            "",
            "p",
            "p101",
            "p-1",
            "p1e1",
            "tm",
            "TM90",
            "TM(:)",
            "TM(90%:10%)",
            "TM(10%:5)",
            "pr90",
            "PR(1%:2%)",
            "xx9",
            "日",
        ] {
            assert_eq!(Statistic::extended(name), None, "{name}");
        }
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        for (name, expected) in [("p99", 1000.0), ("p50", 20.0), ("p10", 100.0), ("p100", 0.0), ("tm99", 0.0)] {
            assert!((Statistic::extended(name).unwrap().samples_needed() - expected).abs() < 1e-6, "{name}");
        }
    }
}
