//! The rows that the fold has in hand: what changed, and what it may need again soon.

use super::Decoded;
use super::output::{Moved, Owed};
use crate::counts::{self, CountKey, Counted, Counts};
use crate::deliveries::{self, Delivery};
use crate::delivery::State;
use crate::partitions::Fences;
use crate::replays::{self, Progress, ProgressKey};
use crate::table::{Row, Table, Value};
use hooklog_schemas::deliveries::{LIVE, MatchOutcome, Routed};
use hooklog_schemas::{DeliveryId, Event};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Stored rows that the fold needs to see: a table, and keys of rows that may be there.
#[derive(Debug)]
pub struct Wanted {
    /// The table.
    pub table: &'static Table,
    /// The keys, in their order.
    pub keys: Vec<Row>,
}

/// A stored row is not what its table says.
#[derive(Debug, thiserror::Error)]
#[error("a row of {table} does not read as one ({row}); run `hooklog rebuild`")]
pub struct Unreadable {
    table: &'static str,
    row: String,
}

impl Unreadable {
    pub(super) fn of(table: &Table, row: &Row) -> Self {
        Self {
            table: table.name,
            row: format!("{row:?}"),
        }
    }
}

/// A delivery in hand.
pub(super) struct Held {
    pub(super) delivery: Delivery,
    pub(super) dirty: bool,
    /// Its row was never handed out.
    pub(super) new: bool,
}

/// Everything in hand.
pub(super) struct Memory {
    pub(super) fences: BTreeMap<u32, Fences>,
    changed_fences: BTreeSet<u32>,
    pub(super) deliveries: HashMap<[u8; 16], Held>,
    open_max: usize,
    stored_counts: BTreeMap<CountKey, Counts>,
    new_counts: BTreeMap<CountKey, Counts>,
    stored_progress: BTreeMap<ProgressKey, Progress>,
    /// What each record added, by its offset.
    new_progress: BTreeMap<ProgressKey, BTreeMap<u64, Progress>>,
}

/// Whether the deliveries that `routed` owes are new. Those of a replay, or of a receipt that
/// repeats another, may be there already.
pub(super) fn is_fresh(routed: &Routed) -> bool {
    routed.cause == LIVE && routed.repeats.is_none()
}

/// How many rows of counts are remembered: an hour of a hundred sources or so.
const COUNTS_MAX: usize = 8_192;

/// How many rows of progress are remembered: a hundred replays or so.
const PROGRESS_MAX: usize = 2_048;

impl Memory {
    pub(super) fn new(open_max: usize) -> Self {
        Self {
            fences: BTreeMap::new(),
            changed_fences: BTreeSet::new(),
            deliveries: HashMap::new(),
            open_max,
            stored_counts: BTreeMap::new(),
            new_counts: BTreeMap::new(),
            stored_progress: BTreeMap::new(),
            new_progress: BTreeMap::new(),
        }
    }

    /// The fences of `partition`, which are about to change.
    pub(super) fn fences(&mut self, partition: u32) -> &mut Fences {
        self.changed_fences.insert(partition);
        self.fences.entry(partition).or_default()
    }

    /// A delivery is owed.
    pub(super) fn owed(&mut self, id: [u8; 16], delivery: Delivery) {
        let held = Held {
            delivery,
            dirty: true,
            new: true,
        };
        self.deliveries.insert(id, held);
    }

    pub(super) fn count(&mut self, key: CountKey, what: Counted) {
        let counts = self.new_counts.entry(key).or_default();
        counts[what as usize] += 1;
    }

    /// What the record at `offset` adds to a replay in a partition.
    pub(super) fn replayed(&mut self, key: ProgressKey, offset: u64) -> &mut Progress {
        let steps = self.new_progress.entry(key).or_default();
        steps.entry(offset).or_default()
    }

