//! The projector: follows the log at its own pace, and gives way to delivery.

use super::feed::{self, FeedError};
use super::status::{Standing, Status};
use super::store::{Advance, ProjectionStore, StoreError, Stored};
use super::{Unfit, fits};
use crate::config::ProjectConfig;
use crate::log::{EventLog, ReadError};
use crate::metrics::{Metrics, NameLabel};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Folding, Wanted};
use hooklog_projections::layout::Layout;
use hooklog_projections::projection::PROJECTIONS;
use hooklog_projections::table::Table;
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
    /// Its pace, and how long its lease lasts.
    pub config: ProjectConfig,
    /// What others are told of who writes the tables: no two projectors have the same.
    pub writer: String,
}

/// Follows the log, and folds it into tables, while it has their lease; else it stands by.
pub struct Projector {
    log: Arc<dyn EventLog>,
    store: Box<dyn ProjectionStore>,
    /// None while it does not know that it may write, and from where.
    folding: Option<Folding>,
    /// Which tables there are, and in which versions.
    layout: Layout,
    metrics: Metrics,
    config: ProjectConfig,
    writer: String,
    reached: watch::Sender<Checkpoint>,
    standing: watch::Sender<Standing>,
    /// When the store last confirmed the lease.
    confirmed: Instant,
    /// When the log was last asked how far behind the tables are.
    asked: Option<Instant>,
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

/// How often the log is asked how far behind the tables are.
const LAG_EVERY: Duration = Duration::from_secs(1);

/// How long a store that failed, or a log that is away, is left alone.
const AWAY_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 1_000 });

impl Projector {
    /// Opens the tables, and creates them in a fresh store. Where another process writes them, or
    /// the store or the log is away, it will stand by.
    ///
    /// # Errors
    /// When the tables do not belong to this log or this release, or the log or store fails in a
    /// way that does not pass.
    pub async fn open(parts: ProjectorParts) -> Result<Self, ProjectError> {
        let id = feed::log_id(parts.log.as_ref()).await?;
        let reached = Checkpoint::start(id.ok_or(ProjectError::Empty)?);
        let reason = String::new();
        let mut projector = Self {
            log: parts.log,
            store: parts.store,
            folding: None,
            layout: Layout::today(&PROJECTIONS),
            metrics: parts.metrics,
            config: parts.config,
            writer: parts.writer,
            reached: watch::Sender::new(reached),
            standing: watch::Sender::new(Standing::Waits { reason }),
            confirmed: Instant::now(),
            asked: None,
        };
        match projector.begin().await {
            Ok(()) => {}
            Err(ProjectError::Store(error)) if error.may_pass() => projector.stand_by(&error),
            Err(ProjectError::Read(error @ ReadError::Unavailable(_))) => {
                projector.wait_for(&error)
            }
            Err(error) => return Err(error),
        }
        Ok(projector)
    }

