//! Copies a log into an empty one: offsets, keys, times and bytes stay what they were.
//!
//! An audit team pulls the production log into a folder and examines it there; a log moves from one
//! back end to another. Where the source has no record any more, since an erasure removed it, a
//! `log.filler` holds its place. A copy that was interrupted goes on where it ended.

mod compare;
mod gaps;

use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit};
use compare::Comparing;
use gaps::Gaps;
use hooklog_schemas::{Append, Offset, Partition, Position, Record, Timestamp, Topic};

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
    /// Places of records that the source had no more when it was copied.
    pub fillers: u64,
    /// Places of erased records that only one of the two still has.
    pub erased: u64,
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
/// the same source; nobody else may write to it. What the source has erased since that beginning
/// was copied is erased in `to` as well.
///
/// # Errors
/// When the logs do not fit, differ, or fail.
pub async fn copy(
    from: &dyn EventLog,
    to: &dyn EventLog,
    at: Timestamp,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Copied, CopyError> {
    let mut parts = begin(from, to).await?;
    let mut told = Progress {
        total: sum(&ends(from, &parts).await?),
        done: 0,
        comparing: true,
    };
    let mut copied = Copied::default();
    for (part, earlier) in &mut parts {
        part.compare(from, to, *earlier).await?;
        copied.resumed += earlier.0;
        told.done += earlier.0;
        progress(told);
    }
    loop {
        // What was found to be erased was so before these ends: its tombstone stands before them.
        let ends = ends(from, &parts).await?;
        let compared = told.done;
        told.total = sum(&ends);
        told.comparing = false;
        for ((part, _), end) in parts.iter_mut().zip(&ends) {
            let mut gaps = Gaps::new(from, part.take_stale(), *end, at).await?;
            let mut next = part.next;
            while next.offset < end.offset {
                let upto = copy_some(from, to, next, *end, &mut gaps).await?;
                told.done += upto.0 - next.offset.0;
                next.offset = upto;
                progress(told);
            }
            gaps.are_explained()?;
        }
        for topic in Topic::ALL {
            to.compact(topic).await?;
        }
        told.done = compared;
        told.comparing = true;
        for ((part, _), end) in parts.iter_mut().zip(&ends) {
            told.done += end.offset.0 - part.next.offset.0;
            part.compare(from, to, end.offset).await?;
            progress(told);
        }
        // What the source erased meanwhile is erased in the copy when its tombstone is copied too.
        if parts.iter().all(|(part, _)| !part.has_stale()) {
            break;
        }
    }
    for (part, _) in parts {
        copied.records += part.records;
        copied.fillers += part.fillers;
        copied.erased += part.erased;
    }
    Ok(copied)
}

/// Every partition, with the place where an earlier copy of it ended. `control` comes last: what the
/// others name is there.
async fn begin(
    from: &dyn EventLog,
    to: &dyn EventLog,
) -> Result<Vec<(Comparing, Offset)>, CopyError> {
    let mut parts = Vec::new();
    for topic in [Topic::Deliveries, Topic::Webhooks, Topic::Control] {
        let partitions = (from.partitions(topic), to.partitions(topic));
        if partitions.0 != partitions.1 {
            let (from, to) = partitions;
            return Err(CopyError::Partitions { from, to });
        }
        for partition in (0..partitions.0).map(Partition) {
            let theirs = from.bounds(topic, partition).await?.tail;
            let ours = to.bounds(topic, partition).await?.tail;
            if ours > theirs {
                let at = |offset| Position::new(topic, partition, offset);
                let (from, to) = (at(theirs), at(ours));
                return Err(CopyError::Longer { from, to });
            }
            parts.push((Comparing::new(topic, partition), ours));
        }
    }
    Ok(parts)
}

/// Where each partition of the source ends.
async fn ends(
    from: &dyn EventLog,
    parts: &[(Comparing, Offset)],
) -> Result<Vec<Position>, ReadError> {
    let mut ends = Vec::with_capacity(parts.len());
    for (part, _) in parts {
        let Position {
            topic, partition, ..
        } = part.next;
        let Bounds { tail, .. } = from.bounds(topic, partition).await?;
        ends.push(Position::new(topic, partition, tail));
    }
    Ok(ends)
}

fn sum(ends: &[Position]) -> u64 {
    ends.iter().map(|end| end.offset.0).sum()
}

/// Copies one read's worth of records from `next` on, with what fills the gaps between them; tells
/// up to where.
async fn copy_some(
    from: &dyn EventLog,
    to: &dyn EventLog,
    next: Position,
    end: Position,
    gaps: &mut Gaps,
) -> Result<Offset, CopyError> {
    let records = from.read(next, ReadLimit::default()).await?;
    let mut batch = Vec::with_capacity(records.len());
    let mut offset = next.offset;
    for record in records.iter().filter(|r| r.position.offset < end.offset) {
        let gap = offset.0..record.position.offset.0;
        batch.extend(gap.filter_map(|gap| gaps.fill(Offset(gap), record.appended_at)));
        batch.push(again(record));
        offset = record.position.offset.next();
    }
    if batch.is_empty() {
        // Nothing is left to be read before the end: the last records were erased.
        let upto = end.offset.min(Offset(offset.0 + FILLERS_MAX));
        let gap = offset.0..upto.0;
        // The log makes it no earlier than what stands before it.
        batch.extend(gap.filter_map(|gap| gaps.fill(Offset(gap), Timestamp(0))));
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
