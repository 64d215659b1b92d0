//! From nothing to owning: fold what stands in the log, acquire, fold through that.

use super::save::log_id;
use super::{Owned, Owner};
use crate::log::ReadLimit;
use crate::route::Index;
use crate::worker::attempt::Surroundings;
use crate::worker::batch::Batch;
use crate::worker::commands::Effects;
use crate::worker::fold::Fold;
use crate::worker::identities::Identities;
use crate::worker::room::Room;
use crate::worker::routing::Compiled;
use crate::worker::schedule::{Entry, Schedule};
use crate::worker::snapshot::Snapshots;
use crate::worker::{WorkerError, WorkerParts};
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::Acquired;
use hooklog_schemas::{Offset, Partition, Position, Timestamp, Topic};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

impl Owner {
    /// Folds every partition to its end, and acquires it.
    pub(in crate::worker) async fn ready(
        parts: WorkerParts,
        shutdown: CancellationToken,
    ) -> Result<Self, WorkerError> {
        let mut owner = Self::open(parts, shutdown)?;
        if !owner.identities.is_complete() {
            tracing::info!("the index of identities is filled from the start of the log");
        }
        for number in 0..owner.owned.len() {
            owner.load(number).await?;
            owner.catch_up(number).await?;
            owner.check_webhooks(number).await?;
        }
        owner.identities.completed()?;
        owner.acquire().await?;
        Ok(owner)
    }

    fn open(parts: WorkerParts, shutdown: CancellationToken) -> Result<Self, WorkerError> {
        let (tell, news) = mpsc::unbounded_channel();
        let configuration = parts.control.current();
        let log = log_id(&parts.control);
        let folder = parts.data.join("identities");
        let window = parts.config.redelivery_window_days;
        let identities = Identities::open(&folder, window, log)?;
        let around = Surroundings {
            log: Arc::clone(&parts.log),
            clock: Arc::clone(&parts.clock),
            transport: Arc::clone(&parts.transport),
            room: Room::new(parts.config.body_bytes_in_flight_max),
            erasing: tokio::sync::Mutex::default(),
        };
        let count = parts.log.partitions(Topic::Deliveries);
        let config = &parts.config;
        Ok(Self {
            around: Arc::new(around),
            owned: (0..count)
                .map(|number| Owned::new(Partition(number)))
                .collect(),
            schedule: Schedule::new(config.in_flight_max, config.breaker_failures),
            compiled: Compiled {
                version: configuration.version,
                index: Arc::new(Index::new(&configuration)),
            },
            // Taken over as a change from nothing, once the partitions are acquired.
            configuration: Arc::default(),
            control: parts.control.watch(),
            targets: HashMap::new(),
            in_flight: HashSet::new(),
            erased: HashSet::new(),
            deleted: HashSet::new(),
            pausing: HashSet::new(),
            news,
            tell,
            early: Vec::new(),
            fresh: HashMap::new(),
            changes: Vec::new(),
            identities,
            snapshots: Snapshots::new(parts.data.join("snapshots"), log),
            saving: None,
            look: true,
            gauges_at: Timestamp(i64::MIN),
            shutdown,
            decided: 0,
            parts,
        })
    }

    /// Refuses a log whose webhooks end before what was routed of them.
    async fn check_webhooks(&self, number: usize) -> Result<(), WorkerError> {
        let Some(owned) = self.owned.get(number) else {
            return Ok(());
        };
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

    /// Appends `partition.acquired` for every partition, folds through it, and reads `control` to
    /// its end: from then on this worker may act.
    async fn acquire(&mut self) -> Result<(), WorkerError> {
        let mut batch = Batch::default();
        let process = self.parts.process;
        let at = self.parts.clock.now();
        for owned in &self.owned {
            batch.add(owned.partition, Acquired { process, at });
        }
        let offsets = self.append(&batch).await?;
        for (number, offset) in offsets.into_iter().enumerate() {
            self.catch_up(number).await?;
            if let Some(owned) = self.owned.get_mut(number) {
                owned.epoch = Some(offset);
                owned.check_epoch()?;
                owned.cursor = owned.fold.routed.first_missing(Offset(0));
            }
        }
        let control = self.parts.log.bounds(Topic::Control, Partition(0)).await?;
        self.parts.control.reached(control.tail).await;
        self.changes.clear();
        self.schedule_all();
        self.load_configuration();
        Ok(())
    }

    /// Starts from the partition's snapshot, if there is one that fits the log, and if the
    /// identities know what it covers.
    async fn load(&mut self, number: usize) -> Result<(), WorkerError> {
        if !self.identities.is_complete() {
            return Ok(());
        }
        let Some(owned) = self.owned.get_mut(number) else {
            return Ok(());
        };
        let partition = owned.partition;
        let tail = self
            .parts
            .log
            .bounds(Topic::Deliveries, partition)
            .await?
            .tail;
        match self.snapshots.read(partition, tail) {
            Ok(Some(fold)) => {
                owned.saved = fold.next;
                owned.fold = fold;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%partition, %error, "the snapshot is passed over; the log is folded from its start");
            }
        }
        Ok(())
    }

    /// Folds the partition's records up to its tail.
    pub(super) async fn catch_up(&mut self, number: usize) -> Result<(), WorkerError> {
        let Some(owned) = self.owned.get(number) else {
            return Ok(());
        };
        let (topic, partition) = (Topic::Deliveries, owned.partition);
        let tail = self.parts.log.bounds(topic, partition).await?.tail;
        loop {
            let Some(next) = self.owned.get(number).map(|owned| owned.fold.next) else {
                return Ok(());
            };
            if next >= tail {
                return Ok(());
            }
            let from = Position::new(topic, partition, next);
            let records = self.parts.log.read(from, ReadLimit::default()).await?;
            if records.is_empty() {
                return Ok(());
            }
            let mut fresh = Vec::new();
            for record in &records {
                fresh.extend(self.fold_record(number, record)?);
            }
            self.replay_signatures(partition, fresh).await?;
        }
    }

    fn schedule_all(&mut self) {
        for owned in &self.owned {
            for (id, delivery) in &owned.fold.deliveries {
                if let State::Open { due } = delivery.state {
                    let partition = owned.partition;
                    let entry = Entry {
                        due,
                        partition,
                        delivery: *id,
                    };
                    self.schedule.push(owned.fold.subscription(delivery), entry);
                }
            }
        }
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
            saved: Offset(0),
        }
    }

    /// A higher epoch in the partition is somebody else's.
    pub(super) fn check_epoch(&self) -> Result<(), WorkerError> {
        if self.epoch.is_some() && self.fold.epoch > self.epoch {
            return Err(WorkerError::Superseded(self.partition.0));
        }
        Ok(())
    }
}
