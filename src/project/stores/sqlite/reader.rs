//! Reads for queries: a few read-only connections, and one transaction an answer.

use super::values::{bind, read};
use super::{options, schema, unreadable};
use crate::project::store::StoreError;
use crate::project::stores::names::Names;
use crate::project::stores::statement::{self, Marks, Statement};
use crate::query::{QueryError, Select, Snapshot, Tables};
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::Row;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Answers at the same time; more wait.
const CONNECTIONS_MAX: u32 = 4;

/// The tables of a file, for reading.
#[derive(Clone)]
pub struct SqliteTables {
    pool: SqlitePool,
}

impl SqliteTables {
    /// The tables in the file `path`. It need not be there yet: until then questions fail.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options(path).read_only(true));
        Self { pool }
    }
}

#[async_trait]
impl Tables for SqliteTables {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, QueryError> {
        let mut tx = self.pool.begin().await.map_err(unavailable)?;
        let names = schema::active(&mut tx).await.map_err(from_store)?;
        Ok(Box::new(Reading { tx, names }))
    }
}

/// A read transaction; it ends when it is dropped.
struct Reading {
    tx: Transaction<'static, Sqlite>,
    names: Names,
}

#[async_trait]
impl Snapshot for Reading {
    async fn select(&mut self, select: &Select) -> Result<Vec<Row>, QueryError> {
        let statement = statement::rows(select, &self.names, Marks::Plain);
        let query = query(statement.map_err(from_store)?)?;
        let rows = query.fetch_all(&mut *self.tx).await.map_err(unavailable)?;
        let read = |row| read(select.table, row).map_err(from_store);
        rows.iter().map(read).collect()
    }

    async fn count(&mut self, select: &Select) -> Result<u64, QueryError> {
        let statement = statement::count(select, &self.names, Marks::Plain);
        let query = query(statement.map_err(from_store)?)?;
        let row = query.fetch_one(&mut *self.tx).await.map_err(unavailable)?;
        let count: i64 = row.try_get(0).map_err(unavailable)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn versions(&self) -> &BTreeMap<String, u32> {
        self.names.versions()
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, QueryError> {
        let checkpoint = schema::checkpoint(&mut self.tx, super::LIVE).await;
        let none = || QueryError::Unavailable("they are not there yet".to_owned());
        checkpoint.map_err(from_store)?.ok_or_else(none)
    }
}

/// The statement with its values.
fn query(statement: Statement) -> Result<Query<'static, Sqlite, SqliteArguments>, QueryError> {
    let mut arguments = SqliteArguments::default();
    for value in statement.values {
        bind(&mut arguments, value).map_err(from_store)?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(statement.sql), arguments))
}

fn unavailable(error: sqlx::Error) -> QueryError {
    from_store(unreadable_or_away(error))
}

fn unreadable_or_away(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. } => unreadable(error.to_string()),
        other => super::failed("answering a query")(other),
    }
}

fn from_store(error: StoreError) -> QueryError {
    QueryError::Unavailable(error.to_string())
}
