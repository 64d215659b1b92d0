//! Where a receiver puts what it has verified.

use crate::log::{AppendError, EventLog};
use async_trait::async_trait;
use hooklog_schemas::{Append, Topic};
use std::sync::Arc;
use tokio::time::Instant;

/// Takes webhooks from a receiver: the log itself, a queue in front of it, or a spool beside it.
///
/// # Rules for implementers
/// - When `put` returns, the webhook is durable: it survives the end of the process, and it will
///   come into the log without anybody's help.
/// - After an error it may come into the log or not; `NoSpace`, `Busy` and `TooLarge` say that it
///   does not.
/// - A dropped `put` future does not undo it: it happens wholly or not at all.
/// - Its receipt stands in the record, so one that comes into the log twice owes nothing anew.
#[async_trait]
pub trait Inlet: Send + Sync {
    /// Takes one append of `webhook.received`.
    async fn put(&self, webhook: Append) -> Result<(), AppendError>;

    /// As [`Inlet::put`], for a caller who gives up at `due`: what has a second place to put it
    /// must not spend all of that time on the first.
    async fn put_by(&self, webhook: Append, _due: Instant) -> Result<(), AppendError> {
        self.put(webhook).await
    }

    /// Takes several, which keep their order within a partition. After an error each of them may
    /// come into the log or not.
    async fn put_all(&self, webhooks: Vec<Append>) -> Result<(), AppendError> {
        for webhook in webhooks {
            self.put(webhook).await?;
        }
        Ok(())
    }

    /// Whether a webhook would be taken now, as far as that can be told without one.
    ///
    /// # Errors
    /// What `put` would fail with.
    async fn takes_webhooks(&self) -> Result<(), AppendError>;
}

/// Straight into the log.
pub struct IntoLog(pub Arc<dyn EventLog>);

#[async_trait]
impl Inlet for IntoLog {
    async fn put(&self, webhook: Append) -> Result<(), AppendError> {
        self.put_all(vec![webhook]).await
    }

    async fn put_all(&self, webhooks: Vec<Append>) -> Result<(), AppendError> {
        self.0.append(Topic::Webhooks, webhooks).await?;
        Ok(())
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        self.0.takes_webhooks().await
    }
}
