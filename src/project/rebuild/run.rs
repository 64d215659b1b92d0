//! One run: folds beside the live tables, catches up, compares, and switches.

use super::building::Building;
use super::compare::{Compared, Found, Pair};
use super::plan::Plan;
use super::progress::{Phase, Progress, Rebuilt};
use super::{Order, Patience, RebuildError, WAIT, holder};
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::project::runner::{ProjectError, fitting};
use crate::project::store::{ProjectionStore, StoreError};
use crate::project::{Projector, ProjectorParts, feed};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::projection::Projection;
use hooklog_schemas::EventId;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Records folded between two transactions. Large ones write each page less often; small ones let
/// others write between them.
const EVENTS: usize = if cfg!(test) { 150 } else { 26_000 };
const EVENTS_GENTLY: usize = if cfg!(test) { 150 } else { 8_192 };

/// So few records are left that the switch need not wait for another round.
const NEAR: u64 = if cfg!(test) { 100 } else { 2_000 };

/// How often the live tables are taken for the switch, should another writer take them back.
const TRIES: u32 = 20;

/// How often a rebuild waits for the live tables before its next batch.
const WAITS: u32 = 40;

/// One run of a rebuild, or of a switch back.
pub(super) struct Run<'a, P> {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) id: EventId,
    /// The live tables.
    pub(super) store: Box<dyn ProjectionStore>,
    pub(super) config: ProjectConfig,
    pub(super) writer: String,
    order: &'a Order,
    gently: bool,
    progress: P,
    started: Instant,
    resumed_at: u64,
}

impl<'a, P: FnMut(Progress) + Send> Run<'a, P> {
    pub(super) async fn begin(
        parts: ProjectorParts,
        order: &'a Order,
        progress: P,
    ) -> Result<Self, RebuildError> {
        let log = Arc::clone(&parts.log);
        let id = feed::log_id(log.as_ref()).await;
        let id = id.map_err(ProjectError::from)?.ok_or(ProjectError::Empty)?;
        let (config, writer) = (parts.config.clone(), parts.writer.clone());
        let (store, alone) = ready(parts, order).await?;
        Ok(Self {
            log,
            id,
            store,
            config,
            writer,
            order,
            gently: order.gently || !alone,
            progress,
            started: Instant::now(),
            resumed_at: 0,
        })
    }

    /// A run that was killed keeps its lease for as long.
    pub(super) fn patience(&self) -> Patience {
        let lease = Duration::from_millis(self.config.lease_ms);
        Patience(Instant::now() + lease + WAIT)
    }

