//! Which replays there are, who asked for them and why, and how far each partition has come.

use crate::changes::{COLUMNS, json};
use crate::configuration::Replay;
use crate::projection::{Earlier, Projection};
use crate::table::{Column, Kind, Row, Table, Value, column, joined, optional};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "replays",
    version: 2,
    tables: &[&TABLE, &HISTORY, &PROGRESS, &STEPS],
    reads: &["partitions", "deliveries"],
    earlier: &[Earlier {
        version: 1,
        tables: &[&TABLE, &HISTORY, &PROGRESS_V1],
    }],
};

/// One row a replay, cancelled ones too.
pub const TABLE: Table = Table {
    name: "replays",
    key: 1,
    columns: &[
        column("id", Kind::Id),
        column("control_offset", Kind::Integer),
        column("version", Kind::Id),
        column("paused", Kind::Integer),
        column("cancelled", Kind::Integer),
        column("requested_at", Kind::Integer),
        column("actor", Kind::Text),
        optional("why", Kind::Text),
        column("webhooks", Kind::Integer),
        column("spec", Kind::Text),
    ],
};

/// One row a change.
pub const HISTORY: Table = Table {
    name: "replay_changes",
    key: 2,
    columns: &COLUMNS,
};

/// One row a replay and partition that has begun with it. Sums over all partitions are read.
pub const PROGRESS: Table = Table {
    name: "replay_progress",
    key: 2,
    columns: &joined::<15>(&[&KEY, &COUNTS, &[optional("changed_offset", Kind::Integer)]]),
};

/// [`PROGRESS`] before it told which record changed it last.
const PROGRESS_V1: Table = Table {
    name: "replay_progress",
    key: 2,
    columns: &joined::<14>(&[&KEY, &COUNTS]),
};

/// One row a record that moved a replay: its row of [`PROGRESS`] after that. They are never changed,
/// so they tell how far it was at a point of the past.
pub const STEPS: Table = Table {
    name: "replay_steps",
    key: 3,
    columns: &joined::<15>(&[&KEY, &[column("record_offset", Kind::Integer)], &COUNTS]),
};

const KEY: [Column; 2] = [
    column("replay", Kind::Id),
    column("partition", Kind::Integer),
];

const COUNTS: [Column; 12] = [
    column("next_offset", Kind::Integer),
    column("filtered", Kind::Integer),
    column("unmatched", Kind::Integer),
    column("repeats", Kind::Integer),
    column("skipped", Kind::Integer),
    column("left_out", Kind::Integer),
    column("owed", Kind::Integer),
    column("delivered", Kind::Integer),
    column("dead", Kind::Integer),
    column("cancelled", Kind::Integer),
    optional("started_at", Kind::Integer),
    optional("finished_at", Kind::Integer),
];

/// The row of a replay as it stands.
pub(crate) fn row(replay: &Replay) -> Row {
    vec![
        Value::Id(replay.id.0.into_bytes()),
        Value::count(replay.offset.0),
        Value::Id(replay.version.0.into_bytes()),
        Value::truth(replay.paused),
        Value::truth(replay.cancelled),
        Value::Int(replay.by.at.0),
        Value::text(&replay.by.actor),
        Value::text_or_null(replay.by.why.as_deref()),
        Value::count(replay.total()),
        Value::text(&json(&replay.spec).unwrap_or_default()),
    ]
}

/// A replay and a partition.
pub(crate) type ProgressKey = ([u8; 16], u32);

/// What is counted: the place in [`Progress::counts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    Skipped,
    LeftOut,
    Owed,
    Delivered,
    Dead,
    Cancelled,
}

/// How far a partition has come, or what a record adds to that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) next: u64,
    /// Passed over before `next`: filtered, unmatched, repeats. They only grow.
    pub(crate) passed: [u64; 3],
    pub(crate) counts: [i64; 6],
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
}

impl Progress {
    pub(crate) fn count(&mut self, what: Replayed, by: i64) {
        self.counts[what as usize] += by;
    }

    pub(crate) fn reached(&mut self, next: u64, passed: [u64; 3]) {
        self.next = self.next.max(next);
        for (kept, new) in self.passed.iter_mut().zip(passed) {
            *kept = new.max(*kept);
        }
    }

    /// Adds what came later.
    pub(crate) fn add(&mut self, later: &Self) {
        self.reached(later.next, later.passed);
        for (kept, new) in self.counts.iter_mut().zip(later.counts) {
            *kept += new;
        }
        self.started_at = self.started_at.or(later.started_at);
        self.finished_at = self.finished_at.or(later.finished_at);
    }

    /// In the order of the tables' columns.
    fn values(&self) -> impl Iterator<Item = Value> {
        let passed = self.passed.map(Value::count);
        let times = [self.started_at, self.finished_at].map(Value::int_or_null);
        let counts = self.counts.map(Value::Int);
        let next = Value::count(self.next);
        [next].into_iter().chain(passed).chain(counts).chain(times)
    }
}

pub(crate) fn progress_key((replay, partition): ProgressKey) -> Row {
    vec![Value::Id(replay), Value::Int(i64::from(partition))]
}

/// The row of [`PROGRESS`], which the record at `changed` changed last.
pub(crate) fn progress_row(key: ProgressKey, changed: u64, progress: &Progress) -> Row {
    let mut row = progress_key(key);
    row.extend(progress.values());
    row.push(Value::count(changed));
    row
}

/// The row of [`STEPS`]: `progress` after the record at `offset`.
pub(crate) fn step_row(key: ProgressKey, offset: u64, progress: &Progress) -> Row {
    let mut row = progress_key(key);
    row.push(Value::count(offset));
    row.extend(progress.values());
    row
}

/// The key and the progress of a row; `None` if it is not a row of [`PROGRESS`].
pub(crate) fn read_progress(row: &[Value]) -> Option<(ProgressKey, Progress)> {
    let int = |place: usize| row.get(place)?.as_int();
    let count = |place: usize| u64::try_from(int(place)?).ok();
    let key = (row.first()?.as_id()?, u32::try_from(int(1)?).ok()?);
    let progress = Progress {
        next: count(2)?,
        passed: [count(3)?, count(4)?, count(5)?],
        counts: [int(6)?, int(7)?, int(8)?, int(9)?, int(10)?, int(11)?],
        started_at: int(12),
        finished_at: int(13),
    };
    Some((key, progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_reads_as_it_was_written_and_adds_up() {
        let key = ([7; 16], 3);
        let mut progress = Progress {
            started_at: Some(5),
            ..Progress::default()
        };
        progress.reached(9, [1, 2, 3]);
        progress.count(Replayed::Owed, 2);
        assert_eq!(
            read_progress(&progress_row(key, 4, &progress)),
            Some((key, progress.clone()))
        );
        let mut later = Progress {
            finished_at: Some(8),
            ..Progress::default()
        };
        later.reached(12, [1, 2, 4]);
        later.count(Replayed::Delivered, 1);
        progress.add(&later);
        assert_eq!((progress.next, progress.passed), (12, [1, 2, 4]));
        assert_eq!(progress.counts, [0, 0, 2, 1, 0, 0]);
        assert_eq!(progress.finished_at, Some(8));
    }
}
