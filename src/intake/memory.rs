//! A queue in memory, for tests: durable as long as somebody holds it.

use super::{Depth, Intake, IntakeError, Received, Token, check_sizes};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a consumer waits for a message.
const WAIT: Duration = Duration::from_millis(200);

/// What all producers and consumers of a queue share.
#[derive(Default)]
pub struct MemoryQueue {
    state: Mutex<State>,
    came: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: VecDeque<(u64, Bytes)>,
    /// What a consumer has, by its number, and the consumer's.
    taken: BTreeMap<u64, (u64, Bytes)>,
    aside: Vec<Bytes>,
    away: bool,
}

/// One producer and consumer of a queue. What it has not acknowledged comes again when it is dropped.
pub struct MemoryIntake {
    queue: Arc<MemoryQueue>,
    consumer: u64,
    message_bytes_max: usize,
}

impl MemoryQueue {
    /// Another producer and consumer, which takes messages up to `message_bytes_max`.
    #[must_use]
    pub fn open(self: &Arc<Self>, message_bytes_max: usize) -> MemoryIntake {
        let consumer = self.with(State::number);
        MemoryIntake {
            queue: Arc::clone(self),
            consumer,
            message_bytes_max,
        }
    }

    /// From now on, whether every call fails as if the queue were away.
    pub fn set_away(&self, away: bool) {
        self.with(|state| state.away = away);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves whole messages: each step moves one.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn reach<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, IntakeError> {
        self.with(|state| match state.away {
            true => Err(IntakeError::Unavailable("it is away".to_owned())),
            false => Ok(work(state)),
        })
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn push(&mut self, bytes: Bytes) {
        let number = self.number();
        self.waiting.push_back((number, bytes));
    }

    fn take(&mut self, consumer: u64, limit: usize) -> Vec<Received> {
        let many = limit.min(self.waiting.len());
        let taken: Vec<_> = self.waiting.drain(..many).collect();
        let received = |(number, bytes): (u64, Bytes)| {
            self.taken.insert(number, (consumer, bytes.clone()));
            let token = Token::new(number.to_string());
            Received { bytes, token }
        };
        taken.into_iter().map(received).collect()
    }

    fn forget(&mut self, token: &Token) {
        if let Ok(number) = token.as_str().parse() {
            self.taken.remove(&number);
        }
    }

    /// What `consumer` has comes again, under other numbers, before everything else.
    fn give_back(&mut self, consumer: u64) {
        let of_consumer = |_: &u64, (taken_by, _): &mut (u64, Bytes)| *taken_by == consumer;
        let again: Vec<_> = self.taken.extract_if(.., of_consumer).collect();
        for (_, (_, bytes)) in again.into_iter().rev() {
            let number = self.number();
            self.waiting.push_front((number, bytes));
        }
    }
}

#[async_trait]
impl Intake for MemoryIntake {
    fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        check_sizes(&messages, self.message_bytes_max)?;
        let push_all = |state: &mut State| messages.into_iter().for_each(|one| state.push(one));
        self.queue.reach(push_all)?;
        self.queue.came.notify_waiters();
        Ok(())
    }

    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        let mut came = Box::pin(self.queue.came.notified());
        // Enabled before the look, so that nothing is missed in between.
        came.as_mut().enable();
        let take = |state: &mut State| state.take(self.consumer, limit);
        let received = self.queue.reach(take)?;
        if received.is_empty() && tokio::time::timeout(WAIT, came).await.is_ok() {
            return self.queue.reach(take);
        }
        Ok(received)
    }

    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError> {
        self.queue
            .reach(|state| tokens.iter().for_each(|token| state.forget(token)))
    }

    async fn set_aside(&self, message: Received) -> Result<(), IntakeError> {
        self.queue.reach(|state| {
            state.aside.push(message.bytes);
            state.forget(&message.token);
        })
    }

    async fn bring_back(&self) -> Result<u64, IntakeError> {
        let back = self.queue.reach(|state| {
            let back = std::mem::take(&mut state.aside);
            let many = u64::try_from(back.len()).unwrap_or(u64::MAX);
            back.into_iter().for_each(|bytes| state.push(bytes));
            many
        })?;
        self.queue.came.notify_waiters();
        Ok(back)
    }

    async fn depth(&self) -> Result<Depth, IntakeError> {
        let count = |len: usize| u64::try_from(len).ok();
        self.queue.reach(|state| Depth {
            waiting: count(state.waiting.len() + state.taken.len()),
            aside: count(state.aside.len()),
        })
    }
}

impl Drop for MemoryIntake {
    fn drop(&mut self) {
        self.queue.with(|state| state.give_back(self.consumer));
        self.queue.came.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::conformance::{self, LIMIT};

    async fn make() -> conformance::Given<()> {
        let queue = Arc::new(MemoryQueue::default());
        let open = move || std::future::ready(queue.open(LIMIT));
        let given = conformance::Given::new(open, ());
        given.comes_again_within(Duration::from_millis(500))
    }

    conformance::suite!(make);
}