    pub(super) async fn plan(
        &mut self,
        chosen: &[&'static Projection],
        live: Option<&Checkpoint>,
    ) -> Result<Building, RebuildError> {
        let plan = Plan {
            log: &self.log,
            id: self.id,
            chosen,
            live,
            restart: self.order.restart,
            holder: holder(&self.writer, &self.config),
        };
        plan.open(self.store.as_mut()).await
    }

    /// Where the live tables are; none if there are none that matter.
    pub(super) async fn live_checkpoint(&mut self) -> Result<Option<Checkpoint>, ProjectError> {
        match fitting(self.log.as_ref(), self.store.as_mut()).await {
            Ok(found) => Ok(found.map(|(stored, _)| stored.checkpoint)),
            Err(ProjectError::Unfit(unfit)) if unfit.is_answered_by_a_rebuild() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn complete(
        mut self,
        mut building: Building,
    ) -> Result<Rebuilt, RebuildError> {
        let completed = self.bring_to_its_end(&mut building).await;
        // Who comes next need not wait until the lease ends by itself.
        let released = match building.settle().await {
            Ok(store) => store.release().await.map_err(ProjectError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            tracing::debug!(%error, "the lease of a rebuild was not given back");
        }
        completed
    }

    async fn bring_to_its_end(&mut self, building: &mut Building) -> Result<Rebuilt, RebuildError> {
        self.started = Instant::now();
        self.resumed_at = folded(building.checkpoint());
        self.catch_up(building).await?;
        self.tell(building, Phase::Indexing).await?;
        let store = building.settle().await?;
        let finished = self.order.stop.run_until_cancelled(store.finish()).await;
        match finished {
            Some(finished) => finished.map_err(RebuildError::of)?,
            None => return Err(self.stopped(building).await?),
        }
        self.catch_up(building).await?;
        let compared = self.compare(building).await?;
        self.catch_up(building).await?;
        let kept = self.switch(building).await?;
        let progress = self.tell(building, Phase::Switching).await?;
        Ok(Rebuilt {
            progress,
            compared,
            kept,
        })
    }

    /// Folds until it is where the live tables are, or nearly: they go on meanwhile.
    async fn catch_up(&mut self, building: &mut Building) -> Result<(), RebuildError> {
        loop {
            let until = self.live_checkpoint().await?;
            let mut round = 0;
            loop {
                if self.order.stop.is_cancelled() {
                    return Err(self.stopped(building).await?);
                }
                let began = Instant::now();
                let events = if self.gently { EVENTS_GENTLY } else { EVENTS };
                let some = building.step(events, until.as_ref()).await?;
                if some == 0 {
                    break;
                }
                round += some;
                self.tell(building, Phase::Folding).await?;
                self.give_way(began.elapsed()).await?;
            }
            if round < NEAR {
                return Ok(());
            }
        }
    }

    /// Leaves the machine to others: as long as a batch took, and while the live tables fall behind.
    async fn give_way(&mut self, took: Duration) -> Result<(), RebuildError> {
        if !self.gently {
            return Ok(());
        }
        sleep(took.min(Duration::from_secs(1))).await;
        for _ in 0..WAITS {
            let Some(live) = self.live_checkpoint().await? else {
                break;
            };
            let behind = feed::behind(self.log.as_ref(), &live).await;
            let behind = behind.map_err(ProjectError::from)?;
            let some = 4 * self.config.batch_events_max as u64;
            if behind <= some || self.order.stop.is_cancelled() {
                break;
            }
            sleep(WAIT).await;
        }
        Ok(())
    }

    /// Compares what both have, at one checkpoint.
    async fn compare(&mut self, building: &mut Building) -> Result<Vec<Compared>, ProjectError> {
        if self.order.unseen || self.live_checkpoint().await?.is_none() {
            return Ok(Vec::new());
        }
        self.tell(building, Phase::Comparing).await?;
        let mut frozen = self.store.freeze().await?;
        let old_is_leased = frozen.is_none();
        if old_is_leased {
            // Nobody writes them while we have their lease.
            let holder = holder(&self.writer, &self.config);
            self.store.take_over(holder.writer, holder.lease).await?;
        }
        let old = match &mut frozen {
            Some(frozen) => frozen.as_mut(),
            None => self.store.as_mut(),
        };
        let Some(stored) = old.stored().await? else {
            return Ok(Vec::new());
        };
        while building.step(EVENTS, Some(&stored.checkpoint)).await? > 0 {}
        if *building.checkpoint() != stored.checkpoint {
            // The live tables were put back: there is no point where both are.
            return Ok(Vec::new());
        }
        let versions = building.versions.clone();
        let mut pair = Pair {
            old,
            old_is_leased,
            new: building.settle().await?,
            renewed: Instant::now(),
        };
        let compared = pair.compare(&stored.versions, &versions).await?;
        if old_is_leased {
            self.store.release().await?;
        }
        compared.iter().for_each(report);
        Ok(compared)
    }

    /// Switches, at the very point where the live tables are; tells what holds those.
    async fn switch(&mut self, building: &mut Building) -> Result<Option<String>, RebuildError> {
        self.tell(building, Phase::Switching).await?;
        for _ in 0..TRIES {
            let renewed = building.settle().await?.renew().await;
            renewed.map_err(ProjectError::from)?;
            match self.turn(building).await {
                Err(ProjectError::Store(StoreError::Superseded { .. } | StoreError::Moved)) => {
                    sleep(Duration::from_millis(50)).await;
                }
                turned => return Ok(turned?),
            }
        }
        Err(RebuildError::Contended(TRIES))
    }

    async fn turn(&mut self, building: &mut Building) -> Result<Option<String>, ProjectError> {
        let holder = holder(&self.writer, &self.config);
        self.store.take_over(holder.writer, holder.lease).await?;
        let until = self.live_checkpoint().await?;
        while building.step(EVENTS, until.as_ref()).await? > 0 {}
        building.settle().await?;
        let at = building.checkpoint().clone();
        let kept = self.store.switch(&building.name, &at).await?;
        if let Err(error) = self.store.release().await {
            tracing::debug!(%error, "the lease of the tables was not given back");
        }
        Ok(kept)
    }

    async fn tell(
        &mut self,
        building: &mut Building,
        phase: Phase,
    ) -> Result<Progress, ProjectError> {
        let checkpoint = building.checkpoint();
        let folded = folded(checkpoint);
        let progress = Progress {
            folded,
            total: folded + feed::behind(self.log.as_ref(), checkpoint).await?,
            resumed_at: self.resumed_at,
            elapsed: self.started.elapsed(),
            phase,
        };
        (self.progress)(progress);
        Ok(progress)
    }

    /// What is written is written: the next run goes on from there.
    async fn stopped(&mut self, building: &mut Building) -> Result<RebuildError, ProjectError> {
        building.settle().await?;
        let Progress { folded, total, .. } = self.tell(building, Phase::Folding).await?;
        Ok(RebuildError::Stopped { folded, total })
    }
}

/// The store of the live tables, which are at the end of the log if nobody else writes them; and
/// whether that is so.
async fn ready(
    mut parts: ProjectorParts,
    order: &Order,
) -> Result<(Box<dyn ProjectionStore>, bool), ProjectError> {
    if order.gently {
        return Ok((parts.store, false));
    }
    match fitting(parts.log.as_ref(), parts.store.as_mut()).await {
        Ok(Some(_)) => {}
        Ok(None) => return Ok((parts.store, true)),
        Err(ProjectError::Unfit(unfit)) if unfit.is_answered_by_a_rebuild() => {
            tracing::info!(%unfit, "all projections are rebuilt");
            return Ok((parts.store, true));
        }
        Err(error) => return Err(error),
    }
    let lease = Duration::from_millis(parts.config.lease_ms);
    match parts.store.acquire(&parts.writer, lease).await {
        Ok(()) => {}
        Err(StoreError::Held { .. }) => return Ok((parts.store, false)),
        Err(error @ StoreError::Unreadable(_)) => {
            tracing::info!(%error, "the live tables stay as they are until they are replaced");
            return Ok((parts.store, true));
        }
        Err(error) => return Err(error.into()),
    }
    let mut projector = Projector::open(parts).await?;
    let alone = match projector.catch_up().await {
        Ok(()) => true,
        Err(ProjectError::Store(StoreError::Held { .. } | StoreError::Superseded { .. })) => false,
        Err(error) => return Err(error),
    };
    let mut store = projector.into_store();
    store.release().await?;
    Ok((store, alone))
}

fn folded(checkpoint: &Checkpoint) -> u64 {
    checkpoint.positions().map(|p| p.offset.0).sum()
}

fn report(compared: &Compared) {
    let projection = compared.projection;
    match &compared.found {
        Found::Same { rows, sha256, .. } => {
            tracing::info!(
                projection,
                rows,
                sha256,
                "the new tables hold what the old ones do"
            );
        }
        Found::Different { table, key } => tracing::error!(
            projection,
            table,
            key,
            "the new tables differ from the old ones, which are kept: please report it"
        ),
        Found::Nothing => tracing::info!(projection, "there are no old tables to compare with"),
    }
}
