//! Questions as SQL, for every store that speaks it.

use super::names::Names;
use crate::project::store::StoreError;
use crate::query::{Condition, Select};
use hooklog_projections::table::{Kind, Value};

/// How a store marks the place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// `?`
    Plain,
    /// `$1`
    #[cfg(feature = "store-postgres")]
    Numbered,
}

/// A statement, and the values of its marks.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    marks: Marks,
}

/// The statement that reads the rows of `select`.
pub(super) fn rows(select: &Select, names: &Names, marks: Marks) -> Result<Statement, StoreError> {
    let mut statement = Statement::begin(&names.selected(select.table)?, select, names, marks)?;
    let direction = if select.descending { " DESC" } else { "" };
    for (place, column) in select.order.iter().enumerate() {
        statement.push(if place == 0 { " ORDER BY " } else { ", " });
        statement.push(column);
        statement.push(direction);
    }
    if let Some(limit) = select.limit {
        statement.push(&format!(" LIMIT {limit}"));
    }
    Ok(statement)
}

/// The statement that counts the rows of `select`.
pub(super) fn count(select: &Select, names: &Names, marks: Marks) -> Result<Statement, StoreError> {
    Statement::begin("count(*)", select, names, marks)
}

impl Statement {
    fn begin(what: &str, select: &Select, names: &Names, marks: Marks) -> Result<Self, StoreError> {
        let name = names.get(select.table)?;
        let mut statement = Self {
            sql: format!("SELECT {what} FROM {name}"),
            values: Vec::new(),
            marks,
        };
        for (place, condition) in select.conditions.iter().enumerate() {
            statement.push(if place == 0 { " WHERE " } else { " AND " });
            statement.clause(select, names, condition)?;
        }
        Ok(statement)
    }

    fn push(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// Marks of these values, separated by commas.
    fn put(&mut self, values: &[Value]) -> String {
        let mut marks = Vec::with_capacity(values.len());
        for value in values {
            self.values.push(value.clone());
            marks.push(match self.marks {
                Marks::Plain => "?".to_owned(),
                #[cfg(feature = "store-postgres")]
                Marks::Numbered => format!("${}", self.values.len()),
            });
        }
        marks.join(",")
    }

    fn compare(&mut self, column: &str, operator: &str, value: &Value) {
        let mark = self.put(std::slice::from_ref(value));
        self.push(&format!("{column} {operator} {mark}"));
    }

    fn clause(
        &mut self,
        select: &Select,
        names: &Names,
        condition: &Condition,
    ) -> Result<(), StoreError> {
        match condition {
            // A word stands in the statement, so that it is seen that a partial index covers it.
            Condition::Is(column, Value::Text(word)) if is_word(select, column, word) => {
                self.push(&format!("{column} = '{word}'"));
            }
            Condition::Is(column, value) => self.compare(column, "=", value),
            Condition::OneOf(_, values) if values.is_empty() => self.push("1 = 0"),
            Condition::OneOf(column, values) => {
                let marks = self.put(values);
                self.push(&format!("{column} IN ({marks})"));
            }
            Condition::AtLeast(column, value) => self.compare(column, ">=", value),
            Condition::Below(column, value) => self.compare(column, "<", value),
            Condition::Before(columns, values) => {
                let marks = self.put(values);
                self.push(&format!("({}) < ({marks})", columns.join(",")));
            }
            Condition::Inside(column, ends) => {
                self.push(&format!("{column} < {}", end("partition", 0, ends)));
            }
            Condition::Outside(column, ends) => {
                self.push(&format!("{column} >= {}", end("partition", 0, ends)));
            }
            Condition::Nothing(column) => self.push(&format!("{column} IS NULL")),
            Condition::Something(column) => self.push(&format!("{column} IS NOT NULL")),
            Condition::Joined {
                column,
                table,
                with: (other, value),
                inside,
            } => {
                let (own, theirs) = (names.get(select.table)?, names.get(table)?);
                let mark = self.put(std::slice::from_ref(value));
                // Correlated, so that a page of the newest rows ends as soon as it is full.
                self.push(&format!(
                    "EXISTS (SELECT 1 FROM {theirs} AS other \
                     WHERE other.{column} = {own}.{column} AND other.{other} = {mark}"
                ));
                if let Some((offset, ends)) = inside {
                    let end = end("other.partition", 0, ends);
                    self.push(&format!(" AND other.{offset} < {end}"));
                }
                self.push(")");
            }
        }
        Ok(())
    }
}

/// The end of the partition that stands in `column`, found by halving, since many rows are asked.
/// The ends stand in the statement as they are: they are numbers.
fn end(column: &str, first: usize, ends: &[i64]) -> String {
    match ends {
        [] => "0".to_owned(),
        [end] => format!("CASE WHEN {column} = {first} THEN {end} ELSE 0 END"),
        _ => {
            let (left, right) = ends.split_at(ends.len() / 2);
            let middle = first + left.len();
            let (left, right) = (end(column, first, left), end(column, middle, right));
            format!("CASE WHEN {column} < {middle} THEN {left} ELSE {right} END")
        }
    }
}

fn is_word(select: &Select, column: &str, word: &str) -> bool {
    let columns = select.table.columns.iter();
    let mut words = columns.filter(|c| c.kind == Kind::Word);
    words.any(|c| c.name == column) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}
