//! Subscriptions by small numbers, so that a delivery need not hold 16 bytes of its id.

use hooklog_schemas::SubscriptionId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use uuid::Uuid;

/// Ids in the order in which they were first seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<SubscriptionId>", into = "Vec<SubscriptionId>")]
pub(super) struct Interned {
    names: Vec<SubscriptionId>,
    numbers: HashMap<SubscriptionId, u32>,
}

impl Interned {
    /// The number of `id`, a new one if it has none.
    pub(super) fn number(&mut self, id: SubscriptionId) -> u32 {
        let fresh = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let names = &mut self.names;
        *self.numbers.entry(id).or_insert_with(|| {
            names.push(id);
            fresh
        })
    }

    /// The id with this number.
    #[must_use]
    pub(super) fn name(&self, number: u32) -> SubscriptionId {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let known = self.names.get(index).copied();
        known.unwrap_or(SubscriptionId(Uuid::nil()))
    }
}

impl From<Vec<SubscriptionId>> for Interned {
    fn from(names: Vec<SubscriptionId>) -> Self {
        let numbers = names.iter().copied().zip(0..).collect();
        Self { names, numbers }
    }
}

impl From<Interned> for Vec<SubscriptionId> {
    fn from(interned: Interned) -> Self {
        interned.names
    }
}