    pub(super) fn wanted_deliveries(&self, batch: &[Decoded]) -> Wanted {
        let mut named = HashSet::new();
        for decoded in batch {
            match &decoded.event {
                Event::Attempted(attempted) => named.insert(attempted.delivery),
                Event::Requeued(requeued) => named.insert(requeued.delivery),
                Event::Cancelled(cancelled) => named.insert(cancelled.delivery),
                Event::Routed(routed) if !is_fresh(routed) => {
                    named.extend(routed.matches.iter().map(|m| m.delivery));
                    false
                }
                _ => false,
            };
        }
        named.retain(|id| !self.deliveries.contains_key(id.0.as_bytes()));
        // What is only decided in this batch cannot be stored yet.
        for decoded in batch {
            if let Event::Routed(routed) = &decoded.event
                && is_fresh(routed)
                && !self.is_routed(decoded.position.partition.0, routed.webhook.0)
            {
                for owed in &routed.matches {
                    if owed.outcome == MatchOutcome::Owed {
                        named.remove(&owed.delivery);
                    }
                }
            }
        }
        let row = |id: DeliveryId| vec![Value::Id(id.0.into_bytes())];
        let mut keys: Vec<_> = named.into_iter().map(row).collect();
        keys.sort_unstable();
        Wanted {
            table: &deliveries::TABLE,
            keys,
        }
    }

    fn is_routed(&self, partition: u32, webhook: u64) -> bool {
        let fences = self.fences.get(&partition);
        fences.is_some_and(|fences| fences.is_routed(webhook))
    }

    pub(super) fn wanted_counts(&self) -> Wanted {
        let unknown = |key: &&CountKey| !self.stored_counts.contains_key(*key);
        let keys = self.new_counts.keys().filter(unknown);
        Wanted {
            table: &counts::TABLE,
            keys: keys.map(counts::key_row).collect(),
        }
    }

    pub(super) fn wanted_progress(&self) -> Wanted {
        let unknown = |key: &&ProgressKey| !self.stored_progress.contains_key(*key);
        let keys = self.new_progress.keys().filter(unknown);
        Wanted {
            table: &replays::PROGRESS,
            keys: keys.copied().map(replays::progress_key).collect(),
        }
    }

    pub(super) fn remember(&mut self, table: &Table, row: &Row) -> Result<(), Unreadable> {
        let unreadable = || Unreadable::of(table, row);
        if *table == counts::TABLE {
            let (key, counts) = counts::read(row).ok_or_else(unreadable)?;
            self.stored_counts.insert(key, counts);
        } else if *table == replays::PROGRESS {
            let (key, progress) = replays::read_progress(row).ok_or_else(unreadable)?;
            self.stored_progress.insert(key, progress);
        } else {
            let (id, delivery) = Delivery::read(row).ok_or_else(unreadable)?;
            self.deliveries.entry(id).or_insert(Held {
                delivery,
                dirty: false,
                new: false,
            });
        }
        Ok(())
    }

    pub(super) fn take_fences(&mut self) -> Vec<Row> {
        let changed = std::mem::take(&mut self.changed_fences);
        let row = |partition: u32| self.fences.get(&partition).map(|f| f.row(partition));
        changed.into_iter().filter_map(row).collect()
    }

    pub(super) fn take_deliveries(&mut self) -> Owed {
        let open = |held: &Held| matches!(held.delivery.state, State::Open { .. });
        let crowded = self.deliveries.values().filter(|held| open(held)).count() > self.open_max;
        let mut owed = Owed::default();
        self.deliveries.retain(|id, held| {
            if std::mem::take(&mut held.dirty) {
                let rows = match std::mem::take(&mut held.new) {
                    true => &mut owed.new,
                    false => &mut owed.changed,
                };
                rows.push(held.delivery.row(*id));
            }
            open(held) && !crowded
        });
        owed
    }

    pub(super) fn take_counts(&mut self) -> Vec<Row> {
        if self.stored_counts.len() > COUNTS_MAX {
            let new = &self.new_counts;
            self.stored_counts.retain(|key, _| new.contains_key(key));
        }
        let mut rows = Vec::with_capacity(self.new_counts.len());
        for (key, new) in std::mem::take(&mut self.new_counts) {
            let counts = self.stored_counts.entry(key.clone()).or_default();
            for (count, new) in counts.iter_mut().zip(new) {
                *count += new;
            }
            rows.push(counts::row(&key, counts));
        }
        rows
    }

    pub(super) fn take_progress(&mut self) -> Moved {
        if self.stored_progress.len() > PROGRESS_MAX {
            let new = &self.new_progress;
            self.stored_progress.retain(|key, _| new.contains_key(key));
        }
        let mut moved = Moved::default();
        for (key, steps) in std::mem::take(&mut self.new_progress) {
            let progress = self.stored_progress.entry(key).or_default();
            let mut changed = 0;
            for (offset, step) in steps {
                progress.add(&step);
                moved.steps.push(replays::step_row(key, offset, progress));
                changed = offset;
            }
            let row = replays::progress_row(key, changed, progress);
            moved.progress.push(row);
        }
        moved
    }
}
