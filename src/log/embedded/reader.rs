//! Reads records: the newest from memory, older ones from their segments.

use super::files::LogFile;
use super::frame::Frame;
use super::index::{self, Sealed};
use super::journal::{Journal, View};
use super::scan::{Found, Window, frame_at};
use super::segment::{file_name, index_name};
use crate::log::{ReadError, ReadLimit};
use bytes::Bytes;
use hooklog_schemas::{Offset, Partition, Position, Record, Timestamp};
use std::io;
use std::sync::Arc;

/// A webhook and its headers usually fit.
const CHUNK: usize = 16 << 10;

/// What a read needs from disk.
struct Plan {
    file: Arc<dyn LogFile>,
    places: Vec<u32>,
}

impl Journal {
    /// The records from `from` on, if they are in memory. This never waits for a disk.
    pub(crate) fn recent(&self, from: Position, limit: ReadLimit) -> Option<Vec<Arc<Record>>> {
        let view = self.view();
        let recent = view.recent(from)?.map(|record| Ok(Arc::clone(record)));
        take(recent, limit).ok()
    }

    /// The records from `from` on, from memory or disk.
    pub(crate) fn read(
        &self,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<Arc<Record>>, ReadError> {
        if let Some(recent) = self.recent(from, limit) {
            return Ok(recent);
        }
        let plan = self.plan(&self.view(), from, limit.records.max(1));
        let plan = plan.map_err(|error| unavailable(from, &error))?;
        if plan.places.is_empty() {
            return Err(damaged(from, "the index does not know it"));
        }
        let window = Window::new(plan.file, CHUNK);
        let mut window = window.map_err(|error| unavailable(from, &error))?;
        let mut at = from;
        let read = plan.places.into_iter().map(|place| {
            let record = self.record(&mut window, u64::from(place), at)?;
            at.offset = at.offset.next();
            Ok(Arc::new(record))
        });
        take(read, limit)
    }

    /// The offset of the first record of `partition` that was appended after `time`; the tail if
    /// there is none.
    pub(crate) fn after(&self, partition: Partition, time: Timestamp) -> Result<Offset, ReadError> {
        let bounds = self.bounds(partition);
        let bounds = bounds.ok_or_else(|| no_partition(self, partition))?;
        let (mut low, mut high) = (bounds.start.0, bounds.tail.0);
        let one = ReadLimit {
            records: 1,
            bytes: 1,
        };
        while low < high {
            let middle = low + (high - low) / 2;
            let at = Position::new(self.topic, partition, Offset(middle));
            let record = self.read(at, one)?;
            if record
                .first()
                .is_some_and(|record| record.appended_at <= time)
            {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Offset(low))
    }

    /// Opens the files while the view is held, so that a compaction cannot replace only one.
    fn plan(&self, view: &View, from: Position, count: usize) -> io::Result<Plan> {
        let partition = from.partition.0 as usize;
        if let Some(sealed) = segment_of(view, partition, from.offset.0) {
            let file = self.files.open(&self.dir.join(file_name(sealed.first)))?;
            let index = self.files.open(&self.dir.join(index_name(sealed.first)))?;
            let span = sealed.spans[partition];
            let places = index::places(&*index, span, from.offset.0, count)?;
            return Ok(Plan { file, places });
        }
        let (first, places) = &view.active.places.partitions[partition];
        let skip = usize::try_from(from.offset.0 - first).unwrap_or(usize::MAX);
        let places = places.iter().skip(skip).take(count).copied().collect();
        Ok(Plan {
            file: Arc::clone(&view.active.file),
            places,
        })
    }

    fn record(&self, window: &mut Window, at: u64, is: Position) -> Result<Record, ReadError> {
        let lost = |error: io::Error| unavailable(is, &error);
        let head = match frame_at(window, at, self.seed).map_err(lost)? {
            Found::Frame(Frame::Record(head)) => head,
            Found::Frame(Frame::Group(_)) | Found::End => {
                return Err(damaged(is, "it is not there"));
            }
            Found::Flaw(reason) => return Err(damaged(is, reason)),
        };
        if (head.partition, head.place.offset) != (is.partition, is.offset) {
            return Err(damaged(is, "another record is in its place"));
        }
        let named = head.named();
        let body = window
            .bytes(at + named as u64, head.length - named)
            .map_err(lost)?;
        if body.len() + named < head.length {
            return Err(damaged(is, "it is cut short"));
        }
        let whole = head.check(body, self.seed, false);
        whole.map_err(|reason| damaged(is, reason))?;
        let body = Bytes::copy_from_slice(body);
        head.record(self.topic, &body)
            .map_err(|reason| damaged(is, reason))
    }
}

/// The sealed segment that holds `offset`, if it is not in the active one.
fn segment_of(view: &View, partition: usize, offset: u64) -> Option<&Arc<Sealed>> {
    let after = view.sealed.partition_point(|sealed| {
        let span = sealed.spans[partition];
        span.first + u64::from(span.count) <= offset
    });
    view.sealed.get(after)
}

/// As many of `records` as the limit allows, and at least one. An error after the first record is
/// left to the read that starts there.
fn take(
    records: impl Iterator<Item = Result<Arc<Record>, ReadError>>,
    limit: ReadLimit,
) -> Result<Vec<Arc<Record>>, ReadError> {
    let mut taken = Vec::new();
    let mut bytes = 0;
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) if taken.is_empty() => return Err(error),
            Err(_) => break,
        };
        bytes += record.size();
        let over = bytes > limit.bytes || taken.len() >= limit.records.max(1);
        if over && !taken.is_empty() {
            break;
        }
        taken.push(record);
        if over {
            break;
        }
    }
    Ok(taken)
}

pub(crate) fn no_partition(journal: &Journal, partition: Partition) -> ReadError {
    ReadError::NoPartition(format!("{}/{partition}", journal.topic))
}

fn damaged(at: Position, reason: &str) -> ReadError {
    ReadError::Damaged {
        position: at.to_string(),
        reason: reason.to_owned(),
    }
}

fn unavailable(at: Position, error: &io::Error) -> ReadError {
    ReadError::Unavailable(format!("{at} cannot be read: {error}"))
}
