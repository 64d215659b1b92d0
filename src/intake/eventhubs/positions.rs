//! Which messages of a partition are acknowledged: all before an offset, and some beyond it, which
//! stand in the metadata of the committed offset, as `first-last,first-last`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Brokers take so much metadata beside an offset. What does not fit in comes again.
const METADATA_BYTES_MAX: usize = 3_500;

/// The messages of one partition that a consumer knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// By offset, from the first that is not acknowledged on: whether it is.
    known: BTreeMap<i64, bool>,
    /// The offset after the last one that is known.
    next: i64,
    /// Whether any message came.
    begun: bool,
}

impl Positions {
    /// As they were committed.
    pub(super) fn read(offset: i64, metadata: &str) -> Self {
        let range = |text: &str| {
            let (first, last) = text.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        let ranges = metadata.split(',').filter_map(range);
        let mut positions = Self {
            known: BTreeMap::new(),
            next: offset.max(0),
            begun: false,
        };
        for (first, last) in ranges {
            let first: i64 = offset.max(first);
            positions
                .known
                .extend((first..=last).map(|offset| (offset, true)));
        }
        positions
    }

    /// Whether the message at `offset` has to be carried: not when it is acknowledged already.
    pub(super) fn is_new(&mut self, offset: i64) -> bool {
        // The first message stands at the committed offset. If it does not, somebody else has those
        // before it, and the offset must not pass them.
        if !std::mem::replace(&mut self.begun, true) && offset > self.next {
            self.known.entry(self.next).or_insert(false);
        }
        self.next = self.next.max(offset + 1);
        !*self.known.entry(offset).or_insert(false)
    }

    /// Whether that changed anything.
    pub(super) fn acknowledge(&mut self, offset: i64) -> bool {
        match self.known.get_mut(&offset) {
            Some(acknowledged) => !std::mem::replace(acknowledged, true),
            None => false,
        }
    }

    /// The offset to commit, and its metadata.
    pub(super) fn commit(&mut self) -> (i64, String) {
        while let Some(first) = self.known.first_entry().filter(|first| *first.get()) {
            first.remove();
        }
        let first = self.known.first_key_value();
        let offset = first.map_or(self.next, |(offset, _)| *offset);
        (offset, self.metadata())
    }

    /// How many are acknowledged beyond the offset.
    pub(super) fn beyond(&self) -> u64 {
        let many = self
            .known
            .values()
            .filter(|acknowledged| **acknowledged)
            .count();
        u64::try_from(many).unwrap_or(u64::MAX)
    }

    fn metadata(&self) -> String {
        let mut text = String::new();
        for (first, last) in self.ranges() {
            let before = text.len();
            let comma = if before > 0 { "," } else { "" };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{first}-{last}");
            if text.len() > METADATA_BYTES_MAX {
                text.truncate(before);
                break;
            }
        }
        text
    }

    fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for (offset, _) in self.known.iter().filter(|(_, acknowledged)| **acknowledged) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *offset => *last = *offset,
                _ => ranges.push((*offset, *offset)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(upto: i64) -> Positions {
        let mut positions = Positions::read(0, "");
        for offset in 0..upto {
            assert!(positions.is_new(offset));
        }
        positions
    }

    #[test]
    fn what_is_acknowledged_in_order_is_an_offset() {
        let mut positions = known(5);
        assert_eq!(positions.commit(), (0, String::new()));
        for offset in 0..3 {
            assert!(positions.acknowledge(offset));
        }
        assert_eq!(positions.commit(), (3, String::new()));
        assert!(!positions.acknowledge(1), "it is forgotten");
        for offset in 3..5 {
            positions.acknowledge(offset);
        }
        assert_eq!(positions.commit(), (5, String::new()));
    }

    #[test]
    fn what_is_acknowledged_beyond_a_gap_is_remembered_and_does_not_come_again() {
        let mut positions = known(10);
        for offset in [0, 2, 3, 4, 7] {
            positions.acknowledge(offset);
        }
        let (offset, metadata) = positions.commit();
        assert_eq!((offset, metadata.as_str()), (1, "2-4,7-7"));
        assert_eq!(positions.beyond(), 4);
        let mut again = Positions::read(offset, &metadata);
        let new: Vec<_> = (1..10).filter(|offset| again.is_new(*offset)).collect();
        assert_eq!(new, [1, 5, 6, 8, 9]);
        for offset in new {
            again.acknowledge(offset);
        }
        assert_eq!(again.commit(), (10, String::new()));
    }

    #[test]
    fn what_does_not_fit_in_is_left_out_and_nothing_else() {
        let mut positions = known(4_000);
        for offset in (1..4_000).step_by(2) {
            positions.acknowledge(offset);
        }
        let (offset, metadata) = positions.commit();
        assert!(metadata.len() <= METADATA_BYTES_MAX);
        let mut again = Positions::read(offset, &metadata);
        assert!((0..4_000).step_by(2).all(|offset| again.is_new(offset)));
        assert!(!again.is_new(1), "the first ones fit in");
    }

    #[test]
    fn an_offset_never_passes_what_this_consumer_did_not_get() {
        let mut positions = Positions::read(40, "");
        assert!(positions.is_new(50));
        positions.acknowledge(50);
        assert_eq!(positions.commit(), (40, "50-50".to_owned()));
    }

    #[test]
    fn metadata_of_somebody_else_means_nothing() {
        for text in ["", "hello", "1,2", "x-y"] {
            assert!(Positions::read(1, text).is_new(1), "{text}");
        }
    }
}
