//! Taking a queue's messages, and removing those whose objects are stored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use yagura_aws::client::{CallFailure, Message, Queue, QueueClient};

/// How long nobody else is given a message that was taken: longer than a round takes; one that takes longer is harmless,
/// because what is consumed is not taken in again.
const HIDDEN: Duration = Duration::from_mins(15);

/// How long one call waits for a message: the longest that SQS allows is 20 seconds, and Ctrl-C may not wait for it.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Messages of one round: each names few objects, and a round is one commit.
const MESSAGES_MAX: usize = 5_000;

/// Removals that wait for an answer at the same time.
const REMOVALS_AT_ONCE: usize = 16;

/// The queue that is followed.
pub(crate) struct Consumer {
    /// What it is called with.
    pub(crate) client: QueueClient,
    /// The queue.
    pub(crate) queue: Queue,
}

impl Consumer {
    /// The messages that come until `end`, and why there are no more, if something failed.
    pub(crate) async fn gather(&self, end: DateTime<Utc>, gathered: &mut Vec<Message>) -> Result<(), CallFailure> {
        while gathered.len() < MESSAGES_MAX {
            let left = end - crate::now();
            if left <= TimeDelta::zero() {
                break;
            }
            // Whole seconds, and never none: SQS would answer at once, and this go round and round.
            let left = Duration::from_secs(u64::try_from(left.num_seconds()).unwrap_or_default().max(1));
            gathered.extend(self.client.receive(&self.queue, left.min(WAIT_MAX), HIDDEN).await?);
        }
        Ok(())
    }

    /// Removes the messages; gives how many were, and the first failure.
    pub(crate) async fn remove(&self, messages: &[Message]) -> (usize, Option<CallFailure>) {
        let removals = messages.iter().map(|message| self.client.remove(&self.queue, message));
        let outcomes: Vec<_> = stream::iter(removals).buffer_unordered(REMOVALS_AT_ONCE).collect().await;
        let removed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        (removed, outcomes.into_iter().find_map(Result::err))
    }

    /// Gives the messages back at once. Where that fails they come back by themselves.
    pub(crate) async fn give_back(&self, messages: &[Message]) {
        let returns = messages.iter().map(|message| self.client.give_back(&self.queue, message, Duration::ZERO));
        stream::iter(returns).buffer_unordered(REMOVALS_AT_ONCE).for_each(|_| async {}).await;
    }
}
