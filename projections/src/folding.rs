//! The fold of all projections: records in, changed rows out. It does no I/O.
//!
//! A driver reads records, decodes each once ([`Decoded`]), hands in the stored rows that the fold
//! asks for ([`Folding::wanted_before`], [`Folding::wanted_after`]), and writes what it gives
//! ([`Folding::take`]) together with the checkpoint. How records of different partitions
//! interleave, and where batches end, makes no difference to the rows.

mod control;
mod decisions;
mod decoded;
mod memory;
mod output;
mod replayed;

pub use decoded::Decoded;
pub use memory::{Unreadable, Wanted};
pub use output::{Changes, TableChanges};

use crate::checkpoint::Checkpoint;
use crate::configuration::Configuration;
use crate::partitions::Fences;
use crate::reads;
use crate::table::{Row, Table};
use hooklog_schemas::{Event, Topic};
use memory::Memory;
use output::{Output, Taken};

/// The fold of all projections, at one point of the log.
pub struct Folding {
    checkpoint: Checkpoint,
    configuration: Configuration,
    memory: Memory,
    output: Output,
}

impl Folding {
    /// The fold at `checkpoint`: with `control` folded up to there, and the rows of `partitions`.
    ///
    /// `open_max` is how many open deliveries are remembered between batches, at about 500 bytes
    /// each. It makes no difference to the rows.
    ///
    /// # Errors
    /// When a row is not one of `partitions`.
    pub fn resume(
        checkpoint: Checkpoint,
        configuration: Configuration,
        partitions: &[Row],
        open_max: usize,
    ) -> Result<Self, Unreadable> {
        let mut memory = Memory::new(open_max);
        for row in partitions {
            let unreadable = || Unreadable::of(&crate::partitions::TABLE, row);
            let (partition, fences) = Fences::read(row).ok_or_else(unreadable)?;
            memory.fences.insert(partition, fences);
        }
        Ok(Self {
            checkpoint,
            configuration,
            memory,
            output: Output::default(),
        })
    }

    /// Up to where it has folded.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The stored rows that folding `batch` needs to see.
    #[must_use]
    pub fn wanted_before(&self, batch: &[Decoded]) -> Wanted {
        self.memory.wanted_deliveries(batch)
    }

    /// The stored rows that [`Folding::take`] needs to see.
    #[must_use]
    pub fn wanted_after(&self) -> [Wanted; 2] {
        [self.memory.wanted_counts(), self.memory.wanted_progress()]
    }

    /// Takes in stored rows that were asked for.
    ///
    /// # Errors
    /// When a row is not one of `table`.
    pub fn remember(&mut self, table: &Table, rows: &[Row]) -> Result<(), Unreadable> {
        rows.iter()
            .try_for_each(|row| self.memory.remember(table, row))
    }

    /// Folds one record. One that was folded before changes nothing.
    pub fn fold(&mut self, decoded: &Decoded) {
        let position = decoded.position;
        if self.checkpoint.holds(position) {
            return;
        }
        match position.topic {
            Topic::Deliveries => self.fold_deliveries(decoded),
            Topic::Control => self.fold_control(decoded),
            // Tables fold decisions, which carry what they need of the webhooks.
            Topic::Webhooks => {}
        }
        let next = hooklog_schemas::Position {
            offset: position.offset.next(),
            ..position
        };
        self.checkpoint.read_up_to(next);
    }

    /// Notes that everything before `end` is folded: behind the last record that is there, compaction
    /// may have taken some.
    pub fn read_up_to(&mut self, end: &Checkpoint) {
        end.positions()
            .for_each(|next| self.checkpoint.read_up_to(next));
    }

    /// The rows that changed since the last call, each once, in the order of their keys.
    pub fn take(&mut self) -> Changes {
        let taken = Taken {
            owed: self.memory.take_deliveries(),
            fences: self.memory.take_fences(),
            counted: self.memory.take_counts(),
            replayed: self.memory.take_progress(),
        };
        std::mem::take(&mut self.output).changes(taken)
    }

    fn fold_deliveries(&mut self, decoded: &Decoded) {
        let position = decoded.position;
        match &decoded.event {
            Event::Acquired(_) => {
                let fences = self.memory.fences(position.partition.0);
                fences.acquired(position.offset.0);
            }
            Event::Routed(routed) => self.fold_routed(decoded, routed),
            Event::Attempted(attempted) => self.fold_attempted(decoded, attempted),
            Event::Requeued(requeued) => self.fold_requeued(decoded, requeued),
            Event::Cancelled(cancelled) => self.fold_cancelled(decoded, cancelled),
            Event::ReplayStarted(_) | Event::ReplayProgressed(_) | Event::ReplayFinished(_) => {
                self.fold_progress(decoded);
            }
            Event::Answered(answered) => self.output.answered(position, decoded.key, answered),
            Event::BodyRead(read) => self.output.reads.push(reads::row(position, read)),
            Event::Tombstone => self.output.erased(decoded.key),
            // Evidence: it is read from the log when somebody asks.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
