//! A queue in front of the log: receivers enqueue and answer, the mover carries into the log.
//!
//! A queue is no log: what is in the log is forgotten here. `docs/intake.md` says what each back end
//! promises, and what it needs for that.

#[cfg(feature = "intake-amqp")]
pub mod amqp;
#[cfg(test)]
pub(crate) mod conformance;
#[cfg(feature = "intake-eventhubs")]
pub mod eventhubs;
#[cfg(any(feature = "claim-check", feature = "intake-redis"))]
mod files;
mod inlet;
pub mod memory;
mod message;
mod mover;
#[cfg(feature = "claim-check")]
pub mod objects;
#[cfg(feature = "intake-redis")]
pub mod redis;
#[cfg(feature = "intake-sqs")]
pub mod sqs;

pub use inlet::IntoQueue;
pub use message::{Body, Claim, DecodeError, Message};
pub use mover::{Mover, MoverParts};

use async_trait::async_trait;
use bytes::Bytes;

/// A queue of messages, each of which becomes at least one record of the log.
///
/// Back ends only move bytes: what a message is, [`Message`] knows.
///
/// # Rules for implementers
/// - When `enqueue` returns, the messages are durable: they survive the end of this process, and the
///   end of every process of the queue. After an error each of them may come or not; `TooLarge` and
///   `Full` say that none does.
/// - A dropped `enqueue` future does not undo it; each message happens wholly or not at all.
/// - `receive` gives a message to one consumer at a time, as far as the queue can tell. What it gave,
///   or would have given to a future that was dropped, comes again until it is acknowledged or set
///   aside: to anybody, at the latest soon after its consumer is dropped or its process has ended.
///   It may also come again earlier, as when a queue thinks that its consumer is gone.
/// - What was acknowledged or set aside, and whose call returned `Ok`, never comes again. A token that
///   the queue has forgotten is no error: its message came again, or is gone already.
/// - Messages come about in the order in which they were enqueued. Nothing depends on it: the order
///   of the log is that of its appends, and each record has the time of its receipt.
/// - A message that nobody acknowledges does not hold up the others.
/// - Nothing waits for ever: a queue that is away is an error within seconds, and the next call tries
///   again by itself. What is in memory is bounded.
/// - Settings under which confirmed messages could be lost are refused when the queue is opened, with
///   an error that says what to change, unless the operator accepted them by name.
#[async_trait]
pub trait Intake: Send + Sync {
    /// The largest message that the queue takes, in bytes. Larger bodies go by claim check.
    fn message_bytes_max(&self) -> usize;

    /// Puts messages at the end of the queue. An empty list is no work.
    ///
    /// # Errors
    /// See [`IntakeError`].
    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError>;

    /// The next messages, at most `limit`, which is 1 at the least. While there are none it waits for
    /// about a second, then returns none.
    ///
    /// # Errors
    /// See [`IntakeError`].
    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError>;

    /// Forgets messages: they are in the log.
    ///
    /// # Errors
    /// See [`IntakeError`]; some may be forgotten then, and the others come again.
    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError>;

    /// Takes a message out of the queue and keeps it, as durably, where it does not come again until
    /// [`Intake::bring_back`], and where an operator finds it. It is kept there before it is
    /// forgotten here.
    ///
    /// # Errors
    /// See [`IntakeError`]; the message comes again then, and may have been kept already.
    async fn set_aside(&self, message: Received) -> Result<(), IntakeError>;

    /// Enqueues everything again that is set aside now, and tells how many messages that were.
    ///
    /// # Errors
    /// See [`IntakeError`]; what is not enqueued again is still set aside.
    async fn bring_back(&self) -> Result<u64, IntakeError>;

    /// How many messages there are, as far as the queue can tell.
    ///
    /// # Errors
    /// See [`IntakeError`].
    async fn depth(&self) -> Result<Depth, IntakeError>;
}

/// A message that came out of a queue.
#[derive(Clone, Debug)]
pub struct Received {
    /// What was enqueued, byte for byte.
    pub bytes: Bytes,
    /// What to acknowledge.
    pub token: Token,
}

/// How a back end knows a message that it gave away: opaque to everybody else, and worth nothing to
/// another consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(Box<str>);

impl Token {
    /// A token that reads `text`.
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// What it was made of.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many messages a queue has; a count that it cannot tell is none. Queues count roughly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that are not acknowledged, whether a consumer has them or not.
    pub waiting: Option<u64>,
    /// Messages that are set aside.
    pub aside: Option<u64>,
}

/// Why a queue did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// The queue cannot be reached now, or did not answer in time.
    #[error("the intake queue is not available: {0}")]
    Unavailable(String),
    /// It has no room; nothing was enqueued.
    #[error("the intake queue is full: {0}")]
    Full(String),
    /// One message is larger than the queue takes; nothing was enqueued.
    #[error("a message of {bytes} bytes is over the intake queue's limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The queue is there, and does not let us do this: waiting mends nothing.
    #[error("the intake queue refuses: {0}")]
    Refused(String),
}

/// Where bodies lie that are too large for a queue.
///
/// # Rules for implementers
/// - When `keep` returns, the body is as durable as the queue's messages.
/// - To remove what is not there is no error.
#[async_trait]
pub trait Bodies: Send + Sync {
    /// Keeps a body under a name that nobody used before.
    ///
    /// # Errors
    /// [`BodiesError::Unavailable`].
    async fn keep(&self, name: &str, body: Bytes) -> Result<(), BodiesError>;

    /// The body of that name.
    ///
    /// # Errors
    /// See [`BodiesError`].
    async fn fetch(&self, name: &str) -> Result<Bytes, BodiesError>;

    /// Removes the body of that name.
    ///
    /// # Errors
    /// [`BodiesError::Unavailable`].
    async fn remove(&self, name: &str) -> Result<(), BodiesError>;
}

/// Why a body cannot be kept or fetched.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BodiesError {
    /// Nothing has that name.
    #[error("the object store has no {0}")]
    Missing(String),
    /// The store cannot be reached, or does not let us.
    #[error("the object store is not available: {0}")]
    Unavailable(String),
}

/// Refuses a batch in which a message is over `limit` bytes, before anything is sent.
///
/// # Errors
/// [`IntakeError::TooLarge`].
pub(crate) fn check_sizes(messages: &[Bytes], limit: usize) -> Result<(), IntakeError> {
    match messages.iter().map(Bytes::len).find(|len| *len > limit) {
        Some(bytes) => Err(IntakeError::TooLarge { bytes, limit }),
        None => Ok(()),
    }
}
