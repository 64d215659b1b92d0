//! Values by small numbers, so that a delivery need not hold 16 bytes or more of each.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::Hash;

/// Values in the order in which they were first seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(
    serialize = "T: Clone + Serialize",
    deserialize = "T: Copy + Eq + Hash + Deserialize<'de>"
))]
pub(super) struct Interned<T: Eq + Hash> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Eq + Hash> Default for Interned<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    /// The number of `value`, a new one if it has none.
    pub(super) fn number(&mut self, value: T) -> u32 {
        let fresh = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let values = &mut self.values;
        *self.numbers.entry(value).or_insert_with(|| {
            values.push(value);
            fresh
        })
    }

    /// The value with this number.
    #[must_use]
    pub(super) fn value(&self, number: u32) -> Option<T> {
        let index = usize::try_from(number).ok()?;
        self.values.get(index).copied()
    }
}

impl<T: Copy + Eq + Hash> From<Vec<T>> for Interned<T> {
    fn from(values: Vec<T>) -> Self {
        let numbers = values.iter().copied().zip(0..).collect();
        Self { values, numbers }
    }
}

impl<T: Eq + Hash> From<Interned<T>> for Vec<T> {
    fn from(interned: Interned<T>) -> Self {
        interned.values
    }
}
