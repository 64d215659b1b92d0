//! Sets of tables in a state: making, switching and dropping them.

use super::super::unreadable;
use super::tables::Tables;
use super::{LIVE, Replaced, State};
use crate::project::store::{SetKind, StoreError, TableSet};
use crate::project::stores::names::Member;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_schemas::Timestamp;
use mongodb::bson::DateTime;

impl State {
    /// Notes that the tables of all projections are there, empty, under names with this suffix.
    pub(in super::super) fn created(
        &mut self,
        suffix: &str,
        at: &Checkpoint,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let members = PROJECTIONS.map(|projection| Member::today(projection, suffix));
        let mut live = Tables::of(members, self.write, now);
        live.read_up_to(at)?;
        self.sets.insert(LIVE.to_owned(), live);
        Ok(())
    }

    /// Begins a build, and tells its name.
    pub(in super::super) fn begin_build(
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

    /// Gives no name up to this number any more: there are tables of that name. They are left of a
    /// state that is lost.
    pub(in super::super) fn name_after(&mut self, number: i64) {
        self.named = self.named.max(number);
    }

    /// The end of the names of tables that are to be created.
    pub(in super::super) fn suffix(&mut self) -> String {
        format!("_{}", self.free("b"))
    }

    /// A name that no set had: tables of one that was dropped may come back to life, if a writer that
    /// was superseded still writes to them.
    fn free(&mut self, word: &str) -> String {
        self.named += 1;
        format!("{word}{}", self.named)
    }

    /// Switches queries to the tables of `set`, and all of them to `at`; tells what set holds those
    /// that were replaced.
    pub(in super::super) fn switch(
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
        let kept = self.sets.remove(LIVE).map(|mut live| {
            let goes = |member: &Member| whole || next.has(&member.projection);
            let (replaced, others): (Vec<_>, _) = live.members.into_iter().partition(goes);
            if !others.is_empty() {
                // Where nothing stays, no table has anything of those writes.
                next.members.extend(others);
                next.unsettled.join(&live.unsettled);
            }
            live.members = replaced;
            live
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
    pub(in super::super) fn drop_set(
        &mut self,
        set: &str,
        now: DateTime,
    ) -> Result<(), StoreError> {
        self.there(set)?;
        if let Some(dropped) = self.sets.remove(set) {
            let tables = dropped.members.iter().flat_map(|m| m.tables.split(' '));
            let tables = tables.map(str::to_owned).collect();
            self.replaced.push(Replaced { tables, at: now });
        }
        Ok(())
    }

    /// Whether there is such a set beside the live one.
    pub(in super::super) fn there(&self, set: &str) -> Result<(), StoreError> {
        match set != LIVE && self.sets.contains_key(set) {
            true => Ok(()),
            false => Err(StoreError::NoSet(set.to_owned())),
        }
    }

    /// The sets beside the live one.
    pub(in super::super) fn beside(&self) -> Result<Vec<TableSet>, StoreError> {
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
}
