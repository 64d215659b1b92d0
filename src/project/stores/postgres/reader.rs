//! Reads for queries: a pool of connections, to a read replica perhaps, and one snapshot an answer.

use super::connect::Connector;
use super::errors::{failed, is_gone, is_password};
use super::values::{bind, read};
use super::{LIVE, schema};
use crate::config::PostgresConfig;
use crate::project::store::StoreError;
use crate::project::stores::names::Names;
use crate::project::stores::patience::within;
use crate::project::stores::statement::{self, Marks, Statement};
use crate::query::{QueryError, Select, Snapshot, Tables};
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::Row;
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Postgres, Row as _, Transaction};
use std::collections::BTreeMap;
use std::time::Duration;

/// One state of all tables, and no lock but against dropping them.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Tables may be replaced and dropped between the moment when a snapshot learns their names and the
/// moment when it locks them: then it looks again.
const TRIES: usize = 5;

/// The tables of a schema, for reading.
#[derive(Clone)]
pub struct PostgresTables {
    pool: PgPool,
    connector: Connector,
}

impl PostgresTables {
    /// The tables that `config` names. They need not be there yet: until then questions fail.
    ///
    /// # Errors
    /// When an address or the password's file cannot be read.
    pub fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        let connector = Connector::reading(config)?;
        let pool = PgPoolOptions::new()
            .max_connections(config.read_connections_max)
            .acquire_timeout(connector.connect)
            .idle_timeout(Duration::from_secs(600))
            .connect_lazy_with(connector.options()?);
        Ok(Self { pool, connector })
    }

    /// Begins a transaction; with the password as it is now, if it was changed.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, QueryError> {
        if self.pool.size() == 0 {
            self.probe().await?;
        }
        let begun = self.pool.begin_with(BEGIN).await;
        let begun = match begun {
            Err(error) if is_password(&error) => {
                let options = self.connector.options().map_err(from_store)?;
                self.pool.set_connect_options(options);
                self.pool.begin_with(BEGIN).await
            }
            begun => begun,
        };
        begun.map_err(|error| from_store(self.connector.server.refused(error)))
    }

    /// Whether the server can be reached: the pool would try again and again until its time is up,
    /// and then not say why.
    async fn probe(&self) -> Result<(), QueryError> {
        let options = self.connector.options().map_err(from_store)?;
        let probed = within(self.connector.connect, "connecting", async {
            let connected = options.connect().await;
            connected.map_err(|error| self.connector.server.refused(error))
        });
        // Nobody waits for its end.
        drop(probed.await.map_err(from_store)?);
        Ok(())
    }

    /// Begins to read; none if the tables were dropped meanwhile.
    async fn try_snapshot(&self) -> Result<Option<Reading>, QueryError> {
        let mut tx = self.begin().await?;
        let names = match schema::active(&mut tx).await {
            Ok(names) => names,
            Err(error) if is_gone(&error) => return Err(not_there()),
            Err(error) => return Err(unavailable(error)),
        };
        let all: Vec<_> = names.all().collect();
        if all.is_empty() {
            return Err(not_there());
        }
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", all.join(","));
        match sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *tx).await {
            Ok(_) => {}
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        }
        let limit = self.connector.limit;
        Ok(Some(Reading { tx, names, limit }))
    }
}

#[async_trait]
impl Tables for PostgresTables {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, QueryError> {
        let limit = self.connector.connect + self.connector.limit;
        for _ in 0..TRIES {
            let tried = async { Ok(self.try_snapshot().await) };
            let tried = within(limit, "beginning to answer", tried).await;
            if let Some(reading) = tried.map_err(from_store)?? {
                return Ok(Box::new(reading));
            }
        }
        let reason = "they are being replaced again and again".to_owned();
        Err(QueryError::Unavailable(reason))
    }
}

/// A read transaction; it ends when it is dropped.
struct Reading {
    tx: Transaction<'static, Postgres>,
    names: Names,
    limit: Duration,
}

#[async_trait]
impl Snapshot for Reading {
    async fn select(&mut self, select: &Select) -> Result<Vec<Row>, QueryError> {
        let statement = statement::rows(select, &self.names, Marks::Numbered);
        let query = query(statement.map_err(from_store)?)?;
        let rows = within(self.limit, DOING, async {
            let rows = query.fetch_all(&mut *self.tx).await;
            rows.map_err(failed(DOING))
        });
        let rows = rows.await.map_err(from_store)?;
        let read = |row| read(select.table, row).map_err(from_store);
        rows.iter().map(read).collect()
    }

    async fn count(&mut self, select: &Select) -> Result<u64, QueryError> {
        let statement = statement::count(select, &self.names, Marks::Numbered);
        let query = query(statement.map_err(from_store)?)?;
        let count = within(self.limit, DOING, async {
            let row = query
                .fetch_one(&mut *self.tx)
                .await
                .map_err(failed(DOING))?;
            row.try_get::<i64, _>(0).map_err(failed(DOING))
        });
        let count = count.await.map_err(from_store)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn versions(&self) -> &BTreeMap<String, u32> {
        self.names.versions()
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, QueryError> {
        let checkpoint = schema::checkpoint(&mut self.tx, LIVE);
        let checkpoint = within(self.limit, DOING, checkpoint).await;
        checkpoint.map_err(from_store)?.ok_or_else(not_there)
    }
}

const DOING: &str = "answering a query";

/// The statement with its values. It is prepared for this once, since lists of values have any
/// length.
fn query(statement: Statement) -> Result<Query<'static, Postgres, PgArguments>, QueryError> {
    let mut arguments = PgArguments::default();
    for value in &statement.values {
        bind(&mut arguments, value).map_err(from_store)?;
    }
    let query = sqlx::query_with(AssertSqlSafe(statement.sql), arguments);
    Ok(query.persistent(false))
}

fn not_there() -> QueryError {
    QueryError::Unavailable("they are not there yet".to_owned())
}

fn unavailable(error: sqlx::Error) -> QueryError {
    from_store(failed(DOING)(error))
}

fn from_store(error: StoreError) -> QueryError {
    QueryError::Unavailable(error.to_string())
}
