//! What the writer of a journal and its readers share.

use super::files::{LogFile, LogFiles};
use super::index::{Places, Sealed};
use super::segment::JournalId;
use crate::log::Bounds;
use hooklog_schemas::{Offset, Partition, Position, Record, Topic};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{Notify, watch};

/// One topic's journal, as its readers see it.
pub(crate) struct Journal {
    pub(crate) topic: Topic,
    pub(crate) dir: PathBuf,
    pub(crate) files: Arc<dyn LogFiles>,
    /// What checksums start from.
    pub(crate) seed: u32,
    pub(crate) id: JournalId,
    /// Why the log stopped, if it did.
    pub(crate) poison: watch::Sender<Option<String>>,
    view: RwLock<View>,
    appended: Vec<Notify>,
    tail_bytes: usize,
}

/// What can be read.
pub(crate) struct View {
    /// In the order of their sequences.
    pub(crate) sealed: Vec<Arc<Sealed>>,
    pub(crate) active: Active,
    partitions: Vec<Recent>,
    /// The partitions of the records in memory, oldest first.
    order: VecDeque<u32>,
    recent_bytes: usize,
}

/// The segment that is written.
pub(crate) struct Active {
    /// Its first sequence.
    pub(crate) first: u64,
    pub(crate) file: Arc<dyn LogFile>,
    /// The byte after the last durable group.
    pub(crate) end: u64,
    pub(crate) places: Places,
}

/// The end of a partition.
#[derive(Default)]
struct Recent {
    tail: u64,
    records: VecDeque<Arc<Record>>,
}

impl Journal {
    #[expect(
        clippy::too_many_arguments,
        reason = "every field is known only to recovery"
    )]
    pub(crate) fn new(
        topic: Topic,
        dir: PathBuf,
        files: Arc<dyn LogFiles>,
        id: JournalId,
        poison: watch::Sender<Option<String>>,
        tails: &[u64],
        (sealed, active): (Vec<Arc<Sealed>>, Active),
        tail_bytes: usize,
    ) -> Self {
        let recent = |tail: &u64| Recent {
            tail: *tail,
            records: VecDeque::new(),
        };
        let view = View {
            sealed,
            active,
            partitions: tails.iter().map(recent).collect(),
            order: VecDeque::new(),
            recent_bytes: 0,
        };
        let appended = tails.iter().map(|_| Notify::new()).collect();
        let seed = crc32c::crc32c(&id);
        Self {
            topic,
            dir,
            files,
            seed,
            id,
            poison,
            view: RwLock::new(view),
            appended,
            tail_bytes,
        }
    }

    /// The view, for reading.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        // The view is changed by steps that cannot panic half way.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view, for changing.
    pub(crate) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u32 {
        self.appended.len() as u32
    }

    /// Where a partition starts and ends; `None` if it is not there.
    pub(crate) fn bounds(&self, partition: Partition) -> Option<Bounds> {
        let view = self.view();
        let tail = view.partitions.get(partition.0 as usize)?.tail;
        Some(Bounds {
            start: Offset(view.start(partition.0 as usize)?),
            tail: Offset(tail),
        })
    }

    /// Whether the record at `position` can be read.
    pub(crate) fn has(&self, position: Position) -> bool {
        let bounds = self.bounds(position.partition);
        bounds.is_some_and(|bounds| position.offset < bounds.tail)
    }

    /// What is told when the partition has new records.
    pub(crate) fn appended(&self, partition: Partition) -> Option<&Notify> {
        self.appended.get(partition.0 as usize)
    }

    /// Shows records that are durable now, which stand at these bytes of the active segment.
    pub(crate) fn publish(&self, records: Vec<(u64, Arc<Record>)>, end: u64) {
        let mut touched = vec![false; self.appended.len()];
        {
            let mut view = self.view_mut();
            for (at, record) in records {
                touched[record.position.partition.0 as usize] = true;
                view.push(at, record);
            }
            view.active.end = end;
            view.forget(self.tail_bytes);
        }
        let touched = self
            .appended
            .iter()
            .zip(touched)
            .filter(|(_, touched)| *touched);
        touched.for_each(|(notify, _)| notify.notify_waiters());
    }

    /// Says that the log stopped, to all who wait.
    pub(crate) fn stop(&self, reason: &str) {
        self.poison.send_if_modified(|poison| {
            let first = poison.is_none();
            poison.get_or_insert_with(|| reason.to_owned());
            first
        });
    }
}

impl View {
    /// The first offset of a partition that is in a segment: 0 in a log, which drops none.
    fn start(&self, partition: usize) -> Option<u64> {
        match self.sealed.first() {
            Some(sealed) => Some(sealed.spans.get(partition)?.first),
            None => Some(self.active.places.partitions.get(partition)?.0),
        }
    }

    fn push(&mut self, at: u64, record: Arc<Record>) {
        let partition = record.position.partition.0;
        let tombstone = record.value.is_none().then_some(record.key);
        self.active.places.push(partition as usize, at, tombstone);
        let recent = &mut self.partitions[partition as usize];
        recent.tail = record.position.offset.0 + 1;
        self.recent_bytes += weight(&record);
        recent.records.push_back(record);
        self.order.push_back(partition);
    }

    fn forget(&mut self, tail_bytes: usize) {
        while self.recent_bytes > tail_bytes {
            let Some(partition) = self.order.pop_front() else {
                break;
            };
            if let Some(record) = self.partitions[partition as usize].records.pop_front() {
                self.recent_bytes -= weight(&record);
            }
        }
    }

    /// The records in memory from `from` on; `None` when there are older ones to read first.
    pub(crate) fn recent(&self, from: Position) -> Option<impl Iterator<Item = &Arc<Record>>> {
        let recent = self.partitions.get(from.partition.0 as usize)?;
        let first = recent.tail - recent.records.len() as u64;
        let skip = from.offset.0.min(recent.tail).checked_sub(first)?;
        Some(
            recent
                .records
                .iter()
                .skip(usize::try_from(skip).unwrap_or(usize::MAX)),
        )
    }

    /// Blanks the records in memory for which `erased` holds.
    pub(crate) fn blank(&mut self, erased: impl Fn(&Record) -> bool) {
        for record in self
            .partitions
            .iter_mut()
            .flat_map(|recent| &mut recent.records)
        {
            if erased(record) {
                self.recent_bytes -= weight(record);
                let record = Arc::make_mut(record);
                record.headers.clear();
                record.value = None;
                self.recent_bytes += weight(record);
            }
        }
    }
}

/// Bytes of memory that a record takes, roughly.
fn weight(record: &Record) -> usize {
    const STRUCT: usize = 256;
    STRUCT + record.size()
}
