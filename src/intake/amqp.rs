//! A queue of RabbitMQ, by AMQP 0.9.1. `docs/queues.md` has the settings, and what they promise.
//!
//! # What is honoured where
//! - A message counts as enqueued once the broker confirmed it: publisher confirms, persistent,
//!   `mandatory` so that a queue that is gone is noticed (`writing.rs`). From a quorum queue that
//!   means: most of its nodes have it on their disks.
//! - Queues whose settings could lose what was confirmed are refused (`queues.rs`): not durable, not
//!   replicated, with an end for messages, or with a limit of deliveries, which RabbitMQ has by
//!   itself from 4.0 on.
//! - Dropping an enqueue does not undo it: it goes on in a task of its own, bounded in time.
//! - A broker that is low on memory or disk blocks publishers: that is an error at once
//!   (`writing.rs`). So consumers have a connection of their own, which is never blocked, and go on.
//! - Acknowledgements are followed by a question that the broker answers after them (`reading.rs`).
//! - A connection that is gone is made anew by the next call; what it had not acknowledged comes
//!   again (`link.rs`).

mod dial;
mod link;
mod open;
mod queues;
mod reading;
mod server;
mod writing;

pub use open::{Complaint, OpenError};

use super::{Depth, Intake, IntakeError, Received, Token, check_sizes};
use crate::config::AmqpConfig;
use async_trait::async_trait;
use bytes::Bytes;
use dial::Dial;
use reading::Reading;
use std::sync::Arc;
use std::time::Duration;
use writing::Writing;

/// A producer and consumer of one queue.
pub struct AmqpIntake {
    writing: Arc<Writing>,
    reading: Reading,
    queue: String,
    aside_queue: String,
    message_bytes_max: usize,
}

impl AmqpIntake {
    /// Connects, and checks that the queues are there and safe.
    ///
    /// # Errors
    /// Nodes that do not answer or refuse, queues that are missing or unsafe. See [`OpenError`].
    pub async fn open(config: &AmqpConfig) -> Result<Self, OpenError> {
        let dial = Arc::new(Dial::new(config)?);
        open::check(&dial, config).await?;
        let patience = Duration::from_millis(config.enqueue_timeout_ms);
        Ok(Self {
            writing: Arc::new(Writing::new(Arc::clone(&dial), patience)),
            reading: Reading::new(dial, config.queue.clone(), config.prefetch, patience),
            queue: config.queue.clone(),
            aside_queue: config.aside_queue.clone(),
            message_bytes_max: config.message_bytes_max,
        })
    }

    /// Publishes in a task of its own, which nobody's impatience ends.
    async fn publish(&self, queue: &str, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        let (writing, queue) = (Arc::clone(&self.writing), queue.to_owned());
        let publishing = tokio::spawn(async move { writing.publish(&queue, messages).await });
        let ended = |error| IntakeError::Unavailable(format!("publishing ended: {error}"));
        publishing.await.map_err(ended)?
    }
}

#[async_trait]
impl Intake for AmqpIntake {
    fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        check_sizes(&messages, self.message_bytes_max)?;
        if messages.is_empty() {
            return Ok(());
        }
        self.publish(&self.queue, messages).await
    }

    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        self.reading.receive(limit).await
    }

    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError> {
        self.reading.acknowledge(&tokens).await
    }

    async fn set_aside(&self, message: Received) -> Result<(), IntakeError> {
        self.publish(&self.aside_queue, vec![message.bytes]).await?;
        self.reading.acknowledge(&[message.token]).await
    }

    async fn bring_back(&self) -> Result<u64, IntakeError> {
        let mut aside = self.reading.aside(&self.aside_queue).await?;
        let mut back = 0;
        while let Some(one) = aside.next().await? {
            self.publish(&self.queue, vec![one]).await?;
            aside.forget().await?;
            back += 1;
        }
        Ok(back)
    }

    async fn depth(&self) -> Result<Depth, IntakeError> {
        self.reading.depth(&self.aside_queue).await
    }
}

#[cfg(test)]
mod tests;
