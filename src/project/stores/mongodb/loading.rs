//! Reads of who writes: rows by their keys, and in the order of keys.

use super::errors::failed;
use super::state::State;
use super::versions::{KEY, Moment, all, key, read};
use super::{MongodbStore, Place, write};
use crate::project::store::StoreError;
use futures_util::TryStreamExt as _;
use hooklog_projections::folding::Wanted;
use hooklog_projections::table::{Row, Table, Value};
use mongodb::Collection;
use mongodb::bson::{Document, doc};

impl MongodbStore {
    pub(super) async fn load_from(
        &self,
        place: &Place,
        wanted: &Wanted,
    ) -> Result<Vec<Row>, StoreError> {
        let (collection, moment) = self.table(place, wanted.table).await?;
        let mut found = Vec::new();
        for some in wanted.keys.chunks(write::ROWS) {
            let mut clauses = moment.filter();
            let keys: Vec<_> = some.iter().map(|values| key(values)).collect();
            clauses.push(doc! {KEY: {"$in": keys}});
            let mut rows = collection
                .find(all(clauses))
                .await
                .map_err(failed("loading rows"))?;
            while let Some(row) = rows.try_next().await.map_err(failed("loading rows"))? {
                found.push(read(wanted.table, &row)?);
            }
        }
        Ok(found)
    }

    pub(super) async fn scan_from(
        &self,
        place: &Place,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (collection, moment) = self.table(place, table).await?;
        let mut clauses = moment.filter();
        clauses.extend(after.map(|after| doc! {KEY: {"$gt": key(after)}}));
        let rows = collection
            .find(all(clauses))
            .sort(doc! {KEY: 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .await
            .map_err(failed("reading rows"))?;
        let rows: Vec<_> = rows.try_collect().await.map_err(failed("reading rows"))?;
        rows.iter().map(|row| read(table, row)).collect()
    }

    /// The collection of a table, and what of it counts now.
    pub(super) async fn table(
        &self,
        place: &Place,
        table: &Table,
    ) -> Result<(Collection<Document>, Moment), StoreError> {
        let state = place.states.newest().await?.unwrap_or_else(State::fresh);
        let name = state.names(&self.set).get(table)?.to_owned();
        let moment = state.moment(&self.set).ok_or(StoreError::Moved)?;
        Ok((place.database.collection(&name), moment))
    }
}
