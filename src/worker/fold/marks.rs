//! Where the decisions about webhooks stand, block by block: a replay finds the original ones by it.

use hooklog_schemas::Offset;
use serde::{Deserialize, Serialize};

/// Webhooks of one block.
pub(in crate::worker) const BLOCK: u64 = 1_024;

/// Of every block of webhooks, the part of `deliveries` in which its decisions stand. It takes 24
/// bytes for a thousand webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::worker) struct Marks(Vec<Mark>);

/// Where the decisions about one block stand. They lie close together, but where some were made
/// later, after an append that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::worker) struct Mark {
    /// The first decision that counts.
    pub(in crate::worker) first: Offset,
    /// The last one.
    pub(in crate::worker) last: Offset,
    /// The epoch in force at the first.
    pub(in crate::worker) epoch: Option<Offset>,
}

impl Marks {
    /// A decision that counts stands at `at`.
    pub(super) fn add(&mut self, webhook: Offset, at: Offset, epoch: Option<Offset>) {
        let Ok(block) = usize::try_from(webhook.0 / BLOCK) else {
            return;
        };
        // A block whose webhooks were all erased undecided has none: what is empty ends before it begins.
        let empty = Mark {
            first: Offset(u64::MAX),
            last: Offset(0),
            epoch: None,
        };
        if self.0.len() <= block {
            self.0.resize(block + 1, empty);
        }
        if let Some(mark) = self.0.get_mut(block) {
            if mark.first > at {
                (mark.first, mark.epoch) = (at, epoch);
            }
            mark.last = mark.last.max(at);
        }
    }

    /// The part in which the decisions about the block of `webhook` stand; none if there are none.
    pub(in crate::worker) fn of(&self, webhook: Offset) -> Option<Mark> {
        let block = usize::try_from(webhook.0 / BLOCK).ok()?;
        let mark = self.0.get(block).copied()?;
        (mark.first <= mark.last).then_some(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decisions_of_a_block_lie_between_its_marks() {
        let mut marks = Marks::default();
        marks.add(Offset(0), Offset(10), Some(Offset(9)));
        marks.add(Offset(2 * BLOCK + 1), Offset(12), Some(Offset(11)));
        marks.add(Offset(BLOCK - 1), Offset(20), Some(Offset(19)));
        let first = marks.of(Offset(7)).unwrap();
        assert_eq!((first.first, first.last), (Offset(10), Offset(20)));
        assert_eq!(first.epoch, Some(Offset(9)));
        assert_eq!(marks.of(Offset(BLOCK)), None);
        assert_eq!(marks.of(Offset(2 * BLOCK)).unwrap().first, Offset(12));
        assert_eq!(marks.of(Offset(3 * BLOCK)), None);
    }
}
