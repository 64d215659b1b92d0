//! Tables in MongoDB, or in what speaks its protocol: a database on a server, which several
//! processes write in turn and many read.
//!
//! It needs no transactions. Rows are versions that are never changed, and one document, the state,
//! says up to which write they count (`state`, `versions`). A write brings its rows under a
//! number that does not count yet, then goes on to the state in which it does, and in which the
//! checkpoint stands. So whatever stops at any moment, and whoever writes although another has the
//! lease, leaves at the most versions that never count; and who reads keeps to the state that was in
//! force when it began, and sees one state of all tables.

mod build;
mod connect;
mod ends;
mod errors;
mod filter;
mod forgetting;
mod loading;
mod numbers;
mod reader;
mod restored;
mod schema;
mod state;
mod states;
mod tidying;
mod versions;
mod write;

pub use reader::MongodbTables;

use super::names::Names;
use super::patience::within;
use crate::config::ProjectConfig;
use crate::project::store::{Advance, Holder, ProjectionStore, StoreError, Stored, TableSet};
use async_trait::async_trait;
use connect::Connector;
use forgetting::Forgetting;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::{Row, Table, Value};
use mongodb::Database;
use mongodb::bson::DateTime;
use state::{LIVE, Lease, State};
use states::States;
use std::time::Duration;

/// A database, and the states of its tables.
#[derive(Clone, Debug)]
struct Place {
    database: Database,
    states: States,
}

/// One writer of one set of tables. It connects when it is asked for something.
pub struct MongodbStore {
    connector: Connector,
    /// None before the first question, and after the server did not let us in.
    place: Option<Place>,
    /// Its name.
    set: String,
    lease: Option<Lease>,
    forgetting: Forgetting,
}

impl MongodbStore {
    /// A writer of the tables that `config` names. Nobody is asked anything yet.
    #[must_use]
    pub fn new(config: &ProjectConfig) -> Self {
        Self {
            connector: Connector::writing(config),
            place: None,
            set: LIVE.to_owned(),
            lease: None,
            forgetting: Forgetting::of_live(),
        }
    }

    async fn place(&mut self) -> Result<Place, StoreError> {
        if let Some(place) = &self.place {
            return Ok(place.clone());
        }
        let database = self.connector.connect().await?;
        let states = States::of(&database);
        let place = Place { database, states };
        Ok(self.place.insert(place).clone())
    }

    /// Notes what an answer says of the way to the server: a password may have been changed.
    fn heard<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(answer, Err(StoreError::Refused(_))) {
            self.place = None;
        }
        answer.map_err(|error| self.connector.named(error))
    }
}

#[async_trait]
impl ProjectionStore for MongodbStore {
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        let set = self.set.clone();
        let take = |state: &mut State, now| state.lease(&set).acquire(writer, lease, now);
        let state = self.take(take).await?;
        let looked = self.look_for_later_rows(&state).await;
        if looked.is_err()
            && let Err(error) = self.release().await
        {
            tracing::debug!(%error, "the lease of the tables was not given back");
        }
        looked
    }

    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        let set = self.set.clone();
        let take = |state: &mut State, now| Ok(state.lease(&set).take_over(writer, lease, now));
        self.take(take).await.map(|_| ())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let place = self.place().await?;
        let renewal = place.states.renewed(&self.set, self.lease.as_ref());
        let renewed = within(self.connector.limit, "renewing its lease", renewal).await;
        self.heard(renewed)?;
        self.forget(&place).await;
        Ok(())
    }

    async fn release(&mut self) -> Result<(), StoreError> {
        let Some(lease) = self.lease.take() else {
            return Ok(());
        };
        let place = self.place().await?;
        let release = place.states.release(&self.set, &lease);
        let released = within(self.connector.connect, "giving back its lease", release).await;
        self.heard(released)
    }

    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        let place = self.place().await?;
        let newest = place.states.newest();
        let newest = within(self.connector.limit, "reading its checkpoint", newest).await;
        match self.heard(newest)? {
            Some(state) => state.stored(&self.set),
            None => Ok(None),
        }
    }

    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let place = self.place().await?;
        let created = create(&place, self.lease.as_ref(), checkpoint);
        let created = within(self.connector.limit, "creating the tables", created).await;
        self.heard(created)
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        let place = self.place().await?;
        let loading = self.load_from(&place, wanted);
        let loaded = within(self.connector.limit, "loading rows", loading).await;
        self.heard(loaded)
    }

    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError> {
        let place = self.place().await?;
        let writing = self.write_to(&place, &changes, advance);
        let written = within(self.connector.limit, "writing rows", writing).await;
        let number = self.heard(written)?;
        self.forgetting.note(number);
        self.forget(&place).await;
        Ok(())
    }

    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let place = self.place().await?;
        let scanning = self.scan_from(&place, table, after, limit);
        let rows = within(self.connector.limit, "reading rows", scanning).await;
        self.heard(rows)
    }

    /// Versions that were replaced go after a while, so what is frozen would not stay whole.
    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError> {
        Ok(None)
    }

    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError> {
        let place = self.place().await?;
        let newest = place.states.newest();
        let newest = within(self.connector.limit, "looking which sets there are", newest).await;
        let newest = self.heard(newest)?;
        newest.map_or_else(|| Ok(Vec::new()), |state| state.beside())
    }

    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        let built = build::begin(self, projections, checkpoint, holder).await?;
        Ok(Box::new(built))
    }

    async fn reopen(
        &mut self,
        set: &str,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        Ok(Box::new(build::reopen(self, set, holder).await?))
    }

    async fn finish(&mut self) -> Result<(), StoreError> {
        let place = self.place().await?;
        let finished = build::finish(self, &place).await;
        self.heard(finished)
    }

    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError> {
        let place = self.place().await?;
        let lease = self.lease.as_ref();
        let switched = place.states.advance(|state, now| {
            state.lease(LIVE).fence(lease, now)?;
            state.switch(set, at, now)
        });
        let switched = within(self.connector.limit, "switching tables", switched).await;
        self.heard(switched).map(|(_, kept)| kept)
    }

    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        build::drop_set(self, set, holder).await
    }
}

