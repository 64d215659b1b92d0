//! Tables in PostgreSQL: a schema on a server, which several processes write in turn and many read.
//!
//! Text is compared byte by byte whatever the database's collation is, ids are `bytea`, integers
//! `bigint`: what is in the tables, and in which order, is what it is on every store.

mod build;
mod connect;
mod copy;
mod errors;
mod lease;
mod own;
mod reader;
mod schema;
mod sets;
mod values;

pub use own::{OWN, PostgresOwn};
pub use reader::PostgresTables;

use super::names::{self, Member, Names};
use super::published;
use crate::config::ProjectConfig;
use crate::project::store::{Advance, Holder, ProjectionStore, StoreError, Stored, TableSet};
use crate::project::stores::patience::within;
use async_trait::async_trait;
use connect::Connector;
use copy::Refusal;
use errors::failed;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::{Row, Table, Value};
use lease::Lease;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::time::Duration;

/// The set of tables that queries read.
const LIVE: &str = "live";

/// One writer of one set of tables. It connects when it is asked for something, and again after
/// an error.
pub struct PostgresStore {
    connector: Connector,
    /// None before the first question, and after an error: it may be in the middle of something.
    connection: Option<PgConnection>,
    names: Names,
    set: String,
    lease: Option<Lease>,
}

impl PostgresStore {
    /// A writer of the tables that `config` names. Nobody is asked anything yet.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(config: &ProjectConfig) -> Result<Self, StoreError> {
        Ok(Self {
            connector: Connector::writing(config)?,
            connection: None,
            names: Names::default(),
            set: LIVE.to_owned(),
            lease: None,
        })
    }

    /// The connection, which is put back when all went well.
    async fn connection(&mut self) -> Result<PgConnection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = self.connector.connect().await?;
        if self.set == LIVE {
            let names = schema::active(&mut connection).await;
            self.names = names.map_err(failed("looking which tables are active"))?;
        }
        Ok(connection)
    }
}

impl PostgresStore {
    /// Makes tables of a point of the past fit for people and their tools: see the statements.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses them.
    pub async fn publish(&mut self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        for statement in published::statements(&self.names)? {
            let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection);
            done.await.map_err(failed("preparing tables"))?;
        }
        self.connection = Some(connection);
        Ok(())
    }
}

#[async_trait]
impl ProjectionStore for PostgresStore {
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.take(Holder { writer, lease }, false).await
    }

    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.take(Holder { writer, lease }, true).await
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let renewal = lease::fence(&mut connection, self.lease.as_ref());
        within(self.connector.limit, "renewing its lease", renewal).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn release(&mut self) -> Result<(), StoreError> {
        let Some(lease) = self.lease.take() else {
            return Ok(());
        };
        let mut connection = self.connection().await?;
        let release = lease::release(&mut connection, &lease);
        within(self.connector.connect, "giving back its lease", release).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        let mut connection = self.connection().await?;
        let stored = stored(&mut connection, &self.set);
        let stored = within(self.connector.limit, "reading its checkpoint", stored).await?;
        self.connection = Some(connection);
        Ok(stored)
    }

    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let names = Names::today(&PROJECTIONS, "");
        let created = create(&mut connection, self.lease.as_ref(), &names, checkpoint);
        within(self.connector.limit, "creating the tables", created).await?;
        self.names = names;
        self.connection = Some(connection);
        Ok(())
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.connection().await?;
        let name = self.names.get(wanted.table)?;
        let rows = values::load(&mut connection, name, wanted);
        let rows = within(self.connector.limit, "loading rows", rows).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let written = self.write_either_way(&mut connection, &changes, advance);
        within(self.connector.limit, "writing rows", written).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut connection = self.connection().await?;
        let name = self.names.get(table)?;
        let rows = values::scan(&mut connection, name, table, after, limit);
        let rows = within(self.connector.limit, "reading rows", rows).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError> {
        Ok(Some(Box::new(build::freeze(self).await?)))
    }

    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError> {
        let mut connection = self.connection().await?;
        let sets = sets::all(&mut connection);
        let sets = within(self.connector.limit, "looking which sets there are", sets).await?;
        self.connection = Some(connection);
        Ok(sets)
    }

    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        let wanted = build::Wanted::New(projections, checkpoint);
        Ok(Box::new(build::open(self, wanted, holder).await?))
    }

    async fn reopen(
        &mut self,
        set: &str,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        let wanted = build::Wanted::Set(set);
        Ok(Box::new(build::open(self, wanted, holder).await?))
    }

    async fn finish(&mut self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        build::finish(self, &mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError> {
        let mut connection = self.connection().await?;
        let turn = self.turn(&mut connection, set, at);
        let kept = within(self.connector.limit, "switching tables", turn).await?;
        let names = schema::active(&mut connection).await;
        self.names = names.map_err(failed("looking which tables are active"))?;
        self.connection = Some(connection);
        Ok(kept)
    }

    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        let mut beside = build::open(self, build::Wanted::Set(set), holder).await?;
        let mut connection = beside.connection().await?;
        let dropped = drop_set(&mut connection, beside.lease.as_ref(), set);
        within(beside.connector.limit, "dropping tables", dropped).await
    }
}

