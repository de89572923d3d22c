//! Time and chance, passed in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// What time it is, for signatures and the expiry of credentials. Waiting is done on tokio's clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> SystemTime;
}

impl<F: Fn() -> SystemTime + Send + Sync> Clock for F {
    fn now(&self) -> SystemTime {
        self()
    }
}

/// A clock as the SDK's parts take it.
#[derive(Clone)]
pub(crate) struct SdkClock(pub(crate) Arc<dyn Clock>);

impl std::fmt::Debug for SdkClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SdkClock")
    }
}

impl aws_smithy_async::time::TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// Random numbers for jitter and idempotency tokens, from a seed; not for secrets. The generator is `SplitMix64`, whose
/// whole state is one number.
pub(super) struct Chance(Mutex<u64>);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub(super) fn number(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any time up to `most`.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.number() % (most + 1))
    }

    /// A random UUID (version 4).
    pub(super) fn uuid(&self) -> String {
        let bits = (u128::from(self.number()) << 64) | u128::from(self.number());
        let bits = (bits & !(0xF << 76) | (0x4 << 76)) & !(0x3 << 62) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_uuid_of_version_4() {
        let chance = Chance::new(7);
        let (first, second) = (chance.uuid(), chance.uuid());
        assert_ne!(first, second);
        for uuid in [first, second] {
            assert_eq!(uuid.len(), 36);
            assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
        }
    }

    #[test]
    fn jitter_stays_below_its_most_and_fills_it() {
        let chance = Chance::new(1);
        let most = Duration::from_millis(100);
        let drawn: Vec<Duration> = (0..1000).map(|_| chance.up_to(most)).collect();
        assert!(drawn.iter().all(|time| *time <= most));
        assert!(drawn.iter().any(|time| *time < most / 10));
        assert!(drawn.iter().any(|time| *time > most * 9 / 10));
    }
}
