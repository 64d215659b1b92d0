//! A queue of Amazon SQS. `docs/queues.md` has the settings, and what they promise.
//!
//! # What is honoured where
//! - A message counts as enqueued once the service answered that it has it; of a batch each message
//!   has an answer of its own, and what the service had no time for is sent again (`sending.rs`).
//! - Messages are text to the service, which replaces or refuses some characters: so every message is
//!   base64, and comes out byte for byte.
//! - A message that was received is invisible to others for a time, which is lengthened for as long as
//!   its consumer lives, up to an hour (`held.rs`): so that a log that is away for some minutes does
//!   not make every message come several times. When the consumer is dropped, they are visible again.
//! - Queues from which messages go away by themselves are refused: after too short a time, or after
//!   too many receptions (`attributes.rs`). No queue of this service keeps a message beyond 14 days.

mod attributes;
mod client;
mod held;
mod open;
mod sending;

pub use open::{Complaint, OpenError};

use super::{Depth, Intake, IntakeError, Received, Token, check_sizes};
use crate::config::SqsConfig;
use async_trait::async_trait;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use client::{Queue, failed};
use held::Held;

/// The service gives and takes so many at once.
const BATCH_MAX: usize = 10;
/// How long a receive waits for a message, in seconds.
const WAIT_SECONDS: i32 = 1;

/// A producer and consumer of one queue.
pub struct SqsIntake {
    queue: Queue,
    aside: Queue,
    held: Held,
    visibility_seconds: i32,
    payload_bytes_max: usize,
}

impl SqsIntake {
    /// Asks for the queues, and checks that they are safe.
    ///
    /// # Errors
    /// A service that does not answer or refuses, queues that are missing or unsafe. See
    /// [`OpenError`].
    pub async fn open(config: &SqsConfig) -> Result<Self, OpenError> {
        let open::Opened {
            queue,
            aside,
            payload_bytes_max,
        } = open::open(config).await?;
        Ok(Self {
            held: Held::new(queue.clone(), config.visibility_timeout_s),
            queue,
            aside,
            visibility_seconds: i32::try_from(config.visibility_timeout_s).unwrap_or(i32::MAX),
            payload_bytes_max,
        })
    }

    async fn next(&self, queue: &Queue, limit: usize) -> Result<Vec<Message>, IntakeError> {
        let asked = i32::try_from(limit.min(BATCH_MAX)).unwrap_or(1);
        let receiving = queue.client.receive_message().queue_url(&queue.url);
        let received = receiving
            .max_number_of_messages(asked)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(self.visibility_seconds)
            .send();
        let received = received.await.map_err(|error| failed(&error))?;
        Ok(received.messages.unwrap_or_default())
    }
}

#[async_trait]
impl Intake for SqsIntake {
    fn message_bytes_max(&self) -> usize {
        // Base64 makes four bytes of three.
        self.payload_bytes_max / 4 * 3
    }

    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        check_sizes(&messages, self.message_bytes_max())?;
        sending::send(&self.queue, &messages, self.payload_bytes_max).await
    }

    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        let messages = self.next(&self.queue, limit).await?;
        let received: Vec<_> = messages.into_iter().filter_map(understand).collect();
        self.held.add(received.iter().map(|one| &one.token));
        Ok(received)
    }

    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError> {
        delete(&self.queue, &tokens).await?;
        self.held.remove(&tokens);
        Ok(())
    }

    async fn set_aside(&self, message: Received) -> Result<(), IntakeError> {
        sending::send(&self.aside, &[message.bytes], self.payload_bytes_max).await?;
        self.acknowledge(vec![message.token]).await
    }

    async fn bring_back(&self) -> Result<u64, IntakeError> {
        let (there, mut back) = (count(&self.aside).await?, 0);
        // No more than there are now: what a mover sets aside again meanwhile stays there.
        while back < there {
            let some = self.next(&self.aside, BATCH_MAX).await?;
            let some: Vec<_> = some.into_iter().filter_map(understand).collect();
            if some.is_empty() {
                break;
            }
            let messages: Vec<_> = some.iter().map(|one| one.bytes.clone()).collect();
            sending::send(&self.queue, &messages, self.payload_bytes_max).await?;
            let tokens: Vec<_> = some.into_iter().map(|one| one.token).collect();
            delete(&self.aside, &tokens).await?;
            back += u64::try_from(tokens.len()).unwrap_or_default();
        }
        Ok(back)
    }

    async fn depth(&self) -> Result<Depth, IntakeError> {
        Ok(Depth {
            waiting: Some(count(&self.queue).await?),
            aside: Some(count(&self.aside).await?),
        })
    }
}

/// What another program put there comes out as it is; the codec sees that it is foreign.
fn understand(message: Message) -> Option<Received> {
    let (body, token) = (message.body?, message.receipt_handle?);
    let bytes = BASE64_STANDARD.decode(&body);
    Some(Received {
        bytes: bytes.map_or_else(|_| Bytes::from(body), Bytes::from),
        token: Token::new(token),
    })
}

async fn delete(queue: &Queue, tokens: &[Token]) -> Result<(), IntakeError> {
    for some in tokens.chunks(BATCH_MAX) {
        let entries = some.iter().enumerate().map(|(number, token)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            entry.receipt_handle(token.as_str()).build()
        });
        let entries: Result<Vec<_>, _> = entries.collect();
        let entries = entries.map_err(|error| IntakeError::Refused(error.to_string()))?;
        let deleting = queue.client.delete_message_batch().queue_url(&queue.url);
        let deleted = deleting.set_entries(Some(entries)).send().await;
        let deleted = deleted.map_err(|error| failed(&error))?;
        // A handle that ran out is forgotten: its message came again.
        let left = deleted.failed.iter().find(|one| !one.sender_fault);
        if let Some(left) = left {
            let told = left.message.as_deref().unwrap_or(&left.code);
            return Err(IntakeError::Unavailable(told.to_owned()));
        }
    }
    Ok(())
}

/// Messages of all kinds, as the service counts: roughly.
async fn count(queue: &Queue) -> Result<u64, IntakeError> {
    let attributes = queue.attributes().await.map_err(|error| failed(&error))?;
    let kinds = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let counted = |kind: &QueueAttributeName| attributes.get(kind)?.parse::<u64>().ok();
    Ok(kinds.iter().filter_map(counted).sum())
}

#[cfg(test)]
mod tests;