impl PostgresStore {
    async fn take(&mut self, holder: Holder<'_>, whoever: bool) -> Result<(), StoreError> {
        let name = match self.set.as_str() {
            LIVE => lease::LIVE,
            _ => lease::BESIDE,
        };
        let mut connection = self.connection().await?;
        let acquired = async {
            match whoever {
                true => lease::take_over(&mut connection, name, holder).await,
                false => lease::acquire(&mut connection, name, holder).await,
            }
        };
        match within(self.connector.limit, "acquiring its lease", acquired).await {
            Ok(lease) => self.lease = Some(lease),
            Err(held @ StoreError::Held { .. }) => {
                self.connection = Some(connection);
                return Err(held);
            }
            Err(error) => return Err(error),
        }
        if self.set == LIVE {
            // Whoever wrote before may have switched.
            let names = schema::active(&mut connection).await;
            self.names = names.map_err(failed("looking which tables are active"))?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn turn(
        &self,
        connection: &mut PgConnection,
        set: &str,
        at: &Checkpoint,
    ) -> Result<Option<String>, StoreError> {
        let failed = failed("switching tables");
        let mut tx = connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, self.lease.as_ref()).await?;
        let kept = sets::switch(&mut tx, set, at).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(kept)
    }

    /// What is called new is copied; should it be there all the same, all is put once more.
    async fn write_either_way(
        &self,
        connection: &mut PgConnection,
        changes: &Changes,
        advance: Advance<'_>,
    ) -> Result<(), StoreError> {
        match self.write_on(connection, changes, advance, true).await {
            Err(Refusal::IsThere) => {
                let written = self.write_on(connection, changes, advance, false).await;
                written.map_err(StoreError::from)
            }
            written => written.map_err(StoreError::from),
        }
    }

    async fn write_on(
        &self,
        connection: &mut PgConnection,
        changes: &Changes,
        advance: Advance<'_>,
        copies: bool,
    ) -> Result<(), Refusal> {
        let failed = failed("writing rows");
        let mut tx = connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, self.lease.as_ref()).await?;
        lease::compare(&mut tx, &self.set, advance.from).await?;
        for changes in &changes.tables {
            let table = self.names.get(changes.table)?;
            values::delete(&mut tx, table, changes).await?;
            if copies && changes.new {
                copy::rows(&mut tx, table, changes.table, &changes.put).await?;
            } else {
                values::put(&mut tx, table, changes.table, &changes.put).await?;
            }
        }
        schema::write_checkpoint(&mut tx, &self.set, advance.to).await?;
        tx.commit().await.map_err(&failed)?;
        Ok(())
    }
}

async fn stored(connection: &mut PgConnection, set: &str) -> Result<Option<Stored>, StoreError> {
    let checkpoint = schema::checkpoint(connection, set).await?;
    let members = match set {
        LIVE => schema::members(connection).await?,
        set => sets::members(connection, set).await?,
    };
    Ok(checkpoint.map(|checkpoint| Stored {
        checkpoint,
        versions: names::versions(&members),
    }))
}

async fn create(
    connection: &mut PgConnection,
    lease: Option<&Lease>,
    names: &Names,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let failed = failed("creating the tables");
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, lease).await?;
    for projection in PROJECTIONS {
        let files = schema::files(projection.name);
        for template in [files.tables, files.indexes] {
            let sql = names.fill(template);
            let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await;
            made.map_err(&failed)?;
        }
        schema::activate(&mut tx, &Member::today(projection, "")).await?;
    }
    schema::note(&mut tx, LIVE, checkpoint.log).await?;
    schema::write_checkpoint(&mut tx, LIVE, checkpoint).await?;
    tx.commit().await.map_err(&failed)
}

async fn drop_set(
    connection: &mut PgConnection,
    lease: Option<&Lease>,
    set: &str,
) -> Result<(), StoreError> {
    let failed = failed("dropping tables");
    let mut tx = connection.begin().await.map_err(&failed)?;
    lease::fence(&mut tx, lease).await?;
    sets::drop(&mut tx, set).await?;
    if let Some(lease) = lease {
        lease::release(&mut tx, lease).await?;
    }
    tx.commit().await.map_err(&failed)
}

fn unreadable(what: impl Into<String>) -> StoreError {
    StoreError::Unreadable(what.into())
}

#[cfg(test)]
pub(crate) mod tests;
