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

/// The right to read a block of one partition.
pub(super) struct Turn<'a> {
    _guard: MutexGuard<'a, ()>,
    slot: usize,
    erasures: u64,
}

struct Kept {
    blocks: VecDeque<Block>,
    bytes: usize,
    /// How many records of each partition were erased.
    erasures: Vec<u64>,
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
        let kept = Kept {
            blocks: VecDeque::new(),
            bytes: 0,
            erasures: names.all().map(|_| 0).collect(),
        };
        Self {
            turns: names.all().map(|_| tokio::sync::Mutex::default()).collect(),
            names,
            kept: Mutex::new(kept),
        }
    }

    /// Waits until nobody else reads a block of this partition: it may be the one that is wanted.
    pub(super) async fn turn(&self, at: &Position) -> Option<Turn<'_>> {
        let slot = self.names.slot_of(at)?;
        let guard = self.turns.get(slot)?.lock().await;
        Some(Turn {
            _guard: guard,
            slot,
            erasures: self.lock().erased(slot),
        })
    }

    /// The record at `at`, or the first one after it, if a block tells.
    pub(super) fn find(&self, at: &Position) -> Option<Arc<Record>> {
        let mut kept = self.lock();
        kept.forget(|block| block.read.elapsed() > KEPT);
        kept.blocks.iter().find_map(|block| block.find(at))
    }

    /// Keeps what was read from `from` on in this turn, unless something was erased meanwhile: it may
    /// have been read before.
    pub(super) fn keep(&self, turn: &Turn<'_>, from: Position, records: Vec<Arc<Record>>) {
        let bytes = records.iter().map(|record| record.size().max(1)).sum();
        if records.len() < 2 || bytes > BLOCK_BYTES_MAX {
            return;
        }
        let mut kept = self.lock();
        if kept.erased(turn.slot) != turn.erasures {
            return;
        }
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
        let slot = self.names.slot_of(at);
        let mut kept = self.lock();
        if let Some(count) = slot.and_then(|slot| kept.erasures.get_mut(slot)) {
            *count += 1;
        }
        kept.forget(|block| block.is_of(at));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn erased(&self, slot: usize) -> u64 {
        self.erasures.get(slot).copied().unwrap_or_default()
    }

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

    async fn keep(blocks: &Blocks, from: Position, records: Vec<Arc<Record>>) {
        let turn = blocks.turn(&from).await.unwrap();
        blocks.keep(&turn, from, records);
    }

    fn offset(found: Option<Arc<Record>>) -> Option<u64> {
        found.map(|record| record.position.offset.0)
    }

    #[tokio::test]
    async fn neighbours_are_found_over_gaps_and_what_lies_outside_is_not() {
        let blocks = blocks();
        let records = vec![record(at(1, 12), 9), record(at(1, 15), 9)];
        keep(&blocks, at(1, 10), records).await;
        assert_eq!(offset(blocks.find(&at(1, 10))), Some(12));
        assert_eq!(offset(blocks.find(&at(1, 13))), Some(15));
        assert_eq!(offset(blocks.find(&at(1, 16))), None, "nobody read so far");
        assert_eq!(offset(blocks.find(&at(1, 9))), None);
        assert_eq!(offset(blocks.find(&at(0, 12))), None);
    }

    #[tokio::test]
    async fn what_is_erased_is_forgotten_with_all_of_its_partition() {
        let blocks = blocks();
        for partition in [0, 1] {
            let of = |offset| record(at(partition, offset), 9);
            keep(&blocks, at(partition, 0), vec![of(0), of(1)]).await;
        }
        blocks.erase(&at(1, 7));
        assert_eq!(offset(blocks.find(&at(1, 0))), None);
        assert_eq!(offset(blocks.find(&at(0, 0))), Some(0));
    }

    #[tokio::test]
    async fn what_was_under_way_while_something_was_erased_is_not_kept() {
        let blocks = blocks();
        let of = |partition, offset| record(at(partition, offset), 9);
        let turn = blocks.turn(&at(1, 0)).await.unwrap();
        blocks.erase(&at(1, 1));
        blocks.keep(&turn, at(1, 0), vec![of(1, 0), of(1, 1)]);
        assert_eq!(offset(blocks.find(&at(1, 0))), None);
        drop(turn);
        keep(&blocks, at(1, 0), vec![of(1, 0), of(1, 1)]).await;
        assert_eq!(offset(blocks.find(&at(1, 0))), Some(0));
    }

    #[tokio::test]
    async fn the_oldest_blocks_go_first_and_no_huge_one_comes_in() {
        let blocks = blocks();
        let half = BLOCK_BYTES_MAX / 2;
        for n in 0..20 {
            let of = |offset| record(at(0, offset), half);
            keep(&blocks, at(0, 10 * n), vec![of(10 * n), of(10 * n + 1)]).await;
        }
        assert_eq!(offset(blocks.find(&at(0, 0))), None);
        assert_eq!(offset(blocks.find(&at(0, 190))), Some(190));
        assert!(blocks.lock().bytes <= BYTES_MAX);
        let huge = record(at(1, 0), BLOCK_BYTES_MAX);
        keep(&blocks, at(1, 0), vec![huge, record(at(1, 1), 9)]).await;
        assert_eq!(offset(blocks.find(&at(1, 0))), None);
    }
}
