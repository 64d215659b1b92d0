//! Questions to one table, as data: every store turns them into its own language.

use super::QueryError;
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::{Row, Table, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tables that can be asked.
///
/// # Rules for implementers
/// - A snapshot sees one state of all tables: rows and checkpoint of the same transactions.
/// - It reads the tables that are active when it begins, and keeps them until it is dropped.
/// - Text and ids are compared byte by byte. A condition on nothing holds for no row.
#[async_trait]
pub trait Tables: Send + Sync {
    /// Begins to read.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, QueryError>;
}

/// One state of all tables.
#[async_trait]
pub trait Snapshot: Send {
    /// The rows that `select` asks for.
    async fn select(&mut self, select: &Select) -> Result<Vec<Row>, QueryError>;

    /// How many rows meet the conditions of `select`; order and limit do not matter.
    async fn count(&mut self, select: &Select) -> Result<u64, QueryError>;

    /// In which versions the projections are in these tables.
    fn versions(&self) -> &BTreeMap<String, u32>;

    /// Up to where the log is in these tables.
    async fn checkpoint(&mut self) -> Result<Checkpoint, QueryError>;
}

/// Rows of one table: those that meet all conditions, in an order, up to a limit.
#[derive(Clone, Debug)]
pub struct Select {
    /// The table.
    pub table: &'static Table,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
    /// The columns that order the rows, all in the same direction.
    pub order: &'static [&'static str],
    /// The largest first.
    pub descending: bool,
    /// Rows at the most.
    pub limit: Option<usize>,
}

/// A condition on columns.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The column has this value.
    Is(&'static str, Value),
    /// The column has one of these values; none holds for no row.
    OneOf(&'static str, Vec<Value>),
    /// The column has this value or a larger one.
    AtLeast(&'static str, Value),
    /// The column has a smaller value.
    Below(&'static str, Value),
    /// The columns together come before these values: what follows a page.
    Before(&'static [&'static str], Vec<Value>),
    /// In this column stands an offset before the end of the row's `partition`: its place in this
    /// list, where a partition that is missing ends at 0.
    Inside(&'static str, Arc<[i64]>),
    /// In this column stands an offset at or behind that end.
    Outside(&'static str, Arc<[i64]>),
    /// The column holds nothing.
    Nothing(&'static str),
    /// The column holds something.
    Something(&'static str),
    /// Another table has a row with the same value in its column of the same name, and this value in
    /// another column.
    Joined {
        /// The column that both tables have.
        column: &'static str,
        /// The other table.
        table: &'static Table,
        /// The other column of that table, and its value.
        with: (&'static str, Value),
        /// What must lie inside of that row, as in [`Condition::Inside`].
        inside: Option<(&'static str, Arc<[i64]>)>,
    },
}

/// The column that says to which partition a row belongs.
const PARTITION: &str = "partition";

impl Condition {
    /// The columns that it compares in the table that is asked.
    #[must_use]
    pub fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Is(column, _)
            | Self::OneOf(column, _)
            | Self::AtLeast(column, _)
            | Self::Below(column, _)
            | Self::Nothing(column)
            | Self::Something(column)
            | Self::Joined { column, .. } => vec![column],
            Self::Before(columns, _) => columns.to_vec(),
            Self::Inside(column, _) | Self::Outside(column, _) => vec![PARTITION, column],
        }
    }
}

impl Select {
    /// All rows of `table`, by these columns, the largest first.
    #[must_use]
    pub const fn newest(table: &'static Table, order: &'static [&'static str]) -> Self {
        Self {
            table,
            conditions: Vec::new(),
            order,
            descending: true,
            limit: None,
        }
    }

    /// All rows of `table`, by these columns, the smallest first.
    #[must_use]
    pub fn oldest(table: &'static Table, order: &'static [&'static str]) -> Self {
        Self {
            descending: false,
            ..Self::newest(table, order)
        }
    }

    /// With this condition too.
    #[must_use]
    pub fn and(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// With this condition too, if there is one.
    #[must_use]
    pub fn and_if(mut self, condition: Option<Condition>) -> Self {
        self.conditions.extend(condition);
        self
    }

    /// The same question to another table; none if that lacks a column.
    #[must_use]
    pub fn asked_of(&self, table: &'static Table) -> Option<Self> {
        let compared = self.conditions.iter().flat_map(Condition::columns);
        let mut columns = compared.chain(self.order.iter().copied());
        let has_all = columns.all(|column| table.place(column).is_some());
        has_all.then(|| Self {
            table,
            ..self.clone()
        })
    }

    /// At most `limit` rows.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }
}
