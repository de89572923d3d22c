//! How fast and how often: connections at once, a pace for each service and region, and a budget.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Requests a second to one service in one region before it ever asked to slow down. Above the published limits of nearly
/// every read call, so that the service itself says what it bears.
const RATE_MAX: f64 = 100.0;

/// However often a service asks to slow down, a request every two seconds goes out.
const RATE_MIN: f64 = 0.5;

/// What is added to the rate in each second without a throttle: from one request a second back to twenty in ten seconds.
const RATE_GROWTH: f64 = 2.0;

/// Requests that may go out at once after a pause.
const BURST: f64 = 10.0;

/// Requests that were under way together are often throttled together: that is one sign, not many.
const SIGN_WINDOW: Duration = Duration::from_millis(500);

/// How much is done at once, and how much at all.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests under way at once, everywhere.
    pub concurrency: usize,
    /// Requests under way at once to one service in one region.
    pub concurrency_per_service: usize,
    /// Requests in all, repeated ones included; `None` for no limit.
    pub api_calls_max: Option<u64>,
    /// Requests a second to one service in one region before it ever asked to slow down.
    pub rate_max: f64,
    /// Requests a second that go out however often it asks to.
    pub rate_min: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 32,
            concurrency_per_service: 8,
            api_calls_max: None,
            rate_max: RATE_MAX,
            rate_min: RATE_MIN,
        }
    }
}

/// The state of the limits.
pub(super) struct Gate {
    limits: Limits,
    all: Arc<Semaphore>,
    lanes: Mutex<HashMap<(String, String), Arc<Lane>>>,
    sent: AtomicU64,
}

/// One service in one region.
pub(super) struct Lane {
    slots: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// The right to send one request; given back when it is dropped.
pub(super) struct Slot {
    _lane: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        let all = Arc::new(Semaphore::new(limits.concurrency.max(1)));
        Self { limits, all, lanes: Mutex::default(), sent: AtomicU64::new(0) }
    }

    pub(super) fn lane(&self, service: &str, region: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry((service.to_owned(), region.to_owned())).or_insert_with(|| {
            let slots = Arc::new(Semaphore::new(self.limits.concurrency_per_service.max(1)));
            Arc::new(Lane { slots, pace: Mutex::new(Pace::new(self.limits, Instant::now())) })
        });
        Arc::clone(lane)
    }

    /// Waits until the next request may be sent; `None` where the budget is spent.
    pub(super) async fn enter(&self, lane: &Lane) -> Option<Slot> {
        // The lane's slot first: one slow service must not hold the slots of all.
        let in_lane = Arc::clone(&lane.slots).acquire_owned().await.ok()?;
        let wait = lane.pace().reserve(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let in_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        let most = self.limits.api_calls_max.unwrap_or(u64::MAX);
        let spend = |sent: u64| (sent < most).then_some(sent + 1);
        self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).ok()?;
        Some(Slot { _lane: in_lane, _all: in_all })
    }

    /// Requests sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The most requests that may be sent.
    pub(super) fn most(&self) -> Option<u64> {
        self.limits.api_calls_max
    }
}

