//! From an assignment to a fold that stands at the end of the log, a piece in each turn.
//!
//! Other partitions go on meanwhile: whoever restores a long one keeps the others waiting for
//! moments only.

use super::save::log_id;
use super::{Owned, Owner};
use crate::log::ReadLimit;
use crate::worker::WorkerError;
use crate::worker::commands::Effects;
use crate::worker::fold::Fold;
use crate::worker::snapshot::SnapshotError;
use hooklog_schemas::{Offset, Partition, Position, Record, Topic};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a turn restores at the most, but for one read that takes longer.
const TURN_PART: Duration = Duration::from_millis(50);

/// How far a partition is restored.
pub(super) enum Restore {
    /// It was assigned.
    Assigned,
    /// The index of identities lacks what other workers decided before the snapshot.
    Filling(Box<Filling>, Box<Owned>),
    /// Its records are folded, up to the end that it had when that began.
    Folding(Offset, Box<Owned>),
    /// It can be acquired.
    Restored(Box<Owned>),
}

/// Decisions that go into the index of identities, and into nothing else.
pub(super) struct Filling {
    /// Tells what counts. It knows nothing of what came before, which is out of the window.
    fold: Fold,
    end: Offset,
}

impl Owner {
    /// Whether a partition is not at the end of its log yet.
    pub(super) fn is_restoring(&self) -> bool {
        !self.restoring.is_empty()
    }

    /// Restores for a moment, and acquires what is restored.
    pub(super) async fn restore_some(&mut self) -> Result<(), WorkerError> {
        self.contend();
        let began = Instant::now();
        while let Some(partition) = self.next_to_restore() {
            if let Some(restore) = self.restoring.remove(&partition) {
                let restore = self.restore(partition, restore).await?;
                self.restoring.insert(partition, restore);
            }
            if began.elapsed() >= TURN_PART {
                break;
            }
        }
        self.acquire_restored().await
    }

    fn next_to_restore(&self) -> Option<Partition> {
        let unfinished = |restore: &Restore| !matches!(restore, Restore::Restored(_));
        let mut unfinished = self.restoring.iter().filter(|(_, r)| unfinished(r));
        unfinished.next().map(|(partition, _)| *partition)
    }

    async fn restore(
        &mut self,
        partition: Partition,
        restore: Restore,
    ) -> Result<Restore, WorkerError> {
        Ok(match restore {
            Restore::Assigned => self.begin(partition).await?,
            Restore::Filling(filling, owned) => self.fill(filling, owned).await?,
            Restore::Folding(end, owned) => self.fold_some(end, owned).await?,
            Restore::Restored(owned) => Restore::Restored(owned),
        })
    }

    /// Starts from the partition's snapshot, if there is one that fits the log.
    async fn begin(&mut self, partition: Partition) -> Result<Restore, WorkerError> {
        let log = &self.parts.log;
        let tail = log.bounds(Topic::Deliveries, partition).await?.tail;
        let mut owned = Owned::new(partition);
        match self.snapshot(partition, tail).await {
            Ok(Some(fold)) => {
                owned.saved = fold.next;
                owned.fold = fold;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%partition, %error, "the snapshot is passed over; the log is folded from its start");
            }
        }
        let reached = self.identities.reached(partition)?;
        owned.signed = reached >= owned.saved && (reached > Offset(0) || tail == Offset(0));
        let owned = Box::new(owned);
        if reached >= owned.saved {
            return Ok(Restore::Folding(tail, owned));
        }
        let window = self.identities.begins(self.parts.clock.now());
        let after = log.offset_after(Topic::Deliveries, partition, window);
        let mut fold = Fold::default();
        fold.next = reached.max(after.await?);
        let (from, end) = (fold.next, owned.saved);
        tracing::info!(%partition, %from, %end, "the index of identities is filled from the log");
        Ok(Restore::Filling(Box::new(Filling { fold, end }), owned))
    }

    async fn snapshot(
        &self,
        partition: Partition,
        tail: Offset,
    ) -> Result<Option<Fold>, SnapshotError> {
        let found = self.parts.snapshots.get(partition).await?;
        let log = log_id(&self.parts.control);
        found
            .map(|found| found.open(log, partition, tail))
            .transpose()
    }

    async fn fill(
        &mut self,
        mut filling: Box<Filling>,
        owned: Box<Owned>,
    ) -> Result<Restore, WorkerError> {
        let records = self.read(owned.partition, filling.fold.next).await?;
        for record in &records {
            if record.position.offset >= filling.end {
                break;
            }
            // Whoever decided first in this range had acquired the partition before it.
            if filling.fold.epoch.is_none() {
                filling.fold.epoch = record.epoch;
            }
            self.fold_record(&mut filling.fold, record)?;
        }
        self.changes.clear();
        if records.is_empty() || filling.fold.next >= filling.end {
            self.identities.commit()?;
            let end = owned.fold.next;
            self.identities.marker().mark(owned.partition, end)?;
            let log = &self.parts.log;
            let tail = log.bounds(Topic::Deliveries, owned.partition).await?.tail;
            return Ok(Restore::Folding(tail, owned));
        }
        Ok(Restore::Filling(filling, owned))
    }

    async fn fold_some(
        &mut self,
        end: Offset,
        mut owned: Box<Owned>,
    ) -> Result<Restore, WorkerError> {
        let more = self.fold_next(&mut owned, end).await?;
        self.changes.clear();
        if more {
            return Ok(Restore::Folding(end, owned));
        }
        self.check_webhooks(&owned).await?;
        Ok(Restore::Restored(owned))
    }

    /// Folds the records of a partition that come before `end`.
    pub(super) async fn catch_up(
        &mut self,
        owned: &mut Owned,
        end: Offset,
    ) -> Result<(), WorkerError> {
        while self.fold_next(owned, end).await? {}
        Ok(())
    }

    /// Folds the next records of a partition that come before `end`; false if there are none.
    async fn fold_next(&mut self, owned: &mut Owned, end: Offset) -> Result<bool, WorkerError> {
        if owned.fold.next >= end {
            return Ok(false);
        }
        let records = self.read(owned.partition, owned.fold.next).await?;
        let mut fresh = Vec::new();
        for record in &records {
            fresh.extend(self.fold_record(&mut owned.fold, record)?);
        }
        if owned.signed {
            self.replay_signatures(owned.partition, fresh).await?;
        }
        Ok(!records.is_empty())
    }

    /// The next records of a partition.
    pub(super) async fn read(
        &self,
        partition: Partition,
        from: Offset,
    ) -> Result<Vec<Arc<Record>>, WorkerError> {
        let from = Position::new(Topic::Deliveries, partition, from);
        Ok(self.parts.log.read(from, ReadLimit::default()).await?)
    }

    /// Refuses a log whose webhooks end before what was routed of them.
    async fn check_webhooks(&self, owned: &Owned) -> Result<(), WorkerError> {
        let bounds = self.parts.log.bounds(Topic::Webhooks, owned.partition);
        let (tail, routed) = (bounds.await?.tail, owned.fold.routed.bound());
        if routed <= tail {
            return Ok(());
        }
        Err(WorkerError::Missing {
            partition: owned.partition.0,
            routed,
            tail,
        })
    }
}

impl Owned {
    fn new(partition: Partition) -> Self {
        Self {
            partition,
            epoch: None,
            fold: Fold::default(),
            cursor: Offset(0),
            effects: Effects::default(),
            parts: HashMap::new(),
            saved: Offset(0),
            signed: false,
            leaving: false,
            since: Instant::now(),
            gone: CancellationToken::new(),
        }
    }
}
