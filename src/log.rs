//! The log: records in order per partition, durable, for ever.

#[cfg(test)]
pub(crate) mod conformance;
pub mod copy;
pub mod embedded;
#[cfg(feature = "log-kafka")]
pub mod kafka;
pub mod late;
pub(crate) mod lock;
pub mod memory;
pub mod ownership;
pub mod report;
mod tell;

use async_trait::async_trait;
use hooklog_schemas::{Append, EventId, Offset, Partition, Position, Record, Timestamp, Topic};
use ownership::{Ownership, Sole};
use std::sync::Arc;
use std::time::Duration;

/// An append-only sequence of records in numbered partitions of three topics.
///
/// # Rules for implementers
/// - When `append` returns offsets, the records are durable: they survive the end of the process
///   and, where the back end is on disk, of the power.
/// - Offsets of a partition only grow, in append order. There may be gaps (compaction, fillers).
/// - The records of one `append` that go to one partition keep their order. A batch is not a
///   transaction: after an error each of its records may be there or not.
/// - A dropped `append` future does not undo the append: it happens wholly or not at all.
/// - `appended_at` of a partition never goes back: the larger of the writer's time and the
///   predecessor's.
/// - Nothing is ever changed. A record without a value is a tombstone: compaction erases the record
///   that has its key, which is then gone, or keeps its place without headers and value. Everything
///   else stays as it is, at its offset, so results never depend on whether compaction has run.
/// - The first error after which nobody can tell what is written poisons the log, as one of a write
///   or a sync: every later append fails.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// The id of the log, where the back end keeps one of its own: `log.created` names it, so that
    /// parts of different logs are noticed.
    fn id(&self) -> Option<EventId> {
        None
    }

    /// How many partitions `topic` has: fixed for life.
    fn partitions(&self, topic: Topic) -> u32;

    /// Appends, and tells the offsets in the order of `batch`.
    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError>;

    /// Records of one partition from `from` on, in order; none at the tail. At least one record
    /// is returned when there is one, even when it alone is over the limit.
    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError>;

    /// Where a partition starts and ends.
    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError>;

    /// The offset of the first record of a partition that was appended after `time`; the tail if
    /// there is none. Append times never go back, so it is found by halving; a back end that knows
    /// its places by time may be quicker.
    async fn offset_after(
        &self,
        topic: Topic,
        partition: Partition,
        time: Timestamp,
    ) -> Result<Offset, ReadError> {
        let Bounds { start, tail } = self.bounds(topic, partition).await?;
        let (mut low, mut high) = (start, tail);
        let one = ReadLimit {
            records: 1,
            bytes: 1,
        };
        while low < high {
            let middle = Offset(low.0 + (high.0 - low.0) / 2);
            let read = self.read(Position::new(topic, partition, middle), one);
            match read.await?.first() {
                Some(record) if record.appended_at <= time => low = record.position.offset.next(),
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Resolves when any of these positions can be read, or when the log is poisoned.
    async fn wait(&self, any_of: &[Position]);

    /// Whether a webhook would be taken now, as far as that can be told without appending one. It is
    /// asked every few seconds by whatever watches the process.
    ///
    /// # Errors
    /// What an append would fail with.
    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        Ok(())
    }

    /// How long a writer that has much to append had better wait between two batches, so that more
    /// comes together: on a log where a batch costs a request for each of its partitions, fewer and
    /// larger ones cost less.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Begins to take part in owning partitions of `webhooks` and `deliveries`, which are the same.
    /// A log that one process has is owned whole by its only worker.
    ///
    /// # Errors
    /// Settings that the back end does not take.
    fn own(&self) -> Result<Box<dyn Ownership>, ReadError> {
        Ok(Box::new(Sole::new(self.partitions(Topic::Deliveries))))
    }

    /// Drops the bytes that tombstones of `topic` erase, and tells how many records lost theirs; 0
    /// where an engine does so in its own time.
    async fn compact(&self, topic: Topic) -> Result<u64, AppendError>;
}

/// How much one read may return.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit {
    /// Records at the most.
    pub records: usize,
    /// Bytes of headers and values at the most, but for a single larger record.
    pub bytes: usize,
}

impl Default for ReadLimit {
    fn default() -> Self {
        Self {
            records: 1024,
            bytes: 8 << 20,
        }
    }
}

/// Where a partition starts and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that can be read.
    pub start: Offset,
    /// The first offset that is not written yet.
    pub tail: Offset,
}

/// Why an append failed. The record may be there or not, unless the variant says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The reserve of the disk is reached; nothing was written.
    #[error("the disk of the log is nearly full: {0}")]
    NoSpace(String),
    /// The disk does not keep up; nothing was written.
    #[error("the log does not keep up: {waiting} bytes wait for its disk")]
    Busy {
        /// Bytes that wait.
        waiting: u64,
    },
    /// One record is larger than the log takes; nothing was written.
    #[error("a record of {bytes} bytes is over the log's limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A write or a sync failed earlier: the process must end and recover by reading the disk.
    #[error("the log stopped after an error: {0}")]
    Poisoned(String),
    /// The log cannot be reached now.
    #[error("the log is not available: {0}")]
    Unavailable(String),
}

/// Why a read failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such partition.
    #[error("{0} is not in this log")]
    NoPartition(String),
    /// The bytes are not what was written.
    #[error("the log is damaged at {position}: {reason}; run `hooklog log verify`")]
    Damaged {
        /// The first record that cannot be read.
        position: String,
        /// What is wrong.
        reason: String,
    },
    /// The log cannot be read now.
    #[error("the log is not available: {0}")]
    Unavailable(String),
}
