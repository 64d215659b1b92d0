//! A log in memory, for tests: durable as long as the process lives.

use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, Key, Offset, Partition, Position, Record, Timestamp, Topic};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Records in vectors.
pub struct MemoryLog {
    partitions: u32,
    /// Compaction removes what is erased, as some engines do, instead of keeping its place.
    leaves_gaps: bool,
    state: Mutex<State>,
    appended: watch::Sender<u64>,
}

type State = BTreeMap<(Topic, Partition), Kept>;

/// The records of one partition, in order; offsets that are missing were erased.
#[derive(Default)]
struct Kept {
    records: Vec<Arc<Record>>,
    tail: Offset,
}

impl Kept {
    fn from(&self, offset: Offset) -> &[Arc<Record>] {
        let before = |record: &Arc<Record>| record.position.offset < offset;
        &self.records[self.records.partition_point(before)..]
    }

    /// Erases what tombstones name, and tells how many records that were.
    fn erase(&mut self, leave_gaps: bool) -> u64 {
        let stones = self.records.iter().filter(|record| record.value.is_none());
        let keys: HashSet<Key> = stones.map(|record| record.key).collect();
        let mut erased = 0;
        self.records.retain_mut(|record| {
            if record.value.is_none() || !keys.contains(&record.key) {
                return true;
            }
            erased += 1;
            let record = Arc::make_mut(record);
            record.headers.clear();
            record.value = None;
            !leave_gaps
        });
        erased
    }
}

impl MemoryLog {
    /// An empty log with `partitions` partitions of `webhooks` and of `deliveries`.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self {
            partitions,
            leaves_gaps: false,
            state: Mutex::default(),
            appended: watch::Sender::new(0),
        }
    }

    /// The same log, whose compaction leaves gaps.
    #[must_use]
    pub fn leaving_gaps(mut self) -> Self {
        self.leaves_gaps = true;
        self
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere leaves whole records: a push either happened or did not.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn check(&self, topic: Topic, partition: Partition) -> Result<(), ReadError> {
        if partition.0 < self.partitions(topic) {
            return Ok(());
        }
        Err(ReadError::NoPartition(format!("{topic}/{partition}")))
    }

    fn readable(&self, positions: &[Position]) -> bool {
        self.with(|state| {
            positions.iter().any(|at| {
                let kept = state.get(&(at.topic, at.partition));
                kept.is_some_and(|kept| !kept.from(at.offset).is_empty())
            })
        })
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn partitions(&self, topic: Topic) -> u32 {
        if topic == Topic::Control {
            1
        } else {
            self.partitions
        }
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        for append in &batch {
            let known = self.check(topic, append.partition);
            known.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        }
        let offsets = self.with(|state| {
            let push = |append: Append| {
                let kept = state.entry((topic, append.partition)).or_default();
                let offset = kept.tail;
                let before = kept
                    .records
                    .last()
                    .map_or(Timestamp(i64::MIN), |last| last.appended_at);
                let at = append.at.max(before);
                let record = Record::placed(append, topic, offset, at);
                kept.records.push(Arc::new(record));
                kept.tail = offset.next();
                offset
            };
            batch.into_iter().map(push).collect()
        });
        self.appended.send_modify(|count| *count += 1);
        Ok(offsets)
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.check(from.topic, from.partition)?;
        Ok(self.with(|state| {
            let kept = state.get(&(from.topic, from.partition));
            let records = kept.map_or(&[][..], |kept| kept.from(from.offset));
            let mut bytes = 0;
            let fits = |record: &&Arc<Record>| {
                let first = bytes == 0;
                bytes += record.size().max(1);
                first || bytes <= limit.bytes
            };
            records
                .iter()
                .take(limit.records.max(1))
                .take_while(fits)
                .cloned()
                .collect()
        }))
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.check(topic, partition)?;
        let tail = self.with(|state| state.get(&(topic, partition)).map(|kept| kept.tail));
        Ok(Bounds {
            start: Offset(0),
            tail: tail.unwrap_or_default(),
        })
    }

    async fn wait(&self, any_of: &[Position]) {
        let mut appended = self.appended.subscribe();
        while !self.readable(any_of) {
            if appended.changed().await.is_err() {
                return;
            }
        }
    }

    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        Ok(self.with(|state| {
            let of_topic = state.iter_mut().filter(|((t, _), _)| *t == topic);
            of_topic.map(|(_, kept)| kept.erase(self.leaves_gaps)).sum()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::{self, PARTITIONS};

    async fn make() -> conformance::Given<()> {
        conformance::Given::new(Arc::new(MemoryLog::new(PARTITIONS)), ())
    }

    conformance::suite!(make);

    /// The same rules where compaction leaves gaps.
    mod leaving_gaps {
        use super::*;

        async fn make() -> conformance::Given<()> {
            let log = MemoryLog::new(PARTITIONS).leaving_gaps();
            conformance::Given::new(Arc::new(log), ())
        }

        conformance::suite!(make);
    }
}
