//! Canonical dumps: the same rows give the same text, whatever the store.

use super::store::{ProjectionStore, StoreError};
use hooklog_projections::projection::PROJECTIONS;
use hooklog_projections::table::{Row, Table, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Rows read at a time.
const ROWS: usize = 1_000;

/// Hands the dump of all tables of the set to `each`, in pieces: a line a row, in the order of the
/// keys.
///
/// Values are separated by tabs: nothing is `~`, ids are in hex, of texts `\`, tab and line feed
/// are escaped, and a text begins with `'`, so that it never reads as something else.
///
/// # Errors
/// When the store cannot be read.
pub async fn dump(
    store: &mut dyn ProjectionStore,
    mut each: impl FnMut(&str),
) -> Result<(), StoreError> {
    let stored = store.stored().await?;
    let versions = stored.map(|stored| stored.versions).unwrap_or_default();
    for projection in PROJECTIONS {
        let Some(&version) = versions.get(projection.name) else {
            continue;
        };
        for table in projection.tables_in(version).unwrap_or_default() {
            each(&heading(table, version));
            let mut after: Option<Row> = None;
            loop {
                let rows = store.scan(table, after.as_deref(), ROWS).await?;
                rows.iter().for_each(|row| each(&line(row)));
                match rows.last() {
                    Some(last) if rows.len() == ROWS => after = Some(last[..table.key].to_vec()),
                    _ => break,
                }
            }
        }
    }
    Ok(())
}

/// SHA-256 of the dump, in hex.
///
/// # Errors
/// When the store cannot be read.
pub async fn hash(store: &mut dyn ProjectionStore) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    dump(store, |piece| hash.update(piece.as_bytes())).await?;
    Ok(hex::encode(hash.finalize()))
}

pub(super) fn heading(table: &Table, version: u32) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    format!("# {} v{version}\t{}\n", table.name, names.join("\t"))
}

pub(super) fn line(row: &[Value]) -> String {
    let mut text = String::with_capacity(row.len() * 16);
    for (place, value) in row.iter().enumerate() {
        if place > 0 {
            text.push('\t');
        }
        // Writing to a string cannot fail.
        let _ = match value {
            Value::Null => text.write_char('~'),
            Value::Int(number) => write!(text, "{number}"),
            Value::Text(value) => write!(text, "'{}", escape(value)),
            Value::Id(id) => text.write_str(&hex::encode(id)),
        };
    }
    text.push('\n');
    text
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_never_reads_as_something_else() {
        let row = [
            Value::Null,
            Value::text("~"),
            Value::Int(-1),
            Value::text("a\tb\\\n"),
            Value::Id([1; 16]),
        ];
        let id = "01".repeat(16);
        assert_eq!(line(&row), format!("~\t'~\t-1\t'a\\tb\\\\\\n\t{id}\n"));
    }
}
