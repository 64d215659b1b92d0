//! Copies a log into an empty one: offsets, keys, times and bytes stay what they were.
//!
//! An audit team pulls the production log into a folder and examines it there; a log moves from one
//! back end to another. Where the source has no record any more, since an erasure removed it, a
//! `log.filler` holds its place. A copy that was interrupted goes on where it ended.

mod compare;

use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use crate::clock;
use compare::compare;
use hooklog_schemas::control::LogFiller;
use hooklog_schemas::{Append, Event, Offset, Partition, Position, Record, Timestamp, Topic};
use std::sync::Arc;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Offsets copied, then offsets compared.
    pub done: u64,
    /// Offsets of the source in all.
    pub total: u64,
    /// Everything is copied; source and copy are being compared.
    pub comparing: bool,
}

/// What a copy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Records that are equal in source and copy.
    pub records: u64,
    /// Places of records that the source has no more.
    pub fillers: u64,
    /// Records that were there from an earlier, interrupted copy.
    pub resumed: u64,
}

/// Why there is no copy, or not a whole one. The source is never changed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The copy was made with another number of partitions, which is fixed for life.
    #[error("the source has {from} partitions and the copy has {to}; make the copy with {from}")]
    Partitions {
        /// Of the source.
        from: u32,
        /// Of the copy.
        to: u32,
    },
    /// What the copy holds is not the beginning of the source.
    #[error("{0} of the copy is not the source's record; copy into an empty log")]
    Different(String),
    /// The copy is longer than the source.
    #[error("the copy ends at {to}, beyond the source's end at {from}; copy into an empty log")]
    Longer {
        /// The end of the source.
        from: Position,
        /// The end of the copy.
        to: Position,
    },
    /// A record did not get the offset that it has in the source.
    #[error("the record of {wanted} was given offset {given}: somebody else writes to the copy")]
    Moved {
        /// Its place in the source.
        wanted: Position,
        /// Its offset in the copy.
        given: Offset,
    },
    /// One of the logs cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Copies everything that stands in `from` now to `to`, erases in `to` what tombstones erase, and
