//! The webhooks that need no decision any more: all before one offset, and some beyond it.

use hooklog_schemas::Offset;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A set of offsets that is mostly one contiguous prefix.
///
/// There are gaps after an append of which some records failed, and at offsets that hold no
/// receipt, until the owner has passed them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::worker) struct Prefix {
    end: u64,
    /// Ranges beyond `end`, by start, to their ends; they neither touch nor overlap.
    ahead: BTreeMap<u64, u64>,
}

impl Prefix {
    /// Adds an offset; tells whether it is new.
    pub(in crate::worker) fn insert(&mut self, offset: Offset) -> bool {
        let at = offset.0;
        if self.contains(offset) {
            return false;
        }
        let mut start = at;
        let mut end = at + 1;
        if let Some(next) = self.ahead.remove(&end) {
            end = next;
        }
        if let Some((&before, &before_end)) = self.ahead.range(..at).next_back()
            && before_end == at
        {
            self.ahead.remove(&before);
            start = before;
        }
        if start == self.end {
            self.end = end;
        } else {
            self.ahead.insert(start, end);
        }
        true
    }

    /// Adds every offset from `start` on and before `end`, of which there may be very many.
    pub(in crate::worker) fn insert_all(&mut self, start: Offset, end: Offset) {
        let mut at = self.first_missing(start);
        while at < end {
            let next = self.ahead.range(at.0..).next().map(|(next, _)| *next);
            let stop = next.map_or(end.0, |next| next.min(end.0));
            // All but the last have no neighbours yet, so one range stands for them.
            if at.0 + 1 < stop {
                self.insert_range(at.0, stop - 1);
            }
            self.insert(Offset(stop - 1));
            at = self.first_missing(at);
        }
    }

    fn insert_range(&mut self, start: u64, end: u64) {
        if start == self.end {
            self.end = end;
            return;
        }
        let before = self.ahead.range(..start).next_back();
        let touching = before.filter(|(_, before_end)| **before_end == start);
        let first = touching.map_or(start, |(before, _)| *before);
        self.ahead.insert(first, end);
    }

    /// Whether an offset is in the set.
    #[must_use]
    pub(in crate::worker) fn contains(&self, offset: Offset) -> bool {
        offset.0 < self.end || self.range_of(offset.0).is_some()
    }

    /// The first offset at or after `from` that is not in the set.
    #[must_use]
    pub(in crate::worker) fn first_missing(&self, from: Offset) -> Offset {
        let from = from.0.max(self.end);
        Offset(self.range_of(from).unwrap_or(from))
    }

    /// The end of the last range: all offsets of the set are below it.
    #[must_use]
    pub(in crate::worker) fn bound(&self) -> Offset {
        let ahead = self.ahead.last_key_value().map(|(_, &end)| end);
        Offset(ahead.unwrap_or(self.end))
    }

    fn range_of(&self, at: u64) -> Option<u64> {
        let (_, &end) = self.ahead.range(..=at).next_back()?;
        (at < end).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_range_is_all_its_offsets(
            inserted in proptest::collection::vec(0_u64..40, 0..30),
            ranges in proptest::collection::vec((0_u64..40, 0_u64..12), 0..8),
        ) {
            let mut prefix = Prefix::default();
            let mut one_by_one = Prefix::default();
            for at in inserted {
                prefix.insert(Offset(at));
                one_by_one.insert(Offset(at));
            }
            for (start, length) in ranges {
                prefix.insert_all(Offset(start), Offset(start + length));
                for at in start..start + length {
                    one_by_one.insert(Offset(at));
                }
                prop_assert_eq!(&prefix, &one_by_one);
            }
        }

        #[test]
        fn it_is_a_set(inserted in proptest::collection::vec(0_u64..40, 0..60)) {
            let mut prefix = Prefix::default();
            let mut set = BTreeSet::new();
            for at in inserted {
                prop_assert_eq!(prefix.insert(Offset(at)), set.insert(at));
                prop_assert_eq!(prefix.bound().0, set.last().map_or(0, |last| last + 1));
                for from in 0..42 {
                    prop_assert_eq!(prefix.contains(Offset(from)), set.contains(&from));
                    let missing = (from..).find(|at| !set.contains(at)).unwrap();
                    prop_assert_eq!(prefix.first_missing(Offset(from)), Offset(missing));
                }
            }
        }
    }
}
