//! What holds the places of records that the source has no more.

use super::CopyError;
use super::compare::Stale;
use crate::clock;
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_schemas::control::LogFiller;
use hooklog_schemas::{Append, Event, Offset, Partition, Position, Timestamp};
use std::collections::BTreeMap;

/// What fills the gaps of one partition.
///
/// A record that the source erased after it was copied needs its tombstone in the copy. Where an
/// engine has dropped that tombstone too, its place is one of the gaps, so the copy gets one there.
pub(super) struct Gaps {
    partition: Partition,
    at: Timestamp,
    /// Tombstones that the source had a moment ago.
    there: BTreeMap<Offset, Stale>,
    /// Records whose tombstones the source has no more.
    lost: Vec<Stale>,
}

impl Gaps {
    /// Of what stands in `from` before `end`; `stale` is what the copy has to erase.
    pub(super) async fn new(
        from: &dyn EventLog,
        stale: Vec<Stale>,
        end: Position,
        at: Timestamp,
    ) -> Result<Self, ReadError> {
        let mut gaps = Self {
            partition: end.partition,
            at,
            there: BTreeMap::new(),
            lost: stale,
        };
        let first = gaps.lost.iter().map(|stale| stale.position.offset).min();
        let mut next = Position {
            offset: first.unwrap_or(end.offset),
            ..end
        };
        while next.offset < end.offset && !gaps.lost.is_empty() {
            let records = from.read(next, ReadLimit::default()).await?;
            let Some(last) = records.last() else { break };
            next.offset = last.position.offset.next();
            for stone in records.iter().filter(|record| record.value.is_none()) {
                let erases = |stale: &Stale| {
                    stale.key == stone.key && stale.position.offset < stone.position.offset
                };
                if let Some(found) = gaps.lost.iter().position(erases) {
                    let stale = gaps.lost.swap_remove(found);
                    gaps.there.insert(stone.position.offset, stale);
                }
            }
        }
        Ok(gaps)
    }

    /// What holds the place at `offset`, where the source has nothing.
    pub(super) fn fill(&mut self, offset: Offset, appended: Timestamp) -> Option<Append> {
        let mut place = self.filler(appended)?;
        if let Some(stale) = self.there.remove(&offset).or_else(|| self.lost.pop()) {
            place.key = stale.key;
            place.event_type = stale.event_type;
            place.version = stale.version;
            place.value = None;
        }
        Some(place)
    }

    /// Nothing may be missing in the source that no tombstone erased.
    pub(super) fn are_explained(&self) -> Result<(), CopyError> {
        match self.lost.first() {
            None => Ok(()),
            Some(stale) => Err(CopyError::Different(stale.position.to_string())),
        }
    }

    fn filler(&self, appended: Timestamp) -> Option<Append> {
        let (event_type, version, value) = Event::from(LogFiller { at: self.at }).encode()?;
        Some(Append {
            partition: self.partition,
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
}
