//! Collections and their indexes.

use super::errors::{failed, is_there};
use super::unreadable;
use super::versions::{KEY, UNTIL};
use crate::project::store::StoreError;
use crate::project::stores::names::{self, Names};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::Table;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The indexes of a projection's tables, from its file.
type Files = BTreeMap<String, Vec<Index>>;

/// An index.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    name: String,
    /// Which questions it answers: for who reads the file. Whether a version counts stands in its
    /// document, which is read all the same.
    #[serde(rename = "for")]
    _for: String,
    pub(super) columns: Vec<String>,
}

/// The indexes of the table, from the file of its projection.
pub(super) fn indexes(projection: &Projection, table: &Table) -> Result<Vec<Index>, StoreError> {
    let text = names::file!("mongodb", "indexes.json", projection.name);
    let files: Result<Files, _> = serde_json::from_str(text);
    let files = files.map_err(|error| unreadable(format!("a broken file of indexes ({error})")));
    Ok(files?.remove(table.name).unwrap_or_default())
}

/// Makes the collections of these tables, with what every write needs.
pub(super) async fn create(database: &Database, names: &Names) -> Result<(), StoreError> {
    for name in names.all() {
        match database.create_collection(name).await {
            Ok(()) => {}
            // Somebody was stopped while creating them.
            Err(error) if is_there(&error) => {}
            Err(error) => return Err(failed("creating the tables")(error)),
        }
        let collection = database.collection::<Document>(name);
        let until = IndexModel::builder()
            .keys(doc! {UNTIL: 1})
            .options(named("by_until", true))
            .build();
        let indexes = vec![model("by_key", [KEY].into_iter()), until];
        make(&collection, indexes).await?;
    }
    Ok(())
}

/// Makes the other indexes.
pub(super) async fn finish(database: &Database, names: &Names) -> Result<(), StoreError> {
    for projection in names.projections() {
        for table in projection.tables {
            let indexes = indexes(projection, table)?;
            let models = indexes.iter().map(|index| {
                let columns = index.columns.iter().map(String::as_str);
                model(&index.name, columns)
            });
            let models = models.collect();
            make(&database.collection(names.get(table)?), models).await?;
        }
    }
    Ok(())
}

/// Those that are there already are not named again: FerretDB fails when there are several.
async fn make(
    collection: &Collection<Document>,
    mut indexes: Vec<IndexModel>,
) -> Result<(), StoreError> {
    let doing = "making the indexes";
    let there = collection.list_index_names().await;
    let there = there.map_err(failed(doing))?;
    indexes.retain(|index| {
        let name = index.options.as_ref().and_then(|o| o.name.as_ref());
        name.is_none_or(|name| !there.contains(name))
    });
    if !indexes.is_empty() {
        let made = collection.create_indexes(indexes).await;
        made.map_err(failed(doing))?;
    }
    Ok(())
}

/// An index over these fields, in this order: it is walked in both directions.
fn model<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> IndexModel {
    let mut keys = Document::new();
    fields.for_each(|field| {
        keys.insert(field, 1);
    });
    let options = named(name, false);
    IndexModel::builder().keys(keys).options(options).build()
}

/// A sparse one holds only documents that have the field.
fn named(name: &str, sparse: bool) -> IndexOptions {
    let name = name.to_owned();
    let options = IndexOptions::builder().name(name);
    options.sparse(sparse.then_some(true)).build()
}

/// Drops tables of which a state proves that nobody uses them, now or later: their number is not
/// above the last one that it gave, and it does not use them. Who was superseded has an old state:
/// what its successor made has a higher number.
pub(super) async fn drop_dead(
    database: &Database,
    named: i64,
    used: &[String],
) -> Result<(), StoreError> {
    for (number, name) in ours(database).await? {
        if number <= named && !used.contains(&name) {
            drop_table(database, &name).await?;
        }
    }
    Ok(())
}

/// The highest number in the name of a table; 0 if there is none.
pub(super) async fn last_named(database: &Database) -> Result<i64, StoreError> {
    let ours = ours(database).await?;
    Ok(ours.iter().map(|(number, _)| *number).max().unwrap_or(0))
}

/// What looks like our tables, with the number in the name.
async fn ours(database: &Database) -> Result<Vec<(i64, String)>, StoreError> {
    let there = database.list_collection_names().await;
    let there = there.map_err(failed("looking which tables there are"))?;
    let numbered = there.into_iter();
    Ok(numbered
        .filter_map(|name| Some((number(&name)?, name)))
        .collect())
}

pub(super) async fn drop_table(database: &Database, name: &str) -> Result<(), StoreError> {
    let gone = database.collection::<Document>(name).drop().await;
    gone.map_err(failed("dropping tables that are not used any more"))
}

/// The number in a name that [`Names`] makes, which is 2 in `webhooks_v1_b2`; none if the collection
/// is not ours.
fn number(name: &str) -> Option<i64> {
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u32>().ok(),
        false => None,
    };
    let mut tables = PROJECTIONS.iter().flat_map(|p| p.tables);
    tables.find_map(|table| {
        let version = name.strip_prefix(table.name)?.strip_prefix("_v")?;
        let (version, build) = version.split_once("_b")?;
        number(version)?;
        number(build).map(i64::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_index_is_of_a_table_and_its_columns() {
        for projection in PROJECTIONS {
            let text = names::file!("mongodb", "indexes.json", projection.name);
            let files: Files = serde_json::from_str(text).unwrap();
            let listed: BTreeSet<_> = files.keys().map(String::as_str).collect();
            let tables: BTreeSet<_> = projection.tables.iter().map(|t| t.name).collect();
            assert_eq!(listed, tables, "{}", projection.name);
            for table in projection.tables {
                for index in indexes(projection, table).unwrap() {
                    let known = |c: &String| table.place(c).is_some();
                    assert!(index.columns.iter().all(known), "{}", index.name);
                }
            }
        }
    }

    #[test]
    fn what_people_keep_beside_the_tables_is_not_ours() {
        assert_eq!(number("webhooks_v12_b3"), Some(3));
        for not in [
            "webhooks",
            "webhooks_v1",
            "webhooks_v1_b",
            "webhooks_v1_b2_b3",
            "webhooks_v",
            "webhooks_v1_copy",
            "notes_v1",
            "states",
        ] {
            assert_eq!(number(not), None, "{not}");
        }
    }
}
