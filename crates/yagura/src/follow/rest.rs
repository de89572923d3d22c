//! What failed and is tried again later, and what need not be read again.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};
use yagura_lake::Added;
use yagura_lake::object::{LogObject, Reason};

/// The longest time between two attempts.
const REST_MAX: TimeDelta = TimeDelta::hours(1);

/// Attempts at one object; then it waits for the listing of everything. With the doubling that is half a day.
const ATTEMPTS_MAX: u32 = 16;

/// What failed, and when each is tried again: after a time that doubles with each failure.
#[derive(Debug)]
pub(crate) struct Rests<K>(HashMap<K, Rest>);

#[derive(Debug, Clone, Copy)]
struct Rest {
    failures: u32,
    until: DateTime<Utc>,
}

impl<K> Default for Rests<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone> Rests<K> {
    /// It failed: it rests for `first`, twice that the next time.
    pub(crate) fn failed(&mut self, key: K, now: DateTime<Utc>, first: TimeDelta) {
        let rest = self.0.entry(key).or_insert(Rest { failures: 0, until: now });
        rest.until = now + rest_of(rest.failures, first);
        rest.failures = rest.failures.saturating_add(1);
    }

    /// It did not fail any more.
    pub(crate) fn passed(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Whether it rests.
    pub(crate) fn holds(&self, key: &K, now: DateTime<Utc>) -> bool {
        self.0.get(key).is_some_and(|rest| now < rest.until)
    }

    /// What is to be tried again.
    pub(crate) fn due(&self, now: DateTime<Utc>) -> Vec<K> {
        self.0.iter().filter(|(_, rest)| now >= rest.until).map(|(key, _)| key.clone()).collect()
    }
}

/// The rest after so many failures before this one, where that after the first is `first`.
pub(crate) fn rest_of(failures: u32, first: TimeDelta) -> TimeDelta {
    let times = 1_i32.checked_shl(failures.min(30)).unwrap_or(i32::MAX);
    first.checked_mul(times).unwrap_or(REST_MAX).min(REST_MAX)
}

/// Objects, as far as they need not be asked for again.
///
/// The lake's ledger is what counts; this spares it, and the network, what was looked at a minute ago.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    durable: HashSet<LogObject>,
    /// Read to their end without a row: damaged, or of no known format.
    refused: HashSet<LogObject>,
    rests: Rests<LogObject>,
}

impl Objects {
    /// Those of the objects that are worth reading now, and those that failed before and are to be tried again.
    pub(crate) fn fresh(&self, listed: Vec<LogObject>, now: DateTime<Utc>) -> Vec<LogObject> {
        let known = |object: &LogObject| self.durable.contains(object) || self.refused.contains(object);
        let mut fresh: HashSet<LogObject> = listed.into_iter().filter(|object| !known(object)).collect();
        fresh.retain(|object| !self.rests.holds(object, now));
        // Of an object that was written anew meanwhile only what it is now can be read.
        let listed: HashSet<String> = fresh.iter().map(|object| object.uri.clone()).collect();
        fresh.extend(self.rests.due(now).into_iter().filter(|object| !listed.contains(&object.uri)));
        fresh.into_iter().collect()
    }

    /// What became of the objects that the lake was given. `remember` is false where there may be more of them than are
    /// worth remembering.
    pub(crate) fn took(
        &mut self,
        given: Vec<LogObject>,
        added: &Added,
        remember: bool,
        now: DateTime<Utc>,
        first: TimeDelta,
    ) {
        if added.stopped {
            return;
        }
        let whole = added.skipped.iter().filter(|skipped| skipped.line.is_none());
        let whole: HashMap<&str, &Reason> = whole.map(|skipped| (&*skipped.uri, &skipped.reason)).collect();
        // Of what is not listed any more nobody knows whether it was taken in.
        let is_listed = added.skipped_count == added.skipped.len() as u64;
        for object in given {
            match whole.get(&*object.uri) {
                Some(Reason::Unreadable(_) | Reason::Truncated) => {
                    let failures = self.rests.0.get(&object).map_or(0, |rest| rest.failures);
                    if failures < ATTEMPTS_MAX {
                        self.rests.failed(object, now, first);
                    } else {
                        self.rests.passed(&object);
                        self.refused.insert(object);
                    }
                }
                Some(_) => {
                    self.refused.insert(object);
                }
                None => {
                    self.rests.passed(&object);
                    if remember && is_listed {
                        self.durable.insert(object);
                    }
                }
            }
        }
    }

