//! Access keys that were handed out, and who asked for them, who asked for theirs, and so on.

use std::collections::BTreeMap;

use super::{Key, Report};

/// How long a chain of sessions is followed: AWS itself lets a chained session live for an hour, so longer ones are rare.
const CHAIN_MAX: usize = 8;

/// When there is no room, this part of the sessions is forgotten: an eighth.
const FREED_PART: usize = 8;

/// Sessions by the key that was handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) by_key: BTreeMap<Key, Session>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) time_ms: i64,
    /// Who asked: the principal and the key that it used; then who asked for that key.
    pub(crate) issuers: Vec<String>,
}

impl Sessions {
    pub(crate) fn add(&mut self, key: &str, by: Option<&str>, with: Option<&str>, time_ms: i64) {
        let mut issuers: Vec<String> = [by, with].into_iter().flatten().map(str::to_owned).collect();
        if let Some(with) = with {
            issuers.extend(self.issuers(with).iter().cloned());
        }
        issuers.truncate(CHAIN_MAX);
        if !issuers.is_empty() {
            self.by_key.insert(Key::of([key]), Session { time_ms, issuers });
        }
    }

    pub(crate) fn issuers(&self, key: &str) -> &[String] {
        self.by_key.get(&Key::of([key])).map(|session| session.issuers.as_slice()).unwrap_or_default()
    }

    pub(crate) fn make_room(&mut self, limit: usize, report: &mut Report) {
        if self.by_key.len() <= limit {
            return;
        }
        let mut aged: Vec<(i64, Key)> = self.by_key.iter().map(|(key, session)| (session.time_ms, *key)).collect();
        aged.sort_unstable();
        for (_, key) in aged.into_iter().take(limit / FREED_PART + 1) {
            self.by_key.remove(&key);
            report.evicted_sessions += 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}
