//! What was ordered to be erased: asked by receipt and by place, however many orders there are.

use hooklog_schemas::control::{ErasedReceipt, ErasureRequested};
use hooklog_schemas::{Offset, Partition, ReceiptId};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// All receipts that orders name.
///
/// Layers of falling size, so that a clone is cheap although another one is in use, a question
/// costs a few look-ups, and an order costs about its own size.
#[derive(Clone, Debug, Default)]
pub struct Erased(Vec<Arc<Layer>>);

#[derive(Clone, Debug, Default)]
struct Layer {
    receipts: BTreeMap<ReceiptId, Blank>,
    places: BTreeMap<(u32, Offset), ReceiptId>,
}

/// What is blank of a receipt, beside its body, headers and excerpts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blank {
    /// The repository's name.
    pub repository: bool,
    /// The sender.
    pub sender: bool,
}

impl Blank {
    /// What an order blanks that names a repository or a sender; one that names neither is about
    /// the whole receipt.
    #[must_use]
    pub const fn ordered(repository: bool, sender: bool) -> Self {
        Self {
            repository: repository || !sender,
            sender: sender || !repository,
        }
    }

    /// What either of two orders blanks.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            repository: self.repository || other.repository,
            sender: self.sender || other.sender,
        }
    }
}

impl Erased {
    /// What is blank of `receipt`; `None` if no order names it.
    #[must_use]
    pub fn receipt(&self, receipt: ReceiptId) -> Option<Blank> {
        let named = self
            .0
            .iter()
            .filter_map(|layer| layer.receipts.get(&receipt));
        named.copied().reduce(Blank::or)
    }

    /// The receipts in this part of a partition of `webhooks` that orders name, in their order, each
    /// once.
    #[must_use]
    pub fn within(&self, partition: Partition, part: &Range<Offset>) -> Vec<ErasedReceipt> {
        let places = (partition.0, part.start)..(partition.0, part.end);
        let layers = self.0.iter();
        let found = layers.flat_map(|layer| layer.places.range(places.clone()));
        let found: BTreeMap<Offset, ReceiptId> = found
            .map(|((_, offset), receipt)| (*offset, *receipt))
            .collect();
        let named = |(offset, receipt)| ErasedReceipt {
            receipt,
            partition: partition.0,
            offset,
        };
        found.into_iter().map(named).collect()
    }

    /// The receipt at this place of `webhooks`, if an order names it.
    #[must_use]
    pub fn at(&self, partition: Partition, offset: Offset) -> Option<ErasedReceipt> {
        let place = (partition.0, offset);
        let found = self.0.iter().find_map(|layer| layer.places.get(&place))?;
        Some(ErasedReceipt {
            receipt: *found,
            partition: partition.0,
            offset,
        })
    }

    /// Notes what an order names.
    pub fn add(&mut self, order: &ErasureRequested) {
        let blank = Blank::ordered(order.repository_id.is_some(), order.sender_id.is_some());
        let mut top = Layer::default();
        for named in &order.receipts {
            top.receipts.insert(named.receipt, blank);
            let place = (named.partition, named.offset);
            top.places.insert(place, named.receipt);
        }
        let mut top = Arc::new(top);
        while let Some(below) = self.0.pop_if(|below| below.size() <= 2 * top.size()) {
            let mut merged = Arc::unwrap_or_clone(below);
            merged.take(&top);
            top = Arc::new(merged);
        }
        self.0.push(top);
    }
}

impl Layer {
    fn size(&self) -> usize {
        self.receipts.len()
    }

    fn take(&mut self, newer: &Self) {
        for (receipt, blank) in &newer.receipts {
            let kept = self.receipts.entry(*receipt).or_default();
            *kept = kept.or(*blank);
        }
        self.places.extend(&newer.places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::Timestamp;
    use hooklog_schemas::control::By;
    use uuid::Uuid;

    fn order(numbers: std::ops::Range<u64>, repository: Option<i64>) -> ErasureRequested {
        let named = |number: u64| ErasedReceipt {
            receipt: receipt(number),
            partition: 3,
            offset: Offset(number),
        };
        ErasureRequested {
            receipts: numbers.map(named).collect(),
            repository_id: repository,
            sender_id: None,
            by: By {
                actor: "ann".into(),
                from: "local".into(),
                at: Timestamp(1),
                why: None,
            },
        }
    }

    fn receipt(number: u64) -> ReceiptId {
        ReceiptId(Uuid::from_u64_pair(1, number))
    }

    #[test]
    fn every_order_of_many_is_found_in_a_few_layers() {
        let mut erased = Erased::default();
        for number in 0..1_000 {
            erased.add(&order(number * 3..number * 3 + 2, Some(1)));
        }
        let wanted = Blank {
            repository: true,
            sender: false,
        };
        for number in 0..3_000 {
            let named = number % 3 < 2;
            let (blank, place) = (
                erased.receipt(receipt(number)),
                erased.at(Partition(3), Offset(number)),
            );
            assert_eq!(blank, named.then_some(wanted));
            assert_eq!(place.map(|at| at.receipt), named.then(|| receipt(number)));
        }
        assert_eq!(erased.at(Partition(2), Offset(0)), None);
        assert!(erased.0.len() <= 11, "{} layers", erased.0.len());
    }

    #[test]
    fn two_orders_for_one_receipt_blank_what_either_does() {
        let mut erased = Erased::default();
        erased.add(&order(0..1, Some(1)));
        erased.add(&order(5..90, Some(1)));
        let all = Blank {
            repository: true,
            sender: true,
        };
        erased.add(&order(0..1, None));
        assert_eq!(erased.receipt(receipt(0)), Some(all));
    }
}
