//! Changed rows, table by table, in the order of their keys.

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

/// What changes in one table. A table may have two of these: rows that are new, and others.
#[derive(Debug)]
pub struct TableChanges {
    /// The table.
    pub table: &'static Table,
    /// Whole rows, which replace those with their keys; each key once, in their order.
    pub put: Vec<Row>,
    /// The log says that none of these keys is in the table yet. A store may insert the rows in a
    /// quicker way for that, and must cope when it is not so.
    pub new: bool,
    /// Keys of rows that go, if they are there.
    pub delete: Vec<Row>,
}

impl Changes {
    /// How many rows are put or removed.
    #[must_use]
    pub fn rows(&self) -> usize {
        let rows = |changes: &TableChanges| changes.put.len() + changes.delete.len();
        self.tables.iter().map(rows).sum()
    }
}

/// Rows of deliveries: those that were owed since the last call, and those that changed.
#[derive(Default)]
pub(super) struct Owed {
    pub(super) new: Vec<Row>,
    pub(super) changed: Vec<Row>,
}

/// Rows of replays that moved: how far they are, and each step.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) progress: Vec<Row>,
    pub(super) steps: Vec<Row>,
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
    pub(super) owed: Owed,
    pub(super) counted: Vec<Row>,
    pub(super) replayed: Moved,
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
        let put = |table, put| (table, put, false, Vec::new());
        let new = |table, put| (table, put, true, Vec::new());
        let tables = [
            put(&partitions::TABLE, fences),
            new(&webhooks::TABLE, self.webhooks),
            new(&deliveries::TABLE, owed.new),
            put(&deliveries::TABLE, owed.changed),
            new(&deliveries::TRANSITIONS, self.transitions),
            new(&attempts::TABLE, self.attempts),
            (&attempts::ANSWERS, answered, false, unanswered),
            (&dead_letters::TABLE, dead, false, alive),
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
            put(&replays::PROGRESS, replayed.progress),
            new(&replays::STEPS, replayed.steps),
        ];
        let changed = tables
            .into_iter()
            .filter_map(|(table, mut put, new, delete)| {
                put.sort_unstable();
                let changes = TableChanges {
                    table,
                    put,
                    new,
                    delete,
                };
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
