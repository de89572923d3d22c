//! Following buckets: finding what is new, early, late and out of order, and taking it in.
//!
//! In: prefixes of buckets, a queue of their notifications. Out: rounds, each of which says what it brought and what
//! failed. What was consumed is known by the lake's ledger alone; a round that is killed is done again by the next.

mod notice;
mod queue;
mod rest;
mod window;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use yagura_aws::client::Message;
use yagura_lake::object::LogObject;
use yagura_lake::{Added, Lake, Options};

use self::notice::{Named, NoticeError};
pub(crate) use self::queue::Consumer;
use self::rest::{Objects, Rests};
use self::window::{Days, Folders, Job};
use crate::objects::{Places, Refused, log_object};
use crate::verbs::logs;

/// Questions of single objects that wait for an answer at the same time.
const HEADS_AT_ONCE: usize = 16;

/// How often everything is listed: what came later than the window, and what has no day, is found then.
const EVERYTHING_EVERY: TimeDelta = TimeDelta::days(1);

/// How it is followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Between two looks.
    pub(crate) every: TimeDelta,
    /// How late an object may come and still be found at the next look.
    pub(crate) window: TimeDelta,
    /// Nothing older is taken in.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// What a round looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every object there is.
    Everything,
    /// The days of the window.
    Window,
    /// What the queue's messages name.
    Queue,
}

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Round {
    /// What it looked at.
    pub(crate) kind: Kind,
    /// Objects seen.
    pub(crate) listed: usize,
    /// What the lake made of the new ones among them.
    pub(crate) added: Added,
    /// What went wrong, and with what; it is tried again.
    pub(crate) failed: Vec<(String, anyhow::Error)>,
    /// Whether all that it looked at was given to the lake; what failed within rests and is tried again by itself.
    pub(crate) is_whole: bool,
    /// Messages taken.
    pub(crate) messages: usize,
    /// Messages removed: all that they name is stored.
    pub(crate) removed: usize,
}

impl Round {
    fn new(kind: Kind) -> Self {
        Self { kind, listed: 0, added: Added::default(), failed: Vec::new(), is_whole: true, messages: 0, removed: 0 }
    }

    /// Whether there is something to say.
    pub(crate) fn says_something(&self) -> bool {
        let brought = self.added.sources.values().any(|source| source.objects > 0) || self.added.aside > 0;
        brought || self.added.skipped_count > 0 || self.removed > 0 || !self.failed.is_empty()
    }
}

/// Whether the person asked for the end, to be looked at and to be waited for.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
    told: watch::Receiver<bool>,
}

