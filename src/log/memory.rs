//! A log in memory, for tests: durable as long as the process lives.

use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use async_trait::async_trait;
use hooklog_schemas::{Append, Key, Offset, Partition, Position, Record, Timestamp, Topic};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Records in vectors, offset by index.
pub struct MemoryLog {
    partitions: u32,
    state: Mutex<State>,
    appended: watch::Sender<u64>,
}

type State = BTreeMap<(Topic, Partition), Vec<Arc<Record>>>;

impl MemoryLog {
    /// An empty log with `partitions` partitions of `webhooks` and of `deliveries`.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self {
            partitions,
            state: Mutex::default(),
            appended: watch::Sender::new(0),
        }
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
                let tail = state.get(&(at.topic, at.partition)).map_or(0, Vec::len);
                (at.offset.0) < tail as u64
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
                let records = state.entry((topic, append.partition)).or_default();
                let offset = Offset(records.len() as u64);
                let before = records
                    .last()
                    .map_or(Timestamp(i64::MIN), |last| last.appended_at);
                let at = append.at.max(before);
                records.push(Arc::new(Record::placed(append, topic, offset, at)));
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
            let records = state
                .get(&(from.topic, from.partition))
                .map_or(&[][..], Vec::as_slice);
            let start = usize::try_from(from.offset.0)
                .unwrap_or(usize::MAX)
                .min(records.len());
            let mut bytes = 0;
            let fits = |record: &&Arc<Record>| {
                let first = bytes == 0;
                bytes += record.size().max(1);
                first || bytes <= limit.bytes
            };
            records[start..]
                .iter()
                .take(limit.records.max(1))
                .take_while(fits)
                .cloned()
                .collect()
        }))
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.check(topic, partition)?;
        let tail = self.with(|state| state.get(&(topic, partition)).map_or(0, Vec::len));
        Ok(Bounds {
            start: Offset(0),
            tail: Offset(tail as u64),
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
            of_topic.map(|(_, records)| erase(records)).sum()
        }))
    }
}

fn erase(records: &mut [Arc<Record>]) -> u64 {
    let keys: HashSet<Key> = records
        .iter()
        .filter(|r| r.value.is_none())
        .map(|r| r.key)
        .collect();
    let mut erased = 0;
    for record in records
        .iter_mut()
        .filter(|r| r.value.is_some() && keys.contains(&r.key))
    {
        let record = Arc::make_mut(record);
        record.headers.clear();
        record.value = None;
        erased += 1;
    }
    erased
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::{self, PARTITIONS};

    async fn make() -> conformance::Given<()> {
        conformance::Given::new(Arc::new(MemoryLog::new(PARTITIONS)), ())
    }

    conformance::suite!(make);
}
