//! How much happened, per minute and source.

mod slice;

use super::cut::Cut;
use super::fields::Fields;
use super::{CountRow, CountsFilter, Queries, QueryError, Select, Snapshot};
use hooklog_projections::counts::{Counted, Counts, SLICE, TABLE};
use std::collections::BTreeMap;

/// Rows read at the most: a day of twelve partitions and six sources or so.
const ROWS_MAX: usize = 100_000;

/// Counts by minute and source.
#[derive(Default)]
struct Sums(BTreeMap<(i64, String), Counts>);

impl Queries {
    /// Counts per minute and source, the latest first, summed over the partitions.
    ///
    /// Of a long time only the latest minutes are told, each of them whole.
    ///
    /// # Errors
    /// When the tables are away.
    pub async fn counts(&self, filter: &CountsFilter) -> Result<Vec<CountRow>, QueryError> {
        let (mut snapshot, _timer) = self.begin("counts").await?;
        let mut sums = Sums::default();
        let cut_off = self.sum(snapshot.as_mut(), filter, &mut sums).await?;
        if let Some(cut) = &self.cut {
            sums.add_cut_slices(snapshot.as_mut(), filter, cut).await?;
        }
        let whole = |row: &CountRow| cut_off.is_none_or(|oldest| row.minute_at > oldest);
        Ok(sums.rows().rev().filter(whole).collect())
    }

    /// Adds the rows; tells the oldest minute if it may not be whole.
    async fn sum(
        &self,
        snapshot: &mut dyn Snapshot,
        filter: &CountsFilter,
        sums: &mut Sums,
    ) -> Result<Option<i64>, QueryError> {
        let mut select = Select::newest(&TABLE, &["minute_at"]).limit(ROWS_MAX);
        select.conditions = filter.conditions();
        let slices = self.cut.as_ref().map(|cut| cut.runs_inside("slice", SLICE));
        let rows = snapshot.select(&select.and_if(slices)).await?;
        let cut_off = rows.len() == ROWS_MAX;
        for row in rows {
            let mut f = Fields::of(row);
            f.skip(); // The partition.
            f.skip(); // The slice.
            let key = (f.int()?, f.text()?);
            for sum in sums.0.entry(key).or_default() {
                *sum += f.int()?;
            }
        }
        let oldest = sums.0.keys().next().map(|(minute, _)| *minute);
        Ok(oldest.filter(|_| cut_off))
    }
}

impl Sums {
    /// Adds what was counted in the last slice of each partition before the cut.
    async fn add_cut_slices(
        &mut self,
        snapshot: &mut dyn Snapshot,
        filter: &CountsFilter,
        cut: &Cut,
    ) -> Result<(), QueryError> {
        for (partition, end) in (0..).zip(cut.ends().iter().copied()) {
            let slice = slice::read(snapshot, partition, end).await?;
            for (minute, source, counted) in slice {
                if filter.shows(minute, &source) {
                    self.count((minute, source), counted);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, key: (i64, String), counted: Counted) {
        self.0.entry(key).or_default()[counted as usize] += 1;
    }

    fn rows(self) -> impl DoubleEndedIterator<Item = CountRow> {
        let row = |((minute_at, source), counts): (_, Counts)| {
            let [received, owed, delivered, failed, dead] = counts;
            CountRow {
                minute_at,
                source,
                received,
                owed,
                delivered,
                failed,
                dead,
            }
        };
        self.0.into_iter().map(row)
    }
}