impl Stop {
    /// Told by Ctrl-C, and by what asks a service to end.
    pub(crate) fn on_signals(runtime: &Runtime) -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        let (tell, told) = watch::channel(false);
        let watched = Arc::clone(&flag);
        runtime.spawn(async move {
            if signalled().await.is_ok() {
                watched.store(true, Ordering::Relaxed);
                // Nobody who waits is nobody to tell.
                let _ = tell.send(true);
            }
            // The channel stays open: that it closes must not be taken for the end.
            std::future::pending::<()>().await;
        });
        Self { flag, told }
    }

    /// Whether it is the end.
    pub(crate) fn is_told(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Ends when it is the end.
    pub(crate) async fn told(&self) {
        // An error is a closed channel, which it never is.
        let _ = self.told.clone().wait_for(|told| *told).await;
    }
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<()> {
    let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = ended.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// When what is listed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    every: TimeDelta,
    everything: DateTime<Utc>,
    window: DateTime<Utc>,
    failures: u32,
}

impl Schedule {
    /// Everything at once, and the window each time `every` has passed.
    pub(crate) fn new(every: TimeDelta, now: DateTime<Utc>) -> Self {
        Self { every, everything: now, window: now, failures: 0 }
    }

    /// What is due.
    pub(crate) fn due(&self, now: DateTime<Utc>) -> Option<Kind> {
        match (now >= self.everything, now >= self.window) {
            (true, _) => Some(Kind::Everything),
            (false, true) => Some(Kind::Window),
            (false, false) => None,
        }
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> DateTime<Utc> {
        self.everything.min(self.window)
    }

    /// That was done. Everything that was not done whole is done again, after a time that doubles.
    pub(crate) fn done(&mut self, kind: Kind, is_whole: bool, now: DateTime<Utc>) {
        self.window = now + self.every;
        if kind == Kind::Everything {
            let wait = if is_whole { EVERYTHING_EVERY } else { rest::rest_of(self.failures, self.every) };
            self.failures = if is_whole { 0 } else { self.failures.saturating_add(1) };
            self.everything = now + wait;
        }
    }
}

/// Follows some places.
pub(crate) struct Follower<'a> {
    /// The places, all in buckets.
    pub(crate) places: &'a Places,
    /// Where it is taken in.
    pub(crate) lake: &'a Lake,
    /// Where it waits.
    pub(crate) runtime: &'a Runtime,
    /// How.
    pub(crate) plan: Plan,
    /// When it ends.
    pub(crate) stop: Stop,
    seen: Seen,
}

/// What earlier rounds saw.
#[derive(Default)]
struct Seen {
    objects: Objects,
    /// By bucket.
    folders: HashMap<String, Folders>,
    /// Prefixes that could not be listed, by bucket and prefix.
    rests: Rests<(String, Key)>,
    /// What each of them was to be listed for.
    jobs: HashMap<(String, Key), Job>,
    /// The queue, after it could not be asked.
    queue: Rests<()>,
}

impl<'a> Follower<'a> {
    /// Follows `places`; nothing is looked at yet.
    pub(crate) fn new(places: &'a Places, lake: &'a Lake, runtime: &'a Runtime, plan: Plan, stop: Stop) -> Self {
        Self { places, lake, runtime, plan, stop, seen: Seen::default() }
    }

    /// Lists, and takes in what is new.
    pub(crate) fn list(&mut self, kind: Kind) -> Round {
        let now = crate::now();
        let mut round = Round::new(kind);
        let days = match kind {
            Kind::Everything => {
                // All is tried again, whatever failed before.
                self.seen.objects.forget();
                self.seen.rests = Rests::default();
                self.seen.jobs.clear();
                Days::since(self.plan.since)
            }
            Kind::Window | Kind::Queue => Days::window(now, self.plan.window),
        };
        let mut objects = Vec::new();
        let buckets: BTreeSet<String> = self.places.prefixes().iter().map(|(bucket, _)| bucket.clone()).collect();
        for bucket in buckets {
            objects.extend(self.list_bucket(&bucket, days, now, &mut round));
        }
        if self.stop.is_told() {
            return round;
        }
        round.listed = objects.len();
        self.take_in(objects, now, &mut round);
        round
    }

    fn list_bucket(&mut self, bucket: &str, days: Days, now: DateTime<Utc>, round: &mut Round) -> Vec<LogObject> {
        let Some(store) = self.places.bucket(bucket) else { return Vec::new() };
        let seen = &mut self.seen;
        let due: Vec<_> = seen.rests.due(now).into_iter().filter(|(of, _)| of == bucket).collect();
        let again: HashMap<_, Job> = due.iter().filter_map(|key| seen.jobs.remove_entry(key)).collect();
        // What is listed again by itself is not listed a second time on the way.
        let is_away = |prefix: &Key| {
            let key = (bucket.to_owned(), prefix.clone());
            seen.rests.holds(&key, now) || again.contains_key(&key)
        };
        let roots = self.places.prefixes().iter().filter(|(of, _)| of == bucket);
        let mut jobs: Vec<Job> =
            roots.filter(|(_, prefix)| !is_away(prefix)).map(|(_, prefix)| Job::new(prefix.clone(), days)).collect();
        jobs.extend(again.values().cloned());
        let folders = seen.folders.entry(bucket.to_owned()).or_default();
        let listing = self.runtime.block_on(async {
            tokio::select! {
                listing = window::list(store, jobs, folders, is_away) => Some(listing),
                () = self.stop.told() => None,
            }
        });
        let Some(listing) = listing else { return Vec::new() };
        let failed: BTreeSet<&Key> = listing.failed.iter().map(|(job, _)| &job.prefix).collect();
        for key in due.iter().filter(|(_, prefix)| !failed.contains(prefix)) {
            seen.rests.passed(key);
        }
        for (job, error) in listing.failed {
            let key = (bucket.to_owned(), job.prefix.clone());
            round.failed.push((format!("s3://{bucket}/{}", job.prefix), Refused::from(error).into()));
            seen.rests.failed(key.clone(), now, self.plan.every);
            seen.jobs.insert(key, job);
        }
        listing.found.into_iter().map(|meta| log_object(bucket, meta)).collect()
    }

    /// Takes in those of the objects that are new.
    fn take_in(&mut self, objects: Vec<LogObject>, now: DateTime<Utc>, round: &mut Round) {
        let fresh = self.seen.objects.fresh(objects, now);
        if fresh.is_empty() {
            return;
        }
        let options = Options { readers: self.places.readers(logs::threads()), ..logs::options() };
        match self.lake.add(fresh.clone(), self.places, &options, &self.stop.flag, &mut |_| {}) {
            Ok(added) => {
                let remember = round.kind != Kind::Everything;
                self.seen.objects.took(fresh, &added, remember, now, self.plan.every);
                // Of what is not in the list of what failed nobody knows that it failed.
                round.is_whole = added.skipped_count == added.skipped.len() as u64;
                round.added = added;
            }
            Err(error) => {
                round.is_whole = false;
                round.failed.push((yagura_lake::FOLDER.to_owned(), error.into()));
            }
        }
    }

    /// Takes messages until the next look is due, then what they name, then removes those of which all is stored.
    pub(crate) fn consume(&mut self, consumer: &Consumer, until: DateTime<Utc>) -> Round {
        let mut round = Round::new(Kind::Queue);
        let mut messages = Vec::new();
        if self.seen.queue.holds(&(), crate::now()) {
            self.wait(until);
            return round;
        }
        let gathered = self.runtime.block_on(async {
            tokio::select! {
                outcome = consumer.gather(until, &mut messages) => outcome,
                () = self.stop.told() => Ok(()),
            }
        });
        match gathered {
            Ok(()) => self.seen.queue.passed(&()),
            Err(failure) => {
                self.seen.queue.failed((), crate::now(), self.plan.every);
                round.failed.push((consumer.queue.url().to_owned(), failure.into()));
            }
        }
        round.messages = messages.len();
        if self.stop.is_told() {
            self.runtime.block_on(consumer.give_back(&messages));
            return round;
        }
        let now = crate::now();
        let asked: Vec<Asked> = messages.into_iter().map(|message| self.asked(message)).collect();
        let named: BTreeSet<Named> = asked.iter().flat_map(|asked| asked.named.iter().cloned()).collect();
        let states = self.runtime.block_on(self.states(&named));
        let objects: Vec<LogObject> =
            states.values().filter_map(|state| state.as_ref().ok().cloned().flatten()).collect();
        round.listed = objects.len();
        self.take_in(objects, now, &mut round);
        let (mut done, mut left) = (Vec::new(), Vec::new());
        for asked in asked {
            let is_done = asked.named.iter().all(|named| self.is_done(states.get(named)));
            match asked.problem {
                None if is_done => {
                    done.push(asked.message);
                    continue;
                }
                // Why not stands among what was skipped or failed.
                None => {}
                Some(problem) => round.failed.push((asked.message.id.clone(), problem.into())),
            }
            left.push(asked.message);
        }
        for (named, state) in states {
            if let Err(error) = state {
                round.failed.push((format!("s3://{}/{}", named.bucket, named.key), error));
            }
        }
        let (removed, failure) = self.runtime.block_on(consumer.remove(&done));
        round.removed = removed;
        round.failed.extend(failure.map(|failure| (consumer.queue.url().to_owned(), failure.into())));
        if self.stop.is_told() {
            self.runtime.block_on(consumer.give_back(&left));
        }
        round
    }

    /// Waits for a time, or for the end.
    pub(crate) fn wait(&self, until: DateTime<Utc>) {
        let time = (until - crate::now()).to_std().unwrap_or_default();
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = self.stop.told() => {}
            }
        });
    }

    /// What a message asks for. One that names something that is not followed here is somebody else's too, and is left.
    fn asked(&self, message: Message) -> Asked {
        let named = match notice::parse(&message.body) {
            Ok(named) => named,
            Err(problem) => return Asked { message, named: Vec::new(), problem: Some(problem) },
        };
        let (named, elsewhere): (Vec<Named>, Vec<Named>) = named.into_iter().partition(|named| self.is_followed(named));
        let elsewhere = elsewhere.into_iter().next();
        let problem = elsewhere.map(|named| NoticeError::Elsewhere(format!("s3://{}/{}", named.bucket, named.key)));
        Asked { message, named, problem }
    }

    fn is_followed(&self, named: &Named) -> bool {
        self.places.prefixes().iter().any(|(bucket, prefix)| {
            let below = named.key.strip_prefix(prefix.as_ref());
            let is_below =
                below.is_some_and(|rest| prefix.as_ref().is_empty() || rest.is_empty() || rest.starts_with('/'));
            *bucket == named.bucket && is_below
        })
    }

    /// Each object as it is now; none where it is gone.
    async fn states(&self, named: &BTreeSet<Named>) -> HashMap<Named, Result<Option<LogObject>>> {
        let states = named.iter().map(|named| async move { (named.clone(), self.state(named).await) });
        stream::iter(states).buffer_unordered(HEADS_AT_ONCE).collect().await
    }

    async fn state(&self, named: &Named) -> Result<Option<LogObject>> {
        let Some(store) = self.places.bucket(&named.bucket) else { return Ok(None) };
        let key = Key::parse(&named.key).context("the key cannot be read")?;
        match store.head(&key).await {
            Ok(meta) if meta.size == 0 => Ok(None),
            Ok(meta) => Ok(Some(log_object(&named.bucket, meta))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Refused::from(error).into()),
        }
    }

    /// Whether nothing of the object is left to be taken in.
    fn is_done(&self, state: Option<&Result<Option<LogObject>>>) -> bool {
        match state {
            Some(Ok(Some(object))) => self.seen.objects.is_durable(object),
            Some(Ok(None)) => true,
            Some(Err(_)) | None => false,
        }
    }
}

