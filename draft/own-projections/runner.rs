//! Keeps one projection of somebody's own up to date, and rebuilds it.

use super::batch;
use super::definition::Definition;
use super::store::{OwnError, OwnStore, OwnStored, Set};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::{Metrics, OwnLabel};
use crate::project::ProjectError;
use crate::project::feed;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{EventId, Position};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What keeps a projection of somebody's own is made of.
pub struct OwnParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Its tables.
    pub store: Box<dyn OwnStore>,
    /// What it is.
    pub definition: Definition,
    /// Its pace.
    pub config: ProjectConfig,
    /// Where its lag is told.
    pub metrics: Metrics,
}

/// How a projection of somebody's own is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Whether new tables are being built.
    pub building: bool,
    /// Records that the tables that answer have not folded; nothing while there are none.
    pub lag: Option<u64>,
    /// Records that the tables that are built have not folded.
    pub left: Option<u64>,
    /// Why it stands still; nothing if it does not.
    pub error: Option<String>,
}

/// Tells how a projection is, and has it rebuilt.
#[derive(Clone)]
pub struct OwnHandle {
    status: watch::Receiver<OwnStatus>,
    orders: mpsc::Sender<()>,
}

impl OwnHandle {
    /// How it is.
    #[must_use]
    pub fn status(&self) -> OwnStatus {
        self.status.borrow().clone()
    }

    /// Has new tables built from the start of the log, beside the ones that answer.
    pub fn rebuild(&self) {
        // One that is waiting is enough.
        let _ = self.orders.try_send(());
    }
}

/// Keeps one projection of somebody's own.
pub struct Keeper {
    parts: OwnParts,
    id: Option<EventId>,
    live: Option<Checkpoint>,
    next: Option<Checkpoint>,
    status: watch::Sender<OwnStatus>,
    orders: mpsc::Receiver<()>,
}

/// How long a projection that failed stands still before it is tried again.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 30_000 });

impl Keeper {
    /// A keeper, and what tells how it is.
    #[must_use]
    pub fn new(parts: OwnParts) -> (Self, OwnHandle) {
        let status = OwnStatus {
            name: parts.definition.name.clone(),
            version: parts.definition.version,
            building: false,
            lag: None,
            left: None,
            error: None,
        };
        let (ordering, orders) = mpsc::channel(1);
        let (status, seen) = watch::channel(status);
        let handle = OwnHandle {
            status: seen,
            orders: ordering,
        };
        let keeper = Self {
            parts,
            id: None,
            live: None,
            next: None,
            status,
            orders,
        };
        (keeper, handle)
    }