    /// Whether all of the object is in the lake.
    pub(crate) fn is_durable(&self, object: &LogObject) -> bool {
        self.durable.contains(object)
    }

    /// Forgets what was seen, so that everything is looked at once more; what rests, rests.
    pub(crate) fn forget(&mut self) {
        self.durable.clear();
        self.refused.clear();
    }
}

#[cfg(test)]
mod tests {
    use yagura_lake::object::Skipped;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn object(name: &str) -> LogObject {
        LogObject { uri: format!("s3://trail/{name}"), size: 1, version: "1".to_owned() }
    }

    fn skipped(name: &str, line: Option<u64>, reason: Reason) -> Added {
        let skipped = vec![Skipped { uri: object(name).uri, line, reason }];
        Added { skipped, skipped_count: 1, ..Added::default() }
    }

    #[test]
    fn what_fails_rests_twice_as_long_each_time_but_an_hour_at_most() {
        let mut rests = Rests::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..40 {
            rests.failed("a", now, TimeDelta::minutes(1));
            let begun = now;
            while rests.holds(&"a", now) {
                now += TimeDelta::minutes(1);
            }
            assert_eq!(rests.due(now), ["a"]);
            waits.push((now - begun).num_minutes());
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits[39], 60);
        rests.passed(&"a");
        assert!(!rests.holds(&"a", at(0)) && rests.due(now).is_empty());
    }

    #[test]
    fn an_object_is_read_again_only_if_that_may_help() {
        let first = TimeDelta::minutes(1);
        let unreadable = || Reason::Unreadable("no answer".to_owned());
        for (added, durable, fresh_now, fresh_later) in [
            (Added::default(), true, false, false),
            (skipped("a", Some(3), Reason::NotUtf8), true, false, false),
            (skipped("a", None, unreadable()), false, false, true),
            (skipped("a", None, Reason::Truncated), false, false, true),
            (skipped("a", None, Reason::UnknownFormat), false, false, false),
            (skipped("b", None, Reason::UnknownFormat), true, false, false),
            (Added { stopped: true, ..Added::default() }, false, true, true),
            (Added { skipped_count: 2_000, ..Added::default() }, false, true, true),
        ] {
            let mut objects = Objects::default();
            objects.took(vec![object("a")], &added, true, at(0), first);
            assert_eq!(objects.is_durable(&object("a")), durable, "{added:?}");
            let fresh = |minute| !objects.fresh(vec![object("a")], at(minute)).is_empty();
            assert_eq!((fresh(0), fresh(2)), (fresh_now, fresh_later), "{added:?}");
        }
    }

    #[test]
    fn an_object_that_changed_is_another() {
        let mut objects = Objects::default();
        objects.took(vec![object("a")], &Added::default(), true, at(0), TimeDelta::minutes(1));
        let changed = LogObject { version: "2".to_owned(), ..object("a") };
        assert_eq!(objects.fresh(vec![object("a"), changed.clone()], at(0)), [changed]);
    }

    #[test]
    fn an_object_that_failed_is_tried_as_it_is_now() {
        let mut objects = Objects::default();
        let added = skipped("a", None, Reason::Unreadable("no answer".to_owned()));
        objects.took(vec![object("a")], &added, true, at(0), TimeDelta::minutes(1));
        assert_eq!(objects.fresh(Vec::new(), at(0)), []);
        assert_eq!(objects.fresh(Vec::new(), at(5)), [object("a")]);
        let changed = LogObject { version: "2".to_owned(), ..object("a") };
        assert_eq!(objects.fresh(vec![changed.clone()], at(5)), [changed]);
    }
}
