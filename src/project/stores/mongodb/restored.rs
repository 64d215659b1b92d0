//! Rows of a later state: tables and states were put back from different moments.
//!
//! A number is given in a state before anything is brought under it. So no table has anything of a
//! write whose number is above the last one that was given, begun and abandoned ones included. If one
//! has, the number will be given once more, and what is there would count as if it were new.

use super::errors::failed;
use super::state::State;
use super::versions::{UNTIL, first_id, write_of};
use super::{Place, unreadable};
use crate::project::store::StoreError;
use futures_util::future::try_join_all;
use mongodb::bson::{Document, doc};
use mongodb::{Collection, Database};

const DOING: &str = "looking for rows of a later state";

/// Fails if the tables of `set` have rows of writes that `state`, which is or was in force, and the
/// one that is in force now do not know.
pub(super) async fn look(place: &Place, set: &str, state: &State) -> Result<(), StoreError> {
    let names = state.names(set);
    let tables = names.all();
    let looking = tables.map(|name| highest_after(&place.database, name, state.begun()));
    let found = try_join_all(looking).await?.into_iter().flatten().max();
    let Some(found) = found else {
        return Ok(());
    };
    // Another may have taken the lease since, and begun to write.
    let newest = place.states.newest().await?;
    if newest.is_some_and(|newest| found <= newest.begun()) {
        return Ok(());
    }
    Err(unreadable(format!(
        "rows of a later state in the set {set}, as after a restore from several moments (if it is \
         the set of a build that was begun: with --restart)"
    )))
}

/// The number of a write after `write` that brought or marked something, if there is one.
async fn highest_after(
    database: &Database,
    name: &str,
    write: i64,
) -> Result<Option<i64>, StoreError> {
    let collection = database.collection(name);
    let brought = doc! {"_id": {"$gte": first_id(write + 1)}};
    let brought = highest(&collection, brought, "_id").await?.map(write_of);
    let marked = highest(&collection, doc! {UNTIL: {"$gt": write}}, UNTIL).await?;
    Ok(brought.max(marked))
}

async fn highest(
    collection: &Collection<Document>,
    filter: Document,
    field: &str,
) -> Result<Option<i64>, StoreError> {
    let found = collection
        .find_one(filter)
        .sort(doc! {field: -1})
        .projection(doc! {field: 1});
    let found = found.await.map_err(failed(DOING))?;
    Ok(found.and_then(|row| row.get_i64(field).ok()))
}
