//! Rows that need one of another table: where that has few, they are asked for first; otherwise the
//! server is asked for both, and they are compared here.

use super::super::errors::failed;
use super::super::filter::Joined;
use super::super::versions::all;
use super::{DOING, Reading};
use crate::project::store::StoreError;
use crate::query::Select;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::FindOptions;
use std::collections::BTreeSet;

/// Rows that are compared with another table in one question.
const ROWS: u32 = 500;

/// If the other table has no more rows than this that are looked for, they say which rows are found.
const FEW: usize = if cfg!(test) { 3 } else { 2_000 };

impl Reading {
    /// The rows of `select` for which the other table has what they need.
    pub(super) async fn rows_joined(
        &self,
        select: &Select,
        joined: &Joined<'_>,
    ) -> Result<Vec<Document>, StoreError> {
        match self.few(joined).await? {
            Some(values) => self.rows(select, vec![joined.has(values)]).await,
            None => {
                let limit = select.limit.unwrap_or(usize::MAX);
                self.rows_walked(select, joined, limit).await
            }
        }
    }

    /// How many they are.
    pub(super) async fn number_joined(
        &self,
        select: &Select,
        joined: &Joined<'_>,
    ) -> Result<u64, StoreError> {
        match self.few(joined).await? {
            Some(values) => self.number(select, vec![joined.has(values)]).await,
            None => {
                let rows = self.rows_walked(select, joined, usize::MAX).await?;
                Ok(rows.len() as u64)
            }
        }
    }

    /// The values in the other table's rows that are looked for, unless those are many.
    async fn few(&self, joined: &Joined<'_>) -> Result<Option<Vec<Bson>>, StoreError> {
        let limit = i64::try_from(FEW + 1).unwrap_or(i64::MAX);
        let rows = self.others(joined, joined.theirs(), Some(limit)).await?;
        if rows.len() > FEW {
            return Ok(None);
        }
        let values = rows.iter().filter_map(|row| row.get(joined.column));
        // Nothing is equal to nothing.
        let values = values.filter(|value| **value != Bson::Null);
        Ok(Some(values.cloned().collect()))
    }

    /// Walks the rows in their order, and looks for some at a time whether the other table has what
    /// they need, until there are enough.
    async fn rows_walked(
        &self,
        select: &Select,
        joined: &Joined<'_>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let options = FindOptions::builder().batch_size(ROWS).build();
        let rows = self.found(select, Vec::new(), options).await?;
        let mut rows = rows.try_chunks(ROWS as usize);
        let mut found = Vec::new();
        while let Some(some) = rows.try_next().await.map_err(|e| failed(DOING)(e.1))? {
            let there = self.there(joined, &some).await?;
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
    async fn there(
        &self,
        joined: &Joined<'_>,
        rows: &[Document],
    ) -> Result<BTreeSet<String>, StoreError> {
        let values = rows.iter().filter_map(|row| row.get(joined.column));
        // Nothing is equal to nothing.
        let values = values.filter(|value| **value != Bson::Null).cloned();
        let clauses = joined.filter(values.collect());
        let there = self.others(joined, clauses, None).await?;
        let values = there.iter().filter_map(|row| row.get(joined.column));
        Ok(values.map(text).collect())
    }

    /// Rows of the other table, with no more than the column that both have.
    async fn others(
        &self,
        joined: &Joined<'_>,
        clauses: Vec<Document>,
        limit: Option<i64>,
    ) -> Result<Vec<Document>, StoreError> {
        let mut all_clauses = self.moment.filter();
        all_clauses.extend(clauses);
        let options = FindOptions::builder().limit(limit).build();
        let collection = self.collection(joined.table)?;
        let rows = collection
            .find(all(all_clauses))
            .with_options(options)
            .projection(doc! {joined.column: 1})
            .max_time(self.connector.limit);
        let rows = rows.await.map_err(failed(DOING))?;
        rows.try_collect().await.map_err(failed(DOING))
    }
}

/// A value as something that can be compared.
fn text(value: &Bson) -> String {
    value.to_string()
}
