//! How much happened, per minute and source.

mod slice;

use super::cut::Cut;
use super::fields::Fields;
use super::{Condition, CountRow, CountsFilter, Queries, QueryError, Select, Snapshot};
use hooklog_projections::counts::{Counts, SLICE, TABLE};
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
        let cut = self.cut.as_ref().map(partitions);
        let cut_off = sums.add(snapshot.as_mut(), filter, cut.as_deref()).await?;
        for partition in cut.iter().flatten() {
            sums.move_to(snapshot.as_mut(), filter, partition).await?;
        }
        let whole = |row: &CountRow| cut_off.is_none_or(|oldest| row.minute_at > oldest);
        Ok(sums.rows().rev().filter(whole).collect())
    }
}

/// Where a cut goes through a partition: how many slices are summed as wholes, and how far behind or
/// before the end of these it is.
struct Partition {
    number: i64,
    slices: i64,
    end: i64,
}

/// Slices are summed up to the boundary that is nearest to the cut: at most half a slice is read
/// record by record, and added or taken away.
fn partitions(cut: &Cut) -> Vec<Partition> {
    let partition = |(number, &end): (i64, &i64)| Partition {
        number,
        slices: end.saturating_add(LENGTH / 2) / LENGTH,
        end,
    };
    (0..).zip(cut.ends().iter()).map(partition).collect()
}

/// [`SLICE`], as offsets stand in tables.
const LENGTH: i64 = SLICE.cast_signed();

impl Sums {
    /// Adds whole slices, where there is a cut those before it; tells the oldest minute if it may not be
    /// whole.
    async fn add(
        &mut self,
        snapshot: &mut dyn Snapshot,
        filter: &CountsFilter,
        cut: Option<&[Partition]>,
    ) -> Result<Option<i64>, QueryError> {
        let mut select = Select::newest(&TABLE, &["minute_at"]).limit(ROWS_MAX);
        select.conditions = filter.conditions();
        let slices = cut.map(|cut| {
            let whole = cut.iter().map(|partition| partition.slices);
            Condition::Inside("slice", whole.collect())
        });
        let rows = snapshot.select(&select.and_if(slices)).await?;
        let cut_off = rows.len() == ROWS_MAX;
        for row in rows {
            let mut f = Fields::of(row);
            f.skip(); // The partition.
            f.skip(); // The slice.
            let key = (f.int()?, f.text()?);
            for sum in self.0.entry(key).or_default() {
                *sum += f.int()?;
            }
        }
        let oldest = self.0.keys().next().map(|(minute, _)| *minute);
        Ok(oldest.filter(|_| cut_off))
    }

    /// From the boundary of the slices that were summed to the cut.
    async fn move_to(
        &mut self,
        snapshot: &mut dyn Snapshot,
        filter: &CountsFilter,
        partition: &Partition,
    ) -> Result<(), QueryError> {
        let (boundary, end) = (partition.slices.saturating_mul(LENGTH), partition.end);
        let (part, by) = match end < boundary {
            true => (end..boundary, -1),
            false => (boundary..end, 1),
        };
        for (minute, source, counted) in slice::read(snapshot, partition.number, part).await? {
            if filter.shows(minute, &source) {
                let counts = self.0.entry((minute, source)).or_default();
                counts[counted as usize] += by;
            }
        }
        // Of a minute that only began behind the cut nothing is left.
        self.0.retain(|_, counts| *counts != Counts::default());
        Ok(())
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
