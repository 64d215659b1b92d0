//! Who may write, which tables there are, and how far each set of them is: one document.
//!
//! It says what of the rows counts. A write brings rows under a number of its own, which is among
//! the unsettled ones of its set until the state that follows takes it out, and moves the checkpoint
//! in the same document: so rows and checkpoint count together, where there are no transactions too.
//!
//! All of it is values in, values out; [`States`](super::states::States) reads and writes them.

mod lease;
mod sets;
mod tables;

pub(super) use lease::Lease;

use super::forgetting::KEPT;
use super::versions::Moment;
use crate::project::store::{StoreError, Stored};
use crate::project::stores::names::Names;
use hooklog_projections::checkpoint::Checkpoint;
use lease::Held;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tables::Tables;

/// The set of tables that queries read.
pub(super) const LIVE: &str = "live";

/// The state of all tables of one database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The one with the highest number is in force.
    #[serde(rename = "_id")]
    pub(super) number: i64,
    /// Who may write the live set.
    live: Held,
    /// Who may work on the sets beside it.
    beside: Held,
    /// The number of the last write that was begun, of whichever set.
    write: i64,
    /// How many names were given to sets: none is given twice.
    named: i64,
    /// The sets of tables, by name.
    sets: BTreeMap<String, Tables>,
    /// Tables that are of no set any more. Somebody may read them still.
    replaced: Vec<Replaced>,
    /// Of the live set, versions that were replaced up to this write may be gone.
    pruned: i64,
}

/// Tables that no new question reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Replaced {
    tables: Vec<String>,
    at: DateTime,
}

impl State {
    /// Nobody has written anything.
    pub(super) fn fresh() -> Self {
        Self {
            number: 0,
            live: Held::nobodys(),
            beside: Held::nobodys(),
            write: 0,
            named: 0,
            sets: BTreeMap::new(),
            replaced: Vec::new(),
            pruned: 0,
        }
    }

    /// The lease under which a set is written.
    pub(super) fn lease(&mut self, set: &str) -> &mut Held {
        match set {
            LIVE => &mut self.live,
            _ => &mut self.beside,
        }
    }

    /// Whether this lease of the set is in force.
    pub(super) fn is_held(&self, set: &str, lease: &Lease) -> bool {
        match set {
            LIVE => self.live.is(lease),
            _ => self.beside.is(lease),
        }
    }

    /// Begins a write of a set that continues from `from`, and tells its number.
    pub(super) fn begin(&mut self, set: &str, from: &Checkpoint) -> Result<i64, StoreError> {
        let number = self.write + 1;
        self.at(set, from)?.unsettled.add(number);
        self.write = number;
        Ok(number)
    }

    /// Ends the write `number`: from then on its rows count, and the tables are at `to`.
    pub(super) fn commit(
        &mut self,
        set: &str,
        number: i64,
        [from, to]: [&Checkpoint; 2],
    ) -> Result<(), StoreError> {
        let tables = self.at(set, from)?;
        if !tables.unsettled.remove(number) {
            return Err(StoreError::Moved);
        }
        tables.write = number;
        tables.read_up_to(to)
    }

    /// The number of the last write that was begun, of whichever set.
    pub(super) const fn begun(&self) -> i64 {
        self.write
    }

    /// The set, if it stands at `checkpoint`.
    fn at(&mut self, set: &str, checkpoint: &Checkpoint) -> Result<&mut Tables, StoreError> {
        match self.sets.get_mut(set) {
            Some(tables) if tables.checkpoint()? == *checkpoint => Ok(tables),
            _ => Err(StoreError::Moved),
        }
    }

    /// The names of a set's tables.
    pub(super) fn names(&self, set: &str) -> Names {
        let tables = self.sets.get(set);
        tables.map_or_else(Names::default, |tables| Names::of(&tables.members))
    }

    /// Whether anybody made tables to answer from.
    pub(super) fn is_created(&self) -> bool {
        self.sets.contains_key(LIVE)
    }

    /// The names of all tables that are in any set, or that somebody may read still.
    pub(super) fn used(&self) -> Vec<String> {
        let members = self.sets.values().flat_map(|set| &set.members);
        let members = members.flat_map(|member| member.tables.split(' '));
        let replaced = self.replaced.iter().flat_map(|replaced| &replaced.tables);
        let replaced = replaced.map(String::as_str);
        members.chain(replaced).map(str::to_owned).collect()
    }

    /// How many names were given: who gives the next one has a newer state.
    pub(super) const fn named(&self) -> i64 {
        self.named
    }

    /// What of the rows counts now; nothing if there is no such set.
    pub(super) fn moment(&self, set: &str) -> Option<Moment> {
        self.sets.get(set).map(|tables| Moment {
            write: tables.write,
            unsettled: tables.unsettled.clone(),
        })
    }

    /// Up to where a set has read; none if there is no such set.
    pub(super) fn checkpoint(&self, set: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.sets.get(set).map(Tables::checkpoint).transpose()
    }

    /// What a set holds.
    pub(super) fn stored(&self, set: &str) -> Result<Option<Stored>, StoreError> {
        self.sets.get(set).map(Tables::stored).transpose()
    }

    /// Says that from now on what was replaced up to `write` in the live set may be gone, and tables
    /// that nobody should read any more; tells which those are.
    pub(super) fn prune(&mut self, write: i64, now: DateTime) -> Vec<String> {
        self.pruned = self.pruned.max(write);
        let replaced = std::mem::take(&mut self.replaced).into_iter();
        let (kept, over): (Vec<_>, Vec<_>) = replaced.partition(|r| r.is_kept(now));
        self.replaced = kept;
        over.into_iter().flat_map(|r| r.tables).collect()
    }

    /// Whether all is there still that was read of tables with these names at `moment`, when their
    /// set was the live one.
    pub(super) fn has_all_of(&self, moment: &Moment, names: &Names) -> bool {
        let used = self.used();
        self.pruned <= moment.write && names.all().all(|name| used.iter().any(|u| u == name))
    }
}

impl Replaced {
    /// Whether a question that began before may still read them.
    fn is_kept(&self, now: DateTime) -> bool {
        now.saturating_duration_since(self.at) < KEPT
    }
}

#[cfg(test)]
mod tests;
