//! Writes rows: new versions beside those that they replace.
//!
//! None of it counts before the state says so. Whatever stops in the middle leaves versions of a
//! number that stays unsettled; who folds the same records again brings the same rows under another
//! number, and removes what was left.

use super::errors::{failed, is_duplicate};
use super::numbers::Numbers;
use super::versions::{FROM, KEY, UNTIL, document, key};
use crate::project::store::StoreError;
use crate::project::stores::keys::last_of_each_key;
use crate::project::stores::names::Names;
use futures_util::future::try_join_all;
use hooklog_projections::folding::{Changes, TableChanges};
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Collection, Database};
use std::collections::BTreeMap;

/// Rows of one command: it costs little beside them, and stays far below what a server takes.
pub(super) const ROWS: usize = 2_048;

/// Ranges of numbers in one command.
const RANGES: usize = 256;

/// Writes `changes` under `number`; other `unsettled` writes never counted, and never will.
pub(super) async fn rows(
    database: &Database,
    names: &Names,
    changes: &Changes,
    number: i64,
    unsettled: &Numbers,
) -> Result<(), StoreError> {
    let left = unsettled.without(number);
    let tables = by_table(changes).into_values().map(|parts| {
        let left = &left;
        async move {
            for (first, changes) in parts {
                let collection = database.collection(names.get(changes.table)?);
                table(&collection, changes, (number, first), left).await?;
            }
            Ok::<_, StoreError>(())
        }
    });
    try_join_all(tables).await?;
    Ok(())
}

/// The changes of each table, which may have several, each with the place of its first row in the
/// write: no two rows have the same.
fn by_table(changes: &Changes) -> BTreeMap<&str, Vec<(usize, &TableChanges)>> {
    let mut tables: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut first = 0;
    for changes in &changes.tables {
        let parts = tables.entry(changes.table.name).or_default();
        parts.push((first, changes));
        first += changes.put.len();
    }
    tables
}

async fn table(
    collection: &Collection<Document>,
    changes: &TableChanges,
    (number, first): (i64, usize),
    left: &Numbers,
) -> Result<(), StoreError> {
    let table = changes.table;
    for keys in changes.delete.chunks(ROWS) {
        let keys = keys.iter().map(|values| key(values)).collect();
        replace(collection, keys, number, left).await?;
    }
    let rows = last_of_each_key(table, &changes.put);
    for (chunk, some) in rows.chunks(ROWS).enumerate() {
        let keys = some.iter().map(|row| key(&row[..table.key])).collect();
        replace(collection, keys, number, left).await?;
        let places = first + chunk * ROWS..;
        let documents = some.iter().zip(places);
        let documents = documents.map(|(row, place)| document(table, row, number, place));
        let documents: Vec<_> = documents.collect::<Result<_, _>>()?;
        match collection.insert_many(documents).ordered(false).await {
            Ok(_) => {}
            // The driver asked twice, since it heard no answer to the first time.
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(failed("writing rows")(error)),
        }
    }
    Ok(())
}

/// Marks what has these keys as replaced by `number`, and removes what writes left there that never
/// counted. A mark of such a write is none.
async fn replace(
    collection: &Collection<Document>,
    keys: Vec<String>,
    number: i64,
    left: &Numbers,
) -> Result<(), StoreError> {
    let mut newest = vec![doc! {UNTIL: Bson::Null}];
    if !left.is_empty() {
        let never = doc! {KEY: {"$in": &keys}, "$or": left.clauses(FROM)};
        let removed = collection.delete_many(never).await;
        removed.map_err(failed("removing rows that never counted"))?;
        newest.extend(left.clauses(UNTIL));
    }
    let replaced = doc! {KEY: {"$in": keys}, "$or": newest};
    let mark = doc! {"$set": {UNTIL: number}};
    let marked = collection.update_many(replaced, mark).await;
    marked.map_err(failed("writing rows"))?;
    Ok(())
}

/// Removes versions that were replaced up to the write `number`: nobody reads them any more.
pub(super) async fn forget_replaced(
    database: &Database,
    names: &Names,
    number: i64,
    unsettled: &Numbers,
) -> Result<(), StoreError> {
    let mut old = doc! {UNTIL: {"$lte": number}};
    if !unsettled.is_empty() {
        old.insert("$nor", unsettled.clauses(UNTIL));
    }
    for name in names.all() {
        let collection = database.collection::<Document>(name);
        let gone = collection.delete_many(old.clone()).await;
        gone.map_err(failed("removing rows that were replaced"))?;
    }
    Ok(())
}

/// Removes all that these writes, which never counted, left in any of the tables. Their commands may
/// come still, so their numbers never count all the same.
pub(super) async fn forget_unsettled(
    database: &Database,
    names: &Names,
    left: &Numbers,
) -> Result<(), StoreError> {
    let doing = "removing rows that never counted";
    for part in left.parts(RANGES) {
        for name in names.all() {
            let collection = database.collection::<Document>(name);
            let gone = collection.delete_many(doc! {"$or": part.brought()}).await;
            gone.map_err(failed(doing))?;
            let marked = doc! {"$or": part.clauses(UNTIL)};
            let unmarked = collection.update_many(marked, doc! {"$unset": {UNTIL: ""}});
            unmarked.await.map_err(failed(doing))?;
        }
    }
    Ok(())
}
