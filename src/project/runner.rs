//! The projector: follows the log at its own pace, and gives way to delivery.

use super::feed::{self, FeedError};
use super::store::{ProjectionStore, StoreError};
use super::{Unfit, fits};
use crate::config::ProjectConfig;
use crate::log::{EventLog, ReadError};
use crate::metrics::{Metrics, NameLabel};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Folding, Holding};
use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::{DecodeError, Position};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a projector is made of.
pub struct ProjectorParts {
    /// The log that it reads.
    pub log: Arc<dyn EventLog>,
    /// The tables that it writes.
    pub store: Box<dyn ProjectionStore>,
    /// Where lag and durations are counted.
    pub metrics: Metrics,
    /// Its pace.
    pub config: ProjectConfig,
}

/// Follows the log, and folds it into tables.
pub struct Projector {
    log: Arc<dyn EventLog>,
    store: Box<dyn ProjectionStore>,
    folding: Folding,
    metrics: Metrics,
    config: ProjectConfig,
    reached: watch::Sender<Checkpoint>,
}

/// Tells from outside how far a projector is.
#[derive(Clone)]
pub struct Status {
    log: Arc<dyn EventLog>,
    reached: watch::Receiver<Checkpoint>,
}

/// Why a projector cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The log has no first event yet; it is made before its readers are.
    #[error("the log is empty: its first event must be log.created")]
    Empty,
    /// The stored tables are not of this log or this release.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log holds something that this release does not know.
    #[error("the tables stop here: {0}")]
    Decode(#[from] DecodeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many open deliveries are remembered, at about 500 bytes each. Tests have too many for it.
const OPEN_MAX: usize = if cfg!(test) { 20 } else { 50_000 };

/// How long a store that failed is left alone.
const STORE_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 1_000 });

impl Projector {
    /// Opens the tables, and creates them in a fresh store.
    ///
    /// # Errors
    /// When the tables do not belong to this log or this release, or the log or store fails.
    pub async fn open(parts: ProjectorParts) -> Result<Self, ProjectError> {
        let ProjectorParts {
            log,
            mut store,
            metrics,
            config,
        } = parts;
        let checkpoint = open_tables(log.as_ref(), store.as_mut()).await?;
        let reached = watch::Sender::new(checkpoint.clone());
        let folding = feed::resume(log.as_ref(), store.as_mut(), checkpoint, OPEN_MAX).await?;
        Ok(Self {
            log,
            store,
            folding,
            metrics,
            config,
            reached,
        })
    }

