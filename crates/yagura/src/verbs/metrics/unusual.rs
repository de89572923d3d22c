//! Whether something was called unusually often: counts of five minutes against those of the seven days before.
//!
//! The counts of the baseline have a mean and a variance; a count as high as the one at hand, or higher, has a probability by
//! the negative binomial distribution of that mean and variance (Poisson's where they are equal). What was bursty before may
//! so be bursty again, and what was never called has the mean of half a call. As many tests are made as there are calls and
//! bins in a day, so a count is unusual where its probability times that number is below [`FALSE_PER_DAY`], and where it is
//! also more than [`TIMES_MIN`] times the mean and not less than [`CALLS_MIN`]: a difference that nobody would act on is none.

use std::collections::{BTreeSet, VecDeque};

use yagura_lake::metrics::Rate;

/// Seconds of a bin.
pub(super) const BIN_SECONDS: u32 = 300;

/// Bins of a day.
pub(super) const BINS_PER_DAY: i64 = 288;

/// Bins of the baseline: seven days.
pub(super) const BASELINE_BINS: i64 = 7 * BINS_PER_DAY;

/// Bins that a baseline must have: a day.
pub(super) const BASELINE_BINS_MIN: i64 = BINS_PER_DAY;

/// Unusual counts that an account's ordinary day in a region makes, on average.
pub(super) const FALSE_PER_DAY: f64 = 0.01;

/// How many times the mean a count must be.
const TIMES_MIN: f64 = 3.0;

/// The least calls of a bin that are worth telling.
const CALLS_MIN: u64 = 10;

/// Ordinary bins that may lie within one unusual time.
const GAP_BINS: i64 = 1;

/// Terms of the tail that are summed up; what has not come to an end by then is not improbable.
const TERMS_MAX: usize = 100_000;

/// An unusual time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unusual {
    /// The first bin and the one after the last.
    pub(super) bins: (i64, i64),
    /// Calls in it.
    pub(super) calls: u64,
    /// Calls of a bin in the baseline, on average.
    pub(super) baseline: f64,
    /// Bins of the baseline.
    pub(super) baseline_bins: i64,
    /// The least probability of its counts.
    pub(super) probability: f64,
}

/// The unusual times between two bins. `known` are the days (by their number of [`BINS_PER_DAY`] bins) of which there are
/// logs, `calls` how many things are judged on such a day.
pub(super) fn unusual(rate: &Rate, known: &BTreeSet<i64>, bins: (i64, i64), calls: usize) -> Vec<Unusual> {
    let tests = to_f64(calls.max(1) as u64) * to_f64(BINS_PER_DAY.unsigned_abs());
    let is_known = |bin: i64| known.contains(&bin.div_euclid(BINS_PER_DAY));
    let mut window = Window::default();
    let mut found: Vec<Unusual> = Vec::new();
    for bin in bins.0 - BASELINE_BINS..bins.1 {
        if !is_known(bin) {
            continue;
        }
        let count = rate.get(&bin).copied().unwrap_or_default();
        window.forget_before(bin - BASELINE_BINS);
        let judged = (bin >= bins.0 && window.bins() >= BASELINE_BINS_MIN).then(|| window.probability(count));
        match judged.filter(|probability| probability * tests < FALSE_PER_DAY && window.is_much(count)) {
            None => window.add(bin, count),
            // An unusual count is no part of what is usual afterwards.
            Some(probability) => match found.last_mut().filter(|last| bin - last.bins.1 <= GAP_BINS) {
                Some(last) => {
                    last.calls += (last.bins.1..=bin).filter_map(|bin| rate.get(&bin)).sum::<u64>();
                    last.bins.1 = bin + 1;
                    last.probability = last.probability.min(probability);
                }
                None => found.push(Unusual {
                    bins: (bin, bin + 1),
                    calls: count,
                    baseline: window.mean(),
                    baseline_bins: window.bins(),
                    probability,
                }),
            },
        }
    }
    found
}

/// The counts of the baseline.
#[derive(Debug, Default)]
struct Window {
    counts: VecDeque<(i64, u64)>,
    sum: u64,
    squares: f64,
}

impl Window {
    fn add(&mut self, bin: i64, count: u64) {
        self.counts.push_back((bin, count));
        self.sum += count;
        self.squares += to_f64(count) * to_f64(count);
    }

    fn forget_before(&mut self, first: i64) {
        while let Some((_, count)) = self.counts.pop_front_if(|(bin, _)| *bin < first) {
            self.sum -= count;
            self.squares -= to_f64(count) * to_f64(count);
        }
    }

    fn bins(&self) -> i64 {
        i64::try_from(self.counts.len()).unwrap_or(i64::MAX)
    }

    fn mean(&self) -> f64 {
        to_f64(self.sum) / to_f64(self.counts.len().max(1) as u64)
    }

    fn is_much(&self, count: u64) -> bool {
        count >= CALLS_MIN && to_f64(count) > TIMES_MIN * self.mean()
    }

    /// The probability of a count as high as this or higher.
    fn probability(&self, count: u64) -> f64 {
        let bins = to_f64(self.counts.len().max(1) as u64);
        // Half a call more than there were: the mean itself is only known so well.
        let mean = (to_f64(self.sum) + 0.5) / bins;
        let variance = (self.squares / bins - self.mean() * self.mean()).max(0.0);
        // Knowing the mean from so many bins adds as much to the variance.
        let dispersion = (variance / mean).max(1.0 + 1.0 / bins);
        tail(count, mean, dispersion)
    }
}

