//! Reads two logs side by side.

use super::{CopyError, is_filler};
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_schemas::{EventType, Key, Offset, Partition, Position, Record, Timestamp, Topic};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// One partition of source and copy, as far as they were compared.
///
/// Either engine may remove what was erased, and later its tombstone, at any time. So a place that
/// only one of the two has says nothing, as long as a tombstone explains what had a value there.
pub(super) struct Comparing {
    /// Where it goes on.
    pub(super) next: Position,
    /// Records that are equal.
    pub(super) records: u64,
    /// Fillers for what the source had no more.
    pub(super) fillers: u64,
    /// Places of erased records that only one of the two has.
    pub(super) erased: u64,
    /// Erased in the source, and whole in the copy, where no tombstone stands behind it.
    stale: HashMap<Key, Stale>,
    /// The append time of what stands before `next`.
    floor: Timestamp,
}

/// A record of the copy that the source has erased.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    pub(super) position: Position,
    pub(super) key: Key,
    pub(super) event_type: EventType,
    pub(super) version: u16,
}

impl Comparing {
    /// Of a partition from its start.
    pub(super) fn new(topic: Topic, partition: Partition) -> Self {
        Self {
            next: Position::new(topic, partition, Offset(0)),
            records: 0,
            fillers: 0,
            erased: 0,
            stale: HashMap::new(),
            floor: Timestamp(i64::MIN),
        }
    }

    /// Goes on up to `end`.
    pub(super) async fn compare(
        &mut self,
        from: &dyn EventLog,
        to: &dyn EventLog,
        end: Offset,
    ) -> Result<(), CopyError> {
        let (start, end) = (
            self.next,
            Position {
                offset: end,
                ..self.next
            },
        );
        let (mut theirs, mut ours) = (Reader::new(from, start, end), Reader::new(to, start, end));
        // Whole in the source and gone in the copy.
        let mut missing = HashMap::new();
        loop {
            let next = [theirs.next().await?, ours.next().await?];
            let Some(next) = next.into_iter().flatten().min() else {
                break;
            };
            let pair = (theirs.take(next), ours.take(next));
            for erased in [&pair.0, &pair.1].into_iter().flatten() {
                if erased.value.is_none() {
                    missing.remove(&erased.key);
                }
            }
            match pair {
                (Some(theirs), Some(ours)) => self.both(&theirs, &ours)?,
                (None, Some(ours)) => self.ours(&ours),
                (Some(theirs), None) => {
                    self.erased += 1;
                    if theirs.value.is_some() {
                        missing.insert(theirs.key, theirs.position);
                    }
                }
                (None, None) => {}
            }
        }
        self.next = end;
        let first = missing.into_values().min();
        first.map_or(Ok(()), |first| Err(CopyError::Different(first.to_string())))
    }

    /// Whether the copy holds bytes that the source has erased.
    pub(super) fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// What the copy has to erase.
    pub(super) fn take_stale(&mut self) -> Vec<Stale> {
        self.stale.drain().map(|(_, stale)| stale).collect()
    }

    fn both(&mut self, theirs: &Record, ours: &Record) -> Result<(), CopyError> {
        // A reader of some engines knows only what it has read: times never go back all the same.
        let times = (theirs.appended_at, ours.appended_at);
        let same_time = times.0.max(self.floor) == times.1.max(self.floor);
        if !same_time || !same(theirs, ours) {
            return Err(CopyError::Different(ours.position.to_string()));
        }
        self.records += 1;
        self.pass(ours);
        if theirs.value.is_none() {
            self.erase(ours);
        }
        Ok(())
    }

    /// The source has nothing there.
    fn ours(&mut self, ours: &Record) {
        self.pass(ours);
        if is_filler(ours) {
            self.fillers += 1;
        } else {
            self.erased += 1;
            self.erase(ours);
        }
    }

    fn pass(&mut self, ours: &Record) {
        self.floor = self.floor.max(ours.appended_at);
        if ours.value.is_none() {
            self.stale.remove(&ours.key);
        }
    }

    /// The copy has to erase `ours`, if it has not.
    fn erase(&mut self, ours: &Record) {
        if ours.value.is_some() {
            let stale = Stale {
                position: ours.position,
                key: ours.key,
                event_type: ours.event_type.clone(),
                version: ours.version,
            };
            self.stale.insert(ours.key, stale);
        }
    }
}

/// Whether both say the same. What one of the two has erased already says nothing about the other.
fn same(theirs: &Record, ours: &Record) -> bool {
    let erased = theirs.value.is_none() || ours.value.is_none();
    let bytes = theirs.headers == ours.headers && theirs.value == ours.value;
    theirs.event_id == ours.event_id
        && theirs.key == ours.key
        && theirs.event_type == ours.event_type
        && theirs.version == ours.version
        && theirs.epoch == ours.epoch
        && (erased || bytes)
}

/// Reads one partition, record by record.
struct Reader<'a> {
    log: &'a dyn EventLog,
    next: Position,
    end: Position,
    read: VecDeque<Arc<Record>>,
}

impl<'a> Reader<'a> {
    fn new(log: &'a dyn EventLog, next: Position, end: Position) -> Self {
        let read = VecDeque::new();
        Self {
            log,
            next,
            end,
            read,
        }
    }

    /// The place of the next record before the end.
    async fn next(&mut self) -> Result<Option<Offset>, ReadError> {
        if self.read.is_empty() && self.next.offset < self.end.offset {
            self.read = self.log.read(self.next, ReadLimit::default()).await?.into();
            // Nothing is there any more before the end.
            let last = self.read.back().map(|last| last.position.offset.next());
            self.next.offset = last.unwrap_or(self.end.offset);
        }
        let next = self.read.front().map(|record| record.position.offset);
        Ok(next.filter(|next| *next < self.end.offset))
    }

    /// The record at `offset`, if it is the next one.
    fn take(&mut self, offset: Offset) -> Option<Arc<Record>> {
        let next = self.read.front()?.position.offset;
        if next == offset {
            self.read.pop_front()
        } else {
            None
        }
    }
}
