//! Tables in SQLite: the default, one file in the data folder.
//!
//! `synchronous = NORMAL` in WAL mode: a power cut may lose the last transactions, never half of
//! one. They are folded again, so nothing is lost.

mod build;
mod lease;
mod own;
mod reader;
mod schema;
mod sets;
mod throwaway;
mod values;
mod write;

pub use own::{OWN, SqliteOwn};
pub use reader::SqliteTables;
pub use throwaway::{Rows, publish};

use super::names::{self, Member, Names};
use crate::project::store::{Advance, Holder, ProjectionStore, StoreError, Stored, TableSet};
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::{Row, Table, Value};
use lease::Lease;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::time::Duration;
use values::Statements;

/// Older releases can corrupt a database in WAL mode when a checkpoint and a write meet.
const OLDEST: (&str, [u32; 3]) = ("SQLite 3.51.3", [3, 51, 3]);

/// The set of tables that queries read.
const LIVE: &str = "live";

/// The file's name in the data folder.
pub const FILE: &str = "tables.sqlite";

/// One connection that writes one set of tables.
pub struct SqliteStore {
    connection: SqliteConnection,
    path: PathBuf,
    names: Names,
    set: String,
    lease: Option<Lease>,
    statements: Statements,
}

impl SqliteStore {
    /// Opens the tables in the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database, or the library is too old.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = connect(path, CACHE_LIVE, JOURNAL_LIVE).await?;
        check_version(&mut connection).await?;
        for migration in schema::MIGRATIONS {
            let made = sqlx::raw_sql(migration).execute(&mut connection);
            made.await
                .map_err(failed("making what replay cannot recreate"))?;
        }
        wait_for_writer(&mut connection).await?;
        let names = schema::active(&mut connection).await?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            names,
            set: LIVE.to_owned(),
            lease: None,
            statements: Statements::default(),
        })
    }
}

#[async_trait]
impl ProjectionStore for SqliteStore {
    async fn acquire(&mut self, writer: &str, _: Duration) -> Result<(), StoreError> {
        if self.set != LIVE {
            let lease = lease::acquire(&mut self.connection, lease::BESIDE, writer).await?;
            self.lease = Some(lease);
            return Ok(());
        }
        self.lease = Some(lease::acquire(&mut self.connection, lease::LIVE, writer).await?);
        self.look_again().await
    }

    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.acquire(writer, lease).await
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        lease::fence(&mut self.connection, self.lease.as_ref()).await
    }

    async fn release(&mut self) -> Result<(), StoreError> {
        match self.lease.take() {
            Some(lease) => lease::release(&mut self.connection, &lease).await,
            None => Ok(()),
        }
    }

    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        let checkpoint = schema::checkpoint(&mut self.connection, &self.set).await?;
        let members = match self.set.as_str() {
            LIVE => schema::members(&mut self.connection).await?,
            set => sets::members(&mut self.connection, set).await?,
        };
        Ok(checkpoint.map(|checkpoint| Stored {
            checkpoint,
            versions: names::versions(&members),
        }))
    }

    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let names = Names::today(&PROJECTIONS, "");
        let failed = failed("creating the tables");
        let mut tx = self.connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, self.lease.as_ref()).await?;
        for projection in PROJECTIONS {
            let files = schema::files(projection.name);
            for template in [files.tables, files.indexes] {
                let sql = names.fill(template);
                let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await;
                made.map_err(&failed)?;
            }
            schema::activate(&mut tx, &Member::today(projection, "")).await?;
        }
        schema::write_checkpoint(&mut tx, LIVE, checkpoint).await?;
        tx.commit().await.map_err(&failed)?;
        self.names = names;
        Ok(())
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        let table = self.names.get(wanted.table)?;
        values::load(&mut self.connection, table, wanted).await
    }

    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError> {
        let failed = failed("writing rows");
        let mut tx = self.connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, self.lease.as_ref()).await?;
        lease::compare(&mut tx, &self.set, advance.from).await?;
        for changes in changes.tables {
            let table = self.names.get(changes.table)?;
            write::delete(&mut tx, table, &changes).await?;
            write::put(&mut tx, table, changes, &mut self.statements).await?;
        }
        schema::write_checkpoint(&mut tx, &self.set, advance.to).await?;
        tx.commit().await.map_err(&failed)
    }

    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let name = self.names.get(table)?;
        values::scan(&mut self.connection, name, table, after, limit).await
    }

    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError> {
        Ok(Some(Box::new(build::freeze(self).await?)))
    }

    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError> {
        sets::all(&mut self.connection).await
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
        build::finish(self).await
    }

    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError> {
        let failed = failed("switching tables");
        let mut tx = self.connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, self.lease.as_ref()).await?;
        let kept = sets::switch(&mut tx, set, at).await?;
        tx.commit().await.map_err(&failed)?;
        self.look_again().await?;
        Ok(kept)
    }

    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        let failed = failed("dropping tables");
        let mut beside = build::open(self, build::Wanted::Set(set), holder).await?;
        let mut tx = beside.connection.begin().await.map_err(&failed)?;
        lease::fence(&mut tx, beside.lease.as_ref()).await?;
        sets::drop(&mut tx, set).await?;
        tx.commit().await.map_err(&failed)?;
        beside.release().await
    }
}

impl SqliteStore {
    /// Learns which tables are live: whoever wrote before may have switched.
    async fn look_again(&mut self) -> Result<(), StoreError> {
        self.names = schema::active(&mut self.connection).await?;
        self.statements = Statements::default();
        Ok(())
    }
}

/// Kilobytes of pages that a connection may keep: of the live tables, and of a build.
const CACHE_LIVE: u32 = 24 << 10;
const CACHE_BUILD: u32 = 128 << 10;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(512)
        .disable_statement_logging()
}

/// Pages in the journal before they are moved to the file. A build moves hot pages less often.
const JOURNAL_LIVE: u32 = 1_000;
const JOURNAL_BUILD: u32 = 32_000;

async fn connect(path: &Path, cache: u32, journal: u32) -> Result<SqliteConnection, StoreError> {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", format!("-{cache}"))
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", journal.to_string())
        .pragma("journal_size_limit", "67108864")
        .connect()
        .await
        .map_err(failed("opening its file"))
}

/// Waits until a writer that was dropped in the middle of a commit has ended: its connection has a
/// thread of its own, and what it commits must be seen in the checkpoint that is read next.
async fn wait_for_writer(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let waited = sqlx::raw_sql("BEGIN IMMEDIATE; COMMIT").execute(connection);
    waited.await.map_err(failed("waiting for its writer"))?;
    Ok(())
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(failed("telling its version"))?;
    let numbers: Vec<u32> = found.split('.').map_while(|n| n.parse().ok()).collect();
    let (needed, oldest) = OLDEST;
    if numbers.as_slice() >= oldest.as_slice() {
        return Ok(());
    }
    let found = format!("SQLite {found}");
    Err(StoreError::TooOld { found, needed })
}

fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::Failed {
        doing,
        reason: error.to_string(),
    }
}

fn unreadable(what: impl Into<String>) -> StoreError {
    StoreError::Unreadable(what.into())
}

#[cfg(test)]
pub(crate) mod tests;