/// The probability of `count` or more where the mean is `mean` and the variance `dispersion` (above 1) times as much.
fn tail(count: u64, mean: f64, dispersion: f64) -> f64 {
    let from = to_f64(count);
    if from <= mean {
        return 1.0;
    }
    let size = mean / (dispersion - 1.0);
    let share = mean / (mean + size);
    let first =
        ln_gamma(from + size) - ln_gamma(size) - ln_gamma(from + 1.0) + size * (1.0 - share).ln() + from * share.ln();
    let (mut term, mut sum) = (1.0, 0.0);
    for number in 0..TERMS_MAX {
        sum += term;
        let at = from + to_f64(number as u64);
        term *= (at + size) / (at + 1.0) * share;
        if term < sum * 1e-12 {
            return (first.exp() * sum).min(1.0);
        }
    }
    1.0
}

/// The logarithm of the gamma function of a positive number: Stirling's series, from a number where it is exact enough.
fn ln_gamma(number: f64) -> f64 {
    let (mut number, mut product) = (number, 0.0);
    while number < 10.0 {
        product += number.ln();
        number += 1.0;
    }
    let inverse = 1.0 / number;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (number - 0.5) * number.ln() - number + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - product
}

#[expect(clippy::cast_precision_loss, reason = "calls are counted in far less than 2^52")]
pub(super) fn to_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: i64 = 8;

    fn judged(rate: &Rate) -> Vec<Unusual> {
        let known = (0..DAYS).collect();
        unusual(rate, &known, ((DAYS - 1) * BINS_PER_DAY, DAYS * BINS_PER_DAY), 50)
    }

    fn steady(count: u64) -> Rate {
        (0..DAYS * BINS_PER_DAY).map(|bin| (bin, count)).collect()
    }

    /// Numbers that look random, the same each time.
    struct Noise(u64);

    impl Noise {
        fn share(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            to_f64(self.0 >> 11) / to_f64(1 << 53)
        }

        /// A count of Poisson's distribution.
        fn count(&mut self, mean: f64) -> u64 {
            let (limit, mut product, mut count) = ((-mean).exp(), self.share(), 0);
            while product > limit {
                product *= self.share();
                count += 1;
            }
            count
        }
    }

    #[test]
    fn the_tail_is_what_adding_up_gives() {
        // Poisson's distribution of mean 2: 1 - (1 + 2 + 2 + 4/3 + 2/3) / e².
        assert!((tail(5, 2.0, 1.0 + 1e-9) - 0.052_653).abs() < 1e-5);
        // The geometric distribution of mean 1 has the variance 2: each count is half as likely as the one before.
        assert!((tail(10, 1.0, 2.0) - 1.0 / 1024.0).abs() < 1e-12);
        assert!((tail(1, 1.0, 2.0) - 1.0).abs() < 1e-12);
        for (number, expected) in [(1.0, 0.0), (5.0, 24_f64.ln()), (0.5, std::f64::consts::PI.sqrt().ln())] {
            assert!((ln_gamma(number) - expected).abs() < 1e-10, "{number}");
        }
    }

    #[test]
    fn a_burst_is_one_unusual_time() {
        let mut rate = steady(4);
        let first = (DAYS - 1) * BINS_PER_DAY + 100;
        rate.insert(first, 60);
        rate.insert(first + 1, 80);
        rate.insert(first + 3, 70);
        let found = judged(&rate);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].bins, found[0].calls, found[0].baseline_bins), ((first, first + 4), 214, BASELINE_BINS));
        assert!((found[0].baseline - 4.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_never_called_is_unusual_when_it_is_called_often() {
        let at = (DAYS - 1) * BINS_PER_DAY + 5;
        assert_eq!(judged(&Rate::from([(at, 40)])).len(), 1);
        assert_eq!(judged(&Rate::from([(at, 3)])).len(), 0);
    }

    #[test]
    fn a_job_of_every_night_is_usual() {
        let mut rate: Rate = (0..DAYS).map(|day| (day * BINS_PER_DAY + 24, 500)).collect();
        assert_eq!(judged(&rate), []);
        rate.insert((DAYS - 1) * BINS_PER_DAY + 150, 9_000);
        assert_eq!(judged(&rate).len(), 1);
    }

    #[test]
    fn a_short_baseline_says_nothing() {
        let at = (DAYS - 1) * BINS_PER_DAY + 5;
        let known = BTreeSet::from([DAYS - 1]);
        assert_eq!(
            unusual(&Rate::from([(at, 4_000)]), &known, ((DAYS - 1) * BINS_PER_DAY, DAYS * BINS_PER_DAY), 50),
            []
        );
    }

    #[test]
    fn ordinary_noise_is_ordinary() {
        let mut noise = Noise(7);
        for mean in [0.01, 0.3, 2.0, 10.0, 30.0] {
            for _ in 0..6 {
                let rate: Rate = (0..DAYS * BINS_PER_DAY).map(|bin| (bin, noise.count(mean))).collect();
                assert_eq!(judged(&rate), [], "mean {mean}");
            }
        }
    }
}
