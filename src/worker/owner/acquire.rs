//! Acquires partitions: says so in the log, folds through that, and only then acts.

use super::{Owned, Owner};
use crate::worker::WorkerError;
use crate::worker::batch::Batch;
use crate::worker::owner::restore::Restore;
use hooklog_schemas::deliveries::Acquired;
use hooklog_schemas::{Offset, Partition, Topic};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A turn that is that late may have missed that the partitions are another worker's: brokers give
/// nobody's away sooner than after six seconds.
const PAUSE: Duration = Duration::from_secs(3);
/// How long a worker leaves a partition alone that another one took over, although it is assigned
/// here: time for the other one to be told.
const CONTEND_AFTER: Duration = Duration::from_secs(2);

impl Owner {
    /// Begins to restore what was assigned.
    pub(super) fn assign(&mut self, partitions: Vec<Partition>) {
        self.assigned = true;
        for partition in partitions {
            let owned = self.owned.get(&partition);
            // Who is told again what it has, has it; but what it was about to leave may have been
            // another worker's meanwhile.
            if owned.is_none_or(|owned| owned.leaving) {
                self.drop_partition(partition);
                self.contested.remove(&partition);
                self.restoring.insert(partition, Restore::Assigned);
            }
        }
    }

    /// Appends `partition.acquired` for every restored partition, folds through it, and reads
    /// `control` to its end: from then on this worker may act.
    pub(super) async fn acquire_restored(&mut self) -> Result<(), WorkerError> {
        let restored =
            |(_, restore): &(&Partition, &Restore)| matches!(restore, Restore::Restored(_));
        let restored = self.restoring.iter().filter(restored);
        let restored: Vec<Partition> = restored.map(|(partition, _)| *partition).collect();
        let mut all: Vec<Box<Owned>> = Vec::new();
        for partition in restored {
            if let Some(Restore::Restored(owned)) = self.restoring.remove(&partition) {
                all.push(owned);
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        let (process, at) = (self.parts.process, self.parts.clock.now());
        for owned in &all {
            batch.add(owned.term(), Acquired { process, at });
        }
        let offsets = self.append(&batch).await?;
        for (owned, offset) in all.iter_mut().zip(offsets) {
            self.catch_up(owned, offset.next()).await?;
            owned.epoch = Some(offset);
            owned.cursor = owned.fold.routed.first_missing(Offset(0));
        }
        self.changes.clear();
        self.know_control().await?;
        self.identities.commit()?;
        for owned in all {
            let marker = self.identities.marker();
            marker.mark(owned.partition, owned.fold.next)?;
            self.act(*owned)?;
        }
        Ok(())
    }

    /// Waits until all that `control` holds now is known here.
    async fn know_control(&mut self) -> Result<(), WorkerError> {
        let control = self.parts.log.bounds(Topic::Control, Partition(0)).await?;
        tokio::select! {
            () = self.parts.control.reached(control.tail) => {}
            () = self.shutdown.cancelled() => {}
        }
        self.load_configuration();
        Ok(())
    }

    fn act(&mut self, mut owned: Owned) -> Result<(), WorkerError> {
        if owned.is_superseded() {
            return self.superseded(owned.partition);
        }
        let subscriptions = self.configuration.subscriptions.values();
        let deleted: HashMap<_, _> = subscriptions
            .filter(|subscription| subscription.deleted)
            .map(|subscription| (subscription.id, subscription.version))
            .collect();
        if !deleted.is_empty() {
            owned.effects.cancel_deleted(&owned.fold, &deleted);
        }
        self.push_open(&owned, |_| true);
        let took = owned.since.elapsed();
        self.parts.metrics.restore.observe(took.as_secs_f64());
        tracing::info!(
            partition = %owned.partition, epoch = ?owned.epoch, open = owned.fold.deliveries.len(),
            ?took, "acquired"
        );
        self.owned.insert(owned.partition, owned);
        self.find_running();
        self.look = true;
        Ok(())
    }

    /// Another worker has acquired a partition of ours. If somebody settles who owns what, one of
    /// us is late; else it is us.
    pub(super) fn superseded(&mut self, partition: Partition) -> Result<(), WorkerError> {
        if !self.ownership.is_settled() {
            return Err(WorkerError::Superseded(partition.0));
        }
        let owned = self.owned.get(&partition);
        let leaving = owned.is_some_and(|owned| owned.leaving);
        self.drop_partition(partition);
        if leaving {
            tracing::info!(%partition, "the next worker has the partition already");
            return Ok(());
        }
        tracing::warn!(%partition, "another worker has taken over a partition that is assigned here");
        let at = self.parts.clock.now().plus(CONTEND_AFTER);
        self.contested.insert(partition, at);
        Ok(())
    }

    /// After a pause of the process, or of the machine, others may own what was owned here before
    /// anybody said so: the log knows, and is asked before anything is tried.
    pub(super) async fn look_around(&mut self) -> Result<(), WorkerError> {
        let paused = std::mem::replace(&mut self.turned, Instant::now()).elapsed();
        if paused < PAUSE || !self.ownership.is_settled() {
            return Ok(());
        }
        let all: Vec<Partition> = self.owned.keys().copied().collect();
        for partition in all {
            let tail = self.parts.log.bounds(Topic::Deliveries, partition);
            let tail = tail.await?.tail;
            let Some(mut owned) = self.owned.remove(&partition) else {
                continue;
            };
            let caught_up = self.catch_up(&mut owned, tail).await;
            let superseded = owned.is_superseded();
            self.owned.insert(partition, owned);
            caught_up?;
            self.schedule_changes(partition);
            if superseded {
                self.superseded(partition)?;
            }
        }
        Ok(())
    }

    /// Takes up again what another worker took over, and what is still assigned here.
    pub(super) fn contend(&mut self) {
        let now = self.parts.clock.now();
        let due = self.contested.iter().filter(|(_, at)| **at <= now);
        let due: Vec<Partition> = due.map(|(partition, _)| *partition).collect();
        for partition in due {
            self.contested.remove(&partition);
            self.restoring.insert(partition, Restore::Assigned);
        }
    }
}
