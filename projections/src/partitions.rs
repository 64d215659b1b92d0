//! Who may decide, and what was decided already: the fences of each partition of `deliveries`.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column, optional};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "partitions",
    version: 1,
    tables: &[&TABLE],
    reads: &[],
    earlier: &[],
};

/// One row a partition.
pub const TABLE: Table = Table {
    name: "partitions",
    key: 1,
    columns: &[
        column("partition", Kind::Integer),
        optional("epoch", Kind::Integer),
        column("routed_next", Kind::Integer),
        column("routed_gaps", Kind::Text),
    ],
};

/// The fences of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fences {
    /// The highest epoch that was acquired; none before the first.
    pub epoch: Option<u64>,
    /// The offset in `webhooks` after the highest that was routed.
    pub routed_next: u64,
    /// Ranges below it, both ends included, that were not routed yet, in their order.
    pub routed_gaps: Vec<(u64, u64)>,
}

impl Fences {
    /// A new owner's `partition.acquired` stands at `offset`, which is its epoch.
    pub fn acquired(&mut self, offset: u64) {
        self.epoch = self.epoch.max(Some(offset));
    }

    /// Whether a record of `epoch` comes from an owner that was followed by another.
    #[must_use]
    pub fn is_late(&self, epoch: Option<u64>) -> bool {
        epoch < self.epoch
    }

    /// Whether the webhook at `offset` is routed.
    #[must_use]
    pub fn is_routed(&self, offset: u64) -> bool {
        let open = |&(first, last): &(u64, u64)| first <= offset && offset <= last;
        offset < self.routed_next && !self.routed_gaps.iter().any(open)
    }

    /// Notes that the webhook at `offset` is routed; false if it already was.
    pub fn routed(&mut self, offset: u64) -> bool {
        if offset >= self.routed_next {
            if offset > self.routed_next {
                self.routed_gaps.push((self.routed_next, offset - 1));
            }
            self.routed_next = offset.saturating_add(1);
            return true;
        }
        let holds = |&(first, last): &(u64, u64)| first <= offset && offset <= last;
        let Some(place) = self.routed_gaps.iter().position(holds) else {
            return false;
        };
        let (first, last) = self.routed_gaps.remove(place);
        if offset < last {
            self.routed_gaps.insert(place, (offset + 1, last));
        }
        if first < offset {
            self.routed_gaps.insert(place, (first, offset - 1));
        }
        true
    }

    /// The row of `partition`.
    #[must_use]
    pub fn row(&self, partition: u32) -> Row {
        vec![
            Value::Int(i64::from(partition)),
            self.epoch.map_or(Value::Null, Value::count),
            Value::count(self.routed_next),
            Value::text(&self.gaps_text()),
        ]
    }

    /// The gaps as text: `3-5 9-9`.
    #[must_use]
    pub fn gaps_text(&self) -> String {
        let gaps = self.routed_gaps.iter();
        let gaps: Vec<_> = gaps
            .map(|(first, last)| format!("{first}-{last}"))
            .collect();
        gaps.join(" ")
    }

    /// The gaps that [`Self::gaps_text`] wrote; `None` if it did not.
    #[must_use]
    pub fn read_gaps(text: &str) -> Option<Vec<(u64, u64)>> {
        let range = |text: &str| {
            let (first, last) = text.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        text.split_whitespace().map(range).collect()
    }

    /// The partition and the fences of a row; `None` if it is not a row of this table.
    #[must_use]
    pub fn read(row: &[Value]) -> Option<(u32, Self)> {
        let [partition, epoch, next, gaps] = row else {
            return None;
        };
        let number = |value: &Value| u64::try_from(value.as_int()?).ok();
        let fences = Self {
            epoch: number(epoch),
            routed_next: number(next)?,
            routed_gaps: Self::read_gaps(gaps.as_text()?)?,
        };
        Some((u32::try_from(partition.as_int()?).ok()?, fences))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_routed_once_whatever_the_order() {
        let mut fences = Fences::default();
        assert!(fences.routed(0));
        assert!(fences.routed(5));
        assert_eq!(fences.routed_gaps, [(1, 4)]);
        assert!(fences.routed(3));
        assert_eq!(fences.routed_gaps, [(1, 2), (4, 4)]);
        assert!(!fences.routed(3));
        assert!(!fences.routed(0));
        assert!(fences.routed(4));
        assert!(fences.routed(1));
        assert!(fences.routed(2));
        assert!(fences.routed_gaps.is_empty());
        assert_eq!(fences.routed_next, 6);
    }

    #[test]
    fn a_record_of_a_lower_epoch_is_late() {
        let mut fences = Fences::default();
        assert!(!fences.is_late(None));
        fences.acquired(7);
        assert!(fences.is_late(None));
        assert!(fences.is_late(Some(6)));
        assert!(!fences.is_late(Some(7)));
        fences.acquired(3);
        assert_eq!(fences.epoch, Some(7));
    }

    #[test]
    fn fences_read_as_they_were_written() {
        let fences = Fences {
            epoch: Some(4),
            routed_next: 9,
            routed_gaps: vec![(1, 2), (5, 5)],
        };
        assert_eq!(Fences::read(&fences.row(3)), Some((3, fences)));
        let none = Fences::default();
        assert_eq!(Fences::read(&none.row(0)), Some((0, none)));
    }
}
