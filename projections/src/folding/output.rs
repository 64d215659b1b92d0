//! Changed rows, table by table, in the order of their keys.

use crate::projection::PROJECTIONS;
use crate::table::{Row, Table, Value};
use crate::{
    attempts, counts, dead_letters, deliveries, erasures, partitions, reads, replays, sources,
    subscriptions, webhooks,
};
use hooklog_schemas::deliveries::Answered;
use hooklog_schemas::{Key, Position};
use std::collections::BTreeMap;

/// What is to be written: whole rows and keys of rows to remove, table by table.
#[derive(Debug, Default)]
pub struct Changes {
    /// The tables that change.
    pub tables: Vec<TableChanges>,
}

/// What changes in one table.
#[derive(Debug)]
pub struct TableChanges {
    /// The table.
    pub table: &'static Table,
    /// Whole rows, which replace those with their keys; each key once, in their order.
    pub put: Vec<Row>,
    /// Keys of rows that go, if they are there.
    pub delete: Vec<Row>,
}

impl Changes {
    /// Drops the tables of projections other than these.
    pub fn retain(&mut self, names: &[&str]) {
        let kept = PROJECTIONS.iter().filter(|p| names.contains(&p.name));
        let tables: Vec<_> = kept.flat_map(|p| p.tables).map(|t| t.name).collect();
        self.tables.retain(|c| tables.contains(&c.table.name));
    }

    /// How many rows are put or removed.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = |changes: &TableChanges| changes.put.len() + changes.delete.len();
        self.tables.iter().map(rows).sum()
    }
}

/// Rows that the fold has made, and does not need to see again.
#[derive(Default)]
pub(super) struct Output {
    pub(super) webhooks: Vec<Row>,
    pub(super) transitions: Vec<Row>,
    pub(super) attempts: Vec<Row>,
    answers: BTreeMap<[u8; 16], Option<Row>>,
    pub(super) dead_letters: BTreeMap<[u8; 16], Option<Row>>,
    pub(super) subscriptions: BTreeMap<[u8; 16], Row>,
    pub(super) subscription_changes: Vec<Row>,
    pub(super) sources: BTreeMap<[u8; 16], Row>,
    pub(super) source_changes: Vec<Row>,
    pub(super) erasures: Vec<Row>,
    pub(super) reads: Vec<Row>,
    pub(super) replays: BTreeMap<[u8; 16], Row>,
    pub(super) replay_changes: Vec<Row>,
}

/// Rows that the fold may need to see again.
pub(super) struct Taken {
    pub(super) fences: Vec<Row>,
    pub(super) owed: Vec<Row>,
    pub(super) counted: Vec<Row>,
    pub(super) replayed: Vec<Row>,
}

impl Output {
    pub(super) fn answered(&mut self, position: Position, key: Key, answered: &Answered) {
        let row = attempts::answer_row(position, key, answered);
        self.answers.insert(key.0.into_bytes(), Some(row));
    }

    pub(super) fn erased(&mut self, key: Key) {
        self.answers.insert(key.0.into_bytes(), None);
    }

    pub(super) fn changes(self, taken: Taken) -> Changes {
        let Taken {
            fences,
            owed,
            counted,
            replayed,
        } = taken;
        let (answered, unanswered) = split(self.answers);
        let (dead, alive) = split(self.dead_letters);
        let put = |table, put| (table, put, Vec::new());
        let tables = [
            put(&partitions::TABLE, fences),
            put(&webhooks::TABLE, self.webhooks),
            put(&deliveries::TABLE, owed),
            put(&deliveries::TRANSITIONS, self.transitions),
            put(&attempts::TABLE, self.attempts),
            (&attempts::ANSWERS, answered, unanswered),
            (&dead_letters::TABLE, dead, alive),
            put(&counts::TABLE, counted),
            put(
                &subscriptions::TABLE,
                self.subscriptions.into_values().collect(),
            ),
            put(&subscriptions::HISTORY, self.subscription_changes),
            put(&sources::TABLE, self.sources.into_values().collect()),
            put(&sources::HISTORY, self.source_changes),
            put(&erasures::TABLE, self.erasures),
            put(&reads::TABLE, self.reads),
            put(&replays::TABLE, self.replays.into_values().collect()),
            put(&replays::HISTORY, self.replay_changes),
            put(&replays::PROGRESS, replayed),
        ];
        let changed = tables.into_iter().filter_map(|(table, mut put, delete)| {
            put.sort_unstable();
            let changes = TableChanges { table, put, delete };
            (!changes.put.is_empty() || !changes.delete.is_empty()).then_some(changes)
        });
        Changes {
            tables: changed.collect(),
        }
    }
}

fn split(rows: BTreeMap<[u8; 16], Option<Row>>) -> (Vec<Row>, Vec<Row>) {
    let mut put = Vec::new();
    let mut delete = Vec::new();
    for (key, row) in rows {
        match row {
            Some(row) => put.push(row),
            None => delete.push(vec![Value::Id(key)]),
        }
    }
    (put, delete)
}
