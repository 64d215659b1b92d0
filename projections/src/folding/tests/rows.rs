//! Folds given events into rows, whatever the batches.

use super::super::*;
use super::given::Given;
use crate::table::{Table, Value};
use hooklog_schemas::{EventId, Offset, Record};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A store in memory: whole rows by table and key.
#[derive(Default)]
pub(super) struct Rows(BTreeMap<&'static str, BTreeMap<Row, Row>>);

impl Rows {
    fn apply(&mut self, changes: Changes) {
        for changes in changes.tables {
            let rows = self.0.entry(changes.table.name).or_default();
            for key in changes.delete {
                rows.remove(&key);
            }
            for row in changes.put {
                rows.insert(row[..changes.table.key].to_vec(), row);
            }
        }
    }

    fn load(&self, folding: &mut Folding, wanted: &Wanted) {
        let none = BTreeMap::new();
        let table = self.0.get(wanted.table.name).unwrap_or(&none);
        let rows = wanted.keys.iter().filter_map(|key| table.get(key).cloned());
        let rows: Vec<_> = rows.collect();
        folding.remember(wanted.table, &rows).unwrap();
    }

    pub(super) fn of(&self, table: &Table) -> Vec<&Row> {
        self.0
            .get(table.name)
            .map_or(Vec::new(), |rows| rows.values().collect())
    }

    /// The columns of the only row of a table.
    pub(super) fn only(&self, table: &Table, columns: &[&str]) -> Vec<Value> {
        let rows = self.of(table);
        assert_eq!(rows.len(), 1, "{rows:?}");
        pick(table, rows[0], columns)
    }
}

pub(super) fn pick(table: &Table, row: &Row, columns: &[&str]) -> Vec<Value> {
    let place = |name: &&str| table.place(name).unwrap();
    columns
        .iter()
        .map(|name| row[place(name)].clone())
        .collect()
}

/// Folds everything in batches of `size`, forgetting between them what can be forgotten.
fn folded_by(given: &Given, size: usize, open_max: usize) -> Rows {
    let mut tails = BTreeMap::new();
    let decoded = given.appends.iter().map(|(topic, append)| {
        let tail: &mut u64 = tails.entry(*topic).or_default();
        let record = Record::placed(append.clone(), *topic, Offset(*tail), append.at);
        *tail += 1;
        Decoded::of(&record).unwrap()
    });
    let decoded: Vec<_> = decoded.collect();
    let start = Checkpoint::start(EventId(Uuid::nil()));
    let mut folding = Folding::resume(start, Configuration::default(), &[], open_max).unwrap();
    let mut rows = Rows::default();
    for batch in decoded.chunks(size) {
        let wanted = folding.wanted_before(batch);
        rows.load(&mut folding, &wanted);
        batch.iter().for_each(|decoded| folding.fold(decoded));
        for wanted in &folding.wanted_after() {
            rows.load(&mut folding, wanted);
        }
        rows.apply(folding.take());
    }
    rows
}

pub(super) fn folded(given: &Given) -> Rows {
    let whole = folded_by(given, 10_000, 10_000);
    for (size, open_max) in [(1, 0), (2, 10), (3, 0)] {
        let parts = folded_by(given, size, open_max);
        assert_eq!(parts.0, whole.0, "batches of {size}");
    }
    whole
}
