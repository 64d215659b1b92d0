//! A log that is away when the process starts, and comes later.

use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, EventId, Offset, Partition, Position, Record, Topic};
use std::sync::Arc;
use tokio::sync::watch;

/// Stands in for a log of which an earlier process knew. Until it comes every append and every read
/// fails, and who waits for a record waits.
pub struct LateLog {
    id: EventId,
    partitions: u32,
    log: watch::Sender<Option<Arc<dyn EventLog>>>,
}

impl LateLog {
    /// The log `id` with so many partitions of `webhooks` and `deliveries`.
    #[must_use]
    pub fn new(id: EventId, partitions: u32) -> Self {
        let log = watch::Sender::new(None);
        Self {
            id,
            partitions,
            log,
        }
    }

    /// The log is there.
    pub fn came(&self, log: Arc<dyn EventLog>) {
        self.log.send_replace(Some(log));
    }

    fn log(&self) -> Option<Arc<dyn EventLog>> {
        self.log.borrow().clone()
    }

    fn to_append(&self) -> Result<Arc<dyn EventLog>, AppendError> {
        self.log()
            .ok_or_else(|| AppendError::Unavailable(AWAY.to_owned()))
    }

    fn to_read(&self) -> Result<Arc<dyn EventLog>, ReadError> {
        self.log()
            .ok_or_else(|| ReadError::Unavailable(AWAY.to_owned()))
    }
}

const AWAY: &str = "it was away when this process started, and did not come yet";

#[async_trait]
impl EventLog for LateLog {
    fn id(&self) -> Option<EventId> {
        Some(self.id)
    }

    fn partitions(&self, topic: Topic) -> u32 {
        match topic {
            Topic::Control => 1,
            Topic::Webhooks | Topic::Deliveries => self.partitions,
        }
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        self.to_append()?.append(topic, batch).await
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.to_read()?.read(from, limit).await
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.to_read()?.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        let mut coming = self.log.subscribe();
        // The sender lives as long as `self`.
        let log = match coming.wait_for(Option::is_some).await {
            Ok(log) => log.clone(),
            Err(_) => None,
        };
        if let Some(log) = log {
            log.wait(any_of).await;
        }
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        self.to_append()?.takes_webhooks().await
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.to_append()?.compact(topic).await
    }
}