impl Lane {
    /// The service asked to slow down.
    pub(super) fn throttled(&self) {
        self.pace().throttled(Instant::now());
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token bucket whose rate is halved when the service throttles and grows steadily otherwise (additive increase,
/// multiplicative decrease).
struct Pace {
    rate_max: f64,
    rate_min: f64,
    rate: f64,
    /// Below zero: reserved by requests that are waiting.
    tokens: f64,
    filled: Instant,
    throttled: Option<Instant>,
    /// Requests since `counting`, to know what was sent when the first throttle comes.
    count: f64,
    counting: Instant,
    /// Requests a second in the last full second.
    measured: f64,
}

impl Pace {
    fn new(limits: Limits, now: Instant) -> Self {
        // A rate of nothing would wait for ever.
        let rate_min = limits.rate_min.max(f64::EPSILON);
        let rate_max = limits.rate_max.max(rate_min);
        Self {
            rate_max,
            rate_min,
            rate: rate_max,
            tokens: BURST,
            filled: now,
            throttled: None,
            count: 0.0,
            counting: now,
            measured: 0.0,
        }
    }

    /// Takes a token and says how long to wait for it.
    fn reserve(&mut self, now: Instant) -> Duration {
        self.refill(now);
        let counted = now.saturating_duration_since(self.counting).as_secs_f64();
        if counted >= 1.0 {
            self.measured = self.count / counted;
            (self.count, self.counting) = (0.0, now);
        }
        self.count += 1.0;
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens / self.rate).max(0.0))
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.rate = (self.rate + elapsed * RATE_GROWTH).min(self.rate_max);
        self.tokens = (self.tokens + elapsed * self.rate).min(BURST.min(self.rate.max(1.0)));
        self.filled = now;
    }

    fn throttled(&mut self, now: Instant) {
        if self.throttled.is_some_and(|last| now.saturating_duration_since(last) < SIGN_WINDOW) {
            return;
        }
        self.refill(now);
        let sending = self.measured.max(self.count).max(1.0);
        self.rate = (self.rate.min(sending) / 2.0).max(self.rate_min);
        self.tokens = self.tokens.min(0.0);
        self.throttled = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_burst_goes_out_at_once_and_the_rest_in_its_turn() {
        let start = Instant::now();
        let mut pace = Pace::new(Limits::default(), start);
        let waits: Vec<Duration> = (0..30).map(|_| pace.reserve(start)).collect();
        assert!(waits.iter().take(10).all(Duration::is_zero));
        assert!(waits.iter().skip(10).is_sorted());
        assert_eq!(waits[29], Duration::from_millis(200));
    }

    #[test]
    fn a_throttle_halves_what_was_sent_and_time_brings_it_back() {
        let start = Instant::now();
        let mut pace = Pace::new(Limits::default(), start);
        for tick in 0..40 {
            pace.reserve(after(start, f64::from(tick) * 0.05));
        }
        let now = after(start, 2.0);
        pace.throttled(now);
        assert!((9.0..=11.0).contains(&pace.rate), "half of twenty a second, not of the most: {}", pace.rate);
        pace.throttled(after(start, 2.1));
        assert!(pace.rate >= 9.0, "a second sign in the same moment is not counted: {}", pace.rate);
        pace.throttled(after(start, 3.0));
        assert!((4.0..=6.5).contains(&pace.rate), "{}", pace.rate);
        pace.reserve(after(start, 5.0));
        assert!((8.0..=10.0).contains(&pace.rate), "{}", pace.rate);
        pace.reserve(after(start, 500.0));
        assert!((pace.rate - RATE_MAX).abs() < 0.01);
        for second in 0..100 {
            pace.throttled(after(start, 600.0 + f64::from(second)));
        }
        assert!((pace.rate - RATE_MIN).abs() < 0.01, "{}", pace.rate);
    }

    #[tokio::test]
    async fn the_budget_is_spent_once() {
        let gate = Gate::new(Limits { api_calls_max: Some(2), ..Limits::default() });
        let lane = gate.lane("s3", "us-east-1");
        assert!(gate.enter(&lane).await.is_some());
        assert!(gate.enter(&lane).await.is_some());
        assert!(gate.enter(&lane).await.is_none());
        assert_eq!(gate.sent(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_service_never_has_more_than_its_share_under_way() {
        let gate = Gate::new(Limits { concurrency: 3, concurrency_per_service: 2, ..Limits::default() });
        let (s3, iam) = (gate.lane("s3", "us-east-1"), gate.lane("iam", "us-east-1"));
        let held = (gate.enter(&s3).await.unwrap(), gate.enter(&s3).await.unwrap());
        let waits = |lane: Arc<Lane>| {
            let gate = &gate;
            async move { tokio::time::timeout(Duration::from_secs(9), gate.enter(&lane)).await.is_err() }
        };
        assert!(waits(Arc::clone(&s3)).await, "a third of s3");
        let third = gate.enter(&iam).await.unwrap();
        assert!(waits(Arc::clone(&iam)).await, "a fourth of all");
        drop(third);
        assert!(!waits(iam).await);
        drop(held);
        assert!(!waits(s3).await);
    }
}
