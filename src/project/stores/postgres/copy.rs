//! Rows by `COPY` in its binary form: the quickest way in, for rows whose keys are not there.

use super::errors::{failed, is_there};
use crate::project::store::StoreError;
use crate::project::stores::names::columns;
use hooklog_projections::table::{Row, Table, Value};
use sqlx::postgres::PgConnection;

/// Rows that are sent at a time.
const ROWS: usize = 1_024;

/// Fewer rows are not worth its three messages.
const ROWS_MIN: usize = if cfg!(test) { 2 } else { 64 };

/// Why rows were not copied.
pub(super) enum Refusal {
    /// One of them is there.
    IsThere,
    /// Anything else.
    Failed(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for StoreError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::IsThere => Self::Unreadable("two rows with one key".to_owned()),
            Refusal::Failed(error) => error,
        }
    }
}

/// Inserts `rows`.
pub(super) async fn rows(
    connection: &mut PgConnection,
    name: &str,
    table: &Table,
    rows: &[Row],
) -> Result<(), Refusal> {
    if rows.len() < ROWS_MIN {
        return Ok(super::values::put(connection, name, table, rows).await?);
    }
    copied(connection, name, table, rows)
        .await
        .map_err(|error| match is_there(&error) {
            true => Refusal::IsThere,
            false => Refusal::Failed(failed("writing rows")(error)),
        })
}

async fn copied(
    connection: &mut PgConnection,
    name: &str,
    table: &Table,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    let columns = columns(table);
    let statement = format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    let mut bytes = HEADER.to_vec();
    for some in rows.chunks(ROWS) {
        some.iter().for_each(|row| encode(row, &mut bytes));
        copy.send(bytes.as_slice()).await?;
        bytes.clear();
    }
    copy.send(TRAILER.as_slice()).await?;
    copy.finish().await?;
    Ok(())
}

/// The signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A count of columns that none has.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// A value of no length is nothing.
const NOTHING: [u8; 4] = (-1_i32).to_be_bytes();

fn encode(row: &[Value], bytes: &mut Vec<u8>) {
    // Tables have tens of columns, and texts are far from two gigabytes.
    bytes.extend((row.len() as i16).to_be_bytes());
    for value in row {
        match value {
            Value::Null => bytes.extend(NOTHING),
            Value::Int(number) => sized(&number.to_be_bytes(), bytes),
            Value::Text(text) => sized(text.as_bytes(), bytes),
            Value::Id(id) => sized(id, bytes),
        }
    }
}

fn sized(value: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend((value.len() as i32).to_be_bytes());
    bytes.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_count_and_values_with_their_lengths() {
        let mut bytes = Vec::new();
        let row = [
            Value::Int(1),
            Value::Null,
            Value::text("ä"),
            Value::Id([7; 16]),
        ];
        encode(&row, &mut bytes);
        let mut expected = vec![0, 4, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255];
        expected.extend([0, 0, 0, 2, 0xc3, 0xa4, 0, 0, 0, 16]);
        expected.extend([7; 16]);
        assert_eq!(bytes, expected);
    }
}
