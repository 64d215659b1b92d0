//! Reads two logs side by side.

use super::{CopyError, is_filler};
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_schemas::{Position, Record};
use std::collections::VecDeque;
use std::sync::Arc;

/// What was compared.
#[derive(Default)]
pub(super) struct Compared {
    /// Records that are equal.
    pub(super) records: u64,
    /// Fillers for what the source has no more.
    pub(super) fillers: u64,
}

/// Compares a partition up to `end`.
pub(super) async fn compare(
    from: &dyn EventLog,
    to: &dyn EventLog,
    end: Position,
) -> Result<Compared, CopyError> {
    let (mut theirs, mut ours) = (Reader::new(from, end), Reader::new(to, end));
    let mut compared = Compared::default();
    let mut source = theirs.next().await?;
    while let Some(record) = ours.next().await? {
        let here = record.position;
        match &source {
            Some(other) if other.position == here => {
                if !same(other, &record) {
                    return Err(CopyError::Different(here.to_string()));
                }
                compared.records += 1;
                source = theirs.next().await?;
            }
            Some(other) if other.position.offset < here.offset => {
                return Err(CopyError::Different(other.position.to_string()));
            }
            _ if is_filler(&record) => compared.fillers += 1,
            _ => return Err(CopyError::Different(here.to_string())),
        }
    }
    match source {
        Some(missing) => Err(CopyError::Different(missing.position.to_string())),
        None => Ok(compared),
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
        && theirs.appended_at == ours.appended_at
        && (erased || bytes)
}

/// Reads one partition from its start, record by record.
struct Reader<'a> {
    log: &'a dyn EventLog,
    next: Position,
    end: Position,
    read: VecDeque<Arc<Record>>,
}

impl<'a> Reader<'a> {
    fn new(log: &'a dyn EventLog, end: Position) -> Self {
        let next = Position {
            offset: Default::default(),
            ..end
        };
        let read = VecDeque::new();
        Self {
            log,
            next,
            end,
            read,
        }
    }

    async fn next(&mut self) -> Result<Option<Arc<Record>>, ReadError> {
        if self.read.is_empty() && self.next.offset < self.end.offset {
            self.read = self.log.read(self.next, ReadLimit::default()).await?.into();
            if let Some(last) = self.read.back() {
                self.next.offset = last.position.offset.next();
            }
        }
        let next = self.read.pop_front();
        Ok(next.filter(|record| record.position.offset < self.end.offset))
    }
}
