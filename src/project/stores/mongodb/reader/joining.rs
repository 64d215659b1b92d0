//! Rows that need one of another table: the server is asked for both, and they are compared here.

use super::super::errors::failed;
use super::super::filter::Joined;
use super::super::versions::all;
use super::{DOING, Reading};
use crate::project::store::StoreError;
use crate::query::Select;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use std::collections::BTreeSet;

/// Rows that are compared with another table in one question.
const ROWS: usize = 500;

impl Reading {
    /// Walks the rows in their order, and looks for some at a time whether the other table has what
    /// they need, until there are enough.
    pub(super) async fn rows_joined(
        &self,
        select: &Select,
        joined: &Joined<'_>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let mut rows = self.found(select, None).await?.try_chunks(ROWS);
        let mut found = Vec::new();
        while let Some(some) = rows.try_next().await.map_err(|e| failed(DOING)(e.1))? {
            let there = self.others(joined, &some).await?;
            let has = |row: &Document| {
                row.get(joined.column)
                    .is_some_and(|v| there.contains(&text(v)))
            };
            found.extend(some.into_iter().filter(has));
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        Ok(found)
    }

    /// Which of the values in `rows` the other table has.
    async fn others(
        &self,
        joined: &Joined<'_>,
        rows: &[Document],
    ) -> Result<BTreeSet<String>, StoreError> {
        let column = joined.column;
        let values = rows.iter().filter_map(|row| row.get(column));
        // Nothing is equal to nothing.
        let values = values.filter(|value| **value != Bson::Null).cloned();
        let mut clauses = self.moment.filter();
        clauses.extend(joined.filter(values.collect()));
        let collection = self.collection(joined.table)?;
        let there = collection
            .find(all(clauses))
            .projection(doc! {column: 1})
            .max_time(self.connector.limit);
        let there: Vec<Document> = async { there.await?.try_collect().await }
            .await
            .map_err(failed(DOING))?;
        let values = there.iter().filter_map(|row| row.get(column));
        Ok(values.map(text).collect())
    }
}

/// A value as something that can be compared.
fn text(value: &Bson) -> String {
    value.to_string()
}