    /// Follows the log until `shutdown`. What fails stops only this projection, is told, and is tried
    /// again after a while.
    ///
    /// # Errors
    /// None.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ProjectError> {
        while !shutdown.is_cancelled() {
            let pause = match self.step().await {
                Ok(true) => Duration::from_millis(self.parts.config.batch_wait_ms),
                Ok(false) => {
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = self.wait() => {}
                        Some(()) = self.orders.recv() => self.begin_anew().await,
                    }
                    Duration::ZERO
                }
                Err(error) => {
                    self.fail(&error);
                    PAUSE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    /// Folds a batch into each of its sets; tells whether there was anything to fold.
    ///
    /// # Errors
    /// When a statement, the store or the log fails.
    pub(super) async fn step(&mut self) -> Result<bool, OwnError> {
        if self.id.is_none() {
            self.open().await?;
        }
        if self.orders.try_recv().is_ok() {
            self.build().await?;
        }
        let mut folded = false;
        if let Some(at) = self.live.take() {
            let (to, some) = self.fold(Set::Live, at).await?;
            self.live = Some(to);
            folded |= some;
        }
        if let Some(at) = self.next.take() {
            let (to, some) = self.fold(Set::Next, at).await?;
            if some {
                self.next = Some(to);
            } else {
                self.parts.store.switch().await?;
                self.live = Some(to);
            }
            folded |= some;
        }
        self.tell().await?;
        Ok(folded)
    }

    /// Looks where it is, and begins new tables where those that are there are not its own.
    async fn open(&mut self) -> Result<(), OwnError> {
        let log = self.parts.log.as_ref();
        let id = feed::log_id(log).await.map_err(ProjectError::from)?;
        let id = id.ok_or(ProjectError::Empty)?;
        (self.live, self.next) = (None, None);
        let live = self.parts.store.stored(Set::Live).await?;
        self.live = match live {
            Some(stored) => self.usable(stored, id).await?,
            None => None,
        };
        let next = self.parts.store.stored(Set::Next).await?;
        let same = |stored: &OwnStored| {
            stored.digest == self.parts.definition.digest && stored.checkpoint.log == id
        };
        self.next = next.filter(same).map(|stored| stored.checkpoint);
        self.id = Some(id);
        if self.live.is_none() && self.next.is_none() {
            self.build().await?;
        }
        Ok(())
    }

    /// Where tables that answer are, if this definition goes on with them.
    async fn usable(&self, stored: OwnStored, id: EventId) -> Result<Option<Checkpoint>, OwnError> {
        let Definition {
            version, digest, ..
        } = &self.parts.definition;
        if stored.version > *version {
            return Err(OwnError::Refused(format!(
                "its tables have version {}, and projection.toml says {version}: a version never goes \
                 back",
                stored.version
            )));
        }
        if stored.version == *version && stored.digest != *digest {
            return Err(OwnError::Refused(format!(
                "its files changed, and its version is still {version}: raise `version` in \
                 projection.toml, so that its tables are built again"
            )));
        }
        let log = self.parts.log.as_ref();
        let within = feed::is_within(log, &stored.checkpoint).await;
        let fits = within.map_err(ProjectError::from)?.is_none() && stored.checkpoint.log == id;
        Ok((fits && stored.version == *version).then_some(stored.checkpoint))
    }

    async fn build(&mut self) -> Result<(), OwnError> {
        let Some(id) = self.id else {
            return Ok(());
        };
        let start = Checkpoint::start(id);
        self.parts.store.begin(&self.parts.definition, &start).await?;
        self.next = Some(start);
        Ok(())
    }

    async fn begin_anew(&mut self) {
        if let Err(error) = self.build().await {
            self.fail(&error);
        }
    }

    async fn fold(&mut self, set: Set, from: Checkpoint) -> Result<(Checkpoint, bool), OwnError> {
        let OwnParts {
            log,
            store,
            definition,
            config,
            ..
        } = &mut self.parts;
        let batch = feed::read(log.as_ref(), &from, config.batch_events_max, None).await;
        let batch = batch.map_err(ProjectError::from)?;
        if batch.records.is_empty() {
            return Ok((from, false));
        }
        let mut to = from.clone();
        for decoded in &batch.records {
            let next = Position {
                offset: decoded.position.offset.next(),
                ..decoded.position
            };
            to.read_up_to(next);
        }
        let events = batch::json(&batch.records, &definition.events);
        let advance = (&from, &to);
        store
            .apply(set, definition, events.as_deref(), advance)
            .await?;
        Ok((to, true))
    }

    /// Until there are records to fold.
    async fn wait(&self) {
        let log = &self.parts.log;
        let next = self.live.iter().flat_map(|live| {
            let partitions = feed::partitions(log.as_ref()).into_iter();
            partitions.map(|(topic, partition)| live.next(topic, partition))
        });
        let next: Vec<Position> = next.collect();
        log.wait(&next).await;
    }

    async fn tell(&mut self) -> Result<(), OwnError> {
        let mut left = [None, None];
        for (left, at) in left.iter_mut().zip([&self.live, &self.next]) {
            if let Some(at) = at {
                let behind = feed::behind(self.parts.log.as_ref(), at).await;
                *left = Some(behind.map_err(ProjectError::from)?);
            }
        }
        let label = self.label();
        let lag = left[0].or(left[1]).unwrap_or_default();
        let lags = &self.parts.metrics.own_projection_lag;
        lags.get_or_create(&label)
            .set(i64::try_from(lag).unwrap_or(i64::MAX));
        let failing = &self.parts.metrics.own_projection_failing;
        failing.get_or_create(&label).set(0);
        self.status.send_modify(|status| {
            status.building = left[1].is_some();
            [status.lag, status.left] = left;
            status.error = None;
        });
        Ok(())
    }

    /// The next step begins with what is stored then.
    fn fail(&mut self, error: &OwnError) {
        self.id = None;
        let told = error.to_string();
        if !matches!(error, OwnError::Moved) {
            let name = &self.parts.definition.name;
            tracing::warn!(projection = %name, error = %told, "a projection of your own stands still");
            let failing = &self.parts.metrics.own_projection_failing;
            failing.get_or_create(&self.label()).set(1);
        }
        self.status.send_modify(|status| status.error = Some(told));
    }

    fn label(&self) -> OwnLabel {
        OwnLabel {
            projection: self.parts.definition.name.clone(),
        }
    }
}
