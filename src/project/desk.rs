//! Rebuilds in a running server: one order at a time, while everything else goes on.

use super::ProjectorParts;
use super::feed;
use super::rebuild::{Order, Progress, RebuildError, Rebuilt, drop_set, rebuild, switch_back};
use super::runner::{ProjectError, fitting};
use super::store::{ProjectionStore, SetKind, StoreError, Stored, TableSet};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::Metrics;
use futures_util::future::BoxFuture;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::{PROJECTIONS, with_what_they_read};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Opens one more writer of the tables.
pub type OpenStore =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Box<dyn ProjectionStore>, StoreError>> + Send + Sync>;

/// What a desk is made of.
#[derive(Clone)]
pub struct DeskParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Opens the tables.
    pub open: OpenStore,
    /// Where durations are counted.
    pub metrics: Metrics,
    /// How long leases last, and whether outdated tables are rebuilt without being asked.
    pub config: ProjectConfig,
    /// What others are told of who is at work: no projector has the same name.
    pub writer: String,
}

/// Something to do about tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Rebuild these projections, all of them for none.
    Rebuild {
        /// Their names.
        names: Vec<String>,
        /// Begin anew, whatever an earlier run left.
        restart: bool,
        /// Do not compare the new tables with the old ones.
        unseen: bool,
    },
    /// Switch back to this set, or to the one that was replaced last.
    SwitchBack {
        /// Its name.
        set: Option<String>,
    },
}

/// What the desk does, and did last.
#[derive(Clone, Debug, Default)]
pub struct DeskState {
    /// What it is at; and how far, when that is known.
    pub work: Option<(Job, Option<Progress>)>,
    /// What it did last, and what came of it.
    pub last: Option<(Job, Result<Rebuilt, String>)>,
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Something else is under way.
    #[error("a rebuild or a switch is under way; `hooklog projection list` shows how far it is")]
    Busy,
    /// The process stops.
    #[error("the server stops")]
    Stopped,
    /// It cannot be done.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
}

/// The sets of tables that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The live set; none in a fresh store.
    pub live: Option<Stored>,
    /// Those beside it.
    pub sets: Vec<TableSet>,
}

impl Listing {
    /// What is in `store`, which is the live set's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(store: &mut dyn ProjectionStore) -> Result<Self, StoreError> {
        let live = store.stored().await?;
        let sets = store.sets().await?;
        Ok(Self { live, sets })
    }
}

/// Takes orders. Clones share them.
#[derive(Clone)]
pub struct Desk {
    parts: DeskParts,
    orders: mpsc::Sender<Job>,
    state: watch::Sender<DeskState>,
    /// Ends what is under way.
    halt: watch::Sender<CancellationToken>,
}

impl Desk {
    /// A desk, and what must run for it.
    #[must_use]
    pub fn new(parts: DeskParts) -> (Self, Clerk) {
        let (orders, taken) = mpsc::channel(1);
        let desk = Self {
            parts,
            orders,
            state: watch::Sender::default(),
            halt: watch::Sender::default(),
        };
        let clerk = Clerk {
            desk: desk.clone(),
            taken,
        };
        (desk, clerk)
    }

    /// Takes an order. It is carried out in the background.
    ///
    /// # Errors
    /// When another is under way, or a name is no projection's.
    pub fn order(&self, job: Job) -> Result<(), DeskError> {
        if let Job::Rebuild { names, .. } = &job {
            with_what_they_read(names).map_err(RebuildError::unknown)?;
        }
        let mut taken = Err(DeskError::Busy);
        self.state.send_if_modified(|state| {
            if state.work.is_none() {
                taken = self
                    .orders
                    .try_send(job.clone())
                    .map_err(|error| match error {
                        mpsc::error::TrySendError::Full(_) => DeskError::Busy,
                        mpsc::error::TrySendError::Closed(_) => DeskError::Stopped,
                    });
            }
            if taken.is_ok() {
                state.work = Some((job, None));
            }
            taken.is_ok()
        });
        taken
    }

    /// Ends what is under way between two batches; the next order of the same goes on from there.
    /// Tells whether something was.
    #[must_use]
    pub fn halt(&self) -> bool {
        self.halt.borrow().cancel();
        self.state.borrow().work.is_some()
    }

    /// What it does, and did last.
    #[must_use]
    pub fn state(&self) -> DeskState {
        self.state.borrow().clone()
    }

    /// The sets of tables that there are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn listing(&self) -> Result<Listing, StoreError> {
        let mut store = (self.parts.open)().await?;
        Listing::of(store.as_mut()).await
    }

    /// Records that a set at `checkpoint` has not folded yet.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn lag(&self, checkpoint: &Checkpoint) -> Result<u64, crate::log::ReadError> {
        feed::behind(self.parts.log.as_ref(), checkpoint).await
    }

    /// Drops a set beside the live one.
    ///
    /// # Errors
    /// When there is none, or it is worked on.
    pub async fn drop_set(&self, set: &str) -> Result<(), DeskError> {
        if self.state.borrow().work.is_some() {
            return Err(DeskError::Busy);
        }
        let store = (self.parts.open)().await.map_err(ProjectError::from);
        let mut store = store.map_err(RebuildError::from)?;
        let (writer, config) = (&self.parts.writer, &self.parts.config);
        Ok(drop_set(store.as_mut(), set, writer, config).await?)
    }
}