    /// Tells from outside how far it is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            log: Arc::clone(&self.log),
            reached: self.reached.subscribe(),
            standing: self.standing.subscribe(),
        }
    }

    /// Follows until `shutdown`. While the store or the log is away, or another process writes the
    /// tables, it waits, and tries again.
    ///
    /// # Errors
    /// When the log is damaged, or holds something that this release does not know.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ProjectError> {
        let renewal = self.renewal();
        while !shutdown.is_cancelled() {
            let pause = match self.step().await {
                Ok(Step::Idle) => {
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = self.wait() => Duration::ZERO,
                        () = tokio::time::sleep(renewal) => Duration::ZERO,
                    }
                }
                Ok(Step::Folded { full, took }) => self.pause(full, took),
                Err(ProjectError::Store(error)) => {
                    self.stand_by(&error);
                    AWAY_PAUSE
                }
                Err(ProjectError::Read(error @ ReadError::Unavailable(_))) => {
                    self.wait_for(&error);
                    AWAY_PAUSE
                }
                Err(error) => return Err(error),
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.leave().await;
        Ok(())
    }

    /// Folds until the end of the log as it is now.
    ///
    /// # Errors
    /// When the log or the store fails, another process writes the tables, or the log holds
    /// something unknown.
    pub async fn catch_up(&mut self) -> Result<(), ProjectError> {
        while !matches!(self.step().await?, Step::Idle) {}
        Ok(())
    }

    /// The store, with its lease, when the projector is done.
    #[must_use]
    pub fn into_store(self) -> Box<dyn ProjectionStore> {
        self.store
    }

    /// One batch. After an error it is open how far the tables are, and who writes them: the next
    /// step begins with what is stored then.
    async fn step(&mut self) -> Result<Step, ProjectError> {
        if self.folding.is_none() {
            self.begin().await?;
        }
        let Some(mut folding) = self.folding.take() else {
            return Ok(Step::Idle);
        };
        let step = self.fold(&mut folding).await?;
        if self.confirmed.elapsed() >= self.renewal() {
            self.store.renew().await?;
            self.confirmed = Instant::now();
        }
        match step {
            Step::Idle => self.show_lag(0),
            Step::Folded { .. } => self.tell_lag(folding.checkpoint()).await?,
        }
        self.folding = Some(folding);
        Ok(step)
    }

    /// Takes the lease, and starts the fold at what is stored under it.
    async fn begin(&mut self) -> Result<(), ProjectError> {
        let (log, store) = (self.log.as_ref(), self.store.as_mut());
        // Tables that do not fit are told of before anybody loses the lease for them.
        if let Some((stored, _)) = fitting(log, store).await? {
            self.reached.send_replace(stored.checkpoint.clone());
            self.tell_lag(&stored.checkpoint).await?;
        }
        let (log, store) = (self.log.as_ref(), self.store.as_mut());
        let lease = Duration::from_millis(self.config.lease_ms);
        store.acquire(&self.writer, lease).await?;
        let (checkpoint, layout) = open_tables(log, store).await?;
        self.confirmed = Instant::now();
        self.reached.send_replace(checkpoint.clone());
        self.folding = Some(feed::resume(log, store, &layout, checkpoint, OPEN_MAX).await?);
        self.layout = layout;
        self.stand(Standing::Writes);
        Ok(())
    }

    async fn fold(&mut self, folding: &mut Folding) -> Result<Step, ProjectError> {
        let (log, store) = (self.log.as_ref(), self.store.as_mut());
        let from = folding.checkpoint().clone();
        let batch = feed::read(log, &from, self.config.batch_events_max, None).await?;
        if batch.records.is_empty() {
            return Ok(Step::Idle);
        }
        let started = Instant::now();
        if let Some(wanted) = self.layout.wanted(folding.wanted_before(&batch.records)) {
            load(folding, store, &self.layout, wanted).await?;
        }
        for some in batch.records.chunks(feed::EVENTS_PER_TURN) {
            some.iter().for_each(|decoded| folding.fold(decoded));
            tokio::task::yield_now().await;
        }
        for wanted in folding.wanted_after() {
            if let Some(wanted) = self.layout.wanted(wanted) {
                load(folding, store, &self.layout, wanted).await?;
            }
        }
        let changes = self.layout.narrow(folding.take());
        let to = folding.checkpoint();
        let advance = Advance { from: &from, to };
        store.write(changes, advance).await?;
        self.confirmed = Instant::now();
        let took = started.elapsed();
        self.metrics.projection_batch.observe(took.as_secs_f64());
        self.reached.send_replace(to.clone());
        let full = batch.full;
        Ok(Step::Folded { full, took })
    }

    fn stand_by(&self, error: &StoreError) {
        self.stand(match error {
            StoreError::Held { by, .. } | StoreError::Superseded { by } => {
                Standing::StandsBy { writer: by.clone() }
            }
            error => Standing::waits(error),
        });
    }

    /// Queries go on from the tables as they are.
    fn wait_for(&self, error: &ReadError) {
        self.stand(Standing::waits(error));
    }

    /// Tells what it does, once.
    fn stand(&self, standing: Standing) {
        self.metrics
            .projection_writing
            .set(i64::from(standing == Standing::Writes));
        if *self.standing.borrow() == standing {
            return;
        }
        match &standing {
            Standing::Writes => tracing::info!("this process writes the tables"),
            Standing::StandsBy { writer } => {
                tracing::info!(%writer, "another process writes the tables; this one stands by");
            }
            Standing::Waits { reason } => {
                tracing::warn!(%reason, "the tables stand still");
            }
        }
        self.standing.send_replace(standing);
    }

    /// Hands over at once. If it cannot, the lease ends by itself.
    async fn leave(mut self) {
        if let Err(error) = self.store.release().await {
            tracing::debug!(%error, "the lease of the tables was not given back");
        }
    }

    /// How long the lease may go without being renewed: two renewals may be lost.
    const fn renewal(&self) -> Duration {
        Duration::from_millis(self.config.lease_ms / 3)
    }

    /// The pause after a batch: the usual one, or, when behind, as long as the batch took, so that
    /// catching up takes half a processor at the most, and delivery has the rest.
    fn pause(&self, full: bool, took: Duration) -> Duration {
        let usual = Duration::from_millis(self.config.batch_wait_ms);
        if full { took.min(usual) } else { usual }
    }

    /// Until there are records to fold.
    async fn wait(&mut self) {
        let Some(folding) = &self.folding else {
            return;
        };
        let next = folding.checkpoint();
        let next: Vec<Position> = feed::partitions(self.log.as_ref())
            .into_iter()
            .map(|(topic, partition)| next.next(topic, partition))
            .collect();
        self.log.wait(&next).await;
    }

    /// Asks the log at most once in a while: on a log of brokers it is a question per partition.
    async fn tell_lag(&mut self, checkpoint: &Checkpoint) -> Result<(), ProjectError> {
        if self.asked.is_some_and(|at| at.elapsed() < LAG_EVERY) {
            return Ok(());
        }
        let behind = feed::behind(self.log.as_ref(), checkpoint).await?;
        self.asked = Some(Instant::now());
        self.show_lag(behind);
        Ok(())
    }

    fn show_lag(&self, behind: u64) {
        for projection in PROJECTIONS {
            let name = projection.name;
            let gauge = self
                .metrics
                .projection_lag
                .get_or_create(&NameLabel { name });
            gauge.set(i64::try_from(behind).unwrap_or(i64::MAX));
        }
    }
}

