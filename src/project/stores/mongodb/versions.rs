//! Rows as documents, and which of them count.
//!
//! A row is never changed: a new version comes beside it, and what it replaces is marked. Beside the
//! columns a document has the text by which its key is found and ordered, the number of the write
//! that brought it, and, once it is replaced or removed, that of the write that did.

use super::numbers::Numbers;
use super::unreadable;
use crate::project::store::StoreError;
use hooklog_projections::table::{Kind, Row, Table, Value};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use std::fmt::Write as _;

/// The key, as one text that is ordered as keys are.
pub(super) const KEY: &str = "_key";
/// The write that brought a version.
pub(super) const FROM: &str = "_from";
/// The write that replaced or removed it; not there as long as it is the newest one.
pub(super) const UNTIL: &str = "_until";

/// How many rows of a table one write may have: the rest of a document's id says which write.
const ROWS_BITS: u32 = 24;

/// A state of the rows: what was written up to one write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moment {
    /// The last write that counts.
    pub(super) write: i64,
    /// Those that do not count although their numbers are lower: they did not come to their end, or
    /// their writer was superseded, whatever it writes still.
    pub(super) unsettled: Numbers,
}

impl Moment {
    /// What holds for the versions that count. No index but that of ids and of `UNTIL` has what it
    /// compares, so every document that another index finds is read, for counts too.
    pub(super) fn filter(&self) -> Vec<Document> {
        let mut newer = vec![doc! {UNTIL: Bson::Null}, doc! {UNTIL: {"$gt": self.write}}];
        let mut clauses = vec![doc! {FROM: {"$lte": self.write}}];
        if !self.unsettled.is_empty() {
            clauses.push(doc! {"$nor": self.unsettled.clauses(FROM)});
            newer.extend(self.unsettled.clauses(UNTIL));
        }
        clauses.push(doc! {"$or": newer});
        clauses
    }
}

/// All of these.
pub(super) fn all(clauses: Vec<Document>) -> Document {
    doc! {"$and": clauses}
}

/// The document of the row that is the `place`th of the write `number`.
pub(super) fn document(
    table: &Table,
    row: &[Value],
    number: i64,
    place: usize,
) -> Result<Document, StoreError> {
    let place = i64::try_from(place).ok().filter(|p| *p < 1 << ROWS_BITS);
    let place = place.ok_or_else(|| unreadable("too many rows of one write"))?;
    let mut document = doc! {
        "_id": first_id(number) | place,
        KEY: key(&row[..table.key]),
        FROM: number,
    };
    for (column, value) in table.columns.iter().zip(row) {
        document.insert(column.name, bson(value));
    }
    Ok(document)
}

/// The id of the first row of the write `number`: no row of an earlier one has it or a higher one.
pub(super) const fn first_id(number: i64) -> i64 {
    number << ROWS_BITS
}

/// The number of the write that brought the row with this id.
pub(super) const fn write_of(id: i64) -> i64 {
    id >> ROWS_BITS
}

/// A value as the store holds it.
pub(super) fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Int(number) => Bson::Int64(*number),
        Value::Text(text) => Bson::String(text.to_string()),
        Value::Id(id) => Bson::Binary(Binary {
            subtype: BinarySubtype::Uuid,
            bytes: id.to_vec(),
        }),
    }
}

/// The row that a document of `table` holds.
pub(super) fn read(table: &Table, document: &Document) -> Result<Row, StoreError> {
    let value = |kind, held: Option<&Bson>| match (kind, held) {
        // Nothing, or a column that the tables of an earlier version do not have.
        (_, Some(Bson::Null) | None) => Some(Value::Null),
        (Kind::Integer, Some(Bson::Int64(number))) => Some(Value::Int(*number)),
        (Kind::Text | Kind::Word, Some(Bson::String(text))) => {
            Some(Value::Text(text.as_str().into()))
        }
        (Kind::Id, Some(Bson::Binary(id))) => id.bytes.as_slice().try_into().ok().map(Value::Id),
        _ => None,
    };
    let columns = table.columns.iter();
    columns
        .map(|column| {
            let value = value(column.kind, document.get(column.name));
            value.ok_or_else(|| {
                let (table, column) = (table.name, column.name);
                unreadable(format!("a row of {table} with a broken {column}"))
            })
        })
        .collect()
}

/// A key as one text: texts are compared byte by byte, and so are these as the keys are.
pub(super) fn key(values: &[Value]) -> String {
    let mut text = String::with_capacity(values.len() * 16);
    for (place, value) in values.iter().enumerate() {
        match value {
            Value::Null => {}
            Value::Int(number) => {
                let ordered = number.cast_unsigned() ^ (1 << 63);
                // Writing to a string cannot fail.
                let _ = write!(text, "{ordered:016x}");
            }
            Value::Id(id) => text.push_str(&hex::encode(id)),
            Value::Text(last) if place + 1 == values.len() => text.push_str(last),
            // Its end comes before any other character, so that the shorter one comes first.
            Value::Text(other) => {
                text.push_str(&other.replace('\u{1}', "\u{1}\u{2}"));
                text.push_str("\u{1}\u{1}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_keys_are_ordered_as_the_keys_are() {
        let texts = ["", "\u{1}", "a", "a\u{1}", "a\u{1}b", "ab", "b", "ä", "𝄞"];
        let numbers = [i64::MIN, -1, 0, 1, i64::MAX];
        let mut keys = Vec::new();
        for number in numbers {
            for text in texts {
                for last in texts {
                    let (text, last) = (Value::text(text), Value::text(last));
                    keys.push(vec![Value::Int(number), text, Value::Id([7; 16]), last]);
                }
            }
        }
        keys.sort();
        let mut sorted = keys.clone();
        sorted.sort_by_key(|values| key(values));
        assert_eq!(sorted, keys);
        let mut all: Vec<_> = keys.iter().map(|values| key(values)).collect();
        all.dedup();
        assert_eq!(all.len(), keys.len());
    }

    #[test]
    fn a_row_reads_as_it_was_written() {
        let table = &hooklog_projections::attempts::TABLE;
        let row: Row = table
            .columns
            .iter()
            .map(|column| match column.kind {
                _ if column.optional => Value::Null,
                Kind::Integer => Value::Int(i64::MIN),
                Kind::Text | Kind::Word => Value::text("ä"),
                Kind::Id => Value::Id([9; 16]),
            })
            .collect();
        let mut document = document(table, &row, 7, 3).unwrap();
        assert_eq!(read(table, &document).unwrap(), row);
        document.insert("target", 1);
        let told = read(table, &document).unwrap_err().to_string();
        assert!(told.contains("attempts with a broken target"), "{told}");
    }
}