/// A message, understood as far as it can be.
struct Asked {
    message: Message,
    /// The objects that are followed.
    named: Vec<Named>,
    /// Why it is left in the queue.
    problem: Option<NoticeError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_listed_once_a_day_and_the_window_in_between() {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let mut schedule = Schedule::new(TimeDelta::minutes(30), at(0));
        let mut done = Vec::new();
        for minute in 0..=2 * 24 * 60 {
            if let Some(kind) = schedule.due(at(minute)) {
                assert!(schedule.next() <= at(minute));
                schedule.done(kind, true, at(minute));
                done.push((minute, kind));
            }
        }
        let everything: Vec<i64> =
            done.iter().filter(|(_, kind)| *kind == Kind::Everything).map(|(minute, _)| *minute).collect();
        assert_eq!(everything, [0, 24 * 60, 48 * 60]);
        assert_eq!(done.len(), 97);
    }

    #[test]
    fn what_was_not_whole_is_done_again_sooner() {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let mut schedule = Schedule::new(TimeDelta::minutes(10), at(0));
        schedule.done(Kind::Everything, false, at(0));
        assert_eq!(schedule.due(at(10)), Some(Kind::Everything));
        schedule.done(Kind::Everything, false, at(10));
        assert_eq!((schedule.due(at(20)), schedule.due(at(30))), (Some(Kind::Window), Some(Kind::Everything)));
        schedule.done(Kind::Everything, true, at(30));
        assert_eq!(schedule.due(at(60)), Some(Kind::Window));
    }
}
