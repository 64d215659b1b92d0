//! Values as PostgreSQL holds them, and statements over many rows: each column goes as one array.

use super::errors::failed;
use super::unreadable;
use crate::project::store::StoreError;
use crate::project::stores::keys::last_of_each_key;
use crate::project::stores::names::{columns, key_columns, set_others};
use hooklog_projections::folding::{TableChanges, Wanted};
use hooklog_projections::table::{Column, Kind, Row, Table, Value};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Row as _};

/// Rows of one statement: it costs next to nothing beside them, and they stay in bounds.
const ROWS: usize = 4_096;

/// The rows with the wanted keys.
pub(super) async fn load(
    connection: &mut PgConnection,
    name: &str,
    wanted: &Wanted,
) -> Result<Vec<Row>, StoreError> {
    let table = wanted.table;
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|c| format!("t.{}", c.name))
        .collect();
    let sql = format!(
        "SELECT {} FROM {name} AS t JOIN {} ON {}",
        columns.join(","),
        keys(table),
        same_key(table)
    );
    let mut found = Vec::new();
    for some in wanted.keys.chunks(ROWS) {
        let arguments = arrays(
            &table.columns[..table.key],
            &some.iter().collect::<Vec<_>>(),
        )?;
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments);
        let rows = query.fetch_all(&mut *connection).await;
        for row in rows.map_err(failed("loading rows"))? {
            found.push(read(table, &row)?);
        }
    }
    Ok(found)
}

/// Rows in the order of the key.
pub(super) async fn scan(
    connection: &mut PgConnection,
    name: &str,
    table: &Table,
    after: Option<&[Value]>,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    let key = key_columns(table);
    let mut arguments = PgArguments::default();
    let mut sql = format!("SELECT {} FROM {name}", columns(table));
    if let Some(after) = after {
        let marks: Vec<_> = (1..=table.key).map(|n| format!("${n}")).collect();
        sql.push_str(&format!(" WHERE ({key}) > ({})", marks.join(",")));
        for value in after {
            bind(&mut arguments, value)?;
        }
    }
    sql.push_str(&format!(" ORDER BY {key} LIMIT {limit}"));
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let rows = query.fetch_all(connection).await;
    let rows = rows.map_err(failed("reading rows"))?;
    rows.iter().map(|row| read(table, row)).collect()
}

/// Inserts rows, or replaces those whose keys are there.
pub(super) async fn put(
    connection: &mut PgConnection,
    name: &str,
    table: &Table,
    rows: &[Row],
) -> Result<(), StoreError> {
    let (columns, key, set) = (columns(table), key_columns(table), set_others(table));
    let unnest = unnest(table.columns);
    let sql = format!(
        "INSERT INTO {name} ({columns}) SELECT * FROM {unnest} \
         ON CONFLICT ({key}) DO UPDATE SET {set}"
    );
    for some in last_of_each_key(table, rows).chunks(ROWS) {
        let arguments = arrays(table.columns, some)?;
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments);
        let written = query.execute(&mut *connection).await;
        written.map_err(failed("writing rows"))?;
    }
    Ok(())
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    name: &str,
    changes: &TableChanges,
) -> Result<(), StoreError> {
    let table = changes.table;
    let (keys, same) = (keys(table), same_key(table));
    let sql = format!("DELETE FROM {name} AS t USING {keys} WHERE {same}");
    for some in changes.delete.chunks(ROWS) {
        let some: Vec<_> = some.iter().collect();
        let arguments = arrays(&table.columns[..table.key], &some)?;
        let query = sqlx::query_with(AssertSqlSafe(sql.clone()), arguments);
        let deleted = query.execute(&mut *connection).await;
        deleted.map_err(failed("deleting rows"))?;
    }
    Ok(())
}

/// The arrays of these columns as a table.
fn unnest(columns: &[Column]) -> String {
    let kind = |column: &Column| match column.kind {
        Kind::Integer => "int8",
        Kind::Text | Kind::Word => "text",
        Kind::Id => "bytea",
    };
    let columns = columns.iter().enumerate();
    let arrays: Vec<_> = columns
        .map(|(place, column)| format!("${}::{}[]", place + 1, kind(column)))
        .collect();
    format!("UNNEST({})", arrays.join(","))
}

/// The keys that are looked for, as the table `w`.
fn keys(table: &Table) -> String {
    let unnest = unnest(&table.columns[..table.key]);
    format!("{unnest} AS w({})", key_columns(table))
}

fn same_key(table: &Table) -> String {
    let same: Vec<_> = table.columns[..table.key]
        .iter()
        .map(|column| format!("t.{0} = w.{0}", column.name))
        .collect();
    same.join(" AND ")
}

/// The values of `rows`, an array a column.
fn arrays(columns: &[Column], rows: &[&Row]) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for (place, column) in columns.iter().enumerate() {
        let values = rows
            .iter()
            .map(|row| row.get(place).unwrap_or(&Value::Null));
        let added = match column.kind {
            Kind::Integer => arguments.add(values.map(Value::as_int).collect::<Vec<_>>()),
            Kind::Text | Kind::Word => {
                let text = |value: &'_ Value| value.as_text().map(ToString::to_string);
                arguments.add(values.map(text).collect::<Vec<_>>())
            }
            Kind::Id => {
                let id = |value: &Value| value.as_id().map(Vec::from);
                arguments.add(values.map(id).collect::<Vec<_>>())
            }
        };
        added.map_err(|error| unreadable(format!("a value that cannot be bound ({error})")))?;
    }
    Ok(arguments)
}

pub(super) fn bind(arguments: &mut PgArguments, value: &Value) -> Result<(), StoreError> {
    let added = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Int(number) => arguments.add(*number),
        Value::Text(text) => arguments.add(text.as_ref()),
        Value::Id(id) => arguments.add(id.as_slice()),
    };
    added.map_err(|error| unreadable(format!("a value that cannot be bound ({error})")))
}

/// A row of `table`, whose columns were selected in their order.
pub(super) fn read(table: &Table, row: &PgRow) -> Result<Row, StoreError> {
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