/// Carries out what a desk takes.
pub struct Clerk {
    desk: Desk,
    taken: mpsc::Receiver<Job>,
}

/// How long a store that failed is left alone.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 5_000 });

impl Clerk {
    /// Works until `shutdown`. Tables of an earlier version are rebuilt first, unless the
    /// configuration says otherwise.
    ///
    /// # Errors
    /// None: what fails is told by [`Desk::state`], and nothing else depends on it.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ProjectError> {
        if self.desk.parts.config.rebuild_on_start {
            shutdown
                .run_until_cancelled(self.order_what_is_outdated())
                .await;
        }
        loop {
            let job = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                job = self.taken.recv() => job,
            };
            let Some(job) = job else {
                return Ok(());
            };
            self.carry_out(job, &shutdown).await;
        }
    }

    async fn order_what_is_outdated(&self) {
        let names = loop {
            match self.outdated().await {
                Ok(names) => break names,
                Err(ProjectError::Store(error)) if error.may_pass() => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    tracing::debug!(%error, "whether tables are outdated is not known");
                    break Vec::new();
                }
            }
        };
        if names.is_empty() {
            return;
        }
        tracing::info!(
            ?names,
            "tables of an earlier version are rebuilt beside; they answer until then"
        );
        let _ = self.desk.order(Job::Rebuild {
            names,
            restart: false,
            unseen: false,
        });
    }

    /// The projections whose live tables are not of this release. Those that were switched back are
    /// left: somebody did so on purpose.
    async fn outdated(&self) -> Result<Vec<String>, ProjectError> {
        let parts = &self.desk.parts;
        let mut store = (parts.open)().await?;
        let Some((stored, _)) = fitting(parts.log.as_ref(), store.as_mut()).await? else {
            return Ok(Vec::new());
        };
        let sets = store.sets().await?;
        let outdated = PROJECTIONS.iter().filter(|p| {
            let is = |stored: &Stored| stored.versions.get(p.name) == Some(&p.version);
            let kept = |set: &TableSet| set.kind == SetKind::Kept && is(&set.stored);
            !is(&stored) && !sets.iter().any(kept)
        });
        Ok(outdated.map(|p| p.name.to_owned()).collect())
    }

    async fn carry_out(&self, job: Job, shutdown: &CancellationToken) {
        let stop = shutdown.child_token();
        self.desk.halt.send_replace(stop.clone());
        let mut job_now = job.clone();
        let ended = loop {
            match self.once(&job_now, &stop).await {
                Err(RebuildError::Project(ProjectError::Store(error)))
                    if error.may_pass() && !stop.is_cancelled() =>
                {
                    tracing::warn!(%error, "a rebuild waits for the store of the tables");
                    let pause = tokio::time::sleep(PAUSE);
                    stop.run_until_cancelled(pause).await;
                    // What is there by now is not begun anew.
                    if let Job::Rebuild { restart, .. } = &mut job_now {
                        *restart = false;
                    }
                }
                ended => break ended,
            }
        };
        match &ended {
            Ok(rebuilt) => {
                let kept = rebuilt.kept.as_deref();
                tracing::info!(?job, kept, "queries read the new tables");
            }
            Err(error) => tracing::warn!(?job, %error, "the tables were not replaced"),
        }
        self.desk.state.send_modify(|state| {
            state.work = None;
            state.last = Some((job, ended.map_err(|error| error.to_string())));
        });
    }

    async fn once(&self, job: &Job, stop: &CancellationToken) -> Result<Rebuilt, RebuildError> {
        let DeskParts {
            log,
            open,
            metrics,
            config,
            writer,
        } = self.desk.parts.clone();
        let parts = ProjectorParts {
            log,
            store: open().await.map_err(ProjectError::from)?,
            metrics,
            config,
            writer,
        };
        let mut order = Order {
            gently: true,
            stop: stop.clone(),
            ..Order::default()
        };
        let tell = |progress| {
            self.desk.state.send_modify(|state| {
                if let Some((_, told)) = &mut state.work {
                    *told = Some(progress);
                }
            });
        };
        match job {
            Job::Rebuild {
                names,
                restart,
                unseen,
            } => {
                order.names.clone_from(names);
                order.restart = *restart;
                order.unseen = *unseen;
                rebuild(parts, &order, tell).await
            }
            Job::SwitchBack { set } => switch_back(parts, set.as_deref(), &order, tell).await,
        }
    }
}