/// compares the two, record by record.
///
/// `at` is the time of the copy, which fillers carry. `to` must be empty, or hold the beginning of
/// the same source; nobody else may write to it.
///
/// # Errors
/// When the logs do not fit, differ, or fail.
pub async fn copy(
    from: &dyn EventLog,
    to: &dyn EventLog,
    at: Timestamp,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Copied, CopyError> {
    let ends = ends(from, to).await?;
    let total = ends.iter().map(|end| end.offset.0).sum();
    let mut told = Progress {
        total,
        ..Progress::default()
    };
    let mut copied = Copied::default();
    for end in &ends {
        let resumed = resume(from, to, *end).await?;
        copied.resumed += resumed.0;
        told.done += resumed.0;
        progress(told);
        let mut next = Position {
            offset: resumed,
            ..*end
        };
        while next.offset < end.offset {
            let upto = copy_some(from, to, next, *end, at).await?;
            told.done += upto.0 - next.offset.0;
            next.offset = upto;
            progress(told);
        }
    }
    for topic in Topic::ALL {
        to.compact(topic).await?;
    }
    told = Progress {
        done: 0,
        comparing: true,
        ..told
    };
    for end in &ends {
        let compared = compare(from, to, *end).await?;
        copied.records += compared.records;
        copied.fillers += compared.fillers;
        told.done += end.offset.0;
        progress(told);
    }
    Ok(copied)
}

/// Where each partition of the source ends. `control` comes last: what the others name is there.
async fn ends(from: &dyn EventLog, to: &dyn EventLog) -> Result<Vec<Position>, CopyError> {
    let mut ends = Vec::new();
    for topic in [Topic::Deliveries, Topic::Webhooks, Topic::Control] {
        let partitions = (from.partitions(topic), to.partitions(topic));
        if partitions.0 != partitions.1 {
            let (from, to) = partitions;
            return Err(CopyError::Partitions { from, to });
        }
        for number in 0..partitions.0 {
            let Bounds { tail, .. } = from.bounds(topic, Partition(number)).await?;
            ends.push(Position::new(topic, Partition(number), tail));
        }
    }
    Ok(ends)
}

/// Where an earlier copy of this partition ended, if its last record is the source's.
async fn resume(
    from: &dyn EventLog,
    to: &dyn EventLog,
    end: Position,
) -> Result<Offset, CopyError> {
    let Bounds { tail, .. } = to.bounds(end.topic, end.partition).await?;
    if tail > end.offset {
        let to = Position {
            offset: tail,
            ..end
        };
        return Err(CopyError::Longer { from: end, to });
    }
    if let Some(last) = tail.0.checked_sub(1) {
        let last = Position {
            offset: Offset(last),
            ..end
        };
        let (theirs, ours) = (at(from, last).await?, at(to, last).await?);
        let same = match (&theirs, &ours) {
            (Some(theirs), Some(ours)) => theirs.event_id == ours.event_id,
            (None, Some(ours)) => is_filler(ours),
            (_, None) => true,
        };
        if !same {
            return Err(CopyError::Different(last.to_string()));
        }
    }
    Ok(tail)
}

async fn at(log: &dyn EventLog, position: Position) -> Result<Option<Arc<Record>>, ReadError> {
    let limit = ReadLimit {
        records: 1,
        ..ReadLimit::default()
    };
    let records = log.read(position, limit).await?;
    let first = records.into_iter().next();
    Ok(first.filter(|record| record.position == position))
}

/// Copies one read's worth of records from `next` on, with what fills the gaps between them; tells
/// up to where.
async fn copy_some(
    from: &dyn EventLog,
    to: &dyn EventLog,
    next: Position,
    end: Position,
    at: Timestamp,
) -> Result<Offset, CopyError> {
    let records = from.read(next, ReadLimit::default()).await?;
    let mut batch = Vec::with_capacity(records.len());
    let mut offset = next.offset;
    for record in records.iter().filter(|r| r.position.offset < end.offset) {
        let gap = offset.0..record.position.offset.0;
        batch.extend(gap.filter_map(|_| filler(next.partition, record.appended_at, at)));
        batch.push(again(record));
        offset = record.position.offset.next();
    }
    if batch.is_empty() {
        // Nothing is left to be read before the end: the last records were erased.
        let upto = end.offset.min(Offset(offset.0 + FILLERS_MAX));
        let gap = offset.0..upto.0;
        // The log makes it no earlier than what stands before it.
        batch.extend(gap.filter_map(|_| filler(next.partition, Timestamp(0), at)));
        offset = upto;
    }
    let given = to.append(next.topic, batch).await?;
    for (given, wanted) in given.into_iter().zip(next.offset.0..) {
        if given.0 != wanted {
            let wanted = Position {
                offset: Offset(wanted),
                ..next
            };
            return Err(CopyError::Moved { wanted, given });
        }
    }
    Ok(offset)
}

/// Fillers of one append, at the most, when nothing else is left.
const FILLERS_MAX: u64 = 1_024;

/// What holds the place of a record that is not there any more.
fn filler(partition: Partition, appended: Timestamp, at: Timestamp) -> Option<Append> {
    let (event_type, version, value) = Event::from(LogFiller { at }).encode()?;
    Some(Append {
        partition,
        event_id: clock::event_id(),
        key: clock::key(),
        event_type,
        version,
        epoch: None,
        at: appended,
        headers: Vec::new(),
        value: Some(value),
    })
}

fn again(record: &Record) -> Append {
    Append {
        partition: record.position.partition,
        event_id: record.event_id,
        key: record.key,
        event_type: record.event_type.clone(),
        version: record.version,
        epoch: record.epoch,
        at: record.appended_at,
        headers: record.headers.clone(),
        value: record.value.clone(),
    }
}

/// Whether `record` only holds a place.
pub(crate) fn is_filler(record: &Record) -> bool {
    record.event_type.as_str() == "log.filler"
}

#[cfg(test)]
mod tests;
