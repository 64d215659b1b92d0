//! How much happened, per minute and source.

use super::fields::Fields;
use super::{CountRow, CountsFilter, Queries, QueryError, Select};
use hooklog_projections::counts::TABLE;
use std::collections::BTreeMap;

/// Rows read at the most: a day of twelve partitions and six sources or so.
const ROWS_MAX: usize = 100_000;

impl Queries {
    /// Counts per minute and source, the latest first, summed over the partitions.
    ///
    /// Of a long time only the latest minutes are told, each of them whole.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn counts(&self, filter: &CountsFilter) -> Result<Vec<CountRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("counts").await?;
        let mut select = Select::newest(&TABLE, &["minute_at"]).limit(ROWS_MAX);
        select.conditions = filter.conditions();
        let rows = snapshot.select(&select).await?;
        let cut = rows.len() == ROWS_MAX;
        let mut sums: BTreeMap<(i64, String), CountRow> = BTreeMap::new();
        for row in rows {
            let mut f = Fields::of(row);
            f.skip(); // The partition.
            let (minute_at, source) = (f.int()?, f.text()?);
            let sum = sums.entry((minute_at, source.clone())).or_default();
            sum.minute_at = minute_at;
            sum.source = source;
            sum.received += f.int()?;
            sum.owed += f.int()?;
            sum.delivered += f.int()?;
            sum.failed += f.int()?;
            sum.dead += f.int()?;
        }
        let oldest = sums.keys().next().map(|(minute, _)| *minute);
        let whole = |row: &CountRow| !cut || Some(row.minute_at) != oldest;
        Ok(sums.into_values().rev().filter(whole).collect())
    }
}
