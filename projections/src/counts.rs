//! How much happened, per minute and source. Rows are per partition, and summed on read.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column};
use std::sync::Arc;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "counts",
    version: 1,
    tables: &[&TABLE],
    reads: &["partitions", "deliveries"],
    earlier: &[],
};

/// One row per partition, minute and source.
pub const TABLE: Table = Table {
    name: "counts",
    key: 3,
    columns: &[
        column("partition", Kind::Integer),
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
pub(crate) enum Counted {
    Received,
    Owed,
    Delivered,
    Failed,
    Dead,
}

/// Partition, minute and source.
pub(crate) type CountKey = (u32, i64, Arc<str>);

/// The counts of one key.
pub(crate) type Counts = [i64; 5];

/// The beginning of the minute of `at`, in microseconds.
pub(crate) const fn minute(at: i64) -> i64 {
    const MINUTE: i64 = 60_000_000;
    at.div_euclid(MINUTE).saturating_mul(MINUTE)
}

pub(crate) fn key_row((partition, minute, source): &CountKey) -> Row {
    vec![
        Value::Int(i64::from(*partition)),
        Value::Int(*minute),
        Value::Text(Arc::clone(source)),
    ]
}

pub(crate) fn row(key: &CountKey, counts: &Counts) -> Row {
    let mut row = key_row(key);
    row.extend(counts.iter().copied().map(Value::Int));
    row
}

pub(crate) fn read(row: &[Value]) -> Option<(CountKey, Counts)> {
    let [partition, minute, source, counts @ ..] = row else {
        return None;
    };
    let partition = u32::try_from(partition.as_int()?).ok()?;
    let key = (partition, minute.as_int()?, source.as_text()?.clone());
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
        let key: CountKey = (3, 60_000_000, "acme".into());
        let counts = [1, 2, 3, 4, 5];
        assert_eq!(read(&row(&key, &counts)), Some((key, counts)));
    }
}
