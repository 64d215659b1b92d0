//! Who may write, which tables there are, and how far each set of them is: one document.
//!
//! It says what of the rows counts. A write brings rows under a number of its own, which is among
//! the unsettled ones of its set until the state that follows takes it out, and moves the checkpoint
//! in the same document: so rows and checkpoint count together, where there are no transactions too.
//!
//! All of it is values in, values out; [`States`](super::states::States) reads and writes them.

mod lease;

pub(super) use lease::Lease;

use super::forgetting::KEPT;
use super::unreadable;
use super::versions::Moment;
use crate::project::store::{SetKind, StoreError, Stored, TableSet};
use crate::project::stores::names::{self, Member, Names};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_schemas::{EventId, Offset, Partition, Position, Timestamp};
use lease::Held;
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
}

/// One set of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tables {
    /// What the set is; nothing for the live one.
    kind: String,
    since: DateTime,
    /// The last write that counts.
    write: i64,
    /// Writes that were begun, and did not come to their end as far as is known.
    unsettled: Vec<i64>,
    log: String,
    next: Vec<Next>,
    /// Where the tables of each projection are.
    members: Vec<Member>,
}

/// The next offset of one partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Next {
    topic: String,
    partition: i64,
    offset: i64,
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
        self.at(set, from)?.unsettled.push(number);
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
        let place = tables.unsettled.iter().position(|begun| *begun == number);
        tables.unsettled.remove(place.ok_or(StoreError::Moved)?);
        tables.write = number;
        tables.read_up_to(to)
    }

    /// The set, if it stands at `checkpoint`.
    fn at(&mut self, set: &str, checkpoint: &Checkpoint) -> Result<&mut Tables, StoreError> {
        match self.sets.get_mut(set) {
            Some(tables) if tables.checkpoint()? == *checkpoint => Ok(tables),
            _ => Err(StoreError::Moved),
        }
    }

    /// Notes that the tables of all projections are there, empty.
    pub(super) fn created(&mut self, at: &Checkpoint, now: DateTime) -> Result<(), StoreError> {
        let members = PROJECTIONS.map(|projection| Member::today(projection, ""));
        let mut live = Tables::of(members, self.write, now);
        live.read_up_to(at)?;
        self.sets.insert(LIVE.to_owned(), live);
        Ok(())
    }

    /// Begins a build, and tells its name.
    pub(super) fn begin_build(
        &mut self,
        projections: &[&'static Projection],
        at: &Checkpoint,
        now: DateTime,
    ) -> Result<String, StoreError> {
        let name = self.free("b");
        let suffix = format!("_{name}");
        let members = projections.iter().map(|p| Member::today(p, &suffix));
        let mut built = Tables::of(members, self.write, now);
        SetKind::Building.as_str().clone_into(&mut built.kind);
        built.read_up_to(at)?;
        self.sets.insert(name.clone(), built);
        Ok(name)
    }

    /// A name that no set had: tables of one that was dropped may come back to life, if a writer that
    /// was superseded still writes to them.
    fn free(&mut self, word: &str) -> String {
        self.named += 1;
        format!("{word}{}", self.named)
    }

    /// Switches queries to the tables of `set`, and all of them to `at`; tells what set holds those
    /// that were replaced.
    pub(super) fn switch(
        &mut self,
        set: &str,
        at: &Checkpoint,
        now: DateTime,
    ) -> Result<Option<String>, StoreError> {
        self.there(set)?;
        self.at(set, at)?;
        let mut next = self.sets.remove(set).ok_or(StoreError::Moved)?;
        let whole = PROJECTIONS.iter().all(|p| next.has(p.name));
        if !whole {
            self.at(LIVE, at)?;
        }
        let kept = self.sets.remove(LIVE).map(|live| {
            let goes = |member: &Member| whole || next.has(&member.projection);
            let (replaced, others): (Vec<_>, _) = live.members.into_iter().partition(goes);
            next.members.extend(others);
            next.unsettled.extend(&live.unsettled);
            let members = replaced;
            Tables { members, ..live }
        });
        let kept = kept.filter(|kept| !kept.members.is_empty());
        // Whatever was written to any of the tables so far, and is settled, counts.
        next.write = self.write;
        next.kind.clear();
        next.since = now;
        self.sets.insert(LIVE.to_owned(), next);
        Ok(kept.map(|kept| self.keep(kept, now)))
    }

    /// Makes a set of what was live.
    fn keep(&mut self, mut live: Tables, now: DateTime) -> String {
        let name = self.free("old");
        SetKind::Kept.as_str().clone_into(&mut live.kind);
        live.since = now;
        self.sets.insert(name.clone(), live);
        name
    }

    /// Drops a set; its tables stay for those who may read them still.
    pub(super) fn drop_set(&mut self, set: &str, now: DateTime) -> Result<(), StoreError> {
        self.there(set)?;
        if let Some(dropped) = self.sets.remove(set) {
            let tables = dropped.members.iter().flat_map(|m| m.tables.split(' '));
            let tables = tables.map(str::to_owned).collect();
            self.replaced.push(Replaced { tables, at: now });
        }
        Ok(())
    }

    /// Whether there is such a set beside the live one.
    pub(super) fn there(&self, set: &str) -> Result<(), StoreError> {
        match set != LIVE && self.sets.contains_key(set) {
            true => Ok(()),
            false => Err(StoreError::NoSet(set.to_owned())),
        }
    }

    /// The sets beside the live one.
    pub(super) fn beside(&self) -> Result<Vec<TableSet>, StoreError> {
        let beside = self.sets.iter().filter(|(name, _)| *name != LIVE);
        let set = |(name, tables): (&String, &Tables)| {
            let kind = SetKind::read(&tables.kind);
            Ok(TableSet {
                name: name.clone(),
                kind: kind.ok_or_else(|| unreadable("an unknown kind of set"))?,
                since: Timestamp(tables.since.timestamp_millis().saturating_mul(1_000)),
                stored: tables.stored()?,
            })
        };
        beside.map(set).collect()
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
    pub(super) fn used(&self, now: DateTime) -> Vec<String> {
        let members = self.sets.values().flat_map(|set| &set.members);
        let members = members.flat_map(|member| member.tables.split(' '));
        let replaced = self.replaced.iter().filter(|r| r.is_kept(now));
        let replaced = replaced.flat_map(|r| r.tables.iter().map(String::as_str));
        members.chain(replaced).map(str::to_owned).collect()
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

    /// The older half of the live set's writes that never counted, if there are more than `max`.
    pub(super) fn oldest_unsettled(&self, max: usize) -> &[i64] {
        let unsettled = self.sets.get(LIVE).map(|live| live.unsettled.as_slice());
        let unsettled = unsettled.unwrap_or_default();
        let many = unsettled.len() > max;
        &unsettled[..if many { max / 2 } else { 0 }]
    }

    /// Tables that nobody reads any more.
    pub(super) fn replaced_before(&self, now: DateTime) -> impl Iterator<Item = &str> {
        let over = self.replaced.iter().filter(move |r| !r.is_kept(now));
        over.flat_map(|r| &r.tables).map(String::as_str)
    }

    /// Forgets writes of which nothing is left, and tables that are gone.
    pub(super) fn forget(&mut self, unsettled: &[i64], now: DateTime) {
        if let Some(live) = self.sets.get_mut(LIVE) {
            live.unsettled.retain(|write| !unsettled.contains(write));
        }
        self.replaced.retain(|replaced| replaced.is_kept(now));
    }
}

impl Tables {
    /// Empty tables, to which the writes up to `write` brought nothing.
    fn of(members: impl IntoIterator<Item = Member>, write: i64, since: DateTime) -> Self {
        Self {
            kind: String::new(),
            since,
            write,
            unsettled: Vec::new(),
            log: String::new(),
            next: Vec::new(),
            members: members.into_iter().collect(),
        }
    }

    fn has(&self, projection: &str) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.projection == projection)
    }

    fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            checkpoint: self.checkpoint()?,
            versions: names::versions(&self.members),
        })
    }

    fn read_up_to(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let next = |position: Position| {
            Ok(Next {
                topic: position.topic.to_string(),
                partition: i64::from(position.partition.0),
                offset: i64::try_from(position.offset.0)
                    .map_err(|_| unreadable("an offset over what a log can have"))?,
            })
        };
        let next: Result<Vec<_>, StoreError> = checkpoint.positions().map(next).collect();
        self.next = next?;
        self.log = checkpoint.log.0.to_string();
        Ok(())
    }

    fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let log = self.log.parse();
        let log = log.map_err(|_| unreadable("a log's id that is none"))?;
        let mut checkpoint = Checkpoint::start(EventId(log));
        for next in &self.next {
            let topic = next.topic.parse();
            let topic = topic.map_err(|_| unreadable("an unknown topic"))?;
            let below = |_| unreadable("an offset below zero");
            let partition = u32::try_from(next.partition).map_err(below)?;
            let offset = u64::try_from(next.offset).map_err(below)?;
            checkpoint.read_up_to(Position::new(topic, Partition(partition), Offset(offset)));
        }
        Ok(checkpoint)
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
