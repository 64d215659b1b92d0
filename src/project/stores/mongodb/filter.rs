//! Questions as filters.

use super::ends::{inside, outside};
use super::versions::{KEY, bson, key};
use crate::query::{Condition, Select};
use hooklog_projections::table::{Table, Value};
use mongodb::bson::{Bson, Document, doc};

/// A condition on another table.
pub(super) struct Joined<'a> {
    /// The column that both tables have.
    pub(super) column: &'static str,
    pub(super) table: &'static Table,
    with: (&'static str, &'a Value),
    /// What must lie before the ends of partitions.
    inside: Option<(&'static str, &'a [i64])>,
}

impl Joined<'_> {
    /// What holds for rows of the other table that have one of these values in the column.
    pub(super) fn filter(&self, values: Vec<Bson>) -> Vec<Document> {
        let mut clauses = vec![self.has(values)];
        clauses.extend(self.theirs());
        clauses
    }

    /// What holds for rows of either table that have one of these values in the column.
    pub(super) fn has(&self, values: Vec<Bson>) -> Document {
        one_of(self.column, values)
    }

    /// What holds for the rows of the other table that are looked for.
    pub(super) fn theirs(&self) -> Vec<Document> {
        let (column, value) = self.with;
        let mut clauses = vec![compare(column, "$eq", value)];
        clauses.extend(self.inside.map(|(offset, ends)| inside(offset, ends)));
        clauses
    }
}

/// What holds for the rows of `select`, but for conditions on other tables.
pub(super) fn filter(select: &Select) -> Vec<Document> {
    let conditions = select.conditions.iter();
    let clauses = conditions.filter_map(|condition| clause(select.table, condition));
    clauses.collect()
}

/// The conditions on other tables.
pub(super) fn joined(select: &Select) -> Option<Joined<'_>> {
    let mut conditions = select.conditions.iter();
    conditions.find_map(|condition| match condition {
        Condition::Joined {
            column,
            table,
            with: (other, value),
            inside,
        } => Some(Joined {
            column,
            table,
            with: (other, value),
            inside: inside.as_ref().map(|(offset, ends)| (*offset, &**ends)),
        }),
        _ => None,
    })
}

/// The columns that `select` compares, each with its table.
pub(super) fn compared(select: &Select) -> Vec<(&'static Table, &'static str)> {
    let mut columns = Vec::new();
    for condition in &select.conditions {
        let own = condition.columns();
        columns.extend(own.into_iter().map(|column| (select.table, column)));
    }
    if let Some(joined) = joined(select) {
        let offset = joined.inside.map(|(offset, _)| offset);
        let theirs = [joined.column, joined.with.0].into_iter().chain(offset);
        columns.extend(theirs.map(|column| (joined.table, column)));
    }
    columns
}

/// The order of the rows.
pub(super) fn order(select: &Select) -> Document {
    let direction = if select.descending { -1 } else { 1 };
    let columns = select.order.iter();
    columns
        .map(|column| ((*column).to_owned(), Bson::Int32(direction)))
        .collect()
}

fn clause(table: &Table, condition: &Condition) -> Option<Document> {
    Some(match condition {
        // The text of the key has an index; the column has none.
        Condition::Is(column, value) if is_key(table, column) => {
            doc! {KEY: key(std::slice::from_ref(value))}
        }
        Condition::OneOf(column, values) if is_key(table, column) => {
            let keys = values.iter().map(|value| key(std::slice::from_ref(value)));
            one_of(KEY, keys.map(Bson::String).collect())
        }
        Condition::Is(column, value) => compare(column, "$eq", value),
        Condition::OneOf(column, values) => {
            let some = values.iter().filter(|value| **value != Value::Null);
            one_of(column, some.map(bson).collect())
        }
        Condition::AtLeast(column, value) => compare(column, "$gte", value),
        Condition::Below(column, value) => compare(column, "$lt", value),
        Condition::Before(columns, values) => before(columns, values),
        Condition::Inside(column, ends) => inside(column, ends),
        Condition::Outside(column, ends) => outside(column, ends),
        Condition::Nothing(column) => doc! {*column: Bson::Null},
        Condition::Something(column) => doc! {*column: {"$ne": Bson::Null}},
        Condition::Joined { .. } => return None,
    })
}

/// Whether the column is the whole key.
fn is_key(table: &Table, column: &str) -> bool {
    table.key == 1 && table.columns.first().is_some_and(|key| key.name == column)
}

/// Nothing is equal to nothing, nor before or after it.
fn compare(column: &str, operator: &str, value: &Value) -> Document {
    match value {
        Value::Null => one_of(column, Vec::new()),
        value => doc! {column: {operator: bson(value)}},
    }
}

fn one_of(column: &str, values: Vec<Bson>) -> Document {
    doc! {column: {"$in": values}}
}

/// The first column that differs decides. That none of the first is larger is said besides, so that
/// an index is walked from there.
fn before(columns: &[&str], values: &[Value]) -> Document {
    let places = 0..columns.len().min(values.len());
    let differs = places.map(|place| {
        let mut same: Document = (0..place)
            .map(|place| (columns[place].to_owned(), bson(&values[place])))
            .collect();
        same.extend(compare(columns[place], "$lt", &values[place]));
        same
    });
    let mut filter = doc! {"$or": differs.collect::<Vec<_>>()};
    if let (Some(column), Some(value)) = (columns.first(), values.first()) {
        filter.extend(compare(column, "$lte", value));
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_projections::{attempts, deliveries, webhooks};

    #[test]
    fn what_follows_a_page_comes_before_its_last_row_in_any_column() {
        let values = [Value::Int(7), Value::text("b")];
        let expected = doc! {
            "$or": [{"at": {"$lt": 7_i64}}, {"at": 7_i64, "name": {"$lt": "b"}}],
            "at": {"$lte": 7_i64},
        };
        assert_eq!(before(&["at", "name"], &values), expected);
    }

    #[test]
    fn a_condition_on_nothing_holds_for_no_row() {
        let never = doc! {"error": {"$in": []}};
        for operator in ["$eq", "$gte", "$lt"] {
            assert_eq!(compare("error", operator, &Value::Null), never);
        }
        let one_of = Condition::OneOf("error", vec![Value::Null]);
        assert_eq!(clause(&attempts::TABLE, &one_of), Some(never));
    }

    #[test]
    fn a_row_is_found_by_the_text_of_its_key() {
        let id = Value::Id([1; 16]);
        let found = doc! {KEY: "01".repeat(16)};
        let is = Condition::Is("id", id.clone());
        assert_eq!(clause(&deliveries::TABLE, &is), Some(found));
        let receipt = Condition::Is("receipt", id.clone());
        let found = doc! {"receipt": {"$eq": bson(&id)}};
        assert_eq!(clause(&deliveries::TABLE, &receipt), Some(found));
    }

    #[test]
    fn what_lies_outside_in_the_other_table_is_not_there() {
        let select = Select::oldest(&webhooks::TABLE, &[]).and(Condition::Joined {
            column: "receipt",
            table: &deliveries::TABLE,
            with: ("state", Value::text("open")),
            inside: Some(("decision_offset", [7].into())),
        });
        let clauses = joined(&select).unwrap().filter(Vec::new());
        assert_eq!(clauses.last(), Some(&inside("decision_offset", &[7])));
        let columns: Vec<_> = compared(&select)
            .iter()
            .map(|(_, column)| *column)
            .collect();
        assert_eq!(columns, ["receipt", "receipt", "state", "decision_offset"]);
    }
}
