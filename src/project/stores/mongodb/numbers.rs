//! Numbers of writes, as ranges: writes that fail one after the other take no more room than one.

use super::versions::first_id;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

/// Numbers, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Numbers(Vec<Range>);

/// All numbers from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    first: i64,
    last: i64,
}

impl Numbers {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many ranges they are.
    pub(super) const fn ranges(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, number: i64) {
        self.join(&Self(vec![Range::from_to(number, number)]));
    }

    /// Adds those of others. Only ranges between which no number lies become one: a number between
    /// them may be one that counts.
    pub(super) fn join(&mut self, others: &Self) {
        let mut ranges = std::mem::take(&mut self.0);
        ranges.extend(&others.0);
        ranges.sort_unstable_by_key(|range| range.first);
        for range in ranges {
            match self.0.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last);
                }
                _ => self.0.push(range),
            }
        }
    }

    /// Takes one out; tells whether it was there.
    pub(super) fn remove(&mut self, number: i64) -> bool {
        let others = self.without(number);
        let was_there = others != *self;
        *self = others;
        was_there
    }

    /// All but this one.
    pub(super) fn without(&self, number: i64) -> Self {
        let parts = self.0.iter().flat_map(|range| {
            let before = Range::from_to(range.first, range.last.min(number - 1));
            let after = Range::from_to(range.first.max(number + 1), range.last);
            [before, after]
        });
        Self(parts.filter(|part| part.first <= part.last).collect())
    }

    /// Those after this one.
    pub(super) fn after(&self, number: i64) -> Self {
        let later = self.0.iter().filter(|range| range.last > number);
        let later = later.map(|range| Range::from_to(range.first.max(number + 1), range.last));
        Self(later.collect())
    }

    /// The same in parts of so many ranges.
    pub(super) fn parts(&self, ranges: usize) -> impl Iterator<Item = Self> {
        self.0.chunks(ranges).map(|part| Self(part.to_vec()))
    }

    /// One of these clauses holds where the field has one of the numbers. There is none if there are
    /// no numbers.
    pub(super) fn clauses(&self, field: &str) -> Vec<Document> {
        let is_one = |range: &&Range| range.first == range.last;
        let (ones, ranges): (Vec<&Range>, Vec<_>) = self.0.iter().partition(is_one);
        let ranges = ranges.iter();
        let mut clauses: Vec<_> = ranges
            .map(|range| doc! {field: {"$gte": range.first, "$lte": range.last}})
            .collect();
        if !ones.is_empty() {
            let ones: Vec<_> = ones.iter().map(|one| one.first).collect();
            clauses.push(doc! {field: {"$in": ones}});
        }
        clauses
    }

    /// One of these clauses holds for what these writes brought. The ids have an index.
    pub(super) fn brought(&self) -> Vec<Document> {
        let ids = |range: &Range| {
            let (first, end) = (first_id(range.first), first_id(range.last + 1));
            doc! {"_id": {"$gte": first, "$lt": end}}
        };
        self.0.iter().map(ids).collect()
    }
}

impl Range {
    const fn from_to(first: i64, last: i64) -> Self {
        Self { first, last }
    }
}

#[cfg(test)]
impl From<&[i64]> for Numbers {
    fn from(numbers: &[i64]) -> Self {
        let mut all = Self::default();
        numbers.iter().for_each(|number| all.add(*number));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[i64]) -> Numbers {
        numbers.into()
    }

    #[test]
    fn only_numbers_without_another_between_them_become_a_range() {
        let mut some = numbers(&[7, 3, 4, 9, 5]);
        assert_eq!(
            some.0,
            [(3, 5), (7, 7), (9, 9)].map(|(a, b)| Range::from_to(a, b))
        );
        some.join(&numbers(&[4, 8, 12]));
        assert_eq!(
            some.0,
            [(3, 5), (7, 9), (12, 12)].map(|(a, b)| Range::from_to(a, b))
        );
    }

    #[test]
    fn one_that_is_taken_out_leaves_the_others() {
        let mut some = numbers(&[3, 4, 5, 9]);
        assert!(some.remove(4));
        assert!(!some.remove(4));
        assert_eq!(some, numbers(&[3, 5, 9]));
        assert!(some.remove(9) && some.remove(3) && some.remove(5));
        assert!(some.is_empty());
        assert_eq!(numbers(&[3, 4, 5, 9]).after(4), numbers(&[5, 9]));
        assert!(numbers(&[3]).after(3).is_empty());
    }

    #[test]
    fn a_clause_holds_for_each_range_and_one_for_what_is_alone() {
        let some = numbers(&[3, 4, 5, 7, 9]);
        let expected = [
            doc! {"_from": {"$gte": 3_i64, "$lte": 5_i64}},
            doc! {"_from": {"$in": [7_i64, 9_i64]}},
        ];
        assert_eq!(some.clauses("_from"), expected);
        assert!(Numbers::default().clauses("_from").is_empty());
        let ids = doc! {"_id": {"$gte": 3_i64 << 24, "$lt": 6_i64 << 24}};
        assert_eq!(some.brought().first(), Some(&ids));
    }
}
