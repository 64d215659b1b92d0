//! Reads for queries: a few read-only connections, and one transaction an answer.

use super::schema::{self, Names};
use super::values::{bind, columns, read};
use super::{options, unreadable};
use crate::project::store::StoreError;
use crate::query::{Condition, QueryError, Select, Snapshot, Tables};
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::{Kind, Row, Value};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};
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
        let what = columns(select.table);
        let (mut sql, arguments) = self.statement(&what, select)?;
        let direction = if select.descending { " DESC" } else { "" };
        for (place, column) in select.order.iter().enumerate() {
            sql.push_str(if place == 0 { " ORDER BY " } else { ", " });
            sql.push_str(column);
            sql.push_str(direction);
        }
        if let Some(limit) = select.limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let rows = query.fetch_all(&mut *self.tx).await.map_err(unavailable)?;
        let read = |row| read(select.table, row).map_err(from_store);
        rows.iter().map(read).collect()
    }

    async fn count(&mut self, select: &Select) -> Result<u64, QueryError> {
        let (sql, arguments) = self.statement("count(*)", select)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let row = query.fetch_one(&mut *self.tx).await.map_err(unavailable)?;
        let count: i64 = row.try_get(0).map_err(unavailable)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, QueryError> {
        let checkpoint = schema::checkpoint(&mut self.tx, super::LIVE).await;
        let none = || QueryError::Unavailable("they are not there yet".to_owned());
        checkpoint.map_err(from_store)?.ok_or_else(none)
    }
}

impl Reading {
    fn statement(
        &self,
        what: &str,
        select: &Select,
    ) -> Result<(String, SqliteArguments), QueryError> {
        let name = self.names.get(select.table).map_err(from_store)?;
        let mut sql = format!("SELECT {what} FROM {name}");
        let mut arguments = SqliteArguments::default();
        for (place, condition) in select.conditions.iter().enumerate() {
            sql.push_str(if place == 0 { " WHERE " } else { " AND " });
            let (text, values) = self.clause(select, condition)?;
            sql.push_str(&text);
            for value in values {
                bind(&mut arguments, value).map_err(from_store)?;
            }
        }
        Ok((sql, arguments))
    }

    /// A condition in SQL, with its values.
    fn clause(
        &self,
        select: &Select,
        condition: &Condition,
    ) -> Result<(String, Vec<Value>), QueryError> {
        let marks = |values: &[Value]| vec!["?"; values.len()].join(",");
        Ok(match condition {
            // A word stands in the statement, so that SQLite sees that a partial index covers it.
            Condition::Is(column, Value::Text(word)) if is_word(select, column, word) => {
                (format!("{column} = '{word}'"), Vec::new())
            }
            Condition::Is(column, value) => (format!("{column} = ?"), vec![value.clone()]),
            Condition::OneOf(column, values) => {
                (format!("{column} IN ({})", marks(values)), values.clone())
            }
            Condition::AtLeast(column, value) => (format!("{column} >= ?"), vec![value.clone()]),
            Condition::Below(column, value) => (format!("{column} < ?"), vec![value.clone()]),
            Condition::Before(columns, values) => {
                let text = format!("({}) < ({})", columns.join(","), marks(values));
                (text, values.clone())
            }
            Condition::Nothing(column) => (format!("{column} IS NULL"), Vec::new()),
            Condition::Something(column) => (format!("{column} IS NOT NULL"), Vec::new()),
            Condition::Joined {
                column,
                table,
                with: (other, value),
            } => {
                let own = self.names.get(select.table).map_err(from_store)?;
                let theirs = self.names.get(table).map_err(from_store)?;
                // Correlated, so that a page of the newest rows ends as soon as it is full.
                let text = format!(
                    "EXISTS (SELECT 1 FROM {theirs} AS other \
                     WHERE other.{column} = {own}.{column} AND other.{other} = ?)"
                );
                (text, vec![value.clone()])
            }
        })
    }
}

fn is_word(select: &Select, column: &str, word: &str) -> bool {
    let columns = select.table.columns.iter();
    let mut words = columns.filter(|c| c.kind == Kind::Word);
    words.any(|c| c.name == column) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
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
