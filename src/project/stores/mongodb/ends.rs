//! What lies before or behind the ends of partitions, as filters.

use mongodb::bson::{Document, doc};

/// The column that says of which partition a row is.
pub(super) const PARTITION: &str = "partition";

/// In this column stands an offset before the end of the row's partition.
pub(super) fn inside(column: &str, ends: &[i64]) -> Document {
    compare(column, "$lt", ends)
}

/// In this column stands an offset at that end, or behind it.
pub(super) fn outside(column: &str, ends: &[i64]) -> Document {
    compare(column, "$gte", ends)
}

/// One clause a partition, so that an index that begins with the partition answers each of them. A
/// partition that is missing ends at 0.
fn compare(column: &str, operator: &str, ends: &[i64]) -> Document {
    let mut number = 0_i64;
    let mut clauses = Vec::with_capacity(ends.len() + 1);
    for end in ends {
        clauses.push(doc! {PARTITION: number, column: {operator: *end}});
        number += 1;
    }
    clauses.push(doc! {PARTITION: {"$gte": number}, column: {operator: 0_i64}});
    doc! {"$or": clauses}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_compared_with_the_end_of_its_own_partition() {
        let expected = doc! {"$or": [
            {"partition": 0_i64, "at": {"$lt": 7_i64}},
            {"partition": 1_i64, "at": {"$lt": 0_i64}},
            {"partition": {"$gte": 2_i64}, "at": {"$lt": 0_i64}},
        ]};
        assert_eq!(inside("at", &[7, 0]), expected);
        let expected = doc! {"$or": [{"partition": {"$gte": 0_i64}, "at": {"$gte": 0_i64}}]};
        assert_eq!(outside("at", &[]), expected);
    }
}