impl MongodbStore {
    /// Takes the lease as `take` does; tells the state in which it is ours.
    async fn take(
        &mut self,
        take: impl Fn(&mut State, DateTime) -> Result<Lease, StoreError> + Send + Sync,
    ) -> Result<State, StoreError> {
        let place = self.place().await?;
        let acquired = place.states.advance(take);
        let acquired = within(self.connector.limit, "acquiring its lease", acquired).await;
        let (state, lease) = self.heard(acquired)?;
        self.lease = Some(lease);
        if let Some(moment) = state.moment(&self.set) {
            self.forgetting.note(moment.write);
        }
        Ok(state)
    }

    /// Who goes on to write tables that are ahead of their state would make some of it count.
    async fn look_for_later_rows(&mut self, state: &State) -> Result<(), StoreError> {
        let place = self.place().await?;
        let looking = restored::look(&place, &self.set, state);
        let looked = within(self.connector.limit, "looking at its rows", looking).await;
        self.heard(looked)
    }

    /// Writes, and tells the number of the write.
    async fn write_to(
        &self,
        place: &Place,
        changes: &Changes,
        advance: Advance<'_>,
    ) -> Result<i64, StoreError> {
        let lease = self.lease.as_ref();
        let begun = place.states.advance(|state, now| {
            state.lease(&self.set).fence(lease, now)?;
            state.begin(&self.set, advance.from)
        });
        let (state, number) = begun.await?;
        let names = state.names(&self.set);
        let left = state.moment(&self.set).unwrap_or_default().unsettled;
        let rows = write::rows(&place.database, &names, changes, number, &left);
        place.states.keep(&self.set, lease, rows).await?;
        let ends = [advance.from, advance.to];
        let committed = place.states.advance(|state, now| {
            state.lease(&self.set).fence(lease, now)?;
            state.commit(&self.set, number, ends)
        });
        committed.await.map(|_| number)
    }
}

async fn create(
    place: &Place,
    lease: Option<&Lease>,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let Place { database, states } = place;
    let there = schema::last_named(database).await?;
    let named = states.advance(|state, now| {
        state.lease(LIVE).fence(lease, now)?;
        state.name_after(there);
        Ok(state.suffix())
    });
    let (state, suffix) = named.await?;
    let names = Names::today(&PROJECTIONS, &suffix);
    let mut used = state.used();
    used.extend(names.all().map(str::to_owned));
    let creating = async {
        schema::drop_dead(database, state.named(), &used).await?;
        schema::create(database, &names).await?;
        schema::finish(database, &names).await
    };
    states.keep(LIVE, lease, creating).await?;
    let created = states.advance(|state, now| {
        state.lease(LIVE).fence(lease, now)?;
        state.created(&suffix, checkpoint, now)
    });
    created.await.map(|_| ())
}

fn unreadable(what: impl Into<String>) -> StoreError {
    StoreError::Unreadable(what.into())
}

#[cfg(test)]
pub(crate) mod tests;