    /// Tells from outside how far it is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            log: Arc::clone(&self.log),
            reached: self.reached.subscribe(),
        }
    }

    /// Follows until `shutdown`. While the store is away it waits, and tries again.
    ///
    /// # Errors
    /// When the log cannot be read, or holds something that this release does not know.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ProjectError> {
        let mut whole = true;
        while !shutdown.is_cancelled() {
            if !whole {
                whole = self.resume().await?;
            }
            let pause = match self.step_if(whole).await {
                Ok(Step::Idle) => {
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        () = self.wait() => Duration::ZERO,
                    }
                }
                Ok(Step::Folded { full, took }) => self.pause(full, took),
                Ok(Step::Away) => STORE_PAUSE,
                Err(ProjectError::Store(error)) => {
                    tracing::warn!(%error, "the tables stand still until their store is back");
                    whole = false;
                    STORE_PAUSE
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Folds until the end of the log as it is now.
    ///
    /// # Errors
    /// When the log or the store fails, or the log holds something unknown.
    pub async fn catch_up(&mut self) -> Result<(), ProjectError> {
        while !matches!(self.step().await?, Step::Idle) {}
        Ok(())
    }

    /// The store, when the projector is done.
    #[must_use]
    pub fn into_store(self) -> Box<dyn ProjectionStore> {
        self.store
    }

    async fn step(&mut self) -> Result<Step, ProjectError> {
        let log = self.log.as_ref();
        let events_max = self.config.batch_events_max;
        let batch = feed::read(log, self.folding.checkpoint(), events_max).await?;
        if batch.records.is_empty() {
            self.tell_lag().await?;
            return Ok(Step::Idle);
        }
        let started = Instant::now();
        let store = self.store.as_mut();
        let wanted = self.folding.wanted_before(&batch.records);
        load(&mut self.folding, store, &wanted).await?;
        for some in batch.records.chunks(feed::EVENTS_PER_TURN) {
            some.iter().for_each(|decoded| self.folding.fold(decoded));
            tokio::task::yield_now().await;
        }
        let wanted = self.folding.wanted_after();
        load(&mut self.folding, store, &wanted).await?;
        let changes = self.folding.take(Holding::Nothing);
        store.write(changes, self.folding.checkpoint()).await?;
        let took = started.elapsed();
        self.metrics.projection_batch.observe(took.as_secs_f64());
        self.reached.send_replace(self.folding.checkpoint().clone());
        self.tell_lag().await?;
        let full = batch.full;
        Ok(Step::Folded { full, took })
    }

    async fn step_if(&mut self, whole: bool) -> Result<Step, ProjectError> {
        if whole {
            self.step().await
        } else {
            Ok(Step::Away)
        }
    }

    /// The fold may be ahead of a store that failed, or behind it, if the store failed after it
    /// had written: it begins again from what is stored. False while the store is away.
    async fn resume(&mut self) -> Result<bool, ProjectError> {
        let checkpoint = match self.store.stored().await {
            Ok(Some(stored)) => stored.checkpoint,
            Ok(None) | Err(_) => return Ok(false),
        };
        self.reached.send_replace(checkpoint.clone());
        let store = self.store.as_mut();
        match feed::resume(self.log.as_ref(), store, checkpoint, OPEN_MAX).await {
            Ok(folding) => self.folding = folding,
            Err(FeedError::Store(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// The pause after a batch: the usual one, or, when behind, as long as the batch took, so that
    /// catching up takes half a processor at the most, and delivery has the rest.
    fn pause(&self, full: bool, took: Duration) -> Duration {
        let usual = Duration::from_millis(self.config.batch_wait_ms);
        if full { took.min(usual) } else { usual }
    }

    async fn wait(&mut self) {
        let next = self.folding.checkpoint();
        let next: Vec<Position> = feed::partitions(self.log.as_ref())
            .into_iter()
            .map(|(topic, partition)| next.next(topic, partition))
            .collect();
        self.log.wait(&next).await;
    }

    async fn tell_lag(&mut self) -> Result<(), ProjectError> {
        let behind = feed::behind(self.log.as_ref(), self.folding.checkpoint()).await?;
        for projection in PROJECTIONS {
            let name = projection.name;
            let gauge = self
                .metrics
                .projection_lag
                .get_or_create(&NameLabel { name });
            gauge.set(i64::try_from(behind).unwrap_or(i64::MAX));
        }
        Ok(())
    }
}

enum Step {
    /// There is nothing to fold.
    Idle,
    /// A batch is in the tables.
    Folded { full: bool, took: Duration },
    /// The store is away.
    Away,
}

impl Status {
    /// Records that are not in the tables yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lag(&self) -> Result<u64, ReadError> {
        let checkpoint = self.checkpoint();
        feed::behind(self.log.as_ref(), &checkpoint).await
    }

    /// Up to where the log is in the tables.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.reached.borrow().clone()
    }

    /// Resolves when everything before these positions is in the tables; false if the projector
    /// ended before.
    pub async fn reached(&self, positions: &[Position]) -> bool {
        let mut reached = self.reached.clone();
        let there = |checkpoint: &Checkpoint| {
            let mut all = positions.iter();
            all.all(|p| checkpoint.next(p.topic, p.partition).offset >= p.offset)
        };
        reached.wait_for(there).await.is_ok()
    }
}

/// Checks the tables that are there, or creates them; tells where they stand.
pub(super) async fn open_tables(
    log: &dyn EventLog,
    store: &mut dyn ProjectionStore,
) -> Result<Checkpoint, ProjectError> {
    let id = feed::log_id(log).await?.ok_or(ProjectError::Empty)?;
    let Some(stored) = store.stored().await? else {
        let checkpoint = Checkpoint::start(id);
        store.create(&checkpoint).await?;
        return Ok(checkpoint);
    };
    fits(&stored, id)?;
    match feed::is_within(log, &stored.checkpoint).await? {
        Some(unfit) => Err(unfit.into()),
        None => Ok(stored.checkpoint),
    }
}

pub(super) async fn load(
    folding: &mut Folding,
    store: &mut dyn ProjectionStore,
    wanted: &hooklog_projections::folding::Wanted,
) -> Result<(), FeedError> {
    if !wanted.keys.is_empty() {
        let rows = store.load(wanted).await?;
        folding.remember(wanted.table, &rows)?;
    }
    Ok(())
}

impl From<FeedError> for ProjectError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Read(error) => Self::Read(error),
            FeedError::Decode(error) => Self::Decode(error),
            FeedError::Store(error) => Self::Store(error),
            FeedError::Row(error) => Self::Store(StoreError::Unreadable(error.to_string())),
        }
    }
}