enum Step {
    /// There is nothing to fold.
    Idle,
    /// A batch is in the tables.
    Folded { full: bool, took: Duration },
}

/// What is stored, if it fits to this log and this release; nothing in a fresh store.
pub(super) async fn fitting(
    log: &dyn EventLog,
    store: &mut dyn ProjectionStore,
) -> Result<Option<(Stored, Layout)>, ProjectError> {
    let id = feed::log_id(log).await?.ok_or(ProjectError::Empty)?;
    let Some(stored) = store.stored().await? else {
        return Ok(None);
    };
    let layout = fits(&stored, id)?;
    match feed::is_within(log, &stored.checkpoint).await? {
        Some(unfit) => Err(unfit.into()),
        None => Ok(Some((stored, layout))),
    }
}

/// Checks the tables that are there, or creates them; tells where they stand.
async fn open_tables(
    log: &dyn EventLog,
    store: &mut dyn ProjectionStore,
) -> Result<(Checkpoint, Layout), ProjectError> {
    if let Some((stored, layout)) = fitting(log, store).await? {
        return Ok((stored.checkpoint, layout));
    }
    let id = feed::log_id(log).await?.ok_or(ProjectError::Empty)?;
    let checkpoint = Checkpoint::start(id);
    store.create(&checkpoint).await?;
    Ok((checkpoint, Layout::today(&PROJECTIONS)))
}

/// Hands stored rows to the fold, as rows of today's tables. `wanted` speaks of the set's.
pub(super) async fn load(
    folding: &mut Folding,
    store: &mut dyn ProjectionStore,
    layout: &Layout,
    wanted: Wanted,
) -> Result<(), FeedError> {
    let rows = store.load(&wanted).await?;
    let Some(today) = today(wanted.table) else {
        return Ok(());
    };
    folding.remember(today, &layout.widen(today, rows))?;
    Ok(())
}

/// The table that holds today what `table` of an earlier version held.
fn today(table: &Table) -> Option<&'static Table> {
    let mut tables = PROJECTIONS.into_iter().flat_map(|p| p.tables);
    tables.find(|t| t.name == table.name).copied()
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
