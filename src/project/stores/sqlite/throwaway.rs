//! Tables in a file that is thrown away: somebody asks them in SQL, and reads the rows.

use super::{CACHE_LIVE, JOURNAL_LIVE};
use super::{connect, failed, options, schema};
use crate::project::store::StoreError;
use crate::project::stores::published;
use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Row as _, TypeInfo as _, ValueRef as _};
use std::path::Path;
use uuid::Uuid;

/// Makes the tables in the file `path` fit for people: see the statements.
///
/// # Errors
/// When the file cannot be written.
pub async fn publish(path: &Path) -> Result<(), StoreError> {
    let mut connection = connect(path, CACHE_LIVE, JOURNAL_LIVE).await?;
    let names = schema::active(&mut connection).await?;
    for statement in published::statements(&names)? {
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection);
        done.await.map_err(failed("preparing tables"))?;
    }
    Ok(())
}

/// Rows of an answer, one after the other.
pub struct Rows(SqliteConnection);

impl Rows {
    /// The tables in the file `path`, for reading alone.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn of(path: &Path) -> Result<Self, StoreError> {
        let options = options(path).read_only(true).pragma("query_only", "1");
        let connection = options.connect().await;
        connection.map(Self).map_err(failed("opening its file"))
    }

    /// Hands the columns' names and the values of every row that `sql` asks for to `each`.
    ///
    /// # Errors
    /// What the database says of the statement.
    pub async fn ask<E: From<StoreError>>(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&[&str], Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = failed("answering the statement");
        let mut rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch(&mut self.0);
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let names: Vec<_> = row.columns().iter().map(|column| column.name()).collect();
            let values = (0..names.len()).map(|place| value(&row, place));
            let values = values.collect::<Result<Vec<_>, _>>().map_err(&failed)?;
            each(&names, values)?;
        }
        Ok(())
    }
}

/// A value as people read it: sixteen bytes are an id.
fn value(row: &SqliteRow, place: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(place)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => row.try_get_unchecked::<i64, _>(place)?.into(),
        "REAL" => row.try_get_unchecked::<f64, _>(place)?.into(),
        "BLOB" => {
            let bytes: Vec<u8> = row.try_get_unchecked(place)?;
            match Uuid::from_slice(&bytes) {
                Ok(id) => id.to_string().into(),
                Err(_) => hex::encode(bytes).into(),
            }
        }
        _ => row.try_get_unchecked::<String, _>(place)?.into(),
    })
}
