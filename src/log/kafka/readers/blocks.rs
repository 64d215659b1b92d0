//! Records that came along with one that somebody asked for.
//!
//! Who delivers a backlog reads one body after the other, and a fetch brings its neighbours anyway:
//! they are kept for a moment, so that a fetch serves many of them.

use crate::log::kafka::names::Names;
use hooklog_schemas::{Position, Record};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;

/// Bytes of all blocks together: more than a thousand webhooks of the usual size.
const BYTES_MAX: usize = 16 << 20;
/// Bytes of one block that is kept: what is larger would push out everything else.
const BLOCK_BYTES_MAX: usize = BYTES_MAX / 8;
/// How long a block is kept, whatever happens.
const KEPT: Duration = Duration::from_secs(5);

/// The latest blocks of all partitions.
pub(super) struct Blocks {
    names: Arc<Names>,
    kept: Mutex<Kept>,
    /// For each partition: who reads a block of it.
    turns: Vec<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Kept {
    blocks: VecDeque<Block>,
    bytes: usize,
}

/// All records of a partition from one place up to another.
struct Block {
    from: Position,
    records: Vec<Arc<Record>>,
    bytes: usize,
    read: Instant,
}

impl Blocks {
    pub(super) fn new(names: Arc<Names>) -> Self {
        Self {
            turns: names.all().map(|_| tokio::sync::Mutex::default()).collect(),
            names,
            kept: Mutex::default(),
        }
    }

    /// Waits until nobody else reads a block of this partition: it may be the one that is wanted.
    pub(super) async fn turn(&self, at: &Position) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turns.get(self.names.slot_of(at)?)?;
        Some(turn.lock().await)
    }

    /// The record at `at`, or the first one after it, if a block tells.
    pub(super) fn find(&self, at: &Position) -> Option<Arc<Record>> {
        let mut kept = self.lock();
        kept.forget(|block| block.read.elapsed() > KEPT);
        kept.blocks.iter().find_map(|block| block.find(at))
    }

    /// Keeps what was read from `from` on.
    pub(super) fn keep(&self, from: Position, records: Vec<Arc<Record>>) {
        let bytes = records.iter().map(|record| record.size().max(1)).sum();
        if records.len() < 2 || bytes > BLOCK_BYTES_MAX {
            return;
        }
        let mut kept = self.lock();
        kept.bytes += bytes;
        kept.blocks.push_back(Block {
            from,
            records,
            bytes,
            read: Instant::now(),
        });
        while kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.blocks.pop_front() else {
                return;
            };
            kept.bytes -= oldest.bytes;
        }
    }

    /// Forgets what was read of the partition of `at`: a record of it was erased.
    pub(super) fn erase(&self, at: &Position) {
        let of = |block: &Block| block.is_of(at);
        self.lock().forget(of);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, gone: impl Fn(&Block) -> bool) {
        self.blocks.retain(|block| !gone(block));
        self.bytes = self.blocks.iter().map(|block| block.bytes).sum();
    }
}

impl Block {
    fn is_of(&self, at: &Position) -> bool {
        (self.from.topic, self.from.partition) == (at.topic, at.partition)
    }

    fn find(&self, at: &Position) -> Option<Arc<Record>> {
        if !self.is_of(at) || at.offset < self.from.offset {
            return None;
        }
        let before = |record: &Arc<Record>| record.position.offset < at.offset;
        let place = self.records.partition_point(before);
        self.records.get(place).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hooklog_schemas::{EventId, EventType, Key, Offset, Partition, Timestamp, Topic};
    use uuid::Uuid;

    fn at(partition: u32, offset: u64) -> Position {
        Position::new(Topic::Webhooks, Partition(partition), Offset(offset))
    }

    fn record(position: Position, bytes: usize) -> Arc<Record> {
        Arc::new(Record {
            position,
            event_id: EventId(Uuid::nil()),
            key: Key(Uuid::nil()),
            event_type: EventType::known("webhook.received"),
            version: 1,
            epoch: None,
            appended_at: Timestamp(0),
            headers: Vec::new(),
            value: Some(Bytes::from(vec![0; bytes])),
        })
    }

    fn blocks() -> Blocks {
        Blocks::new(Arc::new(Names::new("", 2)))
    }

    fn offset(found: Option<Arc<Record>>) -> Option<u64> {
        found.map(|record| record.position.offset.0)
    }

    #[test]
    fn neighbours_are_found_over_gaps_and_what_lies_outside_is_not() {
        let blocks = blocks();
        blocks.keep(at(1, 10), vec![record(at(1, 12), 9), record(at(1, 15), 9)]);
        assert_eq!(offset(blocks.find(&at(1, 10))), Some(12));
        assert_eq!(offset(blocks.find(&at(1, 13))), Some(15));
        assert_eq!(offset(blocks.find(&at(1, 16))), None, "nobody read so far");
        assert_eq!(offset(blocks.find(&at(1, 9))), None);
        assert_eq!(offset(blocks.find(&at(0, 12))), None);
    }

    #[test]
    fn what_is_erased_is_forgotten_with_all_of_its_partition() {
        let blocks = blocks();
        for partition in [0, 1] {
            let of = |offset| record(at(partition, offset), 9);
            blocks.keep(at(partition, 0), vec![of(0), of(1)]);
        }
        blocks.erase(&at(1, 7));
        assert_eq!(offset(blocks.find(&at(1, 0))), None);
        assert_eq!(offset(blocks.find(&at(0, 0))), Some(0));
    }

    #[test]
    fn the_oldest_blocks_go_first_and_no_huge_one_comes_in() {
        let blocks = blocks();
        let half = BLOCK_BYTES_MAX / 2;
        for n in 0..20 {
            let of = |offset| record(at(0, offset), half);
            blocks.keep(at(0, 10 * n), vec![of(10 * n), of(10 * n + 1)]);
        }
        assert_eq!(offset(blocks.find(&at(0, 0))), None);
        assert_eq!(offset(blocks.find(&at(0, 190))), Some(190));
        assert!(blocks.lock().bytes <= BYTES_MAX);
        let huge = record(at(1, 0), BLOCK_BYTES_MAX);
        blocks.keep(at(1, 0), vec![huge, record(at(1, 1), 9)]);
        assert_eq!(offset(blocks.find(&at(1, 0))), None);
    }
}
