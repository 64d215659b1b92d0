//! Values as SQLite holds them, and statements over many rows.

use super::{failed, unreadable};
use crate::project::store::StoreError;
use crate::project::stores::names::{columns, key_columns};
use hooklog_projections::folding::Wanted;
use hooklog_projections::table::{Kind, Row, Table, Value};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Row as _};
use std::collections::HashMap;
use std::sync::Arc;

/// The texts of statements, by table and number of rows.
#[derive(Default)]
pub(super) struct Statements(HashMap<(&'static str, usize), Arc<str>>);

impl Statements {
    pub(super) fn get(
        &mut self,
        table: &'static Table,
        rows: usize,
        make: impl FnOnce() -> String,
    ) -> Arc<str> {
        let text = self.0.entry((table.name, rows));
        Arc::clone(text.or_insert_with(|| make().into()))
    }
}

/// How many keys one statement looks for.
const KEYS: usize = 512;

/// The rows with the wanted keys.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    name: &str,
    wanted: &Wanted,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    let key = key_columns(wanted.table);
    let one = format!("({})", vec!["?"; wanted.table.key].join(","));
    for some in wanted.keys.chunks(KEYS) {
        let keys = vec![one.as_str(); some.len()].join(",");
        let columns = columns(wanted.table);
        let sql = format!("SELECT {columns} FROM {name} WHERE ({key}) IN (VALUES {keys})");
        let mut arguments = SqliteArguments::default();
        for value in some.iter().flatten() {
            bind(&mut arguments, value.clone())?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let rows = query
            .persistent(some.len() == KEYS)
            .fetch_all(&mut *connection)
            .await;
        for row in rows.map_err(failed("loading rows"))? {
            found.push(read(wanted.table, &row)?);
        }
    }
    Ok(found)
}

/// Rows in the order of the key.
pub(super) async fn scan(
    connection: &mut SqliteConnection,
    name: &str,
    table: &Table,
    after: Option<&[Value]>,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let key = key_columns(table);
    let mut arguments = SqliteArguments::default();
    let mut sql = format!("SELECT {} FROM {name}", columns(table));
    if let Some(after) = after {
        let marks = vec!["?"; table.key].join(",");
        sql.push_str(&format!(" WHERE ({key}) > ({marks})"));
        for value in after {
            bind(&mut arguments, value.clone())?;
        }
    }
    sql.push_str(&format!(" ORDER BY {key} LIMIT {limit}"));
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(failed("reading rows"))?;
    rows.iter().map(|row| read(table, row)).collect()
}

pub(super) fn bind(arguments: &mut SqliteArguments, value: Value) -> Result<(), StoreError> {
    let added = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Int(number) => arguments.add(number),
        Value::Text(text) => arguments.add(text),
        Value::Id(id) => arguments.add(id.to_vec()),
    };
    added.map_err(|error| unreadable(format!("a value that cannot be bound ({error})")))
}

/// A row of `table`, whose columns were selected in their order.
pub(super) fn read(table: &Table, row: &SqliteRow) -> Result<Row, StoreError> {
    let failed = failed("reading a row");
    let mut values = Row::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        let value = match column.kind {
            Kind::Integer => row
                .try_get::<Option<i64>, _>(place)
                .map_err(&failed)?
                .map(Value::Int),
            Kind::Text | Kind::Word => row
                .try_get::<Option<&str>, _>(place)
                .map_err(&failed)?
                .map(|text| Value::Text(text.into())),
            Kind::Id => match row.try_get::<Option<&[u8]>, _>(place).map_err(&failed)? {
                Some(bytes) => {
                    let id = bytes.try_into().map_err(|_| unreadable("a broken id"))?;
                    Some(Value::Id(id))
                }
                None => None,
            },
        };
        values.push(value.unwrap_or(Value::Null));
    }
    Ok(values)
}
