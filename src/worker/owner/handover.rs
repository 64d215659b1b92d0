//! Gives partitions up: after what is under way has ended, or at once when they are lost.

use super::{FINISH_MAX, Owner};
use crate::log::ownership::Handover;
use crate::metrics::PartitionLabel;
use hooklog_schemas::Partition;
use std::collections::BTreeSet;
use std::time::Instant;

/// Partitions that go to another worker.
pub(super) struct Leaving {
    partitions: BTreeSet<Partition>,
    since: Instant,
    /// Dropped when they may go.
    _handover: Handover,
}

impl Owner {
    /// Starts nothing more in these partitions, and hands them over when attempts that are under
    /// way have ended, or a few seconds later.
    pub(super) fn revoke(&mut self, partitions: Vec<Partition>, handover: Handover) {
        let mut acting = BTreeSet::new();
        for partition in partitions {
            self.restoring.remove(&partition);
            self.contested.remove(&partition);
            if let Some(owned) = self.owned.get_mut(&partition) {
                owned.leaving = true;
                acting.insert(partition);
            }
        }
        self.leaving.push(Leaving {
            partitions: acting,
            since: Instant::now(),
            _handover: handover,
        });
    }

    /// Forgets partitions that are another worker's already.
    pub(super) fn lose(&mut self, partitions: Vec<Partition>) {
        for partition in partitions {
            tracing::warn!(%partition, "lost: another worker has it, or will soon");
            self.restoring.remove(&partition);
            self.contested.remove(&partition);
            self.drop_partition(partition);
        }
    }

    /// Hands over what has come to its end.
    pub(super) async fn leave_some(&mut self) {
        let all = std::mem::take(&mut self.leaving);
        for leaving in all {
            let done = |partition| !self.is_busy(partition);
            let done = leaving.partitions.iter().all(|partition| done(*partition));
            if done || leaving.since.elapsed() >= FINISH_MAX {
                for partition in &leaving.partitions {
                    self.save_one(*partition).await;
                    self.drop_partition(*partition);
                    tracing::info!(%partition, "handed over");
                }
            } else {
                self.leaving.push(leaving);
            }
        }
    }

    fn is_busy(&self, partition: Partition) -> bool {
        self.in_flight.values().any(|busy| *busy == partition)
    }

    /// Forgets a partition. Attempts under way go on, and what comes of them is evidence; erasures
    /// are the next owner's.
    pub(super) fn drop_partition(&mut self, partition: Partition) {
        // Whoever gets it again must not hand that over.
        for leaving in &mut self.leaving {
            leaving.partitions.remove(&partition);
        }
        let Some(owned) = self.owned.remove(&partition) else {
            return;
        };
        owned.gone.cancel();
        self.schedule.forget(partition);
        let label = PartitionLabel {
            partition: partition.0,
        };
        let metrics = &self.parts.metrics;
        metrics.lag.remove(&label);
        metrics.open.remove(&label);
        metrics.due.remove(&label);
    }
}
