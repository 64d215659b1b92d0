//! Keeps one projection of somebody's own up to date, and builds it anew.

mod folding;
mod handle;
mod sizes;
mod telling;

pub(super) use folding::Step;
pub use handle::OwnHandle;

use super::definition::Definition;
use super::erasures::Erasures;
use super::sets::Sets;
use super::sql::Flavour;
use super::status::{OwnState, OwnStatus};
use super::store::{OwnError, OwnStore, OwnStored};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::metrics::Metrics;
use crate::project::{Standing, Status};
use handle::Order;
use sizes::Sizes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What a keeper is made of.
pub struct KeeperParts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Its tables.
    pub store: Box<dyn OwnStore>,
    /// The folder that describes it.
    pub folder: PathBuf,
    /// Which file of SQL is the store's.
    pub flavour: Flavour,
    /// Its pace.
    pub config: ProjectConfig,
    /// Where its lag is told.
    pub metrics: Metrics,
    /// The projector of this process: who writes hooklog's tables writes these too.
    pub projector: Option<Status>,
}

/// Keeps one projection of somebody's own.
pub struct Keeper {
    parts: KeeperParts,
    definition: Option<Arc<Definition>>,
    /// When its folder was looked at.
    looked: Option<Instant>,
    /// None while it is not known what is stored.
    sets: Option<Sets>,
    /// The tables that answered when it failed last.
    last: Option<OwnStored>,
    /// Somebody ordered new tables.
    anew: bool,
    erasures: Erasures,
    sizes: Sizes,
    turn: usize,
    failures: u32,
    /// Until when the tables that answer stand still after a failure, while others are built.
    rests: Option<Instant>,
    /// When the log was last asked how far behind the tables are.
    asked: Option<Instant>,
    status: watch::Sender<OwnStatus>,
    orders: mpsc::Receiver<Order>,
}

/// How often its folder is looked at.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 5_000 });

/// How long a projection that failed stands still: twice as long every time, up to the most.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 1_000 });
const PAUSE_MAX: Duration = Duration::from_millis(if cfg!(test) { 40 } else { 300_000 });

impl Keeper {
    /// A keeper, and what tells how it is.
    #[must_use]
    pub fn new(parts: KeeperParts) -> (Self, OwnHandle) {
        let name = parts.folder.file_name().unwrap_or_default();
        let (status, seen) = watch::channel(OwnStatus::of(&name.to_string_lossy()));
        let (ordering, orders) = mpsc::channel(8);
        let handle = OwnHandle::new(seen, ordering);
        let keeper = Self {
            sizes: Sizes::new(parts.config.own.batch_events_max),
            parts,
            definition: None,
            looked: None,
            sets: None,
            last: None,
            anew: false,
            erasures: Erasures::default(),
            turn: 0,
            failures: 0,
            rests: None,
            asked: None,
            status,
            orders,
        };
        (keeper, handle)
    }

    /// Follows the log until `shutdown`. What fails stops this projection alone, is told, and is tried
    /// again after a while, or when its files have changed. A stop in the middle of a batch undoes it.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            shutdown.run_until_cancelled(self.once()).await;
        }
    }

    async fn once(&mut self) {
        if !self.leads() {
            return self.stand_by().await;
        }
        let rested = self.rests;
        match self.step().await {
            Ok(Step::Idle) => self.wait().await,
            Ok(Step::Folded) => self.breath().await,
            Err(OwnError::Moved) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                self.tell_failure(&error);
                // Where those that answer alone have just failed, what is built may be what mends it.
                match self.rests.is_some() && self.rests != rested {
                    true => self.breath().await,
                    false => self.rest().await,
                }
            }
        }
    }

    /// What is waited for between two batches.
    fn breath(&self) -> tokio::time::Sleep {
        tokio::time::sleep(Duration::from_millis(self.parts.config.batch_wait_ms))
    }

    fn leads(&self) -> bool {
        let projector = self.parts.projector.as_ref();
        projector.is_none_or(|projector| projector.standing() == Standing::Writes)
    }

    async fn stand_by(&mut self) {
        (self.sets, self.rests) = (None, None);
        self.tell_nothing();
        self.status.send_modify(|status| {
            status.state = OwnState::Waits;
            status.error = None;
        });
        let Some(projector) = &self.parts.projector else {
            return;
        };
        tokio::select! {
            writes = projector.stands(|now| *now == Standing::Writes) => if !writes {
                // The projector has ended, and the process is about to.
                std::future::pending::<()>().await;
            },
            // Whoever gave it hears that nobody takes it here.
            order = self.orders.recv() => drop(order),
        }
    }

    /// Until there are records to fold, an order, or the time to look at the folder.
    async fn wait(&mut self) {
        let next = self.positions();
        tokio::select! {
            () = self.parts.log.wait(&next), if !next.is_empty() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(order) = self.orders.recv() => self.carry_out(order).await,
        }
    }

    /// After a failure: until it is time to try again, an order, or other files.
    async fn rest(&mut self) {
        let end = self.pause();
        while Instant::now() < end {
            self.tell_lag().await;
            let left = end.saturating_duration_since(Instant::now());
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK)) => {}
                Some(order) = self.orders.recv() => return self.carry_out(order).await,
            }
            if self.files_changed() {
                self.failures = 0;
                return;
            }
        }
    }

    /// Until when it stands still after one more failure.
    fn pause(&mut self) -> Instant {
        self.failures = self.failures.saturating_add(1);
        let doubled = PAUSE.saturating_mul(1 << (self.failures - 1).min(16));
        Instant::now() + doubled.min(PAUSE_MAX)
    }

    fn files_changed(&self) -> bool {
        let read = Definition::read(&self.parts.folder, self.parts.flavour);
        match (read, &self.definition) {
            (Ok(now), Some(then)) => now != **then,
            (Ok(_), None) => true,
            (Err(_), then) => then.is_some(),
        }
    }

    async fn carry_out(&mut self, order: Order) {
        match order {
            Order::Rebuild => self.anew = true,
            Order::Drop { version, done } => {
                let dropped = self.parts.store.drop_kept(version).await;
                self.asked = None;
                // Nobody may wait for it any more.
                let _ = done.send(dropped);
            }
        }
    }
}
