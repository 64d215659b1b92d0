//! The part of a log that lies inside a point, as a log of its own that is only read.

use crate::log::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, EventId, Offset, Partition, Point, Position, Record, Topic};
use std::sync::Arc;

/// What lies inside a point, and every order to erase until today: those apply to every answer, also
/// about the time before them.
pub struct Prefix {
    log: Arc<dyn EventLog>,
    point: Point,
}

impl Prefix {
    /// The part of `log` that lies inside `point`.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, point: Point) -> Self {
        Self { log, point }
    }

    fn end(&self, position: Position) -> Offset {
        self.point.end(position.topic, position.partition)
    }

    /// The next orders to erase, from `next` on, which lies outside.
    async fn erasures(&self, mut next: Position) -> Result<Vec<Arc<Record>>, ReadError> {
        loop {
            let mut records = self.log.read(next, ReadLimit::default()).await?;
            let Some(last) = records.last() else {
                return Ok(records);
            };
            next.offset = last.position.offset.next();
            records.retain(|record| record.event_type.as_str() == "erasure.requested");
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }
}

#[async_trait]
impl EventLog for Prefix {
    fn id(&self) -> Option<EventId> {
        self.log.id()
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }

    async fn append(&self, _: Topic, _: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        Err(AppendError::Unavailable(ONLY_READ.to_owned()))
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        let end = self.end(from);
        if from.offset < end {
            let mut records = self.log.read(from, limit).await?;
            records.retain(|record| record.position.offset < end);
            if !records.is_empty() {
                return Ok(records);
            }
        }
        match from.topic {
            Topic::Control => {
                let offset = from.offset.max(end);
                self.erasures(Position { offset, ..from }).await
            }
            Topic::Webhooks | Topic::Deliveries => Ok(Vec::new()),
        }
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        let bounds = self.log.bounds(topic, partition).await?;
        let tail = bounds.tail.min(self.point.end(topic, partition));
        Ok(Bounds { tail, ..bounds })
    }

    async fn wait(&self, any_of: &[Position]) {
        self.log.wait(any_of).await;
    }

    async fn compact(&self, _: Topic) -> Result<u64, AppendError> {
        Err(AppendError::Unavailable(ONLY_READ.to_owned()))
    }
}

const ONLY_READ: &str = "the past is only read";
