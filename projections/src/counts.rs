//! How much happened, per minute and source. Rows are per slice of a partition, and summed on read.
//!
//! A slice is a run of [`SLICE`] offsets. What a partition had counted at a point of the past is the
//! sum of the slices before it, and of what its last, cut slice holds in tables that only grow.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column};
use hooklog_schemas::Position;
use std::sync::Arc;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "counts",
    version: 2,
    tables: &[&TABLE],
    reads: &["partitions", "deliveries"],
    earlier: &[],
};

/// Offsets of one slice.
pub const SLICE: u64 = 1_024;

/// One row per slice, minute and source.
pub const TABLE: Table = Table {
    name: "counts",
    key: 4,
    columns: &[
        column("partition", Kind::Integer),
        column("slice", Kind::Integer),
        column("minute_at", Kind::Integer),
        column("source", Kind::Text),
        column("received", Kind::Integer),
        column("owed", Kind::Integer),
        column("delivered", Kind::Integer),
        column("failed", Kind::Integer),
        column("dead", Kind::Integer),
    ],
};

/// What is counted: the place in [`Counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A webhook was received.
    Received,
    /// A delivery was owed.
    Owed,
    /// A delivery ended delivered.
    Delivered,
    /// An attempt failed.
    Failed,
    /// A delivery was given up.
    Dead,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CountKey {
    pub(crate) partition: u32,
    slice: u64,
    minute: i64,
    source: Arc<str>,
}

/// The counts of one key.
pub type Counts = [i64; 5];

impl CountKey {
    /// Where something counts that the record at `position` says about `source` and the time `at`.
    pub(crate) fn of(position: Position, at: i64, source: &Arc<str>) -> Self {
        Self {
            partition: position.partition.0,
            slice: position.offset.0 / SLICE,
            minute: minute(at),
            source: Arc::clone(source),
        }
    }
}

/// The beginning of the minute of `at`, in microseconds.
#[must_use]
pub const fn minute(at: i64) -> i64 {
    const MINUTE: i64 = 60_000_000;
    at.div_euclid(MINUTE).saturating_mul(MINUTE)
}

pub(crate) fn key_row(key: &CountKey) -> Row {
    vec![
        Value::Int(i64::from(key.partition)),
        Value::count(key.slice),
        Value::Int(key.minute),
        Value::Text(Arc::clone(&key.source)),
    ]
}

pub(crate) fn row(key: &CountKey, counts: &Counts) -> Row {
    let mut row = key_row(key);
    row.extend(counts.iter().copied().map(Value::Int));
    row
}

pub(crate) fn read(row: &[Value]) -> Option<(CountKey, Counts)> {
    let [partition, slice, minute, source, counts @ ..] = row else {
        return None;
    };
    let key = CountKey {
        partition: u32::try_from(partition.as_int()?).ok()?,
        slice: u64::try_from(slice.as_int()?).ok()?,
        minute: minute.as_int()?,
        source: source.as_text()?.clone(),
    };
    let counts: Vec<i64> = counts.iter().map(Value::as_int).collect::<Option<_>>()?;
    Some((key, counts.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_begins_at_its_first_microsecond() {
        assert_eq!(minute(119_999_999), 60_000_000);
        assert_eq!(minute(120_000_000), 120_000_000);
        assert_eq!(minute(-1), -60_000_000);
    }

    #[test]
    fn counts_read_as_they_were_written() {
        let position = "deliveries/3@5000".parse().unwrap();
        let key = CountKey::of(position, 60_000_001, &"acme".into());
        assert_eq!((key.slice, key.minute), (4, 60_000_000));
        let counts = [1, 2, 3, 4, 5];
        assert_eq!(read(&row(&key, &counts)), Some((key, counts)));
    }
}
